//! Conflicts: edits of both sides that met, looked at and decided.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Api;
use super::caller::{Caller, ItemPath, WorkspacePath};
use super::dto::{Asked, Body, Listed, Page};
use super::error::{ApiError, Code, Problem};
use super::review::{ConflictQuery, DecidedJson, NewChoice, id, mapping, one_of, word};
use crate::model::{Choice, ConflictId, Role, WorkspaceId};
use crate::review::{ConflictJson, Take};
use crate::store::{ConflictFilter, ConflictRow, ConflictState};

/// List conflicts in the order they were found; those that wait for a person unless asked
/// otherwise.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/conflicts", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path), ConflictQuery),
    responses((status = 200, body = Listed<ConflictJson>), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Asked(query): Asked<ConflictQuery>,
) -> Result<Json<Listed<ConflictJson>>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let page = Page::of(query.cursor, query.limit)?;
    let known = "open, decided or closed";
    let state = one_of(query.state.as_deref(), ConflictState::parse, known)?;
    let filter = ConflictFilter {
        mapping: mapping(query.mapping)?,
        rule: word("rule", query.rule)?,
        ..ConflictFilter::default()
    };
    let state = state.unwrap_or(ConflictState::Open);
    let after = page.cursor.map(ConflictId::new);
    let rows = api
        .store
        .conflicts_page(&workspace.id, state, &filter, after.as_ref(), page.limit)
        .await?;
    let next = |row: &ConflictRow| row.id.to_string();
    let shape = |row: ConflictRow| ConflictJson::of(&row);
    Ok(Json(Listed::of(rows, page.limit, next, shape)))
}

/// Show a conflict.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/conflicts/{id}",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path),
    ("id" = String, Path)),
    responses((status = 200, body = ConflictJson), (status = "4XX", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, text)): ItemPath,
) -> Result<Json<ConflictJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let found = found(&api, &workspace.id, &text).await?;
    Ok(Json(ConflictJson::of(&found)))
}

/// Choose the value that both sides shall hold. It is written within seconds.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/conflicts/{id}/take",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path),
    ("id" = String, Path)), request_body = NewChoice,
    responses((status = 202, body = DecidedJson), (status = "4XX", body = Problem)))]
pub(super) async fn take(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, text)): ItemPath,
    Body(new): Body<NewChoice>,
) -> Result<(StatusCode, Json<DecidedJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    if new.choice.contains('\0') {
        return Err(ApiError::bad("choice is hubspot, salesforce or a value"));
    }
    let conflict = found(&api, ws, &text).await?;
    if conflict.state == ConflictState::Closed {
        let why = format!("{} is closed: {}", conflict.id, conflict.reason);
        return Err(ApiError::new(Code::Settled, why));
    }
    let choice = Choice::parse(&new.choice);
    let links = api
        .store
        .links_by_id(ws, std::slice::from_ref(&conflict.link))
        .await?;
    let waiting = api.store.choices_waiting(ws).await?;
    let take = Take {
        choice: &choice,
        links: &links,
        waiting: &waiting,
        now: api.clock.now(),
        ids: &api.ids,
    };
    let (changes, _) = take.changes(std::slice::from_ref(&conflict), false)?;
    api.service.change(ws, changes).await?;
    // The access log holds no values.
    let chosen = match &choice {
        Choice::Of(side) => side.as_str(),
        Choice::Value(_) => "a value",
    };
    let id = conflict.id.as_str();
    api.note(Some(ws), &caller.actor, "take", id, chosen)
        .await?;
    let taken = DecidedJson::Taken(vec![id.to_owned()]);
    Ok((StatusCode::ACCEPTED, Json(taken)))
}

async fn found(api: &Api, ws: &WorkspaceId, text: &str) -> Result<ConflictRow, ApiError> {
    let wanted = ConflictId::new(id("conflict", text)?);
    let found = api.store.conflict(ws, &wanted).await?;
    found.ok_or_else(|| ApiError::not_found("conflict"))
}
