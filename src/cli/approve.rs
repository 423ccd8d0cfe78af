//! `tandem approve`: lets through what a guard stopped.
//!
//! A grant is for one exact set of changes and runs out; a set that grew in the meantime is another
//! question. Granting marks the records that wait, so that the next run looks at them.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use crate::model::{ApprovalId, Choice, Side};
use crate::review::{ApprovalJson, grant};
use crate::store::{Approval, ApprovalState};

use super::arguments::DataArgs;
use super::choose::{self, ChosenArgs, unknown};
use super::data::Data;
use super::output::{Outcome, Output, table};

#[derive(Debug, Args)]
pub struct ApproveArgs {
    #[command(flatten)]
    data: DataArgs,
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

    fn matches(&self, approval: &Approval) -> bool {
        let mapping = self.mapping.as_deref();
        mapping.is_none_or(|name| approval.mapping.as_str() == name)
            && self.side.is_none_or(|side| approval.side == side)
            && self
                .kind
                .as_deref()
                .is_none_or(|kind| approval.kind == kind)
    }
}

pub async fn run(args: ApproveArgs, output: &Output) -> anyhow::Result<Outcome> {
    let only_list = args.chosen.ids.is_empty() && !args.chosen.all && !args.is_filtered();
    if !only_list {
        args.chosen.settled(args.is_filtered())?;
    }
    let data = Data::open(&args.data).await?;
    let mut asked = data.store.approvals(&data.workspace).await?;
    asked.retain(|approval| {
        approval.kind != Choice::APPROVAL && approval.state == ApprovalState::Asked
    });
    if only_list {
        data.close().await;
        list(&asked, output);
        return Ok(Outcome::Done);
    }
    let granted = chosen(&args, asked)?;
    let gone = grant(&data.store, &data.workspace, &granted, data.now()).await?;
    if let Some(id) = gone {
        return Err(unknown(
            "question that waits",
            id.as_str(),
            "tandem approve",
        ));
    }
    data.close().await;
    let ids: Vec<&str> = granted
        .iter()
        .map(|approval| approval.id.as_str())
        .collect();
    output.answer(&json!({"approved": ids}), || match granted.len() {
        0 => "nothing that matches waits for approval\n".to_owned(),
        count => format!("{count} approved for 24 hours; the next run goes ahead\n"),
    });
    Ok(Outcome::Done)
}

fn chosen(args: &ApproveArgs, asked: Vec<Approval>) -> anyhow::Result<Vec<Approval>> {
    if args.chosen.ids.is_empty() {
        return Ok(asked
            .into_iter()
            .filter(|approval| args.matches(approval))
            .collect());
    }
    let is_asked = |id: &&String| {
        asked
            .iter()
            .any(|approval| approval.id.as_str() == id.as_str())
    };
    if let Some(id) = args.chosen.ids.iter().find(|id| !is_asked(id)) {
        return Err(unknown("question that waits", id, "tandem approve"));
    }
    let wanted: BTreeSet<ApprovalId> = args.chosen.ids.iter().map(ApprovalId::new).collect();
    Ok(asked
        .into_iter()
        .filter(|approval| wanted.contains(&approval.id))
        .collect())
}

fn list(asked: &[Approval], output: &Output) {
    let rows: Vec<ApprovalJson> = asked.iter().map(ApprovalJson::of).collect();
    output.answer(&json!({"approvals": rows}), || {
        if asked.is_empty() {
            return "nothing waits for approval\n".to_owned();
        }
        let row = |approval: &Approval| {
            vec![
                approval.id.to_string(),
                approval.asked_at.to_string(),
                approval.mapping.to_string(),
                format!("{} on {}", approval.kind, approval.side.title()),
                approval.items.to_string(),
                approval.detail.clone(),
            ]
        };
        let headers = ["id", "asked", "mapping", "what", "records", "detail"];
        table(&headers, asked.iter().map(row).collect())
    });
}
