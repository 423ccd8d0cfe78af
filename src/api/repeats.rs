//! `Idempotency-Key`: a POST that is sent again is answered as it was answered before.
//!
//! What is kept of an answer may be a key or a link that is shown once, so it is sealed like every
//! other secret and opens for nobody but the same caller with the same request. Keeping no such
//! answer would make the header useless where it matters most: a key whose answer was lost is a key
//! nobody knows. Only what did something is kept; a request that was refused may be corrected and
//! sent again under the same name.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use tracing::Instrument;

use super::error::{ApiError, Code};
use super::{Api, TIME_OUT, trace};
use crate::model::{Timestamp, WorkspaceId};
use crate::store::{ApiKey, Begun, Repeat};
use crate::vault;

pub(super) const HEADER: &str = "Idempotency-Key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const NAME_BYTES: usize = 255;
/// Longer than any request takes. Afterwards its process must have died over it.
const UNDER_WAY_MILLIS: i64 = 60_000;
const KEPT_MILLIS: i64 = 24 * 3_600_000;
/// From one clearing of all workspaces to the next.
const CLEAR_MILLIS: i64 = 3_600_000;
/// The most that is read before it is known whether the request came before. Its handler may take
/// less.
const REQUEST_CAP: usize = 16 * 1024 * 1024;
/// More than any answer to a POST has.
const ANSWER_CAP: usize = 1024 * 1024;

/// When old answers were last cleared away, in milliseconds.
#[derive(Debug, Default)]
pub struct Cleared(AtomicI64);

impl Cleared {
    /// True for one of those who ask within an hour.
    fn is_due(&self, now: Timestamp) -> bool {
        let (was, now) = (self.0.load(Ordering::Relaxed), now.millis());
        let due = now - was >= CLEAR_MILLIS;
        let order = Ordering::Relaxed;
        due && self.0.compare_exchange(was, now, order, order).is_ok()
    }
}

/// Runs a POST once for each name that its caller gives it. Without a name it just runs.
pub(super) async fn once(
    api: &Arc<Api>,
    key: &ApiKey,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(name) = name(request.headers())?.map(vault::hash) else {
        return Ok(next.run(request).await);
    };
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, REQUEST_CAP)
        .await
        .map_err(|_| ApiError::new(Code::TooLarge, "the body is over 16 MiB"))?;
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    // What is no UTF-8 is no JSON either; its handler refuses it.
    let said = format!("{path}\n{}", String::from_utf8_lossy(&body));
    let of = Repeat {
        ws: place(key, parts.uri.path()),
        caller: key.id.clone(),
        name,
        request: vault::hash(&said),
    };
    if api.cleared.is_due(api.clock.now()) {
        api.store.clear_repeats().await?;
    }
    let until = match api.store.begin_repeat(&of, UNDER_WAY_MILLIS).await? {
        Begun::Mine { until } => until,
        Begun::UnderWay => {
            let why = "a request with this Idempotency-Key is still under way; try again";
            return Err(ApiError::new(Code::UnderWay, why));
        }
        Begun::Different => {
            let why = "this Idempotency-Key was sent with another request; take a new one";
            return Err(ApiError::new(Code::KeyReused, why));
        }
        Begun::Answered { status, sealed } => return replayed(api, &of, status, &sealed).await,
    };
    let request = Request::from_parts(parts, Body::from(body));
    let api = Arc::clone(api);
    // A task of its own: whoever hangs up now and sends it again shall find the answer.
    let run = async move { run(&api, &of, until, request, next).await };
    let run = trace::along(trace::request_id(), run).in_current_span();
    match tokio::spawn(run).await {
        Ok(answered) => answered,
        Err(broken) => match broken.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The process ends.
            Err(_) => Err(ApiError::too_long()),
        },
    }
}

/// Runs the request, and keeps the answer if it did something.
async fn run(
    api: &Api,
    of: &Repeat,
    until: Timestamp,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let response = match tokio::time::timeout(TIME_OUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::too_long().into_response(),
    };
    if !response.status().is_success() {
        if let Err(error) = api.store.drop_repeat(of, until).await {
            tracing::warn!(%error, "a name stays taken for a minute");
        }
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, ANSWER_CAP).await;
    let body = body.map_err(|_| ApiError::too_long())?;
    // It was done: that it could not be kept must not look like a failure of it.
    if let Err(error) = keep(api, of, until, parts.status, &body).await {
        tracing::error!(error = error.detail, "an answer could not be kept");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

async fn keep(
    api: &Api,
    of: &Repeat,
    until: Timestamp,
    status: StatusCode,
    body: &Bytes,
) -> Result<(), ApiError> {
    let text = SecretString::from(String::from_utf8_lossy(body).into_owned());
    let sealed = api.vault.seal(&of.ws, &sealed_at(of), &text).await?;
    let status = status.as_u16();
    let kept = api
        .store
        .end_repeat(of, until, status, &sealed, KEPT_MILLIS)
        .await?;
    if !kept {
        tracing::warn!("an answer came too late to be kept");
    }
    Ok(())
}

async fn replayed(api: &Api, of: &Repeat, status: u16, sealed: &str) -> Result<Response, ApiError> {
    let text = api.vault.unseal(&of.ws, &sealed_at(of), sealed).await?;
    let body = text.expose_secret().to_owned();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let json = HeaderValue::from_static("application/json");
    let mut response = if body.is_empty() {
        status.into_response()
    } else {
        (status, [(header::CONTENT_TYPE, json)], body).into_response()
    };
    let yes = HeaderValue::from_static("true");
    response.headers_mut().insert(REPLAYED, yes);
    Ok(response)
}

fn sealed_at(of: &Repeat) -> String {
    format!("repeat/{}/{}", of.caller, of.name)
}

/// The name that a request was given.
fn name(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut given = headers.get_all(HEADER).iter();
    let Some(first) = given.next() else {
        return Ok(None);
    };
    let plain = |text: &&str| {
        (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    };
    let found = first.to_str().ok().filter(plain);
    match (found, given.next()) {
        (Some(name), None) => Ok(Some(name)),
        _ => Err(ApiError::bad(
            "Idempotency-Key is one text of 1 to 255 visible ASCII characters",
        )),
    }
}

/// The workspace that a request is about, so that what is kept goes when it is deleted; the one
/// without a name where it is about none.
fn place(key: &ApiKey, path: &str) -> WorkspaceId {
    if let Some(own) = &key.workspace {
        return own.clone();
    }
    let mut parts = path
        .strip_prefix("/v1/workspaces/")
        .unwrap_or_default()
        .split('/');
    let named = parts.next().zip(parts.next());
    named
        .and_then(|(customer, environment)| {
            WorkspaceId::parse(&format!("{customer}/{environment}"))
        })
        .unwrap_or_else(|| WorkspaceId::new(""))
}
