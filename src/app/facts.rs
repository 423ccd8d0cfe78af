//! What others may ask an engine: its store, its counts, what it waits for. Changes nothing that
//! the engine works by.

use super::Engine;
use crate::crm::Crms;
use crate::model::{BySide, Failure, Timestamp};
use crate::pipeline::{LANE, Site};
use crate::sources;
use crate::store::{Store, StoreError};
use crate::sync::{Mode, Results, Tally};

impl Engine {
    pub fn store(&self) -> &Store {
        &self.site.store
    }

    pub fn site(&self) -> &Site {
        &self.site
    }

    pub fn crms(&self) -> &Crms {
        &self.crms
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What attempts came to since this was last asked.
    pub fn take_results(&mut self) -> Results {
        std::mem::take(&mut self.tally.results)
    }

    /// Calls of polls that found nothing new.
    pub fn idle_calls(&self) -> u64 {
        self.idle_calls
    }

    /// Another process holds the lane.
    pub fn stands_by(&self) -> bool {
        self.lane.is_none()
    }

    /// The schemas turned out to be others than the engine began with.
    pub fn schemas_moved(&self) -> bool {
        self.refreshed_at.is_some()
    }

    /// The first refusal of credentials since the start; no work is possible without a person.
    pub fn auth_failure(&self) -> Option<&Failure> {
        self.auth_failure.as_ref()
    }

    /// Calls made so far to look for changes that nobody has planned.
    pub fn looking_calls(&self) -> BySide<u64> {
        self.looking
    }

    pub fn calls_of_sides(&self) -> BySide<u64> {
        let (hubspot, salesforce) = (self.crms.hubspot.calls(), self.crms.salesforce.calls());
        BySide::new(hubspot.total, salesforce.total)
    }

    pub(super) fn calls(&self) -> u64 {
        self.crms.calls()
    }

    /// Whether this run writes, and the plan it keeps to with what became of its rows so far.
    pub fn mode(&self) -> &Mode {
        &self.options.mode
    }

    /// When the next piece of work is due that does not come round for ever: records, backfills
    /// that are not done, and what is read once more. `None` when the engine is at rest.
    pub async fn next_work(&self) -> Result<Option<Timestamp>, StoreError> {
        let (store, ws) = (&self.site.store, &self.site.workspace);
        let records = store.next_due_of(ws, LANE, "record").await?;
        let backfill = store.next_due_of(ws, LANE, "backfill").await?;
        let reread = store.next_due_of(ws, LANE, "reread").await?;
        Ok([records, backfill, reread].into_iter().flatten().min())
    }

    /// When what is done once an hour was done last.
    pub fn looked_through(&self) -> Option<Timestamp> {
        self.looked_through
    }

    /// Whether a look for changes is due by now.
    pub async fn poll_is_due(&self) -> Result<bool, StoreError> {
        let (store, ws) = (&self.site.store, &self.site.workspace);
        let due = store.next_due_of(ws, LANE, "poll").await?;
        Ok(due.is_some_and(|at| at <= self.site.clock.now()))
    }

    /// Makes every look for changes due now.
    pub async fn poll_now(&self) -> Result<(), StoreError> {
        let site = &self.site;
        let marks = sources::arranged(site).await?;
        site.store.mark(&site.workspace, LANE, &marks).await
    }
}
