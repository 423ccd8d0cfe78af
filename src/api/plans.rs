//! Plans: what would be written, made as a job of the service, looked at, and carried out.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::caller::{Caller, ItemPath, WorkspacePath};
use super::dto::{Body, Listed, MaybeBody, Page, PageQuery};
use super::error::{ApiError, Code, Problem};
use super::planning::{NewApply, NewPlan, NewUndo, NewUndoSince, PlanJson};
use super::review::id;
use crate::app::{Wish, kept_job};
use crate::explain::moment;
use crate::model::{
    ConnectionState, MappingName, Role, RunId, Side, Timestamp, Workspace, WorkspaceId,
};
use crate::store::{Job, JobKind};

/// A plan that is brought along may be larger than any other body.
pub(super) const PLAN_BYTES: usize = 16 * 1024 * 1024;

/// Plan: find out what would be written, and write nothing.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/plans", tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = Option<NewPlan>,
    responses((status = 201, description = "A plan that was brought along", body = PlanJson),
        (status = 202, description = "A plan that is being made", body = PlanJson),
        (status = "4XX", body = Problem)))]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    MaybeBody(new): MaybeBody<NewPlan>,
) -> Result<(StatusCode, Json<PlanJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let wish = new.wish()?;
    let (ws, kind) = (&workspace.id, new.kind());
    if let Some(file) = new.file {
        if !wish.mappings.is_empty() || kind != JobKind::Plan {
            let why = "a file is carried out as it is; name no mappings, and no repair";
            return Err(ApiError::bad(why));
        }
        let made = api.service.take_in(&workspace, &file.to_string()).await?;
        api.note(Some(ws), &caller.actor, "take in a plan", &made, "")
            .await?;
        let shown = api.plan(ws, &made).await?;
        return Ok((StatusCode::CREATED, Json(shown)));
    }
    api.workable(&workspace).await?;
    api.known_mappings(&workspace, &wish).await?;
    let made = api.service.ask(ws, kind, &wish).await?;
    let detail = wish.mappings.join(" ");
    let done = match kind {
        JobKind::Repair => "plan a repair",
        _ => "plan",
    };
    api.note(Some(ws), &caller.actor, done, &made, &detail)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(api.plan(ws, &made).await?)))
}

/// List plans, the newest first.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/plans", tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path), PageQuery),
    responses((status = 200, body = Listed<PlanJson>), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    page: Page,
) -> Result<Json<Listed<PlanJson>>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let before = page.cursor.as_deref();
    let rows = api.store.plans(&workspace.id, before, page.limit).await?;
    let next = |job: &Job| job.id.clone();
    Ok(Json(Listed::of(rows, page.limit, next, PlanJson::in_brief)))
}

/// Show a plan: how far it is, what it would write, and how carrying it out goes.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/plans/{id}", tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = PlanJson), (status = "4XX", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, plan)): ItemPath,
) -> Result<Json<PlanJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let ws = &workspace.id;
    let shown = api.plan(ws, id("plan", &plan)?).await?;
    let outcome = api.store.job_outcome(ws, &plan).await?;
    Ok(Json(shown.with_left(outcome.as_deref())))
}

/// The plan itself, every row of it: what `tandem apply` and `plans` take.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/plans/{id}/file", tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path), ("id" = String, Path)),
    responses((status = 200, content_type = "application/json", body = Object),
        (status = "4XX", body = Problem)))]
pub(super) async fn file(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, plan)): ItemPath,
) -> Result<Response, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let ws = &workspace.id;
    let missing = || ApiError::not_found("plan");
    let job = api.job(ws, id("plan", &plan)?).await?.ok_or_else(missing)?;
    let text = api.store.job_doc(ws, &job.id).await?;
    let text = text.filter(|_| job.kind.is_plan()).ok_or_else(missing)?;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, text).into_response())
}

/// Carry a plan out: write exactly its rows, as far as they still hold.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/plans/{id}/apply",
    tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path), ("id" = String, Path)),
    request_body = Option<NewApply>,
    responses((status = 202, body = PlanJson), (status = "4XX", body = Problem)))]
pub(super) async fn apply(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, plan)): ItemPath,
    MaybeBody(new): MaybeBody<NewApply>,
) -> Result<(StatusCode, Json<PlanJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Admin).await?;
    let ws = &workspace.id;
    let canary = new.checked()?;
    // What is not there is said before why it could not be carried out.
    let job = api.plan(ws, id("plan", &plan)?).await?;
    api.workable(&workspace).await?;
    api.service
        .apply(&workspace, &job.id, canary, false)
        .await?;
    let detail = canary.map_or_else(String::new, |count| format!("canary {count}"));
    api.note(Some(ws), &caller.actor, "apply", &job.id, &detail)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(api.plan(ws, &job.id).await?)))
}

/// Plan what takes a run's writes back. Nothing is written until that plan is carried out.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/runs/{id}/undo",
    tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path), ("id" = String, Path)),
    request_body = Option<NewUndo>,
    responses((status = 202, body = PlanJson), (status = "4XX", body = Problem)))]
pub(super) async fn undo(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, run)): ItemPath,
    MaybeBody(new): MaybeBody<NewUndo>,
) -> Result<(StatusCode, Json<PlanJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    let run = RunId::new(id("run", &run)?);
    let row = api.store.run(ws, &run).await?;
    let row = row.ok_or_else(|| ApiError::not_found("run"))?;
    let wish = new.of_run(run.as_str())?;
    api.remembers(ws, row.started_at).await?;
    api.workable(&workspace).await?;
    let made = api.service.ask(ws, JobKind::Undo, &wish).await?;
    api.note(Some(ws), &caller.actor, "plan an undo", run.as_str(), &made)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(api.plan(ws, &made).await?)))
}

/// Plan what takes back all that was written from a moment on, by whatever run. Nothing is written
/// until that plan is carried out.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/undo", tag = "plans",
    params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = NewUndoSince,
    responses((status = 202, body = PlanJson), (status = "4XX", body = Problem)))]
pub(super) async fn undo_since(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(new): Body<NewUndoSince>,
) -> Result<(StatusCode, Json<PlanJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    let since = moment(&new.since, api.clock.now())?;
    let wish = new.wish(since)?;
    api.remembers(ws, since).await?;
    api.workable(&workspace).await?;
    let made = api.service.ask(ws, JobKind::Undo, &wish).await?;
    let detail = format!("since {since}");
    api.note(Some(ws), &caller.actor, "plan an undo", &made, &detail)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(api.plan(ws, &made).await?)))
}

impl Api {
    pub(super) async fn job(&self, ws: &WorkspaceId, id: &str) -> Result<Option<Job>, ApiError> {
        Ok(kept_job(&self.store, ws, id, self.clock.now()).await?)
    }

    /// Whether the journal has all that was written from then on.
    async fn remembers(&self, ws: &WorkspaceId, from: Timestamp) -> Result<(), ApiError> {
        let pruned = self.store.journal_pruned(ws).await?;
        match pruned.filter(|until| from < *until) {
            None => Ok(()),
            Some(until) => {
                let why = format!(
                    "the journal is kept from {until} on, so what was written from {from} on is \
                     not all known"
                );
                Err(ApiError::new(Code::Outdated, why))
            }
        }
    }

    pub(super) async fn plan(&self, ws: &WorkspaceId, id: &str) -> Result<PlanJson, ApiError> {
        let job = self.job(ws, id).await?;
        let job = job.filter(|job| job.kind.is_plan());
        let job = job.ok_or_else(|| ApiError::not_found("plan"))?;
        Ok(PlanJson::from(job))
    }

    /// Whether anything can be read there at all.
    pub(super) async fn workable(&self, workspace: &Workspace) -> Result<(), ApiError> {
        if workspace.paused {
            let why = "the workspace is paused; resume it first";
            return Err(ApiError::new(Code::Paused, why));
        }
        for side in Side::BOTH {
            let found = self.store.sealed_connection(&workspace.id, side).await?;
            if found.is_none_or(|one| one.state != ConnectionState::Connected) {
                let why = format!("{} is not connected", side.title());
                return Err(ApiError::new(Code::NotConnected, why));
            }
        }
        Ok(())
    }

    /// The mappings that are meant: those that are named, or all.
    pub(super) async fn known_mappings(
        &self,
        workspace: &Workspace,
        wish: &Wish,
    ) -> Result<Vec<MappingName>, ApiError> {
        let loaded = self.service.mappings(workspace).await?;
        let known = loaded.mappings.into_iter().map(|mapping| mapping.name);
        let mut known: Vec<MappingName> = known.collect();
        let wanted = &wish.mappings;
        if let Some(name) = wanted
            .iter()
            .find(|name| !known.iter().any(|one| one.as_str() == *name))
        {
            let known: Vec<&str> = known.iter().map(MappingName::as_str).collect();
            let known = known.join(", ");
            let why = format!("there is no mapping `{name}`; name some of {known}");
            return Err(ApiError::bad(why));
        }
        known.retain(|one| wanted.is_empty() || wanted.iter().any(|name| name == one.as_str()));
        Ok(known)
    }
}
