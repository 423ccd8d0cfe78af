//! HubSpot's refusals, read leniently: every part of an error body is optional (hubspot.md 10).
//!
//! The only place that knows categories and codes.

use serde_json::Value;

use crate::crm::http::{Reply, correlation_id};
use crate::crm::text::label;
use crate::crm::{CrmError, ErrorKind, RateScope, Sent};
use crate::model::{RecordId, Timestamp};

/// What HubSpot documents for a record lock, with a little room (hubspot.md 3.4).
const LOCK_MS: i64 = 2_100;
/// With the account's midnight unknown, look again after this long.
const DAILY_RETRY_MS: i64 = 15 * 60_000;

/// Ids are 64-bit numbers.
const ID_DIGITS: usize = 20;

/// The error of a call that was refused as one.
pub(super) fn from_reply(reply: &Reply, now: Timestamp, day_end: Option<Timestamp>) -> CrmError {
    let body = reply.refusal();
    // Some endpoints answer with a bare list of errors.
    let body = match &body {
        Value::Array(items) => items.first().cloned().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            body
        }
    };
    let mut error = read(&body, reply.status);
    error.status = Some(reply.status);
    error.correlation_id = correlation_id(reply).or(error.correlation_id);
    if matches!(reply.status, 500 | 502 | 504 | 522 | 524) {
        error.sent = reply.unreadable;
    }
    let wait = reply
        .retry_after(now)
        .or(implied_wait(&error, now, day_end));
    error.not_before(wait)
}

/// A refused login has nothing to do with records, whatever its code says elsewhere. Its code is in
/// `status` (hubspot.md 1.5).
pub(super) fn from_login(reply: &Reply, now: Timestamp) -> CrmError {
    let mut error = from_reply(reply, now, None);
    if matches!(reply.status, 400 | 401 | 403) {
        error.kind = ErrorKind::LoginRefused;
        if let Some(code) = reply.refusal()["status"].as_str() {
            error.code = label(code);
        }
    }
    error
}

/// One item of a partly failed batch: the error, and the traces and ids it names.
pub(super) struct ItemError {
    pub error: CrmError,
    pub traces: Vec<String>,
    pub ids: Vec<String>,
}

pub(super) fn from_item(item: &Value, now: Timestamp) -> ItemError {
    let category = text(item, "category");
    let status = match category {
        "OBJECT_NOT_FOUND" => 404,
        "CONFLICT" | "OBJECT_ALREADY_EXISTS" => 409,
        "MISSING_SCOPES" | "FORBIDDEN" | "BANNED" => 403,
        "RATE_LIMITS" => 429,
        "INTERNAL_ERROR" => 500,
        _ => 400,
    };
    let mut error = read(item, status);
    let wait = implied_wait(&error, now, None);
    error = error.not_before(wait);
    let context = &item["context"];
    let mut ids = strings(&context["ids"]);
    ids.extend(strings(&context["id"]));
    ids.extend(strings(&item["id"]));
    ItemError {
        error,
        traces: strings(&context["objectWriteTraceId"]),
        ids,
    }
}

fn implied_wait(error: &CrmError, now: Timestamp, day_end: Option<Timestamp>) -> Option<Timestamp> {
    if error.kind == ErrorKind::Locked {
        return Some(now.plus_millis(LOCK_MS));
    }
    let ErrorKind::RateLimited(scope) = error.kind else {
        return None;
    };
    Some(match scope {
        RateScope::Search => now.plus_millis(1_000),
        RateScope::Burst => now.plus_millis(10_000),
        RateScope::Daily => day_end.unwrap_or(now.plus_millis(DAILY_RETRY_MS)),
        RateScope::Moving => now.plus_millis(DAILY_RETRY_MS),
    })
}

fn read(body: &Value, status: u16) -> CrmError {
    let message = text(body, "message");
    let details = details(body, message);
    let codes: Vec<&str> = details.iter().map(|detail| detail.code.as_str()).collect();
    let kind = kind(body, status, &codes, message);
    let code = codes
        .iter()
        .copied()
        .chain([
            text(body, "policyName"),
            text(body, "category"),
            text(body, "errorType"),
        ])
        .find(|code| !code.is_empty())
        .map_or_else(|| format!("http-{status}"), str::to_owned);
    let told = if message.is_empty() {
        format!("HubSpot answered with status {status} and said nothing more")
    } else {
        message.to_owned()
    };
    let scopes = required_scopes(body);
    let told = if scopes.is_empty() {
        told
    } else {
        format!("the app lacks the scope {}", scopes.join(" or "))
    };
    let mut fields: Vec<String> = details
        .into_iter()
        .flat_map(|detail| detail.fields)
        .collect();
    fields.extend(strings(&body["context"]["propertyName"]));
    let mut error = CrmError::new(kind, &code, &told, Sent::Yes).blame(fields);
    error.status = Some(status);
    error.existing = existing(message);
    error.correlation_id = Some(label(text(body, "correlationId"))).filter(|id| !id.is_empty());
    error
}

/// The scopes one of which a refused call needs (hubspot.md 1.4). The platform's own message names
/// none of them.
fn required_scopes(body: &Value) -> Vec<String> {
    let items = body["errors"].as_array().into_iter().flatten();
    let contexts = items.map(|item| &item["context"]).chain([&body["context"]]);
    let mut scopes: Vec<String> = contexts
        .flat_map(|context| strings(&context["requiredGranularScopes"]))
        .collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

struct Detail {
    code: String,
    fields: Vec<String>,
}

/// The single faults of a refusal: the `errors` list, else the list that some endpoints put as
/// JSON text into the message.
fn details(body: &Value, message: &str) -> Vec<Detail> {
    let listed: Vec<Detail> = body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| Detail {
            code: text(item, "code").to_owned(),
            fields: strings(&item["context"]["propertyName"]),
        })
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    let Some(start) = message.find('[') else {
        return Vec::new();
    };
    let nested: Value = serde_json::from_str(&message[start..]).unwrap_or_default();
    nested
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| Detail {
            code: text(item, "error").to_owned(),
            fields: strings(&item["name"]),
        })
        .collect()
}

fn kind(body: &Value, status: u16, codes: &[&str], message: &str) -> ErrorKind {
    match status {
        401 => ErrorKind::TokenExpired,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::Unavailable,
        409 if existing(message).is_some() => ErrorKind::Duplicate,
        409 => match text(body, "category") {
            "CONFLICT" | "OBJECT_ALREADY_EXISTS" => ErrorKind::Duplicate,
            _ => ErrorKind::Conflict,
        },
        413 | 414 | 431 => ErrorKind::TooHeavy,
        423 => ErrorKind::Locked,
        429 => ErrorKind::RateLimited(scope(body, message)),
        477 => ErrorKind::RateLimited(RateScope::Moving),
        300..=399 | 405 | 406 | 410 | 415 => ErrorKind::BadRequest,
        500.. => ErrorKind::Unavailable,
        _ if message.contains("Invalid input JSON") => ErrorKind::BadRequest,
        _ if codes.contains(&"CONFLICTING_UNIQUE_VALUE") => ErrorKind::Duplicate,
        _ if codes.contains(&"PROPERTY_DOESNT_EXIST") => ErrorKind::UnknownField,
        _ => ErrorKind::Rejected,
    }
}

/// Policies are matched by part of their name, because only one of them is documented.
fn scope(body: &Value, message: &str) -> RateScope {
    let policy = format!("{} {message}", text(body, "policyName")).to_ascii_lowercase();
    if policy.contains("daily") {
        RateScope::Daily
    } else if policy.contains("ten_secondly") {
        RateScope::Burst
    } else if policy.contains("secondly") {
        RateScope::Search
    } else {
        RateScope::Burst
    }
}

/// The id in `Contact already exists. Existing ID: 123`, which is the only place it appears.
fn existing(message: &str) -> Option<RecordId> {
    let (_, rest) = message.split_once("Existing ID:")?;
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .take(ID_DIGITS + 1)
        .collect();
    (1..=ID_DIGITS)
        .contains(&digits.len())
        .then(|| RecordId::new(digits))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A string, a number, or a list of them.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Object(_) => Vec::new(),
    }
}
