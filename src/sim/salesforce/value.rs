//! Values as rows hold them, read from and written to the platform's JSON.
//!
//! Reading checks the JSON type and normalises as the platform does on save; whether a value is
//! allowed in its field (length, picklist, range) is decided in `save::check`.

use chrono::{DateTime, NaiveDate};
use serde_json::{Value, json};

use super::error::Refusal;
use super::id::AnyId;
use super::schema::{Field, Kind};

/// A stored value; null is the absence of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Bool(bool),
    Number(f64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Whole seconds since 1970-01-01 UTC: the platform keeps no fractions.
    Instant(i64),
    Text(Box<str>),
}

impl Cell {
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(_) | Self::Number(_) | Self::Date(_) | Self::Instant(_) => None,
        }
    }

    pub fn to_json(&self, kind: Kind) -> Value {
        match self {
            Self::Bool(value) => json!(value),
            Self::Number(value) if kind == Kind::Int => json!(*value as i64),
            Self::Number(value) => json!(value),
            Self::Date(days) => json!(date_text(*days)),
            Self::Instant(seconds) => json!(instant_text(*seconds)),
            Self::Text(text) => json!(text),
        }
    }
}

/// `2026-11-23T10:52:07.000+0000`, the only form in which the org writes moments.
pub(super) fn instant_text(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .unwrap_or_default()
        .format("%Y-%m-%dT%H:%M:%S.000+0000")
        .to_string()
}

pub(super) fn date_text(days: i32) -> String {
    NaiveDate::from_epoch_days(days)
        .unwrap_or_default()
        .format("%Y-%m-%d")
        .to_string()
}

pub(super) fn read_date(text: &str) -> Option<i32> {
    let well_formed = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    well_formed.then(|| date.to_epoch_days())
}

/// RFC 3339, or the offset without a colon; fractions of a second are cut off.
pub(super) fn read_instant(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|at| at.timestamp())
}

/// Turns the JSON of a field into what will be stored, or says why it cannot.
pub(super) fn read(
    field: &Field,
    value: &Value,
    normalise: bool,
) -> Result<Option<Cell>, Box<Refusal>> {
    if value.is_null() && field.kind != Kind::Boolean {
        return Ok(None);
    }
    match field.kind {
        Kind::Boolean => match value {
            Value::Bool(flag) => Ok(Some(Cell::Bool(*flag))),
            other => Err(wrong_type("boolean", other)),
        },
        Kind::Int | Kind::Double | Kind::Currency | Kind::Percent => read_number(field, value),
        Kind::Date => value
            .as_str()
            .and_then(read_date)
            .map(|days| Some(Cell::Date(days)))
            .ok_or_else(|| wrong_type("date", value)),
        Kind::DateTime => value
            .as_str()
            .and_then(read_instant)
            .map(|seconds| Some(Cell::Instant(seconds)))
            .ok_or_else(|| wrong_type("datetime", value)),
        Kind::Id | Kind::Reference => read_reference(field, value),
        Kind::MultiPicklist => {
            let text = read_text(field, value)?;
            Ok(keep(set_text(field, text, normalise), normalise))
        }
        Kind::Text
        | Kind::TextArea
        | Kind::LongText
        | Kind::Email
        | Kind::Phone
        | Kind::Url
        | Kind::Picklist
        | Kind::Address
        | Kind::PersonName
        | Kind::Any => {
            let text = read_text(field, value)?;
            let text = if normalise { text.trim() } else { text };
            Ok(keep(text.to_owned(), normalise))
        }
    }
}

fn keep(text: String, normalise: bool) -> Option<Cell> {
    (!(normalise && text.is_empty())).then(|| Cell::text(text))
}

fn read_text<'a>(field: &Field, value: &'a Value) -> Result<&'a str, Box<Refusal>> {
    value
        .as_str()
        .ok_or_else(|| wrong_type(field.kind.wire(), value))
}

fn read_number(field: &Field, value: &Value) -> Result<Option<Cell>, Box<Refusal>> {
    let kind = field.kind.wire();
    let number = value.as_f64().ok_or_else(|| wrong_type(kind, value))?;
    if field.kind == Kind::Int && number.fract() != 0.0 {
        return Err(wrong_type(kind, value));
    }
    Ok(Some(Cell::Number(round(number, field.scale))))
}

/// Half away from zero at `scale` decimals.
pub(super) fn round(number: f64, scale: u32) -> f64 {
    let factor = 10_f64.powi(i32::try_from(scale).unwrap_or(0));
    let scaled = (number * factor).round() / factor;
    if scaled.is_finite() { scaled } else { number }
}

fn read_reference(field: &Field, value: &Value) -> Result<Option<Cell>, Box<Refusal>> {
    let text = read_text(field, value)?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    AnyId::parse(text)
        .map(|id| Some(Cell::text(id.to_string())))
        .ok_or_else(|| Box::new(Refusal::malformed_id(&field.label, text).field(field.name)))
}

/// A multi-select value reads back in the order of its picklist, each entry once.
fn set_text(field: &Field, text: &str, normalise: bool) -> String {
    if !normalise {
        return text.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    let place = |part: &str| field.values.iter().position(|value| *value == part);
    parts.sort_by_key(|part| place(part).unwrap_or(usize::MAX));
    parts.join(";")
}

fn wrong_type(wanted: &str, value: &Value) -> Box<Refusal> {
    let token = match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(true) => "VALUE_TRUE",
        Value::Bool(false) => "VALUE_FALSE",
        Value::Number(number) if number.is_f64() => "VALUE_NUMBER_FLOAT",
        Value::Number(_) => "VALUE_NUMBER_INT",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    let shown: String = match value {
        Value::String(text) => text.chars().take(80).collect(),
        Value::Array(_) | Value::Object(_) => String::new(),
        plain => plain.to_string(),
    };
    Box::new(Refusal::new(
        "JSON_PARSER_ERROR",
        format!(
            "Cannot deserialize instance of {wanted} from {token} value {shown} \
             or request may be missing a required field"
        ),
    ))
}

/// `salesforce.md 9`: the characters an address may have, and where dots may not stand.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let local_ok = !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && local
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*/=?^_+-{|}~.`".contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    let label_ok = |label: &&str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    local_ok && labels.len() >= 2 && labels.iter().all(label_ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_the_platform_refuses() {
        for bad in [
            "a", "a@b", "@b.c", "a.@b.c", ".a@b.c", "a@b..c", "a b@c.de", "ü@b.de",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        for good in ["a@b.c", "o'neil+x@sub.example.com", "A_1@ex-ample.org"] {
            assert!(is_email(good), "{good}");
        }
    }

    #[test]
    fn a_moment_loses_its_fraction_and_its_zone() {
        let at = read_instant("2026-11-23T11:52:07.987+01:00").map(instant_text);
        assert_eq!(at.as_deref(), Some("2026-11-23T10:52:07.000+0000"));
        assert_eq!(read_date("2026-13-01"), None);
        assert_eq!(read_date("2026-1-1"), None);
        assert_eq!(
            read_date("2026-11-23").map(date_text).as_deref(),
            Some("2026-11-23")
        );
    }
}
