//! Reads the records of a batch, in the largest calls, and stops early where nothing moved.

use std::collections::{BTreeMap, BTreeSet};

use super::Desk;
use super::ahead;
use super::unit::{Batch, End, Unit};
use crate::crm::{CrmError, Crms, ErrorKind};
use crate::mapping::{Bound, Rule};
use crate::model::{
    Cause, ErrorClass, HoldReason, Link, LinkState, Presence, Record, RecordId, Side,
};
use crate::pipeline::{Setback, at_rest, caught, keys_of};
use crate::store::{Changes, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Crm(#[from] CrmError),
}

impl ReadError {
    /// The platform blames the request, which names many records.
    pub fn may_be_one_record(&self) -> bool {
        match self {
            Self::Store(_) => false,
            Self::Crm(error) => matches!(error.kind, ErrorKind::Rejected | ErrorKind::BadRequest),
        }
    }

    /// How the units that were to be read end. A store error is nobody's setback: it ends the step.
    /// A permission or a field that is missing says nothing about any record, so it costs none.
    pub fn ends(self) -> Result<End, StoreError> {
        let error = match self {
            Self::Store(error) => return Err(error),
            Self::Crm(error) => error,
        };
        Ok(match error.kind {
            ErrorKind::Forbidden | ErrorKind::UnknownField => End::Paused(setback(&error)),
            _ => End::Failed(setback(&error)),
        })
    }
}

pub fn setback(error: &CrmError) -> Setback {
    Setback {
        failure: error.failure(),
        retry_after: error.retry_after,
        stale: error.kind == ErrorKind::UnknownField,
    }
}

/// Reads the records of the pairs and of the marks. A linked record at rest is done: this is how an
/// echo of our own write ends.
///
/// Salesforce first, where one call holds the whole batch; HubSpot's records, a hundred to a call,
/// are then read only for pairs that still need them. What may have to be copied to Salesforce goes
/// before that, so that the look-up there costs no call of its own.
pub async fn marked(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let hubspot = Side::HubSpot;
    let unread = |unit: &Unit| unit.read.hubspot.is_none();
    let first = ahead::first_to_read(bound, batch);
    let mut calls = Calls {
        more: batch.ids(hubspot, unread).len() > first.len(),
        ..Calls::default()
    };
    read(desk, bound, batch, hubspot, &first, &mut calls).await?;
    rest(bound, batch);
    let ids = batch.ids(Side::Salesforce, |unit| unit.read.salesforce.is_none());
    let records = ahead::read(desk, bound, batch, &ids).await?;
    batch.place(Side::Salesforce, records);
    rest(bound, batch);
    calls.more = false;
    let ids = batch.ids(hubspot, unread);
    read(desk, bound, batch, hubspot, &ids, &mut calls).await?;
    rest(bound, batch);
    Ok(store_match_keys(desk, bound, batch).await?)
}

fn rest(bound: &Bound, batch: &mut Batch) {
    for unit in batch
        .open()
        .filter(|unit| caught(|| resting(bound, unit)).unwrap_or(false))
    {
        unit.finish(End::AtRest);
    }
}

/// Reads what the plan needs besides: the partners that matching found, and what
/// the records are tied to.
pub async fn others(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    for side in Side::BOTH {
        let ids = batch.ids(side, |unit| unit.read.get(side).is_none());
        read(desk, bound, batch, side, &ids, &mut Calls::default()).await?;
    }
    ties(desk, bound, batch).await
}

/// Reads what records are tied to that were read, or created, without it.
pub async fn ties(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), ReadError> {
    let ties = bound.ties();
    for side in Side::BOTH {
        let names = ties.fields(side);
        let unread = |record: &Record| {
            record.presence == Presence::Live
                && names.iter().any(|name| !record.fields.contains_key(name))
        };
        // One record may be in a buried pair and in a later one, and is asked about once.
        let records: BTreeMap<RecordId, Record> = batch
            .open()
            .filter_map(|unit| unit.read.get(side).clone())
            .filter(unread)
            .map(|record| (record.id.clone(), record))
            .collect();
        let mut records: Vec<Record> = records.into_values().collect();
        if records.is_empty() {
            continue;
        }
        desk.lane.keep().await?;
        let tied = desk
            .crms
            .add_ties(side, bound.object(side), &ties, &mut records)
            .await?;
        batch.tied.extend(tied);
        batch.place(side, records);
    }
    Ok(())
}

/// The calls of one side that read a batch.
#[derive(Default)]
struct Calls {
    /// One has failed.
    failed: bool,
    /// Others follow.
    more: bool,
}

/// A call that fails costs the records it asked for and no others. When a second one fails, the
/// platform is taken to be down and the rest is not asked for.
async fn read(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    side: Side,
    ids: &[RecordId],
    calls: &mut Calls,
) -> Result<(), ReadError> {
    let most = match side {
        Side::HubSpot => Crms::batch(side),
        Side::Salesforce => ids.len().max(1),
    };
    let (object, fields) = (bound.object(side), bound.read_fields(side));
    for call in ids.chunks(most) {
        desk.lane.keep().await?;
        match desk.crms.read(side, object, call, fields).await {
            Ok(records) => batch.place(side, records),
            Err(error) => {
                let passing = error.class() == ErrorClass::Transient;
                let only = call.len() == ids.len() && !calls.more;
                if calls.failed || !passing || only {
                    return Err(error.into());
                }
                calls.failed = true;
                fail(batch, side, call, &error);
            }
        }
    }
    Ok(())
}

fn fail(batch: &mut Batch, side: Side, asked: &[RecordId], error: &CrmError) {
    let asked: BTreeSet<&RecordId> = asked.iter().collect();
    for unit in batch.open().filter(|unit| unit.read.get(side).is_none()) {
        let id = unit.records.get(side).as_ref();
        if id.is_some_and(|id| asked.contains(id)) {
            unit.finish(End::Failed(setback(error)));
        }
    }
}

fn resting(bound: &Bound, unit: &Unit) -> bool {
    let linked = unit
        .link
        .as_ref()
        .is_some_and(|link| link.state == LinkState::Linked);
    linked
        && unit.intents.is_empty()
        && !unit.news
        && !asked_for(unit)
        && !left_off(bound, unit)
        && Side::BOTH
            .into_iter()
            .filter(|side| unit.is_marked(*side))
            .all(|side| {
                unit.read.get(side).as_ref().is_some_and(|record| {
                    record.presence == Presence::Live
                        && takes_part(bound, side, record)
                        && at_rest(bound, side, &record.fields, &unit.bases, &unit.holds)
                })
            })
}

/// Somebody wants the whole pass although the record itself may not have moved: a person who made
/// a choice or replays, a scan that saw an association, a parent that has been linked by now, a
/// merge that moved the link, a guard, or a rule whose time to cool down may be over.
fn asked_for(unit: &Unit) -> bool {
    let asked = |cause: Cause| matches!(cause, Cause::Person | Cause::Scan);
    if unit.link.as_ref().is_some_and(Link::is_to_be_looked_at) {
        return true;
    }
    unit.claimed.iter().any(|claimed| asked(claimed.cause))
        || unit.holds.iter().any(|hold| {
            matches!(
                hold.reason,
                HoldReason::Unresolved | HoldReason::Oscillation
            )
        })
}

/// An earlier attempt did not end as planned. The fields show what is left to do, but the sets that
/// a record belongs to are not among them.
fn left_off(bound: &Bound, unit: &Unit) -> bool {
    let failed = unit.claimed.iter().any(|claimed| claimed.failure.is_some());
    (unit.unsettled || failed) && bound.mapping().rules.iter().any(Rule::is_set)
}

fn takes_part(bound: &Bound, side: Side, record: &Record) -> bool {
    bound.takes_part(side, &record.fields).unwrap_or(false)
}

/// Every read fills the table that matching looks up, records outside the filter included.
async fn store_match_keys(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let mut changes = Changes::default();
    for unit in batch.open().filter(|unit| unit.link.is_none()) {
        for side in Side::BOTH {
            if let Some(record) = unit.read.get(side) {
                changes.match_keys.push(keys_of(bound, side, record));
            }
        }
    }
    if changes.match_keys.is_empty() {
        Ok(())
    } else {
        desk.lane.commit(changes).await
    }
}
