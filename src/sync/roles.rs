//! Writes the rows of junction objects, which are records of their own on Salesforce.
//!
//! A row carries no key of ours, so none is made before those that are there were read. A call that
//! was not answered leaves its intent open: the row may still arrive, and is looked for first.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::load::setback;
use super::outcome::put_hold;
use super::sets::{Difference, difference};
use super::unit::{Batch, End};
use super::write::Job;
use crate::crm::salesforce::RoleRow;
use crate::crm::{CrmError, ErrorKind, WriteRow, Written, joined, split_ids};
use crate::mapping::{Bound, Rule};
use crate::model::{
    BySide, ErrorClass, Fields, HoldReason, Problem, Raw, RecordId, RoleRead, Side,
};
use crate::retry::GRACE_MILLIS;
use crate::store::StoreError;

const ON: Side = Side::Salesforce;

/// Makes and deletes the rows that the jobs' rules ask for. A job whose outcome is not known is
/// left out of what is settled now.
pub async fn write(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    jobs: &mut Vec<(Job, Written)>,
) -> Result<(), StoreError> {
    let mut failed = BTreeMap::new();
    let wanted = gather(bound, jobs);
    for asked in wanted.chunk_by(|one, two| one.read.junction == two.read.junction) {
        desk.lane.keep().await?;
        send(desk, jobs, asked, &mut failed).await;
    }
    let mut unknown = BTreeSet::new();
    for ((at, name), failure) in failed {
        let Some(rule) = bound.mapping().rule(&name) else {
            continue;
        };
        if fail(desk, bound, batch, &mut jobs[at].0, rule, failure) {
            unknown.insert(at);
        }
    }
    let mut at = 0;
    jobs.retain(|_| {
        at += 1;
        !unknown.contains(&(at - 1))
    });
    Ok(())
}

/// One row that should be there, or should not.
struct Change {
    /// The job it is for, by its place.
    job: usize,
    rule: String,
    read: RoleRead,
    own: RecordId,
    far: RecordId,
    add: bool,
}

impl Change {
    fn is(&self, row: &RoleRow) -> bool {
        row.own == self.own && row.far == self.far && row.is(&self.read)
    }
}

/// Why one rule of a job was not written, and which of its rows were all the same.
struct Failure {
    error: CrmError,
    done: Difference,
}

type Failed = BTreeMap<(usize, String), Failure>;

fn gather(bound: &Bound, jobs: &[(Job, Written)]) -> Vec<Change> {
    let mut changes = Vec::new();
    for rule in bound.mapping().associations() {
        let read = rule.reference().and_then(|reference| bound.role(reference));
        let Some(read) = read else { continue };
        for (at, (job, written)) in jobs.iter().enumerate() {
            let intended = job.intent.rules.iter().find(|one| one.rule == rule.name);
            let Some(intended) = intended else { continue };
            let Difference { add, remove } = difference(intended, &read.field());
            let all = add.into_iter().map(|far| (far, true));
            for (far, add) in all.chain(remove.into_iter().map(|far| (far, false))) {
                changes.push(Change {
                    job: at,
                    rule: rule.name.clone(),
                    read: read.clone(),
                    own: written.id.clone(),
                    far,
                    add,
                });
            }
        }
    }
    changes.sort_by_key(|change| change.read.junction);
    changes
}

/// All rows of one junction object: read first, then made and deleted, 200 to a call.
async fn send(desk: &Desk<'_>, jobs: &[(Job, Written)], asked: &[Change], failed: &mut Failed) {
    let results = match present(desk, asked).await {
        Ok(rows) => {
            let until = asked
                .iter()
                .map(|change| jobs[change.job].0.intent.send_before);
            if let Some(until) = until.min() {
                desk.send_before(until);
            }
            call(desk, asked, &rows).await
        }
        // Nothing was written yet.
        Err(error) => asked.iter().map(|_| Err(error.clone())).collect(),
    };
    let results: Vec<Result<(), CrmError>> = results;
    for (change, result) in asked.iter().zip(&results) {
        if let Err(error) = result {
            let place = (change.job, change.rule.clone());
            let failure = failed.entry(place).or_insert_with(|| Failure {
                error: error.clone(),
                done: Difference::default(),
            });
            // What may have happened has to be waited for before anything else is said.
            if error.class() == ErrorClass::UnknownOutcome {
                failure.error = error.clone();
            }
        }
    }
    for (change, result) in asked.iter().zip(&results) {
        let place = (change.job, change.rule.clone());
        if let (Ok(()), Some(failure)) = (result, failed.get_mut(&place)) {
            let done = match change.add {
                true => &mut failure.done.add,
                false => &mut failure.done.remove,
            };
            done.insert(change.far.clone());
        }
    }
}

async fn present(desk: &Desk<'_>, asked: &[Change]) -> Result<Vec<RoleRow>, CrmError> {
    let reads: BTreeSet<RoleRead> = asked.iter().map(|change| change.read.clone()).collect();
    let own: BTreeSet<RecordId> = asked.iter().map(|change| change.own.clone()).collect();
    let (reads, own) = (Vec::from_iter(reads), Vec::from_iter(own));
    desk.crms.salesforce.role_rows(&reads, &own).await
}

/// One answer for each change, in order.
async fn call(desk: &Desk<'_>, asked: &[Change], present: &[RoleRow]) -> Vec<Result<(), CrmError>> {
    let Some(object) = asked.first().map(|change| change.read.junction.object) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    let mut ids = BTreeMap::new();
    for (at, change) in asked.iter().enumerate() {
        let mut there = present.iter().filter(|row| change.is(row)).peekable();
        match change.add {
            true if there.peek().is_none() => rows.push(new_row(at, change)),
            true => {}
            false => ids.extend(there.map(|row| (row.id.clone(), at))),
        }
    }
    let mut results: Vec<Result<(), CrmError>> = asked.iter().map(|_| Ok(())).collect();
    if !rows.is_empty() {
        for (trace, reply) in desk.crms.create(ON, object, None, &rows).await {
            let at = trace.parse::<usize>().ok();
            if let (Some(slot), Err(error)) = (at.and_then(|at| results.get_mut(at)), reply) {
                *slot = Err(error);
            }
        }
    }
    if !ids.is_empty() {
        let all: Vec<RecordId> = ids.keys().cloned().collect();
        for (id, reply) in desk.crms.archive(ON, object, &all).await {
            let slot = ids.get(&id).and_then(|at| results.get_mut(*at));
            match (slot, reply) {
                // Somebody else was quicker, and it is gone as it should be.
                (_, Err(error)) if error.kind == ErrorKind::NotFound => {}
                (Some(slot), Err(error)) => *slot = Err(error),
                (Some(_), Ok(())) | (None, _) => {}
            }
        }
    }
    results
}

fn new_row(at: usize, change: &Change) -> WriteRow {
    let read = &change.read;
    let fields: Fields = [
        (read.own, change.own.as_str()),
        (read.far, change.far.as_str()),
        (read.junction.role, &read.role),
    ]
    .map(|(name, text)| (name.to_owned(), Raw::text(text)))
    .into();
    WriteRow {
        trace: at.to_string(),
        id: None,
        fields,
        unless_changed_since: None,
    }
}

/// What becomes of a rule whose rows were not all written; true when that is not known yet.
fn fail(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    job: &mut Job,
    rule: &Rule,
    failure: Failure,
) -> bool {
    let unit = &mut batch.units[job.unit];
    let Failure { error, done } = failure;
    let class = error.class();
    let mut later = setback(&error);
    if class == ErrorClass::UnknownOutcome {
        later.retry_after = Some(job.intent.send_before.plus_millis(GRACE_MILLIS));
        unit.finish(End::Failed(later));
        return true;
    }
    let rules = &mut job.intent.rules;
    let intended = rules
        .iter()
        .position(|one| one.rule == rule.name)
        .map(|at| rules.remove(at));
    let refused = matches!(class, ErrorClass::Permanent | ErrorClass::NeedsPerson)
        && error.kind != ErrorKind::NotFound;
    let (Some(intended), true) = (intended, refused) else {
        if error.kind == ErrorKind::NotFound {
            // The other record went a moment ago; the next read tells.
            later.failure.class = ErrorClass::Transient;
        }
        unit.finish(End::Failed(later));
        return false;
    };
    let mut sides = BySide::new(intended.source, intended.before);
    for field in rule.writes(ON) {
        let there = &split_ids(&sides.salesforce, field) | &done.add;
        let there = &there - &done.remove;
        sides.salesforce.insert(field.clone(), joined(there));
    }
    let detail = format!(
        "{} refused it: {} ({})",
        ON.title(),
        error.message,
        error.code
    );
    let problem = Problem {
        reason: HoldReason::Refused,
        detail,
    };
    put_hold(desk, bound, unit, rule, sides, &problem);
    false
}
