//! Webhooks in: checked, stored as marks, answered. Hints only: nothing in a body becomes a value.
//!
//! The answer is sent after the commit. Requests that arrive together share one commit, so that a
//! flood costs few of them. What cannot be placed is answered and counted, because a platform would
//! send it again for a day otherwise.

mod hubspot;
mod intake;
mod salesforce;
mod signature;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;

use super::Api;

pub use intake::Intake;
pub use salesforce::path as salesforce_path;

/// A hundred events with long values stay below.
const BODY_CAP: usize = 1024 * 1024;

/// What arrived since the start.
#[derive(Debug, Default)]
pub struct Counts {
    pub requests: AtomicU64,
    pub events: AtomicU64,
    /// Events of accounts or objects that no workspace has.
    pub unknown: AtomicU64,
    /// Requests that were not what they claimed to be.
    pub refused: AtomicU64,
    /// Requests that were told to come again.
    pub deferred: AtomicU64,
}

impl Counts {
    fn add(place: &AtomicU64, number: usize) {
        place.fetch_add(number as u64, Ordering::Relaxed);
    }
}

pub fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/webhooks/hubspot", post(hubspot::receive))
        .route("/webhooks/salesforce/{token}", post(salesforce::receive))
        .layer(DefaultBodyLimit::max(BODY_CAP))
}
