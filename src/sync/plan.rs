//! Plans every open unit of a batch: canonical values in, decisions out, nothing sent yet.
//!
//! The deciding itself is `merge`'s. Here it is given everything it needs at once; `input` makes
//! its input of raw fields, `outcome` makes bases, holds, conflicts and writes of its decisions.

use std::collections::{BTreeMap, BTreeSet};

use super::choices::Choices;
use super::create;
use super::desk::{Desk, Planning};
use super::frozen;
use super::guard;
use super::input::rule_input;
use super::oscillation;
use super::outcome::{Outcome, apply, keep_overruled};
use super::pause;
use super::report;
use super::sets::members_wait;
use super::times::{Times, edit_times};
use super::undo;
use super::unit::{Batch, End, Unit, Write};
use crate::bugs::{self, Bug};
use crate::mapping::{Bound, References, Rule};
use crate::merge::{self, Decision, Reason};
use crate::model::{
    BySide, ErrorClass, Fields, Hold, HoldReason, Link, LinkState, MappingName, RecordId,
    RecordKey, Side,
};
use crate::pipeline::caught;
use crate::store::StoreError;

pub async fn plan(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), StoreError> {
    guard::lift(desk, bound, batch).await?;
    oscillation::cool(desk, batch).await?;
    let references = references(desk, bound, batch).await?;
    let times = edit_times(desk, bound, batch, &references).await?;
    let choices = Choices::load(desk, batch).await?;
    let context = Context {
        references,
        times,
        choices,
    };
    // A record that goes is not written to first, and what was replaced is put back first.
    let free = |unit: &&mut Unit| unit.writes.is_empty() && unit.restores.is_empty();
    for unit in batch.open().filter(free) {
        plan_or_fail(desk, bound, unit, &context);
    }
    frozen::keep(desk, bound, batch);
    pause::keep(desk, bound, batch);
    oscillation::stop(desk, bound, batch).await?;
    guard::rules(desk, bound, batch).await
}

/// Plans one unit. When that panics the unit is as it was before, and fails alone.
pub fn plan_or_fail(desk: &mut Planning<'_>, bound: &Bound, unit: &mut Unit, context: &Context) {
    let changes = unit.changes.clone();
    let link = (unit.link.clone(), unit.link_dirty);
    let proposed = desk.tally.proposed;
    if let Err(panic) = caught(|| plan_one(desk, bound, unit, context)) {
        desk.tally.proposed = proposed;
        unit.changes = changes;
        (unit.link, unit.link_dirty) = link;
        unit.writes.clear();
        unit.guarded.clear();
        unit.blocked_on = None;
        unit.end = None;
        let message = format!("Tandem itself failed on this record: {panic}");
        let setback = report::setback(ErrorClass::Ours, "panic", message);
        unit.finish(End::Failed(setback));
    }
}

fn plan_one(desk: &mut Planning<'_>, bound: &Bound, unit: &mut Unit, context: &Context) {
    assert!(!is_poison(unit), "a poison record, on purpose");
    let undoes = desk.mode.frozen().map(|plan| plan.undoes(bound, unit));
    if let Some(undoes) = undoes.filter(|undoes| !undoes.is_empty()) {
        return undo::plan(desk, bound, unit, &undoes);
    }
    match unit.link_state() {
        Some(LinkState::Linked) => linked(desk, bound, unit, context),
        Some(LinkState::Creating(on)) => {
            create::propose(desk, bound, unit, on, &context.references);
        }
        Some(LinkState::Suspended | LinkState::Frozen) => unit.finish(End::Done),
        Some(LinkState::Tombstoned | LinkState::Unlinked | LinkState::Detached) => {
            unit.finish(End::Done);
        }
        None => {
            let on = unit.source().other();
            create::propose(desk, bound, unit, on, &context.references);
        }
    }
}

fn is_poison(unit: &Unit) -> bool {
    let poison = |fields: &Fields| fields.values().any(|raw| raw.as_text() == Some("poison"));
    bugs::on(Bug::PanicInPlan)
        && Side::BOTH
            .into_iter()
            .any(|s| unit.fields(s).is_some_and(poison))
}

/// What the plan of a whole batch was given besides its records.
pub struct Context {
    references: References,
    times: Times,
    choices: Choices,
}

impl Context {
    /// Where nobody has chosen anything.
    pub fn of(references: References, times: Times) -> Self {
        Self {
            references,
            times,
            choices: Choices::default(),
        }
    }
}

fn linked(desk: &mut Planning<'_>, bound: &Bound, unit: &mut Unit, context: &Context) {
    let (Some(hubspot), Some(salesforce)) = (
        unit.fields(Side::HubSpot).cloned(),
        unit.fields(Side::Salesforce).cloned(),
    ) else {
        return unit.finish(End::Done);
    };
    let fields = BySide::new(hubspot, salesforce);
    unit.fresh = unit.bases.is_empty();
    let link = unit.link.as_ref();
    unit.followed = link.is_some_and(|link| link.note == Link::FOLLOWED);
    if link.is_some_and(Link::is_to_be_looked_at) {
        unit.set_state(LinkState::Linked, "");
    }
    let mut writes = BySide::<Option<Write>>::default();
    for rule in &bound.mapping().rules {
        match bound.linked_part(rule, &fields, &context.references) {
            None => one_rule(desk, bound, unit, (rule, &fields), context, &mut writes),
            Some((part, problem)) => {
                let whole = Outcome {
                    rule,
                    reason: None,
                    fields: &fields,
                    references: &context.references,
                };
                let waits = set_aside(unit, rule);
                one_rule(desk, bound, unit, (rule, &part), context, &mut writes);
                if unit.hold(&rule.name).is_none() {
                    unit.holds.extend(waits);
                }
                members_wait(desk, bound, unit, &whole, &problem);
            }
        }
        if !unit.open() {
            return;
        }
    }
    unit.writes.extend(writes.hubspot);
    unit.writes.extend(writes.salesforce);
}

/// What the rule waits for says nothing about the members that need not wait.
fn set_aside(unit: &mut Unit, rule: &Rule) -> Option<Hold> {
    let waits = |hold: &Hold| hold.rule == rule.name && hold.reason == HoldReason::Unresolved;
    let at = unit.holds.iter().position(waits)?;
    Some(unit.holds.remove(at))
}

fn one_rule(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    (rule, fields): (&Rule, &BySide<Fields>),
    context: &Context,
    writes: &mut BySide<Option<Write>>,
) {
    let chosen = context
        .choices
        .of(bound, rule, unit, fields, &context.references);
    let mut overruled = Vec::new();
    let (decision, reason) = match chosen {
        Some(taken) => {
            overruled = taken.overruled;
            let values = taken.values;
            (Decision::Write { values, lost: None }, None)
        }
        None => split(merge::decide(&rule_input(
            bound,
            rule,
            unit,
            fields,
            (&context.references, &context.times),
        ))),
    };
    let outcome = Outcome {
        rule,
        reason,
        fields,
        references: &context.references,
    };
    keep_overruled(desk, bound, unit, &outcome, &overruled);
    apply(desk, bound, unit, &outcome, decision, writes);
}

fn split((decision, reason): (Decision, Reason)) -> (Decision, Option<Reason>) {
    (decision, Some(reason))
}

/// The links of every record that the batch's references name, now or in their bases.
pub async fn references(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &Batch,
) -> Result<References, StoreError> {
    let mut wanted: BTreeMap<(MappingName, Side), BTreeSet<RecordId>> = BTreeMap::new();
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
    let mut references = References {
        complete: true,
        ..References::default()
    };
    for ((mapping, side), ids) in wanted {
        let ids: Vec<RecordId> = ids.into_iter().collect();
        let (store, ws) = (&desk.site.store, &desk.site.workspace);
        let links = store.links_by_record(ws, &mapping, side, &ids).await?;
        let mut missing: BTreeSet<RecordId> = ids.into_iter().collect();
        for link in links.into_iter().filter(|l| l.state == LinkState::Linked) {
            if let Some(id) = link.records.get(side).clone() {
                missing.remove(&id);
            }
            add(
                &mut references,
                &mapping,
                side,
                link.records.get(side).clone(),
                &link,
            );
        }
        if !missing.is_empty() {
            merged(desk, &mapping, side, missing, &mut references).await?;
        }
    }
    Ok(references)
}

fn add(
    references: &mut References,
    mapping: &MappingName,
    side: Side,
    id: Option<RecordId>,
    link: &Link,
) {
    if let Some(id) = id {
        let mapping = mapping.clone();
        let key = RecordKey { mapping, side, id };
        references.links.insert(key, link.id.clone());
    }
    let records = link.records.clone();
    references.records.insert(link.id.clone(), records);
}

/// A reference to a record that was merged means the pair its survivor belongs to; so does one to
/// the record that was left over on the other side. A merge changes no reference by that.
async fn merged(
    desk: &Desk<'_>,
    mapping: &MappingName,
    side: Side,
    ids: BTreeSet<RecordId>,
    references: &mut References,
) -> Result<(), StoreError> {
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let ids: Vec<RecordId> = ids.into_iter().collect();
    let key = |side: Side, id: &RecordId| RecordKey {
        mapping: mapping.clone(),
        side,
        id: id.clone(),
    };
    // Each missing record, and the record that has to be aliased for it.
    let mut stands: Vec<(RecordId, RecordKey)> =
        ids.iter().map(|id| (id.clone(), key(side, id))).collect();
    for link in store.links_by_record(ws, mapping, side, &ids).await? {
        let records = (link.records.get(side), link.records.get(side.other()));
        if let (LinkState::Detached, (Some(id), Some(other))) = (link.state, records) {
            stands.push((id.clone(), key(side.other(), other)));
        }
    }
    let keys: Vec<RecordKey> = stands.iter().map(|(_, key)| key.clone()).collect();
    let aliases = store.aliases(ws, &keys).await?;
    for at in Side::BOTH {
        let heirs: Vec<RecordId> = aliases
            .iter()
            .filter(|(key, _)| key.side == at)
            .map(|(_, heir)| heir.clone())
            .collect();
        let links = store.links_by_record(ws, mapping, at, &heirs).await?;
        for link in links.into_iter().filter(|l| l.state == LinkState::Linked) {
            let heir = link.records.get(at).as_ref();
            for (id, key) in stands.iter().filter(|(_, key)| key.side == at) {
                if aliases.get(key) == heir && heir.is_some() {
                    add(references, mapping, side, Some(id.clone()), &link);
                }
            }
        }
    }
    Ok(())
}
