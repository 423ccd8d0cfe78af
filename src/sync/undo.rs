//! Plans what takes back a run's writes, in place of the merge.
//!
//! A value goes back only where its field still holds what the run wrote; what people made of it
//! since stays. With the intent the base goes back to what the sides had agreed on before, and the
//! rule is held on the two values it then has, so that the next pass does not write them again.
//! If the write does not happen, both sides still agree, and the hold fits nobody.

use super::desk::Planning;
use super::outcome::{put_hold, release};
use super::report::{Note, journal};
use super::settle::{value, whole};
use super::unit::{End, Unit, Write};
use crate::mapping::{Bound, Rule};
use crate::model::{
    BySide, Fields, Halves, HoldReason, IntendedRule, IntentKind, LinkState, PlannedWrite,
    Presence, Problem, Side, Undoes,
};
use crate::pipeline::{at_rest, rule_fields};

/// The reason of a write that takes another one back.
pub const UNDONE: &str = "undone";

pub fn plan(desk: &mut Planning<'_>, bound: &Bound, unit: &mut Unit, rows: &[PlannedWrite]) {
    if unit.link_state() != Some(LinkState::Linked) {
        return unit.finish(End::Done);
    }
    let both_live = Side::BOTH.into_iter().all(|side| {
        let record = unit.read.get(side).as_ref();
        record.is_some_and(|record| record.presence == Presence::Live)
    });
    if !both_live {
        return unit.finish(End::Done);
    }
    let mut writes = BySide::<Option<Write>>::default();
    for row in rows {
        match row.kind {
            IntentKind::Archive => archive(bound, unit, row),
            IntentKind::Update => update(desk, bound, unit, row, &mut writes),
            IntentKind::Create | IntentKind::Associate => {}
        }
    }
    if unit.writes.is_empty() {
        unit.writes.extend(writes.hubspot);
        unit.writes.extend(writes.salesforce);
    }
}

/// A record that the run had made goes, unless somebody has edited it.
fn archive(bound: &Bound, unit: &mut Unit, row: &PlannedWrite) {
    let untouched = unit
        .fields(row.side)
        .is_some_and(|fields| at_rest(bound, row.side, fields, &unit.bases, &[]));
    if untouched {
        unit.writes.push(Write {
            side: row.side,
            kind: IntentKind::Archive,
            rules: Vec::new(),
        });
    }
}

fn update(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    row: &PlannedWrite,
    writes: &mut BySide<Option<Write>>,
) {
    let (Some(rule), Some(undoes)) = (bound.mapping().rule(&row.rule), &row.undoes) else {
        return;
    };
    let Some(here) = unit.fields(row.side).cloned() else {
        return;
    };
    if rule.hash != row.rule_hash || !holds(bound, rule, row.side, &here, &row.before) {
        return;
    }
    let before = rule_fields(rule, row.side, &here);
    let mut after = row.after.clone();
    after.retain(|name, raw| before.get(name) != Some(raw));
    if after.is_empty() {
        return;
    }
    let other = row.side.other();
    let source = unit
        .fields(other)
        .map(|there| rule_fields(rule, other, there));
    let intended = IntendedRule {
        rule: rule.name.clone(),
        rule_hash: rule.hash.clone(),
        source: source.unwrap_or_default(),
        before,
        after,
        reason: UNDONE.to_owned(),
    };
    go_back(desk, bound, unit, rule, (row.side, &intended), undoes);
    let slot = writes.get_mut(row.side).get_or_insert_with(|| Write {
        side: row.side,
        kind: IntentKind::Update,
        rules: Vec::new(),
    });
    slot.rules.push(intended);
}

/// Whether the field still holds what was written to it.
fn holds(bound: &Bound, rule: &Rule, side: Side, now: &Fields, wrote: &Fields) -> bool {
    let mut then = rule_fields(rule, side, now);
    then.extend(wrote.clone());
    value(bound, rule, side, &whole(rule, side, now))
        == value(bound, rule, side, &whole(rule, side, &then))
}

fn go_back(
    desk: &mut Planning<'_>,
    bound: &Bound,
    unit: &mut Unit,
    rule: &Rule,
    (side, intended): (Side, &IntendedRule),
    undoes: &Undoes,
) {
    // The journal is walked back by the base that each entry found.
    let agreed = unit.bases.get(&rule.name).map(|base| base.sides.clone());
    let mut note = Note::new(&rule.name, "undo", UNDONE);
    note.base = agreed;
    note.inputs = BySide::from_fn(|side| {
        let fields = unit.fields(side);
        fields.map_or_else(Fields::new, |fields| rule_fields(rule, side, fields))
    });
    journal(desk, bound, unit, note);
    match &undoes.base {
        Some(sides) => {
            let halves = Halves {
                sides: sides.clone(),
                rule_hash: rule.hash.clone(),
            };
            unit.bases.insert(rule.name.clone(), halves);
        }
        None => {
            unit.bases.remove(&rule.name);
        }
    }
    unit.bases_dirty = true;
    let mut sides = BySide::<Fields>::default();
    let mut back = intended.before.clone();
    back.extend(intended.after.clone());
    *sides.get_mut(side) = back;
    sides.get_mut(side.other()).clone_from(&intended.source);
    let agreed = undoes.base.as_ref().is_some_and(|base| {
        Side::BOTH
            .into_iter()
            .all(|side| holds(bound, rule, side, sides.get(side), base.get(side)))
    });
    if agreed {
        return release(desk, unit, rule);
    }
    let problem = Problem {
        reason: HoldReason::Undone,
        detail: format!(
            "what a run wrote to {} was taken back; the two stay as they are until somebody \
             edits one of them",
            side.title()
        ),
    };
    put_hold(desk, bound, unit, rule, sides, &problem);
}
