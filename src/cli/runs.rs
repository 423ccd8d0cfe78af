//! `tandem runs`: what ran, how it ended and what it did.

use clap::Subcommand;
use serde_json::json;

use crate::config::Environment;
use crate::model::RunId;
use crate::review::{LagJson, RunJson};

use super::at::{At, AtArgs};
use super::choose::{LIST_ROWS, unknown};
use super::output::{Outcome, Output, printable, table};
use super::service::segment;

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// Show runs, the newest first.
    List {
        #[command(flatten)]
        at: AtArgs,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = LIST_ROWS)]
        limit: u32,
    },
    /// Show everything that is known about one.
    Show {
        #[command(flatten)]
        at: AtArgs,
        /// Id, as the list shows it.
        id: String,
    },
}

pub async fn run(
    command: RunsCommand,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    match command {
        RunsCommand::List { at, limit } => {
            let runs: Vec<RunJson> = match at.open_to_read(environment).await? {
                At::Here(data) => {
                    let runs = data.store.runs(&data.workspace, limit).await;
                    data.close().await;
                    runs?.iter().map(RunJson::of).collect()
                }
                At::There(there) => there.rows("runs", &[], limit as usize).await?.0,
            };
            output.answer(&json!({"runs": runs}), || text(&runs));
        }
        RunsCommand::Show { at, id } => {
            let run: RunJson = match at.open_to_read(environment).await? {
                At::Here(data) => {
                    let found = data
                        .store
                        .run(&data.workspace, &RunId::new(id.as_str()))
                        .await;
                    data.close().await;
                    let found = found?.ok_or_else(|| unknown("run", &id, "tandem runs list"))?;
                    RunJson::of(&found)
                }
                At::There(there) => there.get(&format!("runs/{}", segment(&id)), &[]).await?,
            };
            output.answer(&json!(run), || details(&run, &at.served_words()));
        }
    }
    Ok(Outcome::Done)
}

fn outcome_text(run: &RunJson) -> String {
    let Some(outcome) = &run.outcome else {
        // One of an earlier version has ended all the same.
        let ended = run.ended_at.as_ref();
        return ended.map_or("under way", |_| "-").to_owned();
    };
    match &run.why {
        Some(why) => format!("{outcome} ({why})"),
        None => outcome.clone(),
    }
}

fn lag_text(lag: Option<u64>) -> String {
    lag.map_or_else(
        || "-".to_owned(),
        |millis| format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
    )
}

pub fn text(runs: &[RunJson]) -> String {
    if runs.is_empty() {
        return "No run yet.\n".to_owned();
    }
    let headers = [
        "run",
        "kind",
        "started",
        "ended",
        "outcome",
        "records written",
        "calls",
        "lag p99",
    ];
    let rows = runs.iter().map(|run| {
        let did = &run.did;
        vec![
            run.id.clone(),
            run.kind.clone(),
            run.started_at.clone(),
            run.ended_at.clone().unwrap_or_else(|| "-".to_owned()),
            outcome_text(run),
            did.writes.to_string(),
            (did.hubspot_calls + did.salesforce_calls).to_string(),
            lag_text(did.lag.as_ref().map(|lag| lag.p99_millis)),
        ]
    });
    table(&headers, rows.collect())
}

/// `place` is what a command about the same workspace of a service is given.
fn details(run: &RunJson, place: &str) -> String {
    let did = &run.did;
    let mut lines = vec![
        format!("{}  ({}, {})", run.id, run.kind, outcome_text(run)),
        format!("started    {}", run.started_at),
        format!("ended      {}", run.ended_at.as_deref().unwrap_or("-")),
        format!(
            "written    {} records, {} of them new, {} deleted",
            did.writes, did.creates, did.archives
        ),
        format!("pairs      {} new", did.pairs),
        format!("conflicts  {}", did.conflicts),
        format!("held       {} values", did.held),
        format!(
            "calls      {} HubSpot, {} Salesforce",
            did.hubspot_calls, did.salesforce_calls
        ),
    ];
    lines.extend(did.lag.as_ref().map(lag_line));
    if did.writes > 0 {
        lines.push(format!("\nnext: tandem undo {}{place}", run.id));
    }
    format!("{}\n", printable(&lines.join("\n")))
}

fn lag_line(lag: &LagJson) -> String {
    let [half, most, longest] =
        [lag.p50_millis, lag.p99_millis, lag.max_millis].map(|millis| lag_text(Some(millis)));
    format!(
        "lag        half of {} changes within {half}, 99 % within {most}, the longest {longest}",
        lag.changes
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Words {
        #[command(flatten)]
        at: AtArgs,
    }

    fn shown(writes: u64, words: &[&str]) -> String {
        let did = json!({
            "writes": writes, "creates": 0, "archives": 0, "pairs": 0, "conflicts": 0, "held": 0,
            "hubspot_calls": 1, "salesforce_calls": 1, "lag": null,
        });
        let run = json!({
            "id": "run_1", "kind": "sync", "started_at": "2026-03-02T09:00:00Z",
            "ended_at": null, "outcome": null, "why": null, "did": did,
        });
        let run = serde_json::from_value(run).expect("a run");
        let words = Words::parse_from([&["runs"], words].concat());
        details(&run, &words.at.served_words())
    }

    #[test]
    fn the_next_command_is_for_where_the_run_was_and_only_if_it_wrote() {
        assert!(shown(3, &[]).ends_with("\nnext: tandem undo run_1\n"));
        let there = ["--workspace", "acme/production", "--server", "http://h:1/"];
        let next = "next: tandem undo run_1 --workspace acme/production --server http://h:1/\n";
        assert!(shown(3, &there).ends_with(next));
        let next = "next: tandem undo run_1 --workspace acme/production --server URL\n";
        assert!(shown(3, &there[..2]).ends_with(next));
        assert!(!shown(0, &there).contains("next"));
    }
}
