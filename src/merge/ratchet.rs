//! Values that only go forward: the side further along wins, whoever moved.

use std::cmp::Ordering;

use super::seen::{Movement, Outcome, Seen};
use super::{Decision, Reason};
use crate::model::{Side, Value};

/// How far along a value is. Both sides are ranked in HubSpot's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Blank,
    /// Not in the list, or without a counterpart at HubSpot.
    Unknown,
    Step(usize),
}

/// `None` when the list does not order the two values; the rule's other settings decide then.
pub(super) fn decide(seen: &Seen<'_>, order: &[String]) -> Option<Outcome> {
    let ahead = further(seen, order)?;
    let behind = ahead.other();
    let Some(destination) = seen.one_way_to() else {
        return Some(seen.send_unless_barred(ahead, reason(seen, ahead)));
    };
    let drifted = seen.movement == Movement::One(destination);
    Some(if behind == destination {
        if drifted && !seen.input.policy.enforce {
            (Decision::Skip, Reason::Drift)
        } else {
            seen.send_unless_barred(ahead, reason(seen, ahead))
        }
    } else if drifted {
        (Decision::Skip, Reason::Drift)
    } else {
        seen.leave(Reason::RatchetKept)
    })
}

fn further(seen: &Seen<'_>, order: &[String]) -> Option<Side> {
    let hubspot = rank(Some(seen.now.hubspot), order);
    let salesforce = if seen.now.salesforce.is_blank() {
        Rank::Blank
    } else {
        rank(seen.input.carried.hubspot.as_ref().ok(), order)
    };
    match hubspot.cmp(&salesforce) {
        Ordering::Greater => Some(Side::HubSpot),
        Ordering::Less => Some(Side::Salesforce),
        Ordering::Equal => None,
    }
}

fn rank(value: Option<&Value>, order: &[String]) -> Rank {
    let place = |text: &str| order.iter().position(|step| step == text);
    match value {
        None => Rank::Unknown,
        Some(value) if value.is_blank() => Rank::Blank,
        Some(Value::Text(text)) => place(text).map_or(Rank::Unknown, Rank::Step),
        Some(value) => place(&value.to_string()).map_or(Rank::Unknown, Rank::Step),
    }
}

fn reason(seen: &Seen<'_>, ahead: Side) -> Reason {
    match seen.movement {
        Movement::One(side) if side != ahead => Reason::RatchetBack,
        Movement::First
        | Movement::RuleChanged
        | Movement::Still
        | Movement::One(_)
        | Movement::Both => Reason::RatchetForward,
    }
}
