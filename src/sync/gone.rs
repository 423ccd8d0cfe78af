//! Judges pairs of which one record is deleted, merged, converted, hidden or outside the filter.
//!
//! Absence is not a delete: a delete needs proof, a policy that allows it, and room under the
//! guard. Merges and conversions are left to a person; nothing is deleted or created over them.

use super::desk::Desk;
use super::load::ReadError;
use super::matching;
use super::report::{self, Note, journal};
use super::unit::{Batch, End, Unit, Write};
use crate::mapping::{Bound, Delete, OnLeave};
use crate::model::{BySide, ConflictId, IntentKind, LinkState, Presence, RecordKey, Side};
use crate::pipeline::at_rest;
use crate::store::{ApprovalState, ConflictRow, ConflictState, Tombstone};

const DAY_MILLIS: i64 = 24 * 3_600_000;

/// The kind of mass change that this guard asks about.
pub const DELETES: &str = "deletes";

/// Note of a link that was suspended only because a record was not visible.
const NOT_VISIBLE: &str = "not-visible";

pub async fn judge(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), ReadError> {
    let mut deletes = BySide::new(0_u64, 0_u64);
    for unit in batch.open().filter(|unit| unit.link.is_some()) {
        if unit.link_dirty && unit.link_state() == Some(LinkState::Linked) {
            matching::verify(desk, bound, unit);
        }
        let Some(state) = unit.link_state().filter(|_| unit.open()) else {
            continue;
        };
        match state {
            LinkState::Linked => linked(desk, bound, unit),
            LinkState::Creating(on) => creating(desk, bound, unit, on),
            LinkState::Unlinked => unit.finish(End::Done),
            LinkState::Tombstoned | LinkState::Frozen | LinkState::Suspended => {
                revive(bound, unit, state);
            }
        }
        if let Some(side) = archive_of(unit) {
            *deletes.get_mut(side) += 1;
        }
    }
    for side in Side::BOTH {
        if *deletes.get(side) > 0 {
            guard(desk, bound, batch, side, *deletes.get(side)).await?;
        }
    }
    Ok(())
}

fn archive_of(unit: &Unit) -> Option<Side> {
    let write = unit
        .writes
        .iter()
        .find(|write| write.kind == IntentKind::Archive)?;
    unit.open().then_some(write.side)
}

fn linked(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit) {
    for side in Side::BOTH {
        let Some(record) = unit.read.get(side).clone() else {
            continue;
        };
        match record.presence {
            Presence::Live => {}
            Presence::Deleted => return deleted(desk, bound, unit, side),
            Presence::NotVisible => {
                let what = "is neither readable nor provably deleted; check sharing, scopes and \
                            permissions of the connected user";
                return suspend(bound, unit, side, NOT_VISIBLE, what);
            }
            Presence::MergedInto(into) => {
                let what = format!("was merged into {into}; pair the survivor by hand");
                return suspend(bound, unit, side, "merged", &what);
            }
            Presence::Converted { contact } => {
                let into = contact.map_or_else(String::new, |id| format!(" into Contact {id}"));
                let what = format!("was converted{into}; pair the Contact by hand");
                return suspend(bound, unit, side, "converted", &what);
            }
        }
    }
    for side in Side::BOTH {
        let Some(fields) = unit.fields(side) else {
            continue;
        };
        match bound.takes_part(side, fields) {
            Ok(true) => {}
            Ok(false) => return left(desk, bound, unit, side),
            Err(problem) => {
                return unit.finish(End::Failed(report::problem_setback("only", &problem)));
            }
        }
    }
}

/// The link waits for a person, who finds it among the dead letters.
fn suspend(bound: &Bound, unit: &mut Unit, side: Side, code: &str, what: &str) {
    let id = unit.records.get(side).clone();
    let id = id.as_ref().map_or("", crate::model::RecordId::as_str);
    unit.set_state(LinkState::Suspended, code);
    let object = bound.mapping().objects.get(side);
    unit.finish(report::person(
        code,
        format!("{} {object} {id} {what}.", side.title()),
    ));
}

fn deleted(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, side: Side) {
    let survivor = side.other();
    match bound.mapping().delete.get(survivor) {
        Delete::Unlink | Delete::Ignore => bury(desk, bound, unit, "deleted", side),
        Delete::Archive => archive_survivor(desk, bound, unit, side),
    }
}

/// The survivor goes too, unless it changed since the sides agreed: an edit beats a delete.
fn archive_survivor(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, side: Side) {
    let survivor = side.other();
    let Some(record) = unit.read.get(survivor).clone() else {
        return;
    };
    if record.presence == Presence::Deleted {
        return bury(desk, bound, unit, "deleted on both sides", side);
    }
    if record.presence != Presence::Live {
        return suspend(bound, unit, survivor, NOT_VISIBLE, "is not readable");
    }
    if !at_rest(bound, survivor, &record.fields, &unit.bases, &unit.holds) {
        keep_edited(desk, bound, unit, side);
        return bury(desk, bound, unit, "edit beats delete", side);
    }
    unit.writes.push(Write {
        side: survivor,
        kind: IntentKind::Archive,
        rules: Vec::new(),
    });
}

fn keep_edited(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, side: Side) {
    let Some(link) = &unit.link else { return };
    let site = desk.site;
    let row = ConflictRow {
        id: ConflictId::from_uuid(&site.ids.next()),
        at: site.clock.now(),
        run: site.run.clone(),
        mapping: bound.mapping().name.clone(),
        link: link.id.clone(),
        rule: String::new(),
        base: None,
        inputs: BySide::from_fn(|side| unit.fields(side).cloned().unwrap_or_default()),
        winner: Some(side.other()),
        loser: crate::model::Fields::new(),
        reason: "delete-vs-edit".to_owned(),
        state: ConflictState::Decided,
    };
    unit.changes.conflicts.push(row);
}

/// A tombstone is never re-created by a later edit or scan.
pub fn bury(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, why: &str, side: Side) {
    unit.set_state(LinkState::Tombstoned, why);
    put_tombstones(desk, bound, unit, why);
    let mut note = Note::new("", "tombstone", "deleted");
    note.winner = Some(side);
    note.detail = why.to_owned();
    journal(desk, bound, unit, note);
    unit.finish(End::Done);
}

pub fn put_tombstones(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, why: &str) {
    let Some(link) = unit.link.clone() else {
        return;
    };
    for side in Side::BOTH {
        if let Some(id) = link.records.get(side).clone() {
            let key = RecordKey {
                mapping: bound.mapping().name.clone(),
                side,
                id,
            };
            unit.changes.tombstones.push(Tombstone {
                key,
                link: link.id.clone(),
                at: desk.site.clock.now(),
                reason: why.to_owned(),
            });
        }
    }
}

/// A linked record that no longer passes the filter.
fn left(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, side: Side) {
    let mut note = Note::new("", "left-filter", "only");
    note.inputs = BySide::from_fn(|side| unit.fields(side).cloned().unwrap_or_default());
    match bound.mapping().on_leave {
        OnLeave::Keep => {
            unit.set_state(LinkState::Frozen, "left the filter");
            unit.finish(End::Done);
        }
        OnLeave::Unlink => {
            unit.set_state(LinkState::Unlinked, "left the filter");
            unit.finish(End::Done);
        }
        OnLeave::Archive => archive_survivor(desk, bound, unit, side),
    }
    journal(desk, bound, unit, note);
}

/// The source of a create went away before the create was made.
fn creating(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, on: Side) {
    let source = on.other();
    let gone = unit
        .read
        .get(source)
        .as_ref()
        .is_some_and(|r| r.presence == Presence::Deleted);
    if gone && unit.intents.is_empty() {
        bury(desk, bound, unit, "deleted before it was created", source);
    }
}

/// Both records are there again, or back inside the filter: the pair goes on with its old base.
fn revive(bound: &Bound, unit: &mut Unit, state: LinkState) {
    let back = Side::BOTH.into_iter().all(|side| {
        unit.read.get(side).as_ref().is_some_and(|record| {
            record.presence == Presence::Live
                && bound.takes_part(side, &record.fields).unwrap_or(false)
        })
    });
    let waits_for_person = state == LinkState::Suspended
        && unit
            .link
            .as_ref()
            .is_some_and(|link| link.note != NOT_VISIBLE);
    if !back || waits_for_person {
        return unit.finish(End::Done);
    }
    if let Some(link) = unit.link.clone() {
        for side in Side::BOTH {
            if let Some(id) = link.records.get(side).clone() {
                let mapping = link.mapping.clone();
                unit.changes
                    .tombstones_lifted
                    .push(RecordKey { mapping, side, id });
            }
        }
    }
    unit.set_state(LinkState::Linked, "");
}

/// Holds all deletes of this direction when there are too many within a day.
async fn guard(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    side: Side,
    proposed: u64,
) -> Result<(), ReadError> {
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let name = &bound.mapping().name;
    let since = desk.site.clock.now().plus_millis(-DAY_MILLIS);
    let done = store.deletes_since(ws, name, side, since).await?;
    let links = store.count_links(ws, Some(name)).await?.into_values().sum();
    let Some(room) = bound.mapping().guard.deletes.allowed(links) else {
        return Ok(());
    };
    if done + proposed <= room {
        return Ok(());
    }
    let approved = approved(desk, bound, side).await?;
    for unit in batch.open() {
        if archive_of(unit) != Some(side) {
            continue;
        }
        let id = unit.records.get(side).clone();
        if id.is_some_and(|id| approved.contains(&id)) {
            continue;
        }
        unit.writes.clear();
        unit.finish(report::person(
            "guard-deletes",
            format!(
                "{} deletes on {} within 24 hours would exceed the guard of {room}. \
                 Look at them with `tandem approve`, which releases exactly the listed set.",
                done + proposed,
                side.title(),
            ),
        ));
    }
    Ok(())
}

/// The records whose deletion on this side a person has released, and for how long that counts.
async fn approved(
    desk: &Desk<'_>,
    bound: &Bound,
    side: Side,
) -> Result<std::collections::BTreeSet<crate::model::RecordId>, ReadError> {
    let now = desk.site.clock.now();
    let approvals = desk.site.store.approvals(&desk.site.workspace).await?;
    Ok(approvals
        .into_iter()
        .filter(|a| a.mapping == bound.mapping().name && a.side == side && a.kind == DELETES)
        .filter(|a| a.state == ApprovalState::Granted && a.expires_at.is_some_and(|at| at > now))
        .flat_map(|approval| approval.records)
        .collect())
}
