//! Rate limits (`hubspot.md 3.1`): a rolling burst window, windows for search and associations, and
//! daily counts.
//!
//! Counts only; the bodies and headers of a refusal are made elsewhere.

use std::collections::VecDeque;

use super::failure::Failure;
use super::options::HubSpotOptions;
use crate::model::Timestamp;

/// Which allowance a call draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meter {
    Standard,
    Search,
    /// On top of the standard one: associations have lower limits of their own.
    Associations,
    /// Token calls cost nothing.
    Free,
}

const BURST_WINDOW_MS: i64 = 10_000;
const SEARCH_WINDOW_MS: i64 = 1_000;
const ROLLING: (&str, &str) = ("TEN_SECONDLY_ROLLING", "ten_secondly_rolling");

#[derive(Debug, Default)]
pub(super) struct Limits {
    burst: VecDeque<i64>,
    search: VecDeque<i64>,
    associations: VecDeque<i64>,
    /// The day being counted, in the account's time zone, its calls, and those for associations.
    day: (i32, u64, u64),
}

impl Limits {
    /// Counts a call, or says which limit it would break; refused calls do not count.
    pub fn take(
        &mut self,
        meter: Meter,
        now: Timestamp,
        options: &HubSpotOptions,
    ) -> Result<(), Failure> {
        use chrono::Datelike;
        if meter == Meter::Free {
            return Ok(());
        }
        let millis = now.millis();
        let local = now.utc().with_timezone(&chrono_tz::US::Eastern);
        let today = local.date_naive().num_days_from_ce();
        if self.day.0 != today {
            self.day = (today, 0, 0);
        }
        forget(&mut self.burst, millis - BURST_WINDOW_MS);
        forget(&mut self.associations, millis - BURST_WINDOW_MS);
        forget(&mut self.search, millis - SEARCH_WINDOW_MS);
        let ties = meter == Meter::Associations;
        if self.day.1 >= options.daily_limit
            || (ties && self.day.2 >= options.associations_daily_limit)
        {
            return Err(Failure::rate_limited("DAILY", "daily"));
        }
        if ties && self.associations.len() as u64 >= options.associations_limit {
            return Err(Failure::rate_limited(ROLLING.0, ROLLING.1));
        }
        let (window, limit, (policy, word)) = match meter {
            Meter::Search => (
                &mut self.search,
                options.search_per_second,
                ("SECONDLY", "secondly"),
            ),
            Meter::Standard | Meter::Associations | Meter::Free => {
                (&mut self.burst, options.burst_limit, ROLLING)
            }
        };
        if window.len() as u64 >= limit {
            return Err(Failure::rate_limited(policy, word));
        }
        window.push_back(millis);
        self.day.1 += 1;
        if ties {
            self.associations.push_back(millis);
            self.day.2 += 1;
        }
        Ok(())
    }

    /// The headers that tell what is left. A search carries none, and no header tells of
    /// associations; the daily ones are for private-app tokens only.
    pub fn headers(
        &self,
        meter: Meter,
        private_app: bool,
        options: &HubSpotOptions,
    ) -> Vec<(&'static str, u64)> {
        let mut headers = Vec::new();
        if matches!(meter, Meter::Search | Meter::Free) {
            return headers;
        }
        let burst_left = options.burst_limit.saturating_sub(self.burst.len() as u64);
        headers.push(("x-hubspot-ratelimit-max", options.burst_limit));
        headers.push(("x-hubspot-ratelimit-remaining", burst_left));
        headers.push((
            "x-hubspot-ratelimit-interval-milliseconds",
            BURST_WINDOW_MS.unsigned_abs(),
        ));
        if private_app {
            let daily_left = options.daily_limit.saturating_sub(self.day.1);
            headers.push(("x-hubspot-ratelimit-daily", options.daily_limit));
            headers.push(("x-hubspot-ratelimit-daily-remaining", daily_left));
        }
        headers
    }
}

fn forget(window: &mut VecDeque<i64>, until: i64) {
    while window.pop_front_if(|at| *at <= until).is_some() {}
}
