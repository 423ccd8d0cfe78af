//! Who changed what through the API. Holds no values and no secrets.

use crate::model::{Timestamp, WorkspaceId};

use super::Store;
use super::db::args;
use super::error::Result;
use super::rows::AccessDb;
use super::sql::service as sql;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessEntry {
    /// Sorts by time.
    pub id: String,
    pub made_at: Timestamp,
    /// A key by its id and name, or the administrator who completed a connect link.
    pub actor: String,
    pub action: String,
    pub target: String,
    pub detail: String,
}

impl Store {
    /// `None` for what concerns no single workspace.
    pub async fn log_access(&self, ws: Option<&WorkspaceId>, entry: &AccessEntry) -> Result<()> {
        let args = args![
            ws.map_or("", WorkspaceId::as_str),
            entry.id.as_str(),
            entry.made_at,
            entry.actor.as_str(),
            entry.action.as_str(),
            entry.target.as_str(),
            entry.detail.as_str(),
        ];
        self.db.run(&sql::ACCESS_PUT, &args).await?;
        Ok(())
    }

    /// The newest first, from before the entry `before`.
    pub async fn access_log(
        &self,
        ws: Option<&WorkspaceId>,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<AccessEntry>> {
        let owner = ws.map_or("", WorkspaceId::as_str);
        let args = args![owner, before, limit];
        let found = self.db.fetch::<AccessDb>(&sql::ACCESS, &args).await?;
        self.each(found)
    }
}
