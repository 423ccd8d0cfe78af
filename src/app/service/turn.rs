//! One workspace's turn: its engine opened or taken up again, some steps, and put away.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::field::Empty;

use super::at_job::Turned;
use super::ending::fault_of;
use super::mappings::{MappingsError, first};
use super::trouble::OpenError;
use super::{LANE_MILLIS, LONGEST_MILLIS, Opened, Service, Stale, TURN_MILLIS, kept};
use crate::app::{Engine, Options, Parts, SetupError, Step, Work};
use crate::mapping::Mapping;
use crate::model::{RunEnd, Timestamp, Workspace, WorkspaceId, WorkspaceMode};
use crate::store::StoreError;
use crate::sync::Mode;
use crate::telemetry::name_trace;

/// Attempts that one workspace may make before others get their turn.
pub(super) const STEPS: usize = 20;
/// Engines that are kept open while they wait: each holds its CRMs' schemas, two megabytes or so.
/// One more is closed, and opened again when it is due.
const ENGINES: usize = 64;
/// Until a workspace that waits for a person is looked at again, in a store that others share.
const LOOK_AGAIN_MILLIS: i64 = 5 * 60_000;
/// An engine that is due so soon is not closed for another.
const SOON_MILLIS: i64 = 3_000;

impl Service {
    /// One workspace's turn: some steps, and when it is due again. Every line that is logged in it
    /// names the workspace, and the run once there is an engine.
    pub(super) async fn turn(&self, ws: &WorkspaceId, stop: &CancellationToken) {
        let (run, trace_id) = (Empty, Empty);
        let span = tracing::error_span!("turn", workspace = ws.as_str(), run, trace_id);
        name_trace(&span);
        let turn = Box::pin(self.take_turn(ws, stop));
        turn.instrument(span).await;
    }

    async fn take_turn(&self, ws: &WorkspaceId, stop: &CancellationToken) {
        let (opened, stale) = {
            let mut state = self.state();
            (state.engines.remove(ws), state.stale.remove(ws))
        };
        let outcome = Box::pin(self.work(ws, opened, stale, stop)).await;
        if let Err(error) = &outcome
            && error.waits_for_a_person()
            && let Err(error) = self
                .refuse_jobs(ws, fault_of(error), &error.to_string())
                .await
        {
            tracing::warn!(ws = ws.as_str(), %error, "a job could not be ended");
        }
        self.expire_jobs().await;
        let closed = !self.state().engines.contains_key(ws);
        if closed {
            self.carry_out_alone(ws).await;
        }
        let now = self.clock.now();
        let mut state = self.state();
        let next = match outcome {
            Ok(next) => {
                state.trouble.remove(ws);
                next
            }
            // Where others work in the same store, whoever mends it may tell another process.
            Err(error) => {
                let look = self
                    .store
                    .is_shared()
                    .then(|| now.plus_millis(LOOK_AGAIN_MILLIS));
                state.troubled(ws, &error, now).or(look)
            }
        };
        state.agenda.done(ws, next, now);
    }

    async fn work(
        &self,
        ws: &WorkspaceId,
        opened: Option<Opened>,
        stale: Option<Stale>,
        stop: &CancellationToken,
    ) -> Result<Option<Timestamp>, OpenError> {
        // Another process may have paused it, or let it write: what it may do is asked each time.
        let workspace = match self.store.workspace(ws).await {
            Ok(found) => found.filter(|one| !one.paused),
            Err(error) => {
                self.keep_as_it_was(ws, opened, stale);
                return Err(error.into());
            }
        };
        let Some(workspace) = workspace else {
            Box::pin(self.pause_jobs(ws, opened)).await?;
            return Ok(None);
        };
        let opened = match Box::pin(self.at_job(opened, &workspace, stale, stop)).await? {
            Turned::Own(opened) => opened.map(|opened| *opened),
            Turned::Jobs(next) => return Ok(next),
        };
        let engine = Box::pin(self.engine_for(&workspace, opened, stale)).await?;
        tracing::Span::current().record("run", engine.site().run.as_str());
        let mut engine = match self.with_job(&workspace, engine, stop).await? {
            Turned::Own(Some(opened)) => opened.engine,
            Turned::Own(None) => return Ok(Some(self.clock.now())),
            Turned::Jobs(next) => return Ok(next),
        };
        let mut next = Some(self.clock.now());
        let mut had_news = false;
        for _ in 0..STEPS {
            if stop.is_cancelled() {
                break;
            }
            self.carry_out(ws, &mut engine).await;
            match engine.step().await {
                Ok(Step::Worked(work)) => {
                    self.count(&mut engine, &work);
                    had_news |= matches!(work.kind, "record" | "backfill");
                }
                Ok(Step::Wait(at)) => {
                    next = at;
                    break;
                }
                Err(error) => {
                    // Nothing of the step was lost; the engine is opened anew.
                    self.close_failed(ws, engine).await;
                    return Err(error.into());
                }
            }
        }
        if engine.stands_by() {
            // Another process works on it, and would be asked every second.
            return Ok(Some(self.clock.now().plus_millis(LANE_MILLIS)));
        }
        if engine.auth_failure().is_some()
            && let Some(lost) = self.keeper.unusable(ws).await?
        {
            // Nothing helps but a person, so nothing is tried until then.
            self.close(ws, engine, RunEnd::CredentialsRefused).await?;
            return Err(lost.into());
        }
        self.put_away(Opened::of(engine, workspace), next, had_news)
            .await
    }

    /// The engine that is open, if it may go on, or a new one.
    async fn engine_for(
        &self,
        workspace: &Workspace,
        mut opened: Option<Opened>,
        stale: Option<Stale>,
    ) -> Result<Engine, OpenError> {
        let goes_on = match &mut opened {
            Some(opened) => self.goes_on(workspace, opened, stale).await?,
            None => false,
        };
        match opened {
            Some(opened) if goes_on => return Ok(opened.engine),
            Some(old) => {
                let end = RunEnd::Changed;
                self.close(&workspace.id, old.engine, end).await?;
            }
            None => {}
        }
        self.open(workspace, mode_of(workspace)).await
    }

    pub(super) fn count(&self, engine: &mut Engine, work: &Work) {
        let results = self.results.lock();
        let mut results = results.unwrap_or_else(PoisonError::into_inner);
        results.add(&engine.take_results());
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(work.writes, Ordering::Relaxed);
    }

    /// Keeps the engine for its next turn. Where too many are open, or it had nothing to do and
    /// will have nothing for a while, it is closed.
    pub(super) async fn put_away(
        &self,
        opened: Opened,
        next: Option<Timestamp>,
        had_news: bool,
    ) -> Result<Option<Timestamp>, OpenError> {
        let ws = &opened.workspace.id.clone();
        let now = self.clock.now();
        let (full, gone) = {
            let state = self.state();
            (state.engines.len() >= ENGINES, !state.agenda.is_at_work(ws))
        };
        if gone {
            return Ok(None);
        }
        let soon = now.plus_millis(SOON_MILLIS);
        let latest = now.plus_millis(LONGEST_MILLIS);
        let is_idle = !had_news && next.is_none_or(|at| at > latest);
        if is_idle || (full && next.is_none_or(|at| at > soon)) {
            self.close(ws, opened.engine, RunEnd::Finished).await?;
            return Ok(next);
        }
        self.state().engines.insert(ws.clone(), opened);
        Ok(Some(next.map_or(latest, |at| at.min(latest))))
    }

    /// Gives the lane back, and keeps the schemas where they turned out to be others.
    pub(super) async fn close(
        &self,
        ws: &WorkspaceId,
        engine: Engine,
        end: RunEnd,
    ) -> Result<(), StoreError> {
        if engine.schemas_moved() {
            let site = engine.site();
            let mappings = site.mappings.values().map(|bound| bound.mapping().clone());
            let asked_for = kept::asked_for(&mappings.collect::<Vec<_>>());
            kept::keep(&self.store, ws, &asked_for, &site.schemas).await?;
        }
        if let Some(at) = engine.looked_through() {
            let done = (engine.mode().as_str(), at);
            self.state().looked_through.insert(ws.clone(), done);
        }
        engine.close(end).await
    }

    /// Closes an engine whose store failed, and says so in its run where the store takes that by
    /// now; otherwise the run counts as cut off once the next one begins.
    pub(super) async fn close_failed(&self, ws: &WorkspaceId, engine: Engine) {
        if let Err(error) = self.close(ws, engine, RunEnd::StoreFailed).await {
            tracing::warn!(ws = ws.as_str(), %error, "how the run ended could not be stored");
        }
    }

    /// The store failed before anything was done in the turn: the run goes on with the next one.
    fn keep_as_it_was(&self, ws: &WorkspaceId, opened: Option<Opened>, stale: Option<Stale>) {
        let mut state = self.state();
        // A workspace that was erased meanwhile has no engine.
        if !state.agenda.is_at_work(ws) {
            return;
        }
        if let Some(opened) = opened {
            state.engines.insert(ws.clone(), opened);
        }
        if let Some(stale) = stale {
            state.stale.entry(ws.clone()).or_insert(stale);
        }
    }

    /// Whether an open engine may go on as it is.
    async fn goes_on(
        &self,
        workspace: &Workspace,
        opened: &mut Opened,
        stale: Option<Stale>,
    ) -> Result<bool, StoreError> {
        let seen = std::mem::replace(
            &mut opened.workspace.mappings_version,
            workspace.mappings_version,
        );
        let changed = stale == Some(Stale::Changed) || opened.workspace != *workspace;
        if changed || self.tries_again(&workspace.id) {
            return Ok(false);
        }
        let others = stale == Some(Stale::Files) || seen != workspace.mappings_version;
        Ok(!others || !self.fits(workspace, &opened.engine).await?)
    }

    /// A panic costs one turn of one workspace. Its engine is gone, and its lane free in half a
    /// minute.
    pub(super) fn stumbled(&self, ws: &WorkspaceId) {
        tracing::error!(
            ws = ws.as_str(),
            "a turn panicked; the workspace is tried again"
        );
        let now = self.clock.now();
        let next = now.plus_millis(LANE_MILLIS);
        self.state().agenda.done(ws, Some(next), now);
    }

    /// With the mappings that count, or with those that were at work last where these do not load
    /// or do not fit.
    pub(super) async fn open(
        &self,
        workspace: &Workspace,
        mode: Mode,
    ) -> Result<Engine, OpenError> {
        let ws = &workspace.id;
        let mut tried = Vec::new();
        let mut lately = None;
        let error = match self.mappings(workspace).await {
            Ok(loaded) => {
                lately = self.refused_lately(ws, &loaded.mappings);
                tried.clone_from(&loaded.mappings);
                match &lately {
                    Some(why) => OpenError::Mappings(why.clone()),
                    None => match self.open_wanted(workspace, loaded.mappings, &mode).await? {
                        Ok(engine) => return Ok(engine),
                        Err(error) => error,
                    },
                }
            }
            Err(error @ MappingsError::Faults(_)) => error.into(),
            Err(error) => return Err(error.into()),
        };
        let (tried, last) = (kept::asked_for(&tried), self.last_good(ws).await?);
        if last.is_empty() || kept::asked_for(&last) == tried {
            return Err(error);
        }
        let engine = Box::pin(self.open_with(workspace, last, mode)).await?;
        if lately.is_none() {
            self.refuse(ws, tried, why(&error));
        }
        Ok(engine)
    }

    /// With the mappings that count; the inner error says that they do not fit.
    async fn open_wanted(
        &self,
        workspace: &Workspace,
        mappings: Vec<Mapping>,
        mode: &Mode,
    ) -> Result<Result<Engine, OpenError>, OpenError> {
        match Box::pin(self.open_with(workspace, mappings, mode.clone())).await {
            Ok(engine) => {
                self.state().refused.remove(&workspace.id);
                Ok(Ok(engine))
            }
            Err(error @ OpenError::Setup(SetupError::Mappings(_))) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }

    async fn open_with(
        &self,
        workspace: &Workspace,
        mappings: Vec<Mapping>,
        mode: Mode,
    ) -> Result<Engine, OpenError> {
        let ws = &workspace.id;
        let crms = self.keeper.crms(ws).await?;
        let asked_for = kept::asked_for(&mappings);
        let now = self.clock.now();
        let known = kept::known(&self.store, ws, &asked_for, &crms, now).await?;
        let is_new = known.is_none();
        let (least_poll_millis, looked_through) = {
            let state = self.state();
            let all = i64::try_from(state.agenda.count()).unwrap_or(i64::MAX);
            let last = state.looked_through.get(ws);
            let last = last
                .filter(|(of, _)| *of == mode.as_str())
                .map(|(_, at)| *at);
            (all.saturating_mul(TURN_MILLIS), last)
        };
        let engine = Box::pin(Engine::open(Parts {
            store: Arc::clone(&self.store),
            workspace: ws.clone(),
            hubspot: crms.hubspot,
            salesforce: crms.salesforce,
            mappings,
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            options: Options {
                least_poll_millis,
                looked_through,
                mode,
                schemas: known,
                pauses: workspace.pauses.clone(),
                ..self.options.clone()
            },
        }))
        .await?;
        if is_new {
            kept::keep(&self.store, ws, &asked_for, &engine.site().schemas).await?;
        }
        tracing::debug!(
            ws = ws.as_str(),
            mode = workspace.mode.as_str(),
            "the engine is open"
        );
        Ok(engine)
    }
}

fn why(error: &OpenError) -> String {
    match error {
        OpenError::Setup(SetupError::Mappings(faults)) => first(faults),
        OpenError::Mappings(why) => why.clone(),
        OpenError::Store(_) | OpenError::Keeper(_) | OpenError::Setup(_) => error.to_string(),
    }
}

fn mode_of(workspace: &Workspace) -> Mode {
    match workspace.mode {
        WorkspaceMode::Observing => Mode::Shadow,
        WorkspaceMode::Live => Mode::Write,
    }
}
