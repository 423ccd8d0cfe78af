//! System validation of a row about to be stored: required, length, picklist, range, references.

use std::collections::BTreeSet;

use super::Refusals;
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::id::AnyId;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::schema::{CURRENCIES, Default, Field, Kind, RECORD_TYPES};
use crate::sim::salesforce::table::Row;
use crate::sim::salesforce::value::{Cell, is_email};

/// `before` is `None` on create; then every field counts as touched for the required check.
pub(super) fn row(
    org: &Org,
    object: usize,
    row: &Row,
    before: Option<&Row>,
    touched: &BTreeSet<u16>,
) -> Result<(), Refusals> {
    let own = &org.schema.objects[object];
    let missing: Vec<String> = (0_u16..)
        .zip(&own.fields)
        .filter(|(_, field)| field.required || field.default == Default::User)
        .filter(|(at, _)| is_blank(row.get(*at)))
        .filter(|(at, _)| before.is_none() || touched.contains(at))
        .map(|(_, field)| field.name.to_owned())
        .collect();
    if !missing.is_empty() {
        let message = format!("Required fields are missing: [{}]", missing.join(", "));
        let mut refusal = Refusal::new("REQUIRED_FIELD_MISSING", message);
        refusal.fields = missing;
        return Err(vec![refusal]);
    }
    let mut refusals: Refusals = touched
        .iter()
        .filter_map(|at| {
            let cell = row.get(*at)?;
            let unchanged = before.is_some_and(|before| before.get(*at) == Some(cell));
            one(org, own.field(*at), cell, unchanged)
        })
        .collect();
    refusals.extend(stage_allowed(org, object, row, before));
    refusals.extend(own_parent(org, object, row, before));
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(refusals)
    }
}

fn is_blank(cell: Option<&Cell>) -> bool {
    cell.is_none_or(|cell| cell.as_text().is_some_and(|text| text.trim().is_empty()))
}

fn one(org: &Org, field: &Field, cell: &Cell, unchanged: bool) -> Option<Refusal> {
    let text = match cell {
        Cell::Text(text) => text,
        Cell::Number(number) => return in_range(field, *number),
        Cell::Bool(_) | Cell::Date(_) | Cell::Instant(_) => return None,
    };
    if field.kind == Kind::Reference {
        return if unchanged {
            None
        } else {
            reference(org, field, text)
        };
    }
    let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    if field.length > 0 && length > field.length {
        return Some(too_long(field, text));
    }
    if field.kind == Kind::Email && !text.is_empty() && !is_email(text) {
        let message = format!("{}: invalid email address: {text}", field.label);
        return Some(Refusal::new("INVALID_EMAIL_ADDRESS", message).field(field.name));
    }
    if field.kind == Kind::Picklist {
        return picklist(field, &[text]);
    }
    if field.kind == Kind::MultiPicklist {
        let parts: Vec<&str> = text.split(';').collect();
        return picklist(field, &parts);
    }
    None
}

fn too_long(field: &Field, text: &str) -> Refusal {
    let shown: String = text.chars().take(255).collect();
    let message = format!(
        "{}: data value too large: {shown} (max length={})",
        field.label, field.length
    );
    Refusal::new("STRING_TOO_LONG", message).field(field.name)
}

fn picklist(field: &Field, parts: &[&str]) -> Option<Refusal> {
    if field.name == "CurrencyIsoCode" {
        let code = parts.first().copied().unwrap_or_default();
        return (!active_currency(code)).then(|| {
            let message = format!("Currency ISO Code: invalid or inactive currency: {code}");
            Refusal::new("INVALID_CURRENCY_ISO", message).field(field.name)
        });
    }
    if !field.restricted {
        return None;
    }
    let bad = parts
        .iter()
        .find(|part| !part.is_empty() && !field.values.contains(part))?;
    Some(bad_value(field, bad))
}

fn active_currency(code: &str) -> bool {
    CURRENCIES
        .iter()
        .any(|(own, _, active)| *active && *own == code)
}

fn bad_value(field: &Field, value: &str) -> Refusal {
    let message = format!(
        "{}: bad value for restricted picklist field: {value}",
        field.label
    );
    Refusal::new("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message).field(field.name)
}

fn in_range(field: &Field, number: f64) -> Option<Refusal> {
    let whole_digits = i32::try_from(field.precision.saturating_sub(field.scale)).unwrap_or(18);
    (number.abs() >= 10_f64.powi(whole_digits)).then(|| {
        let message = format!(
            "{}: value outside of valid range on numeric field: {number}",
            field.label
        );
        Refusal::new("NUMBER_OUTSIDE_VALID_RANGE", message).field(field.name)
    })
}

fn reference(org: &Org, field: &Field, text: &str) -> Option<Refusal> {
    let wrong_type = || Some(Refusal::malformed_id(&field.label, text).field(field.name));
    let Some(id) = AnyId::parse(text) else {
        return wrong_type();
    };
    let target = org.schema.by_prefix(id.prefix());
    let fits = target.is_some_and(|at| field.targets.contains(&org.schema.objects[at].name));
    if !fits {
        return wrong_type();
    }
    let Some((target, row)) = org.find(&id).filter(|(_, row)| !row.deleted) else {
        let refusal = Refusal::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id");
        return Some(refusal.field(field.name));
    };
    let own = &org.schema.objects[target];
    let inactive = own.name == "User"
        && own
            .field_at("IsActive")
            .is_some_and(|at| row.get(at) == Some(&Cell::Bool(false)));
    (inactive && field.name == "OwnerId").then(|| {
        Refusal::new(
            "INACTIVE_OWNER_OR_USER",
            "operation performed with inactive user [".to_owned() + text + "] as owner",
        )
        .field(field.name)
    })
}

/// The record type decides which stages an opportunity may take.
fn stage_allowed(org: &Org, object: usize, row: &Row, before: Option<&Row>) -> Option<Refusal> {
    let own = &org.schema.objects[object];
    if own.name != "Opportunity" {
        return None;
    }
    let stage_at = own.field_at("StageName")?;
    let type_at = own.field_at("RecordTypeId")?;
    if let Some(before) = before
        && before.get(stage_at) == row.get(stage_at)
    {
        return None;
    }
    let record_type = row.text(type_at)?;
    let place = org.record_types.iter().position(|id| id == record_type)?;
    let stage = row.text(stage_at)?;
    let field = own.field(stage_at);
    let known = field.values.contains(&stage);
    (known && !RECORD_TYPES[place].2.contains(&stage)).then(|| bad_value(field, stage))
}

/// A record may not be its own parent.
fn own_parent(org: &Org, object: usize, row: &Row, before: Option<&Row>) -> Option<Refusal> {
    let own = &org.schema.objects[object];
    let at = own
        .field_at("ParentId")
        .or_else(|| own.field_at("ReportsToId"))?;
    let changed = before.is_none_or(|before| before.get(at) != row.get(at));
    let own_id = org.id_of(object, row.number);
    (changed && row.text(at) == Some(own_id.as_str())).then(|| {
        let message = format!("{}: may not refer to itself", own.field(at).label);
        Refusal::new("CIRCULAR_DEPENDENCY", message).field(own.field(at).name)
    })
}

pub(super) fn not_converted(org: &Org, object: usize, row: &Row) -> Result<(), Refusals> {
    let converted = org.schema.objects[object]
        .field_at("IsConverted")
        .is_some_and(|at| row.get(at) == Some(&Cell::Bool(true)));
    if converted {
        let message = "cannot reference converted lead";
        return Err(vec![Refusal::new("CANNOT_UPDATE_CONVERTED_LEAD", message)]);
    }
    Ok(())
}

pub(super) fn unique(
    org: &Org,
    object: usize,
    row: &Row,
    touched: &BTreeSet<u16>,
) -> Result<(), Refusals> {
    let own = &org.schema.objects[object];
    let table = &org.tables[object];
    for at in touched.iter().filter(|at| own.field(**at).unique) {
        let Some(text) = row.text(*at) else {
            continue;
        };
        let other = table
            .with_key(*at, text)
            .into_iter()
            .find(|number| *number != row.number && table.live(*number).is_some());
        if let Some(other) = other {
            let id = org.id_of(object, other);
            let name = own.field(*at).name;
            let message = format!(
                "duplicate value found: {name} duplicates value on record with id: {}",
                &id[..15]
            );
            return Err(vec![Refusal::new("DUPLICATE_VALUE", message)]);
        }
    }
    Ok(())
}
