//! Makes bases, holds, conflicts, journal entries and writes of the merge's decisions.

use super::desk::Planning;
use super::report::{self, Note, journal};
use super::unit::{End, Unit, Write};
use crate::bugs::{self, Bug};
use crate::mapping::{Bound, References, Rule};
use crate::merge::{Decision, Lost, Reason};
use crate::model::{
    BySide, ConflictId, ErrorClass, Fields, Halves, Hold, HoldReason, IntendedRule, IntentKind,
    LinkId, Problem, Raw, RecordKey, Side, Value,
};
use crate::pipeline::rule_fields;
use crate::store::{ConflictRow, ConflictState};

/// The word for a value that a person chose.
pub const CHOSEN: &str = "chosen";

/// What one rule came to, with all that is needed to act on it.
pub struct Outcome<'a> {
    pub rule: &'a Rule,
    /// `None` when a person chose.
    pub reason: Option<Reason>,
    pub fields: &'a BySide<Fields>,
    pub references: &'a References,
}

impl Outcome<'_> {
    fn word(&self) -> &'static str {
        self.reason.map_or(CHOSEN, Reason::as_str)
    }

    pub fn observed(&self) -> BySide<Fields> {
        BySide::from_fn(|side| rule_fields(self.rule, side, self.fields.get(side)))
    }
}

pub fn apply(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    outcome: &Outcome<'_>,
    decision: Decision,
    writes: &mut BySide<Option<Write>>,
) {
    match decision {
        // Also what was held, once its values are back where they agreed.
        Decision::Unchanged => release(desk, unit, outcome.rule),
        Decision::Agree { .. } => agree(desk, bound, unit, outcome),
        Decision::Write { values, lost } => {
            write(desk, bound, unit, outcome, &values, lost.as_ref(), writes);
        }
        Decision::Hold {
            reason,
            detail,
            conflict,
        } => {
            let problem = Problem { reason, detail };
            hold(desk, bound, unit, outcome, &problem, conflict);
        }
        // Noted at a one-way destination: from here on that value is what it holds.
        Decision::Skip if outcome.reason == Some(Reason::Drift) => {
            release(desk, unit, outcome.rule);
            skip(desk, bound, unit, outcome);
            set_base(unit, outcome.rule, outcome.observed());
        }
        Decision::Skip => {}
    }
}

fn agree(desk: &mut Planning<'_>, bound: &Bound, unit: &mut Unit, outcome: &Outcome<'_>) {
    release(desk, unit, outcome.rule);
    unit.changes
        .approvals_used
        .extend(unit.chosen.remove(&outcome.rule.name));
    let observed = outcome.observed();
    if outcome.reason != Some(Reason::Equal) {
        skip(desk, bound, unit, outcome);
    } else if moves_quietly(unit, outcome.rule, &observed) {
        note_seen(desk, bound, unit, outcome, "agree");
    }
    set_base(unit, outcome.rule, observed);
}

/// Both sides came to the same by themselves, so no write tells of the new base. A pair's first
/// agreement is no move: the store keeps when it was, once for all its rules.
fn moves_quietly(unit: &Unit, rule: &Rule, observed: &BySide<Fields>) -> bool {
    let known = unit.bases.get(&rule.name).map(|base| &base.sides);
    !unit.fresh && known != Some(observed)
}

/// Notes a decision that wrote nothing although the sides are not simply equal.
fn skip(desk: &Planning<'_>, bound: &Bound, unit: &mut Unit, outcome: &Outcome<'_>) {
    note_seen(desk, bound, unit, outcome, "skip");
}

/// What was seen, and the base as it was until now: the journal is walked back by it.
fn note_seen(
    desk: &Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    outcome: &Outcome<'_>,
    decision: &str,
) {
    let mut note = Note::new(&outcome.rule.name, decision, outcome.word());
    note.base = unit
        .bases
        .get(&outcome.rule.name)
        .map(|base| base.sides.clone());
    note.inputs = outcome.observed();
    journal(desk, bound, unit, note);
}

pub fn set_base(unit: &mut Unit, rule: &Rule, mut sides: BySide<Fields>) {
    if bugs::on(Bug::OneSharedBaseHalf) {
        let shared = sides.hubspot.values().cloned();
        sides.salesforce = sides.salesforce.into_keys().zip(shared).collect();
    }
    let halves = Halves {
        sides,
        rule_hash: rule.hash.clone(),
    };
    unit.bases.insert(rule.name.clone(), halves);
    unit.bases_dirty = true;
}

/// Closes the rule's hold and what a person was asked about it.
pub fn release(_desk: &Planning<'_>, unit: &mut Unit, rule: &Rule) {
    let Some(link) = unit.link.as_ref().map(|link| link.id.clone()) else {
        return;
    };
    if unit.hold(&rule.name).is_some() {
        unit.holds.retain(|hold| hold.rule != rule.name);
        unit.changes
            .holds_closed
            .push((link.clone(), rule.name.clone()));
        unit.changes
            .conflicts_closed
            .push(crate::store::ConflictClose {
                link,
                rule: Some(rule.name.clone()),
                why: "the hold was released".to_owned(),
            });
    }
}

fn hold(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    outcome: &Outcome<'_>,
    problem: &Problem,
    conflict: bool,
) {
    if problem.reason == HoldReason::Unresolved {
        wait_for_parent(bound, unit, outcome, problem);
        if !unit.open() {
            return;
        }
    }
    put_hold(desk, bound, unit, outcome.rule, outcome.observed(), problem);
    if conflict {
        let row = conflict_row(desk, bound, unit, outcome, None, Fields::new());
        unit.changes.conflicts.extend(row);
    }
}

/// Stores a hold unless the very same one is there already.
pub fn put_hold(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    rule: &Rule,
    sides: BySide<Fields>,
    problem: &Problem,
) {
    let Some(link) = unit.link.as_ref().map(|link| link.id.clone()) else {
        return;
    };
    let same = unit.hold(&rule.name).is_some_and(|hold| {
        hold.reason == problem.reason && hold.sides == sides && hold.rule_hash == rule.hash
    });
    if same {
        return;
    }
    let hold = Hold {
        link,
        rule: rule.name.clone(),
        reason: problem.reason,
        detail: problem.detail.clone(),
        sides: sides.clone(),
        rule_hash: rule.hash.clone(),
        since: desk.site.clock.now(),
    };
    desk.tally.held(problem.reason);
    unit.held = true;
    unit.holds.retain(|hold| hold.rule != rule.name);
    unit.holds.push(hold.clone());
    if !bugs::on(Bug::HoldNotStored) {
        unit.changes.holds.push(hold);
    }
    let mut note = Note::new(&rule.name, "hold", problem.reason.as_str());
    note.base = unit.bases.get(&rule.name).map(|base| base.sides.clone());
    note.inputs = sides;
    note.detail.clone_from(&problem.detail);
    journal(desk, bound, unit, note);
}

/// An optional reference is written once its parent is linked; a required one parks the record.
pub fn wait_for_parent(bound: &Bound, unit: &mut Unit, outcome: &Outcome<'_>, problem: &Problem) {
    let Some(parent) = parent_of(bound, outcome.rule, outcome.fields, outcome.references) else {
        return;
    };
    let setback = report::setback(
        ErrorClass::Blocked,
        "parent-not-linked",
        problem.detail.clone(),
    );
    if outcome
        .rule
        .reference()
        .is_some_and(|reference| reference.required)
    {
        unit.finish(End::BlockedOn {
            parent,
            setback,
            required: true,
        });
    } else {
        unit.blocked_on.get_or_insert((parent, setback));
    }
}

/// The first record this rule refers to that has no link yet, on either side.
pub fn parent_of(
    bound: &Bound,
    rule: &Rule,
    fields: &BySide<Fields>,
    references: &References,
) -> Option<RecordKey> {
    let reference = rule.reference()?;
    Side::BOTH.into_iter().find_map(|side| {
        let name = bound.reference_field(rule, side)?;
        crate::crm::split_ids(fields.get(side), &name)
            .into_iter()
            .find_map(|id| {
                let key = RecordKey {
                    mapping: reference.mapping.clone(),
                    side,
                    id,
                };
                (!references.links.contains_key(&key)).then_some(key)
            })
    })
}

fn write(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    outcome: &Outcome<'_>,
    values: &BySide<Option<Value>>,
    lost: Option<&Lost>,
    writes: &mut BySide<Option<Write>>,
) {
    let rule = outcome.rule;
    let mut sent = BySide::<Fields>::default();
    for to in Side::BOTH {
        let Some(value) = values.get(to) else {
            continue;
        };
        let present = outcome.fields.get(to);
        match sendable(bound, rule, to, value, present, outcome.references) {
            Ok(after) => *sent.get_mut(to) = after,
            // Neither side is written: half of a union would look like an agreement.
            Err(problem) => return hold(desk, bound, unit, outcome, &problem, false),
        }
    }
    if Side::BOTH.into_iter().all(|to| sent.get(to).is_empty()) {
        return agree(desk, bound, unit, outcome);
    }
    if bugs::on(Bug::BaseAdvancedBeforeTheWrite) {
        let mut sides = outcome.observed();
        for to in Side::BOTH {
            sides.get_mut(to).extend(sent.get(to).clone());
        }
        set_base(unit, rule, sides);
    }
    for to in Side::BOTH {
        plan_write(outcome, to, std::mem::take(sent.get_mut(to)), writes);
    }
    release(desk, unit, rule);
    if let Some(lost) = lost.filter(|_| !bugs::on(Bug::LoserNotStored)) {
        let loser = rule_fields(rule, lost.loser, outcome.fields.get(lost.loser));
        let winner = Some(lost.loser.other());
        let row = conflict_row(desk, bound, unit, outcome, winner, loser);
        desk.tally.conflicts += u64::from(row.is_some());
        unit.changes.conflicts.extend(row);
    }
}

fn plan_write(outcome: &Outcome<'_>, to: Side, after: Fields, writes: &mut BySide<Option<Write>>) {
    if after.is_empty() {
        return;
    }
    let rule = outcome.rule;
    let slot = writes.get_mut(to).get_or_insert_with(|| Write {
        side: to,
        kind: IntentKind::Update,
        rules: Vec::new(),
    });
    slot.rules.push(IntendedRule {
        rule: rule.name.clone(),
        rule_hash: rule.hash.clone(),
        source: rule_fields(rule, to.other(), outcome.fields.get(to.other())),
        before: rule_fields(rule, to, outcome.fields.get(to)),
        after,
        reason: outcome.word().to_owned(),
    });
}

/// The fields to send: only those that differ from what is there, and none that the schema says
/// will be refused.
pub fn sendable(
    bound: &Bound,
    rule: &Rule,
    to: Side,
    value: &Value,
    present: &Fields,
    references: &References,
) -> Result<Fields, Problem> {
    let mut after = bound.render(rule, to, value, present, references)?;
    after.retain(|name, raw| {
        present.get(name) != Some(raw)
            && !(raw.is_blank() && present.get(name).is_none_or(Raw::is_blank))
    });
    match bound.refusals(to, &after).into_iter().next() {
        None => Ok(after),
        Some((field, why)) => Err(Problem {
            reason: HoldReason::Refused,
            detail: format!("{} would refuse `{field}`: {why}", to.title()),
        }),
    }
}

/// A person's choice replaces edits that were made after the conflict it is about. What they held
/// is kept by name like every other loser.
pub fn keep_overruled(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    outcome: &Outcome<'_>,
    sides: &[Side],
) {
    let Some(first) = sides.first() else { return };
    let held = |side: &Side| rule_fields(outcome.rule, *side, outcome.fields.get(*side));
    let loser = sides.iter().flat_map(held).collect();
    let row = conflict_row(desk, bound, unit, outcome, Some(first.other()), loser);
    desk.tally.conflicts += u64::from(row.is_some());
    unit.changes.conflicts.extend(row);
}

fn conflict_row(
    desk: &Planning<'_>,
    bound: &Bound,
    unit: &Unit,
    outcome: &Outcome<'_>,
    winner: Option<Side>,
    loser: Fields,
) -> Option<ConflictRow> {
    let values = (outcome.observed(), winner, loser);
    row(desk, bound, unit, outcome.rule, values, outcome.word())
}

/// An edit that our write replaced and the policy would have replaced too.
pub fn replaced_row(
    desk: &Planning<'_>,
    bound: &Bound,
    unit: &Unit,
    rule: &Rule,
    inputs: BySide<Fields>,
    (loser, held): (Side, Fields),
) -> Option<ConflictRow> {
    let values = (inputs, Some(loser.other()), held);
    row(desk, bound, unit, rule, values, "overwrote")
}

/// A rule that was taken out of the plan; a person may choose between the two values.
pub fn asked_row(
    desk: &Planning<'_>,
    bound: &Bound,
    unit: &Unit,
    rule: &Rule,
    inputs: BySide<Fields>,
    reason: &str,
) -> Option<ConflictRow> {
    row(
        desk,
        bound,
        unit,
        rule,
        (inputs, None, Fields::new()),
        reason,
    )
}

fn row(
    desk: &Planning<'_>,
    bound: &Bound,
    unit: &Unit,
    rule: &Rule,
    (inputs, winner, loser): (BySide<Fields>, Option<Side>, Fields),
    reason: &str,
) -> Option<ConflictRow> {
    let link: &LinkId = &unit.link.as_ref()?.id;
    let site = desk.site;
    Some(ConflictRow {
        id: ConflictId::from_uuid(&site.ids.next()),
        at: site.clock.now(),
        run: site.run.clone(),
        mapping: bound.mapping().name.clone(),
        link: link.clone(),
        rule: rule.name.clone(),
        base: unit.bases.get(&rule.name).map(|base| base.sides.clone()),
        inputs,
        winner,
        loser,
        reason: reason.to_owned(),
        state: if winner.is_some() {
            ConflictState::Decided
        } else {
            ConflictState::Open
        },
    })
}
