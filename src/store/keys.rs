//! Keys to the API. Only hashes are kept.

use crate::model::{KeyKind, Role, Timestamp, WorkspaceId};

use super::Store;
use super::db::args;
use super::error::Result;
use super::rows::ApiKeyDb;
use super::sql::service as sql;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: String,
    /// `None` for a management key.
    pub workspace: Option<WorkspaceId>,
    pub kind: KeyKind,
    pub role: Role,
    pub name: String,
    /// SHA-256 of the secret part, in hex.
    pub hash: String,
    pub created_at: Timestamp,
    pub used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    fn owner(&self) -> &str {
        self.workspace.as_ref().map_or("", WorkspaceId::as_str)
    }
}

impl Store {
    pub async fn put_api_key(&self, key: &ApiKey) -> Result<()> {
        let args = args![
            key.id.as_str(),
            key.owner(),
            key.kind.as_str(),
            key.role.as_str(),
            key.name.as_str(),
            key.hash.as_str(),
            key.created_at,
        ];
        self.db.run(&sql::KEY_PUT, &args).await?;
        Ok(())
    }

    pub async fn api_key(&self, id: &str) -> Result<Option<ApiKey>> {
        let args = args![id];
        let found = self.db.fetch_one::<ApiKeyDb>(&sql::KEY, &args).await?;
        found.map(|row| self.one(row)).transpose()
    }

    /// Keys of a workspace, or management keys, by id from after `after`; revoked ones included.
    pub async fn api_keys(
        &self,
        workspace: Option<&WorkspaceId>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ApiKey>> {
        let owner = workspace.map_or("", WorkspaceId::as_str);
        let args = args![owner, after, limit];
        let found = self.db.fetch::<ApiKeyDb>(&sql::KEYS, &args).await?;
        self.each(found)
    }

    pub async fn api_key_used(&self, key: &ApiKey, at: Timestamp) -> Result<()> {
        let args = args![key.owner(), key.id.as_str(), at];
        self.db.run(&sql::KEY_USED, &args).await?;
        Ok(())
    }

    /// False when there is no such key, or none that opens anything.
    pub async fn revoke_api_key(&self, workspace: Option<&WorkspaceId>, id: &str) -> Result<bool> {
        let owner = workspace.map_or("", WorkspaceId::as_str);
        let args = args![owner, id, self.clock.now()];
        Ok(self.db.run(&sql::KEY_REVOKE, &args).await? > 0)
    }
}
