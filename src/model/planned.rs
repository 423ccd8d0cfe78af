//! One row of a plan: what one rule of one record would write, with all it was decided from.
//!
//! A row stands by itself, so that it can be kept in a file and compared with a later decision.

use super::{BySide, Fields, IntentKind, MappingName, RecordId, Side, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedWrite {
    pub mapping: MappingName,
    /// The side that would be written to.
    pub side: Side,
    pub kind: IntentKind,
    /// `None` for a record that would be created.
    pub record: Option<RecordId>,
    /// The record on the other side.
    pub source: Option<RecordId>,
    /// Empty when the record as a whole goes.
    pub rule: String,
    pub rule_hash: String,
    /// The source's fields as they were read for the decision.
    pub from: Fields,
    /// The destination's fields as they were read.
    pub before: Fields,
    /// What would be sent. Empty for a rule that a new record has no value for.
    pub after: Fields,
    pub reason: String,
    /// When each record had last changed as it was read; for people.
    pub versions: BySide<Option<Timestamp>>,
    /// Who owns the record, as its own side names it; for people.
    pub owner: Option<String>,
    /// The write takes back what a run wrote.
    pub undoes: Option<Undoes>,
}

/// What an undone rule goes back to besides the value: what the sides had agreed on before the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undoes {
    /// `None`: they had agreed on nothing.
    pub base: Option<BySide<Fields>>,
}

impl PlannedWrite {
    /// Something would be sent: a new record has no value in most fields.
    pub fn says(&self) -> bool {
        self.rule.is_empty() || self.kind != IntentKind::Create || !self.after.is_empty()
    }

    /// The record that the write is about: for a new one the record it is made from.
    pub fn subject(&self) -> Option<&RecordId> {
        match self.kind {
            IntentKind::Create => self.source.as_ref(),
            IntentKind::Update | IntentKind::Associate | IntentKind::Archive => {
                self.record.as_ref()
            }
        }
    }

    /// Values that are there now and would be gone.
    pub fn blanks(&self) -> bool {
        let filled = |name: &String| self.before.get(name).is_some_and(|raw| !raw.is_blank());
        self.kind == IntentKind::Update
            && self
                .after
                .iter()
                .any(|(name, raw)| raw.is_blank() && filled(name))
    }
}
