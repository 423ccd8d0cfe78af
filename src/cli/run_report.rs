//! What `tandem sync --once` says at the end: what was written, what waits and why.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::app::{Engine, blind_spots, is_blind_source, why_left as why};
use crate::model::{LinkState, Task, Timestamp};
use crate::pipeline::LANE;
use crate::store::{Claimed, ConflictState, DeadLetterState, QueueCounts, StoreError, Summary};
use crate::sync::{Mode, Tally};

use super::engine::calls;
use super::memory::max_rss_bytes;
use super::output::printable;

/// Pieces of waiting work that are spelled out for people, and with `--json`.
const SHOWN: usize = 10;
const LISTED: usize = 1_000;

/// The figures of one run and the state it left.
pub struct RunReport {
    tally: Tally,
    summary: Summary,
    calls: Value,
    counts: QueueCounts,
    /// Records that are still to be worked on, most urgent first.
    rest: Vec<Claimed>,
    /// Sources that could not read their CRM.
    blind: Vec<Claimed>,
    elapsed_ms: i64,
    observes: bool,
}

impl RunReport {
    pub async fn of(engine: &Engine, started: Timestamp) -> Result<Self, StoreError> {
        let site = engine.site();
        let (store, ws) = (&site.store, &site.workspace);
        let (rest, sources): (Vec<Claimed>, Vec<Claimed>) = engine
            .waiting()
            .await?
            .into_iter()
            .partition(|work| matches!(work.task, Task::Record(_)));
        Ok(Self {
            tally: engine.tally().clone(),
            summary: store.summary(ws).await?,
            calls: calls(engine),
            counts: store.queue_counts(ws, LANE).await?,
            rest,
            blind: sources.into_iter().filter(is_blind_source).collect(),
            elapsed_ms: site.clock.now().millis_since(started),
            observes: matches!(engine.mode(), Mode::Shadow),
        })
    }

    /// Whether a CRM could not be read, so that nobody knows what changed in it.
    pub fn is_blind(&self) -> bool {
        !self.blind.is_empty()
    }

    /// What could not be read and why, each reason once, in one line.
    pub fn blind_spots(&self) -> String {
        blind_spots(&self.blind)
    }

    fn dead_letters(&self) -> u64 {
        let counts = &self.summary.dead_letters;
        counts.get(&DeadLetterState::Open).copied().unwrap_or(0)
    }

    fn holds(&self) -> u64 {
        self.summary.holds.values().sum()
    }

    fn open_conflicts(&self) -> u64 {
        let counts = &self.summary.conflicts;
        counts.get(&ConflictState::Open).copied().unwrap_or(0)
    }

    fn links(&self) -> u64 {
        let counts = &self.summary.links;
        counts.get(&LinkState::Linked).copied().unwrap_or(0)
    }

    fn due_later(&self) -> u64 {
        let records = self.counts.get("record").copied().unwrap_or_default();
        records.ready + records.waiting
    }

    fn blocked(&self) -> u64 {
        let records = self.counts.get("record").copied().unwrap_or_default();
        records.blocked
    }

    /// Records that are still to be worked on.
    pub fn waiting(&self) -> u64 {
        self.due_later() + self.blocked()
    }

    pub fn json(&self, stopped: bool) -> Value {
        let holds: serde_json::Map<String, Value> = self
            .summary
            .holds
            .iter()
            .map(|(reason, count)| (reason.as_str().to_owned(), json!(count)))
            .collect();
        let rest = self.rest.iter().chain(&self.blind).take(LISTED);
        json!({
            "stopped": stopped,
            "writes": self.tally.writes,
            "creates": self.tally.creates,
            "archives": self.tally.archives,
            "conflicts": self.tally.conflicts,
            "conflicts_open": self.open_conflicts(),
            "unknown_overwrites": self.tally.unknown,
            "links": self.links(),
            "holds": self.holds(),
            "holds_by_reason": holds,
            "dead_letters": self.dead_letters(),
            "waiting": self.waiting(),
            "blocked": self.blocked(),
            "unread": self.blind.len(),
            "rest": rest.map(work_json).collect::<Vec<_>>(),
            "api_calls": self.calls,
            "elapsed_ms": self.elapsed_ms,
            "max_rss_bytes": max_rss_bytes(),
        })
    }

    pub fn text(&self, stopped: bool) -> String {
        let mut page = Page(format!("{}\n", self.head(stopped)));
        page.line("linked", format_args!("{} pairs", self.links()));
        let (writes, creates) = (self.tally.writes, self.tally.creates);
        page.line(
            "written",
            format_args!("{writes} records, {creates} of them new"),
        );
        if self.tally.archives > 0 {
            page.line("deleted", format_args!("{} records", self.tally.archives));
        }
        page.line(
            "conflicts",
            format_args!("{} decided by rule", self.tally.conflicts),
        );
        if self.tally.unknown > 0 {
            let what = "writes may have replaced an edit; no history tells";
            page.line("not known", format_args!("{} {what}", self.tally.unknown));
        }
        let (hubspot, salesforce) = (&self.calls["hubspot"], &self.calls["salesforce"]);
        page.line(
            "calls",
            format_args!("{hubspot} HubSpot, {salesforce} Salesforce"),
        );
        self.for_people(&mut page);
        page.0
    }

    fn head(&self, stopped: bool) -> String {
        let asks = self.dead_letters() + self.holds() + self.open_conflicts();
        if self.observes {
            "Nothing was written; `tandem observed` shows what would have been.".to_owned()
        } else if self.is_blind() {
            format!("Not in step. {}", printable(&self.blind_spots()))
        } else if stopped {
            "Stopped; the next run goes on from here.".to_owned()
        } else if self.waiting() > 0 {
            "In step, apart from what waits.".to_owned()
        } else if asks > 0 {
            "In step, apart from what needs a person.".to_owned()
        } else {
            "In step.".to_owned()
        }
    }

    /// What is not done: the work that waits, and what only a person can settle.
    fn for_people(&self, page: &mut Page) {
        let (later, blocked) = (self.due_later(), self.blocked());
        if later > 0 {
            page.line("waiting", format_args!("{later} records, due later"));
        }
        if blocked > 0 {
            let what = "records, for a parent to be linked";
            page.line("waiting", format_args!("{blocked} {what}"));
        }
        for work in self.rest.iter().take(SHOWN) {
            let (side, due) = (work.task.side().title(), work.not_before);
            let (mapping, id) = (work.task.mapping(), work.task.record_id());
            let text = format!("{mapping}, {side} {id}, {due}: {}", why(work));
            page.line("", format_args!("{}", printable(&text)));
        }
        if self.rest.len() > SHOWN {
            let more = self.rest.len() - SHOWN;
            page.line("", format_args!("{more} more; --json lists them"));
        }
        if self.holds() > 0 {
            let held = self.holds();
            page.line(
                "held",
                format_args!("{held} values (`tandem links list --held`)"),
            );
        }
        if self.open_conflicts() > 0 {
            let open = self.open_conflicts();
            page.line(
                "undecided",
                format_args!("{open} conflicts (`tandem conflicts list --state open`)"),
            );
        }
        if self.dead_letters() > 0 {
            let dead = self.dead_letters();
            page.line(
                "failed",
                format_args!("{dead} dead letters (`tandem dead-letters list`)"),
            );
        }
    }
}

/// Text that grows by labelled lines.
struct Page(String);

impl Page {
    fn line(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        writeln!(self.0, "  {name:<12} {value}").unwrap_or_default();
    }
}

fn work_json(work: &Claimed) -> Value {
    json!({
        "kind": work.task.kind(),
        "mapping": work.task.mapping().as_str(),
        "side": work.task.side().as_str(),
        "record": work.task.record_id(),
        "due": work.not_before.to_string(),
        "attempts": work.attempts,
        "code": work.failure.as_ref().map(|failure| &failure.code),
        "why": why(work),
    })
}
