//! The only wiring: store, clients and mappings become an engine that is driven step by step.
//!
//! One step is one attempt at one piece of work of the lane, and returns. Nothing here waits,
//! spawns or decides; whoever drives the engine owns the loop and the clock.

mod comparison;
mod decided;
mod drift;
mod drift_told;
mod facts;
mod live;
pub mod matches;
mod order;
mod outcome;
mod patience;
mod paused;
mod plan_file;
mod planned;
mod prepare;
mod quiet;
mod refresh;
mod room;
mod run;
mod scratch;
mod service;
mod setup;
mod stage;
mod undo;

use std::collections::BTreeMap;

use tracing::Instrument;
use tracing::field::Empty;

use crate::bugs::{self, Bug};
use crate::clock::Ids;
use crate::crm::{Crms, Shut};
use crate::model::{BySide, Class, Failure, MappingName, RunId, Side, Task, Timestamp};
use crate::pipeline::{Decided, LANE, Lane, Site};
use crate::sources::{self, Pace};
use crate::store::{Changes, Claimed, Mark, StoreError};
use crate::sync::{self, Desk, Planning, Tally};

pub use comparison::{Comparison, DIFFERENCES_LISTED, agree_percent, compare_all};
pub use drift::{DriftFound, drift_found};
pub use drift_told::{compare_soon, drift_json, drift_retold, time_of};
pub use live::{LIVE_WAIT_MILLIS, look_live};
pub use outcome::{Total, fate_json, fate_word, fates, is_left, named, why_spared};
pub use patience::{LookError, compared, records_page, wait_for_room};
pub use plan_file::{NotAPlan, PlanFile, fields_json, fields_of, row_json};
pub use prepare::{Made, Prepared, look_over, make_ready, prepare};
pub use quiet::{blind_spots, is_blind_source, why_left};
pub use scratch::Scratch;
pub use service::{
    ChangeError, Counted, ExplainWish, Figures, JobFault, JobRefusal, MappingFiles, MappingsError,
    Origin, Refused, Service, ServiceParts, Standing, Trouble, UndoWish, Wish, kept_job,
};
pub use setup::{
    Busy, DAY_MILLIS, JOURNAL_DAYS, Lacking, Options, Parts, SetupError, read_schemas,
};
use setup::{bind_all, check_accounts, check_lacks, check_plan, pace, remember_accounts};
pub use stage::stage;
pub use undo::{Spared, Undo, undo};

/// How often work that waits too long for a parent is looked for.
const LOOK_THROUGH_MILLIS: i64 = 3_600_000;

/// The lane as a whole waits no longer than this for one connection.
const LONG_WAIT_MILLIS: i64 = 60_000;

/// What one step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Worked(Work),
    /// Nothing may or need be done before this moment; `None` when no work is stored at all.
    Wait(Option<Timestamp>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// `record`, `poll`, `reread`, `backfill`, `scan` or `drift`.
    pub kind: &'static str,
    pub mapping: MappingName,
    pub side: Side,
    pub records: u64,
    pub writes: u64,
}

impl Work {
    /// Names the step in its span and in the log.
    fn tell(&self) {
        let (kind, mapping, side) = (self.kind, self.mapping.as_str(), self.side.as_str());
        let (records, writes) = (self.records, self.writes);
        let span = tracing::Span::current();
        span.record("kind", kind);
        span.record("mapping", mapping);
        span.record("side", side);
        span.record("records", records);
        tracing::debug!(kind, mapping, side, records, writes, "step");
    }
}

pub struct Engine {
    site: Site,
    crms: Crms,
    lane: Option<Lane>,
    /// What the lane's last owner left was looked through under this lease.
    in_order: bool,
    owner: String,
    options: Options,
    pace: Pace,
    /// Boxed, because an engine is handed on from turn to turn.
    tally: Box<Tally>,
    idle_calls: u64,
    /// Calls of polls and scans, which look for what nobody has planned.
    looking: BySide<u64>,
    auth_failure: Option<Failure>,
    /// Mappings that no longer fit their CRMs, and why.
    laid_off: BTreeMap<MappingName, Failure>,
    /// When the schemas were read again for the last time.
    refreshed_at: Option<Timestamp>,
    /// When the run's row was written last, if it has one.
    noted: Option<Timestamp>,
    /// When work that waits for a parent was last looked through.
    looked_through: Option<Timestamp>,
    started_at: Timestamp,
}

impl Engine {
    /// Reads both CRMs' schemas, binds the mappings to them, takes the lane and puts in order what
    /// an earlier process left.
    pub async fn open(parts: Parts) -> Result<Self, SetupError> {
        let Parts {
            store,
            workspace,
            hubspot,
            salesforce,
            mappings,
            clock,
            chance,
            mut options,
        } = parts;
        let crms = Crms {
            hubspot,
            salesforce,
        };
        if !options.mode.writes() {
            crms.refuse_writes();
        }
        let schemas = match options.schemas.take() {
            Some(known) => *known,
            None => read_schemas(&crms, &mappings).await?,
        };
        let is_known = check_accounts(&store, &workspace, &schemas.accounts).await?;
        check_plan(&options.mode, &schemas.accounts)?;
        check_lacks(&mappings, &schemas, options.lacking)?;
        let bound = bind_all(&mappings, &schemas)?;
        if !is_known {
            store.ensure_workspace(&workspace).await?;
            remember_accounts(&store, &workspace, &schemas.accounts).await?;
        }
        let ids = Ids::new(clock.clone(), chance.clone());
        let site = Site {
            run: RunId::from_uuid(&ids.next()),
            workspace,
            store,
            mappings: bound,
            accounts: schemas.accounts.clone(),
            schemas,
            pauses: std::mem::take(&mut options.pauses),
            decided: Decided::default(),
            clock: clock.clone(),
            chance,
            ids,
        };
        let pace = pace(&crms, &site, &options);
        let mut engine = Self {
            owner: site.run.as_str().to_owned(),
            site,
            crms,
            lane: None,
            in_order: false,
            looked_through: options.looked_through,
            options,
            pace,
            tally: Box::default(),
            idle_calls: 0,
            looking: BySide::default(),
            auth_failure: None,
            laid_off: BTreeMap::new(),
            refreshed_at: None,
            noted: None,
            started_at: clock.now(),
        };
        match (engine.lease().await?, engine.options.busy) {
            (true, _) => engine.put_in_order().await?,
            (false, Busy::Awaited) => {}
            (false, Busy::Refused) => return Err(SetupError::LaneBusy),
        }
        Ok(engine)
    }

    /// One attempt at the most urgent piece of work.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        if self.lane.is_none() && !self.lease().await? {
            let at = self.site.clock.now().plus_millis(1_000);
            return Ok(Step::Wait(Some(at)));
        }
        let (kind, mapping, side) = (Empty, Empty, Empty);
        let span = tracing::debug_span!("step", kind, mapping, side, records = Empty);
        match Box::pin(self.work()).instrument(span).await {
            Err(StoreError::LeaseLost { .. }) => {
                // Somebody else owns the lane now. Nothing of this attempt was stored.
                self.lane = None;
                Ok(Step::Wait(Some(self.site.clock.now().plus_millis(1_000))))
            }
            other => other,
        }
    }

    async fn work(&mut self) -> Result<Step, StoreError> {
        let Some(lane) = &mut self.lane else {
            return Ok(Step::Wait(None));
        };
        lane.keep().await?;
        if !self.in_order {
            self.put_in_order().await?;
            return Ok(Step::Wait(Some(self.site.clock.now())));
        }
        let now = self.site.clock.now();
        let since = self.looked_through;
        if since.is_none_or(|at| now.millis_since(at) >= LOOK_THROUGH_MILLIS) {
            order::look_through(lane, &self.site, &self.options).await?;
            self.looked_through = Some(now);
        }
        let batch = self.crms.rows(Side::HubSpot);
        let claim = planned::next(lane, &self.site, &self.crms, &self.options.mode).await?;
        let Some((class, claimed)) = claim.map(|claim| (claim.class, claim.work)) else {
            return self.nothing_due().await;
        };
        let Some(first) = claimed.first() else {
            return self.nothing_due().await;
        };
        let tied = self.site.tied(first.task.mapping());
        let need = room::need(&first.task, class, claimed.len(), batch, tied);
        self.crms.set_urgency(need.urgency);
        if self.crms.probe().await {
            self.auth_failure = None;
        }
        lane.hasty = self.crms.hasty();
        let mapping = first.task.mapping().clone();
        if let Some(shut) = self.crms.shut(need) {
            return self.make_room(&claimed, shut).await;
        }
        if let Some(step) = self.wait_for_resume(&mapping, &claimed).await? {
            return Ok(step);
        }
        if let Some(step) = self.lay_off(&mapping, &claimed).await? {
            return Ok(step);
        }
        let before = self.calls_of_sides();
        let mut work = Work {
            kind: first.task.kind(),
            mapping,
            side: first.task.side(),
            records: claimed.len() as u64,
            writes: self.tally.writes,
        };
        match &first.task {
            Task::Record(_) => self.reconcile(&work.mapping.clone(), claimed).await?,
            Task::Poll { .. } | Task::Reread { .. } | Task::Backfill { .. } | Task::Scan { .. } => {
                work.records = self.produce(first.clone()).await?;
            }
            Task::Drift { .. } => work.records = self.compare_on(first.clone()).await?,
        }
        work.writes = self.tally.writes - work.writes;
        self.refresh_if_stale().await?;
        self.spent(class, work.kind, &before);
        work.tell();
        Ok(Step::Worked(work))
    }

    async fn nothing_due(&self) -> Result<Step, StoreError> {
        let due = self.site.store.next_due(&self.site.workspace, LANE).await?;
        Ok(Step::Wait(due))
    }

    /// Waits for a connection when that takes seconds. Otherwise the work is put off: it keeps its
    /// attempts, other work goes on, and whoever looks at it is told why it waits.
    async fn make_room(&self, claimed: &[Claimed], shut: Shut) -> Result<Step, StoreError> {
        tracing::debug!(at = %shut.at, why = shut.why.code(), "there is no room yet");
        let wait = shut.at.millis_since(self.site.clock.now());
        if wait <= LONG_WAIT_MILLIS && !shut.why.parks() {
            return Ok(Step::Wait(Some(shut.at)));
        }
        let failure = shut.why.failure(shut.side, shut.at);
        self.put_off(claimed, shut.at, &failure).await
    }

    async fn put_off(
        &self,
        claimed: &[Claimed],
        at: Timestamp,
        failure: &Failure,
    ) -> Result<Step, StoreError> {
        let (Some(first), Some(lane)) = (claimed.first(), &self.lane) else {
            return Ok(Step::Wait(Some(at)));
        };
        let parked = |work: &Claimed| lane.parked(work, at, failure.clone());
        let changes = Changes {
            lane_state: Some(self.crms.gates()),
            verdicts: claimed.iter().map(parked).collect(),
            ..Changes::default()
        };
        lane.commit(changes).await?;
        Ok(Step::Worked(Work {
            kind: first.task.kind(),
            mapping: first.task.mapping().clone(),
            side: first.task.side(),
            records: 0,
            writes: 0,
        }))
    }

    async fn reconcile(
        &mut self,
        mapping: &MappingName,
        claimed: Vec<Claimed>,
    ) -> Result<(), StoreError> {
        self.note_run().await?;
        let Some(lane) = &mut self.lane else {
            return Ok(());
        };
        let planning = Planning {
            site: &self.site,
            mode: &mut self.options.mode,
            limits: self.options.limits,
            tally: &mut self.tally,
        };
        let mut desk = Desk::new(planning, &self.crms, lane);
        let outcome = sync::reconcile(&mut desk, mapping, claimed).await;
        self.auth_failure = self
            .auth_failure
            .take()
            .or_else(|| lane.take_auth_failure());
        outcome
    }

    /// Counts the calls of one attempt.
    fn spent(&mut self, class: Class, kind: &str, before: &BySide<u64>) {
        let now = self.calls_of_sides();
        let calls = BySide::from_fn(|side| now.get(side) - before.get(side));
        if let Some(lane) = &mut self.lane {
            lane.had(class, calls.hubspot + calls.salesforce);
        }
        if matches!(kind, "poll" | "reread" | "scan" | "drift") {
            for side in Side::BOTH {
                *self.looking.get_mut(side) += calls.get(side);
            }
        }
    }

    /// One step of a source, and of the polls that go along with it; cursors and marks are one
    /// commit.
    async fn produce(&mut self, claimed: Claimed) -> Result<u64, StoreError> {
        if self.options.mode.frozen().is_some()
            && let Some(next) = planned::not_now(&self.site, &claimed)
        {
            return self.put_aside(&claimed, next).await;
        }
        let before = self.calls();
        let Some(lane) = &mut self.lane else {
            return Ok(0);
        };
        let mut all = vec![claimed];
        if let Some((others, by)) = sources::companions(&self.site, &all[0].task, &self.pace) {
            let mut along = lane.claim_early(&others, by).await?;
            along.retain(|one| !self.laid_off.contains_key(one.task.mapping()));
            all.extend(along);
        }
        let outcomes = sources::produce(&self.site, &self.crms, &all, &self.pace).await;
        let mut changes = Changes::default();
        let (mut seen, mut marked, mut failed) = (0, 0, false);
        for (claimed, outcome) in all.iter().zip(outcomes) {
            match outcome {
                None => {}
                Some(Ok(produced)) => {
                    changes.append(produced.changes);
                    changes.verdicts.push(lane.done(claimed));
                    changes.marks.extend(produced.next.map(|next| Mark {
                        task: claimed.task.clone(),
                        cause: claimed.cause,
                        not_before: next,
                    }));
                    seen += produced.seen;
                    marked += produced.marked;
                    let (seen, marked) = (produced.seen, produced.marked);
                    tracing::debug!(
                        seen,
                        marked,
                        mapping = claimed.task.mapping().as_str(),
                        "page"
                    );
                }
                Some(Err(error)) => {
                    failed = true;
                    let setback = error.setback()?;
                    changes.verdicts.push(lane.failed_source(claimed, &setback));
                }
            }
        }
        if marked == 0 && !failed && matches!(all[0].task, Task::Poll { .. } | Task::Reread { .. })
        {
            self.idle_calls += self.crms.calls() - before;
        }
        if bugs::on(Bug::CursorCommittedBeforeMarks) {
            let cursors = std::mem::take(&mut changes.cursors);
            let first = Changes {
                cursors,
                ..Changes::default()
            };
            lane.commit(first).await?;
        }
        changes.lane_state = Some(self.crms.gates());
        lane.commit(changes).await?;
        self.auth_failure = self
            .auth_failure
            .take()
            .or_else(|| lane.take_auth_failure());
        Ok(seen)
    }

    async fn lease(&mut self) -> Result<bool, StoreError> {
        let site = &self.site;
        self.lane = Lane::lease(
            &site.store,
            &site.workspace,
            &self.owner,
            &site.clock,
            &site.chance,
        )
        .await?;
        self.in_order = false;
        if let Some(lane) = &self.lane {
            self.crms.restore_gates(&lane.gates());
        }
        Ok(self.lane.is_some())
    }
}
