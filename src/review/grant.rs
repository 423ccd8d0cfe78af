//! Lets through what a guard stopped: a grant for one exact set of changes, which runs out.
//!
//! Granting marks the records that wait. It needs no lease: nothing that a running step has read
//! is changed.

use std::collections::BTreeSet;

use super::marks_of;
use crate::model::{
    ApprovalId, Cause, HoldReason, LinkId, LinkState, MappingName, RecordKey, Task, Timestamp,
    WorkspaceId,
};
use crate::pipeline::LANE;
use crate::store::{Approval, HoldPlace, LinkFilter, Mark, Store, StoreError};

/// How long a grant counts: a working day, so that a nightly run can use it.
const GRANT_MILLIS: i64 = 24 * 60 * 60 * 1_000;
const PAGE: u32 = 1_000;

/// Grants these questions. The id of one that no longer waits comes back, and nothing after it was
/// granted.
pub async fn grant(
    store: &Store,
    ws: &WorkspaceId,
    approvals: &[Approval],
    now: Timestamp,
) -> Result<Option<ApprovalId>, StoreError> {
    let expires = now.plus_millis(GRANT_MILLIS);
    for approval in approvals {
        if !store.grant_approval(ws, &approval.id, expires).await? {
            return Ok(Some(approval.id.clone()));
        }
    }
    let named: Vec<Mark> = approvals
        .iter()
        .flat_map(|approval| released(approval, now))
        .collect();
    store.mark(ws, LANE, &named).await?;
    let mappings: BTreeSet<&MappingName> = approvals.iter().map(|found| &found.mapping).collect();
    wake_held(store, ws, &mappings, now).await?;
    for mapping in mappings {
        wake_suspended(store, ws, mapping, now).await?;
    }
    Ok(None)
}

/// The records that a grant releases, as work.
fn released(approval: &Approval, now: Timestamp) -> impl Iterator<Item = Mark> {
    approval.records.iter().map(move |id| {
        let key = RecordKey {
            mapping: approval.mapping.clone(),
            side: approval.side,
            id: id.clone(),
        };
        Mark {
            task: Task::Record(key),
            cause: Cause::Person,
            not_before: now,
        }
    })
}

/// Marks the links of these mappings that have a rule held by a guard. Looking at one too many
/// costs a read and changes nothing.
async fn wake_held(
    store: &Store,
    ws: &WorkspaceId,
    mappings: &BTreeSet<&MappingName>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut after: Option<HoldPlace> = None;
    loop {
        let guarded = Some(HoldReason::Guard);
        let holds = store.holds_page(ws, guarded, after.as_ref(), PAGE).await?;
        let mut ids: Vec<LinkId> = holds.iter().map(|hold| hold.link.clone()).collect();
        ids.dedup();
        let links = store.links_by_id(ws, &ids).await?;
        let of_these = links.iter().filter(|link| mappings.contains(&link.mapping));
        let marks: Vec<Mark> = of_these.flat_map(|link| marks_of(link, now)).collect();
        store.mark(ws, LANE, &marks).await?;
        if holds.len() < PAGE as usize {
            return Ok(());
        }
        after = holds.last().map(HoldPlace::of);
    }
}

/// Marks the links of this mapping that are suspended as a whole.
async fn wake_suspended(
    store: &Store,
    ws: &WorkspaceId,
    mapping: &MappingName,
    now: Timestamp,
) -> Result<(), StoreError> {
    let filter = LinkFilter {
        mapping: Some(mapping.clone()),
        state: Some(LinkState::Suspended),
    };
    let mut after: Option<LinkId> = None;
    loop {
        let links = store.links_page(ws, &filter, after.as_ref(), PAGE).await?;
        let marks: Vec<Mark> = links.iter().flat_map(|link| marks_of(link, now)).collect();
        store.mark(ws, LANE, &marks).await?;
        if links.len() < PAGE as usize {
            return Ok(());
        }
        after = links.last().map(|link| link.id.clone());
    }
}
