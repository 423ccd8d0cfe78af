//! The mappings of a workspace: which count, whether they fit its CRMs, and the last ones that
//! did where they do not.

use std::collections::BTreeMap;

use crate::crm::Crms;
use crate::mapping::{self, Fault, Loaded, Mapping, SourceFile};
use crate::model::{MappingName, Timestamp, Workspace, WorkspaceId};
use crate::pipeline::LANE;
use crate::sources;
use crate::store::{SetMapping, StoreError};
use crate::vault::KeeperError;

use super::{Origin, Service, kept};
use crate::app::setup::{bind_all, read_schemas};
use crate::app::{Engine, Prepared, SetupError, prepare};

/// Until mappings that did not fit are tried again: the CRM may have been mended.
const AGAIN_MILLIS: i64 = 15 * 60_000;

/// Why there are no mappings.
#[derive(Debug, thiserror::Error)]
pub enum MappingsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the mappings have faults")]
    Faults(Vec<Fault>),
    /// They could not be held against the CRMs.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    #[error(transparent)]
    Setup(SetupError),
}

impl From<Vec<Fault>> for MappingsError {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Faults(faults)
    }
}

impl From<SetupError> for MappingsError {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Mappings(faults) => Self::Faults(faults),
            SetupError::Store(error) => Self::Store(error),
            other => Self::Setup(other),
        }
    }
}

/// Mappings that count, and are not at work because they do not load or do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub since: Timestamp,
    pub why: String,
    /// Which they were, and when they were last held against the CRMs.
    tried: String,
    tried_at: Timestamp,
}

impl Service {
    /// The mappings that count in a workspace.
    pub async fn mappings(&self, workspace: &Workspace) -> Result<Loaded, MappingsError> {
        let set = self.set_in(workspace).await?;
        Ok(self.load(workspace, &set)?)
    }

    /// What was set for the workspace.
    pub async fn set_in(&self, workspace: &Workspace) -> Result<Vec<SetMapping>, StoreError> {
        if workspace.mappings_version == 0 {
            return Ok(Vec::new());
        }
        self.store.set_mappings(&workspace.id).await
    }

    /// The texts that count in a workspace if `set` is what was set for it.
    pub fn texts(&self, ws: &WorkspaceId, set: &[SetMapping]) -> Vec<(Origin, SourceFile)> {
        let files = std::sync::Arc::clone(&self.state().files);
        files.of(ws, set)
    }

    /// The mappings of a workspace if `set` is what was set for it.
    pub fn load(&self, workspace: &Workspace, set: &[SetMapping]) -> Result<Loaded, Vec<Fault>> {
        let files = std::sync::Arc::clone(&self.state().files);
        files.load(workspace, set)
    }

    /// Loads the mappings that `set` would bring about and holds them against both CRMs, whose
    /// warnings come back with theirs. Where the workspace is not connected yet, loading is all
    /// there is to try.
    pub async fn try_out(
        &self,
        workspace: &Workspace,
        set: &[SetMapping],
    ) -> Result<Loaded, MappingsError> {
        let mut loaded = self.load(workspace, set)?;
        let crms: Crms = match self.keeper.crms(&workspace.id).await {
            Ok(crms) => crms,
            Err(KeeperError::NotConnected(_)) => return Ok(loaded),
            Err(error) => return Err(error.into()),
        };
        crms.refuse_writes();
        let schemas = Box::pin(read_schemas(&crms, &loaded.mappings)).await?;
        for bound in bind_all(&loaded.mappings, &schemas)?.values() {
            loaded.warnings.extend_from_slice(bound.warnings());
        }
        Ok(loaded)
    }

    /// What webhooks of HubSpot call custom objects, by the names that mappings use for them; an
    /// object that no engine has met yet is not in it.
    pub async fn type_ids(
        &self,
        ws: &WorkspaceId,
        objects: impl Iterator<Item = &str>,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        kept::type_ids(&self.store, ws, objects).await
    }

    /// What both accounts lack for the mappings that count, made if asked for.
    pub async fn prepare(
        &self,
        workspace: &Workspace,
        make: bool,
        pack: bool,
    ) -> Result<Prepared, MappingsError> {
        let loaded = self.mappings(workspace).await?;
        let crms = self.keeper.crms(&workspace.id).await?;
        if !make {
            crms.refuse_writes();
        }
        Ok(Box::pin(prepare(&crms, &loaded.mappings, make, pack)).await?)
    }

    /// Compares every record of one mapping's objects with what is known of it, or of all
    /// mappings. False when there is no such mapping.
    pub async fn scan(
        &self,
        workspace: &Workspace,
        mapping: Option<&MappingName>,
    ) -> Result<bool, MappingsError> {
        let loaded = self.mappings(workspace).await?;
        let named = |one: &&Mapping| mapping.is_none_or(|name| one.name == *name);
        if !loaded.mappings.iter().any(|one| named(&one)) {
            return Ok(false);
        }
        let all = loaded.mappings.iter();
        let marks = sources::scans(all.clone(), all.filter(named), self.clock.now());
        self.store.mark(&workspace.id, LANE, &marks).await?;
        self.wake(&workspace.id);
        Ok(true)
    }

    /// Mappings that count in the workspace and are not at work.
    pub fn refused(&self, ws: &WorkspaceId) -> Option<Refused> {
        self.state().refused.get(ws).cloned()
    }

    /// Notes that the mappings that count are not at work; others are. `tried` names those that
    /// load, and is empty for the others.
    pub(super) fn refuse(&self, ws: &WorkspaceId, tried: String, why: String) {
        let now = self.clock.now();
        let mut state = self.state();
        let known = state.refused.get(ws).filter(|known| known.why == why);
        if known.is_none() {
            tracing::error!(ws = ws.as_str(), why, "the changed mappings are not used");
        }
        let refused = Refused {
            since: known.map_or(now, |known| known.since),
            why,
            tried,
            tried_at: now,
        };
        state.refused.insert(ws.clone(), refused);
    }

    /// Whether it is time to try refused mappings once more.
    pub(super) fn tries_again(&self, ws: &WorkspaceId) -> bool {
        let now = self.clock.now();
        let state = self.state();
        let refused = state.refused.get(ws);
        refused.is_some_and(|refused| now.millis_since(refused.tried_at) >= AGAIN_MILLIS)
    }

    /// Why these mappings did not fit a moment ago, if so. Each try asks both CRMs for all that
    /// they say of their objects.
    pub(super) fn refused_lately(&self, ws: &WorkspaceId, mappings: &[Mapping]) -> Option<String> {
        let wanted = kept::asked_for(mappings);
        let refused = self.refused(ws).filter(|_| !self.tries_again(ws));
        Some(refused.filter(|refused| refused.tried == wanted)?.why)
    }

    /// Whether an engine could be opened with what the workspace has now. Mappings that changed and
    /// do not load, or do not fit the CRMs, leave the ones that are at work where they are.
    pub(super) async fn fits(
        &self,
        workspace: &Workspace,
        engine: &Engine,
    ) -> Result<bool, StoreError> {
        let schemas = &engine.site().schemas;
        let mut tried = String::new();
        let faults = match self.mappings(workspace).await {
            Ok(loaded) => {
                tried = kept::asked_for(&loaded.mappings);
                let known = |mapping: &&Mapping| {
                    let objects = &schemas.objects;
                    objects.hubspot.contains_key(&mapping.objects.hubspot)
                        && objects.salesforce.contains_key(&mapping.objects.salesforce)
                };
                let old = loaded.mappings.iter().filter(known);
                old.filter_map(|mapping| mapping::bind(mapping, schemas).err())
                    .flatten()
                    .collect()
            }
            Err(MappingsError::Faults(faults)) => faults,
            Err(MappingsError::Store(error)) => return Err(error),
            Err(MappingsError::Keeper(_) | MappingsError::Setup(_)) => Vec::new(),
        };
        if !faults.is_empty() {
            self.refuse(&workspace.id, tried, first(&faults));
        }
        Ok(faults.is_empty())
    }

    /// The mappings that count, or those that were at work last where these do not load; none where
    /// there is no such workspace.
    pub async fn counting(&self, ws: &WorkspaceId) -> Result<Vec<Mapping>, StoreError> {
        let Some(workspace) = self.store.workspace(ws).await? else {
            return Ok(Vec::new());
        };
        match self.mappings(&workspace).await {
            Ok(loaded) => Ok(loaded.mappings),
            Err(MappingsError::Store(error)) => Err(error),
            Err(_) => self.last_good(ws).await,
        }
    }

    /// The mappings that were at work last; none where nothing was, or they do not load any more.
    pub async fn last_good(&self, ws: &WorkspaceId) -> Result<Vec<Mapping>, StoreError> {
        let mut files = Vec::new();
        for (name, revision) in self.store.active_revisions(ws).await? {
            let Some(text) = self.store.revision_text(ws, &revision).await? else {
                return Ok(Vec::new());
            };
            files.push(SourceFile {
                path: name.as_str().to_owned(),
                text,
            });
        }
        // Its variables are filled in already.
        let loaded = mapping::load(&files, &BTreeMap::new());
        Ok(loaded.map(|loaded| loaded.mappings).unwrap_or_default())
    }
}

/// What a person reads first.
pub(super) fn first(faults: &[Fault]) -> String {
    faults.first().map(ToString::to_string).unwrap_or_default()
}
