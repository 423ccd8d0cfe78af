//! The turns of a workspace that has a job: it is taken up, done a few steps at a time, and ended.
//!
//! A plan is made on a copy of the workspace's rows by an engine whose clients refuse every write.
//! The workspace's own engine stands still meanwhile and keeps the lane; what its connections know
//! of their limits goes to the planning ones and comes back, so nothing is called twice as fast.
//! A plan is carried out by an engine in the place of the workspace's own.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::ending::{broken, ended, progress, ready, run_end, taken, with_outcome};
use super::jobs::{JobFault, STOPPED, Wish};
use super::planning::{Answer, Planning};
use super::trouble::OpenError;
use super::turn::STEPS;
use super::{Opened, Service, Stale};
use crate::app::{Engine, LookError, Step};
use crate::model::{BySide, RunEnd, Timestamp, Workspace, WorkspaceId, WorkspaceMode};
use crate::store::{Changes, Job, JobEnd, JobState, StoreError};

/// A plan waits for a passing fault only, not for the fate of somebody's earlier write.
const PLAN_HORIZON_MILLIS: i64 = 10_000;
/// How long carrying a plan out waits for work that is not due yet.
const APPLY_HORIZON_MILLIS: i64 = 3 * 60_000;
/// A job that waits is looked at again this soon.
const WAIT_MILLIS: i64 = 2_000;
/// How often the lane is held while the copy is worked on: well within its lease.
const HOLD_EVERY: Duration = Duration::from_secs(5);

/// A job that is under way.
pub(super) struct Running {
    pub job: Job,
    pub work: Work,
}

pub(super) enum Work {
    Planning(Box<Planning>),
    /// The engine of the turn is the one that carries it out.
    Applying {
        canary: bool,
        foreseen: BySide<u64>,
    },
}

enum Onward {
    More,
    Wait(Timestamp),
    Over,
    Broken(JobFault, String),
}

/// What a job leaves of a turn.
pub(super) enum Turned {
    /// There is none; the turn is the workspace's own.
    Own(Option<Box<Opened>>),
    /// The turn was the job's, and the workspace is due again then.
    Jobs(Option<Timestamp>),
}

impl Service {
    /// Goes on with the job that is under way, unless what it works with has changed.
    pub(super) async fn at_job(
        &self,
        opened: Option<Opened>,
        workspace: &Workspace,
        stale: Option<Stale>,
        stop: &CancellationToken,
    ) -> Result<Turned, OpenError> {
        let Some(mut opened) = opened else {
            return Ok(Turned::Own(None));
        };
        let Some(running) = opened.job.take() else {
            return Ok(Turned::Own(Some(Box::new(opened))));
        };
        if stale == Some(Stale::Changed) || opened.workspace != *workspace {
            return Ok(Turned::Own(
                Box::pin(self.changed(opened, running)).await?.map(Box::new),
            ));
        }
        if let Some(stale) = stale {
            // The workspace's own engine sees to it once the job is over.
            let ws = workspace.id.clone();
            self.state().stale.entry(ws).or_insert(stale);
        }
        opened.job = Some(running);
        Ok(Turned::Jobs(Box::pin(self.go_on(opened, stop)).await?))
    }

    /// What the workspace may do, or by which credentials, has changed: a plan is begun anew, and
    /// carrying one out stops.
    async fn changed(
        &self,
        mut opened: Opened,
        running: Box<Running>,
    ) -> Result<Option<Opened>, OpenError> {
        let Running { job, work } = *running;
        let planning = match work {
            Work::Planning(planning) => planning,
            work @ Work::Applying { .. } => {
                let why = "what the workspace may do, or by which credentials, was changed";
                let running = Box::new(Running { job, work });
                return self
                    .break_off(opened, running, JobFault::Changed, why)
                    .await;
            }
        };
        self.give_gates_back(&mut opened, &planning).await?;
        planning.close().await;
        let ws = &opened.workspace.id;
        self.store
            .job_begins(ws, &job.id, JobState::Waiting, None)
            .await?;
        Ok(Some(opened))
    }

    /// Ends a job before its end. What is left is the workspace's own engine, if that is open.
    pub(super) async fn break_off(
        &self,
        mut opened: Opened,
        running: Box<Running>,
        fault: JobFault,
        why: &str,
    ) -> Result<Option<Opened>, OpenError> {
        let ws = opened.workspace.id.clone();
        let now = self.clock.now();
        let end = broken(&running.job, fault, why, now);
        match running.work {
            Work::Planning(planning) => {
                self.give_gates_back(&mut opened, &planning).await?;
                planning.close().await;
                self.end_job(&ws, &running.job.id, end).await?;
                Ok(Some(opened))
            }
            Work::Applying { canary, foreseen } => {
                let end = JobEnd {
                    state: JobState::Stopped,
                    ..with_outcome(end, &opened.engine, canary, &foreseen)
                };
                self.end_job(&ws, &running.job.id, end).await?;
                self.close(&ws, opened.engine, run_end(fault)).await?;
                Ok(None)
            }
        }
    }

    /// Some steps of the job.
    pub(super) async fn go_on(
        &self,
        mut opened: Opened,
        stop: &CancellationToken,
    ) -> Result<Option<Timestamp>, OpenError> {
        let ws = opened.workspace.id.clone();
        let mut next = self.clock.now();
        for _ in 0..STEPS {
            if stop.is_cancelled() {
                break;
            }
            self.carry_out(&ws, &mut opened.engine).await;
            let Some(mut running) = opened.job.take() else {
                break;
            };
            let step = match &mut running.work {
                Work::Planning(planning) => self.plan_on(&mut opened.engine, planning).await,
                Work::Applying { .. } => self.apply_on(&mut opened.engine).await,
            };
            match step {
                Ok(Onward::More) => opened.job = Some(running),
                Ok(Onward::Wait(at)) => {
                    opened.job = Some(running);
                    next = at;
                    break;
                }
                Ok(Onward::Over) => return Box::pin(self.over(opened, running, stop)).await,
                Ok(Onward::Broken(fault, why)) => {
                    let own = self.break_off(opened, running, fault, &why).await?;
                    return Box::pin(self.rest_of(own)).await;
                }
                Err(error) => {
                    // Nothing of the step was lost; the workspace's engine is opened anew.
                    let why = format!("the store failed: {error}");
                    let end = broken(&running.job, JobFault::Unavailable, &why, next);
                    let ended = self.end_job(&ws, &running.job.id, end).await;
                    self.close_failed(&ws, opened.engine).await;
                    ended?;
                    return Err(error.into());
                }
            }
        }
        self.note(&mut opened).await?;
        self.put_away(opened, Some(next), true).await
    }

    async fn rest_of(&self, own: Option<Opened>) -> Result<Option<Timestamp>, OpenError> {
        let now = Some(self.clock.now());
        match own {
            Some(opened) => self.put_away(opened, now, true).await,
            None => Ok(now),
        }
    }

    /// One step on the copy, while the lane is held.
    async fn plan_on(
        &self,
        own: &mut Engine,
        planning: &mut Planning,
    ) -> Result<Onward, StoreError> {
        if !planning.catches_up() {
            return Ok(Onward::Over);
        }
        let step = self.holding(own, planning.engine.step()).await??;
        if !own.hold().await? {
            let why = "another process has begun to work on the workspace";
            return Ok(Onward::Broken(JobFault::Interrupted, why.to_owned()));
        }
        self.onward(&planning.engine, &step, PLAN_HORIZON_MILLIS)
            .await
    }

    async fn apply_on(&self, engine: &mut Engine) -> Result<Onward, StoreError> {
        let step = engine.step().await?;
        if engine.stands_by() {
            let why = "another process has begun to work on the workspace";
            return Ok(Onward::Broken(JobFault::Interrupted, why.to_owned()));
        }
        if let Step::Worked(work) = &step {
            self.count(engine, work);
        }
        self.onward(engine, &step, APPLY_HORIZON_MILLIS).await
    }

    async fn onward(
        &self,
        engine: &Engine,
        step: &Step,
        horizon: i64,
    ) -> Result<Onward, StoreError> {
        if let Some(failure) = engine.auth_failure() {
            let (fault, why) = (JobFault::CredentialsRefused, failure.message.clone());
            return Ok(Onward::Broken(fault, why));
        }
        let Step::Wait(until) = step else {
            return Ok(Onward::More);
        };
        if engine.is_quiet(*until, horizon).await? {
            return Ok(Onward::Over);
        }
        let now = self.clock.now();
        let latest = now.plus_millis(WAIT_MILLIS);
        let soonest = now.plus_millis(10);
        let at = until.map_or(latest, |at| at.min(latest)).max(soonest);
        Ok(Onward::Wait(at))
    }

    /// The job has come to its end.
    async fn over(
        &self,
        mut opened: Opened,
        running: Box<Running>,
        stop: &CancellationToken,
    ) -> Result<Option<Timestamp>, OpenError> {
        let ws = opened.workspace.id.clone();
        let Running { job, work } = *running;
        match work {
            Work::Planning(mut planning) => {
                let own = &mut opened.engine;
                let end = Box::pin(self.found(own, &mut planning, &job, stop)).await;
                if let Ok(None) = end {
                    let work = Work::Planning(planning);
                    opened.job = Some(Box::new(Running { job, work }));
                    self.note(&mut opened).await?;
                    return Box::pin(self.rest_of(Some(opened))).await;
                }
                self.give_gates_back(&mut opened, &planning).await?;
                planning.close().await;
                let now = self.clock.now();
                let end = end.unwrap_or_else(|error| {
                    let why = error.to_string();
                    Some(broken(&job, JobFault::Unavailable, &why, now))
                });
                if let Some(end) = end {
                    self.end_job(&ws, &job.id, end).await?;
                }
                Box::pin(self.rest_of(Some(opened))).await
            }
            Work::Applying { canary, foreseen } => {
                let now = self.clock.now();
                let end = ended(JobState::Applied, now);
                let end = with_outcome(end, &opened.engine, canary, &foreseen);
                // First, because a job that has ended is not looked at again: whoever dies in
                // between has done what was asked.
                if Wish::of(&job).live {
                    self.store.set_mode(&ws, WorkspaceMode::Live).await?;
                }
                self.end_job(&ws, &job.id, end).await?;
                self.close(&ws, opened.engine, RunEnd::Finished).await?;
                Ok(Some(now))
            }
        }
    }

    /// What was found out on the copy; `None` where the engine there has more to look at. A
    /// comparison and an inventory read every record once more.
    async fn found(
        &self,
        own: &mut Engine,
        planning: &mut Planning,
        job: &Job,
        stop: &CancellationToken,
    ) -> Result<Option<JobEnd>, StoreError> {
        let looked = self.holding(own, planning.answer(job.kind, &self.store));
        let looked = tokio::select! {
            biased;
            () = stop.cancelled() => {
                let now = self.clock.now();
                return Ok(Some(broken(job, JobFault::Interrupted, STOPPED, now)));
            }
            looked = looked => looked?,
        };
        let now = self.clock.now();
        let end = match looked {
            Ok(Answer::Plan(plan, more)) => ready(job, &plan, more, now),
            Ok(Answer::Told(told)) => taken(job, &told, now),
            Ok(Answer::NotYet) => return Ok(None),
            Err(LookError::Incomplete(why)) => broken(job, JobFault::NotComplete, &why, now),
            Err(LookError::Refused(why)) => broken(job, JobFault::CredentialsRefused, &why, now),
            Err(LookError::Store(error)) => return Err(error),
        };
        Ok(Some(end))
    }

    /// Holds the workspace's lane for as long as something else takes.
    async fn holding<T>(
        &self,
        own: &mut Engine,
        work: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        let work = Box::pin(work);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = tokio::time::sleep(HOLD_EVERY) => {
                    own.hold().await?;
                }
            }
        }
    }

    /// Stores how far the job is.
    async fn note(&self, opened: &mut Opened) -> Result<(), StoreError> {
        let Some(running) = &opened.job else {
            return Ok(());
        };
        let progress = match &running.work {
            Work::Planning(planning) => planning.progress(),
            Work::Applying { canary, foreseen } => progress(&opened.engine, *canary, foreseen),
        };
        let (ws, id) = (&opened.workspace.id, &running.job.id);
        self.store
            .job_progress(ws, id, &progress.to_string())
            .await?;
        if let Work::Planning(planning) = &running.work {
            let gates = planning.engine.crms().gates();
            opened.engine.crms().restore_gates(&gates);
            self.keep_gates(&mut opened.engine).await?;
        }
        Ok(())
    }

    async fn give_gates_back(
        &self,
        opened: &mut Opened,
        planning: &Planning,
    ) -> Result<(), StoreError> {
        let gates = planning.engine.crms().gates();
        opened.engine.crms().restore_gates(&gates);
        self.keep_gates(&mut opened.engine).await?;
        Ok(())
    }

    pub(super) async fn keep_gates(&self, engine: &mut Engine) -> Result<bool, StoreError> {
        let changes = Changes {
            lane_state: Some(engine.crms().gates()),
            ..Changes::default()
        };
        engine.commit(changes).await
    }

    /// A workspace that is not worked on, because somebody paused it, has no job under way.
    pub(super) async fn pause_jobs(
        &self,
        ws: &WorkspaceId,
        opened: Option<Opened>,
    ) -> Result<(), OpenError> {
        let why = "the workspace was paused";
        if let Some(opened) = opened {
            Box::pin(self.put_down(opened, JobFault::Paused, why)).await?;
        }
        self.refuse_jobs(ws, JobFault::Paused, why).await?;
        Ok(())
    }

    /// Closes an engine, and ends the job that it is for.
    pub(super) async fn put_down(
        &self,
        mut opened: Opened,
        fault: JobFault,
        why: &str,
    ) -> Result<(), OpenError> {
        let ws = opened.workspace.id.clone();
        let own = match opened.job.take() {
            Some(running) => self.break_off(opened, running, fault, why).await?,
            None => Some(opened),
        };
        if let Some(opened) = own {
            self.close(&ws, opened.engine, run_end(fault)).await?;
        }
        Ok(())
    }
}
