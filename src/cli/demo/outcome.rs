//! What the demo gets back from the service, as plain data.
//!
//! The verification reads these as claims to be checked against the simulators, never as truth.

use std::fmt;

use crate::model::Side;

/// How one turn of the service ended.
#[derive(Clone, Copy, Debug)]
pub enum Stepped {
    /// Records that were read or attempted, and those that were written.
    Worked { records: u64, writes: u64 },
    /// Nothing is due; look again after this long.
    Wait { millis: i64 },
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Records that were read or attempted so far.
    pub handled: u64,
    pub links: u64,
    pub waiting: u64,
}

/// A hold, or a dead letter: something that waits for a person and is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    pub mapping: String,
    /// Empty when the record does not exist on that side.
    pub hubspot_id: String,
    pub salesforce_id: String,
    /// The rule that waits; `None` when it is the whole record.
    pub rule: Option<String>,
    pub why: String,
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |id: &str| {
            if id.is_empty() {
                "-".to_owned()
            } else {
                id.to_owned()
            }
        };
        let (ours, theirs) = (id(&self.hubspot_id), id(&self.salesforce_id));
        let rule = self.rule.as_deref().unwrap_or("(record)");
        write!(f, "{} {ours} / {theirs} {rule}: {}", self.mapping, self.why)
    }
}

/// A conflict as the engine recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictSeen {
    pub mapping: String,
    pub hubspot_id: String,
    pub salesforce_id: String,
    /// The mapping's rule that decided.
    pub rule: String,
    /// What both held before; empty at first contact.
    pub base: String,
    pub hubspot: String,
    pub salesforce: String,
    /// `None` when a person is asked.
    pub winner: Option<Side>,
    /// The value that was written over, by raw field of the side that lost.
    pub loser: Vec<(String, String)>,
}

/// A linked pair: mapping, HubSpot id, Salesforce id.
pub type LinkSeen = (String, String, String);

/// What the engine says it did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Open links only.
    pub links: Vec<LinkSeen>,
    pub holds: Vec<Open>,
    pub dead_letters: Vec<Open>,
    pub conflicts: Vec<ConflictSeen>,
    /// API calls of polls that found nothing changed.
    pub idle_polls: u64,
    /// Writes that may have replaced an edit where no history tells whether they did.
    pub unknown_overwrites: u64,
}
