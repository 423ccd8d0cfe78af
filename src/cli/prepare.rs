//! `tandem prepare`: what both accounts lack before a first run, and with `--yes` makes it.
//!
//! What is needed is worked out in `prepare`, and asked and made in `app`. Here it is shown.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::app::{Made, look_over, make_ready};
use crate::config::{Credentials, Environment};
use crate::crm::salesforce::VERSION;
use crate::prepare::{Finding, Package, State, Step, findings, grants, note_failures, package};

use super::arguments::MappingsArgs;
use super::output::{Advice, Outcome, Output, table};
use super::plan::save_bytes;
use super::{engine, files};

#[derive(Debug, Args)]
pub struct PrepareArgs {
    #[command(flatten)]
    mappings: MappingsArgs,
    /// Make what says `would create`: key fields, and access to the mapped Salesforce fields.
    #[arg(long)]
    yes: bool,
    /// Write a package for the Salesforce administrator: the missing key fields, and a permission
    /// set of exactly the mapped fields.
    #[arg(long, value_name = "FILE")]
    zip: Option<PathBuf>,
}

struct Report {
    findings: Vec<Finding>,
    made: Made,
    zip: Option<String>,
}

pub async fn run(
    args: PrepareArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let loaded = files::mappings(args.mappings.mappings.as_deref())?;
    let mappings = loaded.mappings;
    let credentials = Credentials::read(environment)?;
    let crms = engine::connect(&credentials).await?;
    let look = async || look_over(&crms, &mappings).await.map_err(engine::explain);
    let mut seen = look().await?;
    let mut report = Report {
        findings: findings(&mappings, &seen),
        made: Made::default(),
        zip: None,
    };
    if args.yes {
        let open = grants(&mappings, &seen);
        report.made = make_ready(&crms, &report.findings, &open).await;
        if !report.made.done.is_empty() {
            seen = look().await?;
            report.findings = findings(&mappings, &seen);
        }
        note_failures(&mut report.findings, &report.made.failed);
    }
    if let Some(path) = &args.zip {
        if seen.schemas.is_none() {
            let what = "the package cannot be made before the app may read the accounts";
            return Err(Advice::new(what, "grant the scopes that `tandem prepare` lists").into());
        }
        let files = package(&mappings, &seen, VERSION.trim_start_matches('v'));
        save_bytes(path, &files.to_zip()?)?;
        report.zip = Some(path.display().to_string());
    }
    output.answer(&report.json(), || report.text());
    Ok(if report.left() == 0 {
        Outcome::Done
    } else {
        Outcome::Different
    })
}

impl Report {
    fn left(&self) -> usize {
        let open = self
            .findings
            .iter()
            .filter(|finding| finding.state.is_open());
        open.count()
    }

    fn json(&self) -> Value {
        let rows = self.findings.iter().map(|finding| {
            json!({
                "side": finding.side.as_str(),
                "place": finding.place,
                "what": finding.what,
                "state": finding.state.as_str(),
                "why": finding.why,
                "do": finding.todo,
            })
        });
        let failed = self.made.failed.iter();
        let failed = failed.map(|(step, said)| json!({"what": step.told(), "message": said}));
        json!({
            "ready": self.left() == 0,
            "left": self.left(),
            "findings": rows.collect::<Vec<_>>(),
            "made": self.made.done.iter().map(Step::told).collect::<Vec<_>>(),
            "failed": failed.collect::<Vec<_>>(),
            "zip": self.zip,
            "steps": self.zip.as_deref().map(Package::steps).unwrap_or_default(),
        })
    }

    fn text(&self) -> String {
        let rows = self.findings.iter().map(|finding| {
            vec![
                format!("{} {}", finding.side.title(), finding.place),
                finding.what.clone(),
                finding.state.as_str().replace('-', " "),
                finding.why.clone(),
            ]
        });
        let mut text = table(&["Where", "What", "State", "Why"], rows.collect());
        section(&mut text, "Made", self.made.done.iter().map(Step::told));
        let todo = self.findings.iter().filter(|finding| {
            matches!(finding.state, State::Admin | State::Missing) && !finding.todo.is_empty()
        });
        let line = |finding: &Finding| {
            let Finding { place, what, .. } = finding;
            format!("{} {place}, {what}: {}", finding.side.title(), finding.todo)
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
        let left = self.left();
        let makes = |state: State| self.findings.iter().any(|finding| finding.state == state);
        if left == 0 {
            "Both accounts are ready for these mappings.\n".to_owned()
        } else if makes(State::Creatable) {
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
