//! `tandem sim`: the simulators alone.

use std::process::ExitCode;

use clap::Args;

#[derive(Debug, Args)]
pub struct SimArgs {
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

pub async fn run(_: SimArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not built yet")
}
