//! Rows of lanes and marks.

use serde::Serialize;
use sqlx::FromRow;

use crate::model::{Cause, ErrorClass, Failure, MappingName, RecordKey, Task, Timestamp};
use crate::store::changes::{Claimed, Mark};
use crate::store::doc;
use crate::store::explain::Waiting;

use super::{Fault, key_of, side_of, task_key};

#[derive(FromRow)]
pub(in crate::store) struct LeaseDb {
    pub epoch: i64,
    pub state: String,
}

#[derive(FromRow)]
pub(in crate::store) struct StateDb {
    pub state: String,
}

#[derive(FromRow)]
pub(in crate::store) struct HeadDb {
    pub task_key: String,
    pub kind: String,
    pub mapping: String,
    pub priority: i64,
}

#[derive(FromRow)]
pub(in crate::store) struct StandingDb {
    pub kind: String,
    pub standing: String,
    pub n: i64,
}

#[derive(Serialize)]
pub(in crate::store) struct MarkRow {
    workspace_id: String,
    task_key: String,
    kind: &'static str,
    mapping: String,
    side: &'static str,
    record_id: String,
    cause: &'static str,
    priority: i64,
    not_before: i64,
}

impl MarkRow {
    /// One row per task: a statement may meet a row only once.
    pub fn all(ws: &str, marks: &[Mark]) -> Vec<Self> {
        let mut rows = std::collections::BTreeMap::<String, Self>::new();
        for mark in marks {
            let row = Self::of(ws, mark);
            match rows.entry(row.task_key.clone()) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(row);
                }
                std::collections::btree_map::Entry::Occupied(mut place) => {
                    place.get_mut().join(&row);
                }
            }
        }
        rows.into_values().collect()
    }

    fn of(ws: &str, mark: &Mark) -> Self {
        Self {
            workspace_id: ws.to_owned(),
            task_key: task_key(&mark.task),
            kind: mark.task.kind(),
            mapping: mark.task.mapping().as_str().to_owned(),
            side: mark.task.side().as_str(),
            record_id: mark.task.record_id().to_owned(),
            cause: mark.cause.as_str(),
            priority: mark.cause.class().priority(),
            not_before: mark.not_before.micros(),
        }
    }

    fn join(&mut self, later: &Self) {
        if later.priority <= self.priority {
            self.priority = later.priority;
            self.cause = later.cause;
        }
        self.not_before = self.not_before.min(later.not_before);
    }
}

#[derive(Serialize)]
pub(in crate::store) struct FinishRow {
    pub task_key: String,
    pub revision: i64,
}

#[derive(Serialize)]
pub(in crate::store) struct RetryRow {
    task_key: String,
    revision: i64,
    not_before: i64,
    counted: i64,
    rate_limited: i64,
    failure: String,
}

impl RetryRow {
    pub fn of(task: &Task, revision: i64, at: Timestamp, counted: bool, why: &Failure) -> Self {
        Self {
            task_key: task_key(task),
            revision,
            not_before: at.micros(),
            counted: i64::from(counted),
            rate_limited: i64::from(why.class == ErrorClass::Rate),
            failure: doc::failure_text(why),
        }
    }
}

#[derive(Serialize)]
pub(in crate::store) struct BlockRow {
    task_key: String,
    revision: i64,
    parent_mapping: String,
    parent_side: &'static str,
    parent_id: String,
    failure: String,
}

impl BlockRow {
    pub fn of(task: &Task, revision: i64, parent: &RecordKey, why: &Failure) -> Self {
        Self {
            task_key: task_key(task),
            revision,
            parent_mapping: parent.mapping.as_str().to_owned(),
            parent_side: parent.side.as_str(),
            parent_id: parent.id.as_str().to_owned(),
            failure: doc::failure_text(why),
        }
    }
}

#[derive(FromRow)]
pub(in crate::store) struct ClaimDb {
    kind: String,
    mapping: String,
    side: String,
    record_id: String,
    revision: i64,
    attempts: i64,
    cause: String,
    first_marked_at: i64,
    not_before: i64,
    parent_mapping: Option<String>,
    parent_side: Option<String>,
    parent_id: Option<String>,
    failure: Option<String>,
}

impl TryFrom<ClaimDb> for Claimed {
    type Error = Fault;

    fn try_from(row: ClaimDb) -> Result<Self, Fault> {
        let side = side_of(&row.side)?;
        let mapping = MappingName::new(row.mapping);
        let task = Task::from_parts(&row.kind, mapping, side, &row.record_id)
            .ok_or_else(|| format!("no task is named {:?}", row.kind))?;
        let cause =
            Cause::parse(&row.cause).ok_or_else(|| format!("no cause is named {:?}", row.cause))?;
        let parent = match (row.parent_mapping, row.parent_side, row.parent_id) {
            (Some(mapping), Some(side), Some(id)) => Some(key_of(mapping, &side, id)?),
            _ => None,
        };
        Ok(Self {
            task,
            revision: row.revision,
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            cause,
            first_marked_at: Timestamp::from_micros(row.first_marked_at),
            not_before: Timestamp::from_micros(row.not_before),
            parent,
            failure: row.failure.as_deref().map(doc::failure_from).transpose()?,
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct WaitingDb {
    #[sqlx(flatten)]
    work: ClaimDb,
    blocked: i64,
}

impl TryFrom<WaitingDb> for Waiting {
    type Error = Fault;

    fn try_from(row: WaitingDb) -> Result<Self, Fault> {
        Ok(Self {
            work: row.work.try_into()?,
            blocked: row.blocked != 0,
        })
    }
}
