//! What a run counts, for people, for `--json`, for its row among the runs, and for machines that
//! watch. Counts only; nothing is decided by them.

use std::collections::{BTreeMap, BTreeSet};

use super::forecast::Forecast;
use super::lag::Lag;
use super::observe::Planned;
use crate::model::{ErrorClass, HoldReason, RecordKey, Verdict};

/// What a run did.
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
    pub planned: Planned,
    /// Calls that the planned writes would take.
    pub forecast: Forecast,
    /// Records that a frozen plan left as they are, for the next run.
    pub left: BTreeSet<RecordKey>,
    /// How long changes took that this run settled.
    pub lag: Lag,
    /// What attempts came to since somebody took it.
    pub results: Results,
}

impl Tally {
    /// A value is held anew.
    pub fn held(&mut self, reason: HoldReason) {
        self.holds += 1;
        *self.results.held.entry(reason).or_default() += 1;
    }

    /// A change is settled, so long after it was marked.
    pub fn settled(&mut self, millis: i64) {
        let millis = millis.max(0).unsigned_abs();
        self.lag.note(millis);
        self.results.lag.note(millis);
    }

    /// An attempt at one record has ended.
    pub fn judged(&mut self, class: VerdictClass, verdict: &Verdict) {
        *self.results.verdicts.entry(class).or_default() += 1;
        let failure = match verdict {
            Verdict::Done => return,
            Verdict::RetryAt { failure, .. }
            | Verdict::BlockedOn { failure, .. }
            | Verdict::Dead(failure) => failure,
        };
        *self.results.setbacks.entry(failure.class).or_default() += 1;
    }
}

/// What an attempt at one marked record came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerdictClass {
    /// A CRM took a write.
    Written,
    /// A value is held anew, and nothing was written.
    Held,
    /// Nothing had to be written.
    Unchanged,
    /// It failed, and is tried again.
    Retried,
    /// It is put off, which is no failure.
    PutOff,
    /// It waits for its parent.
    Blocked,
    /// It failed for good.
    DeadLetter,
}

impl VerdictClass {
    pub const ALL: [Self; 7] = [
        Self::Written,
        Self::Held,
        Self::Unchanged,
        Self::Retried,
        Self::PutOff,
        Self::Blocked,
        Self::DeadLetter,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Held => "held",
            Self::Unchanged => "unchanged",
            Self::Retried => "retried",
            Self::PutOff => "put-off",
            Self::Blocked => "blocked",
            Self::DeadLetter => "dead-letter",
        }
    }
}

/// What attempts came to, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    pub verdicts: BTreeMap<VerdictClass, u64>,
    /// Attempts that did not settle their record, by why.
    pub setbacks: BTreeMap<ErrorClass, u64>,
    /// Values held anew.
    pub held: BTreeMap<HoldReason, u64>,
    /// How long changes took that were settled.
    pub lag: Lag,
}

impl Results {
    pub fn add(&mut self, other: &Self) {
        merge(&mut self.verdicts, &other.verdicts);
        merge(&mut self.setbacks, &other.setbacks);
        merge(&mut self.held, &other.held);
        self.lag.add(&other.lag);
    }
}

fn merge<K: Ord + Copy>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(*key).or_default() += count;
    }
}
