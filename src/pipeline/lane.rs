//! One worker's hold on a lane: lease, claim, judge, commit.
//!
//! Whoever holds the lease is the only one who works its marks. Verdicts are made here, from the
//! error class and the retry schedule, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::DEBOUNCE_MILLIS;
use super::turns::Turns;
use crate::bugs::{self, Bug};
use crate::clock::{Chance, Clock};
use crate::model::{Cause, Class, ErrorClass, Failure, Task, Timestamp, Verdict, WorkspaceId};
use crate::retry;
use crate::store::{Changes, Claim, Claimed, Judged, Lease, Mark, Store, StoreError, Turn};

/// The lane of everything that touches a workspace's two CRMs.
pub const LANE: &str = "sync";

/// As many records as one attempt takes on: enough to fill every batch, few enough for one commit.
pub const CLAIM_LIMIT: u32 = 1_000;

const LEASE_MILLIS: i64 = 30_000;
/// A call may take the client's 20 s, so a lease with less than this left is renewed first.
const RENEW_BELOW_MILLIS: i64 = 24_000;

/// Until a source that fails for good is looked at again.
const SOURCE_PAUSE_MILLIS: i64 = 5 * 60_000;

/// Longer than the retry schedule ever waits between two attempts that count.
const LONGEST_WAIT_MILLIS: i64 = 30 * 60_000;

/// Why a piece of work did not get done this time, and when the server would have it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setback {
    pub failure: Failure,
    pub retry_after: Option<Timestamp>,
    /// The CRM does not know a field that its schema had: once the schema is read again, another
    /// attempt may be all that it takes.
    pub stale: bool,
}

pub struct Lane {
    store: Arc<Store>,
    lease: Lease,
    clock: Clock,
    chance: Chance,
    auth_failure: Option<Failure>,
    turns: Turns,
    /// Retries may come as early as chance has it: the quota of retries is not used up.
    pub hasty: bool,
}

/// What outlives the lane's owner.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// What the connections know of their limits, in their own words.
    gates: String,
    turns: Turns,
}

impl Lane {
    /// `None` while somebody else holds it.
    pub async fn lease(
        store: &Arc<Store>,
        workspace: &WorkspaceId,
        owner: &str,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Option<Self>, StoreError> {
        let lease = store.lease(workspace, LANE, owner, LEASE_MILLIS).await?;
        Ok(lease.map(|lease| Self {
            store: Arc::clone(store),
            turns: kept(&lease).turns,
            lease,
            clock: clock.clone(),
            chance: chance.clone(),
            auth_failure: None,
            hasty: true,
        }))
    }

    /// Makes sure that the lease outlasts one remote call.
    pub async fn keep(&mut self) -> Result<(), StoreError> {
        if self.lease.until().millis_since(self.clock.now()) < RENEW_BELOW_MILLIS {
            self.store.renew(&mut self.lease, LEASE_MILLIS).await?;
        }
        Ok(())
    }

    /// The moment after which nothing decided under this lease may be sent.
    pub fn send_before(&self) -> Timestamp {
        self.clock.now().plus_millis(retry::SEND_WITHIN_MILLIS)
    }

    /// What the last owner's connections knew of their limits.
    pub fn gates(&self) -> String {
        kept(&self.lease).gates
    }

    /// Up to `limit` records, or a chore, of the class whose turn it is. Batches are filled up with
    /// work of other classes, down to `riders`; only a person's is not, so that it is done soon.
    pub async fn claim(&self, limit: u32, riders: Class) -> Result<Option<Claim>, StoreError> {
        let now = self.clock.now();
        let order = self.turns.order().map(|class| Turn {
            class,
            riders: match class {
                Class::Interactive => class,
                Class::Live | Class::Retry | Class::Backfill => riders.max(class),
            },
        });
        self.store
            .claim_in_turn(&self.lease, due(now), limit.min(CLAIM_LIMIT), &order)
            .await
    }

    /// Records that a person asked for, whoever else has a turn.
    pub async fn claim_asked(&self, limit: u32) -> Result<Option<Claim>, StoreError> {
        let now = self.clock.now();
        let class = Class::Interactive;
        let order = [Turn {
            class,
            riders: class,
        }; Class::ALL.len()];
        let limit = limit.min(CLAIM_LIMIT);
        self.store
            .claim_in_turn(&self.lease, (now, now), limit, &order)
            .await
    }

    /// The class has had so many calls; it takes its next turn accordingly.
    pub fn had(&mut self, class: Class, calls: u64) {
        self.turns.had(class, calls);
    }

    /// Tries once more what has waited for a parent for too long: the attempt sees whether the
    /// parent came after all, and otherwise ends the waiting.
    pub async fn wake_overdue(&self, workspace: &WorkspaceId) -> Result<(), StoreError> {
        let now = self.clock.now();
        let since = now.plus_millis(-retry::BLOCKED_MILLIS);
        loop {
            let overdue = self
                .store
                .blocked_since(workspace, LANE, since, CLAIM_LIMIT)
                .await?;
            let full = overdue.len() == CLAIM_LIMIT as usize;
            let marks: Vec<Mark> = overdue
                .into_iter()
                .map(|claimed| Mark {
                    task: claimed.task,
                    cause: Cause::Follow,
                    not_before: now,
                })
                .collect();
            if marks.is_empty() {
                return Ok(());
            }
            self.commit(Changes {
                marks,
                ..Changes::default()
            })
            .await?;
            if !full {
                return Ok(());
            }
        }
    }

    /// Those of the tasks that are due, to be done along with what was claimed.
    pub async fn claim_named(&self, tasks: &BTreeSet<Task>) -> Result<Vec<Claimed>, StoreError> {
        let now = self.clock.now();
        self.store.claim_named(&self.lease, now, tasks).await
    }

    /// Those of the tasks that will be due by then and have not failed: what is put off waits.
    pub async fn claim_early(
        &self,
        tasks: &BTreeSet<Task>,
        by: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        let mut found = self.store.claim_named(&self.lease, by, tasks).await?;
        found.retain(|claimed| claimed.failure.is_none());
        Ok(found)
    }

    /// Those of the tasks that are marked, and when they are due.
    pub async fn marked(
        &self,
        tasks: &BTreeSet<Task>,
    ) -> Result<BTreeMap<Task, Timestamp>, StoreError> {
        let ever = Timestamp::from_micros(i64::MAX);
        let found = self.store.claim_named(&self.lease, ever, tasks).await?;
        let found = found.into_iter();
        Ok(found.map(|one| (one.task, one.not_before)).collect())
    }

    pub async fn commit(&self, mut changes: Changes) -> Result<(), StoreError> {
        changes.lane_state = changes.lane_state.map(|gates| {
            let turns = self.turns.clone();
            serde_json::to_string(&Kept { gates, turns }).unwrap_or_default()
        });
        self.store.commit(&self.lease, changes).await
    }

    pub async fn release(self) -> Result<(), StoreError> {
        self.store.release(self.lease).await
    }

    pub fn done(&self, claimed: &Claimed) -> Judged {
        judged(claimed, Verdict::Done)
    }

    /// Due again at `at` whatever came of it; not an attempt that failed.
    pub fn again(&self, claimed: &Claimed, at: Timestamp, setback: &Setback) -> Judged {
        let failure = setback.failure.clone();
        judged(
            claimed,
            Verdict::RetryAt {
                at,
                counted: false,
                failure,
            },
        )
    }

    /// Asks the retry schedule what becomes of work that failed.
    pub fn failed(&mut self, claimed: &Claimed, setback: &Setback) -> Judged {
        if setback.failure.class == ErrorClass::Auth {
            self.auth_failure
                .get_or_insert_with(|| setback.failure.clone());
        }
        let attempted = retry::Attempted {
            attempts: claimed.attempts + 1,
            first_at: self.first_failed_at(claimed, setback.failure.class),
            hasty: self.hasty,
            stale: setback.stale,
        };
        let jitter = self.chance.below(u64::MAX);
        let now = self.clock.now();
        if setback.failure.class == ErrorClass::Transient && bugs::on(Bug::TransientGivenUp) {
            return judged(claimed, Verdict::Dead(setback.failure.clone()));
        }
        let verdict = retry::verdict(
            &setback.failure,
            attempted,
            setback.retry_after,
            now,
            jitter,
        );
        judged(claimed, verdict)
    }

    /// When this failure was first met, as far as can be known: a mark may have waited for a day
    /// before its first attempt. No schedule waits longer than half an hour between two attempts.
    fn first_failed_at(&self, claimed: &Claimed, class: ErrorClass) -> Timestamp {
        if class == ErrorClass::Blocked {
            return claimed.first_marked_at;
        }
        let longest = i64::from(claimed.attempts) * LONGEST_WAIT_MILLIS;
        claimed
            .first_marked_at
            .max(self.clock.now().plus_millis(-longest))
    }

    /// A source is never given up: what would be a dead letter is tried again, slowly.
    pub fn failed_source(&mut self, claimed: &Claimed, setback: &Setback) -> Judged {
        let judged = self.failed(claimed, setback);
        match judged.verdict {
            Verdict::Dead(_) => {
                let at = self.clock.now().plus_millis(SOURCE_PAUSE_MILLIS);
                self.again(claimed, at, setback)
            }
            Verdict::Done | Verdict::RetryAt { .. } | Verdict::BlockedOn { .. } => judged,
        }
    }

    /// Put off until `at`, with all the attempts it has left.
    pub fn parked(&self, claimed: &Claimed, at: Timestamp, failure: Failure) -> Judged {
        let setback = Setback {
            failure,
            retry_after: Some(at),
            stale: false,
        };
        self.again(claimed, at, &setback)
    }

    /// The first refusal of credentials since this was last asked.
    pub fn take_auth_failure(&mut self) -> Option<Failure> {
        self.auth_failure.take()
    }
}

/// What is due, and what is taken along with it: one attempt for all that a moment brought.
fn due(now: Timestamp) -> (Timestamp, Timestamp) {
    (now, now.plus_millis(DEBOUNCE_MILLIS))
}

/// State that cannot be read is forgotten: limits are learnt again.
fn kept(lease: &Lease) -> Kept {
    serde_json::from_str(lease.state()).unwrap_or_default()
}

/// What the connections knew of their limits, in the state that a lane's owner left.
pub fn gates_of(state: &str) -> String {
    let kept: Kept = serde_json::from_str(state).unwrap_or_default();
    kept.gates
}

pub fn judged(claimed: &Claimed, verdict: Verdict) -> Judged {
    Judged {
        task: claimed.task.clone(),
        revision: claimed.revision,
        verdict,
    }
}
