//! Connecting an app in the browser: consent, code, PKCE, and the end of a grant.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tandem::sim::hubspot::HubSpotOptions;

use super::{Answer, CONTACTS, Portal};

const CALLBACK: &str = "https://tandem.test/callback?tenant=7";
/// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const TOKEN: &str = "/oauth/2026-09/token";

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn asked() -> Vec<(&'static str, &'static str)> {
    vec![
        ("client_id", "11111111-2222-4333-8444-555555555555"),
        ("redirect_uri", CALLBACK),
        ("scope", "oauth crm.objects.contacts.read"),
        ("state", "a \"b\"&<c>"),
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

async fn open(portal: &Portal, asked: &[(&str, &str)]) -> Answer {
    portal
        .get(&format!("/oauth/authorize?{}", form(asked)))
        .await
}

/// Where the browser goes after a button is pressed.
async fn press(
    portal: &Portal,
    decision: &str,
    asked: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let mut fields = asked.to_vec();
    fields.push(("decision", decision));
    let answer = portal
        .raw("POST", "/oauth/authorize", form(&fields), "")
        .await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    query_of(answer.headers["location"].to_str().unwrap())
}

fn query_of(location: &str) -> BTreeMap<String, String> {
    assert!(
        location.starts_with("https://tandem.test/callback?"),
        "{location}"
    );
    let url = url::Url::parse(location).unwrap();
    url.query_pairs().into_owned().collect()
}

async fn token(portal: &Portal, more: &[(&str, &str)]) -> Answer {
    let options = HubSpotOptions::default();
    let mut fields = vec![
        ("client_id", options.client_id.as_str()),
        ("client_secret", options.client_secret.as_str()),
    ];
    fields.extend_from_slice(more);
    portal.raw("POST", TOKEN, form(&fields), "").await
}

async fn exchange(portal: &Portal, code: &str, redirect: &str, verifier: &str) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
    ];
    token(portal, &fields).await
}

async fn connected(portal: &Portal) -> (String, String) {
    let back = press(portal, "allow", &asked()).await;
    let granted = exchange(portal, &back["code"], CALLBACK, VERIFIER).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    let text = |key: &str| granted.body[key].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

#[tokio::test]
async fn consent_gives_a_code_for_one_exchange_and_a_token_that_lasts_half_an_hour() {
    let portal = Portal::new();
    let page = open(&portal, &asked()).await;
    assert_eq!(page.status, 200);
    let id = portal.sim.portal_id().to_string();
    for shown in [
        id.as_str(),
        "crm.objects.contacts.read",
        "Connect app",
        "Cancel",
    ] {
        assert!(page.text.contains(shown), "{shown}");
    }
    assert!(
        page.text.contains("a &quot;b&quot;&amp;&lt;c&gt;"),
        "{}",
        page.text
    );
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(
        policy.contains("form-action 'self' https://tandem.test;"),
        "{policy}"
    );

    let back = press(&portal, "allow", &asked()).await;
    assert_eq!(
        (back["state"].as_str(), back["tenant"].as_str()),
        ("a \"b\"&<c>", "7")
    );
    let granted = exchange(&portal, &back["code"], CALLBACK, VERIFIER).await;
    assert_eq!(granted.body["hub_id"], json!(portal.sim.portal_id()));
    assert_eq!(granted.body["expires_in"], 1_800);
    assert_eq!(
        granted.body["scopes"],
        json!(["crm.objects.contacts.read", "oauth"])
    );
    let again = exchange(&portal, &back["code"], CALLBACK, VERIFIER).await;
    assert_eq!(
        (again.status, &again.body["status"]),
        (400, &json!("BAD_AUTH_CODE"))
    );

    let access = granted.body["access_token"].as_str().unwrap();
    let read = || portal.raw("GET", CONTACTS, String::new(), access);
    assert_eq!(read().await.status, 200);
    let sent = json!({"properties": {"firstname": "A"}}).to_string();
    let refused = portal.raw("POST", CONTACTS, sent, access).await;
    assert_eq!(
        (refused.status, &refused.body["category"]),
        (403, &json!("MISSING_SCOPES"))
    );
    portal.clock.advance_millis(1_800_000);
    assert_eq!(read().await.body["category"], "EXPIRED_AUTHENTICATION");
}

#[tokio::test]
async fn a_code_is_bound_to_its_callback_and_its_verifier_and_dies_unused() {
    let portal = Portal::new();
    let code = || async { press(&portal, "allow", &asked()).await["code"].clone() };
    let elsewhere = "https://tandem.test/callback";
    let wrong = exchange(&portal, &code().await, elsewhere, VERIFIER).await;
    assert_eq!(wrong.body["status"], "BAD_REDIRECT_URI");
    for verifier in ["", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", CHALLENGE] {
        let wrong = exchange(&portal, &code().await, CALLBACK, verifier).await;
        assert_eq!(
            (wrong.status, &wrong.body["error"]),
            (400, &json!("invalid_grant"))
        );
    }
    let late = code().await;
    portal.clock.advance_millis(600_000);
    let late = exchange(&portal, &late, CALLBACK, VERIFIER).await;
    assert_eq!(late.body["status"], "BAD_AUTH_CODE");
    let plain = press(&portal, "allow", &asked_with("code_challenge", "")).await;
    assert_eq!(
        exchange(&portal, &plain["code"], CALLBACK, "").await.status,
        200
    );
}

#[tokio::test]
async fn a_cancelled_or_unfit_request_goes_back_with_an_error_and_an_unsafe_one_nowhere() {
    let portal = Portal::new();
    let back = press(&portal, "deny", &asked()).await;
    assert_eq!(back["error"], "access_denied");
    assert_eq!(back["state"], "a \"b\"&<c>");
    assert!(!back.contains_key("code"));
    let weak = asked_with("code_challenge_method", "plain");
    assert_eq!(
        press(&portal, "allow", &weak).await["error"],
        "invalid_request"
    );
    for (name, value) in [
        ("client_id", "somebody-else"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "http://tandem.test/callback"),
        ("redirect_uri", "javascript:alert(1)"),
        ("scope", ""),
    ] {
        let answer = open(&portal, &asked_with(name, value)).await;
        assert_eq!(answer.status, 400, "{name}={value}");
        assert!(!answer.headers.contains_key("location"));
        assert!(answer.text.starts_with("<!DOCTYPE html>"));
    }
    let own = format!(
        "/oauth/{}/authorize?{}",
        portal.sim.portal_id(),
        form(&asked())
    );
    assert_eq!(portal.get(&own).await.status, 200);
    let other = format!("/oauth/1/authorize?{}", form(&asked()));
    assert_eq!(portal.get(&other).await.status, 400);
    let strict = Portal::with(HubSpotOptions {
        redirect_uris: vec!["https://tandem.test/other".to_owned()],
        ..HubSpotOptions::default()
    });
    assert_eq!(open(&strict, &asked()).await.status, 400);
}

#[tokio::test]
async fn optional_scopes_the_account_lacks_are_left_out_and_required_ones_end_the_attempt() {
    let portal = Portal::new();
    let lacks = json!({"unavailable_scopes": ["crm.objects.custom.read"]});
    portal.post("/_sim/options", lacks).await;
    let both = "crm.objects.custom.read crm.objects.deals.read";
    let optional = asked_with("optional_scope", both);
    let back = press(&portal, "allow", &optional).await;
    let granted = exchange(&portal, &back["code"], CALLBACK, VERIFIER).await;
    assert_eq!(
        granted.body["scopes"],
        json!([
            "crm.objects.contacts.read",
            "crm.objects.deals.read",
            "oauth"
        ])
    );
    let required = asked_with("scope", both);
    assert_eq!(open(&portal, &required).await.status, 400);
}

#[tokio::test]
async fn tokens_are_introspected_revoked_and_ended_with_the_grant() {
    let portal = Portal::new();
    let (access, refresh) = connected(&portal).await;
    let introspect = async |token: &str| {
        let body = form(&[("token", token)]);
        let path = "/oauth/2026-09/token/introspect";
        portal.raw("POST", path, body, "").await.body
    };
    let told = introspect(&refresh).await;
    assert_eq!(told["token_use"], "refresh_token");
    assert_eq!(
        told["scopes"],
        json!(["crm.objects.contacts.read", "oauth"])
    );
    let options = HubSpotOptions::default();
    let revoke = form(&[
        ("client_id", &options.client_id),
        ("client_secret", &options.client_secret),
        ("token", &refresh),
    ]);
    let revoked = portal
        .raw("POST", "/oauth/2026-09/token/revoke", revoke, "")
        .await;
    assert_eq!(revoked.status, 204);
    assert_eq!(introspect(&refresh).await["active"], false);
    let renew = async |refresh: &str| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        token(&portal, &fields).await.body["status"].clone()
    };
    assert_eq!(renew(&refresh).await, "BAD_REFRESH_TOKEN");
    let read = async |access: &str| {
        portal
            .raw("GET", CONTACTS, String::new(), access)
            .await
            .status
    };
    assert_eq!(
        read(&access).await,
        200,
        "an access token outlives its refresh token"
    );

    let (access, refresh) = connected(&portal).await;
    let uninstall = "/appinstalls/2026-09/external-install";
    let left = portal
        .raw("DELETE", uninstall, String::new(), &access)
        .await;
    assert_eq!(left.status, 204);
    assert_eq!(read(&access).await, 401);
    assert_eq!(renew(&refresh).await, "BAD_REFRESH_TOKEN");

    let (access, refresh) = connected(&portal).await;
    portal.post("/_sim/revoke", json!({})).await;
    assert_eq!(read(&access).await, 401);
    assert_eq!(renew(&refresh).await, "BAD_REFRESH_TOKEN");
}

#[tokio::test]
async fn the_door_presses_the_button_and_rotation_ends_the_old_token() {
    let portal = Portal::new();
    let url = format!(
        "https://app.hubspot.test/oauth/authorize?{}",
        form(&asked())
    );
    let back = query_of(&portal.sim.approve(&url).unwrap());
    let granted = exchange(&portal, &back["code"], CALLBACK, VERIFIER).await;
    let first = granted.body["refresh_token"].as_str().unwrap();
    portal.sim.set_rotation(true);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", first)];
    let renewed = token(&portal, &fields).await;
    assert_ne!(renewed.body["refresh_token"], json!(first));
    assert_eq!(renewed.body["scopes"], granted.body["scopes"]);
    assert_eq!(token(&portal, &fields).await.status, 400);
    portal.sim.revoke_grants();
    let next = renewed.body["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", next)];
    assert_eq!(token(&portal, &fields).await.status, 400);
    let page = portal
        .sim
        .approve("https://app.hubspot.test/oauth/authorize")
        .unwrap_err();
    assert!(page.contains("BAD_CLIENT_ID"), "{page}");
    assert_eq!(
        portal
            .call("PUT", "/oauth/authorize", Value::Null)
            .await
            .status,
        405
    );
}
