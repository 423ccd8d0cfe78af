//! Records without a link that others live on as: what a merge or a conversion left.
//!
//! Such a record is never copied: its old ids have a link, which follows it, or had one that was
//! closed, and what was settled about them holds for it too.

use std::collections::{BTreeMap, BTreeSet};

use super::ahead::Ahead;
use super::desk::Desk;
use super::follow::{STEPS, mark};
use super::load::ReadError;
use super::matching::{links_of, new_link};
use super::unit::{Batch, End, Unit};
use crate::mapping::{Bound, ReferenceEnd};
use crate::model::{
    BySide, Cause, Link, LinkState, MappingName, Presence, Record, RecordId, RecordKey, Side,
};
use crate::store::{Mark, Tombstone};

/// The ids that each of these records swallowed, as far as the CRM still tells.
pub async fn swallowed(
    desk: &mut Desk<'_>,
    bound: &Bound,
    side: Side,
    survivors: &[&Record],
) -> Result<BTreeMap<RecordId, BTreeSet<RecordId>>, ReadError> {
    let mut found: BTreeMap<RecordId, BTreeSet<RecordId>> = BTreeMap::new();
    if survivors.is_empty() {
        return Ok(found);
    }
    match side {
        Side::HubSpot => {
            for record in survivors {
                let old = crate::crm::split_ids(&record.fields, "hs_merged_object_ids");
                found.entry(record.id.clone()).or_default().extend(old);
            }
        }
        Side::Salesforce => {
            let ids: Vec<RecordId> = survivors.iter().map(|r| r.id.clone()).collect();
            let object = bound.object(side);
            desk.lane.keep().await?;
            for (old, heir) in desk.crms.salesforce.became(object, object, &ids).await? {
                found.entry(heir).or_default().insert(old);
            }
        }
    }
    Ok(found)
}

/// What records of Salesforce swallowed, and what those had swallowed before.
async fn forebears(
    desk: &mut Desk<'_>,
    bound: &Bound,
    survivors: Vec<RecordId>,
    ahead: &Ahead,
) -> Result<BTreeMap<RecordId, BTreeSet<RecordId>>, ReadError> {
    let object = bound.object(Side::Salesforce);
    let mut found: BTreeMap<RecordId, BTreeSet<RecordId>> = survivors
        .iter()
        .map(|id| (id.clone(), BTreeSet::new()))
        .collect();
    let mut newest = survivors;
    for _ in 0..STEPS {
        if newest.is_empty() {
            break;
        }
        let became = became(desk, (object, object), &newest, ahead).await?;
        newest.clear();
        for (old, heir) in became {
            for (survivor, of) in &mut found {
                let is_theirs = *survivor == heir || of.contains(&heir);
                if is_theirs && old != *survivor && of.insert(old.clone()) {
                    newest.push(old.clone());
                }
            }
        }
    }
    Ok(found)
}

/// Asks who became one of these records, unless that was asked along with the read of the batch.
async fn became(
    desk: &mut Desk<'_>,
    (object, heirs): (&str, &str),
    ids: &[RecordId],
    ahead: &Ahead,
) -> Result<Vec<(RecordId, RecordId)>, ReadError> {
    if let Some(known) = ahead.became((object, heirs), ids) {
        return Ok(known);
    }
    desk.lane.keep().await?;
    Ok(desk.crms.salesforce.became(object, heirs, ids).await?)
}

/// Hands records that are what a merge or a conversion left to the links of their old ids.
pub async fn leave_to_old_links(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    for side in Side::BOTH {
        let fresh = |unit: &Unit| unit.open() && unit.link.is_none() && unit.source() == side;
        let records: Vec<Record> = batch
            .units
            .iter()
            .filter(|unit| fresh(unit) && (side == Side::HubSpot || !is_first_meeting(unit)))
            .filter_map(|unit| unit.read.get(side).clone())
            .filter(|record| record.presence == Presence::Live)
            .collect();
        if records.is_empty() {
            continue;
        }
        let survivors: Vec<&Record> = records.iter().collect();
        let old = match side {
            Side::HubSpot => swallowed(desk, bound, side, &survivors).await?,
            Side::Salesforce => {
                let ids = records.iter().map(|record| record.id.clone()).collect();
                forebears(desk, bound, ids, &batch.ahead).await?
            }
        };
        let ids: Vec<RecordId> = old.values().flatten().cloned().collect();
        let links = links_of(desk, bound, side, &ids).await?;
        let leads = match side {
            Side::HubSpot => BTreeMap::new(),
            Side::Salesforce => leads_of(desk, bound, &records, &batch.ahead).await?,
        };
        for unit in batch.open().filter(|unit| fresh(unit)) {
            let Some(id) = unit.records.get(side).clone() else {
                continue;
            };
            let theirs = old.get(&id);
            let of = |link: &&Link| {
                let id = link.records.get(side).as_ref();
                id.is_some_and(|id| theirs.is_some_and(|ids| ids.contains(id)))
            };
            let mut related: Vec<&Link> = links.iter().filter(of).collect();
            related.extend(leads.get(&id).into_iter().flatten());
            settle(desk, bound, unit, side, &id, &related);
        }
    }
    Ok(())
}

/// While stock is taken, nothing has been linked that could have been merged since.
fn is_first_meeting(unit: &Unit) -> bool {
    unit.claimed
        .iter()
        .all(|claimed| claimed.cause == Cause::Backfill)
}

/// The links of the Leads that became these Contacts.
async fn leads_of(
    desk: &mut Desk<'_>,
    bound: &Bound,
    contacts: &[Record],
    ahead: &Ahead,
) -> Result<BTreeMap<RecordId, Vec<Link>>, ReadError> {
    let side = Side::Salesforce;
    let mut found: BTreeMap<RecordId, Vec<Link>> = BTreeMap::new();
    let site = desk.site;
    let ids: Vec<RecordId> = contacts.iter().map(|record| record.id.clone()).collect();
    for peer in site.peers(bound) {
        let (object, heirs) = (peer.object(side), bound.object(side));
        if object == heirs {
            continue;
        }
        let became = became(desk, (object, heirs), &ids, ahead).await?;
        let leads: BTreeSet<RecordId> = became.iter().map(|(lead, _)| lead.clone()).collect();
        if leads.is_empty() {
            continue;
        }
        let leads: Vec<RecordId> = leads.into_iter().collect();
        let before = forebears(desk, peer, leads.clone(), ahead).await?;
        let all = leads.iter().chain(before.values().flatten());
        let all: Vec<RecordId> = all.cloned().collect();
        let links = links_of(desk, peer, side, &all).await?;
        for (lead, contact) in became {
            let is_theirs = |link: &&Link| {
                let id = link.records.salesforce.as_ref();
                let older = before.get(&lead);
                id.is_some_and(|id| *id == lead || older.is_some_and(|ids| ids.contains(id)))
            };
            let theirs = links.iter().filter(is_theirs).cloned();
            found.entry(contact).or_default().extend(theirs);
        }
    }
    Ok(found)
}

/// Open links of the old ids follow by themselves. Where only closed ones are left, the survivor
/// is as closed as they are.
fn settle(
    desk: &Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    side: Side,
    survivor: &RecordId,
    related: &[&Link],
) {
    let open = related.iter().filter(|link| link.state.is_open());
    let open: Vec<RecordKey> = open.filter_map(|link| key(link, side)).collect();
    if !open.is_empty() {
        for key in open {
            let aliased = (key.clone(), survivor.clone());
            unit.changes.aliases.push(aliased);
            unit.changes.marks.push(mark(desk, key));
        }
        return unit.finish(End::Done);
    }
    let mut closed = related.iter().filter(|link| {
        let is_pair = Side::BOTH
            .into_iter()
            .all(|side| link.records.get(side).is_some());
        // A Lead's grave is its Contact's too.
        let grave = side == Side::Salesforce && link.state == LinkState::Tombstoned;
        is_pair && (link.mapping == bound.mapping().name || grave)
    });
    let Some(link) = closed.next() else { return };
    let mut records = link.records.clone();
    *records.get_mut(side) = Some(survivor.clone());
    let mut heir = new_link(desk, bound, records, link.state);
    heir.note.clone_from(&link.note);
    if heir.state == LinkState::Tombstoned {
        bury_too(desk, unit, &heir, side);
    }
    unit.changes.links.push(heir);
    unit.finish(End::Done);
}

fn bury_too(desk: &Desk<'_>, unit: &mut Unit, heir: &Link, side: Side) {
    unit.changes
        .tombstones
        .extend(key(heir, side).map(|key| Tombstone {
            key,
            link: heir.id.clone(),
            at: desk.site.clock.now(),
            reason: "merged".to_owned(),
        }));
}

fn key(link: &Link, side: Side) -> Option<RecordKey> {
    let id = link.records.get(side).clone()?;
    let mapping = link.mapping.clone();
    Some(RecordKey { mapping, side, id })
}

/// Marks the linked records that refer to a survivor: a merge moves the children of its loser
/// along, and not every CRM says so of each child.
pub async fn children(
    desk: &mut Desk<'_>,
    bound: &Bound,
    side: Side,
    parents: &BTreeSet<RecordId>,
) -> Result<Vec<Mark>, ReadError> {
    let mut marks = Vec::new();
    if parents.is_empty() {
        return Ok(marks);
    }
    let site = desk.site;
    for child in site.mappings.values() {
        let name = &child.mapping().name;
        let mut ids = BTreeSet::new();
        for end in ends(child, &bound.mapping().name, side) {
            ids.extend(referring(desk, bound, child, side, end, parents).await?);
        }
        let ids: Vec<RecordId> = ids.into_iter().collect();
        let ws = &site.workspace;
        for link in site.store.links_by_record(ws, name, side, &ids).await? {
            let linked = link.state == LinkState::Linked;
            let key = key(&link, side).filter(|_| linked);
            marks.extend(key.map(|key| mark(desk, key)));
        }
    }
    Ok(marks)
}

/// How the records of a mapping refer to those of `parent` on one side.
fn ends<'a>(
    child: &'a Bound,
    parent: &MappingName,
    side: Side,
) -> impl Iterator<Item = &'a ReferenceEnd> {
    let of = child.mapping().rules.iter().filter_map(|r| r.reference());
    let of: Vec<&ReferenceEnd> = of
        .filter(|reference| reference.mapping == *parent)
        .map(|reference| *BySide::new(&reference.hubspot, &reference.salesforce).get(side))
        .collect();
    of.into_iter()
}

async fn referring(
    desk: &mut Desk<'_>,
    bound: &Bound,
    child: &Bound,
    side: Side,
    end: &ReferenceEnd,
    parents: &BTreeSet<RecordId>,
) -> Result<Vec<RecordId>, ReadError> {
    let object = child.object(side);
    match (side, end) {
        (Side::Salesforce, ReferenceEnd::Lookup { field }) => {
            let values: Vec<String> = parents.iter().map(|id| id.as_str().to_owned()).collect();
            desk.lane.keep().await?;
            let found = desk.crms.find(side, object, field, &values, &[]).await?;
            Ok(found.into_iter().map(|record| record.id).collect())
        }
        (Side::HubSpot, ReferenceEnd::Association { .. }) => {
            let ids: Vec<RecordId> = parents.iter().cloned().collect();
            desk.lane.keep().await?;
            let ties = desk
                .crms
                .hubspot
                .associations(bound.object(side), object, &ids)
                .await?;
            let ties = ties.into_values().flatten();
            Ok(ties.map(|tie| tie.to).collect())
        }
        _ => Ok(Vec::new()),
    }
}
