//! What an attempt works with, and what it counts.

use crate::crm::Crms;
use crate::model::{Fields, IntentKind, MappingName, RecordId, Side};
use crate::pipeline::{Lane, Site};

/// One worker's place at one lane.
pub struct Desk<'a> {
    pub site: &'a Site,
    pub crms: &'a Crms,
    pub lane: &'a mut Lane,
    pub mode: Mode,
    pub limits: Limits,
    pub tally: &'a mut Tally,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Write,
    /// Plans and writes nothing; what would be written is kept in the tally.
    Observe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records this run may create; the rest wait.
    pub creates: u64,
}

/// What a run did, for people and for `--json`.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Records written, creates and archives included.
    pub writes: u64,
    pub creates: u64,
    pub archives: u64,
    pub links: u64,
    pub conflicts: u64,
    pub holds: u64,
    /// Writes that may have replaced an edit where nothing tells whether they did.
    pub unknown: u64,
    /// Creates planned in the batch at hand, not made yet.
    pub proposed: u32,
    pub planned: Vec<PlannedWrite>,
}

/// One rule that an observing run would write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedWrite {
    pub mapping: MappingName,
    pub side: Side,
    pub kind: IntentKind,
    /// `None` for a record that would be created.
    pub record: Option<RecordId>,
    pub source: Option<RecordId>,
    pub rule: String,
    pub before: Fields,
    pub after: Fields,
    pub reason: String,
}
