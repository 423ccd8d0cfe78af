//! `tandem workspace`: customers' workspaces.

use axum::http::Method;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::output::{Advice, Outcome, Output, table};
use crate::config::Environment;
use crate::model::WorkspaceId;

use super::door::{Door, DoorArgs};
use super::notices;
use super::owners;
use super::plan::{self, ApplyArgs, LiveArgs, PlanArgs};
use super::rows::{Named, all, cell, cells, connections_table, id, open};

#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// Make a workspace; it observes until `live`.
    Create {
        /// customer/environment, such as acme/production.
        #[arg(value_parser = id)]
        workspace: WorkspaceId,
        /// A value for `${vars.NAME}` in mapping files; may be repeated.
        #[arg(long = "var", value_name = "NAME=VALUE", value_parser = var)]
        vars: Vec<(String, String)>,
        #[command(flatten)]
        owners: owners::Pairs,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// List workspaces.
    List {
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Show a workspace and its connections.
    Show(Named),
    /// Neither read nor write until it is resumed.
    Pause(Named),
    /// Go on after a pause.
    Resume(Named),
    /// Let it write: at once, or once a plan is carried out.
    Live(LiveArgs),
    /// Find out what it would write, and write nothing; made by a running service.
    Plan(PlanArgs),
    /// Carry out a plan of it, and write nothing else; done by a running service.
    Apply(ApplyArgs),
    /// Match and plan only; every write is refused.
    Observe(Named),
    /// Look for changes on both sides now.
    Sync(Named),
    /// Who changed what, the newest first.
    Log(Named),
    /// Who on HubSpot stands for whom on Salesforce, before each mapping's own table; shows it when
    /// nothing is given.
    Owners(owners::OwnersArgs),
    /// Who is told when a workspace needs a person; shows it when nothing is named.
    Notices(notices::NoticesArgs),
    /// Revoke its grants and erase its rows.
    Delete {
        #[command(flatten)]
        named: Named,
        /// Really.
        #[arg(long)]
        yes: bool,
    },
}

fn var(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("use NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub async fn workspace(
    command: WorkspaceCommand,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let (named, action) = match command {
        WorkspaceCommand::Create {
            workspace,
            vars,
            owners,
            door,
        } => {
            let door = open(&door, environment).await?;
            create(&workspace, vars, owners, &door, output).await?;
            return Ok(Outcome::Done);
        }
        WorkspaceCommand::List { door } => {
            let door = open(&door, environment).await?;
            let items = all(&door, "/workspaces").await?;
            list_workspaces(&items, output);
            return Ok(Outcome::Done);
        }
        WorkspaceCommand::Show(named) => {
            show(&named, environment, output).await?;
            return Ok(Outcome::Done);
        }
        WorkspaceCommand::Log(named) => {
            log(&named, environment, output).await?;
            return Ok(Outcome::Done);
        }
        WorkspaceCommand::Notices(args) => {
            notices::run(args, environment, output).await?;
            return Ok(Outcome::Done);
        }
        WorkspaceCommand::Owners(args) => {
            owners::run(args, environment, output).await?;
            return Ok(Outcome::Done);
        }
        WorkspaceCommand::Delete { named, yes } => {
            delete(&named, yes, environment, output).await?;
            return Ok(Outcome::Done);
        }
        WorkspaceCommand::Pause(named) => (named, "pause"),
        WorkspaceCommand::Resume(named) => (named, "resume"),
        WorkspaceCommand::Live(args) => return plan::live(args, environment, output).await,
        WorkspaceCommand::Plan(args) => return plan::plan(args, environment, output).await,
        WorkspaceCommand::Apply(args) => return plan::apply(args, environment, output).await,
        WorkspaceCommand::Observe(named) => (named, "observe"),
        WorkspaceCommand::Sync(named) => (named, "sync"),
    };
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}/{action}", named.workspace);
    let answer = door.call(Method::POST, &path, None).await?;
    let said = match action {
        "pause" => "is paused",
        "resume" => "goes on",
        "observe" => "observes from now on",
        _ => "looks for changes now",
    };
    output.answer(&answer, || format!("{} {said}\n", named.workspace));
    Ok(Outcome::Done)
}

async fn create(
    workspace: &WorkspaceId,
    vars: Vec<(String, String)>,
    owners: owners::Pairs,
    door: &Door,
    output: &Output,
) -> anyhow::Result<()> {
    let vars: serde_json::Map<String, Value> = vars
        .into_iter()
        .map(|(name, value)| (name, json!(value)))
        .collect();
    let owners = owners.json()?.unwrap_or_else(|| json!([]));
    let body = json!({"id": workspace.as_str(), "vars": vars, "owners": owners});
    let made = door.call(Method::POST, "/workspaces", Some(body)).await?;
    output.answer(&made, || {
        format!(
            "{workspace} is made and observes\n\
             Next: `tandem connect link {workspace} --side hubspot`\n"
        )
    });
    Ok(())
}

fn list_workspaces(items: &[Value], output: &Output) {
    output.answer(&json!({"items": items}), || {
        if items.is_empty() {
            return "no workspaces; `tandem workspace create acme/production` makes one\n"
                .to_owned();
        }
        let row = |item: &Value| {
            let mut row = cells(item, &["id", "mode"]);
            let paused = item["paused"] == json!(true);
            row.push(if paused {
                "yes".to_owned()
            } else {
                String::new()
            });
            row.push(
                item["trouble"]["why"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            );
            row
        };
        table(
            &["workspace", "mode", "paused", "trouble"],
            items.iter().map(row).collect(),
        )
    });
}

async fn show(named: &Named, environment: &Environment, output: &Output) -> anyhow::Result<()> {
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}", named.workspace);
    let workspace = door.call(Method::GET, &path, None).await?;
    let sides = door
        .call(Method::GET, &format!("{path}/connections"), None)
        .await?;
    let object = json!({"workspace": workspace, "connections": sides["items"]});
    output.answer(&object, || {
        let paused = if workspace["paused"] == json!(true) {
            ", paused"
        } else {
            ""
        };
        let mut trouble = String::new();
        if let Some(why) = workspace["trouble"]["why"].as_str() {
            trouble = format!("not worked on: {why}\n");
        }
        if let Some(why) = workspace["mappings_refused"]["why"].as_str() {
            trouble.push_str(&format!(
                "mappings not taken over, the last good ones go on: {why}\n"
            ));
        }
        format!(
            "{}: {}{paused}\n{trouble}\n{}",
            named.workspace,
            cell(&workspace, "mode"),
            connections_table(&sides)
        )
    });
    Ok(())
}

async fn log(named: &Named, environment: &Environment, output: &Output) -> anyhow::Result<()> {
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}/log", named.workspace);
    let items = all(&door, &path).await?;
    output.answer(&json!({"items": items}), || {
        let names = ["at", "actor", "action", "target", "detail"];
        table(
            &names,
            items.iter().map(|item| cells(item, &names)).collect(),
        )
    });
    Ok(())
}

async fn delete(
    named: &Named,
    yes: bool,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<()> {
    if !yes {
        let what = format!(
            "{} would be erased, with everything known of its pairs",
            named.workspace
        );
        return Err(Advice::new(what, "add --yes; nothing was changed").into());
    }
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}", named.workspace);
    let gone = door.call(Method::DELETE, &path, None).await?;
    output.answer(&gone, || {
        let rows = gone["erased"].as_object().into_iter().flatten();
        let rows = rows
            .map(|(kind, count)| vec![kind.clone(), count.to_string()])
            .collect();
        format!(
            "{} is erased\n\n{}",
            named.workspace,
            table(&["kind", "rows"], rows)
        )
    });
    Ok(())
}
