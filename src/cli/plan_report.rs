//! What `tandem plan` shows: each write, rule by rule, and what it would cost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::app::Engine;
use crate::crm::Crms;
use crate::model::{Fields, IntentKind, LinkState, Raw, RecordId, Side};
use crate::store::StoreError;
use crate::sync::PlannedWrite;

use super::output::table;
use super::run_report::RunReport;

/// Rows of the table for people; `--json` has them all.
const SHOWN: usize = 200;

pub struct PlanReport {
    writes: Vec<PlannedWrite>,
    links: u64,
}

impl PlanReport {
    /// What `engine` would write. `linked` are the links its store had at the start, by state.
    pub async fn of(
        engine: &Engine,
        linked: &BTreeMap<LinkState, u64>,
    ) -> Result<Self, StoreError> {
        let tally = engine.tally();
        let links = engine
            .store()
            .summary(&engine.site().workspace)
            .await?
            .links;
        let count =
            |links: &BTreeMap<LinkState, u64>| links.get(&LinkState::Linked).copied().unwrap_or(0);
        // A new record has no value in most fields; that is nothing to write.
        let says = |write: &&PlannedWrite| {
            write.rule.is_empty() || write.kind != IntentKind::Create || !write.after.is_empty()
        };
        Ok(Self {
            writes: tally.planned.iter().filter(says).cloned().collect(),
            links: count(&links).saturating_sub(count(linked)),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Records by what would happen to them, per side.
    fn records(&self) -> BTreeMap<(Side, &'static str), u64> {
        let mut seen: BTreeSet<(Side, &'static str, String)> = BTreeSet::new();
        for write in &self.writes {
            let name = format!("{}|{}", write.mapping, named(write));
            seen.insert((write.side, write.kind.as_str(), name));
        }
        let mut counts = BTreeMap::new();
        for (side, kind, _) in seen {
            *counts.entry((side, kind)).or_insert(0) += 1;
        }
        counts
    }

    /// Calls needed per API: full batches of writes, and on Salesforce one read of what it stored.
    fn calls(&self) -> BTreeMap<Side, u64> {
        let mut calls = BTreeMap::new();
        for ((side, _), records) in self.records() {
            let batch = Crms::batch(side) as u64;
            let reads = match side {
                Side::HubSpot => 0,
                Side::Salesforce => records.div_ceil(2_000),
            };
            *calls.entry(side).or_insert(0) += records.div_ceil(batch) + reads;
        }
        calls
    }

    pub fn json(&self, rest: &RunReport) -> Value {
        let rows: Vec<Value> = self.writes.iter().map(row_json).collect();
        let records: Vec<Value> = self
            .records()
            .into_iter()
            .map(|((side, kind), count)| {
                json!({"side": side.as_str(), "kind": kind, "records": count})
            })
            .collect();
        let calls = self.calls();
        json!({
            "writes": rows,
            "records": records,
            "links": self.links,
            "waiting": rest.waiting(),
            "calls": {
                "hubspot": calls.get(&Side::HubSpot).copied().unwrap_or(0),
                "salesforce": calls.get(&Side::Salesforce).copied().unwrap_or(0),
            },
        })
    }

    pub fn text(&self, rest: &RunReport) -> String {
        let waiting = match rest.waiting() {
            0 => String::new(),
            count => {
                format!("{count} records wait and are not in this plan; --json counts them.\n")
            }
        };
        let links = match self.links {
            0 => String::new(),
            count => format!("{count} pairs would be linked.\n"),
        };
        if self.is_empty() {
            return format!("Nothing to write: both sides are in step.\n{links}{waiting}");
        }
        let headers = ["mapping", "to", "record", "rule", "now", "would be", "why"];
        let rows = self.writes.iter().take(SHOWN).map(row_text).collect();
        let mut text = table(&headers, rows);
        let hidden = self.writes.len().saturating_sub(SHOWN);
        if hidden > 0 {
            writeln!(text, "{hidden} more rows; --json shows all.").unwrap_or_default();
        }
        text.push('\n');
        for ((side, kind), count) in self.records() {
            writeln!(text, "{:<11} {kind:<8} {count} records", side.title()).unwrap_or_default();
        }
        for (side, calls) in self.calls() {
            writeln!(text, "{:<11} calls    {calls} to write them", side.title())
                .unwrap_or_default();
        }
        text.push_str(&links);
        text.push_str(&waiting);
        text.push_str("Nothing was written.\n");
        text
    }
}

fn named(write: &PlannedWrite) -> String {
    let id = |id: &Option<RecordId>| id.as_ref().map(|id| id.as_str().to_owned());
    match (write.kind, id(&write.record), id(&write.source)) {
        (IntentKind::Create, _, Some(source)) => {
            format!("new, from {} {source}", write.side.other().title())
        }
        (_, Some(record), _) => record,
        (_, None, source) => source.unwrap_or_default(),
    }
}

fn row_text(write: &PlannedWrite) -> Vec<String> {
    vec![
        write.mapping.to_string(),
        write.side.title().to_owned(),
        named(write),
        if write.rule.is_empty() {
            format!("({})", write.kind.as_str())
        } else {
            write.rule.clone()
        },
        values(&write.before, &write.after),
        values(&write.after, &write.after),
        write.reason.clone(),
    ]
}

/// The values of the fields that would be sent.
fn values(of: &Fields, sent: &Fields) -> String {
    let texts: Vec<&str> = sent
        .keys()
        .map(|name| of.get(name).and_then(Raw::as_text).unwrap_or("(blank)"))
        .collect();
    texts.join(" / ")
}

fn row_json(write: &PlannedWrite) -> Value {
    let fields = |of: &Fields| -> Value {
        write
            .after
            .keys()
            .map(|name| (name.clone(), json!(of.get(name).and_then(Raw::as_text))))
            .collect::<serde_json::Map<String, Value>>()
            .into()
    };
    json!({
        "mapping": write.mapping.as_str(),
        "side": write.side.as_str(),
        "kind": write.kind.as_str(),
        "record": write.record.as_ref().map(RecordId::as_str),
        "source": write.source.as_ref().map(RecordId::as_str),
        "rule": write.rule,
        "old": fields(&write.before),
        "new": fields(&write.after),
        "reason": write.reason,
    })
}
