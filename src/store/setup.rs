//! Workspaces, their connections and the revisions of their mappings.

use std::collections::BTreeMap;

use crate::model::{BySide, MappingName, Revision, Side, WorkspaceId};

use super::Store;
use super::db::args;
use super::error::Result;
use super::rows::{ActiveDb, ConnectionDb, RevisionDb};
use super::sql::setup as sql;

/// The account a side of the workspace is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// HubSpot's portal id or Salesforce's organisation id.
    pub account_id: String,
    pub url: String,
}

/// A stored revision of a mapping: the file as written, and its rules as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionText {
    pub text: String,
    pub rules: String,
}

impl Store {
    pub async fn ensure_workspace(&self, ws: &WorkspaceId) -> Result<()> {
        let args = args![ws.as_str(), self.clock.now()];
        self.db.run(&sql::WORKSPACE_PUT, &args).await?;
        Ok(())
    }

    pub async fn put_connection(
        &self,
        ws: &WorkspaceId,
        side: Side,
        account_id: &str,
        url: &str,
    ) -> Result<()> {
        let args = args![ws.as_str(), side.as_str(), account_id, url];
        self.db.run(&sql::CONNECTION_PUT, &args).await?;
        Ok(())
    }

    pub async fn connections(&self, ws: &WorkspaceId) -> Result<BySide<Option<Connection>>> {
        let args = args![ws.as_str()];
        let found = self
            .db
            .fetch::<ConnectionDb>(&sql::CONNECTIONS, &args)
            .await?;
        let mut connections = BySide::default();
        for row in found {
            let (side, connection) = self.one(row)?;
            *connections.get_mut(side) = Some(connection);
        }
        Ok(connections)
    }

    /// Keeps one revision for good. A revision names its own text, so a repeat changes nothing.
    pub async fn put_revision(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        revision: &Revision,
        text: &str,
        rules_json: &str,
    ) -> Result<()> {
        let args = args![
            ws.as_str(),
            revision.as_str(),
            mapping.as_str(),
            text,
            rules_json,
            self.clock.now(),
        ];
        self.db.run(&sql::REVISION_PUT, &args).await?;
        Ok(())
    }

    pub async fn active_revisions(
        &self,
        ws: &WorkspaceId,
    ) -> Result<BTreeMap<MappingName, Revision>> {
        let args = args![ws.as_str()];
        let found = self
            .db
            .fetch::<ActiveDb>(&sql::ACTIVE_REVISIONS, &args)
            .await?;
        Ok(found
            .into_iter()
            .map(|row| (MappingName::new(row.mapping), Revision::new(row.revision)))
            .collect())
    }

    pub async fn revision_text(
        &self,
        ws: &WorkspaceId,
        revision: &Revision,
    ) -> Result<Option<String>> {
        Ok(self.revision(ws, revision).await?.map(|found| found.text))
    }

    pub async fn revision(
        &self,
        ws: &WorkspaceId,
        revision: &Revision,
    ) -> Result<Option<RevisionText>> {
        let args = args![ws.as_str(), revision.as_str()];
        let found = self
            .db
            .fetch_one::<RevisionDb>(&sql::REVISION_BODY, &args)
            .await?;
        Ok(found.map(|row| RevisionText {
            text: row.body,
            rules: row.rules,
        }))
    }
}
