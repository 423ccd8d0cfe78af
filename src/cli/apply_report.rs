//! What `tandem apply` says at the end: which rows were written, and why the others were not.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::app::{fate_json, fate_word, fates, is_left, named};
use crate::model::{BySide, RunId, Side};
use crate::sync::Row;

use super::output::{Outcome, table};
use super::plan_report::{rule_of, values};
use super::planned::off_percent;

/// Rows that were not written and are spelled out for people; `--json` has them all.
const SHOWN: usize = 50;

pub struct ApplyReport {
    pub rows: Vec<Row>,
    pub run: RunId,
    pub foreseen: BySide<u64>,
    pub used: BySide<u64>,
    /// Only a part of the plan was tried out.
    pub canary: bool,
    pub elapsed_ms: i64,
    pub stopped: bool,
}

impl ApplyReport {
    fn counts(&self) -> BTreeMap<&'static str, u64> {
        fates(&self.rows)
    }

    fn count(&self, word: &str) -> u64 {
        self.counts().get(word).copied().unwrap_or(0)
    }

    /// Rows that somebody should look at.
    fn left(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| is_left(row))
    }

    pub fn outcome(&self) -> Outcome {
        if self.stopped || self.count("failed") > 0 {
            Outcome::Failed
        } else if self.left().next().is_some() {
            Outcome::Different
        } else {
            Outcome::Done
        }
    }

    pub fn json(&self) -> Value {
        let rows = self.rows.iter().filter(|row| row.write.says());
        json!({
            "run": self.run.as_str(),
            "stopped": self.stopped,
            "canary": self.canary,
            "counts": self.counts(),
            "rows": rows.map(fate_json).collect::<Vec<_>>(),
            "calls": {
                "foreseen": both(&self.foreseen),
                "used": both(&self.used),
                "off_percent": off_percent(&self.foreseen, &self.used).filter(|_| !self.canary),
            },
            "elapsed_ms": self.elapsed_ms,
        })
    }

    pub fn text(&self) -> String {
        let mut text = self.head();
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            writeln!(text, "  {name:<12} {value}").unwrap_or_default();
        };
        for (name, word, what) in [
            ("written", "written", "values"),
            ("already", "already", "values that both sides held"),
            (
                "moved",
                "moved",
                "values, because their records are not as they were",
            ),
            ("held", "held", "values"),
            ("failed", "failed", "values"),
            ("under way", "under-way", "values without an answer"),
            ("not reached", "not-reached", "values"),
            ("left out", "left-out", "values, for the rest of the plan"),
        ] {
            let count = self.count(word);
            if count > 0 || word == "written" {
                line(name, format!("{count} {what}"));
            }
        }
        let calls =
            |of: &BySide<u64>| format!("{} HubSpot, {} Salesforce", of.hubspot, of.salesforce);
        line("calls", calls(&self.used));
        if !self.canary && self.foreseen != BySide::default() {
            let off = off_percent(&self.foreseen, &self.used);
            let off = off.map_or_else(String::new, |off| format!(" ({off:+.1} %)"));
            line("foreseen", format!("{}{off}", calls(&self.foreseen)));
        }
        line("run", format!("{} (`tandem undo` takes it back)", self.run));
        self.rest(&mut text);
        text
    }

    fn head(&self) -> String {
        let head = if self.stopped {
            "Stopped; apply the plan again to go on."
        } else if self.left().next().is_some() {
            "Applied, apart from what is listed below."
        } else if self.canary {
            "Applied to a part. `tandem apply` without --canary does the rest."
        } else if self.count("written") == 0 {
            "Nothing was left to write: the plan is carried out."
        } else {
            "Applied as planned."
        };
        format!("{head}\n")
    }

    fn rest(&self, text: &mut String) {
        let rows: Vec<Vec<String>> = self
            .left()
            .take(SHOWN)
            .map(|row| {
                let write = &row.write;
                vec![
                    write.mapping.to_string(),
                    write.side.title().to_owned(),
                    named(write),
                    rule_of(write),
                    values(&write.after, &write.after),
                    fate_word(&row.fate).1.to_owned(),
                ]
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        let headers = ["mapping", "to", "record", "rule", "would be", "why not"];
        write!(text, "\n{}", table(&headers, rows)).unwrap_or_default();
        let more = self.left().count().saturating_sub(SHOWN);
        if more > 0 {
            writeln!(text, "{more} more; --json lists them.").unwrap_or_default();
        }
        text.push_str("`tandem plan` plans these afresh.\n");
    }
}

pub fn both(calls: &BySide<u64>) -> Value {
    let both = Side::BOTH.map(|side| (side.as_str().to_owned(), json!(calls.get(side))));
    Value::Object(both.into_iter().collect())
}
