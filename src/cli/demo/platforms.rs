//! The hosts that each platform has once for all its customers, in front of the simulated accounts.
//!
//! Every portal is called at one address, and every organisation's people log in at one. A request
//! is handed to the account whose token or code it shows; nothing of it is read or changed beyond
//! that, but for the address by which an organisation knows itself.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::sim::hubspot::HubSpotSim;
use crate::sim::salesforce::SalesforceSim;
use crate::sim::{Running, serve};

use super::super::sim::Simulators;

/// More than any form of OAuth needs.
const FORM_CAP: usize = 64 * 1024;
/// The fields of a form that say whose request it is.
const SECRETS: [&str; 3] = ["code", "refresh_token", "token"];

/// One customer's portal and organisation.
struct Account {
    hubspot: HubSpotSim,
    salesforce: SalesforceSim,
    /// The organisation's own address, which it tells to whoever logs in.
    salesforce_host: HeaderValue,
}

/// Opens the common host of both platforms on a free port; the first of `customers` is asked where
/// a request names nobody, such as a page that a browser opens.
///
/// # Errors
/// When no port is free.
pub async fn open(customers: &[&Simulators]) -> anyhow::Result<Running> {
    let account = |one: &&Simulators| {
        let host = one.salesforce_url.trim_start_matches("http://");
        Ok(Account {
            hubspot: one.hubspot.clone(),
            salesforce: one.salesforce.clone(),
            salesforce_host: HeaderValue::from_str(host)?,
        })
    };
    let accounts: Vec<Account> = customers
        .iter()
        .map(account)
        .collect::<anyhow::Result<_>>()?;
    let router = Router::new().fallback(pass).with_state(Arc::new(accounts));
    Ok(serve(router, 0).await?)
}

async fn pass(State(accounts): State<Arc<Vec<Account>>>, request: Request) -> Response {
    let (mut head, mut body) = request.into_parts();
    let mut secrets: Vec<String> = bearer(&head.headers).into_iter().collect();
    if is_form(&head.headers) {
        let Ok(bytes) = to_bytes(body, FORM_CAP).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let fields = url::form_urlencoded::parse(&bytes);
        let named = fields.filter(|(name, _)| SECRETS.contains(&name.as_ref()));
        secrets.extend(named.map(|(_, value)| value.into_owned()));
        body = Body::from(bytes);
    }
    let salesforce = head.uri.path().starts_with("/services/");
    let knows = |account: &&Account| {
        secrets.iter().any(|secret| match salesforce {
            true => account.salesforce.knows(secret),
            false => account.hubspot.knows(secret),
        })
    };
    let Some(account) = accounts.iter().find(knows).or(accounts.first()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let router = if salesforce {
        let own = account.salesforce_host.clone();
        head.headers.insert(header::HOST, own);
        account.salesforce.router()
    } else {
        account.hubspot.router()
    };
    match router.oneshot(Request::from_parts(head, body)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = scheme.eq_ignore_ascii_case("bearer").then_some(token)?;
    Some(token.trim().to_owned())
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}
