//! The metered line of one connection: gate, counters and the platform's own usage figures.
//!
//! Stands between a client and the transport, so that no call is sent uncounted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use super::breaker::{Breaker, Operation};
use super::gate::{Bounds, Bucket, GateState, Seen, Urgency, Want, Why};
use super::http::{Reply, Request, Transport};
use super::pressure::{Pressure, Trip};
use super::traffic::{CallOutcome, Counter, Day};
use super::{CrmError, ErrorKind, RateScope, Sent};
use crate::bugs::{self, Bug};
use crate::clock::Clock;
use crate::model::Timestamp;

/// The platform's own figures as its headers gave them last; each may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub burst_limit: Option<u64>,
    pub burst_remaining: Option<u64>,
    pub burst_window_ms: Option<u64>,
    pub daily_limit: Option<u64>,
    /// Used by everyone who shares the allowance, not only by us.
    pub daily_used: Option<u64>,
    pub read_at: Option<Timestamp>,
}

/// Calls that were sent since the client was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub total: u64,
    pub by_family: BTreeMap<&'static str, u64>,
    /// Calls without an answer, or with a status of 400 and more.
    pub errors: u64,
    pub rate_limited: u64,
}

/// A name for the counters, and the buckets a call draws from.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    pub name: &'static str,
    pub bucket: Bucket,
}

impl Family {
    pub const fn plain(name: &'static str) -> Self {
        Self {
            name,
            bucket: Bucket::Plain,
        }
    }
}

/// No call takes longer than this; what the clock shows beyond it, the process stood still.
const CALL_MILLIS_MAX: i64 = 20_000;

#[derive(Debug)]
pub struct Line {
    pub transport: Transport,
    pub clock: Clock,
    bounds: Bounds,
    inner: Mutex<Inner>,
    /// Where calls are counted beyond this client's life, if anywhere.
    counter: OnceLock<Counter>,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    urgency: Urgency,
    usage: Usage,
    calls: Calls,
    /// A reply blamed a field that the schema had when it was read.
    stale: bool,
    /// Writes do not leave later than this; `None` where nobody said so.
    send_before: Option<Timestamp>,
    /// No write leaves at all.
    read_only: bool,
    /// Time that went by while calls were under way.
    busy_millis: i64,
}

/// What outlives the process, beside the lane.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    #[serde(flatten)]
    gate: GateState,
    breaker: Breaker,
    pressure: Pressure,
}

/// What an attempt will ask of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub calls: u32,
    pub searches: u32,
    /// Of the calls, those for associations.
    pub associations: u32,
    /// More work may come that would go along in the same calls.
    pub spares: bool,
    pub operations: &'a [Operation],
    pub urgency: Urgency,
}

impl Line {
    pub fn new(transport: Transport, clock: Clock, bounds: Bounds) -> Self {
        Self {
            transport,
            clock,
            bounds,
            inner: Mutex::default(),
            counter: OnceLock::new(),
        }
    }

    /// Counts calls there as well.
    pub fn count_in(&self, counter: Counter) {
        self.counter.get_or_init(|| counter);
    }

    /// Sends when nothing is shut; otherwise the error says from when.
    pub async fn send(&self, family: Family, request: Request) -> Result<Reply, CrmError> {
        let operation = match family.bucket {
            Bucket::Search => Operation::Search,
            Bucket::Plain | Bucket::Associations if request.writes => Operation::Write,
            Bucket::Plain | Bucket::Associations => Operation::Read,
        };
        if request.writes {
            self.in_time()?;
        }
        self.admit(family, operation)?;
        let began = self.clock.now();
        let outcome = self.transport.send(request).await;
        let now = self.clock.now();
        if let Some(counter) = self.counter.get() {
            counter.ended(CallOutcome::of(&outcome));
        }
        let mut inner = self.lock();
        inner.busy_millis += now.millis_since(began).clamp(0, CALL_MILLIS_MAX);
        if !matches!(&outcome, Ok(reply) if reply.status < 400) {
            inner.calls.errors += 1;
        }
        let trip = trip(&outcome);
        let failed = matches!(trip, Some(Trip::Failed { .. }));
        if inner.state.breaker.ended(operation, now.millis(), failed) {
            tracing::warn!(
                family = family.name,
                "the CRM fails again and again; it gets a rest"
            );
        }
        if let Some(trip) = trip {
            inner.state.pressure.ended(trip);
        }
        outcome
    }

    /// Asked right before a request that may write leaves: a process that stood still must not send
    /// what it decided before.
    fn in_time(&self) -> Result<(), CrmError> {
        let now = self.clock.now();
        let inner = self.lock();
        if inner.read_only {
            return Err(CrmError::bad_request(
                "a run that only looks was about to write",
            ));
        }
        let late = inner.send_before.is_some_and(|until| now > until);
        if late && !bugs::on(Bug::ExpiredCallSent) {
            let why = "the moment to write had passed before the call was made";
            return Err(CrmError::unsent(why));
        }
        Ok(())
    }

    /// No write leaves from now on, whatever is asked for.
    pub fn refuse_writes(&self) {
        self.lock().read_only = true;
    }

    /// Writes from now on leave before this moment or not at all.
    pub fn send_before(&self, until: Timestamp) {
        self.lock().send_before = Some(until);
    }

    /// Time that went by while calls were under way, since the client was made.
    pub fn busy_millis(&self) -> i64 {
        self.lock().busy_millis
    }

    fn admit(&self, family: Family, operation: Operation) -> Result<(), CrmError> {
        let now = self.clock.now();
        let mut inner = self.lock();
        let want = Want::one(family.bucket, inner.urgency);
        if let Some((at, why)) = inner
            .state
            .shut_until(&self.bounds, now, want, &[operation])
        {
            let sent = Sent::No;
            let error = CrmError::new(ErrorKind::NotBefore, why.code(), why.words(), sent);
            return Err(error.not_before(Some(Timestamp::from_millis(at))));
        }
        inner.state.gate.count(&self.bounds, now, family.bucket);
        if inner.urgency == Urgency::Live {
            inner.state.gate.spare(&self.bounds, now, family.bucket);
        }
        inner.state.pressure.sent(now.millis());
        inner.calls.total += 1;
        *inner.calls.by_family.entry(family.name).or_default() += 1;
        Ok(())
    }

    /// A login goes past the gate, and is counted all the same.
    pub fn count_login(&self) {
        let mut inner = self.lock();
        inner.calls.total += 1;
        *inner.calls.by_family.entry("login").or_default() += 1;
    }

    pub fn observe(&self, seen: &Seen) {
        let now = self.clock.now();
        if let (Some(counter), Some(used), Some(limit)) =
            (self.counter.get(), seen.daily_used, seen.daily_limit)
        {
            counter.day(Day { used, limit });
        }
        let mut inner = self.lock();
        inner.state.gate.observe(&self.bounds, now, seen);
        let usage = &mut inner.usage;
        usage.burst_limit = seen.burst_limit.or(usage.burst_limit);
        usage.burst_remaining = seen.burst_remaining.or(usage.burst_remaining);
        let span = seen.burst_span_ms.and_then(|span| u64::try_from(span).ok());
        usage.burst_window_ms = span.or(usage.burst_window_ms);
        usage.daily_limit = seen.daily_limit.or(usage.daily_limit);
        usage.daily_used = seen.daily_used.or(usage.daily_used);
        if *seen != Seen::default() {
            usage.read_at = Some(now);
        }
    }

    /// Counts a refusal for its rate, and closes the gate until the moment it names.
    pub fn refused(&self, bucket: Bucket, scope: RateScope, until: Timestamp) {
        let why = match scope {
            RateScope::Burst | RateScope::Search => Why::Asked,
            RateScope::Daily => Why::Allowance,
            RateScope::Moving => Why::Moving,
        };
        if let Some(counter) = self.counter.get() {
            counter.limited();
        }
        let mut inner = self.lock();
        inner.calls.rate_limited += 1;
        inner.state.gate.close(bucket, until, why);
        inner.state.pressure.ended(Trip::TooMany);
        if why == Why::Moving {
            tracing::warn!(%until, "HubSpot is moving the account; nothing is sent until then");
        }
    }

    /// Closes the gate without counting a refusal.
    pub fn pause(&self, until: Timestamp) {
        let mut inner = self.lock();
        inner.state.gate.close(Bucket::Plain, until, Why::Asked);
    }

    /// Takes in what the client has read from an error.
    pub fn heed(&self, error: &CrmError) {
        let now = self.clock.now();
        let mut inner = self.lock();
        match error.kind {
            ErrorKind::TokenExpired | ErrorKind::LoginRefused => {
                tracing::debug!("the credentials were refused");
                inner.state.breaker.refused(now.millis());
            }
            ErrorKind::Locked | ErrorKind::TooHeavy => inner.state.pressure.ended(Trip::TooMuch),
            ErrorKind::UnknownField => inner.stale = true,
            _ => {}
        }
    }

    /// Takes in what the client has read from the errors of single rows, which say nothing about
    /// the platform.
    pub fn heed_row(&self, error: &CrmError) {
        if error.kind == ErrorKind::UnknownField {
            self.lock().stale = true;
        }
    }

    /// One call asked for too much.
    pub fn too_much(&self) {
        self.lock().state.pressure.ended(Trip::TooMuch);
    }

    /// Calls of what is done next are for this.
    pub fn set_urgency(&self, urgency: Urgency) {
        self.lock().urgency = urgency;
    }

    /// From when an attempt that asks so much may begin, and why not now.
    pub fn shut(&self, asked: Asked<'_>) -> Option<(Timestamp, Why)> {
        let now = self.clock.now();
        let want = Want {
            plain: u64::from(asked.calls),
            search: u64::from(asked.searches),
            associations: u64::from(asked.associations),
            urgency: asked.urgency,
        };
        let inner = self.lock();
        let mut paced = inner.state.pressure.paced_until(now.millis());
        if asked.spares {
            paced = paced.max(inner.state.gate.sparing_until(now.millis()));
        }
        let paced = Some((paced, Why::Window)).filter(|(at, _)| *at > now.millis());
        let shut = inner
            .state
            .shut_until(&self.bounds, now, want, asked.operations);
        let (at, why) = shut.into_iter().chain(paced).max_by_key(|(at, _)| *at)?;
        Some((Timestamp::from_millis(at), why))
    }

    pub fn ready_at(&self, calls: u32, searches: u32) -> Option<Timestamp> {
        let urgency = self.lock().urgency;
        let asked = Asked {
            calls,
            searches,
            associations: 0,
            spares: false,
            operations: &[],
            urgency,
        };
        self.shut(asked).map(|(at, _)| at)
    }

    pub fn probe_is_due(&self) -> bool {
        let now = self.clock.now().millis();
        self.lock().state.breaker.probe_is_due(now)
    }

    pub fn probed(&self, well: bool) {
        let now = self.clock.now().millis();
        self.lock().state.breaker.probed(now, well);
    }

    /// Of `most` rows, those that one call carries now.
    pub fn rows(&self, most: usize) -> usize {
        self.lock().state.pressure.rows(most)
    }

    /// Whether retries may come as early as chance has it.
    pub fn hasty(&self) -> bool {
        self.lock().state.pressure.hasty()
    }

    /// Whether a field was missing since this was last asked.
    pub fn take_stale(&self) -> bool {
        std::mem::take(&mut self.lock().stale)
    }

    pub fn usage(&self) -> Usage {
        self.lock().usage.clone()
    }

    pub fn calls(&self) -> Calls {
        self.lock().calls.clone()
    }

    pub fn gate_state(&self) -> serde_json::Value {
        serde_json::to_value(&self.lock().state).unwrap_or_default()
    }

    /// Takes back what [`Line::gate_state`] gave. Anything else starts an empty gate: the platform
    /// then says itself when it is enough.
    pub fn restore_gate(&self, state: &serde_json::Value) {
        let mut state = State::deserialize(state).unwrap_or_else(|_| {
            tracing::warn!("the stored rate gate cannot be read and starts empty");
            State::default()
        });
        state.breaker.forget_login();
        self.lock().state = state;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn shut_until(
        &self,
        bounds: &Bounds,
        now: Timestamp,
        want: Want,
        operations: &[Operation],
    ) -> Option<(i64, Why)> {
        let now_ms = now.millis();
        let login = self.breaker.login_shut_until(now_ms);
        let failing = self.breaker.shut_until(operations, now_ms);
        self.gate
            .shut_until(bounds, now, want)
            .into_iter()
            .chain(failing.map(|at| (at, Why::Failing)))
            .chain(login.map(|at| (at, Why::Login)))
            .max_by_key(|(at, _)| *at)
    }
}

/// What a reply of any status, or none, tells about the platform. Refusals are read by the client.
fn trip(outcome: &Result<Reply, CrmError>) -> Option<Trip> {
    match outcome {
        Ok(reply) if reply.status < 400 => Some(Trip::Good),
        Ok(reply) if reply.status < 500 => None,
        Ok(reply) => Some(Trip::Failed {
            timed_out: matches!(reply.status, 504 | 522 | 524),
        }),
        Err(error) => match error.kind {
            ErrorKind::Connect | ErrorKind::Unavailable | ErrorKind::BrokenReply => {
                Some(Trip::Failed { timed_out: false })
            }
            ErrorKind::TimedOut => Some(Trip::Failed { timed_out: true }),
            _ => None,
        },
    }
}
