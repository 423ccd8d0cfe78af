//! What the org says about its objects and fields to the calling user: `salesforce.md 2.2`.

use serde_json::{Value, json};

use super::{Outgoing, Reply, object_named};
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::rights::compound;
use crate::sim::salesforce::schema::{Default, Field, Kind, Object, RECORD_TYPES, SYSTEM_FIELDS};

pub(super) fn global(org: &Org, version: &str) -> Value {
    let objects: Vec<Value> = (0..org.schema.objects.len())
        .map(|object| summary(org, version, object))
        .collect();
    json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects })
}

pub(super) fn summary(org: &Org, version: &str, object: usize) -> Value {
    let own = &org.schema.objects[object];
    let base = format!("/services/data/{version}/sobjects/{}", own.name);
    json!({
        "name": own.name, "label": own.label, "labelPlural": own.plural,
        "keyPrefix": own.prefix, "custom": own.name.ends_with("__c"), "customSetting": false,
        "createable": own.writable, "updateable": own.writable, "deletable": own.writable,
        "undeletable": own.writable, "mergeable": own.mergeable, "queryable": true,
        "replicateable": true, "retrieveable": true, "searchable": own.writable,
        "triggerable": own.writable, "layoutable": own.writable, "feedEnabled": false,
        "mruEnabled": false, "deprecatedAndHidden": false, "activateable": false,
        "hasSubtypes": false, "isSubtype": false, "isInterface": false,
        "urls": {
            "sobject": base,
            "describe": format!("{base}/describe"),
            "rowTemplate": format!("{base}/{{ID}}"),
        },
    })
}

pub(super) fn object(org: &Org, version: &str, name: &str) -> Reply {
    let object = object_named(org, name)?;
    let own = &org.schema.objects[object];
    let mut body = summary(org, version, object);
    let fields: Vec<Value> = (0_u16..)
        .zip(&own.fields)
        .filter(|(at, _)| org.is_visible(object, *at))
        .map(|(at, field)| describe_field(own, at, field, org.may_edit(object, at)))
        .collect();
    body["fields"] = Value::Array(fields);
    body["childRelationships"] = children(org, own);
    body["recordTypeInfos"] = record_types(org, own, version);
    body["supportedScopes"] = json!([{ "label": "All", "name": "everything" }]);
    body["namedLayoutInfos"] = json!([]);
    body["actionOverrides"] = json!([]);
    for flag in ["listviewable", "lookupLayoutable"] {
        body[flag] = Value::Null;
    }
    body["searchLayoutable"] = json!(own.writable);
    body["compactLayoutable"] = json!(own.writable);
    Ok(Outgoing::json(200, body))
}

fn describe_field(own: &Object, at: u16, field: &Field, may_edit: bool) -> Value {
    let is_system = at < SYSTEM_FIELDS;
    let boolean = field.kind == Kind::Boolean;
    let part_of = compound(own, field);
    let defaulted = is_system || boolean || field.default != Default::None;
    let byte_length = if field.length > 0 {
        field.length * 3
    } else {
        0
    };
    let mut body = json!({
        "name": field.name, "label": field.label, "type": field.kind.wire(),
        "soapType": field.kind.soap(), "length": field.length, "byteLength": byte_length,
        "precision": field.precision, "scale": field.scale,
        "digits": if field.kind == Kind::Int { field.precision } else { 0 },
        "nillable": !(field.required || defaulted),
        "createable": field.createable && may_edit, "updateable": field.updateable && may_edit,
        "defaultedOnCreate": defaulted,
        "unique": field.unique, "externalId": field.external_id, "idLookup": field.id_lookup,
        "restrictedPicklist": field.restricted,
        "referenceTo": field.targets, "relationshipName": field.relationship,
        "compoundFieldName": part_of, "custom": field.custom(),
        "defaultValue": if boolean { json!(false) } else { Value::Null },
    });
    body["picklistValues"] = values(field);
    let filterable = field.kind.filterable();
    let several = field.targets.len() > 1;
    for (flag, value) in [
        ("polymorphicForeignKey", several),
        ("namePointing", several),
        ("filterable", filterable),
        ("sortable", filterable && field.kind != Kind::MultiPicklist),
        ("groupable", filterable && !field.kind.is_number()),
        ("aggregatable", filterable),
        (
            "permissionable",
            // The parts of an address say so too, although nothing grants them one by one.
            !(is_system || field.required || part_of == Some("Name") || field.name == "Name"),
        ),
        ("nameField", field.name == "Name"),
    ] {
        body[flag] = json!(value);
    }
    for flag in FALSE_FLAGS {
        body[*flag] = json!(false);
    }
    for key in NULL_KEYS {
        body[*key] = Value::Null;
    }
    body
}

/// Properties no field of this org uses.
const FALSE_FLAGS: &[&str] = &[
    "calculated",
    "autoNumber",
    "caseSensitive",
    "dependentPicklist",
    "cascadeDelete",
    "restrictedDelete",
    "encrypted",
    "htmlFormatted",
    "deprecatedAndHidden",
    "highScaleNumber",
    "displayLocationInDecimal",
    "queryByDistance",
    "writeRequiresMasterRead",
];
const NULL_KEYS: &[&str] = &[
    "calculatedFormula",
    "controllerName",
    "mask",
    "maskType",
    "inlineHelpText",
    "defaultValueFormula",
    "extraTypeInfo",
];

fn values(field: &Field) -> Value {
    field
        .values
        .iter()
        .map(|value| {
            let active = field.name != "CurrencyIsoCode" || *value != "CHF";
            let default = match field.default {
                Default::Text(text) => text == *value,
                Default::Currency => *value == "EUR",
                Default::None | Default::User | Default::RecordType => false,
            };
            json!({
                "active": active, "defaultValue": default, "label": value,
                "validFor": null, "value": value,
            })
        })
        .collect()
}

fn children(org: &Org, own: &Object) -> Value {
    org.schema
        .objects
        .iter()
        .flat_map(|child| child.fields.iter().map(move |field| (child, field)))
        .filter(|(_, field)| field.targets.contains(&own.name))
        .map(|(child, field)| {
            json!({
                "cascadeDelete": field.cascade, "childSObject": child.name,
                "deprecatedAndHidden": false, "field": field.name, "junctionIdListNames": [],
                "junctionReferenceTo": [], "relationshipName": child.plural.replace(' ', ""),
                "restrictedDelete": false,
            })
        })
        .collect()
}

fn record_types(org: &Org, own: &Object, version: &str) -> Value {
    let info = |developer: &str, name: &str, id: &str, master: bool, default: bool| {
        let layout = format!(
            "/services/data/{version}/sobjects/{}/describe/layouts/{id}",
            own.name
        );
        json!({
            "active": true, "available": true, "defaultRecordTypeMapping": default,
            "developerName": developer, "master": master, "name": name, "recordTypeId": id,
            "urls": { "layout": layout },
        })
    };
    let typed = own.name == "Opportunity";
    let mut infos = vec![info("Master", "Master", "012000000000000AAA", true, !typed)];
    if typed {
        for (place, (developer, name, _)) in RECORD_TYPES.iter().enumerate() {
            let id = &org.record_types[place];
            infos.push(info(developer, name, id, false, place == 0));
        }
    }
    json!(infos)
}
