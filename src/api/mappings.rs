//! Mappings of a workspace: which are at work, set and taken back, rolled back, promoted, paused.
//!
//! What is set here stands in the place of the files' mapping of its name, until it is taken back.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Api;
use super::caller::{Caller, ItemPath, WorkspacePath};
use super::dto::mappings::{
    ActivationJson, MappingJson, MappingTextJson, MappingsJson, NewText, PauseAsked, Promotion,
    Rollback, ScanAsked, SetJson, TextQuery,
};
use super::dto::{Asked, Body, Listed, Page, PageQuery};
use super::error::{ApiError, Code, Problem};
use crate::app::Origin;
use crate::mapping::SourceFile;
use crate::model::{BySide, MappingName, Pauses, Revision, Role, Side, Timestamp, Workspace};
use crate::store::{Activation, SetMapping};

/// How often a change of pauses is tried again that somebody else's came before.
const TRIES: usize = 5;

/// List mappings.
///
/// Those that count, where each comes from, and which revision of it is at work. They differ where
/// files have faults or do not fit the CRMs (`refused` says why), and until a change is taken over.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/mappings", tag = "mappings",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = MappingsJson), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<MappingsJson>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Viewer)
        .await?;
    Ok(Json(listed(&api, &workspace).await?))
}

async fn listed(api: &Api, workspace: &Workspace) -> Result<MappingsJson, ApiError> {
    let ws = &workspace.id;
    let set = api.service.set_in(workspace).await?;
    let active = api.store.active_revisions(ws).await?;
    let loaded = api.service.load(workspace, &set);
    let mappings = loaded.map(|loaded| loaded.mappings).unwrap_or_default();
    let by_name = |name: &str| mappings.iter().find(|one| one.name.as_str() == name);
    let mut items = Vec::new();
    for (origin, file) in api.service.texts(ws, &set) {
        let Some(name) = file.mapping_name().map(MappingName::new) else {
            continue;
        };
        let author = set.iter().find(|one| one.name == name);
        items.push(MappingJson::of(
            &name,
            (origin, author.map(|one| one.author.as_str())),
            by_name(name.as_str()),
            active.get(&name),
            workspace.pauses.get(&name),
        ));
    }
    items.sort_by(|one, other| one.name.cmp(&other.name));
    let refused = api.service.refused(ws);
    Ok(MappingsJson::of(items, refused))
}

/// Show the text of a mapping that counts.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/mappings/{name}",
    tag = "mappings",
    params(("customer" = String, Path), ("environment" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = MappingTextJson), (status = "4XX", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, name)): ItemPath,
) -> Result<Json<MappingTextJson>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Viewer)
        .await?;
    let set = api.service.set_in(&workspace).await?;
    let texts = api.service.texts(&workspace.id, &set);
    let named = |file: &SourceFile| file.mapping_name() == Some(name.as_str());
    let (origin, file) = texts
        .into_iter()
        .find(|(_, file)| named(file))
        .ok_or_else(missing)?;
    Ok(Json(MappingTextJson {
        name,
        origin: origin.as_str(),
        text: file.text,
        diff: None,
    }))
}

/// Set a mapping for this workspace.
///
/// It is loaded together with the workspace's other mappings and held against both CRMs first; with
/// any fault nothing is changed. The engine takes it over within seconds.
#[utoipa::path(put, path = "/v1/workspaces/{customer}/{environment}/mappings/{name}",
    tag = "mappings", request_body = NewText,
    params(("customer" = String, Path), ("environment" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = SetJson), (status = "4XX", body = Problem)))]
pub(super) async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, name)): ItemPath,
    Body(new): Body<NewText>,
) -> Result<Json<SetJson>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Admin)
        .await?;
    let texts = BTreeMap::from([(named(&name, &new.text)?, new.text)]);
    let action = "set mapping";
    change(&api, &caller, &workspace, (action, &name), (texts, vec![])).await
}

/// Take back a mapping that was set: the files' one of its name counts again, if there is one.
#[utoipa::path(delete, path = "/v1/workspaces/{customer}/{environment}/mappings/{name}",
    tag = "mappings",
    params(("customer" = String, Path), ("environment" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = SetJson), (status = "4XX", body = Problem)))]
pub(super) async fn take_back(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, name)): ItemPath,
) -> Result<Json<SetJson>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Admin)
        .await?;
    let set = api.service.set_in(&workspace).await?;
    let gone = set.iter().find(|one| one.name.as_str() == name);
    let gone = gone.ok_or_else(missing)?.name.clone();
    let what = (BTreeMap::new(), vec![gone]);
    change(
        &api,
        &caller,
        &workspace,
        ("take back mapping", &name),
        what,
    )
    .await
}

/// Roll back, or forward, to a revision that was at work in this workspace before.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/mappings/{name}/activate",
    tag = "mappings", request_body = Rollback,
    params(("customer" = String, Path), ("environment" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = SetJson), (status = "4XX", body = Problem)))]
pub(super) async fn activate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, name)): ItemPath,
    Body(asked): Body<Rollback>,
) -> Result<Json<SetJson>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Admin)
        .await?;
    let text = text_of(&api, &workspace, &name, &asked.revision).await?;
    let texts = BTreeMap::from([(named(&name, &text)?, text)]);
    let action = ("activate revision", asked.revision.as_str());
    change(&api, &caller, &workspace, action, (texts, vec![])).await
}

/// Set the mappings that another workspace has of its own.
///
/// Those of its folder and those that were set for it; what was set here and is not set there is
/// taken back. The key has to open both workspaces.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/promote", tag = "mappings",
    request_body = Promotion,
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = SetJson), (status = "4XX", body = Problem)))]
pub(super) async fn promote(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(asked): Body<Promotion>,
) -> Result<Json<SetJson>, ApiError> {
    let to = api
        .enter(&caller, (&customer, &environment), Role::Admin)
        .await?;
    let parts = asked.from.split_once('/');
    let (customer, environment) = parts.ok_or_else(|| ApiError::not_found("workspace"))?;
    let from = api
        .enter(&caller, (customer, environment), Role::Viewer)
        .await?;
    let theirs = api.service.set_in(&from).await?;
    let mut texts = BTreeMap::new();
    for (origin, file) in api.service.texts(&from.id, &theirs) {
        if let (Origin::Folder | Origin::Set, Some(name)) = (origin, file.mapping_name()) {
            texts.insert(MappingName::new(name), file.text.clone());
        }
    }
    let ours = api.service.set_in(&to).await?.into_iter();
    let back = ours
        .map(|one| one.name)
        .filter(|name| !texts.contains_key(name));
    let back = back.collect();
    let what = (texts, back);
    change(&api, &caller, &to, ("promote", from.id.as_str()), what).await
}

/// Tries the change out, stores it, and has the engine take it over.
async fn change(
    api: &Api,
    caller: &Caller,
    workspace: &Workspace,
    (action, target): (&str, &str),
    (texts, back): (BTreeMap<MappingName, String>, Vec<MappingName>),
) -> Result<Json<SetJson>, ApiError> {
    let ws = &workspace.id;
    let mut set = api.service.set_in(workspace).await?;
    set.retain(|one| !back.contains(&one.name) && !texts.contains_key(&one.name));
    set.extend(texts.iter().map(|(name, text)| SetMapping {
        name: name.clone(),
        text: text.clone(),
        author: caller.actor.clone(),
        made_at: api.clock.now(),
    }));
    let loaded = api.service.try_out(workspace, &set).await?;
    api.store
        .change_set_mappings(ws, &texts, &back, &caller.actor)
        .await?;
    let names: Vec<&str> = texts.keys().chain(&back).map(MappingName::as_str).collect();
    api.note(Some(ws), &caller.actor, action, target, &names.join(" "))
        .await?;
    api.service.wake(ws);
    let missing = || ApiError::not_found("workspace");
    let changed = api.store.workspace(ws).await?.ok_or_else(missing)?;
    let warnings = loaded.warnings.iter().map(ToString::to_string);
    let warnings = warnings
        .chain(api.unasked(workspace, &loaded.mappings))
        .collect();
    Ok(Json(SetJson {
        warnings,
        mappings: listed(api, &changed).await?,
    }))
}

/// What was at work of a mapping and when, the newest first.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/mappings/{name}/revisions",
    tag = "mappings",
    params(("customer" = String, Path), ("environment" = String, Path), ("name" = String, Path),
        PageQuery),
    responses((status = 200, body = Listed<ActivationJson>), (status = "4XX", body = Problem)))]
pub(super) async fn revisions(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, name)): ItemPath,
    page: Page,
) -> Result<Json<Listed<ActivationJson>>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Viewer)
        .await?;
    let no_cursor = || ApiError::bad("cursor is no cursor of this list");
    let before = page.cursor.as_deref().map(str::parse::<i64>).transpose();
    let before = before.map_err(|_| no_cursor())?.map(Timestamp::from_micros);
    let name = MappingName::new(name);
    let rows = api
        .store
        .activations(&workspace.id, &name, before, page.limit)
        .await?;
    let id = |row: &Activation| row.at.micros().to_string();
    Ok(Json(Listed::of(rows, page.limit, id, ActivationJson::from)))
}

/// Show a revision, and how it differs from another one.
#[utoipa::path(get,
    path = "/v1/workspaces/{customer}/{environment}/mappings/{name}/revisions/{revision}",
    tag = "mappings",
    params(("customer" = String, Path), ("environment" = String, Path), ("name" = String, Path),
        ("revision" = String, Path), TextQuery),
    responses((status = 200, body = MappingTextJson), (status = "4XX", body = Problem)))]
pub(super) async fn revision(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, name, revision)): Path<(String, String, String, String)>,
    Asked(query): Asked<TextQuery>,
) -> Result<Json<MappingTextJson>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Viewer)
        .await?;
    let text = text_of(&api, &workspace, &name, &revision).await?;
    let diff = match query.against {
        Some(other) => {
            let before = text_of(&api, &workspace, &name, &other).await?;
            let diff = similar::TextDiff::from_lines(&before, &text);
            let diff = diff.unified_diff().header(&other, &revision).to_string();
            Some(diff)
        }
        None => None,
    };
    Ok(Json(MappingTextJson {
        name,
        origin: "revision",
        text,
        diff,
    }))
}

async fn text_of(
    api: &Api,
    workspace: &Workspace,
    name: &str,
    revision: &str,
) -> Result<String, ApiError> {
    let missing = || ApiError::not_found("revision");
    let revision = Revision::new(revision);
    let text = api.store.revision_text(&workspace.id, &revision).await?;
    let text = text.ok_or_else(missing)?;
    match named(name, &text) {
        Ok(_) => Ok(text),
        Err(_) => Err(missing()),
    }
}

/// The name, if the text is a mapping of that name.
fn named(name: &str, text: &str) -> Result<MappingName, ApiError> {
    let file = SourceFile {
        path: name.to_owned(),
        text: text.to_owned(),
    };
    match file.mapping_name() {
        Some(found) if found == name => Ok(MappingName::new(name)),
        Some(_) | None => Err(ApiError::new(
            Code::MappingFaults,
            format!("the text has to say `mapping: {name}` in a line of its own"),
        )),
    }
}

fn missing() -> ApiError {
    ApiError::not_found("mapping")
}

/// Pause a mapping, or one direction of it.
///
/// Changes are still seen and kept in mind, and nothing is written to the paused side.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/mappings/{name}/pause",
    tag = "mappings", request_body = PauseAsked,
    params(("customer" = String, Path), ("environment" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = MappingsJson), (status = "4XX", body = Problem)))]
pub(super) async fn pause(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, name)): ItemPath,
    Body(asked): Body<PauseAsked>,
) -> Result<Json<MappingsJson>, ApiError> {
    set_pause(
        &api,
        &caller,
        (&customer, &environment),
        &name,
        &asked,
        true,
    )
    .await
}

/// Resume a mapping, or one direction of it: what waited is planned afresh.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/mappings/{name}/resume",
    tag = "mappings", request_body = PauseAsked,
    params(("customer" = String, Path), ("environment" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = MappingsJson), (status = "4XX", body = Problem)))]
pub(super) async fn resume(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment, name)): ItemPath,
    Body(asked): Body<PauseAsked>,
) -> Result<Json<MappingsJson>, ApiError> {
    set_pause(
        &api,
        &caller,
        (&customer, &environment),
        &name,
        &asked,
        false,
    )
    .await
}

async fn set_pause(
    api: &Api,
    caller: &Caller,
    path: (&str, &str),
    name: &str,
    asked: &PauseAsked,
    paused: bool,
) -> Result<Json<MappingsJson>, ApiError> {
    let sides = sides_of(asked)?;
    let action = if paused {
        "pause mapping"
    } else {
        "resume mapping"
    };
    for _ in 0..TRIES {
        let mut workspace = api.enter(caller, path, Role::Operator).await?;
        let seen = workspace.pauses.clone();
        if !seen.contains_key(&MappingName::new(name)) {
            // Whoever misspells a name should not believe that something is paused.
            let set = api.service.set_in(&workspace).await?;
            let texts = api.service.texts(&workspace.id, &set);
            let known = texts.iter().filter_map(|(_, file)| file.mapping_name());
            known
                .into_iter()
                .find(|known| *known == name)
                .ok_or_else(missing)?;
        }
        with(&mut workspace.pauses, name, &sides, paused);
        let ws = &workspace.id;
        if workspace.pauses == seen {
            return Ok(Json(listed(api, &workspace).await?));
        }
        if api
            .store
            .change_pauses(ws, &seen, &workspace.pauses)
            .await?
        {
            let to: Vec<&str> = sides.iter().map(|side| side.as_str()).collect();
            api.note(Some(ws), &caller.actor, action, name, &to.join(" "))
                .await?;
            api.service.wake(ws);
            return Ok(Json(listed(api, &workspace).await?));
        }
    }
    let why = "somebody else changes what is paused; nothing was changed, try again";
    Err(ApiError::new(Code::Busy, why))
}

fn sides_of(asked: &PauseAsked) -> Result<Vec<Side>, ApiError> {
    match &asked.to {
        None => Ok(Side::BOTH.to_vec()),
        Some(text) => {
            let side = Side::parse(text);
            let side = side.ok_or_else(|| ApiError::bad("to is hubspot or salesforce"))?;
            Ok(vec![side])
        }
    }
}

fn with(pauses: &mut Pauses, name: &str, sides: &[Side], paused: bool) {
    let name = MappingName::new(name);
    let entry: &mut BySide<bool> = pauses.entry(name).or_default();
    for side in sides {
        *entry.get_mut(*side) = paused;
    }
    pauses.retain(|_, sides| sides.hubspot || sides.salesforce);
}

/// Compare every record with what is known of it, now.
///
/// Of one mapping's objects, or of all. Finds what neither polls nor webhooks told of.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/scan", tag = "workspaces",
    params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = ScanAsked,
    responses((status = 202), (status = "4XX", body = Problem)))]
pub(super) async fn scan(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(asked): Body<ScanAsked>,
) -> Result<StatusCode, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Operator)
        .await?;
    let ws = &workspace.id;
    let name = asked.mapping.map(MappingName::new);
    if !api.service.scan(&workspace, name.as_ref()).await? {
        return Err(missing());
    }
    let target = name.as_ref().map_or(ws.as_str(), MappingName::as_str);
    api.note(Some(ws), &caller.actor, "scan now", target, "")
        .await?;
    Ok(StatusCode::ACCEPTED)
}
