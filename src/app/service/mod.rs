//! Many workspaces in one process: who is due, engines opened and put away, failures told.
//!
//! The only part of the house that spawns. It opens an engine where a workspace is connected and
//! not paused, lets it step while there is work, and knows nothing of what a step does.

mod agenda;
mod at_job;
mod by_hand;
mod change;
mod consent;
mod ending;
mod files;
mod inbox;
mod jobs;
mod kept;
mod mappings;
mod planning;
mod take_up;
mod tend;
mod trouble;
mod turn;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Chance, Clock};
use crate::model::{Timestamp, Workspace, WorkspaceId};
use crate::pipeline::LANE;
use crate::store::{Store, StoreError};
use crate::sync::Results;
use crate::vault::Keeper;

use super::{Busy, DAY_MILLIS, Engine, Options};
use agenda::{Agenda, Next};
use at_job::Running;
use change::Wanted;
use inbox::Inbox;

pub use by_hand::Counted;
pub use change::ChangeError;
pub use files::{MappingFiles, Origin};
pub use jobs::{ExplainWish, JobFault, JobRefusal, UndoWish, Wish, kept_job};
pub use mappings::{MappingsError, Refused};
pub use trouble::Trouble;

/// The longest an engine waits before it looks again.
const LONGEST_MILLIS: i64 = 60_000;
/// Until a workspace is looked at again whose lane another process holds.
const LANE_MILLIS: i64 = 30_000;
/// One workspace after the other is looked at for changes, at this distance: with ten thousand of
/// them each has its turn every five minutes, whatever its accounts would allow.
const TURN_MILLIS: i64 = 30;
const PAGE: u32 = 500;
/// How often it is looked whether a worker is done, and from one look to the next.
const REST_LOOKS: u32 = 250;
const REST_LOOK: Duration = Duration::from_millis(100);
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
    pub mappings: MappingFiles,
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
    inbox: Inbox,
    changed: Notify,
    steps: AtomicU64,
    records: AtomicU64,
    writes: AtomicU64,
    results: Mutex<Results>,
    /// When jobs that expired were removed last, in milliseconds since 1970.
    expired_at: AtomicI64,
}

/// What this process has done and has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    pub open: u64,
    pub troubled: u64,
    pub steps: u64,
    /// Records that steps have read or attempted.
    pub records: u64,
    pub writes: u64,
    /// Announcements of webhooks that have no marks yet.
    pub inbox: u64,
}

/// An engine, and the workspace as it was when it was opened.
struct Opened {
    engine: Engine,
    workspace: Workspace,
    /// What the next steps are for, instead of the engine's own.
    job: Option<Box<Running>>,
}

impl Opened {
    fn of(engine: Engine, workspace: Workspace) -> Self {
        let job = None;
        Self {
            engine,
            workspace,
            job,
        }
    }
}

/// Why an engine is opened anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stale {
    /// The mapping files changed: it may go on with the old ones if the new ones do not fit.
    Files,
    /// What it may do, or by which credentials: it must not go on as it is.
    Changed,
}

struct State {
    agenda: Agenda,
    engines: BTreeMap<WorkspaceId, Opened>,
    /// To be closed and opened anew before they go on.
    stale: BTreeMap<WorkspaceId, Stale>,
    trouble: BTreeMap<WorkspaceId, Trouble>,
    /// When an engine did last what is done once an hour, and in which mode.
    looked_through: BTreeMap<WorkspaceId, (&'static str, Timestamp)>,
    /// Changes that wait for the engine of a workspace.
    wanted: BTreeMap<WorkspaceId, VecDeque<Wanted>>,
    files: Arc<MappingFiles>,
    /// Mappings that count and are not at work.
    refused: BTreeMap<WorkspaceId, Refused>,
}

impl Service {
    /// Takes stock of all workspaces; none is opened yet.
    pub async fn new(parts: ServiceParts) -> Result<Arc<Self>, StoreError> {
        let mut agenda = Agenda::default();
        let now = parts.clock.now();
        let due = parts.store.agenda(LANE).await?;
        // Looks for changes that are overdue are spread out, or all of them would stay together.
        let mut late = 0;
        let mut after = String::new();
        loop {
            let page = parts.store.workspaces(&after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id.as_str().to_owned();
            for workspace in page.iter().filter(|one| !one.paused) {
                let at = match due.get(&workspace.id) {
                    Some(due) if due.at > now => due.at,
                    Some(due) if due.news.is_none_or(|at| at > now) => {
                        late += 1;
                        now.plus_millis(late * TURN_MILLIS)
                    }
                    Some(_) | None => now,
                };
                agenda.due(&workspace.id, at);
            }
        }
        for ws in parts.store.workspaces_with_jobs().await? {
            agenda.due(&ws, now);
        }
        let inbox = Inbox::left(&parts.store.inbox().await?);
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
                comes_and_goes: true,
                ..Options::default()
            },
            state: Mutex::new(State {
                agenda,
                engines: BTreeMap::new(),
                stale: BTreeMap::new(),
                trouble: BTreeMap::new(),
                looked_through: BTreeMap::new(),
                wanted: BTreeMap::new(),
                files: Arc::new(parts.mappings),
                refused: BTreeMap::new(),
            }),
            inbox,
            changed: Notify::new(),
            steps: AtomicU64::new(0),
            records: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            results: Mutex::default(),
            expired_at: AtomicI64::new(0),
        }))
    }

    /// There is something to do in the workspace now.
    pub fn wake(&self, ws: &WorkspaceId) {
        let now = self.clock.now();
        self.state().agenda.due(ws, now);
        self.changed.notify_one();
    }

    /// Waits until no worker is at the workspace, for as long as an attempt may take. False when
    /// one still is.
    pub async fn at_rest(&self, ws: &WorkspaceId) -> bool {
        for _ in 0..REST_LOOKS {
            if !self.state().agenda.is_at_work(ws) {
                return true;
            }
            tokio::time::sleep(REST_LOOK).await;
        }
        false
    }

    /// What the workspace's engine was opened with has changed: connections, mode, variables, or
    /// owners.
    pub fn reopen(&self, ws: &WorkspaceId) {
        self.options.heard.forget(ws);
        {
            let mut state = self.state();
            state.stale.insert(ws.clone(), Stale::Changed);
            state.trouble.remove(ws);
            state.looked_through.remove(ws);
        }
        self.wake(ws);
    }

    /// Other mapping files from now on.
    pub fn set_mappings(&self, files: MappingFiles) {
        let woken: Vec<WorkspaceId> = {
            let mut state = self.state();
            state.files = Arc::new(files);
            let known: Vec<WorkspaceId> = state.engines.keys().cloned().collect();
            let troubled: Vec<WorkspaceId> = state.trouble.keys().cloned().collect();
            for ws in &known {
                state.stale.entry(ws.clone()).or_insert(Stale::Files);
            }
            known.into_iter().chain(troubled).collect()
        };
        for ws in &woken {
            self.wake(ws);
        }
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
            records: self.records.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            inbox: self.inbox.records(),
        }
    }

    /// What attempts of this process came to.
    pub fn results(&self) -> Results {
        let results = self.results.lock();
        results.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The workspace is gone: its engine is given up, without giving back a lane that is gone too.
    pub fn forget(&self, ws: &WorkspaceId) {
        self.options.heard.forget(ws);
        self.inbox.forget(ws);
        let mut state = self.state();
        state.agenda.remove(ws);
        state.engines.remove(ws);
        state.trouble.remove(ws);
        state.looked_through.remove(ws);
        state.stale.remove(ws);
        state.refused.remove(ws);
        state.wanted.remove(ws);
    }

    /// Works until it is told to stop; then lets attempts under way end and gives every lane back.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        let permits = Arc::new(Semaphore::new(self.workers));
        tracker.spawn(Arc::clone(&self).look_for_others_work(stop.clone()));
        tracker.spawn(Arc::clone(&self).tend(stop.clone()));
        tracker.spawn(Arc::clone(&self).fold(stop.clone()));
        tracker.spawn(Arc::clone(&self).look_for_left(stop.clone()));
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
                        let turn = || handle.block_on(Box::pin(service.turn(&ws, &stop)));
                        if catch_unwind(AssertUnwindSafe(turn)).is_err() {
                            service.stumbled(&ws);
                        }
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
        for (ws, opened) in engines {
            let put_down = self.put_down(opened, JobFault::Interrupted, jobs::STOPPED);
            if let Err(error) = Box::pin(put_down).await {
                tracing::warn!(ws = ws.as_str(), %error, "the lane was not given back");
            }
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
                    for (ws, due) in agenda {
                        let news = due.news.is_some_and(|at| at <= now);
                        let left = due.at <= now && !state.agenda.is_due_some_time(&ws);
                        if (news || left) && !state.trouble.contains_key(&ws) {
                            state.agenda.due(&ws, due.at);
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "the agenda could not be read"),
            }
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
