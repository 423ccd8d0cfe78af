//! `tandem explain --live`: reads both records now, and plays the next run on a copy of the store.
//!
//! The one planner decides, in a run that writes nothing; here its result is only gathered.

use std::time::Duration;

use crate::app::{Engine, JOURNAL_DAYS, Step};
use crate::config::{Credentials, Environment};
use crate::crm::{CrmError, Crms};
use crate::explain::{
    Explanation, Next, Planned, Question, active_mappings, add_to_loose, add_to_pair, explain,
};
use crate::mapping::{Bound, Loaded};
use crate::model::{Cause, Presence, Record, RecordKey, RunEnd, Side, Task};
use crate::pipeline::LANE;
use crate::store::{Mark, Store};
use crate::sync::Mode;

use super::super::arguments::DataArgs;
use super::super::data::Data;
use super::super::drive::Course;
use super::super::engine::{self, Ready};
use super::super::output::Advice;
use super::refused;

/// As long as a passing fault of a CRM is waited for.
const WAIT_MILLIS: i64 = 10_000;
/// More than one record ever needs.
const STEPS: usize = 100;

/// Answers from a copy of the store and from both CRMs.
pub async fn answer(
    args: &DataArgs,
    environment: &Environment,
    read: impl FnOnce(&Data) -> anyhow::Result<Question>,
) -> anyhow::Result<(Question, Explanation)> {
    let credentials = Credentials::read(environment)?;
    let mut data = Data::open_scratch(args).await?;
    let question = read(&data)?;
    let (workspace, now) = (data.workspace.clone(), data.now());
    let found = explain(&data.store, &workspace, &question, now).await;
    let mut found = found.map_err(refused)?;
    let mappings = active_mappings(&data.store, &workspace).await?;
    let scratch = data.scratch.take();
    let ready = Ready {
        credentials,
        mappings: Loaded {
            mappings,
            warnings: Vec::new(),
        },
        data,
        max_creates: None,
        journal_days: JOURNAL_DAYS,
        lacking: crate::app::Lacking::Refused,
    };
    let course = Course::UntilQuiet(WAIT_MILLIS);
    let (mut engine, store) = engine::open(ready, Mode::Observe, course).await?;
    let played = play(&mut engine, &store, &question, &mut found).await;
    engine::close(engine, store, RunEnd::Finished).await?;
    drop(scratch);
    played?;
    Ok((question, found))
}

async fn play(
    engine: &mut Engine,
    store: &Store,
    question: &Question,
    found: &mut Explanation,
) -> anyhow::Result<()> {
    let workspace = engine.site().workspace.clone();
    let at = engine.site().clock.now();
    let run = |key: &RecordKey| engine.site().mappings.contains_key(&key.mapping);
    let keys: Vec<RecordKey> = found.records().into_iter().filter(run).collect();
    let mut records = Vec::new();
    for key in &keys {
        let bound = engine.site().mappings.get(&key.mapping);
        let record = match bound {
            Some(bound) => read(engine.crms(), bound, key).await.map_err(unread)?,
            None => None,
        };
        records.push((key.clone(), record));
    }
    step(engine, store, &keys).await?;
    let now = engine.site().clock.now();
    let after = explain(store, &workspace, question, now).await;
    let after = after.map_err(refused)?;
    let next = Next {
        at,
        records: &records,
        planned: &planned(engine),
        after: &after,
    };
    for pair in &mut found.pairs {
        if let Some(bound) = engine.site().mappings.get(&pair.link.mapping) {
            add_to_pair(pair, bound, &next);
        }
    }
    for loose in &mut found.loose {
        let bound = engine.site().mappings.get(&loose.key.mapping);
        add_to_loose(loose, bound, &next);
    }
    Ok(())
}

async fn read(crms: &Crms, bound: &Bound, key: &RecordKey) -> Result<Option<Record>, CrmError> {
    let (side, object) = (key.side, bound.object(key.side));
    let ids = std::slice::from_ref(&key.id);
    let mut records = crms
        .read(side, object, ids, bound.read_fields(side))
        .await?;
    if records
        .iter()
        .any(|record| record.presence == Presence::Live)
    {
        crms.add_ties(side, object, &bound.ties(), &mut records)
            .await?;
    }
    Ok(records.pop())
}

fn unread(error: CrmError) -> anyhow::Error {
    let what = format!("the record cannot be read now: {error}");
    Advice::new(
        what,
        "leave out --live for what the store knows, or try again",
    )
    .into()
}

/// Asks for the records as a person would, and steps until each has had its attempt.
async fn step(engine: &mut Engine, store: &Store, keys: &[RecordKey]) -> anyhow::Result<()> {
    let workspace = engine.site().workspace.clone();
    let tasks: Vec<Task> = keys.iter().cloned().map(Task::Record).collect();
    let not_before = engine.site().clock.now();
    let mark = |task: &Task| Mark {
        task: task.clone(),
        cause: Cause::Person,
        not_before,
    };
    let marks: Vec<Mark> = tasks.iter().map(mark).collect();
    store.mark(&workspace, LANE, &marks).await?;
    for _ in 0..STEPS {
        let now = engine.site().clock.now();
        let pending = store.waiting(&workspace, LANE, &tasks).await?;
        let tried = pending.iter().all(|waiting| {
            waiting.blocked || waiting.work.attempts > 0 || waiting.work.not_before > now
        });
        if tried {
            break;
        }
        if let Step::Wait(until) = engine.step().await? {
            let wait = until.map_or(WAIT_MILLIS + 1, |at| at.millis_since(now));
            if wait > WAIT_MILLIS {
                break;
            }
            let wait = Duration::from_millis(wait.max(1).unsigned_abs());
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
        let about = ends.into_iter().find_map(|(side, id): (Side, _)| {
            let id = id.clone()?;
            let mapping = row.mapping.clone();
            Some(RecordKey { mapping, side, id })
        });
        about.map(|key| (key, planned))
    });
    rows.collect()
}
