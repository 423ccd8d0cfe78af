//! Links: which record belongs to which, looked at, made and taken apart by hand.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Api;
use super::bulk::{self, DecidedManyJson, NewPair, NewUnpairs, Place};
use super::caller::{Caller, WorkspacePath};
use super::dto::{Asked, Body, Listed, Page};
use super::error::{ApiError, Code, Problem};
use super::review::{DecidedJson, LinkQuery, mapping, one_of, word};
use crate::model::{Link, LinkId, LinkState, Role, WorkspaceId};
use crate::review::{LinkJson, Pairing, pair, unpair};
use crate::store::LinkFilter;

/// List links: which record belongs to which.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/links", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path), LinkQuery),
    responses((status = 200, body = Listed<LinkJson>), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Asked(query): Asked<LinkQuery>,
) -> Result<Json<Listed<LinkJson>>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Viewer).await?;
    let page = Page::of(query.cursor, query.limit)?;
    let known = "creating-hubspot, creating-salesforce, linked, suspended, frozen, tombstoned, \
                 unlinked or detached";
    let filter = LinkFilter {
        mapping: mapping(query.mapping)?,
        state: one_of(query.state.as_deref(), LinkState::parse, known)?,
    };
    let after = page.cursor.map(LinkId::new);
    let rows = api
        .store
        .links_page(&workspace.id, &filter, after.as_ref(), page.limit)
        .await?;
    let next = |row: &Link| row.id.to_string();
    let shape = |row: Link| LinkJson::of(&row);
    Ok(Json(Listed::of(rows, page.limit, next, shape)))
}

/// Link two records. Within seconds the two are compared as at first contact.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/links", tag = "review",
    params(("customer" = String, Path), ("environment" = String, Path)), request_body = NewPair,
    responses((status = 201, body = LinkJson), (status = "4XX", body = Problem)))]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(new): Body<NewPair>,
) -> Result<(StatusCode, Json<LinkJson>), ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    let name = word("mapping", Some(new.mapping))?.unwrap_or_default();
    let wanted = Pairing::read(&name, &new.hubspot_id, &new.salesforce_id)?;
    let (link, changes) = pair(&api.store, ws, &wanted, &api.ids, api.clock.now()).await?;
    api.service.change(ws, changes).await?;
    api.note(Some(ws), &caller.actor, "pair", link.id.as_str(), &name)
        .await?;
    Ok((StatusCode::CREATED, Json(LinkJson::of(&link))))
}

/// Take links apart. Both records of each stay as they are, and are no longer kept in step.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/links/unpair",
    tag = "review", params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = NewUnpairs,
    responses((status = 200, body = DecidedManyJson), (status = "4XX", body = Problem)))]
pub(super) async fn unpair_many(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(new): Body<NewUnpairs>,
) -> Result<Json<DecidedManyJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let workspace = api.enter(&caller, place, Role::Operator).await?;
    let ws = &workspace.id;
    let (place, filter) = new.which.checked()?;
    let mut next = None;
    let mut links = match &place {
        Place::Ids(ids) => named(&api, ws, ids).await?,
        Place::Page { after, .. } => {
            let after = after.as_deref().map(LinkId::new);
            let page = api
                .store
                .links_page(ws, &filter, after.as_ref(), bulk::ROWS);
            let links = page.await?;
            next = bulk::next(&links, |link| link.id.to_string());
            links
        }
    };
    links.retain(|link| link.state.is_open());
    let ids: Vec<String> = links.iter().map(|link| link.id.to_string()).collect();
    if !links.is_empty() {
        let changes = unpair(&api.store, ws, &links).await?;
        api.service.change(ws, changes).await?;
        let (target, detail) = (bulk::target("links", &ids), place.told(&ids));
        api.note(Some(ws), &caller.actor, "unpair", &target, &detail)
            .await?;
    }
    let decided = DecidedJson::Unpaired(ids);
    Ok(Json(DecidedManyJson { decided, next }))
}

/// The links of these ids; all of them are there and open.
async fn named(api: &Api, ws: &WorkspaceId, ids: &[String]) -> Result<Vec<Link>, ApiError> {
    let wanted: Vec<LinkId> = ids.iter().map(LinkId::new).collect();
    let links = api.store.links_by_id(ws, &wanted).await?;
    if links.len() < wanted.len() {
        return Err(ApiError::not_found("link"));
    }
    match links.iter().find(|link| !link.state.is_open()) {
        Some(link) => {
            let why = format!("{} is {}", link.id, link.state.as_str());
            Err(ApiError::new(Code::Settled, why))
        }
        None => Ok(links),
    }
}
