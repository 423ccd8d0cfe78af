//! `tandem mappings`: what is at work in a workspace, set, rolled back, promoted, paused.

use std::path::PathBuf;

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::output::{Advice, Outcome, Output, table};
use crate::config::Environment;
use crate::model::WorkspaceId;

use super::door::{Door, DoorArgs};
use super::rows::{Named, all, cell, cells, id, open, segment};

#[derive(Debug, Subcommand)]
pub enum MappingsCommand {
    /// List a workspace's mappings: where each comes from, what is at work, what is paused.
    List(Named),
    /// Show the text of a mapping, or of one of its revisions.
    Show {
        #[command(flatten)]
        of: Of,
        #[arg(long)]
        revision: Option<String>,
    },
    /// Set a mapping for this workspace, in the place of the files' one of its name.
    Set {
        #[arg(value_parser = id)]
        workspace: WorkspaceId,
        /// A mapping file; `-` reads standard input.
        file: PathBuf,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Take back what was set: the files count again.
    Unset(Of),
    /// What was at work and when, the newest first.
    Log(Of),
    /// How one revision differs from another.
    Diff {
        #[command(flatten)]
        of: Of,
        before: String,
        after: String,
    },
    /// Roll back, or forward, to a revision that was at work before.
    Activate {
        #[command(flatten)]
        of: Of,
        revision: String,
    },
    /// Set in one workspace what another one has of its own.
    Promote {
        #[arg(value_parser = id)]
        from: WorkspaceId,
        #[arg(value_parser = id)]
        to: WorkspaceId,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Write nothing to one side, or to both; changes are still seen.
    Pause(Direction),
    /// Go on after a pause.
    Resume(Direction),
    /// Compare every record with what is known of it now, of one mapping or of all.
    Scan {
        #[command(flatten)]
        named: Named,
        #[arg(long)]
        mapping: Option<String>,
    },
}

/// A mapping of a workspace.
#[derive(Debug, Args)]
pub struct Of {
    /// customer/environment.
    #[arg(value_parser = id)]
    pub workspace: WorkspaceId,
    pub mapping: String,
    #[command(flatten)]
    pub door: DoorArgs,
}

#[derive(Debug, Args)]
pub struct Direction {
    #[command(flatten)]
    pub of: Of,
    /// The side that is written to; both unless given.
    #[arg(long)]
    pub to: Option<SideName>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SideName {
    #[value(name = "hubspot")]
    HubSpot,
    Salesforce,
}

impl Of {
    async fn open(&self, environment: &Environment) -> anyhow::Result<Door> {
        open(&self.door, environment).await
    }

    fn path(&self, rest: &str) -> String {
        format!(
            "/workspaces/{}/mappings/{}{rest}",
            self.workspace,
            segment(&self.mapping)
        )
    }
}

pub async fn mappings(
    command: MappingsCommand,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    match command {
        MappingsCommand::List(named) => list(&named, environment, output).await?,
        MappingsCommand::Show { of, revision } => {
            let rest = revision.map(|one| format!("/revisions/{}", segment(&one)));
            let path = of.path(&rest.unwrap_or_default());
            let found = of
                .open(environment)
                .await?
                .call(Method::GET, &path, None)
                .await?;
            output.answer(&found, || cell(&found, "text"));
        }
        MappingsCommand::Set {
            workspace,
            file,
            door,
        } => set(&workspace, &file, &door, environment, output).await?,
        MappingsCommand::Unset(of) => {
            let door = of.open(environment).await?;
            let answer = door.call(Method::DELETE, &of.path(""), None).await?;
            changed(&answer, &format!("{} is taken back", of.mapping), output);
        }
        MappingsCommand::Log(of) => log(&of, environment, output).await?,
        MappingsCommand::Diff { of, before, after } => {
            let against = segment(&before);
            let path = of.path(&format!("/revisions/{}?against={against}", segment(&after)));
            let found = of
                .open(environment)
                .await?
                .call(Method::GET, &path, None)
                .await?;
            output.answer(&found, || match cell(&found, "diff") {
                same if same.is_empty() => "the two say the same\n".to_owned(),
                diff => diff,
            });
        }
        MappingsCommand::Activate { of, revision } => {
            let door = of.open(environment).await?;
            let body = json!({"revision": revision});
            let answer = door
                .call(Method::POST, &of.path("/activate"), Some(body))
                .await?;
            changed(&answer, &format!("{} is at {revision}", of.mapping), output);
        }
        MappingsCommand::Promote { from, to, door } => {
            let door = open(&door, environment).await?;
            let body = json!({"from": from.as_str()});
            let path = format!("/workspaces/{to}/promote");
            let answer = door.call(Method::POST, &path, Some(body)).await?;
            changed(&answer, &format!("{to} has the mappings of {from}"), output);
        }
        MappingsCommand::Pause(asked) => pause(&asked, true, environment, output).await?,
        MappingsCommand::Resume(asked) => pause(&asked, false, environment, output).await?,
        MappingsCommand::Scan { named, mapping } => {
            scan(&named, mapping, environment, output).await?;
        }
    }
    Ok(Outcome::Done)
}

async fn list(named: &Named, environment: &Environment, output: &Output) -> anyhow::Result<()> {
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}/mappings", named.workspace);
    let found = door.call(Method::GET, &path, None).await?;
    output.answer(&found, || listed(&found));
    Ok(())
}

async fn scan(
    named: &Named,
    mapping: Option<String>,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<()> {
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}/scan", named.workspace);
    let body = json!({"mapping": mapping});
    let answer = door.call(Method::POST, &path, Some(body)).await?;
    output.answer(&answer, || {
        format!("{} compares every record from now on\n", named.workspace)
    });
    Ok(())
}

async fn set(
    workspace: &WorkspaceId,
    file: &PathBuf,
    door: &DoorArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<()> {
    let text = match file.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin())?,
        _ => std::fs::read_to_string(file).map_err(|error| {
            let what = format!("cannot read {}: {error}", file.display());
            Advice::new(what, "name a mapping file, or `-` for standard input")
        })?,
    };
    let source = crate::mapping::SourceFile {
        path: file.display().to_string(),
        text,
    };
    let unnamed = || {
        let what = format!("{} names no mapping", file.display());
        Advice::new(what, "it has to say `mapping: NAME` in a line of its own")
    };
    let name = source.mapping_name().ok_or_else(unnamed)?.to_owned();
    let door = open(door, environment).await?;
    let path = format!("/workspaces/{workspace}/mappings/{}", segment(&name));
    let body = json!({"text": source.text});
    let answer = door.call(Method::PUT, &path, Some(body)).await?;
    changed(&answer, &format!("{name} is set"), output);
    Ok(())
}

async fn log(of: &Of, environment: &Environment, output: &Output) -> anyhow::Result<()> {
    let door = of.open(environment).await?;
    let items = all(&door, &of.path("/revisions")).await?;
    output.answer(&json!({"items": items}), || {
        let row = |item: &Value| {
            let mut row = cells(item, &["at", "revision", "author"]);
            if item["revision"].is_null() {
                row[1] = "(taken out)".to_owned();
            }
            row
        };
        table(
            &["at work from", "revision", "set by"],
            items.iter().map(row).collect(),
        )
    });
    Ok(())
}

async fn pause(
    asked: &Direction,
    paused: bool,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<()> {
    let to = asked.to.map(|side| match side {
        SideName::HubSpot => "hubspot",
        SideName::Salesforce => "salesforce",
    });
    let rest = if paused { "/pause" } else { "/resume" };
    let door = asked.of.open(environment).await?;
    let path = asked.of.path(rest);
    let answer = door
        .call(Method::POST, &path, Some(json!({"to": to})))
        .await?;
    let what = if paused { "is paused" } else { "goes on" };
    let direction = to
        .map(|side| format!(" towards {side}"))
        .unwrap_or_default();
    output.answer(&answer, || {
        format!(
            "{} {what}{direction}\n\n{}",
            asked.of.mapping,
            listed(&answer)
        )
    });
    Ok(())
}

fn changed(answer: &Value, what: &str, output: &Output) {
    output.answer(answer, || {
        let warnings = answer["warnings"].as_array().into_iter().flatten();
        let warnings: String = warnings
            .filter_map(Value::as_str)
            .map(|text| format!("{text}\n"))
            .collect();
        format!("{what}\n{warnings}\n{}", listed(&answer["mappings"]))
    });
}

fn listed(found: &Value) -> String {
    let rows = found["items"].as_array().into_iter().flatten();
    let row = |item: &Value| {
        let mut row = cells(
            item,
            &["name", "origin", "author", "active_revision", "poll"],
        );
        let waits = item["revision"] != item["active_revision"] && !item["revision"].is_null();
        row.push(match waits {
            true => cell(item, "revision"),
            false => String::new(),
        });
        let paused = item["paused"].as_array().into_iter().flatten();
        let paused: Vec<&str> = paused.filter_map(Value::as_str).collect();
        row.push(paused.join(", "));
        row
    };
    let headers = [
        "mapping",
        "from",
        "set by",
        "at work",
        "asks",
        "next",
        "paused to",
    ];
    let table = table(&headers, rows.map(row).collect());
    match found["refused"]["why"].as_str() {
        Some(why) => format!("{table}\nnot taken over, the last good ones go on: {why}\n"),
        None => table,
    }
}
