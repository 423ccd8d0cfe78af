//! Reads for people who look into a workspace: held values, runs, how it stands, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::Api;
use super::caller::{Caller, ItemPath, WorkspacePath};
use super::dto::{Asked, Listed, Page, PageQuery, time};
use super::error::{ApiError, Problem};
use super::review::{
    CallsJson, ExplainQuery, ExplainedJson, HoldQuery, QueueJson, StatusJson, id, mapping, word,
};
use crate::crm::kept_gates;
use crate::explain::{self, Question};
use crate::model::{Hold, Link, LinkId, Role, RunId, Side, Timestamp, WorkspaceId};
use crate::pipeline::{LANE, gates_of};
use crate::review::{HoldJson, RunJson, explained};
use crate::store::{ConflictFilter, ConflictState, DeadLetterState, HoldPlace, RunRow};

/// List values that are held back, each with its reason.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/holds", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path), HoldQuery),
    responses((status = 200, body = Listed<HoldJson>), (status = "4XX", body = Problem)))]
pub(super) async fn holds(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Asked(query): Asked<HoldQuery>,
) -> Result<Json<Listed<HoldJson>>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let page = Page::of(query.cursor, query.limit)?;
    let asked = mapping(query.mapping)?;
    let after = page.cursor.as_deref().map(hold_place).transpose()?;
    let rows = api
        .store
        .holds_page(&workspace.id, None, after.as_ref(), page.limit)
        .await?;
    let mut ids: Vec<LinkId> = rows.iter().map(|hold| hold.link.clone()).collect();
    ids.dedup();
    let links = api.store.links_by_id(&workspace.id, &ids).await?;
    let links: BTreeMap<LinkId, Link> = links
        .into_iter()
        .map(|link| (link.id.clone(), link))
        .collect();
    let next = |hold: &Hold| format!("{}{BETWEEN}{}", hold.link, hold.rule);
    let shape = |hold: Hold| {
        let link = links.get(&hold.link)?;
        let is_asked = asked.as_ref().is_none_or(|name| link.mapping == *name);
        is_asked.then(|| HoldJson::of(link, &hold))
    };
    let listed = Listed::of(rows, page.limit, next, shape);
    Ok(Json(Listed {
        items: listed.items.into_iter().flatten().collect(),
        next: listed.next,
    }))
}

/// Stands in the cursor of held values between the link and the rule; no link's id has one.
const BETWEEN: char = ':';

fn hold_place(cursor: &str) -> Result<HoldPlace, ApiError> {
    let parts = cursor.split_once(BETWEEN);
    let (link, rule) = parts.ok_or_else(|| ApiError::bad("cursor is no cursor of this list"))?;
    Ok(HoldPlace {
        link: LinkId::new(link),
        rule: rule.to_owned(),
    })
}

/// List runs, the newest first.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/runs", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path), PageQuery),
    responses((status = 200, body = Listed<RunJson>), (status = "4XX", body = Problem)))]
pub(super) async fn runs(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    page: Page,
) -> Result<Json<Listed<RunJson>>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let before = page.cursor.map(RunId::new);
    let rows = api
        .store
        .runs_page(&workspace.id, before.as_ref(), page.limit)
        .await?;
    let next = |row: &RunRow| row.id.to_string();
    let shape = |row: RunRow| RunJson::of(&row);
    Ok(Json(Listed::of(rows, page.limit, next, shape)))
}

/// Show a run: how it ended, and what it did.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/runs/{id}", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = RunJson), (status = "4XX", body = Problem)))]
pub(super) async fn run(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, text)): ItemPath,
) -> Result<Json<RunJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let wanted = RunId::new(id("run", &text)?);
    let found = api.store.run(&workspace.id, &wanted).await?;
    let found = found.ok_or_else(|| ApiError::not_found("run"))?;
    Ok(Json(RunJson::of(&found)))
}

/// Tell how a workspace stands: counts, backlog, API calls.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/status", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = StatusJson), (status = "4XX", body = Problem)))]
pub(super) async fn status(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<StatusJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let (ws, now) = (&workspace.id, api.clock.now());
    let links = api.store.count_links(ws, None).await?;
    let holds = api.store.count_holds(ws).await?;
    let all = ConflictFilter::default();
    let conflicts = api.store.conflict_counts(ws, &all).await?;
    let letters = api.store.dead_letter_counts(ws).await?;
    let queue = api.store.queue_counts(ws, LANE).await?;
    let due = api.store.next_due(ws, LANE).await?;
    let announced = api.store.inbox_since(ws).await?;
    let due = due.into_iter().chain(announced).min();
    let queue = queue.into_iter().map(|(kind, of)| {
        let of = QueueJson {
            ready: of.ready,
            waiting: of.waiting,
            blocked: of.blocked,
            dead: of.dead,
        };
        (kind, of)
    });
    let word = |text: &str| text.to_owned();
    Ok(Json(StatusJson {
        links: links
            .iter()
            .map(|(state, n)| (word(state.as_str()), *n))
            .collect(),
        queue: queue.collect(),
        holds: holds
            .iter()
            .map(|(reason, n)| (word(reason.as_str()), *n))
            .collect(),
        dead_letters_open: letters.get(&DeadLetterState::Open).copied().unwrap_or(0),
        conflicts_open: conflicts.get(&ConflictState::Open).copied().unwrap_or(0),
        backlog_millis: overdue_millis(due, now),
        calls: calls(&api, ws, now).await?,
    }))
}

/// For how long something has been due; nothing where it is due later or never.
pub fn overdue_millis(due: Option<Timestamp>, now: Timestamp) -> u64 {
    due.map_or(0, |at| now.millis_since(at).max(0).unsigned_abs())
}

/// What the lane's state tells of both connections.
async fn calls(
    api: &Api,
    ws: &WorkspaceId,
    now: Timestamp,
) -> Result<BTreeMap<String, CallsJson>, ApiError> {
    let state = api.store.lane_state(ws, LANE).await?.unwrap_or_default();
    let gates = kept_gates(&gates_of(&state));
    let of = |side: Side| {
        let gate = gates.get(side);
        let read_at = gate.daily_read_ms.map(Timestamp::from_millis);
        let calls = CallsJson {
            made: gate.made_in_a_day(now),
            daily_limit: gate.daily_limit,
            daily_used: gate.daily_used,
            read_at: read_at.map(time),
        };
        (side.as_str().to_owned(), calls)
    };
    Ok(Side::BOTH.map(of).into_iter().collect())
}

/// Explain a record: why it and its values are as they are, and why something was not synced.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/explain", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path), ExplainQuery),
    responses((status = 200, body = ExplainedJson), (status = "4XX", body = Problem)))]
pub(super) async fn explain(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Asked(query): Asked<ExplainQuery>,
) -> Result<Json<ExplainedJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let object = word("object", Some(query.object))?.unwrap_or_default();
    let field = word("field", query.field)?;
    let now = api.clock.now();
    let (field, at) = (field.as_deref(), query.at.as_deref());
    let question = Question::read(&object, &query.id, field, at, now)?;
    let found = explain::explain(&api.store, &workspace.id, &question, now).await?;
    Ok(Json(ExplainedJson(explained(&question, &found))))
}
