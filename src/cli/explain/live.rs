//! `tandem explain --live`: reads both records now, and plays the next run on a copy of the store.
//!
//! What is read and played is in `crate::app`, which a service does the same with.

use crate::app::{JOURNAL_DAYS, LIVE_WAIT_MILLIS, Lacking, LookError, look_live};
use crate::config::{Credentials, Environment};
use crate::explain::{Explanation, Question, active_mappings, explain};
use crate::mapping::Loaded;
use crate::model::RunEnd;
use crate::sync::Mode;

use super::super::arguments::DataArgs;
use super::super::data::Data;
use super::super::drive::Course;
use super::super::engine::{self, Ready};
use super::super::output::Advice;
use super::refused;

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
        lacking: Lacking::Refused,
    };
    let course = Course::UntilQuiet(LIVE_WAIT_MILLIS);
    let (mut engine, store) = engine::open(ready, Mode::Observe, course).await?;
    let looked = look_live(&mut engine, &question, &mut found).await;
    engine::close(engine, store, RunEnd::Finished).await?;
    drop(scratch);
    looked.map_err(unread)?;
    Ok((question, found))
}

fn unread(error: LookError) -> anyhow::Error {
    match error {
        LookError::Store(error) => error.into(),
        LookError::Incomplete(what) => {
            let todo = "leave out --live for what the store knows, or try again";
            Advice::new(what, todo).into()
        }
        LookError::Refused(what) => Advice::new(what, engine::RENEW).into(),
    }
}
