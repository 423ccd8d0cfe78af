//! How much one connection may be asked to bear, learnt from how its calls end.
//!
//! Plain data and pure rules. A lane makes one call at a time, so there is no number of calls in
//! flight to adapt. What adapts is how much one call carries and how soon the next attempt begins;
//! both are halved at once and come back step by step, never above the platform's own ceilings.

use serde::{Deserialize, Serialize};

/// Full strength, in steps.
const FULL: u32 = 20;
/// Between two calls at half the tempo. Even at the lowest one, calls that all fail must come often
/// enough for the breaker to notice.
const GAP_MS: i64 = 50;

/// The retry quota: what retries may cost before they have to wait their whole turn.
const TOKENS: u32 = 500;
const RETRY_COSTS: u32 = 5;
const TIME_OUT_COSTS: u32 = 10;

/// How a call ended, as far as it tells something about the platform's strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    Good,
    /// Too many calls: fewer at a time help, smaller ones do not.
    TooMany,
    /// Too much in one call, or a lock held by many rows: smaller ones help.
    TooMuch,
    /// The platform or the way to it failed.
    Failed {
        timed_out: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pressure {
    rows: u32,
    tempo: u32,
    tokens: u32,
    /// Before this no new attempt begins.
    paced_until_ms: i64,
}

impl Default for Pressure {
    fn default() -> Self {
        Self {
            rows: FULL,
            tempo: FULL,
            tokens: TOKENS,
            paced_until_ms: 0,
        }
    }
}

impl Pressure {
    pub fn ended(&mut self, trip: Trip) {
        match trip {
            Trip::Good => {
                self.rows = (self.rows + 1).min(FULL);
                self.tempo = (self.tempo + 1).min(FULL);
                self.tokens = (self.tokens + 1).min(TOKENS);
            }
            Trip::TooMany => self.tempo = halved(self.tempo),
            Trip::TooMuch => {
                self.rows = halved(self.rows);
                self.tokens = self.tokens.saturating_sub(RETRY_COSTS);
            }
            Trip::Failed { timed_out } => {
                self.rows = halved(self.rows);
                self.tempo = halved(self.tempo);
                let cost = if timed_out {
                    TIME_OUT_COSTS
                } else {
                    RETRY_COSTS
                };
                self.tokens = self.tokens.saturating_sub(cost);
            }
        }
    }

    /// A call leaves: the attempt after this one waits a little for it.
    pub fn sent(&mut self, now_ms: i64) {
        let tempo = i64::from(self.tempo.clamp(1, FULL));
        let gap = GAP_MS * (i64::from(FULL) - tempo) / tempo;
        self.paced_until_ms = self.paced_until(now_ms).max(now_ms).saturating_add(gap);
    }

    /// When the next attempt may begin; past when it may now.
    pub fn paced_until(&self, now_ms: i64) -> i64 {
        // No attempt has so many calls that it would take longer, unless the clock moved back.
        let moved = self.paced_until_ms > now_ms.saturating_add(10 * 60_000);
        if moved { now_ms } else { self.paced_until_ms }
    }

    /// Of `most` rows, those that one call carries now; at least one.
    pub fn rows(&self, most: usize) -> usize {
        (most * self.rows.clamp(1, FULL) as usize / FULL as usize).max(1)
    }

    /// Whether a retry may come as early as chance has it.
    pub fn hasty(&self) -> bool {
        self.tokens >= RETRY_COSTS
    }
}

fn halved(steps: u32) -> u32 {
    (steps / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_halves_at_once_and_good_trips_bring_it_back_step_by_step() {
        let mut pressure = Pressure::default();
        let failed = Trip::Failed { timed_out: false };
        let rows: Vec<usize> = (0..6)
            .map(|_| {
                pressure.ended(failed);
                pressure.rows(100)
            })
            .collect();
        assert_eq!(rows, [50, 25, 10, 5, 5, 5]);
        assert_eq!(pressure.rows(3), 1, "never none");
        for _ in 0..19 {
            pressure.ended(Trip::Good);
        }
        assert_eq!(
            pressure,
            Pressure {
                tokens: 489,
                ..Pressure::default()
            }
        );
        pressure.ended(Trip::Good);
        assert_eq!(pressure.rows(200), 200, "the ceiling stays");
    }

    #[test]
    fn too_many_calls_slow_the_pace_and_leave_the_batches_full() {
        let mut pressure = Pressure::default();
        pressure.sent(1_000);
        assert_eq!(pressure.paced_until(1_000), 1_000);
        pressure.ended(Trip::TooMany);
        assert_eq!(pressure.rows(100), 100);
        pressure.sent(1_000);
        pressure.sent(1_000);
        assert_eq!(pressure.paced_until(1_000), 1_100);
        pressure.ended(Trip::TooMuch);
        assert_eq!(pressure.rows(100), 50);
    }

    #[test]
    fn fifty_time_outs_use_up_the_haste_and_five_good_calls_bring_some_back() {
        let mut pressure = Pressure::default();
        for _ in 0..50 {
            assert!(pressure.hasty());
            pressure.ended(Trip::Failed { timed_out: true });
        }
        assert!(!pressure.hasty());
        (0..4).for_each(|_| pressure.ended(Trip::Good));
        assert!(!pressure.hasty());
        pressure.ended(Trip::Good);
        assert!(pressure.hasty());
    }

    #[test]
    fn a_stored_state_of_any_content_bounds_nothing_to_zero() {
        let odd =
            r#"{"rows":0,"tempo":0,"tokens":4000000000,"paced_until_ms":9223372036854775807}"#;
        let mut pressure: Pressure = serde_json::from_str(odd).unwrap();
        assert_eq!(pressure.rows(100), 5);
        pressure.sent(0);
        pressure.ended(Trip::Good);
        assert!(pressure.paced_until(0) <= 600_000);
    }
}
