//! What a run that only observes would have written, and what came of it by other hands.

use crate::model::{Fields, IntentKind, MappingName, RecordId, Side, Timestamp, WorkspaceId};

use super::Store;
use super::db::args;
use super::error::Result;
use super::rows::{ShadowDb, ids};
use super::sql::shadow as sql;

/// One rule of one record that would have been written, or a record that would have gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowWrite {
    /// Sorts by the time it was first planned.
    pub id: String,
    pub mapping: MappingName,
    /// The side that would be written to.
    pub side: Side,
    pub kind: IntentKind,
    /// The record that would be written; for a create the one it would be made from.
    pub record: RecordId,
    /// Empty when the record as a whole goes.
    pub rule: String,
    pub first_at: Timestamp,
    pub state: ShadowState,
    pub ended_at: Option<Timestamp>,
    pub reason: String,
    pub from: Fields,
    pub before: Fields,
    pub after: Fields,
    /// What was there in the end, where that is something else.
    pub found: Option<Fields>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShadowState {
    /// Nobody has written it yet.
    Open,
    /// Somebody else wrote the same.
    Same,
    /// Somebody else wrote something else.
    Otherwise,
    /// There is no reason for it any more: an edit was taken back, or a record went.
    Withdrawn,
    /// Left to a run that writes.
    TakenOver,
}

impl ShadowState {
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::Same,
        Self::Otherwise,
        Self::Withdrawn,
        Self::TakenOver,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Same => "same",
            Self::Otherwise => "otherwise",
            Self::Withdrawn => "withdrawn",
            Self::TakenOver => "taken-over",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl Store {
    /// What is still open about these records, as they are named on either side.
    pub async fn shadow_open(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        records: &[RecordId],
    ) -> Result<Vec<ShadowWrite>> {
        let wanted = ids(records.iter().map(RecordId::as_str));
        let args = args![ws.as_str(), mapping.as_str(), wanted];
        let found = self.db.fetch::<ShadowDb>(&sql::SHADOW_OPEN_OF, &args);
        self.each(found.await?)
    }

    /// What was first planned from `from` on and before `until`, page by page from after `after`.
    pub async fn shadow_since(
        &self,
        ws: &WorkspaceId,
        (from, until): (Timestamp, Timestamp),
        state: Option<ShadowState>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ShadowWrite>> {
        let state = state.map(ShadowState::as_str);
        let args = args![ws.as_str(), from, until, state, after.unwrap_or(""), limit];
        let found = self.db.fetch::<ShadowDb>(&sql::SHADOW_SINCE, &args);
        self.each(found.await?)
    }

    /// Removes up to `limit` of what was first planned before this moment and is over. Answers how
    /// many went.
    pub async fn shadow_prune(
        &self,
        ws: &WorkspaceId,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64> {
        let args = args![ws.as_str(), before, limit];
        self.db.run(&sql::SHADOW_PRUNE, &args).await
    }
}
