//! Delete with its cascade, undelete, purge, merge and Lead conversion: `salesforce.md 10.1-10.3`.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Refusals, Writer, create};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::outbound;
use crate::sim::salesforce::schema::{Kind, SYSTEM_FIELDS};
use crate::sim::salesforce::table::Row;
use crate::sim::salesforce::value::{Cell, date_text};

/// What a Lead became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    pub contact: String,
    pub account: String,
    pub opportunity: Option<String>,
}

/// The rows that point at `id`, with the field they point by; the bin is left out.
fn children(org: &Org, id: &str) -> Vec<(usize, u16, u64)> {
    let mut found = Vec::new();
    for (at, object) in org.schema.objects.iter().enumerate() {
        let table = &org.tables[at];
        for (field_at, field) in (0_u16..).zip(&object.fields) {
            let points = field.kind == Kind::Reference
                && field_at >= SYSTEM_FIELDS
                && table.is_indexed(field_at)
                && field.name != "MasterRecordId"
                && !field.name.starts_with("Converted");
            if points {
                let live = table
                    .with_key(field_at, id)
                    .into_iter()
                    .filter(|number| table.live(*number).is_some());
                found.extend(live.map(|number| (at, field_at, number)));
            }
        }
    }
    found
}

pub(super) fn delete(
    org: &mut Org,
    object: usize,
    number: u64,
    by: Writer,
) -> Result<(), Refusals> {
    if !org.schema.objects[object].writable {
        return Err(vec![super::not_writable(org, object, "delete")]);
    }
    match org.tables[object].get(number) {
        Some(row) if row.deleted => return Err(vec![Refusal::deleted()]),
        Some(_) => {}
        None => return Err(vec![Refusal::not_found()]),
    }
    org.last_bin += 1;
    let bin = org.last_bin;
    let schema = Arc::clone(&org.schema);
    let mut waiting = vec![(object, number)];
    let mut seen = BTreeSet::new();
    while let Some((at, number)) = waiting.pop() {
        if !seen.insert((at, number)) {
            continue;
        }
        let id = org.id_of(at, number);
        for (child, field, child_number) in children(org, &id) {
            if schema.objects[child].field(field).cascade {
                waiting.push((child, child_number));
            } else {
                clear_lookup(org, child, field, child_number);
            }
        }
        bin_row(org, at, number, bin, by);
    }
    Ok(())
}

fn bin_row(org: &mut Org, object: usize, number: u64, bin: u64, by: Writer) {
    let now = org.now();
    let Some(mut row) = org.tables[object].live(number).cloned() else {
        return;
    };
    row.deleted = true;
    row.bin = bin;
    row.modified = now;
    row.stamp = now;
    row.modified_by = by.user;
    org.put(object, row);
    if by.api {
        org.counters.records_deleted += 1;
    }
}

/// The platform's own housekeeping moves `SystemModstamp` alone.
fn clear_lookup(org: &mut Org, object: usize, field: u16, number: u64) {
    let now = org.now();
    if let Some(mut row) = org.tables[object].live(number).cloned() {
        row.set(field, None);
        row.stamp = now;
        org.put(object, row);
    }
}

/// Brings back the record and everything that went into the bin with it.
pub(in crate::sim::salesforce) fn undelete(
    org: &mut Org,
    object: usize,
    number: u64,
    by: Writer,
) -> Result<(), Refusals> {
    let bin = match org.tables[object].get(number) {
        Some(row) if row.deleted => row.bin,
        Some(_) => {
            let refusal = Refusal::new("UNDELETE_FAILED", "entity is not in the recycle bin");
            return Err(vec![refusal]);
        }
        None => return Err(vec![Refusal::not_found()]),
    };
    let now = org.now();
    for at in 0..org.tables.len() {
        let rows: Vec<Row> = org.tables[at]
            .rows()
            .filter(|row| row.deleted && row.bin == bin)
            .cloned()
            .collect();
        let master = org.schema.objects[at].field_at("MasterRecordId");
        for mut row in rows {
            row.deleted = false;
            row.bin = 0;
            row.modified = now;
            row.stamp = now;
            row.modified_by = by.user;
            if let Some(master) = master {
                row.set(master, None);
            }
            org.put(at, row);
        }
    }
    Ok(())
}

/// Empties the bin of one record: no trace is left.
pub(in crate::sim::salesforce) fn purge(
    org: &mut Org,
    object: usize,
    number: u64,
) -> Result<(), Refusals> {
    match org.tables[object].get(number) {
        Some(row) if row.deleted => org.erase(object, number),
        Some(_) => {
            let refusal = Refusal::new("DELETE_FAILED", "delete the record before purging it");
            return Err(vec![refusal]);
        }
        None => return Err(vec![Refusal::not_found()]),
    }
    Ok(())
}

pub(in crate::sim::salesforce) fn merge(
    org: &mut Org,
    object: usize,
    master: u64,
    losers: &[u64],
    by: Writer,
) -> Result<(), Refusals> {
    let own = &org.schema.objects[object];
    if !own.mergeable || losers.is_empty() || losers.len() > 2 || losers.contains(&master) {
        let message = "a merge takes one master and one or two others of a mergeable object";
        return Err(vec![Refusal::new("INVALID_OPERATION", message)]);
    }
    for number in losers.iter().chain([&master]) {
        if org.tables[object].live(*number).is_none() {
            return Err(vec![Refusal::deleted()]);
        }
    }
    let master_field = own.field_at("MasterRecordId");
    let master_id = org.id_of(object, master);
    let now = org.now();
    for loser in losers {
        let loser_id = org.id_of(object, *loser);
        for (child, field, number) in children(org, &loser_id) {
            if let Some(mut row) = org.tables[child].live(number).cloned() {
                row.set(field, Some(Cell::text(master_id.as_str())));
                row.stamp = now;
                org.put(child, row);
            }
        }
        org.last_bin += 1;
        let bin = org.last_bin;
        if let (Some(field), Some(mut row)) =
            (master_field, org.tables[object].live(*loser).cloned())
        {
            row.set(field, Some(Cell::text(master_id.as_str())));
            org.put(object, row);
        }
        bin_row(org, object, *loser, bin, by);
    }
    if let Some(mut row) = org.tables[object].live(master).cloned() {
        row.modified = now;
        row.stamp = now;
        row.modified_by = by.user;
        org.put(object, row);
        outbound::note(org, object, master, by);
    }
    Ok(())
}

/// Turns a Lead into a contact of an account, given or made from it, and perhaps a deal.
pub(in crate::sim::salesforce) fn convert_lead(
    org: &mut Org,
    lead: u64,
    contact: Option<String>,
    account: Option<String>,
    opportunity: bool,
    by: Writer,
) -> Result<Converted, Refusals> {
    let object = |name| {
        org.schema
            .find(name)
            .ok_or_else(|| vec![Refusal::not_found()])
    };
    let (leads, contacts) = (object("Lead")?, object("Contact")?);
    let (accounts, deals) = (object("Account")?, object("Opportunity")?);
    let Some(row) = org.tables[leads].live(lead).cloned() else {
        return Err(vec![Refusal::not_found()]);
    };
    super::check::not_converted(org, leads, &row)?;
    let values = super::values_of(org, leads, &row);
    let take = |pairs: &[(&str, &str)]| -> Map<String, Value> {
        pairs
            .iter()
            .filter_map(|(from, to)| Some(((*to).to_owned(), values.get(*from)?.clone())))
            .collect()
    };
    let account = match account {
        Some(id) => id,
        None => create(org, accounts, &take(ACCOUNT_FROM_LEAD), by)?.id,
    };
    let contact = match contact {
        Some(id) => id,
        None => {
            let mut body = take(CONTACT_FROM_LEAD);
            body.insert("AccountId".to_owned(), json!(account));
            create(org, contacts, &body, by)?.id
        }
    };
    let opportunity = if opportunity {
        let mut body = take(&[("Company", "Name")]);
        let in_a_quarter = i32::try_from(org.now() / 86_400 + 90).unwrap_or(0);
        body.insert("StageName".to_owned(), json!("Prospecting"));
        body.insert("CloseDate".to_owned(), json!(date_text(in_a_quarter)));
        body.insert("AccountId".to_owned(), json!(account));
        body.insert("ContactId".to_owned(), json!(contact));
        Some(create(org, deals, &body, by)?.id)
    } else {
        None
    };
    let converted = Converted {
        contact,
        account,
        opportunity,
    };
    mark_converted(org, leads, row, &converted, by);
    Ok(converted)
}

const ACCOUNT_FROM_LEAD: &[(&str, &str)] = &[
    ("Company", "Name"),
    ("Website", "Website"),
    ("Phone", "Phone"),
    ("Industry", "Industry"),
    ("OwnerId", "OwnerId"),
];

const CONTACT_FROM_LEAD: &[(&str, &str)] = &[
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("Email", "Email"),
    ("Phone", "Phone"),
    ("MobilePhone", "MobilePhone"),
    ("Title", "Title"),
    ("LeadSource", "LeadSource"),
    ("Street", "MailingStreet"),
    ("City", "MailingCity"),
    ("State", "MailingState"),
    ("PostalCode", "MailingPostalCode"),
    ("Country", "MailingCountry"),
    ("OwnerId", "OwnerId"),
];

fn mark_converted(org: &mut Org, leads: usize, mut row: Row, into: &Converted, by: Writer) {
    let now = org.now();
    let today = i32::try_from(now / 86_400).unwrap_or(0);
    let own = &org.schema.objects[leads];
    let mut set = |name: &str, value: Option<Cell>| {
        if let Some(at) = own.field_at(name) {
            row.set(at, value);
        }
    };
    set("IsConverted", Some(Cell::Bool(true)));
    set("Status", Some(Cell::text("Closed - Converted")));
    set("ConvertedDate", Some(Cell::Date(today)));
    set(
        "ConvertedAccountId",
        Some(Cell::text(into.account.as_str())),
    );
    set(
        "ConvertedContactId",
        Some(Cell::text(into.contact.as_str())),
    );
    set(
        "ConvertedOpportunityId",
        into.opportunity.as_deref().map(Cell::text),
    );
    row.modified = now;
    row.stamp = now;
    row.modified_by = by.user;
    let number = row.number;
    org.put(leads, row);
    outbound::note(org, leads, number, by);
}
