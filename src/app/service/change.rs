//! What people decide, carried out under the lane: by the engine that is open, or with a lease of
//! its own where none is.
//!
//! Whoever asks is answered after the commit, or told that nothing was changed.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Service;
use crate::app::Engine;
use crate::clock::Ids;
use crate::model::WorkspaceId;
use crate::pipeline::LANE;
use crate::store::{Changes, StoreError};

/// Longer than a step takes as a rule, and shorter than any caller waits.
const PATIENCE: Duration = Duration::from_secs(15);
/// Changes of one workspace that wait for its engine; one more is told to come again.
const WAITING: usize = 100;
/// Longer than any commit takes.
const LEASE_MILLIS: i64 = 30_000;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("the workspace is being worked on; nothing was changed, try again")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Answer = Result<(), ChangeError>;

/// Changes that wait for the workspace's engine.
pub(super) struct Wanted {
    id: String,
    changes: Changes,
    answer: oneshot::Sender<Answer>,
}

impl Service {
    /// Applies all of `changes` or nothing, as the lane's owner.
    pub async fn change(&self, ws: &WorkspaceId, changes: Changes) -> Answer {
        let id = Ids::new(self.clock.clone(), self.chance.clone()).next();
        let answered = {
            let mut state = self.state();
            if state.engines.contains_key(ws) || state.agenda.is_at_work(ws) {
                let waiting = state.wanted.entry(ws.clone()).or_default();
                if waiting.len() >= WAITING {
                    return Err(ChangeError::Busy);
                }
                let (answer, answered) = oneshot::channel();
                waiting.push_back(Wanted {
                    id: id.clone(),
                    changes,
                    answer,
                });
                Ok(answered)
            } else {
                Err(changes)
            }
        };
        match answered {
            Ok(answered) => {
                self.wake(ws);
                self.await_answer(ws, &id, answered).await
            }
            Err(changes) => {
                self.change_alone(ws, &id, changes).await?;
                self.wake(ws);
                Ok(())
            }
        }
    }

    /// Gives up after a while, but not on what is being carried out at that moment.
    async fn await_answer(
        &self,
        ws: &WorkspaceId,
        id: &str,
        mut answered: oneshot::Receiver<Answer>,
    ) -> Answer {
        let gone = |_| Err(ChangeError::Busy);
        if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut answered).await {
            return answer.unwrap_or_else(gone);
        }
        if self.withdraw(ws, id) {
            return Err(ChangeError::Busy);
        }
        answered.await.unwrap_or_else(gone)
    }

    /// Whether it was still waiting.
    fn withdraw(&self, ws: &WorkspaceId, id: &str) -> bool {
        let mut state = self.state();
        let Some(waiting) = state.wanted.get_mut(ws) else {
            return false;
        };
        let before = waiting.len();
        waiting.retain(|wanted| wanted.id != id);
        waiting.len() < before
    }

    /// The changes that waited longest; those of callers who left are dropped.
    fn next_wanted(&self, ws: &WorkspaceId) -> Option<Wanted> {
        let mut state = self.state();
        let waiting = state.wanted.get_mut(ws)?;
        let next = next_awaited(waiting);
        if waiting.is_empty() {
            state.wanted.remove(ws);
        }
        next
    }

    /// Carries out what waits, under the engine's lease.
    pub(super) async fn carry_out(&self, ws: &WorkspaceId, engine: &mut Engine) {
        while let Some(wanted) = self.next_wanted(ws) {
            let answer = match engine.commit(wanted.changes).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(ChangeError::Busy),
                Err(error) => Err(error.into()),
            };
            // Who has left in the meantime finds what was decided in the store.
            wanted.answer.send(answer).ok();
        }
    }

    /// Carries out what waits where no engine was left open.
    pub(super) async fn carry_out_alone(&self, ws: &WorkspaceId) {
        while let Some(wanted) = self.next_wanted(ws) {
            let answer = self.change_alone(ws, &wanted.id, wanted.changes).await;
            wanted.answer.send(answer).ok();
        }
    }

    async fn change_alone(&self, ws: &WorkspaceId, id: &str, changes: Changes) -> Answer {
        let owner = format!("change-{id}");
        let lease = self.store.lease(ws, LANE, &owner, LEASE_MILLIS).await?;
        let lease = lease.ok_or(ChangeError::Busy)?;
        let stored = self.store.commit(&lease, changes).await;
        if let Err(error) = self.store.release(lease).await {
            tracing::warn!(ws = ws.as_str(), %error, "the lane was not given back");
        }
        Ok(stored?)
    }
}

fn next_awaited(waiting: &mut VecDeque<Wanted>) -> Option<Wanted> {
    std::iter::from_fn(|| waiting.pop_front()).find(|wanted| !wanted.answer.is_closed())
}
