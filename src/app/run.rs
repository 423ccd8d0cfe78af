//! The row that a run leaves among the runs: how long it went, what it did, how it ended.

use serde_json::json;

use super::{Engine, planned};
use crate::model::{RunEnd, Timestamp};
use crate::store::{Changes, RunRow, StoreError};
use crate::sync::Lag;

/// How often a run under way stores what it has done: of one that is cut off so much is known.
const NOTE_MILLIS: i64 = 60_000;

impl Engine {
    /// Stores that the run is under way, unless that was done a moment ago.
    pub(super) async fn note_run(&mut self) -> Result<(), StoreError> {
        let now = self.site.clock.now();
        let lately = |at: Timestamp| now.millis_since(at) < NOTE_MILLIS;
        let Some(lane) = &self.lane else {
            return Ok(());
        };
        if self.noted.is_some_and(lately) {
            return Ok(());
        }
        let changes = Changes {
            run: Some(self.run_row(None)),
            ..Changes::default()
        };
        lane.commit(changes).await?;
        self.noted = Some(now);
        Ok(())
    }

    pub(super) fn run_row(&self, ended: Option<(Timestamp, RunEnd)>) -> RunRow {
        let tally = &self.tally;
        let calls = self.calls_of_sides();
        let summary = json!({
            "writes": tally.writes,
            "creates": tally.creates,
            "archives": tally.archives,
            "pairs": tally.links,
            "conflicts": tally.conflicts,
            "held": tally.holds,
            "calls": {"hubspot": calls.hubspot, "salesforce": calls.salesforce},
            "lag": lag_json(&tally.lag),
        });
        RunRow {
            id: self.site.run.clone(),
            kind: self.options.mode.as_str().to_owned(),
            started_at: self.started_at,
            ended_at: ended.map(|(at, _)| at),
            end: ended.map(|(_, end)| end),
            summary: summary.to_string(),
        }
    }

    /// Gives the lane back at once, so that the next process need not wait for the lease to end.
    pub async fn close(mut self, end: RunEnd) -> Result<(), StoreError> {
        let row = self.run_row(Some((self.site.clock.now(), end)));
        if let Some(lane) = self.lane.take() {
            planned::give_back(&lane, &self.site, &self.tally.left).await?;
            let changes = Changes {
                run: self.noted.is_some().then_some(row),
                lane_state: Some(self.crms.gates()),
                ..Changes::default()
            };
            match lane.commit(changes).await {
                // A lease that was lost has nothing to give back.
                Err(StoreError::LeaseLost { .. }) => return Ok(()),
                other => other?,
            }
            lane.release().await?;
        }
        Ok(())
    }
}

/// Null where no change was settled.
fn lag_json(lag: &Lag) -> serde_json::Value {
    match lag.count() {
        0 => serde_json::Value::Null,
        changes => json!({
            "changes": changes,
            "p50_ms": lag.percentile(50),
            "p99_ms": lag.percentile(99),
            "max_ms": lag.max_millis(),
        }),
    }
}
