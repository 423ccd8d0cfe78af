//! For machines that watch: alive, ready, figures.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Api;
use super::error::{ApiError, Code};
use super::looking::overdue_millis;
use crate::model::Timestamp;
use crate::pipeline::LANE;
use crate::store::Attention;

/// Workspaces with figures of their own, the first by name: more would drown what reads them.
const WORKSPACES: u32 = 1_000;

pub fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(figures))
}

/// Ready when the store answers.
async fn ready(State(api): State<Arc<Api>>) -> Result<&'static str, ApiError> {
    let answered = api.store.workspaces("", 1).await;
    answered.map_err(|error| {
        tracing::warn!(%error, "not ready");
        ApiError::new(Code::Unavailable, "the store does not answer")
    })?;
    Ok("ready\n")
}

/// One row: name, kind, what it says, value.
type Figure = (&'static str, &'static str, &'static str, u64);

/// Figures in Prometheus' text format. None of them names a person or a value.
async fn figures(State(api): State<Arc<Api>>) -> Response {
    let mut text = String::new();
    for (name, kind, what, value) in arrivals(&api).into_iter().chain(work(&api)) {
        // Writing to a string cannot fail.
        write!(
            text,
            "# HELP tandem_{name} {what}\n# TYPE tandem_{name} {kind}\ntandem_{name} {value}\n"
        )
        .ok();
    }
    match api.store.attention(LANE, WORKSPACES).await {
        Ok(found) => text.push_str(&by_workspace(&found, api.clock.now())),
        Err(error) => tracing::warn!(%error, "what waits in the workspaces could not be counted"),
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// What waits in each workspace.
fn by_workspace(found: &[Attention], now: Timestamp) -> String {
    let seconds = |one: &Attention| {
        let millis = overdue_millis(one.due, now);
        format!("{}.{:03}", millis / 1_000, millis % 1_000)
    };
    let mut text = String::new();
    let mut gauge = |name: &str, what: &str, value: &dyn Fn(&Attention) -> String| {
        write!(
            text,
            "# HELP tandem_{name} {what}\n# TYPE tandem_{name} gauge\n"
        )
        .ok();
        for one in found {
            let (ws, value) = (label(one.workspace.as_str()), value(one));
            writeln!(text, "tandem_{name}{{workspace=\"{ws}\"}} {value}").ok();
        }
    };
    let what = "For how long the oldest work that is due has been due.";
    gauge("backlog_age_seconds", what, &seconds);
    let what = "Work that failed for good and waits for a person.";
    gauge("dead_letters_open", what, &|one| {
        one.dead_letters.to_string()
    });
    gauge("holds_open", "Values that are held back.", &|one| {
        one.holds.to_string()
    });
    let what = "Edits of both sides that wait for a person.";
    gauge("conflicts_open", what, &|one| one.conflicts.to_string());
    text
}

/// The value of a label, as Prometheus reads it.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[rustfmt::skip]
fn arrivals(api: &Api) -> [Figure; 5] {
    let counts = &api.counts;
    let count = |place: &AtomicU64| place.load(Ordering::Relaxed);
    let of = |name, what, place| (name, "counter", what, count(place));
    [
        of("webhook_requests_total", "Webhook requests.", &counts.requests),
        of("webhook_events_total", "Events in webhooks.", &counts.events),
        of("webhook_unknown_total", "Events that no workspace has a place for.", &counts.unknown),
        of("webhook_refused_total", "Webhooks that were refused.", &counts.refused),
        of("webhook_deferred_total", "Webhooks told to come again.", &counts.deferred),
    ]
}

#[rustfmt::skip]
fn work(api: &Api) -> [Figure; 5] {
    let now = api.service.figures();
    [
        ("engines_open", "gauge", "Engines open in this process.", now.open),
        ("workspaces_troubled", "gauge", "Workspaces not worked on.", now.troubled),
        ("inbox_records", "gauge", "Announced by webhooks, and not marked yet.", now.inbox),
        ("steps_total", "counter", "Attempts of all workspaces.", now.steps),
        ("writes_total", "counter", "Records written to either CRM.", now.writes),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WorkspaceId;

    #[test]
    fn a_name_cannot_break_out_of_its_label() {
        let one = Attention {
            workspace: WorkspaceId::new("a\"} 1\nb\\"),
            due: Some(Timestamp::from_millis(1_000)),
            dead_letters: 2,
            holds: 3,
            conflicts: 4,
        };
        let text = by_workspace(&[one], Timestamp::from_millis(3_500));
        let row = "tandem_backlog_age_seconds{workspace=\"a\\\"} 1\\nb\\\\\"} 2.500\n";
        assert!(text.contains(row), "{text}");
        assert_eq!(text.lines().count(), 12, "{text}");
    }
}
