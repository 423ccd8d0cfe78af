//! From the path to the resource: token endpoints, versions, then data calls behind token,
//! allowance and version.

use ::http::Method;
use serde_json::{Map, Value, json};

use super::session::touch;
use super::{
    Incoming, Outgoing, Reply, authorize, collections, composite, describe, oauth, query, rows,
    tooling,
};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::org::Org;

/// Supported API versions; `salesforce.md 0`.
const OLDEST: u32 = 60;
const NEWEST: u32 = 68;
/// Versions below this are gone rather than unknown.
const RETIRED_BELOW: u32 = 31;

pub(super) fn answer(org: &mut Org, incoming: &Incoming) -> Reply {
    let segments: Vec<&str> = incoming.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["services", "oauth2", rest @ ..] => oauth::answer(org, incoming, rest),
        [".well-known", "openid-configuration"] => {
            Ok(Outgoing::json(200, authorize::discovery(incoming)))
        }
        ["id", _, _] => oauth::identity(org, incoming),
        ["services", "data"] => Ok(Outgoing::json(200, versions())),
        ["services", "data", version, rest @ ..] => {
            check_version(version)?;
            admit(org, incoming)?;
            check_media(incoming)?;
            let mut reply = data(org, incoming, version, rest).unwrap_or_else(|refused| refused);
            reply.headers.push(("Sforce-Limit-Info", limit_info(org)));
            Ok(reply)
        }
        _ => Err(Refusal::not_found().into()),
    }
}

fn versions() -> Value {
    const SEASONS: [&str; 3] = ["Spring", "Summer", "Winter"];
    (OLDEST..=NEWEST)
        .map(|version| {
            let step = version - OLDEST;
            let season = SEASONS[usize::try_from(step % 3).unwrap_or(0)];
            let year = 24 + step / 3 + u32::from(season == "Winter");
            json!({
                "label": format!("{season} '{year}"),
                "url": format!("/services/data/v{version}.0"),
                "version": format!("{version}.0"),
            })
        })
        .collect()
}

fn check_version(version: &str) -> Result<(), Outgoing> {
    let number: Option<u32> = version
        .strip_prefix('v')
        .and_then(|rest| rest.strip_suffix(".0"))
        .and_then(|number| number.parse().ok());
    match number {
        Some(OLDEST..=NEWEST) => Ok(()),
        Some(number) if number < RETIRED_BELOW => {
            let message = format!("The requested API version {version} is retired");
            Err(Refusal::new("UNSUPPORTED_API_VERSION", message)
                .status(410)
                .into())
        }
        Some(_) | None => Err(Refusal::not_found().into()),
    }
}

/// Token first, then the allowance: a refused token costs no call.
fn admit(org: &mut Org, incoming: &Incoming) -> Result<(), Outgoing> {
    if !oauth::bearer(incoming).is_some_and(|token| touch(org, token)) {
        let refusal = Refusal::new("INVALID_SESSION_ID", "Session expired or invalid");
        return Err(refusal.status(401).into());
    }
    let now = org.clock.now().millis();
    if org.usage.used(now) >= org.options.daily_limit {
        let refusal = Refusal::new("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
        let mut refused = Outgoing::from(refusal.status(403));
        refused.headers.push(("Sforce-Limit-Info", limit_info(org)));
        return Err(refused);
    }
    org.usage.count(now);
    Ok(())
}

/// Bodies are plain JSON here; the real service also unpacks gzip.
fn check_media(incoming: &Incoming) -> Result<(), Outgoing> {
    let kind = incoming
        .header("content-type")
        .unwrap_or("application/json");
    let packed = incoming.header("content-encoding").unwrap_or("identity");
    if incoming.body.is_empty() || (kind.contains("json") && packed == "identity") {
        return Ok(());
    }
    let message = format!("Content-Type {kind} with encoding {packed} is not supported");
    Err(Refusal::new("UNSUPPORTED_MEDIA_TYPE", message)
        .status(415)
        .into())
}

fn limit_info(org: &mut Org) -> String {
    let used = org.usage.used(org.clock.now().millis());
    format!("api-usage={used}/{}", org.options.daily_limit)
}

/// A data call past the gate; also how composite runs its parts.
pub(super) fn data(org: &mut Org, incoming: &Incoming, version: &str, rest: &[&str]) -> Reply {
    let method = &incoming.method;
    match rest {
        [] => Ok(Outgoing::json(200, resources(version))),
        ["limits"] => Ok(Outgoing::json(200, limits(org))),
        ["query"] => query::run(org, incoming, version, false),
        ["queryAll"] => query::run(org, incoming, version, true),
        ["query" | "queryAll", locator] => query::more(org, version, locator),
        ["tooling", "sobjects", "CustomField"] => tooling::custom_field(org, incoming),
        ["sobjects"] => Ok(Outgoing::json(200, describe::global(org, version))),
        ["sobjects", object, "describe"] => describe::object(org, version, object),
        ["sobjects", object] => rows::object(org, incoming, version, object),
        ["sobjects", object, id] => rows::by_id(org, incoming, version, object, id),
        ["sobjects", object, field, value] => {
            rows::by_key(org, incoming, version, [object, field, value])
        }
        ["composite"] if *method == Method::POST => composite::run(org, incoming, version),
        ["composite", "sobjects", rest @ ..] => collections::answer(org, incoming, version, rest),
        _ => Err(Refusal::not_found().into()),
    }
}

pub(super) fn not_allowed(method: &Method) -> Outgoing {
    let message = format!("HTTP Method '{method}' not allowed. Allowed are others");
    Refusal::new("METHOD_NOT_ALLOWED", message)
        .status(405)
        .into()
}

fn resources(version: &str) -> Value {
    let entries = ["sobjects", "query", "queryAll", "composite", "limits"].map(|name| {
        (
            name.to_owned(),
            json!(format!("/services/data/{version}/{name}")),
        )
    });
    Value::Object(Map::from_iter(entries))
}

fn limits(org: &mut Org) -> Value {
    let used = org.usage.used(org.clock.now().millis());
    let max = org.options.daily_limit;
    let full = |max: u64| json!({ "Max": max, "Remaining": max });
    json!({
        "DailyApiRequests": { "Max": max, "Remaining": max.saturating_sub(used) },
        "DailyBulkApiBatches": full(15_000),
        "DailyBulkV2QueryJobs": full(10_000),
        "DailyAsyncApexExecutions": full(250_000),
        "DataStorageMB": full(1_024),
        "FileStorageMB": full(1_024),
        "HourlyPublishedPlatformEvents": full(50_000),
    })
}
