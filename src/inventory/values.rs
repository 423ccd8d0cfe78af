//! The values of lists, owners and tables that are in use, and what the other side has for them.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::{Bound, Counterpart, Rule};
use crate::model::{RecordId, Side, Value};

/// Different values of one rule that are told apart; a list has fewer.
const DIFFERENT: usize = 1_000;
const EXAMPLES: usize = 5;

/// A value that has no counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    pub rule: String,
    pub from: Side,
    /// As people know it.
    pub value: String,
    pub owner: bool,
    pub records: u64,
    pub examples: Vec<RecordId>,
    pub counterpart: Counterpart,
}

#[derive(Clone, Debug, Default)]
struct Count {
    records: u64,
    examples: Vec<RecordId>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Values(BTreeMap<(String, Side), BTreeMap<Value, Count>>);

impl Values {
    pub fn add(&mut self, bound: &Bound, rule: &Rule, from: Side, value: &Value, id: &RecordId) {
        let goes = rule.policy.direction.allows(from.other());
        if !goes || value.is_blank() || !bound.looks_up(rule, from) {
            return;
        }
        let of = self.0.entry((rule.name.clone(), from)).or_default();
        for member in members(value) {
            let known = of.contains_key(&member);
            if !known && of.len() >= DIFFERENT {
                continue;
            }
            let count = of.entry(member).or_default();
            count.records += 1;
            if count.examples.len() < EXAMPLES {
                count.examples.push(id.clone());
            }
        }
    }

    pub fn without_counterpart(&self, bound: &Bound) -> Vec<Used> {
        let mut found = Vec::new();
        for ((name, from), values) in &self.0 {
            let Some(rule) = bound.mapping().rule(name) else {
                continue;
            };
            for (value, count) in values {
                let counterpart = bound.counterpart(rule, *from, value);
                if counterpart == Counterpart::Found {
                    continue;
                }
                found.push(Used {
                    rule: name.clone(),
                    from: *from,
                    value: bound.shown(rule, *from, value),
                    owner: Bound::is_owner(rule),
                    records: count.records,
                    examples: count.examples.clone(),
                    counterpart,
                });
            }
        }
        found.sort_by(|one, two| {
            let key = |used: &Used| (std::cmp::Reverse(used.records), used.rule.clone());
            key(one).cmp(&key(two))
        });
        found
    }
}

/// Each chosen option of a multi-select counts by itself.
fn members(value: &Value) -> Vec<Value> {
    match value {
        Value::Set(set) => {
            let one = |member: &String| Value::Set(BTreeSet::from([member.clone()]));
            set.iter().map(one).collect()
        }
        other => vec![other.clone()],
    }
}
