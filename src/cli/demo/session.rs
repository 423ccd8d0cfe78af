//! The seam between the demo and the service: both workspaces' work, turn by turn, and its claims.
//!
//! Nothing is decided here. The turns are taken by the demo and not by workers, so that people type
//! while nobody works, and every edit is seen arriving.

use std::time::Duration;

use anyhow::bail;
use tokio_util::sync::CancellationToken;

use crate::app::Standing;
use crate::clock::Clock;
use crate::model::WorkspaceId;
use crate::pipeline::LANE;

use super::claims;
use super::outcome::{Outcome, Progress, Stepped};
use super::served::Served;

/// Until it is looked again whether something has come.
const LOOK_MILLIS: i64 = 10;

/// The workspaces of a served demo.
pub struct Session<'a> {
    served: &'a Served,
    workspaces: Vec<&'a WorkspaceId>,
    clock: Clock,
    stop: CancellationToken,
}

impl<'a> Session<'a> {
    /// Has every workspace's engine opened, and nothing done yet.
    ///
    /// # Errors
    /// What keeps one from being worked on.
    pub async fn open(
        served: &'a Served,
        workspaces: Vec<&'a WorkspaceId>,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let session = Self {
            served,
            workspaces,
            clock: Clock::System,
            stop,
        };
        let at_once = CancellationToken::new();
        at_once.cancel();
        let is_open = |ws: &&WorkspaceId| served.service.standing(ws) == Standing::Open;
        while !session.workspaces.iter().all(is_open) {
            let worked = served.service.turn_due(&at_once).await;
            if let Some(why) = session.trouble() {
                bail!(why);
            }
            if !worked {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(session)
    }

    /// What keeps a workspace from being worked on.
    pub fn trouble(&self) -> Option<String> {
        self.workspaces
            .iter()
            .find_map(|ws| match self.served.service.standing(ws) {
                Standing::Troubled(trouble) => Some(format!("{ws}: {}", trouble.why)),
                Standing::Open | Standing::Waiting => None,
            })
    }

    /// One turn of the workspace that is due first.
    pub async fn step(&mut self) -> Stepped {
        let service = &self.served.service;
        let before = service.figures();
        if !service.turn_due(&self.stop).await {
            return Stepped::Wait {
                millis: LOOK_MILLIS,
            };
        }
        let after = service.figures();
        Stepped::Worked {
            records: after.records - before.records,
            writes: after.writes - before.writes,
        }
    }

    /// Makes every poll due now.
    pub async fn look_again(&mut self) -> anyhow::Result<()> {
        for ws in &self.workspaces {
            self.served.look_again(ws).await?;
        }
        Ok(())
    }

    /// In how many milliseconds work is due that is no idle poll; `None` when there is none.
    /// Polls that `look_again` made due count as due.
    pub async fn due_in(&self) -> anyhow::Result<Option<i64>> {
        let now = self.clock.now();
        let store = &self.served.store;
        let mut first = None;
        for ws in &self.workspaces {
            let poll = store.next_due_of(ws, LANE, "poll").await?;
            let record = store.next_due_of(ws, LANE, "record").await?;
            let backfill = store.next_due_of(ws, LANE, "backfill").await?;
            let reread = store.next_due_of(ws, LANE, "reread").await?;
            let poll = poll.filter(|at| *at <= now);
            let due = [first, poll, reread, record, backfill]
                .into_iter()
                .flatten();
            first = due.min();
        }
        Ok(first.map(|at| at.millis_since(now).max(0)))
    }

    pub async fn progress(&self) -> anyhow::Result<Progress> {
        let mut progress = Progress {
            handled: self.served.service.figures().records,
            ..Progress::default()
        };
        for ws in &self.workspaces {
            let counts = self.served.store.queue_counts(ws, LANE).await?;
            let records = counts.get("record").copied().unwrap_or_default();
            progress.waiting += records.ready + records.waiting;
            let counted = self.served.service.counted(ws).unwrap_or_default();
            progress.links += counted.links;
        }
        Ok(progress)
    }

    /// What the service says became of one workspace's records.
    pub async fn outcome(&self, ws: &WorkspaceId) -> anyhow::Result<Outcome> {
        let outcome = claims::read(&self.served.store, ws).await?;
        let counted = self.served.service.counted(ws).unwrap_or_default();
        Ok(Outcome {
            idle_polls: counted.idle_calls,
            unknown_overwrites: counted.unknown,
            ..outcome
        })
    }
}
