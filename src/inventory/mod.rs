//! Counts what both sides hold under one mapping, a page of records at a time.
//!
//! Pure: records come in, counts and a few examples come out. What becomes of a record is not
//! decided here: the engine has planned a run before, and its answers come in with each page.
//! Counts are exact whatever their size, and the examples of each list are limited.

mod fate;
mod values;

use std::collections::{BTreeMap, BTreeSet};

pub use fate::{Alone, Fate, Known};
pub use values::Used;

use crate::mapping::{Bound, References, Rule};
use crate::model::{BySide, MappingName, Record, RecordId, Side};
use values::Values;

/// Examples that a list keeps.
pub const LISTED: usize = 500;

/// A list of which the first records are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub count: u64,
    pub examples: Vec<Example>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub id: RecordId,
    /// A few of its values, for people.
    pub title: String,
}

impl Listed {
    fn add(&mut self, example: impl FnOnce() -> Example) {
        self.count += 1;
        if self.examples.len() < LISTED {
            self.examples.push(example());
        }
    }
}

/// On how many records a rule has a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Records that take part.
    pub of: u64,
    pub filled: u64,
}

/// What was counted under one mapping.
#[derive(Clone, Debug)]
pub struct Inventory {
    pub mapping: MappingName,
    pub fates: BySide<BTreeMap<Fate, Listed>>,
    /// By rule; associations are not among them, because no list of records shows them.
    pub fills: BTreeMap<String, BySide<Fill>>,
    /// Titles of the records that were asked for by name.
    pub titles: BySide<BTreeMap<RecordId, String>>,
    wanted: BySide<BTreeSet<RecordId>>,
    values: Values,
}

impl Inventory {
    /// `wanted` are records whose titles somebody wants to show.
    pub fn new(mapping: MappingName, wanted: BySide<BTreeSet<RecordId>>) -> Self {
        Self {
            mapping,
            fates: BySide::default(),
            fills: BTreeMap::new(),
            titles: BySide::default(),
            wanted,
            values: Values::default(),
        }
    }

    /// Counts a page of live records.
    pub fn add(&mut self, bound: &Bound, side: Side, records: &[Record], known: &Known) {
        for record in records {
            let fate = fate::of(bound, side, record, known);
            let title = || bound.title(side, &record.fields);
            if self.wanted.get(side).contains(&record.id) {
                let titles = self.titles.get_mut(side);
                titles.insert(record.id.clone(), title());
            }
            let listed = self.fates.get_mut(side).entry(fate).or_default();
            listed.add(|| Example {
                id: record.id.clone(),
                title: title(),
            });
            if fate != Fate::Outside {
                self.count(bound, side, record, fate.travels());
            }
        }
    }

    fn count(&mut self, bound: &Bound, side: Side, record: &Record, travels: bool) {
        let references = References::default();
        let rules = bound.mapping().rules.iter();
        for rule in rules.filter(|rule| is_read(rule, side)) {
            let value = bound.canon(rule, side, &record.fields, &references);
            let fills = self.fills.entry(rule.name.clone()).or_default();
            let fill = fills.get_mut(side);
            fill.of += 1;
            // A value that cannot be read is there all the same.
            fill.filled += u64::from(!matches!(&value, Ok(value) if value.is_blank()));
            if let (true, Ok(value)) = (travels, &value) {
                self.values.add(bound, rule, side, value, &record.id);
            }
        }
    }

    /// How many records there are on a side.
    pub fn records(&self, side: Side) -> u64 {
        self.fates
            .get(side)
            .values()
            .map(|listed| listed.count)
            .sum()
    }

    pub fn fate(&self, side: Side, fate: Fate) -> u64 {
        let listed = self.fates.get(side).get(&fate);
        listed.map_or(0, |listed| listed.count)
    }

    /// The values of records that travel and have no counterpart on the other side, those of most
    /// records first.
    pub fn without_counterpart(&self, bound: &Bound) -> Vec<Used> {
        self.values.without_counterpart(bound)
    }
}

/// Associations are no fields, and a side that only takes a computed value has none to count.
fn is_read(rule: &Rule, side: Side) -> bool {
    rule.reference().is_none() && !rule.sides.get(side).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_counting_when_it_keeps_no_more_examples() {
        let mut listed = Listed::default();
        for nth in 0..LISTED + 7 {
            listed.add(|| Example {
                id: RecordId::new(nth.to_string()),
                title: String::new(),
            });
        }
        assert_eq!(listed.count, LISTED as u64 + 7);
        assert_eq!(listed.examples.len(), LISTED);
    }
}
