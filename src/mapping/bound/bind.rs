//! Joining a mapping to schemas: `check --live`, and the plans everything else works from.

use super::super::fault::{self, At, Fault, Severity};
use super::super::read::RECORD_TYPE;
use super::super::rule::{Rule, Shape, Table, Values};
use super::super::types::Mapping;
use super::names::{is_pipeline, resolve};
use super::slot::{BoundRow, Plan, slots};
use super::{Bound, check, reads, sample, ties};
use crate::model::{BySide, FieldKind, FieldSchema, ObjectSchema, Schemas, Side, Value};

/// The standard names of the fields that mark created records.
pub(in crate::mapping) const KEYS: BySide<&str> = BySide {
    hubspot: "tandem_link_id",
    salesforce: "Tandem_Link_Id__c",
};

/// Checks a mapping against both CRMs' schemas; the error holds every fault, warnings included.
pub fn bind(mapping: &Mapping, schemas: &Schemas) -> Result<Bound, Vec<Fault>> {
    let mut faults = Vec::new();
    let objects = BySide::from_fn(|side| object(mapping, schemas, side, &mut faults));
    let (Some(hubspot), Some(salesforce)) = (objects.hubspot, objects.salesforce) else {
        return Err(faults);
    };
    let objects = BySide::new(hubspot.clone(), salesforce.clone());
    let mut bound = Bound {
        key: BySide::from_fn(|side| key(mapping, &objects, side, &mut faults)),
        mapping: mapping.clone(),
        owners: schemas.owners.clone(),
        currency: schemas.currency.clone(),
        plans: std::collections::BTreeMap::new(),
        reads: BySide::default(),
        warnings: Vec::new(),
        objects,
    };
    check::names(&bound, &mut faults);
    for rule in &mapping.rules {
        let mut plan = plan(rule, &bound.objects, &mut faults);
        if let Shape::Owner(owner) = &rule.shape {
            plan.owners = bound.pairs(owner);
        }
        check::rule(&bound, rule, &plan, &mut faults);
        bound.plans.insert(rule.name.clone(), plan);
    }
    ties::check(&bound, schemas, &mut faults);
    bound.reads = reads::reads(mapping, &bound.objects, &bound.key);
    if !fault::has_error(&faults) {
        sample::run(&bound, &mut faults);
    }
    bound.warnings = fault::sorted(faults)?;
    Ok(bound)
}

/// Where a top-level key of the mapping stands; the file's beginning when it is not written.
pub(super) fn place(mapping: &Mapping, path: &str) -> At {
    let found = mapping
        .places
        .get(path)
        .or_else(|| mapping.places.get("mapping"));
    let origin = || At {
        file: mapping.name.as_str().into(),
        line: 1,
        column: 1,
    };
    found.cloned().unwrap_or_else(origin)
}

fn object<'s>(
    mapping: &Mapping,
    schemas: &'s Schemas,
    side: Side,
    faults: &mut Vec<Fault>,
) -> Option<&'s ObjectSchema> {
    let name = mapping.objects.get(side);
    let found = schemas.objects.get(side).get(name);
    if found.is_none() {
        let message = format!(
            "{} has no object `{name}`, or the connected user may not see it",
            side.title()
        );
        let known = schemas.objects.get(side).keys().map(String::as_str);
        faults.push(
            place(mapping, side.as_str())
                .error(name, message)
                .suggest(known),
        );
    }
    found
}

/// The key field of a side, if it is there; creates depend on it.
fn key(
    mapping: &Mapping,
    objects: &BySide<ObjectSchema>,
    side: Side,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let object = objects.get(side);
    let own = mapping.key.get(side).as_deref();
    let name = own.unwrap_or(KEYS.get(side));
    let at = place(mapping, if own.is_some() { "key" } else { "create" });
    match (object.fields.get(name), own) {
        (Some(field), _) if field.unique || field.external_id => Some(name.to_owned()),
        (Some(_), _) => {
            let message = format!(
                "{} `{name}` cannot serve as key: its values must be unique{}",
                side.title(),
                if side == Side::Salesforce {
                    " (an external id)"
                } else {
                    ""
                }
            );
            faults.push(at.error(name, message));
            None
        }
        (None, Some(_)) => {
            let message = format!("{} `{}` has no field `{name}`", side.title(), object.name);
            let known = object.fields.keys().map(String::as_str);
            faults.push(at.error(name, message).suggest(known));
            None
        }
        // What that means for creates is `lacks`'s business.
        (None, None) => None,
    }
}

fn plan(rule: &Rule, objects: &BySide<ObjectSchema>, faults: &mut Vec<Fault>) -> Plan {
    let slots = slots(rule, objects);
    let mut plan = Plan {
        slots,
        values: None,
        rows: Vec::new(),
        owners: BySide::default(),
    };
    match &rule.shape {
        Shape::Fields(shape) => {
            plan.values = shape
                .values
                .as_ref()
                .map(|v| values(rule, v, objects, faults));
        }
        Shape::Table(table) => plan.rows = rows(rule, table, objects, faults),
        Shape::Money(_)
        | Shape::FullName
        | Shape::Owner(_)
        | Shape::Reference(_)
        | Shape::Computed(_) => {}
    }
    plan
}

fn schema<'s>(
    rule: &Rule,
    objects: &'s BySide<ObjectSchema>,
    side: Side,
    index: usize,
) -> Option<(&'s FieldSchema, bool)> {
    let field = objects
        .get(side)
        .fields
        .get(rule.writes(side).get(index)?)?;
    let record_type = rule
        .spelled
        .get(side)
        .get(index)
        .is_some_and(|name| name == RECORD_TYPE);
    Some((field, record_type))
}

/// The value table with labels turned into values.
fn values(
    rule: &Rule,
    values: &Values,
    objects: &BySide<ObjectSchema>,
    faults: &mut Vec<Fault>,
) -> Values {
    let (mut out, mut found) = (Values::default(), Vec::new());
    let mut one = |side: Side, text: &str, written: bool| -> String {
        let Some((field, record_type)) = schema(rule, objects, side, 0) else {
            return text.to_owned();
        };
        resolve(objects.get(side), field, record_type, None, text).unwrap_or_else(|known| {
            found.push(no_option(&rule.at, side, field, text, &known, written));
            text.to_owned()
        })
    };
    for to in Side::BOTH {
        for (from, result) in values.to.get(to) {
            let (from, result) = (one(to.other(), from, false), one(to, result, true));
            out.to.get_mut(to).insert(from, result);
        }
    }
    faults.extend(without_echo(found));
    out
}

/// One report for one text: an error makes a warning about the same needless.
fn without_echo(found: Vec<Fault>) -> Vec<Fault> {
    let errors: Vec<String> = found
        .iter()
        .filter(|fault| fault.severity == Severity::Error)
        .map(|fault| fault.message.clone())
        .collect();
    let needed = |f: &Fault| f.severity == Severity::Error || !errors.contains(&f.message);
    found.into_iter().filter(needed).collect()
}

/// An error only where the value would be written and refused.
fn no_option(
    at: &At,
    side: Side,
    field: &FieldSchema,
    text: &str,
    known: &[String],
    written: bool,
) -> Fault {
    let message = format!("{} `{}` has no value `{text}`", side.title(), field.name);
    let open = matches!(
        &field.kind,
        FieldKind::Picklist {
            restricted: false,
            ..
        }
    );
    let fault = if written && !open {
        at.error(text, message)
    } else {
        at.warning(text, message)
    };
    fault.suggest(known.iter().map(String::as_str))
}

fn rows(
    rule: &Rule,
    table: &Table,
    objects: &BySide<ObjectSchema>,
    faults: &mut Vec<Fault>,
) -> Vec<BoundRow> {
    let mut rows = Vec::new();
    for row in &table.rows {
        let cells = BySide::from_fn(|side| {
            let mut pipeline: Option<String> = None;
            let mut out = Vec::new();
            for (index, cell) in row.cells.get(side).iter().enumerate() {
                let (Some(text), Some((field, record_type))) =
                    (&cell.text, schema(rule, objects, side, index))
                else {
                    out.push(cell.value());
                    continue;
                };
                let found = resolve(
                    objects.get(side),
                    field,
                    record_type,
                    pipeline.as_deref(),
                    text,
                );
                let value = found.unwrap_or_else(|known| {
                    let written = row.direction.allows(side);
                    faults.push(no_option(&cell.at, side, field, text, &known, written));
                    text.clone()
                });
                if is_pipeline(&field.name) {
                    pipeline = Some(value.clone());
                }
                out.push(Value::Text(value));
            }
            out
        });
        rows.push(BoundRow {
            cells,
            direction: row.direction,
        });
    }
    rows
}
