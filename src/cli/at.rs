//! Where a command works: on a store of its own, or in a workspace of a service.
//!
//! What a service has is asked for over its API, and printed as what a store has.

use axum::http::Method;
use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use crate::config::Environment;
use crate::model::WorkspaceId;

use super::arguments::DataArgs;
use super::choose::ChosenArgs;
use super::data::Data;
use super::output::Advice;
use super::service::{Door, DoorArgs, id, open};
use super::sync::PlaceArgs;

/// Rows of one page; as many as the API gives.
const PAGE: usize = 200;

/// A store, or a workspace of a service.
#[derive(Clone, Debug, Args)]
pub struct AtArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    served: ServedArgs,
}

/// A workspace of a service, where one is named.
#[derive(Clone, Debug, Args)]
pub struct ServedArgs {
    /// Instead of a store of its own: a workspace of the service, customer/environment.
    #[arg(long, value_name = "W", value_parser = id, conflicts_with = "data")]
    workspace: Option<WorkspaceId>,
    #[command(flatten)]
    door: DoorArgs,
}

/// Where it is.
pub enum At {
    Here(Data),
    There(There),
}

impl At {
    pub async fn close(self) {
        if let Self::Here(data) = self {
            data.close().await;
        }
    }
}

impl AtArgs {
    pub const fn data(&self) -> &DataArgs {
        &self.data
    }

    /// The store, or the way to the service.
    pub async fn open(&self, environment: &Environment) -> anyhow::Result<At> {
        match self.served.there(environment).await? {
            Some(there) => Ok(At::There(there)),
            None => Ok(At::Here(Data::open(&self.data).await?)),
        }
    }

    /// As [`AtArgs::open`], for a command that only looks.
    pub async fn open_to_read(&self, environment: &Environment) -> anyhow::Result<At> {
        match self.served.there(environment).await? {
            Some(there) => Ok(At::There(there)),
            None => Ok(At::Here(Data::open_to_read(&self.data).await?)),
        }
    }

    pub async fn there(&self, environment: &Environment) -> anyhow::Result<Option<There>> {
        self.served.there(environment).await
    }

    /// What names the workspace in a command that a running service carries out; empty for a store.
    pub fn served_words(&self) -> String {
        let Some(workspace) = &self.served.workspace else {
            return String::new();
        };
        let server = self.served.door.server.as_ref();
        let server = server.map_or("URL", Url::as_str);
        format!(" --workspace {workspace} --server {server}")
    }

    /// As [`AtArgs::there`], for what reads both CRMs.
    pub async fn running(&self, environment: &Environment) -> anyhow::Result<Option<There>> {
        self.served.running(environment).await
    }
}

impl ServedArgs {
    /// The way to the service, where the command names a workspace of one.
    pub async fn there(&self, environment: &Environment) -> anyhow::Result<Option<There>> {
        let Some(workspace) = &self.workspace else {
            if self.door.server.is_some() {
                let todo = "add --workspace, such as --workspace acme/production";
                return Err(Advice::new("a service has many workspaces", todo).into());
            }
            return Ok(None);
        };
        Ok(Some(There {
            door: open(&self.door, environment).await?,
            workspace: workspace.clone(),
        }))
    }

    /// As [`ServedArgs::there`], for what only a running service does, with mappings of its own.
    pub async fn at_work(
        &self,
        place: &PlaceArgs,
        environment: &Environment,
    ) -> anyhow::Result<Option<There>> {
        if self.workspace.is_some() && place.names_mappings() {
            let what = "a workspace has mappings of its own";
            return Err(Advice::new(what, "leave out --mappings").into());
        }
        self.running(environment).await
    }

    /// As [`ServedArgs::there`], for what reads both CRMs: only a service that runs does it.
    async fn running(&self, environment: &Environment) -> anyhow::Result<Option<There>> {
        if self.workspace.is_some() && self.door.server.is_none() {
            let what = "what reads both CRMs is done by a running service";
            return Err(Advice::new(what, "name it with --server").into());
        }
        self.there(environment).await
    }
}

/// A workspace of a service.
pub struct There {
    door: Door,
    workspace: WorkspaceId,
}

/// What narrows a list down; without a value it does not.
pub type Filter<'a> = [(&'a str, Option<&'a str>)];

impl There {
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// A path below the workspace, as the API has it.
    pub fn path(&self, rest: &str) -> String {
        format!("/workspaces/{}/{rest}", self.workspace)
    }

    pub async fn get<T: DeserializeOwned>(
        &self,
        rest: &str,
        filter: &Filter<'_>,
    ) -> anyhow::Result<T> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in filter {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let path = match query.finish() {
            query if query.is_empty() => self.path(rest),
            query => format!("{}?{query}", self.path(rest)),
        };
        let answer = self.door.call(Method::GET, &path, None).await?;
        read(answer)
    }

    pub async fn post(&self, rest: &str, body: Value) -> anyhow::Result<Value> {
        let path = self.path(rest);
        self.door.call(Method::POST, &path, Some(body)).await
    }

    /// The first rows of a list, page by page, and whether there are more.
    pub async fn rows<T: DeserializeOwned>(
        &self,
        list: &str,
        filter: &Filter<'_>,
        limit: usize,
    ) -> anyhow::Result<(Vec<T>, bool)> {
        let page = limit.min(PAGE).to_string();
        let mut rows: Vec<T> = Vec::new();
        let mut cursor: Option<String> = None;
        while rows.len() < limit {
            let place = [
                ("limit", Some(page.as_str())),
                ("cursor", cursor.as_deref()),
            ];
            let mut page: Value = self.get(list, &[filter, &place].concat()).await?;
            rows.extend(read::<Vec<T>>(page["items"].take())?);
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        let more = rows.len() > limit || cursor.is_some();
        rows.truncate(limit);
        Ok((rows, more))
    }

    /// Makes a decision about all rows that are chosen, a page of them at a time, and answers for
    /// which it was made.
    pub async fn decide(
        &self,
        rest: &str,
        mut body: Value,
        chosen: &ChosenArgs,
        filter: &Filter<'_>,
    ) -> anyhow::Result<Vec<String>> {
        body["which"] = which(chosen, filter);
        let mut decided: Vec<String> = Vec::new();
        loop {
            let answer =
                self.post(rest, body.clone())
                    .await
                    .map_err(|error| match decided.len() {
                        0 => error,
                        count => error.context(format!("{count} are decided, the others are not")),
                    })?;
            let Value::Object(answer) = answer else {
                return Ok(decided);
            };
            let ids = answer.values().filter_map(Value::as_array).flatten();
            decided.extend(ids.filter_map(Value::as_str).map(str::to_owned));
            match answer.get("next") {
                Some(next @ Value::String(_)) => body["which"]["cursor"] = next.clone(),
                _ => return Ok(decided),
            }
        }
    }
}

/// The rows that the command line names, as the API wants them named.
fn which(chosen: &ChosenArgs, filter: &Filter<'_>) -> Value {
    if !chosen.ids.is_empty() {
        return json!({"ids": chosen.ids});
    }
    let mut which = json!({"all": chosen.all});
    for (name, value) in filter {
        if let Some(value) = value {
            which[*name] = json!(value);
        }
    }
    which
}

/// What the service answered, in the shape that it is printed from.
pub fn read<T: DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).map_err(|error| {
        let what = format!("the service's answer cannot be read: {error}");
        Advice::new(what, "use the same version as the service").into()
    })
}
