//! The figures of a finished demo, and their JSON form.

use serde_json::{Value as Json, json};

use crate::model::BySide;

use super::findings::Findings;
use super::outcome::Outcome;
use super::second::Judged;
use super::trouble::Met;

/// How many findings of each kind are spelled out.
pub const LISTED: usize = 50;

/// What the simulators counted at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls {
    /// API calls by side.
    pub calls: BySide<u64>,
    /// Records created and updated through the APIs.
    pub writes: u64,
    /// Updates that changed nothing.
    pub noop_writes: u64,
}

impl Calls {
    fn total(&self) -> u64 {
        self.calls.hubspot + self.calls.salesforce
    }
}

/// Everything a demo found out.
#[derive(Clone, Debug)]
pub struct Report {
    pub records: usize,
    pub edits: usize,
    /// The engine came to rest before patience ran out.
    pub quiet: bool,
    pub findings: Findings,
    /// The second workspace, by its own mappings.
    pub second: Judged,
    /// What went wrong in the simulators on purpose.
    pub faults: Met,
    pub outcome: Outcome,
    /// At the end of the first sync, and at the end of everything.
    pub first: Calls,
    pub last: Calls,
    /// API calls of idle polls until the end of the first sync.
    pub first_idle_polls: u64,
    /// Linked or new pairs that the first sync dealt with.
    pub first_changed: usize,
    /// Records that users touched afterwards.
    pub edited: usize,
    /// Sorted, milliseconds.
    pub lags: Vec<i64>,
    pub elapsed_ms: i64,
    pub max_rss_bytes: u64,
}

impl Report {
    /// Both workspaces' CRMs agree except for what is listed, and nothing was lost, made twice, or
    /// carried from one workspace into the other.
    pub fn converged(&self) -> bool {
        self.quiet && self.findings.is_clean() && self.second.differences.is_empty()
    }

    pub fn lag(&self, percent: usize) -> Option<i64> {
        let last = self.lags.len().checked_sub(1)?;
        self.lags.get(last * percent / 100).copied()
    }

    /// Calls per changed record over the run, idle polls apart.
    pub fn per_changed(&self) -> f64 {
        let calls = self.last.total().saturating_sub(self.outcome.idle_polls);
        per(calls, self.first_changed + self.edited)
    }

    pub fn per_changed_after_first(&self) -> f64 {
        let calls = self.last.total().saturating_sub(self.first.total());
        let idle = self
            .outcome
            .idle_polls
            .saturating_sub(self.first_idle_polls);
        per(calls.saturating_sub(idle), self.edited)
    }

    pub fn json(&self) -> Json {
        let findings = &self.findings;
        let mismatches = findings.mismatches.iter().take(LISTED);
        let mismatches: Vec<String> = mismatches.map(ToString::to_string).collect();
        let lost = findings.lost.iter().take(LISTED);
        let lost: Vec<String> = lost.map(ToString::to_string).collect();
        let unexpected = findings.unexpected.iter().take(LISTED);
        let unexpected: Vec<String> = unexpected.map(ToString::to_string).collect();
        let duplicates = findings.duplicates.iter().take(LISTED);
        let duplicates: Vec<String> = duplicates.map(ToString::to_string).collect();
        json!({
            "records": self.records,
            "edits": self.edits,
            "pairs": findings.pairs,
            "quiet": self.quiet,
            "converged": self.converged(),
            "second_workspace": self.second.json(),
            "mismatches": findings.mismatches.len(),
            "conflicts": self.outcome.conflicts.len(),
            "holds": self.outcome.holds.len(),
            "dead_letters": self.outcome.dead_letters.len(),
            "unexpected": findings.unexpected.len(),
            "excused": findings.excused,
            "duplicate_creates": findings.duplicates.len(),
            "noop_writes": self.last.noop_writes,
            "lost_edits": findings.lost.len(),
            "unknown_overwrites": self.outcome.unknown_overwrites,
            "details": {
                "mismatches": mismatches,
                "lost_edits": lost,
                "unexpected": unexpected,
                "duplicate_creates": duplicates,
            },
            "faults": self.faults.by_family,
            "faults_by_kind": self.faults.by_fault,
            "writes": self.last.writes,
            "api_calls": {
                "hubspot": self.last.calls.hubspot,
                "salesforce": self.last.calls.salesforce,
                "per_changed_record": self.per_changed(),
                "per_changed_record_after_first_sync": self.per_changed_after_first(),
                "idle_polls": self.outcome.idle_polls,
            },
            "lag_ms": { "p50": self.lag(50), "p99": self.lag(99) },
            "elapsed_ms": self.elapsed_ms,
            "max_rss_bytes": self.max_rss_bytes,
        })
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of calls and records, shown with four digits"
)]
fn per(calls: u64, records: usize) -> f64 {
    if records == 0 {
        return 0.0;
    }
    (calls as f64 / records as f64 * 10_000.0).round() / 10_000.0
}
