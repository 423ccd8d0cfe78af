//! Sets that merge: an element added on one side is added on the other, one removed is removed.
//!
//! Each side is merged in its own terms, so that an element without a counterpart stays where it
//! is. Nothing is lost, and no winner is needed.

use std::collections::BTreeSet;

use super::seen::{Movement, Outcome, Seen, same};
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
        let Some(merged) = merge(now, carried, agreed(seen, *destination)) else {
            let detail = "`conflict: union` needs values that are sets, and these are not; \
                          change the rule's `conflict`.";
            return (
                seen.hold_for_person(detail),
                seen.named(Reason::ConflictAsked),
            );
        };
        if same(&merged, now) {
            continue;
        }
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

/// Only an element that both halves held can have been removed: one that stands in a single half
/// has no counterpart, or came with another revision of the rule. `None`: not a set.
fn merge(mine: &Value, theirs: &Value, agreed: Option<[&Value; 2]>) -> Option<Value> {
    let mine = elements(mine)?;
    let theirs = elements(theirs)?;
    let agreed = match agreed {
        Some([one, other]) => &elements(one)? & &elements(other)?,
        None => BTreeSet::new(),
    };
    let added = theirs.difference(&agreed);
    let merged: BTreeSet<Element<'_>> = mine.iter().chain(added).cloned().collect();
    let removed = |element: &Element<'_>| agreed.contains(element) && !theirs.contains(element);
    Some(collect(
        merged.into_iter().filter(|element| !removed(element)),
    ))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Element<'a> {
    Text(&'a String),
    Link(&'a LinkId),
}

fn elements(value: &Value) -> Option<BTreeSet<Element<'_>>> {
    match value {
        Value::Set(set) => Some(set.iter().map(Element::Text).collect()),
        Value::Links(links) => Some(links.iter().map(Element::Link).collect()),
        Value::Null
        | Value::Text(_)
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Money { .. }
        | Value::Link(_)
        | Value::Several(_) => value.is_blank().then(BTreeSet::new),
    }
}

/// Blank is `Null`, whatever kind of set it was.
fn collect<'a>(elements: impl Iterator<Item = Element<'a>>) -> Value {
    let mut texts = BTreeSet::new();
    let mut links = BTreeSet::new();
    for element in elements {
        match element {
            Element::Text(text) => {
                texts.insert(text.clone());
            }
            Element::Link(link) => {
                links.insert(link.clone());
            }
        }
    }
    match (texts.is_empty(), links.is_empty()) {
        (true, true) => Value::Null,
        (true, false) => Value::Links(links),
        (false, _) => Value::Set(texts),
    }
}
