//! What a key opens, and that nothing else does.

use axum::http::Method;
use serde_json::{Value, json};
use tandem::model::{KeyKind, Role};

use crate::house::House;

/// Every operation of the API, with names filled in.
fn operations(ws: &str, ids: &str) -> Vec<(Method, String)> {
    let spec: Value =
        serde_json::from_str(&tandem::api::specification().to_json().unwrap()).unwrap();
    let (customer, environment) = ws.split_once('/').unwrap();
    let mut found = Vec::new();
    for (path, item) in spec["paths"].as_object().unwrap() {
        let path = path
            .replace("{customer}", customer)
            .replace("{environment}", environment)
            .replace("{side}", "hubspot")
            .replace("{key}", ids);
        for method in item.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes());
            if let Ok(method) = method {
                found.push((method, path.clone()));
            }
        }
    }
    assert!(found.len() > 15, "{found:?}");
    found
}

/// A body that each operation would accept.
fn body(method: &Method, path: &str) -> Option<Value> {
    let last = path.rsplit('/').next().unwrap_or_default();
    match (method.as_str(), last) {
        ("POST", "workspaces") => Some(json!({"id": "new/one"})),
        ("POST", "keys") => Some(json!({"name": "x", "role": "admin"})),
        ("POST", "connect-links") => Some(json!({"side": "hubspot"})),
        ("PUT", _) => Some(json!({"kind": "token", "token": "stolen"})),
        ("PATCH", _) => Some(json!({"vars": {"stolen": "yes"}})),
        _ => None,
    }
}

#[tokio::test]
async fn a_key_of_one_workspace_reaches_nothing_of_another() {
    let house = House::new().await;
    house.connected("acme/production").await;
    house.connected("other/production").await;
    let mine = house
        .key(Some("other/production"), KeyKind::Workspace, Role::Admin)
        .await;
    let theirs = house
        .key(Some("acme/production"), KeyKind::Workspace, Role::Admin)
        .await;
    let theirs_id = theirs.split('_').nth(1).unwrap();
    for (method, path) in operations("acme/production", theirs_id) {
        let sent = body(&method, &path);
        let answer = house.call(method.clone(), &path, Some(&mine), sent).await;
        let list = method == Method::GET && path == "/v1/workspaces";
        if list {
            assert!(!answer.text.contains("acme"), "{}", answer.text);
            continue;
        }
        let shut = matches!(answer.status, 403 | 404);
        assert!(shut, "{method} {path}: {} {}", answer.status, answer.text);
        let about_them = path.contains("acme");
        assert!(
            !about_them || answer.status == 404,
            "{method} {path} tells that it exists"
        );
    }
    // Their own key still opens their own workspace: nothing above has changed anything.
    let path = "/v1/workspaces/acme/production";
    let shown = house.call(Method::GET, path, Some(&theirs), None).await;
    assert_eq!(
        (shown.status, shown.json()["vars"].clone()),
        (200, json!({}))
    );
    // A key's id under the wrong workspace opens nothing either.
    let path = format!("/v1/workspaces/other/production/keys/{theirs_id}");
    let answer = house.call(Method::DELETE, &path, Some(&mine), None).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn without_a_good_key_every_operation_is_shut() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let good = house.key(None, KeyKind::Management, Role::Admin).await;
    let revoked = house.key(None, KeyKind::Management, Role::Admin).await;
    let id = revoked.split('_').nth(1).unwrap().to_owned();
    house
        .operate(Method::DELETE, &format!("/v1/keys/{id}"), None)
        .await;
    let cut = &good[..good.len() - 1];
    let other = format!("{}x", cut);
    let long = format!("tdm_{}_x", "a".repeat(5_000));
    let bad = [
        "",
        "tdm_",
        "tdm_x",
        "tdm__",
        cut,
        &other,
        &revoked,
        &long,
        "Bearer",
        "tdm_é_é",
    ];
    for (method, path) in operations("acme/production", "x") {
        for key in [None].into_iter().chain(bad.map(Some)) {
            let Ok(_) = axum::http::HeaderValue::from_str(key.unwrap_or_default()) else {
                continue;
            };
            let answer = house
                .call(method.clone(), &path, key, body(&method, &path))
                .await;
            assert_eq!(
                answer.status, 401,
                "{method} {path} with {key:?}: {}",
                answer.text
            );
            assert_eq!(answer.code(), "unauthenticated");
            assert_eq!(answer.headers["content-type"], "application/problem+json");
        }
    }
}

#[tokio::test]
async fn roles_and_kinds_keep_their_limits() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let ws = "/v1/workspaces/acme/production";
    let viewer = house
        .key(Some("acme/production"), KeyKind::Workspace, Role::Viewer)
        .await;
    let operator = house
        .key(Some("acme/production"), KeyKind::Workspace, Role::Operator)
        .await;
    let publishable = house
        .key(Some("acme/production"), KeyKind::Publishable, Role::Viewer)
        .await;
    let status = async |key: &str, method: Method, path: &str| {
        let sent = body(&method, path);
        house.call(method, path, Some(key), sent).await.status
    };
    assert_eq!(status(&viewer, Method::GET, ws).await, 200);
    assert_eq!(
        status(&viewer, Method::POST, &format!("{ws}/pause")).await,
        403
    );
    assert_eq!(
        status(&operator, Method::POST, &format!("{ws}/pause")).await,
        200
    );
    assert_eq!(
        status(&operator, Method::POST, &format!("{ws}/live")).await,
        403
    );
    assert_eq!(
        status(&operator, Method::POST, &format!("{ws}/keys")).await,
        403
    );
    assert_eq!(status(&publishable, Method::GET, ws).await, 403);
    assert_eq!(
        status(&publishable, Method::GET, "/v1/workspaces").await,
        403
    );
    let shown = house
        .call(
            Method::GET,
            &format!("{ws}/connections"),
            Some(&viewer),
            None,
        )
        .await;
    assert_eq!(
        shown.json()["outbound_messages_url"],
        Value::Null,
        "a secret address"
    );
}

#[tokio::test]
async fn a_key_is_shown_once_and_its_last_use_is_known() {
    let house = House::new().await;
    let made = house
        .operate(
            Method::POST,
            "/v1/keys",
            Some(json!({"name": "ci", "role": "viewer"})),
        )
        .await;
    let text = made["key"].as_str().unwrap().to_owned();
    house
        .call(Method::GET, "/v1/workspaces", Some(&text), None)
        .await;
    let listed = house.operate(Method::GET, "/v1/keys", None).await;
    let item = &listed["items"][0];
    assert!(
        item.get("key").is_none() && item["used_at"].is_string(),
        "{item}"
    );
    assert!(!listed.to_string().contains(&text));
}
