//! Conflicts: edits of both sides that met, looked at and decided.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Api;
use super::bulk::{self, DecidedManyJson, NewTakes, Place};
use super::caller::{Caller, ItemPath, WorkspacePath};
use super::dto::{Asked, Body, Listed, Page};
use super::error::{ApiError, Code, Problem};
use super::review::{
    ConflictQuery, ConflictsJson, DecidedJson, NewChoice, id, mapping, one_of, word,
};
use crate::model::{Choice, ConflictId, LinkId, Role, WorkspaceId};
use crate::review::{ConflictJson, Take};
use crate::store::{ConflictFilter, ConflictRow, ConflictState};

/// List conflicts in the order they were found; those that wait for a person unless asked
/// otherwise.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/conflicts", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path), ConflictQuery),
    responses((status = 200, body = ConflictsJson), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Asked(query): Asked<ConflictQuery>,
) -> Result<Json<ConflictsJson>, ApiError> {
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
    let Listed { items, next } = Listed::of(rows, page.limit, next, shape);
    let counts = api.store.conflict_counts(&workspace.id, &filter).await?;
    let total = counts.get(&state).copied().unwrap_or(0);
    Ok(Json(ConflictsJson { items, next, total }))
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
    let conflict = undecided(&api, ws, &text).await?;
    let choice = Choice::parse(&new.choice);
    let conflicts = std::slice::from_ref(&conflict);
    let taken = decide(&api, ws, conflicts, &choice, false).await?;
    let id = conflict.id.as_str();
    api.note(Some(ws), &caller.actor, "take", id, told(&choice))
        .await?;
    Ok((StatusCode::ACCEPTED, Json(DecidedJson::Taken(taken))))
}

/// Choose the value that both sides shall hold, for many conflicts at once. By ids it is all or
/// nothing; by a filter, what the choice would not change is passed over.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/conflicts/take",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = NewTakes,
    responses((status = 202, body = DecidedManyJson), (status = "4XX", body = Problem)))]
pub(super) async fn take_many(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(new): Body<NewTakes>,
) -> Result<(StatusCode, Json<DecidedManyJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    let (choice, place, filter) = new.checked()?;
    let mut conflicts = Vec::new();
    let mut next = None;
    match &place {
        Place::Ids(ids) => {
            for id in ids {
                conflicts.push(undecided(&api, ws, id).await?);
            }
        }
        Place::Page { after, .. } => {
            let state = filter.state.unwrap_or(ConflictState::Open);
            let after = after.as_deref().map(ConflictId::new);
            let page = api
                .store
                .conflicts_page(ws, state, &filter, after.as_ref(), bulk::ROWS);
            conflicts = page.await?;
            next = bulk::next(&conflicts, |row| row.id.to_string());
        }
    }
    let by_filter = matches!(place, Place::Page { .. });
    let taken = decide(&api, ws, &conflicts, &choice, by_filter).await?;
    if !taken.is_empty() {
        let target = bulk::target("conflicts", &taken);
        let how = [told(&choice).to_owned(), place.told(&taken)];
        let how: Vec<String> = how.into_iter().filter(|part| !part.is_empty()).collect();
        let detail = how.join("; ");
        api.note(Some(ws), &caller.actor, "take", &target, &detail)
            .await?;
    }
    let decided = DecidedJson::Taken(taken);
    let answer = DecidedManyJson { decided, next };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Stores the choice for these conflicts, all in one commit; those it was stored for.
async fn decide(
    api: &Api,
    ws: &WorkspaceId,
    conflicts: &[ConflictRow],
    choice: &Choice,
    by_filter: bool,
) -> Result<Vec<String>, ApiError> {
    if conflicts.is_empty() {
        return Ok(Vec::new());
    }
    let mut links: Vec<LinkId> = conflicts.iter().map(|found| found.link.clone()).collect();
    links.sort();
    links.dedup();
    let links = api.store.links_by_id(ws, &links).await?;
    let waiting = api.store.choices_waiting(ws).await?;
    let take = Take {
        choice,
        links: &links,
        waiting: &waiting,
        now: api.clock.now(),
        ids: &api.ids,
    };
    let (changes, taken) = take.changes(conflicts, by_filter)?;
    if !taken.is_empty() {
        api.service.change(ws, changes).await?;
    }
    Ok(taken.iter().map(ConflictId::to_string).collect())
}

/// The choice for the log, which holds no values.
fn told(choice: &Choice) -> &'static str {
    match choice {
        Choice::Of(side) => side.as_str(),
        Choice::Value(_) => "a value",
    }
}

async fn found(api: &Api, ws: &WorkspaceId, text: &str) -> Result<ConflictRow, ApiError> {
    let wanted = ConflictId::new(id("conflict", text)?);
    let found = api.store.conflict(ws, &wanted).await?;
    found.ok_or_else(|| ApiError::not_found("conflict"))
}

async fn undecided(api: &Api, ws: &WorkspaceId, text: &str) -> Result<ConflictRow, ApiError> {
    let conflict = found(api, ws, text).await?;
    if conflict.state == ConflictState::Closed {
        let why = format!("{} is closed: {}", conflict.id, conflict.reason);
        return Err(ApiError::new(Code::Settled, why));
    }
    Ok(conflict)
}
