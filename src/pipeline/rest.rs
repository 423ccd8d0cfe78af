//! Is there anything to do for a record that was just read? Decided by value, never by version.

use crate::bugs::{self, Bug};
use crate::mapping::{Bound, References, Rule};
use crate::model::{Bases, Fields, Hold, Side};

/// A record is at rest when every rule's value on this side equals its half of the base, or waits
/// under a hold that was made for exactly this value.
///
/// An association that was not read with the record counts as unmoved: its changes move no stamp,
/// so only scans, which do read it, can tell.
pub fn at_rest(bound: &Bound, side: Side, read: &Fields, bases: &Bases, holds: &[Hold]) -> bool {
    let left_out = usize::from(bugs::on(Bug::RuleLeftOutOfRest));
    bound
        .mapping()
        .rules
        .iter()
        .skip(left_out * 2)
        .all(|rule| rule_at_rest(bound, rule, side, read, bases, holds))
}

fn rule_at_rest(
    bound: &Bound,
    rule: &Rule,
    side: Side,
    read: &Fields,
    bases: &Bases,
    holds: &[Hold],
) -> bool {
    let hold = holds.iter().find(|hold| hold.rule == rule.name);
    if let Some(hold) = hold {
        return hold.rule_hash == rule.hash && same(bound, rule, side, read, hold.sides.get(side));
    }
    bases.get(&rule.name).is_some_and(|base| {
        base.rule_hash == rule.hash && same(bound, rule, side, read, base.sides.get(side))
    })
}

/// Raw equality first, because it is cheap and almost always answers.
fn same(bound: &Bound, rule: &Rule, side: Side, read: &Fields, then: &Fields) -> bool {
    let names = rule.sides.get(side);
    if names
        .iter()
        .all(|name| !read.contains_key(name) || read.get(name) == then.get(name))
    {
        return true;
    }
    let none = References::default();
    match (
        bound.canon(rule, side, read, &none),
        bound.canon(rule, side, then, &none),
    ) {
        (Ok(now), Ok(was)) => now == was,
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// The part of a record that one rule reads, as it is kept in bases, holds and the journal.
pub fn rule_fields(rule: &Rule, side: Side, fields: &Fields) -> Fields {
    rule.sides
        .get(side)
        .iter()
        .filter_map(|name| fields.get(name).map(|raw| (name.clone(), raw.clone())))
        .collect()
}
