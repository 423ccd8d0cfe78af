//! Rows about notices.

use sqlx::FromRow;

use crate::model::{BySide, ConnectionState, Timestamp, WorkspaceId};
use crate::store::notices::{Notice, NoticeChannel, NoticeFacts, NoticeState};

use super::Fault;

#[derive(FromRow)]
pub(in crate::store) struct ChannelDb {
    workspace_id: String,
    kind: String,
    host: String,
    sealed: String,
    backlog_ms: i64,
    set_at: i64,
}

impl TryFrom<ChannelDb> for NoticeChannel {
    type Error = Fault;

    fn try_from(row: ChannelDb) -> Result<Self, Fault> {
        Ok(Self {
            workspace: WorkspaceId::new(row.workspace_id),
            kind: row.kind,
            host: row.host,
            sealed: row.sealed,
            backlog_millis: row.backlog_ms,
            set_at: Timestamp::from_micros(row.set_at),
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct FactsDb {
    workspace_id: String,
    backlog_ms: i64,
    paused: Option<i64>,
    due: Option<i64>,
    dead_letters: i64,
    approvals: i64,
    hubspot: Option<String>,
    salesforce: Option<String>,
}

impl TryFrom<FactsDb> for NoticeFacts {
    type Error = Fault;

    fn try_from(row: FactsDb) -> Result<Self, Fault> {
        let count = |n: i64| u64::try_from(n).map_err(|_| format!("{n} is no count"));
        let state = |text: Option<String>| {
            let parse = |text: String| {
                ConnectionState::parse(&text).ok_or_else(|| format!("no state is {text:?}"))
            };
            text.map(parse).transpose()
        };
        Ok(Self {
            workspace: WorkspaceId::new(row.workspace_id),
            backlog_millis: row.backlog_ms,
            paused: row.paused.unwrap_or(0) != 0,
            due: row.due.map(Timestamp::from_micros),
            dead_letters: count(row.dead_letters)?,
            approvals: count(row.approvals)?,
            connections: BySide::new(state(row.hubspot)?, state(row.salesforce)?),
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct NoticeDb {
    workspace_id: String,
    subject: String,
    notice_id: String,
    going_on: i64,
    since: i64,
    made_at: i64,
    body: String,
    state: String,
    due_at: i64,
    tries: i64,
    trouble: String,
}

impl TryFrom<NoticeDb> for Notice {
    type Error = Fault;

    fn try_from(row: NoticeDb) -> Result<Self, Fault> {
        let state = &row.state;
        Ok(Self {
            workspace: WorkspaceId::new(row.workspace_id),
            subject: row.subject,
            id: row.notice_id,
            going_on: row.going_on != 0,
            since: Timestamp::from_micros(row.since),
            made_at: Timestamp::from_micros(row.made_at),
            body: row.body,
            state: NoticeState::parse(state).ok_or_else(|| format!("no state is {state:?}"))?,
            due_at: Timestamp::from_micros(row.due_at),
            tries: u32::try_from(row.tries).map_err(|_| format!("{} is no count", row.tries))?,
            trouble: row.trouble,
        })
    }
}
