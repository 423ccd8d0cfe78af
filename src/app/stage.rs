//! A place to play mapping cases on: bound mappings, an empty store in memory, a clock that stands
//! still. No CRM is there, so nothing can be sent.

use std::sync::Arc;

use super::setup::{SetupError, bind_all};
use crate::clock::{Chance, Clock, Ids};
use crate::mapping::Mapping;
use crate::model::{Pauses, RunId, Schemas, Timestamp, WorkspaceId};
use crate::pipeline::{Decided, Site};
use crate::store::Store;

/// 2026-01-01: cases come out the same on any day.
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Binds the mappings to the schemas.
///
/// # Errors
/// The faults of mappings that do not fit the schemas, or a store that cannot be opened.
pub async fn stage(mappings: &[Mapping], schemas: Schemas) -> Result<Site, SetupError> {
    let clock = Clock::manual(NOW);
    let chance = Chance::seeded(1);
    let store = Store::open("sqlite::memory:", clock.clone()).await?;
    let ids = Ids::new(clock.clone(), chance.clone());
    Ok(Site {
        workspace: WorkspaceId::new("cases"),
        store: Arc::new(store),
        mappings: bind_all(mappings, &schemas)?,
        accounts: schemas.accounts.clone(),
        schemas,
        pauses: Pauses::new(),
        decided: Decided::default(),
        run: RunId::from_uuid(&ids.next()),
        clock,
        chance,
        ids,
    })
}
