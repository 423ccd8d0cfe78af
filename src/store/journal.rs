//! The journal as a whole: what a stretch of time wrote, how large it is, and what may go.

use crate::model::{JournalId, MappingName, RunId, Side, Timestamp, WorkspaceId};

use super::Store;
use super::changes::CursorPut;
use super::db::args;
use super::error::Result;
use super::review::{JournalEntry, RunRow};
use super::rows::{JournalDb, RunDb, SizeDb};
use super::sql::review as sql;

const KEPT_FROM: &str = "journal-kept-from";

/// How much there is of the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalSize {
    pub entries: u64,
    /// The text of its values, about what it takes on disk.
    pub bytes: u64,
    /// `None` when it is empty.
    pub oldest: Option<Timestamp>,
}

/// Which writes are asked for: those of a stretch of time, and of one run only if it is named.
#[derive(Clone, Debug)]
pub struct WritesOf {
    pub run: Option<RunId>,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// Remembers that entries before this moment have gone.
pub fn journal_kept_from(at: Timestamp) -> CursorPut {
    CursorPut {
        mapping: nowhere(),
        side: Side::HubSpot,
        kind: KEPT_FROM.to_owned(),
        value: at.micros().to_string(),
    }
}

/// The journal is the workspace's, not any mapping's.
fn nowhere() -> MappingName {
    MappingName::new("")
}

impl Store {
    /// Writes and deletions in the order they were made, from after `after`.
    pub async fn journal_writes(
        &self,
        ws: &WorkspaceId,
        of: &WritesOf,
        after: Option<&JournalId>,
        limit: u32,
    ) -> Result<Vec<JournalEntry>> {
        let run = of.run.as_ref().map(RunId::as_str);
        let after = after.map_or("", JournalId::as_str);
        let args = args![ws.as_str(), run, of.from, of.until, after, limit];
        let found = self.db.fetch::<JournalDb>(&sql::JOURNAL_WRITES, &args);
        self.each(found.await?)
    }

    pub async fn journal_size(&self, ws: &WorkspaceId) -> Result<JournalSize> {
        let args = args![ws.as_str()];
        let sizes = self.db.fetch::<SizeDb>(&sql::JOURNAL_SIZE, &args).await?;
        let sizes: Vec<JournalSize> = self.each(sizes)?;
        Ok(sizes.into_iter().next().unwrap_or_default())
    }

    /// When the oldest entry was made; `None` when there is none.
    pub async fn journal_oldest(&self, ws: &WorkspaceId) -> Result<Option<Timestamp>> {
        let args = args![ws.as_str()];
        let oldest = self.db.fetch::<JournalDb>(&sql::JOURNAL_OLDEST, &args);
        let oldest: Vec<JournalEntry> = self.each(oldest.await?)?;
        Ok(oldest.first().map(|entry| entry.at))
    }

    /// Removes up to `limit` of the oldest entries, as far as they were made before this moment.
    /// Answers how many went.
    pub async fn prune_journal(
        &self,
        ws: &WorkspaceId,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64> {
        let args = args![ws.as_str(), before, limit];
        self.db.run(&sql::JOURNAL_PRUNE, &args).await
    }

    /// From when on the journal is whole; `None` while nothing of it has gone.
    pub async fn journal_pruned(&self, ws: &WorkspaceId) -> Result<Option<Timestamp>> {
        let reached = self
            .cursor(ws, &nowhere(), Side::HubSpot, KEPT_FROM)
            .await?;
        let micros = reached.and_then(|text| text.parse().ok());
        Ok(micros.map(Timestamp::from_micros))
    }

    pub async fn run(&self, ws: &WorkspaceId, id: &RunId) -> Result<Option<RunRow>> {
        let args = args![ws.as_str(), id.as_str()];
        let mut rows: Vec<RunRow> = self.each(self.db.fetch::<RunDb>(&sql::RUN, &args).await?)?;
        Ok(rows.pop())
    }
}
