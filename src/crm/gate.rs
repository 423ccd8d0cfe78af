//! Local rate buckets of one connection, as plain data and pure rules over a given moment.
//!
//! The gate never sleeps and never sends: it says yes, or from when. Its limits follow what the
//! platform's own headers said last, because the documents disagree with each other.

use serde::{Deserialize, Serialize};

use crate::bugs::{self, Bug};
use crate::model::Timestamp;

/// The most of the daily allowance that one connection uses unless told otherwise, in percent.
pub const DAILY_SHARE_PERCENT: u64 = 50;
const DAY_MS: i64 = 24 * 3_600_000;
const HOUR_MS: i64 = 3_600_000;
/// With the daily allowance nearly spent by everyone, one call per this long finds out more.
const PROBE_MS: i64 = 15 * 60_000;
/// Part of a burst limit that is used, in percent: other processes may share the token.
const BURST_PERCENT: u64 = 90;
/// Parts of the daily allowance, in percent: once so much is spent, by whomever, work that can wait
/// is left for another day, and then all work that no person waits for.
const IDLE_STOP_PERCENT: u64 = 70;
const LIVE_STOP_PERCENT: u64 = 90;

/// A limit of calls within a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub calls: u64,
    pub span_ms: i64,
}

/// What a platform allows before its headers say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub burst: Option<Limit>,
    pub search: Option<Limit>,
    pub associations: Option<Limit>,
    /// The most of the daily allowance that this connection itself may use, in percent.
    pub daily_share_percent: u64,
}

/// Who waits for the work that calls are made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Nobody: backfills and scans.
    Idle,
    /// Changes on their way.
    #[default]
    Live,
    /// A person who acted.
    Interactive,
}

/// Why nothing may be sent yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// Our own share of a short window is used up, or the tempo is low.
    Window,
    /// The platform said how long.
    Asked,
    /// Our share of the day is used up.
    Share,
    /// The day's allowance is nearly used up, whoever did it.
    Spent,
    /// The platform's daily limit was reached.
    Allowance,
    /// HubSpot moves the account to another data centre.
    Moving,
    /// The platform failed again and again.
    Failing,
    /// The credentials were refused.
    Login,
}

/// Which buckets a call draws from besides the daily one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    Plain,
    Search,
    Associations,
}

/// Calls counted in bins, oldest first: (start of the bin in ms, calls).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window(Vec<(i64, u64)>);

impl Window {
    fn add(&mut self, now_ms: i64, width: i64, span: i64, calls: u64) {
        // A bin from the future means that the clock was moved back; it must not block for ever.
        self.0
            .retain(|&(start, _)| start <= now_ms && start + width + span > now_ms);
        let start = now_ms - now_ms.rem_euclid(width);
        match self.0.last_mut() {
            Some((last, count)) if *last == start => *count = count.saturating_add(calls),
            _ => self.0.push((start, calls)),
        }
    }

    fn sum(&self, now_ms: i64, width: i64, span: i64) -> u64 {
        let live = self.live(now_ms, width, span);
        live.fold(0, |sum, (_, calls)| sum.saturating_add(calls))
    }

    fn live(&self, now_ms: i64, width: i64, span: i64) -> impl Iterator<Item = (i64, u64)> {
        self.0
            .iter()
            .copied()
            .filter(move |&(start, _)| start <= now_ms && start + width + span > now_ms)
    }

    /// The first moment at which `calls` more fit; more than the whole limit is taken as all of it.
    fn free_at(&self, now_ms: i64, width: i64, limit: Limit, calls: u64) -> i64 {
        let room = limit.calls.max(1);
        let calls = calls.min(room);
        let mut used = self.sum(now_ms, width, limit.span_ms);
        let mut at = now_ms;
        for (start, count) in self.live(now_ms, width, limit.span_ms) {
            if used.saturating_add(calls) <= room {
                break;
            }
            used = used.saturating_sub(count);
            at = start + width + limit.span_ms;
        }
        at
    }
}

/// Everything the gate knows, to be kept beside the lane between processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GateState {
    /// Milliseconds since 1970 before which nothing is sent.
    pub not_before_ms: Option<i64>,
    /// Why, for people.
    pub closed_for: Option<Why>,
    pub search_not_before_ms: Option<i64>,
    pub burst_limit: Option<u64>,
    pub burst_span_ms: Option<i64>,
    pub daily_limit: Option<u64>,
    pub daily_used: Option<u64>,
    pub daily_read_ms: Option<i64>,
    pub burst: Window,
    pub search: Window,
    pub associations: Window,
    pub day: Window,
    /// Before this no attempt begins whose calls others could still fill.
    pub sparing_until_ms: i64,
}

/// What one reply's headers said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub burst_limit: Option<u64>,
    pub burst_remaining: Option<u64>,
    pub burst_span_ms: Option<i64>,
    pub daily_limit: Option<u64>,
    pub daily_used: Option<u64>,
}

/// Small attempts wait no longer than this for each other.
const SPARING_MS: i64 = 1_000;

const BURST_BIN_MS: i64 = 500;
const SEARCH_BIN_MS: i64 = 1;

impl GateState {
    /// The first moment at which so many calls and searches fit, in milliseconds, and what they
    /// wait for; `None` when they fit now.
    pub fn shut_until(&self, bounds: &Bounds, now: Timestamp, want: Want) -> Option<(i64, Why)> {
        let now_ms = now.millis();
        let asked = self.not_before_ms.map(|stop| {
            let why = self.closed_for.unwrap_or(Why::Asked);
            (stop.min(now_ms + DAY_MS), why)
        });
        let window = (self.windows_free_at(bounds, now_ms, want), Why::Window);
        let daily = self.daily(bounds, now_ms, want);
        let all = asked.into_iter().chain([window]).chain(daily);
        all.filter(|(at, _)| *at > now_ms).max_by_key(|(at, _)| *at)
    }

    /// As [`Self::shut_until`] for the short windows alone.
    fn windows_free_at(&self, bounds: &Bounds, now_ms: i64, want: Want) -> i64 {
        let mut at = now_ms;
        if let Some(burst) = self.burst_bound(bounds)
            && want.plain > 0
        {
            at = at.max(self.burst.free_at(now_ms, BURST_BIN_MS, burst, want.plain));
        }
        if let Some(limit) = bounds.associations
            && want.associations > 0
        {
            let calls = want.associations;
            at = at.max(
                self.associations
                    .free_at(now_ms, BURST_BIN_MS, limit, calls),
            );
        }
        if want.search > 0 {
            if let Some(limit) = bounds.search {
                at = at.max(
                    self.search
                        .free_at(now_ms, SEARCH_BIN_MS, limit, want.search),
                );
            }
            if let Some(stop) = self.search_not_before_ms {
                at = at.max(stop.min(now_ms + DAY_MS));
            }
        }
        at
    }

    /// Counts a call that is about to leave.
    pub fn count(&mut self, bounds: &Bounds, now: Timestamp, bucket: Bucket) {
        let now_ms = now.millis();
        let burst_span = self.burst_bound(bounds).map_or(0, |limit| limit.span_ms);
        match bucket {
            Bucket::Plain => self.burst.add(now_ms, BURST_BIN_MS, burst_span, 1),
            Bucket::Associations => {
                self.burst.add(now_ms, BURST_BIN_MS, burst_span, 1);
                let span = bounds.associations.map_or(0, |limit| limit.span_ms);
                self.associations.add(now_ms, BURST_BIN_MS, span, 1);
            }
            Bucket::Search => {
                let span = bounds.search.map_or(0, |limit| limit.span_ms);
                self.search.add(now_ms, SEARCH_BIN_MS, span, 1);
            }
        }
        self.day.add(now_ms, HOUR_MS, DAY_MS, 1);
    }

    /// Once half of a short window is used, each call keeps the next small attempt away for so long
    /// that what remains would last for half of it. Changes that come one by one then share
    /// calls, instead of using the window up and waiting at its end.
    pub fn spare(&mut self, bounds: &Bounds, now: Timestamp, bucket: Bucket) {
        let now_ms = now.millis();
        let windows = [
            (
                bucket != Bucket::Search,
                &self.burst,
                self.burst_bound(bounds),
            ),
            (
                bucket == Bucket::Associations,
                &self.associations,
                bounds.associations,
            ),
        ];
        let gaps = windows.into_iter().filter_map(|(draws, window, limit)| {
            let limit = limit.filter(|_| draws)?;
            let used = window.sum(now_ms, BURST_BIN_MS, limit.span_ms);
            let left = limit.calls.saturating_sub(used).max(1);
            (used > limit.calls / 2).then(|| limit.span_ms / 2 / left.cast_signed())
        });
        let gap = gaps.max().unwrap_or(0);
        let until = self.sparing_until(now_ms).max(now_ms).saturating_add(gap);
        self.sparing_until_ms = until.min(now_ms + SPARING_MS);
    }

    /// When an attempt may begin whose calls others could still fill; past when it may now.
    pub fn sparing_until(&self, now_ms: i64) -> i64 {
        // Anything later means that the clock was moved back.
        self.sparing_until_ms.min(now_ms + SPARING_MS)
    }

    /// Calls that this connection itself made during the last day.
    pub fn made_in_a_day(&self, now: Timestamp) -> u64 {
        self.day.sum(now.millis(), HOUR_MS, DAY_MS)
    }

    /// Takes over what the headers say, calls of others included.
    pub fn observe(&mut self, bounds: &Bounds, now: Timestamp, seen: &Seen) {
        let now_ms = now.millis();
        self.burst_limit = seen
            .burst_limit
            .filter(|&limit| limit > 0)
            .or(self.burst_limit);
        let span = seen
            .burst_span_ms
            .filter(|span| (1..=60_000).contains(span));
        self.burst_span_ms = span.or(self.burst_span_ms);
        if let (Some(limit), Some(left), Some(bound)) = (
            seen.burst_limit,
            seen.burst_remaining,
            self.burst_bound(bounds),
        ) {
            let known = self.burst.sum(now_ms, BURST_BIN_MS, bound.span_ms);
            let foreign = limit.saturating_sub(left).saturating_sub(known);
            if foreign > 0 {
                self.burst.add(now_ms, BURST_BIN_MS, bound.span_ms, foreign);
            }
        }
        if seen.daily_limit.is_some() && seen.daily_used.is_some() {
            self.daily_limit = seen.daily_limit;
            self.daily_used = seen.daily_used;
            self.daily_read_ms = Some(now_ms);
        }
    }

    /// Closes the gate until a moment the server named or implied.
    pub fn close(&mut self, bucket: Bucket, until: Timestamp, why: Why) {
        if bugs::on(Bug::RetryAfterIgnored) {
            return;
        }
        let until = Some(until.millis());
        match bucket {
            Bucket::Search => self.search_not_before_ms = self.search_not_before_ms.max(until),
            Bucket::Plain | Bucket::Associations => {
                if until > self.not_before_ms {
                    self.not_before_ms = until;
                    self.closed_for = Some(why);
                }
            }
        }
    }

    fn burst_bound(&self, bounds: &Bounds) -> Option<Limit> {
        let bound = bounds.burst?;
        let calls = self.burst_limit.unwrap_or(bound.calls);
        Some(Limit {
            calls: (calls.saturating_mul(BURST_PERCENT) / 100).max(1),
            // A stored state may hold anything.
            span_ms: self.burst_span_ms.unwrap_or(bound.span_ms).clamp(1, 60_000),
        })
    }

    /// What the day's allowance says: our own share of it, and what everybody has used.
    fn daily(&self, bounds: &Bounds, now_ms: i64, want: Want) -> Vec<(i64, Why)> {
        let Some(limit) = self.daily_limit.filter(|&limit| limit > 0) else {
            return Vec::new();
        };
        let calls = want.plain + want.search;
        let share = Limit {
            calls: limit.saturating_mul(bounds.daily_share_percent) / 100,
            span_ms: DAY_MS,
        };
        let ours = self.day.free_at(now_ms, HOUR_MS, share, calls);
        let mut waits = vec![(ours, Why::Share)];
        let stop = match want.urgency {
            Urgency::Idle => Some(IDLE_STOP_PERCENT),
            Urgency::Live => Some(LIVE_STOP_PERCENT),
            Urgency::Interactive => None,
        };
        let used = self.daily_used.unwrap_or(0);
        if stop.is_some_and(|percent| used >= limit.saturating_mul(percent) / 100) {
            let read_at = self.daily_read_ms.unwrap_or(now_ms).min(now_ms);
            waits.push((read_at + PROBE_MS, Why::Spent));
        }
        waits
    }
}

/// How many calls of each kind are wanted at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// All calls but searches, those for associations included.
    pub plain: u64,
    pub search: u64,
    pub associations: u64,
    pub urgency: Urgency,
}

impl Want {
    pub fn one(bucket: Bucket, urgency: Urgency) -> Self {
        let (plain, search, associations) = match bucket {
            Bucket::Plain => (1, 0, 0),
            Bucket::Search => (0, 1, 0),
            Bucket::Associations => (1, 0, 1),
        };
        Self {
            plain,
            search,
            associations,
            urgency,
        }
    }
}
