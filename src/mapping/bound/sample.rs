//! Every expression run once on a made-up record, so that type errors show before the first sync.

use super::super::expression::Expression;
use super::super::fault::Fault;
use super::super::rule::{Conversion, FieldRule, Shape};
use super::super::types::Create;
use super::Bound;
use crate::model::{FieldKind, Fields, ObjectSchema, Raw, Side};

pub(super) fn run(bound: &Bound, faults: &mut Vec<Fault>) {
    let records = [Side::HubSpot, Side::Salesforce].map(|side| sample(bound, side));
    let record = |side: Side| match side {
        Side::HubSpot => &records[0],
        Side::Salesforce => &records[1],
    };
    for side in Side::BOTH {
        if let Some(only) = bound.mapping.only.get(side) {
            condition(bound, only, side, record(side), faults);
        }
        if let Create::When(create) = bound.mapping.create.get(side) {
            condition(bound, create, side.other(), record(side.other()), faults);
        }
    }
    for rule in &bound.mapping.rules {
        match &rule.shape {
            Shape::Computed(computed) => {
                let from = computed.to.other();
                value(bound, &computed.value, from, record(from), faults);
            }
            Shape::Fields(FieldRule {
                conversion: Some(Conversion::Phone(Some(country))),
                ..
            }) => {
                value(
                    bound,
                    &country.expression,
                    Side::HubSpot,
                    record(Side::HubSpot),
                    faults,
                );
            }
            Shape::Fields(_)
            | Shape::Table(_)
            | Shape::Money(_)
            | Shape::FullName
            | Shape::Owner(_)
            | Shape::Reference(_) => {}
        }
    }
}

fn condition(
    bound: &Bound,
    expression: &Expression,
    side: Side,
    record: &Fields,
    faults: &mut Vec<Fault>,
) {
    let blank = Fields::new();
    for (fields, when) in [
        (record, "on a sample record"),
        (&blank, "when its fields are blank"),
    ] {
        if let Err(error) = expression.holds(|name| bound.dynamic(side, name, fields)) {
            let message = format!("the expression fails {when}: {error}");
            faults.push(expression.at.error(&expression.text, message));
            return;
        }
    }
}

fn value(
    bound: &Bound,
    expression: &Expression,
    side: Side,
    record: &Fields,
    faults: &mut Vec<Fault>,
) {
    let at = &expression.at;
    if let Err(error) = expression.evaluate(|name| bound.dynamic(side, name, record)) {
        let message = format!("the expression fails on a sample record: {error}");
        faults.push(at.error(&expression.text, message));
        return;
    }
    let blank = Fields::new();
    if let Err(error) = expression.evaluate(|name| bound.dynamic(side, name, &blank)) {
        let message = format!(
            "the expression fails when its fields are blank ({error}); such records are held. \
             Use ?? to say what a blank stands for"
        );
        faults.push(at.warning(&expression.text, message));
    }
}

/// A record with a plausible value in each field.
fn sample(bound: &Bound, side: Side) -> Fields {
    let object = bound.objects.get(side);
    object
        .fields
        .values()
        .map(|field| (field.name.clone(), plausible(object, field)))
        .collect()
}

fn plausible(object: &ObjectSchema, field: &crate::model::FieldSchema) -> Raw {
    if field.name == "RecordTypeId" {
        return object
            .record_types
            .first()
            .map_or(Raw::Null, |held| Raw::text(held.id.as_str()));
    }
    match &field.kind {
        FieldKind::Email => Raw::text("ann@example.com"),
        FieldKind::Phone => Raw::text("+4930901820"),
        FieldKind::Url => Raw::text("https://example.com"),
        FieldKind::Number { .. } | FieldKind::Money { .. } => Raw::text("12.5"),
        FieldKind::Integer => Raw::text("12"),
        FieldKind::Bool => Raw::Bool(true),
        FieldKind::Date => Raw::text("2026-01-31"),
        FieldKind::DateTime => Raw::text("2026-01-31T12:00:00Z"),
        FieldKind::Picklist { options, .. } | FieldKind::MultiPicklist { options, .. } => options
            .first()
            .map_or(Raw::text("sample"), |option| Raw::text(&option.value)),
        FieldKind::Text { .. }
        | FieldKind::Reference { .. }
        | FieldKind::Owner
        | FieldKind::Id
        | FieldKind::Other(_) => Raw::text("sample"),
    }
}
