//! Moments as people type them: a time, a date, or how long ago.

use std::str::FromStr;

use crate::model::Timestamp;

/// A moment that may depend on when it is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    /// So many milliseconds before now.
    Ago(i64),
}

impl Moment {
    pub fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(millis) => now.plus_millis(-millis),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(at) = Timestamp::parse(text) {
            return Ok(Self::At(at));
        }
        if let Some(at) = Timestamp::parse(&format!("{text}T00:00:00Z")) {
            return Ok(Self::At(at));
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => 0,
        };
        match digits.parse::<i64>() {
            Ok(count) if unit > 0 && (1..=100_000).contains(&count) => Ok(Self::Ago(count * unit)),
            Ok(_) | Err(_) => Err(
                "write a time such as 2026-03-02T09:00:00Z, a date such as 2026-03-02, or how long \
                 ago: 90m, 2h, 3d"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_dates_and_spans_are_read() {
        let now = Timestamp::parse("2026-03-02T09:00:00Z").unwrap();
        for (text, at) in [
            ("2026-03-02T08:00:00Z", "2026-03-02T08:00:00Z"),
            ("2026-03-02T08:00:00+01:00", "2026-03-02T07:00:00Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("90m", "2026-03-02T07:30:00Z"),
            ("2d", "2026-02-28T09:00:00Z"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.before(now), Timestamp::parse(at).unwrap(), "{text}");
        }
        for text in ["", "h", "-2h", "2 weeks", "9999999999h", "é", "2026-13-40"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
