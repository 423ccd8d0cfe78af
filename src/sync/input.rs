//! Makes the merge's input of raw fields: canonical values, the base and holds.

use super::oscillation;
use super::times::Times;
use super::unit::Unit;
use crate::mapping::{Bound, References, Rule};
use crate::merge::RuleInput;
use crate::model::{BySide, Fields, HoldReason, Problem, Side, Value};
use crate::pipeline::rule_fields;

pub fn rule_input<'a>(
    bound: &Bound,
    rule: &'a Rule,
    unit: &Unit,
    fields: &BySide<Fields>,
    (references, times): (&References, &Times),
) -> RuleInput<'a> {
    let canon = |side: Side, fields: &Fields| bound.canon(rule, side, fields, references);
    let now = BySide::from_fn(|side| canon(side, fields.get(side)));
    let carried = BySide::from_fn(|side| carry(bound, rule, side, fields, &now, references));
    let base = unit.bases.get(&rule.name);
    let rule_changed = base.is_some_and(|base| base.rule_hash != rule.hash);
    let halves = base.map(|base| {
        let speaks = Side::BOTH
            .into_iter()
            .all(|side| !rule_changed || covers(rule, side, base.sides.get(side)));
        BySide::from_fn(|side| {
            let then = match speaks {
                true => base.sides.get(side),
                false => fields.get(side),
            };
            canon(side, then).unwrap_or_else(|_| opaque(rule, side, then))
        })
    });
    let carried_base = halves.as_ref().and_then(|halves| {
        let sides = BySide::from_fn(|side| {
            let from = side.other();
            let raw = base
                .map(|base| base.sides.get(from).clone())
                .unwrap_or_default();
            bound
                .carry(rule, from, &raw, halves.get(from), references)
                .ok()
        });
        Some(BySide::new(sides.hubspot?, sides.salesforce?))
    });
    RuleInput {
        base: halves,
        carried_base,
        rule_changed,
        held: held(bound, rule, unit, fields, references),
        modified: times.modified(unit, &rule.name),
        unmoved_until: times.unmoved_until(unit),
        ..RuleInput::new(rule.name.clone(), &rule.policy, now, carried)
    }
}

/// The other side's value in this side's terms.
fn carry(
    bound: &Bound,
    rule: &Rule,
    into: Side,
    fields: &BySide<Fields>,
    now: &BySide<Result<Value, Problem>>,
    references: &References,
) -> Result<Value, Problem> {
    let from = into.other();
    match now.get(from) {
        Ok(value) => bound.carry(rule, from, fields.get(from), value, references),
        Err(problem) => Err(problem.clone()),
    }
}

/// A base that was agreed over other fields says nothing about these: a field that is new to the
/// rule did not become blank, and nobody edited it. Such a rule is met as changed and unmoved.
fn covers(rule: &Rule, side: Side, then: &Fields) -> bool {
    let names = rule.sides.get(side);
    names.iter().all(|name| then.contains_key(name))
}

/// A half of the base that can no longer be read still differs from everything that can.
fn opaque(rule: &Rule, side: Side, fields: &Fields) -> Value {
    Value::Text(format!("{:?}", rule_fields(rule, side, fields)))
}

/// A hold applies until one of its values or the rule changes. What waits for a parent is always
/// looked at again, because the parent's link changes neither.
fn held(
    bound: &Bound,
    rule: &Rule,
    unit: &Unit,
    fields: &BySide<Fields>,
    references: &References,
) -> Option<HoldReason> {
    let hold = unit.hold(&rule.name)?;
    if hold.reason == HoldReason::Unresolved {
        return None;
    }
    if hold.reason == HoldReason::Oscillation {
        return oscillation::waits(unit, rule, hold).then_some(hold.reason);
    }
    let unmoved = Side::BOTH.into_iter().all(|side| {
        let (now, then) = (fields.get(side), hold.sides.get(side));
        let canon = |fields| bound.canon(rule, side, fields, references);
        rule_fields(rule, side, now) == *then
            || matches!((canon(now), canon(then)), (Ok(now), Ok(then)) if now == then)
    });
    (unmoved && hold.rule_hash == rule.hash).then_some(hold.reason)
}
