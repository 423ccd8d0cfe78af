//! Dead letters: work that failed for good, looked at, put back in line or left.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Api;
use super::bulk::{self, DecidedManyJson, NewDiscards, NewReplays, Place};
use super::caller::{Caller, ItemPath, WorkspacePath};
use super::dto::{Asked, Body, Listed, Page};
use super::error::{ApiError, Code, Problem};
use super::review::{
    DeadLetterQuery, DecidedJson, NewDiscard, class, id, mapping, one_of, reason, side, word,
};
use crate::model::{DeadLetterId, Role, WorkspaceId};
use crate::review::{DeadLetterJson, discard, replay};
use crate::store::{DeadLetter, DeadLetterFilter, DeadLetterState};

/// List dead letters, the oldest first; open ones unless asked otherwise.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/dead-letters",
    tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path), DeadLetterQuery),
    responses((status = 200, body = Listed<DeadLetterJson>), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Asked(query): Asked<DeadLetterQuery>,
) -> Result<Json<Listed<DeadLetterJson>>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let page = Page::of(query.cursor, query.limit)?;
    let known = "open, closed or discarded";
    let state = one_of(query.state.as_deref(), DeadLetterState::parse, known)?;
    let filter = DeadLetterFilter {
        mapping: mapping(query.mapping)?,
        class: class(query.class.as_deref())?,
        code: word("code", query.code)?,
        side: side(query.side.as_deref())?,
        rule: word("rule", query.rule)?,
        after: page.cursor.map(DeadLetterId::new),
        limit: page.limit,
        ..DeadLetterFilter::default()
    };
    let state = state.unwrap_or(DeadLetterState::Open);
    let rows = api
        .store
        .dead_letters_page(&workspace.id, state, &filter)
        .await?;
    let next = |row: &DeadLetter| row.id.to_string();
    let shape = |row: DeadLetter| DeadLetterJson::of(&row);
    Ok(Json(Listed::of(rows, page.limit, next, shape)))
}

/// Show a dead letter.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/dead-letters/{id}",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path),
    ("id" = String, Path)),
    responses((status = 200, body = DeadLetterJson), (status = "4XX", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, text)): ItemPath,
) -> Result<Json<DeadLetterJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let letter = found(&api, &workspace.id, &text).await?;
    Ok(Json(DeadLetterJson::of(&letter)))
}

/// Put the work of a dead letter back in line. The letter closes when it has succeeded.
#[utoipa::path(post,
    path = "/v1/workspaces/{customer}/{environment}/dead-letters/{id}/replay",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path),
    ("id" = String, Path)),
    responses((status = 202, body = DecidedJson), (status = "4XX", body = Problem)))]
pub(super) async fn replay_one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, text)): ItemPath,
) -> Result<(StatusCode, Json<DecidedJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    let letter = open(&api, ws, &text).await?;
    let id = letter.id.to_string();
    let changes = replay(std::slice::from_ref(&letter), api.clock.now());
    api.service.change(ws, changes).await?;
    api.note(Some(ws), &caller.actor, "replay", &id, "").await?;
    let replayed = DecidedJson::Replayed(vec![id]);
    Ok((StatusCode::ACCEPTED, Json(replayed)))
}

/// Close a dead letter without doing the work.
#[utoipa::path(post,
    path = "/v1/workspaces/{customer}/{environment}/dead-letters/{id}/discard",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path),
    ("id" = String, Path)), request_body = NewDiscard,
    responses((status = 200, body = DecidedJson), (status = "4XX", body = Problem)))]
pub(super) async fn discard_one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, text)): ItemPath,
    Body(new): Body<NewDiscard>,
) -> Result<Json<DecidedJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    let reason = reason(&new.reason)?;
    let letter = open(&api, ws, &text).await?;
    let id = letter.id.to_string();
    let changes = discard(std::slice::from_ref(&letter), &reason);
    api.service.change(ws, changes).await?;
    api.note(Some(ws), &caller.actor, "discard", &id, "")
        .await?;
    Ok(Json(DecidedJson::Discarded(vec![id])))
}

/// Put the work of many dead letters back in line. Each closes when its work has succeeded.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/dead-letters/replay",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = NewReplays,
    responses((status = 202, body = DecidedManyJson), (status = "4XX", body = Problem)))]
pub(super) async fn replay_many(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(new): Body<NewReplays>,
) -> Result<(StatusCode, Json<DecidedManyJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    let (place, filter) = new.which.checked()?;
    let (letters, next) = open_ones(&api, ws, &place, filter).await?;
    let ids = ids_of(&letters);
    if !letters.is_empty() {
        let changes = replay(&letters, api.clock.now());
        api.service.change(ws, changes).await?;
        let (target, detail) = (bulk::target("dead letters", &ids), place.told(&ids));
        api.note(Some(ws), &caller.actor, "replay", &target, &detail)
            .await?;
    }
    let decided = DecidedJson::Replayed(ids);
    let answer = DecidedManyJson { decided, next };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Close many dead letters without doing the work.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/dead-letters/discard",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = NewDiscards,
    responses((status = 200, body = DecidedManyJson), (status = "4XX", body = Problem)))]
pub(super) async fn discard_many(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(new): Body<NewDiscards>,
) -> Result<Json<DecidedManyJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    let (reason, place, filter) = new.checked()?;
    let (letters, next) = open_ones(&api, ws, &place, filter).await?;
    let ids = ids_of(&letters);
    if !letters.is_empty() {
        api.service.change(ws, discard(&letters, &reason)).await?;
        let (target, detail) = (bulk::target("dead letters", &ids), place.told(&ids));
        api.note(Some(ws), &caller.actor, "discard", &target, &detail)
            .await?;
    }
    let decided = DecidedJson::Discarded(ids);
    Ok(Json(DecidedManyJson { decided, next }))
}

/// The open letters of one request, and where the next one goes on.
async fn open_ones(
    api: &Api,
    ws: &WorkspaceId,
    place: &Place,
    filter: DeadLetterFilter,
) -> Result<(Vec<DeadLetter>, Option<String>), ApiError> {
    match place {
        Place::Ids(ids) => {
            let mut letters = Vec::new();
            for id in ids {
                letters.push(open(api, ws, id).await?);
            }
            Ok((letters, None))
        }
        Place::Page { after, .. } => {
            let filter = DeadLetterFilter {
                after: after.as_deref().map(DeadLetterId::new),
                ..filter
            };
            let page = api
                .store
                .dead_letters_page(ws, DeadLetterState::Open, &filter);
            let letters = page.await?;
            let next = bulk::next(&letters, |letter| letter.id.to_string());
            Ok((letters, next))
        }
    }
}

fn ids_of(letters: &[DeadLetter]) -> Vec<String> {
    letters.iter().map(|letter| letter.id.to_string()).collect()
}

async fn found(api: &Api, ws: &WorkspaceId, text: &str) -> Result<DeadLetter, ApiError> {
    let wanted = DeadLetterId::new(id("dead letter", text)?);
    let found = api.store.dead_letter(ws, &wanted).await?;
    found.ok_or_else(|| ApiError::not_found("dead letter"))
}

async fn open(api: &Api, ws: &WorkspaceId, text: &str) -> Result<DeadLetter, ApiError> {
    let letter = found(api, ws, text).await?;
    if letter.state != DeadLetterState::Open {
        let why = format!("{} is {}", letter.id, letter.state.as_str());
        return Err(ApiError::new(Code::Settled, why));
    }
    Ok(letter)
}
