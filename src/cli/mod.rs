//! The commands: parse arguments, build what a command needs, run it, print its answer.
//!
//! One file per command. Nothing is decided here: commands read the store and the mapping files,
//! call the engine, and show what came back.

mod apply;
mod apply_report;
mod approve;
mod arguments;
mod at;
mod cases;
mod cases_report;
mod check;
mod choose;
mod conflicts;
mod data;
mod dead_letters;
pub mod demo;
mod drift;
mod drift_last;
mod drift_report;
mod drive;
pub mod engine;
mod explain;
mod files;
mod held;
mod hubspot_app;
mod links;
mod matches;
mod memory;
mod observed;
pub mod output;
mod page;
mod plan;
mod plan_page;
mod plan_report;
mod planned;
mod prepare;
mod run_report;
mod runs;
mod schema;
mod served;
mod service;
pub mod sim;
mod sync;
mod undo;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;

use crate::config::{Environment, LogFormat, Settings};
use arguments::{Arguments, Command};
use output::{Advice, Outcome, Output};

/// What still runs in the background when a command has ended may take this long.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Runs the program: 0 when all is done, 1 when something failed, 2 when differences were found.
pub fn main() -> ExitCode {
    let environment = Environment::of_process();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let output = Output::new(arguments.json, environment.get("NO_COLOR").is_some());
    match run(arguments.command, &environment, &output) {
        Ok(outcome) => outcome.code(),
        Err(error) => {
            output.error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Help and version are answers; everything else is a fault of the command line, exit code 1
/// because 2 says that differences were found.
fn refuse(error: &clap::Error) -> ExitCode {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if asked {
        output::print(&error.to_string());
        return ExitCode::SUCCESS;
    }
    let json = std::env::args_os().any(|argument| argument == "--json");
    let output = Output::new(json, Environment::of_process().get("NO_COLOR").is_some());
    output.error(&Advice::of_command_line(error).into());
    ExitCode::FAILURE
}

fn run(command: Command, environment: &Environment, output: &Output) -> anyhow::Result<Outcome> {
    let format = log_format(&command, environment)?;
    let telemetry = crate::telemetry::start(environment, format)
        .map_err(|what| Advice::new(what, "correct it, or unset it"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(dispatch(command, environment, output));
    // A look-up of an address that hangs must not keep the program from ending.
    runtime.shutdown_timeout(END_WITHIN);
    telemetry.end();
    match outcome {
        Err(error) if format == LogFormat::Json => {
            output.log_error(&error);
            Ok(Outcome::Failed)
        }
        outcome => outcome,
    }
}

/// A command with a file of settings tells later what is wrong in them, all at once.
fn log_format(command: &Command, environment: &Environment) -> anyhow::Result<LogFormat> {
    let file = match command {
        Command::Serve(args) => Some(args.config.as_path()),
        Command::Doctor(args) => Some(args.config.as_path()),
        _ => None,
    };
    let settings = Settings::read(file.unwrap_or(Path::new("")), environment);
    match settings.log_format() {
        Some(format) => Ok(format),
        None if file.is_some() => Ok(LogFormat::default()),
        None => {
            let what = "TANDEM_LOG_FORMAT is neither text nor json";
            Err(Advice::new(what, "set it to one of them, or unset it").into())
        }
    }
}

async fn dispatch(
    command: Command,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    match command {
        Command::Demo(args) => Box::pin(demo::run(args)).await.map(Outcome::Code),
        Command::Sim(args) => Box::pin(sim::run(args)).await.map(Outcome::Code),
        Command::Init(args) => Box::pin(service::init(args, environment, output)).await,
        Command::Serve(args) => Box::pin(service::serve(args, environment, output)).await,
        Command::Doctor(args) => Box::pin(service::doctor(args, environment, output)).await,
        Command::Workspace(command) => {
            Box::pin(service::workspace(command, environment, output)).await
        }
        Command::Connect(command) => Box::pin(service::connect(command, environment, output)).await,
        Command::Keys(command) => Box::pin(service::keys(command, environment, output)).await,
        Command::Mappings(command) => {
            Box::pin(service::mappings(command, environment, output)).await
        }
        Command::Sync(args) => Box::pin(sync::run(args, environment, output)).await,
        Command::Observed(args) => Box::pin(observed::run(args, output)).await,
        Command::Match(args) => Box::pin(matches::run(args, environment, output)).await,
        Command::Plan(args) => Box::pin(plan::run(args, environment, output)).await,
        Command::Apply(args) => Box::pin(apply::run(args, environment, output)).await,
        Command::Undo(args) => Box::pin(undo::run(args, environment, output)).await,
        Command::Drift(args) => Box::pin(drift::run(args, environment, output)).await,
        Command::Prepare(args) => Box::pin(prepare::run(args, environment, output)).await,
        Command::HubspotApp(args) => Box::pin(hubspot_app::run(args, environment, output)).await,
        Command::Check(args) => Box::pin(check::run(args, environment, output)).await,
        Command::Test(args) => Box::pin(cases::run(args, output)).await,
        Command::Schema => schema::run(output),
        Command::DeadLetters(command) => {
            Box::pin(dead_letters::run(command, environment, output)).await
        }
        Command::Conflicts(command) => Box::pin(conflicts::run(command, environment, output)).await,
        Command::Links(command) => Box::pin(links::run(command, environment, output)).await,
        Command::Runs(command) => Box::pin(runs::run(command, environment, output)).await,
        Command::Explain(args) => Box::pin(explain::run(args, environment, output)).await,
        Command::Approve(args) => Box::pin(approve::run(args, environment, output)).await,
    }
}
