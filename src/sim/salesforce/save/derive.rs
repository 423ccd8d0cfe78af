//! What the platform fills in by itself: defaults, values that follow others, roles it keeps.

use std::collections::BTreeSet;

use super::Writer;
use crate::sim::salesforce::id;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::schema::{Default, Kind, STAGES, SYSTEM_FIELDS};
use crate::sim::salesforce::table::Row;
use crate::sim::salesforce::value::Cell;

pub(super) fn defaults(org: &Org, object: usize, row: &mut Row, by: Writer) {
    let own = &org.schema.objects[object];
    for (at, field) in (0_u16..).zip(&own.fields).skip(usize::from(SYSTEM_FIELDS)) {
        let value = match field.default {
            Default::None if field.kind == Kind::Boolean => Some(Cell::Bool(false)),
            Default::None => None,
            Default::Text(text) => Some(Cell::text(text)),
            Default::User => Some(Cell::text(id::make("005", by.user))),
            Default::Currency => Some(Cell::text("EUR")),
            Default::RecordType => org.record_types.first().map(|id| Cell::text(id.as_str())),
        };
        row.set(at, value);
    }
}

pub(super) fn on_create(org: &Org, object: usize, row: &mut Row, touched: &BTreeSet<u16>) {
    restore_required_defaults(org, object, row);
    if org.schema.objects[object].name == "Opportunity" {
        follow_stage(org, object, row, touched);
    }
}

/// A currency or owner sent as null on create falls back to its default.
fn restore_required_defaults(org: &Org, object: usize, row: &mut Row) {
    let own = &org.schema.objects[object];
    if let Some(at) = own.field_at("OwnerId")
        && row.get(at).is_none()
    {
        row.set(at, Some(Cell::text(id::make("005", row.created_by))));
    }
    if let Some(at) = own.field_at("CurrencyIsoCode")
        && row.get(at).is_none()
    {
        row.set(at, Some(Cell::text("EUR")));
    }
}

pub(super) fn on_update(
    org: &Org,
    object: usize,
    before: &Row,
    row: &mut Row,
    touched: &BTreeSet<u16>,
) {
    let own = &org.schema.objects[object];
    let Some(stage) = own.field_at("StageName") else {
        return;
    };
    if own.name == "Opportunity" && before.get(stage) != row.get(stage) {
        follow_stage(org, object, row, touched);
    }
}

/// Probability follows the stage unless it is sent; the closed flags always do.
fn follow_stage(org: &Org, object: usize, row: &mut Row, touched: &BTreeSet<u16>) {
    let own = &org.schema.objects[object];
    let Some(stage) = own.field_at("StageName").and_then(|at| row.text(at)) else {
        return;
    };
    let probability = STAGES
        .iter()
        .find(|(name, _)| *name == stage)
        .map_or(0.0, |(_, probability)| *probability);
    let (won, lost) = (stage == "Closed Won", stage == "Closed Lost");
    if let Some(at) = own.field_at("Probability")
        && !touched.contains(&at)
    {
        row.set(at, Some(Cell::Number(probability)));
    }
    for (name, value) in [("IsClosed", won || lost), ("IsWon", won)] {
        if let Some(at) = own.field_at(name) {
            row.set(at, Some(Cell::Bool(value)));
        }
    }
}

/// Effects on other rows: a deal's first contact becomes its primary role, and only one role of a
/// deal is primary.
pub(super) fn after_save(org: &mut Org, object: usize, number: u64, creating: bool, by: Writer) {
    let name = org.schema.objects[object].name;
    if name == "Opportunity" && creating {
        add_primary_role(org, object, number, by);
    }
    if name == "OpportunityContactRole" {
        keep_one_primary(org, object, number, by);
    }
}

fn add_primary_role(org: &mut Org, object: usize, number: u64, by: Writer) {
    let own = &org.schema.objects[object];
    let contact = own
        .field_at("ContactId")
        .and_then(|at| org.tables[object].get(number)?.text(at).map(str::to_owned));
    let (Some(contact), Some(roles)) = (contact, org.schema.find("OpportunityContactRole")) else {
        return;
    };
    let role_number = org.tables[roles].take_number();
    let mut row = Row::new(role_number, org.now(), by.user);
    let deal = org.id_of(object, number);
    for (name, value) in [
        ("OpportunityId", Cell::text(deal)),
        ("ContactId", Cell::text(contact)),
        ("IsPrimary", Cell::Bool(true)),
    ] {
        if let Some(at) = org.schema.objects[roles].field_at(name) {
            row.set(at, Some(value));
        }
    }
    org.put(roles, row);
}

fn keep_one_primary(org: &mut Org, object: usize, number: u64, by: Writer) {
    let own = &org.schema.objects[object];
    let (Some(primary), Some(deal)) = (own.field_at("IsPrimary"), own.field_at("OpportunityId"))
    else {
        return;
    };
    let table = &org.tables[object];
    let Some(row) = table.get(number) else {
        return;
    };
    let is_primary = |row: &Row| row.get(primary) == Some(&Cell::Bool(true));
    let (true, Some(deal_id)) = (is_primary(row), row.text(deal)) else {
        return;
    };
    let others: Vec<Row> = table
        .with_key(deal, deal_id)
        .into_iter()
        .filter(|other| *other != number)
        .filter_map(|other| table.live(other))
        .filter(|row| is_primary(row))
        .cloned()
        .collect();
    let now = org.now();
    for mut row in others {
        row.set(primary, Some(Cell::Bool(false)));
        row.modified = now;
        row.stamp = now;
        row.modified_by = by.user;
        org.put(object, row);
    }
}
