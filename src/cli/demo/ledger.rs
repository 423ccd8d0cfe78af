//! The record of what the demo's users typed, and of when it reached the other side.
//!
//! Watches the simulators' own state; how an edit is chosen is in `edits`, how it is judged in
//! `verify`.

use std::collections::BTreeMap;

use crate::model::{Side, Timestamp};
use crate::sim::hubspot::{self, HubSpotSim};
use crate::sim::salesforce::{self, SalesforceSim};

use super::canon::Meaning;
use super::outcome::LinkSeen;
use super::shape::{Rule, Shape};

/// One thing a user did in one of the two CRMs.
#[derive(Clone, Debug)]
pub struct Edit {
    pub shape: &'static Shape,
    pub side: Side,
    pub id: String,
    /// Who it was linked with when the edit was made.
    pub partner: Option<String>,
    pub kind: EditKind,
    pub at: Timestamp,
}

#[derive(Clone, Debug)]
pub enum EditKind {
    Field {
        rule: &'static Rule,
        /// What the user meant, in words that both sides share.
        meaning: String,
        /// What the field held before people touched it in this wave: both sides had agreed on it.
        agreed: Option<String>,
        /// When the other side was first seen to hold it.
        arrived: Option<Timestamp>,
        /// The other side held it already, so that it says nothing about speed.
        echo: bool,
    },
    Create,
    Remove,
}

impl Edit {
    /// The rule's name; empty for a whole record.
    pub fn rule(&self) -> &'static str {
        match &self.kind {
            EditKind::Field { rule, .. } => rule.name,
            EditKind::Create | EditKind::Remove => "",
        }
    }

    /// For people.
    pub fn describe(&self) -> String {
        let what = match &self.kind {
            EditKind::Field { rule, meaning, .. } => format!("{} = {meaning:?}", rule.name),
            EditKind::Create => "created".to_owned(),
            EditKind::Remove => "removed".to_owned(),
        };
        let object = self.shape.object(self.side);
        format!(
            "{} {object} {}: {what} at {}",
            self.side.title(),
            self.id,
            self.at
        )
    }
}

/// Both simulators, and what values in them mean.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub hubspot: &'a HubSpotSim,
    pub salesforce: &'a SalesforceSim,
    pub meaning: &'a Meaning,
}

impl View<'_> {
    /// The rule's value as `side` holds it now; `None` when the record is gone.
    pub fn value(&self, shape: &Shape, rule: &Rule, side: Side, id: &str) -> Option<String> {
        match side {
            Side::HubSpot => {
                let record = self.hubspot.record(shape.hubspot, id)?;
                let live = !record.archived;
                live.then(|| self.meaning.of_hubspot(self.hubspot, shape, rule, &record))
            }
            Side::Salesforce => {
                let record = self.salesforce.record(shape.salesforce, id)?;
                (!record.deleted).then(|| self.meaning.of_salesforce(rule, &record))
            }
        }
    }

    /// Both records of a pair; `None` unless both are there.
    pub fn pair(
        &self,
        shape: &Shape,
        hubspot: &str,
        salesforce: &str,
    ) -> Option<(hubspot::SimRecord, salesforce::SimRecord)> {
        let ours = self.hubspot.record(shape.hubspot, hubspot)?;
        let theirs = self.salesforce.record(shape.salesforce, salesforce)?;
        (!ours.archived && !theirs.deleted).then_some((ours, theirs))
    }

    /// The record is there and not in the bin.
    pub fn is_live(&self, shape: &Shape, side: Side, id: &str) -> bool {
        match side {
            Side::HubSpot => {
                let record = self.hubspot.record(shape.hubspot, id);
                record.is_some_and(|record| !record.archived)
            }
            Side::Salesforce => {
                let record = self.salesforce.record(shape.salesforce, id);
                record.is_some_and(|record| !record.deleted)
            }
        }
    }
}

/// Who is linked with whom, to be asked from either side.
#[derive(Clone, Debug, Default)]
pub struct Partners(BTreeMap<(String, Side, String), String>);

impl Partners {
    pub fn new(links: &[LinkSeen]) -> Self {
        let mut partners = BTreeMap::new();
        for (mapping, hubspot, salesforce) in links {
            let key = (mapping.clone(), Side::HubSpot, hubspot.clone());
            partners.insert(key, salesforce.clone());
            let key = (mapping.clone(), Side::Salesforce, salesforce.clone());
            partners.insert(key, hubspot.clone());
        }
        Self(partners)
    }

    pub fn of(&self, mapping: &str, side: Side, id: &str) -> Option<&str> {
        let key = (mapping.to_owned(), side, id.to_owned());
        self.0.get(&key).map(String::as_str)
    }
}

/// All edits in the order they were made.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub edits: Vec<Edit>,
    /// Field edits that have not arrived and that no later edit of the same field replaced.
    waiting: Vec<usize>,
    /// What each field that was edited in this wave held before.
    agreed: BTreeMap<Cell, Option<String>>,
}

/// One field of one record: mapping, side, record, rule.
type Cell = (&'static str, Side, String, &'static str);

impl Ledger {
    /// Both sides are in step: what people type from here on they type together.
    pub fn begin_wave(&mut self) {
        self.agreed.clear();
    }

    /// What a field held at the beginning of the wave; `before` if nobody has touched it since.
    pub fn agreed(
        &mut self,
        shape: &'static Shape,
        (side, id): (Side, &str),
        rule: &'static Rule,
        before: Option<String>,
    ) -> Option<String> {
        let cell = (shape.mapping, side, id.to_owned(), rule.name);
        self.agreed.entry(cell).or_insert(before).clone()
    }

    /// Takes down an edit that was just made.
    pub fn enter(&mut self, edit: Edit) {
        let replaced = |other: &Edit| {
            (other.shape.mapping, other.side, &other.id, other.rule())
                == (edit.shape.mapping, edit.side, &edit.id, edit.rule())
        };
        self.waiting.retain(|at| !replaced(&self.edits[*at]));
        let waits = match &edit.kind {
            EditKind::Field { arrived, .. } => arrived.is_none(),
            EditKind::Create | EditKind::Remove => false,
        };
        if waits {
            self.waiting.push(self.edits.len());
        }
        self.edits.push(edit);
    }

    /// Looks which waiting edits the other side holds by now.
    pub fn observe(&mut self, view: View<'_>, partners: &Partners, now: Timestamp) {
        let edits = &mut self.edits;
        self.waiting.retain(|at| {
            let edit = &mut edits[*at];
            let other = edit.side.other();
            let Some(partner) = partners.of(edit.shape.mapping, edit.side, &edit.id) else {
                return true;
            };
            let EditKind::Field {
                rule,
                meaning,
                arrived,
                ..
            } = &mut edit.kind
            else {
                return false;
            };
            let there = view.value(edit.shape, rule, other, partner);
            if there.as_ref() == Some(meaning) {
                *arrived = Some(now);
            }
            arrived.is_none()
        });
    }

    pub fn is_all_there(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Milliseconds from each edit to its arrival, shortest first.
    pub fn lags(&self) -> Vec<i64> {
        let mut lags: Vec<i64> = self.edits.iter().filter_map(lag).collect();
        lags.sort_unstable();
        lags
    }

    /// How many different records were touched.
    pub fn records(&self, partners: &Partners) -> usize {
        let mut touched = std::collections::BTreeSet::new();
        for edit in &self.edits {
            let mapping = edit.shape.mapping;
            let partner = partners.of(mapping, edit.side, &edit.id);
            let key = match (edit.side, partner) {
                (Side::Salesforce, Some(hubspot)) => (mapping, Side::HubSpot, hubspot.to_owned()),
                (side, _) => (mapping, side, edit.id.clone()),
            };
            touched.insert(key);
        }
        touched.len()
    }
}

fn lag(edit: &Edit) -> Option<i64> {
    match &edit.kind {
        EditKind::Field {
            arrived: Some(arrived),
            echo: false,
            ..
        } => Some(arrived.millis_since(edit.at).max(0)),
        EditKind::Field { .. } | EditKind::Create | EditKind::Remove => None,
    }
}
