//! Inventories: who pairs with whom, before a first write.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Api;
use super::caller::{Caller, WorkspacePath};
use super::dto::MaybeBody;
use super::error::{ApiError, Problem};
use super::planning::{MatchJson, NewLook};
use crate::app::kept_job;
use crate::model::Role;
use crate::store::JobKind;

/// Take an inventory: who pairs with whom, what would be created, what stands in the way.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/match", tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = Option<NewLook>,
    responses((status = 202, body = MatchJson), (status = "4XX", body = Problem)))]
pub(super) async fn begin(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    MaybeBody(new): MaybeBody<NewLook>,
) -> Result<(StatusCode, Json<MatchJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let wish = new.wish()?;
    api.workable(&workspace).await?;
    api.known_mappings(&workspace, &wish).await?;
    let ws = &workspace.id;
    let made = api.service.ask(ws, JobKind::Match, &wish).await?;
    let detail = wish.mappings.join(" ");
    api.note(Some(ws), &caller.actor, "match", &made, &detail)
        .await?;
    let job = kept_job(&api.store, ws, &made, api.clock.now()).await?;
    let job = job.ok_or_else(|| ApiError::not_found("inventory"))?;
    Ok((StatusCode::ACCEPTED, Json(MatchJson::of(job, None))))
}

/// The last inventory: how far it is, and what it found.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/match", tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = MatchJson), (status = "4XX", body = Problem)))]
pub(super) async fn last(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<MatchJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let ws = &workspace.id;
    let job = api.store.last_job(ws, JobKind::Match).await?;
    let job = job.ok_or_else(|| ApiError::not_found("inventory"))?;
    let doc = api.store.job_doc(ws, &job.id).await?;
    Ok(Json(MatchJson::of(job, doc.as_deref())))
}
