//! `Idempotency-Key`: a request that is sent again does nothing twice and is answered as before.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, header};
use serde_json::{Value, json};
use tandem::model::{KeyKind, Role, WorkspaceId};
use tandem::store::{Begun, Repeat};
use tandem::vault;

use crate::house::{Answer, House};

const WS: &str = "/v1/workspaces/acme/production";

fn request(path: &str, key: &str, names: &[&str], body: &Value) -> Request {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json");
    for name in names {
        request = request.header("idempotency-key", *name);
    }
    request.body(Body::from(body.to_string())).unwrap()
}

async fn post(house: &House, path: &str, key: &str, name: &str, body: &Value) -> Answer {
    house.send(request(path, key, &[name], body)).await
}

fn replayed(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some()
}

async fn count(house: &House, list: &str) -> usize {
    let path = format!("{WS}/{list}");
    let listed = house.operate(Method::GET, &path, None).await;
    listed["items"].as_array().unwrap().len()
}

fn key_body(name: &str) -> Value {
    json!({"name": name, "role": "viewer"})
}

#[tokio::test]
async fn whatever_makes_something_makes_it_once() {
    let house = House::new().await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let requests = [
        (
            "/v1/workspaces".to_owned(),
            json!({"id": "acme/production"}),
        ),
        (format!("{WS}/keys"), key_body("x")),
        ("/v1/keys".to_owned(), key_body("x")),
        (format!("{WS}/connect-links"), json!({"side": "hubspot"})),
        (format!("{WS}/pause"), json!({})),
        (format!("{WS}/sync"), json!({})),
    ];
    for (nth, (path, body)) in requests.iter().enumerate() {
        let name = format!("name-{nth}");
        let first = post(&house, path, &key, &name, body).await;
        assert!(
            first.status < 300 && !replayed(&first),
            "{path}: {}",
            first.text
        );
        let again = post(&house, path, &key, &name, body).await;
        assert!(replayed(&again), "{path}");
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        let kind = |answer: &Answer| answer.headers.get(header::CONTENT_TYPE).cloned();
        assert_eq!(kind(&again), kind(&first), "{path}");
    }
    assert_eq!(count(&house, "keys").await, 1);
    let actions = count(&house, "log").await;
    assert_eq!(
        actions, 5,
        "each of the five in the workspace is on record once"
    );
    // Under another name it is another request.
    let path = format!("{WS}/keys");
    post(&house, &path, &key, "another", &key_body("x")).await;
    assert_eq!(count(&house, "keys").await, 2);
}

#[tokio::test]
async fn a_name_belongs_to_one_request_of_one_caller() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let mine = house
        .key(Some("acme/production"), KeyKind::Workspace, Role::Admin)
        .await;
    let theirs = house
        .key(Some("acme/production"), KeyKind::Workspace, Role::Admin)
        .await;
    let path = format!("{WS}/keys");
    let before = count(&house, "keys").await;
    let first = post(&house, &path, &mine, "n", &key_body("x")).await;
    assert_eq!(first.status, 201);
    let links = format!("{WS}/connect-links");
    for (path, body) in [(&path, key_body("y")), (&links, json!({"side": "hubspot"}))] {
        let other = post(&house, path, &mine, "n", &body).await;
        assert_eq!((other.status, other.code().as_str()), (422, "key-reused"));
    }
    let of_theirs = post(&house, &path, &theirs, "n", &key_body("x")).await;
    assert_eq!((of_theirs.status, replayed(&of_theirs)), (201, false));
    assert_ne!(of_theirs.json()["key"], first.json()["key"]);
    assert_eq!(count(&house, "keys").await, before + 2);
    let day = 24 * 3_600_000;
    house.clock.advance_millis(day - 1);
    assert!(replayed(
        &post(&house, &path, &mine, "n", &key_body("x")).await
    ));
    house.clock.advance_millis(1);
    let late = post(&house, &path, &mine, "n", &key_body("x")).await;
    assert_eq!((late.status, replayed(&late)), (201, false));
}

#[tokio::test]
async fn what_was_refused_may_be_corrected_under_the_same_name() {
    let house = House::new().await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let path = "/v1/workspaces";
    let bad = post(&house, path, &key, "n", &json!({"id": "ACME"})).await;
    assert_eq!(bad.status, 400);
    assert_eq!(
        bad.json()["request_id"],
        bad.headers["x-request-id"].to_str().unwrap()
    );
    let good = post(&house, path, &key, "n", &json!({"id": "acme/x"})).await;
    assert_eq!((good.status, replayed(&good)), (201, false));
    let long = "n".repeat(256);
    for names in [
        vec![""],
        vec![long.as_str()],
        vec!["a b"],
        vec!["a", "a"],
        vec!["a\tb"],
    ] {
        let odd = house
            .send(request(path, &key, &names, &json!({"id": "acme/y"})))
            .await;
        assert_eq!(
            (odd.status, odd.code().as_str()),
            (400, "bad-request"),
            "{names:?}"
        );
    }
    let large = json!({"id": "acme/y", "vars": {"x": "x".repeat(300_000)}});
    let large = post(&house, path, &key, "large", &large).await;
    assert_eq!((large.status, large.code().as_str()), (413, "too-large"));
}

/// The row of a request, as the API names it.
fn row(key: &str, path: &str, name: &str, body: &Value) -> Repeat {
    Repeat {
        ws: WorkspaceId::new("acme/production"),
        caller: key.split('_').nth(1).unwrap().to_owned(),
        name: vault::hash(name),
        request: vault::hash(&format!("{path}\n{body}")),
    }
}

#[tokio::test]
async fn while_it_is_under_way_it_is_not_begun_again() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let (path, body) = (format!("{WS}/keys"), key_body("x"));
    let row = row(&key, &path, "n", &body);
    let begun = house.store.begin_repeat(&row, 60_000).await.unwrap();
    assert!(matches!(begun, Begun::Mine { .. }), "{begun:?}");
    let early = post(&house, &path, &key, "n", &body).await;
    assert_eq!((early.status, early.code().as_str()), (409, "under-way"));
    let other = post(&house, &path, &key, "n", &key_body("y")).await;
    assert_eq!(other.code(), "key-reused");
    assert_eq!(count(&house, "keys").await, 0);
    // Whoever was at it has died.
    house.clock.advance_millis(60_000);
    assert_eq!(post(&house, &path, &key, "n", &body).await.status, 201);
    assert!(replayed(&post(&house, &path, &key, "n", &body).await));
}

#[tokio::test]
async fn a_key_that_is_kept_for_its_caller_lies_sealed_and_goes_with_the_workspace() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let (path, body) = (format!("{WS}/keys"), key_body("x"));
    let made = post(&house, &path, &key, "n", &body).await.json();
    let secret = made["key"].as_str().unwrap().splitn(3, '_').nth(2).unwrap();
    let row = row(&key, &path, "n", &body);
    let found = house.store.begin_repeat(&row, 60_000).await.unwrap();
    let Begun::Answered {
        status: 201,
        sealed,
    } = found
    else {
        panic!("{found:?}");
    };
    assert!(
        !sealed.contains(secret) && !sealed.contains("viewer"),
        "{sealed}"
    );
    let gone = house.operate(Method::DELETE, WS, None).await;
    assert_eq!(gone["erased"]["repeats"], 1, "{gone}");
}

/// Callers hang up at every point of a request, and ask again until they are answered.
#[tokio::test]
async fn whoever_hangs_up_and_asks_again_has_made_one_thing() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let path = format!("{WS}/keys");
    let mut hung_up = 0;
    let (mut polls, mut more) = (0, 1);
    for nth in 0.. {
        let (name, body) = (format!("n{nth}"), key_body(&format!("k{nth}")));
        let mut ended = false;
        {
            let mut sent = pin!(post(&house, &path, &key, &name, &body));
            for _ in 0..polls {
                ended =
                    poll_fn(|context| Poll::Ready(sent.as_mut().poll(context).is_ready())).await;
                if ended {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        hung_up += usize::from(!ended);
        let made = loop {
            let answer = post(&house, &path, &key, &name, &body).await;
            if answer.code() != "under-way" {
                break answer;
            }
            house.clock.advance_millis(100);
            tokio::task::yield_now().await;
        };
        assert_eq!(made.status, 201, "{}", made.text);
        let made = count(&house, "keys?limit=200").await;
        assert_eq!(made, nth + 1, "after {polls} polls");
        if ended {
            break;
        }
        (polls, more) = (polls + more, polls.max(1));
    }
    assert!(hung_up > 3, "it was cut off in {hung_up} places");
}

#[test]
fn the_description_names_the_header_at_every_post() {
    let spec = tandem::api::specification().to_json().unwrap();
    let spec: Value = serde_json::from_str(&spec).unwrap();
    let mut posts = 0;
    for (path, item) in spec["paths"].as_object().unwrap() {
        let Some(post) = item.get("post") else {
            continue;
        };
        posts += 1;
        let given = post["parameters"].as_array().unwrap();
        let named = |one: &Value| one["name"] == "Idempotency-Key" && one["in"] == "header";
        assert_eq!(given.iter().filter(|one| named(one)).count(), 1, "{path}");
        let problem = &post["responses"]["4XX"]["content"]["application/problem+json"];
        assert!(problem.is_object(), "{path}");
    }
    assert!(posts > 10, "{posts}");
}
