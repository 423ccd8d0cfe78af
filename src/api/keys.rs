//! Keys: made, listed, revoked.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::ExposeSecret;

use super::Api;
use super::caller::{Caller, WorkspacePath};
use super::dto::{Body, KeyJson, Listed, NewKey, NewManagementKey, Page, PageQuery, RotatedJson};
use super::error::{ApiError, Problem};
use crate::model::{KeyKind, Role, WorkspaceId};
use crate::store::ApiKey;

const NAME_CHARS: usize = 100;

/// List a workspace's keys, revoked ones included.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/keys", tag = "keys",
    params(("customer" = String, Path), ("environment" = String, Path), PageQuery),
    responses((status = 200, body = Listed<KeyJson>), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    page: Page,
) -> Result<Json<Listed<KeyJson>>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Admin)
        .await?;
    listed(&api, Some(&workspace.id), page).await
}

/// Make a key for a workspace. The answer shows it once.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/keys", tag = "keys",
    params(("customer" = String, Path), ("environment" = String, Path)), request_body = NewKey,
    responses((status = 201, body = KeyJson), (status = "4XX", body = Problem)))]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(new): Body<NewKey>,
) -> Result<(StatusCode, Json<KeyJson>), ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Admin)
        .await?;
    made(&api, &caller, Some(&workspace.id), new).await
}

/// Revoke a workspace's key.
#[utoipa::path(delete, path = "/v1/workspaces/{customer}/{environment}/keys/{id}", tag = "keys",
    params(("customer" = String, Path), ("environment" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, key)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Admin)
        .await?;
    revoked(&api, &caller, Some(&workspace.id), &key).await
}

/// List management keys.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(PageQuery),
    responses((status = 200, body = Listed<KeyJson>), (status = "4XX", body = Problem)))]
pub(super) async fn list_management(
    State(api): State<Arc<Api>>,
    caller: Caller,
    page: Page,
) -> Result<Json<Listed<KeyJson>>, ApiError> {
    caller.manages(Role::Admin)?;
    listed(&api, None, page).await
}

/// Make a management key, which opens every workspace. The answer shows it once.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = NewManagementKey,
    responses((status = 201, body = KeyJson), (status = "4XX", body = Problem)))]
pub(super) async fn create_management(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Body(new): Body<NewManagementKey>,
) -> Result<(StatusCode, Json<KeyJson>), ApiError> {
    caller.manages(Role::Admin)?;
    let new = NewKey {
        name: new.name,
        role: new.role,
        publishable: false,
    };
    made(&api, &caller, None, new).await
}

/// Revoke a management key.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn revoke_management(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(key): Path<String>,
) -> Result<StatusCode, ApiError> {
    caller.manages(Role::Admin)?;
    revoked(&api, &caller, None, &key).await
}

/// Read the key file again, and seal every workspace's data key anew with its first key.
#[utoipa::path(post, path = "/v1/keys/rotate", tag = "keys",
    responses((status = 200, body = RotatedJson), (status = "4XX", body = Problem)))]
pub(super) async fn rotate(
    State(api): State<Arc<Api>>,
    caller: Caller,
) -> Result<Json<RotatedJson>, ApiError> {
    caller.manages(Role::Admin)?;
    let sealed_anew = api.vault.rotate().await?;
    let detail = format!("{sealed_anew} data keys");
    api.note(None, &caller.actor, "rotate", "vault", &detail)
        .await?;
    Ok(Json(RotatedJson { sealed_anew }))
}

async fn listed(
    api: &Api,
    ws: Option<&WorkspaceId>,
    page: Page,
) -> Result<Json<Listed<KeyJson>>, ApiError> {
    let after = page.cursor.unwrap_or_default();
    let rows = api.store.api_keys(ws, &after, page.limit).await?;
    let id = |key: &ApiKey| key.id.clone();
    Ok(Json(Listed::of(rows, page.limit, id, KeyJson::from)))
}

async fn made(
    api: &Api,
    caller: &Caller,
    ws: Option<&WorkspaceId>,
    new: NewKey,
) -> Result<(StatusCode, Json<KeyJson>), ApiError> {
    let name = new.name.trim();
    if name.is_empty()
        || new.name.chars().count() > NAME_CHARS
        || new.name.chars().any(char::is_control)
    {
        return Err(ApiError::bad("name is a text of 1 to 100 characters"));
    }
    let unknown = || ApiError::bad("role is viewer, operator or admin");
    let role = Role::parse(&new.role).ok_or_else(unknown)?;
    // Nobody hands out more than they hold.
    caller.needs(role)?;
    let (kind, role) = match (ws, new.publishable) {
        (None, _) => (KeyKind::Management, role),
        (Some(_), false) => (KeyKind::Workspace, role),
        (Some(_), true) => (KeyKind::Publishable, Role::Viewer),
    };
    let (key, text) = api.make_key(ws, kind, role, name).await?;
    let detail = format!("{} {}: {name}", kind.as_str(), role.as_str());
    api.note(ws, &caller.actor, "create key", &key.id, &detail)
        .await?;
    let mut shown = KeyJson::from(key);
    shown.key = Some(text.expose_secret().to_owned());
    Ok((StatusCode::CREATED, Json(shown)))
}

async fn revoked(
    api: &Api,
    caller: &Caller,
    ws: Option<&WorkspaceId>,
    key: &str,
) -> Result<StatusCode, ApiError> {
    if !api.store.revoke_api_key(ws, key).await? {
        return Err(ApiError::not_found("key that is in use"));
    }
    api.note(ws, &caller.actor, "revoke key", key, "").await?;
    Ok(StatusCode::NO_CONTENT)
}
