//! Trouble inside the org: rows that fail, values stored otherwise, things that happen later.
//!
//! Each asks `sim::faults` whether it happens; without switches nothing here does anything.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Refusals, Writer, duplicate};
use crate::sim::faults::{At, Fault, Point, Strike, TYPED, stored};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::org::{Later, Org};
use crate::sim::salesforce::schema::{Kind, SYSTEM_FIELDS};
use crate::sim::salesforce::table::Row;
use crate::sim::salesforce::value;

/// Names the record that a new one is made from.
const KEY: &str = "Tandem_Link_Id__c";

/// What happens to one row right before it is judged. `number` is absent for a new record.
pub(super) fn before(
    org: &mut Org,
    object: usize,
    number: Option<u64>,
    body: &Map<String, Value>,
    by: Writer,
) -> Result<(), Refusals> {
    if !by.api || org.faults.is_calm() {
        return Ok(());
    }
    let names = body.keys().map(String::as_str);
    let names: Vec<&str> = names
        .filter(|name| ![KEY, "attributes"].contains(name))
        .collect();
    let key = body.get(KEY).and_then(Value::as_str).map(str::to_owned);
    let record = number.map(|number| org.id_of(object, number)).or(key);
    let at = At {
        object: org.schema.objects[object].name,
        record: record.as_deref().unwrap_or_default(),
        fields: &names,
        ..At::default()
    };
    let may = |fault: Fault| match fault {
        // A create by key meets the other record where it looks for it.
        Fault::CreatedElsewhere => false,
        Fault::EditBefore => number.is_some(),
        Fault::DuplicateRule => number.is_none(),
        Fault::InactiveOwner => names.contains(&"OwnerId"),
        _ => fault.point() == Point::Row,
    };
    let Some(strike) = org.faults.strike_if(&at, may) else {
        return Ok(());
    };
    match (strike.fault, number) {
        (Fault::EditBefore, Some(number)) => {
            type_over(org, object, number, &strike);
            Ok(())
        }
        (fault, _) => Err(vec![refusal(org, object, fault, &strike.field, body)]),
    }
}

fn refusal(
    org: &Org,
    object: usize,
    fault: Fault,
    field: &str,
    body: &Map<String, Value>,
) -> Refusal {
    let value = body.get(field).unwrap_or(&Value::Null);
    match fault {
        Fault::RowLocked => Refusal::new(
            "UNABLE_TO_LOCK_ROW",
            "unable to obtain exclusive access to this record",
        ),
        Fault::OptionRefused => Refusal::new(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            format!("{field}: bad value for restricted picklist field: {value}"),
        )
        .field(field),
        Fault::RequiredMissing => Refusal::new(
            "REQUIRED_FIELD_MISSING",
            format!("Required fields are missing: [{field}]"),
        )
        .field(field),
        Fault::ValidationRule => Refusal::new(
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            format!("{field} breaks a validation rule"),
        )
        .field(field),
        Fault::InactiveOwner => Refusal::new(
            "INACTIVE_OWNER_OR_USER",
            "operation performed with inactive user",
        ),
        Fault::DuplicateRule => {
            let table = &org.tables[object];
            let other = table.rows().find(|row| !row.deleted);
            let ids: Vec<String> = other
                .map(|row| org.id_of(object, row.number))
                .into_iter()
                .collect();
            duplicate::refusal(org.schema.objects[object].name, true, &ids)
        }
        _ => Refusal::new("UNKNOWN_EXCEPTION", "An unexpected error occurred"),
    }
}

/// Another integration makes the same record just before it is looked for by its key.
pub(in crate::sim::salesforce) fn created_elsewhere(
    org: &mut Org,
    object: usize,
    body: &Map<String, Value>,
) {
    let at = At {
        object: org.schema.objects[object].name,
        ..At::default()
    };
    if org.faults.strikes(Fault::CreatedElsewhere, &at).is_none() {
        return;
    }
    let user = Writer {
        user: org.browser_user,
        allow_save: true,
        api: false,
    };
    // Refused values are refused for the caller as well.
    super::create(org, object, body, user).ok();
}

fn type_over(org: &mut Org, object: usize, number: u64, strike: &Strike) {
    let text = strike.value.as_deref().unwrap_or(TYPED);
    type_in(org, object, number, &strike.field, &json!(text));
}

/// Sets one value past the API; a value the org refuses is not set.
pub(in crate::sim::salesforce) fn type_in(
    org: &mut Org,
    object: usize,
    number: u64,
    field: &str,
    value: &Value,
) {
    let user = Writer {
        user: org.browser_user,
        allow_save: true,
        api: false,
    };
    let body = Map::from_iter([(field.to_owned(), value.clone())]);
    super::update(org, object, number, &body, user).ok();
}

/// What becomes of the values of a write on their way into the row.
pub(super) fn mangle(
    org: &mut Org,
    object: usize,
    before: Option<&Row>,
    row: &mut Row,
    touched: &BTreeSet<u16>,
    by: Writer,
) {
    if !by.api || org.faults.is_calm() {
        return;
    }
    for at in touched {
        mangle_one(org, object, before, row, *at);
    }
}

fn mangle_one(org: &mut Org, object: usize, before: Option<&Row>, row: &mut Row, at: u16) {
    let schema = std::sync::Arc::clone(&org.schema);
    let own = &schema.objects[object];
    let field = own.field(at);
    let number = matches!(field.kind, Kind::Double | Kind::Currency | Kind::Percent);
    let text = matches!(
        field.kind,
        Kind::Text | Kind::TextArea | Kind::LongText | Kind::Phone
    );
    if at < SYSTEM_FIELDS || field.external_id || !(number || text) {
        return;
    }
    let Some(sent) = row.get(at).cloned() else {
        return;
    };
    let old = before.and_then(|before| before.get(at)).cloned();
    let moved = old.as_ref() != Some(&sent);
    let shown = match sent.to_json(field.kind) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let key = own.field_at(KEY).and_then(|at| row.text(at));
    let record = before.map(|before| org.id_of(object, before.number));
    let record = record.or(key.map(str::to_owned));
    let moment = At {
        object: own.name,
        record: record.as_deref().unwrap_or_default(),
        fields: &[field.name],
        ..At::default()
    };
    let may = |fault: Fault| match fault {
        Fault::Ignored => moved,
        Fault::Reverted => moved && before.is_some(),
        _ => stored(fault, &shown, number, None).is_some_and(|stored| stored != shown),
    };
    let Some(strike) = org.faults.strike_if(&moment, may) else {
        return;
    };
    match strike.fault {
        Fault::Ignored => row.set(at, old),
        Fault::Reverted => {
            let back = old.map_or(Value::Null, |cell| cell.to_json(field.kind));
            let what = Later::Set {
                object,
                number: row.number,
                field: field.name,
                value: back,
            };
            org.later(strike.millis(), what);
        }
        fault => {
            let Some(text) = stored(fault, &shown, number, strike.value.as_deref()) else {
                return;
            };
            let json = if number {
                text.parse::<f64>()
                    .map_or(Value::Null, |figure| json!(figure))
            } else {
                json!(text)
            };
            if let Ok(cell) = value::read(field, &json, org.options.normalise) {
                row.set(at, cell);
            }
        }
    }
}

/// A person is quick: a field is typed over as soon as it is written.
pub(super) fn after(
    org: &mut Org,
    object: usize,
    number: u64,
    touched: &BTreeSet<u16>,
    by: Writer,
) {
    if !by.api || org.faults.is_calm() {
        return;
    }
    let schema = std::sync::Arc::clone(&org.schema);
    let own = &schema.objects[object];
    let names: Vec<&str> = touched.iter().map(|at| own.field(*at).name).collect();
    let record = org.id_of(object, number);
    let at = At {
        object: own.name,
        record: &record,
        fields: &names,
        ..At::default()
    };
    if let Some(strike) = org.faults.strikes(Fault::EditAfter, &at) {
        type_over(org, object, number, &strike);
    }
}

/// Somebody empties the bin soon after a record went in.
pub(super) fn bin(org: &mut Org, object: usize, number: u64) {
    let record = org.id_of(object, number);
    let at = At {
        object: org.schema.objects[object].name,
        record: &record,
        ..At::default()
    };
    if let Some(strike) = org.faults.strikes(Fault::BinEmptied, &at) {
        org.later(strike.millis(), Later::Purge { object, number });
    }
}

/// How late the transaction of a user's edit commits, when a fault makes it late.
pub(in crate::sim::salesforce) fn commits_late(org: &Org, object: usize, id: &str) -> Option<i64> {
    let at = At {
        object: org.schema.objects[object].name,
        record: id,
        ..At::default()
    };
    let strike = org.faults.strikes(Fault::LateCommit, &at)?;
    Some(strike.millis())
}

/// Somebody touches a record while another pages over its object.
pub(in crate::sim::salesforce) fn shift_page(org: &mut Org, object: usize) {
    let at = At {
        object: org.schema.objects[object].name,
        ..At::default()
    };
    if org.faults.strikes(Fault::PageShift, &at).is_none() {
        return;
    }
    let live = org.tables[object].rows().filter(|row| !row.deleted);
    let live: Vec<u64> = live.map(|row| row.number).collect();
    let Some(number) = org.rng.choice(live) else {
        return;
    };
    let now = org.now();
    if let Some(mut row) = org.tables[object].get(number).cloned() {
        row.stamp = row.stamp.max(now);
        org.put(object, row);
    }
}
