//! What webhooks announced becomes marks: kept first, folded behind the requests' back.
//!
//! Knows how much waits and whose turn it is. What a fold does is one transaction of the store, so
//! a process that dies leaves what it had not folded to the next, or to another that looks.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Service;
use crate::model::{Timestamp, WorkspaceId};
use crate::pipeline::LANE;
use crate::store::{Announced, Folded, StoreError, Unfolded};

/// Announcements that may wait; with more of them requests are told to come again.
const FULL: u64 = 1_000_000;
/// Workspaces of one fold.
const TOGETHER: usize = 64;
/// While requests come in, a fold is followed by a rest so many times as long as it took.
const REST: u64 = 2;
const LONGEST_REST: Duration = Duration::from_millis(200);
/// From one look for what was left to the next, and after a fold that failed.
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
    /// The same for those that have their turn.
    folding: BTreeMap<WorkspaceId, u64>,
    /// The sum of both.
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

    /// Gives the next ones their turn, in their order.
    fn next(&mut self) -> Vec<WorkspaceId> {
        let after = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.of.range::<WorkspaceId, _>((after, Bound::Unbounded));
        let mut turn: Vec<WorkspaceId> = behind.map(|(ws, _)| ws).take(TOGETHER).cloned().collect();
        if turn.is_empty() {
            turn = self.of.keys().take(TOGETHER).cloned().collect();
        }
        for ws in &turn {
            let records = self.of.remove(ws).unwrap_or(0);
            self.folding.insert(ws.clone(), records);
        }
        turn
    }

    /// The turn is over, and these were reached in it.
    fn folded(&mut self, reached: &[Folded]) {
        for one in reached {
            let known = self.folding.remove(&one.workspace).unwrap_or(0);
            self.all = self.all.saturating_sub(known);
            if one.more {
                let more = known.saturating_sub(one.taken).max(1);
                self.add(&one.workspace, more);
            }
            self.last = Some(one.workspace.clone());
        }
        for (ws, records) in std::mem::take(&mut self.folding) {
            *self.of.entry(ws).or_default() += records;
        }
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
            let ws = &one.workspace;
            if !waiting.of.contains_key(ws) && !waiting.folding.contains_key(ws) {
                waiting.add(ws, one.records);
            }
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
    pub(super) async fn fold(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.inbox.came.notified() => {}
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
        let folded = self.store.fold_inbox(LANE, &turn).await;
        let reached = folded.as_deref().unwrap_or_default();
        self.inbox.waiting().folded(reached);
        for one in reached {
            // What cannot be worked on waits all the same, or it would be tried with every webhook.
            if !self.state().trouble.contains_key(&one.workspace) {
                self.wake(&one.workspace);
            }
        }
        folded.map(|_| true)
    }

    /// Looks for what nobody comes to fold: another process died, or this one never heard that it
    /// was stored.
    pub(super) async fn look_for_left(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let before = self.clock.now().plus_millis(-LEFT_MILLIS);
            match self.store.inbox().await {
                Ok(mut found) => {
                    found.retain(|one| one.since <= before);
                    self.inbox.find(&found);
                }
                Err(error) => tracing::warn!(%error, "the inbox could not be looked at"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ws(name: &str) -> WorkspaceId {
        WorkspaceId::new(name)
    }

    fn reached(name: &str, taken: u64, more: bool) -> Folded {
        Folded {
            workspace: ws(name),
            taken,
            more,
        }
    }

    #[test]
    fn a_flood_in_one_workspace_keeps_no_other_waiting() {
        let mut waiting = Waiting::default();
        waiting.add(&ws("a"), 10_000);
        waiting.add(&ws("b"), 1);
        assert_eq!(waiting.next(), [ws("a"), ws("b")]);
        waiting.folded(&[reached("a", 500, true)]);
        assert_eq!(waiting.next(), [ws("b")], "it was not reached");
        waiting.add(&ws("b"), 2);
        waiting.folded(&[reached("b", 1, false)]);
        assert_eq!(waiting.all, 9_502, "what came meanwhile still waits");
        assert_eq!(waiting.next(), [ws("a"), ws("b")]);
        waiting.folded(&[]);
        assert_eq!(waiting.all, 9_502, "a fold that failed took nothing");
        assert_eq!(waiting.next(), [ws("a"), ws("b")]);
    }

    #[test]
    fn what_is_found_in_the_store_is_counted_once() {
        let inbox = Inbox::default();
        let found = [Unfolded {
            workspace: ws("a"),
            records: 7,
            since: Timestamp::from_millis(0),
        }];
        inbox.find(&found);
        inbox.find(&found);
        assert_eq!(inbox.records(), 7);
        inbox.waiting().next();
        inbox.find(&found);
        inbox.waiting().folded(&[reached("a", 7, false)]);
        assert_eq!(inbox.records(), 0);
        inbox.find(&found);
        inbox.forget(&ws("a"));
        assert_eq!(inbox.records(), 0);
    }
}
