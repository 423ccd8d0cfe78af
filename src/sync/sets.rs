//! Sets of references: what a write adds and removes, and whether it is there afterwards.
//!
//! Judged member by member. What else the record is tied to is other people's doing, and the next
//! plan meets it as their change.

use std::collections::BTreeSet;

use super::desk::Planning;
use super::outcome::{Outcome, put_hold, wait_for_parent};
use super::unit::Unit;
use crate::crm::split_ids;
use crate::mapping::{Bound, Rule};
use crate::merge::Settled;
use crate::model::{Fields, HoldReason, IntendedRule, Intent, Problem, RecordId, Side};

/// What one write of a set adds and removes.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    pub add: BTreeSet<RecordId>,
    pub remove: BTreeSet<RecordId>,
}

/// Nothing where the write does not touch the field.
pub fn difference(intended: &IntendedRule, field: &str) -> Difference {
    if !intended.after.contains_key(field) {
        return Difference::default();
    }
    let before = split_ids(&intended.before, field);
    let after = split_ids(&intended.after, field);
    Difference {
        add: &after - &before,
        remove: &before - &after,
    }
}

/// Judges the write of a set by what the record is tied to afterwards.
pub fn judge(
    rule: &Rule,
    side: Side,
    intended: &IntendedRule,
    stored: &Fields,
    ack: bool,
) -> Settled {
    let Some(field) = rule.writes(side).first() else {
        return Settled::Applied;
    };
    let wanted = difference(intended, field);
    let holds = split_ids(stored, field);
    let open = wanted.add.difference(&holds).count() + wanted.remove.intersection(&holds).count();
    let all = wanted.add.len() + wanted.remove.len();
    match (open, ack) {
        (0, _) => Settled::Applied,
        (open, true) if open == all => Settled::NotKept,
        (open, false) if open == all => Settled::NotApplied,
        (_, true) => Settled::Altered,
        (_, false) => Settled::Overtaken,
    }
}

/// Rows that go with a created record may still be on their way, and may not be made twice.
pub fn rows_may_follow(bound: &Bound, intent: &Intent, stored: &Fields) -> bool {
    let side = Side::Salesforce;
    intent.side == side
        && intent.rules.iter().any(|intended| {
            let rule = bound.mapping().rule(&intended.rule);
            rule.filter(|rule| rule.is_set())
                .is_some_and(|rule| judge(rule, side, intended, stored, false) != Settled::Applied)
        })
}

/// What the sides agree on once the write is there.
pub fn agreed(rule: &Rule, side: Side, intended: &IntendedRule) -> Fields {
    let names = rule.sides.get(side).iter();
    names
        .map(|name| {
            let raw = intended.after.get(name).or(intended.before.get(name));
            (name.clone(), raw.cloned().unwrap_or_default())
        })
        .collect()
}

/// Members whose records are not linked yet keep the rule open, once the others are dealt with.
pub fn members_wait(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    outcome: &Outcome<'_>,
    problem: &Problem,
) {
    wait_for_parent(bound, unit, outcome, problem);
    let other = |reason| reason != HoldReason::Unresolved;
    let is_held = unit.hold(&outcome.rule.name).map(|hold| hold.reason);
    if unit.open() && !is_held.is_some_and(other) {
        put_hold(desk, bound, unit, outcome.rule, outcome.observed(), problem);
    }
}
