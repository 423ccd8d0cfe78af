//! The direct doors: what a user does in the browser, with the same rules but no API in between.
//!
//! Works on the org under its lock; `SalesforceSim` and test control both call in here. Refusals
//! are one line each.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::Refusal;
use super::id::AnyId;
use super::org::{Later, Org};
use super::save::{self, Converted, Writer, values_in, values_of};
use super::table::Row;
use super::{DuplicateRule, LateCommit, SimRecord};
use crate::model::Timestamp;

/// The browser shows an alert of a duplicate rule and lets the user save all the same.
fn user(org: &Org) -> Writer {
    Writer {
        user: org.browser_user,
        allow_save: true,
        api: false,
    }
}

fn object(org: &Org, name: &str) -> Result<usize, String> {
    org.schema
        .find(name)
        .ok_or_else(|| format!("INVALID_TYPE: there is no object {name}"))
}

fn place(org: &Org, name: &str, id: &str) -> Result<(usize, u64), String> {
    let at = object(org, name)?;
    let prefix = org.schema.objects[at].prefix;
    let number = AnyId::parse(id)
        .filter(|id| id.prefix() == prefix)
        .and_then(|id| id.number())
        .ok_or_else(|| format!("MALFORMED_ID: {id} is no id of {name}"))?;
    Ok((at, number))
}

fn line(refusals: Vec<Refusal>) -> String {
    let lines: Vec<String> = refusals.iter().map(Refusal::line).collect();
    lines.join("; ")
}

pub(super) fn create(
    org: &mut Org,
    name: &str,
    fields: &Map<String, Value>,
) -> Result<String, String> {
    let at = object(org, name)?;
    let by = user(org);
    save::create(org, at, fields, by)
        .map(|saved| saved.id)
        .map_err(line)
}

pub(super) fn edit(
    org: &mut Org,
    name: &str,
    id: &str,
    fields: &Map<String, Value>,
) -> Result<(), String> {
    let (at, number) = place(org, name, id)?;
    let by = user(org);
    if let Some(millis) = save::commits_late(org, at, id) {
        let begun = late(org, at, Some(number), fields)?;
        org.later(millis, Later::Commit(begun));
        return Ok(());
    }
    save::update(org, at, number, fields, by)
        .map(|_| ())
        .map_err(line)
}

pub(super) fn delete(org: &mut Org, name: &str, id: &str) -> Result<(), String> {
    let (at, number) = place(org, name, id)?;
    let by = user(org);
    save::delete(org, at, number, by).map_err(line)
}

pub(super) fn undelete(org: &mut Org, name: &str, id: &str) -> Result<(), String> {
    let (at, number) = place(org, name, id)?;
    let by = user(org);
    save::undelete(org, at, number, by).map_err(line)
}

pub(super) fn purge(org: &mut Org, name: &str, id: &str) -> Result<(), String> {
    let (at, number) = place(org, name, id)?;
    save::purge(org, at, number).map_err(line)
}

/// An internal job of the platform touches the record: only `SystemModstamp` moves.
pub(super) fn bump(org: &mut Org, name: &str, id: &str) -> Result<(), String> {
    let (at, number) = place(org, name, id)?;
    let mut row = org.tables[at]
        .get(number)
        .cloned()
        .ok_or_else(|| line(vec![Refusal::not_found()]))?;
    row.stamp = org.now();
    org.put(at, row);
    Ok(())
}

pub(super) fn merge(
    org: &mut Org,
    name: &str,
    master: &str,
    losers: &[&str],
) -> Result<(), String> {
    let (at, master) = place(org, name, master)?;
    let losers: Result<Vec<u64>, String> = losers
        .iter()
        .map(|id| place(org, name, id).map(|(_, number)| number))
        .collect();
    let by = user(org);
    save::merge(org, at, master, &losers?, by).map_err(line)
}

pub(super) fn convert(
    org: &mut Org,
    lead: &str,
    contact: Option<&str>,
    account: Option<&str>,
    opportunity: bool,
) -> Result<Converted, String> {
    let (_, number) = place(org, "Lead", lead)?;
    for (name, id) in [("Contact", contact), ("Account", account)] {
        if let Some(id) = id {
            let (at, number) = place(org, name, id)?;
            if org.tables[at].live(number).is_none() {
                return Err(line(vec![Refusal::not_found()]));
            }
        }
    }
    let full = |id: Option<&str>| id.and_then(AnyId::parse).map(|id| id.to_string());
    let by = user(org);
    org.begin();
    let converted = save::convert_lead(org, number, full(contact), full(account), opportunity, by);
    org.settle(converted.is_ok());
    converted.map_err(line)
}

/// Checks the edit and takes its stamp now; nobody sees it before [`commit`].
pub(super) fn begin_late(
    org: &mut Org,
    name: &str,
    id: &str,
    fields: &Map<String, Value>,
) -> Result<LateCommit, String> {
    let (object, number) = place(org, name, id)?;
    late(org, object, Some(number), fields)
}

pub(super) fn begin_late_create(
    org: &mut Org,
    name: &str,
    fields: &Map<String, Value>,
) -> Result<LateCommit, String> {
    let object = object(org, name)?;
    late(org, object, None, fields)
}

fn late(
    org: &mut Org,
    object: usize,
    number: Option<u64>,
    fields: &Map<String, Value>,
) -> Result<LateCommit, String> {
    let by = user(org);
    org.begin();
    let checked = match number {
        Some(number) => save::update(org, object, number, fields, by),
        None => save::create(org, object, fields, by),
    };
    org.settle(false);
    checked.map_err(line)?;
    Ok(LateCommit {
        object,
        number,
        fields: fields.clone(),
        stamp: org.now(),
    })
}

/// Makes the edit or the record visible, with the stamp it took when it began.
pub(super) fn commit(org: &mut Org, late: LateCommit) -> Result<String, String> {
    let by = user(org);
    let LateCommit { object, stamp, .. } = late;
    let saved = match late.number {
        Some(number) => save::update_stamped(org, object, number, &late.fields, by, stamp),
        None => save::create(org, object, &late.fields, by),
    };
    let id = saved.map_err(line)?.id;
    let row = AnyId::parse(&id)
        .filter(|_| late.number.is_none())
        .and_then(|id| org.find(&id).map(|(_, row)| row.clone()));
    if let Some(mut row) = row {
        (row.created, row.modified, row.stamp) = (stamp, stamp, stamp);
        org.put(object, row);
    }
    Ok(id)
}

/// Replaces the list of fields of one object that field-level security hides from the API.
pub(super) fn hide(org: &mut Org, name: &str, fields: &[&str]) -> Result<(), String> {
    let (at, places) = places(org, name, fields)?;
    org.hidden.retain(|(object, _)| *object != at);
    org.hidden.extend(places);
    Ok(())
}

pub(super) fn lock(org: &mut Org, name: &str, fields: &[&str]) -> Result<(), String> {
    let (at, places) = places(org, name, fields)?;
    org.read_only.retain(|(object, _)| *object != at);
    org.read_only.extend(places);
    Ok(())
}

type Places = (usize, Vec<(usize, u16)>);

fn places(org: &Org, name: &str, fields: &[&str]) -> Result<Places, String> {
    let at = object(org, name)?;
    let own = &org.schema.objects[at];
    let found = fields.iter().map(|field| {
        own.field_at(field)
            .map(|place| (at, place))
            .ok_or_else(|| format!("INVALID_FIELD: {name} has no field {field}"))
    });
    Ok((at, found.collect::<Result<_, _>>()?))
}

/// Replaces the list of fields of one object whose history is kept.
pub(super) fn track_history(org: &mut Org, name: &str, fields: &[&str]) -> Result<(), String> {
    let at = object(org, name)?;
    save::track(org, at, fields)
}

pub(super) fn set_duplicate_rule(
    org: &mut Org,
    name: &str,
    rule: Option<DuplicateRule>,
) -> Result<(), String> {
    let at = object(org, name)?;
    let own = &org.schema.objects[at];
    let unknown = rule
        .iter()
        .flat_map(|rule| &rule.fields)
        .find(|field| own.field_at(field).is_none());
    if let Some(field) = unknown {
        return Err(format!("INVALID_FIELD: {name} has no field {field}"));
    }
    org.hooks[at].duplicates = rule;
    Ok(())
}

pub(super) fn records(org: &Org, name: &str) -> Option<Vec<SimRecord>> {
    let at = org.schema.find(name)?;
    let rows = org.tables[at].rows();
    Some(rows.map(|row| show(org, at, row)).collect())
}

pub(super) fn records_with(org: &Org, name: &str, fields: &[&str]) -> Option<Vec<SimRecord>> {
    let at = org.schema.find(name)?;
    let own = &org.schema.objects[at];
    let fields = fields.iter().filter_map(|field| own.field_at(field));
    let fields: Vec<u16> = fields.collect();
    let shown = |row| {
        show_with(
            org,
            at,
            row,
            values_in(org, at, row, fields.iter().copied()),
        )
    };
    Some(org.tables[at].rows().map(shown).collect())
}

pub(super) fn record(org: &Org, name: &str, id: &str) -> Option<SimRecord> {
    let (at, number) = place(org, name, id).ok()?;
    org.tables[at].get(number).map(|row| show(org, at, row))
}

fn show(org: &Org, object: usize, row: &Row) -> SimRecord {
    show_with(org, object, row, values_of(org, object, row))
}

fn show_with(org: &Org, object: usize, row: &Row, fields: BTreeMap<String, Value>) -> SimRecord {
    let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
    SimRecord {
        id: org.id_of(object, row.number),
        deleted: row.deleted,
        fields,
        created_at: at(row.created),
        last_modified_at: at(row.modified),
        system_modstamp: at(row.stamp),
    }
}
