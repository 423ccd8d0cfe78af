//! What an attempt does instead of writing, in a run that only plans.

use std::collections::BTreeMap;

use super::desk::Desk;
use super::fold::key_of;
use super::unit::{Batch, Unit, Write};
use crate::mapping::Bound;
use crate::model::{
    BySide, Hold, IntentKind, MappingName, PlannedWrite, RecordId, RecordKey, Side,
};
use crate::store::ConflictRow;

/// Where a write goes: nothing is planned twice for one place, the latest plan counts.
type Place = (MappingName, Side, IntentKind, Option<RecordId>, String);

/// The writes of a run that only plans. A record may be looked at more than once meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    rows: BTreeMap<Place, PlannedWrite>,
    /// Values that new records would have to do without, by the record each is made from.
    held: BTreeMap<RecordKey, Vec<Hold>>,
}

impl Planned {
    /// In the order of mappings, sides and records.
    pub fn rows(&self) -> impl Iterator<Item = &PlannedWrite> {
        self.rows.values()
    }

    /// The holds that creates would leave. The store has none of them: a planned link has only one
    /// end and is not kept.
    pub fn held(&self) -> impl Iterator<Item = (&RecordKey, &Hold)> {
        let held = self.held.iter();
        held.flat_map(|(key, holds)| holds.iter().map(move |hold| (key, hold)))
    }

    /// Answers whether this is news.
    fn put(&mut self, row: PlannedWrite) -> bool {
        let subject = row.subject().cloned();
        let place = (
            row.mapping.clone(),
            row.side,
            row.kind,
            subject,
            row.rule.clone(),
        );
        self.rows.insert(place, row).is_none()
    }
}

/// Keeps what would be written and sends nothing. A record that would be created is as good as
/// done.
pub fn note(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) {
    let mut news: Vec<Write> = Vec::new();
    let create = |write: &&Write| write.kind == IntentKind::Create;
    for unit in batch.open() {
        if let Some(on) = unit.writes.iter().find(create).map(|write| write.side)
            && let Some(source) = key_of(bound, unit, on.other())
        {
            let holds = std::mem::take(&mut unit.changes.holds);
            desk.tally.planned.held.insert(source, holds);
        }
        for write in unsent(unit) {
            let mut new = false;
            for row in planned(bound, unit, &write) {
                new |= desk.tally.planned.put(row);
            }
            news.extend(new.then_some(write));
        }
    }
    desk.tally.forecast.add(bound, &news);
}

/// Takes out what would have been sent. What a write would have put back stays open, for a run that
/// writes, and a record that would have been created leaves nothing behind.
pub fn unsent(unit: &mut Unit) -> Vec<Write> {
    unit.restores.clear();
    let writes = std::mem::take(&mut unit.writes);
    // Nobody has lost what was not written over.
    let undecided = |conflict: &ConflictRow| conflict.winner.is_none();
    unit.changes.conflicts.retain(undecided);
    if writes.iter().any(|write| write.kind == IntentKind::Create) {
        unit.link_dirty = false;
        unit.link = None;
        unit.changes.holds.clear();
        unit.changes.journal.clear();
    }
    writes
}

/// A row for each rule of a write, or one for a record that goes.
pub fn planned(bound: &Bound, unit: &Unit, write: &Write) -> Vec<PlannedWrite> {
    let side = write.side;
    let owned = unit.fields(side).or_else(|| unit.fields(side.other()));
    let row = PlannedWrite {
        mapping: bound.mapping().name.clone(),
        side,
        kind: write.kind,
        record: unit.records.get(side).clone(),
        source: unit.records.get(side.other()).clone(),
        rule: String::new(),
        rule_hash: String::new(),
        from: Default::default(),
        before: Default::default(),
        after: Default::default(),
        reason: "deleted".to_owned(),
        versions: BySide::from_fn(|side| unit.read.get(side).as_ref()?.modified_at),
        owner: owned.and_then(|fields| bound.owner(fields)),
        undoes: None,
    };
    if write.rules.is_empty() {
        return vec![row];
    }
    let rules = write.rules.iter().cloned();
    rules
        .map(|rule| PlannedWrite {
            rule: rule.rule,
            rule_hash: rule.rule_hash,
            from: rule.source,
            before: rule.before,
            after: rule.after,
            reason: rule.reason,
            ..row.clone()
        })
        .collect()
}
