//! Judges pairs of which one record is deleted, hidden, back again, or outside the filter.
//!
//! Absence is not a delete: a delete needs proof, a policy that allows it, and room under the
//! guard, and so does taking many pairs apart. What came back rejoins its pair with the old base.

use std::collections::BTreeSet;

use super::desk::Desk;
use super::fold::key_of;
use super::follow::mark;
use super::guard::{self, Kind, Proposed};
use super::load::ReadError;
use super::matching;
use super::passage;
use super::report::{self, Note, journal};
use super::unit::{Batch, End, Guarded, Parting, Unit, Why, Write};
use crate::bugs::{self, Bug};
use crate::mapping::{Bound, Delete, OnLeave};
use crate::model::{
    BySide, ConflictId, IntentKind, Link, LinkState, Presence, RecordId, RecordKey, Side,
};
use crate::pipeline::at_rest;
use crate::store::{Changes, ConflictRow, ConflictState, Tombstone};

const DAY_MILLIS: i64 = 24 * 3_600_000;

/// Why a record is gone that we deleted ourselves, as against one that somebody else did.
pub const ARCHIVED: &str = "archived";

const BOTH_DELETED: &str = "deleted on both sides";

/// Note of a link that was suspended only because a record was not visible.
const NOT_VISIBLE: &str = "not-visible";

pub async fn judge(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), ReadError> {
    let rivals = rivals(desk, bound, batch).await?;
    let theirs = matching::kept_by_peers(desk, bound, batch).await?;
    for unit in batch.open().filter(|unit| unit.link.is_some()) {
        if unit.link_dirty && unit.link_state() == Some(LinkState::Linked) {
            matching::verify(desk, bound, unit, &theirs);
        }
        let Some(state) = unit.link_state().filter(|_| unit.open()) else {
            continue;
        };
        match state {
            LinkState::Linked => linked(desk, bound, unit),
            LinkState::Creating(on) => creating(desk, bound, unit, on),
            LinkState::Unlinked => unit.finish(End::Done),
            LinkState::Detached => detached(unit),
            LinkState::Tombstoned | LinkState::Frozen | LinkState::Suspended => {
                revive(desk, bound, unit, state, &rivals);
            }
        }
    }
    for side in Side::BOTH {
        guard(desk, bound, batch, side, Kind::Deletes).await?;
        guard(desk, bound, batch, side, Kind::Unlinks).await?;
    }
    for unit in batch.open() {
        if let Some(parting) = unit.parting.take() {
            part(desk, bound, unit, &parting);
        }
    }
    Ok(())
}

/// Records of buried pairs that have another open link by now: those pairs stay buried.
async fn rivals(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &Batch,
) -> Result<BySide<BTreeSet<RecordId>>, ReadError> {
    let mut found: BySide<BTreeSet<RecordId>> = BySide::default();
    for side in Side::BOTH {
        let buried = |unit: &Unit| unit.link_state() == Some(LinkState::Tombstoned);
        let ids = batch.ids(side, buried);
        let links = matching::open_links(desk, bound, side, &ids).await?;
        found.get_mut(side).extend(links.into_keys());
    }
    Ok(found)
}

/// Somebody has to say what becomes of the record that a merge left over, unless it went too.
fn detached(unit: &mut Unit) {
    let live = |side: Side| {
        let record = unit.read.get(side).as_ref();
        record.is_some_and(|record| record.presence == Presence::Live)
    };
    if !Side::BOTH.into_iter().any(live) {
        unit.set_state(LinkState::Unlinked, "gone on both sides");
        return unit.finish(End::Done);
    }
    match unit.link.as_ref().filter(|_| unit.asked_by_person()) {
        Some(link) => {
            let message = link.note.clone();
            unit.finish(report::person(super::follow::MERGED, message));
        }
        None => unit.finish(End::Done),
    }
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
            // Followed before, unless the link is only being made.
            Presence::MergedInto(_) | Presence::Converted { .. } => {
                let what = "became another record at this moment";
                return suspend(bound, unit, side, NOT_VISIBLE, what);
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
pub fn suspend(bound: &Bound, unit: &mut Unit, side: Side, code: &str, what: &str) {
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
            let gone = Presence::Deleted;
            let other = unit.read.get(survivor).as_ref();
            if other.is_some_and(|record| record.presence == gone) {
                return bury(desk, bound, unit, BOTH_DELETED, side);
            }
            let why = Why::Deleted;
            unit.parting = Some(Parting { side, why });
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
        return bury(desk, bound, unit, BOTH_DELETED, side);
    }
    if record.presence != Presence::Live {
        return suspend(bound, unit, survivor, NOT_VISIBLE, "is not readable");
    }
    let keep = !bugs::on(Bug::DeleteBeatsEdit);
    // What waits under a hold has not travelled, so it would go with the record.
    if keep && !at_rest(bound, survivor, &record.fields, &unit.bases, &[]) {
        let why = Why::DeletedButEdited;
        unit.parting = Some(Parting { side, why });
        return;
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
    match bound.mapping().on_leave {
        OnLeave::Keep => {
            unit.set_state(LinkState::Frozen, "left the filter");
            unit.finish(End::Done);
        }
        OnLeave::Unlink => {
            let why = Why::LeftFilter;
            unit.parting = Some(Parting { side, why });
            return;
        }
        OnLeave::Archive => archive_survivor(desk, bound, unit, side),
    }
    note_leaving(desk, bound, unit);
}

fn note_leaving(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit) {
    let mut note = Note::new("", "left-filter", "only");
    note.inputs = BySide::from_fn(|side| unit.fields(side).cloned().unwrap_or_default());
    journal(desk, bound, unit, note);
}

/// The guard has no objection: the pair is taken apart.
fn part(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, parting: &Parting) {
    match parting.why {
        Why::Deleted => bury(desk, bound, unit, "deleted", parting.side),
        Why::DeletedButEdited => {
            keep_edited(desk, bound, unit, parting.side);
            bury(desk, bound, unit, "edit beats delete", parting.side);
        }
        Why::LeftFilter => {
            unit.set_state(LinkState::Unlinked, "left the filter");
            note_leaving(desk, bound, unit);
            unit.finish(End::Done);
        }
    }
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
fn revive(
    desk: &Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    state: LinkState,
    rivals: &BySide<BTreeSet<RecordId>>,
) {
    let presence = |side: Side| unit.read.get(side).as_ref().map(|r| r.presence.clone());
    let deleted = |side: &Side| presence(*side) == Some(Presence::Deleted);
    let deleted_side = Side::BOTH.into_iter().find(deleted);
    if let Some(side) = deleted_side.filter(|_| state != LinkState::Tombstoned) {
        return self::deleted(desk, bound, unit, side);
    }
    let live = |side: &Side| presence(*side) == Some(Presence::Live);
    let back = Side::BOTH.into_iter().all(|side| {
        let takes_part = unit
            .fields(side)
            .is_some_and(|fields| bound.takes_part(side, fields).unwrap_or(false));
        live(&side) && takes_part
    });
    let note = unit.link.as_ref().map_or("", |link| link.note.as_str());
    let waits_for_person = state == LinkState::Suspended && note != NOT_VISIBLE;
    let both_went = state == LinkState::Tombstoned && [ARCHIVED, BOTH_DELETED].contains(&note);
    if both_went
        && !back
        && let Some(side) = Side::BOTH.into_iter().find(live)
    {
        return unit.finish(half_back(bound, unit, side));
    }
    if !back || waits_for_person {
        return unit.finish(End::Done);
    }
    if let Some(side) = taken_meanwhile(unit, rivals) {
        return unit.finish(linked_anew(bound, unit, side));
    }
    let keys = Side::BOTH
        .into_iter()
        .filter_map(|side| key_of(bound, unit, side));
    let keys: Vec<RecordKey> = keys.collect();
    // What changed while the pair was apart has no mark any more. Should the process end before it
    // has travelled, this one says that both are to be looked at.
    let unmarked = keys.iter().filter(|key| !unit.is_marked(key.side));
    let marks: Vec<_> = unmarked.map(|key| mark(desk, key.clone())).collect();
    unit.changes.marks.extend(marks);
    unit.changes.tombstones_lifted.extend(keys);
    unit.set_state(LinkState::Linked, "");
}

/// The side whose record was paired with another one while the pair was buried.
fn taken_meanwhile(unit: &Unit, rivals: &BySide<BTreeSet<RecordId>>) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| {
        let id = unit.records.get(*side).as_ref();
        id.is_some_and(|id| rivals.get(*side).contains(id))
    })
}

/// Both records went, and only one was taken out of the bin. The other one is never made anew.
fn half_back(bound: &Bound, unit: &Unit, side: Side) -> End {
    let objects = &bound.mapping().objects;
    let name = |side: Side| {
        let id = unit.records.get(side).as_ref();
        let id = id.map_or("", RecordId::as_str);
        format!("{} {} {id}", side.title(), objects.get(side))
    };
    let message = format!(
        "{} was restored, but {}, which was deleted with it, was not. Restore that too and the \
         pair goes on by itself, or pair the record with another one by `tandem links pair`.",
        name(side),
        name(side.other()),
    );
    report::person("restored", message)
}

fn linked_anew(bound: &Bound, unit: &Unit, side: Side) -> End {
    let objects = &bound.mapping().objects;
    let id = |side: Side| {
        let id = unit.records.get(side).as_ref();
        id.map_or("", RecordId::as_str)
    };
    let back = side.other();
    let message = format!(
        "{} {} {} was restored, but its partner {} {} was linked with another record meanwhile. \
         Merge the two {} records, or pair them differently with `tandem links`.",
        back.title(),
        objects.get(back),
        id(back),
        side.title(),
        id(side),
        back.title(),
    );
    report::person("already-linked", message)
}

/// Whether the guard has to look at this unit, as one whose record on `side` would be deleted or
/// left without its partner.
fn proposes(unit: &Unit, side: Side, kind: Kind) -> bool {
    match kind {
        Kind::Deletes => archive_of(unit) == Some(side),
        Kind::Unlinks => {
            let parting = unit.parting.as_ref().filter(|_| unit.open());
            parting.is_some_and(|parting| parting.side.other() == side)
        }
        Kind::Blanks | Kind::Changes => false,
    }
}

/// Holds what would delete records or take pairs apart when there is too much of it within a day.
async fn guard(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    side: Side,
    kind: Kind,
) -> Result<(), ReadError> {
    let records: BTreeSet<RecordId> = batch
        .open()
        .filter(|unit| proposes(unit, side, kind))
        .filter_map(|unit| unit.records.get(side).clone())
        .collect();
    if records.is_empty() {
        return Ok(());
    }
    let proposed = Proposed {
        kind,
        side,
        done: done(desk, bound, side, kind).await?,
        records,
    };
    let mut changes = Changes::default();
    let stop = guard::stop(desk, bound, &proposed, &mut changes).await?;
    for unit in batch.open() {
        if !proposes(unit, side, kind) {
            continue;
        }
        let id = unit.records.get(side).as_ref();
        let grant = stop.as_ref().and_then(|stop| stop.grant(id)).cloned();
        match &stop {
            Some(stop) if grant.is_none() => {
                unit.writes.clear();
                unit.parting = None;
                if unit.link_state() == Some(LinkState::Linked) {
                    unit.set_state(LinkState::Linked, Link::waits(side.other()));
                }
                unit.finish(report::person(kind.code(), stop.message.clone()));
            }
            Some(_) | None => unit.guarded.push(Guarded { kind, side, grant }),
        }
    }
    batch.note(changes);
    Ok(())
}

/// How many went through within the last day; what we deleted is told by its tombstones.
async fn done(desk: &Desk<'_>, bound: &Bound, side: Side, kind: Kind) -> Result<u64, ReadError> {
    if kind != Kind::Deletes {
        return Ok(passage::within_a_day(desk, bound, kind, side).await?);
    }
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let since = desk.site.clock.now().plus_millis(-DAY_MILLIS);
    let name = &bound.mapping().name;
    Ok(store
        .tombstones_since(ws, name, side, ARCHIVED, since)
        .await?)
}
