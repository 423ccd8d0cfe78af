//! Plans every open unit of a batch: canonical values in, decisions out, nothing sent yet.
//!
//! The deciding itself is `merge`'s. Here it is given everything it needs at once; `input` makes
//! its input of raw fields, `outcome` makes bases, holds, conflicts and writes of its decisions.

use std::collections::{BTreeMap, BTreeSet};

use super::choices::Choices;
use super::create;
use super::desk::Desk;
use super::guard;
use super::input::rule_input;
use super::oscillation;
use super::outcome::{Outcome, apply, keep_overruled};
use super::times::{Times, edit_times};
use super::unit::{Batch, End, Unit, Write};
use crate::mapping::{Bound, References};
use crate::merge::{self, Decision, Reason};
use crate::model::{BySide, LinkState, MappingName, RecordId, RecordKey, Side};
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
    oscillation::stop(desk, bound, batch).await?;
    guard::rules(desk, bound, batch).await
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
            .of(bound, rule, unit, &fields, &context.references);
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
        keep_overruled(desk, bound, unit, &outcome, &overruled);
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
