//! What this process counts, for Prometheus. Nothing in it names a person or holds a value of a
//! record, and every label is a closed set or the name of a workspace.
//!
//! A scrape takes one bounded query and copies counts: with ten thousand workspaces those after
//! the first thousand by name are in the sums alone. By name and not by what they did, so that a
//! series stays once it is there. How long changes took is told for all workspaces together, since
//! a histogram for each would be two dozen series more of a workspace; `runs` tells it of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::exposition::{CONTENT_TYPE, Exposition, Kind, seconds};
use super::looking::overdue_millis;
use crate::crm::{CallCounts, CallOutcome, Day};
use crate::model::{BySide, ErrorClass, HoldReason, Side, Timestamp, WorkspaceId};
use crate::pipeline::LANE;
use crate::store::Attention;
use crate::sync::{Results, VerdictClass};

/// Workspaces with series of their own, the first by name: more would drown what reads them.
const WORKSPACES: u32 = 1_000;

pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let mut all = Exposition::default();
    arrivals(&mut all, &api);
    work(&mut all, &api);
    results(&mut all, &api.service.results());
    let traffic = &api.keeper.traffic;
    calls(&mut all, &traffic.sums());
    of_connections(&mut all, &traffic.first(WORKSPACES as usize));
    match api.store.attention(LANE, WORKSPACES).await {
        Ok(found) => of_workspaces(&mut all, &found, api.clock.now()),
        Err(error) => tracing::warn!(%error, "what waits in the workspaces could not be counted"),
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], all.into_text()).into_response()
}

#[rustfmt::skip]
fn arrivals(all: &mut Exposition, api: &Api) {
    let counts = &api.counts;
    let mut put = |name, what, place: &AtomicU64| {
        all.family(Kind::Counter, name, what).sample(&[], place.load(Ordering::Relaxed));
    };
    put("webhook_requests_total", "Webhook requests.", &counts.requests);
    put("webhook_events_total", "Events in webhooks.", &counts.events);
    put("webhook_unknown_total", "Events that no workspace has a place for.", &counts.unknown);
    put("webhook_refused_total", "Webhooks that were refused.", &counts.refused);
    put("webhook_deferred_total", "Webhooks told to come again.", &counts.deferred);
}

#[rustfmt::skip]
fn work(all: &mut Exposition, api: &Api) {
    let now = api.service.figures();
    let mut put = |kind, name, what, value| all.family(kind, name, what).sample(&[], value);
    put(Kind::Gauge, "engines_open", "Engines open in this process.", now.open);
    put(Kind::Gauge, "workspaces_troubled", "Workspaces not worked on.", now.troubled);
    let what = "Announced by webhooks, and not marked yet.";
    put(Kind::Gauge, "inbox_records", what, now.inbox);
    put(Kind::Counter, "steps_total", "Steps of all workspaces.", now.steps);
    put(Kind::Counter, "writes_total", "Records written to either CRM.", now.writes);
}

/// What attempts came to, and how long changes took.
fn results(all: &mut Exposition, results: &Results) {
    let what = "Attempts at a marked record, by what they came to.";
    let mut family = all.family(Kind::Counter, "verdicts_total", what);
    for class in VerdictClass::ALL {
        let count = results.verdicts.get(&class).copied().unwrap_or(0);
        family.sample(&[("verdict", class.as_str())], count);
    }
    let what = "Attempts that did not settle their record, by why.";
    let mut family = all.family(Kind::Counter, "setbacks_total", what);
    for class in ErrorClass::ALL {
        let count = results.setbacks.get(&class).copied().unwrap_or(0);
        family.sample(&[("class", class.as_str())], count);
    }
    let what = "Values held anew, by why.";
    let mut family = all.family(Kind::Counter, "values_held_total", what);
    for reason in HoldReason::ALL {
        let count = results.held.get(&reason).copied().unwrap_or(0);
        family.sample(&[("reason", reason.as_str())], count);
    }
    let (lag, what) = (&results.lag, "From a change's mark to its end.");
    let mut family = all.family(Kind::Histogram, "lag_seconds", what);
    family.seconds(lag.up_to(), lag.count(), lag.sum_millis());
}

/// Calls of all connections together.
fn calls(all: &mut Exposition, sums: &BySide<CallCounts>) {
    let mut family = all.family(
        Kind::Counter,
        "calls_total",
        "API calls, by how they ended.",
    );
    for side in Side::BOTH {
        for outcome in CallOutcome::ALL {
            let labels = [("side", side.as_str()), ("outcome", outcome.as_str())];
            family.sample(&labels, sums.get(side).ended(outcome));
        }
    }
    let what = "API calls that were refused because there were too many.";
    let mut family = all.family(Kind::Counter, "calls_limited_total", what);
    for side in Side::BOTH {
        family.sample(&[("side", side.as_str())], sums.get(side).limited);
    }
}

/// Calls of each connection, and the day's calls as far as the platform told.
fn of_connections(all: &mut Exposition, found: &[(WorkspaceId, BySide<CallCounts>)]) {
    let each = || {
        let both = found.iter().flat_map(|(ws, counts)| {
            Side::BOTH.map(|side| (ws.as_str(), side.as_str(), counts.get(side)))
        });
        both.filter(|(.., counts)| counts.total() > 0)
    };
    let what = "API calls of a connection, by how they ended.";
    let mut family = all.family(Kind::Counter, "connection_calls_total", what);
    for (ws, side, counts) in each() {
        for outcome in CallOutcome::ALL {
            let outcome_label = ("outcome", outcome.as_str());
            let labels = [("workspace", ws), ("side", side), outcome_label];
            family.sample(&labels, counts.ended(outcome));
        }
    }
    let what = "API calls of a connection that were refused because there were too many.";
    let mut family = all.family(Kind::Counter, "connection_calls_limited_total", what);
    for (ws, side, counts) in each() {
        family.sample(&[("workspace", ws), ("side", side)], counts.limited);
    }
    let mut daily = |name, what, of: fn(Day) -> u64| {
        let mut family = all.family(Kind::Gauge, name, what);
        for (ws, side, counts) in each() {
            if let Some(day) = counts.day {
                family.sample(&[("workspace", ws), ("side", side)], of(day));
            }
        }
    };
    let what = "API calls of the day that everybody has used, as the platform told last.";
    daily("connection_daily_calls_used", what, |day| day.used);
    let what = "API calls that the platform allows in a day, as it told last.";
    daily("connection_daily_calls_limit", what, |day| day.limit);
}

/// What waits in each workspace.
fn of_workspaces(all: &mut Exposition, found: &[Attention], now: Timestamp) {
    let mut gauge = |name, what, value: &dyn Fn(&Attention) -> String| {
        let mut family = all.family(Kind::Gauge, name, what);
        for one in found {
            family.sample(&[("workspace", one.workspace.as_str())], value(one));
        }
    };
    let what = "For how long the oldest work that is due has been due.";
    gauge("backlog_age_seconds", what, &|one| {
        seconds(overdue_millis(one.due, now))
    });
    let what = "Work that failed for good and waits for a person.";
    gauge("dead_letters_open", what, &|one| {
        one.dead_letters.to_string()
    });
    gauge("holds_open", "Values that are held back.", &|one| {
        one.holds.to_string()
    });
    let what = "Edits of both sides that wait for a person.";
    gauge("conflicts_open", what, &|one| one.conflicts.to_string());
}
