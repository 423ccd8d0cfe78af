//! What webhooks announced, between its arrival and its marks.
//!
//! Appending is cheap, so it is what a request waits for; making marks is not, and a record that
//! was announced a hundred times needs one. Taking rows out and leaving their marks is one
//! transaction.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Cause, MappingName, RecordId, Side, Timestamp, WorkspaceId};

use super::Store;
use super::db::{Tx, again, args};
use super::doc;
use super::error::Result;
use super::rows::{AtDb, InboxRow, TakenDb, UnfoldedDb, ids, record_key};
use super::seam::{Deed, Seam};
use super::sql::{inbox as sql, lanes};

/// Marks that one transaction makes, give or take those of a few rows: others wait for it.
const MARKS: usize = 500;
/// Announcements that it reads for them at most.
const READ: u64 = 20_000;
/// Rows that are taken at once.
const ROWS: u32 = 16;

/// Records of one workspace that webhooks announced, by the mapping and the side that they are of.
pub type Announced = BTreeMap<(MappingName, Side), Vec<RecordId>>;

/// What waits of one workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfolded {
    pub workspace: WorkspaceId,
    /// Announcements; a record may be in several.
    pub records: u64,
    /// When the first of them arrived.
    pub since: Timestamp,
}

/// What became of one workspace in a fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    pub workspace: WorkspaceId,
    /// Announcements that were taken out.
    pub taken: u64,
    /// Whether there may be more.
    pub more: bool,
}

impl Store {
    /// Keeps what was announced, in one commit. `id` is new with every call.
    pub async fn put_inbox(
        &self,
        id: &str,
        announced: &BTreeMap<WorkspaceId, Announced>,
    ) -> Result<()> {
        let each = announced.iter();
        let rows = each.flat_map(|(ws, of)| InboxRow::all(id, ws, of));
        let rows: Vec<InboxRow<'_>> = rows.collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.seam(Seam::Before(Deed::Announce)).await;
        let put = args![self.clock.now(), doc::rows(&rows)];
        again(|| async {
            self.db.run(&sql::INBOX_PUT, &put).await?;
            self.heard().await
        })
        .await
    }

    /// Turns a bounded part of what waits in these workspaces into marks due at once. Those that
    /// were reached come back, in their order; what others are folding is left to them.
    pub async fn fold_inbox(&self, lane: &str, of: &[WorkspaceId]) -> Result<Vec<Folded>> {
        self.seam(Seam::Before(Deed::Fold)).await;
        again(|| async {
            let mut tx = self.db.begin().await?;
            let mut fold = Fold::default();
            for ws in of {
                if fold.is_full() {
                    break;
                }
                fold.take(&mut tx, ws).await?;
            }
            if !fold.feeds.is_empty() {
                fold.put_marks(&mut tx, lane).await?;
            }
            tx.commit().await?;
            self.heard().await?;
            Ok(fold.reached)
        })
        .await
    }

    /// What waits, by workspace.
    pub async fn inbox(&self) -> Result<Vec<Unfolded>> {
        let found = self.db.fetch::<UnfoldedDb>(&sql::INBOX_WAITING, &[]);
        self.each(found.await?)
    }

    /// When the first of a workspace's announcements arrived that has no mark yet.
    pub async fn inbox_since(&self, ws: &WorkspaceId) -> Result<Option<Timestamp>> {
        let args = args![ws.as_str()];
        let found = self.db.fetch_one::<AtDb>(&sql::INBOX_SINCE, &args).await?;
        Ok(found.and_then(|row| row.at).map(Timestamp::from_micros))
    }
}

/// One transaction's worth.
#[derive(Default)]
struct Fold {
    feeds: BTreeMap<WorkspaceId, Feeds>,
    /// Records in them.
    marks: usize,
    read: u64,
    reached: Vec<Folded>,
}

/// What is to be marked in one workspace.
type Feeds = BTreeMap<(MappingName, Side), Feed>;

struct Feed {
    records: BTreeSet<RecordId>,
    /// When the first of them was announced: waiting here is part of their age.
    since: i64,
}

impl Fold {
    fn is_full(&self) -> bool {
        self.marks >= MARKS || self.read >= READ
    }

    /// Takes rows of a workspace until it has no more, or this is enough.
    async fn take(&mut self, tx: &mut Tx, ws: &WorkspaceId) -> Result<()> {
        let mut feeds = Feeds::new();
        let (marks, read) = (self.marks, self.read);
        let mut more = true;
        while more && !self.is_full() {
            let args = args![ws.as_str(), ROWS];
            let rows = tx.fetch::<TakenDb>(&sql::INBOX_TAKE, &args).await?;
            more = rows.len() == ROWS as usize;
            for row in rows {
                self.read += row.records.unsigned_abs();
                if row.known > 0
                    && let Err(why) = gather(&mut feeds, row)
                {
                    // The polls find what it announced, and nothing behind it would ever be marked.
                    let ws = ws.as_str();
                    tracing::error!(ws, %why, "what a webhook announced cannot be read any more");
                }
            }
            let gathered = feeds.values().map(|feed| feed.records.len());
            self.marks = marks + gathered.sum::<usize>();
        }
        self.reached.push(Folded {
            workspace: ws.clone(),
            taken: self.read - read,
            more,
        });
        if !feeds.is_empty() {
            self.feeds.insert(ws.clone(), feeds);
        }
        Ok(())
    }

    async fn put_marks(&self, tx: &mut Tx, lane: &str) -> Result<()> {
        let workspaces = ids(self.feeds.keys().map(WorkspaceId::as_str));
        let touched = args![lane, workspaces];
        tx.run(&lanes::LANE_TOUCH, &touched).await?;
        for (ws, feeds) in &self.feeds {
            for ((mapping, side), feed) in feeds {
                let records: Vec<&RecordId> = feed.records.iter().collect();
                let args = args![
                    ws.as_str(),
                    lane,
                    record_key(mapping, *side, ""),
                    mapping.as_str(),
                    side.as_str(),
                    Cause::Event.as_str(),
                    Cause::Event.class().priority(),
                    feed.since,
                    doc::rows(&records)
                ];
                tx.run(&sql::INBOX_MARK, &args).await?;
            }
        }
        Ok(())
    }
}

fn gather(feeds: &mut Feeds, row: TakenDb) -> doc::Read<()> {
    let side = Side::parse(&row.side).ok_or_else(|| format!("no side is named {:?}", row.side))?;
    let records = doc::ids_from(&row.ids)?;
    let feed = feeds.entry((MappingName::new(row.mapping), side));
    let feed = feed.or_insert_with(|| Feed {
        records: BTreeSet::new(),
        since: row.arrived_at,
    });
    feed.records.extend(records);
    feed.since = feed.since.min(row.arrived_at);
    Ok(())
}
