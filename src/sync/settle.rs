//! Judges writes by what the destination holds afterwards, and moves the base to what was read.
//!
//! The base advances only here and at agreement. An intent that an earlier attempt left open is
//! settled first, before anything else is planned for its link; nothing is ever re-sent blindly.

use std::collections::BTreeMap;

use super::desk::Desk;
use super::load::ReadError;
use super::matching::adopt;
use super::outcome::{CHOSEN, put_hold, set_base};
use super::report::{self, Note, journal};
use super::revisions::Revisions;
use super::unit::{Batch, End, Unit};
use crate::bugs::{self, Bug};
use crate::mapping::{Bound, References, Rule};
use crate::merge::{self, Reason, RuleInput, Settled};
use crate::model::{
    BySide, ErrorClass, Fields, Halves, HoldReason, IntendedRule, Intent, IntentKind, LinkState,
    Presence, Problem, Raw, Record, RecordId, Side, Value,
};
use crate::pipeline::rule_fields;
use crate::retry::GRACE_MILLIS;

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
    stored: &Fields,
    acknowledged: bool,
) -> After {
    let mut after = After::Settled;
    let mut applied = 0;
    for intended in &intent.rules {
        let mut stored = stored.clone();
        if bugs::on(Bug::OwnWriteBelieved) {
            stored.extend(intended.after.clone());
        }
        let stored = &stored;
        let verdict = judge(bound, intent.side, intended, stored, acknowledged);
        applied += usize::from(verdict == Settled::Applied);
        if close_rule(desk, bound, unit, intent, intended, stored, verdict) != After::Settled {
            after = After::LookAgain;
        }
    }
    if applied == 0 && after == After::LookAgain {
        After::NotApplied
    } else {
        after
    }
}

fn judge(
    bound: &Bound,
    side: Side,
    intended: &IntendedRule,
    stored: &Fields,
    acknowledged: bool,
) -> Settled {
    let Some(rule) = rule_of(bound, intended) else {
        return judge_raw(intended, stored, acknowledged);
    };
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
fn whole(rule: &Rule, side: Side, fields: &Fields) -> Fields {
    let names = rule.sides.get(side).iter();
    names
        .map(|name| (name.clone(), fields.get(name).cloned().unwrap_or_default()))
        .collect()
}

/// A created record was given no value for this rule. If the platform filled one in, that is news
/// which the next plan decides about.
fn untouched(bound: &Bound, rule: &Rule, side: Side, stored: &Fields) -> Settled {
    if value(bound, rule, side, stored).is_blank() {
        Settled::Applied
    } else {
        Settled::Overtaken
    }
}

/// References are compared by the ids as they stand: both halves are on one side here.
fn value(bound: &Bound, rule: &Rule, side: Side, fields: &Fields) -> Value {
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
    intent: &Intent,
    intended: &IntendedRule,
    stored: &Fields,
    verdict: Settled,
) -> After {
    let side = intent.side;
    let mut after = After::Settled;
    let Some(rule) = rule_of(bound, intended) else {
        return close_raw(desk, bound, unit, intent, intended, stored, verdict);
    };
    let held = rule_fields(rule, side, stored);
    let mut sides = BySide::<Fields>::default();
    *sides.get_mut(side) = held.clone();
    sides.get_mut(side.other()).clone_from(&intended.source);
    match verdict {
        Settled::Applied if is_half(bound, rule, intended, &sides) => after = After::LookAgain,
        Settled::Applied => {
            set_base(unit, rule, sides);
            use_choice(unit, rule);
        }
        Settled::Overtaken if bugs::on(Bug::OvertakenTakenForApplied) => {
            set_base(unit, rule, sides)
        }
        Settled::Altered if bugs::on(Bug::AlteredTakenForApplied) => set_base(unit, rule, sides),
        Settled::NotApplied | Settled::Overtaken => after = After::LookAgain,
        Settled::NotKept => {
            let detail = format!(
                "{} said yes and kept the old value; an automation or a permission keeps it so",
                side.title()
            );
            let problem = Problem {
                reason: HoldReason::NotKept,
                detail,
            };
            put_hold(desk, bound, unit, rule, sides, &problem);
        }
        Settled::Altered => {
            let detail = format!(
                "{} stored something else than was sent; declare a `tolerance:` if that is meant",
                side.title()
            );
            let problem = Problem {
                reason: HoldReason::Altered,
                detail,
            };
            put_hold(desk, bound, unit, rule, sides, &problem);
        }
    }
    note(desk, bound, unit, intent, intended, held, verdict);
    after
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
    if verdict == Settled::Applied {
        let mut sides = BySide::<Fields>::default();
        *sides.get_mut(intent.side) = held.clone();
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
    note(desk, bound, unit, intent, intended, held, verdict);
    match verdict {
        Settled::NotApplied | Settled::Overtaken => After::LookAgain,
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
    };
    let mut note = Note::new(&intended.rule, decision, reason);
    let mut inputs = BySide::<Fields>::default();
    *inputs.get_mut(intent.side) = intended.before.clone();
    inputs
        .get_mut(intent.side.other())
        .clone_from(&intended.source);
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

/// Settles the intents that an earlier attempt left open, by reading. What is not applied may
/// still be on its way until the grace has passed; only then is it planned afresh.
pub async fn left_open(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    if batch.units.iter().all(|unit| unit.intents.is_empty()) {
        return Ok(());
    }
    if bugs::on(Bug::LeftOpenIntentsForgotten) {
        for unit in &mut batch.units {
            let intents = std::mem::take(&mut unit.intents).into_iter();
            unit.changes
                .intents_closed
                .extend(intents.map(|intent| intent.id));
        }
        return Ok(());
    }
    let revisions = Revisions::load(desk, bound, batch).await?;
    for side in Side::BOTH {
        let found = read_targets(desk, bound, batch, side, &revisions).await?;
        for unit in batch.open().filter(|unit| !unit.intents.is_empty()) {
            let intents = std::mem::take(&mut unit.intents);
            for intent in intents {
                if intent.side == side {
                    let planned_by = revisions.of(bound, &intent);
                    settle_open(desk, planned_by, unit, intent, &found);
                } else {
                    unit.intents.push(intent);
                }
            }
        }
    }
    super::carry::store_with(desk, bound, batch, crate::store::Changes::default()).await?;
    Ok(())
}

/// The records the open intents of one side were written to: by id, and creates by their key.
async fn read_targets(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &Batch,
    side: Side,
    revisions: &Revisions,
) -> Result<BTreeMap<String, Record>, ReadError> {
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    for unit in batch.units.iter().filter(|unit| unit.open()) {
        for intent in unit.intents.iter().filter(|intent| intent.side == side) {
            match (intent.kind, unit.records.get(side)) {
                (IntentKind::Create, None) => keys.push(intent.target.clone()),
                (_, Some(id)) => ids.push(id.clone()),
                (_, None) => {}
            }
        }
    }
    let object = bound.object(side);
    let fields = &revisions.fields(bound, side);
    let mut found = BTreeMap::new();
    desk.lane.keep().await?;
    if !ids.is_empty() {
        let mut records = desk.crms.read(side, object, &ids, fields).await?;
        let live: Vec<_> = records
            .iter()
            .map(|r| r.presence == Presence::Live)
            .collect();
        if live.iter().any(|live| *live) {
            desk.crms
                .add_associations(side, object, &revisions.associations(bound), &mut records)
                .await?;
        }
        found.extend(records.into_iter().map(|r| (r.id.as_str().to_owned(), r)));
    }
    if let (false, Some(key)) = (keys.is_empty(), bound.key_field(side)) {
        for record in desk.crms.find(side, object, key, &keys, fields).await? {
            let named = record
                .fields
                .get(key)
                .and_then(|raw| raw.as_text())
                .map(str::to_owned);
            found.extend(named.map(|named| (named, record)));
        }
    }
    Ok(found)
}

fn settle_open(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    intent: Intent,
    found: &BTreeMap<String, Record>,
) {
    let known = unit.records.get(intent.side).clone();
    let place = known
        .as_ref()
        .map_or(intent.target.as_str(), RecordId::as_str);
    let record = found.get(place);
    let over = bugs::on(Bug::GraceNotWaitedFor)
        || desk.site.clock.now() >= intent.send_before.plus_millis(GRACE_MILLIS);
    let outcome = match (intent.kind, record) {
        (IntentKind::Archive, Some(record)) if record.presence == Presence::Deleted => {
            super::gone::bury(
                desk,
                bound,
                unit,
                super::gone::ARCHIVED,
                intent.side.other(),
            );
            After::Settled
        }
        (IntentKind::Archive, _) | (_, None) => After::NotApplied,
        (IntentKind::Create, Some(record)) if known.is_none() => {
            found_created(desk, bound, unit, &intent, record)
        }
        (IntentKind::Create | IntentKind::Update | IntentKind::Associate, Some(record)) => {
            settle_if_applied(desk, bound, unit, &intent, record, over)
        }
    };
    if outcome != After::Settled && !over {
        wait_for_grace(unit, &intent);
        return unit.intents.push(intent);
    }
    unit.changes.intents_closed.push(intent.id);
}

/// Nothing is stored about an unanswered write before it is certain: all of it is there, or the
/// grace is over.
fn settle_if_applied(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    intent: &Intent,
    record: &Record,
    over: bool,
) -> After {
    let all = intent.rules.iter().all(|intended| {
        judge(bound, intent.side, intended, &record.fields, false) == Settled::Applied
    });
    if !all && !over {
        return After::LookAgain;
    }
    settle(desk, bound, unit, intent, &record.fields, false)
}

/// The create was applied although its reply was lost: the record carries our key.
fn found_created(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    intent: &Intent,
    record: &Record,
) -> After {
    let Some(link) = unit.link.clone() else {
        return After::NotApplied;
    };
    adopt(unit, link, intent.side, record.id.clone());
    unblock_children(unit);
    desk.tally.links += 1;
    // What stands there now may be a user's edit after our create, which must not be held as if
    // the platform had altered our value.
    settle(desk, bound, unit, intent, &record.fields, false);
    After::Settled
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

fn wait_for_grace(unit: &mut Unit, intent: &Intent) {
    let mut setback = report::setback(
        ErrorClass::UnknownOutcome,
        "outcome-unknown",
        format!(
            "a write to {} had no answer; it may still arrive",
            intent.side.title()
        ),
    );
    setback.retry_after = Some(intent.send_before.plus_millis(GRACE_MILLIS));
    unit.finish(End::Again(setback));
}
