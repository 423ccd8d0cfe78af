//! What a schema says against a mapping: unknown names, types that clash, fields that cannot be
//! written, options without a counterpart.

use super::super::canon::Form;
use super::super::fault::Fault;
use super::super::rule::{Conversion, FieldRule, OwnerRule, ReferenceEnd, Rule, Shape};
use super::Bound;
use super::bind::place;
use super::fields::holds;
use super::reads::{expression_fields, real};
use super::slot::{Plan, Slot};
use crate::model::{Conflict, FieldKind, Side, Tolerance};

/// Names of one table of owners that are told one by one.
const UNKNOWN_OWNERS: usize = 20;

/// Names in the head of the mapping: match fields and the fields of expressions.
pub(super) fn names(bound: &Bound, faults: &mut Vec<Fault>) {
    let mapping = &bound.mapping;
    for (index, rule) in mapping.matches.iter().enumerate() {
        for (side, name) in [
            (Side::HubSpot, &rule.hubspot),
            (Side::Salesforce, &rule.salesforce),
        ] {
            let at = place(mapping, &format!("match.{index}.{side}"));
            unknown(bound, side, name, faults, |message| at.error(name, message));
        }
    }
    for (side, name, key, text) in expression_fields(mapping) {
        let at = place(mapping, key);
        unknown(bound, side, name, faults, |message| {
            at.error(name, format!("in `{text}`: {message}"))
        });
    }
}

fn unknown(
    bound: &Bound,
    side: Side,
    name: &str,
    faults: &mut Vec<Fault>,
    fault: impl FnOnce(String) -> Fault,
) {
    let object = bound.objects.get(side);
    if object.fields.contains_key(real(name)) {
        return;
    }
    let message = format!(
        "{} `{}` has no field `{name}`, or the connected user may not see it",
        side.title(),
        object.name
    );
    faults.push(fault(message).suggest(object.fields.keys().map(String::as_str)));
}

pub(super) fn rule(bound: &Bound, rule: &Rule, plan: &Plan, faults: &mut Vec<Fault>) {
    for side in Side::BOTH {
        let written = rule.writes(side).len();
        for (index, name) in rule.sides.get(side).iter().enumerate() {
            if is_pseudo(rule, side) {
                continue;
            }
            // A field that a conversion only reads may be missing: it then counts as blank.
            if index < written || matches!(rule.shape, Shape::Computed(_)) {
                let spelled = rule.spelled.get(side).get(index).unwrap_or(name);
                let at = rule.at_field(side, index);
                unknown(bound, side, spelled, faults, |message| {
                    at.error(spelled, message)
                });
            }
        }
        if rule.policy.direction.allows(side) {
            plan.slots
                .get(side)
                .iter()
                .for_each(|slot| writable(rule, slot, faults));
        }
    }
    match &rule.shape {
        Shape::Fields(shape) => pairs(rule, shape, plan, faults),
        Shape::Owner(owner) => owners(bound, rule, owner, faults),
        Shape::Money(_) => {
            for slot in Side::BOTH
                .into_iter()
                .filter_map(|side| plan.slots.get(side).first())
            {
                if slot.form != Form::Number {
                    let message = format!("{} `{}` is no amount", slot.side.title(), slot.field);
                    faults.push(rule.at.error(&slot.field, message));
                }
            }
        }
        Shape::Table(_) | Shape::FullName | Shape::Reference(_) | Shape::Computed(_) => {}
    }
}

/// Names of the table that nobody has. A suggestion is looked for among everybody, so a table that
/// fits nowhere is not told name by name.
fn owners(bound: &Bound, rule: &Rule, owner: &OwnerRule, faults: &mut Vec<Fault>) {
    let unknown = bound.unknown_owners(owner);
    for (side, name) in unknown.iter().take(UNKNOWN_OWNERS) {
        let message = format!("{} has no owner `{name}`", side.title());
        let known = bound.owners.get(*side).iter();
        let names = known.filter_map(|owner| owner.email.as_deref());
        faults.push(rule.at.warning(name, message).suggest(names));
    }
    if let Some(more @ 1..) = unknown.len().checked_sub(UNKNOWN_OWNERS) {
        let message = format!("{more} more names of the owner table have no owner");
        faults.push(rule.at.warning("", message));
    }
}

/// Associations are no fields; a lookup is.
fn is_pseudo(rule: &Rule, side: Side) -> bool {
    let Some(reference) = rule.reference() else {
        return false;
    };
    let end = match side {
        Side::HubSpot => &reference.hubspot,
        Side::Salesforce => &reference.salesforce,
    };
    match end {
        ReferenceEnd::Association { .. } | ReferenceEnd::Junction { .. } => true,
        ReferenceEnd::Lookup { .. } => false,
    }
}

fn writable(rule: &Rule, slot: &Slot, faults: &mut Vec<Fault>) {
    let (title, name) = (slot.side.title(), &slot.field);
    let index = rule
        .writes(slot.side)
        .iter()
        .position(|field| field == name);
    let at = rule.at_field(slot.side, index.unwrap_or_default());
    let schema = &slot.schema;
    if schema.calculated || (!schema.createable && !schema.updateable) {
        let message = format!(
            "{title} `{name}` cannot be written{}; give the rule direction: to-{}",
            if schema.calculated {
                ": it is computed"
            } else {
                " by the connected user"
            },
            slot.side.other()
        );
        faults.push(at.error(name, message));
    } else if !schema.updateable {
        let message =
            format!("{title} `{name}` can be set when a record is made, but never changed");
        faults.push(at.warning(name, message));
    }
}

fn pairs(rule: &Rule, shape: &FieldRule, plan: &Plan, faults: &mut Vec<Fault>) {
    for (hubspot, salesforce) in plan.slots.hubspot.iter().zip(&plan.slots.salesforce) {
        for (from, to) in [(hubspot, salesforce), (salesforce, hubspot)] {
            if !rule.policy.direction.allows(to.side) {
                continue;
            }
            if let Some(message) = clash(shape, from, to) {
                faults.push(rule.at.error(&to.field, message));
                break;
            }
            options(rule, shape, from, to, faults);
            length(rule, from, to, faults);
        }
        if rule.policy.conflict == Conflict::Union
            && (hubspot.form != Form::Multi || salesforce.form != Form::Multi)
        {
            let message = "`union` needs multi-select fields on both sides";
            faults.push(rule.at.error(&rule.name, message));
        }
        ratchet(rule, hubspot, faults);
    }
}

/// Why a value of one field can never be a value of the other.
fn clash(shape: &FieldRule, from: &Slot, to: &Slot) -> Option<String> {
    let kinds = || {
        format!(
            "{} `{}` ({}) and {} `{}` ({})",
            from.side.title(),
            from.field,
            name(&from.schema.kind),
            to.side.title(),
            to.field,
            name(&to.schema.kind)
        )
    };
    let owners = [from, to]
        .iter()
        .all(|slot| slot.schema.kind == FieldKind::Owner);
    if owners {
        return Some(format!("{} are owners; give the rule `owner:`", kinds()));
    }
    if matches!(to.schema.kind, FieldKind::Reference { .. }) && to.form != Form::RecordType {
        return Some(format!(
            "`{}` refers to another record; use `associations:`",
            to.field
        ));
    }
    if matches!(shape.conversion, Some(Conversion::Date(_))) {
        let days = |slot: &Slot| matches!(slot.form, Form::Date | Form::DateTime);
        return (!days(from) || !days(to)).then(|| format!("{} are no dates", kinds()));
    }
    if from.form == to.form || shape.values.is_some() {
        return None;
    }
    use Form::{
        Bool, Date, DateTime, Domain, Email, Id, Multi, Number, Phone, Pick, RecordType, Text,
    };
    let fits = match (from.form, to.form) {
        (_, Text) => true,
        (Text | Email | Phone | Domain | Id | Pick | RecordType, Email | Phone | Domain | Id) => {
            true
        }
        (Text | Email | Phone | Domain | Id | Pick, Pick | Multi | RecordType) => true,
        (Multi | Bool | Number | RecordType, Pick) => true,
        (Date, DateTime) | (DateTime, Date) => {
            return Some(format!(
                "{}: a day and a moment; say in which zone the day is: as: date(\"Europe/Berlin\")",
                kinds()
            ));
        }
        (_, Number | Bool | Date | DateTime | Multi | Email | Phone | Domain | Id) => false,
        (Date | DateTime | Multi | Bool | Number | RecordType, Pick | RecordType) => false,
    };
    (!fits).then(|| {
        format!(
            "{} do not fit; add values:, or a direction to-{}",
            kinds(),
            from.side
        )
    })
}

fn name(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::Text { .. } => "text",
        FieldKind::Email => "e-mail",
        FieldKind::Phone => "phone",
        FieldKind::Url => "web address",
        FieldKind::Number { .. } => "number",
        FieldKind::Money { .. } => "money",
        FieldKind::Integer => "whole number",
        FieldKind::Bool => "checkbox",
        FieldKind::Date => "date",
        FieldKind::DateTime => "date and time",
        FieldKind::Picklist { .. } => "picklist",
        FieldKind::MultiPicklist { .. } => "multi-select",
        FieldKind::Reference { .. } => "reference",
        FieldKind::Owner => "owner",
        FieldKind::Id => "id",
        FieldKind::Other(_) => "other",
    }
}

/// Options of the source that the destination would refuse; they end as holds, one by one.
fn options(rule: &Rule, shape: &FieldRule, from: &Slot, to: &Slot, faults: &mut Vec<Fault>) {
    let (FieldKind::Picklist { options, .. } | FieldKind::MultiPicklist { options, .. }) =
        &from.schema.kind
    else {
        return;
    };
    if !holds(&shape.otherwise, to.side) {
        return;
    }
    let table = shape.values.as_ref().map(|values| values.to.get(to.side));
    let target = to.restricted();
    let orphan = |value: &str, label: &str| match (table, target) {
        (Some(table), _) => !table.contains_key(value) && !table.contains_key(label),
        (None, Some(target)) => !target.iter().any(|o| o.value == value && o.active),
        (None, None) => false,
    };
    let orphans: Vec<&str> = options
        .iter()
        .filter(|option| option.active && orphan(&option.value, &option.label))
        .map(|option| option.value.as_str())
        .collect();
    if !orphans.is_empty() {
        let message = format!(
            "values of {} `{}` without a counterpart in `{}` will be held: {}; add them to \
             values: or set otherwise:",
            from.side.title(),
            from.field,
            to.field,
            orphans.join(", ")
        );
        faults.push(rule.at.warning(&rule.name, message));
    }
}

fn length(rule: &Rule, from: &Slot, to: &Slot, faults: &mut Vec<Fault>) {
    let limit = |slot: &Slot| {
        if let FieldKind::Text { length } = slot.schema.kind {
            length
        } else {
            None
        }
    };
    let cut = rule
        .policy
        .tolerances
        .iter()
        .any(|held| matches!(held, Tolerance::Truncate(_)));
    if let (Some(source), Some(target), false) = (limit(from), limit(to), cut)
        && source > target
        && source < 65_536
    {
        let message = format!(
            "{} `{}` takes {source} characters, {} `{}` only {target}; longer texts will be held \
             unless you add tolerance: truncate({target})",
            from.side.title(),
            from.field,
            to.side.title(),
            to.field
        );
        faults.push(rule.at.warning(&rule.name, message));
    }
}

fn ratchet(rule: &Rule, hubspot: &Slot, faults: &mut Vec<Fault>) {
    let Conflict::Ratchet(steps) = &rule.policy.conflict else {
        return;
    };
    let FieldKind::Picklist { options, .. } = &hubspot.schema.kind else {
        return;
    };
    for step in steps {
        if !options.iter().any(|option| option.value == *step) {
            let message = format!("HubSpot `{}` has no value `{step}`", hubspot.field);
            let known = options.iter().map(|option| option.value.as_str());
            faults.push(rule.at.error(step, message).suggest(known));
        }
    }
}
