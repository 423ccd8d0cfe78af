//! Connections: shown, made with static credentials, cut, and invited to by a link.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::SecretString;
use url::Url;

use super::Api;
use super::caller::{Caller, WorkspacePath};
use super::connect;
use super::dto::{
    Body, ConnectionJson, ConnectionsJson, InvitationJson, NewCredentials, NewInvitation,
    PrepareAsked, time,
};
use super::error::{ApiError, Code, Problem};
use super::webhooks::salesforce_path;
use crate::model::{Role, Side};
use crate::prepare::PreparedJson;
use crate::vault::Credentials;

const HOURS: f64 = 168.0;
const HOURS_MAX: f64 = 720.0;

fn side(text: &str) -> Result<Side, ApiError> {
    Side::parse(text).ok_or_else(|| ApiError::not_found("side (hubspot or salesforce)"))
}

/// Show both connections.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/connections",
    tag = "connections", params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = ConnectionsJson), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<ConnectionsJson>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Viewer)
        .await?;
    let mut items = Vec::new();
    for side in Side::BOTH {
        let found = api.store.sealed_connection(&workspace.id, side).await?;
        items.push(ConnectionJson::of(side, found));
    }
    // Whoever knows the address may send hints, so only those who may connect are shown it.
    let may_connect = caller.needs(Role::Operator).is_ok();
    let address = format!(
        "{}{}",
        api.base(),
        salesforce_path(&api.vault, &workspace.id)
    );
    Ok(Json(ConnectionsJson {
        items,
        outbound_messages_url: may_connect.then_some(address),
    }))
}

/// Connect a side with static credentials, which are tried before they are kept.
#[utoipa::path(put, path = "/v1/workspaces/{customer}/{environment}/connections/{side}",
    tag = "connections", request_body = NewCredentials,
    params(("customer" = String, Path), ("environment" = String, Path),
        ("side" = String, Path, pattern = "^(hubspot|salesforce)$")),
    responses((status = 200, body = ConnectionJson), (status = "4XX", body = Problem)))]
pub(super) async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, of)): Path<(String, String, String)>,
    Body(new): Body<NewCredentials>,
) -> Result<Json<ConnectionJson>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Operator)
        .await?;
    let (ws, side) = (&workspace.id, side(&of)?);
    let credentials = credentials(side, new)?;
    let account = api.keeper.account_of(side, &credentials).await?;
    api.keeper
        .connect(ws, side, &account, &[], &credentials)
        .await?;
    let detail = format!("static credentials, account {account}");
    api.note(Some(ws), &caller.actor, "connect", side.as_str(), &detail)
        .await?;
    api.service.reopen(ws);
    let found = api.store.sealed_connection(ws, side).await?;
    Ok(Json(ConnectionJson::of(side, found)))
}

/// Cut a connection: the grant is revoked, the credentials forgotten. The account stays bound, so
/// that only the same one can be connected again.
#[utoipa::path(delete, path = "/v1/workspaces/{customer}/{environment}/connections/{side}",
    tag = "connections",
    params(("customer" = String, Path), ("environment" = String, Path),
        ("side" = String, Path, pattern = "^(hubspot|salesforce)$")),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn cut(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, of)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Operator)
        .await?;
    let (ws, side) = (&workspace.id, side(&of)?);
    if !api
        .keeper
        .disconnect(ws, side, "it was disconnected by hand")
        .await?
    {
        return Err(ApiError::not_found("connection"));
    }
    api.note(Some(ws), &caller.actor, "disconnect", side.as_str(), "")
        .await?;
    api.service.reopen(ws);
    Ok(StatusCode::NO_CONTENT)
}

/// Make a connect link for the administrator of one side.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/connect-links",
    tag = "connections", request_body = NewInvitation,
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 201, body = InvitationJson), (status = "4XX", body = Problem)))]
pub(super) async fn invite(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(new): Body<NewInvitation>,
) -> Result<(StatusCode, Json<InvitationJson>), ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Operator)
        .await?;
    let unknown = || ApiError::bad("side is hubspot or salesforce");
    let side = Side::parse(&new.side).ok_or_else(unknown)?;
    let hours = new.hours.unwrap_or(HOURS);
    if !(1.0..=HOURS_MAX).contains(&hours) || hours.fract() != 0.0 {
        return Err(ApiError::bad(format!(
            "hours is a whole number from 1 to {HOURS_MAX}"
        )));
    }
    if api.keeper.apps.get(side).is_none() {
        let why = format!(
            "no {} app is configured; set {side}.client_id and {side}.client_secret, or connect \
             with static credentials",
            side.title()
        );
        return Err(ApiError::new(Code::NotConnected, why));
    }
    let ws = &workspace.id;
    let (link, url) = connect::invite(&api, ws, side, hours as u32).await?;
    let detail = format!("expires {}", link.expires_at);
    api.note(
        Some(ws),
        &caller.actor,
        "make connect link",
        side.as_str(),
        &detail,
    )
    .await?;
    let shown = InvitationJson {
        url,
        side: side.as_str(),
        expires_at: time(link.expires_at),
    };
    Ok((StatusCode::CREATED, Json(shown)))
}

fn credentials(side: Side, new: NewCredentials) -> Result<Credentials, ApiError> {
    let login = |text: &str| {
        let url = Url::parse(text).ok().filter(|url| {
            let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
            url.scheme() == "https" || (url.scheme() == "http" && local)
        });
        let wrong = || ApiError::bad("the address is one such as https://acme.my.salesforce.com");
        url.map(|url| url.as_str().trim_end_matches('/').to_owned())
            .ok_or_else(wrong)
    };
    match (side, new) {
        (Side::HubSpot, NewCredentials::Token { token, .. }) => Ok(Credentials::Token {
            url: String::new(),
            token: SecretString::from(token),
        }),
        (Side::HubSpot, _) => Err(ApiError::bad("HubSpot takes the kind `token`, or a link")),
        (Side::Salesforce, NewCredentials::Token { token, url }) => Ok(Credentials::Token {
            url: login(&url)?,
            token: SecretString::from(token),
        }),
        (
            Side::Salesforce,
            NewCredentials::ClientCredentials {
                login_url,
                client_id,
                client_secret,
            },
        ) => Ok(Credentials::ClientCredentials {
            login_url: login(&login_url)?,
            client_id,
            client_secret: SecretString::from(client_secret),
        }),
        (
            Side::Salesforce,
            NewCredentials::Jwt {
                login_url,
                client_id,
                username,
                private_key,
            },
        ) => Ok(Credentials::Jwt {
            login_url: login(&login_url)?,
            client_id,
            username,
            private_key: SecretString::from(private_key),
        }),
    }
}

/// Tell what both accounts lack for the workspace's mappings, and make what may be made.
///
/// `make` makes key fields and opens the mapped fields where that is permitted, and takes the role
/// admin; without it nothing is written.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/prepare",
    tag = "connections", request_body = PrepareAsked,
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = PreparedJson), (status = "4XX", body = Problem)))]
pub(super) async fn prepare(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(asked): Body<PrepareAsked>,
) -> Result<Json<PreparedJson>, ApiError> {
    let role = if asked.make {
        Role::Admin
    } else {
        Role::Operator
    };
    let workspace = api.enter(&caller, (&customer, &environment), role).await?;
    let ws = &workspace.id;
    let prepared = api
        .service
        .prepare(&workspace, asked.make, asked.package)
        .await?;
    if !prepared.made.done.is_empty() {
        let detail = format!("{} things", prepared.made.done.len());
        api.note(Some(ws), &caller.actor, "prepare", ws.as_str(), &detail)
            .await?;
        api.service.reopen(ws);
    }
    let shown = prepared.told().map_err(|error| ApiError::inside(&error))?;
    Ok(Json(shown))
}
