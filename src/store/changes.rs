//! What one step of the engine wants stored, and the rows of the queue it works on.
//!
//! Plain data. How each part is stored, and in which order, is `commit`'s business.

use std::collections::BTreeMap;

use crate::model::{
    ApprovalId, Bases, Cause, Class, Failure, Hold, Intent, IntentId, Link, LinkId, MappingName,
    RecordId, RecordKey, Side, Task, Timestamp, Verdict,
};

use super::review::{
    Approval, ConflictClose, ConflictRow, DeadLetter, DeadLetterClose, JournalEntry, RunRow,
};
use super::shadow::ShadowWrite;

/// Everything one transaction applies. Within a list, a later entry for the same row wins, except
/// for marks, which add up.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// JSON the owner keeps with the lane: rate gates, the breaker.
    pub lane_state: Option<String>,
    pub cursors: Vec<CursorPut>,
    pub marks: Vec<Mark>,
    pub verdicts: Vec<Judged>,
    /// Marks that wait for these parents become ready.
    pub unblock: Vec<RecordKey>,
    /// Put by id.
    pub links: Vec<Link>,
    /// Open links that are taken apart, with a note; whatever else became of them stays. Applied
    /// before `links`.
    pub links_parted: Vec<(LinkId, String)>,
    /// Replaces all of the link's bases.
    pub bases: Vec<(LinkId, Bases)>,
    /// Put by link and rule.
    pub holds: Vec<Hold>,
    pub holds_closed: Vec<(LinkId, String)>,
    /// At most one open intent per link and side, or [`super::Taken::Intent`].
    pub intents: Vec<Intent>,
    pub intents_closed: Vec<IntentId>,
    /// Replaces all of the record's keys.
    pub match_keys: Vec<MatchKeys>,
    pub journal: Vec<JournalEntry>,
    pub conflicts: Vec<ConflictRow>,
    pub conflicts_closed: Vec<ConflictClose>,
    pub tombstones: Vec<Tombstone>,
    pub tombstones_lifted: Vec<RecordKey>,
    /// The record named by the key lives on under this id.
    pub aliases: Vec<(RecordKey, RecordId)>,
    pub dead_letters: Vec<DeadLetter>,
    /// Applied before `dead_letters`, so that a step can close one and open another.
    pub dead_letters_closed: Vec<DeadLetterClose>,
    pub approvals: Vec<Approval>,
    pub approvals_used: Vec<ApprovalId>,
    /// Put by id.
    pub shadow: Vec<ShadowWrite>,
    pub run: Option<RunRow>,
}

impl Changes {
    /// Joins what several pieces of work want stored; the later one's lane state and run win.
    pub fn append(&mut self, other: Self) {
        self.lane_state = other.lane_state.or(self.lane_state.take());
        self.cursors.extend(other.cursors);
        self.marks.extend(other.marks);
        self.verdicts.extend(other.verdicts);
        self.unblock.extend(other.unblock);
        self.links.extend(other.links);
        self.links_parted.extend(other.links_parted);
        self.bases.extend(other.bases);
        self.holds.extend(other.holds);
        self.holds_closed.extend(other.holds_closed);
        self.intents.extend(other.intents);
        self.intents_closed.extend(other.intents_closed);
        self.match_keys.extend(other.match_keys);
        self.journal.extend(other.journal);
        self.conflicts.extend(other.conflicts);
        self.conflicts_closed.extend(other.conflicts_closed);
        self.tombstones.extend(other.tombstones);
        self.tombstones_lifted.extend(other.tombstones_lifted);
        self.aliases.extend(other.aliases);
        self.dead_letters.extend(other.dead_letters);
        self.dead_letters_closed.extend(other.dead_letters_closed);
        self.approvals.extend(other.approvals);
        self.approvals_used.extend(other.approvals_used);
        self.shadow.extend(other.shadow);
        self.run = other.run.or(self.run.take());
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorPut {
    pub mapping: MappingName,
    pub side: Side,
    /// Which of the mapping's cursors: `poll`, `late`, `backfill`, `scan`.
    pub kind: String,
    pub value: String,
}

/// Asks for a piece of work. For work already waiting it raises the revision, keeps the earlier
/// due time and the higher priority; only a person's mark forgives earlier attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub task: Task,
    pub cause: Cause,
    pub not_before: Timestamp,
}

/// How the attempt of one claimed piece of work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub task: Task,
    /// The revision that was claimed; work marked again since stays.
    pub revision: i64,
    pub verdict: Verdict,
}

/// A record's match keys; the position in `keys` is the match rule's. `None` means blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchKeys {
    pub mapping: MappingName,
    pub side: Side,
    pub record: RecordId,
    pub keys: Vec<Option<String>>,
}

/// A deleted record that no edit or scan may bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    pub key: RecordKey,
    pub link: LinkId,
    pub at: Timestamp,
    pub reason: String,
}

/// One piece of work as claimed. Nothing about the row changed by claiming it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub task: Task,
    pub revision: i64,
    /// Counted attempts so far.
    pub attempts: u32,
    pub cause: Cause,
    pub first_marked_at: Timestamp,
    pub not_before: Timestamp,
    /// The parent it last waited for.
    pub parent: Option<RecordKey>,
    /// Why the last attempt failed.
    pub failure: Option<Failure>,
}

/// A class that is asked for work, and the least urgent one whose records may fill its batch up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    pub class: Class,
    pub riders: Class,
}

/// The most urgent work due, and the class whose turn it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub class: Class,
    pub work: Vec<Claimed>,
}

/// How the work of a lane stands, by task kind (`record`, `poll`, `backfill`, `scan`).
pub type QueueCounts = BTreeMap<String, Standing>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub ready: u64,
    /// Due later.
    pub waiting: u64,
    /// Waits for a parent.
    pub blocked: u64,
    /// Open dead letters of the workspace, for this kind of task.
    pub dead: u64,
}
