//! `tandem drift`: compares both CRMs value by value and says why what differs differs.
//!
//! Works on a copy of the store and reads both CRMs; with `--repair` it makes a plan, which
//! `tandem apply` carries out.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use crate::app::{Engine, compared};
use crate::config::Environment;
use crate::model::{BySide, LinkId, RecordKey, Side, Timestamp};
use crate::sync::{Difference, PlannedValues, Why};

use super::at::{ServedArgs, There};
use super::drift_last;
use super::drift_report::DriftReport;
use super::drive::{Stop, drive};
use super::engine::unfinished;
use super::output::{Advice, Outcome, Output};
use super::plan::save;
use super::plan_report::PlanReport;
use super::planned::{LOOKING, chosen, look};
use super::run_report::RunReport;
use super::sync::PlaceArgs;

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
    let (report, plan) = Box::pin(look(ready, "comparison", find)).await?;
    output.answer(&report.json(plan.as_ref()), || report.text(plan.as_ref()));
    Ok(if report.is_clean() {
        Outcome::Done
    } else {
        Outcome::Different
    })
}

async fn drift_there(args: &DriftArgs, there: &There, output: &Output) -> anyhow::Result<Outcome> {
    if args.last {
        return drift_last::served(there, args.mapping.as_deref(), output).await;
    }
    if args.mapping.is_some() || args.repair.is_some() {
        let what = "a service compares all mappings of a workspace, and repairs nothing";
        let todo =
            "leave out --mapping and --repair; `tandem mappings scan` has differences synced";
        return Err(Advice::new(what, todo).into());
    }
    drift_last::begin(there, output).await
}

/// Compares, and makes a plan of what drifted where one is asked for.
async fn find_out(
    engine: &mut Engine,
    args: &DriftArgs,
) -> anyhow::Result<(DriftReport, Option<PlanReport>)> {
    let started = engine.site().clock.now();
    let mut report = compare_all(engine, args).await?;
    let Some(path) = &args.repair else {
        return Ok((report, None));
    };
    engine.look_at(report.drifted()).await?;
    // Whoever presses Ctrl-C ends all of this.
    let mut never: Stop = Box::pin(std::future::pending());
    drive(engine, &mut never, LOOKING).await?;
    let repair = repair(engine, &report, started).await?;
    save(path, &repair.file.to_text())?;
    report.repaired = Some(path.clone());
    Ok((report, Some(repair)))
}

async fn compare_all(engine: &mut Engine, args: &DriftArgs) -> anyhow::Result<DriftReport> {
    let planned = planned_values(engine);
    let names = chosen(engine.site().mappings.keys(), args.mapping.as_deref())?;
    let mut report = DriftReport::new(args.repair.is_some());
    for name in &names {
        let mut after: Option<LinkId> = None;
        loop {
            let compared = compared(engine, name, after.as_ref(), &planned).await;
            let compared = compared.map_err(unfinished)?;
            after.clone_from(&compared.next);
            report.add(name, compared);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(report)
}

/// What a run of now would write, on both ends of each pair.
fn planned_values(engine: &Engine) -> PlannedValues {
    let mut planned = PlannedValues::new();
    for write in engine.tally().planned.rows() {
        let ends = [
            (write.side, &write.record),
            (write.side.other(), &write.source),
        ];
        for (side, id) in ends {
            if let Some(id) = id.clone() {
                let mapping = write.mapping.clone();
                let key = RecordKey { mapping, side, id };
                planned.insert((key, write.rule.clone()));
            }
        }
    }
    planned
}

/// The plan for the records that drifted, and for no others.
async fn repair(
    engine: &Engine,
    report: &DriftReport,
    started: Timestamp,
) -> anyhow::Result<PlanReport> {
    let rest = RunReport::of(engine, started).await?;
    let linked = engine
        .store()
        .summary(&engine.site().workspace)
        .await?
        .links;
    let mut plan = PlanReport::of(engine, &linked, &rest).await?;
    let drifted: BTreeSet<RecordKey> = report.drifted().into_iter().collect();
    plan.file.writes.retain(|write| {
        let key = write.record.clone().map(|id| RecordKey {
            mapping: write.mapping.clone(),
            side: write.side,
            id,
        });
        key.is_some_and(|key| drifted.contains(&key))
    });
    // What was read to compare says nothing of what the repair will read.
    plan.file.calls = BySide::default();
    Ok(plan)
}

/// The records of a difference, as keys.
pub fn keys(difference: &Difference) -> impl Iterator<Item = RecordKey> {
    let mapping = difference.mapping.clone();
    let records = difference.records.clone();
    Side::BOTH.into_iter().filter_map(move |side| {
        let (mapping, id) = (mapping.clone(), records.get(side).clone()?);
        Some(RecordKey { mapping, side, id })
    })
}

/// Whether somebody should look at it.
pub const fn counts(why: Why) -> bool {
    match why {
        Why::Drift | Why::Gone => true,
        Why::Pending | Why::Held(_) | Why::DeadLetter | Why::OneWay | Why::Kept | Why::Frozen => {
            false
        }
    }
}
