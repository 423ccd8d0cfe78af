//! What people chose for conflicts, waiting to be carried out.
//!
//! A choice is stored as a granted approval that names its conflict (`model::Choice`). It stands
//! above the rule's policy once, and is used up by the pass that carries it out.

use std::collections::BTreeMap;

use super::desk::Desk;
use super::unit::{Batch, Unit};
use crate::mapping::{Bound, References, Rule};
use crate::model::{ApprovalId, BySide, Choice, Fields, LinkId, Raw, Side, Value};
use crate::store::{ApprovalState, ConflictRow, StoreError};

#[derive(Default)]
pub struct Choices(BTreeMap<(LinkId, String), Chosen>);

struct Chosen {
    approval: ApprovalId,
    choice: Choice,
    conflict: ConflictRow,
}

impl Choices {
    /// The choices for the batch's links.
    pub async fn load(desk: &Desk<'_>, batch: &Batch) -> Result<Self, StoreError> {
        let mut choices = Self::default();
        if batch.units.iter().all(|unit| unit.link.is_none()) {
            return Ok(choices);
        }
        let (store, ws) = (&desk.site.store, &desk.site.workspace);
        for approval in store.approvals(ws).await? {
            if approval.kind != Choice::APPROVAL || approval.state != ApprovalState::Granted {
                continue;
            }
            let id = Choice::conflict(&approval.set_hash);
            let Some(conflict) = store.conflict(ws, &id).await? else {
                continue;
            };
            let place = (conflict.link.clone(), conflict.rule.clone());
            let choice = Choice::parse(&approval.detail);
            choices.0.insert(
                place,
                Chosen {
                    approval: approval.id,
                    choice,
                    conflict,
                },
            );
        }
        Ok(choices)
    }

    /// The chosen value in each side's terms; `None` when nothing was chosen for this rule, or
    /// when what was chosen cannot be carried.
    pub fn values(
        &self,
        bound: &Bound,
        rule: &Rule,
        unit: &mut Unit,
        fields: &BySide<Fields>,
        references: &References,
    ) -> Option<BySide<Option<Value>>> {
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
        let mut values = BySide::default();
        for (side, value) in [(from, here), (from.other(), there)] {
            if rule.policy.direction.allows(side) {
                *values.get_mut(side) = Some(value);
            }
        }
        Some(values)
    }
}
