//! What both records hold at this moment, and what the next run would do: both are read, and the
//! run is played by an engine that writes nothing, on a store of its own.
//!
//! The one planner decides, in that run; here its result is only gathered.

use std::time::Duration;

use super::patience::{in_time, record_now};
use super::{Engine, LookError, Step};
use crate::explain::{
    Explanation, Next, Planned, Question, Refusal, add_to_loose, add_to_pair, explain,
};
use crate::model::{Cause, RecordKey, Task, Timestamp};
use crate::pipeline::LANE;
use crate::store::Mark;

/// As long as a passing fault of a CRM is waited for.
pub const LIVE_WAIT_MILLIS: i64 = 10_000;
/// A look holds whoever looks for so long and no longer; the call that is under way then is waited
/// for.
const LOOK_MILLIS: i64 = 60_000;
/// More than one record ever needs.
const STEPS: usize = 100;

/// Puts beside what the store tells what both CRMs hold now, and what the next run would make of
/// it. The engine and its store are for this alone.
///
/// # Errors
/// When a record cannot be read, it takes too long or the store fails; it can be asked again.
pub async fn look_live(
    engine: &mut Engine,
    question: &Question,
    found: &mut Explanation,
) -> Result<(), LookError> {
    let at = engine.site().clock.now();
    let until = at.plus_millis(LOOK_MILLIS);
    let run = |key: &RecordKey| engine.site().mappings.contains_key(&key.mapping);
    let keys: Vec<RecordKey> = found.records().into_iter().filter(run).collect();
    let mut records = Vec::new();
    for key in &keys {
        records.push((key.clone(), record_now(engine, key, until).await?));
    }
    step(engine, &keys, until).await?;
    if let Some(failure) = engine.auth_failure() {
        let what = format!(
            "the look at the record is not complete: {}",
            failure.message
        );
        return Err(LookError::Refused(what));
    }
    let site = engine.site();
    let now = site.clock.now();
    let after = explain(&site.store, &site.workspace, question, now).await?;
    let next = Next {
        at,
        records: &records,
        planned: &planned(engine),
        after: &after,
    };
    for pair in &mut found.pairs {
        if let Some(bound) = site.mappings.get(&pair.link.mapping) {
            add_to_pair(pair, bound, &next);
        }
    }
    for loose in &mut found.loose {
        add_to_loose(loose, site.mappings.get(&loose.key.mapping), &next);
    }
    Ok(())
}

impl From<Refusal> for LookError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Store(error) => Self::Store(error),
            other => Self::Incomplete(other.to_string()),
        }
    }
}

/// Asks for the records as a person would, and steps until each has had its attempt.
async fn step(engine: &mut Engine, keys: &[RecordKey], until: Timestamp) -> Result<(), LookError> {
    let tasks: Vec<Task> = keys.iter().cloned().map(Task::Record).collect();
    let not_before = engine.site().clock.now();
    let mark = |task: &Task| Mark {
        task: task.clone(),
        cause: Cause::Person,
        not_before,
    };
    let marks: Vec<Mark> = tasks.iter().map(mark).collect();
    let site = engine.site();
    site.store.mark(&site.workspace, LANE, &marks).await?;
    for _ in 0..STEPS {
        let site = engine.site();
        let now = site.clock.now();
        let pending = site.store.waiting(&site.workspace, LANE, &tasks).await?;
        let tried = pending.iter().all(|waiting| {
            waiting.blocked || waiting.work.attempts > 0 || waiting.work.not_before > now
        });
        if tried {
            break;
        }
        in_time(engine, until)?;
        if let Step::Wait(due) = engine.step().await? {
            let wait = due.map_or(LIVE_WAIT_MILLIS + 1, |at| at.millis_since(now));
            if wait > LIVE_WAIT_MILLIS {
                break;
            }
            let wait = wait.min(until.millis_since(now)).max(1);
            let wait = Duration::from_millis(wait.unsigned_abs());
            tokio::time::sleep(wait).await;
        }
    }
    Ok(())
}

/// What the run would have written, by the record each write is about.
fn planned(engine: &Engine) -> Vec<(RecordKey, Planned)> {
    let rows = engine.tally().planned.rows().flat_map(|row| {
        let planned = Planned {
            rule: row.rule.clone(),
            side: row.side,
            kind: row.kind,
            before: row.before.clone(),
            after: row.after.clone(),
            reason: row.reason.clone(),
        };
        let ends = [(row.side, &row.record), (row.side.other(), &row.source)];
        let about = ends.into_iter().find_map(|(side, id)| {
            let id = id.clone()?;
            let mapping = row.mapping.clone();
            Some(RecordKey { mapping, side, id })
        });
        about.map(|key| (key, planned))
    });
    rows.collect()
}
