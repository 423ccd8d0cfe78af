//! What the CRMs say against the associations of a mapping: labels, junction objects, roles.

use super::super::fault::Fault;
use super::super::rule::{Reference, Rule};
use super::Bound;
use super::slot::options_of;
use crate::model::{ObjectSchema, RoleRead, Schemas, Side};

pub(super) fn check(bound: &Bound, schemas: &Schemas, faults: &mut Vec<Fault>) {
    for rule in bound.mapping.associations() {
        let Some(reference) = rule.reference() else {
            continue;
        };
        faults.extend(label(bound, schemas, rule, reference));
        if let Some(read) = bound.role(reference) {
            rows(schemas, rule, &read, faults);
        }
    }
}

/// The label must be one of the portal's.
fn label(bound: &Bound, schemas: &Schemas, rule: &Rule, reference: &Reference) -> Option<Fault> {
    let (object, label) = reference.label()?;
    let own = &bound.mapping.objects.hubspot;
    let known = schemas.labels.get(&(own.clone(), object.to_owned()))?;
    if known.iter().any(|name| name.eq_ignore_ascii_case(label)) {
        return None;
    }
    let message = format!(
        "HubSpot has no association label `{label}` from {own} to {object}; add it in the portal's \
         settings or name another"
    );
    let fault = rule.at_field(Side::HubSpot, 1).error(label, message);
    Some(fault.suggest(known.iter().map(String::as_str)))
}

/// The junction object must be there, with its fields, and know the role.
fn rows(schemas: &Schemas, rule: &Rule, read: &RoleRead, faults: &mut Vec<Fault>) {
    let name = read.junction.object;
    let at = rule.at_field(Side::Salesforce, 0);
    let Some(object) = schemas.objects.salesforce.get(name) else {
        let message =
            format!("Salesforce has no object `{name}`, or the connected user may not see it");
        return faults.push(at.error(name, message));
    };
    let writes = rule.policy.direction.allows(Side::Salesforce);
    for field in [read.own, read.far, read.junction.role] {
        let message = match object.fields.get(field) {
            None => format!(
                "Salesforce `{name}` has no field `{field}`, or the connected user may not see it"
            ),
            Some(schema) if writes && !schema.createable => {
                format!("the connected user may not write Salesforce `{name}.{field}`")
            }
            Some(_) => continue,
        };
        faults.push(at.error(name, message));
    }
    faults.extend(role(object, rule, read));
}

/// A role that is no value of the picklist would be written all the same, and mean nothing.
fn role(object: &ObjectSchema, rule: &Rule, read: &RoleRead) -> Option<Fault> {
    let (options, _) = options_of(&object.fields.get(read.junction.role)?.kind)?;
    let known = options.iter().filter(|option| option.active);
    let mut known = known.map(|option| option.value.as_str());
    if known.clone().any(|value| value == read.role) {
        return None;
    }
    let message = format!(
        "Salesforce `{}.{}` has no value `{}`",
        object.name, read.junction.role, read.role
    );
    let fault = rule
        .at_field(Side::Salesforce, 1)
        .error(&read.role, message);
    Some(fault.suggest(known.by_ref()))
}
