//! `tandem drift`: compares both CRMs value by value and says why what differs differs.
//!
//! Works on a copy of the store and reads both CRMs; with `--repair` it makes a plan, which
//! `tandem apply` carries out.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::app::{Comparison, Engine, compare_all};
use crate::config::Environment;
use crate::model::Timestamp;

use super::at::{ServedArgs, There};
use super::drift_report;
use super::drive::{Stop, drive};
use super::engine::unfinished;
use super::output::{Outcome, Output};
use super::plan::save;
use super::plan_report::PlanReport;
use super::planned::{LOOKING, chosen, look};
use super::run_report::RunReport;
use super::sync::PlaceArgs;
use super::{drift_last, served};

#[derive(Debug, Args)]
pub struct DriftArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Only this mapping.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Make a plan of what the mappings would write to the records that drifted, in this file.
    #[arg(long, value_name = "FILE")]
    repair: Option<PathBuf>,
    /// Show what the last comparison found that a running sync made by itself, once a week.
    #[arg(long, conflicts_with = "repair")]
    last: bool,
    #[command(flatten)]
    served: ServedArgs,
}

pub async fn run(
    args: DriftArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    if let Some(there) = args.served.at_work(&args.place, environment).await? {
        return drift_there(&args, &there, output).await;
    }
    if args.last {
        return drift_last::run(args.place.data(), args.mapping.as_deref(), output).await;
    }
    let ready = args.place.prepare(environment, false).await?;
    let find = async |engine: &mut Engine| find_out(engine, &args).await;
    let (found, plan) = Box::pin(look(ready, "comparison", find)).await?;
    shown(&args, found.json(), plan.as_ref(), output)
}

/// What a service does instead. A comparison without a repair goes on behind its other work.
async fn drift_there(args: &DriftArgs, there: &There, output: &Output) -> anyhow::Result<Outcome> {
    let mapping = args.mapping.as_deref();
    if args.last {
        return drift_last::served(there, mapping, output).await;
    }
    if args.repair.is_none() {
        return drift_last::begin(there, mapping, output).await;
    }
    let names: Vec<&str> = mapping.into_iter().collect();
    let wish = json!({"repair": true, "mappings": names});
    let mut planned = Box::pin(served::plan(there, "plans", wish)).await?;
    let found = planned.found["comparison"].take();
    shown(args, found, Some(&planned.report), output)
}

/// Keeps the plan of a repair, and tells what was compared.
fn shown(
    args: &DriftArgs,
    mut found: Value,
    plan: Option<&PlanReport>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    if let (Some(plan), Some(path)) = (plan, &args.repair) {
        save(path, &plan.file.to_text())?;
    }
    found["repair"] = json!(plan.map(PlanReport::json));
    output.answer(&found, || {
        let repaired = plan.zip(args.repair.as_deref());
        let repaired = repaired.map(|(plan, path)| (plan.writes().count(), path));
        drift_report::text(&found, repaired)
    });
    Ok(match found["drift"].as_u64() {
        Some(0) => Outcome::Done,
        _ => Outcome::Different,
    })
}

/// Compares, and makes a plan of what drifted where one is asked for.
async fn find_out(
    engine: &mut Engine,
    args: &DriftArgs,
) -> anyhow::Result<(Comparison, Option<PlanReport>)> {
    let started = engine.site().clock.now();
    let names = chosen(engine.site().mappings.keys(), args.mapping.as_deref())?;
    let repairs = args.repair.is_some();
    let found = compare_all(engine, &names, repairs).await;
    let found = found.map_err(unfinished)?;
    if !repairs {
        return Ok((found, None));
    }
    found.look_again(engine).await.map_err(unfinished)?;
    // Whoever presses Ctrl-C ends all of this.
    let mut never: Stop = Box::pin(std::future::pending());
    drive(engine, &mut never, LOOKING).await?;
    let plan = repair(engine, &found, started).await?;
    Ok((found, Some(plan)))
}

/// The plan for the records that drifted.
async fn repair(
    engine: &Engine,
    found: &Comparison,
    started: Timestamp,
) -> anyhow::Result<PlanReport> {
    let rest = RunReport::of(engine, started).await?;
    let site = engine.site();
    let linked = site.store.summary(&site.workspace).await?.links;
    let mut plan = PlanReport::of(engine, &linked, &rest).await?;
    plan.file = found.repair(engine);
    Ok(plan)
}
