//! How one call's worth of rows leaves, and the answer to each row.
//!
//! Called by `write` alone, once the intents of the rows are stored; decides nothing about what the
//! answers mean.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::replies::{LookBack, Seen};
use super::unit::Batch;
use super::write::Job;
use crate::bugs::{self, Bug};
use crate::crm::salesforce::Rows;
use crate::crm::{CrmError, ErrorKind, RowResult, WriteRow, Written};
use crate::mapping::Bound;
use crate::model::{ErrorClass, Fields, IntentKind, Raw, RecordId, Side};

/// The answer to each row, by the intent that it carries out.
pub type Results = BTreeMap<String, RowResult>;

/// Sends the rows of one call, and in halves what is refused as a whole.
pub async fn call_crm(
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
    let (full, mut results) = said(rows);
    results.extend(in_halves(desk, bound, (side, kind, first), vec![full]).await);
    results
}

/// Collections of rows in Salesforce and, behind them, what is needed to settle what was written.
pub struct JointCall<'a> {
    /// All of it is tried for the first time.
    pub first: bool,
    /// Records that are made, which takes a key field.
    pub made: &'a [Job],
    pub updated: &'a [Job],
    /// What was written before and is read along; `None` when nothing is read yet.
    pub before: Option<Vec<&'a (Job, Written)>>,
}

impl JointCall<'_> {
    /// A collection that is refused as one is sent again in halves. What was read of the others
    /// stands.
    pub async fn send(self, desk: &Desk<'_>, bound: &Bound, batch: &Batch) -> (Results, Seen) {
        let side = Side::Salesforce;
        let rows = |jobs: &[Job]| jobs.iter().map(|job| row(bound, side, job)).collect();
        let (made, mut results) = said(rows(self.made));
        let (updated, unsaid) = said(rows(self.updated));
        results.extend(unsaid);
        let back = self.look_back(desk, bound, batch).await;
        let asks = back.as_ref().map_or_else(Vec::new, |back| back.asks(bound));
        let jobs = self.made.iter().chain(self.updated);
        let send_before = jobs.map(|job| job.intent.send_before).min();
        desk.send_before(send_before.unwrap_or_default());
        let rows = Rows {
            made: key_field(bound, side).map(|key| (key, &made[..])),
            updated: &updated,
        };
        let client = &desk.crms.salesforce;
        let (kept, told) = client.write_and_ask(bound.object(side), rows, &asks).await;
        let mut refused = Vec::new();
        for (kind, rows, answers) in [
            (IntentKind::Create, &made, kept.made),
            (IntentKind::Update, &updated, kept.updated),
        ] {
            for answers in answers {
                if answers.len() > 1 && poisoned(&answers, self.first) {
                    refused.push((kind, rows_of(rows, answers)));
                } else {
                    results.extend(answers);
                }
            }
        }
        // Whatever is sent again is read again.
        let fine = results.values().filter_map(|result| result.as_ref().ok());
        let mut stands: BTreeSet<RecordId> = fine.map(|written| written.id.clone()).collect();
        let before = self.before.iter().flatten();
        stands.extend(before.map(|(_, to)| to.id.clone()));
        let seen = back.and_then(|back| back.seen(told).ok());
        let mut seen = seen.unwrap_or_default();
        seen.keep(&stands);
        for (kind, rows) in refused {
            let place = (side, kind, self.first);
            results.extend(in_halves(desk, bound, place, vec![rows]).await);
        }
        (results, seen)
    }

    async fn look_back(&self, desk: &Desk<'_>, bound: &Bound, batch: &Batch) -> Option<LookBack> {
        let before = self.before.as_ref()?;
        let targets = self.updated.iter();
        let targets: Vec<RecordId> = targets
            .map(|job| RecordId::new(&job.intent.target))
            .collect();
        let earlier = before.iter().map(|(job, to)| (job, &to.id));
        let written = earlier.chain(self.updated.iter().zip(&targets));
        let mut back = LookBack::of(desk, bound, batch, written).await;
        back.keys = self
            .made
            .iter()
            .map(|job| job.intent.target.clone())
            .collect();
        Some(back)
    }
}

fn rows_of(rows: &[WriteRow], answers: Vec<(String, RowResult)>) -> Vec<WriteRow> {
    let traces: BTreeSet<String> = answers.into_iter().map(|(trace, _)| trace).collect();
    let theirs = rows.iter().filter(|row| traces.contains(&row.trace));
    theirs.cloned().collect()
}

/// The rows that say something to the object itself. Where only associations change, there is
/// nothing to send.
fn said(rows: Vec<WriteRow>) -> (Vec<WriteRow>, Results) {
    let (empty, full): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.fields.is_empty());
    let mut results = Results::new();
    for row in empty {
        if let Some(id) = row.id {
            let written = Written {
                id,
                created: false,
                stored: None,
            };
            results.insert(row.trace, Ok(written));
        }
    }
    (full, results)
}

/// Each of these calls, and where one is refused as a whole its halves.
async fn in_halves(
    desk: &Desk<'_>,
    bound: &Bound,
    (side, kind, first): (Side, IntentKind, bool),
    mut waiting: Vec<Vec<WriteRow>>,
) -> Results {
    let mut results = Results::new();
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

/// The field by which a repeated create meets its own record.
pub fn key_field(bound: &Bound, side: Side) -> Option<&str> {
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
