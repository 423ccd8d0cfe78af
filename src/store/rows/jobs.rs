//! Rows of jobs.

use sqlx::FromRow;

use crate::model::{RunId, Timestamp};
use crate::store::jobs::{Job, JobKind, JobState};

use super::Fault;

#[derive(FromRow)]
pub(in crate::store) struct JobDb {
    job_id: String,
    kind: String,
    state: String,
    wish: String,
    run_id: Option<String>,
    made_at: i64,
    ended_at: Option<i64>,
    expires_at: i64,
    code: String,
    detail: String,
    found: String,
    progress: String,
}

impl TryFrom<JobDb> for Job {
    type Error = Fault;

    fn try_from(row: JobDb) -> Result<Self, Fault> {
        let (kind, state) = (row.kind, row.state);
        Ok(Self {
            id: row.job_id,
            kind: JobKind::parse(&kind).ok_or_else(|| format!("no job is a {kind:?}"))?,
            state: JobState::parse(&state).ok_or_else(|| format!("no job is {state:?}"))?,
            wish: row.wish,
            run: row.run_id.map(RunId::new),
            made_at: Timestamp::from_micros(row.made_at),
            ended_at: row.ended_at.map(Timestamp::from_micros),
            expires_at: Timestamp::from_micros(row.expires_at),
            code: row.code,
            detail: row.detail,
            found: row.found,
            progress: row.progress,
        })
    }
}
