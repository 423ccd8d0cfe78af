//! The shape of the rows, one struct per table, and their way to and from the words of the model.
//!
//! A struct that derives `Serialize` is also a row of a statement's JSON argument; its field names
//! are the columns there. No statement and no query lives here.

mod inbox;
mod jobs;
mod links;
mod mappings;
mod notices;
mod records;
mod review;
mod service;
mod setup;
mod shadow;
mod work;

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::FromRow;

use crate::model::{LinkId, MappingName, RecordId, RecordKey, Side, Task};

use super::Store;
use super::doc;
use super::error::{Result, StoreError};

pub(super) use inbox::{InboxRow, TakenDb, UnfoldedDb};
pub(super) use jobs::JobDb;
pub(super) use links::{BasesDb, HoldCloseRow, HoldDb, IntentDb, LinkDb, LinkPartRow};
pub(super) use mappings::{
    ActivationDb, ActivationRow, NameRow, SetMappingDb, SetMappingRow, pauses_text,
};
pub(super) use notices::{ChannelDb, FactsDb, NoticeDb};
pub(super) use records::{
    AliasDb, CursorDb, HashRow, KeyPutRow, MatchDb, ReachedDb, RepeatedDb, RepeatsDb, TombstoneDb,
};
pub(super) use review::{
    ApprovalDb, ConflictCloseRow, ConflictDb, DeadCloseRow, DeadLetterDb, JournalDb, RunDb, SizeDb,
};
pub(super) use service::{
    AccessDb, AgendaDb, ApiKeyDb, AttentionDb, AuthorizationDb, ConnectLinkDb, DataKeyDb, DocDb,
    GrantDb, NamedDb, SealedDb, TenantDb, TextIdDb,
};
pub(super) use setup::{ActiveDb, AtDb, ConnectionDb, GateDb, RevisionDb, StoredRevisionDb};
pub(super) use shadow::ShadowDb;
pub(super) use work::{
    BlockRow, ClaimDb, FinishRow, HeadDb, LeaseDb, MarkRow, RetryRow, StandingDb, StateDb,
    WaitingDb,
};

/// What is wrong with a row that was read back.
type Fault = String;

fn side_of(text: &str) -> Result<Side, Fault> {
    Side::parse(text).ok_or_else(|| format!("no side is named {text:?}"))
}

fn key_of(mapping: String, side: &str, id: String) -> Result<RecordKey, Fault> {
    Ok(RecordKey {
        mapping: MappingName::new(mapping),
        side: side_of(side)?,
        id: RecordId::new(id),
    })
}

/// [`task_key`] of a record; with an empty id what the keys of all others begin with.
pub(super) fn record_key(mapping: &MappingName, side: Side, id: &str) -> String {
    let (mapping, side) = (mapping.as_str(), side.as_str());
    format!("0\u{1f}{mapping}\u{1f}{side}\u{1f}{id}")
}

/// The text that identifies a task; sorts like the task as long as names are plain.
pub(super) fn task_key(task: &Task) -> String {
    let order = match task {
        Task::Record(key) => return record_key(&key.mapping, key.side, key.id.as_str()),
        Task::Poll { .. } => '1',
        Task::Backfill { .. } => '2',
        Task::Scan { .. } => '3',
        Task::Drift { .. } => '4',
        Task::Reread { .. } => '5',
    };
    let mapping = task.mapping().as_str();
    let side = task.side().as_str();
    format!(
        "{order}\u{1f}{mapping}\u{1f}{side}\u{1f}{}",
        task.record_id()
    )
}

#[derive(Serialize)]
pub(super) struct IdRow {
    id: String,
}

impl IdRow {
    pub fn from_link(link: &LinkId) -> Self {
        Self {
            id: link.as_str().to_owned(),
        }
    }
}

/// Ids as the one argument of a statement.
pub(super) fn ids<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let rows: Vec<IdRow> = ids.map(|id| IdRow { id: id.to_owned() }).collect();
    doc::rows(&rows)
}

#[derive(Serialize)]
pub(super) struct KeyRow {
    mapping: String,
    side: &'static str,
    record_id: String,
}

impl KeyRow {
    /// Each key once: a join would answer a doubled one twice.
    pub fn all(keys: &[RecordKey]) -> Vec<Self> {
        let keys: std::collections::BTreeSet<&RecordKey> = keys.iter().collect();
        keys.into_iter()
            .map(|key| Self {
                mapping: key.mapping.as_str().to_owned(),
                side: key.side.as_str(),
                record_id: key.id.as_str().to_owned(),
            })
            .collect()
    }
}

#[derive(FromRow)]
pub(super) struct CountDb {
    n: i64,
}

impl CountDb {
    pub fn count(&self) -> u64 {
        self.n.unsigned_abs()
    }
}

/// One line of a count by a word of a closed set.
#[derive(FromRow)]
pub(super) struct Counted {
    pub word: String,
    pub n: i64,
}

impl Store {
    /// A fault in a row is damage to the store, and named as such.
    pub(super) fn damaged(&self, why: Fault) -> StoreError {
        StoreError::Corrupt {
            place: self.db.place.clone(),
            why,
        }
    }

    pub(super) fn one<D, T: TryFrom<D, Error = Fault>>(&self, row: D) -> Result<T> {
        T::try_from(row).map_err(|why| self.damaged(why))
    }

    pub(super) fn each<D, T: TryFrom<D, Error = Fault>>(&self, rows: Vec<D>) -> Result<Vec<T>> {
        rows.into_iter().map(|row| self.one(row)).collect()
    }

    pub(super) fn tally<W: Ord>(
        &self,
        counts: Vec<Counted>,
        word: impl Fn(&str) -> Option<W>,
    ) -> Result<BTreeMap<W, u64>> {
        let read = |row: Counted| match word(&row.word) {
            Some(word) => Ok((word, row.n.unsigned_abs())),
            None => Err(self.damaged(format!("unknown word {:?}", row.word))),
        };
        counts.into_iter().map(read).collect()
    }

    pub(super) fn small(&self, number: i64) -> Result<u16> {
        u16::try_from(number).map_err(|_| self.damaged(format!("{number} is no rule number")))
    }
}
