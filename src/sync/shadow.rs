//! What an attempt does instead of writing, in a run that observes for as long as it runs: it
//! keeps in the store what would have been written, and judges later by what is there who wrote it
//! instead.
//!
//! A pair is looked at again whenever either record changes, and once an hour while something is
//! open about it. One open row at most is about one rule of one record.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::observe::{planned, unsent};
use super::unit::{Batch, End, Unit};
use crate::mapping::{Bound, References};
use crate::model::{Fields, IntentKind, PlannedWrite, Presence, RecordId, Side, Timestamp};
use crate::pipeline::rule_fields;
use crate::store::{ShadowState, ShadowWrite, StoreError};

/// What one row is about.
type Place = (Side, IntentKind, RecordId, String);

pub async fn keep(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), StoreError> {
    let records: BTreeSet<RecordId> = batch
        .units
        .iter()
        .flat_map(|unit| Side::BOTH.map(|side| unit.records.get(side).clone()))
        .flatten()
        .collect();
    let records: Vec<RecordId> = records.into_iter().collect();
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let name = &bound.mapping().name;
    let mut open: BTreeMap<Place, ShadowWrite> = BTreeMap::new();
    for row in store.shadow_open(ws, name, &records).await? {
        open.insert(place_of(&row), row);
    }
    for unit in &mut batch.units {
        // What could not be looked at says nothing about what came of it.
        let looked = matches!(unit.end, None | Some(End::Done | End::AtRest));
        if looked {
            let rows = of_unit(desk, bound, unit, &mut open);
            unit.changes.shadow.extend(rows);
        }
        unsent(unit);
    }
    Ok(())
}

fn place_of(row: &ShadowWrite) -> Place {
    (row.side, row.kind, row.record.clone(), row.rule.clone())
}

/// The rows that are new about a unit, and those that changed or ended.
fn of_unit(
    desk: &Desk<'_>,
    bound: &Bound,
    unit: &Unit,
    open: &mut BTreeMap<Place, ShadowWrite>,
) -> Vec<ShadowWrite> {
    let now = desk.site.clock.now();
    let wanted = unit
        .writes
        .iter()
        .flat_map(|write| planned(bound, unit, write));
    let mut wanted: BTreeMap<Place, ShadowWrite> = wanted
        .filter(PlannedWrite::says)
        .filter_map(|row| row_of(desk, row, now))
        .map(|row| (place_of(&row), row))
        .collect();
    let about = |(side, kind, record, _): &Place| {
        let on = match kind {
            IntentKind::Create => side.other(),
            IntentKind::Update | IntentKind::Associate | IntentKind::Archive => *side,
        };
        // A record at rest tells of its own side only.
        let told = unit.end != Some(End::AtRest) || unit.is_marked(side.other());
        told && unit.records.get(on).as_ref() == Some(record)
    };
    let known: Vec<Place> = open.keys().filter(|place| about(place)).cloned().collect();
    let mut rows = Vec::new();
    for place in known {
        let Some(mut row) = open.remove(&place) else {
            continue;
        };
        let moved = became(bound, unit, &row);
        match (wanted.remove(&place), moved) {
            (Some(again), Became::Untouched) => {
                if again.after != row.after {
                    row.after = again.after;
                    row.from = again.from;
                    row.reason = again.reason;
                    rows.push(row);
                }
                continue;
            }
            (again, became) => {
                rows.extend(again);
                rows.push(ended(row, became, now));
            }
        }
    }
    rows.extend(wanted.into_values());
    rows
}

fn row_of(desk: &Desk<'_>, row: PlannedWrite, now: Timestamp) -> Option<ShadowWrite> {
    let record = row.subject()?.clone();
    Some(ShadowWrite {
        id: desk.site.ids.next(),
        mapping: row.mapping,
        side: row.side,
        kind: row.kind,
        record,
        rule: row.rule,
        first_at: now,
        state: ShadowState::Open,
        ended_at: None,
        reason: row.reason,
        from: row.from,
        before: row.before,
        after: row.after,
        found: None,
    })
}

/// What became of the place that a row would have been written to.
enum Became {
    /// As it was.
    Untouched,
    /// As it would have been written.
    AsPlanned,
    Otherwise(Fields),
}

fn became(bound: &Bound, unit: &Unit, row: &ShadowWrite) -> Became {
    let there = unit.read.get(row.side).as_ref();
    let live = there.filter(|record| record.presence == Presence::Live);
    match row.kind {
        IntentKind::Create if unit.records.get(row.side).is_some() => Became::AsPlanned,
        IntentKind::Create => Became::Untouched,
        IntentKind::Archive if there.is_some() && live.is_none() => Became::AsPlanned,
        IntentKind::Archive => Became::Untouched,
        IntentKind::Update | IntentKind::Associate => {
            let (Some(record), Some(rule)) = (live, bound.mapping().rule(&row.rule)) else {
                return Became::Untouched;
            };
            let now = rule_fields(rule, row.side, &record.fields);
            let mut meant = now.clone();
            meant.extend(row.before.clone());
            if now == meant {
                return Became::Untouched;
            }
            meant.extend(row.after.clone());
            let none = References::default();
            let canon = |fields: &Fields| bound.canon(rule, row.side, fields, &none);
            let alike =
                matches!((canon(&now), canon(&meant)), (Ok(one), Ok(other)) if one == other);
            match now == meant || alike {
                true => Became::AsPlanned,
                false => Became::Otherwise(now),
            }
        }
    }
}

fn ended(mut row: ShadowWrite, became: Became, now: Timestamp) -> ShadowWrite {
    (row.state, row.found) = match became {
        Became::Untouched => (ShadowState::Withdrawn, None),
        Became::AsPlanned => (ShadowState::Same, None),
        Became::Otherwise(found) => (ShadowState::Otherwise, Some(found)),
    };
    row.ended_at = Some(now);
    row
}
