//! `tandem approve`: lets through what a guard stopped.
//!
//! A grant is for one exact set of changes and runs out; a set that grew in the meantime is another
//! question. Granting marks the records that wait, so that the next run looks at them.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Value, json};

use crate::model::{
    ApprovalId, Cause, Choice, HoldReason, LinkId, LinkState, MappingName, RecordKey, Side, Task,
    Timestamp,
};
use crate::pipeline::LANE;
use crate::store::{Approval, ApprovalState, LinkFilter, Mark};

use super::arguments::DataArgs;
use super::choose::{self, ChosenArgs, marks_of, unknown};
use super::data::Data;
use super::output::{Outcome, Output, table};

/// How long a grant counts: a working day, so that a nightly run can use it.
const GRANT_MILLIS: i64 = 24 * 60 * 60 * 1_000;
const PAGE: u32 = 1_000;

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
    grant(&data, &granted).await?;
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

async fn grant(data: &Data, approvals: &[Approval]) -> anyhow::Result<()> {
    let expires = data.now().plus_millis(GRANT_MILLIS);
    for approval in approvals {
        let granted = data
            .store
            .grant_approval(&data.workspace, &approval.id, expires)
            .await?;
        if !granted {
            return Err(unknown(
                "question that waits",
                approval.id.as_str(),
                "tandem approve",
            ));
        }
    }
    let named: Vec<Mark> = approvals
        .iter()
        .flat_map(|approval| released(approval, data.now()))
        .collect();
    data.store.mark(&data.workspace, LANE, &named).await?;
    let mappings: BTreeSet<&MappingName> = approvals.iter().map(|found| &found.mapping).collect();
    for mapping in mappings {
        wake(data, mapping).await?;
    }
    Ok(())
}

/// The records that a grant releases, as work for the next run.
fn released(approval: &Approval, now: Timestamp) -> impl Iterator<Item = Mark> {
    approval.records.iter().map(move |id| {
        let key = RecordKey {
            mapping: approval.mapping.clone(),
            side: approval.side,
            id: id.clone(),
        };
        Mark {
            task: Task::Record(key),
            cause: Cause::Person,
            not_before: now,
        }
    })
}

/// Marks what a guard may have stopped under this mapping: links with a rule held by a guard, and
/// links suspended as a whole. Looking at one too many costs a read and changes nothing.
async fn wake(data: &Data, mapping: &MappingName) -> anyhow::Result<()> {
    let mut marks = Vec::new();
    let mut after: Option<LinkId> = None;
    let filter = LinkFilter {
        mapping: Some(mapping.clone()),
        state: None,
    };
    loop {
        let links = data
            .store
            .links_page(&data.workspace, &filter, after.as_ref(), PAGE)
            .await?;
        let ids: Vec<LinkId> = links.iter().map(|link| link.id.clone()).collect();
        let holds = data.store.holds(&data.workspace, &ids).await?;
        let guarded: BTreeSet<&LinkId> = holds
            .iter()
            .filter(|hold| hold.reason == HoldReason::Guard)
            .map(|hold| &hold.link)
            .collect();
        let waiting = links
            .iter()
            .filter(|link| link.state == LinkState::Suspended || guarded.contains(&link.id));
        marks.extend(waiting.flat_map(|link| marks_of(link, data.now())));
        if links.len() < PAGE as usize {
            break;
        }
        after = links.last().map(|link| link.id.clone());
    }
    data.store.mark(&data.workspace, LANE, &marks).await?;
    Ok(())
}

fn list(asked: &[Approval], output: &Output) {
    let rows: Vec<Value> = asked.iter().map(object).collect();
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

fn object(approval: &Approval) -> Value {
    json!({
        "id": approval.id.as_str(),
        "asked_at": approval.asked_at.to_string(),
        "mapping": approval.mapping.as_str(),
        "side": approval.side.as_str(),
        "kind": approval.kind,
        "records": approval.items,
        "detail": approval.detail,
    })
}
