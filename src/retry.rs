//! When failed work is tried again, and when it is not (correctness.md section 11).
//!
//! Pure: the moment and the chance are handed in. Full jitter (a wait drawn evenly between nothing
//! and the bound) spreads a burst of failures best. Clients never retry; this schedule is the only
//! one.

use crate::model::{ErrorClass, Failure, Timestamp, Verdict};

/// How long after its `send_before` a write without an answer may still land: the client's
/// time-out of 20 s and the 100 s after which HubSpot gives a request up (hubspot.md 3.4, 524).
pub const GRACE_MILLIS: i64 = 120_000;

/// How long after its intent was stored a write may still be sent: one lease minus a margin.
pub const SEND_WITHIN_MILLIS: i64 = 20_000;

/// The longest that the schedule itself waits between two attempts that count.
pub const LONGEST_WAIT_MILLIS: i64 = 15 * MINUTE;

/// How long work waits for a parent before it is given up.
pub const BLOCKED_MILLIS: i64 = DAY;

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
    /// The quota of retries is not used up. Without it a retry waits its whole bound.
    pub hasty: bool,
    /// The refusal may be due to a schema that is out of date; it is read again meanwhile.
    pub stale: bool,
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
    cap: LONGEST_WAIT_MILLIS,
    attempts: 12,
    lifetime: DAY,
};

/// What is refused for good is tried once more only after the schema was out of date.
const STALE_ATTEMPTS: u32 = 2;

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
        ErrorClass::Blocked if age < BLOCKED_MILLIS => {
            again(after(attempted.first_at, BLOCKED_MILLIS), false)
        }
        ErrorClass::Permanent if attempted.stale && attempted.attempts < STALE_ATTEMPTS => {
            again(now, true)
        }
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
        if attempted.hasty {
            share(bound, jitter)
        } else {
            bound + share(bound / 10, jitter)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);
    const CHANCES: [u64; 5] = [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX];

    fn failure(class: ErrorClass) -> Failure {
        Failure {
            class,
            code: "CODE".to_owned(),
            message: "it failed".to_owned(),
            fields: Vec::new(),
        }
    }

    fn attempted(attempts: u32) -> Attempted {
        Attempted {
            attempts,
            first_at: NOW,
            hasty: true,
            stale: false,
        }
    }

    /// Milliseconds to wait and whether the attempt counts; `None` when a person must act.
    fn wait(
        class: ErrorClass,
        attempted: Attempted,
        retry_after: Option<i64>,
        jitter: u64,
    ) -> Option<(i64, bool)> {
        let retry_after = retry_after.map(|millis| NOW.plus_millis(millis));
        match verdict(&failure(class), attempted, retry_after, NOW, jitter) {
            Verdict::RetryAt { at, counted, .. } => Some((at.millis_since(NOW), counted)),
            Verdict::Dead(_) => None,
            Verdict::Done | Verdict::BlockedOn { .. } => panic!("not a verdict of a failure"),
        }
    }

    fn longest(class: ErrorClass, attempts: u32) -> Option<(i64, bool)> {
        wait(class, attempted(attempts), None, u64::MAX)
    }

    #[test]
    fn transient_waits_double_to_a_quarter_of_an_hour_and_end_with_the_twelfth() {
        let bounds = [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900];
        for (attempts, seconds) in (1..).zip(bounds) {
            let bound = longest(ErrorClass::Transient, attempts);
            assert_eq!(bound, Some((seconds * SECOND, true)), "attempt {attempts}");
            let none = wait(ErrorClass::Transient, attempted(attempts), None, 0);
            assert_eq!(none, Some((0, true)), "full jitter begins at nothing");
        }
        assert_eq!(longest(ErrorClass::Transient, 12), None);
    }

    #[test]
    fn transient_work_is_given_up_after_a_day() {
        let old = Attempted {
            attempts: 2,
            first_at: NOW.plus_millis(-DAY),
            hasty: true,
            stale: false,
        };
        assert_eq!(wait(ErrorClass::Transient, old, None, 0), None);
    }

    #[test]
    fn our_own_faults_get_five_attempts() {
        let bounds: Vec<_> = (1..=5).map(|n| longest(ErrorClass::Ours, n)).collect();
        let counted = |seconds| Some((seconds * SECOND, true));
        assert_eq!(
            bounds,
            [counted(1), counted(2), counted(4), counted(8), None]
        );
    }

    #[test]
    fn what_a_person_must_mend_is_never_tried_again() {
        for class in [ErrorClass::Permanent, ErrorClass::NeedsPerson] {
            assert_eq!(wait(class, attempted(1), Some(5), 7), None);
        }
    }

    #[test]
    fn nobody_returns_before_the_moment_the_server_named_nor_much_later() {
        let classes = [
            ErrorClass::Transient,
            ErrorClass::Rate,
            ErrorClass::Auth,
            ErrorClass::UnknownOutcome,
            ErrorClass::Ours,
        ];
        for class in classes {
            for jitter in CHANCES {
                let (millis, _) =
                    wait(class, attempted(1), Some(MINUTE), jitter).expect("is tried again");
                assert!(
                    (MINUTE..=MINUTE + MINUTE / 10).contains(&millis),
                    "{class:?} {millis}"
                );
            }
        }
    }

    #[test]
    fn a_rate_limit_never_uses_up_attempts() {
        assert_eq!(longest(ErrorClass::Rate, 9_999), Some((11 * SECOND, false)));
        let least = wait(ErrorClass::Rate, attempted(1), None, 0);
        assert_eq!(least, Some((10 * SECOND, false)));
        let past = wait(ErrorClass::Rate, attempted(1), Some(-MINUTE), u64::MAX);
        assert_eq!(past, Some((0, false)), "a moment that is past binds nobody");
    }

    #[test]
    fn failing_credentials_are_looked_at_less_and_less() {
        for (age, seconds) in [(0, 30), (MINUTE, 60), (DAY, 600)] {
            let attempted = Attempted {
                attempts: 50,
                first_at: NOW.plus_millis(-age),
                hasty: true,
                stale: false,
            };
            let waited = wait(ErrorClass::Auth, attempted, None, 0);
            assert_eq!(waited, Some((seconds * SECOND, false)));
        }
    }

    #[test]
    fn a_write_without_an_answer_waits_out_the_grace() {
        assert_eq!(
            longest(ErrorClass::UnknownOutcome, 1),
            Some((GRACE_MILLIS, true))
        );
        assert_eq!(longest(ErrorClass::UnknownOutcome, 12), None);
    }

    #[test]
    fn a_missing_parent_is_waited_for_a_day() {
        let after = |age: i64| Attempted {
            attempts: 99,
            first_at: NOW.plus_millis(-age),
            hasty: true,
            stale: false,
        };
        let waited = wait(ErrorClass::Blocked, after(DAY - SECOND), None, 3);
        assert_eq!(waited, Some((SECOND, false)));
        assert_eq!(wait(ErrorClass::Blocked, after(DAY), None, 3), None);
    }

    #[test]
    fn absurd_times_neither_panic_nor_wrap() {
        for class in [
            ErrorClass::Transient,
            ErrorClass::Rate,
            ErrorClass::UnknownOutcome,
        ] {
            for micros in [i64::MIN, i64::MAX] {
                let asked = Some(Timestamp::from_micros(micros));
                let given = verdict(&failure(class), attempted(u32::MAX), asked, NOW, u64::MAX);
                let first = verdict(&failure(class), attempted(0), asked, NOW, u64::MAX);
                for verdict in [given, first] {
                    assert!(!matches!(verdict, Verdict::RetryAt { at, .. } if at < NOW));
                }
            }
        }
    }

    #[test]
    fn a_schema_that_was_out_of_date_buys_one_more_attempt_and_no_third() {
        let stale = |attempts| Attempted {
            stale: true,
            ..attempted(attempts)
        };
        let first = wait(ErrorClass::Permanent, stale(1), None, 3);
        assert_eq!(first, Some((0, true)));
        assert_eq!(wait(ErrorClass::Permanent, stale(2), None, 3), None);
        assert_eq!(wait(ErrorClass::NeedsPerson, stale(1), None, 3), None);
    }

    #[test]
    fn without_a_quota_nothing_is_tried_again_at_once() {
        let patient = |attempts| Attempted {
            hasty: false,
            ..attempted(attempts)
        };
        for (attempts, seconds) in [(1, 2), (4, 16), (11, 900)] {
            for jitter in CHANCES {
                let waited = wait(ErrorClass::Transient, patient(attempts), None, jitter);
                let (millis, counted) = waited.expect("is tried again");
                let bound = seconds * SECOND;
                assert!((bound..=bound + bound / 10).contains(&millis), "{millis}");
                assert!(counted);
            }
        }
    }

    /// The class table, line by line: who is tried again, for how long at most, and what counts.
    fn row(class: ErrorClass, attempted: Attempted, age: i64) -> Option<(i64, bool)> {
        let tries = i64::from(attempted.attempts);
        let bound = |base: i64, cap: i64| base.saturating_mul(1 << (tries - 1).min(30)).min(cap);
        let slack = |wait: i64| wait + wait / 10;
        match class {
            ErrorClass::Transient if tries < 12 && age < DAY => {
                Some((slack(bound(2 * SECOND, 15 * MINUTE)), true))
            }
            ErrorClass::Ours if tries < 5 && age < DAY => {
                Some((slack(bound(SECOND, MINUTE)), true))
            }
            ErrorClass::UnknownOutcome if tries < 12 && age < DAY => Some((GRACE_MILLIS, true)),
            ErrorClass::Rate => Some((11 * SECOND, false)),
            ErrorClass::Auth => Some((11 * MINUTE, false)),
            ErrorClass::Blocked if age < DAY => Some((DAY - age, false)),
            ErrorClass::Permanent if attempted.stale && tries < 2 => Some((0, true)),
            _ => None,
        }
    }

    proptest::proptest! {
        #[test]
        fn every_class_keeps_to_its_line_of_the_table(
            class in proptest::sample::select(vec![
                ErrorClass::Transient, ErrorClass::Rate, ErrorClass::Auth, ErrorClass::Permanent,
                ErrorClass::NeedsPerson, ErrorClass::Blocked, ErrorClass::UnknownOutcome,
                ErrorClass::Ours,
            ]),
            attempts in 1_u32..40,
            age in 0..2 * DAY,
            asked in proptest::option::of(0..DAY),
            hasty: bool,
            stale: bool,
            jitter: u64,
        ) {
            let first_at = NOW.plus_millis(-age);
            let attempted = Attempted { attempts, first_at, hasty, stale };
            let given = wait(class, attempted, asked, jitter);
            let expected = row(class, attempted, age);
            proptest::prop_assert_eq!(given.is_some(), expected.is_some());
            if let (Some((millis, counted)), Some((most, counts))) = (given, expected) {
                proptest::prop_assert_eq!(counted, counts);
                let asked = asked.unwrap_or(0);
                proptest::prop_assert!(millis >= asked, "before the server allows it");
                let latest = most.max(asked + asked / 10);
                proptest::prop_assert!(millis <= latest, "{} {}", millis, latest);
            }
        }
    }
}
