//! Plans every open unit of a batch: canonical values in, decisions out, nothing sent yet.
//!
//! The deciding itself is `merge`'s. Here it is given everything it needs at once; `input` makes
//! its input of raw fields, `outcome` makes bases, holds, conflicts and writes of its decisions.

use std::collections::{BTreeMap, BTreeSet};

use super::choices::Choices;
use super::create;
use super::desk::Desk;
use super::guard;
use super::input::{Times, edit_times, rule_input};
use super::outcome::{Outcome, apply};
use super::report;
use super::unit::{Batch, End, Unit, Write};
use crate::bugs::{self, Bug};
use crate::mapping::{Bound, References};
use crate::merge::{self, Decision, Reason};
use crate::model::{BySide, ErrorClass, Fields, LinkState, MappingName, RecordId, RecordKey, Side};
use crate::pipeline::caught;
use crate::store::StoreError;

pub async fn plan(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), StoreError> {
    guard::lift(desk, bound, batch).await?;
    let references = references(desk, bound, batch).await?;
    let times = edit_times(desk, bound, batch, &references).await;
    let choices = Choices::load(desk, batch).await?;
    let context = Context {
        references,
        times,
        choices,
    };
    // A record that goes is not written to first.
    for unit in batch.open().filter(|unit| unit.writes.is_empty()) {
        plan_or_fail(desk, bound, unit, &context);
    }
    guard::rules(desk, bound, batch).await
}

/// Plans one unit. When that panics the unit is as it was before, and fails alone.
fn plan_or_fail(desk: &mut Desk<'_>, bound: &Bound, unit: &mut Unit, context: &Context) {
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

fn plan_one(desk: &mut Desk<'_>, bound: &Bound, unit: &mut Unit, context: &Context) {
    assert!(!is_poison(unit), "a poison record, on purpose");
    match unit.link_state() {
        Some(LinkState::Linked) => linked(desk, bound, unit, context),
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

fn is_poison(unit: &Unit) -> bool {
    let poison = |fields: &Fields| fields.values().any(|raw| raw.as_text() == Some("poison"));
    bugs::on(Bug::PanicInPlan)
        && Side::BOTH
            .into_iter()
            .any(|s| unit.fields(s).is_some_and(poison))
}

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
    unit.fresh = unit.bases.is_empty();
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

fn split((decision, reason): (Decision, Reason)) -> (Decision, Option<Reason>) {
    (decision, Some(reason))
}

/// The links of every record that the batch's references name, now or in their bases.
async fn references(
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
