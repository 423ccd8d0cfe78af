//! Keeps grants alive that no engine uses, beside the work.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Service;

const EVERY: Duration = Duration::from_secs(60);

impl Service {
    /// Goes on until it is told to stop.
    pub(super) async fn tend(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            match self.keeper.keep_alive().await {
                Ok(0) => {}
                Ok(renewed) => tracing::debug!(renewed, "grants were kept alive"),
                Err(error) => tracing::warn!(%error, "no grant could be kept alive"),
            }
        }
    }
}
