//! From the JSON of one record to typed values: names, rights, types.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Refusals, Writer};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::value::{self, Cell};

/// The fields a body sets, `None` meaning "clear it". `attributes` is not a field.
pub(super) fn fields(
    org: &Org,
    object: usize,
    body: &Map<String, Value>,
    by: Writer,
    creating: bool,
) -> Result<BTreeMap<u16, Option<Cell>>, Refusals> {
    let own = &org.schema.objects[object];
    let mut out = BTreeMap::new();
    let mut forbidden = Vec::new();
    let mut refusals = Vec::new();
    for (name, value) in body {
        if name == "attributes" {
            continue;
        }
        let found = if by.api {
            org.visible_field(object, name)
        } else {
            own.field_at(name)
        };
        let Some(at) = found else {
            match by_parent_key(org, object, name, value) {
                Ok((at, cell)) => {
                    out.insert(at, Some(cell));
                }
                Err(refusal) => return Err(vec![*refusal]),
            }
            continue;
        };
        let field = own.field(at);
        let open = !by.api || org.may_edit(object, at);
        let writable = if creating {
            field.createable
        } else {
            field.updateable
        };
        if !(writable && open) {
            forbidden.push(field.name.to_owned());
            continue;
        }
        match value::read(field, value, org.options.normalise) {
            Ok(cell) => {
                out.insert(at, cell);
            }
            Err(refusal) => refusals.push(*refusal),
        }
    }
    if !forbidden.is_empty() {
        return Err(vec![not_writable(forbidden)]);
    }
    if refusals.is_empty() {
        Ok(out)
    } else {
        Err(refusals)
    }
}

fn not_writable(names: Vec<String>) -> Refusal {
    let mut refusal = Refusal::new(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        format!(
            "Unable to create/update fields: {}. Please check the security settings of this \
             field and verify that it is read/write for your profile or permission set.",
            names.join(", ")
        ),
    );
    refusal.fields = names;
    refusal
}

/// `"Account": {"Tandem_Link_Id__c": "x"}` sets the lookup by the parent's external id.
fn by_parent_key(
    org: &Org,
    object: usize,
    name: &str,
    value: &Value,
) -> Result<(u16, Cell), Box<Refusal>> {
    let own = &org.schema.objects[object];
    let unknown = || Box::new(Refusal::unknown_column(name, own.name));
    let at = own.relationship(name).ok_or_else(unknown)?;
    let parent = value
        .as_object()
        .and_then(|parent| parent.iter().find(|(key, _)| *key != "attributes"));
    let Some((key, Value::String(wanted))) = parent else {
        return Err(unknown());
    };
    for target in own.field(at).targets {
        let Some(target) = org.schema.find(target) else {
            continue;
        };
        let Some(key_at) = org.visible_field(target, key) else {
            continue;
        };
        if !org.schema.objects[target].field(key_at).external_id {
            continue;
        }
        let table = &org.tables[target];
        let found = table
            .with_key(key_at, wanted)
            .into_iter()
            .find(|number| table.live(*number).is_some());
        return match found {
            Some(number) => Ok((at, Cell::text(org.id_of(target, number)))),
            None => Err(Box::new(Refusal::new(
                "INVALID_FIELD",
                format!(
                    "Foreign key external ID: {wanted} not found for field {key} in entity {}",
                    org.schema.objects[target].name
                ),
            ))),
        };
    }
    Err(unknown())
}
