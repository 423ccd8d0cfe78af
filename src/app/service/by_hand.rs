//! The service for callers that own the loop and the clock: turn by turn, with nothing behind their
//! back.
//!
//! Tests and the demo work this way; `tandem serve` has workers. A turn is the same in both.

use tokio_util::sync::CancellationToken;

use super::Service;
use super::agenda::Next;
use crate::model::WorkspaceId;

/// What an open engine has counted since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub links: u64,
    /// Records written.
    pub writes: u64,
    /// API calls of polls that found nothing new.
    pub idle_calls: u64,
    /// Writes that may have replaced an edit where no history tells whether they did.
    pub unknown: u64,
}

impl Service {
    /// Works on whatever is due now, one workspace after the other, and comes back.
    pub async fn run_due(&self) {
        let stop = CancellationToken::new();
        while self.turn_due(&stop).await {}
    }

    /// One turn of the workspace that is due first, after all that webhooks announced is marked;
    /// false when none is due. Where `stop` is cancelled already, its engine is opened and takes no
    /// step.
    pub async fn turn_due(&self, stop: &CancellationToken) -> bool {
        if let Err(error) = self.fold_all().await {
            tracing::warn!(%error, "what webhooks announced could not be marked yet");
        }
        let next = self.state().agenda.next(self.clock.now());
        let Next::Work(ws) = next else {
            return false;
        };
        Box::pin(self.turn(&ws, stop)).await;
        true
    }

    /// `None` while no engine of the workspace is open, or a worker has it.
    pub fn counted(&self, ws: &WorkspaceId) -> Option<Counted> {
        let state = self.state();
        let engine = &state.engines.get(ws)?.engine;
        Some(Counted {
            links: engine.tally().links,
            writes: engine.tally().writes,
            idle_calls: engine.idle_calls(),
            unknown: engine.tally().unknown,
        })
    }
}
