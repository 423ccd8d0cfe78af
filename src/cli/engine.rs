//! Where commands meet the engine: `sync`, `plan` and the live half of `check`.
//!
//! Each function gets everything the engine needs, already checked: credentials, mappings, an open
//! store. JOIN: these three return an error until the engine is joined here.

use crate::config::Credentials;
use crate::mapping::{Loaded, Mapping};
use crate::model::Schemas;

use super::data::Data;
use super::output::{Advice, Outcome, Output};

/// Everything a run works with.
pub struct Ready {
    pub credentials: Credentials,
    pub mappings: Loaded,
    pub data: Data,
    /// Stop before a run that would create more records than this.
    pub max_creates: Option<u64>,
}

/// Brings both CRMs in step once and prints the summary.
pub async fn sync_once(ready: Ready, _output: &Output) -> anyhow::Result<Outcome> {
    let Ready {
        credentials: _,
        mappings: _,
        data,
        max_creates: _,
    } = ready;
    data.close().await;
    Err(not_joined())
}

/// Shows what [`sync_once`] would write; `Outcome::Different` when there is something to write.
pub async fn plan(ready: Ready, output: &Output) -> anyhow::Result<Outcome> {
    sync_once(ready, output).await
}

/// What both CRMs say about the objects the mappings name.
pub async fn live_schemas(_: &Credentials, _: &[Mapping]) -> anyhow::Result<Schemas> {
    Err(not_joined())
}

fn not_joined() -> anyhow::Error {
    Advice::new(
        "the engine is not part of this build",
        "use a released build",
    )
    .into()
}
