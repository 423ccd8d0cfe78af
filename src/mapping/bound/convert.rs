//! `canon`, `carry` and `render` for every shape of rule.
//!
//! Chooses by shape and hands on; the work for one shape lives in its own file.

use super::super::canon::{self, Form};
use super::super::rule::{Computed, Conversion, FieldRule, MoneyRule, Rule, Shape, Unmatched};
use super::fields::{fit, rounding};
use super::slot::{Plan, Slot};
use super::{Bound, References, problem};
use crate::model::{Fields, HoldReason, Problem, Raw, Side, Tolerance, Value};

impl Bound {
    /// The value of a rule on one side, canonical in that side's terms.
    ///
    /// An empty map of fields is a record that does not exist; its value is blank.
    pub fn canon(
        &self,
        rule: &Rule,
        side: Side,
        fields: &Fields,
        refs: &References,
    ) -> Result<Value, Problem> {
        if fields.is_empty() {
            return Ok(Value::Null);
        }
        let plan = self.plan(rule)?;
        let slots = plan.slots.get(side);
        let value = match &rule.shape {
            Shape::Reference(reference) => return self.linked(rule, reference, side, fields, refs),
            Shape::Computed(computed) if computed.to != side => {
                self.compute(computed, plan, fields)?
            }
            Shape::Fields(_) | Shape::Table(_) | Shape::FullName | Shape::Computed(_) => {
                self.read_slots(rule, slots, fields)?
            }
            Shape::Owner(_) => self.read_slots(rule, slots, fields)?,
            Shape::Money(_) => self.money(rule, slots, side, fields)?,
        };
        Ok(self.without_default(rule, slots, value))
    }

    /// The same value in the other side's terms: what would be written there, canonical there.
    /// The record it was read from and the links are part of the value already. Blank under
    /// `blank: keep` (owners always) means there is nothing to write.
    pub fn carry(
        &self,
        rule: &Rule,
        from: Side,
        _fields: &Fields,
        value: &Value,
        _refs: &References,
    ) -> Result<Value, Problem> {
        let plan = self.plan(rule)?;
        let to = from.other();
        let slots = plan.slots.get(to);
        match &rule.shape {
            Shape::Fields(shape) => self.carry_fields(rule, shape, plan, from, value),
            Shape::Table(table) => self.carry_row(rule, table, plan, from, value),
            Shape::Money(money) => self.carry_money(rule, money, slots, to, value),
            Shape::FullName => Ok(carry_name(plan.slots.get(from).len(), value)),
            Shape::Owner(owner) => self.carry_owner(owner, plan, from, value),
            Shape::Reference(reference) => self.carry_link(reference, to, value),
            Shape::Computed(_) if slots.is_empty() => Ok(Value::Null),
            Shape::Computed(_) => {
                let hold = Unmatched::Hold;
                fit(&slots[0], &rule.policy.tolerances, &hold, value.clone())
            }
        }
    }

    /// The raw fields to send to side `to` for this value. `present` is what the record there
    /// holds now; text that already means the same is kept as it is.
    pub fn render(
        &self,
        rule: &Rule,
        to: Side,
        value: &Value,
        present: &Fields,
        refs: &References,
    ) -> Result<Fields, Problem> {
        if let Some(kept) = self.kept(rule, to, value, present, refs) {
            return Ok(kept);
        }
        let plan = self.plan(rule)?;
        if let Shape::Reference(reference) = &rule.shape {
            return self.record_ids(rule, reference, to, value, refs);
        }
        let slots = plan.slots.get(to);
        let mut out = Fields::new();
        let parts: Vec<Value> = match value {
            Value::Several(parts) => parts.clone(),
            Value::Money { amount, currency } => {
                vec![Value::Number(*amount), Value::text(currency)]
            }
            // Emptied money keeps its currency.
            Value::Null if matches!(rule.shape, Shape::Money(_)) => vec![Value::Null],
            _ => (0..slots.len()).map(|_| value.clone()).collect(),
        };
        for (slot, part) in slots.iter().zip(&parts) {
            let needed = part.is_blank() && slot.schema.required;
            let raw = match (&rule.default, needed) {
                (Some(default), true) => Raw::text(default),
                _ => self.raw(slot, part)?,
            };
            out.insert(slot.field.clone(), raw);
        }
        Ok(out)
    }

    pub(super) fn plan(&self, rule: &Rule) -> Result<&Plan, Problem> {
        self.plans.get(&rule.name).ok_or_else(|| {
            let detail = format!("rule `{}` is not part of this mapping revision", rule.name);
            problem(HoldReason::Unreadable, detail)
        })
    }

    /// The present fields, when they already mean the value: equal, or a value that the other
    /// side sees as the same (several source values may map to one).
    fn kept(
        &self,
        rule: &Rule,
        to: Side,
        value: &Value,
        present: &Fields,
        refs: &References,
    ) -> Option<Fields> {
        let fields = rule.writes(to);
        if fields.is_empty() || !fields.iter().all(|field| present.contains_key(field)) {
            return None;
        }
        let held = self.canon(rule, to, present, refs).ok()?;
        let same = held == *value || self.seen_alike(rule, to, &held, value, present, refs);
        same.then(|| {
            fields
                .iter()
                .map(|field| (field.clone(), present[field].clone()))
                .collect()
        })
    }

    fn seen_alike(
        &self,
        rule: &Rule,
        side: Side,
        held: &Value,
        value: &Value,
        present: &Fields,
        refs: &References,
    ) -> bool {
        match &rule.shape {
            Shape::Fields(_) | Shape::Table(_) | Shape::Money(_) => {
                let other = |value| self.carry(rule, side, present, value, refs);
                match (other(held), other(value)) {
                    // What is dropped on the way back looks like a blank, and is none.
                    (Ok(left), Ok(right)) => left == right && right.is_blank() == value.is_blank(),
                    (Err(_), _) | (_, Err(_)) => false,
                }
            }
            Shape::FullName | Shape::Owner(_) | Shape::Reference(_) | Shape::Computed(_) => false,
        }
    }

    /// One slot alone, or several that move together.
    fn read_slots(&self, rule: &Rule, slots: &[Slot], fields: &Fields) -> Result<Value, Problem> {
        let mut values = Vec::with_capacity(slots.len());
        for slot in slots {
            values.push(self.read_slot(rule, slot, fields)?);
        }
        Ok(match values.len() {
            1 => values.remove(0),
            _ => Value::Several(values),
        })
    }

    pub(super) fn read_slot(
        &self,
        rule: &Rule,
        slot: &Slot,
        fields: &Fields,
    ) -> Result<Value, Problem> {
        let Some(raw) = fields.get(&slot.field) else {
            let detail = format!("{} `{}` was not read", slot.side.title(), slot.field);
            return Err(problem(HoldReason::Unreadable, detail));
        };
        let country = if let (Shape::Fields(shape), Form::Phone) = (&rule.shape, slot.form) {
            self.country(shape, slot.side, fields)?
        } else {
            None
        };
        let value = canon::parse(slot.form, raw, slot.side, country).map_err(|expected| {
            let text = raw.as_text().unwrap_or_default();
            let detail = format!(
                "{} `{}` holds `{text}`: {expected}",
                slot.side.title(),
                slot.field
            );
            problem(HoldReason::Unreadable, detail)
        })?;
        match (slot.form, value) {
            (Form::Text, Value::Text(text)) if trims(rule) => {
                let text = text.trim();
                Ok(if text.is_empty() {
                    Value::Null
                } else {
                    Value::text(text)
                })
            }
            (Form::RecordType, Value::Text(id)) => self.record_type_name(slot, &id),
            (_, value) => Ok(value),
        }
    }

    fn country(
        &self,
        shape: &FieldRule,
        side: Side,
        fields: &Fields,
    ) -> Result<Option<canon::Country>, Problem> {
        let Some(Conversion::Phone(Some(country))) = &shape.conversion else {
            return Ok(None);
        };
        let names = country.fields.get(side);
        let result = country.expression.evaluate(|variable| {
            let field = names.get(variable);
            field.map_or(rhai::Dynamic::UNIT, |field| {
                self.dynamic(side, field, fields)
            })
        });
        match result {
            Ok(value) => Ok(canon::country(&value.to_string())),
            Err(error) => Err(problem(
                HoldReason::Unreadable,
                format!("the country: {error}"),
            )),
        }
    }

    fn compute(&self, computed: &Computed, plan: &Plan, fields: &Fields) -> Result<Value, Problem> {
        let from = computed.to.other();
        let result = computed
            .value
            .evaluate(|name| self.dynamic(from, name, fields));
        let value = result.map_err(|error| {
            let detail = format!("`{}` cannot be computed: {error}", computed.value.text);
            problem(HoldReason::Unreadable, detail)
        })?;
        let Some(slot) = plan.slots.get(computed.to).first() else {
            return Ok(Value::Null);
        };
        let raw = if value.is_unit() {
            Raw::Null
        } else {
            Raw::Text(value.to_string())
        };
        canon::parse(slot.form, &raw, slot.side, None).map_err(|expected| {
            let detail = format!("`{}` gives `{value}`: {expected}", computed.value.text);
            problem(HoldReason::Unreadable, detail)
        })
    }

    /// A default that was written for want of a value is no value.
    fn without_default(&self, rule: &Rule, slots: &[Slot], value: Value) -> Value {
        let (Some(default), Some(slot)) = (&rule.default, slots.first()) else {
            return value;
        };
        match canon::parse(slot.form, &Raw::text(default), slot.side, None) {
            Ok(blank) if blank == value => Value::Null,
            Ok(_) | Err(_) => value,
        }
    }

    fn raw(&self, slot: &Slot, value: &Value) -> Result<Raw, Problem> {
        match (slot.form, value) {
            (Form::RecordType, Value::Text(name)) => self.record_type_id(slot, name),
            (Form::Multi, Value::Set(members)) => Ok(slot.in_order(members)),
            _ => Ok(canon::raw(value, slot.side)),
        }
    }

    fn money(
        &self,
        rule: &Rule,
        slots: &[Slot],
        side: Side,
        fields: &Fields,
    ) -> Result<Value, Problem> {
        let Some(amount) = slots.first() else {
            return Ok(Value::Null);
        };
        let Value::Number(amount) = self.read_slot(rule, amount, fields)? else {
            return Ok(Value::Null);
        };
        let own = match slots.get(1) {
            Some(slot) => canon::text_of(&self.read_slot(rule, slot, fields)?),
            None => None,
        };
        let currency = own
            .or_else(|| self.currency.get(side).clone())
            .ok_or_else(|| {
                let detail = format!("{} gives no currency for {amount}", side.title());
                problem(HoldReason::Unmapped, detail)
            })?;
        Ok(Value::Money {
            amount,
            currency: currency.trim().to_uppercase(),
        })
    }

    /// Money never changes its currency on the way; an unknown code stops it.
    fn carry_money(
        &self,
        rule: &Rule,
        money: &MoneyRule,
        slots: &[Slot],
        to: Side,
        value: &Value,
    ) -> Result<Value, Problem> {
        let Value::Money { amount, currency } = value else {
            return Ok(Value::Null);
        };
        let known = match slots.get(1) {
            Some(slot) => slot.restricted().is_none_or(|options| {
                options
                    .iter()
                    .any(|option| option.value == *currency && option.active)
            }),
            None => self.currency.get(to).as_ref() == Some(currency),
        };
        if !known {
            if *money.otherwise.get(to) == Unmatched::Drop {
                return Ok(Value::Null);
            }
            let detail = format!(
                "{} has no currency `{currency}` for {amount}; add it there or change the record",
                to.title()
            );
            return Err(problem(HoldReason::Unmapped, detail));
        }
        let digits = rounding(&rule.policy.tolerances);
        let amount = digits.map_or(*amount, |digits| canon::tidy(amount.round_dp(digits)));
        Ok(Value::Money {
            amount,
            currency: currency.clone(),
        })
    }
}

fn trims(rule: &Rule) -> bool {
    rule.policy.tolerances.contains(&Tolerance::Trim)
}

/// One full name becomes first and last name at its last space, and the other way round.
fn carry_name(from: usize, value: &Value) -> Value {
    if from == 1 {
        let Some(text) = canon::text_of(value) else {
            return Value::Null;
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let Some((last, first)) = words.split_last() else {
            return Value::Null;
        };
        let first = first.join(" ");
        let first = if first.is_empty() {
            Value::Null
        } else {
            Value::Text(first)
        };
        return Value::Several(vec![first, Value::text(*last)]);
    }
    let Value::Several(parts) = value else {
        return Value::Null;
    };
    let words: Vec<String> = parts
        .iter()
        .filter_map(canon::text_of)
        .flat_map(|part| {
            part.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    if words.is_empty() {
        Value::Null
    } else {
        Value::Text(words.join(" "))
    }
}
