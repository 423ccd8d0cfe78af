//! What the command line accepts, all of it.
//!
//! Only shapes and help texts. Arguments that belong to one command alone are in its file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{
    apply, approve, cases, check, conflicts, dead_letters, demo, drift, explain, hubspot_app,
    links, matches, observed, plan, prepare, runs, service, sim, sync, undo,
};

/// Keeps a HubSpot portal and a Salesforce org in step, both ways, and can explain every value.
///
/// Exit codes: 0 done, 1 failed, 2 differences found.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, disable_help_subcommand = true)]
pub struct Arguments {
    /// Print one JSON object instead of text for people.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch it work: two simulated CRMs, an engine, edits on both sides, a verdict.
    Demo(demo::DemoArgs),
    /// Run the simulators of both CRMs alone, for tests of anything that talks to them.
    Sim(sim::SimArgs),
    /// Make the settings and the keys of a service.
    Init(service::InitArgs),
    /// Run the service: many workspaces, connect links, webhooks, the API.
    Serve(service::ServeArgs),
    /// Check whether this installation is fit to serve, and say what to do where it is not.
    Doctor(service::DoctorArgs),
    /// Customers' workspaces: make, show, pause, let write, erase.
    #[command(subcommand)]
    Workspace(service::WorkspaceCommand),
    /// Connect a workspace's two CRMs.
    #[command(subcommand)]
    Connect(service::ConnectCommand),
    /// Keys to the API, and the keys that seal credentials.
    #[command(subcommand)]
    Keys(service::KeysCommand),
    /// The mappings of a workspace: set, rolled back, promoted, paused.
    #[command(subcommand)]
    Mappings(service::MappingsCommand),
    /// Keep both CRMs in step, or with --once bring them in step and end.
    Sync(sync::SyncArgs),
    /// What `sync --observe` would have written on a day, and who wrote it instead.
    Observed(observed::ObservedArgs),
    /// What both accounts lack before a first run; with --yes makes it where that is permitted.
    Prepare(prepare::PrepareArgs),
    /// Write the files of a HubSpot app, its scopes and webhooks, from the mappings.
    #[command(name = "hubspot-app")]
    HubspotApp(hubspot_app::HubSpotAppArgs),
    /// Before the first write: who pairs with whom, what is missing, doubled or will be refused.
    Match(matches::MatchArgs),
    /// Show what `sync --once` would write, and write nothing.
    Plan(plan::PlanArgs),
    /// Carry out a plan that `plan --out` made, and write nothing else.
    Apply(apply::ApplyArgs),
    /// Take back what a run wrote: shows the plan, and with --yes writes it.
    Undo(undo::UndoArgs),
    /// Compare both CRMs value by value, and say why what differs differs.
    Drift(drift::DriftArgs),
    /// Check mapping files; all faults at once.
    Check(check::CheckArgs),
    /// Play the cases beside the mapping files, without any network.
    Test(cases::TestArgs),
    /// Print the JSON Schema of mapping files, for completion in an editor.
    Schema,
    /// Work that failed for good: look at it, try it again, or let it go.
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersCommand),
    /// Edits of both sides that met: who won, what lost, and another choice.
    #[command(subcommand)]
    Conflicts(conflicts::ConflictsCommand),
    /// Which record belongs to which.
    #[command(subcommand)]
    Links(links::LinksCommand),
    /// What ran, how it ended and what it did.
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Why a record or a field has its value, or why it is not synced.
    Explain(explain::ExplainArgs),
    /// Let through what a guard stopped; lists it when nothing is named.
    Approve(approve::ApproveArgs),
}

/// Where the store is.
#[derive(Clone, Debug, Args)]
pub struct DataArgs {
    /// Folder of the store, or the `postgres://` address of one.
    #[arg(long, value_name = "DIR", default_value = ".tandem")]
    pub data: PathBuf,
}

/// Which mapping files are used.
#[derive(Clone, Debug, Args)]
pub struct MappingsArgs {
    /// Folder of mapping files; the shipped mappings when left out.
    #[arg(long, value_name = "DIR")]
    pub mappings: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn json_may_stand_before_or_after_the_command() {
        for command in ["sim", "demo", "schema"] {
            for line in [["--json", command], [command, "--json"]] {
                let words = ["tandem", line[0], line[1]];
                let found = Arguments::command().try_get_matches_from(words);
                let found = found.expect("it parses");
                let (_, of_command) = found.subcommand().expect("a command was named");
                assert!(of_command.get_flag("json"), "{line:?}");
                let typed = Arguments::try_parse_from(words).expect("it parses");
                assert!(typed.json, "{line:?}");
            }
        }
    }
}
