//! Connections with their sealed credentials, and the right to renew them: one process at a time.
//!
//! What is sealed is opaque here. `version` rises with every change of it, so whoever acts on what
//! it read finds out when somebody else was faster.

use crate::model::{ConnectionState, Side, Timestamp, WorkspaceId};

use super::Store;
use super::db::args;
use super::error::Result;
use super::rows::{DataKeyDb, GrantDb, SealedDb, TextIdDb};
use super::sql::service as sql;

/// A side of a workspace that was connected through the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedConnection {
    pub side: Side,
    /// HubSpot's portal id or Salesforce's organisation id.
    pub account_id: String,
    pub state: ConnectionState,
    /// Why it cannot be used; empty when it can.
    pub detail: String,
    /// What was granted, separated by blanks.
    pub scopes: String,
    /// `None` once it was cut.
    pub sealed: Option<String>,
    pub version: i64,
    pub renewing_until: Timestamp,
    pub connected_at: Timestamp,
}

impl Store {
    pub async fn sealed_connection(
        &self,
        ws: &WorkspaceId,
        side: Side,
    ) -> Result<Option<SealedConnection>> {
        let args = args![ws.as_str(), side.as_str()];
        let found = self
            .db
            .fetch_one::<SealedDb>(&sql::CONNECTION_STATUS, &args)
            .await?;
        found.map(|row| self.one(row)).transpose()
    }

    /// Keeps new credentials of the account. False when the side is bound to another account, in
    /// which case nothing changed.
    pub async fn seal_connection(
        &self,
        ws: &WorkspaceId,
        side: Side,
        account_id: &str,
        scopes: &str,
        sealed: &str,
    ) -> Result<bool> {
        let now = self.clock.now();
        let args = args![ws.as_str(), side.as_str(), account_id, scopes, sealed, now];
        Ok(self.db.run(&sql::CONNECTION_SEAL, &args).await? > 0)
    }

    /// Takes the right to renew what has this version, for `ttl_ms`. False when somebody else has
    /// it, or was faster, or when the connection cannot be used.
    pub async fn begin_renewal(
        &self,
        ws: &WorkspaceId,
        side: Side,
        version: i64,
        ttl_ms: i64,
    ) -> Result<bool> {
        let now = self.lease_time().await?;
        let until = now.plus_millis(ttl_ms);
        let args = args![ws.as_str(), side.as_str(), version, now, until];
        Ok(self.db.run(&sql::RENEWAL_BEGIN, &args).await? > 0)
    }

    /// Keeps what was renewed. False when the version is no longer the one that was renewed.
    /// `turn` is when it is renewed again at the latest.
    pub async fn end_renewal(
        &self,
        ws: &WorkspaceId,
        side: Side,
        version: i64,
        sealed: &str,
        turn: Timestamp,
    ) -> Result<bool> {
        let args = args![ws.as_str(), side.as_str(), version, sealed, turn];
        Ok(self.db.run(&sql::RENEWAL_END, &args).await? > 0)
    }

    /// Gives the right back without anything renewed.
    pub async fn drop_renewal(&self, ws: &WorkspaceId, side: Side, version: i64) -> Result<()> {
        let args = args![ws.as_str(), side.as_str(), version];
        self.db.run(&sql::RENEWAL_DROP, &args).await?;
        Ok(())
    }

    /// Connections whose turn to be renewed has come, or that have none and are older than
    /// `oldest`: the longest unused ones first.
    pub async fn grants_due(
        &self,
        now: Timestamp,
        oldest: Timestamp,
        limit: u32,
    ) -> Result<Vec<(WorkspaceId, Side)>> {
        let args = args![now, oldest, limit];
        let found = self.db.fetch::<GrantDb>(&sql::GRANTS_DUE, &args).await?;
        self.each(found)
    }

    /// Gives a connection another turn. False when it is not due by `now` any more.
    pub async fn put_off_grant(
        &self,
        ws: &WorkspaceId,
        side: Side,
        now: Timestamp,
        oldest: Timestamp,
        turn: Timestamp,
    ) -> Result<bool> {
        let args = args![ws.as_str(), side.as_str(), now, oldest, turn];
        Ok(self.db.run(&sql::GRANT_PUT_OFF, &args).await? > 0)
    }

    /// Notes that the connection cannot be used any more. True for the one who noted it first.
    pub async fn lose_connection(
        &self,
        ws: &WorkspaceId,
        side: Side,
        version: i64,
        state: ConnectionState,
        detail: &str,
    ) -> Result<bool> {
        let args = args![ws.as_str(), side.as_str(), version, state.as_str(), detail];
        Ok(self.db.run(&sql::CONNECTION_LOST, &args).await? > 0)
    }

    /// Forgets the credentials and keeps the account, so that only the same one can come back.
    pub async fn cut_connection(&self, ws: &WorkspaceId, side: Side, why: &str) -> Result<bool> {
        let args = args![ws.as_str(), side.as_str(), why];
        Ok(self.db.run(&sql::CONNECTION_CUT, &args).await? > 0)
    }

    /// The workspaces whose side is this account; several may share one.
    pub async fn workspaces_of(&self, side: Side, account_id: &str) -> Result<Vec<WorkspaceId>> {
        let args = args![side.as_str(), account_id];
        let found = self
            .db
            .fetch::<TextIdDb>(&sql::WORKSPACES_OF, &args)
            .await?;
        Ok(found
            .into_iter()
            .map(|row| WorkspaceId::new(row.id))
            .collect())
    }

    /// The workspace's sealed data key; the empty name is the service's own.
    pub async fn data_key(&self, ws: &str) -> Result<Option<String>> {
        let args = args![ws];
        let found = self
            .db
            .fetch_one::<DataKeyDb>(&sql::DATA_KEY, &args)
            .await?;
        Ok(found.map(|row| row.wrapped))
    }

    /// Keeps a data key unless there is one, and answers the one that counts.
    pub async fn put_data_key(&self, ws: &str, wrapped: &str) -> Result<String> {
        let args = args![ws, wrapped, self.clock.now()];
        self.db.run(&sql::DATA_KEY_PUT, &args).await?;
        let kept = self.data_key(ws).await?;
        kept.ok_or_else(|| self.damaged("a data key is gone that was just kept".to_owned()))
    }

    /// Up to `limit` data keys by workspace, from after `after`; `None` begins.
    pub async fn data_keys(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, String)>> {
        // The service's own has the empty name, which nothing comes before.
        let mut keys = Vec::new();
        if after.is_none() {
            keys.extend(
                self.data_key("")
                    .await?
                    .map(|wrapped| (String::new(), wrapped)),
            );
        }
        let args = args![after.unwrap_or(""), limit];
        let found = self.db.fetch::<DataKeyDb>(&sql::DATA_KEYS, &args).await?;
        keys.extend(found.into_iter().map(|row| (row.workspace_id, row.wrapped)));
        Ok(keys)
    }

    /// Replaces a sealed data key by the same one sealed anew.
    pub async fn rewrap_data_key(&self, ws: &str, was: &str, wrapped: &str) -> Result<bool> {
        let args = args![ws, was, wrapped];
        Ok(self.db.run(&sql::DATA_KEY_REWRAP, &args).await? > 0)
    }
}
