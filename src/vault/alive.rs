//! Grants that nobody uses are renewed now and then, so that they do not die of disuse.
//!
//! Salesforce ends a grant whose refresh token was not used for thirty days. That is so for
//! workspaces that are paused or cannot be worked on, and also for busy ones: an access token that
//! is in use does not run out, so nothing asks for another. HubSpot names no such limit; its grants
//! are renewed as often all the same, which finds one that was revoked while nobody looked.

use super::credentials::Credentials;
use super::keeper::{Keeper, KeeperError};
use crate::model::{Side, Timestamp, WorkspaceId};
use crate::store::StoreError;

const DAY_MILLIS: i64 = 24 * 3_600_000;
/// A month holds four tries at the least, and each of them is repeated when it fails.
pub(super) const UNUSED_MILLIS: i64 = 7 * DAY_MILLIS;
/// Until a renewal that failed is tried again.
const AGAIN_MILLIS: i64 = 3_600_000;
/// Grants that are renewed at one occasion: after an outage their turn comes minute by minute.
const AT_ONCE: u32 = 5;

/// When a grant that is renewed now has its next turn: within the seventh day, each pair of
/// workspace and side at an hour of its own.
pub(super) fn next_turn(ws: &WorkspaceId, side: Side, now: Timestamp) -> Timestamp {
    let hash = super::hash(&format!("{ws} {side}"));
    let part = hash
        .get(..8)
        .and_then(|hex| i64::from_str_radix(hex, 16).ok());
    let early = part.unwrap_or(0) % DAY_MILLIS;
    now.plus_millis(UNUSED_MILLIS - early)
}

impl Keeper {
    /// Renews a few of the grants that were not renewed for a week; answers how many. To be called
    /// about once a minute.
    pub async fn keep_alive(&self) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let oldest = now.plus_millis(-UNUSED_MILLIS);
        let mut renewed = 0;
        for (ws, side) in self.store.grants_due(now, oldest, AT_ONCE).await? {
            let again = now.plus_millis(AGAIN_MILLIS);
            // Another process may have been faster.
            if !self
                .store
                .put_off_grant(&ws, side, now, oldest, again)
                .await?
            {
                continue;
            }
            match self.renew_unused(&ws, side).await {
                Ok(true) => renewed += 1,
                Ok(false) => {
                    let later = next_turn(&ws, side, now);
                    self.store
                        .put_off_grant(&ws, side, again, oldest, later)
                        .await?;
                }
                Err(KeeperError::Vault(super::VaultError::Store(error))) => return Err(error),
                Err(error) => {
                    let (ws, side) = (ws.as_str(), side.as_str());
                    tracing::warn!(ws, side, %error, "a grant could not be kept alive");
                }
            }
        }
        Ok(renewed)
    }

    /// False where there is nothing to renew: static credentials do not die of disuse.
    async fn renew_unused(&self, ws: &WorkspaceId, side: Side) -> Result<bool, KeeperError> {
        let (row, credentials) = self.credentials(ws, side).await?;
        if !matches!(credentials, Credentials::OAuth(_)) {
            return Ok(false);
        }
        let renewed = self.token(ws, side, Some(row.version)).await;
        renewed.map_err(|error| KeeperError::Crm { side, error })?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_spread_over_a_day_and_come_within_a_week() {
        let now = Timestamp::from_millis(1_000);
        let mut quarters = [0; 4];
        for nth in 0..400 {
            let ws = WorkspaceId::new(format!("customer-{nth}/production"));
            let wait = next_turn(&ws, Side::Salesforce, now).millis_since(now);
            assert!((UNUSED_MILLIS - DAY_MILLIS..=UNUSED_MILLIS).contains(&wait));
            let quarter = (UNUSED_MILLIS - wait) * 4 / (DAY_MILLIS + 1);
            quarters[usize::try_from(quarter).unwrap_or(0)] += 1;
        }
        assert!(quarters.iter().all(|count| *count > 60), "{quarters:?}");
    }
}
