//! What somebody may ask of a workspace over the API, and how it is kept: one job at a time, done
//! in the workspace's own turns.
//!
//! Asking stores the wish and answers at once. Whoever holds the workspace's lane takes it up, so
//! a job asked of one process may be done by another.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Service;
use super::ending::{broken, counted};
use super::mappings::{MappingsError, first};
use crate::app::{NotAPlan, PlanFile};
use crate::clock::Ids;
use crate::model::{Timestamp, Workspace, WorkspaceId};
use crate::store::{Job, JobEnd, JobKind, JobState, NewJob, Store, StoreError};

/// What has ended is kept for so long, and only the newest of them; looks at records apart.
pub(super) const KEPT_MILLIS: i64 = 7 * 24 * 3_600_000;
const KEPT: u32 = 20;
/// Said of a job that a process left in the middle.
pub(super) const STOPPED: &str = "the service was stopped while it was at it; ask for it again";
/// How often what has expired is removed.
const EXPIRE_MILLIS: i64 = 3_600_000;

/// What is asked, as it is stored. Holds names and ids, and no values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Only rows of these mappings; all where it is empty.
    pub mappings: Vec<String>,
    /// The writes to take back.
    pub undo: Option<UndoWish>,
    /// The record to look at.
    pub explain: Option<ExplainWish>,
    /// Only so many records of the plan, drawn by chance.
    pub canary: Option<u32>,
    /// Once the plan is carried out, the workspace may write by itself.
    pub live: bool,
}

/// Which writes are to be taken back: those of a run, or all from a moment on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UndoWish {
    pub run: Option<String>,
    /// In microseconds, where no run is named.
    pub since: Option<i64>,
    pub mapping: Option<String>,
    pub rule: Option<String>,
    pub record: Option<String>,
    pub archive_created: bool,
}

/// Which record is to be looked at, in the words of whoever asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExplainWish {
    pub object: String,
    pub id: String,
    pub field: Option<String>,
}

impl Wish {
    pub fn of(job: &Job) -> Self {
        serde_json::from_str(&job.wish).unwrap_or_default()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Why a job did not come to its end, for programs. Explained in docs/errors.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobFault {
    Interrupted,
    Paused,
    Changed,
    CredentialsRefused,
    NotConnected,
    NotComplete,
    TooLarge,
    Outdated,
    Unavailable,
}

impl JobFault {
    pub const ALL: [Self; 9] = [
        Self::Interrupted,
        Self::Paused,
        Self::Changed,
        Self::CredentialsRefused,
        Self::NotConnected,
        Self::NotComplete,
        Self::TooLarge,
        Self::Outdated,
        Self::Unavailable,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Paused => "paused",
            Self::Changed => "changed",
            Self::CredentialsRefused => "credentials-refused",
            Self::NotConnected => "not-connected",
            Self::NotComplete => "not-complete",
            Self::TooLarge => "too-large",
            Self::Outdated => "outdated",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Why nothing was begun.
#[derive(Debug, thiserror::Error)]
pub enum JobRefusal {
    #[error("the job {0} of this workspace waits or is under way; one at a time")]
    Open(String),
    #[error("there is no such plan any more")]
    Gone,
    #[error("it is no plan that is ready to be carried out; it is {0}")]
    NotReady(&'static str),
    #[error("{0}; make a new plan")]
    Outdated(String),
    #[error(transparent)]
    NotAPlan(#[from] NotAPlan),
    #[error("the mappings have faults: {0}")]
    Mappings(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Service {
    /// Asks for a job; it begins with the workspace's next turn.
    pub async fn ask(
        &self,
        ws: &WorkspaceId,
        kind: JobKind,
        wish: &Wish,
    ) -> Result<String, JobRefusal> {
        let job = NewJob {
            id: &self.job_id(),
            kind,
            state: JobState::Waiting,
            wish: &wish.text(),
            expires_at: self.clock.now().plus_millis(KEPT_MILLIS),
            found: "{}",
            doc: None,
        };
        self.put(ws, &job).await?;
        self.wake(ws);
        Ok(job.id.to_owned())
    }

    /// Takes in a plan that was made elsewhere, ready to be carried out.
    pub async fn take_in(&self, workspace: &Workspace, text: &str) -> Result<String, JobRefusal> {
        let plan = PlanFile::parse(text)?;
        self.fitting(workspace, &plan).await?;
        let mut found = counted(&plan);
        found["taken_in"] = json!(true);
        let job = NewJob {
            id: &self.job_id(),
            kind: JobKind::Plan,
            state: JobState::Ready,
            wish: &Wish::default().text(),
            expires_at: self.clock.now().plus_millis(KEPT_MILLIS),
            found: &found.to_string(),
            doc: Some(&plan.to_text()),
        };
        self.put(&workspace.id, &job).await?;
        Ok(job.id.to_owned())
    }

    /// Asks for a plan to be carried out, or the writes of `canary` of its records; `live`: and for
    /// the workspace to write by itself afterwards.
    pub async fn apply(
        &self,
        workspace: &Workspace,
        id: &str,
        canary: Option<u32>,
        live: bool,
    ) -> Result<(), JobRefusal> {
        let ws = &workspace.id;
        let job = kept_job(&self.store, ws, id, self.clock.now()).await?;
        let job = job.ok_or(JobRefusal::Gone)?;
        if job.state.is_open() {
            return Err(JobRefusal::Open(job.id));
        }
        if !job.kind.is_plan() || job.state == JobState::Failed {
            return Err(JobRefusal::NotReady(job.state.as_str()));
        }
        let text = self.store.job_doc(ws, id).await?.ok_or(JobRefusal::Gone)?;
        self.fitting(workspace, &PlanFile::parse(&text)?).await?;
        let wish = Wish {
            canary,
            live,
            ..Wish::of(&job)
        };
        let expires_at = self.clock.now().plus_millis(KEPT_MILLIS);
        if !self
            .store
            .job_again(ws, id, &wish.text(), expires_at)
            .await?
        {
            return Err(self.open_instead(ws).await?);
        }
        self.wake(ws);
        Ok(())
    }

    /// Whether the plan was made for this workspace and its mappings of now.
    async fn fitting(&self, workspace: &Workspace, plan: &PlanFile) -> Result<(), JobRefusal> {
        let loaded = match self.mappings(workspace).await {
            Ok(loaded) => loaded,
            Err(MappingsError::Store(error)) => return Err(error.into()),
            Err(MappingsError::Faults(faults)) => {
                return Err(JobRefusal::Mappings(first(&faults)));
            }
            Err(other) => return Err(JobRefusal::Mappings(other.to_string())),
        };
        match plan.misfit(&workspace.id, &loaded.mappings) {
            Some(why) => Err(JobRefusal::Outdated(why)),
            None => Ok(()),
        }
    }

    async fn put(&self, ws: &WorkspaceId, job: &NewJob<'_>) -> Result<(), JobRefusal> {
        self.store.prune_jobs(ws, KEPT).await?;
        if self.store.put_job(ws, job).await? {
            return Ok(());
        }
        Err(self.open_instead(ws).await?)
    }

    async fn open_instead(&self, ws: &WorkspaceId) -> Result<JobRefusal, JobRefusal> {
        let open = self.store.open_job(ws).await?;
        Ok(open.map_or(JobRefusal::Gone, |job| JobRefusal::Open(job.id)))
    }

    fn job_id(&self) -> String {
        let id = Ids::new(self.clock.clone(), self.chance.clone()).next();
        format!("job_{id}")
    }

    /// Ends whatever is open in a workspace that is not worked on.
    pub(super) async fn refuse_jobs(
        &self,
        ws: &WorkspaceId,
        fault: JobFault,
        detail: &str,
    ) -> Result<(), StoreError> {
        if let Some(job) = self.store.open_job(ws).await? {
            let end = broken(&job, fault, detail, self.clock.now());
            self.store.end_job(ws, &job.id, end).await?;
        }
        Ok(())
    }

    /// Lets go of what has expired in any workspace, once in a while.
    pub(super) async fn expire_jobs(&self) {
        let now = self.clock.now();
        let last = self.expired_at.load(Ordering::Relaxed);
        if now.millis() - last < EXPIRE_MILLIS {
            return;
        }
        self.expired_at.store(now.millis(), Ordering::Relaxed);
        if let Err(error) = self.store.expire_jobs().await {
            tracing::warn!(%error, "old jobs could not be removed");
        }
    }

    /// Stores how a job ended, and lets go of what is too old.
    pub(super) async fn end_job(
        &self,
        ws: &WorkspaceId,
        id: &str,
        end: JobEnd,
    ) -> Result<(), StoreError> {
        let (state, code) = (end.state.as_str(), end.code.clone());
        self.store.end_job(ws, id, end).await?;
        tracing::info!(ws = ws.as_str(), job = id, state, code, "a job has ended");
        self.store.prune_jobs(ws, KEPT).await?;
        Ok(())
    }
}

/// A job that has not expired.
pub async fn kept_job(
    store: &Store,
    ws: &WorkspaceId,
    id: &str,
    now: Timestamp,
) -> Result<Option<Job>, StoreError> {
    let found = store.job(ws, id).await?;
    Ok(found.filter(|job| job.state.is_open() || job.expires_at > now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_about_errors_explains_why_jobs_fail() {
        let page = include_str!("../../../docs/errors.md");
        for fault in JobFault::ALL {
            let begins = format!("| <a id=\"job-{0}\"></a>`{0}` |", fault.as_str());
            assert!(
                page.lines().any(|line| line.starts_with(&begins)),
                "{begins}"
            );
        }
    }
}
