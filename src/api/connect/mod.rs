//! Connect links: a page for an administrator, the way to the CRM's consent and back.
//!
//! A link is signed, expires, and is used up by a completed authorisation: mail scanners open
//! links, so opening one does nothing. The way to the CRM begins with a form and a cookie; whoever
//! comes back without that cookie is turned away.

mod page;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Api;
use super::error::ApiError;
use crate::crm::oauth::App;
use crate::model::{Side, Timestamp, WorkspaceId};
use crate::store::{Authorization, ConnectLink};
use crate::vault::{self, Granted, KeeperError};

use page::{Answer, LinkState, View};

const COOKIE: &str = "tandem_connect";
/// From the button to the consent and back.
const WITHIN_MILLIS: i64 = 30 * 60_000;
const HOUR_MILLIS: i64 = 3_600_000;
const LINK: &str = "connect link";
const STATE: &str = "oauth state";

pub fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/connect/style.css", get(page::style))
        .route("/connect/callback/{side}", get(come_back))
        .route("/connect/{token}", get(show))
        .route("/connect/{token}/start", post(start))
}

/// What a link says; its row knows the rest.
#[derive(Serialize, Deserialize)]
struct Named {
    ws: WorkspaceId,
    id: String,
}

/// What is sealed until the browser comes back.
#[derive(Serialize, Deserialize)]
struct Kept {
    verifier: String,
    login_url: String,
}

/// Makes a link for one side, and its address.
pub async fn invite(
    api: &Api,
    ws: &WorkspaceId,
    side: Side,
    hours: u32,
) -> Result<(ConnectLink, String), ApiError> {
    let now = api.clock.now();
    let link = ConnectLink {
        id: api.ids.next(),
        side,
        created_at: now,
        expires_at: now.plus_millis(i64::from(hours) * HOUR_MILLIS),
        used_at: None,
    };
    api.store.put_connect_link(ws, &link).await?;
    let url = address(api, ws, &link.id);
    Ok((link, url))
}

fn address(api: &Api, ws: &WorkspaceId, id: &str) -> String {
    let named = Named {
        ws: ws.clone(),
        id: id.to_owned(),
    };
    let text = serde_json::to_string(&named).unwrap_or_default();
    format!("{}connect/{}", api.base(), api.vault.sign(LINK, &text))
}

/// The link that an address names, with its workspace.
async fn link_of(api: &Api, token: &str) -> Result<Option<(WorkspaceId, ConnectLink)>, ApiError> {
    let named = api.vault.verify(LINK, token);
    let Some(named) = named.and_then(|text| serde_json::from_str::<Named>(&text).ok()) else {
        return Ok(None);
    };
    let link = api.store.connect_link(&named.ws, &named.id).await?;
    Ok(link.map(|link| (named.ws, link)))
}

fn state_of(link: &ConnectLink, now: Timestamp) -> LinkState {
    if link.used_at.is_some() {
        LinkState::Used
    } else if link.expires_at <= now {
        LinkState::Expired
    } else {
        LinkState::Open
    }
}

async fn show(
    State(api): State<Arc<Api>>,
    Path(token): Path<String>,
) -> Result<Response, ApiError> {
    let Some((ws, link)) = link_of(&api, &token).await? else {
        return Ok(page::answer(
            &api,
            StatusCode::NOT_FOUND,
            &Answer::unknown_link(),
        ));
    };
    let connection = api.store.sealed_connection(&ws, link.side).await?;
    let app = api.keeper.apps.get(link.side).as_ref();
    let wanted = match link.side {
        Side::HubSpot => api.service.needed_scopes(&ws).await?,
        Side::Salesforce => app.map(|app| app.scopes.clone()).unwrap_or_default(),
    };
    Ok(page::connect(
        &api,
        &View {
            ws: &ws,
            side: link.side,
            token: &token,
            link: state_of(&link, api.clock.now()),
            connection: connection.as_ref(),
            wanted: &wanted,
        },
    ))
}

#[derive(Deserialize)]
struct StartForm {
    /// Salesforce: production, sandbox, or the org's own address.
    #[serde(default)]
    host: String,
    #[serde(default)]
    domain: String,
}

async fn start(
    State(api): State<Arc<Api>>,
    Path(token): Path<String>,
    Form(form): Form<StartForm>,
) -> Result<Response, ApiError> {
    let Some((ws, link)) = link_of(&api, &token).await? else {
        return Ok(page::answer(
            &api,
            StatusCode::NOT_FOUND,
            &Answer::unknown_link(),
        ));
    };
    if state_of(&link, api.clock.now()) != LinkState::Open {
        return Ok(Redirect::to(&address(&api, &ws, &link.id)).into_response());
    }
    let Some(login_url) = login_url(&api, link.side, &form) else {
        let answer = Answer::wrong_domain(&address(&api, &ws, &link.id));
        return Ok(page::answer(&api, StatusCode::BAD_REQUEST, &answer));
    };
    let app = api.keeper.app_at(link.side, &login_url).ok_or_else(|| {
        let why = format!("no {} app is configured here", link.side.title());
        ApiError::new(super::Code::NotConnected, why)
    })?;
    let Some(app) = asking(&api, &ws, app).await? else {
        let answer = Answer::not_ready(&address(&api, &ws, &link.id));
        return Ok(page::answer(&api, StatusCode::CONFLICT, &answer));
    };
    let id = api.ids.next();
    let named = Named {
        ws: ws.clone(),
        id: id.clone(),
    };
    let state = api
        .vault
        .sign(STATE, &serde_json::to_string(&named).unwrap_or_default());
    let begun = app.begin(&state);
    let kept = Kept {
        verifier: begun.verifier.expose_secret().to_owned(),
        login_url,
    };
    let kept = SecretString::from(serde_json::to_string(&kept).unwrap_or_default());
    let sealed = api.vault.seal(&ws, &place(&id), &kept).await?;
    let browser = vault::random_text();
    let authorization = Authorization {
        id,
        link: link.id,
        side: link.side,
        sealed,
    };
    let until = api.clock.now().plus_millis(WITHIN_MILLIS);
    let hash = vault::hash(browser.expose_secret());
    api.store
        .put_authorization(&ws, &authorization, &hash, until)
        .await?;
    let mut response = Redirect::to(begun.url.as_str()).into_response();
    set_cookie(
        &api,
        &mut response,
        browser.expose_secret(),
        WITHIN_MILLIS / 1_000,
    );
    Ok(response)
}

/// The app with the scopes that this workspace's account is asked for; `None` where these are not
/// known, because mappings have faults.
async fn asking(api: &Api, ws: &WorkspaceId, mut app: App) -> Result<Option<App>, ApiError> {
    if app.side == Side::HubSpot {
        let said = api.app_scopes().unwrap_or_default();
        let Some(asked) = api.service.scopes_to_ask(ws, said).await? else {
            return Ok(None);
        };
        (app.scopes, app.optional_scopes) = (asked.required, asked.optional);
    }
    Ok(Some(app))
}

fn place(id: &str) -> String {
    format!("authorization/{id}")
}

fn set_cookie(api: &Api, response: &mut Response, value: &str, seconds: i64) {
    let secure = if api.public_url.scheme() == "https" {
        "; Secure"
    } else {
        ""
    };
    let path = api.public_url.path().trim_end_matches('/');
    let text = format!(
        "{COOKIE}={value}; Path={path}/connect; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    );
    if let Ok(cookie) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Where Salesforce's administrator logs in. A domain is taken only below Salesforce's own, or it
/// could send the administrator, and our secret, anywhere.
fn login_url(api: &Api, side: Side, form: &StartForm) -> Option<String> {
    let configured = match api.keeper.apps.get(side) {
        Some(app) => app.token_host.as_str().trim_end_matches('/').to_owned(),
        None => String::new(),
    };
    match (side, form.host.as_str()) {
        (Side::HubSpot, _) | (Side::Salesforce, "" | "production") => Some(configured),
        (Side::Salesforce, "sandbox") => Some("https://test.salesforce.com".to_owned()),
        (Side::Salesforce, "domain") => {
            let text = form.domain.trim();
            let text = text
                .strip_prefix("https://")
                .unwrap_or(text)
                .trim_end_matches('/');
            let url = Url::parse(&format!("https://{text}")).ok()?;
            let host = url.host_str()?;
            let theirs = [".my.salesforce.com", ".my.sfcrmproducts.cn"];
            let plain = url.path() == "/" && url.port().is_none() && url.username().is_empty();
            let good =
                plain && url.query().is_none() && theirs.iter().any(|end| host.ends_with(end));
            good.then(|| format!("https://{host}"))
        }
        (Side::Salesforce, _) => None,
    }
}

#[derive(Deserialize)]
struct CallbackQuery {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    #[serde(default)]
    error_description: String,
}

async fn come_back(
    State(api): State<Arc<Api>>,
    Path(side): Path<String>,
    Query(query): Query<CallbackQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let turned_away = || page::answer(&api, StatusCode::BAD_REQUEST, &Answer::not_begun_here());
    let named = api.vault.verify(STATE, &query.state);
    let Some(named) = named.and_then(|text| serde_json::from_str::<Named>(&text).ok()) else {
        return Ok(turned_away());
    };
    let Some(browser) = cookie(&headers).map(vault::hash) else {
        return Ok(turned_away());
    };
    let (ws, id) = (named.ws, named.id);
    let begun = api.store.take_authorization(&ws, &id, &browser).await?;
    let Some(begun) = begun.filter(|begun| begun.side.as_str() == side) else {
        return Ok(turned_away());
    };
    let answer = match (&query.code, &query.error) {
        (Some(code), None) => complete(&api, &ws, &begun, code).await?,
        (_, error) => {
            let error = error.as_deref().unwrap_or("no code");
            Err(Answer::refused(begun.side, error, &query.error_description))
        }
    };
    let link = address(&api, &ws, &begun.link);
    let mut response = match answer {
        // The code stays out of the browser's history.
        Ok(()) => Redirect::to(&link).into_response(),
        Err(answer) => page::answer(&api, StatusCode::OK, &answer.again(&link)),
    };
    set_cookie(&api, &mut response, "", 0);
    Ok(response)
}

/// Exchanges the code, uses the link up, and keeps the grant; or says why not.
async fn complete(
    api: &Api,
    ws: &WorkspaceId,
    begun: &Authorization,
    code: &str,
) -> Result<Result<(), Answer>, ApiError> {
    let side = begun.side;
    let kept = api
        .vault
        .unseal(ws, &place(&begun.id), &begun.sealed)
        .await?;
    let kept: Option<Kept> = serde_json::from_str(kept.expose_secret()).ok();
    let app = kept
        .as_ref()
        .and_then(|kept| api.keeper.app_at(side, &kept.login_url));
    let (Some(kept), Some(app)) = (kept, app) else {
        return Ok(Err(Answer::not_begun_here()));
    };
    let verifier = SecretString::from(kept.verifier);
    let granted = match api.keeper.exchange(&app, code, &verifier).await {
        Ok(granted) => granted,
        Err(KeeperError::Crm { error, .. }) => {
            return Ok(Err(Answer::refused(side, &error.code, &error.message)));
        }
        Err(error) => return Err(error.into()),
    };
    match keep(api, ws, begun, &granted).await? {
        Ok(()) => Ok(Ok(())),
        Err(answer) => {
            api.keeper.give_back(&app, &granted).await;
            Ok(Err(answer))
        }
    }
}

async fn keep(
    api: &Api,
    ws: &WorkspaceId,
    begun: &Authorization,
    granted: &Granted,
) -> Result<Result<(), Answer>, ApiError> {
    let side = begun.side;
    let known = api.store.connections(ws).await?;
    if let Some(bound) = known.get(side)
        && bound.account_id != granted.account_id
    {
        let (bound, given) = (&bound.account_id, &granted.account_id);
        return Ok(Err(Answer::wrong_account(side, bound, given)));
    }
    // Used up before the grant is kept: of two browsers with one link the first one counts.
    if !api.store.use_connect_link(ws, &begun.link).await? {
        return Ok(Err(Answer::link_used()));
    }
    let (account, scopes) = (&granted.account_id, &granted.scopes);
    api.keeper
        .connect(ws, side, account, scopes, &granted.credentials)
        .await?;
    let actor = format!("connect link {}", begun.link);
    let detail = format!("account {account}");
    api.note(Some(ws), &actor, "connect", side.as_str(), &detail)
        .await?;
    api.service.reopen(ws);
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others_and_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        let text = "a=b; tandem_connect_x=no; tandem_connect=yes";
        headers.insert(header::COOKIE, HeaderValue::from_static(text));
        assert_eq!(cookie(&headers), Some("yes"));
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("xtandem_connect=no"),
        );
        assert_eq!(cookie(&headers), None);
    }
}
