//! What is asked, as it was typed, and why it cannot be answered.
//!
//! Pure: the clock comes in as a moment.

use chrono::{NaiveDate, NaiveTime};

use crate::mapping::id18;
use crate::model::{BySide, RecordId, Side, Timestamp};
use crate::store::StoreError;

/// Longer than any id, name or time that means something.
const WORD_MAX: usize = 200;
/// As much of a wrong word as is shown again.
const SHOWN: usize = 40;

/// One question about one record.
#[derive(Clone, Debug)]
pub struct Question {
    /// A HubSpot object type, a Salesforce object or the name of a mapping.
    pub object: String,
    pub ids: BySide<Option<RecordId>>,
    /// The id as it was typed.
    pub id: String,
    /// A property, a field or the name of a rule.
    pub field: Option<String>,
    /// Asks for the agreed record of then.
    pub at: Option<Timestamp>,
}

/// Why there is no answer. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("`{0}` is neither a HubSpot nor a Salesforce record id")]
    BadId(String),
    #[error("`{0}` is no moment that can be read")]
    BadTime(String),
    #[error("{asked} lies in the future; it is {now}")]
    Future { asked: Timestamp, now: Timestamp },
    #[error("the store knows no mapping yet")]
    Empty,
    #[error("no mapping is about `{object}`")]
    UnknownObject {
        object: String,
        known: Vec<String>,
        close: Option<String>,
    },
    #[error("nothing is known of {object} `{id}`")]
    UnknownRecord { object: String, id: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// What to do; `None` where the words say it already.
    pub fn todo(&self) -> Option<String> {
        match self {
            Self::BadId(_) => Some(
                "use HubSpot's number, or Salesforce's id of 15 or 18 letters and digits, as in \
                 the record's address"
                    .to_owned(),
            ),
            Self::BadTime(_) => Some(
                "use e.g. 2026-03-02T09:00:00Z, the day 2026-03-02 (its beginning, UTC), or an \
                 age such as 30m, 2h, 3d or 2w"
                    .to_owned(),
            ),
            Self::Future { .. } => Some("name a moment that has passed".to_owned()),
            Self::Empty => Some("run `tandem sync --once` first".to_owned()),
            Self::UnknownObject { known, .. } if known.is_empty() => Some(
                "name a HubSpot object type such as contacts, a Salesforce object such as \
                 Contact, or a mapping"
                    .to_owned(),
            ),
            Self::UnknownObject { known, close, .. } => Some(match close {
                Some(close) => format!("did you mean `{close}`? Known are: {}", known.join(", ")),
                None => format!("use one of: {}", known.join(", ")),
            }),
            Self::UnknownRecord { .. } => Some(
                "no run has read it: check the id; if it is new or the first sync has not ended, \
                 `tandem sync --once` reads it; otherwise the connected user may not see it"
                    .to_owned(),
            ),
            Self::Store(_) => None,
        }
    }
}

impl Question {
    /// Reads what was typed. `at` is read against `now`.
    pub fn read(
        object: &str,
        id: &str,
        field: Option<&str>,
        at: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let ids = ids(id).ok_or_else(|| Refusal::BadId(shown(id)))?;
        let at = at.map(|text| moment(text, now)).transpose()?;
        if object.is_empty() || object.len() > WORD_MAX {
            return Err(Refusal::UnknownObject {
                object: shown(object),
                known: Vec::new(),
                close: None,
            });
        }
        Ok(Self {
            object: object.to_owned(),
            ids,
            id: id.to_owned(),
            field: field.map(|field| field.chars().take(WORD_MAX).collect()),
            at,
        })
    }
}

/// The beginning of a word that may be anything.
fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(SHOWN).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

/// What the text may name on each side; `None` when it can be no id at all. HubSpot's ids are
/// numbers, and some of Salesforce's look like numbers too.
fn ids(text: &str) -> Option<BySide<Option<RecordId>>> {
    let digits = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let letters = matches!(text.len(), 15 | 18) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let ids = BySide::new(
        digits.then(|| RecordId::new(text)),
        letters.then(|| RecordId::new(id18(text, Side::Salesforce))),
    );
    (digits || letters).then_some(ids)
}

/// RFC 3339, a day, or an age such as `3d` with or without `ago`.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    let bad = || Refusal::BadTime(shown(text));
    let plain = text.trim();
    if plain.len() > WORD_MAX {
        return Err(bad());
    }
    let at = Timestamp::parse(plain)
        .or_else(|| day(plain))
        .or_else(|| age(plain, now))
        .ok_or_else(bad)?;
    if at > now {
        return Err(Refusal::Future { asked: at, now });
    }
    Ok(at)
}

fn day(text: &str) -> Option<Timestamp> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Timestamp::of_calendar(day.and_time(NaiveTime::MIN).and_utc())
}

fn age(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.strip_suffix("ago").unwrap_or(text).trim_end();
    let unit = text.chars().last()?;
    let number = text.strip_suffix(unit)?.trim_end();
    let millis: i64 = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 24 * 3_600_000,
        'w' => 7 * 24 * 3_600_000,
        _ => return None,
    };
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    let count: i64 = number.parse().ok().filter(|_| digits)?;
    // An age that reaches back before the calendar is as old as anything can be.
    let past = now.plus_millis(count.saturating_mul(millis).saturating_neg());
    Some(past.max(Timestamp::from_micros(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_772_442_000_000);

    #[test]
    fn a_salesforce_id_is_found_in_both_of_its_lengths() {
        let long = ids("003A0000000000BIAQ").unwrap().salesforce;
        assert_eq!(long, ids("003A0000000000B").unwrap().salesforce);
        assert_eq!(ids("003A0000000000B").unwrap().hubspot, None);
        assert_eq!(ids("101").unwrap().salesforce, None);
    }

    #[test]
    fn what_can_be_no_id_is_refused_and_not_looked_up() {
        let long = "1".repeat(5_000);
        for text in ["", "0x1", "10 1", "1'--", "\u{0}", "é", "003A00", &long] {
            let read = Question::read("contacts", text, None, None, NOW);
            assert!(matches!(read, Err(Refusal::BadId(_))), "{text:?}");
        }
    }

    #[test]
    fn a_moment_may_be_written_in_three_ways() {
        let at = |text: &str| moment(text, NOW).map(Timestamp::millis).unwrap();
        assert_eq!(at("2026-03-02T08:00:00Z"), NOW.millis() - 3_600_000);
        assert_eq!(at("2026-03-02T09:00:00+01:00"), NOW.millis() - 3_600_000);
        assert_eq!(at("2026-03-02"), NOW.millis() - 9 * 3_600_000);
        assert_eq!(at("90m"), NOW.millis() - 5_400_000);
        assert_eq!(at("3d ago"), NOW.millis() - 3 * 86_400_000);
        assert_eq!(at("0s"), NOW.millis());
        assert_eq!(at("9223372036854775807w"), 0);
    }

    #[test]
    fn no_moment_ahead_and_no_nonsense_is_taken_for_one() {
        let future = moment("2026-03-02T09:00:01Z", NOW);
        assert!(matches!(future, Err(Refusal::Future { .. })));
        let long = "9".repeat(500);
        for text in [
            "",
            "d",
            "-3d",
            "+3d",
            "3",
            "3y",
            "2026-13-01",
            "yesterday",
            &long,
        ] {
            assert!(
                matches!(moment(text, NOW), Err(Refusal::BadTime(_))),
                "{text}"
            );
        }
    }
}
