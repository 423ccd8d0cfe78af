//! What the commands of the service share: a named workspace, a call, rows of a list.

use axum::http::Method;
use clap::Args;
use serde_json::Value;

use crate::cli::output::table;
use crate::config::Environment;
use crate::model::WorkspaceId;

use super::door::{Door, DoorArgs, key_of};

#[derive(Debug, Args)]
pub struct Named {
    /// customer/environment.
    #[arg(value_parser = id)]
    pub workspace: WorkspaceId,
    #[command(flatten)]
    pub door: DoorArgs,
}

pub fn id(text: &str) -> Result<WorkspaceId, String> {
    WorkspaceId::parse(text).ok_or_else(|| format!("use {}", WorkspaceId::SHAPE))
}

pub async fn open(door: &DoorArgs, environment: &Environment) -> anyhow::Result<Door> {
    Door::open(door, environment, key_of(environment.get("TANDEM_KEY"))).await
}

/// Every row of a list, page by page.
pub(super) async fn all(door: &Door, path: &str) -> anyhow::Result<Vec<Value>> {
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

/// As one segment of a path, whatever it holds.
pub fn segment(text: &str) -> String {
    let quoted: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    quoted.replace('+', "%20")
}

pub(super) fn cell(item: &Value, name: &str) -> String {
    match &item[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub(super) fn cells(item: &Value, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| cell(item, name)).collect()
}

pub(super) fn connections_table(sides: &Value) -> String {
    let rows = sides["items"].as_array().into_iter().flatten();
    let names = ["side", "state", "account_id", "connected_at", "detail"];
    let headers = ["side", "state", "account", "connected", ""];
    table(&headers, rows.map(|item| cells(item, &names)).collect())
}
