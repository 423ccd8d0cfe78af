//! The metered line of one connection: gate, counters and the platform's own usage figures.
//!
//! Stands between a client and the transport, so that no call is sent uncounted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::gate::{Bounds, Bucket, GateState, Seen, Want};
use super::http::{Reply, Request, Transport};
use super::{CrmError, ErrorKind, Sent};
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

#[derive(Debug)]
pub struct Line {
    pub transport: Transport,
    pub clock: Clock,
    bounds: Bounds,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    gate: GateState,
    usage: Usage,
    calls: Calls,
}

impl Line {
    pub fn new(transport: Transport, clock: Clock, bounds: Bounds) -> Self {
        Self {
            transport,
            clock,
            bounds,
            inner: Mutex::default(),
        }
    }

    /// Sends when the gate is open; a closed gate is an error that says from when.
    pub async fn send(&self, family: Family, request: Request) -> Result<Reply, CrmError> {
        self.admit(family)?;
        let outcome = self.transport.send(request).await;
        if !matches!(&outcome, Ok(reply) if reply.status < 400) {
            self.lock().calls.errors += 1;
        }
        outcome
    }

    fn admit(&self, family: Family) -> Result<(), CrmError> {
        let now = self.clock.now();
        let mut inner = self.lock();
        let at = inner
            .gate
            .free_at(&self.bounds, now, Want::one(family.bucket));
        if at > now {
            let message = "our own rate gate is closed, so nothing was sent";
            let error = CrmError::new(ErrorKind::NotBefore, "not-before", message, Sent::No);
            return Err(error.not_before(Some(at)));
        }
        inner.gate.count(&self.bounds, now, family.bucket);
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
        let mut inner = self.lock();
        inner.gate.observe(&self.bounds, now, seen);
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
    pub fn refused(&self, bucket: Bucket, until: Timestamp) {
        let mut inner = self.lock();
        inner.calls.rate_limited += 1;
        inner.gate.close(bucket, until);
    }

    /// Closes the gate without counting a refusal.
    pub fn pause(&self, until: Timestamp) {
        self.lock().gate.close(Bucket::Plain, until);
    }

    pub fn ready_at(&self, calls: u32, searches: u32) -> Option<Timestamp> {
        let now = self.clock.now();
        let want = Want {
            plain: u64::from(calls),
            search: u64::from(searches),
            associations: 0,
        };
        let at = self.lock().gate.free_at(&self.bounds, now, want);
        (at > now).then_some(at)
    }

    pub fn usage(&self) -> Usage {
        self.lock().usage.clone()
    }

    pub fn calls(&self) -> Calls {
        self.lock().calls.clone()
    }

    pub fn gate_state(&self) -> serde_json::Value {
        serde_json::to_value(&self.lock().gate).unwrap_or_default()
    }

    /// Takes back what [`Line::gate_state`] gave. Anything else starts an empty gate: the platform
    /// then says itself when it is enough.
    pub fn restore_gate(&self, state: &serde_json::Value) {
        let gate = serde::Deserialize::deserialize(state).unwrap_or_else(|_| {
            tracing::warn!("the stored rate gate cannot be read and starts empty");
            GateState::default()
        });
        self.lock().gate = gate;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
