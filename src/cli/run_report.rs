//! What `tandem sync --once` says at the end: what was written, what waits and why.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::app::Engine;
use crate::model::{LinkState, Timestamp};
use crate::pipeline::LANE;
use crate::store::{ConflictState, DeadLetterState, StoreError, Summary};
use crate::sync::Tally;

use super::engine::calls;

/// The figures of one run and the state it left.
pub struct RunReport {
    tally: Tally,
    summary: Summary,
    calls: Value,
    waiting: Vec<(String, u64)>,
    elapsed_ms: i64,
}

impl RunReport {
    pub async fn of(engine: &Engine, started: Timestamp) -> Result<Self, StoreError> {
        let site = engine.site();
        let (store, ws) = (&site.store, &site.workspace);
        let counts = store.queue_counts(ws, LANE).await?;
        let records = counts.get("record").copied().unwrap_or_default();
        let waiting = [
            ("due later", records.ready + records.waiting),
            ("waiting for a parent to be linked", records.blocked),
        ];
        Ok(Self {
            tally: engine.tally().clone(),
            summary: store.summary(ws).await?,
            calls: calls(engine),
            waiting: waiting
                .into_iter()
                .map(|(what, n)| (what.to_owned(), n))
                .collect(),
            elapsed_ms: site.clock.now().millis_since(started),
        })
    }

    fn dead_letters(&self) -> u64 {
        self.summary
            .dead_letters
            .get(&DeadLetterState::Open)
            .copied()
            .unwrap_or(0)
    }

    fn holds(&self) -> u64 {
        self.summary.holds.values().sum()
    }

    fn open_conflicts(&self) -> u64 {
        self.summary
            .conflicts
            .get(&ConflictState::Open)
            .copied()
            .unwrap_or(0)
    }

    fn links(&self) -> u64 {
        self.summary
            .links
            .get(&LinkState::Linked)
            .copied()
            .unwrap_or(0)
    }

    pub fn json(&self, stopped: bool) -> Value {
        let holds: serde_json::Map<String, Value> = self
            .summary
            .holds
            .iter()
            .map(|(reason, count)| (reason.as_str().to_owned(), json!(count)))
            .collect();
        json!({
            "stopped": stopped,
            "writes": self.tally.writes,
            "creates": self.tally.creates,
            "archives": self.tally.archives,
            "conflicts": self.tally.conflicts,
            "conflicts_open": self.open_conflicts(),
            "links": self.links(),
            "holds": self.holds(),
            "holds_by_reason": holds,
            "dead_letters": self.dead_letters(),
            "waiting": self.waiting.iter().map(|(_, n)| n).sum::<u64>(),
            "blocked": self.waiting.get(1).map_or(0, |(_, n)| *n),
            "api_calls": self.calls,
            "elapsed_ms": self.elapsed_ms,
        })
    }

    pub fn text(&self, stopped: bool) -> String {
        let mut text = String::new();
        let head = if stopped {
            "Stopped; the next run goes on from here."
        } else {
            "In step."
        };
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            writeln!(text, "  {name:<12} {value}").unwrap_or_default();
        };
        line("linked", format!("{} pairs", self.links()));
        let of = format!("{} records", self.tally.writes);
        line(
            "written",
            format!("{of}, {} of them new", self.tally.creates),
        );
        line(
            "conflicts",
            format!("{} decided by rule", self.tally.conflicts),
        );
        line(
            "calls",
            format!(
                "{} HubSpot, {} Salesforce",
                self.calls["hubspot"], self.calls["salesforce"]
            ),
        );
        for (what, count) in self.waiting.iter().filter(|(_, count)| *count > 0) {
            line("waiting", format!("{count} {what}"));
        }
        if self.holds() > 0 {
            line(
                "held",
                format!("{} values (`tandem links list --held`)", self.holds()),
            );
        }
        if self.open_conflicts() > 0 {
            let open = self.open_conflicts();
            line("undecided", format!("{open} (`tandem conflicts list`)"));
        }
        if self.dead_letters() > 0 {
            let dead = self.dead_letters();
            line(
                "for you",
                format!("{dead} dead letters (`tandem dead-letters list`)"),
            );
        }
        format!("{head}\n{text}")
    }
}
