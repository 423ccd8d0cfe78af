//! Which scopes of HubSpot a workspace's account is asked for, and which it cannot do without: by
//! the mappings. Asks no CRM.

use super::Service;
use crate::mapping::Mapping;
use crate::model::WorkspaceId;
use crate::prepare::{AppScopes, needed};
use crate::store::StoreError;

impl Service {
    /// What a consent names. `registered` are the scopes of the app where somebody said so;
    /// otherwise it is taken for one that was made for the shared mappings. `None` where these have
    /// faults, and so nobody knows.
    pub async fn scopes_to_ask(
        &self,
        ws: &WorkspaceId,
        registered: Option<AppScopes>,
    ) -> Result<Option<AppScopes>, StoreError> {
        let app = match registered {
            Some(app) => Some(app),
            None => self.shared(ws).await?.map(|shared| AppScopes::of(&shared)),
        };
        let own = self.counting(ws).await?;
        Ok(app.map(|app| app.asked_for(&own)))
    }

    /// The scopes without which the workspace's mappings do not run.
    pub async fn needed_scopes(&self, ws: &WorkspaceId) -> Result<Vec<String>, StoreError> {
        Ok(needed(&self.counting(ws).await?))
    }

    /// The mappings that all share, as this workspace reads them; `None` where they have faults.
    async fn shared(&self, ws: &WorkspaceId) -> Result<Option<Vec<Mapping>>, StoreError> {
        let Some(workspace) = self.store.workspace(ws).await? else {
            return Ok(None);
        };
        let files = std::sync::Arc::clone(&self.state().files);
        let loaded = files.load_shared(&workspace);
        Ok(loaded.ok().map(|loaded| loaded.mappings))
    }
}
