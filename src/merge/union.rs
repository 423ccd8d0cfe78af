//! Sets that merge: an element added on one side is added on the other, one removed is removed.
//!
//! Each side is merged in its own terms, so that an element without a counterpart stays where it
//! is. Nothing is lost, and no winner is needed.

use std::collections::BTreeSet;

use super::seen::{Movement, Outcome, Seen};
use super::{Agreement, Decision, Reason};
use crate::model::{BySide, LinkId, Side, Value};

pub(super) fn decide(seen: &Seen<'_>) -> Outcome {
    let mut values = BySide::default();
    let mut barred = None;
    for destination in destinations(seen.movement) {
        let carried = match seen.input.carried.get(*destination) {
            Ok(carried) => carried,
            // Holds the rule with the problem's own words.
            Err(_) => return seen.send(destination.other(), Reason::Union),
        };
        let now = *seen.now.get(*destination);
        let merged = match merge(now, carried, agreed(seen, *destination)) {
            Merged::AsItIs => continue,
            Merged::Changed(merged) => merged,
            Merged::NotSets => {
                let detail = "`conflict: union` needs values that are sets, and these are not; \
                              change the rule's `conflict`.";
                return (
                    seen.hold_for_person(detail),
                    seen.named(Reason::ConflictAsked),
                );
            }
        };
        match seen.barred_value(*destination, &merged) {
            Some(why) => barred = Some(why),
            None => *values.get_mut(*destination) = Some(merged),
        }
    }
    if values.hubspot.is_some() || values.salesforce.is_some() {
        let write = Decision::Write { values, lost: None };
        return (write, seen.named(Reason::Union));
    }
    match barred {
        Some(why) => seen.leave(why),
        // Neither side has anything the other could take.
        None => (
            Decision::Agree {
                how: Agreement::Kept,
            },
            Reason::Union,
        ),
    }
}

const fn destinations(movement: Movement) -> &'static [Side] {
    match movement {
        Movement::One(Side::HubSpot) => &[Side::Salesforce],
        Movement::One(Side::Salesforce) => &[Side::HubSpot],
        Movement::First | Movement::RuleChanged | Movement::Still | Movement::Both => &Side::BOTH,
    }
}

/// The two halves of the base in the terms of one side: its own, and the other's carried over.
/// A rule that changed and nobody's edit is first contact: nothing counts as removed.
fn agreed<'a>(seen: &Seen<'a>, side: Side) -> Option<[&'a Value; 2]> {
    if seen.movement.is_first_contact() {
        return None;
    }
    let base = seen.input.base.as_ref()?.get(side);
    let carried = seen.input.carried_base.as_ref();
    Some([base, carried.map_or(base, |halves| halves.get(side))])
}

/// What merging makes of the destination's set.
enum Merged {
    AsItIs,
    Changed(Value),
    NotSets,
}

fn merge(mine: &Value, theirs: &Value, agreed: Option<[&Value; 2]>) -> Merged {
    merge_as(texts, Value::Set, mine, theirs, agreed)
        .or_else(|| merge_as(links, Value::Links, mine, theirs, agreed))
        .unwrap_or(Merged::NotSets)
}

/// What either side holds now, less what one of them removed. Only an element that both halves held
/// can have been removed: one that stands in a single half has no counterpart, or came with another
/// revision of the rule. `None`: other elements than these.
fn merge_as<T: Ord + Clone>(
    elements: fn(&Value) -> Option<&BTreeSet<T>>,
    value: fn(BTreeSet<T>) -> Value,
    mine: &Value,
    theirs: &Value,
    agreed: Option<[&Value; 2]>,
) -> Option<Merged> {
    let (mine, theirs) = (elements(mine)?, elements(theirs)?);
    let agreed = match agreed {
        Some([one, other]) => Some((elements(one)?, elements(other)?)),
        None => None,
    };
    let was_agreed = |element: &&T| {
        agreed.is_some_and(|(one, other)| one.contains(*element) && other.contains(*element))
    };
    let added: Vec<&T> = theirs.difference(mine).filter(|e| !was_agreed(e)).collect();
    let removed: Vec<&T> = mine.difference(theirs).filter(was_agreed).collect();
    if added.is_empty() && removed.is_empty() {
        return Some(Merged::AsItIs);
    }
    let mut merged = mine.clone();
    for element in removed {
        merged.remove(element);
    }
    merged.extend(added.into_iter().cloned());
    Some(Merged::Changed(blank_if_empty(merged, value)))
}

fn texts(value: &Value) -> Option<&BTreeSet<String>> {
    static EMPTY: BTreeSet<String> = BTreeSet::new();
    match value {
        Value::Set(set) => Some(set),
        other => other.is_blank().then_some(&EMPTY),
    }
}

fn links(value: &Value) -> Option<&BTreeSet<LinkId>> {
    static EMPTY: BTreeSet<LinkId> = BTreeSet::new();
    match value {
        Value::Links(set) => Some(set),
        other => other.is_blank().then_some(&EMPTY),
    }
}

/// Blank is `Null`, whatever kind of set it was.
fn blank_if_empty<T>(set: BTreeSet<T>, of: fn(BTreeSet<T>) -> Value) -> Value {
    if set.is_empty() { Value::Null } else { of(set) }
}
