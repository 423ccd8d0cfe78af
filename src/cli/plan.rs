//! `tandem plan`: what `sync --once` would write, rule by rule. Writes nothing anywhere.

use clap::Args;

use crate::config::Environment;

use super::engine;
use super::output::{Outcome, Output};
use super::sync::RunArgs;

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    run: RunArgs,
}

pub async fn run(
    args: PlanArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    Box::pin(engine::plan(
        args.run.prepare(environment, false).await?,
        output,
    ))
    .await
}
