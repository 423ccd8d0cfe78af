//! A server that answers from a script, and small words for building what is sent to it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use http::{HeaderMap, Response, Uri};
use secrecy::SecretString;
use serde_json::{Value, json};
use tandem::clock::Clock;
use tandem::crm::salesforce::{Login, Session};
use tandem::crm::{HubSpot, Salesforce, Transport, WriteRow};
use tandem::model::{Raw, RecordId, Timestamp};

pub const START: i64 = 1_767_225_600_000;

/// One canned reply.
pub struct Canned {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

pub fn json_reply(status: u16, body: Value) -> Canned {
    Canned {
        status,
        headers: vec![("content-type", "application/json;charset=utf-8".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

pub fn text_reply(status: u16, kind: &str, body: &str) -> Canned {
    Canned {
        status,
        headers: vec![("content-type", kind.to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

impl Canned {
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// A server that gives its replies one after another and keeps what it was asked.
#[derive(Clone)]
pub struct Script {
    replies: Arc<Mutex<VecDeque<Canned>>>,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Script {
    pub fn new(replies: Vec<Canned>) -> Self {
        Self {
            replies: Arc::new(Mutex::new(replies.into())),
            got: Arc::default(),
        }
    }

    pub fn transport(&self) -> Transport {
        let script = self.clone();
        let answer = move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let script = script.clone();
            async move {
                let form = String::from_utf8_lossy(&body).into_owned();
                // Gives others a turn, as a network would.
                tokio::task::yield_now().await;
                script.got.lock().unwrap().push(Got {
                    path: uri.to_string(),
                    headers,
                    body: serde_json::from_slice(&body).unwrap_or(Value::String(form)),
                });
                let canned = script.replies.lock().unwrap().pop_front();
                let canned = canned.expect("more requests than replies");
                let mut response = Response::builder().status(canned.status);
                for (name, value) in canned.headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(canned.body)).unwrap()
            }
        };
        Transport::InProcess(Router::new().fallback(answer))
    }

    pub fn hubspot(&self, clock: &Clock) -> HubSpot {
        let token = SecretString::from("pat-na1-secret");
        HubSpot::new(
            self.transport(),
            "http://hubspot.test",
            token,
            clock.clone(),
        )
    }

    pub fn salesforce(&self, clock: &Clock, login: Option<Login>) -> Salesforce {
        let session = Session {
            instance_url: "http://org.test".to_owned(),
            token: SecretString::from("00D5f000000aaaa!old"),
            organization_id: ORG.to_owned(),
            user_id: None,
        };
        Salesforce::new(self.transport(), session, login, clock.clone())
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

pub const ORG: &str = "00D5f000000aaaaEAA";

pub fn clock() -> Clock {
    Clock::manual(Timestamp::from_millis(START))
}

pub fn ids(names: &[&str]) -> Vec<RecordId> {
    names.iter().map(|&id| RecordId::new(id)).collect()
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub fn row(trace: &str, id: Option<&str>, fields: &[(&str, Raw)]) -> WriteRow {
    WriteRow {
        trace: trace.to_owned(),
        id: id.map(RecordId::new),
        fields: fields
            .iter()
            .map(|(name, raw)| ((*name).to_owned(), raw.clone()))
            .collect(),
        unless_changed_since: None,
    }
}

pub fn rows(traces: &[&str]) -> Vec<WriteRow> {
    let fields = [("firstname", Raw::text("Ann"))];
    traces
        .iter()
        .map(|trace| row(trace, None, &fields))
        .collect()
}

pub fn login() -> Login {
    Login::ClientCredentials {
        url: "http://login.test".to_owned(),
        id: "key".to_owned(),
        secret: SecretString::from("hush"),
    }
}

pub fn token_reply(token: &str) -> Canned {
    json_reply(
        200,
        json!({
            "access_token": token,
            "instance_url": "http://moved.test/",
            "id": format!("https://login.salesforce.com/id/{ORG}/0055f000000bbbbAAA"),
            "issued_at": "1763895120123",
        }),
    )
}

pub fn expired() -> Canned {
    let body =
        json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]);
    json_reply(401, body)
}
