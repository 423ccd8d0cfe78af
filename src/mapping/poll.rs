//! When a mapping asks the CRMs for changes.
//!
//! Calculates moments; never looks at a clock.

use std::fmt;
use std::str::FromStr;

use chrono_tz::Tz;
use croner::Cron;

use crate::model::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Poll {
    /// As often as the API allowance permits; the interval comes from outside.
    Auto,
    Every {
        millis: i64,
    },
    /// A cron text of five or six fields, read in a time zone.
    Cron {
        text: String,
        zone: Tz,
    },
}

impl Poll {
    /// The next moment to ask, after `now`.
    pub fn next_after(&self, now: Timestamp, auto_millis: i64) -> Timestamp {
        match self {
            Self::Auto => now.plus_millis(auto_millis),
            Self::Every { millis } => now.plus_millis(*millis),
            Self::Cron { text, zone } => {
                cron_after(text, *zone, now).unwrap_or_else(|| now.plus_millis(auto_millis))
            }
        }
    }

    /// Reads `auto`, `60s`, `15m`, `2h`, or a cron text followed by a time zone name.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "auto" {
            return Ok(Self::Auto);
        }
        if !text.contains(char::is_whitespace) && !text.starts_with('@') {
            return every(text);
        }
        let (cron, zone) = text.rsplit_once(char::is_whitespace).unwrap_or((text, ""));
        let zone = Tz::from_str(zone).map_err(|_| {
            format!("`{zone}` is no time zone; write one after the cron text, e.g. Europe/Berlin")
        })?;
        let text = cron.trim().to_owned();
        let pattern = Cron::from_str(&text).map_err(|error| format!("no cron text: {error}"))?;
        let start = Timestamp::from_micros(0).utc().with_timezone(&zone);
        if pattern.find_next_occurrence(&start, false).is_err() {
            return Err("this cron text never comes due".to_owned());
        }
        Ok(Self::Cron { text, zone })
    }
}

/// As a mapping file spells it.
impl fmt::Display for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Every { millis } if millis % 3_600_000 == 0 => {
                write!(f, "{}h", millis / 3_600_000)
            }
            Self::Every { millis } if millis % 60_000 == 0 => write!(f, "{}m", millis / 60_000),
            Self::Every { millis } => write!(f, "{}s", millis / 1_000),
            Self::Cron { text, zone } => write!(f, "{text} {zone}"),
        }
    }
}

fn every(text: &str) -> Result<Poll, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    match digits.parse::<i64>() {
        Ok(number) if unit > 0 && (1..=1_000_000).contains(&number) => {
            let millis = number * unit;
            if !(5_000..=86_400_000).contains(&millis) {
                return Err("polling takes 5s at the fastest and 24h at the slowest".to_owned());
            }
            Ok(Poll::Every { millis })
        }
        _ => Err("expected auto, a time such as 60s or 15m, or a cron text with a zone".to_owned()),
    }
}

fn cron_after(text: &str, zone: Tz, now: Timestamp) -> Option<Timestamp> {
    let pattern = Cron::from_str(text).ok()?;
    let next = pattern
        .find_next_occurrence(&now.utc().with_timezone(&zone), false)
        .ok()?;
    Some(Timestamp::from_utc(next.with_timezone(&chrono::Utc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_is_read_in_its_zone() {
        let poll = Poll::parse("0 6 * * * Europe/Berlin").unwrap();
        let winter = Timestamp::parse("2026-01-15T00:00:00Z").unwrap();
        assert_eq!(
            poll.next_after(winter, 1).to_string(),
            "2026-01-15T05:00:00.000Z"
        );
        let summer = Timestamp::parse("2026-07-15T00:00:00Z").unwrap();
        assert_eq!(
            poll.next_after(summer, 1).to_string(),
            "2026-07-15T04:00:00.000Z"
        );
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for text in [
            "soon",
            "60",
            "0s",
            "1s",
            "99999999999999999999s",
            "* * * * *",
            "0 0 30 2 * UTC",
        ] {
            assert!(Poll::parse(text).is_err(), "{text}");
        }
        assert_eq!(Poll::parse("15m"), Ok(Poll::Every { millis: 900_000 }));
    }

    #[test]
    fn a_schedule_is_shown_as_it_is_written() {
        for text in ["auto", "45s", "15m", "2h", "0 6 * * 1-5 Europe/Berlin"] {
            assert_eq!(Poll::parse(text).unwrap().to_string(), text);
        }
    }
}
