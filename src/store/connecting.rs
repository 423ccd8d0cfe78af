//! Connect links, and authorisations that a browser has begun.

use crate::model::{Side, Timestamp, WorkspaceId};

use super::Store;
use super::db::args;
use super::error::Result;
use super::rows::{AuthorizationDb, ConnectLinkDb};
use super::sql::service as sql;

/// An invitation to connect one side of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectLink {
    pub id: String,
    pub side: Side,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// When an authorisation was completed with it; opening it does not count.
    pub used_at: Option<Timestamp>,
}

/// An authorisation that a browser has begun and may complete once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub id: String,
    pub link: String,
    pub side: Side,
    pub sealed: String,
}

impl Store {
    pub async fn put_connect_link(&self, ws: &WorkspaceId, link: &ConnectLink) -> Result<()> {
        let args = args![
            ws.as_str(),
            link.id.as_str(),
            link.side.as_str(),
            link.created_at,
            link.expires_at,
        ];
        self.db.run(&sql::LINK_PUT, &args).await?;
        Ok(())
    }

    pub async fn connect_link(&self, ws: &WorkspaceId, id: &str) -> Result<Option<ConnectLink>> {
        let args = args![ws.as_str(), id];
        let found = self
            .db
            .fetch_one::<ConnectLinkDb>(&sql::LINK, &args)
            .await?;
        found.map(|row| self.one(row)).transpose()
    }

    /// Uses the link up. False when it was used or has expired.
    pub async fn use_connect_link(&self, ws: &WorkspaceId, id: &str) -> Result<bool> {
        let args = args![ws.as_str(), id, self.clock.now()];
        Ok(self.db.run(&sql::LINK_USE, &args).await? > 0)
    }

    /// Keeps an authorisation for the browser whose cookie has this hash; those of the workspace
    /// that have expired go.
    pub async fn put_authorization(
        &self,
        ws: &WorkspaceId,
        begun: &Authorization,
        browser: &str,
        expires_at: Timestamp,
    ) -> Result<()> {
        let clear = args![ws.as_str(), self.clock.now()];
        self.db.run(&sql::AUTHORIZATIONS_CLEAR, &clear).await?;
        let args = args![
            ws.as_str(),
            begun.id.as_str(),
            begun.link.as_str(),
            begun.side.as_str(),
            browser,
            begun.sealed.as_str(),
            expires_at,
        ];
        self.db.run(&sql::AUTHORIZATION_PUT, &args).await?;
        Ok(())
    }

    /// Takes an authorisation out, for the browser that began it and only once.
    pub async fn take_authorization(
        &self,
        ws: &WorkspaceId,
        id: &str,
        browser: &str,
    ) -> Result<Option<Authorization>> {
        let args = args![ws.as_str(), id, browser, self.clock.now()];
        let found = self
            .db
            .fetch_one::<AuthorizationDb>(&sql::AUTHORIZATION_TAKE, &args)
            .await?;
        found.map(|row| self.one(row)).transpose()
    }
}
