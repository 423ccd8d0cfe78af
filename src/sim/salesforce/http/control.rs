//! Test control under `/_sim`, outside the platform's paths: time, state, log, switches, and the
//! direct doors of a user at the browser. Not logged, not counted, no token needed.

use ::http::Method;
use serde_json::{Map, Value, json};

use super::{Incoming, Outgoing, Reply};
use crate::sim::salesforce::doors;
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::outbound::{self, OutboundSettings};
use crate::sim::salesforce::value::instant_text;
use crate::sim::salesforce::{DuplicateRule, SimRecord};

/// Ten years: enough for any test, and far from where times overflow.
const MAX_ADVANCE_MS: i64 = 315_360_000_000;

pub(super) fn answer(org: &mut Org, incoming: &Incoming) -> Reply {
    let name = incoming.segments.get(1).map_or("", String::as_str);
    if incoming.method == Method::GET {
        return match name {
            "state" => state(org, incoming),
            "requests" => Ok(Outgoing::json(200, requests(org))),
            "counters" => Ok(Outgoing::json(200, counters(org))),
            "outbound" => Ok(Outgoing::json(200, org.outbound.to_json())),
            "faults" => Ok(Outgoing::json(200, org.faults.to_json())),
            _ => Err(Refusal::not_found().into()),
        };
    }
    if name == "faults" {
        let set = org.faults.control(&incoming.body);
        return set
            .map(|told| Outgoing::json(200, told))
            .map_err(|text| bad(&text));
    }
    let body = incoming.json_object()?;
    let body = Body(&body);
    match name {
        "time" => {
            let millis = body.0.get("advance_ms").and_then(Value::as_i64);
            let millis = millis
                .filter(|millis| (0..=MAX_ADVANCE_MS).contains(millis))
                .ok_or_else(|| bad("advance_ms must be a number from 0 to 315360000000"))?;
            org.clock.advance_millis(millis);
            Ok(Outgoing::json(
                200,
                json!({ "now": instant_text(org.now()) }),
            ))
        }
        "options" => options(org, &body),
        "outbound" => set_outbound(org, &body),
        "revoke" => {
            org.sessions.revoke_all();
            Ok(Outgoing::json(200, json!({ "done": true })))
        }
        "sandbox_refresh" => Ok(Outgoing::json(
            200,
            json!({ "organization_id": org.refresh_sandbox() }),
        )),
        _ => door(org, name, &body),
    }
}

fn bad(message: &str) -> Outgoing {
    Refusal::new("INVALID_INPUT", message).into()
}

fn from_door(message: String) -> Outgoing {
    Refusal::new("REFUSED", message).into()
}

struct Body<'a>(&'a Map<String, Value>);

impl Body<'_> {
    fn text(&self, key: &str) -> Result<&str, Outgoing> {
        self.maybe(key)
            .ok_or_else(|| bad(&format!("{key} must be a string")))
    }

    fn maybe(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key).and_then(Value::as_bool)
    }

    fn texts(&self, key: &str) -> Vec<&str> {
        let list = self.0.get(key).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    fn fields(&self) -> Result<&Map<String, Value>, Outgoing> {
        self.0
            .get("fields")
            .and_then(Value::as_object)
            .ok_or_else(|| bad("fields must be an object"))
    }
}

fn door(org: &mut Org, name: &str, body: &Body<'_>) -> Reply {
    let done = |()| Outgoing::json(200, json!({ "done": true }));
    let object = || body.text("object");
    match name {
        "create" => {
            let id = doors::create(org, object()?, body.fields()?).map_err(from_door)?;
            Ok(Outgoing::json(200, json!({ "id": id })))
        }
        "edit" => doors::edit(org, object()?, body.text("id")?, body.fields()?)
            .map(done)
            .map_err(from_door),
        "delete" => doors::delete(org, object()?, body.text("id")?)
            .map(done)
            .map_err(from_door),
        "undelete" => doors::undelete(org, object()?, body.text("id")?)
            .map(done)
            .map_err(from_door),
        "purge" => doors::purge(org, object()?, body.text("id")?)
            .map(done)
            .map_err(from_door),
        "bump" => doors::bump(org, object()?, body.text("id")?)
            .map(done)
            .map_err(from_door),
        "merge" => {
            let losers = body.texts("losers");
            doors::merge(org, object()?, body.text("master")?, &losers)
                .map(done)
                .map_err(from_door)
        }
        "convert" => {
            let deal = body.flag("opportunity").unwrap_or(false);
            let (contact, account) = (body.maybe("contact"), body.maybe("account"));
            let converted = doors::convert(org, body.text("lead")?, contact, account, deal)
                .map_err(from_door)?;
            Ok(Outgoing::json(
                200,
                json!({
                    "contact": converted.contact, "account": converted.account,
                    "opportunity": converted.opportunity,
                }),
            ))
        }
        "late" => {
            let late = match body.maybe("id") {
                Some(id) => doors::begin_late(org, object()?, id, body.fields()?),
                None => doors::begin_late_create(org, object()?, body.fields()?),
            };
            let late = late.map_err(from_door)?;
            let key = org.late.keys().next_back().map_or(1, |last| last + 1);
            org.late.insert(key, late);
            Ok(Outgoing::json(200, json!({ "late": key })))
        }
        "commit" => {
            let key = body.0.get("late").and_then(Value::as_u64).unwrap_or(0);
            let late = org
                .late
                .remove(&key)
                .ok_or_else(|| bad("no such late commit"))?;
            let id = doors::commit(org, late).map_err(from_door)?;
            Ok(Outgoing::json(200, json!({ "id": id })))
        }
        _ => Err(Refusal::not_found().into()),
    }
}

type Door = fn(&mut Org, &str, &[&str]) -> Result<(), String>;

/// Switches that are lists of fields by object.
const FIELD_LISTS: [(&str, Door); 3] = [
    ("hidden_fields", doors::hide),
    ("locked_fields", doors::lock),
    ("tracked_fields", doors::track_history),
];

/// Only the switches named in the body are moved.
fn options(org: &mut Org, body: &Body<'_>) -> Reply {
    if let Some(normalise) = body.flag("normalise") {
        org.options.normalise = normalise;
    }
    if let Some(rotate) = body.flag("rotate_refresh_tokens") {
        org.sessions.rotate = rotate;
    }
    if let Some(installed) = body.flag("app_installed") {
        org.sessions.installed = installed;
    }
    if let Some(needed) = body.flag("require_pkce") {
        org.sessions.needs_pkce = needed;
    }
    if let Some(limit) = body.0.get("daily_limit").and_then(Value::as_u64) {
        org.options.daily_limit = limit;
    }
    if let Some(idle) = body.0.get("token_idle_ms").and_then(Value::as_i64) {
        org.options.token_idle_ms = idle;
    }
    if body.flag("expire_tokens") == Some(true) {
        org.sessions.expire_all();
    }
    if let Some(may) = body.flag("administrator") {
        org.set_administrator(may);
    }
    for (key, door) in FIELD_LISTS {
        let lists = body.0.get(key).and_then(Value::as_object);
        for (object, names) in lists.into_iter().flatten() {
            let names = names.as_array().into_iter().flatten();
            let names: Vec<&str> = names.filter_map(Value::as_str).collect();
            door(org, object, &names).map_err(from_door)?;
        }
    }
    if let Some(rules) = body.0.get("duplicate_rules").and_then(Value::as_object) {
        for (object, rule) in rules {
            let rule = rule.as_object().map(|rule| DuplicateRule {
                fields: Body(rule)
                    .texts("fields")
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
                block: Body(rule).flag("block").unwrap_or(false),
            });
            doors::set_duplicate_rule(org, object, rule).map_err(from_door)?;
        }
    }
    Ok(Outgoing::json(200, json!({ "done": true })))
}

/// `{"endpoint": ..}` with what else is to be other than usual; `{}` switches messages off.
fn set_outbound(org: &mut Org, body: &Body<'_>) -> Reply {
    let settings = body.maybe("endpoint").map(OutboundSettings::to);
    let settings = settings.map(|usual| {
        let objects = body.0.get("objects").and_then(Value::as_object);
        let objects = objects.into_iter().flatten().map(|(name, fields)| {
            let fields = fields.as_array().into_iter().flatten();
            let fields = fields.filter_map(Value::as_str).map(str::to_owned);
            (name.clone(), fields.collect())
        });
        let instance_url = body.maybe("instance_url").map(str::to_owned);
        let gap = body.0.get("retry_gap_ms").and_then(Value::as_i64);
        OutboundSettings {
            objects: objects.collect(),
            instance_url: instance_url.unwrap_or(usual.instance_url),
            retry_gap_ms: gap.unwrap_or(usual.retry_gap_ms),
            skip_integration_user: body.flag("skip_integration_user").unwrap_or(false),
            duplicates: body.flag("duplicates").unwrap_or(false),
            disorder: body.flag("disorder").unwrap_or(false),
            endpoint: usual.endpoint,
        }
    });
    outbound::set(org, settings).map_err(|text| bad(&text))?;
    Ok(Outgoing::json(200, org.outbound.to_json()))
}

fn state(org: &Org, incoming: &Incoming) -> Reply {
    let name = incoming.parameter("object").unwrap_or_default();
    let records = doors::records(org, name).ok_or_else(|| Outgoing::from(Refusal::not_found()))?;
    let shown: Value = records.iter().map(show_record).collect();
    Ok(Outgoing::json(
        200,
        json!({ "object": name, "records": shown }),
    ))
}

fn show_record(record: &SimRecord) -> Value {
    json!({
        "id": record.id, "deleted": record.deleted, "fields": record.fields,
        "created_at": record.created_at.to_string(),
        "last_modified_at": record.last_modified_at.to_string(),
        "system_modstamp": record.system_modstamp.to_string(),
    })
}

fn requests(org: &Org) -> Value {
    org.log
        .iter()
        .map(|request| {
            json!({
                "method": request.method, "path": request.path, "status": request.status,
                "at": request.at.to_string(),
            })
        })
        .collect()
}

fn counters(org: &Org) -> Value {
    let counters = &org.counters;
    json!({
        "total": counters.total, "by_family": counters.by_family,
        "records_created": counters.records_created,
        "records_updated": counters.records_updated,
        "records_deleted": counters.records_deleted,
        "noop_updates": counters.noop_updates,
    })
}
