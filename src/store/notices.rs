//! Conditions that somebody is told of: where notices go, how each condition stood when it was last
//! told, and the notice that waits.
//!
//! One row per workspace and condition, so at most one notice of each waits, whatever the receiver
//! does. What a condition means is not known here.

use crate::model::{BySide, Choice, ConnectionState, Timestamp, WorkspaceId};

use super::Store;
use super::db::{again, args};
use super::error::Result;
use super::rows::{ChannelDb, FactsDb, NoticeDb};
use super::sql::notices as sql;

const HOUR_MILLIS: i64 = 3_600_000;

/// Where the notices of a workspace go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeChannel {
    pub workspace: WorkspaceId,
    /// slack or webhook.
    pub kind: String,
    /// Of the address, which itself is sealed.
    pub host: String,
    pub sealed: String,
    /// Work that is due for longer is told of.
    pub backlog_millis: i64,
    pub set_at: Timestamp,
}

/// How a workspace that tells somebody stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeFacts {
    pub workspace: WorkspaceId,
    pub backlog_millis: i64,
    pub paused: bool,
    /// When the next piece of work is due, past times included.
    pub due: Option<Timestamp>,
    /// Open ones.
    pub dead_letters: u64,
    /// Questions of guards that wait.
    pub approvals: u64,
    /// `None` for a side that was never connected.
    pub connections: BySide<Option<ConnectionState>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeState {
    Waits,
    Told,
    GivenUp,
}

impl NoticeState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Told => "told",
            Self::GivenUp => "given-up",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Waits, Self::Told, Self::GivenUp]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// A condition as it stood when its last notice was made, and that notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub workspace: WorkspaceId,
    pub subject: String,
    /// The same at every try, so that a receiver knows what it has already.
    pub id: String,
    /// Whether the notice says that it began, or that it ended.
    pub going_on: bool,
    /// When it began.
    pub since: Timestamp,
    pub made_at: Timestamp,
    /// JSON.
    pub body: String,
    pub state: NoticeState,
    /// When it is tried next, while it waits.
    pub due_at: Timestamp,
    pub tries: u32,
    /// Why the last try failed; empty where it did not.
    pub trouble: String,
}

impl Store {
    /// Tells somebody else from now on. What was told before is forgotten: whoever is told now
    /// hears of everything that goes on.
    pub async fn put_notice_channel(&self, channel: &NoticeChannel) -> Result<()> {
        let ws = args![channel.workspace.as_str()];
        let args = args![
            channel.workspace.as_str(),
            channel.kind.as_str(),
            channel.host.as_str(),
            channel.sealed.as_str(),
            channel.backlog_millis,
            channel.set_at,
        ];
        again(|| async {
            let mut tx = self.db.begin().await?;
            tx.run(&sql::ERASE_NOTICES, &ws).await?;
            tx.run(&sql::NOTICE_CHANNEL_PUT, &args).await?;
            tx.commit().await
        })
        .await
    }

    /// False when nobody was told anyway.
    pub async fn drop_notice_channel(&self, ws: &WorkspaceId) -> Result<bool> {
        let args = args![ws.as_str()];
        again(|| async {
            let mut tx = self.db.begin().await?;
            tx.run(&sql::ERASE_NOTICES, &args).await?;
            let gone = tx.run(&sql::ERASE_NOTICE_CHANNELS, &args).await?;
            tx.commit().await?;
            Ok(gone > 0)
        })
        .await
    }

    pub async fn notice_channel(&self, ws: &WorkspaceId) -> Result<Option<NoticeChannel>> {
        let args = args![ws.as_str()];
        let found = self.db.fetch_one::<ChannelDb>(&sql::NOTICE_CHANNEL, &args);
        found.await?.map(|row| self.one(row)).transpose()
    }

    /// How up to `limit` workspaces stand that tell somebody, by name, from after `after`.
    pub async fn notice_facts(
        &self,
        lane: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<NoticeFacts>> {
        let args = args![lane, after, limit, Choice::APPROVAL];
        let found = self.db.fetch::<FactsDb>(&sql::NOTICE_FACTS, &args);
        self.each(found.await?)
    }

    pub async fn notices(&self, ws: &WorkspaceId) -> Result<Vec<Notice>> {
        let args = args![ws.as_str()];
        self.each(self.db.fetch::<NoticeDb>(&sql::NOTICES, &args).await?)
    }

    /// Stores that a condition began or ended, and the notice of it, which is due at once. False,
    /// and nothing is stored, when the last notice of the condition still waits, when it stands
    /// so already, or when the workspace had `hourly` notices in this hour.
    pub async fn make_notice(&self, notice: &Notice, hourly: i64) -> Result<bool> {
        let ws = notice.workspace.as_str();
        let now = self.lease_time().await?;
        let count = args![ws, now, now.plus_millis(-HOUR_MILLIS), hourly];
        let put = args![
            ws,
            notice.subject.as_str(),
            notice.id.as_str(),
            i64::from(notice.going_on),
            notice.since,
            now,
            notice.body.as_str(),
        ];
        again(|| async {
            let mut tx = self.db.begin().await?;
            // What is not committed is rolled back.
            if tx.run(&sql::NOTICE_COUNT, &count).await? == 0 {
                return Ok(false);
            }
            if tx.run(&sql::NOTICE_PUT, &put).await? == 0 {
                return Ok(false);
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Up to `limit` notices of any workspace that are to be told now.
    pub async fn notices_due(&self, limit: u32) -> Result<Vec<Notice>> {
        let args = args![self.lease_time().await?, limit];
        self.each(self.db.fetch::<NoticeDb>(&sql::NOTICES_DUE, &args).await?)
    }

    /// Takes the right to tell it, for `ttl_ms`. False when it is told already, or somebody else
    /// tells it.
    pub async fn take_notice(&self, notice: &Notice, ttl_ms: i64) -> Result<bool> {
        let now = self.lease_time().await?;
        let until = now.plus_millis(ttl_ms);
        let args = args![notice.workspace.as_str(), notice.id.as_str(), now, until];
        Ok(self.db.run(&sql::NOTICE_TAKE, &args).await? > 0)
    }

    /// It was told, or nobody tries any more.
    pub async fn settle_notice(
        &self,
        notice: &Notice,
        state: NoticeState,
        trouble: &str,
    ) -> Result<()> {
        let (ws, id) = (notice.workspace.as_str(), notice.id.as_str());
        let args = args![ws, id, state.as_str(), trouble];
        self.db.run(&sql::NOTICE_SETTLE, &args).await?;
        Ok(())
    }

    /// It could not be told, and is tried again after `millis`.
    pub async fn postpone_notice(&self, notice: &Notice, millis: i64, trouble: &str) -> Result<()> {
        let at = self.lease_time().await?.plus_millis(millis);
        let args = args![notice.workspace.as_str(), notice.id.as_str(), at, trouble];
        self.db.run(&sql::NOTICE_LATER, &args).await?;
        Ok(())
    }
}
