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

/// Figures in Prometheus' text format. None of them names a person or a value.
async fn figures(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let counts = &api.counts;
    let count = |place: &AtomicU64| place.load(Ordering::Relaxed);
    let standing = api.service.figures();
    let rows = [
        (
            "webhook_requests_total",
            "counter",
            "Webhook requests.",
            count(&counts.requests),
        ),
        (
            "webhook_events_total",
            "counter",
            "Events in webhooks.",
            count(&counts.events),
        ),
        (
            "webhook_unknown_total",
            "counter",
            "Events of accounts or objects that no workspace has.",
            count(&counts.unknown),
        ),
        (
            "webhook_refused_total",
            "counter",
            "Webhooks that were refused.",
            count(&counts.refused),
        ),
        (
            "webhook_deferred_total",
            "counter",
            "Webhooks that were told to come again.",
            count(&counts.deferred),
        ),
        (
            "engines_open",
            "gauge",
            "Engines that are open in this process.",
            standing.open,
        ),
        (
            "workspaces_troubled",
            "gauge",
            "Workspaces that this process cannot work on.",
            standing.troubled,
        ),
        (
            "steps_total",
            "counter",
            "Attempts of all workspaces.",
            standing.steps,
        ),
        (
            "writes_total",
            "counter",
            "Records written to either CRM.",
            standing.writes,
        ),
    ];
    let mut text = String::new();
    for (name, kind, what, value) in rows {
        // Writing to a string cannot fail.
        write!(
            text,
            "# HELP tandem_{name} {what}\n# TYPE tandem_{name} {kind}\ntandem_{name} {value}\n"
        )
        .ok();
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
