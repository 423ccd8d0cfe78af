//! Judges pairs of which one record is deleted, merged, converted, hidden or outside the filter.
//!
//! Absence is not a delete: a delete needs proof, a policy that allows it, and room under the
//! guard. Merges and conversions are left to a person; nothing is deleted or created over them.

use std::collections::BTreeSet;

use super::desk::Desk;
use super::guard::{self, Kind, Proposed};
use super::load::ReadError;
use super::matching;
use super::report::{self, Note, journal};
use super::unit::{Batch, End, Guarded, Unit, Write};
use crate::bugs::{self, Bug};
use crate::mapping::{Bound, Delete, OnLeave};
use crate::model::{
    BySide, ConflictId, IntentKind, LinkState, Presence, RecordId, RecordKey, Side,
};
use crate::pipeline::at_rest;
use crate::store::{Changes, ConflictRow, ConflictState, Tombstone};

const DAY_MILLIS: i64 = 24 * 3_600_000;

/// Why a record is gone that we deleted ourselves, as against one that somebody else did.
pub const ARCHIVED: &str = "archived";

/// Note of a link that was suspended only because a record was not visible.
const NOT_VISIBLE: &str = "not-visible";

pub async fn judge(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), ReadError> {
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
                revive(desk, bound, unit, state);
            }
        }
    }
    for side in Side::BOTH {
        guard(desk, bound, batch, side).await?;
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
            Presence::Deleted if bugs::on(Bug::DeletedTakenForLive) => {}
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
        Delete::Unlink | Delete::Ignore if !bugs::on(Bug::DeletePolicyIgnored) => {
            bury(desk, bound, unit, "deleted", side)
        }
        Delete::Unlink | Delete::Ignore | Delete::Archive => {
            archive_survivor(desk, bound, unit, side)
        }
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
    let keep = !bugs::on(Bug::DeleteBeatsEdit);
    if keep && !at_rest(bound, survivor, &record.fields, &unit.bases, &unit.holds) {
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
    put_tombstones(desk, bound, unit, why, side);
    let mut note = Note::new("", "tombstone", "deleted");
    note.winner = Some(side);
    note.detail = why.to_owned();
    journal(desk, bound, unit, note);
    unit.finish(End::Done);
}

/// `gone` is the side where somebody deleted the record; only the other one was archived by us.
fn put_tombstones(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, why: &str, gone: Side) {
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
            let theirs = side == gone && why == ARCHIVED;
            let why = if theirs { "deleted" } else { why };
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
    let Some(record) = unit
        .read
        .get(source)
        .clone()
        .filter(|_| unit.intents.is_empty())
    else {
        return;
    };
    match record.presence {
        Presence::Live if bound.takes_part(source, &record.fields).unwrap_or(true) => {}
        Presence::Live => {
            unit.set_state(LinkState::Unlinked, "left the filter before it was created");
            unit.finish(End::Done);
        }
        Presence::Deleted => bury(desk, bound, unit, "deleted before it was created", source),
        Presence::MergedInto(_) | Presence::Converted { .. } | Presence::NotVisible => {
            let what = "can no longer be read as it was when its copy was planned";
            suspend(bound, unit, source, NOT_VISIBLE, what);
        }
    }
}

/// Both records are there again, or back inside the filter: the pair goes on with its old base.
fn revive(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, state: LinkState) {
    let deleted_side = Side::BOTH.into_iter().find(|side| {
        unit.read
            .get(*side)
            .as_ref()
            .is_some_and(|r| r.presence == Presence::Deleted)
    });
    if let Some(side) = deleted_side.filter(|_| state != LinkState::Tombstoned) {
        return deleted(desk, bound, unit, side);
    }
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

/// Holds the deletes of this direction when there are too many within a day.
async fn guard(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    side: Side,
) -> Result<(), ReadError> {
    let records: BTreeSet<RecordId> = batch
        .open()
        .filter(|unit| archive_of(unit) == Some(side))
        .filter_map(|unit| unit.records.get(side).clone())
        .collect();
    if records.is_empty() {
        return Ok(());
    }
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let since = desk.site.clock.now().plus_millis(-DAY_MILLIS);
    let proposed = Proposed {
        kind: Kind::Deletes,
        side,
        done: store
            .tombstones_since(ws, &bound.mapping().name, side, ARCHIVED, since)
            .await?,
        records,
    };
    let mut changes = Changes::default();
    let Some(stop) = guard::stop(desk, bound, &proposed, &mut changes).await? else {
        return Ok(());
    };
    for unit in batch.open() {
        if archive_of(unit) != Some(side) {
            continue;
        }
        match stop.grant(unit.records.get(side).as_ref()).cloned() {
            Some(grant) => unit.guarded.push(Guarded {
                kind: Kind::Deletes,
                side,
                grant: Some(grant),
            }),
            None => {
                unit.writes.clear();
                unit.finish(report::person("guard-deletes", stop.message.clone()));
            }
        }
    }
    batch.note(changes);
    Ok(())
}
