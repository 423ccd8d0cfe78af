//! `/composite`: up to 25 calls in one, later ones naming results of earlier ones.
//!
//! `salesforce.md 4.2`, without graphs, trees and batches.

use std::collections::BTreeMap;

use ::http::{HeaderMap, Method};
use axum::body::Bytes;
use serde_json::{Value, json};

use super::{Incoming, Outgoing, Reply, services};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::org::Org;

const MAX_PARTS: usize = 25;
/// Of these, queries and collections.
const MAX_LISTS: usize = 5;

struct Part {
    method: Method,
    url: String,
    reference: String,
    body: Value,
}

pub(super) fn run(org: &mut Org, incoming: &Incoming, version: &str) -> Reply {
    let parts = read(incoming)?;
    let all_or_none = incoming.json()?["allOrNone"] == json!(true);
    let counters = org.counters.clone();
    if all_or_none {
        org.begin();
    }
    let mut results: BTreeMap<String, Value> = BTreeMap::new();
    let mut answers: Vec<(String, Outgoing)> = Vec::new();
    for part in parts {
        let reply = match resolve(&part, &results) {
            Some((url, body)) => one(org, incoming, version, &part.method, &url, &body),
            None => halted(),
        };
        if reply.status < 300 {
            let body = reply.body.clone().unwrap_or(Value::Null);
            results.insert(part.reference.clone(), body);
        }
        answers.push((part.reference, reply));
    }
    if all_or_none {
        let failed = answers.iter().any(|(_, reply)| reply.status >= 300);
        org.settle(!failed);
        if failed {
            org.counters = counters;
            for (_, reply) in answers.iter_mut().filter(|(_, reply)| reply.status < 300) {
                *reply = halted();
            }
        }
    }
    let shown: Value = answers.into_iter().map(show).collect();
    Ok(Outgoing::json(200, json!({ "compositeResponse": shown })))
}

/// Whether any part of it is more than a question.
pub(super) fn may_write(incoming: &Incoming) -> bool {
    let parts = read(incoming).unwrap_or_default();
    parts.iter().any(|part| part.method != Method::GET)
}

fn show((reference, reply): (String, Outgoing)) -> Value {
    let headers: serde_json::Map<String, Value> = reply
        .headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    json!({
        "body": reply.body, "httpHeaders": headers, "httpStatusCode": reply.status,
        "referenceId": reference,
    })
}

fn halted() -> Outgoing {
    let message = "The transaction was rolled back since another operation in the same \
                   transaction failed.";
    Refusal::new("PROCESSING_HALTED", message).into()
}

fn read(incoming: &Incoming) -> Result<Vec<Part>, Outgoing> {
    let invalid = |message: &str| Outgoing::from(Refusal::new("INVALID_INPUT", message));
    let body = incoming.json()?;
    let list = body["compositeRequest"]
        .as_array()
        .ok_or_else(|| invalid("compositeRequest must be an array"))?;
    if list.len() > MAX_PARTS {
        return Err(invalid("a composite request takes at most 25 subrequests"));
    }
    let mut parts: Vec<Part> = Vec::new();
    for entry in list {
        let text = |key: &str| entry[key].as_str().map(str::to_owned);
        let (Some(method), Some(url), Some(reference)) =
            (text("method"), text("url"), text("referenceId"))
        else {
            return Err(invalid("a subrequest needs method, url and referenceId"));
        };
        let plain = reference
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain || parts.iter().any(|part| part.reference == reference) {
            return Err(invalid("referenceId must be unique letters, digits or _"));
        }
        parts.push(Part {
            method: method.parse().map_err(|_| invalid("unknown method"))?,
            url,
            reference,
            body: entry["body"].clone(),
        });
    }
    if parts.iter().filter(|part| part.is_list()).count() > MAX_LISTS {
        return Err(invalid(
            "at most 5 subrequests may be queries or collections",
        ));
    }
    Ok(parts)
}

impl Part {
    fn is_list(&self) -> bool {
        ["/query", "/queryAll", "/composite/sobjects"]
            .iter()
            .any(|list| self.url.contains(list))
    }
}

fn one(
    org: &mut Org,
    incoming: &Incoming,
    version: &str,
    method: &Method,
    url: &str,
    body: &Value,
) -> Outgoing {
    let mut headers = HeaderMap::new();
    for name in ["host", "sforce-duplicate-rule-header"] {
        if let Some(value) = incoming.headers.get(name) {
            headers.insert(name, value.clone());
        }
    }
    let bytes = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    let inner = Incoming::new(method.clone(), url, headers, bytes);
    let segments: Vec<&str> = inner.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["services", "data", own, rest @ ..] if *own == version && rest != ["composite"] => {
            services::data(org, &inner, version, rest).unwrap_or_else(|refused| refused)
        }
        _ => Refusal::not_found().into(),
    }
}

/// Replaces `@{reference.path}`; `None` when it names nothing that succeeded.
fn resolve(part: &Part, results: &BTreeMap<String, Value>) -> Option<(String, Value)> {
    let url = fill(&part.url, results)?;
    let body = fill_value(&part.body, results)?;
    Some((url, body))
}

fn fill_value(value: &Value, results: &BTreeMap<String, Value>) -> Option<Value> {
    Some(match value {
        Value::String(text) => Value::String(fill(text, results)?),
        Value::Array(list) => list
            .iter()
            .map(|value| fill_value(value, results))
            .collect::<Option<_>>()?,
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| Some((key.clone(), fill_value(value, results)?)))
                .collect::<Option<_>>()?,
        ),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain.clone(),
    })
}

fn fill(text: &str, results: &BTreeMap<String, Value>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        let (name, after) = after.split_once('}')?;
        let (reference, path) = name.split_once('.')?;
        let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
        let found = results.get(reference)?.pointer(&pointer)?;
        out.push_str(before);
        match found {
            Value::String(text) => out.push_str(text),
            other => out.push_str(&other.to_string()),
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}
