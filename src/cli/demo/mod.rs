//! `tandem demo`: the service with two workspaces, both CRMs of each, and people typing into them.
//!
//! This file is the order of events. What is seeded is in `sim::seed`, what people type in `edits`,
//! the judgement in `verify`, the words in `summary`; the second workspace is in `second`. The
//! service is put together in `served` and works behind `session`. What is public serves other runs
//! that end with the same judgement (`tests/chaos`).

pub mod canon;
pub mod claims;
pub mod doubles;
pub mod edits;
pub mod findings;
mod furnish;
pub mod ledger;
pub mod outcome;
mod place;
mod platforms;
mod progress;
mod reach;
mod report;
mod run;
mod second;
#[cfg(test)]
mod second_tests;
mod served;
mod session;
pub mod shape;
mod stay;
mod summary;
mod trouble;
mod typed;
pub mod verify;
#[cfg(test)]
mod verify_tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::sim::faults::FaultPlan;
use crate::sim::salesforce::SalesforceSim;

use super::sim::{Simulators, Start, told_to_stop};
use place::Place;
use run::{Run, SEARCH_LAG_MS};
use trouble::Trouble;

/// Serves two workspaces with simulated CRMs, watches them converge, and proves that they did.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Records per object type to start with
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub records: usize,
    /// Edits that people make on both sides after the first sync
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub edits: usize,
    /// Decides every record and every edit
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
    /// An empty directory for the store; a temporary one unless given
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What goes wrong in both CRMs: none, some, harsh, or a YAML file (docs/faults.md)
    #[arg(long, value_name = "PRESET|FILE", default_value = "none")]
    pub faults: String,
    /// Stop after the summary instead of syncing on
    #[arg(long)]
    pub exit: bool,
    /// Print one JSON object instead of the summary
    #[arg(long)]
    pub json: bool,
}

/// Exit code 0 only when both CRMs of both workspaces agree, apart from what is listed, and nothing
/// was lost.
///
/// # Errors
/// A directory that is not empty, a store or a simulator that fails, or an engine that stops.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let plan = FaultPlan::named(&args.faults).map_err(anyhow::Error::msg)?;
    let place = Place::choose(args.data.as_deref())?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        if let Err(error) = told_to_stop().await {
            tracing::warn!(%error, "cannot listen for Ctrl-C");
            return;
        }
        asked.cancel();
    });
    let start = |seed| {
        Simulators::start(Start {
            seed,
            search_lag_ms: Some(SEARCH_LAG_MS),
            ..Start::default()
        })
    };
    let simulators = start(args.seed).await?;
    let others = start(args.seed.wrapping_add(1)).await?;
    for one in [&simulators, &others] {
        keep_histories(&one.salesforce)?;
    }
    let trouble = Trouble::new(&plan, &simulators);
    let both = [&simulators, &others];
    let run = Run::new(&args, both, trouble, place.path(), stop);
    let done = Box::pin(run.all()).await;
    simulators.stop();
    others.stop();
    if args.exit {
        place.tidy_up()?;
    }
    done
}

/// The orgs keep a history of all that people type, so that it can be told of every write whether
/// it replaced an edit.
fn keep_histories(salesforce: &SalesforceSim) -> anyhow::Result<()> {
    for shape in &shape::SHAPES {
        let fields = shape.rules.iter().flat_map(|rule| rule.salesforce);
        let fields: Vec<&str> = fields.copied().collect();
        let kept = salesforce.track_history(shape.salesforce, &fields);
        kept.map_err(anyhow::Error::msg)?;
    }
    Ok(())
}
