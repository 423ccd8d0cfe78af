//! Connecting an app in the browser: consent, code, PKCE, rotation, and the end of a grant.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tandem::sim::salesforce::SalesforceOptions;

use crate::support::{Answer, Org, org, with};

const CALLBACK: &str = "https://tandem.test/callback";
/// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const PAGE: &str = "/services/oauth2/authorize";

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn asked() -> Vec<(&'static str, &'static str)> {
    vec![
        ("response_type", "code"),
        ("client_id", "sim-client-id"),
        ("redirect_uri", CALLBACK),
        ("scope", "api refresh_token"),
        ("state", "s/1+\"<"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

/// `asked` with one field changed, or left out when the value is empty.
fn asked_with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut asked = asked();
    asked.retain(|(own, _)| *own != name);
    if !value.is_empty() {
        asked.push((name, value));
    }
    asked
}

async fn post(org: &Org, path: &str, body: String) -> Answer {
    let request = http::Request::builder()
        .method("POST")
        .uri(path)
        .header("host", "sim.test:81")
        .body(axum::body::Body::from(body))
        .expect("a request");
    org.send(request).await
}

async fn open(org: &Org, asked: &[(&str, &str)]) -> Answer {
    let path = format!("{PAGE}?{}", form(asked));
    org.call("GET", &path, Value::Null).await
}

/// Where the browser goes after a button is pressed.
async fn press(org: &Org, decision: &str, asked: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut fields = asked.to_vec();
    fields.push(("decision", decision));
    let answer = post(org, PAGE, form(&fields)).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    query_of(answer.headers["location"].to_str().expect("text"))
}

fn query_of(location: &str) -> BTreeMap<String, String> {
    assert!(
        location.starts_with("https://tandem.test/callback?"),
        "{location}"
    );
    let url = url::Url::parse(location).expect("an address");
    url.query_pairs().into_owned().collect()
}

async fn token(org: &Org, more: &[(&str, &str)]) -> Answer {
    let mut fields = vec![
        ("client_id", "sim-client-id"),
        ("client_secret", "sim-client-secret"),
    ];
    fields.extend_from_slice(more);
    post(org, "/services/oauth2/token", form(&fields)).await
}

async fn exchange(org: &Org, code: &str, redirect: &str, verifier: &str) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
    ];
    token(org, &fields).await
}

async fn renew(org: &Org, refresh: &str) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    token(org, &fields).await
}

async fn connected(org: &mut Org) -> String {
    let back = press(org, "allow", &asked()).await;
    let granted = exchange(org, &back["code"], CALLBACK, VERIFIER).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    org.token = text(&granted, "access_token");
    text(&granted, "refresh_token")
}

fn text(answer: &Answer, key: &str) -> String {
    let value = answer.body[key].as_str();
    value
        .unwrap_or_else(|| panic!("no {key} in {}", answer.body))
        .to_owned()
}

async fn status(org: &Org) -> u16 {
    org.call("GET", "/limits", Value::Null).await.status
}

#[tokio::test]
async fn consent_gives_a_code_for_one_exchange_and_a_token_that_works() {
    let mut org = org();
    let page = open(&org, &asked()).await;
    assert_eq!(page.status, 200);
    let id = org.sim.organization_id();
    for shown in [
        id.as_str(),
        "integration@example.com",
        "refresh_token",
        "Allow",
        "Deny",
    ] {
        assert!(page.text.contains(shown), "{shown}");
    }
    assert!(page.text.contains("s/1+&quot;&lt;"), "{}", page.text);
    let policy = page.headers["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(policy.contains("default-src 'none'"), "{policy}");

    let back = press(&org, "allow", &asked()).await;
    assert_eq!(back["state"], "s/1+\"<");
    assert!(back["code"].ends_with("=="), "{}", back["code"]);
    let granted = exchange(&org, &back["code"], CALLBACK, VERIFIER).await;
    assert_eq!(granted.body["scope"], "api refresh_token");
    assert!(granted.body.get("expires_in").is_none());
    org.token = text(&granted, "access_token");
    assert_eq!(status(&org).await, 200);
    let again = exchange(&org, &back["code"], CALLBACK, VERIFIER).await;
    assert_eq!(
        again.body["error_description"],
        "expired authorization code"
    );
    let found = org
        .call("GET", "/services/oauth2/userinfo", Value::Null)
        .await;
    assert_eq!(found.body["organization_id"], json!(id));
}

#[tokio::test]
async fn a_code_is_bound_to_its_callback_and_its_verifier_and_lives_15_minutes() {
    let org = org();
    let code = || async { press(&org, "allow", &asked()).await["code"].clone() };
    let wrong = exchange(&org, &code().await, "https://tandem.test/other", VERIFIER).await;
    assert_eq!(wrong.body["error"], "redirect_uri_mismatch");
    for verifier in ["", CHALLENGE] {
        let wrong = exchange(&org, &code().await, CALLBACK, verifier).await;
        assert_eq!(
            (wrong.status, &wrong.body["error"]),
            (400, &json!("invalid_grant"))
        );
    }
    let (late, in_time) = (code().await, code().await);
    org.clock.advance_millis(15 * 60 * 1_000 - 1);
    assert_eq!(
        exchange(&org, &in_time, CALLBACK, VERIFIER).await.status,
        200
    );
    org.clock.advance_millis(1);
    let late = exchange(&org, &late, CALLBACK, VERIFIER).await;
    assert_eq!(late.body["error_description"], "expired authorization code");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_to_the_app_only_when_that_is_safe() {
    let org = org();
    let denied = press(&org, "deny", &asked()).await;
    assert_eq!(
        (denied["error"].as_str(), denied["state"].as_str()),
        ("access_denied", "s/1+\"<")
    );
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "api everything", "invalid_scope"),
        ("code_challenge", "short", "invalid_request"),
        ("prompt", "none", "login_required"),
    ] {
        let back = press(&org, "allow", &asked_with(name, value)).await;
        assert_eq!(back["error"], error);
        assert!(!back["error_description"].is_empty());
    }
    for (name, value) in [
        ("client_id", "somebody-else"),
        ("redirect_uri", ""),
        ("redirect_uri", "http://tandem.test/callback"),
    ] {
        let answer = open(&org, &asked_with(name, value)).await;
        assert_eq!(answer.status, 400, "{name}={value}");
        assert!(!answer.headers.contains_key("location"));
    }
    let strict = with(SalesforceOptions {
        redirect_uris: vec![format!("{CALLBACK}/")],
        ..SalesforceOptions::default()
    });
    assert_eq!(open(&strict, &asked()).await.status, 400);
}

#[tokio::test]
async fn an_app_that_is_not_installed_or_sends_no_challenge_can_be_turned_away() {
    let org = org();
    let url = format!("https://login.salesforce.test{PAGE}?{}", form(&asked()));
    org.sim.set_app_installed(false);
    let back = query_of(&org.sim.approve(&url).expect("a redirect"));
    assert_eq!(back["error"], "OAUTH_EC_APP_NOT_FOUND");
    let on = json!({ "app_installed": true, "require_pkce": true });
    org.call("POST", "/_sim/options", on).await;
    assert!(query_of(&org.sim.approve(&url).expect("a redirect")).contains_key("code"));
    let bare = press(&org, "allow", &asked_with("code_challenge", "")).await;
    assert_eq!(bare["error"], "invalid_request");
}

#[tokio::test]
async fn a_rotated_token_that_is_shown_again_ends_the_whole_grant() {
    let mut org = org();
    let first = connected(&mut org).await;
    org.sim.set_rotation(true);
    let renewed = renew(&org, &first).await;
    let second = text(&renewed, "refresh_token");
    assert_ne!(second, first);
    assert_eq!(status(&org).await, 200, "a rotation ends no access token");
    let third = text(&renew(&org, &second).await, "refresh_token");
    let stolen = renew(&org, &first).await;
    assert_eq!(
        stolen.body["error_description"],
        "expired access/refresh token"
    );
    assert_eq!(renew(&org, &third).await.body["error"], "invalid_grant");
    assert_eq!(status(&org).await, 401);
}

#[tokio::test]
async fn revocation_ends_the_grant_and_another_one_lives_on() {
    let mut org = org();
    let other = connected(&mut org).await;
    let refresh = connected(&mut org).await;
    let revoke = form(&[("token", &refresh)]);
    assert_eq!(
        post(&org, "/services/oauth2/revoke", revoke).await.status,
        200
    );
    assert_eq!(status(&org).await, 401);
    assert_eq!(renew(&org, &refresh).await.body["error"], "invalid_grant");
    let told = async |token: &str| {
        let body = form(&[
            ("client_id", "sim-client-id"),
            ("client_secret", "sim-client-secret"),
            ("token", token),
        ]);
        post(&org, "/services/oauth2/introspect", body).await.body
    };
    assert_eq!(told(&refresh).await, json!({ "active": false }));
    assert_eq!(told(&other).await["scope"], "api refresh_token");
    assert_eq!(renew(&org, &other).await.status, 200);
    org.call("POST", "/_sim/revoke", json!({})).await;
    assert_eq!(renew(&org, &other).await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn without_the_scope_there_is_no_refresh_token() {
    let org = org();
    let back = press(&org, "allow", &asked_with("scope", "api id")).await;
    let granted = exchange(&org, &back["code"], CALLBACK, VERIFIER).await;
    assert_eq!(granted.body["scope"], "api id");
    assert!(granted.body.get("refresh_token").is_none());
    let told = org
        .call_with("GET", "/.well-known/openid-configuration", &[], Value::Null)
        .await;
    assert_eq!(
        told.body["authorization_endpoint"],
        "http://sim.test:81/services/oauth2/authorize"
    );
}

#[tokio::test]
async fn a_sandbox_refresh_changes_the_organisation_under_a_live_grant() {
    let mut org = org();
    let refresh = connected(&mut org).await;
    let before = org.sim.organization_id();
    let after = org.sim.refresh_sandbox();
    assert_ne!(before, after);
    assert_eq!(status(&org).await, 200);
    let renewed = renew(&org, &refresh).await;
    assert!(text(&renewed, "id").contains(&after), "{}", renewed.body);
    let ids = org.pick("SELECT Id FROM Organization", "Id").await;
    assert_eq!(ids, [json!(after)]);
}
