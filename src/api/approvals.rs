//! Questions of guards: what was stopped, and a person's yes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Api;
use super::caller::{Caller, ItemPath, WorkspacePath};
use super::dto::{Listed, Page, PageQuery};
use super::error::{ApiError, Code, Problem};
use super::review::{DecidedJson, id};
use crate::model::{ApprovalId, Choice, Role};
use crate::review::{ApprovalJson, grant};
use crate::store::{Approval, ApprovalState};

/// List what guards have stopped and what waits for a yes.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/approvals", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path), PageQuery),
    responses((status = 200, body = Listed<ApprovalJson>), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    page: Page,
) -> Result<Json<Listed<ApprovalJson>>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let after = page.cursor.unwrap_or_default();
    let rows = api
        .store
        .approvals_asked(&workspace.id, &after, page.limit)
        .await?;
    let next = |row: &Approval| row.id.to_string();
    let shape = |row: Approval| ApprovalJson::of(&row);
    Ok(Json(Listed::of(rows, page.limit, next, shape)))
}

/// Let through exactly this set of changes, for 24 hours.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/approvals/{id}/approve",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path),
    ("id" = String, Path)),
    responses((status = 202, body = DecidedJson), (status = "4XX", body = Problem)))]
pub(super) async fn approve(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, text)): ItemPath,
) -> Result<(StatusCode, Json<DecidedJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    let missing = || ApiError::not_found("question that waits");
    let wanted = ApprovalId::new(id("question that waits", &text)?);
    let found = api.store.approval(ws, &wanted).await?;
    // Choices for conflicts are kept as approvals too; nobody asked about them.
    let asked = found
        .filter(|found| found.kind != Choice::APPROVAL)
        .ok_or_else(missing)?;
    let settled = || {
        let why = format!("{} was answered already", asked.id);
        ApiError::new(Code::Settled, why)
    };
    if asked.state != ApprovalState::Asked {
        return Err(settled());
    }
    let (store, now) = (&api.store, api.clock.now());
    if grant(store, ws, std::slice::from_ref(&asked), now)
        .await?
        .is_some()
    {
        return Err(settled());
    }
    api.service.wake(ws);
    let id = asked.id.to_string();
    api.note(Some(ws), &caller.actor, "approve", &id, &asked.kind)
        .await?;
    let approved = DecidedJson::Approved(vec![id]);
    Ok((StatusCode::ACCEPTED, Json(approved)))
}
