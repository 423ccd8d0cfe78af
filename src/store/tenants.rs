//! Workspaces as the service runs them: made, listed, paused, erased.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{OwnerTable, Timestamp, Workspace, WorkspaceId, WorkspaceMode};

use super::Store;
use super::db::{Dialected, again, args};
use super::error::Result;
use super::mappings::{Brought, bring};
use super::rows::{AgendaDb, DocDb, TenantDb};
use super::sql::{inbox, jobs, mappings, notices, service as sql};

/// When each workspace next has something to do; one that never worked is not in it, nor one that
/// somebody works on.
pub type Agenda = BTreeMap<WorkspaceId, Due>;

/// When a workspace has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub at: Timestamp,
    /// The first work that is not merely a look for changes: records, and backfills.
    pub news: Option<Timestamp>,
}

/// How many rows of each kind went with a workspace; kinds without any are left out.
pub type Erased = BTreeMap<&'static str, u64>;

/// Everything that belongs to a workspace. The workspace itself goes last.
const BELONGINGS: &[(&str, Dialected)] = &[
    // First, so that none of it becomes a mark behind the back of what follows.
    ("inbox", inbox::ERASE_INBOX),
    ("lanes", sql::ERASE_LANES),
    ("marks", sql::ERASE_MARKS),
    ("links", sql::ERASE_LINKS),
    ("bases", sql::ERASE_BASES),
    ("holds", sql::ERASE_HOLDS),
    ("intents", sql::ERASE_INTENTS),
    ("match_keys", sql::ERASE_MATCH_KEYS),
    ("cursors", sql::ERASE_CURSORS),
    ("aliases", sql::ERASE_ALIASES),
    ("tombstones", sql::ERASE_TOMBSTONES),
    ("journal", sql::ERASE_JOURNAL),
    ("conflicts", sql::ERASE_CONFLICTS),
    ("dead_letters", sql::ERASE_DEAD_LETTERS),
    ("approvals", sql::ERASE_APPROVALS),
    ("runs", sql::ERASE_RUNS),
    ("shadow_writes", sql::ERASE_SHADOW_WRITES),
    ("revisions", sql::ERASE_REVISIONS),
    ("active_revisions", sql::ERASE_ACTIVE_REVISIONS),
    ("set_mappings", mappings::ERASE_SET_MAPPINGS),
    ("activations", mappings::ERASE_ACTIVATIONS),
    ("schemas", sql::ERASE_SCHEMAS),
    ("jobs", jobs::ERASE_JOBS),
    ("connections", sql::ERASE_CONNECTIONS),
    ("connect_links", sql::ERASE_CONNECT_LINKS),
    ("authorizations", sql::ERASE_AUTHORIZATIONS),
    ("repeats", sql::ERASE_REPEATS),
    ("notice_channels", notices::ERASE_NOTICE_CHANNELS),
    ("notices", notices::ERASE_NOTICES),
    ("api_keys", sql::ERASE_API_KEYS),
    ("data_keys", sql::ERASE_DATA_KEYS),
    ("workspaces", sql::ERASE_WORKSPACES),
];

impl Store {
    /// Makes a workspace that observes. False when there is one of this name already.
    pub async fn make_workspace(
        &self,
        ws: &WorkspaceId,
        vars: &BTreeMap<String, String>,
        owners: &OwnerTable,
    ) -> Result<bool> {
        let mode = WorkspaceMode::Observing.as_str();
        let (vars, owners) = (text(vars), text(owners.pairs()));
        let args = args![ws.as_str(), self.clock.now(), mode, vars, owners];
        Ok(self.db.run(&sql::TENANT_MAKE, &args).await? > 0)
    }

    pub async fn workspace(&self, ws: &WorkspaceId) -> Result<Option<Workspace>> {
        let args = args![ws.as_str()];
        let found = self.db.fetch_one::<TenantDb>(&sql::TENANT, &args).await?;
        found.map(|row| self.one(row)).transpose()
    }

    /// Up to `limit` workspaces by name, from after `after`; the empty name begins.
    pub async fn workspaces(&self, after: &str, limit: u32) -> Result<Vec<Workspace>> {
        let args = args![after, limit];
        let found = self.db.fetch::<TenantDb>(&sql::TENANTS, &args).await?;
        self.each(found)
    }

    /// False when there is no such workspace, here and below.
    pub async fn set_mode(&self, ws: &WorkspaceId, mode: WorkspaceMode) -> Result<bool> {
        let args = args![ws.as_str(), mode.as_str()];
        Ok(self.db.run(&sql::TENANT_MODE, &args).await? > 0)
    }

    pub async fn set_paused(&self, ws: &WorkspaceId, paused: bool) -> Result<bool> {
        let args = args![ws.as_str(), i64::from(paused)];
        Ok(self.db.run(&sql::TENANT_PAUSED, &args).await? > 0)
    }

    /// Other variables, another table of owners, or both, and what that brings about.
    pub async fn change_workspace(
        &self,
        ws: &WorkspaceId,
        vars: Option<&BTreeMap<String, String>>,
        owners: Option<&OwnerTable>,
        brought: &Brought,
    ) -> Result<bool> {
        let owners = owners.map(|table| text(table.pairs()));
        let args = args![ws.as_str(), vars.map(text), owners];
        again(|| async {
            let mut tx = self.db.begin().await?;
            let found = tx.run(&sql::TENANT_CHANGE, &args).await? > 0;
            if found {
                bring(&mut tx, ws, brought).await?;
            }
            tx.commit().await?;
            Ok(found)
        })
        .await
    }

    pub async fn agenda(&self, lane: &str) -> Result<Agenda> {
        let args = args![lane, self.lease_time().await?];
        let found = self.db.fetch::<AgendaDb>(&sql::AGENDA, &args).await?;
        let dated = |row: AgendaDb| {
            let due = Due {
                at: Timestamp::from_micros(row.at?),
                news: row.news.map(Timestamp::from_micros),
            };
            Some((WorkspaceId::new(row.workspace_id), due))
        };
        Ok(found.into_iter().filter_map(dated).collect())
    }

    /// Keeps what both CRMs say of their objects, as text, with what it was asked for.
    pub async fn keep_schemas(&self, ws: &WorkspaceId, asked_for: &str, doc: &str) -> Result<()> {
        let args = args![ws.as_str(), doc, asked_for, self.clock.now()];
        self.db.run(&sql::SCHEMAS_PUT, &args).await?;
        Ok(())
    }

    /// What was kept for the same question, if that was not before `since`.
    pub async fn kept_schemas(
        &self,
        ws: &WorkspaceId,
        asked_for: &str,
        since: Timestamp,
    ) -> Result<Option<String>> {
        let args = args![ws.as_str(), asked_for, since];
        let found = self.db.fetch_one::<DocDb>(&sql::SCHEMAS, &args).await?;
        Ok(found.map(|row| row.doc))
    }

    /// What was kept last, whatever it was asked for.
    pub async fn last_schemas(&self, ws: &WorkspaceId) -> Result<Option<String>> {
        let args = args![ws.as_str()];
        let found = self
            .db
            .fetch_one::<DocDb>(&sql::SCHEMAS_LAST, &args)
            .await?;
        Ok(found.map(|row| row.doc))
    }

    /// Erases the workspace and everything that belongs to it, in one transaction. The access log
    /// stays: it says who erased it, and holds no values.
    pub async fn erase_workspace(&self, ws: &WorkspaceId) -> Result<Erased> {
        let args = args![ws.as_str()];
        again(|| async {
            let mut tx = self.db.begin().await?;
            let mut erased = Erased::new();
            for (name, statement) in BELONGINGS {
                let rows = tx.run(statement, &args).await?;
                if rows > 0 {
                    erased.insert(*name, rows);
                }
            }
            tx.commit().await?;
            Ok(erased)
        })
        .await
    }
}

/// Texts in lists and maps never fail to be written.
fn text(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
