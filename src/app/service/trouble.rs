//! What keeps a workspace from being worked on, and when it is tried again.

use super::State;
use super::mappings::{MappingsError, first};
use crate::app::SetupError;
use crate::crm::ErrorKind;
use crate::model::{Timestamp, WorkspaceId};
use crate::store::StoreError;
use crate::vault::KeeperError;

/// Until a workspace that could not be opened is tried again, doubling up to the longest.
const TROUBLE_MILLIS: i64 = 2_000;
const TROUBLE_MILLIS_MAX: i64 = 5 * 60_000;

/// Why a workspace is not worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub since: Timestamp,
    pub why: String,
    /// Tries so far.
    pub tries: u32,
}

/// Why the engine of a workspace could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("the mappings have faults: {0}")]
    Mappings(String),
}

impl From<MappingsError> for OpenError {
    fn from(error: MappingsError) -> Self {
        match error {
            MappingsError::Faults(faults) => Self::Mappings(first(&faults)),
            MappingsError::Store(error) => Self::Store(error),
            MappingsError::Keeper(error) => Self::Keeper(error),
            MappingsError::Setup(error) => Self::Setup(error),
        }
    }
}

impl OpenError {
    /// Nothing changes by itself: whoever mends it wakes the workspace.
    pub(super) fn waits_for_a_person(&self) -> bool {
        match self {
            Self::Keeper(KeeperError::NotConnected(_) | KeeperError::Unusable { .. }) => true,
            Self::Keeper(KeeperError::Crm { error, .. })
            | Self::Setup(SetupError::Crm { error, .. }) => error.kind == ErrorKind::LoginRefused,
            Self::Mappings(_) => true,
            Self::Store(_) | Self::Keeper(_) | Self::Setup(_) => false,
        }
    }
}

impl State {
    /// Notes what keeps the workspace from being worked on, and when it is tried again.
    pub(super) fn troubled(
        &mut self,
        ws: &WorkspaceId,
        error: &OpenError,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let why = error.to_string();
        let known = self.trouble.get(ws);
        if known.is_none_or(|known| known.why != why) {
            match error {
                // It was made a moment ago, most likely.
                OpenError::Keeper(KeeperError::NotConnected(_)) => {
                    tracing::info!(ws = ws.as_str(), why, "the workspace is not worked on yet");
                }
                _ => tracing::warn!(ws = ws.as_str(), why, "the workspace is not worked on"),
            }
        }
        let tries = known.map_or(0, |known| known.tries) + 1;
        let since = known.map_or(now, |known| known.since);
        self.trouble
            .insert(ws.clone(), Trouble { since, why, tries });
        if error.waits_for_a_person() {
            return None;
        }
        let wait = TROUBLE_MILLIS << (tries - 1).min(8);
        Some(now.plus_millis(wait.min(TROUBLE_MILLIS_MAX)))
    }
}
