//! The only place that writes to a CRM. Intents first, then the call, then what it came to.
//!
//! Rows travel in the largest batches a side takes. A call that fails as one is halved until the
//! row at fault stands alone; a row refused for named fields is sent once more without them.

use std::collections::BTreeMap;

use super::carry::store_with;
use super::create::key_for;
use super::desk::Desk;
use super::gone::{ARCHIVED, bury};
use super::load::setback;
use super::matching::adopt;
use super::refused::{adopt_existing, refused};
use super::report;
use super::settle::{self, After};
use super::unit::{Batch, End, Unit};
use crate::bugs::{self, Bug};
use crate::crm::{CrmError, Crms, RowResult, WriteRow, Written};
use crate::mapping::Bound;
use crate::model::{
    ErrorClass, Fields, Intent, IntentId, IntentKind, Presence, Raw, Record, RecordId, Side,
    Timestamp,
};
use crate::store::{Changes, StoreError};

/// One row on its way, and the unit it belongs to.
pub struct Job {
    /// Its place in the batch.
    pub unit: usize,
    pub intent: Intent,
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
    }
    // One retrieve for all that was written, whatever the kind.
    settle_by_reading(desk, bound, batch, unread).await
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
        let intent = Intent {
            id: IntentId::from_uuid(&desk.site.ids.next()),
            link,
            mapping: bound.mapping().name.clone(),
            revision: bound.mapping().revision.clone(),
            run: desk.site.run.clone(),
            side,
            kind,
            target,
            rules: write.rules.clone(),
            send_before: desk.lane.send_before(),
            created_at: desk.site.clock.now(),
        };
        jobs.push(Job { unit: at, intent });
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
        let mut call: Vec<Job> = jobs.by_ref().take(Crms::batch(side)).collect();
        open_intents(desk, bound, batch, &mut call).await?;
        let mut results = call_crm(desk, bound, side, kind, &call).await;
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
        ..Changes::default()
    }
}

type Results = BTreeMap<String, RowResult>;

async fn call_crm(
    desk: &Desk<'_>,
    bound: &Bound,
    side: Side,
    kind: IntentKind,
    call: &[Job],
) -> Results {
    let rows: Vec<WriteRow> = call.iter().map(|job| row(bound, side, job)).collect();
    let send_before = call
        .iter()
        .map(|job| job.intent.send_before)
        .min()
        .unwrap_or_default();
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
        let replies = one_call(desk, bound, (side, kind, send_before), &rows).await;
        if rows.len() > 1 && poisoned(&replies) {
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
    (side, kind, send_before): (Side, IntentKind, Timestamp),
    rows: &[WriteRow],
) -> Vec<(String, RowResult)> {
    let object = bound.object(side);
    if call_expired(desk, send_before) {
        let late = CrmError::unsent("the lease ran out before the call was made");
        return rows
            .iter()
            .map(|row| (row.trace.clone(), Err(late.clone())))
            .collect();
    }
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

/// A process that was paused too long must not send what it decided before the pause.
fn call_expired(desk: &Desk<'_>, send_before: Timestamp) -> bool {
    desk.site.clock.now() > send_before && !bugs::on(Bug::ExpiredCallSent)
}

/// The whole call was refused for good, so one of its rows may be the only culprit.
fn poisoned(replies: &[(String, RowResult)]) -> bool {
    replies.iter().any(|(_, reply)| {
        matches!(reply, Err(error) if error.whole_call && error.class() == ErrorClass::Permanent)
    })
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

/// HubSpot's replies carry what it stored: they settle the rows, once associations are written.
async fn settle_replies(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    written: Vec<(Job, Written)>,
) -> Result<(), StoreError> {
    let mut jobs = Vec::with_capacity(written.len());
    for (job, written) in written {
        let unit = &batch.units[job.unit];
        let mut stored = expected(bound, unit, &job.intent);
        if let Some(record) = written.stored {
            stored.extend(record.fields);
        }
        jobs.push((job, stored));
    }
    super::associate::write(desk, bound, batch, &mut jobs).await;
    for (job, stored) in jobs {
        close(desk, bound, batch, &job, &stored);
    }
    Ok(())
}

/// A record's fields as they stand when the reply does not mention them: as read, or blank on a
/// record that did not exist.
fn expected(bound: &Bound, unit: &Unit, intent: &Intent) -> Fields {
    match unit.fields(intent.side) {
        Some(fields) => fields.clone(),
        None => {
            let names = bound.read_fields(intent.side).iter().cloned();
            names.map(|name| (name, Raw::Null)).collect()
        }
    }
}

/// Salesforce says only yes: one retrieve shows what triggers, flows and rounding made of it.
async fn settle_by_reading(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    written: Vec<(Job, Written)>,
) -> Result<(), StoreError> {
    if written.is_empty() {
        return Ok(());
    }
    let ids: Vec<RecordId> = written
        .iter()
        .map(|(_, written)| written.id.clone())
        .collect();
    let side = Side::Salesforce;
    desk.lane.keep().await?;
    let fields = bound.read_fields(side);
    let read = desk.crms.read(side, bound.object(side), &ids, fields).await;
    let records: BTreeMap<RecordId, Record> = match read {
        Ok(records) => records.into_iter().map(|r| (r.id.clone(), r)).collect(),
        Err(error) => {
            // The writes were done; the next attempt finds the open intents and reads again.
            for (job, _) in written {
                batch.units[job.unit].finish(End::Failed(setback(&error)));
            }
            return Ok(());
        }
    };
    for (job, written) in written {
        match records.get(&written.id) {
            Some(record) if record.presence == Presence::Live => {
                close(desk, bound, batch, &job, &record.fields);
            }
            // Gone or hidden right after our write: the open intent is settled by the next pass.
            Some(_) | None => batch.units[job.unit].finish(look_again(desk)),
        }
    }
    Ok(())
}

fn close(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch, job: &Job, stored: &Fields) {
    let unit = &mut batch.units[job.unit];
    let intent = &job.intent;
    if !bugs::on(Bug::IntentNotClosed) {
        unit.changes.intents_closed.push(intent.id.clone());
    }
    if intent.kind == IntentKind::Archive {
        return bury(desk, bound, unit, ARCHIVED, intent.side.other());
    }
    let after = settle::settle(desk, bound, unit, intent, stored, true);
    if after != After::Settled || moved_besides(bound, unit, intent, stored) {
        unit.finish(look_again(desk));
    }
}

/// Another mapped value is not as it was when the plan was made: somebody edited meanwhile.
fn moved_besides(bound: &Bound, unit: &Unit, intent: &Intent, stored: &Fields) -> bool {
    let Some(read) = unit.fields(intent.side) else {
        return false;
    };
    bound.mapping().rules.iter().any(|rule| {
        !intent
            .rules
            .iter()
            .any(|intended| intended.rule == rule.name)
            && rule.sides.get(intent.side).iter().any(|name| {
                stored.contains_key(name)
                    && read.contains_key(name)
                    && stored.get(name) != read.get(name)
            })
    })
}

/// Due again at once, to be planned from what the record holds by then.
pub fn look_again(desk: &Desk<'_>) -> End {
    let message = "the record changed while it was written".to_owned();
    let mut again = report::setback(ErrorClass::Transient, "changed-meanwhile", message);
    again.retry_after = Some(desk.site.clock.now());
    End::Again(again)
}
