//! Which records without a link need no partner here, or not yet.
//!
//! Asked before matching: what is gone or filtered out, what a peer of the group links, and what
//! has to wait until both sides are known.

use std::collections::BTreeSet;

use super::desk::Desk;
use super::matching::{candidates, keys_of, waiting};
use super::report;
use super::unit::{Batch, End, Unit};
use crate::bugs::{self, Bug};
use crate::mapping::Bound;
use crate::model::{Presence, RecordId, Side};
use crate::pipeline::{LANE, is_stocked};
use crate::store::StoreError;

/// While a side has not been read once, nobody knows what is new or unique.
const UNFILLED_WAIT_MILLIS: i64 = 2_000;

/// Nobody knows what is new or unique before both sides have been seen once. Records without a
/// link wait for that unread, as long as the backfill itself waits.
pub async fn wait_for_stock(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let unlinked = batch.open().any(|unit| unit.link.is_none());
    let waits = unlinked && !bugs::on(Bug::StockNotWaitedFor);
    if !waits || is_stocked(desk.site, bound).await? {
        return Ok(());
    }
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let soon = desk.site.clock.now().plus_millis(UNFILLED_WAIT_MILLIS);
    let at = store
        .next_due_of(ws, LANE, "backfill")
        .await?
        .map_or(soon, |due| due.max(soon));
    for unit in batch.open().filter(|unit| unit.link.is_none()) {
        unit.finish(End::Again(waiting(
            "backfill",
            "both sides are still being read",
            at,
        )));
    }
    Ok(())
}

/// Records that are gone or outside the filter need no partner.
pub fn screen(bound: &Bound, unit: &mut Unit) {
    let side = unit.source();
    let Some(record) = unit.read.get(side) else {
        return;
    };
    if record.presence != Presence::Live {
        unit.finish(End::Done);
        return;
    }
    match bound.takes_part(side, &record.fields) {
        Ok(true) => {}
        Ok(false) => unit.finish(End::Done),
        Err(problem) => unit.finish(End::Failed(report::problem_setback("only", &problem))),
    }
}

/// Mappings of one group never hold two open links for one HubSpot record: what a peer has linked
/// is its own, and not even read here.
pub async fn leave_linked_to_peers(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let Some(group) = bound.mapping().group.clone() else {
        return Ok(());
    };
    let side = Side::HubSpot;
    let ids = batch.ids(side, |unit| unit.link.is_none());
    if ids.is_empty() {
        return Ok(());
    }
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let linked: BTreeSet<RecordId> = store
        .links_of_group(ws, &group, &ids)
        .await?
        .into_iter()
        .filter(|link| link.state.is_open())
        .filter_map(|link| link.records.hubspot)
        .collect();
    for unit in batch.open().filter(|unit| unit.link.is_none()) {
        if unit
            .records
            .hubspot
            .as_ref()
            .is_some_and(|id| linked.contains(id))
        {
            unit.finish(End::Done);
        }
    }
    Ok(())
}

/// A record that matches under a peer is the peer's to link, so nothing is created for it here.
pub async fn leave_matches_to_peers(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let side = Side::HubSpot;
    for peer in desk.site.peers(bound) {
        let mut keys: BTreeSet<(u16, String)> = BTreeSet::new();
        for unit in batch
            .open()
            .filter(|unit| unit.link.is_none() && unit.source() == side)
        {
            keys.extend(keys_of(peer, unit, side));
        }
        if keys.is_empty() {
            continue;
        }
        let keys: Vec<(u16, String)> = keys.into_iter().collect();
        let theirs = candidates(desk, peer, side.other(), &keys).await?;
        for unit in batch
            .open()
            .filter(|unit| unit.link.is_none() && unit.source() == side)
        {
            if keys_of(peer, unit, side)
                .iter()
                .any(|key| theirs.contains_key(key))
            {
                unit.finish(End::Done);
            }
        }
    }
    Ok(())
}
