//! How a job that waits is taken up: a plan is begun on a copy, or an engine is opened that keeps
//! to one.

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::at_job::{Running, Turned, Work};
use super::ending::{broken, fault_of};
use super::jobs::{JobFault, STOPPED, Wish};
use super::trouble::OpenError;
use super::{Opened, PAGE, Service};
use crate::app::{Engine, PlanFile};
use crate::model::{Fields, JournalId, Raw, RunEnd, Workspace, WorkspaceId};
use crate::store::{Job, JobEnd, JobState, JournalEntry, WritesOf};
use crate::sync::{ARCHIVED, CREATED, Frozen, Mode};

impl Service {
    /// Takes up the job that waits, where the engine has the lane and there is one.
    pub(super) async fn with_job(
        &self,
        workspace: &Workspace,
        engine: Engine,
        stop: &CancellationToken,
    ) -> Result<Turned, OpenError> {
        let opened = Opened::of(engine, workspace.clone());
        // What was changed in this very moment is seen to first.
        let changed = self.state().stale.contains_key(&workspace.id);
        if changed || opened.engine.stands_by() {
            return Ok(Turned::Own(Some(Box::new(opened))));
        }
        let Some(job) = self.store.open_job(&workspace.id).await? else {
            return Ok(Turned::Own(Some(Box::new(opened))));
        };
        let taken = match job.state {
            JobState::Waiting => Box::pin(self.begin_planning(opened, job)).await?,
            JobState::ToApply => Box::pin(self.begin_applying(opened, job)).await?,
            // Nobody else has the lane, so nobody is at it any more.
            _ => {
                let end = self.cut_off(&workspace.id, &job).await?;
                self.end_job(&workspace.id, &job.id, end).await?;
                Some(opened)
            }
        };
        match taken {
            Some(opened) if opened.job.is_some() => {
                Ok(Turned::Jobs(Box::pin(self.go_on(opened, stop)).await?))
            }
            Some(opened) => Ok(Turned::Own(Some(Box::new(opened)))),
            None => Ok(Turned::Jobs(Some(self.clock.now()))),
        }
    }

    /// How a job ends that a process left in the middle. Of a plan that was being carried out the
    /// journal knows each value that was written.
    async fn cut_off(&self, ws: &WorkspaceId, job: &Job) -> Result<JobEnd, OpenError> {
        let now = self.clock.now();
        let mut end = broken(job, JobFault::Interrupted, STOPPED, now);
        if job.run.is_some() {
            let of = WritesOf {
                run: job.run.clone(),
                from: job.made_at,
                until: now,
            };
            let mut written = 0;
            let mut after: Option<JournalId> = None;
            loop {
                let page = self
                    .store
                    .journal_writes(ws, &of, after.as_ref(), PAGE)
                    .await?;
                written += page.iter().filter(|entry| is_write(entry)).count();
                let Some(last) = page.last() else { break };
                after = Some(last.id.clone());
            }
            end.progress = Some(json!({"counts": {"written": written}}).to_string());
        }
        Ok(end)
    }

    async fn begin_planning(
        &self,
        mut opened: Opened,
        job: Job,
    ) -> Result<Option<Opened>, OpenError> {
        let ws = opened.workspace.id.clone();
        // What the connections know goes along in the lane's row.
        if !self.keep_gates(&mut opened.engine).await? {
            return Ok(Some(opened));
        }
        let state = JobState::Working;
        if !self.store.job_begins(&ws, &job.id, state, None).await? {
            return Ok(Some(opened));
        }
        match Box::pin(self.planning(&opened.engine, &job)).await {
            Ok(planning) => {
                let work = Work::Planning(Box::new(planning));
                let job = Job { state, ..job };
                opened.job = Some(Box::new(Running { job, work }));
            }
            Err(error) => {
                let end = broken(&job, fault_of(&error), &error.to_string(), self.clock.now());
                self.end_job(&ws, &job.id, end).await?;
            }
        }
        Ok(Some(opened))
    }

    async fn begin_applying(&self, opened: Opened, job: Job) -> Result<Option<Opened>, OpenError> {
        let workspace = opened.workspace.clone();
        let ws = &workspace.id;
        let (mode, work) = match self.frozen(&workspace, &job).await? {
            Ok(ready) => ready,
            Err(why) => {
                let end = broken(&job, JobFault::Outdated, &why, self.clock.now());
                self.end_job(ws, &job.id, end).await?;
                return Ok(Some(opened));
            }
        };
        self.close(ws, opened.engine, RunEnd::Finished).await?;
        let engine = match self.open(&workspace, mode).await {
            Ok(engine) => engine,
            Err(error) => {
                let end = broken(&job, fault_of(&error), &error.to_string(), self.clock.now());
                self.end_job(ws, &job.id, end).await?;
                return Ok(None);
            }
        };
        let (run, state) = (engine.site().run.clone(), JobState::Applying);
        // Another process may have been quicker; the job is its own then.
        let mine = !engine.stands_by()
            && self
                .store
                .job_begins(ws, &job.id, state, Some(&run))
                .await?;
        if !mine {
            self.close(ws, engine, RunEnd::Finished).await?;
            return Ok(None);
        }
        let job = Job {
            state,
            run: Some(run),
            ..job
        };
        Ok(Some(Opened {
            engine,
            workspace,
            job: Some(Box::new(Running { job, work })),
        }))
    }

    /// The plan of a job, ready to be kept to; or why it does not fit.
    async fn frozen(
        &self,
        workspace: &Workspace,
        job: &Job,
    ) -> Result<Result<(Mode, Work), String>, OpenError> {
        let text = self.store.job_doc(&workspace.id, &job.id).await?;
        let plan = match PlanFile::parse(&text.unwrap_or_default()) {
            Ok(plan) => plan,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let loaded = self.mappings(workspace).await?;
        if let Some(why) = plan.misfit(&workspace.id, &loaded.mappings) {
            return Ok(Err(why));
        }
        let canary = Wish::of(job).canary;
        let mut frozen = Frozen::new(plan.writes).on(plan.accounts);
        if let Some(count) = canary.and_then(|count| usize::try_from(count).ok()) {
            frozen.draw(count, &self.chance);
        }
        let work = Work::Applying {
            canary: canary.is_some(),
            foreseen: plan.calls,
        };
        Ok(Ok((Mode::Apply(frozen), work)))
    }
}

/// A value that was sent, or a record that was deleted.
fn is_write(entry: &JournalEntry) -> bool {
    let wrote = entry.wrote.as_ref();
    // A new record has no value in most fields.
    let blank = |to: &Fields| entry.detail == CREATED && to.values().all(|raw| *raw == Raw::Null);
    let sent = wrote.is_some_and(|(_, to)| !to.is_empty() && !blank(to));
    match entry.decision.as_str() {
        "write" => entry.reason == "applied" && sent,
        "tombstone" => entry.detail == ARCHIVED,
        _ => false,
    }
}
