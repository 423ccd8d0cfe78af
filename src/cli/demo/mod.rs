//! `tandem demo`: both simulators, the engine and a verdict.

use std::process::ExitCode;

use clap::Args;

#[derive(Debug, Args)]
pub struct DemoArgs {}

pub async fn run(_: DemoArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("not built yet")
}
