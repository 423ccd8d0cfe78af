//! Days and moments. A day is never moved through a zone unless a rule names one.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::model::Timestamp;

/// A calendar day: `2026-11-23`, or the epoch milliseconds of its UTC midnight
/// (`hubspot.md 6.1`).
pub(super) fn date(text: &str) -> Result<NaiveDate, String> {
    let text = text.trim();
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(date);
    }
    match midnight(text) {
        Some(at) if at.time() == NaiveTime::MIN => Ok(at.date_naive()),
        Some(_) => Err("expected a day; this is a moment inside one".to_owned()),
        None => Err("expected a date such as 2026-11-23".to_owned()),
    }
}

fn midnight(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(millis) = text.parse::<i64>() {
        return DateTime::from_timestamp_millis(millis);
    }
    Timestamp::parse(text).map(Timestamp::utc)
}

/// A moment in whole seconds: RFC 3339, Salesforce's `+0000`, epoch milliseconds, or a day,
/// which counts as its UTC midnight.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let millis = match text.parse::<i64>() {
        Ok(millis) => DateTime::from_timestamp_millis(millis).map(|at| at.timestamp_millis()),
        Err(_) => Timestamp::parse(text).map(Timestamp::millis).or_else(|| {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
        }),
    };
    let seconds = millis.map(|millis| millis.div_euclid(1_000));
    // Beyond the years 0 and 9999 the text form does not read back.
    match seconds {
        Some(seconds) if (-62_167_219_200..=253_402_300_799).contains(&seconds) => {
            Ok(Timestamp::from_millis(seconds * 1_000))
        }
        _ => Err("expected a date and time such as 2026-11-23T10:52:07Z".to_owned()),
    }
}

/// The calendar day that a moment falls on in a zone.
pub(in crate::mapping) fn day_in(zone: Tz, at: Timestamp) -> NaiveDate {
    at.utc().with_timezone(&zone).date_naive()
}

/// A moment that lies on this day in the zone. Noon: no zone skips it when its clocks change.
pub(in crate::mapping) fn noon_in(zone: Tz, day: NaiveDate) -> Timestamp {
    let noon = day.and_hms_opt(12, 0, 0).unwrap_or_default();
    let local = zone.from_local_datetime(&noon).earliest().or_else(|| {
        let next = day.checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN);
        zone.from_local_datetime(&next).earliest()
    });
    local.map_or(
        Timestamp::from_millis(noon.and_utc().timestamp_millis()),
        |at| Timestamp::from_utc(at.with_timezone(&Utc)),
    )
}
