//! When failed work is tried again, and when it is not (correctness.md section 11).
//!
//! Pure: the moment and the chance are handed in. Full jitter (a wait drawn evenly between nothing
//! and the bound) spreads a burst of failures best. Clients never retry; this schedule is the only
//! one.

use crate::model::{ErrorClass, Failure, Timestamp, Verdict};

/// How long after its `send_before` a write without an answer may still land: the client's
/// time-out of 20 s and the 100 s after which HubSpot gives a request up (hubspot.md, code 524).
pub const GRACE_MILLIS: i64 = 120_000;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

/// Both platforms count calls in short windows; the longer one has ten seconds.
const RATE_WINDOW: i64 = 10 * SECOND;

/// A connection whose credentials fail is looked at again this often, and less and less.
const AUTH_FIRST: i64 = 30 * SECOND;
const AUTH_LAST: i64 = 10 * MINUTE;

/// How often and since when a piece of work was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// Attempts that count, this one included.
    pub attempts: u32,
    /// When this failure was first met.
    pub first_at: Timestamp,
}

struct Backoff {
    base: i64,
    cap: i64,
    attempts: u32,
    /// Given up after this long, however few the attempts.
    lifetime: i64,
}

const TRANSIENT: Backoff = Backoff {
    base: 2 * SECOND,
    cap: 15 * MINUTE,
    attempts: 12,
    lifetime: DAY,
};

const OURS: Backoff = Backoff {
    base: SECOND,
    cap: MINUTE,
    attempts: 5,
    lifetime: DAY,
};

/// What follows from a failed attempt.
///
/// `retry_after` is the earliest moment the other end allows: its `Retry-After`, the two seconds
/// of a HubSpot lock (423), or the end of the grace of a write whose outcome is not known. No
/// verdict is ever earlier. `jitter` is any 64 random bits.
///
/// A missing parent is normally answered with [`Verdict::BlockedOn`] by whoever knows the parent;
/// for the class alone this gives the moment at which waiting ends, and after it the dead letter.
pub fn verdict(
    failure: &Failure,
    attempted: Attempted,
    retry_after: Option<Timestamp>,
    now: Timestamp,
    jitter: u64,
) -> Verdict {
    let asked = retry_after.map(|at| later_by_a_tenth(now, at, jitter));
    let again = |at: Timestamp, counted: bool| Verdict::RetryAt {
        at: asked.map_or(at, |asked| asked.max(at)),
        counted,
        failure: failure.clone(),
    };
    let age = now.millis_since(attempted.first_at);
    match failure.class {
        ErrorClass::Transient if TRANSIENT.allows(attempted, age) => {
            again(after(now, TRANSIENT.wait(attempted, jitter)), true)
        }
        ErrorClass::Ours if OURS.allows(attempted, age) => {
            again(after(now, OURS.wait(attempted, jitter)), true)
        }
        ErrorClass::UnknownOutcome if TRANSIENT.allows(attempted, age) => match asked {
            Some(at) => again(at, true),
            None => again(after(now, GRACE_MILLIS), true),
        },
        ErrorClass::Rate => match asked {
            Some(at) => again(at, false),
            None => again(
                later_by_a_tenth(now, after(now, RATE_WINDOW), jitter),
                false,
            ),
        },
        ErrorClass::Auth => {
            let wait = age.clamp(AUTH_FIRST, AUTH_LAST);
            again(later_by_a_tenth(now, after(now, wait), jitter), false)
        }
        ErrorClass::Blocked if age < DAY => again(after(attempted.first_at, DAY), false),
        ErrorClass::Transient
        | ErrorClass::Ours
        | ErrorClass::UnknownOutcome
        | ErrorClass::Blocked
        | ErrorClass::Permanent
        | ErrorClass::NeedsPerson => Verdict::Dead(failure.clone()),
    }
}

impl Backoff {
    fn allows(&self, attempted: Attempted, age: i64) -> bool {
        attempted.attempts < self.attempts && age < self.lifetime
    }

    fn wait(&self, attempted: Attempted, jitter: u64) -> i64 {
        let doublings = attempted.attempts.saturating_sub(1).min(30);
        let bound = self.base.saturating_mul(1 << doublings).min(self.cap);
        share(bound, jitter)
    }
}

/// Moves `at` back by up to a tenth of the wait, so that not everybody returns at once.
fn later_by_a_tenth(now: Timestamp, at: Timestamp, jitter: u64) -> Timestamp {
    let wait = at.micros().saturating_sub(now.micros()).max(0);
    let extra = share(wait / 10, jitter);
    Timestamp::from_micros(at.max(now).micros().saturating_add(extra))
}

fn after(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_micros(at.micros().saturating_add(millis.saturating_mul(1_000)))
}

/// An even share of `0..=bound` for 64 random bits.
fn share(bound: i64, jitter: u64) -> i64 {
    let bound = u128::from(bound.max(0).unsigned_abs());
    let part = ((bound + 1) * u128::from(jitter)) >> 64;
    i64::try_from(part).unwrap_or(i64::MAX)
}
