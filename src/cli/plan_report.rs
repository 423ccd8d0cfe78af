//! What `tandem plan` shows: each write, rule by rule, what stands out, and what it would cost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::app::{Engine, PlanFile, named, row_json};
use crate::model::{BySide, Fields, IntentKind, LinkState, PlannedWrite, Raw, Side};
use crate::store::StoreError;

use super::apply_report::both;
use super::output::table;
use super::run_report::RunReport;

/// Rows of the table for people; `--json` and `--html` have them all.
const SHOWN: usize = 200;
/// Owners that are named; the others are counted together.
const OWNERS: usize = 10;
/// What one call to Salesforce takes, about, where nothing limits how many there are a second.
const CALL_MILLIS: u64 = 400;
const HUBSPOT_SPAN_MILLIS: u64 = 10_000;
const HUBSPOT_CALLS: u64 = 100;

pub struct PlanReport {
    pub file: PlanFile,
    /// Pairs that would be linked.
    pub links: u64,
    /// Records that wait and are not in the plan.
    pub waiting: u64,
    daily: BySide<Option<u64>>,
    millis: u64,
}

impl PlanReport {
    /// What `engine` would write. `linked` are the links its store had at the start, by state.
    pub async fn of(
        engine: &Engine,
        linked: &BTreeMap<LinkState, u64>,
        rest: &RunReport,
    ) -> Result<Self, StoreError> {
        let site = engine.site();
        let links = site.store.summary(&site.workspace).await?.links;
        let count =
            |links: &BTreeMap<LinkState, u64>| links.get(&LinkState::Linked).copied().unwrap_or(0);
        let file = engine.plan_file();
        let crms = engine.crms();
        let usage = BySide::new(crms.hubspot.usage(), crms.salesforce.usage());
        let burst = usage.hubspot.burst_limit.unwrap_or(HUBSPOT_CALLS);
        let span = usage.hubspot.burst_window_ms.unwrap_or(HUBSPOT_SPAN_MILLIS);
        Ok(Self {
            millis: millis(&file.calls, burst, span),
            file,
            links: count(&links).saturating_sub(count(linked)),
            waiting: rest.waiting(),
            daily: BySide::from_fn(|side| usage.get(side).daily_limit),
        })
    }

    /// A plan that a service made, with what it told of it beside the rows.
    pub fn told(file: PlanFile, found: &Value) -> Self {
        let count = |name: &str| found[name].as_u64().unwrap_or(0);
        Self {
            millis: millis(&file.calls, HUBSPOT_CALLS, HUBSPOT_SPAN_MILLIS),
            file,
            links: count("links"),
            waiting: count("waiting"),
            daily: BySide::default(),
        }
    }

    /// The rows that would send something: a new record has no value in most fields.
    pub fn writes(&self) -> impl Iterator<Item = &PlannedWrite> {
        self.file.says()
    }

    pub fn is_empty(&self) -> bool {
        self.writes().next().is_none()
    }

    /// Records by owner, the most first.
    pub fn owners(&self) -> Vec<(String, usize)> {
        let mut records: BTreeMap<&str, BTreeSet<(&str, String)>> = BTreeMap::new();
        for write in self.writes() {
            let owner = write.owner.as_deref().unwrap_or("nobody");
            let record = (write.mapping.as_str(), named(write));
            records.entry(owner).or_default().insert(record);
        }
        let mut owners: Vec<(String, usize)> = records
            .into_iter()
            .map(|(owner, records)| (owner.to_owned(), records.len()))
            .collect();
        owners.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let rest: usize = owners.iter().skip(OWNERS).map(|(_, count)| count).sum();
        owners.truncate(OWNERS);
        if rest > 0 {
            owners.push(("others".to_owned(), rest));
        }
        owners
    }

    /// The share of the day's calls that carrying it out takes, in percent.
    pub fn daily_percent(&self, side: Side) -> Option<f64> {
        let limit = (*self.daily.get(side)).filter(|limit| *limit > 0)?;
        #[allow(
            clippy::cast_precision_loss,
            reason = "calls are few enough for a float"
        )]
        let percent = *self.file.calls.get(side) as f64 / limit as f64 * 100.0;
        Some((percent * 100.0).round() / 100.0)
    }

    /// Seconds that carrying it out takes under the limits of now, about.
    pub const fn seconds(&self) -> u64 {
        self.millis.div_ceil(1_000)
    }

    /// What stands out first: deletes, then emptied values, then the rest as it comes.
    pub fn sorted(&self) -> Vec<&PlannedWrite> {
        let mut writes: Vec<&PlannedWrite> = self.writes().collect();
        writes.sort_by_key(|write| (write.kind != IntentKind::Archive, !write.blanks()));
        writes
    }

    pub fn json(&self) -> Value {
        let records: Vec<Value> = self
            .file
            .totals()
            .into_iter()
            .map(|((mapping, side, kind), count)| {
                let (side, kind) = (side.as_str(), kind.as_str());
                json!({"mapping": mapping, "side": side, "kind": kind, "records": count})
            })
            .collect();
        let owners = self.owners().into_iter();
        let percent =
            Side::BOTH.map(|side| (side.as_str().to_owned(), json!(self.daily_percent(side))));
        json!({
            "digest": self.file.digest(),
            "writes": self.writes().map(row_json).collect::<Vec<_>>(),
            "records": records,
            "owners": owners
                .map(|(owner, count)| json!({"owner": owner, "records": count}))
                .collect::<Vec<_>>(),
            "deletes": self.file.deletes(),
            "blanks": self.file.blanks(),
            "links": self.links,
            "waiting": self.waiting,
            "calls": both(&self.file.calls),
            "daily_percent": Value::Object(percent.into_iter().collect()),
            "seconds": self.seconds(),
        })
    }

    pub fn text(&self) -> String {
        let waiting = match self.waiting {
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
        let mut text = String::new();
        if self.file.deletes() + self.file.blanks() > 0 {
            let (deletes, blanks) = (self.file.deletes(), self.file.blanks());
            let parts = [
                (
                    deletes,
                    format!("{} would be deleted", records(deletes as u64)),
                ),
                (blanks, format!("{blanks} values would be emptied")),
            ];
            let there = parts.into_iter().filter(|(count, _)| *count > 0);
            let parts: Vec<String> = there.map(|(_, part)| part).collect();
            writeln!(text, "Look first: {}.\n", parts.join(", ")).unwrap_or_default();
        }
        let headers = ["mapping", "to", "record", "rule", "now", "would be", "why"];
        let sorted = self.sorted();
        let rows = sorted.iter().take(SHOWN).map(|write| row_text(write));
        text.push_str(&table(&headers, rows.collect()));
        let hidden = sorted.len().saturating_sub(SHOWN);
        if hidden > 0 {
            writeln!(text, "{hidden} more rows; --json and --html show all.").unwrap_or_default();
        }
        text.push('\n');
        self.figures(&mut text);
        text.push_str(&links);
        text.push_str(&waiting);
        text.push_str("Nothing was written.\n");
        text
    }

    fn figures(&self, text: &mut String) {
        for ((mapping, side, kind), count) in self.file.totals() {
            writeln!(
                text,
                "{:<11} {mapping}: {} {}",
                side.title(),
                records(count),
                doing(kind)
            )
            .unwrap_or_default();
        }
        let owners = self.owners();
        let owners: Vec<String> = owners
            .into_iter()
            .map(|(owner, count)| format!("{owner} {count}"))
            .collect();
        writeln!(text, "owners      {}", owners.join(", ")).unwrap_or_default();
        if self.file.calls == BySide::default() {
            return;
        }
        for side in Side::BOTH {
            let share = self.daily_percent(side).map(shown_percent);
            let share = share.map_or_else(String::new, |share| format!(", {share} of a day's"));
            let calls = self.file.calls.get(side);
            writeln!(text, "{:<11} {calls} calls{share}", side.title()).unwrap_or_default();
        }
        writeln!(text, "takes       about {} s", self.seconds()).unwrap_or_default();
    }
}

/// How long these calls take, when HubSpot takes `burst` of them in `span` milliseconds.
fn millis(calls: &BySide<u64>, burst: u64, span: u64) -> u64 {
    (calls.hubspot * span / burst.max(1)).max(calls.salesforce * CALL_MILLIS)
}

/// A share that is not nothing is not shown as nothing.
pub fn shown_percent(percent: f64) -> String {
    if percent < 0.01 {
        "under 0.01 %".to_owned()
    } else {
        format!("{percent} %")
    }
}

/// `1 record`, `2 records`.
fn records(count: u64) -> String {
    match count {
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    }
}

/// What happens to a record, in a word.
pub const fn doing(kind: IntentKind) -> &'static str {
    match kind {
        IntentKind::Create => "created",
        IntentKind::Update | IntentKind::Associate => "updated",
        IntentKind::Archive => "deleted",
    }
}

pub fn rule_of(write: &PlannedWrite) -> String {
    if write.rule.is_empty() {
        format!("({})", doing(write.kind))
    } else {
        write.rule.clone()
    }
}

fn row_text(write: &PlannedWrite) -> Vec<String> {
    vec![
        write.mapping.to_string(),
        write.side.title().to_owned(),
        named(write),
        rule_of(write),
        values(&write.before, &write.after),
        values(&write.after, &write.after),
        write.reason.clone(),
    ]
}

/// The values of the fields that would be sent.
pub fn values(of: &Fields, sent: &Fields) -> String {
    let texts: Vec<&str> = sent
        .keys()
        .map(|name| of.get(name).and_then(Raw::as_text).unwrap_or("(blank)"))
        .collect();
    texts.join(" / ")
}
