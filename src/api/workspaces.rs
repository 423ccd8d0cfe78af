//! Workspaces: made, shown, paused, let write, erased.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Api;
use super::caller::{Caller, WorkspacePath};
use super::dto::{
    AccessJson, Body, ChangedWorkspace, ErasedJson, Listed, MaybeBody, NewWorkspace, Page,
    PageQuery, VAR_CHARS, VARS_MAX, WorkspaceChangedJson, WorkspaceJson, owners,
};
use super::error::{ApiError, Code, Problem};
use super::planning::{NewApply, NewLive};
use super::review::id;
use crate::app::MappingsError;
use crate::mapping::{Loaded, Mapping};
use crate::model::{Role, Side, Workspace, WorkspaceId, WorkspaceMode};
use crate::pipeline::LANE;
use crate::store::{Brought, Pending};

fn shown(api: &Api, workspace: Workspace) -> WorkspaceJson {
    let ws = &workspace.id;
    let (standing, refused) = (api.service.standing(ws), api.service.refused(ws));
    WorkspaceJson::of(workspace, standing, refused)
}

fn checked(vars: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, ApiError> {
    let good = |(name, value): (&String, &String)| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(plain)
            && value.chars().count() <= VAR_CHARS
    };
    if vars.len() > VARS_MAX || !vars.iter().all(good) {
        return Err(ApiError::bad(
            "vars takes up to 200 names of 1 to 64 letters, digits and `_`, with values of up to \
             4,096 characters",
        ));
    }
    Ok(vars)
}

/// List workspaces.
///
/// With a workspace's key only its own is listed.
#[utoipa::path(get, path = "/v1/workspaces", tag = "workspaces", params(PageQuery),
    responses((status = 200, body = Listed<WorkspaceJson>), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    page: Page,
) -> Result<Json<Listed<WorkspaceJson>>, ApiError> {
    caller.needs(Role::Viewer)?;
    let rows = match &caller.workspace {
        Some(own) => api.store.workspace(own).await?.into_iter().collect(),
        None => {
            let after = page.cursor.unwrap_or_default();
            api.store.workspaces(&after, page.limit).await?
        }
    };
    let id = |one: &Workspace| one.id.as_str().to_owned();
    let mut listed = Listed::of(rows, page.limit, id, |one| shown(&api, one));
    listed.next = listed.next.filter(|_| caller.workspace.is_none());
    Ok(Json(listed))
}

/// Make a workspace. It observes until it is let write.
#[utoipa::path(post, path = "/v1/workspaces", tag = "workspaces", request_body = NewWorkspace,
    responses((status = 201, body = WorkspaceJson), (status = "4XX", body = Problem)))]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Body(new): Body<NewWorkspace>,
) -> Result<(StatusCode, Json<WorkspaceJson>), ApiError> {
    caller.manages(Role::Admin)?;
    let shape = || ApiError::bad(format!("id is {}", WorkspaceId::SHAPE));
    let ws = WorkspaceId::parse(&new.id).ok_or_else(shape)?;
    let (vars, owners) = (checked(new.vars)?, owners::table(new.owners)?);
    if !api.store.make_workspace(&ws, &vars, &owners).await? {
        let why = format!("there is a workspace {ws} already");
        return Err(ApiError::new(Code::Exists, why));
    }
    api.note(Some(&ws), &caller.actor, "create", ws.as_str(), "")
        .await?;
    let missing = || ApiError::not_found("workspace");
    let made = api.store.workspace(&ws).await?.ok_or_else(missing)?;
    api.service.wake(&ws);
    Ok((StatusCode::CREATED, Json(shown(&api, made))))
}

/// Show a workspace.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}", tag = "workspaces",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = WorkspaceJson), (status = "4XX", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<WorkspaceJson>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Viewer)
        .await?;
    Ok(Json(shown(&api, workspace)))
}

/// Change a workspace's variables or owners.
///
/// Its mappings are loaded with them and held against both CRMs first; with any fault nothing is
/// changed. The engine takes it over within seconds.
#[utoipa::path(patch, path = "/v1/workspaces/{customer}/{environment}", tag = "workspaces",
    params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = ChangedWorkspace,
    responses((status = 200, body = WorkspaceChangedJson), (status = "4XX", body = Problem)))]
pub(super) async fn change(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(changed): Body<ChangedWorkspace>,
) -> Result<Json<WorkspaceChangedJson>, ApiError> {
    let mut workspace = api
        .enter(&caller, (&customer, &environment), Role::Admin)
        .await?;
    let before = match api.service.mappings(&workspace).await {
        Err(error @ MappingsError::Store(_)) => return Err(error.into()),
        loaded => loaded.ok(),
    };
    let vars = changed.vars.map(checked).transpose()?;
    let owners = changed.owners.map(owners::table).transpose()?;
    let mut notes = Vec::new();
    if let Some(vars) = &vars {
        let was = std::mem::replace(&mut workspace.vars, vars.clone());
        let names: Vec<&str> = was.keys().chain(vars.keys()).map(String::as_str).collect();
        notes.push(("change variables", names.join(" ")));
    }
    if let Some(owners) = &owners {
        let was = std::mem::replace(&mut workspace.owners, owners.clone());
        let (before, now) = (was.pairs().len(), owners.pairs().len());
        notes.push(("change owners", format!("pairs: {now}, before: {before}")));
    }
    // Faults of the mappings with these are told now, not when the engine starts.
    let loaded = tried(&api, &workspace).await?;
    let ws = &workspace.id;
    let brought = brought(before, &loaded, &caller.actor);
    api.store
        .change_workspace(ws, vars.as_ref(), owners.as_ref(), &brought)
        .await?;
    for (action, detail) in &notes {
        api.note(Some(ws), &caller.actor, action, ws.as_str(), detail)
            .await?;
    }
    api.service.reopen(ws);
    Ok(Json(WorkspaceChangedJson {
        workspace: shown(&api, workspace),
        warnings: loaded.warnings,
    }))
}

/// A workspace's mappings as a change leaves them, and what is to be told of them.
struct Tried {
    mappings: Vec<Mapping>,
    warnings: Vec<String>,
}

/// What a change would make of the workspace's mappings. A CRM that does not answer stops nobody:
/// the engine holds them against it all the same.
async fn tried(api: &Api, workspace: &Workspace) -> Result<Tried, ApiError> {
    let set = api.service.set_in(workspace).await?;
    let (loaded, untried) = match api.service.try_out(workspace, &set).await {
        Ok(loaded) => (loaded, None),
        Err(error @ (MappingsError::Keeper(_) | MappingsError::Setup(_))) => {
            let why = format!("not held against both CRMs yet: {error}");
            let loaded = api.service.load(workspace, &set);
            (loaded.map_err(MappingsError::from)?, Some(why))
        }
        Err(error) => return Err(error.into()),
    };
    let warnings = loaded.warnings.iter().map(ToString::to_string);
    Ok(Tried {
        warnings: warnings.chain(untried).collect(),
        mappings: loaded.mappings,
    })
}

/// The revisions there are now; those that were not there before are the caller's.
fn brought(before: Option<Loaded>, now: &Tried, actor: &str) -> Brought {
    let before = before.map(|loaded| loaded.mappings).unwrap_or_default();
    let was = |one: &Mapping| before.iter().any(|old| old.revision == one.revision);
    let pending = |one: &Mapping| Pending {
        revision: one.revision.clone(),
        author: (!was(one)).then(|| actor.to_owned()),
    };
    let now = now.mappings.iter();
    now.map(|one| (one.name.clone(), pending(one))).collect()
}

/// Delete a workspace: its grants are revoked, its rows erased.
#[utoipa::path(delete, path = "/v1/workspaces/{customer}/{environment}", tag = "workspaces",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = ErasedJson), (status = "4XX", body = Problem)))]
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<ErasedJson>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Admin)
        .await?;
    caller.manages(Role::Admin)?;
    let ws = &workspace.id;
    // Paused first, so that no process opens it again while it goes; what is under way may end.
    api.store.set_paused(ws, true).await?;
    if !api.service.at_rest(ws).await {
        return Err(ApiError::new(
            Code::Busy,
            "an attempt is under way; it is paused now, try again",
        ));
    }
    api.service.forget(ws);
    for side in Side::BOTH {
        api.keeper
            .disconnect(ws, side, "the workspace was deleted")
            .await?;
    }
    let erased = api.store.erase_workspace(ws).await?;
    api.vault.forget(ws);
    api.keeper.traffic.forget(ws);
    let rows: u64 = erased.values().sum();
    let detail = format!("{rows} rows");
    api.note(Some(ws), &caller.actor, "delete", ws.as_str(), &detail)
        .await?;
    Ok(Json(ErasedJson { erased }))
}

/// Pause a workspace: nothing is read or written until it is resumed.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/pause", tag = "workspaces",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = WorkspaceJson), (status = "4XX", body = Problem)))]
pub(super) async fn pause(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<WorkspaceJson>, ApiError> {
    set_paused(&api, &caller, (&customer, &environment), true).await
}

/// Resume a paused workspace.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/resume", tag = "workspaces",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = WorkspaceJson), (status = "4XX", body = Problem)))]
pub(super) async fn resume(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<WorkspaceJson>, ApiError> {
    set_paused(&api, &caller, (&customer, &environment), false).await
}

async fn set_paused(
    api: &Api,
    caller: &Caller,
    path: (&str, &str),
    paused: bool,
) -> Result<Json<WorkspaceJson>, ApiError> {
    let mut workspace = api.enter(caller, path, Role::Operator).await?;
    api.store.set_paused(&workspace.id, paused).await?;
    workspace.paused = paused;
    let action = if paused { "pause" } else { "resume" };
    let ws = &workspace.id;
    api.note(Some(ws), &caller.actor, action, ws.as_str(), "")
        .await?;
    api.service.reopen(ws);
    Ok(Json(shown(api, workspace)))
}

/// Let a workspace write: at once, or once a plan is carried out. With `canary` only so many of the
/// plan's records are written, and it keeps observing until it is let write again.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/live", tag = "workspaces",
    params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = Option<NewLive>,
    responses((status = 200, body = WorkspaceJson), (status = "4XX", body = Problem)))]
pub(super) async fn live(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    MaybeBody(new): MaybeBody<NewLive>,
) -> Result<Json<WorkspaceJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let Some(plan) = new.plan else {
        if new.canary.is_some() {
            return Err(ApiError::bad("canary is a part of a plan; name the plan"));
        }
        return set_mode(&api, &caller, place, WorkspaceMode::Live).await;
    };
    let workspace = api.enter(&caller, place, Role::Admin).await?;
    let canary = NewApply { canary: new.canary }.checked()?;
    let ws = &workspace.id;
    let plan = api.plan(ws, id("plan", &plan)?).await?.id;
    api.workable(&workspace).await?;
    let live = canary.is_none();
    api.service.apply(&workspace, &plan, canary, live).await?;
    let (action, detail) = match canary {
        Some(count) => ("apply", format!("canary {count}")),
        None => ("live", "once it is carried out".to_owned()),
    };
    api.note(Some(ws), &caller.actor, action, &plan, &detail)
        .await?;
    Ok(Json(shown(&api, workspace)))
}

/// Let a workspace only observe: it matches and plans, and every write is refused.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/observe", tag = "workspaces",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = WorkspaceJson), (status = "4XX", body = Problem)))]
pub(super) async fn observe(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<WorkspaceJson>, ApiError> {
    set_mode(
        &api,
        &caller,
        (&customer, &environment),
        WorkspaceMode::Observing,
    )
    .await
}

async fn set_mode(
    api: &Api,
    caller: &Caller,
    path: (&str, &str),
    mode: WorkspaceMode,
) -> Result<Json<WorkspaceJson>, ApiError> {
    let mut workspace = api.enter(caller, path, Role::Admin).await?;
    api.store.set_mode(&workspace.id, mode).await?;
    workspace.mode = mode;
    let ws = &workspace.id;
    api.note(Some(ws), &caller.actor, mode.as_str(), ws.as_str(), "")
        .await?;
    api.service.reopen(ws);
    Ok(Json(shown(api, workspace)))
}

/// Look for changes now, on both sides.
#[utoipa::path(post, path = "/v1/workspaces/{customer}/{environment}/sync", tag = "workspaces",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 202), (status = "4XX", body = Problem)))]
pub(super) async fn sync_now(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<StatusCode, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Operator)
        .await?;
    let ws = &workspace.id;
    api.store.hasten(ws, LANE, "poll").await?;
    api.note(Some(ws), &caller.actor, "sync now", ws.as_str(), "")
        .await?;
    api.service.wake(ws);
    Ok(StatusCode::ACCEPTED)
}

/// Who changed what, the newest first.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/log", tag = "workspaces",
    params(("customer" = String, Path), ("environment" = String, Path), PageQuery),
    responses((status = 200, body = Listed<AccessJson>), (status = "4XX", body = Problem)))]
pub(super) async fn access_log(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    page: Page,
) -> Result<Json<Listed<AccessJson>>, ApiError> {
    let workspace = api
        .enter(&caller, (&customer, &environment), Role::Admin)
        .await?;
    let before = page.cursor.as_deref();
    let rows = api
        .store
        .access_log(Some(&workspace.id), before, page.limit)
        .await?;
    let id = |entry: &crate::store::AccessEntry| entry.id.clone();
    Ok(Json(Listed::of(rows, page.limit, id, AccessJson::from)))
}
