//! The HubSpot client. Nothing outside this folder knows HubSpot's JSON or paths.
//!
//! Paths are the date-versioned ones. A token comes from outside: a static one that is refused is
//! an error, one that is renewed is asked for anew, once per request. Decides nothing about what
//! is read or written.

mod association;
mod define;
mod error;
mod grants;
mod object;
mod read;
mod schema;
mod search;
mod wire;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chrono_tz::Tz;
use http::Method;
use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use super::gate::{Bounds, Bucket, Limit, Seen};
use super::http::{self as wire_http, Reply, Request, Transport};
use super::meter::{Calls, Family, Line, Usage};
use super::{Access, CrmError, ErrorKind, RateScope, Sent};
use crate::clock::Clock;
use crate::model::Timestamp;

pub use association::{Association, AssociationType};
pub use define::KeyProperty;
pub use object::{is_custom_name, is_type_id};
pub use read::{HistoryEntry, Page};
pub use schema::Account;
pub use search::SearchPage;

/// The version in every path. 2026-03 rather than 2026-09, because the later one turns each
/// account's form rules (conditionally required properties, required associations) into refusals
/// of API writes, which the account's admin never meant for a sync (hubspot.md 4.10).
pub const VERSION: &str = "2026-03";

/// Inputs of one batch call, reads and writes alike.
const BATCH: usize = 100;

/// Limits before the first headers are seen (hubspot.md 3.1): the burst of an OAuth app, which
/// less the gate's own margin also fits the smallest private app; searches one below the cap;
/// associations by the smallest tier, which no header ever tells.
const BOUNDS: Bounds = Bounds {
    burst: Some(Limit {
        calls: 110,
        span_ms: 10_000,
    }),
    search: Some(Limit {
        calls: 4,
        span_ms: 1_000,
    }),
    associations: Some(Limit {
        calls: 90,
        span_ms: 10_000,
    }),
    daily_share_percent: super::gate::DAILY_SHARE_PERCENT,
};

/// The property that holds a record's last change; contacts have a name of their own for it. The
/// wrong one gives an empty search and no error (hubspot.md 5.2).
pub fn stamp_property(object: &str) -> &'static str {
    match object {
        "contacts" | "0-1" => "lastmodifieddate",
        _ => "hs_lastmodifieddate",
    }
}

/// What a call is counted as, and whether a lost reply leaves a write in doubt.
#[derive(Clone, Copy, Debug)]
struct Op {
    family: Family,
    writes: bool,
}

impl Op {
    const fn read(name: &'static str) -> Self {
        Self {
            family: Family::plain(name),
            writes: false,
        }
    }

    const fn write(name: &'static str) -> Self {
        Self {
            family: Family::plain(name),
            writes: true,
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

    const fn via(mut self, bucket: Bucket) -> Self {
        self.family.bucket = bucket;
        self
    }
}

/// One connection to one portal. Clones share the gate, the counters and what was looked up.
#[derive(Clone, Debug)]
pub struct HubSpot {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    line: Line,
    base: Result<Url, CrmError>,
    access: Access,
    /// Names of custom objects to the type ids that paths take.
    objects: Mutex<BTreeMap<String, String>>,
    /// Types a tie may have, by the two objects it is between.
    ties: Mutex<BTreeMap<(String, String), Vec<AssociationType>>>,
    /// Where the daily allowance ends at midnight; known after the account was read.
    zone: Mutex<Option<Tz>>,
    /// What an authorisation granted; HubSpot itself tells the scopes of private apps only.
    granted: OnceLock<Vec<String>>,
}

impl HubSpot {
    /// A base address that cannot be read is reported by the first call.
    pub fn new(
        transport: Transport,
        base_url: &str,
        access: impl Into<Access>,
        clock: Clock,
    ) -> Self {
        Self::with_daily_share(
            transport,
            base_url,
            access,
            clock,
            BOUNDS.daily_share_percent,
        )
    }

    /// The same, by a grant of these scopes.
    pub fn granted(self, scopes: Vec<String>) -> Self {
        self.inner.granted.get_or_init(|| scopes);
        self
    }

    /// Uses at most `percent` of the daily allowance instead of half of it.
    pub fn with_daily_share(
        transport: Transport,
        base_url: &str,
        access: impl Into<Access>,
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
                base: wire_http::base(base_url),
                access: access.into(),
                objects: Mutex::default(),
                ties: Mutex::default(),
                zone: Mutex::default(),
                granted: OnceLock::new(),
            }),
        }
    }

    /// `None` when so many calls and searches may be made now, else from when.
    pub fn ready_at(&self, calls: u32, searches: u32) -> Option<Timestamp> {
        self.inner.line.ready_at(calls, searches)
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

    fn now(&self) -> Timestamp {
        self.inner.line.clock.now()
    }

    fn url(&self, path: &[&str]) -> Result<Url, CrmError> {
        Ok(wire_http::join(
            self.inner.base.as_ref().map_err(Clone::clone)?,
            path,
        ))
    }

    async fn get(&self, op: Op, url: Url) -> Result<Reply, CrmError> {
        self.send(op, Request::new(Method::GET, url, op.writes))
            .await
    }

    async fn post(&self, op: Op, url: Url, body: &impl Serialize) -> Result<Reply, CrmError> {
        let body = serde_json::to_vec(body)
            .map_err(|_| CrmError::bad_request("the body of a request cannot be written"))?;
        let request = Request::new(Method::POST, url, op.writes).json(body);
        self.send(op, request).await
    }

    async fn send(&self, op: Op, request: Request) -> Result<Reply, CrmError> {
        let request = request.header("accept", "application/json");
        let outcome = self.with_fresh_token(op, request).await;
        if let Err(error) = &outcome {
            self.inner.line.heed(error);
            self.wait_for(error);
        }
        outcome
    }

    /// Sends, and once more with a new token when the first one was refused: a 401 is answered
    /// before anything is done, so even a write may be repeated.
    async fn with_fresh_token(&self, op: Op, request: Request) -> Result<Reply, CrmError> {
        let renewal = match &self.inner.access {
            Access::Token(token) => return self.send_once(op, request, token).await,
            Access::Renewed(renewal) => renewal,
        };
        let token = renewal.token(self.now()).await?;
        match self.send_once(op, request.clone(), &token.secret).await {
            Err(error) if error.kind == ErrorKind::TokenExpired => {
                let token = renewal.next().await?;
                self.send_once(op, request, &token.secret).await
            }
            outcome => outcome,
        }
    }

    /// Replies with a status under 300 come back; everything else is an error, and closes the gate
    /// where it says for how long.
    async fn send_once(
        &self,
        op: Op,
        request: Request,
        token: &SecretString,
    ) -> Result<Reply, CrmError> {
        let reply = self
            .inner
            .line
            .send(op.family, request.bearer(token)?)
            .await?;
        self.inner.line.observe(&seen(&reply));
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        Err(error::from_reply(&reply, self.now(), self.day_end()))
    }

    pub(super) fn line(&self) -> &Line {
        &self.inner.line
    }

    fn wait_for(&self, error: &CrmError) {
        let Some(until) = error.retry_after else {
            return;
        };
        // A lock of one record, say, tells nothing about the others.
        if let ErrorKind::RateLimited(scope) = error.kind {
            let bucket = match scope {
                RateScope::Search => Bucket::Search,
                RateScope::Burst | RateScope::Daily | RateScope::Moving => Bucket::Plain,
            };
            self.inner.line.refused(bucket, scope, until);
        } else if error.kind == ErrorKind::Unavailable {
            self.inner.line.pause(until);
        }
    }

    /// The next midnight of the account, when its time zone is known.
    fn day_end(&self) -> Option<Timestamp> {
        let zone = (*hold(&self.inner.zone))?;
        let local = self.now().utc().with_timezone(&zone);
        let midnight = local.date_naive().succ_opt()?.and_hms_opt(0, 0, 0)?;
        let at = midnight.and_local_timezone(zone).earliest()?;
        Some(Timestamp::from_utc(at.to_utc()))
    }
}

/// A refusal of the token endpoint.
pub(super) fn login_refusal(reply: &Reply, now: Timestamp) -> CrmError {
    error::from_login(reply, now)
}

fn seen(reply: &Reply) -> Seen {
    let daily_limit = reply.number("x-hubspot-ratelimit-daily");
    let daily_left = reply.number("x-hubspot-ratelimit-daily-remaining");
    let span = reply.number("x-hubspot-ratelimit-interval-milliseconds");
    Seen {
        burst_limit: reply.number("x-hubspot-ratelimit-max"),
        burst_remaining: reply.number("x-hubspot-ratelimit-remaining"),
        burst_span_ms: span.and_then(|span| i64::try_from(span).ok()),
        daily_limit,
        daily_used: daily_limit
            .zip(daily_left)
            .map(|(limit, left)| limit.saturating_sub(left)),
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
