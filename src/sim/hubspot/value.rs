//! What a property accepts and in which form it is stored (`hubspot.md 6.1` and `6.2`).
//!
//! Pure: no state, no clock. Rules that need other records or other properties are in `write`.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::Value as Json;

use super::owners;
use super::property::{Property, PropertyType};
use super::stamp;

/// Why one value was refused; `code` is the platform's word for it.
#[derive(Clone, Debug)]
pub(super) struct Invalid {
    pub property: String,
    pub code: &'static str,
    pub message: String,
    pub value: Option<String>,
}

const TEXT_LIMIT: usize = 65_536;

/// The text of a JSON value as a property takes it. None for `null` and for structures.
pub(super) fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// The stored form of `raw`, given what the property holds now (needed to append to a set).
/// `normalise` switches the rewriting of e-mails, domains and the order of sets.
pub(super) fn accept(
    property: &Property,
    raw: &str,
    current: &str,
    normalise: bool,
) -> Result<String, Invalid> {
    if raw.chars().count() > TEXT_LIMIT {
        let message = format!("Property values can be at most {TEXT_LIMIT} characters long");
        return Err(invalid(property, "VALUE_TOO_LONG", message, None));
    }
    let trimmed = raw.trim();
    if trimmed.is_empty() && property.kind != PropertyType::Text {
        return Ok(String::new());
    }
    match property.kind {
        PropertyType::Text => Ok(raw.to_owned()),
        PropertyType::Email => accept_email(property, raw, normalise),
        PropertyType::Domain => Ok(if normalise {
            domain(raw)
        } else {
            raw.to_owned()
        }),
        PropertyType::Number => accept_number(property, trimmed),
        PropertyType::Bool => match trimmed {
            "true" | "false" => Ok(trimmed.to_owned()),
            _ => {
                let message = format!("{raw} was not a valid boolean");
                Err(invalid(property, "INVALID_BOOLEAN", message, Some(raw)))
            }
        },
        PropertyType::Choice => accept_choice(property, trimmed).map(str::to_owned),
        PropertyType::MultiChoice => accept_set(property, trimmed, current, normalise),
        PropertyType::Owner => accept_owner(property, trimmed),
        PropertyType::Date => accept_date(property, trimmed),
        PropertyType::DateTime => moment(trimmed).map(stamp).ok_or_else(|| {
            let message = format!("{raw} was not a valid long.");
            invalid(property, "INVALID_LONG", message, Some(raw))
        }),
    }
}

fn invalid(
    property: &Property,
    code: &'static str,
    message: String,
    value: Option<&str>,
) -> Invalid {
    Invalid {
        property: property.name.to_string(),
        code,
        message,
        value: value.map(str::to_owned),
    }
}

fn accept_email(property: &Property, raw: &str, normalise: bool) -> Result<String, Invalid> {
    let trimmed = raw.trim();
    if !is_email(trimmed) {
        let message = format!("Email address {raw} is invalid");
        return Err(invalid(property, "INVALID_EMAIL", message, Some(raw)));
    }
    Ok(if normalise {
        trimmed.to_lowercase()
    } else {
        raw.to_owned()
    })
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !",;<>()[]\"@".contains(c);
    !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && text.chars().filter(|c| *c != '@').all(plain)
        && !domain.contains('@')
        && domain.contains('.')
        && domain
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

/// Scheme, `www.`, path and port taken off, lower case.
pub(super) fn domain(raw: &str) -> String {
    let text = raw.trim().to_lowercase();
    let text = text
        .split_once("://")
        .map_or(text.as_str(), |(_, rest)| rest);
    let text = text.strip_prefix("www.").unwrap_or(text);
    let end = text.find(['/', '?', '#', ':']).unwrap_or(text.len());
    text[..end].to_owned()
}

fn accept_number(property: &Property, text: &str) -> Result<String, Invalid> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if numeric(whole) && numeric(fraction) && !(whole.is_empty() && fraction.is_empty()) {
        return Ok(text.strip_prefix('+').unwrap_or(text).to_owned());
    }
    let message = format!("{text} was not a valid number");
    Err(invalid(property, "INVALID_NUMBER", message, Some(text)))
}

fn accept_choice<'a>(property: &Property, text: &'a str) -> Result<&'a str, Invalid> {
    if property.choices.iter().any(|c| c.value == text) {
        return Ok(text);
    }
    let options: Vec<String> = property
        .choices
        .iter()
        .map(|c| format!("label: \"{}\"\nvalue: \"{}\"\n", c.label, c.value))
        .collect();
    let message = format!(
        "{text} was not one of the allowed options: [{}]",
        options.join(", ")
    );
    Err(invalid(property, "INVALID_OPTION", message, Some(text)))
}

fn accept_set(
    property: &Property,
    text: &str,
    current: &str,
    normalise: bool,
) -> Result<String, Invalid> {
    let kept = if text.starts_with(';') { current } else { "" };
    let mut chosen: Vec<&str> = Vec::new();
    for part in kept.split(';').chain(text.split(';')).map(str::trim) {
        if part.is_empty() || chosen.contains(&part) {
            continue;
        }
        chosen.push(accept_choice(property, part)?);
    }
    if normalise {
        chosen.sort_by_key(|part| property.choices.iter().position(|c| c.value == *part));
    }
    Ok(chosen.join(";"))
}

fn accept_owner(property: &Property, text: &str) -> Result<String, Invalid> {
    match owners::find(text) {
        Some(owner) if !owner.archived => Ok(text.to_owned()),
        Some(_) | None => {
            let message = format!("{text} was not one of the allowed options: []");
            Err(invalid(property, "INVALID_OPTION", message, Some(text)))
        }
    }
}

fn accept_date(property: &Property, text: &str) -> Result<String, Invalid> {
    let day = calendar_day(text).or_else(|| {
        let at = moment(text)?;
        (at.rem_euclid(86_400_000) == 0).then(|| stamp(at)[..10].to_owned())
    });
    day.ok_or_else(|| {
        let message = format!("{text} was not a valid date: it must be at midnight UTC");
        invalid(property, "INVALID_DATE", message, Some(text))
    })
}

fn calendar_day(text: &str) -> Option<String> {
    if text.len() != 10 {
        return None;
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.format("%Y-%m-%d").to_string())
}

/// Milliseconds since 1970 of a moment written as epoch milliseconds, as ISO 8601 or as a day.
pub(super) fn moment(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        let at: i64 = text.parse().ok()?;
        // Beyond the year 9999 a stamp could not be written in four digits.
        return (-62_135_596_800_000..253_402_300_800_000)
            .contains(&at)
            .then_some(at);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.timestamp_millis());
    }
    if let Ok(at) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f") {
        return Some(at.and_utc().timestamp_millis());
    }
    calendar_day(text)?;
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(property: &Property, raw: &str) -> &'static str {
        accept(property, raw, "", true).map_or_else(|e| e.code, |_| "ok")
    }

    #[test]
    fn addresses_and_domains_are_rewritten_only_when_asked() {
        let email = Property::email("email", "Email");
        let raw = " Ann@Example.COM ";
        assert_eq!(accept(&email, raw, "", true).unwrap(), "ann@example.com");
        assert_eq!(accept(&email, raw, "", false).unwrap(), raw);
        assert_eq!(domain("https://www.Acme.test/about?x=1"), "acme.test");
        for bad in [
            "ann",
            "ann@",
            "@example.com",
            "ann@example",
            "a b@example.com",
        ] {
            assert_eq!(code(&email, bad), "INVALID_EMAIL", "{bad}");
        }
    }

    #[test]
    fn a_leading_semicolon_appends_to_a_set() {
        let set = Property::multi("x", "X", &[("a", "A"), ("b", "B"), ("c", "C")]);
        assert_eq!(accept(&set, ";c", "a", true).unwrap(), "a;c");
        assert_eq!(accept(&set, "c;a", "b", true).unwrap(), "a;c");
        assert_eq!(accept(&set, "c;a", "b", false).unwrap(), "c;a");
        assert_eq!(code(&set, "a;z"), "INVALID_OPTION");
    }

    #[test]
    fn numbers_take_no_thousands_separator() {
        let number = Property::number("n", "N");
        for good in ["17", "-1999.50", ".5", " 3 "] {
            assert_eq!(code(&number, good), "ok", "{good}");
        }
        for bad in ["1,000", "1.2.3", "1e5", "-", "NaN"] {
            assert_eq!(code(&number, bad), "INVALID_NUMBER", "{bad}");
        }
    }

    #[test]
    fn days_and_moments_come_back_in_one_form() {
        let day = Property::date("d", "D");
        assert_eq!(
            accept(&day, "1767225600000", "", true).unwrap(),
            "2026-01-01"
        );
        assert_eq!(code(&day, "2026-01-01T05:00:00Z"), "INVALID_DATE");
        assert_eq!(code(&day, "2026-02-30"), "INVALID_DATE");
        let at = Property::datetime("t", "T");
        let read = |raw| accept(&at, raw, "", true).unwrap();
        assert_eq!(read("2026-01-31T13:00:00+01:00"), "2026-01-31T12:00:00Z");
        assert_eq!(read("1767225600001"), "2026-01-01T00:00:00.001Z");
        assert_eq!(code(&at, "tomorrow"), "INVALID_LONG");
        assert_eq!(code(&at, "99999999999999999999"), "INVALID_LONG");
    }

    #[test]
    fn a_flag_is_true_or_false_and_nothing_else() {
        let flag = Property::boolean("b", "B");
        assert_eq!(code(&flag, "true"), "ok");
        assert_eq!(code(&flag, "yes"), "INVALID_BOOLEAN");
        assert_eq!(code(&flag, "True"), "INVALID_BOOLEAN");
    }
}
