//! `tandem apply`: carries out a plan that `plan --out` made, and writes nothing else.

use std::path::PathBuf;

use clap::Args;

use crate::config::Environment;

use super::at::ServedArgs;
use super::output::{Outcome, Output};
use super::planned;
use super::served;
use super::sync::PlaceArgs;

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The file that `tandem plan --out` made.
    file: PathBuf,
    /// Write only this many of the plan's records, drawn by chance, and stop.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    canary: Option<u32>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    served: ServedArgs,
}

pub async fn run(
    args: ApplyArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    if let Some(there) = args.served.at_work(&args.place, environment).await? {
        return Box::pin(served::apply_file(&there, &args.file, args.canary, output)).await;
    }
    let ready = args.place.prepare(environment, true).await?;
    let plan = planned::read(&args.file, &ready)?;
    let canary = args.canary.and_then(|count| usize::try_from(count).ok());
    Box::pin(planned::carry_out(ready, plan, canary, output)).await
}
