//! What waits for a person, page by page, and how much of it each workspace has.
//!
//! Reads for lists of any length and for machines that watch. Every one is bounded by its limit.

use crate::model::{
    ApprovalId, Choice, ConflictId, DeadLetterId, ErrorClass, LinkId, MappingName, RunId, Side,
    Timestamp, WorkspaceId,
};

use super::Store;
use super::db::args;
use super::error::Result;
use super::records::link_ids;
use super::review::{
    Approval, ConflictFilter, ConflictRow, ConflictState, DeadLetter, DeadLetterFilter,
    DeadLetterState, RunRow,
};
use super::rows::{ApprovalDb, AttentionDb, ConflictDb, DeadLetterDb, RunDb};
use super::sql::{review as sql, service};

/// How much waits in one workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attention {
    pub workspace: WorkspaceId,
    /// When the next piece of work is due, past times included.
    pub due: Option<Timestamp>,
    /// Open ones.
    pub dead_letters: u64,
    pub holds: u64,
    /// Open ones.
    pub conflicts: u64,
}

impl Store {
    /// What waits in the first workspaces by name.
    pub async fn attention(&self, lane: &str, limit: u32) -> Result<Vec<Attention>> {
        let args = args![lane, limit];
        let found = self.db.fetch::<AttentionDb>(&service::ATTENTION, &args);
        self.each(found.await?)
    }

    /// Conflicts of one state in the order they were found, from after `after`. Of the filter the
    /// mapping and the rule count.
    pub async fn conflicts_page(
        &self,
        ws: &WorkspaceId,
        state: ConflictState,
        filter: &ConflictFilter,
        after: Option<&ConflictId>,
        limit: u32,
    ) -> Result<Vec<ConflictRow>> {
        let mut args = args![
            ws.as_str(),
            filter.mapping.as_ref().map(MappingName::as_str),
            filter.rule.as_deref(),
            after.map_or("", ConflictId::as_str),
            limit,
        ];
        let statement = match state {
            ConflictState::Open => &sql::CONFLICTS_OPEN,
            ConflictState::Decided | ConflictState::Closed => {
                args.extend(args![state.as_str()]);
                &sql::CONFLICTS_PAGE
            }
        };
        self.each(self.db.fetch::<ConflictDb>(statement, &args).await?)
    }

    /// All conflicts of these links, closed ones too.
    pub async fn conflicts_of_links(
        &self,
        ws: &WorkspaceId,
        links: &[LinkId],
    ) -> Result<Vec<ConflictRow>> {
        let args = args![ws.as_str(), link_ids(links)];
        let found = self.db.fetch::<ConflictDb>(&sql::CONFLICTS_OF_LINKS, &args);
        self.each(found.await?)
    }

    /// Dead letters of one state, oldest first. Of the filter the mapping, the class, the code, the
    /// side, the rule and where to begin count.
    pub async fn dead_letters_page(
        &self,
        ws: &WorkspaceId,
        state: DeadLetterState,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetter>> {
        if state != DeadLetterState::Open {
            let filter = DeadLetterFilter {
                state: Some(state),
                ..filter.clone()
            };
            return self.dead_letters(ws, &filter).await;
        }
        let args = args![
            ws.as_str(),
            filter.mapping.as_ref().map(MappingName::as_str),
            filter.class.map(ErrorClass::as_str),
            filter.code.as_deref(),
            filter.side.map(Side::as_str),
            filter.rule.as_deref(),
            filter.after.as_ref().map_or("", DeadLetterId::as_str),
            filter.limit,
        ];
        let found = self
            .db
            .fetch::<DeadLetterDb>(&sql::DEAD_LETTERS_OPEN, &args);
        self.each(found.await?)
    }

    /// Questions of guards that wait for an answer, by id.
    pub async fn approvals_asked(
        &self,
        ws: &WorkspaceId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Approval>> {
        let args = args![ws.as_str(), Choice::APPROVAL, after, limit];
        let found = self.db.fetch::<ApprovalDb>(&sql::APPROVALS_ASKED, &args);
        self.each(found.await?)
    }

    /// People's choices for conflicts that no attempt has carried out yet.
    pub async fn choices_waiting(&self, ws: &WorkspaceId) -> Result<Vec<Approval>> {
        let args = args![ws.as_str(), Choice::APPROVAL];
        let found = self.db.fetch::<ApprovalDb>(&sql::APPROVALS_GRANTED, &args);
        self.each(found.await?)
    }

    pub async fn approval(&self, ws: &WorkspaceId, id: &ApprovalId) -> Result<Option<Approval>> {
        let args = args![ws.as_str(), id.as_str()];
        let found = self.db.fetch_one::<ApprovalDb>(&sql::APPROVAL, &args);
        found.await?.map(|row| self.one(row)).transpose()
    }

    /// The newest runs first, from before `before`.
    pub async fn runs_page(
        &self,
        ws: &WorkspaceId,
        before: Option<&RunId>,
        limit: u32,
    ) -> Result<Vec<RunRow>> {
        let args = args![ws.as_str(), before.map(RunId::as_str), limit];
        self.each(self.db.fetch::<RunDb>(&sql::RUNS_PAGE, &args).await?)
    }
}
