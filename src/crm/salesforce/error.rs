//! Salesforce's refusals: a list, an object, an empty or an HTML body, whole or per row.
//!
//! The only place that knows status codes and error codes. New codes appear with each release, so
//! unknown ones are sorted by their status.

use serde_json::Value;

use super::auth::full_id;
use crate::crm::http::{Reply, correlation_id};
use crate::crm::{CrmError, ErrorKind, RateScope, Sent};
use crate::model::{RecordId, Timestamp};

/// The daily window rolls, so small amounts come back all the time.
const DAILY_RETRY_MS: i64 = 15 * 60_000;
const CONCURRENT_RETRY_MS: i64 = 10_000;
const LOCK_MS: i64 = 1_000;
/// Approval locks are lifted by people.
const APPROVAL_RETRY_MS: i64 = 3_600_000;
/// Logins are limited by the hour.
const LOGIN_RETRY_MS: i64 = 3_600_000;

/// The error of a call that was refused as one. `object` is what was being written.
pub(super) fn from_reply(reply: &Reply, now: Timestamp, object: Option<&str>) -> CrmError {
    let body = reply.refusal();
    let mut error = from_errors(items(&body), reply.status, now, object);
    error.status = Some(reply.status);
    error.correlation_id = correlation_id(reply);
    if matches!(reply.status, 500 | 502 | 504) {
        error.sent = reply.unreadable;
    }
    error.not_before(reply.retry_after(now))
}

/// The error of one row of a collection.
pub(super) fn from_row(errors: &[Value], now: Timestamp, object: &str) -> CrmError {
    from_errors(errors, 400, now, Some(object))
}

/// A refused login: one object with `error`, or anything from the edge.
pub(super) fn from_login(reply: &Reply, now: Timestamp) -> CrmError {
    let mut error = from_reply(reply, now, None);
    let refused = matches!(reply.status, 400 | 401 | 403) && error.code != "rate_limit_exceeded";
    if refused {
        error.kind = ErrorKind::LoginRefused;
    }
    error
}

fn items(body: &Value) -> &[Value] {
    match body {
        Value::Array(items) => items,
        Value::Object(_) => std::slice::from_ref(body),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => &[],
    }
}

fn from_errors(items: &[Value], status: u16, now: Timestamp, object: Option<&str>) -> CrmError {
    let mut messages = Vec::new();
    let mut fields = Vec::new();
    for item in items {
        messages.extend(["message", "error_description"].map(|name| text(item, name)));
        fields.extend(strings(&item["fields"]));
    }
    messages.retain(|message| !message.is_empty());
    let message = messages.join("; ");
    let code = items
        .iter()
        .flat_map(|item| ["statusCode", "errorCode", "error"].map(|name| text(item, name)))
        .find(|code| !code.is_empty())
        .map_or_else(|| format!("http-{status}"), str::to_owned);
    let kind = kind(&code, status, &message);
    if kind == ErrorKind::UnknownField && fields.is_empty() {
        fields.extend(column(&message));
    }
    if code == "INACTIVE_OWNER_OR_USER" && fields.is_empty() {
        fields.push("OwnerId".to_owned());
    }
    let told = if message.is_empty() {
        format!("Salesforce answered with status {status} and said nothing more")
    } else {
        message.clone()
    };
    let mut error = CrmError::new(kind, &code, &told, Sent::Yes).blame(fields);
    error.status = Some(status);
    error.existing = existing(items, &message, object);
    error.not_before(wait(kind, &code, &message, now))
}

fn wait(kind: ErrorKind, code: &str, message: &str, now: Timestamp) -> Option<Timestamp> {
    let millis = if kind == ErrorKind::Locked {
        let approval = code == "ENTITY_IS_LOCKED";
        if approval { APPROVAL_RETRY_MS } else { LOCK_MS }
    } else if kind == ErrorKind::RateLimited(RateScope::Daily) {
        DAILY_RETRY_MS
    } else if message.contains("login rate") {
        LOGIN_RETRY_MS
    } else if matches!(kind, ErrorKind::RateLimited(_)) {
        CONCURRENT_RETRY_MS
    } else {
        return None;
    };
    Some(now.plus_millis(millis))
}

fn kind(code: &str, status: u16, message: &str) -> ErrorKind {
    match code {
        "INVALID_SESSION_ID" | "INVALID_AUTH_HEADER" => ErrorKind::TokenExpired,
        "REQUEST_LIMIT_EXCEEDED" if message.contains("Concurrent") => {
            ErrorKind::RateLimited(RateScope::Burst)
        }
        "REQUEST_LIMIT_EXCEEDED" => ErrorKind::RateLimited(RateScope::Daily),
        "rate_limit_exceeded" => ErrorKind::RateLimited(RateScope::Burst),
        "UNABLE_TO_LOCK_ROW" | "ENTITY_IS_LOCKED" => ErrorKind::Locked,
        "SERVER_UNAVAILABLE"
        | "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE"
        | "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"
        | "ORG_IN_MAINTENANCE"
        | "UNKNOWN_EXCEPTION"
        | "INTERNAL_ERROR"
        | "TXN_SECURITY_METERING_ERROR" => ErrorKind::Unavailable,
        "QUERY_TIMEOUT"
        | "REQUEST_RUNNING_TOO_LONG"
        | "QUERY_TOO_COMPLICATED"
        | "EXCEEDED_ID_LIMIT"
        | "LIMIT_EXCEEDED"
        | "TOO_MANY_APEX_REQUESTS"
        | "APEX_TRIGGER_COUPLING_LIMIT"
        | "EXCEEDED_MAX_SIZE_REQUEST"
        | "TOO_MANY_RECORDS" => ErrorKind::TooHeavy,
        "INVALID_QUERY_LOCATOR" => ErrorKind::CursorLost,
        "DUPLICATES_DETECTED" | "DUPLICATE_VALUE" | "DUPLICATE_EXTERNAL_ID" => ErrorKind::Duplicate,
        "INVALID_FIELD" | "INVALID_FIELD_FOR_INSERT_UPDATE" => ErrorKind::UnknownField,
        // A converted Lead is as gone as a deleted one: what it became has another id.
        "NOT_FOUND" | "ENTITY_IS_DELETED" | "CANNOT_UPDATE_CONVERTED_LEAD" => ErrorKind::NotFound,
        "ALL_OR_NONE_OPERATION_ROLLED_BACK" | "PROCESSING_HALTED" | "BATCH_PROCESSING_HALTED" => {
            ErrorKind::RolledBack
        }
        "API_DISABLED_FOR_ORG"
        | "API_CURRENTLY_DISABLED"
        | "INSUFFICIENT_ACCESS"
        | "INSUFFICIENT_ACCESS_OR_READONLY"
        | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        | "STORAGE_LIMIT_EXCEEDED" => ErrorKind::Forbidden,
        code if code.starts_with("TXN_SECURITY_") => ErrorKind::Forbidden,
        "MALFORMED_QUERY"
        | "JSON_PARSER_ERROR"
        | "UNSUPPORTED_API_VERSION"
        | "INVALID_TYPE"
        | "MISSING_ARGUMENT"
        | "INVALID_ID_FIELD" => ErrorKind::BadRequest,
        // Triggers and flows wrap the real cause in their own text.
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER"
            if message.contains("UNABLE_TO_LOCK_ROW") =>
        {
            ErrorKind::Locked
        }
        _ => by_status(status),
    }
}

fn by_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::TokenExpired,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        409 | 412 => ErrorKind::Conflict,
        413 | 414 | 431 => ErrorKind::TooHeavy,
        // An empty 406 and the edge's HTML under 420 pass by themselves.
        406 | 408 | 420 | 500.. => ErrorKind::Unavailable,
        429 => ErrorKind::RateLimited(RateScope::Burst),
        300 => ErrorKind::Duplicate,
        301..=399 | 405 | 410 | 415 => ErrorKind::BadRequest,
        _ => ErrorKind::Rejected,
    }
}

/// The name in `No such column 'Foo__c' on entity 'Contact'`.
fn column(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("No such column '")?;
    let (name, _) = rest.split_once('\'')?;
    super::soql::name(name).ok().map(str::to_owned)
}

/// The record that already holds a value, or the only one a duplicate rule matched among records
/// of the object being written: rules also match Leads against Contacts.
fn existing(items: &[Value], message: &str, object: Option<&str>) -> Option<RecordId> {
    if let Some((_, rest)) = message.split_once("record with id:") {
        let id: String = rest
            .trim_start()
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        return full_id(&id).map(RecordId::new);
    }
    let mut matched: Vec<String> = items
        .iter()
        // Live answers misspell the name; some versions do not.
        .flat_map(|item| [&item["duplicateResut"], &item["duplicateResult"]])
        .flat_map(|result| list(&result["matchResults"]))
        .flat_map(|result| list(&result["matchRecords"]))
        .map(|found| &found["record"])
        .filter(|record| {
            let kind = record["attributes"]["type"].as_str();
            kind.is_none() || object.is_none() || kind == object
        })
        .filter_map(|record| full_id(record["Id"].as_str()?))
        .collect();
    matched.sort();
    matched.dedup();
    match matched.as_slice() {
        [only] => Some(RecordId::new(only.as_str())),
        _ => None,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn strings(value: &Value) -> Vec<String> {
    let names = list(value).iter().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}
