//! The JSON Schema of a mapping file, for completion and checks in an editor.
//!
//! Made from the key tables the readers use; only the shapes behind the keys are written here.

use serde_json::{Map, Value as Json, json};

use super::keys::{self, Is, Key};

/// JSON Schema, draft 2020-12.
pub fn json_schema() -> Json {
    let mut schema = object(keys::MAPPING, &["mapping"]);
    if let Some(map) = schema.as_object_mut() {
        map.insert(
            "$schema".into(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        map.insert("title".into(), json!("Tandem mapping"));
        map.insert("$defs".into(), definitions());
        map.insert(
            "anyOf".into(),
            json!([
                { "required": ["extends"] },
                { "required": ["hubspot", "salesforce"] }
            ]),
        );
    }
    schema
}

fn object(keys: &[Key], required: &[&str]) -> Json {
    let properties: Map<String, Json> = keys
        .iter()
        .map(|key| {
            let mut shape = shape(&key.shape);
            if let Some(map) = shape.as_object_mut() {
                map.insert("description".into(), json!(key.about));
            }
            (key.name.to_owned(), shape)
        })
        .collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn shape(shape: &Is) -> Json {
    match shape {
        Is::Text => json!({ "$ref": "#/$defs/text" }),
        Is::YesNo => json!({ "enum": ["yes", "no", true, false] }),
        Is::Choice(names) => json!({ "enum": names }),
        Is::Def(name) => json!({ "$ref": format!("#/$defs/{name}") }),
    }
}

fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn by_side(of: &Json) -> Json {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": { "hubspot": of, "salesforce": of },
    })
}

fn only_key(name: &str, of: &Json) -> Json {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": [name],
        "properties": { name: of },
    })
}

fn definitions() -> Json {
    let text = reference("text");
    let sides = json!({ "enum": ["hubspot", "salesforce"] });
    let winners = json!({ "enum": keys::WINNERS });
    let newest = only_key("newest", &sides);
    let value = json!({ "anyOf": [text, object(keys::VALUE, &["to"])] });
    let deletes = json!({ "enum": keys::DELETES });
    json!({
        "text": { "type": ["string", "number", "boolean"] },
        "cell": { "type": ["string", "number", "boolean", "null"] },
        "texts": { "type": "array", "items": text },
        "names": { "anyOf": [text, { "type": "array", "items": text, "minItems": 1 }] },
        "text-map": { "type": "object", "additionalProperties": text },
        "text-by-side": by_side(&text),
        "conflict": { "anyOf": [{ "enum": ["hubspot", "salesforce", "ask", "union"] }, newest] },
        "first-sync": { "anyOf": [winners, newest, only_key("fill-blanks", &winners)] },
        "match": { "type": "array", "items": { "anyOf": [
            object(keys::MATCH, &["hubspot", "salesforce"]),
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": text,
                "not": { "anyOf": [{ "required": ["hubspot"] }, { "required": ["salesforce"] }] },
            },
        ] } },
        "create": { "anyOf": [{ "enum": ["both", "never"] }, by_side(&text)] },
        "delete": by_side(&deletes),
        "only": by_side(&text),
        "limit": { "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^(auto|off|[0-9]+ ?%?)$" },
        ] },
        "guard": { "anyOf": [{ "const": "strict" }, object(keys::GUARD, &[])] },
        "rules": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "anyOf": [text, object(keys::RULE, &[]), { "type": "null" }],
            },
        },
        "values": {
            "type": "object",
            "additionalProperties": { "anyOf": [value, { "type": "array", "items": value }] },
        },
        "otherwise": { "anyOf": [text, reference("texts"), by_side(&reference("names"))] },
        "table": { "type": "array", "items": { "type": "array", "items": reference("cell") } },
        "owner": object(keys::OWNER, &[]),
        "tolerance": reference("names"),
        "associations": {
            "type": "array",
            "items": object(keys::ASSOCIATION, &["hubspot", "salesforce", "mapping"]),
        },
        "computed": { "type": "array", "items": object(keys::COMPUTED, &["to", "value"]) },
    })
}
