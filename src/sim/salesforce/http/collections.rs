//! sObject Collections: up to 200 records in one call, each with its own result.
//!
//! `salesforce.md 4.1`. Results stand in request order; HTTP is 200 even when every record failed.

use std::collections::BTreeSet;

use ::http::Method;
use serde_json::{Map, Value, json};

use super::rows::selection;
use super::services::not_allowed;
use super::{Incoming, Outgoing, Reply, object_named, writer};
use crate::sim::faults::{At, Fault};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::id::AnyId;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::save::{self, Saved, Writer};

const MAX_RECORDS: usize = 200;
const MAX_RETRIEVED: usize = 2_000;
/// Records are handled in runs of equal type; more runs than this are refused.
const MAX_CHUNKS: usize = 10;

pub(super) fn answer(org: &mut Org, incoming: &Incoming, version: &str, rest: &[&str]) -> Reply {
    match (rest, &incoming.method) {
        ([], &Method::POST) => create(org, incoming),
        ([], &Method::PATCH) => update(org, incoming),
        ([], &Method::DELETE) => delete(org, incoming),
        ([object], &Method::GET | &Method::POST) => retrieve(org, incoming, version, object),
        ([object, key], &Method::PATCH) => upsert(org, incoming, object, key),
        ([] | [_] | [_, _], method) => Err(not_allowed(method)),
        _ => Err(Refusal::not_found().into()),
    }
}

type Outcome = Result<Saved, Vec<Refusal>>;

/// One record of a request: its object, or why it has none, and its fields.
struct Element {
    object: Result<usize, Refusal>,
    body: Map<String, Value>,
}

struct Batch {
    elements: Vec<Element>,
    all_or_none: bool,
}

fn read_batch(org: &Org, incoming: &Incoming) -> Result<Batch, Outgoing> {
    let mut body = incoming.json_object()?;
    let all_or_none = body.get("allOrNone") == Some(&Value::Bool(true));
    let Some(Value::Array(records)) = body.remove("records") else {
        let message = "The request body must hold a records array";
        return Err(Refusal::new("JSON_PARSER_ERROR", message).into());
    };
    if records.len() > MAX_RECORDS {
        return Err(too_many(MAX_RECORDS));
    }
    let mut types: Vec<String> = Vec::new();
    let mut elements = Vec::new();
    for record in records {
        let Value::Object(body) = record else {
            let message = "every record must be a JSON object";
            return Err(Refusal::new("JSON_PARSER_ERROR", message).into());
        };
        let Some(name) = body
            .get("attributes")
            .and_then(|attributes| attributes["type"].as_str())
            .map(str::to_owned)
        else {
            let message = "every record must name its type in attributes.type";
            return Err(Refusal::new("INVALID_TYPE", message).into());
        };
        let object = org.schema.find(&name).ok_or_else(|| {
            let message = format!("sObject type '{name}' is not supported.");
            Refusal::new("INVALID_TYPE", message)
        });
        if types
            .last()
            .is_none_or(|last| !last.eq_ignore_ascii_case(&name))
        {
            types.push(name);
        }
        elements.push(Element { object, body });
    }
    if types.len() > MAX_CHUNKS {
        let message = "Cannot have more than 10 chunks in a single operation. Please rearrange \
                       the data to reduce chunking.";
        return Err(Refusal::new("LIMIT_EXCEEDED", message).into());
    }
    Ok(Batch {
        elements,
        all_or_none,
    })
}

fn too_many(most: usize) -> Outgoing {
    let message = format!("record limit reached. cannot submit more than {most} records");
    Refusal::new("EXCEEDED_MAX_SIZE_REQUEST", message).into()
}

/// Runs every element, takes all back if one failed and the caller wants all or none.
fn run(
    org: &mut Org,
    count: usize,
    all_or_none: bool,
    mut act: impl FnMut(&mut Org, usize) -> Outcome,
) -> Vec<Outcome> {
    let counters = org.counters.clone();
    let struck = org.faults.strikes(Fault::AllOrNone, &At::default());
    let all_or_none = all_or_none || struck.is_some();
    if all_or_none {
        org.begin();
    }
    let mut outcomes: Vec<Outcome> = (0..count).map(|at| act(org, at)).collect();
    if all_or_none {
        let failed = outcomes.iter().any(Result::is_err);
        org.settle(!failed);
        if failed {
            org.counters = counters;
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
                let message = "Record rolled back because not all records were valid and the \
                               request was using AllOrNone header";
                let code = "ALL_OR_NONE_OPERATION_ROLLED_BACK";
                *outcome = Err(vec![Refusal::new(code, message)]);
            }
        }
    }
    outcomes
}

fn show(outcomes: &[Outcome], asked: &[Option<String>], with_created: bool) -> Outgoing {
    let results: Value = outcomes
        .iter()
        .enumerate()
        .map(|(at, outcome)| match outcome {
            Ok(saved) if with_created => json!({
                "id": saved.id, "success": true, "errors": [], "created": saved.created,
            }),
            Ok(saved) => super::saved_json(&saved.id),
            Err(refusals) => {
                let errors: Value = refusals.iter().map(Refusal::element_json).collect();
                let mut body = json!({ "success": false, "errors": errors });
                if let Some(Some(id)) = asked.get(at) {
                    body["id"] = json!(id);
                }
                body
            }
        })
        .collect();
    Outgoing::json(200, results)
}

fn create(org: &mut Org, incoming: &Incoming) -> Reply {
    let batch = read_batch(org, incoming)?;
    let by = writer(org, incoming);
    let outcomes = run(org, batch.elements.len(), batch.all_or_none, |org, at| {
        let element = &batch.elements[at];
        let object = element.object.clone().map_err(|refusal| vec![refusal])?;
        if element
            .body
            .keys()
            .any(|key| key.eq_ignore_ascii_case("id"))
        {
            let message = "cannot specify Id in an insert call";
            let refusal = Refusal::new("INVALID_FIELD_FOR_INSERT_UPDATE", message);
            return Err(vec![refusal.field("Id")]);
        }
        save::create(org, object, &element.body, by)
    });
    Ok(show(&outcomes, &[], false))
}

fn update(org: &mut Org, incoming: &Incoming) -> Reply {
    let mut batch = read_batch(org, incoming)?;
    let by = writer(org, incoming);
    let asked: Vec<Option<String>> = batch
        .elements
        .iter_mut()
        .map(|element| take_id(&mut element.body))
        .collect();
    let mut seen = BTreeSet::new();
    let outcomes = run(org, batch.elements.len(), batch.all_or_none, |org, at| {
        let element = &batch.elements[at];
        let object = element.object.clone().map_err(|refusal| vec![refusal])?;
        update_one(
            org,
            object,
            asked[at].as_deref(),
            &element.body,
            by,
            &mut seen,
        )
    });
    Ok(show(&outcomes, &asked, false))
}

fn take_id(body: &mut Map<String, Value>) -> Option<String> {
    let key = body
        .keys()
        .find(|key| key.eq_ignore_ascii_case("id"))?
        .clone();
    match body.remove(&key) {
        Some(Value::String(id)) if !id.is_empty() => Some(id),
        Some(_) | None => None,
    }
}

fn update_one(
    org: &mut Org,
    object: usize,
    id: Option<&str>,
    body: &Map<String, Value>,
    by: Writer,
    seen: &mut BTreeSet<(usize, u64)>,
) -> Outcome {
    let Some(id) = id else {
        let message = "Id not specified in an update call";
        return Err(vec![Refusal::new("MISSING_ARGUMENT", message).field("Id")]);
    };
    let number = existing(org, object, id)?;
    if !seen.insert((object, number)) {
        let message = format!("duplicate id in one request: {id}");
        return Err(vec![Refusal::new("INVALID_ID_FIELD", message)]);
    }
    save::update(org, object, number, body, by)
}

/// The row an id of this object names. In collections an unknown id is a bad cross reference.
fn existing(org: &Org, object: usize, text: &str) -> Result<u64, Vec<Refusal>> {
    let own = &org.schema.objects[object];
    let id = AnyId::parse(text)
        .filter(|id| id.prefix() == own.prefix)
        .ok_or_else(|| vec![Refusal::malformed_id(own.label, text).field("Id")])?;
    id.number()
        .filter(|number| org.tables[object].get(*number).is_some())
        .filter(|number| !org.hides(object, *number))
        .ok_or_else(|| {
            let message = "invalid cross reference id";
            vec![Refusal::new("INVALID_CROSS_REFERENCE_KEY", message)]
        })
}

fn delete(org: &mut Org, incoming: &Incoming) -> Reply {
    let ids: Vec<String> = incoming
        .parameter("ids")
        .unwrap_or_default()
        .split(',')
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
        .collect();
    if ids.is_empty() {
        let message = "ids must be specified";
        return Err(Refusal::new("MISSING_ARGUMENT", message).into());
    }
    if ids.len() > MAX_RECORDS {
        return Err(too_many(MAX_RECORDS));
    }
    let all_or_none = incoming
        .parameter("allOrNone")
        .is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    let by = writer(org, incoming);
    let outcomes = run(org, ids.len(), all_or_none, |org, at| {
        let malformed = || vec![Refusal::malformed_id("Record", &ids[at])];
        let id = AnyId::parse(&ids[at]).ok_or_else(malformed)?;
        let object = org.schema.by_prefix(id.prefix()).ok_or_else(malformed)?;
        let number = existing(org, object, &ids[at])?;
        save::delete(org, object, number, by)?;
        Ok(Saved {
            id: org.id_of(object, number),
            created: false,
        })
    });
    let asked: Vec<Option<String>> = ids.into_iter().map(Some).collect();
    Ok(show(&outcomes, &asked, false))
}

fn upsert(org: &mut Org, incoming: &Incoming, name: &str, key: &str) -> Reply {
    let object = object_named(org, name)?;
    let key_at = org
        .visible_field(object, key)
        .filter(|at| org.schema.objects[object].field(*at).id_lookup)
        .ok_or_else(|| {
            let message =
                format!("Provided external ID field does not exist or is not accessible: {key}");
            Outgoing::from(Refusal::new("NOT_FOUND", message).status(404))
        })?;
    let mut batch = read_batch(org, incoming)?;
    let by = writer(org, incoming);
    let key_name = org.schema.objects[object].field(key_at).name;
    let by_id = key_name == "Id";
    let asked: Vec<Option<String>> = batch
        .elements
        .iter_mut()
        .map(|element| {
            if by_id {
                take_id(&mut element.body)
            } else {
                None
            }
        })
        .collect();
    let mut rows = BTreeSet::new();
    let mut keys = BTreeSet::new();
    let outcomes = run(org, batch.elements.len(), batch.all_or_none, |org, at| {
        let element = &batch.elements[at];
        let own = element.object.clone().map_err(|refusal| vec![refusal])?;
        if own != object {
            let message = "all records of an upsert must be of the type in the address";
            return Err(vec![Refusal::new("INVALID_TYPE", message)]);
        }
        if by_id {
            return match asked[at].as_deref() {
                Some(id) => update_one(org, object, Some(id), &element.body, by, &mut rows),
                None => save::create(org, object, &element.body, by),
            };
        }
        upsert_one(org, object, key_at, &element.body, by, &mut keys)
    });
    Ok(show(&outcomes, &asked, true))
}

fn upsert_one(
    org: &mut Org,
    object: usize,
    key: u16,
    body: &Map<String, Value>,
    by: Writer,
    seen: &mut BTreeSet<String>,
) -> Outcome {
    let name = org.schema.objects[object].field(key).name;
    if body.keys().any(|own| own.eq_ignore_ascii_case("id")) {
        let message = "cannot specify Id in an upsert call by external id";
        return Err(vec![Refusal::new("INVALID_FIELD", message).field("Id")]);
    }
    let value = body
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .and_then(|(_, value)| value.as_str())
        .map(str::trim)
        .filter(|value| !value.is_empty());
    let Some(value) = value else {
        let message = format!("{name} not specified");
        return Err(vec![Refusal::new("MISSING_ARGUMENT", message).field(name)]);
    };
    if !seen.insert(value.to_lowercase()) {
        let message = format!("Duplicate external id specified: {value}");
        return Err(vec![Refusal::new("DUPLICATE_VALUE", message).field(name)]);
    }
    save::created_elsewhere(org, object, body);
    let at = At {
        object: org.schema.objects[object].name,
        ..At::default()
    };
    let several = org.faults.strikes(Fault::SeveralMatches, &at).is_some();
    let table = &org.tables[object];
    let found: Vec<u64> = table
        .with_key(key, value)
        .into_iter()
        .filter(|number| table.live(*number).is_some())
        .collect();
    match found.as_slice() {
        _ if several => {
            let message = format!("{name}: more than one record found: 2");
            Err(vec![Refusal::new("DUPLICATE_EXTERNAL_ID", message)])
        }
        [] => save::create(org, object, body, by),
        [number] => save::update(org, object, *number, body, by),
        several => {
            let message = format!("{name}: more than one record found: {}", several.len());
            Err(vec![Refusal::new("DUPLICATE_EXTERNAL_ID", message)])
        }
    }
}

fn retrieve(org: &mut Org, incoming: &Incoming, version: &str, name: &str) -> Reply {
    let object = object_named(org, name)?;
    let (ids, fields) = if incoming.method == Method::POST {
        let body = incoming.json_object()?;
        (strings(&body, "ids")?, strings(&body, "fields")?)
    } else {
        let list = |name: &str| -> Vec<String> {
            let text = incoming.parameter(name).unwrap_or_default();
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        (list("ids"), list("fields"))
    };
    if ids.len() > MAX_RETRIEVED {
        return Err(too_many(MAX_RETRIEVED));
    }
    if ids.is_empty() || fields.is_empty() {
        let message = "ids and fields must be specified";
        return Err(Refusal::new("MISSING_ARGUMENT", message).into());
    }
    let bound = selection(org, object, fields.iter().map(String::as_str))?;
    let own = &org.schema.objects[object];
    let mut records = Vec::with_capacity(ids.len());
    for text in &ids {
        let id = AnyId::parse(text)
            .ok_or_else(|| Outgoing::from(Refusal::malformed_id(own.label, text)))?;
        let row = id
            .number()
            .filter(|_| id.prefix() == own.prefix)
            .filter(|number| !org.hides(object, *number))
            .and_then(|number| org.tables[object].live(number));
        let shown = row.and_then(|row| Some(bound.output.as_ref()?.row(org, row, version)));
        records.push(shown.unwrap_or(Value::Null));
    }
    Ok(Outgoing::json(200, Value::Array(records)))
}

fn strings(body: &Map<String, Value>, key: &str) -> Result<Vec<String>, Outgoing> {
    let list: Option<Vec<String>> = body.get(key).and_then(Value::as_array).and_then(|list| {
        list.iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect()
    });
    list.ok_or_else(|| {
        let message = format!("{key} must be an array of strings");
        Refusal::new("JSON_PARSER_ERROR", message).into()
    })
}
