//! Rows of the tables about the store itself, workspaces and mappings.

use serde::Serialize;
use sqlx::FromRow;

use crate::model::{MappingName, Revision, Side, Timestamp};
use crate::store::explain::StoredRevision;
use crate::store::setup::Connection;

use super::{Fault, side_of};

#[derive(FromRow)]
pub(in crate::store) struct AtDb {
    pub at: Option<i64>,
}

#[derive(FromRow)]
pub(in crate::store) struct GateDb {
    #[sqlx(rename = "gate")]
    pub _gate: i64,
}

#[derive(FromRow)]
pub(in crate::store) struct ConnectionDb {
    side: String,
    account_id: String,
    url: String,
}

impl TryFrom<ConnectionDb> for (Side, Connection) {
    type Error = Fault;

    fn try_from(row: ConnectionDb) -> Result<Self, Fault> {
        let connection = Connection {
            account_id: row.account_id,
            url: row.url,
        };
        Ok((side_of(&row.side)?, connection))
    }
}

#[derive(FromRow)]
pub(in crate::store) struct RevisionDb {
    pub body: String,
    pub rules: String,
}

#[derive(PartialEq, Eq, Serialize, FromRow)]
pub(in crate::store) struct ActiveDb {
    pub mapping: String,
    pub revision: String,
}

#[derive(FromRow)]
pub(in crate::store) struct StoredRevisionDb {
    mapping: String,
    revision: String,
    created_at: i64,
}

impl TryFrom<StoredRevisionDb> for StoredRevision {
    type Error = Fault;

    fn try_from(row: StoredRevisionDb) -> Result<Self, Fault> {
        Ok(Self {
            mapping: MappingName::new(row.mapping),
            revision: Revision::new(row.revision),
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}
