//! What webhooks announced becomes marks: kept first, folded behind the requests' back.
//!
//! Knows how much waits and whose turn it is. What a fold does is one transaction of the store, so
//! a process that dies leaves what it had not folded to the next, or to another that looks.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Service;
use crate::model::{Timestamp, WorkspaceId};
use crate::pipeline::LANE;
use crate::store::{Announced, StoreError, Unfolded};

/// Announcements that may wait; with more of them requests are told to come again.
const FULL: u64 = 1_000_000;
/// Workspaces of one fold.
const TOGETHER: usize = 64;
/// While requests come in, a fold is followed by a rest so many times as long as it took.
const REST: u64 = 2;
const LONGEST_REST: Duration = Duration::from_millis(200);
/// From one look for what other processes left to the next, and after a fold that failed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What has waited longer than this has nobody who folds it.
const LEFT_MILLIS: i64 = 10_000;

/// What waits to be folded, as far as this process knows.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    came: Notify,
}

#[derive(Default)]
struct Waiting {
    /// Announcements of each workspace.
    of: BTreeMap<WorkspaceId, u64>,
    /// All of them, those that are being folded included.
    all: u64,
    /// The workspace that had its turn last.
    last: Option<WorkspaceId>,
    /// How often something came.
    arrivals: u64,
}

impl Waiting {
    fn add(&mut self, ws: &WorkspaceId, records: u64) {
        *self.of.entry(ws.clone()).or_default() += records;
        self.all += records;
    }

    /// Those whose turn it is, taken out.
    fn next(&mut self) -> BTreeMap<WorkspaceId, u64> {
        let after = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.of.range::<WorkspaceId, _>((after, Bound::Unbounded));
        let mut turn: Vec<WorkspaceId> = behind.map(|(ws, _)| ws).take(TOGETHER).cloned().collect();
        if turn.is_empty() {
            turn = self.of.keys().take(TOGETHER).cloned().collect();
        }
        let taken = turn.into_iter().filter_map(|ws| self.of.remove_entry(&ws));
        taken.collect()
    }
}

impl Inbox {
    pub fn left(found: &[Unfolded]) -> Self {
        let inbox = Self::default();
        inbox.find(found);
        inbox
    }

    fn find(&self, found: &[Unfolded]) {
        let mut waiting = self.waiting();
        for one in found {
            // Not on top of what is known of it.
            let known = waiting.of.get(&one.workspace).copied().unwrap_or(0);
            waiting.add(&one.workspace, one.records.saturating_sub(known).max(1));
        }
        drop(waiting);
        self.came.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn records(&self) -> u64 {
        self.waiting().all
    }

    pub fn forget(&self, ws: &WorkspaceId) {
        let mut waiting = self.waiting();
        let gone = waiting.of.remove(ws).unwrap_or(0);
        waiting.all = waiting.all.saturating_sub(gone);
    }
}

impl Service {
    /// Webhooks announced these records, and that is stored.
    pub fn announced(&self, ws: &WorkspaceId, announced: &Announced) {
        let now = self.clock.now();
        self.options.heard.announce(ws, announced, now);
        let records: usize = announced.values().map(Vec::len).sum();
        let mut waiting = self.inbox.waiting();
        waiting.add(ws, records as u64);
        waiting.arrivals += 1;
        drop(waiting);
        self.inbox.came.notify_one();
    }

    /// Whether so much waits for its marks that nothing more should be taken in.
    pub fn is_flooded(&self) -> bool {
        self.inbox.records() >= FULL
    }

    /// Folds what arrives until it is told to stop; what is left then is in the store.
    pub(super) async fn fold(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.inbox.came.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => self.find_left().await,
            }
            while !stop.is_cancelled() {
                let (before, began) = (self.inbox.waiting().arrivals, self.clock.now());
                let rest = match self.fold_some().await {
                    Ok(true) if self.inbox.waiting().arrivals == before => continue,
                    Ok(true) => self.rest_since(began),
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "what webhooks announced could not be marked yet");
                        LOOK_EVERY
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(rest) => {}
                }
            }
        }
    }

    /// Requests go first: they share the store, and what waits meanwhile often needs no mark of its
    /// own. Not when so much waits that they may soon have to be refused.
    fn rest_since(&self, began: Timestamp) -> Duration {
        if self.inbox.records() > FULL / 2 {
            return Duration::ZERO;
        }
        let took = self.clock.now().micros() - began.micros();
        let took = Duration::from_micros(took.max(0).unsigned_abs().saturating_mul(REST));
        took.min(LONGEST_REST)
    }

    /// Folds all that waits, for callers that own the loop.
    pub async fn fold_all(&self) -> Result<(), StoreError> {
        while self.fold_some().await? {}
        Ok(())
    }

    /// One transaction. False when nothing waits.
    async fn fold_some(&self) -> Result<bool, StoreError> {
        let turn = self.inbox.waiting().next();
        if turn.is_empty() {
            return Ok(false);
        }
        let order: Vec<WorkspaceId> = turn.keys().cloned().collect();
        let folded = self.store.fold_inbox(LANE, &order).await;
        let mut left = turn;
        let mut waiting = self.inbox.waiting();
        for one in folded.iter().flatten() {
            let known = left.remove(&one.workspace).unwrap_or(0);
            waiting.all = waiting.all.saturating_sub(known);
            if one.more {
                let more = known.saturating_sub(one.taken).max(1);
                waiting.add(&one.workspace, more);
            }
            waiting.last = Some(one.workspace.clone());
        }
        for (ws, records) in left {
            *waiting.of.entry(ws).or_default() += records;
        }
        drop(waiting);
        for one in folded?.iter().filter(|one| one.taken > 0) {
            if !self.state().trouble.contains_key(&one.workspace) {
                self.wake(&one.workspace);
            }
        }
        Ok(true)
    }

    /// What other processes stored and did not come to fold.
    async fn find_left(&self) {
        if !self.store.is_shared() {
            return;
        }
        let before = self.clock.now().plus_millis(-LEFT_MILLIS);
        match self.store.inbox().await {
            Ok(mut found) => {
                found.retain(|one| one.since <= before);
                self.inbox.find(&found);
            }
            Err(error) => tracing::warn!(%error, "what webhooks announced could not be looked for"),
        }
    }
}
