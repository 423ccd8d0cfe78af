//! What people decide while an engine is open: stored by the engine itself, under its own lease.

use super::Engine;
use crate::store::{Changes, StoreError};

impl Engine {
    /// Stores these changes. False when somebody else has the lane; nothing was changed then.
    pub async fn commit(&mut self, changes: Changes) -> Result<bool, StoreError> {
        if self.lane.is_none() && !self.lease().await? {
            return Ok(false);
        }
        let Some(lane) = &mut self.lane else {
            return Ok(false);
        };
        let stored = match lane.keep().await {
            Ok(()) => lane.commit(changes).await,
            lost => lost,
        };
        match stored {
            Ok(()) => Ok(true),
            Err(StoreError::LeaseLost { .. }) => {
                self.lane = None;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Sees to it that the lane stays ours while nothing is done with it. False when it is lost.
    pub async fn hold(&mut self) -> Result<bool, StoreError> {
        let Some(lane) = &mut self.lane else {
            return Ok(false);
        };
        match lane.keep().await {
            Ok(()) => Ok(true),
            Err(StoreError::LeaseLost { .. }) => {
                self.lane = None;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
