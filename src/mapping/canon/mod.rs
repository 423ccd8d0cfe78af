//! Canonical forms: from a CRM's raw field to a comparable value and back.
//!
//! One field at a time, by form; no rule, no schema, no other side. Every form is idempotent:
//! what is rendered reads back to the same value.

mod phone;
mod text;
mod time;

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use crate::model::{Raw, Side, Value};

pub(super) use phone::{Country, country};
pub use text::id18;
pub(super) use text::{domain, fold, nfc, valid_email};
pub(super) use time::{day_in, noon_in};

/// How a field is read and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Email,
    Phone,
    Domain,
    Number,
    Bool,
    Date,
    /// Whole seconds: the finest that both platforms keep.
    DateTime,
    /// One value of a list, by API value.
    Pick,
    Multi,
    /// A record id; Salesforce ids in 18 characters.
    Id,
    /// A Salesforce record type: its id in the record, its developer name as value.
    RecordType,
}

/// Reads a raw field. The error says what was expected.
pub(super) fn parse(
    form: Form,
    raw: &Raw,
    side: Side,
    country: Option<Country>,
) -> Result<Value, String> {
    let Some(text) = raw.as_text() else {
        // Salesforce knows no blank checkbox (salesforce.md 9).
        let unchecked = form == Form::Bool && side == Side::Salesforce;
        return Ok(if unchecked {
            Value::Bool(false)
        } else {
            Value::Null
        });
    };
    let value = match form {
        // Salesforce keeps no outer blanks (salesforce.md 9).
        Form::Text if side == Side::Salesforce => Value::text(nfc(text).trim()),
        Form::Text => Value::Text(nfc(text)),
        Form::Email => Value::Text(nfc(text).trim().to_lowercase()),
        Form::Phone => Value::Text(phone::canonical(text, country)),
        Form::Domain => Value::Text(domain(text)),
        Form::Number => Value::Number(decimal(text)?),
        Form::Bool => Value::Bool(truth(text)?),
        Form::Date => Value::Date(time::date(text)?),
        Form::DateTime => Value::Time(time::moment(text)?),
        Form::Pick => Value::Text(text.to_owned()),
        Form::Multi => Value::Set(members(text)),
        Form::Id | Form::RecordType => Value::Text(id18(text, side)),
    };
    Ok(if value.is_blank() { Value::Null } else { value })
}

/// The raw field that holds a value, in the platform's own types.
pub(super) fn raw(value: &Value, side: Side) -> Raw {
    let Some(text) = text_of(value) else {
        return Raw::Null;
    };
    match (side, value) {
        (Side::Salesforce, Value::Bool(truth)) => Raw::Bool(*truth),
        (Side::Salesforce, Value::Number(_)) => Raw::Number(text),
        _ => Raw::Text(text),
    }
}

/// A value as the text both platforms understand; `None` when blank.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        _ if value.is_blank() => None,
        Value::Null => None,
        Value::Text(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Date(date) => Some(date.format("%Y-%m-%d").to_string()),
        Value::Time(at) => Some(at.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        Value::Set(set) => Some(set.iter().cloned().collect::<Vec<_>>().join(";")),
        Value::Money { amount, .. } => Some(amount.to_string()),
        Value::Link(link) => Some(link.to_string()),
        Value::Links(_) | Value::Several(_) => Some(value.to_string()),
    }
}

/// An exact decimal without trailing zeros; also the `1.0E7` that Salesforce may write.
pub(super) fn decimal(text: &str) -> Result<Decimal, String> {
    let text = text.trim();
    let expected = || "expected a number with a point as the only separator".to_owned();
    let plain = text.trim_start_matches(['-', '+']);
    if plain.is_empty() || !plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(expected());
    }
    if text.contains('_') {
        return Err(expected());
    }
    let number = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text).map_err(|_| expected())?
    } else {
        Decimal::from_str_exact(text).map_err(|_| expected())?
    };
    Ok(tidy(number))
}

/// One form for equal numbers: no trailing zeros, no negative zero.
pub(super) fn tidy(number: Decimal) -> Decimal {
    if number.is_zero() {
        Decimal::ZERO
    } else {
        number.normalize()
    }
}

fn truth(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

fn members(text: &str) -> BTreeSet<String> {
    text.split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}
