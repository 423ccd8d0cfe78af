//! How often a key may ask, and how often an address may fail to show one: counted in memory.
//!
//! A minute begins with the first request of it. The tables are bounded: a full one forgets the
//! minutes that are over, and all of them when that is not enough. Knows nothing of HTTP.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::Timestamp;

const MINUTE_MILLIS: i64 = 60_000;
/// More than any person or program needs to find out that its key is wrong.
const FAILURES: u32 = 30;
/// Rows of each table.
const ROWS: usize = 10_000;

/// What is left of a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub quota: u32,
    pub left: u32,
    /// Until the minute is over; at least 1.
    pub seconds: i64,
}

/// `Err` when nothing was left.
pub type Counted = Result<Left, Left>;

pub struct Limits {
    per_minute: u32,
    keys: Mutex<Minutes<String>>,
    failures: Mutex<Minutes<IpAddr>>,
}

impl Limits {
    /// So many requests of each key in a minute.
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            keys: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// Counts a request of a key that was found good.
    pub fn request(&self, key: &str, now: Timestamp) -> Counted {
        lock(&self.keys).count(&key.to_owned(), self.per_minute, now)
    }

    /// Whether the key was good when it was last shown, as far as that is remembered.
    pub fn is_known(&self, key: &str) -> bool {
        lock(&self.keys).0.contains_key(key)
    }

    /// Counts a request without a good key.
    pub fn failure(&self, from: IpAddr, now: Timestamp) -> Counted {
        lock(&self.failures).count(&network(from), FAILURES, now)
    }

    /// Whether the address may try once more.
    pub fn may_try(&self, from: IpAddr, now: Timestamp) -> Counted {
        lock(&self.failures).look(&network(from), FAILURES, now)
    }
}

fn lock<K>(table: &Mutex<Minutes<K>>) -> MutexGuard<'_, Minutes<K>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One subscriber has at least all addresses of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        four => four,
    }
}

#[derive(Clone, Copy)]
struct Minute {
    began: Timestamp,
    used: u32,
}

impl Minute {
    fn left(&self, now: Timestamp) -> Option<i64> {
        let left = MINUTE_MILLIS - now.millis_since(self.began);
        // A clock that was set back begins a new minute.
        (1..=MINUTE_MILLIS).contains(&left).then_some(left)
    }
}

struct Minutes<K>(BTreeMap<K, Minute>);

impl<K> Default for Minutes<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Minutes<K> {
    fn look(&self, key: &K, quota: u32, now: Timestamp) -> Counted {
        let found = self.0.get(key);
        let going = found.and_then(|minute| Some((minute.used, minute.left(now)?)));
        let (used, millis) = going.unwrap_or((0, MINUTE_MILLIS));
        let left = Left {
            quota,
            left: quota.saturating_sub(used),
            seconds: (millis + 999) / 1_000,
        };
        if left.left == 0 { Err(left) } else { Ok(left) }
    }

    fn count(&mut self, key: &K, quota: u32, now: Timestamp) -> Counted {
        let mut left = self.look(key, quota, now)?;
        left.left -= 1;
        match self
            .0
            .get_mut(key)
            .filter(|minute| minute.left(now).is_some())
        {
            Some(minute) => minute.used += 1,
            None => {
                self.make_room(now);
                let first = Minute {
                    began: now,
                    used: 1,
                };
                self.0.insert(key.clone(), first);
            }
        }
        Ok(left)
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.0.len() >= ROWS {
            self.0.retain(|_, minute| minute.left(now).is_some());
        }
        if self.0.len() >= ROWS {
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_772_442_000_000 + millis)
    }

    #[test]
    fn a_minute_has_its_quota_and_the_next_one_begins_anew() {
        let limits = Limits::new(2);
        let left = |left, seconds| Left {
            quota: 2,
            left,
            seconds,
        };
        assert_eq!(limits.request("a", at(0)), Ok(left(1, 60)));
        assert_eq!(limits.request("a", at(30_500)), Ok(left(0, 30)));
        assert_eq!(limits.request("a", at(59_999)), Err(left(0, 1)));
        assert_eq!(limits.request("b", at(59_999)), Ok(left(1, 60)));
        assert_eq!(limits.request("a", at(60_000)), Ok(left(1, 60)));
        let back = limits.request("a", at(-1));
        assert_eq!(
            back,
            Ok(left(1, 60)),
            "a clock that was set back locks nobody out"
        );
    }

    #[test]
    fn an_address_fails_so_often_with_all_that_it_has() {
        let limits = Limits::new(1);
        let six = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last));
        for nth in 0..30 {
            assert!(limits.may_try(six(nth), at(0)).is_ok());
            assert!(limits.failure(six(nth), at(0)).is_ok());
        }
        assert!(limits.may_try(six(99), at(1)).is_err());
        assert!(limits.failure(six(99), at(1)).is_err());
        assert!(limits.may_try(IpAddr::from([192, 0, 2, 1]), at(1)).is_ok());
        assert!(limits.may_try(six(1), at(60_000)).is_ok());
    }

    #[test]
    fn the_tables_stay_small_whoever_comes() {
        let limits = Limits::new(1);
        for nth in 0..25_000_u32 {
            let from = IpAddr::from(nth.to_be_bytes());
            limits.failure(from, at(i64::from(nth))).ok();
            assert!(lock(&limits.failures).0.len() <= ROWS);
        }
    }
}
