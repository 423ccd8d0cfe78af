//! Both sides compared and counted over the API, and nothing written.

use axum::http::Method;
use serde_json::json;
use tandem::model::{KeyKind, Role};

use crate::house::House;
use crate::plans::{ACME, WS, observing, written};

#[tokio::test]
async fn a_comparison_begins_at_once_and_tells_what_it_found() {
    let house = House::new().await;
    house.live(ACME).await;
    for nth in 0..2 {
        house.person(&format!("p{nth}@example.com"), "Lovelace");
    }
    house.pass(300_000).await;
    let path = format!("{WS}/drift");
    let none = house.operate(Method::GET, &path, None).await;
    assert_eq!(none, json!({"mappings": {}}));
    let asked = house.operate(Method::POST, &path, None).await;
    assert_eq!(asked, json!({"mappings": ["contacts"]}));
    house.pass(30_000).await;
    let found = house.operate(Method::GET, &path, None).await;
    let contacts = &found["mappings"]["contacts"];
    assert_eq!(
        (&contacts["pairs"], &contacts["drift"]),
        (&json!(2), &json!(0)),
        "{found}"
    );
    assert_eq!(contacts["values"], contacts["agree"], "{found}");
}

#[tokio::test]
async fn an_inventory_is_taken_before_the_first_write() {
    let (house, _) = observing(2).await;
    let fields = [
        ("Email", json!("person0@example.com")),
        ("LastName", json!("Lovelace")),
    ];
    house.salesforce.create("Contact", &fields).unwrap();
    house.pass(120_000).await;
    let path = format!("{WS}/match");
    let key = house
        .key(Some(ACME), KeyKind::Workspace, Role::Viewer)
        .await;
    let none = house.call(Method::GET, &path, Some(&key), None).await;
    assert_eq!(none.status, 404, "none was taken yet");
    let asked = house.operate(Method::POST, &path, None).await;
    assert_eq!(asked["state"], "waiting");
    house.pass(15_000).await;
    let told = house
        .call(Method::GET, &path, Some(&key), None)
        .await
        .json();
    assert_eq!(told["state"], "ready", "{told}");
    let inventory = &told["inventory"];
    assert_eq!(inventory["pairs"], 1, "{inventory}");
    let creates = &inventory["mappings"][0]["creates"]["salesforce"]["records"];
    assert_eq!(creates, &json!(1), "{inventory}");
    assert_eq!(written(&house), 0);
    let plans = house
        .operate(Method::GET, &format!("{WS}/plans"), None)
        .await;
    assert_eq!(plans["items"], json!([]), "an inventory is no plan");
}
