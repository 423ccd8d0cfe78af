//! Puts a simulator's router on a loopback port, and the simulator's own movable time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::DATE;
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use tokio_util::sync::CancellationToken;

use super::line::{Line, Scissors, cut_where_told};
use crate::clock::Clock;
use crate::model::Timestamp;

/// The time a simulator lives in: the process clock plus an offset that test control moves.
#[derive(Clone, Debug)]
pub struct SimClock {
    clock: Clock,
    offset_millis: Arc<AtomicI64>,
}

impl SimClock {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            offset_millis: Arc::new(AtomicI64::new(0)),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock
            .now()
            .plus_millis(self.offset_millis.load(Ordering::SeqCst))
    }

    pub fn advance_millis(&self, millis: i64) {
        self.offset_millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// Puts this time on every reply, to the second, as both platforms do.
    pub(super) fn dated(self, router: Router) -> Router {
        router.layer(map_response(move |mut response: Response| {
            let date = self.now().utc().format("%a, %d %b %Y %H:%M:%S GMT");
            if let Ok(date) = HeaderValue::try_from(date.to_string()) {
                response.headers_mut().insert(DATE, date);
            }
            std::future::ready(response)
        }))
    }
}

/// A simulator that listens; it stops when this is dropped or [`Running::stop`] is called.
#[derive(Debug)]
pub struct Running {
    pub address: SocketAddr,
    stop: CancellationToken,
}

impl Running {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Serves `router` on `127.0.0.1:port`; port 0 takes a free one.
pub async fn serve(router: Router, port: u16) -> std::io::Result<Running> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let service = router
        .layer(from_fn(cut_where_told))
        .into_make_service_with_connect_info::<Scissors>();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(Line(listener), service)
            .with_graceful_shutdown(stopped)
            .await
        {
            tracing::error!(%error, "simulator stopped");
        }
    });
    Ok(Running { address, stop })
}
