//! `tandem sim` as somebody's test suite would start it: one line of JSON, then two live CRMs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tandem::sim::hubspot::sign_v3;
use tokio::sync::mpsc;

/// The process, ended when the test ends.
struct Sim(Child);

impl Drop for Sim {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(arguments: &[&str]) -> (Sim, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["sim", "--json"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    (Sim(child), serde_json::from_str(&line).unwrap())
}

async fn get(url: String, token: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn both_answer_with_the_printed_credentials_and_hold_the_same_people() {
    let (_sim, said) = start(&["--records", "30"]);
    let text = |side: &str, key: &str| said[side][key].as_str().unwrap().to_owned();
    let url = format!(
        "{}/crm/objects/2026-03/contacts?limit=1",
        text("hubspot", "url")
    );
    let contacts = get(url, &text("hubspot", "token")).await;
    assert_eq!(
        contacts["results"][0]["properties"]["lastname"],
        "Lindqvist"
    );
    let query = "SELECT+Name+FROM+Contact+WHERE+LastName='Lindqvist'";
    let url = format!(
        "{}/services/data/v64.0/query?q={query}",
        text("salesforce", "url")
    );
    let contacts = get(url, &text("salesforce", "token")).await;
    assert_eq!(contacts["records"][0]["Name"], "Ada Lindqvist");
}

#[tokio::test]
async fn the_owners_of_both_sides_are_the_same_people() {
    let (_sim, said) = start(&[]);
    let text = |side: &str, key: &str| said[side][key].as_str().unwrap().to_owned();
    let url = format!("{}/crm/owners/2026-03?limit=100", text("hubspot", "url"));
    let owners = get(url, &text("hubspot", "token")).await;
    let owners = owners["results"].as_array().unwrap().clone();
    for (id, email) in &tandem::sim::seed::OWNERS[..3] {
        let found = owners.iter().find(|owner| owner["id"] == *id).unwrap();
        assert_eq!(found["email"], *email);
        let query = format!("SELECT+Id+FROM+User+WHERE+Email='{email}'+AND+IsActive=true");
        let url = format!(
            "{}/services/data/v64.0/query?q={query}",
            text("salesforce", "url")
        );
        let users = get(url, &text("salesforce", "token")).await;
        assert_eq!(users["totalSize"], 1, "{email}");
    }
}

type Heard = (HeaderMap, String);

/// Who is told, and what is answered to the first request and to the later ones.
#[derive(Clone)]
struct Receiver {
    heard: mpsc::Sender<Heard>,
    count: Arc<AtomicUsize>,
    answers: [(u16, &'static str); 2],
}

/// A server on this machine; its address, and what it hears.
async fn receiver(answers: [(u16, &'static str); 2]) -> (String, mpsc::Receiver<Heard>) {
    let (heard, hears) = mpsc::channel(16);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/told", listener.local_addr().unwrap());
    let router = Router::new().fallback(hear).with_state(Receiver {
        heard,
        count: Arc::default(),
        answers,
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, hears)
}

async fn hear(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, &'static str) {
    let before = receiver.count.fetch_add(1, Ordering::SeqCst);
    let (status, text) = receiver.answers[before.min(1)];
    receiver.heard.send((headers, body)).await.unwrap();
    (StatusCode::from_u16(status).unwrap(), text)
}

async fn post(url: String, body: Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(url)
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_webhook_is_signed_and_sent_again_when_it_was_refused() {
    let (url, mut hears) = receiver([(500, "not now"), (200, "")]).await;
    let (_sim, said) = start(&["--hubspot-webhooks", &url]);
    let text = |key: &str| said["hubspot"][key].as_str().unwrap().to_owned();
    let body = json!({"object": "contacts", "properties": {"email": "ann@example.com"}});
    post(format!("{}/_sim/create", text("url")), body).await;
    let mut ids = Vec::new();
    for attempt in 0..2 {
        let (headers, body) = hears.recv().await.unwrap();
        let header = |name: &str| headers[name].to_str().unwrap();
        let at = header("x-hubspot-request-timestamp").parse().unwrap();
        let signed = sign_v3(&text("client_secret"), "POST", &url, &body, at);
        assert_eq!(header("x-hubspot-signature-v3"), signed);
        let events: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(events[0]["subscriptionType"], "contact.creation");
        assert_eq!(events[0]["attemptNumber"], attempt);
        ids.push(events[0]["eventId"].clone());
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn an_outbound_message_comes_again_until_it_is_acknowledged() {
    let (url, mut hears) = receiver([(200, "thanks"), (200, "<Ack>true</Ack>")]).await;
    let (_sim, said) = start(&["--salesforce-messages", &url]);
    let base = said["salesforce"]["url"].as_str().unwrap();
    let body = json!({"object": "Contact", "fields": {"LastName": "Roe"}});
    let made = post(format!("{base}/_sim/create"), body).await;
    let first = hears.recv().await.unwrap().1;
    let second = hears.recv().await.unwrap().1;
    let id = made["id"].as_str().unwrap();
    assert!(first.contains(&format!("<sf:Id>{id}</sf:Id>")), "{first}");
    assert!(first.contains(&format!("<EnterpriseUrl>{base}/services/Soap/c/")));
    assert_eq!(first, second);
}

#[test]
fn a_target_of_webhooks_that_is_no_url_is_one_clear_line() {
    let child = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["sim", "--hubspot-webhooks", "nowhere"])
        .output()
        .unwrap();
    assert_eq!(child.status.code(), Some(1));
    let said = String::from_utf8(child.stderr).unwrap();
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains("nowhere"), "{said}");
}

#[test]
fn a_port_that_is_taken_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["sim", "--hubspot-port", &port])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains(&port), "{said}");
}

#[test]
fn a_plan_of_faults_that_is_neither_preset_nor_file_is_one_clear_line() {
    for name in ["worse", "Cargo.toml"] {
        let child = Command::new(env!("CARGO_BIN_EXE_tandem"))
            .args(["sim", "--faults", name])
            .output()
            .unwrap();
        assert_eq!(child.status.code(), Some(1));
        let said = String::from_utf8(child.stderr).unwrap();
        assert_eq!(said.trim().lines().count(), 1, "{said}");
        assert!(said.contains(name), "{said}");
    }
}
