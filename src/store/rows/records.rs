//! Rows about single records.

use serde::Serialize;
use sqlx::FromRow;

use crate::model::{LinkId, MappingName, RecordId, RecordKey, Timestamp};
use crate::store::changes::{CursorPut, Tombstone};

use super::{Fault, key_of, side_of};

#[derive(Serialize)]
pub(in crate::store) struct HashRow {
    pub match_rule: i64,
    pub hash: String,
}

#[derive(Serialize)]
pub(in crate::store) struct KeyPutRow {
    pub match_rule: i64,
    pub hash: String,
    pub record_id: String,
}

#[derive(FromRow)]
pub(in crate::store) struct MatchDb {
    pub match_rule: i64,
    pub hash: String,
    pub record_id: String,
}

#[derive(FromRow)]
pub(in crate::store) struct RepeatsDb {
    pub match_rule: i64,
    pub shared_keys: i64,
    pub n: i64,
}

#[derive(FromRow)]
pub(in crate::store) struct RepeatedDb {
    pub match_rule: i64,
    pub hash: String,
}

#[derive(FromRow)]
pub(in crate::store) struct ReachedDb {
    pub reached: String,
}

#[derive(Serialize, FromRow)]
pub(in crate::store) struct CursorDb {
    mapping: String,
    side: String,
    kind: String,
    reached: String,
}

impl CursorDb {
    pub fn of(cursor: &CursorPut) -> Self {
        Self {
            mapping: cursor.mapping.as_str().to_owned(),
            side: cursor.side.as_str().to_owned(),
            kind: cursor.kind.clone(),
            reached: cursor.value.clone(),
        }
    }
}

impl TryFrom<CursorDb> for CursorPut {
    type Error = Fault;

    fn try_from(row: CursorDb) -> Result<Self, Fault> {
        Ok(Self {
            mapping: MappingName::new(row.mapping),
            side: side_of(&row.side)?,
            kind: row.kind,
            value: row.reached,
        })
    }
}

#[derive(Serialize, FromRow)]
pub(in crate::store) struct AliasDb {
    mapping: String,
    side: String,
    record_id: String,
    now_id: String,
}

impl AliasDb {
    pub fn of(key: &RecordKey, now: &RecordId) -> Self {
        Self {
            mapping: key.mapping.as_str().to_owned(),
            side: key.side.as_str().to_owned(),
            record_id: key.id.as_str().to_owned(),
            now_id: now.as_str().to_owned(),
        }
    }
}

impl TryFrom<AliasDb> for (RecordKey, RecordId) {
    type Error = Fault;

    fn try_from(row: AliasDb) -> Result<Self, Fault> {
        let key = key_of(row.mapping, &row.side, row.record_id)?;
        Ok((key, RecordId::new(row.now_id)))
    }
}

#[derive(Serialize, FromRow)]
pub(in crate::store) struct TombstoneDb {
    mapping: String,
    side: String,
    record_id: String,
    link_id: String,
    set_at: i64,
    reason: String,
}

impl TombstoneDb {
    pub fn of(tombstone: &Tombstone) -> Self {
        Self {
            mapping: tombstone.key.mapping.as_str().to_owned(),
            side: tombstone.key.side.as_str().to_owned(),
            record_id: tombstone.key.id.as_str().to_owned(),
            link_id: tombstone.link.as_str().to_owned(),
            set_at: tombstone.at.micros(),
            reason: tombstone.reason.clone(),
        }
    }
}

impl TryFrom<TombstoneDb> for Tombstone {
    type Error = Fault;

    fn try_from(row: TombstoneDb) -> Result<Self, Fault> {
        Ok(Self {
            key: key_of(row.mapping, &row.side, row.record_id)?,
            link: LinkId::new(row.link_id),
            at: Timestamp::from_micros(row.set_at),
            reason: row.reason,
        })
    }
}
