//! Carrying plain fields: value tables, type changes, and what the destination can hold.

use chrono_tz::Tz;

use super::super::canon::{self, Form};
use super::super::rule::{Conversion, FieldRule, Otherwise, Rule, Unmatched};
use super::slot::{Plan, Slot};
use super::{Bound, problem};
use crate::model::{HoldReason, Problem, Raw, Side, Tolerance, Value};

impl Bound {
    pub(super) fn carry_fields(
        &self,
        rule: &Rule,
        shape: &FieldRule,
        plan: &Plan,
        from: Side,
        value: &Value,
    ) -> Result<Value, Problem> {
        let to = plan.slots.get(from.other());
        let single = to.len() == 1;
        let parts = if single {
            std::slice::from_ref(value)
        } else {
            value.parts()
        };
        let mut carried = Vec::with_capacity(to.len());
        for (index, slot) in to.iter().enumerate() {
            let part = parts.get(index).unwrap_or(&Value::Null);
            carried.push(carry_one(rule, shape, plan, slot, part)?);
        }
        Ok(if single {
            carried.remove(0)
        } else {
            Value::Several(carried)
        })
    }
}

fn carry_one(
    rule: &Rule,
    shape: &FieldRule,
    plan: &Plan,
    to: &Slot,
    value: &Value,
) -> Result<Value, Problem> {
    let otherwise = shape.otherwise.get(to.side);
    let table = plan.values.as_ref().map(|values| values.to.get(to.side));
    let value = match table {
        Some(table) => translate(value, to, otherwise, |text| table.get(text).cloned())?,
        None => value.clone(),
    };
    let zone = match &shape.conversion {
        Some(Conversion::Date(zone)) => Some(*zone),
        Some(Conversion::Text | Conversion::Email | Conversion::Phone(_) | Conversion::Domain)
        | None => None,
    };
    let value = retype(value, to, zone)?;
    // With a table of values, what it does not name was dealt with above.
    let spare = if table.is_some() {
        &Unmatched::Hold
    } else {
        otherwise
    };
    fit(to, &rule.policy.tolerances, spare, value)
}

/// Replaces each value by its counterpart.
fn translate(
    value: &Value,
    to: &Slot,
    otherwise: &Unmatched,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Value, Problem> {
    let one = |text: &str| match lookup(text) {
        Some(found) => Ok(Some(found)),
        None => unmatched(text, to, otherwise),
    };
    match value {
        Value::Set(set) => {
            let mut out = std::collections::BTreeSet::new();
            for member in set {
                out.extend(one(member)?);
            }
            Ok(if out.is_empty() {
                Value::Null
            } else {
                Value::Set(out)
            })
        }
        _ => match canon::text_of(value) {
            Some(text) => Ok(one(&text)?.map_or(Value::Null, Value::Text)),
            None => Ok(Value::Null),
        },
    }
}

fn unmatched(text: &str, to: &Slot, otherwise: &Unmatched) -> Result<Option<String>, Problem> {
    match otherwise {
        Unmatched::Hold => {
            let detail = format!(
                "`{text}` has no counterpart in {}; add it to values: or set otherwise:",
                to.field
            );
            Err(problem(HoldReason::Unmapped, detail))
        }
        Unmatched::Drop => Ok(None),
        Unmatched::Literal(texts) => Ok(texts.first().cloned()),
    }
}

/// The value in the form of the destination's field.
fn retype(value: Value, to: &Slot, zone: Option<Tz>) -> Result<Value, Problem> {
    let value = match (to.form, value, zone) {
        (Form::Date, Value::Time(at), Some(zone)) => Value::Date(canon::day_in(zone, at)),
        (Form::DateTime, Value::Date(day), Some(zone)) => Value::Time(canon::noon_in(zone, day)),
        (Form::Pick, Value::Set(set), _) if set.len() > 1 => {
            let set = Value::Set(set);
            let detail = format!("`{set}` are several values; {} takes one", to.field);
            return Err(problem(HoldReason::Unmapped, detail));
        }
        // Salesforce knows no blank checkbox (salesforce.md 9).
        (Form::Bool, Value::Null, _) if to.side == Side::Salesforce => Value::Bool(false),
        (_, value, _) => value,
    };
    let Some(text) = canon::text_of(&value) else {
        return Ok(Value::Null);
    };
    canon::parse(to.form, &Raw::Text(text.clone()), to.side, None).map_err(|expected| {
        let detail = format!(
            "`{text}` does not fit {} `{}`: {expected}",
            to.side.title(),
            to.field
        );
        problem(HoldReason::Unreadable, detail)
    })
}

/// What the destination's field makes of the value: declared losses, and its list of options.
pub(super) fn fit(
    to: &Slot,
    tolerances: &[Tolerance],
    otherwise: &Unmatched,
    value: Value,
) -> Result<Value, Problem> {
    let value = match value {
        Value::Text(text) => shorten(to, tolerances, text),
        Value::Number(number) => {
            let digits = rounding(tolerances);
            Value::Number(digits.map_or(number, |digits| canon::tidy(number.round_dp(digits))))
        }
        value => value,
    };
    if to.form == Form::RecordType {
        return Ok(value);
    }
    let Some(options) = to.restricted() else {
        return Ok(value);
    };
    let active = |text: &str| {
        options
            .iter()
            .any(|option| option.active && option.value == text)
            .then(|| text.to_owned())
    };
    translate(&value, to, otherwise, active)
}

/// The digits that a rule declares it may round to.
pub(super) fn rounding(tolerances: &[Tolerance]) -> Option<u32> {
    tolerances.iter().find_map(|tolerance| match tolerance {
        Tolerance::Round(digits) => Some(*digits),
        Tolerance::Trim
        | Tolerance::Case
        | Tolerance::Truncate(_)
        | Tolerance::Seconds
        | Tolerance::Phone
        | Tolerance::Html => None,
    })
}

fn shorten(to: &Slot, tolerances: &[Tolerance], text: String) -> Value {
    let mut text = text;
    for tolerance in tolerances {
        if let Tolerance::Truncate(length) = tolerance
            && let Some((end, _)) = text.char_indices().nth(*length as usize)
        {
            text.truncate(end);
        }
    }
    // A cut may leave a blank at the end, which Salesforce would drop.
    if to.side == Side::Salesforce && to.form == Form::Text && text.trim().len() != text.len() {
        text = text.trim().to_owned();
    }
    if text.is_empty() {
        Value::Null
    } else {
        Value::Text(text)
    }
}

/// Whether a value without a counterpart stops the rule in either direction.
pub(super) fn holds(otherwise: &Otherwise, to: Side) -> bool {
    *otherwise.get(to) == Unmatched::Hold
}
