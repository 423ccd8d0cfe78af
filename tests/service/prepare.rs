//! What a workspace's accounts lack, over the API: told to those who operate, made by admins.

use axum::http::Method;
use serde_json::{Value, json};
use tandem::model::{KeyKind, Role};

use crate::connect::both;
use crate::house::House;

const PATH: &str = "/v1/workspaces/acme/production/prepare";

#[tokio::test]
async fn what_is_missing_is_told_then_made_once_and_only_by_an_admin() {
    let house = House::bare().await;
    house.connected("acme/production").await;
    let ws = Some("acme/production");
    let operator = house.key(ws, KeyKind::Workspace, Role::Operator).await;
    let told = house
        .call(Method::POST, PATH, Some(&operator), Some(json!({})))
        .await;
    assert_eq!(told.status, 200, "{}", told.text);
    let states = |answer: &Value| -> Vec<String> {
        let findings = answer["findings"].as_array().unwrap();
        let state = |finding: &Value| finding["state"].as_str().unwrap().to_owned();
        findings.iter().map(state).collect()
    };
    let creatable = |answer: &Value| {
        let states = states(answer);
        states
            .iter()
            .filter(|state| *state == "would-create")
            .count()
    };
    let before = creatable(&told.json());
    assert!(before > 0, "{}", told.text);
    let make = json!({"make": true, "package": true});
    let refused = house
        .call(Method::POST, PATH, Some(&operator), Some(make.clone()))
        .await;
    assert_eq!(refused.status, 403);
    let again = house
        .call(Method::POST, PATH, Some(&operator), Some(json!({})))
        .await;
    assert_eq!(creatable(&again.json()), before, "nothing was made");

    let made = house.operate(Method::POST, PATH, Some(make.clone())).await;
    assert_eq!(
        made["made"].as_array().map(Vec::len),
        Some(before),
        "{made}"
    );
    assert_eq!(creatable(&made), 0, "{made}");
    assert!(
        made["package"].as_str().unwrap().starts_with("UEsD"),
        "a zip in base64"
    );
    let twice = house.operate(Method::POST, PATH, Some(make)).await;
    assert_eq!(twice["made"], json!([]), "twice is no more than once");
    let log = house
        .operate(Method::GET, "/v1/workspaces/acme/production/log", None)
        .await;
    let prepared = |entry: &&Value| entry["action"] == "prepare";
    let entries = log["items"].as_array().unwrap();
    assert_eq!(entries.iter().filter(prepared).count(), 1);
}

/// HubSpot tells the scopes of private apps only; what an authorisation granted is known from it.
#[tokio::test]
async fn the_scopes_of_an_authorisation_are_known() {
    let house = House::new().await;
    both(&house).await;
    let told = house.operate(Method::POST, PATH, Some(json!({}))).await;
    let findings = told["findings"].as_array().unwrap();
    let scopes = findings
        .iter()
        .find(|one| one["side"] == "hubspot" && one["place"] == "app");
    assert_eq!(scopes.unwrap()["state"], "present", "{told}");
}
