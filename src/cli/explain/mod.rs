//! `tandem explain`: why a record and its values are as they are, and why something was not synced.
//!
//! Answers from the store, or from a service; the deciding is in `crate::explain`.

mod live;
mod text;

use clap::Args;
use serde_json::{Value, json};

use crate::config::Environment;
use crate::explain::{Explanation, Question, Refusal, explain};
use crate::model::{BySide, Timestamp};
use crate::review::{explained, retold};

use super::arguments::DataArgs;
use super::at::{AtArgs, There};
use super::data::Data;
use super::output::{Advice, Outcome, Output};
use super::served;

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A HubSpot object type (contacts), a Salesforce object (Contact) or the name of a mapping.
    object: String,
    /// HubSpot's record id, or Salesforce's in 15 or 18 characters.
    id: String,
    /// A property, a field or the name of a rule: shows its whole history.
    field: Option<String>,
    #[command(flatten)]
    place: AtArgs,
    /// What had been agreed then: 2026-03-02T09:00:00Z, 2026-03-02, or an age such as 2h or 3d.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Reads both records now and says what the next run would do; nothing is written. Takes the
    /// credentials from the environment, as `sync` does, or has a service look.
    #[arg(long, conflicts_with = "at")]
    live: bool,
}

pub async fn run(
    args: ExplainArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let there = match args.live {
        true => args.place.running(environment).await?,
        false => args.place.there(environment).await?,
    };
    if let Some(there) = there {
        return explain_there(&args, &there, output).await;
    }
    let read = |data: &Data| args.question(data.now());
    let (question, found) = match args.live {
        true => Box::pin(live::answer(args.place.data(), environment, read)).await?,
        false => stored(args.place.data(), read).await?,
    };
    output.answer(&explained(&question, &found), || {
        text::page(&question, &found)
    });
    Ok(Outcome::Done)
}

impl ExplainArgs {
    fn question(&self, now: Timestamp) -> anyhow::Result<Question> {
        let (field, at) = (self.field.as_deref(), self.at.as_deref());
        Question::read(&self.object, &self.id, field, at, now).map_err(refused)
    }
}

/// Answers from a service, which knows what `--at` means by its own clock.
async fn explain_there(
    args: &ExplainArgs,
    there: &There,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let answer: Value = match args.live {
        true => {
            let asked = json!({"object": args.object, "id": args.id, "field": args.field});
            served::explained(there, asked).await?
        }
        false => {
            let words = [
                ("object", Some(args.object.as_str())),
                ("id", Some(args.id.as_str())),
                ("field", args.field.as_deref()),
                ("at", args.at.as_deref()),
            ];
            there.get("explain", &words).await?
        }
    };
    let found = retold(&answer).ok_or_else(|| {
        let what = "the service's answer cannot be read";
        Advice::new(what, "use the same version as the service")
    })?;
    let at = answer["at"].as_str().and_then(Timestamp::parse);
    let question = Question {
        object: args.object.clone(),
        ids: BySide::default(),
        id: args.id.clone(),
        field: args.field.clone(),
        at,
    };
    output.answer(&answer, || text::page(&question, &found));
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
