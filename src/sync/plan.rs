//! Plans every open unit of a batch: canonical values in, decisions out, nothing sent yet.
//!
//! The deciding itself is `merge`'s. Here raw fields become its input, and its decisions become
//! bases, holds, conflicts, journal entries and the writes that are to be made.

use std::collections::{BTreeMap, BTreeSet};

use super::choices::Choices;
use super::create;
use super::desk::Desk;
use super::report::{self, Note, journal};
use super::unit::{Batch, End, Unit, Write};
use crate::mapping::{Bound, References, Rule};
use crate::merge::{self, Decision, Lost, Reason, RuleInput};
use crate::model::{
    BySide, Conflict, ConflictId, ErrorClass, Fields, FirstSync, Halves, Hold, HoldReason,
    IntendedRule, IntentKind, LinkId, LinkState, Policy, Problem, Raw, RecordId, RecordKey, Side,
    Timestamp, Value,
};
use crate::pipeline::rule_fields;
use crate::store::{ConflictRow, ConflictState, StoreError};

pub async fn plan(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), StoreError> {
    let references = references(desk, bound, batch).await?;
    let times = edit_times(desk, bound, batch, &references).await;
    let choices = Choices::load(desk, batch).await?;
    let context = Context {
        references,
        times,
        choices,
    };
    for unit in batch.open() {
        match unit.link_state() {
            Some(LinkState::Linked) => linked(desk, bound, unit, &context),
            Some(LinkState::Creating(on)) => {
                create::propose(desk, bound, unit, on, &context.references);
            }
            Some(LinkState::Suspended | LinkState::Frozen) => unit.finish(End::Done),
            Some(LinkState::Tombstoned | LinkState::Unlinked) => unit.finish(End::Done),
            None => {
                let on = unit.source().other();
                create::propose(desk, bound, unit, on, &context.references);
            }
        }
    }
    Ok(())
}

/// When each side's value was last edited, for rules that let the newest win.
type Times = BTreeMap<(RecordId, String), Timestamp>;

/// What the plan of a whole batch was given besides its records.
struct Context {
    references: References,
    times: Times,
    choices: Choices,
}

fn linked(desk: &mut Desk<'_>, bound: &Bound, unit: &mut Unit, context: &Context) {
    let (Some(hubspot), Some(salesforce)) = (
        unit.fields(Side::HubSpot).cloned(),
        unit.fields(Side::Salesforce).cloned(),
    ) else {
        return unit.finish(End::Done);
    };
    let fields = BySide::new(hubspot, salesforce);
    let mut writes = BySide::<Option<Write>>::default();
    for rule in &bound.mapping().rules {
        let chosen = context
            .choices
            .values(bound, rule, unit, &fields, &context.references);
        let (decision, reason) = match chosen {
            Some(values) => (Decision::Write { values, lost: None }, None),
            None => split(merge::decide(&rule_input(
                bound,
                rule,
                unit,
                &fields,
                (&context.references, &context.times),
            ))),
        };
        let outcome = Outcome {
            rule,
            reason,
            fields: &fields,
            references: &context.references,
        };
        apply(desk, bound, unit, &outcome, decision, &mut writes);
        if !unit.open() {
            return;
        }
    }
    unit.writes.extend(writes.hubspot);
    unit.writes.extend(writes.salesforce);
}

fn rule_input<'a>(
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
    let halves = base.map(|base| {
        BySide::from_fn(|side| {
            let then = base.sides.get(side);
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
    let stamp = |side: Side| {
        let id = unit.records.get(side).clone()?;
        times.get(&(id, rule.name.clone())).copied()
    };
    RuleInput {
        base: halves,
        carried_base,
        rule_changed: base.is_some_and(|base| base.rule_hash != rule.hash),
        held: held(bound, rule, unit, fields, references),
        modified: BySide::from_fn(stamp),
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
    let unmoved = Side::BOTH.into_iter().all(|side| {
        let (now, then) = (fields.get(side), hold.sides.get(side));
        rule_fields(rule, side, now) == *then
            || matches!(
                (bound.canon(rule, side, now, references), bound.canon(rule, side, then, references)),
                (Ok(now), Ok(then)) if now == then
            )
    });
    (unmoved && hold.rule_hash == rule.hash).then_some(hold.reason)
}

fn split((decision, reason): (Decision, Reason)) -> (Decision, Option<Reason>) {
    (decision, Some(reason))
}

/// What one rule came to, with all that is needed to act on it.
struct Outcome<'a> {
    rule: &'a Rule,
    /// `None` when a person chose.
    reason: Option<Reason>,
    fields: &'a BySide<Fields>,
    references: &'a References,
}

impl Outcome<'_> {
    fn word(&self) -> &'static str {
        self.reason.map_or("chosen", Reason::as_str)
    }

    fn observed(&self) -> BySide<Fields> {
        BySide::from_fn(|side| rule_fields(self.rule, side, self.fields.get(side)))
    }
}

fn apply(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    outcome: &Outcome<'_>,
    decision: Decision,
    writes: &mut BySide<Option<Write>>,
) {
    match decision {
        Decision::Unchanged => {}
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
            skip(desk, bound, unit, outcome);
            set_base(unit, outcome.rule, outcome.observed());
        }
        Decision::Skip => {}
    }
}

fn agree(desk: &mut Desk<'_>, bound: &Bound, unit: &mut Unit, outcome: &Outcome<'_>) {
    release(desk, unit, outcome.rule);
    set_base(unit, outcome.rule, outcome.observed());
    if outcome.reason != Some(Reason::Equal) {
        skip(desk, bound, unit, outcome);
    }
}

/// Notes a decision that wrote nothing although the sides are not simply equal.
fn skip(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, outcome: &Outcome<'_>) {
    let mut note = Note::new(&outcome.rule.name, "skip", outcome.word());
    note.base = unit
        .bases
        .get(&outcome.rule.name)
        .map(|base| base.sides.clone());
    note.inputs = outcome.observed();
    journal(desk, bound, unit, note);
}

pub fn set_base(unit: &mut Unit, rule: &Rule, sides: BySide<Fields>) {
    let halves = Halves {
        sides,
        rule_hash: rule.hash.clone(),
    };
    unit.bases.insert(rule.name.clone(), halves);
    unit.bases_dirty = true;
}

/// Closes the rule's hold and what a person was asked about it.
pub fn release(_desk: &Desk<'_>, unit: &mut Unit, rule: &Rule) {
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
    desk: &mut Desk<'_>,
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
    desk: &mut Desk<'_>,
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
    desk.tally.holds += 1;
    unit.holds.retain(|hold| hold.rule != rule.name);
    unit.holds.push(hold.clone());
    unit.changes.holds.push(hold);
    let mut note = Note::new(&rule.name, "hold", problem.reason.as_str());
    note.base = unit.bases.get(&rule.name).map(|base| base.sides.clone());
    note.inputs = sides;
    note.detail.clone_from(&problem.detail);
    journal(desk, bound, unit, note);
}

/// An optional reference is written once its parent is linked; a required one parks the record.
fn wait_for_parent(bound: &Bound, unit: &mut Unit, outcome: &Outcome<'_>, problem: &Problem) {
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
        unit.finish(End::BlockedOn { parent, setback });
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
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    outcome: &Outcome<'_>,
    values: &BySide<Option<Value>>,
    lost: Option<&Lost>,
    writes: &mut BySide<Option<Write>>,
) {
    let rule = outcome.rule;
    let mut any = false;
    for to in Side::BOTH {
        let Some(value) = values.get(to) else {
            continue;
        };
        let present = outcome.fields.get(to);
        let after = match sendable(bound, rule, to, value, present, outcome.references) {
            Ok(after) => after,
            Err(problem) => return hold(desk, bound, unit, outcome, &problem, false),
        };
        if after.is_empty() {
            continue;
        }
        any = true;
        let slot = writes.get_mut(to).get_or_insert_with(|| Write {
            side: to,
            kind: IntentKind::Update,
            rules: Vec::new(),
        });
        slot.rules.push(IntendedRule {
            rule: rule.name.clone(),
            rule_hash: rule.hash.clone(),
            source: rule_fields(rule, to.other(), outcome.fields.get(to.other())),
            before: rule_fields(rule, to, present),
            after,
            reason: outcome.word().to_owned(),
        });
    }
    if !any {
        return agree(desk, bound, unit, outcome);
    }
    release(desk, unit, rule);
    if let Some(lost) = lost {
        let loser = rule_fields(rule, lost.loser, outcome.fields.get(lost.loser));
        let winner = Some(lost.loser.other());
        let row = conflict_row(desk, bound, unit, outcome, winner, loser);
        desk.tally.conflicts += u64::from(row.is_some());
        unit.changes.conflicts.extend(row);
    }
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

fn conflict_row(
    desk: &Desk<'_>,
    bound: &Bound,
    unit: &Unit,
    outcome: &Outcome<'_>,
    winner: Option<Side>,
    loser: Fields,
) -> Option<ConflictRow> {
    let link: &LinkId = &unit.link.as_ref()?.id;
    let site = desk.site;
    Some(ConflictRow {
        id: ConflictId::from_uuid(&site.ids.next()),
        at: site.clock.now(),
        run: site.run.clone(),
        mapping: bound.mapping().name.clone(),
        link: link.clone(),
        rule: outcome.rule.name.clone(),
        base: unit
            .bases
            .get(&outcome.rule.name)
            .map(|base| base.sides.clone()),
        inputs: outcome.observed(),
        winner,
        loser,
        reason: outcome.word().to_owned(),
        state: if winner.is_some() {
            ConflictState::Decided
        } else {
            ConflictState::Open
        },
    })
}

/// The links of every record that the batch's references name, now or in their bases.
async fn references(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &Batch,
) -> Result<References, StoreError> {
    let mut wanted: BTreeMap<(crate::model::MappingName, Side), BTreeSet<RecordId>> =
        BTreeMap::new();
    for rule in &bound.mapping().rules {
        let Some(reference) = rule.reference() else {
            continue;
        };
        for side in Side::BOTH {
            let Some(name) = bound.reference_field(rule, side) else {
                continue;
            };
            let ids = wanted.entry((reference.mapping.clone(), side)).or_default();
            for unit in batch.units.iter().filter(|unit| unit.open()) {
                let now = unit.fields(side);
                let base = unit.bases.get(&rule.name).map(|base| base.sides.get(side));
                for fields in now.into_iter().chain(base) {
                    ids.extend(crate::crm::split_ids(fields, &name));
                }
            }
        }
    }
    let mut references = References::default();
    for ((mapping, side), ids) in wanted {
        let ids: Vec<RecordId> = ids.into_iter().collect();
        let (store, ws) = (&desk.site.store, &desk.site.workspace);
        for link in store.links_by_record(ws, &mapping, side, &ids).await? {
            if link.state != LinkState::Linked {
                continue;
            }
            if let Some(id) = link.records.get(side).clone() {
                let key = RecordKey {
                    mapping: mapping.clone(),
                    side,
                    id,
                };
                references.links.insert(key, link.id.clone());
            }
            references.records.insert(link.id, link.records);
        }
    }
    Ok(references)
}

fn compares_times(policy: &Policy) -> bool {
    matches!(policy.conflict, Conflict::Newest { .. })
        || matches!(policy.first_sync, FirstSync::Newest { .. })
}

/// HubSpot's property history, read only for rules that are about to compare times. A history that
/// cannot be read leaves the times unknown, and the named tie winner decides.
async fn edit_times(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &Batch,
    references: &References,
) -> Times {
    let mut times = Times::new();
    let mut ids = BTreeSet::new();
    let mut properties = BTreeSet::new();
    for unit in batch.units.iter().filter(|unit| unit.open()) {
        let (Some(hubspot), Some(salesforce)) = (&unit.read.hubspot, &unit.read.salesforce) else {
            continue;
        };
        let fields = BySide::new(hubspot.fields.clone(), salesforce.fields.clone());
        for rule in bound
            .mapping()
            .rules
            .iter()
            .filter(|rule| compares_times(&rule.policy))
        {
            let input = rule_input(bound, rule, unit, &fields, (references, &Times::new()));
            if merge::decide(&input).1 != Reason::NewestTie {
                continue;
            }
            ids.insert(hubspot.id.clone());
            properties.extend(rule.sides.hubspot.iter().cloned());
            let moved = salesforce
                .fields
                .get("LastModifiedDate")
                .and_then(Raw::as_text);
            if let Some(at) = moved.and_then(Timestamp::parse).or(salesforce.modified_at) {
                times.insert((salesforce.id.clone(), rule.name.clone()), at);
            }
        }
    }
    if ids.is_empty() {
        return times;
    }
    let ids: Vec<RecordId> = ids.into_iter().collect();
    let properties: Vec<String> = properties.into_iter().collect();
    let object = bound.object(Side::HubSpot);
    let history = match desk.crms.hubspot.history(object, &ids, &properties).await {
        Ok(history) => history,
        Err(error) => {
            tracing::warn!(%error, "property history is not readable; ties decide");
            return times;
        }
    };
    for (id, by_property) in history {
        for rule in &bound.mapping().rules {
            let newest = rule
                .sides
                .hubspot
                .iter()
                .filter_map(|name| by_property.get(name)?.iter().map(|entry| entry.at).max())
                .max();
            if let Some(at) = newest {
                times.insert((id.clone(), rule.name.clone()), at);
            }
        }
    }
    times
}
