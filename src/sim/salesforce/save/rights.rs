//! Rows that grant rights: who may write them, and what they may say.

use serde_json::{Map, Value};

use super::{Refusals, Writer};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::rights::{compound, same_id, text};
use crate::sim::salesforce::schema::{Kind, SYSTEM_FIELDS};

/// Objects other than those of rights pass.
pub(super) fn check(
    org: &Org,
    object: usize,
    body: &Map<String, Value>,
    by: Writer,
    creating: bool,
) -> Result<(), Refusals> {
    let own = &org.schema.objects[object];
    if !own.rights {
        return Ok(());
    }
    if by.api && !org.administrator {
        let message = "insufficient access rights on object id";
        let code = "INSUFFICIENT_ACCESS_OR_READONLY";
        return Err(vec![Refusal::new(code, message)]);
    }
    let given = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let refusal = match own.name {
        "PermissionSet" if creating => twice(org, "PermissionSet", "Name", given("Name")),
        "FieldPermissions" if creating => field(org, given("SobjectType"), given("Field"))
            .or_else(|| granted_before(org, given("ParentId"), given("Field"))),
        _ => None,
    };
    let edit = body.get("PermissionsEdit") == Some(&Value::Bool(true));
    let refusal = refusal.or_else(|| {
        (edit && body.get("PermissionsRead") == Some(&Value::Bool(false))).then(|| {
            let message = "Permission Edit depends on permission(s): Read";
            Refusal::new("FIELD_INTEGRITY_EXCEPTION", message)
        })
    });
    refusal.map_or(Ok(()), |refusal| Err(vec![refusal]))
}

fn twice(org: &Org, object: &str, field: &str, value: &str) -> Option<Refusal> {
    let taken = org
        .rows_of(object)
        .any(|(own, row)| text(own, row, field).eq_ignore_ascii_case(value));
    taken.then(|| {
        let message = format!("The name \"{value}\" is already used on component type: {object}.");
        Refusal::new("DUPLICATE_DEVELOPER_NAME", message).field(field)
    })
}

/// Only fields with permissions of their own can be granted.
fn field(org: &Org, object: &str, name: &str) -> Option<Refusal> {
    let found = org.field_named(name).filter(|(at, field)| {
        let own = &org.schema.objects[*at];
        let field_of = own.field(*field);
        let apart = *field < SYSTEM_FIELDS
            || field_of.required
            || field_of.kind == Kind::PersonName
            || compound(own, field_of).is_some();
        own.name.eq_ignore_ascii_case(object) && !apart
    });
    found.is_none().then(|| {
        let message = format!("Field Name: bad value for restricted picklist field: {name}");
        Refusal::new("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message).field("Field")
    })
}

fn granted_before(org: &Org, set: &str, field: &str) -> Option<Refusal> {
    let found = org.rows_of("FieldPermissions").any(|(own, row)| {
        same_id(text(own, row, "ParentId"), set) && text(own, row, "Field") == field
    });
    found.then(|| {
        let message = format!("duplicate value found: {field} in this permission set");
        Refusal::new("DUPLICATE_VALUE", message).field("Field")
    })
}
