//! `tandem keys`: keys to the API, and the keys that seal credentials.

use axum::http::Method;
use clap::Subcommand;
use serde_json::json;

use crate::cli::output::{Outcome, Output, table};
use crate::config::Environment;
use crate::model::WorkspaceId;

use super::build;
use super::door::DoorArgs;
use super::rows::{all, cell, cells, id, open};

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
        #[arg(long, requires = "workspace")]
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
            let mut body = json!({"name": name, "role": role});
            if publishable {
                body["publishable"] = json!(true);
            }
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
        KeysCommand::Rotate { door } => rotate(&door, environment, output).await?,
    }
    Ok(Outcome::Done)
}

async fn rotate(door: &DoorArgs, environment: &Environment, output: &Output) -> anyhow::Result<()> {
    let added = match door.server {
        Some(_) => None,
        None => Some(build::add_key(&build::settings(
            &door.config,
            environment,
        )?)?),
    };
    let door = open(door, environment).await?;
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
    Ok(())
}
