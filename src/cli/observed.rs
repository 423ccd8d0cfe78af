//! `tandem observed`: what a run that observes would have written on a day, and what others wrote.
//!
//! Reads the store alone, beside a run that has it. What came of each write was judged by the run.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveTime};
use clap::Args;
use serde_json::{Value, json};

use crate::app::fields_json;
use crate::model::{Fields, IntentKind, MappingName, RecordId, Side, Timestamp};
use crate::store::{ShadowState, ShadowWrite};

use super::arguments::DataArgs;
use super::data::Data;
use super::output::{Advice, Outcome, Output, table};
use super::plan_report::{doing, values};

const PAGE: u32 = 1_000;
const DAY_MILLIS: i64 = 24 * 3_600_000;
/// Rows that are listed one by one.
const LISTED: usize = 20;
const LEGEND: &str = "\nsame: others wrote the same, in the time shown (median); otherwise: they \
                      wrote something else;\nnobody: not written yet; taken back: there is nothing \
                      to write any more; synced: left to a sync.\n";
/// A write that others made is given so long to arrive before it is listed as missing.
const YOUNG_MILLIS: i64 = 3_600_000;

#[derive(Debug, Args)]
pub struct ObservedArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The day, in UTC: 2026-03-02. Today when left out.
    #[arg(long, value_name = "DATE")]
    day: Option<String>,
}

pub async fn run(args: ObservedArgs, output: &Output) -> anyhow::Result<Outcome> {
    let data = Data::open_to_read(&args.data).await?;
    let report = report(&data, args.day.as_deref()).await;
    data.close().await;
    let report = report?;
    output.answer(&report.json(), || report.text());
    Ok(match report.differs() {
        true => Outcome::Different,
        false => Outcome::Done,
    })
}

async fn report(data: &Data, day: Option<&str>) -> anyhow::Result<Report> {
    let now = data.now();
    let day = match day {
        None => now.utc().date_naive(),
        Some(text) => text.parse::<NaiveDate>().map_err(|_| {
            let what = format!("`{text}` is no day");
            Advice::new(what, "name one such as 2026-03-02")
        })?,
    };
    let from = Timestamp::from_utc(day.and_time(NaiveTime::MIN).and_utc());
    if from > now {
        let what = format!("{day} has not come yet");
        return Err(Advice::new(what, "name a day that has begun, in UTC").into());
    }
    let span = (from, from.plus_millis(DAY_MILLIS));
    let mut report = Report {
        day,
        now,
        groups: BTreeMap::new(),
        otherwise: List::default(),
        missing: List::default(),
        taken_back: List::default(),
    };
    let mut after: Option<String> = None;
    loop {
        let (store, ws) = (&data.store, &data.workspace);
        let rows = store.shadow_since(ws, span, None, after.as_deref(), PAGE);
        let rows = rows.await?;
        let Some(last) = rows.last() else {
            return Ok(report);
        };
        after = Some(last.id.clone());
        for row in rows {
            report.add(row);
        }
    }
}

/// What is counted together.
type Group = (MappingName, Side, IntentKind);

/// A value that would have been written counts once; a new record and one that goes count as one.
#[derive(Default)]
struct Counts {
    by_state: BTreeMap<ShadowState, u64>,
    /// Records with a row that was counted already, by state.
    seen: BTreeSet<(ShadowState, RecordId)>,
    /// How much later others wrote the same, in seconds.
    later: Vec<i64>,
}

impl Counts {
    fn of(&self, state: ShadowState) -> u64 {
        self.by_state.get(&state).copied().unwrap_or(0)
    }

    fn all(&self) -> u64 {
        self.by_state.values().sum()
    }

    fn median_seconds(&self) -> Option<i64> {
        let mut later = self.later.clone();
        later.sort_unstable();
        later.get(later.len() / 2).copied()
    }
}

#[derive(Default)]
struct List {
    rows: Vec<ShadowWrite>,
    more: usize,
}

impl List {
    fn push(&mut self, row: ShadowWrite) {
        if self.rows.len() < LISTED {
            self.rows.push(row);
        } else {
            self.more += 1;
        }
    }
}

struct Report {
    day: NaiveDate,
    now: Timestamp,
    groups: BTreeMap<Group, Counts>,
    /// Others wrote something else.
    otherwise: List,
    /// Nobody wrote it for an hour.
    missing: List,
    /// The edit went before anybody carried it over: by a person's hand, or by another tool's.
    taken_back: List,
}

impl Report {
    fn add(&mut self, row: ShadowWrite) {
        let group = (row.mapping.clone(), row.side, row.kind);
        let counts = self.groups.entry(group).or_default();
        let whole = matches!(row.kind, IntentKind::Create | IntentKind::Archive);
        if !whole || counts.seen.insert((row.state, row.record.clone())) {
            *counts.by_state.entry(row.state).or_default() += 1;
            if let (ShadowState::Same, Some(at)) = (row.state, row.ended_at) {
                counts.later.push(at.millis_since(row.first_at) / 1_000);
            }
            match row.state {
                ShadowState::Otherwise => self.otherwise.push(row),
                ShadowState::Open if self.now.millis_since(row.first_at) > YOUNG_MILLIS => {
                    self.missing.push(row);
                }
                ShadowState::Withdrawn if row.kind == IntentKind::Update => {
                    self.taken_back.push(row);
                }
                ShadowState::Open
                | ShadowState::Same
                | ShadowState::Withdrawn
                | ShadowState::TakenOver => {}
            }
        }
    }

    /// Others did something else, or did not do what a sync would have done.
    fn differs(&self) -> bool {
        let lists = [&self.otherwise, &self.missing, &self.taken_back];
        lists.iter().any(|list| !list.rows.is_empty())
    }

    fn json(&self) -> Value {
        let groups = self.groups.iter().map(|((mapping, side, kind), counts)| {
            let states = ShadowState::ALL.into_iter();
            let by_state = states.map(|state| (state.as_str().to_owned(), counts.of(state).into()));
            json!({
                "mapping": mapping.as_str(),
                "to": side.as_str(),
                "kind": kind.as_str(),
                "would_write": counts.all(),
                "became": by_state.collect::<serde_json::Map<_, _>>(),
                "same_after_seconds": counts.median_seconds(),
            })
        });
        let list = |list: &List| {
            json!({
                "rows": list.rows.iter().map(row_json).collect::<Vec<_>>(),
                "more": list.more,
            })
        };
        json!({
            "day": self.day.to_string(),
            "groups": groups.collect::<Vec<_>>(),
            "otherwise": list(&self.otherwise),
            "missing": list(&self.missing),
            "taken_back": list(&self.taken_back),
        })
    }

    fn text(&self) -> String {
        if self.groups.is_empty() {
            return format!(
                "{}: nothing would have been written. `tandem sync --observe` finds out.\n",
                self.day
            );
        }
        let rows = self.groups.iter().map(|((mapping, side, kind), counts)| {
            let count = |state| counts.of(state).to_string();
            let later = counts
                .median_seconds()
                .map_or_else(String::new, shown_seconds);
            vec![
                mapping.to_string(),
                side.title().to_owned(),
                doing(*kind).to_owned(),
                counts.all().to_string(),
                count(ShadowState::Same),
                later,
                count(ShadowState::Otherwise),
                count(ShadowState::Open),
                count(ShadowState::Withdrawn),
                count(ShadowState::TakenOver),
            ]
        });
        let headers = [
            "mapping",
            "to",
            "would be",
            "writes",
            "same",
            "after",
            "otherwise",
            "nobody",
            "taken back",
            "synced",
        ];
        let mut text = format!("{} (UTC)\n\n{}", self.day, table(&headers, rows.collect()));
        text.push_str(LEGEND);
        let lists = [
            (&self.otherwise, "Others wrote something else:"),
            (&self.missing, "Nobody wrote this within an hour:"),
            (
                &self.taken_back,
                "The edit was gone before anybody carried it over (a person, or another tool):",
            ),
        ];
        for (list, title) in lists {
            if list.rows.is_empty() {
                continue;
            }
            let rows = list.rows.iter().map(row_text).collect();
            let headers = ["mapping", "in", "record", "rule", "was", "we", "others"];
            text.push_str(&format!("\n{title}\n{}", table(&headers, rows)));
            if list.more > 0 {
                text.push_str(&format!("and {} more; --json counts them\n", list.more));
            }
        }
        text
    }
}

fn shown_seconds(seconds: i64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

fn named(row: &ShadowWrite) -> String {
    match row.kind {
        IntentKind::Create => format!("new, from {} {}", row.side.other().title(), row.record),
        IntentKind::Update | IntentKind::Associate | IntentKind::Archive => row.record.to_string(),
    }
}

fn row_text(row: &ShadowWrite) -> Vec<String> {
    let none = Fields::new();
    let found = row.found.as_ref().unwrap_or(&none);
    let whole = row.kind == IntentKind::Create || row.rule.is_empty();
    let value = |of: &Fields| match whole {
        true => String::new(),
        false => values(of, &row.after),
    };
    vec![
        row.mapping.to_string(),
        row.side.title().to_owned(),
        named(row),
        match whole {
            true => format!("({})", doing(row.kind)),
            false => row.rule.clone(),
        },
        value(&row.before),
        value(&row.after),
        match row.found {
            Some(_) => value(found),
            None => String::new(),
        },
    ]
}

fn row_json(row: &ShadowWrite) -> Value {
    json!({
        "mapping": row.mapping.as_str(),
        "to": row.side.as_str(),
        "kind": row.kind.as_str(),
        "record": row.record.as_str(),
        "rule": row.rule,
        "first_at": row.first_at.to_string(),
        "ended_at": row.ended_at.map(|at| at.to_string()),
        "reason": row.reason,
        "before": fields_json(&row.before),
        "after": fields_json(&row.after),
        "found": row.found.as_ref().map(fields_json),
    })
}
