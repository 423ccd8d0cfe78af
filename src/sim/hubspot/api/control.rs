//! Test control under `/_sim/`: time, state, log, counters, switches, and edits by hand.
//!
//! No part of the platform; needs no token and is neither counted nor limited.

use std::collections::BTreeMap;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::super::kind::ObjectKind;
use super::super::stamp;
use super::super::webhooks::WebhookSettings;
use super::super::{HubSpotSim, SimRecord};
use super::{Call, Reply};

/// Ten years: enough for any test, and far from where times overflow.
const MAX_ADVANCE_MS: i64 = 315_360_000_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    advance_ms: i64,
    object: String,
    id: String,
    properties: BTreeMap<String, String>,
    primary: String,
    other: String,
    from_object: String,
    from_id: String,
    to_object: String,
    to_id: String,
    type_id: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OptionsBody {
    normalise: Option<bool>,
    search_lag_ms: Option<i64>,
    daily_limit: Option<u64>,
    burst_limit: Option<u64>,
    associations_limit: Option<u64>,
    associations_daily_limit: Option<u64>,
    search_per_second: Option<u64>,
    missing_scopes: Option<Vec<String>>,
    unavailable_scopes: Option<Vec<String>>,
    hide_scopes: Option<bool>,
    rotate_refresh_tokens: Option<bool>,
    search_returns_stored: Option<bool>,
}

pub(super) fn answer(sim: &HubSpotSim, call: &Call) -> Reply {
    let outcome = match (&call.method, call.path.as_str()) {
        (&Method::GET, path) => read(sim, path, call),
        (&Method::POST, "/_sim/options") => set_options(sim, call),
        (&Method::POST, "/_sim/faults") => sim.with(|state| state.faults.control(&call.body)),
        (&Method::POST, "/_sim/webhooks") => set_webhooks(sim, call),
        (&Method::POST, "/_sim/revoke") => {
            sim.revoke_grants();
            Ok(json!({"done": true}))
        }
        (&Method::POST, path) => act(sim, path, call),
        (_, path) => Err(format!("no test control at {path} for this method")),
    };
    outcome.map_or_else(|text| Reply::json(400, json!({"error": text})), Reply::ok)
}

fn read(sim: &HubSpotSim, path: &str, call: &Call) -> Result<Json, String> {
    match path {
        "/_sim/state" => {
            let object = call.param("object").ok_or("say which: ?object=contacts")?;
            state_json(sim, object)
        }
        "/_sim/requests" => {
            let rows = sim.requests().into_iter().map(|one| {
                json!({"method": one.method, "path": one.path, "status": one.status,
                    "at": one.at.to_string(), "category": one.category})
            });
            Ok(json!({"results": rows.collect::<Vec<Json>>()}))
        }
        "/_sim/counters" => {
            let c = sim.counters();
            Ok(
                json!({"calls": c.calls, "calls_by_family": c.calls_by_family,
                "calls_by_status": c.calls_by_status, "records_created": c.records_created,
                "records_updated": c.records_updated, "noop_updates": c.noop_updates,
                "records_archived": c.records_archived, "records_merged": c.records_merged,
                "associations_written": c.associations_written,
                "rate_limited": c.rate_limited}),
            )
        }
        "/_sim/time" => Ok(json!({"now": sim.with(|state| stamp(state.now()))})),
        "/_sim/webhooks" => Ok(sim.with(|state| state.webhooks.to_json())),
        "/_sim/faults" => sim.with(|state| Ok(state.faults.to_json())),
        _ => Err(format!("no test control at {path}")),
    }
}

fn state_json(sim: &HubSpotSim, object: &str) -> Result<Json, String> {
    let kind = sim.with(|state| state.kind(object));
    let kind = kind.map_err(super::super::failure::Failure::into_text)?;
    let rows = sim.records(object).into_iter().map(|record: SimRecord| {
        let links = links_json(sim, kind, &record.id);
        json!({"id": record.id, "archived": record.archived, "properties": record.properties,
            "createdAt": record.created_at.to_string(),
            "updatedAt": record.updated_at.to_string(), "associations": links})
    });
    Ok(json!({"results": rows.collect::<Vec<Json>>()}))
}

fn links_json(sim: &HubSpotSim, kind: ObjectKind, id: &str) -> Map<String, Json> {
    let mut body = Map::new();
    for to in ObjectKind::ALL {
        let links = sim.associations(kind.plural(), id, to.plural());
        let links: Vec<Json> = links
            .into_iter()
            .map(|(id, types)| json!({"id": id, "typeIds": types}))
            .collect();
        if !links.is_empty() {
            body.insert(to.plural().to_owned(), Json::Array(links));
        }
    }
    body
}

fn act(sim: &HubSpotSim, path: &str, call: &Call) -> Result<Json, String> {
    let body: Body = serde_json::from_slice(&call.body).map_err(|e| e.to_string())?;
    let properties: Vec<(&str, &str)> = body
        .properties
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let from = (body.from_object.as_str(), body.from_id.as_str());
    let to = (body.to_object.as_str(), body.to_id.as_str());
    let done = |()| json!({"done": true});
    match path {
        "/_sim/time" if !(0..=MAX_ADVANCE_MS).contains(&body.advance_ms) => {
            Err(format!("advance_ms must be between 0 and {MAX_ADVANCE_MS}"))
        }
        "/_sim/time" => {
            sim.with(|state| state.clock.advance_millis(body.advance_ms));
            Ok(json!({"now": sim.with(|state| stamp(state.now()))}))
        }
        "/_sim/create" => sim
            .create(&body.object, &properties)
            .map(|id| json!({"id": id})),
        "/_sim/edit" => sim.edit(&body.object, &body.id, &properties).map(done),
        "/_sim/archive" => sim.archive(&body.object, &body.id).map(done),
        "/_sim/restore" => sim.restore(&body.object, &body.id).map(done),
        "/_sim/merge" => sim
            .merge(&body.object, &body.primary, &body.other)
            .map(|id| json!({"id": id})),
        "/_sim/associate" => sim.associate(from, to, body.type_id).map(done),
        "/_sim/dissociate" => sim.dissociate(from, to).map(done),
        _ => Err(format!("no test control at {path}")),
    }
}

fn set_options(sim: &HubSpotSim, call: &Call) -> Result<Json, String> {
    let body: OptionsBody = serde_json::from_slice(&call.body).map_err(|e| e.to_string())?;
    sim.with(|state| {
        let (options, switches) = (&mut state.options, &mut state.switches);
        set(&mut options.normalise, body.normalise);
        set(&mut options.search_lag_ms, body.search_lag_ms);
        set(&mut options.daily_limit, body.daily_limit);
        set(&mut options.burst_limit, body.burst_limit);
        set(&mut options.associations_limit, body.associations_limit);
        let daily = body.associations_daily_limit;
        set(&mut options.associations_daily_limit, daily);
        set(&mut options.search_per_second, body.search_per_second);
        set(&mut switches.missing_scopes, body.missing_scopes);
        set(&mut switches.unavailable_scopes, body.unavailable_scopes);
        set(&mut switches.hide_scopes, body.hide_scopes);
        set(
            &mut switches.rotate_refresh_tokens,
            body.rotate_refresh_tokens,
        );
        set(
            &mut switches.search_returns_stored,
            body.search_returns_stored,
        );
        Ok(
            json!({"normalise": options.normalise, "search_lag_ms": options.search_lag_ms,
            "daily_limit": options.daily_limit, "burst_limit": options.burst_limit,
            "associations_limit": options.associations_limit,
            "associations_daily_limit": options.associations_daily_limit,
            "search_per_second": options.search_per_second,
            "missing_scopes": switches.missing_scopes,
            "unavailable_scopes": switches.unavailable_scopes,
            "hide_scopes": switches.hide_scopes,
            "rotate_refresh_tokens": switches.rotate_refresh_tokens,
            "search_returns_stored": switches.search_returns_stored}),
        )
    })
}

/// `{"target_url": ..}` with what else is to be other than usual; `{}` switches webhooks off.
fn set_webhooks(sim: &HubSpotSim, call: &Call) -> Result<Json, String> {
    let settings: WebhookSettings =
        serde_json::from_slice(&call.body).map_err(|e| e.to_string())?;
    let on = !settings.target_url.is_empty();
    sim.set_webhooks(on.then_some(settings))?;
    Ok(sim.with(|state| state.webhooks.to_json()))
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
