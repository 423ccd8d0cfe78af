//! What the faults of a call do: refusals of the whole org, answers that break or lie.
//!
//! Whether one strikes is decided in `sim::faults`; faults of rows and values are in
//! `save::mishap`.

use std::io::ErrorKind;

use serde_json::{Value, json};

use super::{Incoming, Outgoing, composite, family, services};
use crate::sim::faults::{At, Fault, Point, Strike};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::org::{Later, Org};

const PAGE: &str = "<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>";

/// Answers a call, or lets the fault that strikes it answer.
pub(super) fn answer(org: &mut Org, incoming: &Incoming) -> Outgoing {
    match strike(org, incoming) {
        None => carry_out(org, incoming),
        Some(strike) => struck(org, incoming, &strike),
    }
}

pub(super) fn carry_out(org: &mut Org, incoming: &Incoming) -> Outgoing {
    services::answer(org, incoming).unwrap_or_else(|refused| refused)
}

fn strike(org: &Org, incoming: &Incoming) -> Option<Strike> {
    if org.faults.is_calm() {
        return None;
    }
    let family = family(incoming);
    let object = object(incoming);
    let at = At {
        method: incoming.method.as_str(),
        path: &incoming.path,
        family,
        writes: writes(family, incoming),
        object: &object,
        body: &incoming.body,
        ..At::default()
    };
    org.faults.strike(Point::Call, &at)
}

fn writes(family: &str, incoming: &Incoming) -> bool {
    let saves = matches!(
        family,
        "collections-create" | "collections-update" | "collections-delete" | "row-write"
    );
    saves || (family == "composite" && composite::may_write(incoming))
}

/// The object that the address names, else the first record of the body or the query's `FROM`.
fn object(incoming: &Incoming) -> String {
    let segments: Vec<&str> = incoming.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["services", "data", _, "sobjects", object, ..]
        | ["services", "data", _, "composite", "sobjects", object, ..] => (*object).to_owned(),
        ["services", "data", _, "composite", "sobjects"] => {
            let body: Value = serde_json::from_slice(&incoming.body).unwrap_or_default();
            let kind = body["records"][0]["attributes"]["type"].as_str();
            kind.unwrap_or_default().to_owned()
        }
        ["services", "data", _, "query" | "queryAll"] => {
            let text = incoming.parameter("q").unwrap_or_default();
            let mut words = text.split_whitespace();
            words.find(|word| word.eq_ignore_ascii_case("from"));
            words.next().unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

fn struck(org: &mut Org, incoming: &Incoming, strike: &Strike) -> Outgoing {
    match strike.fault {
        Fault::Refused => Outgoing::broken(ErrorKind::ConnectionRefused),
        Fault::NeverApplied => Outgoing::broken(ErrorKind::ConnectionReset),
        Fault::AppliedLate => {
            org.later(strike.millis(), Later::Call(incoming.clone()));
            Outgoing::broken(ErrorKind::TimedOut)
        }
        Fault::LostReply => {
            carry_out(org, incoming);
            Outgoing::broken(ErrorKind::ConnectionReset)
        }
        Fault::Maintenance => page(Outgoing::empty(503)),
        Fault::HtmlReply => {
            let mut reply = carry_out(org, incoming);
            reply.status = 200;
            page(reply)
        }
        Fault::TruncatedReply => cut(carry_out(org, incoming)),
        Fault::ShortReply => {
            let mut reply = carry_out(org, incoming);
            match &mut reply.body {
                Some(Value::Array(results)) if reply.status < 300 => {
                    results.pop();
                }
                _ => {}
            }
            reply
        }
        Fault::OddError => Outgoing::json(503, json!({"weather": ["stormy", 7]})),
        Fault::TokenExpired => {
            org.sessions.expire_all();
            carry_out(org, incoming)
        }
        Fault::Revoked => revoked(org, incoming),
        fault => refusal(fault).into(),
    }
}

fn refusal(fault: Fault) -> Refusal {
    let new = |status: u16, code, message: &str| Refusal::new(code, message).status(status);
    match fault {
        Fault::Unavailable => new(503, "SERVER_UNAVAILABLE", "The server is too busy"),
        Fault::RequestLimit => new(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
        ),
        Fault::LongRequests => new(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentPerOrgLongTxn Limit exceeded.",
        ),
        Fault::ScopeRemoved => new(
            403,
            "INSUFFICIENT_ACCESS",
            "insufficient access rights on this object",
        ),
        _ => new(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"),
    }
}

/// The grant is gone: no token is accepted, and none is given.
fn revoked(org: &mut Org, incoming: &Incoming) -> Outgoing {
    org.sessions.expire_all();
    if family(incoming) == "oauth" {
        let told =
            json!({"error": "invalid_grant", "error_description": "expired access/refresh token"});
        return Outgoing::json(400, told);
    }
    carry_out(org, incoming)
}

fn page(mut reply: Outgoing) -> Outgoing {
    reply.text = Some(("text/html;charset=UTF-8", PAGE.to_owned()));
    reply
}

/// A success whose JSON ends in the middle.
fn cut(mut reply: Outgoing) -> Outgoing {
    if let Some(body) = reply.body.take_if(|_| reply.status < 300) {
        let text = body.to_string();
        let half = text.chars().take(text.chars().count() / 2).collect();
        reply.text = Some(("application/json;charset=UTF-8", half));
    }
    reply
}
