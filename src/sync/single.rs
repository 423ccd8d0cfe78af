//! Plans one record or one pair from values at hand, for mapping tests.
//!
//! The planning is the road's own (`plan`); here a unit is made up for it, and what came of it is
//! taken out again. No store is read, no CRM is asked and nothing is sent.

use super::desk::Planning;
use super::plan::{Context, plan_or_fail};
use super::times::Times;
use super::unit::{End, Unit};
use crate::mapping::{Bound, References};
use crate::model::{
    Bases, BySide, Cause, Fields, Hold, HoldReason, IntendedRule, Link, LinkId, LinkState,
    Presence, Record, RecordId, RecordKey, Side, Task, Timestamp,
};
use crate::store::{Claimed, ConflictRow};

/// A record, or both records of a pair, and what is known of them.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// What each side holds now; `None` where there is no record.
    pub sides: BySide<Option<Fields>>,
    pub bases: Bases,
    /// When each side was last edited, for rules that let the newest win.
    pub edited: BySide<Option<Timestamp>>,
    pub references: References,
}

/// What a run would do with it.
#[derive(Clone, Debug, Default)]
pub struct Foreseen {
    /// The rules that would write, by the side written to. To a side without a record: a create.
    pub writes: BySide<Vec<IntendedRule>>,
    pub conflicts: Vec<ConflictRow>,
    pub holds: Vec<Hold>,
    /// Why the record as a whole goes nowhere; `None` when it does not stop.
    pub stop: Option<Stop>,
}

/// Why nothing becomes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// A word for it: `outside-filter`, `not-created`, or the code of a setback.
    pub code: String,
    pub message: String,
}

impl Stop {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

/// Plans what is given, as a run would that finds it marked.
pub fn single(planning: &mut Planning<'_>, bound: &Bound, given: Given) -> Foreseen {
    if let Some(stop) = outside(bound, &given) {
        return Foreseen {
            stop: Some(stop),
            ..Foreseen::default()
        };
    }
    let mut unit = unit(planning, bound, &given);
    let times = Times::of(&unit, bound, &given.edited);
    let context = Context::of(given.references, times);
    plan_or_fail(planning, bound, &mut unit, &context);
    foreseen(unit)
}

/// A record outside the filter is not planned, and neither is its partner.
fn outside(bound: &Bound, given: &Given) -> Option<Stop> {
    for side in Side::BOTH {
        let Some(fields) = given.sides.get(side) else {
            continue;
        };
        match bound.takes_part(side, fields) {
            Ok(true) => {}
            Ok(false) => {
                let message = format!("the {} record is outside `only`", side.title());
                return Some(Stop::new("outside-filter", message));
            }
            Err(problem) => return Some(Stop::new("only", problem.detail)),
        }
    }
    None
}

fn unit(planning: &Planning<'_>, bound: &Bound, given: &Given) -> Unit {
    let now = planning.site.clock.now();
    let ids = BySide::new(RecordId::new("1"), RecordId::new("000000000000001AAA"));
    let mut unit = Unit {
        records: BySide::from_fn(|side| {
            let there = given.sides.get(side).is_some();
            there.then(|| ids.get(side).clone())
        }),
        read: BySide::from_fn(|side| {
            let fields = given.sides.get(side).clone()?;
            Some(Record {
                id: ids.get(side).clone(),
                fields,
                modified_at: None,
                created_at: None,
                presence: Presence::Live,
            })
        }),
        bases: given.bases.clone(),
        ..Unit::default()
    };
    if Side::BOTH
        .into_iter()
        .all(|side| unit.read.get(side).is_some())
    {
        let mapping = bound.mapping();
        unit.link = Some(Link {
            id: LinkId::from_uuid("of-the-case"),
            mapping: mapping.name.clone(),
            group: mapping.group.clone(),
            records: unit.records.clone(),
            state: LinkState::Linked,
            note: String::new(),
        });
    }
    let records = &unit.records;
    let marked = Side::BOTH
        .into_iter()
        .filter_map(|side| Some((side, records.get(side).clone()?)));
    unit.claimed = marked
        .map(|(side, id)| Claimed {
            task: Task::Record(RecordKey {
                mapping: bound.mapping().name.clone(),
                side,
                id,
            }),
            revision: 1,
            attempts: 0,
            cause: Cause::Poll,
            first_marked_at: now,
            not_before: now,
            parent: None,
            failure: None,
        })
        .collect();
    unit
}

fn foreseen(unit: Unit) -> Foreseen {
    let stop = match &unit.end {
        None => None,
        Some(End::Done | End::AtRest) if unit.writes.is_empty() => Some(Stop::new(
            "not-created",
            "the mapping creates no record for this one",
        )),
        Some(End::Done | End::AtRest) => None,
        Some(
            End::Failed(setback)
            | End::Paused(setback)
            | End::Again(setback)
            | End::BlockedOn { setback, .. },
        ) => {
            let failure = &setback.failure;
            Some(Stop::new(&failure.code, failure.message.clone()))
        }
    };
    let mut foreseen = Foreseen {
        conflicts: unit.changes.conflicts,
        holds: unit.changes.holds,
        stop,
        ..Foreseen::default()
    };
    // A record that cannot be created as a whole is not created in part.
    if foreseen.stop.is_none() {
        for write in unit.writes {
            foreseen.writes.get_mut(write.side).extend(write.rules);
        }
    }
    foreseen
}

impl Foreseen {
    /// The fields that would be sent to a side.
    pub fn sent(&self, side: Side) -> Fields {
        let rules = self.writes.get(side).iter();
        rules.flat_map(|rule| rule.after.clone()).collect()
    }

    pub fn writes_nothing(&self) -> bool {
        Side::BOTH
            .into_iter()
            .all(|side| self.writes.get(side).is_empty())
    }

    /// The reason a rule is held for.
    pub fn held(&self, rule: &str) -> Option<HoldReason> {
        let hold = self.holds.iter().find(|hold| hold.rule == rule)?;
        Some(hold.reason)
    }
}
