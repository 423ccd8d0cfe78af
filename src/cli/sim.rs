//! `tandem sim`: the simulators alone.

use std::process::ExitCode;

use clap::Args;

#[derive(Debug, Args)]
pub struct SimArgs {}

pub async fn run(_: SimArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not built yet")
}
