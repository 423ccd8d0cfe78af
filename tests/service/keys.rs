//! What a key opens, and that nothing else does.

use axum::http::Method;
use serde_json::{Value, json};
use tandem::model::{KeyKind, Role};

use crate::house::{CONTACTS, House};
use crate::review::something_waits;

/// What stands in a path for something of a workspace.
struct Ids<'a> {
    key: &'a str,
    conflict: &'a str,
    letter: &'a str,
    approval: &'a str,
    plan: &'a str,
    look: &'a str,
    run: &'a str,
}

impl<'a> Ids<'a> {
    fn all(text: &'a str) -> Self {
        Self {
            key: text,
            conflict: text,
            letter: text,
            approval: text,
            plan: text,
            look: text,
            run: text,
        }
    }
}

/// Every operation of the API, with names filled in.
fn operations(ws: &str, ids: &Ids<'_>) -> Vec<(Method, String)> {
    let spec: Value =
        serde_json::from_str(&tandem::api::specification().to_json().unwrap()).unwrap();
    let (customer, environment) = ws.split_once('/').unwrap();
    let mut found = Vec::new();
    for (path, item) in spec["paths"].as_object().unwrap() {
        let path = path
            .replace("{customer}", customer)
            .replace("{environment}", environment)
            .replace("{side}", "hubspot")
            .replace("{name}", "contacts")
            .replace("{revision}", "mr_0")
            .replace("keys/{id}", &format!("keys/{}", ids.key))
            .replace("conflicts/{id}", &format!("conflicts/{}", ids.conflict))
            .replace("letters/{id}", &format!("letters/{}", ids.letter))
            .replace("approvals/{id}", &format!("approvals/{}", ids.approval))
            .replace("plans/{id}", &format!("plans/{}", ids.plan))
            .replace("runs/{id}", &format!("runs/{}", ids.run))
            .replace("explain/{id}", &format!("explain/{}", ids.look));
        assert!(!path.contains('{'), "{path} has a name to be filled in");
        for method in item.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes());
            if let Ok(method) = method {
                let asks = method == Method::GET && path.ends_with("/explain");
                let query = if asks { "?object=contacts&id=1" } else { "" };
                found.push((method, format!("{path}{query}")));
            }
        }
    }
    assert!(found.len() > 30, "{found:?}");
    found
}

/// Whether the operation is about rows of a list and not about one that the path names.
fn is_of_many(path: &str) -> bool {
    let mut segments = path.rsplit('/').skip(1);
    matches!(segments.next(), Some("conflicts" | "dead-letters"))
}

/// A body that each operation would accept.
fn body(method: &Method, path: &str) -> Option<Value> {
    let last = path.rsplit('/').next().unwrap_or_default();
    match (method.as_str(), last) {
        ("POST", "workspaces") => Some(json!({"id": "new/one"})),
        ("POST", "keys") => Some(json!({"name": "x", "role": "admin"})),
        ("POST", "connect-links") => Some(json!({"side": "hubspot"})),
        ("POST", "take") if is_of_many(path) => {
            Some(json!({"choice": "hubspot", "which": {"all": true}}))
        }
        ("POST", "take") => Some(json!({"choice": "hubspot"})),
        ("POST", "discard") if is_of_many(path) => {
            Some(json!({"reason": "stolen", "which": {"all": true}}))
        }
        ("POST", "discard") => Some(json!({"reason": "stolen"})),
        ("POST", "replay" | "unpair") => Some(json!({"which": {"all": true}})),
        ("POST", "links") => Some(json!({"mapping": "contacts", "hubspot_id": "1",
            "salesforce_id": "003A00000000001AAA"})),
        ("POST", "explain") => Some(json!({"object": "contacts", "id": "1"})),
        ("POST", "undo") if !path.contains("/runs/") => Some(json!({"since": "1h"})),
        ("POST", "activate") => Some(json!({"revision": "mr_0"})),
        ("POST", "promote") => Some(json!({"from": "other/one"})),
        ("POST", "pause" | "resume" | "scan" | "prepare") => Some(json!({})),
        ("PUT", "contacts") => Some(json!({"text": CONTACTS})),
        ("PUT", "notices") => Some(json!({"kind": "slack", "url": "https://hooks.example.test/x"})),
        ("PUT", _) => Some(json!({"kind": "token", "token": "stolen"})),
        ("PATCH", _) => Some(json!({"vars": {"stolen": "yes"}})),
        _ => None,
    }
}

/// What waits for a person in a workspace, as text.
async fn waiting(house: &House, ws: &str) -> [String; 3] {
    let mut found = [(); 3].map(|()| String::new());
    for (list, found) in ["conflicts", "dead-letters", "approvals"]
        .iter()
        .zip(&mut found)
    {
        let path = format!("/v1/workspaces/{ws}/{list}");
        let listed = house.operate(Method::GET, &path, None).await;
        assert_eq!(
            listed["items"].as_array().map(Vec::len),
            Some(1),
            "{listed}"
        );
        *found = listed["items"][0].to_string();
    }
    found
}

/// The ids of such rows.
fn ids_of(rows: &[String; 3]) -> [String; 3] {
    rows.each_ref().map(|row| {
        let row: Value = serde_json::from_str(row).unwrap();
        row["id"].as_str().unwrap().to_owned()
    })
}

/// A plan of the workspace that is ready, a look at this record, and a run.
async fn looked(house: &House, ws: &str, record: &Value) -> [String; 3] {
    let path = format!("/v1/workspaces/{ws}");
    let plan = house
        .operate(Method::POST, &format!("{path}/plans"), None)
        .await;
    house.pass(30_000).await;
    let asked = json!({"object": "contacts", "id": record});
    let look = house
        .operate(Method::POST, &format!("{path}/explain"), Some(asked))
        .await;
    house.pass(30_000).await;
    let runs = house
        .operate(Method::GET, &format!("{path}/runs"), None)
        .await;
    let id = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    [&plan, &look, &runs["items"][0]].map(|row| id(row, "id"))
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
    for (method, path) in operations("acme/production", &Ids::all(theirs_id)) {
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

/// Something of another workspace is named in a path of one's own.
#[tokio::test]
async fn what_waits_in_another_workspace_is_not_found_in_ones_own() {
    let house = House::new().await;
    something_waits(&house, "acme/production").await;
    house.connected("other/production").await;
    let mine = house
        .key(Some("other/production"), KeyKind::Workspace, Role::Admin)
        .await;
    let before = waiting(&house, "acme/production").await;
    let [conflict, letter, approval] = ids_of(&before);
    let letters: Value = serde_json::from_str(&before[1]).unwrap();
    let [plan, look, run] = looked(&house, "acme/production", &letters["record"]).await;
    let ids = Ids {
        key: "x",
        conflict: &conflict,
        letter: &letter,
        approval: &approval,
        plan: &plan,
        look: &look,
        run: &run,
    };
    let mut tried = 0;
    for ws in ["other/production", "acme/production"] {
        for (method, path) in operations(ws, &ids) {
            if [&conflict, &letter, &approval, &plan, &look, &run]
                .iter()
                .all(|id| !path.contains(*id))
            {
                continue;
            }
            tried += 1;
            let sent = body(&method, &path);
            let answer = house.call(method.clone(), &path, Some(&mine), sent).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
        }
    }
    assert_eq!(tried, 24, "twelve operations name such a thing");
    assert_eq!(waiting(&house, "acme/production").await, before);
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
    for (method, path) in operations("acme/production", &Ids::all("x")) {
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
