//! The only place that writes to a CRM. Intents first, then the call, then what it came to.
//!
//! Rows travel in the largest batches a side takes. A call that fails as one is halved until the
//! row at fault stands alone; a row refused for named fields is sent once more without them.

use std::collections::BTreeMap;

use super::carry::{plan_created, store_with};
use super::create::key_for;
use super::desk::Desk;
use super::matching::adopt;
use super::refused::{adopt_existing, refused};
use super::replies::{settle_by_reading, settle_replies};
use super::report;
use super::unit::{Batch, End};
use crate::bugs::{self, Bug};
use crate::crm::{CrmError, ErrorKind, RowResult, WriteRow, Written};
use crate::mapping::Bound;
use crate::model::{
    ErrorClass, Fields, IntendedRule, Intent, IntentId, IntentKind, LinkId, Raw, RecordId, Side,
    Timestamp,
};
use crate::store::{Changes, StoreError};

/// One row on its way, and the unit it belongs to.
pub struct Job {
    /// Its place in the batch.
    pub unit: usize,
    pub intent: Intent,
    /// The intent that closes when this one opens.
    pub replaces: Option<IntentId>,
    /// The record's last change when it was read, where the mapping guards its writes.
    pub read_at: Option<Timestamp>,
}

pub async fn write_all(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let mut unread = Vec::new();
    for kind in [IntentKind::Create, IntentKind::Update, IntentKind::Archive] {
        for side in [Side::Salesforce, Side::HubSpot] {
            let jobs = jobs(desk, bound, batch, side, kind);
            let (mut done, reduced) = send(desk, bound, batch, side, kind, jobs).await?;
            let (again, rest) = send(desk, bound, batch, side, kind, reduced).await?;
            done.extend(again);
            for job in rest {
                let message = "the record was refused again without the fields it named";
                let again = report::setback(ErrorClass::Permanent, "refused", message.to_owned());
                batch.units[job.unit].finish(End::Failed(again));
            }
            match side {
                Side::HubSpot => settle_replies(desk, bound, batch, done).await?,
                Side::Salesforce => unread.extend(done),
            }
        }
        if kind == IntentKind::Create {
            plan_created(desk, bound, batch).await?;
        }
    }
    super::roles::write(desk, bound, batch, &mut unread).await?;
    // One retrieve for all that was written, whatever the kind.
    settle_by_reading(desk, bound, batch, unread).await?;
    put_back(desk, bound, batch).await
}

/// Writes back the edits that were found to be replaced. Each round beyond the first stands for
/// one more edit that somebody made meanwhile; the rest is for the next attempt.
async fn put_back(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), StoreError> {
    const ROUNDS: u32 = 3;
    for _ in 0..ROUNDS {
        for side in [Side::Salesforce, Side::HubSpot] {
            let jobs = restores(desk, bound, batch, side);
            if jobs.is_empty() {
                continue;
            }
            let (done, _) = send(desk, bound, batch, side, IntentKind::Update, jobs).await?;
            match side {
                Side::HubSpot => settle_replies(desk, bound, batch, done).await?,
                Side::Salesforce => settle_by_reading(desk, bound, batch, done).await?,
            }
        }
    }
    Ok(())
}

/// Units that ended only to be looked at again are not hindered by that.
fn restores(desk: &Desk<'_>, bound: &Bound, batch: &mut Batch, side: Side) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (at, unit) in batch.units.iter_mut().enumerate() {
        let free = unit.open() || matches!(unit.end, Some(End::Again(_)));
        let ends = (unit.link.clone(), unit.records.get(side).clone());
        let (true, (Some(link), Some(record))) = (free, ends) else {
            continue;
        };
        let Some(restore) = unit.restores.remove(&side) else {
            continue;
        };
        unit.finish(look_again(desk));
        let target = record.as_str().to_owned();
        let place = (side, IntentKind::Update, target);
        jobs.push(Job {
            unit: at,
            intent: intent(desk, bound, &link.id, place, restore.rules),
            replaces: Some(restore.replaces),
            read_at: None,
        });
    }
    jobs
}

fn intent(
    desk: &Desk<'_>,
    bound: &Bound,
    link: &LinkId,
    (side, kind, target): (Side, IntentKind, String),
    rules: Vec<IntendedRule>,
) -> Intent {
    Intent {
        id: IntentId::from_uuid(&desk.site.ids.next()),
        link: link.clone(),
        mapping: bound.mapping().name.clone(),
        revision: bound.mapping().revision.clone(),
        run: desk.site.run.clone(),
        side,
        kind,
        target,
        rules,
        send_before: desk.lane.send_before(),
        created_at: desk.site.clock.now(),
    }
}

fn jobs(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    side: Side,
    kind: IntentKind,
) -> Vec<Job> {
    let mut jobs = Vec::new();
    let units = batch.units.iter_mut().enumerate();
    for (at, unit) in units.filter(|(_, unit)| unit.open()) {
        let Some(link) = unit.link.as_ref().map(|link| link.id.clone()) else {
            continue;
        };
        let Some(write) = unit
            .writes
            .iter()
            .find(|w| w.side == side && w.kind == kind)
        else {
            continue;
        };
        let known = unit
            .records
            .get(side)
            .as_ref()
            .map(|id| id.as_str().to_owned());
        let target = known
            .or_else(|| key_for(desk, unit, side))
            .unwrap_or_default();
        let rules = write.rules.clone();
        let guarded = bound.mapping().guard.strict && kind == IntentKind::Update;
        let read = unit.read.get(side).as_ref().filter(|_| guarded);
        let read_at = read.and_then(|record| record.modified_at);
        jobs.push(Job {
            unit: at,
            intent: intent(desk, bound, &link, (side, kind, target), rules),
            replaces: None,
            read_at,
        });
    }
    jobs
}

/// Sends the jobs, one call's worth at a time. Returns what was written, to be settled, and rows to
/// be sent once more with less.
async fn send(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    side: Side,
    kind: IntentKind,
    jobs: Vec<Job>,
) -> Result<(Vec<(Job, Written)>, Vec<Job>), StoreError> {
    let mut reduced = Vec::new();
    let mut done = Vec::new();
    let mut jobs = jobs.into_iter().peekable();
    while jobs.peek().is_some() {
        let mut call: Vec<Job> = jobs.by_ref().take(desk.crms.rows(side)).collect();
        open_intents(desk, bound, batch, &mut call).await?;
        let first = call
            .iter()
            .all(|job| batch.units[job.unit].is_first_attempt());
        let mut results = call_crm(desk, bound, (side, kind, first), &call).await;
        for job in call {
            let result = results
                .remove(job.intent.id.as_str())
                .unwrap_or_else(|| Err(CrmError::row_missing()));
            match result {
                Ok(written) => {
                    desk.tally.writes += 1;
                    acknowledged(desk, batch, &job, &written);
                    done.push((job, written));
                }
                Err(error) => reduced.extend(refused(desk, bound, batch, job, &error)),
            }
        }
        adopt_existing(desk, bound, batch, side).await?;
    }
    Ok((done, reduced))
}

/// One commit before each call: the intents of its rows, and all that gathered since the last.
async fn open_intents(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    call: &mut Vec<Job>,
) -> Result<(), StoreError> {
    desk.lane.keep().await?;
    let send_before = desk.lane.send_before();
    for job in call.iter_mut() {
        job.intent.send_before = send_before;
    }
    if store_with(desk, bound, batch, intents_of(call)).await? {
        return Ok(());
    }
    call.retain(|job| batch.units[job.unit].open());
    desk.lane.commit(intents_of(call)).await
}

fn intents_of(call: &[Job]) -> Changes {
    Changes {
        intents: call
            .iter()
            .filter(|_| !bugs::on(Bug::IntentNotCommitted))
            .map(|job| job.intent.clone())
            .collect(),
        intents_closed: call.iter().filter_map(|job| job.replaces.clone()).collect(),
        ..Changes::default()
    }
}

type Results = BTreeMap<String, RowResult>;

async fn call_crm(
    desk: &Desk<'_>,
    bound: &Bound,
    (side, kind, first): (Side, IntentKind, bool),
    call: &[Job],
) -> Results {
    let rows: Vec<WriteRow> = call.iter().map(|job| row(bound, side, job)).collect();
    let send_before = call.iter().map(|job| job.intent.send_before).min();
    desk.send_before(send_before.unwrap_or_default());
    if kind == IntentKind::Archive {
        return archive(desk, bound, side, rows).await;
    }
    let (empty, full): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.fields.is_empty());
    let mut results = Results::new();
    for row in empty {
        // Only associations change: there is nothing to say to the object itself.
        if let Some(id) = row.id {
            results.insert(
                row.trace,
                Ok(Written {
                    id,
                    created: false,
                    stored: None,
                }),
            );
        }
    }
    let mut waiting = vec![full];
    while let Some(rows) = waiting.pop() {
        if rows.is_empty() {
            continue;
        }
        let replies = one_call(desk, bound, (side, kind), &rows).await;
        if rows.len() > 1 && poisoned(&replies, first) {
            let (left, right) = rows.split_at(rows.len() / 2);
            waiting.push(right.to_vec());
            waiting.push(left.to_vec());
            continue;
        }
        results.extend(replies);
    }
    results
}

async fn one_call(
    desk: &Desk<'_>,
    bound: &Bound,
    (side, kind): (Side, IntentKind),
    rows: &[WriteRow],
) -> Vec<(String, RowResult)> {
    let object = bound.object(side);
    match kind {
        IntentKind::Create => {
            desk.crms
                .create(side, object, key_field(bound, side), rows)
                .await
        }
        IntentKind::Update | IntentKind::Associate | IntentKind::Archive => {
            desk.crms.update(side, object, rows).await
        }
    }
}

fn key_field(bound: &Bound, side: Side) -> Option<&str> {
    let key = bound.key_field(side);
    key.filter(|_| !bugs::on(Bug::CreateWithoutKey))
}

/// The whole call was refused for good, so one of its rows may be the only culprit. An unknown
/// field is the schema's fault at `first`: all rows are tried again when that has been read anew.
fn poisoned(replies: &[(String, RowResult)], first: bool) -> bool {
    let poisons = |error: &CrmError| {
        error.whole_call
            && error.class() == ErrorClass::Permanent
            && !(first && error.kind == ErrorKind::UnknownField)
    };
    replies
        .iter()
        .any(|(_, reply)| matches!(reply, Err(error) if poisons(error)))
}

async fn archive(desk: &Desk<'_>, bound: &Bound, side: Side, rows: Vec<WriteRow>) -> Results {
    let traces: BTreeMap<RecordId, String> = rows
        .into_iter()
        .filter_map(|row| Some((row.id?, row.trace)))
        .collect();
    let ids: Vec<RecordId> = traces.keys().cloned().collect();
    let replies = desk.crms.archive(side, bound.object(side), &ids).await;
    replies
        .into_iter()
        .filter_map(|(id, reply)| {
            let trace = traces.get(&id)?.clone();
            let written = reply.map(|()| Written {
                id,
                created: false,
                stored: None,
            });
            Some((trace, written))
        })
        .collect()
}

fn row(bound: &Bound, side: Side, job: &Job) -> WriteRow {
    let mut fields: Fields = job
        .intent
        .rules
        .iter()
        .flat_map(|rule| rule.after.clone())
        .filter(|(name, _)| !name.contains('/'))
        .collect();
    let mut id = None;
    if job.intent.kind == IntentKind::Create {
        if let Some(key) = key_field(bound, side) {
            fields.insert(key.to_owned(), Raw::text(&job.intent.target));
        }
    } else {
        id = Some(RecordId::new(&job.intent.target));
    }
    WriteRow {
        trace: job.intent.id.as_str().to_owned(),
        id,
        fields,
        unless_changed_since: job.read_at.filter(|_| side == Side::Salesforce),
    }
}

/// The CRM said yes: a created record completes its link at once.
fn acknowledged(desk: &mut Desk<'_>, batch: &mut Batch, job: &Job, written: &Written) {
    let unit = &mut batch.units[job.unit];
    match job.intent.kind {
        IntentKind::Create => {
            desk.tally.creates += 1;
            desk.tally.links += 1;
            let link = unit.link.clone();
            if let Some(link) = link.filter(|_| !bugs::on(Bug::CreatedRecordNotLinked)) {
                adopt(unit, link, job.intent.side, written.id.clone());
            }
        }
        IntentKind::Archive => desk.tally.archives += 1,
        IntentKind::Update | IntentKind::Associate => {}
    }
}

/// Due again at once, to be planned from what the record holds by then.
pub fn look_again(desk: &Desk<'_>) -> End {
    let message = "the record changed while it was written".to_owned();
    let mut again = report::setback(ErrorClass::Transient, "changed-meanwhile", message);
    again.retry_after = Some(desk.site.clock.now());
    End::Again(again)
}
