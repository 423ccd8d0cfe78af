//! The save pipeline: from the JSON of one record to a stored row or the reasons why not.
//!
//! Order as in `salesforce.md 9.2`: read values, rights, before-save trigger, system checks,
//! validation rule, duplicate rule, unique fields, store. Called by row calls, collections and the
//! direct doors alike; knows nothing of HTTP.

mod check;
mod derive;
mod duplicate;
mod history;
mod lifecycle;
mod mishap;
mod read;
mod rights;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::Refusal;
use super::org::Org;
use super::outbound;
use super::schema::SYSTEM_FIELDS;
use super::table::{Row, see};

pub use lifecycle::Converted;

/// Who saves, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer {
    /// Row number of the acting user.
    pub user: u64,
    /// Overrides duplicate rules that only alert.
    pub allow_save: bool,
    /// Field-level security and the counters apply to the API alone.
    pub api: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Saved {
    pub id: String,
    pub created: bool,
}

type Refusals = Vec<Refusal>;

pub(super) fn create(
    org: &mut Org,
    object: usize,
    body: &Map<String, Value>,
    by: Writer,
) -> Result<Saved, Refusals> {
    if !org.schema.objects[object].writable {
        return Err(vec![not_writable(org, object, "create")]);
    }
    rights::check(org, object, body, by, true)?;
    mishap::before(org, object, None, body, by)?;
    let given = read::fields(org, object, body, by, true)?;
    let number = org.tables[object].take_number();
    let mut row = Row::new(number, org.now(), by.user);
    derive::defaults(org, object, &mut row, by);
    let mut touched = BTreeSet::new();
    for (at, value) in given {
        row.set(at, value);
        touched.insert(at);
    }
    derive::on_create(org, object, &mut row, &touched);
    run_trigger(org, object, &mut row, &mut touched);
    mishap::mangle(org, object, None, &mut row, &touched, by);
    check::row(org, object, &row, None, &touched)?;
    check_rules(org, object, &row, &touched, by)?;
    row.shrink();
    org.put(object, row);
    outbound::note(org, object, number, by);
    derive::after_save(org, object, number, true, by);
    if by.api {
        org.counters.records_created += 1;
    }
    let id = org.id_of(object, number);
    Ok(Saved { id, created: true })
}

pub(super) fn update(
    org: &mut Org,
    object: usize,
    number: u64,
    body: &Map<String, Value>,
    by: Writer,
) -> Result<Saved, Refusals> {
    let now = org.now();
    update_stamped(org, object, number, body, by, now)
}

/// As [`update`], with the stamp a transaction took when it began.
pub(super) fn update_stamped(
    org: &mut Org,
    object: usize,
    number: u64,
    body: &Map<String, Value>,
    by: Writer,
    stamp: i64,
) -> Result<Saved, Refusals> {
    if !org.schema.objects[object].writable {
        return Err(vec![not_writable(org, object, "update")]);
    }
    let before = match org.tables[object].get(number) {
        Some(row) if row.deleted => return Err(vec![Refusal::deleted()]),
        Some(row) => row.clone(),
        None => return Err(vec![Refusal::not_found()]),
    };
    check::not_converted(org, object, &before)?;
    rights::check(org, object, body, by, false)?;
    mishap::before(org, object, Some(number), body, by)?;
    // Somebody may just have been faster.
    let before = org.tables[object].get(number).cloned().unwrap_or(before);
    let given = read::fields(org, object, body, by, false)?;
    let mut row = before.clone();
    let mut touched = BTreeSet::new();
    for (at, value) in given {
        row.set(at, value);
        touched.insert(at);
    }
    derive::on_update(org, object, &before, &mut row, &touched);
    run_trigger(org, object, &mut row, &mut touched);
    // A write that a fault swallows is the fault's doing, not a pointless write.
    let same = touched.iter().all(|at| before.get(*at) == row.get(*at));
    mishap::mangle(org, object, Some(&before), &mut row, &touched, by);
    check::row(org, object, &row, Some(&before), &touched)?;
    check_rules(org, object, &row, &touched, by)?;
    row.modified = stamp.max(before.modified);
    row.stamp = stamp.max(before.stamp);
    row.modified_by = by.user;
    org.put(object, row);
    outbound::note(org, object, number, by);
    derive::after_save(org, object, number, false, by);
    history::keep(org, object, &before, (by.user, stamp));
    if by.api {
        org.counters.records_updated += 1;
        org.counters.noop_updates += u64::from(same);
    }
    mishap::after(org, object, number, &touched, by);
    let id = org.id_of(object, number);
    Ok(Saved { id, created: false })
}

pub(super) fn delete(
    org: &mut Org,
    object: usize,
    number: u64,
    by: Writer,
) -> Result<(), Refusals> {
    lifecycle::delete(org, object, number, by)?;
    mishap::bin(org, object, number);
    Ok(())
}

pub(super) use history::track;
pub(super) use lifecycle::{convert_lead, merge, purge, undelete};
pub(super) use mishap::{commits_late, created_elsewhere, shift_page, type_in};

fn not_writable(org: &Org, object: usize, verb: &str) -> Refusal {
    let name = org.schema.objects[object].name;
    Refusal::new(
        "INVALID_TYPE_FOR_OPERATION",
        format!("entity type {name} does not support {verb}"),
    )
}

fn run_trigger(org: &Org, object: usize, row: &mut Row, touched: &mut BTreeSet<u16>) {
    let Some(trigger) = &org.hooks[object].trigger else {
        return;
    };
    let schema = Arc::clone(&org.schema);
    let own = &schema.objects[object];
    let mut values = values_of(org, object, row);
    trigger(&mut values);
    for (at, field) in (0_u16..).zip(&own.fields) {
        if at < SYSTEM_FIELDS || field.kind.is_compound() {
            continue;
        }
        let wanted = values.get(field.name).unwrap_or(&Value::Null);
        let present = row
            .get(at)
            .map_or(Value::Null, |cell| cell.to_json(field.kind));
        if *wanted == present {
            continue;
        }
        if let Ok(cell) = super::value::read(field, wanted, org.options.normalise) {
            row.set(at, cell);
            touched.insert(at);
        }
    }
}

fn check_rules(
    org: &Org,
    object: usize,
    row: &Row,
    touched: &BTreeSet<u16>,
    by: Writer,
) -> Result<(), Refusals> {
    if let Some(rule) = &org.hooks[object].validation {
        let values = values_of(org, object, row);
        if let Some((message, field)) = rule(&values) {
            let mut refusal = Refusal::new("FIELD_CUSTOM_VALIDATION_EXCEPTION", message);
            refusal.fields.extend(field);
            return Err(vec![refusal]);
        }
    }
    duplicate::check(org, object, row, touched, by)?;
    check::unique(org, object, row, touched)
}

/// All values of a row that are not null, by field name, as a reader of the API sees them.
pub(super) fn values_of(org: &Org, object: usize, row: &Row) -> BTreeMap<String, Value> {
    let all = (0_u16..).zip(&org.schema.objects[object].fields);
    values_in(org, object, row, all.map(|(at, _)| at))
}

/// As [`values_of`], of these fields alone.
pub(super) fn values_in(
    org: &Org,
    object: usize,
    row: &Row,
    fields: impl Iterator<Item = u16>,
) -> BTreeMap<String, Value> {
    let own = &org.schema.objects[object];
    fields
        .map(|at| (at, own.field(at)))
        .filter(|(_, field)| field.kind != super::schema::Kind::Address)
        .filter_map(|(at, field)| {
            let seen = see(own, row, at);
            let value = seen.cell()?.to_json(field.kind);
            Some((field.name.to_owned(), value))
        })
        .collect()
}
