//! The circuit breaker of one connection, as plain data and pure rules over a given moment.
//!
//! A CRM that answers nothing but failures is left alone: each family of operations stops on its
//! own, refused credentials stop all of them. Nothing is sent then but one cheap read at a time,
//! which whoever drives the connection makes when it is due.

use serde::{Deserialize, Serialize};

/// What a call does to the platform; each family fails on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Read,
    /// HubSpot's search is a service of its own.
    Search,
    Write,
}

const WINDOW_MS: i64 = 30_000;
const BIN_MS: i64 = 1_000;
/// Fewer calls within the window prove nothing.
const CALLS_MIN: u64 = 20;
const FIRST_WAIT_MS: i64 = 30_000;
const LAST_WAIT_MS: i64 = 10 * 60_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Breaker {
    read: Circuit,
    search: Circuit,
    write: Circuit,
    login: Circuit,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Circuit {
    /// Start of the bin in milliseconds, calls, failures among them.
    bins: Vec<(i64, u64, u64)>,
    open: Option<Open>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    /// When the next cheap read is due.
    probe_ms: i64,
    /// How often it opened in a row.
    times: u32,
    /// A cheap read went well: the next call of the family decides.
    trial: bool,
}

impl Breaker {
    /// Takes in how one call ended: failed means that the transport or the platform itself failed.
    /// True when that opened the circuit.
    pub fn ended(&mut self, operation: Operation, now_ms: i64, failed: bool) -> bool {
        self.of(operation).ended(now_ms, failed)
    }

    /// The credentials were refused: nothing else can go well until a person has acted.
    pub fn refused(&mut self, now_ms: i64) {
        self.login.open(now_ms);
    }

    /// Takes in the cheap read of [`Self::probe_is_due`].
    pub fn probed(&mut self, now_ms: i64, well: bool) {
        let all = [
            &mut self.read,
            &mut self.search,
            &mut self.write,
            &mut self.login,
        ];
        for circuit in all {
            match &mut circuit.open {
                Some(open) if open.is_due(now_ms) && well => open.trial = true,
                Some(open) if open.is_due(now_ms) => circuit.open(now_ms),
                Some(_) | None => {}
            }
        }
        if well {
            self.login = Circuit::default();
        }
    }

    /// Until when nothing of these families may be sent.
    pub fn shut_until(&self, operations: &[Operation], now_ms: i64) -> Option<i64> {
        let mine = operations.iter().map(|operation| match operation {
            Operation::Read => &self.read,
            Operation::Search => &self.search,
            Operation::Write => &self.write,
        });
        mine.filter_map(|circuit| circuit.shut_until(now_ms)).max()
    }

    pub fn login_shut_until(&self, now_ms: i64) -> Option<i64> {
        self.login.shut_until(now_ms)
    }

    /// Whether one cheap read should show if the platform is back.
    pub fn probe_is_due(&self, now_ms: i64) -> bool {
        [&self.read, &self.search, &self.write, &self.login]
            .into_iter()
            .filter_map(|circuit| circuit.open.as_ref())
            .any(|open| open.is_due(now_ms))
    }

    /// Another process comes with credentials of its own, and has proved them by now.
    pub fn forget_login(&mut self) {
        self.login = Circuit::default();
    }

    fn of(&mut self, operation: Operation) -> &mut Circuit {
        match operation {
            Operation::Read => &mut self.read,
            Operation::Search => &mut self.search,
            Operation::Write => &mut self.write,
        }
    }
}

impl Circuit {
    fn ended(&mut self, now_ms: i64, failed: bool) -> bool {
        if self.open.is_some() {
            if failed {
                self.open(now_ms);
            } else {
                *self = Self::default();
            }
            return failed;
        }
        self.bins
            .retain(|&(start, ..)| start <= now_ms && now_ms - start < WINDOW_MS);
        let start = now_ms - now_ms.rem_euclid(BIN_MS);
        match self.bins.last_mut() {
            Some((last, calls, failures)) if *last == start => {
                *calls = calls.saturating_add(1);
                *failures = failures.saturating_add(u64::from(failed));
            }
            Some(_) | None => self.bins.push((start, 1, u64::from(failed))),
        }
        let calls: u64 = self.bins.iter().map(|(_, calls, _)| calls).sum();
        let failures: u64 = self.bins.iter().map(|(.., failures)| failures).sum();
        let opens = failed && calls >= CALLS_MIN && failures * 2 >= calls;
        if opens {
            self.open(now_ms);
        }
        opens
    }

    fn open(&mut self, now_ms: i64) {
        let times = self.open.as_ref().map_or(0, |open| open.times + 1);
        let wait = FIRST_WAIT_MS
            .saturating_mul(1 << times.min(20))
            .min(LAST_WAIT_MS);
        self.bins.clear();
        self.open = Some(Open {
            probe_ms: now_ms.saturating_add(wait + spread(now_ms, wait / 10)),
            times,
            trial: false,
        });
    }

    fn shut_until(&self, now_ms: i64) -> Option<i64> {
        let open = self.open.as_ref().filter(|open| !open.trial)?;
        // A clock that was moved back must not block for ever.
        let latest = now_ms.saturating_add(LAST_WAIT_MS + LAST_WAIT_MS / 10);
        Some(open.probe_ms.min(latest)).filter(|at| *at > now_ms)
    }
}

impl Open {
    fn is_due(&self, now_ms: i64) -> bool {
        !self.trial && self.probe_ms <= now_ms
    }
}

/// Connections that failed together must not return together. The moment of the failure, stirred
/// well, is as good as chance for that, and the same again in a run that is repeated.
fn spread(seed_ms: i64, bound: i64) -> i64 {
    let mut x = seed_ms.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    let bound = bound.max(0).unsigned_abs() + 1;
    (x % bound).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &[Operation] = &[Operation::Read];
    const T0: i64 = 1_700_000_000_000;

    fn failing(calls: u64, failures: u64, apart_ms: i64) -> (Breaker, i64) {
        let mut breaker = Breaker::default();
        let mut now = T0;
        for call in 0..calls {
            now += apart_ms;
            breaker.ended(Operation::Read, now, call >= calls - failures);
        }
        (breaker, now)
    }

    #[test]
    fn half_of_twenty_calls_in_half_a_minute_opens_it_and_less_does_not() {
        let (breaker, now) = failing(20, 10, 1_000);
        assert!(breaker.shut_until(READ, now).is_some());
        assert_eq!(breaker.shut_until(&[Operation::Write], now), None);
        for (calls, failures, apart) in [(19, 19, 1), (20, 9, 1_000), (40, 40, 1_600)] {
            let (breaker, now) = failing(calls, failures, apart);
            assert_eq!(breaker.shut_until(READ, now), None, "{calls} {failures}");
        }
    }

    #[test]
    fn looks_come_after_half_a_minute_and_ever_more_seldom_up_to_ten_minutes() {
        let (mut breaker, mut now) = failing(20, 20, 1);
        for seconds in [30, 60, 120, 240, 480, 600, 600] {
            let at = breaker.shut_until(READ, now).expect("it is open");
            let wait = at - now;
            assert!(
                (seconds * 1_000..=seconds * 1_100).contains(&wait),
                "{wait}"
            );
            assert!(!breaker.probe_is_due(at - 1));
            now = at;
            assert!(breaker.probe_is_due(now));
            breaker.probed(now, false);
        }
    }

    #[test]
    fn after_a_good_look_the_next_call_decides() {
        let (mut breaker, mut now) = failing(20, 20, 1);
        now = breaker.shut_until(READ, now).expect("it is open");
        breaker.probed(now, true);
        assert_eq!(breaker.shut_until(READ, now), None);
        let mut failed = breaker.clone();
        assert!(failed.ended(Operation::Read, now, true), "one is enough");
        assert!(failed.shut_until(READ, now).expect("open") - now >= 60_000);
        breaker.ended(Operation::Read, now, false);
        assert!(!breaker.ended(Operation::Read, now, true), "a new count");
    }

    #[test]
    fn refused_credentials_open_it_at_once_until_a_look_goes_well() {
        let mut breaker = Breaker::default();
        breaker.refused(T0);
        let at = breaker.login_shut_until(T0).expect("it is shut");
        assert!(at - T0 >= 30_000);
        breaker.probed(at, true);
        assert_eq!(breaker.login_shut_until(at), None);
    }

    #[test]
    fn a_clock_that_moves_back_does_not_shut_it_for_ever() {
        let (breaker, _) = failing(20, 20, 1);
        let early = T0 - 86_400_000;
        let at = breaker.shut_until(READ, early).expect("it is open");
        assert!(at - early <= 11 * 60_000);
    }
}
