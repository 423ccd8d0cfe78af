//! Tries a connection: whether its token is good or can be renewed, and whose account it opens.
//! Reads one thing at the CRM and writes nothing there.

use std::sync::Arc;

use super::credentials::Credentials;
use super::keeper::{Keeper, KeeperError};
use crate::crm::salesforce::{Login, log_in};
use crate::model::{Side, WorkspaceId};

/// A connection that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    pub account_id: String,
    /// What was granted; `None` for static credentials, which have no scopes of ours.
    pub scopes: Option<Vec<String>>,
}

impl Keeper {
    /// Uses the connection once. A token that has run out is renewed, as it would be by work.
    pub async fn probe(
        self: &Arc<Self>,
        ws: &WorkspaceId,
        side: Side,
    ) -> Result<Probed, KeeperError> {
        let at = |error| KeeperError::Crm { side, error };
        let (row, credentials) = self.credentials(ws, side).await?;
        let is_grant = matches!(credentials, Credentials::OAuth(_));
        let opened = if is_grant {
            let token = self.token(ws, side, None).await.map_err(at)?;
            match side {
                Side::HubSpot => self.hubspot_account(&token.secret).await.map_err(at)?,
                Side::Salesforce => {
                    let login = Login::Token {
                        url: token.instance_url,
                        token: token.secret,
                    };
                    let session = log_in(&self.transport, &login, &self.clock).await;
                    session.map_err(at)?.organization_id
                }
            }
        } else {
            self.account_of(side, &credentials).await?
        };
        if opened != row.account_id {
            return Err(KeeperError::OtherAccount {
                side,
                bound: row.account_id,
                given: opened,
            });
        }
        let scopes = row.scopes.split_whitespace().map(str::to_owned);
        Ok(Probed {
            account_id: opened,
            scopes: is_grant.then(|| scopes.collect()),
        })
    }
}
