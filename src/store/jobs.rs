//! Jobs of a workspace: what was asked over the API, how far it is, and what came of it.
//!
//! One is open at a time. Who takes it up holds the workspace's lane, so the rows need no fence of
//! their own: a job that is under way and that nobody with the lane knows of was cut off.

use crate::model::{RunId, Timestamp, WorkspaceId};

use super::Store;
use super::db::args;
use super::error::{Result, StoreError, Taken};
use super::rows::{DocDb, JobDb, TextIdDb};
use super::sql::jobs as sql;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobKind {
    /// What would be written.
    Plan,
    /// What would take back a run's writes.
    Undo,
    /// What would mend the values that drifted.
    Repair,
    /// Who pairs with whom.
    Match,
    /// What both records of a pair hold, and what the next run would do.
    Explain,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobState {
    Waiting,
    Working,
    /// What was asked is there.
    Ready,
    Failed,
    /// A plan that is to be carried out.
    ToApply,
    Applying,
    Applied,
    /// Carrying it out ended before its end.
    Stopped,
}

impl JobKind {
    pub const ALL: [Self; 5] = [
        Self::Plan,
        Self::Undo,
        Self::Repair,
        Self::Match,
        Self::Explain,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Undo => "undo",
            Self::Repair => "repair",
            Self::Match => "match",
            Self::Explain => "explain",
        }
    }

    /// It comes to a plan that can be carried out.
    pub const fn is_plan(self) -> bool {
        matches!(self, Self::Plan | Self::Undo | Self::Repair)
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl JobState {
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Working,
        Self::Ready,
        Self::Failed,
        Self::ToApply,
        Self::Applying,
        Self::Applied,
        Self::Stopped,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::ToApply => "to-apply",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Stopped => "stopped",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// It waits or is under way.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Waiting | Self::Working | Self::ToApply | Self::Applying
        )
    }
}

/// A job without its documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Sorts by the time it was made.
    pub id: String,
    pub kind: JobKind,
    pub state: JobState,
    /// What was asked, as JSON.
    pub wish: String,
    /// The run that carried it out last.
    pub run: Option<RunId>,
    pub made_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// From then on it is as good as gone.
    pub expires_at: Timestamp,
    /// Why it failed or stopped; empty where it did not.
    pub code: String,
    pub detail: String,
    /// Counts of what was found, as JSON.
    pub found: String,
    /// Counts of what was done with it, as JSON.
    pub progress: String,
}

/// A job as it begins.
#[derive(Clone, Debug)]
pub struct NewJob<'a> {
    pub id: &'a str,
    pub kind: JobKind,
    /// Waiting, or ready where somebody brings what others have to find out.
    pub state: JobState,
    pub wish: &'a str,
    pub expires_at: Timestamp,
    pub found: &'a str,
    pub doc: Option<&'a str>,
}

/// How a job ends. What is `None` stays as it is.
#[derive(Clone, Debug)]
pub struct JobEnd {
    pub state: JobState,
    pub expires_at: Timestamp,
    pub code: String,
    pub detail: String,
    pub found: Option<String>,
    pub progress: Option<String>,
    pub doc: Option<String>,
    pub outcome: Option<String>,
}

impl Store {
    /// False when another job of the workspace is open; nothing is put then.
    pub async fn put_job(&self, ws: &WorkspaceId, job: &NewJob<'_>) -> Result<bool> {
        let now = self.clock.now();
        let open = job.state.is_open();
        let args = args![
            ws.as_str(),
            job.id,
            job.kind.as_str(),
            job.state.as_str(),
            i64::from(open),
            job.wish,
            now,
            (!open).then_some(now),
            job.expires_at,
            job.found,
            job.doc,
        ];
        Ok(self.db.run(&sql::JOB_PUT, &args).await? > 0)
    }

    pub async fn job(&self, ws: &WorkspaceId, id: &str) -> Result<Option<Job>> {
        let args = args![ws.as_str(), id];
        let found = self.db.fetch_one::<JobDb>(&sql::JOB, &args).await?;
        found.map(|row| self.one(row)).transpose()
    }

    /// The job of the workspace that waits or is under way.
    pub async fn open_job(&self, ws: &WorkspaceId) -> Result<Option<Job>> {
        let args = args![ws.as_str()];
        let found = self.db.fetch_one::<JobDb>(&sql::JOB_OPEN, &args).await?;
        found.map(|row| self.one(row)).transpose()
    }

    /// The workspaces that have one.
    pub async fn workspaces_with_jobs(&self) -> Result<Vec<WorkspaceId>> {
        let found = self.db.fetch::<TextIdDb>(&sql::JOBS_OPEN, &[]).await?;
        Ok(found
            .into_iter()
            .map(|row| WorkspaceId::new(row.id))
            .collect())
    }

    /// Jobs that come to a plan, the newest first, from before the job `before`, as far as they
    /// have not expired.
    pub async fn plans(
        &self,
        ws: &WorkspaceId,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Job>> {
        let args = args![ws.as_str(), before, self.clock.now(), limit];
        let found = self.db.fetch::<JobDb>(&sql::PLANS, &args).await?;
        self.each(found)
    }

    /// The newest job of a kind that has not expired.
    pub async fn last_job(&self, ws: &WorkspaceId, kind: JobKind) -> Result<Option<Job>> {
        let args = args![ws.as_str(), kind.as_str(), self.clock.now()];
        let found = self.db.fetch_one::<JobDb>(&sql::JOB_LAST, &args).await?;
        found.map(|row| self.one(row)).transpose()
    }

    /// What a job has found, whole.
    pub async fn job_doc(&self, ws: &WorkspaceId, id: &str) -> Result<Option<String>> {
        let args = args![ws.as_str(), id];
        let found = self.db.fetch_one::<DocDb>(&sql::JOB_DOC, &args).await?;
        Ok(found.map(|row| row.doc))
    }

    /// What became of each row that was carried out.
    pub async fn job_outcome(&self, ws: &WorkspaceId, id: &str) -> Result<Option<String>> {
        let args = args![ws.as_str(), id];
        let found = self.db.fetch_one::<DocDb>(&sql::JOB_OUTCOME, &args).await?;
        Ok(found.map(|row| row.doc))
    }

    /// Has a job that ended carried out. False when another one is open, or it is gone.
    pub async fn job_again(
        &self,
        ws: &WorkspaceId,
        id: &str,
        wish: &str,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let state = JobState::ToApply.as_str();
        let now = self.clock.now();
        let args = args![ws.as_str(), id, state, wish, expires_at, now];
        match self.db.run(&sql::JOB_AGAIN, &args).await {
            Err(StoreError::Conflict(Taken::Job)) => Ok(false),
            done => Ok(done? > 0),
        }
    }

    /// Somebody who holds the lane has taken it up. False when it has ended meanwhile.
    pub async fn job_begins(
        &self,
        ws: &WorkspaceId,
        id: &str,
        state: JobState,
        run: Option<&RunId>,
    ) -> Result<bool> {
        let run = run.map(RunId::as_str);
        let args = args![ws.as_str(), id, state.as_str(), run];
        Ok(self.db.run(&sql::JOB_BEGINS, &args).await? > 0)
    }

    pub async fn job_progress(&self, ws: &WorkspaceId, id: &str, progress: &str) -> Result<()> {
        let args = args![ws.as_str(), id, progress];
        self.db.run(&sql::JOB_PROGRESS, &args).await?;
        Ok(())
    }

    /// False when it has ended already.
    pub async fn end_job(&self, ws: &WorkspaceId, id: &str, end: JobEnd) -> Result<bool> {
        let args = args![
            ws.as_str(),
            id,
            end.state.as_str(),
            self.clock.now(),
            end.expires_at,
            end.code,
            end.detail,
            end.found,
            end.progress,
            end.doc,
            end.outcome,
        ];
        Ok(self.db.run(&sql::JOB_END, &args).await? > 0)
    }

    /// Removes what has expired and all that ended but the newest `keep` looks at records, and the
    /// newest `keep` of all other kinds.
    pub async fn prune_jobs(&self, ws: &WorkspaceId, keep: u32) -> Result<u64> {
        let args = args![ws.as_str(), self.clock.now(), keep];
        self.db.run(&sql::JOBS_PRUNE, &args).await
    }

    /// Removes what has expired in any workspace.
    pub async fn expire_jobs(&self) -> Result<u64> {
        let args = args![self.clock.now()];
        self.db.run(&sql::JOBS_EXPIRE, &args).await
    }
}
