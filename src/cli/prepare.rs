//! `tandem prepare`: what both accounts lack before a first run, and with `--yes` makes it.
//!
//! What is needed is worked out in `prepare`, and asked and made in `app`. Here it is shown.

use std::path::PathBuf;

use axum::http::Method;
use clap::Args;
use serde_json::{Value, json};

use crate::app::prepare;
use crate::config::{Credentials, Environment};
use crate::model::WorkspaceId;
use crate::prepare::{FindingJson, Package, PreparedJson, State};

use super::arguments::MappingsArgs;
use super::choose::titled;
use super::output::{Advice, Outcome, Output, table};
use super::plan::save_bytes;
use super::service::{DoorArgs, id, open};
use super::{engine, files};

#[derive(Debug, Args)]
pub struct PrepareArgs {
    /// A workspace of the service, customer/environment; without it the accounts of the
    /// environment's credentials.
    #[arg(value_parser = id, conflicts_with = "mappings")]
    workspace: Option<WorkspaceId>,
    #[command(flatten)]
    mappings: MappingsArgs,
    /// Make what says `would create`: key fields, and access to the mapped Salesforce fields.
    #[arg(long)]
    yes: bool,
    /// Write a package for the Salesforce administrator: the missing key fields, and a permission
    /// set of exactly the mapped fields.
    #[arg(long, value_name = "FILE")]
    zip: Option<PathBuf>,
    #[command(flatten)]
    door: DoorArgs,
}

struct Report {
    prepared: PreparedJson,
    zip: Option<String>,
}

pub async fn run(
    args: PrepareArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let mut report = Report {
        prepared: prepared(&args, environment).await?,
        zip: None,
    };
    if let Some(path) = &args.zip {
        let Some(zip) = report.prepared.zip() else {
            let what = "the package cannot be made before the app may read the accounts";
            return Err(Advice::new(what, "grant the scopes that `tandem prepare` lists").into());
        };
        save_bytes(path, &zip)?;
        report.zip = Some(path.display().to_string());
    }
    output.answer(&report.json(), || report.text());
    Ok(if report.prepared.ready {
        Outcome::Done
    } else {
        Outcome::Different
    })
}

async fn prepared(args: &PrepareArgs, environment: &Environment) -> anyhow::Result<PreparedJson> {
    let (make, pack) = (args.yes, args.zip.is_some());
    if let Some(ws) = &args.workspace {
        let door = open(&args.door, environment).await?;
        let body = json!({"make": make, "package": pack});
        let path = format!("/workspaces/{ws}/prepare");
        let answer = door.call(Method::POST, &path, Some(body)).await?;
        return Ok(serde_json::from_value(answer)?);
    }
    let loaded = files::mappings(args.mappings.mappings.as_deref())?;
    let credentials = Credentials::read(environment)?;
    let crms = engine::connect(&credentials).await?;
    let done = prepare(&crms, &loaded.mappings, make, pack).await;
    Ok(done.map_err(engine::explain)?.told()?)
}

impl Report {
    fn json(&self) -> Value {
        let PreparedJson {
            ready,
            left,
            findings,
            made,
            failed,
            package: _,
        } = &self.prepared;
        json!({
            "ready": ready,
            "left": left,
            "findings": findings,
            "made": made,
            "failed": failed,
            "zip": self.zip,
            "steps": self.zip.as_deref().map(Package::steps).unwrap_or_default(),
        })
    }

    fn text(&self) -> String {
        let findings = &self.prepared.findings;
        let rows = findings.iter().map(|finding| {
            vec![
                format!("{} {}", titled(&finding.side), finding.place),
                finding.what.clone(),
                finding.state.replace('-', " "),
                finding.why.clone(),
            ]
        });
        let mut text = table(&["Where", "What", "State", "Why"], rows.collect());
        section(&mut text, "Made", self.prepared.made.iter().cloned());
        let for_people = [State::Admin.as_str(), State::Missing.as_str()];
        let todo = findings.iter().filter(|finding| {
            for_people.contains(&finding.state.as_str()) && !finding.todo.is_empty()
        });
        let line = |finding: &FindingJson| {
            let FindingJson { place, what, .. } = finding;
            format!(
                "{} {place}, {what}: {}",
                titled(&finding.side),
                finding.todo
            )
        };
        section(&mut text, "For a person to do", todo.map(line));
        if let Some(zip) = &self.zip {
            let title = format!("{zip} is the package for the Salesforce administrator");
            section(&mut text, &title, Package::steps(zip).into_iter());
        }
        text.push('\n');
        text.push_str(&self.verdict());
        text
    }

    fn verdict(&self) -> String {
        let PreparedJson { left, findings, .. } = &self.prepared;
        let creatable = State::Creatable.as_str();
        let makes = findings.iter().any(|finding| finding.state == creatable);
        if *left == 0 {
            "Both accounts are ready for these mappings.\n".to_owned()
        } else if makes {
            format!(
                "{left} thing(s) left. `tandem prepare --yes` makes what says `would create`.\n"
            )
        } else {
            format!("{left} thing(s) left for a person. Then run `tandem prepare` again.\n")
        }
    }
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: String = lines.map(|line| format!("  {line}\n")).collect();
    if !lines.is_empty() {
        text.push_str(&format!("\n{title}:\n{lines}"));
    }
}
