//! What every request to the API passes first: whose key it is, whether that key asks too often,
//! and whether the request came before.
//!
//! Handlers find the [`Caller`] in the request afterwards. Commands that have the store at hand
//! bring theirs along and pass unasked.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::caller::{Caller, bearer, id_of};
use super::error::{ApiError, Code};
use super::limits::{Counted, Left};
use super::listen::{Peer, Seat};
use super::{TIME_OUT, repeats};
use crate::store::ApiKey;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const FORWARDED: &str = "x-forwarded-for";

/// Which limit is told of, as the draft of the two headers wants a name for it.
#[derive(Clone, Copy, Debug)]
enum Limit {
    Requests,
    Failures,
}

impl Limit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Failures => "failures",
        }
    }
}

struct Refused {
    error: ApiError,
    limit: Option<(Limit, Left)>,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        let limit = None;
        Self { error, limit }
    }
}

impl Refused {
    fn too_many(limit: Limit, left: Left, what: &str) -> Self {
        let why = format!("{what}; try again in {} s", left.seconds);
        Self {
            error: ApiError::new(Code::TooManyRequests, why),
            limit: Some((limit, left)),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let late = self.error.code == Code::TooManyRequests;
        let mut response = self.error.into_response();
        if let Some((limit, left)) = self.limit {
            tell(response.headers_mut(), limit, left);
            if late {
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, HeaderValue::from(left.seconds));
            }
        }
        response
    }
}

/// Lets a request through to the API, or says why not.
pub(super) async fn admit(
    State(api): State<Arc<Api>>,
    mut request: Request,
    next: Next,
) -> Response {
    if request.extensions().get::<Caller>().is_some() {
        return next.run(request).await;
    }
    let (key, left) = match pass(&api, request.headers(), request.extensions()).await {
        Ok(passed) => passed,
        Err(refused) => return refused.into_response(),
    };
    request.extensions_mut().insert(Caller::of(&key));
    let mut response = if request.method() == Method::POST {
        // Boxed, because it holds the whole request.
        let answered = Box::pin(repeats::once(&api, &key, request, next)).await;
        answered.unwrap_or_else(ApiError::into_response)
    } else {
        next.run(request).await
    };
    tell(response.headers_mut(), Limit::Requests, left);
    response
}

/// The key of a request, and what is left of its minute.
async fn pass(
    api: &Api,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<(ApiKey, Left), Refused> {
    let now = api.clock.now();
    let from = address(headers, extensions);
    let failed = |counted: Counted| {
        let what = "too many requests without a good key came from this address";
        counted.map_err(|left| Refused::too_many(Limit::Failures, left, what))
    };
    let text = bearer(headers);
    // Whoever shows a key that was good lately is no stranger, wherever else failures come from.
    let known = text
        .and_then(id_of)
        .is_some_and(|id| api.limits.is_known(id));
    if let Some(from) = from.filter(|_| !known) {
        failed(api.limits.may_try(from, now))?;
    }
    let key = match text {
        Some(text) => api.key_of(text).await?,
        None => None,
    };
    let Some(key) = key else {
        if let Some(from) = from {
            failed(api.limits.failure(from, now))?;
        }
        return Err(ApiError::unauthenticated().into());
    };
    let what = "the key has asked too often";
    let counted = api.limits.request(&key.id, now);
    let left = counted.map_err(|left| Refused::too_many(Limit::Requests, left, what))?;
    Ok((key, left))
}

/// Where a request comes from. A proxy on this machine or its network is believed who called it; it
/// adds that at the end. `None` for a request that came over no connection.
fn address(headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
    let Peer(peer) = *extensions.get::<Peer>()?;
    let near = match peer.to_canonical() {
        IpAddr::V4(four) => four.is_loopback() || four.is_private(),
        IpAddr::V6(six) => six.is_loopback() || six.is_unique_local(),
    };
    let told = || {
        let last = headers.get_all(FORWARDED).iter().next_back()?;
        last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    Some(near.then(told).flatten().unwrap_or(peer))
}

/// `RateLimit` and `RateLimit-Policy` as draft-ietf-httpapi-ratelimit-headers-10 has them.
fn tell(headers: &mut HeaderMap, limit: Limit, left: Left) {
    let name = limit.as_str();
    let policy = format!("\"{name}\";q={};w=60", left.quota);
    let now = format!("\"{name}\";r={};t={}", left.left, left.seconds);
    for (header, text) in [(POLICY, policy), (LIMIT, now)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(header, value);
        }
    }
}

/// Refuses a path that is no text, which no handler would know what to do with. Ends a request that
/// takes too long, and says whose fault it is.
pub(super) async fn bounded(request: Request, next: Next) -> Response {
    if !is_text(request.uri().path()) {
        return ApiError::bad("the path is not UTF-8").into_response();
    }
    let seat = request.extensions().get::<Seat>().cloned();
    let limit = seat.as_ref().map_or(TIME_OUT, Seat::request_time);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) if seat.is_some_and(|seat| seat.is_receiving()) => {
            let why = "the body did not arrive in time";
            ApiError::new(Code::TooSlow, why).into_response()
        }
        Err(_) => ApiError::too_long().into_response(),
    }
}

/// Whether a path is UTF-8 once its escapes are undone.
fn is_text(path: &str) -> bool {
    let mut bytes = Vec::with_capacity(path.len());
    let mut left = path.as_bytes();
    while let Some((first, rest)) = left.split_first() {
        let escaped = rest.get(..2).filter(|_| *first == b'%');
        let escaped = escaped.and_then(|two| std::str::from_utf8(two).ok());
        match escaped.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                left = &rest[2..];
            }
            None => {
                bytes.push(*first);
                left = rest;
            }
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_before_a_path_is_judged() {
        for good in [
            "", "/a", "/a%2Fb", "/%C3%A9", "/é", "/%", "/%zz", "/a%2", "/%+1",
        ] {
            assert!(is_text(good), "{good}");
        }
        for bad in ["/%FF", "/%c3", "/%C3%28"] {
            assert!(!is_text(bad), "{bad}");
        }
    }

    #[test]
    fn only_a_proxy_nearby_is_believed_who_called() {
        let mut headers = HeaderMap::new();
        let told = HeaderValue::from_static("203.0.113.7, 198.51.100.2");
        headers.insert(FORWARDED, told);
        let mut extensions = Extensions::new();
        assert_eq!(address(&headers, &extensions), None);
        for (peer, whose) in [
            ("127.0.0.1", "198.51.100.2"),
            ("::1", "198.51.100.2"),
            ("::ffff:10.1.2.3", "198.51.100.2"),
            ("192.0.2.9", "192.0.2.9"),
        ] {
            extensions.insert(Peer(peer.parse().unwrap()));
            let whose: IpAddr = whose.parse().unwrap();
            assert_eq!(address(&headers, &extensions), Some(whose), "{peer}");
        }
        headers.insert(FORWARDED, HeaderValue::from_static("unknown"));
        extensions.insert(Peer(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(
            address(&headers, &extensions),
            Some(IpAddr::from([127, 0, 0, 1]))
        );
    }
}
