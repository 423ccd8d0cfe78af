//! `tandem workspace`, `tandem connect`, `tandem keys`: calls of the API, and their answers as text.

use std::io::Read;
use std::path::PathBuf;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::choose;
use crate::cli::output::{Advice, Outcome, Output, table};
use crate::config::Environment;
use crate::model::{Side, WorkspaceId};

use super::build;
use super::door::{Door, DoorArgs, key_of};

/// Longer than any credential.
const SECRET_CAP: u64 = 64 * 1024;

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
    /// Let it write.
    Live(Named),
    /// Match and plan only; every write is refused.
    Observe(Named),
    /// Look for changes on both sides now.
    Sync(Named),
    /// Who changed what, the newest first.
    Log(Named),
    /// Revoke its grants and erase its rows.
    Delete {
        #[command(flatten)]
        named: Named,
        /// Really.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub struct Named {
    /// customer/environment.
    #[arg(value_parser = id)]
    workspace: WorkspaceId,
    #[command(flatten)]
    door: DoorArgs,
}

#[derive(Debug, Subcommand)]
pub enum ConnectCommand {
    /// A link for the administrator of one side.
    Link {
        #[command(flatten)]
        named: Named,
        /// hubspot or salesforce.
        #[arg(long, value_parser = choose::side)]
        side: Side,
        /// Hours until it expires.
        #[arg(long, default_value_t = 168, value_parser = clap::value_parser!(u32).range(1..=720))]
        hours: u32,
    },
    /// HubSpot's private app token, or a Salesforce access token; read from standard input.
    Token {
        #[command(flatten)]
        named: Named,
        /// hubspot or salesforce.
        #[arg(long, value_parser = choose::side)]
        side: Side,
        /// Salesforce: the org's address.
        #[arg(long, default_value = "")]
        url: String,
    },
    /// Salesforce by client credentials; the secret is read from standard input.
    ClientCredentials {
        #[command(flatten)]
        named: Named,
        /// The org's own address.
        #[arg(long)]
        login_url: String,
        #[arg(long)]
        client_id: String,
    },
    /// Salesforce by JWT bearer.
    Jwt {
        #[command(flatten)]
        named: Named,
        #[arg(long, default_value = "https://login.salesforce.com")]
        login_url: String,
        #[arg(long)]
        client_id: String,
        #[arg(long)]
        username: String,
        /// File of the RSA key in PEM.
        #[arg(long, value_name = "FILE")]
        private_key: PathBuf,
    },
    /// Show both sides.
    Show(Named),
    /// Revoke a grant and forget it.
    Cut {
        #[command(flatten)]
        named: Named,
        /// hubspot or salesforce.
        #[arg(long, value_parser = choose::side)]
        side: Side,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key; it is shown this once.
    Create {
        /// For one workspace; a management key without it.
        #[arg(long, value_parser = id)]
        workspace: Option<WorkspaceId>,
        /// What it is for.
        #[arg(long)]
        name: String,
        /// viewer, operator or admin.
        #[arg(long, default_value = "viewer")]
        role: String,
        /// May only send events.
        #[arg(long)]
        publishable: bool,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// List keys.
    List {
        #[arg(long, value_parser = id)]
        workspace: Option<WorkspaceId>,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Revoke a key.
    Revoke {
        /// Its id, as the list shows it.
        id: String,
        #[arg(long, value_parser = id)]
        workspace: Option<WorkspaceId>,
        #[command(flatten)]
        door: DoorArgs,
    },
    /// Put a fresh key first into the key file, and seal every data key anew with it. With
    /// --server: have the service read its own key file again.
    Rotate {
        #[command(flatten)]
        door: DoorArgs,
    },
}

fn id(text: &str) -> Result<WorkspaceId, String> {
    WorkspaceId::parse(text).ok_or_else(|| format!("use {}", WorkspaceId::SHAPE))
}

fn var(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("use NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

async fn open(door: &DoorArgs, environment: &Environment) -> anyhow::Result<Door> {
    Door::open(door, key_of(environment.get("TANDEM_KEY"))).await
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
            door,
        } => {
            let vars: serde_json::Map<String, Value> = vars
                .into_iter()
                .map(|(name, value)| (name, json!(value)))
                .collect();
            let body = json!({"id": workspace.as_str(), "vars": vars});
            let door = open(&door, environment).await?;
            let made = door.call(Method::POST, "/workspaces", Some(body)).await?;
            output.answer(&made, || {
                format!(
                    "{workspace} is made and observes\n\
                     Next: `tandem connect link {workspace} --side hubspot`\n"
                )
            });
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
        WorkspaceCommand::Delete { named, yes } => {
            delete(&named, yes, environment, output).await?;
            return Ok(Outcome::Done);
        }
        WorkspaceCommand::Pause(named) => (named, "pause"),
        WorkspaceCommand::Resume(named) => (named, "resume"),
        WorkspaceCommand::Live(named) => (named, "live"),
        WorkspaceCommand::Observe(named) => (named, "observe"),
        WorkspaceCommand::Sync(named) => (named, "sync"),
    };
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}/{action}", named.workspace);
    let answer = door.call(Method::POST, &path, None).await?;
    let said = match action {
        "pause" => "is paused",
        "resume" => "goes on",
        "live" => "writes from now on",
        "observe" => "observes from now on",
        _ => "looks for changes now",
    };
    output.answer(&answer, || format!("{} {said}\n", named.workspace));
    Ok(Outcome::Done)
}

/// Every row of a list, page by page.
async fn all(door: &Door, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = door
            .call(Method::GET, &format!("{path}?limit=200{cursor}"), None)
            .await?;
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        let Some(next) = page["next"].as_str() else {
            return Ok(items);
        };
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        cursor = format!("&cursor={next}");
    }
}

fn cell(item: &Value, name: &str) -> String {
    match &item[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn cells(item: &Value, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| cell(item, name)).collect()
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
        let trouble = match workspace["trouble"]["why"].as_str() {
            Some(why) => format!("not worked on: {why}\n"),
            None => String::new(),
        };
        format!(
            "{}: {}{paused}\n{trouble}\n{}",
            named.workspace,
            cell(&workspace, "mode"),
            connections_table(&sides)
        )
    });
    Ok(())
}

fn connections_table(sides: &Value) -> String {
    let rows = sides["items"].as_array().into_iter().flatten();
    let names = ["side", "state", "account_id", "connected_at", "detail"];
    let headers = ["side", "state", "account", "connected", ""];
    table(&headers, rows.map(|item| cells(item, &names)).collect())
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

pub async fn connect(
    command: ConnectCommand,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let (named, side, body) = match command {
        ConnectCommand::Link { named, side, hours } => {
            let door = open(&named.door, environment).await?;
            let path = format!("/workspaces/{}/connect-links", named.workspace);
            let body = json!({"side": side.as_str(), "hours": hours});
            let link = door.call(Method::POST, &path, Some(body)).await?;
            output.answer(&link, || {
                format!(
                    "{}\n\nexpires {}\n",
                    cell(&link, "url"),
                    cell(&link, "expires_at")
                )
            });
            return Ok(Outcome::Done);
        }
        ConnectCommand::Show(named) => {
            let door = open(&named.door, environment).await?;
            let path = format!("/workspaces/{}/connections", named.workspace);
            let sides = door.call(Method::GET, &path, None).await?;
            output.answer(&sides, || connections_table(&sides));
            return Ok(Outcome::Done);
        }
        ConnectCommand::Cut { named, side } => {
            let door = open(&named.door, environment).await?;
            let path = format!("/workspaces/{}/connections/{side}", named.workspace);
            door.call(Method::DELETE, &path, None).await?;
            let object = json!({"cut": side.as_str()});
            output.answer(&object, || format!("{} is disconnected\n", side.title()));
            return Ok(Outcome::Done);
        }
        ConnectCommand::Token { named, side, url } => {
            let body = json!({"kind": "token", "token": secret()?, "url": url});
            (named, side, body)
        }
        ConnectCommand::ClientCredentials {
            named,
            login_url,
            client_id,
        } => {
            let body = json!({"kind": "client-credentials", "login_url": login_url,
                "client_id": client_id, "client_secret": secret()?});
            (named, Side::Salesforce, body)
        }
        ConnectCommand::Jwt {
            named,
            login_url,
            client_id,
            username,
            private_key,
        } => {
            let key = std::fs::read_to_string(&private_key).map_err(|error| {
                let what = format!("cannot read {}: {error}", private_key.display());
                Advice::new(what, "name the file of the RSA key")
            })?;
            let body = json!({"kind": "jwt", "login_url": login_url, "client_id": client_id,
                "username": username, "private_key": key});
            (named, Side::Salesforce, body)
        }
    };
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}/connections/{side}", named.workspace);
    let made = door.call(Method::PUT, &path, Some(body)).await?;
    output.answer(&made, || {
        format!(
            "{} is connected as account {}\n",
            side.title(),
            cell(&made, "account_id")
        )
    });
    Ok(Outcome::Done)
}

/// A secret from standard input, where no list of processes shows it.
fn secret() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(SECRET_CAP)
        .read_to_string(&mut text)?;
    let text = text.trim().to_owned();
    if text.is_empty() {
        let todo = "pipe the secret in, e.g. `tandem connect token … < token.txt`";
        return Err(Advice::new("there is nothing on standard input", todo).into());
    }
    Ok(text)
}

fn keys_path(workspace: Option<&WorkspaceId>) -> String {
    workspace.map_or("/keys".to_owned(), |ws| format!("/workspaces/{ws}/keys"))
}

pub async fn keys(
    command: KeysCommand,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    match command {
        KeysCommand::Create {
            workspace,
            name,
            role,
            publishable,
            door,
        } => {
            let door = open(&door, environment).await?;
            let body = json!({"name": name, "role": role, "publishable": publishable});
            let path = keys_path(workspace.as_ref());
            let made = door.call(Method::POST, &path, Some(body)).await?;
            output.answer(&made, || {
                format!(
                    "{}\n\nshown this once; its id is {}\n",
                    cell(&made, "key"),
                    cell(&made, "id")
                )
            });
        }
        KeysCommand::List { workspace, door } => {
            let door = open(&door, environment).await?;
            let items = all(&door, &keys_path(workspace.as_ref())).await?;
            output.answer(&json!({"items": items}), || {
                let names = [
                    "id",
                    "name",
                    "kind",
                    "role",
                    "created_at",
                    "used_at",
                    "revoked_at",
                ];
                let headers = ["id", "name", "kind", "role", "made", "last used", "revoked"];
                table(
                    &headers,
                    items.iter().map(|item| cells(item, &names)).collect(),
                )
            });
        }
        KeysCommand::Revoke {
            id,
            workspace,
            door,
        } => {
            let door = open(&door, environment).await?;
            let path = format!("{}/{id}", keys_path(workspace.as_ref()));
            door.call(Method::DELETE, &path, None).await?;
            output.answer(&json!({"revoked": id}), || {
                format!("{id} opens nothing any more\n")
            });
        }
        KeysCommand::Rotate { door } => {
            let added = match door.server {
                Some(_) => None,
                None => Some(build::add_key(&build::settings(&door.config)?)?),
            };
            let door = open(&door, environment).await?;
            let answer = door.call(Method::POST, "/keys/rotate", None).await?;
            output.answer(&answer, || {
                let added = added.map(|id| format!("{id} was put first into the key file\n"));
                format!(
                    "{}{} data key(s) sealed anew with the first key; the others can go once every \
                     process was started after this\n",
                    added.unwrap_or_default(),
                    cell(&answer, "sealed_anew")
                )
            });
        }
    }
    Ok(Outcome::Done)
}
