//! How many calls the connections of this process made, how they ended, and what is left of the
//! day's calls as far as the platforms told.
//!
//! Counts for whoever watches. What a connection may send is the business of its gate.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::http::Reply;
use super::{CrmError, Crms};
use crate::model::{BySide, WorkspaceId};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    Ok,
    /// A status of 400 and some: the call itself was not to the platform's liking.
    Refused,
    /// A status of 500 and more, or no answer.
    Failed,
}

impl CallOutcome {
    pub const ALL: [Self; 3] = [Self::Ok, Self::Refused, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    pub(super) fn of(outcome: &Result<Reply, CrmError>) -> Self {
        match outcome {
            Ok(reply) if reply.status < 400 => Self::Ok,
            Ok(reply) if reply.status < 500 => Self::Refused,
            Ok(_) | Err(_) => Self::Failed,
        }
    }
}

/// What one connection did, or all of one side together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    by_outcome: [u64; CallOutcome::ALL.len()],
    /// Calls that were refused because there were too many.
    pub limited: u64,
    /// As the platform told last; of one connection only.
    pub day: Option<Day>,
}

/// The calls of one day, everybody's included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    pub used: u64,
    pub limit: u64,
}

impl CallCounts {
    pub const fn ended(&self, outcome: CallOutcome) -> u64 {
        self.by_outcome[outcome as usize]
    }

    pub fn total(&self) -> u64 {
        self.by_outcome.iter().sum()
    }
}

#[derive(Debug, Default)]
struct Count {
    by_outcome: [AtomicU64; CallOutcome::ALL.len()],
    limited: AtomicU64,
    day: Mutex<Option<Day>>,
}

impl Count {
    fn read(&self) -> CallCounts {
        let mut counts = CallCounts {
            limited: self.limited.load(Ordering::Relaxed),
            day: *held(&self.day),
            ..CallCounts::default()
        };
        for (to, from) in counts.by_outcome.iter_mut().zip(&self.by_outcome) {
            *to = from.load(Ordering::Relaxed);
        }
        counts
    }
}

/// Where one connection counts: for itself, and for all of its side.
#[derive(Clone, Debug)]
pub struct Counter {
    own: Arc<Count>,
    side: Arc<Count>,
}

impl Counter {
    pub(super) fn ended(&self, outcome: CallOutcome) {
        for count in [&self.own, &self.side] {
            count.by_outcome[outcome as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn limited(&self) {
        for count in [&self.own, &self.side] {
            count.limited.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn day(&self, day: Day) {
        *held(&self.own.day) = Some(day);
    }
}

/// The connections of all workspaces that this process has called for.
#[derive(Debug, Default)]
pub struct Traffic {
    sides: BySide<Arc<Count>>,
    of: Mutex<BTreeMap<WorkspaceId, BySide<Arc<Count>>>>,
}

impl Traffic {
    /// Counters of a workspace's connections; the same whenever it is opened.
    pub fn counters(&self, ws: &WorkspaceId) -> BySide<Counter> {
        let mut of = held(&self.of);
        let own = of.entry(ws.clone()).or_default();
        BySide::from_fn(|side| Counter {
            own: Arc::clone(own.get(side)),
            side: Arc::clone(self.sides.get(side)),
        })
    }

    /// The workspace is gone; what it had called stays in the sums.
    pub fn forget(&self, ws: &WorkspaceId) {
        held(&self.of).remove(ws);
    }

    /// Sums over all connections since the start.
    pub fn sums(&self) -> BySide<CallCounts> {
        BySide::from_fn(|side| self.sides.get(side).read())
    }

    /// Workspaces whose connections have called, the first `limit` by name.
    pub fn first(&self, limit: usize) -> Vec<(WorkspaceId, BySide<CallCounts>)> {
        let of = held(&self.of);
        let read = of.iter().map(|(ws, own)| {
            let counts = BySide::from_fn(|side| own.get(side).read());
            (ws, counts)
        });
        let called = read.filter(|(_, counts)| {
            let BySide {
                hubspot,
                salesforce,
            } = counts;
            hubspot.total() + salesforce.total() > 0
        });
        let called = called.take(limit);
        called.map(|(ws, counts)| (ws.clone(), counts)).collect()
    }
}

impl Crms {
    /// Counts the calls of both connections there.
    pub fn counted(self, by: BySide<Counter>) -> Self {
        self.hubspot.line().count_in(by.hubspot);
        self.salesforce.line().count_in(by.salesforce);
        self
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_have_called_the_first_by_name_are_told_of() {
        let traffic = Traffic::default();
        for number in (0..10_000).rev() {
            let ws = WorkspaceId::new(format!("w{number:05}/production"));
            traffic.counters(&ws).salesforce.ended(CallOutcome::Ok);
        }
        let told = traffic.first(1_000);
        assert_eq!(told.len(), 1_000);
        assert_eq!(told[999].0.as_str(), "w00999/production");
        assert_eq!(traffic.sums().salesforce.total(), 10_000);
    }

    #[test]
    fn a_workspace_that_went_leaves_its_calls_in_the_sums() {
        let traffic = Traffic::default();
        let ws = WorkspaceId::new("acme/production");
        let counters = traffic.counters(&ws);
        assert!(traffic.first(10).is_empty(), "it has not called yet");
        counters.hubspot.ended(CallOutcome::Ok);
        // An engine that was closed and opened again counts on.
        traffic.counters(&ws).hubspot.ended(CallOutcome::Failed);
        counters.hubspot.day(Day {
            used: 3,
            limit: 1_000,
        });
        let (_, counts) = traffic.first(10).remove(0);
        assert_eq!(counts.hubspot.ended(CallOutcome::Ok), 1);
        assert_eq!(counts.hubspot.total(), 2);
        assert_eq!(counts.hubspot.day.map(|day| day.used), Some(3));
        assert_eq!(counts.salesforce, CallCounts::default());
        traffic.forget(&ws);
        assert!(traffic.first(10).is_empty());
        counters.hubspot.ended(CallOutcome::Refused);
        assert_eq!(traffic.sums().hubspot.total(), 3);
        assert_eq!(traffic.sums().hubspot.day, None);
    }
}
