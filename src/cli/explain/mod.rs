//! `tandem explain`: why a record and its values are as they are, and why something was not synced.
//!
//! Answers from the store; the deciding is in `crate::explain`.

mod live;
mod text;

use clap::Args;

use crate::config::Environment;
use crate::explain::{Explanation, Question, Refusal, explain};
use crate::review::explained;

use super::arguments::DataArgs;
use super::data::Data;
use super::output::{Advice, Outcome, Output};

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A HubSpot object type (contacts), a Salesforce object (Contact) or the name of a mapping.
    object: String,
    /// HubSpot's record id, or Salesforce's in 15 or 18 characters.
    id: String,
    /// A property, a field or the name of a rule: shows its whole history.
    field: Option<String>,
    #[command(flatten)]
    data: DataArgs,
    /// What had been agreed then: 2026-03-02T09:00:00Z, 2026-03-02, or an age such as 2h or 3d.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Reads both records now and says what the next run would do; nothing is written. Takes the
    /// credentials from the environment, as `sync` does.
    #[arg(long, conflicts_with = "at")]
    live: bool,
}

pub async fn run(
    args: ExplainArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let read = |data: &Data| {
        let (field, at) = (args.field.as_deref(), args.at.as_deref());
        Question::read(&args.object, &args.id, field, at, data.now()).map_err(refused)
    };
    let (question, found) = match args.live {
        true => Box::pin(live::answer(&args.data, environment, read)).await?,
        false => stored(&args.data, read).await?,
    };
    output.answer(&explained(&question, &found), || {
        text::page(&question, &found)
    });
    Ok(Outcome::Done)
}

/// Answers from the store alone.
async fn stored(
    args: &DataArgs,
    read: impl FnOnce(&Data) -> anyhow::Result<Question>,
) -> anyhow::Result<(Question, Explanation)> {
    let data = Data::open_to_read(args).await?;
    let answer = async {
        let question = read(&data)?;
        let found = explain(&data.store, &data.workspace, &question, data.now()).await;
        Ok((question, found.map_err(refused)?))
    };
    let answer = answer.await;
    data.close().await;
    answer
}

pub fn refused(refusal: Refusal) -> anyhow::Error {
    match refusal.todo() {
        Some(todo) => Advice::new(refusal.to_string(), todo).into(),
        None => refusal.into(),
    }
}
