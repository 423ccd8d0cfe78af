//! The Salesforce client. Nothing outside this folder knows Salesforce's JSON, SOQL or paths.
//!
//! An expired token is replaced once per request, by one login at a time. Decides nothing about
//! what is read or written.

mod auth;
mod composite;
mod define;
mod error;
mod history;
mod jwt;
mod query;
mod questions;
mod read;
mod roles;
mod schema;
pub mod soql;
mod wire;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use serde::Serialize;
use url::Url;

use super::gate::{Bounds, Bucket, DAILY_SHARE_PERCENT, Seen};
use super::http::{self as wire_http, Reply, Request, Transport};
use super::meter::{Calls, Family, Line, Usage};
use super::{CrmError, ErrorKind, RateScope, Sent};
use crate::clock::Clock;
use crate::model::Timestamp;

pub use auth::{Login, Session, full_id, log_in};
pub use composite::PARTS as TOGETHER;
pub use define::{FieldGrant, KeyField, PermissionSet};
pub use query::{Asked, QueryPage};
pub use questions::{Answers, Ask, Kept, Rows, Told};
pub use roles::RoleRow;
pub use schema::Organization;

/// The version in every path: one release behind the newest, so that every org has it, with more
/// than two years of support ahead (salesforce.md 0).
pub const VERSION: &str = "v67.0";

/// Salesforce counts per rolling day only; its headers say how many.
const BOUNDS: Bounds = Bounds {
    burst: None,
    search: None,
    associations: None,
    daily_share_percent: DAILY_SHARE_PERCENT,
};

/// Address and headers together may have 16 KiB; the rest is room for headers and token.
const URL_CHARS: usize = 12 * 1024;

/// What a call is counted as, whether it may change something, and about which object it is.
#[derive(Clone, Copy, Debug)]
struct Op<'a> {
    name: &'static str,
    writes: bool,
    object: Option<&'a str>,
}

impl<'a> Op<'a> {
    const fn read(name: &'static str) -> Self {
        Self {
            name,
            writes: false,
            object: None,
        }
    }

    /// What a lost or unreadable reply means.
    const fn sent(self) -> Sent {
        if self.writes {
            Sent::Unknown
        } else {
            Sent::Yes
        }
    }

    const fn write(name: &'static str, object: &'a str) -> Self {
        Self {
            name,
            writes: true,
            object: Some(object),
        }
    }
}

/// A request without address base and token, so that it can be sent again after a refresh.
#[derive(Clone, Debug)]
struct Draft {
    method: Method,
    /// Path and query below the instance address.
    path: String,
    body: Option<Vec<u8>>,
    /// The last change that the caller knows of; a later one refuses the call.
    unless_changed_since: Option<Timestamp>,
}

/// One connection to one org. Clones share the session, the gate and the counters.
#[derive(Clone, Debug)]
pub struct Salesforce {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    line: Line,
    login: Option<Login>,
    session: Mutex<Current>,
    /// Held while a new token is fetched; those who waited use the one that was got.
    renewing: tokio::sync::Mutex<()>,
    /// Fields with a history, by object, once they were asked for.
    tracked: Mutex<history::Tracked>,
}

#[derive(Clone, Debug)]
struct Current {
    session: Session,
    /// How many tokens there were before.
    generation: u64,
}

impl Salesforce {
    /// With a `login` an expired token is replaced; without one it is an error.
    pub fn new(transport: Transport, session: Session, login: Option<Login>, clock: Clock) -> Self {
        Self::with_daily_share(transport, session, login, clock, DAILY_SHARE_PERCENT)
    }

    /// Uses at most `percent` of the daily allowance instead of half of it.
    pub fn with_daily_share(
        transport: Transport,
        session: Session,
        login: Option<Login>,
        clock: Clock,
        percent: u64,
    ) -> Self {
        let bounds = Bounds {
            daily_share_percent: percent,
            ..BOUNDS
        };
        Self {
            inner: Arc::new(Inner {
                line: Line::new(transport, clock, bounds),
                login,
                session: Mutex::new(Current {
                    session,
                    generation: 0,
                }),
                renewing: tokio::sync::Mutex::default(),
                tracked: Mutex::default(),
            }),
        }
    }

    /// `None` when so many calls may be made now, else from when. There are no searches here, so
    /// both count alike.
    pub fn ready_at(&self, calls: u32, searches: u32) -> Option<Timestamp> {
        self.inner.line.ready_at(calls.saturating_add(searches), 0)
    }

    pub fn usage(&self) -> Usage {
        self.inner.line.usage()
    }

    pub fn calls(&self) -> Calls {
        self.inner.line.calls()
    }

    pub fn gate_state(&self) -> serde_json::Value {
        self.inner.line.gate_state()
    }

    pub fn restore_gate(&self, state: &serde_json::Value) {
        self.inner.line.restore_gate(state);
    }

    pub fn session(&self) -> Session {
        self.current().session
    }

    fn now(&self) -> Timestamp {
        self.inner.line.clock.now()
    }

    async fn get(&self, op: Op<'_>, path: String) -> Result<Reply, CrmError> {
        let draft = Draft {
            method: Method::GET,
            path,
            body: None,
            unless_changed_since: None,
        };
        self.send(op, draft).await
    }

    async fn with_body(
        &self,
        op: Op<'_>,
        method: Method,
        path: String,
        body: &impl Serialize,
    ) -> Result<Reply, CrmError> {
        let body = serde_json::to_vec(body)
            .map_err(|_| CrmError::bad_request("the body of a request cannot be written"))?;
        let draft = Draft {
            method,
            path,
            body: Some(body),
            unless_changed_since: None,
        };
        self.send(op, draft).await
    }

    /// Sends, and once more with a new token when the first one had expired: a 401 is answered
    /// before anything is done, so even a write may be repeated.
    async fn send(&self, op: Op<'_>, draft: Draft) -> Result<Reply, CrmError> {
        let current = self.current();
        let mut outcome = self.send_once(op, &draft, &current.session).await;
        if let Err(error) = &outcome
            && error.kind == ErrorKind::TokenExpired
            && self.inner.login.is_some()
        {
            outcome = match self.renew(current.generation).await {
                Ok(session) => self.send_once(op, &draft, &session).await,
                Err(error) => Err(error),
            };
        }
        if let Err(error) = &outcome {
            self.inner.line.heed(error);
        }
        outcome
    }

    pub(super) fn line(&self) -> &Line {
        &self.inner.line
    }

    async fn send_once(
        &self,
        op: Op<'_>,
        draft: &Draft,
        session: &Session,
    ) -> Result<Reply, CrmError> {
        let request = request(op, draft, session)?;
        let reply = self
            .inner
            .line
            .send(Family::plain(op.name), request)
            .await?;
        self.inner.line.observe(&seen(&reply));
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        let error = error::from_reply(&reply, self.now(), op.object);
        if let Some(until) = error.retry_after {
            if let ErrorKind::RateLimited(scope) = error.kind {
                self.inner.line.refused(Bucket::Plain, scope, until);
                if scope == RateScope::Burst {
                    // Too many long requests at once: shorter ones are done sooner.
                    self.inner.line.too_much();
                }
            } else if error.kind == ErrorKind::Unavailable {
                self.inner.line.pause(until);
            }
        }
        Err(error)
    }

    async fn renew(&self, expired: u64) -> Result<Session, CrmError> {
        let _alone = self.inner.renewing.lock().await;
        let current = self.current();
        if current.generation != expired {
            return Ok(current.session);
        }
        let login = self.inner.login.as_ref().ok_or_else(|| {
            let message = "the Salesforce token has expired and there is no login to renew it";
            CrmError::new(ErrorKind::TokenExpired, "token-expired", message, Sent::Yes)
        })?;
        let line = &self.inner.line;
        let session = match login {
            Login::Renewed(renewal) => Session::of(renewal.next().await?),
            Login::ClientCredentials { .. } | Login::Jwt { .. } | Login::Token { .. } => {
                line.count_login();
                log_in(&line.transport, login, &line.clock).await?
            }
        };
        if session.organization_id != current.session.organization_id {
            let message = "the login now leads to another Salesforce organization; a sandbox \
                           refresh does that. Connect the workspace again";
            let code = "organization-changed";
            return Err(CrmError::new(
                ErrorKind::LoginRefused,
                code,
                message,
                Sent::Yes,
            ));
        }
        *self.hold() = Current {
            session: session.clone(),
            generation: expired + 1,
        };
        Ok(session)
    }

    fn current(&self) -> Current {
        self.hold().clone()
    }

    fn hold(&self) -> MutexGuard<'_, Current> {
        self.inner
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A refusal of the token endpoint.
pub(super) fn login_refusal(reply: &Reply, now: Timestamp) -> CrmError {
    error::from_login(reply, now)
}

fn request(op: Op<'_>, draft: &Draft, session: &Session) -> Result<Request, CrmError> {
    let base = wire_http::base(&session.instance_url)?;
    let url = Url::parse(&format!(
        "{}{}",
        base.as_str().trim_end_matches('/'),
        draft.path
    ))
    .map_err(|_| CrmError::bad_request("the address of a request cannot be built"))?;
    if url.as_str().len() > URL_CHARS {
        return Err(CrmError::bad_request(
            "the query is too long for an address",
        ));
    }
    let mut request = Request::new(draft.method.clone(), url, op.writes)
        .header("accept", "application/json")
        .header("sforce-call-options", "client=tandem");
    if op.writes {
        // Assignment rules would hand a synced lead to another owner.
        request = request.header("sforce-auto-assign", "FALSE");
    } else {
        request = request.header("sforce-query-options", "batchSize=2000");
    }
    if let Some(at) = draft.unless_changed_since {
        request = request.unless_changed_since(at);
    }
    if let Some(body) = &draft.body {
        request = request.json(body.clone());
    }
    request.bearer(&session.token)
}

/// `api-usage=18/5000`, perhaps with more behind a semicolon.
fn seen(reply: &Reply) -> Seen {
    let info = reply.header("sforce-limit-info").unwrap_or_default();
    let usage = info
        .split(';')
        .find_map(|part| part.trim().strip_prefix("api-usage="));
    let Some((used, limit)) = usage.and_then(|usage| usage.split_once('/')) else {
        return Seen::default();
    };
    let digits = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit());
        text[..end.unwrap_or(text.len())].parse::<u64>().ok()
    };
    Seen {
        daily_used: digits(used.trim()),
        daily_limit: digits(limit.trim()),
        ..Seen::default()
    }
}

/// `/services/data/vXX.0/...` with a query that is escaped.
fn data_path(path: &[&str], query: &[(&str, &str)]) -> String {
    let mut text = format!("/services/data/{VERSION}");
    for part in path {
        text.push('/');
        text.push_str(part);
    }
    if !query.is_empty() {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        text.push('?');
        text.push_str(&query);
    }
    text
}
