//! Rows of what webhooks announced.

use serde::Serialize;
use sqlx::FromRow;

use crate::model::{RecordId, Timestamp, WorkspaceId};
use crate::store::inbox::{Announced, Unfolded};

use super::Fault;

/// Records that one row names at most.
const OF_ONE: usize = 250;

#[derive(Serialize)]
pub(in crate::store) struct InboxRow<'a> {
    workspace_id: &'a str,
    inbox_id: String,
    mapping: &'a str,
    side: &'static str,
    records: usize,
    ids: &'a [RecordId],
}

impl<'a> InboxRow<'a> {
    /// The rows of one workspace; their ids begin with `id`.
    pub fn all(id: &str, ws: &'a WorkspaceId, announced: &'a Announced) -> Vec<Self> {
        let mut rows = Vec::new();
        for ((mapping, side), records) in announced {
            for ids in records.chunks(OF_ONE) {
                rows.push(Self {
                    workspace_id: ws.as_str(),
                    inbox_id: format!("{id}-{:04}", rows.len()),
                    mapping: mapping.as_str(),
                    side: side.as_str(),
                    records: ids.len(),
                    ids,
                });
            }
        }
        rows
    }
}

#[derive(FromRow)]
pub(in crate::store) struct TakenDb {
    pub arrived_at: i64,
    pub mapping: String,
    pub side: String,
    pub records: i64,
    pub ids: String,
    pub known: i64,
}

#[derive(FromRow)]
pub(in crate::store) struct UnfoldedDb {
    workspace_id: String,
    records: i64,
    arrived_at: i64,
}

impl TryFrom<UnfoldedDb> for Unfolded {
    type Error = Fault;

    fn try_from(row: UnfoldedDb) -> Result<Self, Fault> {
        Ok(Self {
            workspace: WorkspaceId::new(row.workspace_id),
            records: row.records.unsigned_abs(),
            since: Timestamp::from_micros(row.arrived_at),
        })
    }
}
