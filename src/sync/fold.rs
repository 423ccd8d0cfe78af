//! Marks are keyed by record, links pair records: folds the marks of one link into one unit.

use std::collections::{BTreeMap, BTreeSet};

use super::Desk;
use super::unit::{Batch, Unit};
use crate::bugs::{self, Bug};
use crate::mapping::Bound;
use crate::model::{Hold, Intent, Link, LinkId, LinkState, RecordId, RecordKey, Side, Task};
use crate::store::{Claimed, StoreError};

pub async fn fold(
    desk: &Desk<'_>,
    bound: &Bound,
    claimed: Vec<Claimed>,
) -> Result<Batch, StoreError> {
    let mut units: Vec<Unit> = Vec::new();
    let mut by_link: BTreeMap<LinkId, usize> = BTreeMap::new();
    let links = links_of(desk, bound, &claimed).await?;
    for claim in claimed {
        let Task::Record(key) = &claim.task else {
            continue;
        };
        let link = links
            .get(&(key.side, key.id.clone()))
            .filter(|link| link.state != LinkState::Tombstoned || !bugs::on(Bug::TombstoneIgnored));
        match link.and_then(|link| by_link.get(&link.id)) {
            Some(&at) => units[at].claimed.push(claim),
            None => {
                let mut unit = Unit::of(claim);
                if let Some(link) = link {
                    by_link.insert(link.id.clone(), units.len());
                    unit.records = link.records.clone();
                    unit.link = Some(link.clone());
                }
                units.push(unit);
            }
        }
    }
    let mut batch = Batch {
        units,
        ..Batch::default()
    };
    load_state(desk, &mut batch).await?;
    Ok(batch)
}

/// The link of each marked record, directly or through an alias of a record that was merged.
async fn links_of(
    desk: &Desk<'_>,
    bound: &Bound,
    claimed: &[Claimed],
) -> Result<BTreeMap<(Side, RecordId), Link>, StoreError> {
    let mut found = BTreeMap::new();
    let name = &bound.mapping().name;
    for side in Side::BOTH {
        let ids: Vec<RecordId> = claimed
            .iter()
            .filter_map(|claim| claim.task.record())
            .filter(|key| key.side == side)
            .map(|key| key.id.clone())
            .collect();
        if ids.is_empty() {
            continue;
        }
        let store = &desk.site.store;
        let mut links = store
            .links_by_record(&desk.site.workspace, name, side, &ids)
            .await?;
        // A closed link never hides an open one of the same record.
        links.sort_by_key(|link| link.state.is_open());
        for link in links {
            if let Some(id) = link.records.get(side) {
                found.insert((side, id.clone()), link);
            }
        }
    }
    Ok(found)
}

/// Bases, holds and open intents of the links, three statements for the whole batch.
pub async fn load_state(desk: &Desk<'_>, batch: &mut Batch) -> Result<(), StoreError> {
    let ids: Vec<LinkId> = batch
        .units
        .iter()
        .filter_map(|unit| unit.link.as_ref().map(|link| link.id.clone()))
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let mut bases = store.bases(ws, &ids).await?;
    let mut holds: BTreeMap<LinkId, Vec<Hold>> = BTreeMap::new();
    for hold in store.holds(ws, &ids).await? {
        holds.entry(hold.link.clone()).or_default().push(hold);
    }
    let mut intents: BTreeMap<LinkId, Vec<Intent>> = BTreeMap::new();
    for intent in store.intents(ws, &ids).await? {
        intents.entry(intent.link.clone()).or_default().push(intent);
    }
    for unit in &mut batch.units {
        let Some(link) = &unit.link else { continue };
        unit.bases = bases.remove(&link.id).unwrap_or_default();
        unit.holds = holds.remove(&link.id).unwrap_or_default();
        unit.intents = intents.remove(&link.id).unwrap_or_default();
    }
    Ok(())
}

/// Takes along the marks of the pairs' other records, which are read for the plan anyway. Only
/// before they are read: a mark taken later might stand for an edit that the read did not see.
pub async fn join_partners(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let taken = batch.units.iter().flat_map(|unit| &unit.claimed);
    let taken: BTreeSet<Task> = taken.map(|claimed| claimed.task.clone()).collect();
    let mut wanted: BTreeMap<Task, usize> = BTreeMap::new();
    for (at, unit) in batch.units.iter().enumerate() {
        if !unit.open() || unit.link.is_none() {
            continue;
        }
        for side in Side::BOTH {
            let task = key_of(bound, unit, side).map(Task::Record);
            let unread = unit.read.get(side).is_none() && !unit.is_marked(side);
            let unread = unread || bugs::on(Bug::PartnerMarkTakenAfterTheRead);
            wanted.extend(
                task.filter(|task| unread && !taken.contains(task))
                    .map(|t| (t, at)),
            );
        }
    }
    let tasks = wanted.keys().cloned().collect();
    for claimed in desk.lane.claim_named(&tasks).await? {
        if let Some(at) = wanted.get(&claimed.task) {
            batch.units[*at].claimed.push(claimed);
        }
    }
    Ok(())
}

/// The key under which a unit is known on one side, when it has a record there.
pub fn key_of(bound: &Bound, unit: &Unit, side: Side) -> Option<RecordKey> {
    let id = unit.records.get(side).clone()?;
    Some(RecordKey {
        mapping: bound.mapping().name.clone(),
        side,
        id,
    })
}
