//! Connect links, the way to the CRM's consent and back, and what becomes of a grant later.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, header};
use serde_json::{Value, json};
use tandem::model::{Side, WorkspaceId};

use crate::house::{Answer, House, PUBLIC};

const WS: &str = "/v1/workspaces/acme/production";

pub async fn workspace(house: &House) {
    house
        .operate(
            Method::POST,
            "/v1/workspaces",
            Some(json!({"id": "acme/production"})),
        )
        .await;
}

/// The path of a fresh link.
pub async fn link(house: &House, side: &str) -> String {
    let path = format!("{WS}/connect-links");
    let made = house
        .operate(Method::POST, &path, Some(json!({"side": side})))
        .await;
    let url = made["url"].as_str().unwrap();
    url.strip_prefix(PUBLIC).unwrap().to_owned()
}

pub async fn open(house: &House, path: &str, cookie: &str) -> Answer {
    let request = Request::builder().uri(path).header(header::COOKIE, cookie);
    house.send(request.body(Body::empty()).unwrap()).await
}

/// Presses the button of a link: the address of the CRM's consent, and the browser's cookie.
pub async fn start(house: &House, path: &str, form: &str) -> (String, String) {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{path}/start"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()))
        .unwrap();
    let answer = house.send(request).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(cookie.contains("SameSite=Lax"), "{cookie}");
    (
        answer.location(),
        cookie.split(';').next().unwrap().to_owned(),
    )
}

/// Agrees at the CRM: the path of our callback, with the code.
pub fn agree(house: &House, side: Side, url: &str) -> String {
    let back = match side {
        Side::HubSpot => house.hubspot.approve(url),
        Side::Salesforce => house.salesforce.approve(url),
    };
    let back = back.unwrap_or_else(|page| panic!("the CRM shows another page: {page}"));
    back.strip_prefix(PUBLIC)
        .unwrap_or_else(|| panic!("{back}"))
        .to_owned()
}

/// The whole way of one side.
async fn connect(house: &House, side: Side) {
    let path = link(house, side.as_str()).await;
    let (url, cookie) = start(house, &path, "host=production").await;
    let answer = open(house, &agree(house, side, &url), &cookie).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
}

pub async fn both(house: &House) {
    workspace(house).await;
    connect(house, Side::HubSpot).await;
    connect(house, Side::Salesforce).await;
    house
        .operate(Method::POST, &format!("{WS}/live"), None)
        .await;
}

async fn state(house: &House, side: usize) -> Value {
    house
        .operate(Method::GET, &format!("{WS}/connections"), None)
        .await["items"][side]
        .clone()
}

#[tokio::test]
async fn two_administrators_connect_and_the_first_record_is_synced() {
    let house = House::new().await;
    workspace(&house).await;
    for side in Side::BOTH {
        let path = link(&house, side.as_str()).await;
        let shown = open(&house, &path, "").await;
        assert!(shown.text.contains("Not connected."), "{}", shown.text);
        let (url, cookie) = start(&house, &path, "host=production").await;
        let back = agree(&house, side, &url);
        let answer = open(&house, &back, &cookie).await;
        assert_eq!(
            answer.location(),
            format!("{PUBLIC}{path}"),
            "no code in the history"
        );
        let shown = open(&house, &path, "").await;
        assert!(
            shown.text.contains("Connected</b> as account"),
            "{}",
            shown.text
        );
        assert!(shown.text.contains("This link was used"), "{}", shown.text);
    }
    house
        .operate(Method::POST, &format!("{WS}/live"), None)
        .await;
    house.person("ada@example.com", "Ada");
    house.pass(180_000).await;
    assert_eq!(house.salesforce.records("Contact").len(), 1);
    let connection = state(&house, 0).await;
    assert_eq!(
        connection["account_id"],
        json!(house.hubspot.portal_id().to_string())
    );
    assert!(
        connection["scopes"]
            .as_array()
            .unwrap()
            .contains(&json!("oauth"))
    );
}

#[tokio::test]
async fn opening_a_link_does_not_use_it_up_but_connecting_does() {
    let house = House::new().await;
    workspace(&house).await;
    let path = link(&house, "hubspot").await;
    for _ in 0..3 {
        assert_eq!(
            open(&house, &path, "").await.status,
            200,
            "a mail scanner looks"
        );
    }
    // Two browsers with one link: the first one counts.
    let (first, first_cookie) = start(&house, &path, "").await;
    let (second, second_cookie) = start(&house, &path, "").await;
    let back = agree(&house, Side::HubSpot, &first);
    assert_eq!(open(&house, &back, &first_cookie).await.status, 303);
    let back = agree(&house, Side::HubSpot, &second);
    let answer = open(&house, &back, &second_cookie).await;
    assert!(answer.text.contains("used already"), "{}", answer.text);
    let again = house
        .send(
            Request::builder()
                .method(Method::POST)
                .uri(format!("{path}/start"))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(
        again.location(),
        format!("{PUBLIC}{path}"),
        "a used link starts nothing"
    );
}

#[tokio::test]
async fn an_expired_or_changed_link_connects_nothing() {
    let house = House::new().await;
    workspace(&house).await;
    let path = link(&house, "hubspot").await;
    let changed = format!("{}x", &path[..path.len() - 1]);
    for bad in [
        changed.as_str(),
        "/connect/x",
        "/connect/a.b",
        "/connect/%00",
    ] {
        assert_eq!(open(&house, bad, "").await.status, 404, "{bad}");
    }
    house.clock.advance_millis(7 * 24 * 3_600_000);
    let shown = open(&house, &path, "").await;
    assert!(
        shown.text.contains("has expired") && !shown.text.contains("<form"),
        "{}",
        shown.text
    );
}

#[tokio::test]
async fn an_answer_that_this_browser_did_not_begin_is_turned_away() {
    let house = House::new().await;
    workspace(&house).await;
    let path = link(&house, "hubspot").await;
    let (url, cookie) = start(&house, &path, "").await;
    let back = agree(&house, Side::HubSpot, &url);
    let (_, query) = back.split_once('?').unwrap();
    let tampered = back.replacen("state=", "state=x", 1);
    let other_side = format!("/connect/callback/salesforce?{query}");
    for (path, cookie) in [
        (back.as_str(), ""),
        (back.as_str(), "tandem_connect=guessed"),
        (tampered.as_str(), cookie.as_str()),
        ("/connect/callback/hubspot?code=x", cookie.as_str()),
        ("/connect/callback/hubspot", cookie.as_str()),
    ] {
        let answer = open(&house, path, cookie).await;
        assert_eq!(answer.status, 400, "{path} {cookie}");
        assert!(
            answer.text.contains("Please start again"),
            "{}",
            answer.text
        );
    }
    assert_eq!(state(&house, 0).await["state"], "not-connected");
    assert_eq!(open(&house, &other_side, &cookie).await.status, 400);
    // The wrong side has used the state up; a second try with the right one is too late.
    assert_eq!(open(&house, &back, &cookie).await.status, 400);
    assert_eq!(state(&house, 0).await["state"], "not-connected");
}

#[tokio::test]
async fn an_app_that_is_not_installed_is_said_in_words() {
    let house = House::new().await;
    workspace(&house).await;
    house.salesforce.set_app_installed(false);
    let path = link(&house, "salesforce").await;
    let (url, cookie) = start(&house, &path, "host=production").await;
    let answer = open(&house, &agree(&house, Side::Salesforce, &url), &cookie).await;
    assert!(
        answer.text.contains("must install the app first"),
        "{}",
        answer.text
    );
    house.salesforce.set_app_installed(true);
    let (url, cookie) = start(&house, &path, "host=production").await;
    let answer = open(&house, &agree(&house, Side::Salesforce, &url), &cookie).await;
    assert_eq!(
        answer.status, 303,
        "the same link works then: {}",
        answer.text
    );
}

#[tokio::test]
async fn only_addresses_of_salesforce_are_taken_as_my_domain() {
    let house = House::new().await;
    workspace(&house).await;
    let path = link(&house, "salesforce").await;
    for domain in [
        "evil.example.com",
        "acme.my.salesforce.com.evil.example.com",
        "a@evil.com",
        "acme.my.salesforce.com:8443",
        "acme.my.salesforce.com/x",
        "",
        "my.salesforce.com",
    ] {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("host", "domain")
            .append_pair("domain", domain)
            .finish();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{path}/start"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap();
        assert_eq!(house.send(request).await.status, 400, "{domain}");
    }
    let (url, _) = start(
        &house,
        &path,
        "host=domain&domain=https%3A%2F%2Facme.my.salesforce.com%2F",
    )
    .await;
    assert!(
        url.starts_with("https://acme.my.salesforce.com/services/oauth2/authorize?"),
        "{url}"
    );
    let (url, _) = start(&house, &path, "host=sandbox").await;
    assert!(url.starts_with("https://test.salesforce.com/"), "{url}");
}

#[tokio::test]
async fn tokens_are_renewed_and_rotated_while_records_flow() {
    let house = House::new().await;
    house.hubspot.set_rotation(true);
    house.salesforce.set_rotation(true);
    both(&house).await;
    house.pass(120_000).await;
    for round in 0..4 {
        // HubSpot's tokens last half an hour; Salesforce says nothing and just ends them.
        house.clock.advance_millis(40 * 60_000);
        house.salesforce.expire_tokens();
        let email = format!("round{round}@example.com");
        house.person(&email, "Round");
        house.pass(180_000).await;
        assert_eq!(house.salesforce.records("Contact").len(), round + 1);
    }
    assert!(house.losses.lock().unwrap().is_empty());
    assert_eq!(state(&house, 1).await["state"], "connected");
}

/// Days pass one by one; nothing but the keep-alive of the service runs.
async fn idle(house: &House, days: usize) -> u64 {
    let mut renewed = 0;
    for _ in 0..days {
        house.clock.advance_millis(24 * 3_600_000);
        renewed += house.api.keeper.keep_alive().await.unwrap();
    }
    renewed
}

#[tokio::test]
async fn a_pause_of_three_months_leaves_both_grants_alive() {
    let house = House::new().await;
    house.hubspot.set_rotation(true);
    house.salesforce.set_rotation(true);
    both(&house).await;
    house.pass(120_000).await;
    let pause = format!("{WS}/pause");
    house.operate(Method::POST, &pause, None).await;
    house.pass(1_000).await;
    let renewed = idle(&house, 90).await;
    // Each side has its turn about once a week, and no more.
    assert!((24..=30).contains(&renewed), "{renewed}");
    house
        .operate(Method::POST, &format!("{WS}/resume"), None)
        .await;
    house.person("late@example.com", "Late");
    house.pass(300_000).await;
    assert_eq!(house.salesforce.records("Contact").len(), 1);
    assert!(house.losses.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_connection_that_is_tried_says_whose_it_is_or_what_is_wrong() {
    let house = House::new().await;
    both(&house).await;
    let ws = WorkspaceId::new("acme/production");
    let probe = async |side| house.api.keeper.probe(&ws, side).await;
    // The tokens that came with the grants have run out by then.
    house.clock.advance_millis(24 * 3_600_000);
    for side in Side::BOTH {
        let probed = probe(side).await.unwrap_or_else(|error| panic!("{error}"));
        let bound = house.store.sealed_connection(&ws, side).await.unwrap();
        assert_eq!(probed.account_id, bound.unwrap().account_id);
        assert!(!probed.scopes.unwrap().is_empty(), "{side}");
    }
    house.hubspot.revoke_grants();
    house.clock.advance_millis(24 * 3_600_000);
    assert!(probe(Side::HubSpot).await.is_err());
    let told = probe(Side::HubSpot).await.unwrap_err().to_string();
    assert!(told.starts_with("HubSpot: "), "{told}");
    assert!(probe(Side::Salesforce).await.is_ok());
    let free = WorkspaceId::new("no/where");
    let told = house.api.keeper.probe(&free, Side::HubSpot).await;
    assert_eq!(told.unwrap_err().to_string(), "HubSpot is not connected");
}

#[tokio::test]
async fn a_grant_that_was_revoked_during_a_pause_is_found_out() {
    let house = House::new().await;
    both(&house).await;
    let pause = format!("{WS}/pause");
    house.operate(Method::POST, &pause, None).await;
    house.hubspot.revoke_grants();
    assert_eq!(idle(&house, 10).await, 1, "Salesforce's");
    assert_eq!(state(&house, 0).await["state"], "needs-reconnect");
    assert_eq!(house.losses.lock().unwrap().len(), 1);
    idle(&house, 10).await;
    assert_eq!(house.losses.lock().unwrap().len(), 1, "once");
}

/// Whoever does not know which user it is cannot read its own writes out of a history.
#[tokio::test]
async fn by_a_grant_it_is_known_which_changes_of_a_history_are_our_own() {
    let house = House::new().await;
    house
        .salesforce
        .track_history("Contact", &["LastName"])
        .unwrap();
    both(&house).await;
    let id = house.person("ada@example.com", "Ada");
    house.pass(180_000).await;
    let contact = house.salesforce.records("Contact")[0].id.clone();
    // Somebody is at work on the record that is written to, so its history is looked at.
    house
        .hubspot
        .edit("contacts", &id, &[("lastname", "Lindqvist")])
        .unwrap();
    house
        .salesforce
        .edit("Contact", &contact, &[("FirstName", json!("Ada"))])
        .unwrap();
    house.pass(180_000).await;
    let held = &house.salesforce.records("Contact")[0].fields["LastName"];
    assert_eq!(held, &json!("Lindqvist"));
    let counted = house.service.counted(&WorkspaceId::new("acme/production"));
    assert_eq!(counted.map(|counted| counted.unknown), Some(0));
}

#[tokio::test]
async fn a_revoked_grant_is_told_once_and_costs_no_calls_until_it_is_connected_again() {
    let house = House::new().await;
    both(&house).await;
    house.pass(120_000).await;
    house.hubspot.revoke_grants();
    house.pass(600_000).await;
    let connection = state(&house, 0).await;
    assert_eq!(connection["state"], "needs-reconnect", "{connection}");
    assert_eq!(house.losses.lock().unwrap().len(), 1, "one notice");
    let calls = house.hubspot.counters().calls;
    house.pass(3_600_000).await;
    assert_eq!(house.hubspot.counters().calls, calls, "no loop");
    let shown = house.operate(Method::GET, WS, None).await;
    assert_eq!(shown["standing"], "troubled", "{shown}");
    connect(&house, Side::HubSpot).await;
    house.person("back@example.com", "Back");
    house.pass(300_000).await;
    assert_eq!(house.salesforce.records("Contact").len(), 1);
    let shown = house.operate(Method::GET, WS, None).await;
    assert_eq!(
        (shown["standing"].clone(), shown["trouble"].clone()),
        (json!("open"), Value::Null)
    );
}

#[tokio::test]
async fn an_organisation_that_changed_stops_everything_before_a_write() {
    let house = House::new().await;
    both(&house).await;
    house.pass(120_000).await;
    house.salesforce.refresh_sandbox();
    house.salesforce.expire_tokens();
    house.person("x@example.com", "X");
    house.pass(600_000).await;
    assert_eq!(
        house.salesforce.records("Contact").len(),
        0,
        "not one write"
    );
    let connection = state(&house, 1).await;
    assert_eq!(connection["state"], "wrong-account", "{connection}");
    // Its administrator tries the link again: another account does not take its place.
    let path = link(&house, "salesforce").await;
    let (url, cookie) = start(&house, &path, "host=production").await;
    let answer = open(&house, &agree(&house, Side::Salesforce, &url), &cookie).await;
    assert!(answer.text.contains("Wrong account"), "{}", answer.text);
    let shown = open(&house, &path, "").await;
    assert!(
        shown.text.contains("<form"),
        "the link is not used up by that: {}",
        shown.text
    );
}

#[tokio::test]
async fn deleting_a_workspace_revokes_its_grants() {
    let house = House::new().await;
    both(&house).await;
    house.pass(60_000).await;
    let before = house.hubspot.counters().calls;
    house.operate(Method::DELETE, WS, None).await;
    assert!(house.hubspot.counters().calls > before, "HubSpot was told");
    house.pass(600_000).await;
}
