//! `tandem conflicts`: edits of both sides that met.
//!
//! A choice is stored and the records are marked; the next run carries it out and journals it.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::model::{Choice, ConflictId, Link, LinkId, MappingName, Side};
use crate::review::{ConflictJson, Take, TakeRefusal};
use crate::store::{ConflictFilter, ConflictRow, ConflictState};

use super::arguments::DataArgs;
use super::choose::{ChosenArgs, LIST_ROWS, fields_text, unknown};
use super::data::Data;
use super::output::{Advice, Outcome, Output, printable, table};

/// As many as one bulk action takes; more conflicts than a workspace keeps.
const ROWS_MAX: u32 = 1_000_000;

#[derive(Debug, Subcommand)]
pub enum ConflictsCommand {
    /// Show conflicts in the order they were found; closed ones only when asked for.
    List {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        filter: FilterArgs,
        /// open (waits for a person), decided (a rule decided) or closed.
        #[arg(long, value_parser = state)]
        state: Option<ConflictState>,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = LIST_ROWS)]
        limit: u32,
    },
    /// Show everything that is known about one.
    Show {
        #[command(flatten)]
        data: DataArgs,
        /// Id, as the list shows it.
        id: String,
    },
    /// Choose the value both sides shall hold; the next run writes it.
    Take {
        #[command(flatten)]
        data: DataArgs,
        /// hubspot, salesforce, or a value; `=VALUE` where a value could be taken for a side.
        #[arg(value_name = "hubspot|salesforce|VALUE", allow_hyphen_values = true)]
        choice: String,
        #[command(flatten)]
        chosen: ChosenArgs,
        #[command(flatten)]
        filter: FilterArgs,
        /// With a filter: conflicts in this state.
        #[arg(long, default_value = "open", value_parser = state)]
        state: ConflictState,
    },
}

#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only conflicts of this mapping.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Only conflicts of this rule.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
}

fn state(text: &str) -> Result<ConflictState, String> {
    ConflictState::parse(text).ok_or_else(|| "use open, decided or closed".to_owned())
}

pub async fn run(command: ConflictsCommand, output: &Output) -> anyhow::Result<Outcome> {
    match command {
        ConflictsCommand::List {
            data,
            filter,
            state,
            limit,
        } => {
            let data = Data::open(&data).await?;
            let conflicts = filtered(&data, &filter, state).await?;
            data.close().await;
            list(&conflicts, limit as usize, output);
        }
        ConflictsCommand::Show { data, id } => {
            let data = Data::open(&data).await?;
            let conflict = by_id(&data, &id).await?;
            data.close().await;
            output.answer(&json!(ConflictJson::of(&conflict)), || details(&conflict));
        }
        ConflictsCommand::Take {
            data,
            choice,
            chosen,
            filter,
            state,
        } => {
            chosen.settled(filter.mapping.is_some() || filter.rule.is_some())?;
            let data = Data::open(&data).await?;
            let conflicts = if chosen.ids.is_empty() {
                filtered(&data, &filter, Some(state)).await?
            } else {
                by_ids(&data, &chosen.ids).await?
            };
            let choice = Choice::parse(&choice);
            let count = take(&data, &conflicts, &choice, !chosen.ids.is_empty()).await?;
            data.close().await;
            output.answer(&json!({"taken": count}), || match count {
                0 => "no conflict matches; nothing was changed\n".to_owned(),
                _ => format!("{count} choice(s) stored; the next run writes them\n"),
            });
        }
    }
    Ok(Outcome::Done)
}

async fn filtered(
    data: &Data,
    args: &FilterArgs,
    state: Option<ConflictState>,
) -> anyhow::Result<Vec<ConflictRow>> {
    let filter = ConflictFilter {
        mapping: args.mapping.as_deref().map(MappingName::new),
        rule: args.rule.clone(),
        state,
        ..ConflictFilter::default()
    };
    let mut found = data
        .store
        .conflicts(&data.workspace, &filter, ROWS_MAX)
        .await?;
    found.retain(|conflict| state.is_some() || conflict.state != ConflictState::Closed);
    Ok(found)
}

async fn by_ids(data: &Data, ids: &[String]) -> anyhow::Result<Vec<ConflictRow>> {
    let mut found = Vec::new();
    for id in ids {
        let conflict = by_id(data, id).await?;
        if conflict.state == ConflictState::Closed {
            return Err(unknown(
                "open or decided conflict",
                id,
                "tandem conflicts list",
            ));
        }
        found.push(conflict);
    }
    Ok(found)
}

async fn by_id(data: &Data, id: &str) -> anyhow::Result<ConflictRow> {
    let found = data
        .store
        .conflict(&data.workspace, &ConflictId::new(id))
        .await?;
    found.ok_or_else(|| unknown("conflict", id, "tandem conflicts list"))
}

/// Stores the choice for each conflict in one commit, and tells how many those are.
async fn take(
    data: &Data,
    conflicts: &[ConflictRow],
    choice: &Choice,
    by_id: bool,
) -> anyhow::Result<usize> {
    let links = links_of(data, conflicts).await?;
    let waiting = data.store.choices_waiting(&data.workspace).await?;
    let take = Take {
        choice,
        links: &links,
        waiting: &waiting,
        now: data.now(),
        ids: &data.ids,
    };
    let (changes, taken) = take.changes(conflicts, !by_id).map_err(refused)?;
    if !taken.is_empty() {
        data.commit(changes).await?;
    }
    Ok(taken.len())
}

fn refused(refusal: TakeRefusal) -> anyhow::Error {
    let todo = match refusal {
        TakeRefusal::HoldsAlready(_) => "take the other side, or a value",
        TakeRefusal::NoLongerLinked(_) => "pair them first with `tandem links pair`",
        TakeRefusal::DifferentRules => "add --mapping and --rule, or name ids",
        TakeRefusal::SeveralFields(_) => "take hubspot or salesforce",
    };
    Advice::new(refusal.to_string(), todo).into()
}

async fn links_of(data: &Data, conflicts: &[ConflictRow]) -> anyhow::Result<Vec<Link>> {
    let mut ids: Vec<LinkId> = conflicts.iter().map(|found| found.link.clone()).collect();
    ids.sort();
    ids.dedup();
    Ok(data.store.links_by_id(&data.workspace, &ids).await?)
}

fn list(conflicts: &[ConflictRow], limit: usize, output: &Output) {
    let shown = &conflicts[..conflicts.len().min(limit)];
    let rows: Vec<ConflictJson> = shown.iter().map(ConflictJson::of).collect();
    output.answer(
        &json!({"conflicts": rows, "total": conflicts.len()}),
        || {
            if shown.is_empty() {
                return "no conflicts\n".to_owned();
            }
            let headers = [
                "id",
                "state",
                "mapping",
                "rule",
                "HubSpot",
                "Salesforce",
                "winner",
            ];
            let mut text = table(&headers, shown.iter().map(row).collect());
            if shown.len() < conflicts.len() {
                let more = conflicts.len() - shown.len();
                text.push_str(&format!("{more} more; show them with --limit\n"));
            }
            text
        },
    );
}

fn winner(conflict: &ConflictRow) -> &'static str {
    conflict.winner.map_or("(asked)", Side::title)
}

fn row(conflict: &ConflictRow) -> Vec<String> {
    vec![
        conflict.id.to_string(),
        conflict.state.as_str().to_owned(),
        conflict.mapping.to_string(),
        conflict.rule.clone(),
        fields_text(&conflict.inputs.hubspot),
        fields_text(&conflict.inputs.salesforce),
        winner(conflict).to_owned(),
    ]
}

fn details(conflict: &ConflictRow) -> String {
    let base = |side: Side| match &conflict.base {
        Some(base) => fields_text(base.get(side)),
        None => "(no agreement yet)".to_owned(),
    };
    let mut lines = vec![
        format!("{}  ({})", conflict.id, conflict.state.as_str()),
        format!("found      {}", conflict.at),
        format!("mapping    {}, rule {}", conflict.mapping, conflict.rule),
        format!("link       {}", conflict.link),
    ];
    for side in Side::BOTH {
        lines.push(format!(
            "{:<10} {}",
            side.title(),
            fields_text(conflict.inputs.get(side))
        ));
        lines.push(format!("  before   {}", base(side)));
    }
    lines.push(format!(
        "winner     {}: {}",
        winner(conflict),
        conflict.reason
    ));
    lines.push(format!("lost       {}", fields_text(&conflict.loser)));
    lines.push(format!(
        "\nnext: tandem conflicts take hubspot|salesforce|VALUE {}",
        conflict.id
    ));
    format!("{}\n", printable(&lines.join("\n")))
}
