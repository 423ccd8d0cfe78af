//! The two CRMs of the model: histories of one value each, and who caused every entry.
//!
//! Knows nothing of the engine's reasoning. The links between entries are the judge's: they say
//! which edits a value rests on, so that at the end each edit can be accounted for.

use std::collections::BTreeSet;

use fastrand::Rng;
use tandem::model::{BySide, Side, Value};

/// One entry of one side's history.
pub type Id = (Side, usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// There from the start, agreed.
    Start,
    User,
    /// Written by us under this intent.
    Ours(u32),
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub value: Value,
    pub origin: Origin,
    /// Entries whose author's intention this one carries on.
    rests_on: Vec<Id>,
}

/// A write under way.
#[derive(Clone, Debug)]
pub struct Flight {
    pub intent: u32,
    pub side: Side,
    pub value: Value,
    pub source: Id,
}

pub struct World {
    pub sides: BySide<Vec<Entry>>,
    pub flights: Vec<Flight>,
    folds_case: bool,
    edits: u32,
}

impl World {
    /// Either both sides agree at the start, or they meet for the first time.
    pub fn new(rng: &mut Rng, folds_case: bool, agreed: bool) -> Self {
        let mut world = Self {
            sides: BySide::default(),
            flights: Vec::new(),
            folds_case,
            edits: 0,
        };
        for side in Side::BOTH {
            let (value, origin) = if agreed {
                ("Start".to_owned(), Origin::Start)
            } else {
                (format!("{}-{}", side.title(), rng.u8(..3)), Origin::User)
            };
            world.put(side, &Value::text(value), origin, Vec::new());
        }
        world
    }

    fn put(&mut self, side: Side, value: &Value, origin: Origin, rests_on: Vec<Id>) {
        let value = match value {
            Value::Text(text) if self.folds_case && side == Side::Salesforce => {
                Value::text(text.to_lowercase())
            }
            value => value.clone(),
        };
        self.sides.get_mut(side).push(Entry {
            value,
            origin,
            rests_on,
        });
    }

    pub fn last(&self, side: Side) -> usize {
        self.sides.get(side).len() - 1
    }

    pub fn value(&self, (side, at): Id) -> &Value {
        &self.sides.get(side)[at].value
    }

    pub fn entry(&self, (side, at): Id) -> &Entry {
        &self.sides.get(side)[at]
    }

    /// A user types something new, or what stands on the other side. Nobody returns to a value
    /// the side had before: comparison by value would rightly call that no change.
    pub fn edit(&mut self, rng: &mut Rng) {
        let side = if rng.bool() {
            Side::HubSpot
        } else {
            Side::Salesforce
        };
        self.edits += 1;
        let there = self.value((side.other(), self.last(side.other())));
        let known = self
            .sides
            .get(side)
            .iter()
            .any(|entry| folded(&entry.value) == folded(there));
        let value = if !known && rng.u8(..5) == 0 {
            there.clone()
        } else {
            Value::text(format!("Edit-{}", self.edits))
        };
        self.put(side, &value, Origin::User, vec![(side, self.last(side))]);
    }

    pub fn land(&mut self, flight: &Flight) {
        let origin = Origin::Ours(flight.intent);
        self.put(flight.side, &flight.value, origin, vec![flight.source]);
    }

    pub fn land_one(&mut self, rng: &mut Rng) {
        if !self.flights.is_empty() {
            let flight = self.flights.swap_remove(rng.usize(..self.flights.len()));
            self.land(&flight);
        }
    }

    pub fn land_or_drop_all(&mut self, rng: &mut Rng) {
        for flight in std::mem::take(&mut self.flights) {
            if rng.bool() {
                self.land(&flight);
            }
        }
    }

    /// Two entries say the same, so that whoever rests on one rests on the other.
    pub fn equate(&mut self, one: Id, other: Id) {
        for (from, to) in [(one, other), (other, one)] {
            self.sides.get_mut(from.0)[from.1].rests_on.push(to);
        }
    }

    /// Whether this value was ever held there.
    pub fn ever_held(&self, side: Side, value: &Value) -> bool {
        self.sides
            .get(side)
            .iter()
            .any(|entry| entry.value == *value)
    }

    pub fn rests_on(&self, entry: Id, other: Id) -> bool {
        self.entry(entry).rests_on.contains(&other)
    }

    fn reach(&self, from: Id) -> BTreeSet<Id> {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(&self.entry(id).rests_on);
            }
        }
        seen
    }

    /// A user's edit that neither shows on both sides, nor was replaced by somebody who saw it,
    /// nor was kept as a loser.
    pub fn lost_edit(&self, kept: &BTreeSet<Id>) -> Option<Id> {
        let ends = Side::BOTH.map(|side| self.reach((side, self.last(side))));
        let mut fine: BTreeSet<Id> = &ends[0] & &ends[1];
        for loser in kept {
            fine.extend(self.reach(*loser));
        }
        Side::BOTH
            .into_iter()
            .flat_map(|side| (0..self.sides.get(side).len()).map(move |at| (side, at)))
            .find(|id| self.entry(*id).origin == Origin::User && !fine.contains(id))
    }
}

impl World {
    /// Both histories, for whoever has to understand a failure.
    pub fn story(&self) -> String {
        let line = |side: Side, at: usize, entry: &Entry| {
            format!(
                "{side} {at}: {} by {:?}, rests on {:?}\n",
                entry.value, entry.origin, entry.rests_on
            )
        };
        let of = |side: Side| {
            let entries = self.sides.get(side).iter().enumerate();
            entries
                .map(|(at, entry)| line(side, at, entry))
                .collect::<String>()
        };
        format!("{}{}", of(Side::HubSpot), of(Side::Salesforce))
    }
}

fn folded(value: &Value) -> String {
    value.to_string().to_lowercase()
}
