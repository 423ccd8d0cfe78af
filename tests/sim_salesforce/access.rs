//! Tokens, allowance, versions and the gate every call passes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tandem::sim::salesforce::{AUTHORIZATION_CODE, SalesforceOptions};

use crate::support::{Answer, Org, org, with};

async fn token(org: &Org, form: &str) -> Answer {
    let request = http::Request::builder()
        .method("POST")
        .uri("/services/oauth2/token")
        .header("host", "sim.test:81")
        .body(axum::body::Body::from(form.to_owned()))
        .expect("a request");
    org.send(request).await
}

const CLIENT: &str = "client_id=sim-client-id&client_secret=sim-client-secret";

#[tokio::test]
async fn client_credentials_give_a_token_without_an_end() {
    let mut org = org();
    let answer = token(&org, &format!("grant_type=client_credentials&{CLIENT}")).await;
    assert_eq!(answer.status, 200);
    let body = &answer.body;
    assert_eq!(body.get("expires_in"), None);
    assert!(body["issued_at"].is_string());
    assert_eq!(body["instance_url"], "http://sim.test:81");
    let id = body["id"].as_str().expect("an identity");
    assert!(id.contains(&org.sim.organization_id()), "{id}");
    org.token = body["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(&org.token[..15], &org.sim.organization_id()[..15]);
    assert_eq!(org.call("GET", "/limits", Value::Null).await.status, 200);

    let wrong = token(
        &org,
        "grant_type=client_credentials&client_id=x&client_secret=y",
    )
    .await;
    assert_eq!(wrong.status, 400);
    assert_eq!(wrong.body["error"], "invalid_client_id");
    let secret = "grant_type=client_credentials&client_id=sim-client-id&client_secret=y";
    assert_eq!(token(&org, secret).await.body["error"], "invalid_client");
}

#[tokio::test]
async fn an_unused_token_dies_and_use_keeps_it_alive() {
    let org = org();
    for _ in 0..3 {
        org.clock.advance_millis(110 * 60 * 1_000);
        assert_eq!(org.call("GET", "/limits", Value::Null).await.status, 200);
    }
    org.clock.advance_millis(121 * 60 * 1_000);
    let answer = org.call("GET", "/limits", Value::Null).await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.body,
        json!([{ "errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid" }])
    );
}

#[tokio::test]
async fn refresh_outlives_the_access_token_until_revoked() {
    let org = org();
    let code: String =
        url::form_urlencoded::byte_serialize(AUTHORIZATION_CODE.as_bytes()).collect();
    let form = format!("grant_type=authorization_code&code={code}&{CLIENT}");
    let refresh = token(&org, &form).await.body["refresh_token"]
        .as_str()
        .expect("a refresh token")
        .to_owned();
    org.sim.expire_tokens();
    let form = format!("grant_type=refresh_token&refresh_token={refresh}&{CLIENT}");
    let renewed = token(&org, &form).await;
    assert_eq!(renewed.status, 200);
    assert_eq!(renewed.body.get("refresh_token"), None);
    let path = format!("/services/oauth2/revoke?token={refresh}");
    assert_eq!(org.call("GET", &path, Value::Null).await.status, 200);
    let dead = token(&org, &form).await;
    assert_eq!(dead.body["error"], "invalid_grant");
    assert_eq!(
        dead.body["error_description"],
        "expired access/refresh token"
    );
}

#[tokio::test]
async fn an_assertion_must_name_client_user_audience_and_a_near_end() {
    let org = org();
    let now = org.clock.now().millis() / 1_000;
    let good = json!({
        "iss": "sim-client-id", "sub": "integration@example.com",
        "aud": "https://login.salesforce.com", "exp": now + 120,
    });
    assert_eq!(jwt(&org, &good).await, "");
    for (key, value, error) in [
        (
            "aud",
            json!("https://elsewhere.example"),
            "audience is invalid",
        ),
        (
            "sub",
            json!("nobody@example.com"),
            "user hasn't approved this consumer",
        ),
        ("exp", json!(now - 1), "expired authorization code"),
        ("exp", json!(now + 3_600), "expired authorization code"),
        ("iss", json!("other"), "client identifier invalid"),
    ] {
        let mut claims = good.clone();
        claims[key] = value;
        assert_eq!(jwt(&org, &claims).await, error);
    }
}

async fn jwt(org: &Org, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(&json!({ "alg": "RS256" }));
    let assertion = format!(
        "{head}.{}.{}",
        part(claims),
        URL_SAFE_NO_PAD.encode("signature")
    );
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let answer = token(org, &format!("grant_type={grant}&assertion={assertion}")).await;
    answer.body["error_description"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn a_signature_counts_once_a_key_is_known() {
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let org = with(SalesforceOptions {
        jwt_public_key_der: Some(pair.public_key().as_ref().to_vec()),
        ..SalesforceOptions::default()
    });
    let claims = json!({
        "iss": "sim-client-id", "sub": "integration@example.com",
        "aud": "http://sim.test:81", "exp": org.clock.now().millis() / 1_000 + 120,
    });
    assert_eq!(jwt(&org, &claims).await, "invalid signature");
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": "RS256" })), part(&claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = aws_lc_rs::rand::SystemRandom::new();
    pair.sign(
        &RSA_PKCS1_SHA256,
        &random,
        signed.as_bytes(),
        &mut signature,
    )
    .expect("a signature");
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let assertion = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    let answer = token(&org, &format!("grant_type={grant}&assertion={assertion}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn every_data_reply_tells_the_use_and_the_allowance_ends() {
    let org = with(SalesforceOptions {
        daily_limit: 2,
        ..SalesforceOptions::default()
    });
    for used in ["api-usage=1/2", "api-usage=2/2"] {
        let answer = org
            .call("GET", "/sobjects/Contact/nothing", Value::Null)
            .await;
        assert_eq!(answer.headers["Sforce-Limit-Info"], used);
    }
    let spent = org.call("GET", "/limits", Value::Null).await;
    assert_eq!(
        (spent.status, spent.code()),
        (403, "REQUEST_LIMIT_EXCEEDED")
    );
    org.clock.advance_millis(24 * 60 * 60 * 1_000);
    org.sim.expire_tokens();
    let org = Org {
        token: org.sim.issue_token(),
        ..org
    };
    assert_eq!(org.call("GET", "/limits", Value::Null).await.status, 200);
}

#[tokio::test]
async fn the_server_tells_its_own_time_and_refuses_long_addresses() {
    let org = org();
    org.call("POST", "/_sim/time", json!({ "advance_ms": 3_600_000 }))
        .await;
    let answer = org.call("GET", "/limits", Value::Null).await;
    assert_eq!(answer.headers["date"], "Mon, 23 Nov 2026 11:00:00 GMT");
    let long = format!("/query?q={}", "x".repeat(16_400));
    assert_eq!(org.call("GET", &long, Value::Null).await.status, 414);
}

#[tokio::test]
async fn versions_are_open_retired_or_unknown() {
    let org = org();
    for (version, status) in [
        ("v60.0", 200),
        ("v68.0", 200),
        ("v30.0", 410),
        ("v99.0", 404),
    ] {
        let path = format!("/services/data/{version}/limits");
        assert_eq!(
            org.call("GET", &path, Value::Null).await.status,
            status,
            "{version}"
        );
    }
    let list = org.call("GET", "/services/data/", Value::Null).await.body;
    assert_eq!(
        list[8],
        json!({
            "label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0",
        })
    );
}

#[tokio::test]
async fn calls_are_logged_and_counted_by_family() {
    let org = org();
    org.call("POST", "/sobjects/Contact", json!({ "LastName": "Roe" }))
        .await;
    org.query("query", "SELECT COUNT() FROM Contact").await;
    let counters = org.sim.counters();
    assert_eq!((counters.total, counters.records_created), (2, 1));
    assert_eq!(counters.by_family["query"], 1);
    let log = org.sim.requests();
    assert_eq!(log[0].path, "/services/data/v67.0/sobjects/Contact");
    assert_eq!((log[0].status, log[0].method.as_str()), (201, "POST"));
    let seen = org.call("GET", "/_sim/counters", Value::Null).await.body;
    assert_eq!(seen["total"], 2, "test control itself is not counted");
}
