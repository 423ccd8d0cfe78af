//! Lanes and their marks: leasing, marking, claiming, counting.
//!
//! Claiming reads only. The lease is the lock, and a claim becomes fact when its verdict is
//! committed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::{Class, Task, Timestamp, WorkspaceId};

use super::Store;
use super::changes::{Claim, Claimed, Mark, QueueCounts, Turn};
use super::db::{Pool, again, args};
use super::doc;
use super::error::{Result, StoreError};
use super::rows::{
    AtDb, ClaimDb, Counted, HeadDb, LeaseDb, MarkRow, StandingDb, StateDb, ids, task_key,
};
use super::seam::{Deed, Seam};
use super::sql::{lanes as sql, setup};

/// The right to work in one lane, until it runs out or is lost to a successor.
#[derive(Debug)]
pub struct Lease {
    pub(super) ws: WorkspaceId,
    pub(super) lane: String,
    pub(super) owner: String,
    pub(super) epoch: i64,
    until: Timestamp,
    state: String,
    /// Commits begun under this lease.
    steps: AtomicI64,
}

impl Lease {
    pub fn ws(&self) -> &WorkspaceId {
        &self.ws
    }

    pub fn lane(&self) -> &str {
        &self.lane
    }

    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Rises with every lease of the lane.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// By this process's clock, and never later than what the database granted.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The JSON the lane's last owner left, `{}` at first.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// The number of the next commit.
    pub(super) fn next_step(&self) -> i64 {
        self.steps.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn lost(&self) -> StoreError {
        StoreError::LeaseLost {
            lane: format!("{}/{}", self.ws, self.lane),
        }
    }
}

impl Store {
    /// The time that decides about leases: the database's where several machines share it. Asked
    /// before it is used, so it is early if anything, which only shortens a lease.
    pub(super) async fn lease_time(&self) -> Result<Timestamp> {
        match &self.db.pool {
            Pool::Sqlite(_) => Ok(self.clock.now()),
            Pool::Postgres(_) => {
                let found = self.db.fetch_one::<AtDb>(&setup::NOW, &[]).await?;
                match found.and_then(|row| row.at) {
                    Some(at) => Ok(Timestamp::from_micros(at)),
                    None => Err(self.damaged("the database tells no time".to_owned())),
                }
            }
        }
    }

    /// Takes the lane for `ttl_ms`; `None` while somebody else holds it.
    pub async fn lease(
        &self,
        ws: &WorkspaceId,
        lane: &str,
        owner: &str,
        ttl_ms: i64,
    ) -> Result<Option<Lease>> {
        self.seam(Seam::Before(Deed::Lease { owner })).await;
        let until = self.clock.now().plus_millis(ttl_ms);
        let now = self.lease_time().await?;
        let args = args![ws.as_str(), lane, owner, now.plus_millis(ttl_ms), now];
        let taken = self
            .db
            .fetch_one::<LeaseDb>(&sql::LANE_LEASE, &args)
            .await?;
        self.seam(Seam::After).await;
        Ok(taken.map(|row| Lease {
            ws: ws.clone(),
            lane: lane.to_owned(),
            owner: owner.to_owned(),
            epoch: row.epoch,
            until,
            state: row.state,
            steps: AtomicI64::new(0),
        }))
    }

    /// Holds on for `ttl_ms` from now, also after the time ran out if nobody came meanwhile.
    pub async fn renew(&self, lease: &mut Lease, ttl_ms: i64) -> Result<()> {
        let epoch = lease.epoch;
        self.seam(Seam::Before(Deed::Renew { epoch })).await;
        let until = self.clock.now().plus_millis(ttl_ms);
        let granted = self.lease_time().await?.plus_millis(ttl_ms);
        let args = args![
            lease.ws.as_str(),
            lease.lane.as_str(),
            lease.owner.as_str(),
            lease.epoch,
            granted
        ];
        if self.db.run(&sql::LANE_RENEW, &args).await? == 0 {
            return Err(lease.lost());
        }
        lease.until = until;
        self.seam(Seam::After).await;
        Ok(())
    }

    /// Gives the lane back. A lease that was lost has nothing to give back, which is no error.
    pub async fn release(&self, lease: Lease) -> Result<()> {
        let args = args![
            lease.ws.as_str(),
            lease.lane.as_str(),
            lease.owner.as_str(),
            lease.epoch
        ];
        self.db.run(&sql::LANE_RELEASE, &args).await?;
        Ok(())
    }

    /// What the lane's owner keeps with it, for people who look without a lease.
    pub async fn lane_state(&self, ws: &WorkspaceId, lane: &str) -> Result<Option<String>> {
        let args = args![ws.as_str(), lane];
        let found = self
            .db
            .fetch_one::<StateDb>(&sql::LANE_STATE, &args)
            .await?;
        Ok(found.map(|row| row.state))
    }

    /// Leaves marks without a lease: from the command line, or from another process.
    pub async fn mark(&self, ws: &WorkspaceId, lane: &str, marks: &[Mark]) -> Result<()> {
        if marks.is_empty() {
            return Ok(());
        }
        self.seam(Seam::Before(Deed::Mark)).await;
        let rows = MarkRow::all(ws.as_str(), marks);
        let touch = args![lane, ids(std::iter::once(ws.as_str()))];
        let put = args![lane, self.clock.now(), doc::rows(&rows)];
        again(|| async {
            let mut tx = self.db.begin().await?;
            tx.run(&sql::LANE_TOUCH, &touch).await?;
            tx.run(&sql::MARKS_PUT, &put).await?;
            tx.commit().await?;
            self.heard().await
        })
        .await
    }

    /// Makes sound work of one kind due now: polls, say.
    pub async fn hasten(&self, ws: &WorkspaceId, lane: &str, kind: &str) -> Result<()> {
        let args = args![ws.as_str(), lane, kind, self.clock.now()];
        self.db.run(&sql::MARKS_HASTEN, &args).await?;
        Ok(())
    }

    /// The most urgent work due: up to `limit` records of one mapping, or a single chore.
    pub async fn claim(&self, lease: &Lease, now: Timestamp, limit: u32) -> Result<Vec<Claimed>> {
        let riders = Class::Backfill;
        let order = Class::ALL.map(|class| Turn { class, riders });
        let found = self.claim_in_turn(lease, (now, now), limit, &order).await?;
        Ok(found.map_or_else(Vec::new, |claim| claim.work))
    }

    /// The same for the first class in `order` that has work due. Records of the class that have
    /// not failed and are due by `soon` go along; what is left of the batch is filled up with its
    /// riders, the most urgent first.
    pub async fn claim_in_turn(
        &self,
        lease: &Lease,
        (now, soon): (Timestamp, Timestamp),
        limit: u32,
        order: &[Turn; 4],
    ) -> Result<Option<Claim>> {
        let (ws, lane) = (lease.ws.as_str(), lease.lane.as_str());
        let [a, b, c, d] = order.map(|turn| turn.class.priority());
        let args = args![ws, lane, now, a, b, c, d];
        let Some(head) = self.db.fetch_one::<HeadDb>(&sql::CLAIM_HEAD, &args).await? else {
            return Ok(None);
        };
        let found = if head.kind == "record" {
            let mine = order
                .iter()
                .find(|turn| turn.class.priority() == head.priority);
            let riders = mine.map_or(head.priority, |turn| turn.riders.priority());
            let (mapping, own) = (head.mapping, head.priority);
            let args = args![ws, lane, now, mapping, limit.max(1), own, riders, soon];
            self.db.fetch::<ClaimDb>(&sql::CLAIM_RECORDS, &args).await?
        } else {
            let args = args![ws, lane, head.task_key];
            self.db.fetch::<ClaimDb>(&sql::CLAIM_CHORE, &args).await?
        };
        Ok(Some(Claim {
            class: Class::of_priority(head.priority),
            work: self.each(found)?,
        }))
    }

    /// Those of these pieces of work that are due, in their order, to be done along with a claim.
    /// Whoever asks must not have read the records yet.
    pub async fn claim_named(
        &self,
        lease: &Lease,
        now: Timestamp,
        tasks: &BTreeSet<Task>,
    ) -> Result<Vec<Claimed>> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = tasks.iter().map(task_key).collect();
        let keys = ids(keys.iter().map(String::as_str));
        let args = args![lease.ws.as_str(), lease.lane.as_str(), keys, now];
        let rows = self.db.fetch::<ClaimDb>(&sql::CLAIM_NAMED, &args).await?;
        let mut found: Vec<Claimed> = self.each(rows)?;
        found.sort_by(|a, b| a.task.cmp(&b.task));
        Ok(found)
    }

    /// All work of a lane, due or not, most urgent first.
    pub async fn queue(&self, ws: &WorkspaceId, lane: &str, limit: u32) -> Result<Vec<Claimed>> {
        let args = args![ws.as_str(), lane, limit];
        self.each(self.db.fetch::<ClaimDb>(&sql::MARKS_LIST, &args).await?)
    }

    /// Work that has waited for a parent since `since` or longer, the longest first.
    pub async fn blocked_since(
        &self,
        ws: &WorkspaceId,
        lane: &str,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<Claimed>> {
        let args = args![ws.as_str(), lane, since, limit];
        self.each(self.db.fetch::<ClaimDb>(&sql::MARKS_BLOCKED, &args).await?)
    }

    /// When the next piece of work is due, past times included; blocked work never is.
    pub async fn next_due(&self, ws: &WorkspaceId, lane: &str) -> Result<Option<Timestamp>> {
        let args = args![ws.as_str(), lane];
        let found = self.db.fetch_one::<AtDb>(&sql::NEXT_DUE, &args).await?;
        Ok(found.and_then(|row| row.at).map(Timestamp::from_micros))
    }

    /// The same for one kind of task only: `record`, `poll`, `backfill` or `scan`.
    pub async fn next_due_of(
        &self,
        ws: &WorkspaceId,
        lane: &str,
        kind: &str,
    ) -> Result<Option<Timestamp>> {
        let args = args![ws.as_str(), lane, kind];
        let found = self
            .db
            .fetch_one::<AtDb>(&sql::NEXT_DUE_OF_KIND, &args)
            .await?;
        Ok(found.and_then(|row| row.at).map(Timestamp::from_micros))
    }

    pub async fn queue_counts(&self, ws: &WorkspaceId, lane: &str) -> Result<QueueCounts> {
        let args = args![ws.as_str(), lane, self.clock.now()];
        let mut counts = QueueCounts::new();
        for row in self
            .db
            .fetch::<StandingDb>(&sql::QUEUE_COUNTS, &args)
            .await?
        {
            let of = counts.entry(row.kind).or_default();
            let number = row.n.unsigned_abs();
            match row.standing.as_str() {
                "ready" => of.ready = number,
                "waiting" => of.waiting = number,
                _ => of.blocked = number,
            }
        }
        let args = args![ws.as_str()];
        for row in self.db.fetch::<Counted>(&sql::DEAD_COUNTS, &args).await? {
            counts.entry(row.word).or_default().dead = row.n.unsigned_abs();
        }
        Ok(counts)
    }
}
