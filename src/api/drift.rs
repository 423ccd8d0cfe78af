//! Comparisons of both sides, value by value: begun now, and what the last ones found.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Api;
use super::caller::{Caller, WorkspacePath};
use super::dto::MaybeBody;
use super::error::{ApiError, Problem};
use super::planning::{ComparingJson, DriftJson, NewLook};
use crate::app::{compare_soon, drift_found, drift_json};
use crate::model::{MappingName, Role};

/// Compare both sides now, value by value, a part at a time behind all other work.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/drift", tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = Option<NewLook>,
    responses((status = 202, body = ComparingJson), (status = "4XX", body = Problem)))]
pub(super) async fn begin(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    MaybeBody(new): MaybeBody<NewLook>,
) -> Result<(StatusCode, Json<ComparingJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let wish = new.wish()?;
    api.workable(&workspace).await?;
    let names = api.known_mappings(&workspace, &wish).await?;
    let ws = &workspace.id;
    let asked = compare_soon(&api.store, ws, names, api.clock.now()).await?;
    let detail = wish.mappings.join(" ");
    api.note(Some(ws), &caller.actor, "compare", ws.as_str(), &detail)
        .await?;
    api.service.wake(ws);
    let mappings = asked.iter().map(MappingName::to_string).collect();
    Ok((StatusCode::ACCEPTED, Json(ComparingJson { mappings })))
}

/// What the last whole comparison of each mapping found.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/drift", tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = DriftJson), (status = "4XX", body = Problem)))]
pub(super) async fn last(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<DriftJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let ws = &workspace.id;
    let active = api.store.active_revisions(ws).await?;
    let found = drift_found(&api.store, ws, active.into_keys()).await?;
    Ok(Json(DriftJson(drift_json(&found))))
}
