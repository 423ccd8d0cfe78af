//! Who calls: the key of a request, what it opens, and what its holder may do.
//!
//! A key's text is `tdm_<id>_<secret>`; only a hash of the secret is stored. Whatever lies in
//! another workspace is "not found" and never "forbidden", so that no key tells what exists.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};

use super::Api;
use super::error::{ApiError, Code};
use crate::model::{KeyKind, Role, Timestamp, Workspace, WorkspaceId};
use crate::store::{AccessEntry, ApiKey};
use crate::vault;

const PREFIX: &str = "tdm_";
/// The use of a key is noted this often at most.
const USE_MILLIS: i64 = 60_000;

/// The holder of a good key, or whoever runs a command on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// For the access log: the key's id and name.
    pub actor: String,
    pub kind: KeyKind,
    /// `None`: every workspace.
    pub workspace: Option<WorkspaceId>,
    pub role: Role,
}

impl Caller {
    /// Somebody who has the store and its key at hand.
    pub fn operator() -> Self {
        Self {
            actor: "command line".to_owned(),
            kind: KeyKind::Management,
            workspace: None,
            role: Role::Admin,
        }
    }

    pub fn of(key: &ApiKey) -> Self {
        Self {
            actor: format!("{} ({})", key.id, key.name),
            kind: key.kind,
            workspace: key.workspace.clone(),
            role: key.role,
        }
    }

    pub fn needs(&self, role: Role) -> Result<(), ApiError> {
        if self.kind == KeyKind::Publishable {
            let why = "a publishable key may only send events";
            return Err(ApiError::new(Code::Forbidden, why));
        }
        if self.role < role {
            let why = format!(
                "this takes the role {}; the key has the role {}",
                role.as_str(),
                self.role.as_str()
            );
            return Err(ApiError::new(Code::Forbidden, why));
        }
        Ok(())
    }

    /// For what concerns all workspaces.
    pub fn manages(&self, role: Role) -> Result<(), ApiError> {
        if self.kind != KeyKind::Management {
            return Err(ApiError::new(
                Code::Forbidden,
                "this takes a management key",
            ));
        }
        self.needs(role)
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = ApiError;

    /// The front has found out who calls, and put it there.
    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>();
        caller.cloned().ok_or_else(ApiError::unauthenticated)
    }
}

/// The key's text in a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim())
}

/// The id in a key's text, and the secret.
fn parts_of(text: &str) -> Option<(&str, &str)> {
    let parts = text.strip_prefix(PREFIX)?.split_once('_');
    parts.filter(|(id, _)| id.len() <= 64)
}

/// The id in a key's text, which need not be good.
pub fn id_of(text: &str) -> Option<&str> {
    Some(parts_of(text)?.0)
}

/// The workspace that a path names, as two segments.
pub type WorkspacePath = Path<(String, String)>;

/// A workspace and something in it.
pub type ItemPath = Path<(String, String, String)>;

impl Api {
    /// The workspace of a path, for a caller who may do this there.
    pub async fn enter(
        &self,
        caller: &Caller,
        (customer, environment): (&str, &str),
        role: Role,
    ) -> Result<Workspace, ApiError> {
        let missing = || ApiError::not_found("workspace");
        let ws = WorkspaceId::parse(&format!("{customer}/{environment}")).ok_or_else(missing)?;
        if caller.workspace.as_ref().is_some_and(|own| *own != ws) {
            return Err(missing());
        }
        caller.needs(role)?;
        self.store.workspace(&ws).await?.ok_or_else(missing)
    }

    /// Makes a key and answers its text, which is shown this once.
    pub async fn make_key(
        &self,
        workspace: Option<&WorkspaceId>,
        kind: KeyKind,
        role: Role,
        name: &str,
    ) -> Result<(ApiKey, SecretString), ApiError> {
        let id = self.ids.next();
        let secret = vault::random_text();
        let key = ApiKey {
            id: id.clone(),
            workspace: workspace.cloned(),
            kind,
            role,
            name: name.to_owned(),
            hash: vault::hash(secret.expose_secret()),
            created_at: self.clock.now(),
            used_at: None,
            revoked_at: None,
        };
        self.store.put_api_key(&key).await?;
        let text = SecretString::from(format!("{PREFIX}{id}_{}", secret.expose_secret()));
        Ok((key, text))
    }

    /// The key of this text, if it is good.
    pub async fn key_of(&self, text: &str) -> Result<Option<ApiKey>, ApiError> {
        let Some((id, secret)) = parts_of(text) else {
            return Ok(None);
        };
        let Some(key) = self.store.api_key(id).await? else {
            return Ok(None);
        };
        let good = vault::same_hash(&key.hash, &vault::hash(secret));
        if !good || key.revoked_at.is_some() {
            return Ok(None);
        }
        let now = self.clock.now();
        let recent = |at: Timestamp| now.millis_since(at) < USE_MILLIS;
        if !key.used_at.is_some_and(recent) {
            self.store.api_key_used(&key, now).await?;
        }
        Ok(Some(key))
    }

    /// Notes who changed what. `ws` is `None` for what concerns no single workspace.
    pub async fn note(
        &self,
        ws: Option<&WorkspaceId>,
        actor: &str,
        action: &str,
        target: &str,
        detail: &str,
    ) -> Result<(), ApiError> {
        let entry = AccessEntry {
            id: format!("acc_{}", self.ids.next()),
            made_at: self.clock.now(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            detail: detail.to_owned(),
        };
        Ok(self.store.log_access(ws, &entry).await?)
    }
}
