//! Judges writes by what the destination holds afterwards, and moves the base to what was read.
//!
//! The base advances only here and at agreement.

use super::audit::{self, Evidence, Finding};
use super::desk::Desk;
use super::frozen;
use super::outcome::{CHOSEN, put_hold, set_base};
use super::report::{Note, journal};
use super::sets;
use super::undo::UNDONE;
use super::unit::Unit;
use crate::bugs::{self, Bug};
use crate::mapping::{Bound, References, Rule};
use crate::merge::{self, Reason, RuleInput, Settled};
use crate::model::{
    BySide, Fields, Halves, HoldReason, IntendedRule, Intent, LinkState, Problem, Raw, Side, Value,
};
use crate::pipeline::rule_fields;

/// What a settled write leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Every rule holds what was sent, or is held.
    Settled,
    /// Something is not as planned: look again.
    LookAgain,
    /// Nothing of it was applied.
    NotApplied,
}

/// Settles one intent against what its record holds now.
pub fn settle(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    intent: &Intent,
    (stored, acknowledged): (&Fields, bool),
    evidence: &Evidence<'_>,
) -> After {
    let mut after = After::Settled;
    let mut applied = 0;
    for intended in &intent.rules {
        let rule = rule_of(bound, intended);
        let finding = Finding::of(bound, rule, intent, intended, evidence);
        let mut stored = stored.clone();
        if bugs::on(Bug::OwnWriteBelieved) {
            stored.extend(intended.after.clone());
        }
        let stored = &stored;
        let verdict = judge(bound, intent.side, intended, stored, acknowledged);
        let verdict = finding.amend(verdict, acknowledged);
        applied += usize::from(matches!(verdict, Settled::Applied | Settled::Followed));
        let closed = match rule {
            Some(rule) => {
                let this = (intent, intended, rule);
                close_rule(desk, bound, unit, this, stored, &finding, verdict)
            }
            None => close_raw(desk, bound, unit, intent, intended, stored, verdict),
        };
        if closed != After::Settled {
            after = After::LookAgain;
        }
    }
    if evidence.suspected && applied > 0 {
        audit::unknown(desk, bound, unit, intent, evidence.history);
    }
    if applied == 0 && after == After::LookAgain {
        After::NotApplied
    } else {
        after
    }
}

/// Whether a write without an answer arrived and is still what its record holds.
pub fn is_applied(
    bound: &Bound,
    intent: &Intent,
    intended: &IntendedRule,
    stored: &Fields,
    evidence: &Evidence<'_>,
) -> bool {
    let finding = Finding::of(bound, rule_of(bound, intended), intent, intended, evidence);
    let verdict = judge(bound, intent.side, intended, stored, false);
    finding.amend(verdict, false) == Settled::Applied
}

pub fn judge(
    bound: &Bound,
    side: Side,
    intended: &IntendedRule,
    stored: &Fields,
    acknowledged: bool,
) -> Settled {
    let Some(rule) = rule_of(bound, intended) else {
        return judge_raw(intended, stored, acknowledged);
    };
    if rule.is_set() {
        return sets::judge(rule, side, intended, stored, acknowledged);
    }
    let before = whole(rule, side, &intended.before);
    let mut sent = before.clone();
    sent.extend(intended.after.clone());
    if intended.after.is_empty() {
        return untouched(bound, rule, side, stored);
    }
    merge::settle(
        &value(bound, rule, side, &sent),
        &value(bound, rule, side, &before),
        &value(bound, rule, side, stored),
        acknowledged,
        &rule.policy.tolerances,
    )
}

/// The rule as it was when the write was planned.
fn rule_of<'a>(bound: &'a Bound, intended: &IntendedRule) -> Option<&'a Rule> {
    let rule = bound.mapping().rule(&intended.rule)?;
    (rule.hash == intended.rule_hash).then_some(rule)
}

/// The rule is gone or means something else by now, so only the text of its fields can be compared.
fn judge_raw(intended: &IntendedRule, stored: &Fields, acknowledged: bool) -> Settled {
    let holds = |name: &String, raw: &Raw| stored.get(name).is_some_and(|held| held == raw);
    let before = |name: &String| intended.before.get(name).cloned().unwrap_or_default();
    if intended.after.iter().all(|(name, raw)| holds(name, raw)) {
        Settled::Applied
    } else if !acknowledged && intended.after.keys().all(|name| holds(name, &before(name))) {
        Settled::NotApplied
    } else {
        Settled::Overtaken
    }
}

/// A record that does not exist yet holds nothing in each of a rule's fields.
pub fn whole(rule: &Rule, side: Side, fields: &Fields) -> Fields {
    let names = rule.sides.get(side).iter();
    names
        .map(|name| (name.clone(), fields.get(name).cloned().unwrap_or_default()))
        .collect()
}

/// A created record was given no value for this rule. If the platform filled one in, that is news
/// which the next plan decides about.
fn untouched(bound: &Bound, rule: &Rule, side: Side, stored: &Fields) -> Settled {
    let nothing = rule_fields(rule, side, stored).values().all(Raw::is_blank);
    if nothing || value(bound, rule, side, stored).is_blank() {
        Settled::Applied
    } else {
        Settled::Overtaken
    }
}

/// References are compared by the ids as they stand: both halves are on one side here.
pub fn value(bound: &Bound, rule: &Rule, side: Side, fields: &Fields) -> Value {
    if rule.reference().is_some() {
        return Value::Text(format!("{:?}", rule_fields(rule, side, fields)));
    }
    bound
        .canon(rule, side, fields, &References::default())
        .unwrap_or_else(|_| Value::Text(format!("{:?}", rule_fields(rule, side, fields))))
}

fn close_rule(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    (intent, intended, rule): (&Intent, &IntendedRule, &Rule),
    stored: &Fields,
    finding: &Finding,
    verdict: Settled,
) -> After {
    let side = intent.side;
    let mut after = After::Settled;
    let held = rule_fields(rule, side, stored);
    note(desk, bound, unit, intent, intended, held.clone(), verdict);
    frozen::settled(desk, unit, intent, &intended.rule, verdict);
    if audit::overwrote(desk, bound, unit, (intent, intended), rule, finding) {
        return After::LookAgain;
    }
    if let Some(after) = close_aside(unit, intent, intended, verdict) {
        return after;
    }
    let mut sides = BySide::<Fields>::default();
    *sides.get_mut(side) = held.clone();
    sides.get_mut(side.other()).clone_from(&intended.source);
    match verdict {
        Settled::Applied if is_half(bound, rule, intended, &sides) => after = After::LookAgain,
        Settled::Applied => {
            if rule.is_set() {
                *sides.get_mut(side) = sets::agreed(rule, side, intended);
            }
            set_base(unit, rule, sides);
            use_choice(unit, rule);
        }
        _ if is_taken_for_applied(verdict) => set_base(unit, rule, sides),
        Settled::Followed => {
            *sides.get_mut(side) = finding.left(rule, side, intended);
            if !is_half(bound, rule, intended, &sides) {
                set_base(unit, rule, sides);
                use_choice(unit, rule);
            }
            after = After::LookAgain;
        }
        Settled::NotApplied | Settled::Overtaken => after = After::LookAgain,
        Settled::NotKept => {
            let what = "said yes and kept the old value; an automation or a permission keeps it so";
            hold(
                desk,
                bound,
                unit,
                (rule, sides),
                HoldReason::NotKept,
                (side, what),
            );
        }
        Settled::Altered => {
            let what =
                "stored something else than was sent; declare a `tolerance:` if that is meant";
            hold(
                desk,
                bound,
                unit,
                (rule, sides),
                HoldReason::Altered,
                (side, what),
            );
        }
    }
    after
}

fn hold(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    (rule, sides): (&Rule, BySide<Fields>),
    reason: HoldReason,
    (side, what): (Side, &str),
) {
    let detail = format!("{} {what}", side.title());
    let problem = Problem { reason, detail };
    put_hold(desk, bound, unit, rule, sides, &problem);
}

fn is_taken_for_applied(verdict: Settled) -> bool {
    match verdict {
        Settled::Overtaken => bugs::on(Bug::OvertakenTakenForApplied),
        Settled::Altered => bugs::on(Bug::AlteredTakenForApplied),
        Settled::Applied | Settled::NotApplied | Settled::NotKept | Settled::Followed => false,
    }
}

/// Writes that agree on nothing: what they lead to is not the base.
fn close_aside(
    unit: &mut Unit,
    intent: &Intent,
    intended: &IntendedRule,
    verdict: Settled,
) -> Option<After> {
    match intended.reason.as_str() {
        audit::RESTORE => Some(close_restore(unit, intent, intended, verdict)),
        UNDONE => close_undo(verdict),
        _ => None,
    }
}

/// An edit that was put back is news to the plan, which still knows the base from before it was
/// replaced. Until it is back, the intent is all that knows of it.
fn close_restore(
    unit: &mut Unit,
    intent: &Intent,
    intended: &IntendedRule,
    verdict: Settled,
) -> After {
    if verdict == Settled::NotApplied {
        audit::once_more(unit, intent, intended);
    }
    After::LookAgain
}

/// The base went back before the value was sent, and stays there. A side that kept what the run
/// had written agrees with the other one still, which the next plan finds by itself.
fn close_undo(verdict: Settled) -> Option<After> {
    match verdict {
        Settled::Applied | Settled::NotKept => Some(After::Settled),
        Settled::NotApplied | Settled::Overtaken | Settled::Followed => Some(After::LookAgain),
        Settled::Altered => None,
    }
}

/// One write of a rule that writes both sides: the other half is only on its way, so nothing is
/// agreed yet. Once both hold the value, the next plan finds them equal and moves the base.
fn is_half(bound: &Bound, rule: &Rule, intended: &IntendedRule, sides: &BySide<Fields>) -> bool {
    if bugs::on(Bug::HalfAUnionAgreed) {
        return false;
    }
    if intended.reason != Reason::Union.as_str() && intended.reason != CHOSEN {
        return false;
    }
    let none = References::default();
    let now = BySide::from_fn(|side| bound.canon(rule, side, sides.get(side), &none));
    let carried = BySide::from_fn(|side| {
        let from = side.other();
        let value = now.get(from).clone()?;
        bound.carry(rule, from, sides.get(from), &value, &none)
    });
    let input = RuleInput::new(rule.name.clone(), &rule.policy, now, carried);
    merge::corresponds(&input).is_none()
}

/// A person's choice is used up once it has been carried out, and not before.
fn use_choice(unit: &mut Unit, rule: &Rule) {
    if let Some(approval) = unit.chosen.remove(&rule.name) {
        unit.changes.approvals_used.push(approval);
    }
}

/// What was agreed is kept under the rule's old hash, so that the next plan sees a changed rule.
fn close_raw(
    desk: &Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    intent: &Intent,
    intended: &IntendedRule,
    stored: &Fields,
    verdict: Settled,
) -> After {
    let names = intended.before.keys().chain(intended.after.keys());
    let held: Fields = names
        .filter_map(|name| Some((name.clone(), stored.get(name)?.clone())))
        .collect();
    note(desk, bound, unit, intent, intended, held.clone(), verdict);
    if verdict == Settled::Applied {
        let mut sides = BySide::<Fields>::default();
        *sides.get_mut(intent.side) = held;
        sides
            .get_mut(intent.side.other())
            .clone_from(&intended.source);
        let halves = Halves {
            sides,
            rule_hash: intended.rule_hash.clone(),
        };
        unit.bases.insert(intended.rule.clone(), halves);
        unit.bases_dirty = true;
    }
    match verdict {
        Settled::NotApplied | Settled::Overtaken | Settled::Followed => After::LookAgain,
        Settled::Applied | Settled::NotKept | Settled::Altered => After::Settled,
    }
}

fn note(
    desk: &Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    intent: &Intent,
    intended: &IntendedRule,
    stored: Fields,
    verdict: Settled,
) {
    let (decision, reason) = match verdict {
        Settled::Applied => ("write", "applied"),
        Settled::NotApplied => ("write", "not-applied"),
        Settled::NotKept => ("write", "not-kept"),
        Settled::Altered => ("write", "altered"),
        Settled::Overtaken => ("write", "overtaken"),
        Settled::Followed => ("write", "followed"),
    };
    let mut note = Note::new(&intended.rule, decision, reason);
    let mut inputs = BySide::<Fields>::default();
    *inputs.get_mut(intent.side) = intended.before.clone();
    inputs
        .get_mut(intent.side.other())
        .clone_from(&intended.source);
    note.base = unit
        .bases
        .get(&intended.rule)
        .map(|base| base.sides.clone());
    note.inputs = inputs;
    note.winner = Some(intent.side.other());
    note.wrote = Some((
        intent.side,
        if verdict == Settled::Applied {
            stored
        } else {
            intended.after.clone()
        },
    ));
    note.loser = Some(intended.before.clone());
    note.detail = intended.reason.clone();
    journal(desk, bound, unit, note);
}

/// Work that waited for this pair may go on, whichever of its records it names.
pub fn unblock_children(unit: &mut Unit) {
    let Some(link) = unit
        .link
        .as_ref()
        .filter(|link| link.state == LinkState::Linked)
        .filter(|_| !bugs::on(Bug::ParentsLinkWakesNobody))
    else {
        return;
    };
    for side in Side::BOTH {
        if let Some(id) = link.records.get(side).clone() {
            let mapping = link.mapping.clone();
            unit.changes
                .unblock
                .push(crate::model::RecordKey { mapping, side, id });
        }
    }
}
