//! How a request leaves and a reply comes back, over the network or straight into a router.
//!
//! Every request of both clients goes through [`Transport::send`] and nowhere else. It bounds time
//! and size and turns each failure of the transport into a [`CrmError`]; what a status or a body
//! means is the business of the platform's own client. Bodies and tokens are never logged.

use std::fmt;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tower::ServiceExt;
use tracing::Instrument;
use tracing::field::Empty;
use url::Url;

use super::json::Bounded;
use super::{CrmError, ErrorKind, Sent};
use crate::model::Timestamp;

/// A larger body is not read to its end. Two thousand wide Salesforce rows stay well below.
pub const BODY_CAP: usize = 16 * 1024 * 1024;
/// A refusal of two hundred rows, each with its duplicates, stays below.
const REFUSAL_CAP: usize = 1024 * 1024;
/// Shorter than a lane's lease, so that a reply is never acted on after the lease was lost.
const TIME_OUT: Duration = Duration::from_secs(20);
const CONNECT_TIME_OUT: Duration = Duration::from_secs(5);
/// No platform asks for more; a larger figure is a mistake that would park a connection for ever.
const RETRY_AFTER_CAP_S: i64 = 24 * 3_600;

#[derive(Clone, Debug)]
pub enum Transport {
    Network(reqwest::Client),
    /// A simulator in this process: no socket, no timer, one poll after another.
    InProcess(Router),
}

/// A request that is complete, token included. Its `Debug` shows no body and no query: a login
/// carries its secret there.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    /// May change something at the other end: decides what a lost reply means.
    pub writes: bool,
}

/// An answer of any status. Its `Debug` shows no body: a login's holds the token.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What a reply that cannot be read means for what was asked.
    pub unreadable: Sent,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url.path())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} bytes", self.status, self.body.len())
    }
}

impl Request {
    pub fn new(method: Method, url: Url, writes: bool) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            writes,
        }
    }

    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        let name = HeaderName::from_static(name);
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// The other side refuses what it was asked for when the record was changed later than this.
    pub fn unless_changed_since(mut self, at: Timestamp) -> Self {
        let date = at.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(value) = HeaderValue::from_str(&date) {
            self.headers
                .insert(http::header::IF_UNMODIFIED_SINCE, value);
        }
        self
    }

    /// Fails when the token holds characters that no header can carry.
    pub fn bearer(mut self, token: &SecretString) -> Result<Self, CrmError> {
        let text = format!("Bearer {}", token.expose_secret());
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            let message = "the access token holds characters that a header cannot carry; \
                           check for line breaks or quotes around it";
            CrmError::new(ErrorKind::LoginRefused, "bad-token", message, Sent::No)
        })?;
        value.set_sensitive(true);
        self.headers.insert(http::header::AUTHORIZATION, value);
        Ok(self)
    }

    pub fn json(mut self, body: Vec<u8>) -> Self {
        self.body = Some(Bytes::from(body));
        self.header("content-type", "application/json")
    }

    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.body = Some(Bytes::from(body));
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    fn lost(&self) -> Sent {
        if self.writes {
            Sent::Unknown
        } else {
            Sent::Yes
        }
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.trim().parse().ok()
    }

    /// Reads the body as data. HTML, a cut body or another shape is an error, never data.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CrmError> {
        let typed = self.header(CONTENT_TYPE.as_str());
        if typed.is_some_and(|kind| !kind.to_ascii_lowercase().contains("json")) {
            let kind = typed.unwrap_or_default();
            return Err(self.broken(&format!("the body is {kind}, not JSON")));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            // The parser's own text may quote the body; its place and category do not.
            let (line, column) = (error.line(), error.column());
            self.broken(&format!(
                "the body is no JSON of the expected shape (line {line}, column {column})"
            ))
        })
    }

    /// Reads a body that is one list.
    pub fn list<T: DeserializeOwned>(&self) -> Result<Vec<T>, CrmError> {
        Ok(self.json::<Bounded<T>>()?.0)
    }

    /// The body of a refusal, as far as it is one. A refusal says little; anything long is a page
    /// of somebody between us and the platform.
    pub fn refusal(&self) -> serde_json::Value {
        if self.body.len() > REFUSAL_CAP {
            return serde_json::Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn broken(&self, message: &str) -> CrmError {
        CrmError {
            status: Some(self.status),
            ..CrmError::broken(message, self.unreadable)
        }
    }

    /// The moment named by `Retry-After`, in seconds or as a date.
    pub fn retry_after(&self, now: Timestamp) -> Option<Timestamp> {
        let text = self.header(RETRY_AFTER.as_str())?.trim();
        let seconds = match text.parse::<f64>() {
            Ok(seconds) if seconds.is_finite() => seconds.ceil() as i64,
            Ok(_) => return None,
            Err(_) => {
                let at = chrono::DateTime::parse_from_rfc2822(text).ok()?;
                let at = Timestamp::from_utc(at.to_utc());
                at.millis_since(now).div_euclid(1_000) + 1
            }
        };
        Some(now.plus_millis(seconds.clamp(0, RETRY_AFTER_CAP_S) * 1_000))
    }

    /// The server's clock, to the second.
    pub fn server_time(&self) -> Option<Timestamp> {
        let at = chrono::DateTime::parse_from_rfc2822(self.header("date")?).ok()?;
        Timestamp::of_calendar(at.to_utc())
    }
}

impl Transport {
    pub fn network() -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(TIME_OUT)
            .connect_timeout(CONNECT_TIME_OUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .gzip(true)
            .tcp_nodelay(true)
            .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self::Network(client))
    }

    /// Sends one request and reads the reply whole. Any status is a reply; an error means that
    /// none was read. No retry, no redirect.
    pub async fn send(&self, request: Request) -> Result<Reply, CrmError> {
        let (method, path) = (request.method.clone(), request.url.path().to_owned());
        let (route, status) = (route(&path), Empty);
        let span = tracing::debug_span!("call", otel.kind = "client", %method, route, status);
        let outcome = async {
            match self {
                Self::Network(client) => over_network(client, request).await,
                Self::InProcess(router) => in_process(router, request).await,
            }
        };
        let outcome = outcome.instrument(span.clone()).await;
        match &outcome {
            Ok(reply) => {
                span.record("status", reply.status);
                let id = correlation_id(reply).unwrap_or_default();
                tracing::debug!(%method, path, status = reply.status, id, "answered");
            }
            Err(error) => tracing::debug!(%method, path, code = error.code, "not answered"),
        }
        outcome
    }
}

/// A path without the ids in it: a part with a digit stands for any, unless it is a version.
fn route(path: &str) -> String {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let word = |text: &str| {
        let letter = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-');
        text.bytes().all(letter)
    };
    let part = |part: &str| {
        let version = match part.split_once('-') {
            Some((year, month)) => (year.len(), month.len()) == (4, 2) && digits(year),
            None => part.strip_prefix('v').is_some_and(digits),
        };
        match version || word(part) {
            true => part.to_owned(),
            false => "{id}".to_owned(),
        }
    };
    let parts: Vec<String> = path.split('/').map(part).collect();
    parts.join("/")
}

/// The id under which the platform's own logs know the request.
pub fn correlation_id(reply: &Reply) -> Option<String> {
    [
        "x-hubspot-correlation-id",
        "x-request-id",
        "sforce-request-id",
    ]
    .into_iter()
    .find_map(|name| reply.header(name))
    .map(super::text::label)
}

async fn over_network(client: &reqwest::Client, request: Request) -> Result<Reply, CrmError> {
    let lost = request.lost();
    let mut call = client
        .request(request.method, request.url)
        .headers(request.headers);
    if let Some(body) = request.body {
        call = call.body(body);
    }
    let mut response = call.send().await.map_err(|error| failed(&error, lost))?;
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failed(&error, lost))?
    {
        if body.len() + chunk.len() > BODY_CAP {
            return Err(oversize(status, lost));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply {
        status,
        headers,
        body: body.freeze(),
        unreadable: lost,
    })
}

async fn in_process(router: &Router, request: Request) -> Result<Reply, CrmError> {
    let lost = request.lost();
    let mut call = http::Request::new(request.body.map_or_else(Body::empty, Body::from));
    *call.method_mut() = request.method;
    *call.headers_mut() = request.headers;
    // What a connection would add; a server tells its own address from it.
    if let Ok(host) = HeaderValue::from_str(request.url.authority()) {
        call.headers_mut().insert(http::header::HOST, host);
    }
    *call.uri_mut() = request
        .url
        .as_str()
        .parse()
        .map_err(|_| CrmError::bad_request("the address of the request cannot be read"))?;
    let response = match router.clone().oneshot(call).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (head, body) = response.into_parts();
    if let Some(how) = head.extensions.get::<io::ErrorKind>() {
        return Err(broken_line(*how, lost));
    }
    let status = head.status.as_u16();
    let body = axum::body::to_bytes(body, BODY_CAP)
        .await
        .map_err(|_| oversize(status, lost))?;
    Ok(Reply {
        status,
        headers: head.headers,
        body,
        unreadable: lost,
    })
}

/// A router cannot drop a socket: it says in an extension how the connection breaks.
fn broken_line(how: io::ErrorKind, lost: Sent) -> CrmError {
    match how {
        io::ErrorKind::ConnectionRefused => no_connection(),
        io::ErrorKind::TimedOut => no_reply(lost),
        _ => connection_lost(lost),
    }
}

fn no_connection() -> CrmError {
    let message = "no connection could be made; check the address and the network";
    CrmError::new(ErrorKind::Connect, "connect", message, Sent::No)
}

fn no_reply(lost: Sent) -> CrmError {
    let message = "no reply within 20 seconds";
    CrmError::new(ErrorKind::TimedOut, "time-out", message, lost)
}

fn connection_lost(lost: Sent) -> CrmError {
    let message = "the connection broke before the reply was complete";
    CrmError::new(ErrorKind::Unavailable, "connection-lost", message, lost)
}

fn oversize(status: u16, lost: Sent) -> CrmError {
    CrmError {
        status: Some(status),
        ..CrmError::broken("the body was cut off or is larger than 16 MiB", lost)
    }
}

/// The text of a transport error may hold the whole address, so only its kind is kept.
fn failed(error: &reqwest::Error, lost: Sent) -> CrmError {
    if error.is_builder() {
        CrmError::bad_request("the request cannot be built; check the base address")
    } else if error.is_connect() || error.is_dns() {
        no_connection()
    } else if error.is_timeout() {
        no_reply(lost)
    } else if error.is_decode() {
        CrmError::broken("the body cannot be unpacked", lost)
    } else {
        connection_lost(lost)
    }
}

/// Reads a base address such as `https://api.hubapi.com`; http and https only.
pub fn base(text: &str) -> Result<Url, CrmError> {
    let url = Url::parse(text.trim())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .filter(|url| url.query().is_none() && url.fragment().is_none());
    url.ok_or_else(|| {
        CrmError::bad_request("the base address must begin with https:// or http:// and a host")
    })
}

/// Appends path segments to a base address; each is escaped on its own.
pub fn join(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_names_no_record() {
        for (path, told) in [
            (
                "/crm/objects/2026-03/contacts/batch/read",
                "/crm/objects/2026-03/contacts/batch/read",
            ),
            (
                "/services/data/v67.0/sobjects/Contact/003A00000000001AAA",
                "/services/data/v67.0/sobjects/Contact/{id}",
            ),
            (
                "/crm/objects/2026-03/2-31337/901",
                "/crm/objects/2026-03/{id}/{id}",
            ),
            ("/x/ada@example.com/a%20b", "/x/{id}/{id}"),
        ] {
            assert_eq!(route(path), told);
        }
    }
}
