//! Whether a run that ends by itself has come to its end, and what it leaves.

use std::collections::BTreeMap;

use super::Engine;
use crate::model::{Failure, Task, Timestamp};
use crate::pipeline::LANE;
use crate::store::{Claimed, StoreError};

/// As much of the waiting work as is looked through for sources that fail.
const QUEUE_MAX: u32 = 10_000;

impl Engine {
    /// The work that is left, due or not, most urgent first.
    pub async fn waiting(&self) -> Result<Vec<Claimed>, StoreError> {
        let site = &self.site;
        site.store.queue(&site.workspace, LANE, QUEUE_MAX).await
    }

    /// Whether nothing is due within `horizon` milliseconds, after a step that would wait `until`.
    pub async fn is_quiet(
        &self,
        until: Option<Timestamp>,
        horizon: i64,
    ) -> Result<bool, StoreError> {
        let now = self.site.clock.now();
        let closed = until.is_some_and(|at| at.millis_since(now) > horizon);
        Ok(closed || !self.is_due_within(horizon).await?)
    }

    /// Whether there is work to wait for: records, backfills, and sources that failed and will be
    /// asked again. The next look at sources that are fine is the next run's.
    async fn is_due_within(&self, horizon: i64) -> Result<bool, StoreError> {
        let now = self.site.clock.now();
        let soon = |at: Timestamp| at.millis_since(now) <= horizon;
        let work = self.next_work().await?;
        if work.is_some_and(|at| at <= now) || self.poll_is_due().await? {
            return Ok(true);
        }
        let waiting = self.waiting().await?;
        let mut blind = waiting.iter().filter(|work| is_blind_source(work));
        // Records cannot go on without a source that is not asked again in time.
        if blind.clone().any(|source| !soon(source.not_before)) {
            return Ok(false);
        }
        Ok(work.is_some_and(soon) || blind.any(|source| soon(source.not_before)))
    }
}

/// A source that could not read its CRM: what changed there is not known. A comparison looks for
/// nothing new.
pub fn is_blind_source(work: &Claimed) -> bool {
    let is_source = !matches!(work.task, Task::Record(_) | Task::Drift { .. });
    work.failure.is_some() && is_source
}

/// What could not be read and why, each reason once, in one line.
pub fn blind_spots(sources: &[Claimed]) -> String {
    let mut spots: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for work in sources {
        let what = format!("{} of {}", work.task.side().title(), work.task.mapping());
        spots.entry(why_left(work)).or_default().push(what);
    }
    let lines = spots.into_iter().map(|(why, mut what)| {
        what.dedup();
        format!("{} could not be read: {why}", what.join(", "))
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// Why a piece of work is not done.
pub fn why_left(work: &Claimed) -> String {
    let parent = work.parent.as_ref().map(|parent| {
        let (side, mapping, id) = (parent.side.title(), &parent.mapping, parent.id.as_str());
        format!("waits for {side} {id} of {mapping}")
    });
    let failure = work.failure.as_ref().map(|Failure { message, .. }| message);
    let known = failure.cloned().or(parent);
    known.unwrap_or_else(|| "not looked at yet".to_owned())
}
