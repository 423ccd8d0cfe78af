//! Single rows by id and by external id: `salesforce.md 2.3` to `2.5`.

use ::http::Method;
use serde_json::{Map, Value, json};

use super::services::not_allowed;
use super::{Incoming, Outgoing, Reply, object_named, saved_json, writer};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::id::AnyId;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::save;
use crate::sim::salesforce::soql::{Bound, prepare};
use crate::sim::salesforce::table::Row;

pub(super) fn object(org: &mut Org, incoming: &Incoming, version: &str, name: &str) -> Reply {
    let object = object_named(org, name)?;
    match incoming.method {
        Method::GET => {
            let describe = super::describe::summary(org, version, object);
            let body = json!({ "objectDescribe": describe, "recentItems": [] });
            Ok(Outgoing::json(200, body))
        }
        Method::POST => create(org, incoming, version, object),
        _ => Err(not_allowed(&incoming.method)),
    }
}

fn create(org: &mut Org, incoming: &Incoming, version: &str, object: usize) -> Reply {
    let body = row_body(incoming)?;
    let by = writer(org, incoming);
    let saved = save::create(org, object, &body, by)?;
    Ok(created(org, version, object, saved_json(&saved.id)))
}

fn created(org: &Org, version: &str, object: usize, body: Value) -> Outgoing {
    let name = org.schema.objects[object].name;
    let id = body["id"].as_str().unwrap_or_default();
    let location = format!("/services/data/{version}/sobjects/{name}/{id}");
    let mut reply = Outgoing::json(201, body);
    reply.headers.push(("Location", location));
    reply
}

/// A row body names its record in the address, never in itself.
fn row_body(incoming: &Incoming) -> Result<Map<String, Value>, Outgoing> {
    let body = incoming.json_object()?;
    if body.keys().any(|key| key.eq_ignore_ascii_case("id")) {
        let message = "The Id field should not be specified in the sobject data.";
        return Err(Refusal::new("INVALID_FIELD", message).into());
    }
    Ok(body)
}

pub(super) fn by_id(
    org: &mut Org,
    incoming: &Incoming,
    version: &str,
    name: &str,
    id: &str,
) -> Reply {
    let object = object_named(org, name)?;
    if incoming.method == Method::POST && id.eq_ignore_ascii_case("id") {
        return create(org, incoming, version, object);
    }
    let number = row_number(org, object, id)?;
    one(org, incoming, version, object, number)
}

fn row_number(org: &Org, object: usize, text: &str) -> Result<u64, Outgoing> {
    let own = &org.schema.objects[object];
    let id = AnyId::parse(text)
        .filter(|id| id.prefix() == own.prefix)
        .ok_or_else(|| Outgoing::from(Refusal::malformed_id(own.label, text)))?;
    id.number()
        .ok_or_else(|| Outgoing::from(Refusal::not_found()))
}

fn one(org: &mut Org, incoming: &Incoming, version: &str, object: usize, number: u64) -> Reply {
    let row = match org.tables[object].get(number) {
        Some(row) if row.deleted => return Err(Refusal::deleted().into()),
        Some(row) if !org.hides(object, number) => row.clone(),
        Some(_) | None => return Err(Refusal::not_found().into()),
    };
    match incoming.method {
        Method::GET | Method::HEAD => read(org, incoming, version, object, &row),
        Method::PATCH => {
            let body = row_body(incoming)?;
            unmodified_since(incoming, &row)?;
            let by = writer(org, incoming);
            save::update(org, object, number, &body, by)?;
            Ok(Outgoing::empty(204))
        }
        Method::DELETE => {
            let by = writer(org, incoming);
            save::delete(org, object, number, by)?;
            Ok(Outgoing::empty(204))
        }
        _ => Err(not_allowed(&incoming.method)),
    }
}

fn read(org: &Org, incoming: &Incoming, version: &str, object: usize, row: &Row) -> Reply {
    if incoming.method == Method::HEAD {
        return Ok(Outgoing::empty(200));
    }
    let output = match incoming.parameter("fields") {
        Some(fields) => selection(org, object, fields.split(',').map(str::trim))?,
        None => {
            let own = &org.schema.objects[object];
            let names = (0_u16..)
                .zip(&own.fields)
                .filter(|(at, _)| org.is_visible(object, *at))
                .map(|(_, field)| field.name);
            selection(org, object, names)?
        }
    };
    let body = output
        .output
        .as_ref()
        .map_or(Value::Null, |output| output.row(org, row, version));
    Ok(Outgoing::json(200, body))
}

/// The fields of one object as a statement without a filter; parents are not followed.
pub(super) fn selection<'a>(
    org: &Org,
    object: usize,
    names: impl Iterator<Item = &'a str>,
) -> Result<Bound, Outgoing> {
    let own = &org.schema.objects[object];
    let mut fields = vec!["Id".to_owned()];
    for name in names {
        if name.is_empty() || org.visible_field(object, name).is_none() {
            return Err(Refusal::unknown_column(name, own.name).into());
        }
        fields.push(name.to_owned());
    }
    let text = format!("SELECT {} FROM {}", fields.join(", "), own.name);
    prepare(org, &text).map_err(Outgoing::from)
}

/// A guard with the granularity of a second: `salesforce.md 2.5`.
fn unmodified_since(incoming: &Incoming, row: &Row) -> Result<(), Outgoing> {
    let Some(text) = incoming.header("If-Unmodified-Since") else {
        return Ok(());
    };
    let since = chrono::DateTime::parse_from_rfc2822(text).map_err(|_| {
        let message = format!("If-Unmodified-Since: not an HTTP date: {text}");
        Outgoing::from(Refusal::new("INVALID_HEADER", message))
    })?;
    if row.modified > since.timestamp() {
        return Err(Outgoing::empty(412));
    }
    Ok(())
}

pub(super) fn by_key(org: &mut Org, incoming: &Incoming, version: &str, path: [&str; 3]) -> Reply {
    let [name, field, value] = path;
    let object = object_named(org, name)?;
    if field.eq_ignore_ascii_case("id") {
        return by_id(org, incoming, version, name, value);
    }
    let own = &org.schema.objects[object];
    let key = org
        .visible_field(object, field)
        .filter(|at| own.field(*at).id_lookup)
        .ok_or_else(|| {
            let message =
                format!("Provided external ID field does not exist or is not accessible: {field}");
            Outgoing::from(Refusal::new("NOT_FOUND", message).status(404))
        })?;
    let table = &org.tables[object];
    let found: Vec<u64> = table
        .with_key(key, value)
        .into_iter()
        .filter(|number| table.live(*number).is_some())
        .collect();
    match (found.as_slice(), &incoming.method) {
        ([], &Method::PATCH) => insert_by_key(org, incoming, version, object, key, value),
        ([], _) => Err(Refusal::not_found().into()),
        ([number], &Method::PATCH) => {
            let body = key_body(incoming, org, object, key)?;
            let by = writer(org, incoming);
            let saved = save::update(org, object, *number, &body, by)?;
            let mut body = saved_json(&saved.id);
            body["created"] = json!(false);
            Ok(Outgoing::json(200, body))
        }
        ([number], _) => one(org, incoming, version, object, *number),
        (several, _) => {
            let urls: Vec<String> = several
                .iter()
                .map(|number| {
                    let id = org.id_of(object, *number);
                    format!("/services/data/{version}/sobjects/{}/{id}", own.name)
                })
                .collect();
            Err(Outgoing::json(300, json!(urls)))
        }
    }
}

/// The single-row form takes the key from the address alone.
fn key_body(
    incoming: &Incoming,
    org: &Org,
    object: usize,
    key: u16,
) -> Result<Map<String, Value>, Outgoing> {
    let body = row_body(incoming)?;
    let name = org.schema.objects[object].field(key).name;
    if body.keys().any(|own| own.eq_ignore_ascii_case(name)) {
        let message = format!(
            "The {name} field should not be specified in the sobject data: it is in the address"
        );
        return Err(Refusal::new("INVALID_FIELD", message).into());
    }
    Ok(body)
}

fn insert_by_key(
    org: &mut Org,
    incoming: &Incoming,
    version: &str,
    object: usize,
    key: u16,
    value: &str,
) -> Reply {
    if incoming
        .parameter("updateOnly")
        .is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
    {
        return Err(Refusal::not_found().into());
    }
    let mut body = key_body(incoming, org, object, key)?;
    let name = org.schema.objects[object].field(key).name;
    body.insert(name.to_owned(), json!(value));
    let by = writer(org, incoming);
    let saved = save::create(org, object, &body, by)?;
    let mut body = saved_json(&saved.id);
    body["created"] = json!(true);
    Ok(created(org, version, object, body))
}
