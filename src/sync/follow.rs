//! Follows records that live on under another id: the link of a record that was merged moves to
//! the survivor, or yields to the link that the survivor has already.
//!
//! Only the store changes here, in one commit, and the pair is planned by the attempt that comes
//! next; so a process that dies on the way finds the old link or the new one. What the merge
//! changed is then an ordinary change, counted by the guard; what it blanked is not carried over.
//! A survivor that cannot be told is left to a person.

use std::collections::{BTreeMap, BTreeSet};

use super::convert;
use super::desk::Desk;
use super::fold::key_of;
use super::gone;
use super::kin::{Claim, Kin, claim};
use super::load::ReadError;
use super::matching::waiting;
use super::report::{self, Note, journal};
use super::survivor;
use super::unit::{Batch, End, Unit};
use crate::mapping::Bound;
use crate::model::{
    BySide, Cause, Fields, Link, LinkState, Presence, Raw, Record, RecordId, RecordKey, Side, Task,
};
use crate::retry::GRACE_MILLIS;
use crate::store::{
    Changes, ConflictClose, DeadLetterClose, DeadLetterOf, DeadLetterState, Mark, MatchKeys,
    RuleScope,
};

/// Merges of merges are followed this far.
pub const STEPS: usize = 10;

/// Where the road of an id leads.
pub struct Trail {
    /// The ids it passed, up to that of `end`.
    pub steps: Vec<RecordId>,
    pub end: Record,
}

impl Trail {
    /// There is a record to move the link to. A Lead that was converted later is followed further
    /// by the next attempt.
    fn leads_somewhere(&self) -> bool {
        matches!(
            self.end.presence,
            Presence::Live | Presence::Converted { .. }
        )
    }
}

pub async fn follow(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let known = known_survivors(desk, bound, batch).await?;
    for side in Side::BOTH {
        merged(desk, bound, batch, side, &known).await?;
    }
    convert::converted(desk, bound, batch).await
}

/// The link is stored and stands for something that can still go on.
pub fn may_follow(unit: &Unit) -> bool {
    unit.open()
        && !unit.link_dirty
        && unit.intents.is_empty()
        && unit.link_state().is_some_and(LinkState::is_open)
}

/// Survivors that named the missing records among what they swallowed, as seen before. Only for
/// HubSpot: what Salesforce's bin says is never out of date.
async fn known_survivors(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<BTreeMap<RecordKey, RecordId>, ReadError> {
    let side = Side::HubSpot;
    let missing = |unit: &Unit| {
        let record = unit.read.get(side).as_ref();
        record.is_some_and(|r| matches!(r.presence, Presence::Deleted | Presence::NotVisible))
    };
    let keys: Vec<RecordKey> = batch
        .units
        .iter()
        .filter(|unit| may_follow(unit) && missing(unit))
        .filter_map(|unit| key_of(bound, unit, side))
        .collect();
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    Ok(store.aliases(ws, &keys).await?)
}

/// The id a unit's record lives on under, as far as is known.
fn heir_of(
    bound: &Bound,
    unit: &Unit,
    side: Side,
    known: &BTreeMap<RecordKey, RecordId>,
) -> Option<RecordId> {
    match &unit.read.get(side).as_ref()?.presence {
        Presence::MergedInto(into) => Some(into.clone()),
        Presence::Deleted | Presence::NotVisible => known.get(&key_of(bound, unit, side)?).cloned(),
        Presence::Live | Presence::Converted { .. } => None,
    }
}

/// Follows ids to where they end. Those whose end cannot be found are absent.
pub async fn trails(
    desk: &mut Desk<'_>,
    bound: &Bound,
    side: Side,
    from: &BTreeMap<RecordId, RecordId>,
) -> Result<BTreeMap<RecordId, Trail>, ReadError> {
    let mut found = BTreeMap::new();
    let mut open: Vec<(RecordId, Vec<RecordId>)> = from
        .iter()
        .map(|(id, into)| (id.clone(), vec![into.clone()]))
        .collect();
    for _ in 0..STEPS {
        let heads: BTreeSet<&RecordId> = open.iter().filter_map(|(_, s)| s.last()).collect();
        let heads: Vec<RecordId> = heads.into_iter().cloned().collect();
        if heads.is_empty() {
            break;
        }
        desk.lane.keep().await?;
        let read = desk
            .crms
            .read(side, bound.object(side), &heads, bound.read_fields(side))
            .await?;
        for (id, mut steps) in std::mem::take(&mut open) {
            let end = read.iter().find(|record| Some(&record.id) == steps.last());
            match end.map(|record| (&record.presence, record)) {
                Some((Presence::MergedInto(next), _)) if *next != id && !steps.contains(next) => {
                    steps.push(next.clone());
                    open.push((id, steps));
                }
                Some((_, record)) => {
                    let end = record.clone();
                    found.insert(id, Trail { steps, end });
                }
                None => {}
            }
        }
    }
    Ok(found)
}

async fn merged(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    side: Side,
    known: &BTreeMap<RecordKey, RecordId>,
) -> Result<(), ReadError> {
    let mut wanted: Vec<(usize, RecordId)> = Vec::new();
    let mut from = BTreeMap::new();
    for (at, unit) in batch.units.iter().enumerate() {
        let heir = heir_of(bound, unit, side, known).filter(|_| may_follow(unit));
        if let (Some(heir), Some(id)) = (heir, unit.records.get(side).clone()) {
            from.insert(id.clone(), heir);
            wanted.push((at, id));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let trails = trails(desk, bound, side, &from).await?;
    let mut kin = Kin::load(desk, bound, side, trails.values()).await?;
    let mut moved = false;
    for (at, id) in wanted {
        let unit = &mut batch.units[at];
        match trails.get(&id) {
            Some(trail) if trail.leads_somewhere() => {
                moved |= inherit(desk, bound, unit, side, trail, &mut kin);
            }
            // Nothing is deleted over a merge, even if the survivor was.
            Some(trail) if trail.end.presence == Presence::Deleted => {
                gone::bury(desk, bound, unit, "merged, and the survivor deleted", side);
            }
            Some(_) | None => {
                let what = "was merged, and what it became cannot be found; pair the survivor by \
                            hand";
                leave_to_person(bound, unit, side, MERGED, what);
            }
        }
    }
    let ends = trails.values().map(|trail| trail.end.id.clone()).collect();
    let mut marks = survivor::children(desk, bound, side, &ends).await?;
    if moved {
        // The survivor has a link now, so it no longer leads to the others that it swallowed.
        let others = kin.siblings().filter(|key| !from.contains_key(&key.id));
        marks.extend(others.map(|key| mark(desk, key)));
    }
    batch.note(Changes {
        marks,
        ..Changes::default()
    });
    Ok(())
}

pub const MERGED: &str = "merged";
pub const CONVERTED: &str = "converted";

/// Told once, and again when a person asks; not with every edit of the record.
pub fn leave_to_person(bound: &Bound, unit: &mut Unit, side: Side, code: &str, what: &str) {
    let told = unit.link_state() == Some(LinkState::Suspended)
        && unit.link.as_ref().is_some_and(|link| link.note == code);
    if told && !unit.asked_by_person() {
        return unit.finish(End::Done);
    }
    gone::suspend(bound, unit, side, code, what);
}

/// Whether the link has moved to the survivor.
fn inherit(
    desk: &Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    side: Side,
    trail: &Trail,
    kin: &mut Kin,
) -> bool {
    let Some(link) = unit.link.clone() else {
        return false;
    };
    let survivor = &trail.end.id;
    match claim(&link, &unit.bases, side, trail, kin) {
        Claim::Keep { displaced } => {
            unit.changes.links.extend(displaced);
            move_to(desk, bound, unit, side, trail);
            kin.take(survivor, unit.link.as_ref());
            kin.reunite(unit, survivor);
            return true;
        }
        Claim::Yield(to) => {
            let what = format!("was merged into {survivor}");
            detach(desk, bound, unit, side, (MERGED, &what), &to);
            alias(bound, unit, side, &link, trail);
        }
        Claim::Wait => unit.finish(soon(desk)),
        Claim::Unclear(others) => {
            let pairs: Vec<String> = others.iter().map(|other| shown(other, side)).collect();
            let what = format!(
                "was merged into {survivor} together with {}, and their values do not tell whose \
                 partner is the right one. Take the wrong pair apart with `tandem links unpair`, \
                 then replay this letter",
                pairs.join(" and "),
            );
            leave_to_person(bound, unit, side, MERGED, &what);
        }
    }
    false
}

/// A create for the survivor is under way and has to end first.
pub fn soon(desk: &Desk<'_>) -> End {
    let at = desk.site.clock.now().plus_millis(GRACE_MILLIS);
    let why = "a record is being created for what this one became";
    End::Again(waiting("create-under-way", why, at))
}

/// The pair goes on with the survivor, its old base and whatever waited.
fn move_to(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, side: Side, trail: &Trail) {
    let Some(old) = unit.link.clone() else { return };
    keep_blanks(desk, bound, unit, side, &trail.end.fields);
    unit.records = {
        let mut records = old.records.clone();
        *records.get_mut(side) = Some(trail.end.id.clone());
        records
    };
    if let Some(link) = &mut unit.link {
        link.records = unit.records.clone();
    }
    let (state, note) = match old.state {
        LinkState::Frozen => (LinkState::Frozen, old.note.as_str()),
        LinkState::Creating(on) => (LinkState::Creating(on), Link::FOLLOWED),
        _ => (LinkState::Linked, Link::FOLLOWED),
    };
    unit.set_state(state, note);
    alias(bound, unit, side, &old, trail);
    forget_keys(bound, unit, side, &old);
    close_letters(
        unit,
        &old,
        "the record was merged, and its link moved along",
    );
    unit.changes.unblock.extend(record_key(&old, side));
    let mut note = Note::new("", "follow", MERGED);
    note.inputs = BySide::from_fn(|side| unit.fields(side).cloned().unwrap_or_default());
    *note.inputs.get_mut(side) = trail.end.fields.clone();
    note.detail = format!("{} became {}", shown(&old, side), trail.end.id);
    journal(desk, bound, unit, note);
    let key = key_of(bound, unit, side);
    unit.changes.marks.extend(key.map(|key| mark(desk, key)));
    unit.finish(End::Done);
}

pub fn mark(desk: &Desk<'_>, key: RecordKey) -> Mark {
    Mark {
        task: Task::Record(key),
        cause: Cause::Follow,
        not_before: desk.site.clock.now(),
    }
}

/// A blank that the survivor brought is nobody's edit: the other side's value counts as news
/// against it, so it is filled where the rule allows and never emptied there.
fn keep_blanks(desk: &Desk<'_>, bound: &Bound, unit: &mut Unit, side: Side, survivor: &Fields) {
    for rule in &bound.mapping().rules {
        let names = rule.sides.get(side);
        let read = names.iter().all(|name| survivor.contains_key(name));
        let blank = names
            .iter()
            .all(|name| survivor.get(name).is_none_or(Raw::is_blank));
        let Some(base) = unit.bases.get_mut(&rule.name).filter(|_| read && blank) else {
            continue;
        };
        if base.sides.get(side).values().all(Raw::is_blank) {
            continue;
        }
        let agreed = std::mem::replace(&mut base.sides, blanks(rule));
        unit.bases_dirty = true;
        let mut note = Note::new(&rule.name, "follow", MERGED);
        note.base = Some(agreed);
        journal(desk, bound, unit, note);
    }
}

pub fn blanks(rule: &crate::mapping::Rule) -> BySide<Fields> {
    BySide::from_fn(|side| {
        let names = rule.sides.get(side).iter();
        names.map(|name| (name.clone(), Raw::Null)).collect()
    })
}

/// The link gives way to `to`: one pair goes on, and a person decides about the record left over.
pub fn detach(
    desk: &Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    side: Side,
    (code, what): (&str, &str),
    to: &Link,
) {
    let Some(link) = unit.link.clone() else {
        return;
    };
    let other = side.other();
    let left = unit.read.get(other).as_ref();
    let is_left = left.is_some_and(|record| record.presence == Presence::Live);
    close_letters(unit, &link, "the record was merged");
    unit.changes.conflicts_closed.push(ConflictClose {
        link: link.id.clone(),
        rule: None,
        why: "the record was merged".to_owned(),
    });
    let holds = std::mem::take(&mut unit.holds);
    let closed = holds.into_iter().map(|hold| (hold.link, hold.rule));
    unit.changes.holds_closed.extend(closed);
    let mut note = Note::new("", "detach", code);
    note.inputs = BySide::from_fn(|side| unit.fields(side).cloned().unwrap_or_default());
    note.detail = format!("gives way to {}", shown(to, side));
    journal(desk, bound, unit, note);
    if !is_left {
        unit.set_state(LinkState::Unlinked, code);
        return unit.finish(End::Done);
    }
    let message = left_over(bound, &link, side, what, to);
    unit.set_state(LinkState::Detached, &message);
    unit.finish(report::person(code, message));
}

fn left_over(bound: &Bound, link: &Link, side: Side, what: &str, to: &Link) -> String {
    let other = side.other();
    let objects = &bound.mapping().objects;
    format!(
        "{} {} {} {what}, which is linked with {} {}. {} {} {} is no longer kept in step: merge it \
         there into {}, or pair it with another record by `tandem links pair`.",
        side.title(),
        objects.get(side),
        id_of(link, side),
        other.title(),
        id_of(to, other),
        other.title(),
        objects.get(other),
        id_of(link, other),
        id_of(to, other),
    )
}

fn id_of(link: &Link, side: Side) -> &str {
    let id = link.records.get(side).as_ref();
    id.map_or("(none yet)", RecordId::as_str)
}

/// A pair for people, the merged side first.
fn shown(link: &Link, side: Side) -> String {
    let other = side.other();
    format!(
        "{} (linked with {} {})",
        id_of(link, side),
        other.title(),
        id_of(link, other)
    )
}

pub fn record_key(link: &Link, side: Side) -> Option<RecordKey> {
    let id = link.records.get(side).clone()?;
    let mapping = link.mapping.clone();
    Some(RecordKey { mapping, side, id })
}

/// Every id on the way resolves to the survivor from now on.
pub fn alias(bound: &Bound, unit: &mut Unit, side: Side, old: &Link, trail: &Trail) {
    let passed = old.records.get(side).iter().chain(&trail.steps);
    let passed: BTreeSet<&RecordId> = passed.filter(|id| **id != trail.end.id).collect();
    for id in passed {
        let key = RecordKey {
            mapping: bound.mapping().name.clone(),
            side,
            id: id.clone(),
        };
        unit.changes.aliases.push((key, trail.end.id.clone()));
    }
}

/// An id that is gone matches nobody.
fn forget_keys(bound: &Bound, unit: &mut Unit, side: Side, old: &Link) {
    if let Some(record) = old.records.get(side).clone() {
        unit.changes.match_keys.push(MatchKeys {
            mapping: bound.mapping().name.clone(),
            side,
            record,
            keys: Vec::new(),
        });
    }
}

/// What was told about the pair as it was has no meaning any more.
pub fn close_letters(unit: &mut Unit, old: &Link, why: &str) {
    let of = Side::BOTH
        .into_iter()
        .filter_map(|side| record_key(old, side))
        .map(|key| DeadLetterOf::Task(Task::Record(key)))
        .chain([DeadLetterOf::Link(old.id.clone())]);
    let closed = of.map(|of| DeadLetterClose {
        of,
        rules: RuleScope::All,
        state: DeadLetterState::Closed,
        why: why.to_owned(),
    });
    unit.changes.dead_letters_closed.extend(closed);
}

/// What a merged record holds is what its survivor holds: an unanswered write is judged by that.
pub async fn stand_ins(
    desk: &Desk<'_>,
    side: Side,
    object: &str,
    fields: &[String],
    records: &mut [Record],
) -> Result<(), ReadError> {
    let heir = |record: &Record| match &record.presence {
        Presence::MergedInto(into) => Some(into.clone()),
        Presence::Live | Presence::Deleted | Presence::Converted { .. } | Presence::NotVisible => {
            None
        }
    };
    let heirs: Vec<RecordId> = records.iter().filter_map(heir).collect();
    if heirs.is_empty() {
        return Ok(());
    }
    let read = desk.crms.read(side, object, &heirs, fields).await?;
    for record in records.iter_mut() {
        let Some(heir) = heir(record) else { continue };
        if let Some(survivor) = read.iter().find(|survivor| survivor.id == heir) {
            record.fields = survivor.fields.clone();
        }
    }
    Ok(())
}
