//! Keeps connections: seals new credentials, renews tokens, opens clients, ends grants.
//!
//! A refresh is made by one process at a time (`Store::begin_renewal`), and what it brought is in
//! the store before it is used. A process that dies in between has at worst lost a token that
//! rotates, which then shows as a connection that needs to be made again.

use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use crate::clock::Clock;
use crate::crm::oauth::{App, Tokens};
use crate::crm::salesforce::{Login, log_in};
use crate::crm::{
    Access, CrmError, Crms, ErrorKind, HubSpot, Renewal, Salesforce, Sent, Token, Traffic,
    Transport,
};
use crate::model::{BySide, ConnectionState, Side, WorkspaceId};
use crate::store::{SealedConnection, Store, StoreError};

use super::alive::next_turn;
use super::credentials::{Credentials, Grant};
use super::{Vault, VaultError};

/// A refresh takes one call, which takes at most twenty seconds.
const RENEWAL_MILLIS: i64 = 30_000;
/// Until somebody else's refresh is asked about again.
const OTHERS_MILLIS: i64 = 1_000;
/// A token with less time left is renewed before it is handed out.
const MARGIN_MILLIS: i64 = 120_000;

/// Why a connection could not be made or opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("{} is not connected", .0.title())]
    NotConnected(Side),
    #[error("{}: {why}", .side.title())]
    Unusable {
        side: Side,
        state: ConnectionState,
        why: String,
    },
    #[error(
        "this is the {side} account {given}, but the workspace is connected to {bound}; connect \
         that account, or make another workspace for this one",
        side = side.title()
    )]
    OtherAccount {
        side: Side,
        bound: String,
        given: String,
    },
    #[error("{side}: {error}", side = side.title())]
    Crm { side: Side, error: CrmError },
}

impl From<StoreError> for KeeperError {
    fn from(error: StoreError) -> Self {
        Self::Vault(VaultError::Store(error))
    }
}

/// Told once when a connection is lost, with the reason.
pub type OnLoss = dyn Fn(&WorkspaceId, Side, &str) + Send + Sync;

/// A grant that is not kept yet.
pub struct Granted {
    pub account_id: String,
    pub scopes: Vec<String>,
    pub credentials: Credentials,
}

pub struct Keeper {
    pub store: Arc<Store>,
    pub vault: Arc<Vault>,
    pub transport: Transport,
    pub clock: Clock,
    /// Our apps; a side without one is connected by static credentials only.
    pub apps: BySide<Option<App>>,
    /// HubSpot's address for calls.
    pub hubspot_url: String,
    pub on_loss: Box<OnLoss>,
    /// What the clients that were opened here have called.
    pub traffic: Traffic,
}

fn place(side: Side) -> String {
    format!("connection/{}", side.as_str())
}

impl Keeper {
    /// Binds the side to the account, or brings new credentials of the same one.
    pub async fn connect(
        &self,
        ws: &WorkspaceId,
        side: Side,
        account_id: &str,
        scopes: &[String],
        credentials: &Credentials,
    ) -> Result<(), KeeperError> {
        let sealed = self
            .vault
            .seal(ws, &place(side), &credentials.write())
            .await?;
        let scopes = scopes.join(" ");
        let kept = self
            .store
            .seal_connection(ws, side, account_id, &scopes, &sealed)
            .await?;
        if kept {
            return Ok(());
        }
        let known = self.store.connections(ws).await?;
        let bound = known
            .get(side)
            .as_ref()
            .map(|known| known.account_id.clone());
        Err(KeeperError::OtherAccount {
            side,
            bound: bound.unwrap_or_default(),
            given: account_id.to_owned(),
        })
    }

    /// Exchanges the code of an authorisation. Nothing is kept yet.
    pub async fn exchange(
        &self,
        app: &App,
        code: &str,
        verifier: &SecretString,
    ) -> Result<Granted, KeeperError> {
        let side = app.side;
        let at = |error| KeeperError::Crm { side, error };
        let tokens = app
            .exchange(&self.transport, &self.clock, code, verifier)
            .await;
        let tokens = tokens.map_err(at)?;
        let account_id = match &tokens.account_id {
            Some(account) => account.clone(),
            None if side == Side::HubSpot => {
                self.hubspot_account(&tokens.access).await.map_err(at)?
            }
            None => {
                return Err(at(refused(
                    "no-organization",
                    "the reply names no organisation",
                )));
            }
        };
        Ok(Granted {
            account_id,
            scopes: tokens.scopes.clone(),
            credentials: Credentials::OAuth(granted(app, &tokens)),
        })
    }

    /// Ends a grant that was not kept.
    pub async fn give_back(&self, app: &App, granted: &Granted) {
        if let Credentials::OAuth(grant) = &granted.credentials {
            self.revoke(app, grant).await;
        }
    }

    async fn revoke(&self, app: &App, grant: &Grant) {
        let token = grant.refresh.as_ref().unwrap_or(&grant.access);
        if let Err(error) = app.revoke(&self.transport, &self.clock, token).await {
            tracing::warn!(side = app.side.as_str(), %error, "a grant could not be revoked");
        }
    }

    /// Both clients of a workspace, each with tokens that renew themselves.
    pub async fn crms(self: &Arc<Self>, ws: &WorkspaceId) -> Result<Crms, KeeperError> {
        let (row, credentials) = self.credentials(ws, Side::HubSpot).await?;
        let (transport, clock) = (self.transport.clone(), self.clock.clone());
        let at = |access| HubSpot::new(transport, &self.hubspot_url, access, clock);
        let hubspot = match credentials {
            Credentials::Token { token, .. } => at(Access::from(token)),
            _ => {
                let scopes = row.scopes.split_whitespace().map(str::to_owned).collect();
                at(Access::from(self.renewal(ws, Side::HubSpot))).granted(scopes)
            }
        };
        let salesforce = self.credentials(ws, Side::Salesforce).await?.1;
        let login = match salesforce {
            Credentials::OAuth(_) => Login::Renewed(self.renewal(ws, Side::Salesforce)),
            other => other.login(),
        };
        let at = |error| KeeperError::Crm {
            side: Side::Salesforce,
            error,
        };
        let session = log_in(&self.transport, &login, &self.clock)
            .await
            .map_err(at)?;
        let transport = self.transport.clone();
        let salesforce = Salesforce::new(transport, session, Some(login), self.clock.clone());
        let crms = Crms {
            hubspot,
            salesforce,
        };
        Ok(crms.counted(self.traffic.counters(ws)))
    }

    /// Why a side of the workspace cannot be used any more, if that is so.
    pub async fn unusable(&self, ws: &WorkspaceId) -> Result<Option<KeeperError>, KeeperError> {
        for side in Side::BOTH {
            let row = self.store.sealed_connection(ws, side).await?;
            if let Some(row) = row.filter(|row| row.state != ConnectionState::Connected) {
                return Ok(Some(KeeperError::Unusable {
                    side,
                    state: row.state,
                    why: row.detail,
                }));
            }
        }
        Ok(None)
    }

    /// Finds out which account static credentials open, by using them.
    pub async fn account_of(
        &self,
        side: Side,
        credentials: &Credentials,
    ) -> Result<String, KeeperError> {
        let at = |error| KeeperError::Crm { side, error };
        match (side, credentials) {
            (Side::HubSpot, Credentials::Token { token, .. }) => {
                self.hubspot_account(token).await.map_err(at)
            }
            (Side::HubSpot, _) => Err(at(CrmError::bad_request(
                "HubSpot is connected by a link or by the token of a private app",
            ))),
            (Side::Salesforce, other) => {
                let login = other.clone().login();
                let session = log_in(&self.transport, &login, &self.clock).await;
                session.map(|session| session.organization_id).map_err(at)
            }
        }
    }

    /// Ends the grant at the platform as far as that can be done, and forgets the credentials.
    pub async fn disconnect(
        &self,
        ws: &WorkspaceId,
        side: Side,
        why: &str,
    ) -> Result<bool, KeeperError> {
        if let Ok((_, Credentials::OAuth(grant))) = self.credentials(ws, side).await
            && let Some(app) = self.app_at(side, &grant.login_url)
        {
            self.revoke(&app, &grant).await;
        }
        Ok(self.store.cut_connection(ws, side, why).await?)
    }

    /// Our app at the host that a grant came from.
    pub fn app_at(&self, side: Side, login_url: &str) -> Option<App> {
        let mut app = self.apps.get(side).clone()?;
        if side == Side::Salesforce && !login_url.is_empty() {
            let host = Url::parse(login_url).ok()?;
            app.authorize_host = host.clone();
            app.token_host = host;
        }
        Some(app)
    }

    fn renewal(self: &Arc<Self>, ws: &WorkspaceId, side: Side) -> Renewal {
        let keeper = Arc::clone(self);
        let ws = ws.clone();
        Renewal::new(move |stale| {
            let (keeper, ws) = (Arc::clone(&keeper), ws.clone());
            Box::pin(async move { keeper.token(&ws, side, stale).await })
        })
    }

    /// A token that is good now and newer than `stale`.
    pub(super) async fn token(
        &self,
        ws: &WorkspaceId,
        side: Side,
        stale: Option<i64>,
    ) -> Result<Token, CrmError> {
        let (row, credentials) = self.credentials(ws, side).await.map_err(as_crm_error)?;
        let Credentials::OAuth(grant) = credentials else {
            return Err(refused("static", "these credentials cannot be renewed"));
        };
        let now = self.clock.now();
        let left = grant.expires_at.map(|at| at.millis_since(now));
        let fresh = left.is_none_or(|left| left > MARGIN_MILLIS);
        if fresh && stale.is_none_or(|stale| row.version > stale) {
            return Ok(token(&row, &grant));
        }
        let begun = self
            .store
            .begin_renewal(ws, side, row.version, RENEWAL_MILLIS)
            .await;
        if !begun.map_err(store_failed)? {
            let why = "another process is renewing the token";
            let error = CrmError::new(ErrorKind::NotBefore, "renewing", why, Sent::No);
            return Err(error.not_before(Some(now.plus_millis(OTHERS_MILLIS))));
        }
        self.renew(ws, &row, &grant).await
    }

    /// Under the right to renew: asks for new tokens and keeps them before they are used.
    async fn renew(
        &self,
        ws: &WorkspaceId,
        row: &SealedConnection,
        grant: &Grant,
    ) -> Result<Token, CrmError> {
        let (side, version) = (row.side, row.version);
        let app = self.app_at(side, &grant.login_url);
        let (Some(app), Some(refresh)) = (app, &grant.refresh) else {
            let why = "the grant has no refresh token, or the app is not configured any more";
            return Err(self.lost(ws, row, ConnectionState::Reconnect, why).await);
        };
        let tokens = match app.refresh(&self.transport, &self.clock, refresh).await {
            Ok(tokens) => tokens,
            Err(error) if is_final(&error) => {
                return Err(self
                    .lost(ws, row, ConnectionState::Reconnect, &error.message)
                    .await);
            }
            Err(error) => {
                let dropped = self.store.drop_renewal(ws, side, version).await;
                dropped.map_err(store_failed)?;
                return Err(error);
            }
        };
        let other = tokens
            .account_id
            .as_ref()
            .filter(|id| **id != row.account_id);
        if let Some(other) = other {
            let why = format!(
                "the grant now opens the account {other} instead of {}; a sandbox refresh does \
                 that",
                row.account_id
            );
            return Err(self
                .lost(ws, row, ConnectionState::WrongAccount, &why)
                .await);
        }
        let grant = grant.renewed(&tokens);
        let text = Credentials::OAuth(grant.clone()).write();
        let sealed = self.vault.seal(ws, &place(side), &text).await;
        let sealed = sealed.map_err(|error| as_crm_error(error.into()))?;
        let turn = next_turn(ws, side, self.clock.now());
        let kept = self.store.end_renewal(ws, side, version, &sealed, turn);
        let kept = kept.await;
        if !kept.map_err(store_failed)? {
            let why = "the connection was made anew meanwhile";
            let error = CrmError::new(ErrorKind::NotBefore, "renewing", why, Sent::No);
            return Err(error.not_before(Some(self.clock.now())));
        }
        let row = SealedConnection {
            version: version + 1,
            ..row.clone()
        };
        Ok(token(&row, &grant))
    }

    /// Notes the loss, tells of it once, and answers the refusal that stops the workspace's work.
    async fn lost(
        &self,
        ws: &WorkspaceId,
        row: &SealedConnection,
        state: ConnectionState,
        why: &str,
    ) -> CrmError {
        let noted = self
            .store
            .lose_connection(ws, row.side, row.version, state, why)
            .await;
        match noted {
            Ok(true) => (self.on_loss)(ws, row.side, why),
            Ok(false) => {}
            Err(error) => return store_failed(error),
        }
        refused(state.as_str(), why)
    }

    pub(super) async fn credentials(
        &self,
        ws: &WorkspaceId,
        side: Side,
    ) -> Result<(SealedConnection, Credentials), KeeperError> {
        let row = self.store.sealed_connection(ws, side).await?;
        let row = row.ok_or(KeeperError::NotConnected(side))?;
        if row.state != ConnectionState::Connected {
            return Err(KeeperError::Unusable {
                side,
                state: row.state,
                why: row.detail,
            });
        }
        let sealed = row
            .sealed
            .as_deref()
            .ok_or(KeeperError::NotConnected(side))?;
        let text = self.vault.unseal(ws, &place(side), sealed).await?;
        let credentials = Credentials::read(&text).ok_or_else(|| VaultError::Damaged {
            ws: ws.as_str().to_owned(),
        })?;
        Ok((row, credentials))
    }

    pub(super) async fn hubspot_account(&self, token: &SecretString) -> Result<String, CrmError> {
        let transport = self.transport.clone();
        let token = token.clone();
        let client = HubSpot::new(transport, &self.hubspot_url, token, self.clock.clone());
        Ok(client.account().await?.portal_id)
    }
}

fn granted(app: &App, tokens: &Tokens) -> Grant {
    Grant {
        access: tokens.access.clone(),
        refresh: tokens.refresh.clone(),
        expires_at: tokens.expires_at,
        instance_url: tokens.instance_url.clone(),
        user_id: tokens.user_id.clone(),
        login_url: app.token_host.as_str().trim_end_matches('/').to_owned(),
    }
}

fn token(row: &SealedConnection, grant: &Grant) -> Token {
    Token {
        secret: grant.access.clone(),
        version: row.version,
        expires_at: grant.expires_at,
        instance_url: grant.instance_url.clone(),
        account_id: row.account_id.clone(),
        user_id: grant.user_id.clone(),
    }
}

/// Whether a refusal of the token endpoint is about the grant: nothing but a person helps.
fn is_final(error: &CrmError) -> bool {
    let about_grant = matches!(
        error.code.as_str(),
        "invalid_grant" | "BAD_REFRESH_TOKEN" | "invalid_app_access"
    );
    error.kind == ErrorKind::LoginRefused && about_grant
}

fn refused(code: &str, why: &str) -> CrmError {
    CrmError::new(ErrorKind::LoginRefused, code, why, Sent::No)
}

fn store_failed(error: StoreError) -> CrmError {
    let why = format!("the store failed while a token was renewed: {error}");
    CrmError::new(ErrorKind::Unavailable, "store", &why, Sent::No)
}

fn as_crm_error(error: KeeperError) -> CrmError {
    match error {
        KeeperError::Crm { error, .. } => error,
        KeeperError::Vault(VaultError::Store(error)) => store_failed(error),
        KeeperError::Vault(error) => refused("sealed", &error.to_string()),
        KeeperError::NotConnected(_) | KeeperError::OtherAccount { .. } => {
            refused("not-connected", &error.to_string())
        }
        KeeperError::Unusable { state, ref why, .. } => refused(state.as_str(), why),
    }
}
