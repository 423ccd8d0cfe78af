//! For machines that watch: alive, and ready.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::Api;
use super::error::{ApiError, Code};
use super::metrics::metrics;

pub fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
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
