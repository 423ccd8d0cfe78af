//! Looks at one record as it is now: what both sides hold, and what the next run would do.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Api;
use super::caller::{Caller, ItemPath, WorkspacePath};
use super::dto::Body;
use super::error::{ApiError, Problem};
use super::planning::{LiveJson, NewExplain};
use super::review::id;
use crate::explain::explain;
use crate::model::{Role, WorkspaceId};
use crate::store::{Job, JobKind};

/// Look at a record live: read both sides and play the next run for it. Nothing is written.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/explain", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = NewExplain,
    responses((status = 202, body = LiveJson), (status = "4XX", body = Problem)))]
pub(super) async fn begin(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(new): Body<NewExplain>,
) -> Result<(StatusCode, Json<LiveJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let (ws, now, new) = (&workspace.id, api.clock.now(), new.checked()?);
    // What cannot be answered is said at once.
    explain(&api.store, ws, &new.question(now)?, now).await?;
    api.workable(&workspace).await?;
    let made = api.service.ask(ws, JobKind::Explain, &new.wish()).await?;
    api.note(Some(ws), &caller.actor, "explain live", &made, "")
        .await?;
    let job = look(&api, ws, &made).await?;
    Ok((StatusCode::ACCEPTED, Json(LiveJson::of(job, None))))
}

/// Show such a look: how far it is, and its answer.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/explain/{id}",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path),
    ("id" = String, Path)),
    responses((status = 200, body = LiveJson), (status = "4XX", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, text)): ItemPath,
) -> Result<Json<LiveJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let ws = &workspace.id;
    let job = look(&api, ws, id("look", &text)?).await?;
    let doc = api.store.job_doc(ws, &job.id).await?;
    Ok(Json(LiveJson::of(job, doc.as_deref())))
}

async fn look(api: &Api, ws: &WorkspaceId, id: &str) -> Result<Job, ApiError> {
    let job = api.job(ws, id).await?;
    let job = job.filter(|job| job.kind == JobKind::Explain);
    job.ok_or_else(|| ApiError::not_found("look"))
}
