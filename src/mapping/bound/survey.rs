//! What an inventory asks of a mapping: which values come from lists, and what people call a
//! record and its owner.

use super::super::canon::Form;
use super::super::rule::{Rule, Shape};
use super::Bound;
use super::slot::Slot;
use crate::model::{Fields, Raw, Side, Value};

/// Parts of a record's title, the longest one, and what they may come to.
const PARTS: usize = 3;
const PART_CHARS: usize = 60;
const TITLE_CHARS: usize = 64;

/// What the other side has for a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counterpart {
    Found,
    /// None, and the mapping says to leave the other side alone, or blank.
    LeftOut,
    /// None, so that the value would wait for a person; why.
    Held(String),
}

impl Bound {
    /// Whether the values that this rule carries from `from` are looked up: options, owners, rows
    /// of a table. All others travel as they are.
    pub fn looks_up(&self, rule: &Rule, from: Side) -> bool {
        let Some(plan) = self.plans.get(&rule.name) else {
            return false;
        };
        let listed = |slot: &Slot| matches!(slot.form, Form::Pick | Form::Multi);
        match &rule.shape {
            Shape::Owner(_) | Shape::Table(_) => true,
            Shape::Fields(shape) => {
                let to = plan.slots.get(from.other());
                shape.values.is_some() || to.iter().any(listed)
            }
            Shape::Money(_) | Shape::FullName | Shape::Reference(_) | Shape::Computed(_) => false,
        }
    }

    /// What becomes of this value on the other side.
    pub fn counterpart(&self, rule: &Rule, from: Side, value: &Value) -> Counterpart {
        let (fields, references) = (Fields::new(), super::References::default());
        match self.carry(rule, from, &fields, value, &references) {
            Err(problem) => Counterpart::Held(problem.detail),
            Ok(carried) if carried.is_blank() => Counterpart::LeftOut,
            Ok(_) => Counterpart::Found,
        }
    }

    /// Whether the rule is about owners.
    pub fn is_owner(rule: &Rule) -> bool {
        matches!(rule.shape, Shape::Owner(_))
    }

    /// A value as people know it: an owner by address or name, anything else by itself.
    pub fn shown(&self, rule: &Rule, side: Side, value: &Value) -> String {
        let text = value.to_string();
        if !Self::is_owner(rule) {
            return text;
        }
        let mut owners = self.owners.get(side).iter();
        let owner = owners.find(|owner| owner.id.as_str() == text);
        owner.map_or(text, |owner| {
            let name = owner.email.as_ref().unwrap_or(&owner.name);
            let state = if owner.active { "" } else { " (inactive)" };
            format!("{name}{state}")
        })
    }

    /// A few words that tell a record from others: the first short values of the mapping's rules.
    pub fn title(&self, side: Side, fields: &Fields) -> String {
        let rules = self.mapping.rules.iter();
        let plain = rules.filter(|rule| matches!(rule.shape, Shape::Fields(_)));
        let names = plain.filter_map(|rule| rule.writes(side).first());
        let texts = names.filter_map(|name| fields.get(name).and_then(Raw::as_text));
        let mut title = String::new();
        for text in texts
            .filter(|text| text.chars().count() <= PART_CHARS)
            .take(PARTS)
        {
            let parting = if title.is_empty() { "" } else { ", " };
            if title.chars().count() + text.chars().count() > TITLE_CHARS {
                break;
            }
            title.push_str(parting);
            // On one line, whatever stands in the field.
            title.push_str(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        title
    }
}
