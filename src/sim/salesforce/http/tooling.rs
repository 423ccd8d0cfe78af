//! The part of the Tooling API that makes custom fields.
//!
//! Only texts: what the product makes. Everybody's view of a new field is shut until a permission
//! set grants it.

use ::http::Method;
use serde_json::{Value, json};

use super::services::not_allowed;
use super::{Incoming, Outgoing, Reply, object_named};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::id;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::schema;

const LONGEST: u64 = 255;
const NAME_MAX: usize = 43;

pub(super) fn custom_field(org: &mut Org, incoming: &Incoming) -> Reply {
    if incoming.method != Method::POST {
        return Err(not_allowed(&incoming.method));
    }
    if !org.administrator {
        let message = "insufficient access rights on object id";
        return Err(Refusal::new("INSUFFICIENT_ACCESS", message)
            .status(403)
            .into());
    }
    let body = incoming.json_object()?;
    let full = body.get("FullName").and_then(Value::as_str);
    let (object, name) = full
        .and_then(|full| full.split_once('.'))
        .ok_or_else(|| bad("FullName", "FullName must be Object.Field__c"))?;
    let at = object_named(org, object)?;
    let stem = name.strip_suffix("__c").unwrap_or_default();
    if !is_name(stem) {
        return Err(bad("FullName", "the name of a custom field ends in __c"));
    }
    if org.schema.objects[at].field_at(name).is_some() {
        let message = format!("There is already a field named {stem} on {object}.");
        return Err(Refusal::new("DUPLICATE_DEVELOPER_NAME", message).into());
    }
    let metadata = &body.get("Metadata").cloned().unwrap_or_default();
    let label = metadata["label"].as_str().unwrap_or_default();
    if label.is_empty() {
        return Err(bad("Metadata", "Required field is missing: label"));
    }
    if metadata["type"] != json!("Text") {
        let message = "this simulator makes fields of type Text only";
        return Err(bad("Metadata", message));
    }
    let length = metadata["length"]
        .as_u64()
        .filter(|length| (1..=LONGEST).contains(length))
        .and_then(|length| u32::try_from(length).ok())
        .ok_or_else(|| bad("Metadata", "length must be from 1 to 255"))?;
    let is = |key: &str| metadata[key] == json!(true);
    let keys = (is("externalId"), is("unique"));
    let field = schema::custom_text(name, label, length, keys);
    org.add_field(at, field)
        .map_err(|message| bad("FullName", &message))?;
    let number = u64::try_from(org.schema.objects[at].fields.len()).unwrap_or(0);
    let id = id::make("00N", number);
    let saved = json!({ "id": id, "success": true, "errors": [], "warnings": [], "infos": [] });
    Ok(Outgoing::json(201, saved))
}

fn is_name(stem: &str) -> bool {
    let sound = stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    sound && stem.len() < NAME_MAX && stem.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn bad(field: &str, message: &str) -> Outgoing {
    Refusal::new("FIELD_INTEGRITY_EXCEPTION", message)
        .field(field)
        .into()
}
