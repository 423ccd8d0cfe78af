//! The HubSpot simulator, driven through its router in process: the rules a client must live with.

mod batches;
mod connect;
mod links;
mod platform;
mod records;
mod search;
mod webhooks;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use serde_json::Value;
use tandem::clock::Clock;
use tandem::model::Timestamp;
use tandem::sim::SimClock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tower::ServiceExt;

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

struct Portal {
    sim: HubSpotSim,
    clock: SimClock,
    router: Router,
    token: String,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
    text: String,
}

impl Portal {
    fn new() -> Self {
        Self::with(HubSpotOptions {
            burst_limit: 100_000,
            associations_limit: 100_000,
            search_per_second: 100_000,
            search_lag_ms: 0,
            ..HubSpotOptions::default()
        })
    }

    fn with(options: HubSpotOptions) -> Self {
        let clock = SimClock::new(Clock::manual(Timestamp::from_millis(START)));
        let token = options.token.clone();
        let sim = HubSpotSim::new(clock.clone(), options);
        let router = sim.router();
        Self {
            sim,
            clock,
            router,
            token,
        }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.raw(method, path, body, &self.token).await
    }

    async fn raw(&self, method: &str, path: &str, body: String, token: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, body).await
    }

    fn contact(&self, email: &str) -> String {
        let name = email.split('@').next().unwrap();
        self.sim
            .create("contacts", &[("email", email), ("firstname", name)])
            .unwrap()
    }

    fn company(&self, name: &str) -> String {
        self.sim.create("companies", &[("name", name)]).unwrap()
    }
}

fn ids(body: &Value) -> Vec<String> {
    let rows = body["results"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

const CONTACTS: &str = "/crm/objects/2026-09/contacts";
