//! Which scopes of HubSpot a workspace's account is asked for, which it cannot do without, and what
//! the one app has to be that serves all workspaces: by the mappings. Asks no CRM.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{PAGE, Service};
use crate::app::MappingsError;
use crate::mapping::{self, Mapping};
use crate::model::{Workspace, WorkspaceId};
use crate::prepare::{AppJson, AppNeeds, AppScopes, needed};
use crate::store::StoreError;

impl Service {
    /// What a consent names. `said` are the scopes of the app in the settings. `None` where the
    /// shared mappings have faults, so that nobody knows.
    pub async fn scopes_to_ask(
        &self,
        ws: &WorkspaceId,
        said: AppScopes,
    ) -> Result<Option<AppScopes>, StoreError> {
        let Some(workspace) = self.store.workspace(ws).await? else {
            return Ok(None);
        };
        let own = self.counting(ws).await?;
        let app = self.app_for(&workspace, said);
        Ok(app.map(|app| app.asked_for(&own)))
    }

    /// The scopes without which the workspace's mappings do not run.
    pub async fn needed_scopes(&self, ws: &WorkspaceId) -> Result<Vec<String>, StoreError> {
        Ok(needed(&self.counting(ws).await?))
    }

    /// The app as a link of this workspace takes it: as the settings say or, where they do not say
    /// what it requires, as one that was made of the mapping files. What was set over the API
    /// counts for nothing here, or a key of one workspace could have its links ask for what the app
    /// does not have.
    pub fn app_for(&self, workspace: &Workspace, said: AppScopes) -> Option<AppScopes> {
        if !said.required.is_empty() {
            return Some(said);
        }
        let files = Arc::clone(&self.state().files);
        let shared = AppScopes::of(&files.load_shared(workspace).ok()?.mappings);
        let app = match files.load(workspace, &[]) {
            Ok(own) => shared.with(&own.mappings),
            Err(_) => shared,
        };
        Some(app.and(said.optional))
    }

    /// What the app needs so that it serves every workspace, mappings that were set over the API
    /// included, and where `said`, the scopes in the settings, would have links ask otherwise.
    pub async fn app_needs(&self, said: &AppScopes) -> Result<AppJson, MappingsError> {
        let workspaces = self.all_workspaces().await?;
        let files = Arc::clone(&self.state().files);
        let mut needs = AppNeeds::of(&self.shared(&workspaces)?);
        let (mut unasked, mut faulty) = (BTreeSet::new(), Vec::new());
        for workspace in &workspaces {
            let ws = &workspace.id;
            let has_own = files.own.contains_key(ws) || workspace.mappings_version > 0;
            // The others have what all have, and there may be ten thousand of them.
            if !has_own && workspace.vars.is_empty() {
                continue;
            }
            let mappings = match self.mappings(workspace).await {
                Ok(loaded) => loaded.mappings,
                Err(MappingsError::Store(error)) => return Err(error.into()),
                Err(_) => {
                    faulty.push(ws.as_str().to_owned());
                    self.last_good(ws).await?
                }
            };
            needs.add(&mappings);
            if let Some(app) = self.app_for(workspace, said.clone()) {
                unasked.extend(app.lacking(&mappings));
            }
            tokio::task::yield_now().await;
        }
        if !said.required.is_empty() {
            let required = needs.scopes.required.iter();
            unasked = required
                .filter(|name| !said.required.contains(name))
                .chain(needs.scopes.optional.iter().filter(|name| !said.has(name)))
                .cloned()
                .collect();
        }
        let insisted = said.required.iter();
        let insisted = insisted.filter(|name| needs.scopes.optional.contains(name));
        let unneeded = said.required.iter().filter(|name| !needs.scopes.has(name));
        Ok(AppJson {
            unneeded: unneeded.cloned().collect(),
            insisted: insisted.cloned().collect(),
            unasked: unasked.into_iter().collect(),
            faulty,
            needs,
        })
    }

    /// The mappings that all share: without variables or, where they need some, as the first
    /// workspace reads them that has those.
    fn shared(&self, workspaces: &[Workspace]) -> Result<Vec<Mapping>, MappingsError> {
        let files = Arc::clone(&self.state().files);
        let plain = mapping::load(&files.shared, &BTreeMap::new());
        let mut read = workspaces.iter().map(|one| files.load_shared(one));
        let loaded = plain.or_else(|faults| read.find_map(Result::ok).ok_or(faults));
        Ok(loaded?.mappings)
    }

    async fn all_workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        let mut all: Vec<Workspace> = Vec::new();
        loop {
            let after = all.last().map_or("", |last| last.id.as_str()).to_owned();
            let page = self.store.workspaces(&after, PAGE).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}
