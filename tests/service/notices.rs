//! What people are told, by a real receiver on this machine: once when it begins, once when it
//! ends, whatever happens in between.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tandem::clock::Chance;
use tandem::model::{KeyKind, Role, Side, WorkspaceId};
use tandem::notices::Notices;

use crate::house::House;
use crate::review::{house_at, linked, refuse};

const WS: &str = "/v1/workspaces/acme/production/notices";
const LOCAL: &str = "http://localhost:8480";
const HOUR: i64 = 3_600_000;

/// Takes notices in, or refuses them.
struct Receiver {
    url: String,
    taken: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answer: Arc<Mutex<u16>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    async fn start() -> Self {
        let taken: Arc<Mutex<Vec<(HeaderMap, String)>>> = Arc::default();
        let answer = Arc::new(Mutex::new(200));
        let (kept, said) = (Arc::clone(&taken), Arc::clone(&answer));
        let router = Router::new().fallback(move |request: Request| {
            let (kept, said) = (Arc::clone(&kept), Arc::clone(&said));
            async move {
                let (head, body) = request.into_parts();
                let bytes = axum::body::to_bytes(body, 100_000).await.unwrap();
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                kept.lock().unwrap().push((head.headers, text));
                StatusCode::from_u16(*said.lock().unwrap()).unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in?token=sesame", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            taken,
            answer,
            server,
        }
    }

    fn answers(&self, status: u16) {
        *self.answer.lock().unwrap() = status;
    }

    /// Type and condition of what came, in order.
    fn heard(&self) -> Vec<String> {
        let each = self.taken.lock().unwrap();
        let word = |text: &String| {
            let body: Value = serde_json::from_str(text).unwrap();
            let condition = body["data"]["condition"].as_str().unwrap();
            format!("{} {condition}", body["type"].as_str().unwrap())
        };
        each.iter().map(|(_, text)| word(text)).collect()
    }

    fn last(&self) -> (HeaderMap, String) {
        self.taken.lock().unwrap().last().unwrap().clone()
    }
}

async fn set(house: &House, kind: &str, url: &str) -> Value {
    let body = json!({"kind": kind, "url": url});
    house.operate(Method::PUT, WS, Some(body)).await
}

/// What the task of a running service does over and over.
async fn round(notices: &Arc<Notices>) {
    notices.look().await.unwrap();
    notices.tell().await.unwrap();
}

async fn pass(house: &House, millis: i64) {
    house.pass(millis).await;
    round(&house.api.notices).await;
}

/// Another process over the same store.
fn restarted(house: &House) -> Arc<Notices> {
    let (store, vault) = (Arc::clone(&house.store), Arc::clone(&house.api.vault));
    let clock = house.clock.clone();
    Arc::new(Notices::new(store, vault, clock, Chance::seeded(5), LOCAL).unwrap())
}

#[tokio::test]
async fn a_record_that_fails_is_told_once_and_its_end_once() {
    let (house, receiver) = (house_at(LOCAL).await, Receiver::start().await);
    let made = set(&house, "webhook", &receiver.url).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert_eq!(made["host"], json!("127.0.0.1"));
    pass(&house, 60_000).await;
    assert_eq!(receiver.heard(), Vec::<String>::new(), "all is well");
    refuse(&house, Some("Bad"));
    house.person("bad@example.com", "Bad");
    for _ in 0..5 {
        pass(&house, 120_000).await;
    }
    assert_eq!(receiver.heard(), ["condition.began dead-letters"]);
    let (headers, text) = receiver.last();
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["data"]["workspace"], json!("acme/production"));
    assert_eq!(body["data"]["count"], json!(1));
    assert_eq!(
        body["data"]["mappings"][0]["mapping"],
        json!("contacts"),
        "{text}"
    );
    assert!(
        body["data"]["mappings"][0]["code"]
            .as_str()
            .unwrap()
            .contains("VALIDATION"),
        "{text}"
    );
    for value in ["bad@example.com", "Bad\"", "not this one", "sesame"] {
        assert!(!text.contains(value), "{value} in {text}");
    }
    signed_by(&secret, &headers, &text);
    // A restart knows what was told.
    round(&restarted(&house)).await;
    assert_eq!(receiver.heard().len(), 1);
    refuse(&house, None);
    replay_all(&house).await;
    for _ in 0..3 {
        pass(&house, 120_000).await;
        round(&restarted(&house)).await;
    }
    let both = [
        "condition.began dead-letters",
        "condition.ended dead-letters",
    ];
    assert_eq!(receiver.heard(), both);
    let shown = house.operate(Method::GET, WS, None).await;
    assert_eq!(shown["conditions"][0]["state"], json!("told"));
    assert_eq!(shown["conditions"][0]["going_on"], json!(false));
    assert_eq!(shown["secret"], Value::Null, "it was shown once");
    assert!(!shown.to_string().contains("sesame"), "{shown}");
}

/// As any receiver of Standard Webhooks checks it.
fn signed_by(secret: &str, headers: &HeaderMap, body: &str) {
    let of = |name: &str| headers[name].to_str().unwrap().to_owned();
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
    let signed = format!("{}.{}.{body}", of("webhook-id"), of("webhook-timestamp"));
    let signature = of("webhook-signature");
    let tag = STANDARD
        .decode(signature.strip_prefix("v1,").unwrap())
        .unwrap();
    aws_lc_rs::hmac::verify(&key, signed.as_bytes(), &tag).expect("it is signed");
    assert!(of("webhook-id").starts_with("ntc_"));
}

async fn replay_all(house: &House) {
    let letters = "/v1/workspaces/acme/production/dead-letters";
    let listed = house.operate(Method::GET, letters, None).await;
    for letter in listed["items"].as_array().unwrap() {
        let path = format!("{letters}/{}/replay", letter["id"].as_str().unwrap());
        let pause = "/v1/workspaces/acme/production/pause";
        // Nobody works meanwhile, so the decision is carried out at once.
        house.operate(Method::POST, pause, None).await;
        house.pass(1_000).await;
        house.operate(Method::POST, &path, None).await;
        let resume = "/v1/workspaces/acme/production/resume";
        house.operate(Method::POST, resume, None).await;
    }
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_and_keeps_nothing_from_being_synced() {
    let (house, receiver) = (house_at(LOCAL).await, Receiver::start().await);
    set(&house, "webhook", &receiver.url).await;
    receiver.answers(503);
    refuse(&house, Some("Bad"));
    house.person("bad@example.com", "Bad");
    pass(&house, 120_000).await;
    assert_eq!(receiver.heard().len(), 1);
    round(&house.api.notices).await;
    assert_eq!(receiver.heard().len(), 1, "not at once again");
    linked(&house, 1).await;
    round(&house.api.notices).await;
    let shown = house.operate(Method::GET, WS, None).await;
    let condition = &shown["conditions"][0];
    assert_eq!(condition["state"], json!("waits"), "{shown}");
    let trouble = condition["trouble"].as_str().unwrap();
    assert!(trouble.contains("status 503"), "{trouble}");
    let tries = receiver.heard().len();
    assert!((2..6).contains(&tries), "it backs off: {tries}");
    let id = |nth: usize| {
        let taken = receiver.taken.lock().unwrap();
        taken[nth].0["webhook-id"].clone()
    };
    assert_eq!(id(0), id(1), "every try has the same id");
    receiver.answers(204);
    pass(&house, 120_000).await;
    let told = receiver.heard().len();
    assert!(told > tries, "it is told in the end");
    pass(&house, 120_000).await;
    assert_eq!(receiver.heard().len(), told, "and only once");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_given_up_after_a_day() {
    let house = house_at(LOCAL).await;
    // A port that nobody listens on.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    set(&house, "slack", &url).await;
    refuse(&house, Some("Bad"));
    house.person("bad@example.com", "Bad");
    pass(&house, 120_000).await;
    let state = async || {
        let shown = house.operate(Method::GET, WS, None).await;
        let all = shown["conditions"].as_array().unwrap();
        let ours = |one: &&Value| one["condition"] == json!("dead-letters");
        all.iter().find(ours).unwrap().clone()
    };
    let first = state().await;
    assert_eq!(first["state"], json!("waits"));
    assert!(first["trouble"].as_str().unwrap().contains("no connection"));
    for _ in 0..30 {
        house.clock.advance_millis(HOUR);
        house.api.notices.tell().await.unwrap();
    }
    let last = state().await;
    assert_eq!(last["state"], json!("given-up"), "{last}");
    let tries = last["tries"].as_u64().unwrap();
    for _ in 0..5 {
        house.clock.advance_millis(HOUR);
        round(&house.api.notices).await;
    }
    assert_eq!(
        state().await["tries"].as_u64(),
        Some(tries),
        "nobody tries any more"
    );
}

#[tokio::test]
async fn a_lost_connection_and_a_backlog_are_told_to_slack_with_what_to_do() {
    let (house, receiver) = (House::at(LOCAL).await, Receiver::start().await);
    house.live("acme/production").await;
    set(&house, "slack", &receiver.url).await;
    pass(&house, 60_000).await;
    let cut = "/v1/workspaces/acme/production/connections/salesforce";
    house.operate(Method::DELETE, cut, None).await;
    // Nothing can be worked on, so what is due grows old.
    pass(&house, 60_000).await;
    house.clock.advance_millis(2 * HOUR);
    round(&house.api.notices).await;
    let texts = || -> Vec<String> {
        let taken = receiver.taken.lock().unwrap();
        let text = |body: &String| {
            let body: Value = serde_json::from_str(body).unwrap();
            body["text"].as_str().unwrap().to_owned()
        };
        taken.iter().map(|(_, body)| text(body)).collect()
    };
    let mut told = texts();
    told.sort();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("Salesforce is not connected any more"),
        "{told:?}"
    );
    assert!(told[0].contains("tandem connect link acme/production --side salesforce"));
    assert!(told[1].contains("work has been due for"), "{told:?}");
    let client = json!({"kind": "client-credentials", "login_url": "http://127.0.0.1:1",
        "client_id": house.salesforce_options.client_id,
        "client_secret": house.salesforce_options.client_secret});
    house.operate(Method::PUT, cut, Some(client)).await;
    pass(&house, 120_000).await;
    let ended = texts()[2..].join("\n");
    assert!(ended.contains("Salesforce is connected again"), "{ended}");
    assert!(ended.contains("work is done in time again"), "{ended}");
    assert_eq!(texts().len(), 4);
}

#[tokio::test]
async fn a_condition_that_comes_and_goes_cannot_flood_anybody() {
    let (house, receiver) = (House::at(LOCAL).await, Receiver::start().await);
    house.connected("acme/production").await;
    set(&house, "webhook", &receiver.url).await;
    let ws = WorkspaceId::new("acme/production");
    let flap = async || {
        let row = house.store.sealed_connection(&ws, Side::HubSpot).await;
        let row = row.unwrap().unwrap();
        let lost = tandem::model::ConnectionState::Reconnect;
        let lose = house
            .store
            .lose_connection(&ws, Side::HubSpot, row.version, lost, "x");
        assert!(lose.await.unwrap());
        round(&house.api.notices).await;
        let sealed = row.sealed.unwrap();
        let account = row.account_id;
        let back = house
            .store
            .seal_connection(&ws, Side::HubSpot, &account, "", &sealed);
        assert!(back.await.unwrap());
        round(&house.api.notices).await;
        house.clock.advance_millis(60_000);
    };
    for _ in 0..30 {
        flap().await;
    }
    let heard = receiver.heard().len();
    assert_eq!(heard, 12, "no more than that in an hour");
    house.clock.advance_millis(HOUR);
    flap().await;
    assert_eq!(
        receiver.heard().len(),
        heard + 2,
        "and in the next one again"
    );
}

#[tokio::test]
async fn only_an_admin_says_who_is_told_and_an_open_line_is_refused() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let acme = Some("acme/production");
    let admin = house.key(acme, KeyKind::Workspace, Role::Admin).await;
    let viewer = house.key(acme, KeyKind::Workspace, Role::Viewer).await;
    let body = |kind: &str, url: &str| Some(json!({"kind": kind, "url": url}));
    let good = body("slack", "https://hooks.slack.com/services/T/B/sesame");
    let put = async |key: &str, body| house.call(Method::PUT, WS, Some(key), body).await;
    assert_eq!(put(&viewer, good.clone()).await.status, 403);
    for wrong in [
        body("slack", "http://hooks.slack.com/x"),
        body("slack", "http://127.0.0.1:9/x"),
        body("pager", "https://example.com"),
        Some(json!({"kind": "slack", "url": "https://x.test", "backlog_minutes": 0})),
    ] {
        assert_eq!(
            put(&admin, wrong.clone()).await.code(),
            "bad-request",
            "{wrong:?}"
        );
    }
    let missing = house.call(Method::GET, WS, Some(&viewer), None).await;
    assert_eq!(missing.code(), "not-found");
    assert_eq!(put(&admin, good).await.status, 200);
    let shown = house.call(Method::GET, WS, Some(&viewer), None).await;
    assert_eq!(shown.json()["host"], json!("hooks.slack.com"));
    assert_eq!(shown.json()["backlog_minutes"], json!(60));
    let log = "/v1/workspaces/acme/production/log";
    let log = house.operate(Method::GET, log, None).await.to_string();
    assert!(
        log.contains("set notices") && !log.contains("sesame"),
        "{log}"
    );
    let ws = WorkspaceId::new("acme/production");
    let kept = house.store.notice_channel(&ws).await.unwrap().unwrap();
    assert!(!kept.sealed.contains("sesame"), "it is sealed");
    let off = house.call(Method::DELETE, WS, Some(&admin), None).await;
    assert_eq!(off.status, 204);
    let off = house.call(Method::DELETE, WS, Some(&admin), None).await;
    assert_eq!(off.code(), "not-found");
}
