//! Three-way merge of one rule: who moved, do they correspond, who wins, may it be written.

use super::seen::{Movement, Outcome, Seen, same};
use super::{Agreement, Decided, Decision, Plan, Reason, RuleInput, ratchet, union};
use crate::model::{Conflict, Direction, FirstSync, Side, Timestamp};

/// Two edits closer together than this are a tie: clocks differ by about as much.
const TIE_MICROS: u64 = 5_000_000;

/// Decides every rule of a link. The rules do not see each other.
pub fn plan(inputs: &[RuleInput<'_>]) -> Plan {
    let decisions = inputs.iter().map(|input| {
        let (decision, reason) = decide(input);
        Decided {
            rule: input.rule.clone(),
            decision,
            reason,
        }
    });
    Plan {
        decisions: decisions.collect(),
    }
}

/// Decides one rule.
pub fn decide(input: &RuleInput<'_>) -> (Decision, Reason) {
    let seen = match Seen::read(input) {
        Ok(seen) => seen,
        Err(side) => return unreadable(input, side),
    };
    if seen.movement == Movement::Still {
        return (Decision::Unchanged, Reason::BothUnchanged);
    }
    if let Some(how) = agreement(&seen) {
        let reason = match how {
            Agreement::Tolerated => Reason::Tolerated,
            Agreement::Equal | Agreement::Kept => Reason::Equal,
        };
        return (Decision::Agree { how }, reason);
    }
    if input.held.is_some() {
        return (Decision::Skip, Reason::Held);
    }
    match (&input.policy.conflict, input.policy.direction) {
        (Conflict::Ratchet(order), _) => match ratchet::decide(&seen, order) {
            Some(outcome) => outcome,
            None => ordinary(&seen),
        },
        (Conflict::Union, Direction::Both) => union::decide(&seen),
        (
            Conflict::Union | Conflict::Wins(_) | Conflict::Ask | Conflict::Newest { .. },
            Direction::Both | Direction::To(_),
        ) => ordinary(&seen),
    }
}

/// Whether the two sides correspond under the rule, whoever moved. Tolerances count.
pub fn corresponds(input: &RuleInput<'_>) -> Option<Agreement> {
    let seen = Seen::read(input).ok()?;
    if seen.equal() {
        Some(Agreement::Equal)
    } else {
        seen.tolerated().then_some(Agreement::Tolerated)
    }
}

/// Like [`corresponds`], but where only one side moved a tolerance does not count: a case-only
/// edit still travels to a side that keeps case.
fn agreement(seen: &Seen<'_>) -> Option<Agreement> {
    if seen.equal() {
        return Some(Agreement::Equal);
    }
    let counts = match seen.movement {
        Movement::First | Movement::RuleChanged | Movement::Both => true,
        Movement::Still | Movement::One(_) => false,
    };
    (counts && seen.tolerated()).then_some(Agreement::Tolerated)
}

/// A value that cannot be read differs from its half of the base, which could be. It is never
/// written over, because it could not be named as lost.
fn unreadable(input: &RuleInput<'_>, side: Side) -> Outcome {
    if input.held.is_some() {
        return (Decision::Skip, Reason::Held);
    }
    let other_moved = match (&input.base, input.now.get(side.other())) {
        (Some(base), Ok(now)) => !same(now, base.get(side.other())),
        (Some(_), Err(_)) => true,
        (None, _) => false,
    };
    let at_destination = input.policy.direction == Direction::To(side) && !input.policy.enforce;
    let settled = input.base.is_some() && !input.rule_changed;
    if at_destination && settled && !other_moved {
        return (Decision::Skip, Reason::Drift);
    }
    match input.now.get(side) {
        Ok(_) => (Decision::Skip, Reason::Unreadable),
        Err(problem) => {
            let hold = Decision::Hold {
                reason: problem.reason,
                detail: problem.detail.clone(),
                conflict: other_moved,
            };
            (hold, Reason::of_problem(problem.reason))
        }
    }
}

/// Every rule that is neither a ratchet with a clear order nor a two-way union.
fn ordinary(seen: &Seen<'_>) -> Outcome {
    match seen.one_way_to() {
        Some(destination) => one_way(seen, destination),
        None => two_way(seen),
    }
}

fn one_way(seen: &Seen<'_>, destination: Side) -> Outcome {
    let source = destination.other();
    match seen.movement {
        Movement::Still => (Decision::Unchanged, Reason::BothUnchanged),
        Movement::First | Movement::RuleChanged => one_way_first_contact(seen, destination),
        Movement::One(side) if side == source => {
            seen.send_unless_barred(source, Reason::Moved(source))
        }
        Movement::One(_) if seen.input.policy.enforce => {
            seen.send_unless_barred(source, Reason::Enforced)
        }
        Movement::One(_) => (Decision::Skip, Reason::Drift),
        Movement::Both => seen.send_unless_barred(source, Reason::SourceWins),
    }
}

/// The source wins, but a filled destination is asked about where the rule asks, and is not
/// blanked where the rule speaks of filling blanks.
fn one_way_first_contact(seen: &Seen<'_>, destination: Side) -> Outcome {
    let source = destination.other();
    if seen.now.get(destination).is_blank() {
        return seen.send(source, Reason::FirstContactFill);
    }
    if let Some(why) = seen.barred(destination) {
        return seen.leave(why);
    }
    let source_blank = seen.now.get(source).is_blank();
    match seen.input.policy.first_sync {
        FirstSync::Ask => seen.ask(),
        FirstSync::FillBlanks(_) if source_blank => seen.leave(Reason::BlankKept),
        FirstSync::FillBlanks(None) => seen.ask(),
        FirstSync::Wins(_) | FirstSync::Newest { .. } | FirstSync::FillBlanks(Some(_)) => {
            seen.send(source, Reason::FirstContactWins(source))
        }
    }
}

fn two_way(seen: &Seen<'_>) -> Outcome {
    match seen.movement {
        Movement::Still => (Decision::Unchanged, Reason::BothUnchanged),
        Movement::First | Movement::RuleChanged => contest(seen, first_contact_winner(seen)),
        Movement::One(side) => seen.send_unless_barred(side, Reason::Moved(side)),
        Movement::Both => contest(seen, conflict_winner(seen)),
    }
}

/// Writes the winner's value; when that is barred the other's may go instead, and when both are
/// barred nothing does. No winner: a person is asked.
fn contest(seen: &Seen<'_>, winner: Option<(Side, Reason)>) -> Outcome {
    let barred = |side: Side| seen.barred(side);
    match winner {
        None => match (barred(Side::HubSpot), barred(Side::Salesforce)) {
            (Some(why), Some(_)) => seen.leave(why),
            (None, _) | (_, None) => seen.ask(),
        },
        Some((winner, reason)) => match (barred(winner.other()), barred(winner)) {
            (None, _) => seen.send(winner, reason),
            (Some(_), None) => seen.send(winner.other(), Reason::BlankYields),
            (Some(why), Some(_)) => seen.leave(why),
        },
    }
}

fn conflict_winner(seen: &Seen<'_>) -> Option<(Side, Reason)> {
    match seen.input.policy.conflict {
        Conflict::Wins(side) => Some((side, Reason::ConflictWins(side))),
        Conflict::Newest { tie } => Some(later(seen, tie)),
        // A ratchet comes here only with two values it cannot order, a union never.
        Conflict::Ask | Conflict::Ratchet(_) | Conflict::Union => None,
    }
}

fn first_contact_winner(seen: &Seen<'_>) -> Option<(Side, Reason)> {
    let blank = seen.now.map(|value| value.is_blank());
    let named = |side: Side| {
        if *blank.get(side.other()) {
            (side, Reason::FirstContactFill)
        } else {
            (side, Reason::FirstContactWins(side))
        }
    };
    match seen.input.policy.first_sync {
        FirstSync::Ask => None,
        FirstSync::Wins(side) => Some(named(side)),
        FirstSync::Newest { tie } => Some(later(seen, tie)),
        FirstSync::FillBlanks(winner) => match (blank.hubspot, blank.salesforce) {
            (true, false) => Some(named(Side::Salesforce)),
            (false, true) => Some(named(Side::HubSpot)),
            (true, true) | (false, false) => winner.map(named),
        },
    }
}

/// Salesforce's stamp is of the whole record: only an edit by HubSpot before the last moment at
/// which Salesforce's value was known to be unmoved is surely the earlier one.
fn later(seen: &Seen<'_>, tie: Side) -> (Side, Reason) {
    let modified = seen.input.modified;
    let (Some(hubspot), Some(salesforce)) = (modified.hubspot, modified.salesforce) else {
        return (tie, Reason::NewestTie);
    };
    let apart = |one: Timestamp, other: Timestamp| {
        one.micros().abs_diff(other.micros()) >= TIE_MICROS && one > other
    };
    // At first contact nothing was seen before, and the stamps are all there is.
    let unmoved = match seen.movement.is_first_contact() {
        true => Some(salesforce),
        false => seen.input.unmoved_until,
    };
    if apart(hubspot, salesforce) {
        (Side::HubSpot, Reason::Newest)
    } else if apart(salesforce, hubspot) && unmoved.is_some_and(|until| apart(until, hubspot)) {
        (Side::Salesforce, Reason::Newest)
    } else {
        (tie, Reason::NewestTie)
    }
}
