//! An org in this process and a short way to call it.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tandem::clock::Clock;
use tandem::model::Timestamp;
use tandem::sim::SimClock;
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tower::ServiceExt;

pub const DATA: &str = "/services/data/v67.0";

pub struct Org {
    pub sim: SalesforceSim,
    pub clock: SimClock,
    pub token: String,
    pub router: Router,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body[0]["errorCode"].as_str().unwrap_or_default()
    }
}

pub fn org() -> Org {
    with(SalesforceOptions::default())
}

pub fn with(options: SalesforceOptions) -> Org {
    let start = Timestamp::parse("2026-11-23T10:00:00Z").expect("a moment");
    let clock = SimClock::new(Clock::manual(start));
    let sim = SalesforceSim::new(clock.clone(), options);
    Org {
        token: sim.issue_token(),
        router: sim.router(),
        clock,
        sim,
    }
}

impl Org {
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            text: String::from_utf8(bytes.to_vec()).expect("text"),
        }
    }

    pub async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "sim.test:81")
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        self.send(request.body(body).expect("a request")).await
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let path = if path.starts_with("/services") || path.starts_with("/_sim") {
            path.to_owned()
        } else {
            format!("{DATA}{path}")
        };
        self.call_with(method, &path, &[], body).await
    }

    pub async fn query(&self, resource: &str, statement: &str) -> Answer {
        let text: String = url::form_urlencoded::byte_serialize(statement.as_bytes()).collect();
        self.call("GET", &format!("/{resource}?q={text}"), Value::Null)
            .await
    }

    /// The values of one field, in result order.
    pub async fn pick(&self, statement: &str, field: &str) -> Vec<Value> {
        let answer = self.query("query", statement).await;
        assert_eq!(answer.status, 200, "{statement}: {}", answer.body);
        let records = answer.body["records"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        records.iter().map(|record| record[field].clone()).collect()
    }

    pub fn contact(&self, fields: Value) -> String {
        self.create("Contact", fields).expect("a valid contact")
    }

    pub fn create(&self, object: &str, fields: Value) -> Result<String, String> {
        let map = fields.as_object().cloned().unwrap_or_default();
        let fields: Vec<(&str, Value)> = map
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        self.sim.create(object, &fields)
    }

    /// The code of the refusal of a create by the API, or "" when it was accepted.
    pub async fn refusal(&self, object: &str, body: Value) -> String {
        let answer = self
            .call("POST", &format!("/sobjects/{object}"), body)
            .await;
        answer.code().to_owned()
    }
}

pub fn record(object: &str, fields: Value) -> Value {
    let mut fields = fields;
    fields["attributes"] = json!({ "type": object });
    fields
}
