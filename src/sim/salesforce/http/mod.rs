//! The org over HTTP: one door every request passes, then the platform's resources.
//!
//! Requests are answered in one synchronous step under the org's lock; nothing here waits. Rules
//! of records live in `save`, of queries in `soql`.

mod authorize;
mod collections;
mod composite;
mod control;
mod describe;
mod fault;
mod oauth;
mod query;
mod rows;
mod services;
mod session;
mod tooling;

use ::http::{HeaderMap, HeaderValue, Method, header};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

pub(super) use authorize::{Consent, decide};
pub(super) use query::Cursor;
pub(super) use session::{Sessions, Usage, issue};

use super::error::Refusal;
use super::org::Org;
use super::save::Writer;
use super::{LoggedRequest, SalesforceSim};

pub use oauth::AUTHORIZATION_CODE;

const MAX_BODY: usize = 32 << 20;
/// `salesforce.md 2.1`: the request line's address together with all headers.
const MAX_HEAD: usize = 16_384;
const LOG_LENGTH: usize = 100_000;

/// A request with its path split and decoded.
#[derive(Clone)]
pub(super) struct Incoming {
    pub method: Method,
    pub path: String,
    /// Bytes of the address as sent, query included.
    pub address_length: usize,
    pub segments: Vec<String>,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Incoming {
    fn new(method: Method, uri: &str, headers: HeaderMap, body: Bytes) -> Self {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let segments = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode)
            .collect();
        let query = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        Self {
            method,
            path: path.to_owned(),
            address_length: uri.len(),
            segments,
            query,
            headers,
            body,
        }
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The address the caller reached us under.
    pub fn base_url(&self) -> String {
        let host = self.header("host").unwrap_or("localhost");
        format!("http://{host}")
    }

    /// One `key=value` of a header that holds several, separated by `;` or `,`.
    pub fn header_option(&self, header: &str, key: &str) -> Option<&str> {
        self.header(header)?.split([';', ',']).find_map(|part| {
            let (own, value) = part.split_once('=')?;
            own.trim().eq_ignore_ascii_case(key).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = format!("Unexpected character or end of input: {error}");
            Refusal::new("JSON_PARSER_ERROR", message)
        })
    }

    pub fn json_object(&self) -> Result<Map<String, Value>, Refusal> {
        match self.json()? {
            Value::Object(map) => Ok(map),
            _ => Err(Refusal::new(
                "JSON_PARSER_ERROR",
                "the body must be a JSON object",
            )),
        }
    }
}

/// A reply before it becomes bytes.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Value>,
    /// Sent instead of the body, with its content type: a page of HTML, or JSON that was cut.
    pub text: Option<(&'static str, String)>,
    /// The connection breaks in this way and nothing is sent.
    pub broken: Option<std::io::ErrorKind>,
}

impl Outgoing {
    pub fn json(status: u16, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::empty(status)
        }
    }

    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
            text: None,
            broken: None,
        }
    }

    pub fn broken(how: std::io::ErrorKind) -> Self {
        Self {
            broken: Some(how),
            ..Self::empty(500)
        }
    }

    pub fn refused(refusals: &[Refusal]) -> Self {
        let status = refusals.first().map_or(500, |refusal| refusal.status);
        let body = refusals.iter().map(Refusal::row_json).collect();
        Self::json(status, body)
    }

    fn into_response(self, date: &str) -> Response {
        let mut response = Response::new(match (&self.text, &self.body) {
            (Some((_, text)), _) => Body::from(text.clone()),
            (None, Some(body)) => Body::from(body.to_string()),
            (None, None) => Body::empty(),
        });
        if let Some(how) = self.broken {
            response.extensions_mut().insert(how);
        }
        *response.status_mut() =
            http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::OK);
        let headers = response.headers_mut();
        if let Some((kind, _)) = &self.text {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        } else if self.body.is_some() {
            let json = HeaderValue::from_static("application/json;charset=UTF-8");
            headers.insert(header::CONTENT_TYPE, json);
        }
        if let Ok(date) = HeaderValue::from_str(date) {
            headers.insert(header::DATE, date);
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl From<Refusal> for Outgoing {
    fn from(refusal: Refusal) -> Self {
        Self::refused(&[refusal])
    }
}

impl From<Vec<Refusal>> for Outgoing {
    fn from(refusals: Vec<Refusal>) -> Self {
        Self::refused(&refusals)
    }
}

pub(super) type Reply = Result<Outgoing, Outgoing>;

pub(super) async fn enter(State(sim): State<SalesforceSim>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let uri = head
        .uri
        .path_and_query()
        .map_or_else(|| "/".to_owned(), ToString::to_string);
    let reply = match to_bytes(body, MAX_BODY).await {
        Ok(body) => {
            let incoming = Incoming::new(head.method, &uri, head.headers, body);
            sim.with(|org| {
                let reply = pass(org, &incoming);
                (reply, http_date(org))
            })
        }
        Err(_) => sim.with(|org| {
            let refusal = Refusal::new("REQUEST_TOO_LARGE", "the request body is too large");
            (Outgoing::from(refusal.status(413)), http_date(org))
        }),
    };
    reply.0.into_response(&reply.1)
}

/// The one place every request passes, in and out.
fn pass(org: &mut Org, incoming: &Incoming) -> Outgoing {
    if incoming
        .segments
        .first()
        .is_some_and(|first| first == "_sim")
    {
        return control::answer(org, incoming).unwrap_or_else(|refused| refused);
    }
    let reply = if let Some(refused) = head_too_long(incoming) {
        refused
    } else {
        fault::answer(org, incoming)
    };
    record(org, incoming, reply.status);
    reply
}

/// Carries a call out whose sender went away long ago.
pub(super) fn finish_late(org: &mut Org, incoming: &Incoming) {
    fault::carry_out(org, incoming);
}

fn head_too_long(incoming: &Incoming) -> Option<Outgoing> {
    let headers: usize = incoming
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if incoming.address_length + headers <= MAX_HEAD {
        return None;
    }
    let status = if incoming.address_length > headers {
        414
    } else {
        431
    };
    Some(Outgoing::empty(status))
}

fn record(org: &mut Org, incoming: &Incoming, status: u16) {
    let family = family(incoming);
    org.counters.total += 1;
    *org.counters.by_family.entry(family.to_owned()).or_default() += 1;
    if org.log.len() == LOG_LENGTH {
        org.log.pop_front();
    }
    org.log.push_back(LoggedRequest {
        method: incoming.method.to_string(),
        path: incoming.path.clone(),
        status,
        at: org.clock.now(),
    });
}

fn family(incoming: &Incoming) -> &'static str {
    let segments: Vec<&str> = incoming.segments.iter().map(String::as_str).collect();
    let reads = incoming.method == Method::GET || incoming.method == Method::HEAD;
    match segments.as_slice() {
        ["services", "oauth2", ..] | ["id", ..] | [".well-known", ..] => "oauth",
        ["services", "data", _, "query" | "queryAll", ..] => "query",
        ["services", "data", _, "limits"] => "limits",
        ["services", "data", _, "tooling", ..] => "tooling",
        ["services", "data", _, "sobjects"]
        | ["services", "data", _, "sobjects", _, "describe"] => "describe",
        ["services", "data", _, "composite", "sobjects", _] => "collections-retrieve",
        ["services", "data", _, "composite", "sobjects", ..] => match incoming.method {
            Method::POST => "collections-create",
            Method::PATCH => "collections-update",
            _ => "collections-delete",
        },
        ["services", "data", _, "composite", ..] => "composite",
        ["services", "data", _, "sobjects", ..] if reads => "row-read",
        ["services", "data", _, "sobjects", ..] => "row-write",
        _ => "other",
    }
}

fn http_date(org: &Org) -> String {
    org.clock
        .now()
        .utc()
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

/// Decodes `%XX` in a path segment; what is no escape stays as it is.
fn decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// How the integration user writes in this request.
fn writer(org: &Org, incoming: &Incoming) -> Writer {
    let allow_save = incoming
        .header_option("Sforce-Duplicate-Rule-Header", "allowSave")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    Writer {
        user: org.integration_user,
        allow_save,
        api: true,
    }
}

fn object_named(org: &Org, name: &str) -> Result<usize, Outgoing> {
    org.schema
        .find(name)
        .ok_or_else(|| Outgoing::from(Refusal::not_found()))
}

fn saved_json(id: &str) -> Value {
    json!({ "id": id, "success": true, "errors": [] })
}
