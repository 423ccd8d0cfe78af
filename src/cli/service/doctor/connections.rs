//! Every workspace: whether its mappings load, and whether both sides can be used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Check;
use crate::app::{MappingFiles, MappingsError};
use crate::config::Service;
use crate::mapping;
use crate::model::{Side, Workspace, WorkspaceId};
use crate::store::StoreError;
use crate::vault::{Keeper, KeeperError};

use super::super::build::{self, Built};

/// More take their time; whoever has more watches them by /metrics and notices.
const WORKSPACES: u32 = 100;

pub async fn check(settings: Service, files: &MappingFiles) -> Vec<Check> {
    let built = match Box::pin(build::build(settings)).await {
        Ok(built) => built,
        Err(error) => return vec![not_opened(&error)],
    };
    let mut checks = Vec::new();
    match built.store.workspaces("", WORKSPACES).await {
        Ok(workspaces) => {
            checks.push(counted(workspaces.len()));
            if workspaces.is_empty() {
                checks.extend(shared(files));
            }
            for workspace in &workspaces {
                checks.extend(mappings(&built, workspace).await);
                for side in Side::BOTH {
                    checks.push(connection(&built, workspace, side).await);
                }
            }
        }
        Err(error) => checks.push(Check::failed("workspaces", error.to_string(), "try again")),
    }
    checks
}

fn not_opened(error: &anyhow::Error) -> Check {
    let name = "workspaces";
    match error.downcast_ref::<StoreError>() {
        Some(StoreError::Locked { .. }) => Check::warning(
            name,
            "a running service has the store, so its connections were not tried",
            "`tandem workspace list --server URL` says how they fare",
        ),
        _ => Check::failed(
            name,
            error.to_string(),
            "the service would not start either",
        ),
    }
}

fn counted(found: usize) -> Check {
    match u32::try_from(found) {
        Ok(WORKSPACES) => Check::warning(
            "workspaces",
            format!("only the first {WORKSPACES} by name are looked at"),
            "`tandem workspace list` shows all of them",
        ),
        _ => Check::ok("workspaces", format!("{found} in the store")),
    }
}

/// Before there is a workspace with its variables, a fault may only mean that one is missing.
fn shared(files: &MappingFiles) -> Option<Check> {
    let faults = mapping::load(&files.shared, &BTreeMap::new()).err()?;
    let said = faults.first().map(ToString::to_string).unwrap_or_default();
    let todo = "`tandem check` lists all faults";
    Some(Check::warning("shared mappings", said, todo))
}

/// Only what is wrong: a line for each workspace that is well would be one too many.
async fn mappings(built: &Built, workspace: &Workspace) -> Option<Check> {
    let first = match built.service.mappings(workspace).await.err()? {
        MappingsError::Faults(faults) => faults.first().map(ToString::to_string),
        other => Some(other.to_string()),
    };
    let todo = "correct the file or the workspace's variables; `tandem check` lists all faults";
    let name = format!("{} mappings", workspace.id);
    Some(Check::failed(name, first.unwrap_or_default(), todo))
}

async fn connection(built: &Built, workspace: &Workspace, side: Side) -> Check {
    let ws = &workspace.id;
    // A store that does not answer is told of by the probe.
    let wanted = built.service.needed_scopes(ws).await.unwrap_or_default();
    let name = format!("{ws} {side}");
    let keeper: &Arc<Keeper> = &built.api.keeper;
    let again = format!("`tandem connect link {ws} --side {side}` and have it used");
    match Box::pin(keeper.probe(ws, side)).await {
        Ok(probed) => {
            let account = probed.account_id;
            let lacking = probed.scopes.map(|scopes| lacking(side, &wanted, &scopes));
            match lacking.filter(|lacking| !lacking.is_empty()) {
                None => Check::ok(name, format!("account {account}, the token is good")),
                Some(lacking) => Check::warning(
                    name,
                    format!("account {account} did not grant: {}", lacking.join(" ")),
                    match side == Side::Salesforce || are_asked_for(built, ws, &lacking).await {
                        true => again,
                        false => "links do not ask for all of it: `tandem hubspot-app \
                                  --workspaces` says how they will"
                            .to_owned(),
                    },
                ),
            }
        }
        Err(error @ KeeperError::NotConnected(_)) => Check::warning(name, error.to_string(), again),
        Err(error @ (KeeperError::Unusable { .. } | KeeperError::OtherAccount { .. })) => {
            Check::failed(name, error.to_string(), again)
        }
        Err(error) => {
            let todo = "try again; if it stays, connect it anew";
            Check::failed(name, error.to_string(), todo)
        }
    }
}

/// Whether a link of the workspace asks HubSpot for all of these.
async fn are_asked_for(built: &Built, ws: &WorkspaceId, scopes: &[String]) -> bool {
    let said = built.api.app_scopes().unwrap_or_default();
    let asked = built.service.scopes_to_ask(ws, said).await;
    let asked = asked.ok().flatten().unwrap_or_default();
    scopes.iter().all(|scope| asked.has(scope))
}

/// What the mappings need and the account did not grant. Salesforce names other words for the same
/// right, and without either of these nothing works at all.
fn lacking(side: Side, wanted: &[String], scopes: &[String]) -> Vec<String> {
    let has: BTreeSet<&str> = scopes.iter().map(String::as_str).collect();
    match side {
        Side::HubSpot => {
            let lacks = |scope: &&String| !has.contains(scope.as_str());
            wanted.iter().filter(lacks).cloned().collect()
        }
        Side::Salesforce if has.contains("full") || has.contains("api") => Vec::new(),
        Side::Salesforce => vec!["api".to_owned()],
    }
}
