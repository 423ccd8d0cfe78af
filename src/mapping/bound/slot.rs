//! A slot: one field of a rule on one side, with what the schema says about it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::canon::Form;
use super::super::read::RECORD_TYPE;
use super::super::rule::{Conversion, FieldRule, Rule, Shape, Values};
use crate::model::{
    BySide, Direction, FieldKind, FieldSchema, ObjectSchema, PickOption, Raw, RecordId, Side, Value,
};

/// What binding worked out for one rule.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub slots: BySide<Vec<Slot>>,
    /// `values` with names turned into the CRM's own values.
    pub values: Option<Values>,
    /// Rows of a table, likewise.
    pub rows: Vec<BoundRow>,
    /// Of a table of owners: whose records belong to whom on the other side, by id.
    pub owners: BySide<BTreeMap<RecordId, RecordId>>,
}

#[derive(Clone, Debug)]
pub(super) struct BoundRow {
    pub cells: BySide<Vec<Value>>,
    pub direction: Direction,
}

#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// The raw field in the record.
    pub field: String,
    pub side: Side,
    pub form: Form,
    pub schema: FieldSchema,
}

impl Slot {
    /// The options a value must be one of, when the platform insists and says which.
    pub fn restricted(&self) -> Option<&[PickOption]> {
        let (options, restricted) = options_of(&self.schema.kind)?;
        (restricted && !options.is_empty()).then_some(options)
    }

    /// A set as both platforms keep it: in the order of the field's options. Sent so, it comes back
    /// as it was sent, and what we say was agreed is what stood there.
    pub fn in_order(&self, members: &BTreeSet<String>) -> Raw {
        let options = options_of(&self.schema.kind).map_or(&[][..], |(options, _)| options);
        let place = |member: &String| {
            let option = options.iter().position(|option| option.value == *member);
            option.unwrap_or(usize::MAX)
        };
        let mut members: Vec<&String> = members.iter().collect();
        if members.is_empty() {
            return Raw::Null;
        }
        members.sort_by_key(|member| place(member));
        let members: Vec<&str> = members.into_iter().map(String::as_str).collect();
        Raw::Text(members.join(";"))
    }
}

/// The options of a list field, and whether others are refused.
pub(super) fn options_of(kind: &FieldKind) -> Option<(&[PickOption], bool)> {
    match kind {
        FieldKind::Picklist {
            options,
            restricted,
        }
        | FieldKind::MultiPicklist {
            options,
            restricted,
        } => Some((options, *restricted)),
        FieldKind::Text { .. }
        | FieldKind::Email
        | FieldKind::Phone
        | FieldKind::Url
        | FieldKind::Number { .. }
        | FieldKind::Money { .. }
        | FieldKind::Integer
        | FieldKind::Bool
        | FieldKind::Date
        | FieldKind::DateTime
        | FieldKind::Reference { .. }
        | FieldKind::Owner
        | FieldKind::Id
        | FieldKind::Other(_) => None,
    }
}

/// The slots of a rule; fields the schema does not have are left out (and reported elsewhere).
pub(super) fn slots(rule: &Rule, objects: &BySide<ObjectSchema>) -> BySide<Vec<Slot>> {
    let schemas = |side: Side| -> Vec<Option<&FieldSchema>> {
        rule.writes(side)
            .iter()
            .map(|field| objects.get(side).fields.get(field))
            .collect()
    };
    let found = BySide::from_fn(schemas);
    BySide::from_fn(|side| {
        let mut slots = Vec::new();
        for (index, schema) in found.get(side).iter().enumerate() {
            let Some(schema) = schema else { continue };
            let other = found.get(side.other()).get(index).copied().flatten();
            let spelled = rule.spelled.get(side).get(index).map(String::as_str);
            let form = match spelled {
                Some(RECORD_TYPE) => Form::RecordType,
                _ => form(rule, schema, other),
            };
            let field = rule.writes(side)[index].clone();
            slots.push(Slot {
                field,
                side,
                form,
                schema: (*schema).clone(),
            });
        }
        slots
    })
}

/// Both fields of a pair are compared in one form where their types leave a choice.
fn form(rule: &Rule, own: &FieldSchema, other: Option<&FieldSchema>) -> Form {
    let natural = of_kind(&own.kind);
    let Shape::Fields(FieldRule {
        conversion, values, ..
    }) = &rule.shape
    else {
        return natural;
    };
    match conversion {
        Some(Conversion::Text) => return Form::Text,
        Some(Conversion::Email) => return Form::Email,
        Some(Conversion::Phone(_)) => return Form::Phone,
        Some(Conversion::Domain) => return Form::Domain,
        Some(Conversion::Date(_)) | None => {}
    }
    let Some(other) = other else { return natural };
    let far = of_kind(&other.kind);
    let textual = |form| matches!(form, Form::Text | Form::Email | Form::Phone | Form::Id);
    if values.is_some() || !textual(natural) || !textual(far) {
        return natural;
    }
    [Form::Email, Form::Phone, Form::Id]
        .into_iter()
        .find(|form| *form == natural || *form == far)
        .unwrap_or(natural)
}

pub(super) fn of_kind(kind: &FieldKind) -> Form {
    match kind {
        FieldKind::Text { .. } | FieldKind::Url | FieldKind::Other(_) => Form::Text,
        FieldKind::Email => Form::Email,
        FieldKind::Phone => Form::Phone,
        FieldKind::Number { .. } | FieldKind::Money { .. } | FieldKind::Integer => Form::Number,
        FieldKind::Bool => Form::Bool,
        FieldKind::Date => Form::Date,
        FieldKind::DateTime => Form::DateTime,
        FieldKind::Picklist { .. } => Form::Pick,
        FieldKind::MultiPicklist { .. } => Form::Multi,
        FieldKind::Reference { .. } | FieldKind::Owner | FieldKind::Id => Form::Id,
    }
}
