//! `tandem undo`: shows what would take back a run's writes, and with `--yes` writes it.
//!
//! The plan is made from the journal and carried out by the engine like any other plan.

use clap::Args;
use serde_json::{Value, json};

use crate::app::{self, PlanFile, Spared, Undo, named, why_spared};
use crate::config::Environment;
use crate::explain::moment;
use crate::model::{BySide, MappingName, PlannedWrite, RecordId, RunEnd, RunId};
use crate::review::RunJson;
use crate::store::{JournalSize, RunRow, WritesOf};
use crate::sync::{Fate, Frozen, Mode, Row};

use super::at::{ServedArgs, There};
use super::choose::titled;
use super::data::Data;
use super::engine::Ready;
use super::explain;
use super::output::{Advice, Outcome, Output, printable, table};
use super::plan::KeepArgs;
use super::plan_report::PlanReport;
use super::planned;
use super::runs;
use super::served;
use super::service::segment;
use super::sync::PlaceArgs;

/// Runs that are listed.
const RUNS: u32 = 20;
/// Values that stay as they are and are spelled out for people; `--json` has them all.
const SHOWN: usize = 50;

#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The run to take back; without it and without --since, runs are listed.
    run: Option<String>,
    /// Take back everything since a time (2026-03-02T09:00:00Z), a date, or for 90m, 2h, 3d.
    #[arg(long, value_name = "TIME", conflicts_with = "run")]
    since: Option<String>,
    /// Only writes of this mapping.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Only writes of this rule.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only writes to the pair of this record, by the id it has on either side.
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// Also delete records that were created, where nobody has touched them.
    #[arg(long)]
    archive_created: bool,
    /// Write it. Without this the plan is shown and nothing is written.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    served: ServedArgs,
}

pub async fn run(
    args: UndoArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let there = args.served.at_work(&args.place, environment).await?;
    if let Some(there) = &there {
        return Box::pin(undo_there(&args, there, output)).await;
    }
    if args.run.is_none() && args.since.is_none() {
        return list(&args, output).await;
    }
    let data = Data::open(args.place.data()).await?;
    let asked = asked(&args, &data).await;
    data.close().await;
    let asked = asked?;
    let ready = args.place.prepare(environment, args.yes).await?;
    let (store, ws) = (&ready.data.store, &ready.data.workspace);
    let (writes, spared) = app::undo(store, ws, &asked, &ready.mappings.mappings).await?;
    if writes.is_empty() {
        let object =
            json!({"writes": [], "spared": spared.iter().map(spared_json).collect::<Vec<_>>()});
        ready.data.close().await;
        let stays = spared.iter().map(spared_row).collect();
        output.answer(&object, || nothing(stays));
        return Ok(Outcome::Done);
    }
    if args.yes {
        let plan = plan_of(&ready, writes).await?;
        return Box::pin(planned::carry_out(ready, plan, None, output)).await;
    }
    Box::pin(show(&args, ready, writes, &spared, output)).await
}

/// What the command line asks to take back, once the run and its journal are there.
async fn asked(args: &UndoArgs, data: &Data) -> anyhow::Result<Undo> {
    let now = data.now();
    let of = match (&args.run, &args.since) {
        (Some(id), _) => {
            let id = RunId::new(id.as_str());
            let row = data.store.run(&data.workspace, &id).await?;
            let row = row.ok_or_else(|| {
                let what = format!("there is no run `{}`", printable(id.as_str()));
                Advice::new(what, "`tandem undo` without a run lists them")
            })?;
            WritesOf {
                run: Some(id),
                from: row.started_at,
                until: now,
            }
        }
        (None, since) => {
            let from = since.as_deref().map_or(Ok(now), |since| moment(since, now));
            let from = from.map_err(explain::refused)?;
            WritesOf {
                run: None,
                from,
                until: now,
            }
        }
    };
    let pruned = data.store.journal_pruned(&data.workspace).await?;
    if let Some(until) = pruned.filter(|until| of.from < *until) {
        let what = format!(
            "the journal is kept from {until} on, so what was written from {} on is not all known",
            of.from
        );
        let todo = "`tandem sync --keep-journal DAYS` keeps it for longer from now on";
        return Err(Advice::new(what, todo).into());
    }
    Ok(Undo {
        of,
        mapping: args.mapping.as_deref().map(MappingName::new),
        rule: args.rule.clone(),
        record: args.record.as_deref().map(RecordId::new),
        archive_created: args.archive_created,
    })
}

async fn plan_of(ready: &Ready, writes: Vec<PlannedWrite>) -> anyhow::Result<PlanFile> {
    let known = ready.data.store.connections(&ready.data.workspace).await?;
    let account = |side| {
        let connection = known.get(side).as_ref();
        connection.map_or_else(String::new, |connection| connection.account_id.clone())
    };
    Ok(PlanFile {
        workspace: ready.data.workspace.clone(),
        accounts: BySide::from_fn(account),
        made_at: ready.data.now(),
        run: RunId::new(""),
        mappings: Default::default(),
        calls: BySide::default(),
        writes,
    })
}

async fn show(
    args: &UndoArgs,
    ready: Ready,
    writes: Vec<PlannedWrite>,
    spared: &[Spared],
    output: &Output,
) -> anyhow::Result<Outcome> {
    let mode = Mode::Rehearse(Frozen::new(writes));
    let found = Box::pin(planned::find_out(ready, mode)).await?;
    let mut report = found.report;
    let goes = |row: &&Row| row.fate == Fate::Taken;
    report.file.writes = found
        .rows
        .iter()
        .filter(goes)
        .map(|row| row.write.clone())
        .collect();
    args.keep.keep(&report)?;
    let stays: Vec<&Row> = found.rows.iter().filter(|row| !goes(row)).collect();
    let mut object = report.json();
    let mut listed: Vec<Value> = spared.iter().map(spared_json).collect();
    listed.extend(stays.iter().map(|row| row_json(row)));
    object["spared"] = Value::Array(listed);
    let spared = spared.iter().map(spared_row);
    let rows = spared.chain(stays.iter().map(|row| stays_row(row)));
    Ok(shown(&report, &object, rows.collect(), output))
}

fn shown(report: &PlanReport, object: &Value, stays: Vec<Staying>, output: &Output) -> Outcome {
    output.answer(object, || text(report, stays));
    match report.is_empty() {
        true => Outcome::Done,
        false => Outcome::Different,
    }
}

/// What a running service has written: it makes the plan, and carries it out.
async fn undo_there(args: &UndoArgs, there: &There, output: &Output) -> anyhow::Result<Outcome> {
    let mut wish = json!({"mapping": args.mapping, "rule": args.rule, "record": args.record,
        "archive_created": args.archive_created});
    let path = match (&args.run, &args.since) {
        (Some(run), _) => format!("runs/{}/undo", segment(run)),
        (None, Some(since)) => {
            wish["since"] = json!(since);
            "undo".to_owned()
        }
        (None, None) => return list_there(there, output).await,
    };
    let planned = served::plan(there, &path, wish).await?;
    let (report, spared) = (&planned.report, &planned.found["spared"]);
    let stays = spared.as_array().into_iter().flatten().map(told_row);
    let stays: Vec<Staying> = stays.collect();
    if report.file.writes.is_empty() {
        output.answer(&json!({"writes": [], "spared": spared}), || nothing(stays));
        return Ok(Outcome::Done);
    }
    if args.yes {
        return served::apply(there, &planned.id, None, output).await;
    }
    args.keep.keep(report)?;
    let mut object = report.json();
    object["spared"] = spared.clone();
    Ok(shown(report, &object, stays, output))
}

fn nothing(stays: Vec<Staying>) -> String {
    format!("Nothing to take back.\n{}", spared_text(stays))
}

fn text(report: &PlanReport, stays: Vec<Staying>) -> String {
    let todo = if report.is_empty() {
        ""
    } else {
        "`tandem undo` with --yes writes it.\n"
    };
    format!("{}{}{todo}", report.text(), spared_text(stays))
}

/// One value that stays: mapping, side, record, rule, why.
type Staying = [String; 5];

fn spared_row(one: &Spared) -> Staying {
    told_row(&spared_json(one))
}

fn stays_row(row: &Row) -> Staying {
    let mut cells = told_row(&row_json(row));
    cells[2] = named(&row.write);
    cells[3].clone_from(&row.write.rule);
    cells
}

fn told_row(one: &Value) -> Staying {
    let text = |name: &str| one[name].as_str().unwrap_or_default();
    let rule = match text("rule") {
        "" => "(record)",
        rule => rule,
    };
    let side = titled(text("side"));
    [text("mapping"), side, text("record"), rule, text("why")].map(str::to_owned)
}

/// What stays as it is, and why.
fn spared_text(mut rows: Vec<Staying>) -> String {
    let count = rows.len();
    if count == 0 {
        return String::new();
    }
    rows.truncate(SHOWN);
    let more = match count.saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("{more} more; --json lists them.\n"),
    };
    let headers = ["mapping", "on", "record", "rule", "stays because"];
    let rows = rows.into_iter().map(Vec::from).collect();
    format!(
        "\n{count} stay as they are:\n\n{}{more}",
        table(&headers, rows)
    )
}

fn spared_json(one: &Spared) -> Value {
    json!({
        "mapping": one.mapping.as_str(),
        "side": one.side.as_str(),
        "record": one.record.as_ref().map(RecordId::as_str),
        "rule": one.rule,
        "why": one.why,
    })
}

fn row_json(row: &Row) -> Value {
    let write = &row.write;
    json!({
        "mapping": write.mapping.as_str(),
        "side": write.side.as_str(),
        "record": write.record.as_ref().map(RecordId::as_str),
        "rule": write.rule,
        "why": why_spared(&row.fate),
    })
}

/// The last runs, and how much of the journal there is to take them back by.
async fn list(args: &UndoArgs, output: &Output) -> anyhow::Result<Outcome> {
    let data = Data::open(args.place.data()).await?;
    let runs = data.store.runs(&data.workspace, RUNS).await;
    let size = data.store.journal_size(&data.workspace).await;
    data.close().await;
    let (runs, size) = (runs?, size?);
    let object = json!({
        "runs": runs.iter().map(run_json).collect::<Vec<_>>(),
        "journal": {
            "entries": size.entries,
            "bytes": size.bytes,
            "oldest": size.oldest.map(|at| at.to_string()),
        },
    });
    output.answer(&object, || {
        let runs: Vec<RunJson> = runs.iter().map(RunJson::of).collect();
        to_take_back(&runs, &journal_text(&size))
    });
    Ok(Outcome::Done)
}

/// The last runs of a workspace.
async fn list_there(there: &There, output: &Output) -> anyhow::Result<Outcome> {
    let (runs, _) = there.rows::<RunJson>("runs", &[], RUNS as usize).await?;
    let object = |run: &RunJson| {
        json!({
            "run": run.id,
            "kind": run.kind,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "outcome": run.outcome,
            "why": run.why,
            "summary": run.did,
        })
    };
    let objects: Vec<Value> = runs.iter().map(object).collect();
    output.answer(&json!({"runs": objects}), || to_take_back(&runs, ""));
    Ok(Outcome::Done)
}

fn run_json(run: &RunRow) -> Value {
    let summary: Value = serde_json::from_str(&run.summary).unwrap_or_default();
    json!({
        "run": run.id.as_str(),
        "kind": run.kind,
        "started_at": run.started_at.to_string(),
        "ended_at": run.ended_at.map(|at| at.to_string()),
        "outcome": run.end.map(|end| end.outcome().as_str()),
        "why": run.end.and_then(RunEnd::why),
        "summary": summary,
    })
}

fn journal_text(size: &JournalSize) -> String {
    let since = size
        .oldest
        .map_or_else(String::new, |at| format!(", since {at}"));
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
    let mib = size.bytes as f64 / 1_048_576.0;
    format!(
        "The journal has {} entries, about {mib:.1} MiB{since}.\n",
        size.entries
    )
}

fn to_take_back(listed: &[RunJson], journal: &str) -> String {
    let text = runs::text(listed);
    match listed.is_empty() {
        true => text,
        false => {
            format!("{text}\n{journal}`tandem undo RUN` shows what would take a run back.\n")
        }
    }
}
