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
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
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
fn work(api: &Api) -> [Figure; 4] {
    let now = api.service.figures();
    [
        ("engines_open", "gauge", "Engines open in this process.", now.open),
        ("workspaces_troubled", "gauge", "Workspaces not worked on.", now.troubled),
        ("steps_total", "counter", "Attempts of all workspaces.", now.steps),
        ("writes_total", "counter", "Records written to either CRM.", now.writes),
    ]
}
