//! Keeps the history of tracked fields: one row per field that a save changed.

use std::sync::Arc;

use crate::sim::salesforce::id::AnyId;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::schema::{Field, Kind, SYSTEM_FIELDS, history};
use crate::sim::salesforce::table::{Row, see};
use crate::sim::salesforce::value::Cell;

/// What one object may track.
const MOST: usize = 20;

/// Replaces the list of fields of one object whose history is kept.
pub(in crate::sim::salesforce) fn track(
    org: &mut Org,
    object: usize,
    fields: &[&str],
) -> Result<(), String> {
    let schema = Arc::clone(&org.schema);
    let own = &schema.objects[object];
    if history::of(own.name).is_none() {
        return Err(format!("INVALID_TYPE: {} keeps no history", own.name));
    }
    if fields.len() > MOST {
        return Err(format!("LIMIT_EXCEEDED: {MOST} fields at most are tracked"));
    }
    let mut places = Vec::new();
    for name in fields {
        let at = own
            .field_at(name)
            .filter(|at| *at >= SYSTEM_FIELDS && !own.field(*at).kind.is_compound());
        places.push(at.ok_or_else(|| format!("INVALID_FIELD: {name} cannot be tracked"))?);
    }
    org.define();
    org.tracked.retain(|(of, _)| *of != object);
    org.tracked
        .extend(places.into_iter().map(|at| (object, at)));
    tell(org, object);
    Ok(())
}

/// Lets `FieldDefinition` say what is tracked.
fn tell(org: &mut Org, object: usize) {
    let schema = Arc::clone(&org.schema);
    let Some(at) = schema.find("FieldDefinition") else {
        return;
    };
    let places = ["QualifiedApiName", "IsFieldHistoryTracked"];
    let [Some(name), Some(flag)] = places.map(|name| schema.objects[at].field_at(name)) else {
        return;
    };
    for number in org.definitions.get(&object).cloned().unwrap_or_default() {
        let Some(mut row) = org.tables[at].get(number).cloned() else {
            continue;
        };
        let field = row
            .text(name)
            .and_then(|name| schema.objects[object].field_at(name));
        let tracked = field.is_some_and(|field| org.tracked.contains(&(object, field)));
        row.set(flag, Some(Cell::Bool(tracked)));
        org.tables[at].put(row);
    }
}

/// Writes down what a save changed, at the stamp that the save took.
pub(super) fn keep(org: &mut Org, object: usize, before: &Row, (user, stamp): (u64, i64)) {
    let schema = Arc::clone(&org.schema);
    let own = &schema.objects[object];
    let tracked = org.tracked.range((object, 0)..=(object, u16::MAX));
    let tracked: Vec<u16> = tracked.map(|(_, at)| *at).collect();
    let Some((name, lookup)) = history::of(own.name).filter(|_| !tracked.is_empty()) else {
        return;
    };
    let Some(after) = org.tables[object].get(before.number).cloned() else {
        return;
    };
    let id = org.id_of(object, before.number);
    for at in tracked {
        let (old, new) = (before.get(at), after.get(at));
        if old == new {
            continue;
        }
        for (kind, old, new) in shown(org, own.field(at), old, new) {
            let values = [
                (lookup, Some(Cell::text(id.as_str()))),
                ("Field", Some(Cell::text(called(own.field(at))))),
                ("DataType", Some(Cell::text(kind))),
                ("OldValue", old),
                ("NewValue", new),
            ];
            put(org, name, values, (user, stamp));
        }
    }
}

/// A standard lookup goes by the name of its relationship.
fn called(field: &Field) -> &'static str {
    match field.relationship {
        Some(name) if !field.custom() => name,
        _ => field.name,
    }
}

type Change = (&'static str, Option<Cell>, Option<Cell>);

/// Long texts and sets only say that they changed; a lookup has a row with names and one with ids.
fn shown(org: &Org, field: &Field, old: Option<&Cell>, new: Option<&Cell>) -> Vec<Change> {
    let (old, new) = (old.cloned(), new.cloned());
    match field.kind {
        Kind::LongText | Kind::MultiPicklist => vec![("Text", None, None)],
        Kind::Reference => vec![
            ("Text", title(org, old.as_ref()), title(org, new.as_ref())),
            ("EntityId", old, new),
        ],
        Kind::Boolean => vec![("Boolean", old, new)],
        Kind::Date => vec![("DateOnly", old, new)],
        Kind::DateTime => vec![("DateTime", old, new)],
        kind if kind.is_number() => vec![("Double", old, new)],
        _ => vec![("Text", old, new)],
    }
}

fn title(org: &Org, id: Option<&Cell>) -> Option<Cell> {
    let id = AnyId::parse(id?.as_text()?)?;
    let (object, row) = org.find(&id)?;
    let own = &org.schema.objects[object];
    see(own, row, own.field_at("Name")?).cell().cloned()
}

fn put(org: &mut Org, object: &str, values: [(&str, Option<Cell>); 5], (user, stamp): (u64, i64)) {
    let schema = Arc::clone(&org.schema);
    let Some(at) = schema.find(object) else {
        return;
    };
    let number = org.tables[at].take_number();
    let mut row = Row::new(number, stamp, user);
    for (name, value) in values {
        if let Some(field) = schema.objects[at].field_at(name) {
            row.set(field, value);
        }
    }
    org.put(at, row);
}
