//! Many workspaces in one process: who is due, engines opened and put away, failures told.
//!
//! The only part of the house that spawns. It opens an engine where a workspace is connected and
//! not paused, lets it step while there is work, and knows nothing of what a step does.

mod agenda;
mod change;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Chance, Clock};
use crate::mapping::{self, Fault, Loaded, SourceFile};
use crate::model::{Timestamp, Workspace, WorkspaceId, WorkspaceMode};
use crate::pipeline::LANE;
use crate::store::{Store, StoreError};
use crate::sync::Mode;
use crate::vault::Keeper;

use super::{Busy, DAY_MILLIS, Engine, Options, Parts, Step};
use agenda::{Agenda, Next};
use change::Wanted;
use trouble::OpenError;

pub use change::ChangeError;
pub use trouble::Trouble;

/// Attempts that one workspace may make before others get their turn.
const STEPS: usize = 20;
/// Engines that are kept open while they wait. One more is closed and opened again when it is due.
const ENGINES: usize = 200;
/// The longest an engine waits before it looks again.
const LONGEST_MILLIS: i64 = 60_000;
const PAGE: u32 = 500;
/// From one look for work that other processes left to the next.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How a workspace fares in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its engine is open.
    Open,
    /// It is not due, or its turn has not come.
    Waiting,
    Troubled(Trouble),
}

/// What the service is made of.
pub struct ServiceParts {
    pub store: Arc<Store>,
    pub keeper: Arc<Keeper>,
    pub clock: Clock,
    pub chance: Chance,
    /// The mapping files of every workspace.
    pub mappings: Vec<SourceFile>,
    pub workers: usize,
    pub journal_days: i64,
    /// `None`: by each account's allowance.
    pub poll_millis: Option<i64>,
}

pub struct Service {
    store: Arc<Store>,
    keeper: Arc<Keeper>,
    clock: Clock,
    chance: Chance,
    workers: usize,
    options: Options,
    state: Mutex<State>,
    changed: Notify,
    steps: AtomicU64,
    writes: AtomicU64,
}

/// What this process has done and has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    pub open: u64,
    pub troubled: u64,
    pub steps: u64,
    pub writes: u64,
}

struct State {
    agenda: Agenda,
    engines: BTreeMap<WorkspaceId, Engine>,
    /// To be closed and opened anew before they go on.
    stale: BTreeSet<WorkspaceId>,
    trouble: BTreeMap<WorkspaceId, Trouble>,
    /// Changes that wait for the engine of a workspace.
    wanted: BTreeMap<WorkspaceId, VecDeque<Wanted>>,
    mappings: Arc<Vec<SourceFile>>,
}

impl Service {
    /// Takes stock of all workspaces; none is opened yet.
    pub async fn new(parts: ServiceParts) -> Result<Arc<Self>, StoreError> {
        let mut agenda = Agenda::default();
        let now = parts.clock.now();
        let due = parts.store.agenda(LANE).await?;
        let mut after = String::new();
        loop {
            let page = parts.store.workspaces(&after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id.as_str().to_owned();
            for workspace in page.iter().filter(|one| !one.paused) {
                agenda.due(
                    &workspace.id,
                    due.get(&workspace.id).copied().unwrap_or(now),
                );
            }
        }
        Ok(Arc::new(Self {
            store: parts.store,
            keeper: parts.keeper,
            clock: parts.clock,
            chance: parts.chance,
            workers: parts.workers,
            options: Options {
                poll_millis: parts.poll_millis,
                journal_millis: parts.journal_days * DAY_MILLIS,
                busy: Busy::Awaited,
                ..Options::default()
            },
            state: Mutex::new(State {
                agenda,
                engines: BTreeMap::new(),
                stale: BTreeSet::new(),
                trouble: BTreeMap::new(),
                wanted: BTreeMap::new(),
                mappings: Arc::new(parts.mappings),
            }),
            changed: Notify::new(),
            steps: AtomicU64::new(0),
            writes: AtomicU64::new(0),
        }))
    }

    /// There is something to do in the workspace now.
    pub fn wake(&self, ws: &WorkspaceId) {
        let now = self.clock.now();
        self.state().agenda.due(ws, now);
        self.changed.notify_one();
    }

    /// What the workspace's engine was opened with has changed: connections, mode or variables.
    pub fn reopen(&self, ws: &WorkspaceId) {
        {
            let mut state = self.state();
            state.stale.insert(ws.clone());
            state.trouble.remove(ws);
        }
        self.wake(ws);
    }

    /// Other mapping files for every workspace.
    pub fn set_mappings(&self, files: Vec<SourceFile>) {
        let woken: Vec<WorkspaceId> = {
            let mut state = self.state();
            state.mappings = Arc::new(files);
            let known: Vec<WorkspaceId> = state.engines.keys().cloned().collect();
            let troubled: Vec<WorkspaceId> = state.trouble.keys().cloned().collect();
            state.stale.extend(known.iter().cloned());
            known.into_iter().chain(troubled).collect()
        };
        for ws in &woken {
            self.wake(ws);
        }
    }

    /// The mappings of a workspace, by its files and variables.
    pub fn mappings(&self, workspace: &Workspace) -> Result<Loaded, Vec<Fault>> {
        let files = Arc::clone(&self.state().mappings);
        mapping::load(&files, &workspace.vars)
    }

    pub fn standing(&self, ws: &WorkspaceId) -> Standing {
        let state = self.state();
        if let Some(trouble) = state.trouble.get(ws) {
            Standing::Troubled(trouble.clone())
        } else if state.engines.contains_key(ws) || state.agenda.is_at_work(ws) {
            Standing::Open
        } else {
            Standing::Waiting
        }
    }

    pub fn figures(&self) -> Figures {
        let state = self.state();
        Figures {
            open: state.engines.len() as u64,
            troubled: state.trouble.len() as u64,
            steps: self.steps.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
        }
    }

    /// The workspace is gone: its engine is given up, without giving back a lane that is gone too.
    pub fn forget(&self, ws: &WorkspaceId) {
        let mut state = self.state();
        state.agenda.remove(ws);
        state.engines.remove(ws);
        state.trouble.remove(ws);
        state.stale.remove(ws);
        state.wanted.remove(ws);
    }

    /// Works until it is told to stop; then lets attempts under way end and gives every lane back.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        let permits = Arc::new(Semaphore::new(self.workers));
        tracker.spawn(Arc::clone(&self).look_for_others_work(stop.clone()));
        loop {
            let permit = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                permit = Arc::clone(&permits).acquire_owned() => permit,
            };
            let next = self.state().agenda.next(self.clock.now());
            match next {
                Next::Work(ws) => {
                    let (service, stop) = (Arc::clone(&self), stop.clone());
                    // A thread of its own: an attempt computes much, and requests come in between.
                    let handle = Handle::current();
                    tracker.spawn_blocking(move || {
                        handle.block_on(Box::pin(service.turn(&ws, &stop)));
                        service.changed.notify_one();
                        drop(permit);
                    });
                }
                Next::Wait(at) => self.rest(&stop, at.millis_since(self.clock.now())).await,
                Next::Nothing => self.rest(&stop, LONGEST_MILLIS).await,
            }
        }
        tracker.close();
        tracker.wait().await;
        self.state().wanted.clear();
        let engines = std::mem::take(&mut self.state().engines);
        for (ws, engine) in engines {
            if let Err(error) = engine.close().await {
                tracing::warn!(ws = ws.as_str(), %error, "the lane was not given back");
            }
        }
    }

    /// Works on whatever is due now, one workspace after the other, and comes back: for callers
    /// that own the loop and the clock.
    pub async fn run_due(&self) {
        let stop = CancellationToken::new();
        loop {
            let next = self.state().agenda.next(self.clock.now());
            let Next::Work(ws) = next else { return };
            Box::pin(self.turn(&ws, &stop)).await;
        }
    }

    async fn rest(&self, stop: &CancellationToken, millis: i64) {
        let wait = Duration::from_millis(millis.clamp(1, LONGEST_MILLIS).unsigned_abs());
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.changed.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Marks that another process stored, and workspaces that it made.
    async fn look_for_others_work(self: Arc<Self>, stop: CancellationToken) {
        if !self.store.is_shared() {
            return;
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let now = self.clock.now();
            match self.store.agenda(LANE).await {
                Ok(agenda) => {
                    let mut state = self.state();
                    let due = agenda.iter().filter(|(_, at)| **at <= now);
                    for (ws, at) in due {
                        if !state.trouble.contains_key(ws) {
                            state.agenda.due(ws, *at);
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "the agenda could not be read"),
            }
            self.changed.notify_one();
        }
    }

    /// One workspace's turn: some steps, and when it is due again.
    async fn turn(&self, ws: &WorkspaceId, stop: &CancellationToken) {
        let (engine, stale) = {
            let mut state = self.state();
            (state.engines.remove(ws), state.stale.remove(ws))
        };
        let outcome = self.work(ws, engine, stale, stop).await;
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
            Err(error) => state.troubled(ws, &error, now),
        };
        state.agenda.done(ws, next, now);
    }

    async fn work(
        &self,
        ws: &WorkspaceId,
        engine: Option<Engine>,
        stale: bool,
        stop: &CancellationToken,
    ) -> Result<Option<Timestamp>, OpenError> {
        let mut engine = match engine {
            Some(engine) if !stale => engine,
            other => {
                if let Some(old) = other {
                    old.close().await?;
                }
                match self.open(ws).await? {
                    Some(engine) => engine,
                    None => return Ok(None),
                }
            }
        };
        let mut next = Some(self.clock.now());
        for _ in 0..STEPS {
            if stop.is_cancelled() {
                break;
            }
            self.carry_out(ws, &mut engine).await;
            match engine.step().await {
                Ok(Step::Worked(work)) => {
                    self.steps.fetch_add(1, Ordering::Relaxed);
                    self.writes.fetch_add(work.writes, Ordering::Relaxed);
                }
                Ok(Step::Wait(at)) => {
                    next = at;
                    break;
                }
                Err(error) => {
                    // Nothing of the step was lost; the engine is opened anew.
                    drop(engine);
                    return Err(error.into());
                }
            }
        }
        if engine.auth_failure().is_some()
            && let Some(lost) = self.keeper.unusable(ws).await?
        {
            // Nothing helps but a person, so nothing is tried until then.
            engine.close().await?;
            return Err(lost.into());
        }
        self.put_away(ws, engine, next).await
    }

    /// Keeps the engine for its next turn, or closes it where too many are open.
    async fn put_away(
        &self,
        ws: &WorkspaceId,
        engine: Engine,
        next: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, OpenError> {
        let latest = self.clock.now().plus_millis(LONGEST_MILLIS);
        let soon = next.is_some_and(|at| at < latest);
        let (full, gone) = {
            let state = self.state();
            (state.engines.len() >= ENGINES, !state.agenda.is_at_work(ws))
        };
        if gone {
            return Ok(None);
        }
        if full && !soon {
            engine.close().await?;
            return Ok(next);
        }
        self.state().engines.insert(ws.clone(), engine);
        Ok(Some(next.map_or(latest, |at| at.min(latest))))
    }

    /// `None` when the workspace is gone or paused.
    async fn open(&self, ws: &WorkspaceId) -> Result<Option<Engine>, OpenError> {
        let Some(workspace) = self.store.workspace(ws).await? else {
            return Ok(None);
        };
        if workspace.paused {
            return Ok(None);
        }
        let loaded = self.mappings(&workspace).map_err(|faults| {
            let first = faults.first().map(ToString::to_string);
            OpenError::Mappings(first.unwrap_or_default())
        })?;
        let crms = self.keeper.crms(ws).await?;
        let engine = Box::pin(Engine::open(Parts {
            store: Arc::clone(&self.store),
            workspace: ws.clone(),
            hubspot: crms.hubspot,
            salesforce: crms.salesforce,
            mappings: loaded.mappings,
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            options: Options {
                mode: match workspace.mode {
                    WorkspaceMode::Observing => Mode::Shadow,
                    WorkspaceMode::Live => Mode::Write,
                },
                ..self.options.clone()
            },
        }))
        .await?;
        tracing::info!(
            ws = ws.as_str(),
            mode = workspace.mode.as_str(),
            "the engine is open"
        );
        Ok(Some(engine))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
