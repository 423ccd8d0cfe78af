//! The id of a request: taken from its `x-request-id` or made, on every line that is logged while
//! it is answered, in the answer's headers, and in the body of an error.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use tracing::field::Empty;

use super::Api;
use crate::telemetry::name_trace;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST: usize = 128;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that is being answered, if one is.
pub(super) fn request_id() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Takes the id of the request that is being answered along into a task of its own.
pub(super) async fn along<T>(id: Option<String>, work: impl Future<Output = T>) -> T {
    match id {
        Some(id) => CURRENT.scope(id, work).await,
        None => work.await,
    }
}

/// Around all routes.
pub(super) async fn trace(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER);
    let given = given.and_then(|value| value.to_str().ok());
    let id = match given.filter(|text| is_sound(text)) {
        Some(text) => text.to_owned(),
        None => format!("req_{}", api.ids.next()),
    };
    // The path itself may be a secret: whoever knows a connect link may use it.
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    // At the highest level, so that every line has it, whatever the filter lets through.
    let (trace_id, status) = (Empty, Empty);
    let span = tracing::error_span!("request", request_id = id, %method, route, status, trace_id);
    name_trace(&span);
    let answer = async {
        let answer = CURRENT.scope(id.clone(), next.run(request)).await;
        let status = answer.status().as_u16();
        if route.starts_with("/v1/") {
            tracing::info!(status, "answered");
        } else {
            tracing::debug!(status, "answered");
        }
        answer
    };
    let mut answer = answer.instrument(span.clone()).await;
    span.record("status", answer.status().as_u16());
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(HEADER, value);
    }
    answer
}

/// What others give is logged and sent back, so it has to be plain and short.
fn is_sound(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_forge_a_line_is_not_taken_over() {
        assert!(is_sound("req_01:a.b-C"));
        for wrong in ["", "a b", "a\nb", "ä", "{}", &"x".repeat(129)] {
            assert!(!is_sound(wrong), "{wrong}");
        }
    }
}
