//! Input that means harm: refused with a stable code, and nothing of it is kept.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, header};
use serde_json::json;
use tandem::model::{KeyKind, Role};

use crate::crowd::Open;
use crate::house::House;

const WS: &str = "/v1/workspaces/acme/production";

/// What the whole service holds, as far as requests could have changed it.
async fn held(house: &House) -> String {
    let mut all = String::new();
    for path in [
        "/v1/workspaces",
        "/v1/keys",
        WS,
        &format!("{WS}/keys"),
        &format!("{WS}/connections"),
        &format!("{WS}/log"),
        &format!("{WS}/links"),
        &format!("{WS}/status"),
    ] {
        let shown = house.operate(Method::GET, path, None).await;
        all.push_str(&format!("{path}: {shown}\n"));
    }
    all
}

/// A management key whose first use is noted already.
async fn used(house: &House) -> String {
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let shown = house.call(Method::GET, WS, Some(&key), None).await;
    assert_eq!(shown.status, 200);
    key
}

/// Operations that take a body, with one that each would accept.
fn takers() -> Vec<(Method, String, String)> {
    let of = |method: Method, path: &str, body: serde_json::Value| {
        (method, path.to_owned(), body.to_string())
    };
    vec![
        of(Method::POST, "/v1/workspaces", json!({"id": "new/one"})),
        of(
            Method::POST,
            "/v1/keys",
            json!({"name": "x", "role": "viewer"}),
        ),
        of(Method::PATCH, WS, json!({"vars": {"a": "b"}})),
        of(
            Method::POST,
            &format!("{WS}/keys"),
            json!({"name": "x", "role": "viewer"}),
        ),
        of(
            Method::POST,
            &format!("{WS}/connect-links"),
            json!({"side": "hubspot"}),
        ),
        of(
            Method::PUT,
            &format!("{WS}/connections/hubspot"),
            json!({"kind": "token", "token": "x"}),
        ),
        of(
            Method::POST,
            &format!("{WS}/conflicts/con_1/take"),
            json!({"choice": "hubspot"}),
        ),
        of(
            Method::POST,
            &format!("{WS}/dead-letters/dl_1/discard"),
            json!({"reason": "x"}),
        ),
    ]
}

#[tokio::test]
async fn bodies_that_are_too_large_too_deep_or_no_json_change_nothing() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let key = used(&house).await;
    let before = held(&house).await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(60_000), close.repeat(60_000));
    for (method, path, good) in takers() {
        let (head, tail) = good.split_at(good.len() - 1);
        let bodies = [
            (format!("{good}{}", " ".repeat(256 * 1024)), 413),
            (deep("[", "]"), 400),
            (deep("{\"a\":[", "]}")[..200_000].to_owned(), 400),
            (format!("{head},\"x\":{}{tail}", deep("[", "]")), 400),
            (String::new(), 400),
            (head.to_owned(), 400),
            (format!("{good}{good}"), 400),
            (format!("{head},\"unknown\":1{tail}"), 400),
            (good.replace('"', "'"), 400),
            ("null".to_owned(), 400),
            ("\u{feff}{}".to_owned(), 400),
        ];
        for kind in ["application/json", "text/plain", ""] {
            for (body, status) in &bodies {
                let mut request = Request::builder()
                    .method(method.clone())
                    .uri(&path)
                    .header(header::AUTHORIZATION, format!("Bearer {key}"));
                if !kind.is_empty() {
                    request = request.header(header::CONTENT_TYPE, kind);
                }
                let request = request.body(Body::from(body.clone())).unwrap();
                let answer = house.send(request).await;
                let what = format!("{method} {path} {kind} {}", &body[..body.len().min(80)]);
                // A body of another kind is not even read.
                let status = if kind == "application/json" {
                    *status
                } else {
                    400
                };
                assert_eq!(answer.status, status, "{what}: {}", answer.text);
                let code = if status == 413 {
                    "too-large"
                } else {
                    "bad-request"
                };
                assert_eq!(answer.code(), code, "{what}");
            }
        }
    }
    assert_eq!(held(&house).await, before);
}

/// Texts with which somebody might break out of a line, a path, a page or a database.
const ODD: [&str; 9] = [
    "a\r\nset-cookie: x=y",
    "a\nb",
    "a\0b",
    "\u{7f}\u{1b}[2J",
    "<script>alert(1)</script>",
    "../../keys",
    "'; DROP TABLE workspaces; --",
    "\u{202e}\u{fffe}\u{10ffff}",
    "${vars.x}",
];

#[tokio::test]
async fn texts_that_break_lines_pages_or_statements_stay_texts() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    for odd in ODD {
        for (method, path, body) in [
            (
                Method::POST,
                "/v1/workspaces".to_owned(),
                json!({"id": odd}),
            ),
            (
                Method::POST,
                "/v1/workspaces".to_owned(),
                json!({"id": "acme/new", "vars": {odd: "x"}}),
            ),
            (
                Method::POST,
                format!("{WS}/keys"),
                json!({"name": "x", "role": odd}),
            ),
            (
                Method::POST,
                format!("{WS}/connect-links"),
                json!({"side": odd}),
            ),
            (
                Method::PUT,
                format!("{WS}/connections/salesforce"),
                json!({"kind": "token", "token": "x", "url": odd}),
            ),
        ] {
            let answer = house.call(method, &path, Some(&key), Some(body)).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "bad-request"),
                "{path} {odd:?}: {}",
                answer.text
            );
        }
        // A token goes into a header of ours: it must not become two.
        let path = format!("{WS}/connections/hubspot");
        let body = json!({"kind": "token", "token": odd});
        let answer = house.call(Method::PUT, &path, Some(&key), Some(body)).await;
        assert!(
            matches!(answer.status, 400 | 422),
            "{odd:?}: {} {}",
            answer.status,
            answer.text
        );
        // A value may be any text, and comes back as it is.
        let body = json!({"vars": {"x": odd}});
        let kept = house.call(Method::PATCH, WS, Some(&key), Some(body)).await;
        let back = kept.json()["vars"]["x"].as_str().map(str::to_owned);
        assert!(
            kept.status == 400 || (kept.status == 200 && back.as_deref() == Some(odd)),
            "{odd:?}: {}",
            kept.text
        );
    }
    let listed = house
        .operate(Method::GET, "/v1/workspaces", None)
        .await
        .to_string();
    assert!(!listed.contains("acme/new"), "{listed}");
}

#[tokio::test]
async fn what_comes_back_from_a_consent_is_shown_as_text() {
    let house = House::new().await;
    for odd in ODD {
        let text: String = url::form_urlencoded::byte_serialize(odd.as_bytes()).collect();
        for path in [
            format!("/connect/callback/hubspot?state={text}&error={text}&error_description={text}"),
            format!("/connect/callback/{text}?state=x&code=y"),
            format!("/connect/{text}"),
            format!("/connect/callback/hubspot?state={text}&state={text}"),
        ] {
            let answer = house.call(Method::GET, &path, None, None).await;
            assert!(
                matches!(answer.status, 400 | 404),
                "{path}: {}",
                answer.status
            );
            assert!(!answer.text.contains("<script>"), "{}", answer.text);
            assert!(answer.headers.get(header::SET_COOKIE).is_none(), "{path}");
        }
    }
}

#[tokio::test]
async fn paths_that_are_spelled_otherwise_open_nothing_else() {
    let house = House::new().await;
    house.connected("acme/production").await;
    house.connected("other/production").await;
    let key = house
        .key(Some("acme/production"), KeyKind::Workspace, Role::Admin)
        .await;
    let long = "a".repeat(5_000);
    for path in [
        "/v1/workspaces/acme%2Fproduction",
        "/v1/workspaces/acme/production%2F..%2F..%2Fother%2Fproduction",
        "/v1/workspaces/acme/production/../../other/production",
        "/v1/workspaces/acme/production/%2e%2e/%2e%2e/other/production",
        "/v1/workspaces/other%2Fproduction/x",
        "/v1//workspaces",
        "/v1/workspaces/acme/production%00",
        "/v1/workspaces/acme/production%0d%0ax",
        "/v1/workspaces/acme/%FF",
        "/v1/workspaces/acme/%2",
        "/v1/workspaces/ACME/production",
        "/v1/workspaces/acme/production/",
        "/v1/workspaces/other/production",
        &format!("/v1/workspaces/acme/{long}"),
        &format!("{WS}/keys/{long}/x"),
        "/v1/keys/../keys",
    ] {
        let answer = house.call(Method::GET, path, Some(&key), None).await;
        assert!(
            matches!(
                (answer.status, answer.code().as_str()),
                (404, "not-found") | (400, "bad-request")
            ),
            "{path}: {} {}",
            answer.status,
            answer.text
        );
    }
    // An escape that names the very same workspace is the same workspace.
    let same = "/v1/workspaces/%61cme/production";
    let answer = house.call(Method::GET, same, Some(&key), None).await;
    assert_eq!(answer.json()["id"], "acme/production");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_told_which_it_has() {
    let house = House::new().await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    for (method, path) in [
        (Method::DELETE, "/v1/workspaces"),
        (Method::PUT, "/v1/keys"),
        (Method::GET, "/webhooks/hubspot"),
        (Method::POST, "/healthz"),
    ] {
        let answer = house.call(method.clone(), path, Some(&key), None).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (405, "method-not-allowed"),
            "{method} {path}"
        );
        assert!(
            answer.headers.contains_key(header::ALLOW),
            "{method} {path}"
        );
    }
}

/// What no client library would send.
#[tokio::test]
async fn requests_that_are_none_are_refused_before_anything_reads_them() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let key = used(&house).await;
    let before = held(&house).await;
    let open = Open::wide(&house).await;
    let body = "{\"name\":\"x\",\"role\":\"admin\"}";
    let post = |more: &str| {
        format!(
            "POST /v1/keys HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\n{more}\r\n{body}"
        )
    };
    let long = "a".repeat(200_000);
    for said in [
        "GET /healthz\0 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "GET /health z HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nhost: x\r\n x: folded\r\n\r\n".to_owned(),
        "GET /healthz HTTP/9.9\r\nhost: x\r\n\r\n".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(150)),
        // Two servers in a row might disagree where such a request ends.
        post("content-length: 28\r\ncontent-length: 5\r\n"),
        post("content-length: -1\r\n"),
        post("content-length: 28\r\ntransfer-encoding: gzip\r\n"),
        post("transfer-encoding: chunked, gzip\r\n"),
        post("transfer-encoding : chunked\r\n"),
    ] {
        let answer = open.ask(said.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        let about: String = said.chars().take(120).collect();
        assert!(
            matches!(status, "400" | "414" | "431" | "505"),
            "{about:?}: {answer}"
        );
    }
    assert_eq!(held(&house).await, before);
}

#[tokio::test]
async fn webhooks_that_nobody_signed_cost_no_look_into_the_store() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let deep = format!("[{}", "[".repeat(500_000));
    let cases = [
        ("/webhooks/hubspot", deep.clone(), 401),
        ("/webhooks/salesforce/x", deep.clone(), 404),
        ("/webhooks/salesforce/%00", "<a/>".to_owned(), 404),
        ("/webhooks/hubspot", "x".repeat(1024 * 1024 + 1), 413),
        ("/webhooks/hubspot/", String::new(), 404),
    ];
    for (path, body, status) in cases {
        for odd in ["", "AAAA", "\u{e9}"] {
            let request = Request::builder()
                .method(Method::POST)
                .uri(path)
                .header("x-hubspot-signature-v3", odd.as_bytes())
                .header("x-hubspot-request-timestamp", "1772442000000")
                .body(Body::from(body.clone()))
                .unwrap();
            let answer = house.send(request).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
        }
    }
    assert_eq!(house.api.counts.events.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn hours_of_a_link_are_a_whole_number_from_1_to_720() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let path = format!("{WS}/connect-links");
    for (hours, status) in [
        (json!(1), 201),
        (json!(24.0), 201),
        (json!(720), 201),
        (json!(null), 201),
        (json!(0), 400),
        (json!(721), 400),
        (json!(1.5), 400),
        (json!(-1), 400),
        (json!(1e300), 400),
        (json!("24"), 400),
    ] {
        let body = json!({"side": "hubspot", "hours": hours});
        let answer = house
            .call(Method::POST, &path, Some(&key), Some(body))
            .await;
        assert_eq!(answer.status, status, "{hours}: {}", answer.text);
    }
}
