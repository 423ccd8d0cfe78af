//! The seam between the demo and the engine: a session that is stepped and asked.
//!
//! Only wiring belongs here: the store, the two clients and the engine over them.

use std::path::Path;

use super::outcome::{Outcome, Progress, SalesforceAccess, Stepped};

/// The engine with its store and clients.
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// # Errors
    /// When the store cannot be opened or a simulator does not answer.
    pub async fn open(
        _hubspot_url: &str,
        _hubspot_token: &str,
        _salesforce: SalesforceAccess,
        _data: &Path,
        _seed: u64,
    ) -> anyhow::Result<Self> {
        anyhow::bail!("engine not joined yet")
    }

    /// One attempt of one lane.
    pub async fn step(&mut self) -> anyhow::Result<Stepped> {
        anyhow::bail!("engine not joined yet")
    }

    /// Makes every poll due now.
    pub async fn look_again(&mut self) -> anyhow::Result<()> {
        anyhow::bail!("engine not joined yet")
    }

    /// Nothing is due within three minutes except idle polls, no intent is open, and the first
    /// pass over everything is done. Polls that `look_again` made due count as due.
    pub async fn quiet(&self) -> anyhow::Result<bool> {
        anyhow::bail!("engine not joined yet")
    }

    pub async fn progress(&self) -> anyhow::Result<Progress> {
        anyhow::bail!("engine not joined yet")
    }

    pub async fn outcome(&self) -> anyhow::Result<Outcome> {
        anyhow::bail!("engine not joined yet")
    }

    pub async fn close(self) -> anyhow::Result<()> {
        Ok(())
    }
}
