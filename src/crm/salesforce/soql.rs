//! Text that goes into SOQL: literals that cannot be broken out of, and checked names.

use chrono::SecondsFormat;

use crate::crm::CrmError;
use crate::model::Timestamp;

/// A quoted string literal. No value can end it early (salesforce.md 3.3).
pub fn string(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('\'');
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            other => out.push(other),
        }
    }
    out.push('\'');
    out
}

/// Passes an object or field name through unchanged when it is one: names are never quoted, so
/// anything else would be read as a part of the query.
pub fn name(text: &str) -> Result<&str, CrmError> {
    let mut bytes = text.bytes();
    let head = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
    if head && text.len() <= 255 && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        Ok(text)
    } else {
        let shown: String = text.chars().take(40).collect();
        Err(CrmError::bad_request(&format!(
            "{shown:?} is no name of a Salesforce object or field"
        )))
    }
}

/// A date-time literal, unquoted, in UTC.
pub fn datetime(at: Timestamp) -> String {
    at.utc().to_rfc3339_opts(SecondsFormat::Millis, true)
}
