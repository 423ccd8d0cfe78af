//! The binary: reads the command line and hands over.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
enum Command {
    Demo(tandem::cli::demo::DemoArgs),
    Sim(tandem::cli::sim::SimArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Demo(args) => tandem::cli::demo::run(args).await,
        Command::Sim(args) => tandem::cli::sim::run(args).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
