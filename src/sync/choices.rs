//! What people chose for conflicts, waiting to be carried out.
//!
//! A choice is stored as a granted approval that names its conflict (`model::Choice`). It stands
//! above the rule's policy once, and is used up by the pass that carries it out.

use std::collections::BTreeMap;

use super::desk::Desk;
use super::unit::{Batch, Unit};
use crate::mapping::{Bound, References, Rule};
use crate::model::{ApprovalId, BySide, Choice, ConflictId, Fields, LinkId, Raw, Side, Value};
use crate::pipeline::rule_fields;
use crate::store::{ConflictRow, StoreError};

#[derive(Default)]
pub struct Choices(BTreeMap<(LinkId, String), Chosen>);

struct Chosen {
    approval: ApprovalId,
    choice: Choice,
    conflict: ConflictRow,
}

/// A choice as it can be carried out now.
#[derive(Default)]
pub struct Taken {
    /// In each side's terms.
    pub values: BySide<Option<Value>>,
    /// Sides that were edited after the conflict, so that the person did not know what they hold.
    pub overruled: Vec<Side>,
}

impl Choices {
    /// The choices for the batch's links.
    pub async fn load(desk: &Desk<'_>, batch: &Batch) -> Result<Self, StoreError> {
        let mut choices = Self::default();
        let linked = batch.units.iter().filter_map(|unit| unit.link.as_ref());
        let links: Vec<LinkId> = linked.map(|link| link.id.clone()).collect();
        if links.is_empty() {
            return Ok(choices);
        }
        let (store, ws) = (&desk.site.store, &desk.site.workspace);
        let waiting = store.choices_waiting(ws).await?;
        if waiting.is_empty() {
            return Ok(choices);
        }
        let found = store.conflicts_of_links(ws, &links).await?;
        let conflicts: BTreeMap<ConflictId, ConflictRow> = found
            .into_iter()
            .map(|conflict| (conflict.id.clone(), conflict))
            .collect();
        for approval in waiting {
            let id = Choice::conflict(&approval.set_hash);
            let Some(conflict) = conflicts.get(&id) else {
                continue;
            };
            let place = (conflict.link.clone(), conflict.rule.clone());
            let choice = Choice::parse(&approval.detail);
            choices.0.insert(
                place,
                Chosen {
                    approval: approval.id,
                    choice,
                    conflict: conflict.clone(),
                },
            );
        }
        Ok(choices)
    }

    /// What was chosen for this rule; `None` when nothing was, or when it cannot be carried.
    pub fn of(
        &self,
        bound: &Bound,
        rule: &Rule,
        unit: &mut Unit,
        fields: &BySide<Fields>,
        references: &References,
    ) -> Option<Taken> {
        let link = unit.link.as_ref()?.id.clone();
        let chosen = self.0.get(&(link, rule.name.clone()))?;
        let from = match &chosen.choice {
            Choice::Of(side) => *side,
            Choice::Value(_) => Side::HubSpot,
        };
        let mut source = fields.get(from).clone();
        match &chosen.choice {
            Choice::Of(side) => source.extend(chosen.conflict.inputs.get(*side).clone()),
            Choice::Value(text) => {
                source.insert(rule.sides.get(from).first()?.clone(), Raw::text(text));
            }
        }
        let here = bound.canon(rule, from, &source, references).ok()?;
        let there = bound.carry(rule, from, &source, &here, references).ok()?;
        unit.chosen
            .insert(rule.name.clone(), chosen.approval.clone());
        let mut taken = Taken::default();
        for (side, value) in [(from, here), (from.other(), there)] {
            if !rule.policy.direction.allows(side) {
                continue;
            }
            let canon = |fields: &Fields| bound.canon(rule, side, fields, references);
            let now = canon(fields.get(side));
            let base = unit.bases.get(&rule.name).map(|base| base.sides.get(side));
            let known = base.into_iter().chain([chosen.conflict.inputs.get(side)]);
            let mut known = known.map(|then| canon(&rule_fields(rule, side, then)));
            if now.as_ref() != Ok(&value) && !known.any(|then| then.is_ok() && then == now) {
                taken.overruled.push(side);
            }
            *taken.values.get_mut(side) = Some(value);
        }
        Some(taken)
    }
}
