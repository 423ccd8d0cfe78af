//! The only place that writes to a CRM. Intents first, then the call, then what it came to.
//!
//! Rows travel in the largest batches a side takes. A call that fails as one is halved until the
//! row at fault stands alone; a row refused for named fields is sent once more without them.

use super::call::{JointCall, call_crm, key_field};
use super::carry::{plan_created, store_with};
use super::create::key_for;
use super::desk::Desk;
use super::matching::adopt;
use super::refused::{adopt_existing, refused};
use super::replies::{Seen, settle_by_reading, settle_replies};
use super::report;
use super::unit::{Batch, End};
use crate::bugs::{self, Bug};
use crate::crm::{CrmError, Crms, Written};
use crate::mapping::Bound;
use crate::model::{
    ErrorClass, IntendedRule, Intent, IntentId, IntentKind, LinkId, Side, Timestamp,
};
use crate::store::{Changes, StoreError};

/// From so many updates on, Salesforce is written to and read in one call. A few records keep calls
/// of their own: one at a time, it is plain what each came to.
pub const JOINT_FROM: usize = 20;
/// Collections of updates of one such call.
pub const COLLECTIONS: usize = 2;
/// Records that the question behind it can name by their ids. A key takes the room of two.
const NAMED: usize = 360;
const KEYS: usize = 100;

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

/// In which order sides are written to, and what goes in one stream: creates, and other rows. What
/// HubSpot's creates leave to be planned is written along with the rest.
const ORDER: [(Side, [Option<IntentKind>; 2]); 5] = [
    (Side::HubSpot, [Some(IntentKind::Create), None]),
    (
        Side::Salesforce,
        [Some(IntentKind::Create), Some(IntentKind::Update)],
    ),
    (Side::HubSpot, [None, Some(IntentKind::Update)]),
    (Side::Salesforce, [None, Some(IntentKind::Archive)]),
    (Side::HubSpot, [None, Some(IntentKind::Archive)]),
];

pub async fn write_all(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let mut unread = Vec::new();
    let mut seen = Seen::default();
    for (side, kinds) in ORDER {
        let [made, rows] = kinds.map(|kind| match kind {
            Some(kind) => jobs(desk, bound, batch, side, kind),
            None => Vec::new(),
        });
        let stream = Stream { side, made, rows };
        let mut sent = send(desk, bound, batch, stream, &unread).await?;
        let again = std::mem::take(&mut sent.reduced);
        let is_made = |job: &Job| job.intent.kind == IntentKind::Create;
        let (made, rows) = again.into_iter().partition(is_made);
        let stream = Stream { side, made, rows };
        let again = send(desk, bound, batch, stream, &[]).await?;
        seen.add(sent.seen);
        let mut done = sent.done;
        done.extend(again.done);
        for job in again.reduced {
            let message = "the record was refused again without the fields it named";
            let again = report::setback(ErrorClass::Permanent, "refused", message.to_owned());
            batch.units[job.unit].finish(End::Failed(again));
        }
        match side {
            Side::HubSpot => settle_replies(desk, bound, batch, done).await?,
            Side::Salesforce => unread.extend(done),
        }
        if (side, kinds[0]) == (Side::HubSpot, Some(IntentKind::Create)) {
            plan_created(desk, bound, batch).await?;
        }
    }
    super::roles::write(desk, bound, batch, &mut unread).await?;
    // One retrieve for all that was written, whatever the kind.
    settle_by_reading(desk, bound, batch, unread, seen).await?;
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
            let stream = Stream {
                side,
                made: Vec::new(),
                rows: jobs,
            };
            let Sent { done, seen, .. } = send(desk, bound, batch, stream, &[]).await?;
            match side {
                Side::HubSpot => settle_replies(desk, bound, batch, done).await?,
                Side::Salesforce => settle_by_reading(desk, bound, batch, done, seen).await?,
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

/// Jobs of one side on their way.
struct Stream {
    side: Side,
    /// Creates.
    made: Vec<Job>,
    /// Others, all of one kind.
    rows: Vec<Job>,
}

/// One call's worth of a stream.
struct Call {
    /// Creates first.
    jobs: Vec<Job>,
    kind: IntentKind,
    joint: bool,
    /// No update follows.
    last: bool,
}

/// Whether so many creates go along with so many updates that are read back in the call that writes
/// them: what is made is asked for by its key there, as nobody knows its ids yet.
pub const fn go_along(made: usize, updates: usize) -> bool {
    updates >= JOINT_FROM && made <= KEYS && updates + 2 * made <= NAMED
}

/// In a call of several parts Salesforce takes such a text for what an earlier part has answered.
fn names_a_part(job: &Job) -> bool {
    let mut sent = job.intent.rules.iter().flat_map(|rule| rule.after.values());
    sent.any(|raw| raw.as_text().is_some_and(|text| text.contains("@{")))
}

impl Stream {
    /// Creates go `along` with the updates or ahead of them. `many`: there are enough updates to be
    /// read back in the call that writes them.
    fn next(
        &mut self,
        desk: &Desk<'_>,
        bound: &Bound,
        (many, along): (bool, bool),
    ) -> Option<Call> {
        let kind = self.rows.first().map(|job| job.intent.kind);
        // Nothing that speaks for smaller calls is met by larger ones.
        let joint = many && kind.is_some_and(|kind| may_join(desk, bound, self.side, kind));
        let most = desk.crms.rows(self.side);
        if !(self.made.is_empty() || joint && along) {
            let most = most.min(self.made.len());
            return Some(Call {
                jobs: self.made.drain(..most).collect(),
                kind: IntentKind::Create,
                joint: false,
                last: false,
            });
        }
        let most = most * if joint { COLLECTIONS } else { 1 };
        let most = most.min(self.rows.len());
        let mut jobs = std::mem::take(&mut self.made);
        jobs.extend(self.rows.drain(..most));
        Some(Call {
            jobs,
            kind: kind?,
            joint,
            last: self.rows.is_empty(),
        })
    }
}

/// What came of a stream of jobs.
#[derive(Default)]
struct Sent {
    /// Written, to be settled.
    done: Vec<(Job, Written)>,
    /// Rows to be sent once more with less.
    reduced: Vec<Job>,
    /// What was read in the call that wrote last.
    seen: Seen,
}

/// Sends the jobs, one call's worth at a time. What was written `before` and not read since is read
/// along, where a call can.
async fn send(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    mut stream: Stream,
    before: &[(Job, Written)],
) -> Result<Sent, StoreError> {
    let side = stream.side;
    let mut sent = Sent::default();
    let (made, rows) = (stream.made.len(), stream.rows.len());
    let many = rows >= JOINT_FROM && !stream.made.iter().chain(&stream.rows).any(names_a_part);
    let along = go_along(made, before.len() + rows) && key_field(bound, side).is_some();
    while let Some(mut call) = stream.next(desk, bound, (many, along)) {
        open_intents(desk, bound, batch, &mut call.jobs).await?;
        let mut jobs = call.jobs.iter();
        let first = jobs.all(|job| batch.units[job.unit].is_first_attempt());
        let mut results = match call.joint {
            true => {
                let is_made = |job: &Job| job.intent.kind == IntentKind::Create;
                let (made, updated) = call.jobs.split_at(call.jobs.partition_point(is_made));
                // Behind the last call all that was written is looked at.
                let written = before.iter().chain(&sent.done).filter(|_| call.last);
                let written: Vec<_> = written.collect();
                let whole = JointCall {
                    first,
                    made,
                    updated,
                    before: call.last.then_some(written),
                };
                let (results, seen) = whole.send(desk, bound, batch).await;
                sent.seen = seen;
                results
            }
            false => call_crm(desk, bound, (side, call.kind, first), &call.jobs).await,
        };
        for job in call.jobs {
            let result = results
                .remove(job.intent.id.as_str())
                .unwrap_or_else(|| Err(CrmError::row_missing()));
            match result {
                Ok(written) => {
                    desk.tally.writes += 1;
                    acknowledged(desk, batch, &job, &written);
                    sent.done.push((job, written));
                }
                Err(error) => sent
                    .reduced
                    .extend(refused(desk, bound, batch, job, &error)),
            }
        }
        adopt_existing(desk, bound, batch, side).await?;
    }
    Ok(sent)
}

/// Whether updates may be written and read back in one call: only on Salesforce, and as long as
/// nothing speaks for smaller calls.
fn may_join(desk: &Desk<'_>, bound: &Bound, side: Side, kind: IntentKind) -> bool {
    // A guarded row has a call of its own.
    let alone = bound.mapping().guard.strict;
    let full = desk.crms.rows(side) == Crms::batch(side);
    side == Side::Salesforce && kind == IntentKind::Update && full && !alone
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

/// The CRM said yes: a created record completes its link at once.
fn acknowledged(desk: &mut Desk<'_>, batch: &mut Batch, job: &Job, written: &Written) {
    let unit = &mut batch.units[job.unit];
    unit.wrote = true;
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
