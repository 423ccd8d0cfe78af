//! `tandem approve`: lets through what a guard stopped.
//!
//! A grant is for one exact set of changes and runs out; a set that grew in the meantime is another
//! question. Granting marks the records that wait, so that the next run looks at them.

use clap::Args;
use serde_json::json;

use crate::config::Environment;
use crate::model::{Choice, Side};
use crate::review::{ApprovalJson, grant};
use crate::store::{Approval, ApprovalState};

use super::at::{At, AtArgs};
use super::choose::{self, ChosenArgs, titled, unknown};
use super::data::Data;
use super::output::{Outcome, Output, table};
use super::service::segment;

const QUESTION: &str = "question that waits";
/// The command that shows the ids.
const LIST: &str = "tandem approve";

#[derive(Debug, Args)]
pub struct ApproveArgs {
    #[command(flatten)]
    at: AtArgs,
    #[command(flatten)]
    chosen: ChosenArgs,
    /// Only questions of this mapping.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Only questions about writes to this side.
    #[arg(long, value_parser = choose::side)]
    side: Option<Side>,
    /// Only questions of this kind: deletes, unlinks, blanks or changes.
    #[arg(long)]
    kind: Option<String>,
}

impl ApproveArgs {
    fn is_filtered(&self) -> bool {
        self.mapping.is_some() || self.side.is_some() || self.kind.is_some()
    }

    fn matches(&self, approval: &ApprovalJson) -> bool {
        let mapping = self.mapping.as_deref();
        mapping.is_none_or(|name| approval.mapping == name)
            && self.side.is_none_or(|side| approval.side == side.as_str())
            && self
                .kind
                .as_deref()
                .is_none_or(|kind| approval.kind == kind)
    }
}

pub async fn run(
    args: ApproveArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let only_list = args.chosen.ids.is_empty() && !args.chosen.all && !args.is_filtered();
    if !only_list {
        args.chosen.settled(args.is_filtered())?;
    }
    let at = args.at.open(environment).await?;
    let asked = asked(&at).await?;
    if only_list {
        at.close().await;
        list(&asked, output);
        return Ok(Outcome::Done);
    }
    let ids = chosen(&args, &asked)?;
    match at {
        At::Here(data) => grant_here(data, &ids).await?,
        At::There(there) => {
            for id in &ids {
                let rest = format!("approvals/{}/approve", segment(id));
                there.post(&rest, json!({})).await?;
            }
        }
    }
    output.answer(&json!({"approved": ids}), || match ids.len() {
        0 => "nothing that matches waits for approval\n".to_owned(),
        count => format!("{count} approved for 24 hours; the next run goes ahead\n"),
    });
    Ok(Outcome::Done)
}

async fn asked(at: &At) -> anyhow::Result<Vec<ApprovalJson>> {
    match at {
        At::Here(data) => {
            let waiting = waiting(data).await?;
            Ok(waiting.iter().map(ApprovalJson::of).collect())
        }
        At::There(there) => Ok(there.rows("approvals", &[], usize::MAX).await?.0),
    }
}

/// The questions of guards that nobody has answered.
async fn waiting(data: &Data) -> anyhow::Result<Vec<Approval>> {
    let mut found = data.store.approvals(&data.workspace).await?;
    found.retain(|approval| {
        approval.kind != Choice::APPROVAL && approval.state == ApprovalState::Asked
    });
    Ok(found)
}

async fn grant_here(data: Data, ids: &[String]) -> anyhow::Result<()> {
    let mut asked = waiting(&data).await?;
    asked.retain(|approval| ids.iter().any(|id| id == approval.id.as_str()));
    let gone = grant(&data.store, &data.workspace, &asked, data.now()).await?;
    data.close().await;
    match gone {
        Some(id) => Err(unknown(QUESTION, id.as_str(), LIST)),
        None => Ok(()),
    }
}

/// The ids of the questions that the command line names.
fn chosen(args: &ApproveArgs, asked: &[ApprovalJson]) -> anyhow::Result<Vec<String>> {
    if args.chosen.ids.is_empty() {
        let matching = asked.iter().filter(|approval| args.matches(approval));
        return Ok(matching.map(|approval| approval.id.clone()).collect());
    }
    let is_asked = |id: &&String| asked.iter().any(|approval| approval.id == **id);
    if let Some(id) = args.chosen.ids.iter().find(|id| !is_asked(id)) {
        return Err(unknown(QUESTION, id, LIST));
    }
    let named = asked.iter().map(|approval| approval.id.clone());
    Ok(named.filter(|id| args.chosen.ids.contains(id)).collect())
}

fn list(asked: &[ApprovalJson], output: &Output) {
    output.answer(&json!({"approvals": asked}), || {
        if asked.is_empty() {
            return "nothing waits for approval\n".to_owned();
        }
        let row = |approval: &ApprovalJson| {
            vec![
                approval.id.clone(),
                approval.asked_at.clone(),
                approval.mapping.clone(),
                format!("{} on {}", approval.kind, titled(&approval.side)),
                approval.records.to_string(),
                approval.detail.clone(),
            ]
        };
        let headers = ["id", "asked", "mapping", "what", "records", "detail"];
        table(&headers, asked.iter().map(row).collect())
    });
}
