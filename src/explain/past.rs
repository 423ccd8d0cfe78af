//! The agreed record at a past moment, rebuilt backwards from the present base.
//!
//! Pure. Every entry that may move a base holds the base as it was before. So of the entries after
//! the moment the first one tells what was agreed then, and where there is none the present base
//! does, unless the pair agreed for the first time only later.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Bases, BySide, Fields, Timestamp};
use crate::store::JournalEntry;

/// What both sides had agreed on under one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    Agreed(BySide<Fields>),
    /// Not before this moment, where it is known.
    NotYet(Option<Timestamp>),
    /// The pair is older than what the store can tell.
    Untold,
}

/// What is known of the agreements of one pair.
pub struct Known<'a> {
    /// As they are now.
    pub bases: &'a Bases,
    /// When the pair first agreed on anything.
    pub since: Option<Timestamp>,
    /// Of each rule the first entry after the moment.
    pub next: &'a [JournalEntry],
}

/// What every rule's agreement was at `at`.
pub fn agreed_at(known: &Known<'_>, at: Timestamp) -> BTreeMap<String, Then> {
    let told = known.next.iter().map(|entry| entry.rule.as_str());
    let rules: BTreeSet<&str> = known
        .bases
        .keys()
        .map(String::as_str)
        .chain(told)
        .filter(|rule| !rule.is_empty())
        .collect();
    rules
        .into_iter()
        .map(|rule| (rule.to_owned(), of_rule(known, rule, at)))
        .collect()
}

fn of_rule(known: &Known<'_>, rule: &str, at: Timestamp) -> Then {
    let next = known.next.iter().find(|entry| entry.rule == rule);
    let base = match next {
        Some(entry) => entry.base.clone(),
        None => known.bases.get(rule).map(|base| base.sides.clone()),
    };
    let first = next.map(|entry| entry.at);
    match (base, known.since) {
        // Its entries may be older than the habit of noting the base.
        (None, None) if known.bases.contains_key(rule) => Then::Untold,
        (None, since) => Then::NotYet(first.max(since)),
        (Some(_), Some(since)) if since > at => Then::NotYet(Some(since)),
        (Some(sides), Some(_)) => Then::Agreed(sides),
        // Told by an entry; only a base that no entry speaks of may have moved unseen.
        (Some(sides), None) if next.is_some() => Then::Agreed(sides),
        (Some(_), None) => Then::Untold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Halves, JournalId, MappingName, Raw, Revision, RunId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn sides(value: &str) -> BySide<Fields> {
        let one = |name: &str| Fields::from([(name.to_owned(), Raw::text(value))]);
        BySide::new(one("phone"), one("Phone"))
    }

    fn entry(second: i64, base: Option<&str>) -> JournalEntry {
        JournalEntry {
            id: JournalId::new(format!("jrn_{second}")),
            at: at(second),
            run: RunId::new("run_1"),
            mapping: MappingName::new("contacts"),
            revision: Revision::new("rev_1"),
            link: None,
            record: None,
            rule: "phone".to_owned(),
            decision: "write".to_owned(),
            reason: "applied".to_owned(),
            base: base.map(sides),
            inputs: BySide::default(),
            winner: None,
            wrote: None,
            loser: None,
            detail: String::new(),
        }
    }

    /// What the rule `phone` had agreed on at `second`, of a pair that holds `3` now.
    fn then(since: Option<i64>, entries: &[JournalEntry], second: i64) -> Then {
        let halves = Halves {
            sides: sides("3"),
            rule_hash: "h".to_owned(),
        };
        let bases = Bases::from([("phone".to_owned(), halves)]);
        let next: Vec<JournalEntry> = entries
            .iter()
            .filter(|entry| entry.at > at(second))
            .take(1)
            .cloned()
            .collect();
        let known = Known {
            bases: &bases,
            since: since.map(at),
            next: &next,
        };
        let mut all = agreed_at(&known, at(second));
        all.remove("phone").expect("the rule is known")
    }

    #[test]
    fn each_value_is_found_at_the_time_it_was_agreed_and_no_other() {
        let moves = [entry(20, Some("1")), entry(30, Some("2"))];
        let then = |second| then(Some(10), &moves, second);
        assert_eq!(then(9), Then::NotYet(Some(at(10))));
        assert_eq!(then(10), Then::Agreed(sides("1")));
        assert_eq!(then(19), Then::Agreed(sides("1")));
        assert_eq!(then(20), Then::Agreed(sides("2")));
        assert_eq!(then(30), Then::Agreed(sides("3")));
        assert_eq!(then(99), Then::Agreed(sides("3")));
    }

    #[test]
    fn a_rule_that_came_later_had_agreed_on_nothing_before() {
        let moves = [entry(20, None)];
        assert_eq!(then(Some(10), &moves, 15), Then::NotYet(Some(at(20))));
        assert_eq!(then(Some(10), &moves, 20), Then::Agreed(sides("3")));
    }

    #[test]
    fn a_pair_older_than_the_store_remembers_is_never_guessed_at() {
        assert_eq!(then(None, &[], 15), Then::Untold);
        assert_eq!(then(None, &[entry(20, None)], 15), Then::Untold);
        let known = [entry(20, Some("1"))];
        assert_eq!(then(None, &known, 15), Then::Agreed(sides("1")));
    }
}
