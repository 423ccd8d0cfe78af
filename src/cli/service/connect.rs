//! `tandem connect`: a workspace's two CRMs, by a link or with static credentials.

use std::io::Read;
use std::path::PathBuf;

use axum::http::Method;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::choose;
use crate::cli::output::{Advice, Outcome, Output};
use crate::config::Environment;
use crate::model::Side;

use super::rows::{Named, cell, connections_table, open};

/// Longer than any credential.
const SECRET_CAP: u64 = 64 * 1024;

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

pub async fn connect(
    command: ConnectCommand,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    match command {
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
        }
        ConnectCommand::Show(named) => {
            let door = open(&named.door, environment).await?;
            let path = format!("/workspaces/{}/connections", named.workspace);
            let sides = door.call(Method::GET, &path, None).await?;
            output.answer(&sides, || connections_table(&sides));
        }
        ConnectCommand::Cut { named, side } => {
            let door = open(&named.door, environment).await?;
            let path = format!("/workspaces/{}/connections/{side}", named.workspace);
            door.call(Method::DELETE, &path, None).await?;
            let object = json!({"cut": side.as_str()});
            output.answer(&object, || format!("{} is disconnected\n", side.title()));
        }
        ConnectCommand::Token { named, side, url } => {
            let body = json!({"kind": "token", "token": secret()?, "url": url});
            put(&named, side, body, environment, output).await?;
        }
        ConnectCommand::ClientCredentials {
            named,
            login_url,
            client_id,
        } => {
            let body = json!({"kind": "client-credentials", "login_url": login_url,
                "client_id": client_id, "client_secret": secret()?});
            put(&named, Side::Salesforce, body, environment, output).await?;
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
            put(&named, Side::Salesforce, body, environment, output).await?;
        }
    }
    Ok(Outcome::Done)
}

/// Static credentials, which the service tries before it keeps them.
async fn put(
    named: &Named,
    side: Side,
    body: Value,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<()> {
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}/connections/{side}", named.workspace);
    let made = door.call(Method::PUT, &path, Some(body)).await?;
    output.answer(&made, || {
        let account = cell(&made, "account_id");
        format!("{} is connected as account {account}\n", side.title())
    });
    Ok(())
}

/// A secret from standard input, where no list of processes shows it.
pub(super) fn secret() -> anyhow::Result<String> {
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
