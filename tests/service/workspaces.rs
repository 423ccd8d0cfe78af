//! Workspaces from the first call to the last row.

use axum::http::Method;
use serde_json::json;
use tandem::app::MappingFiles;
use tandem::model::{KeyKind, Role, WorkspaceId, WorkspaceMode};
use tandem::store::Erased;

use crate::house::{House, file};

const WS: &str = "/v1/workspaces/acme/production";

#[tokio::test]
async fn a_workspace_observes_until_it_is_let_write() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let id = house.person("ada@example.com", "Ada");
    house.pass(120_000).await;
    assert_eq!(
        house.salesforce.records("Contact").len(),
        0,
        "it only observes"
    );
    house
        .operate(Method::POST, &format!("{WS}/live"), None)
        .await;
    house.pass(120_000).await;
    let copied = house.salesforce.records("Contact");
    assert_eq!(copied.len(), 1, "{id}");
    let shown = house.operate(Method::GET, WS, None).await;
    assert_eq!(
        (shown["mode"].clone(), shown["standing"].clone()),
        (json!("live"), json!("open"))
    );
}

#[tokio::test]
async fn a_paused_workspace_neither_reads_nor_writes() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.pass(120_000).await;
    house
        .operate(Method::POST, &format!("{WS}/pause"), None)
        .await;
    house.pass(1_000).await;
    let calls = house.hubspot.counters().calls;
    house.person("b@example.com", "B");
    house.pass(600_000).await;
    assert_eq!(
        house.hubspot.counters().calls,
        calls,
        "not one call while it is paused"
    );
    house
        .operate(Method::POST, &format!("{WS}/resume"), None)
        .await;
    house.pass(120_000).await;
    assert_eq!(house.salesforce.records("Contact").len(), 1);
}

#[tokio::test]
async fn names_of_another_shape_and_names_that_are_taken_are_refused() {
    let house = House::new().await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    for id in ["acme", "Acme/x", "a/b/c", "../x", ""] {
        let body = Some(json!({"id": id}));
        let answer = house
            .call(Method::POST, "/v1/workspaces", Some(&key), body)
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "bad-request"),
            "{id}"
        );
    }
    let body = || Some(json!({"id": "acme/production"}));
    let first = house
        .call(Method::POST, "/v1/workspaces", Some(&key), body())
        .await;
    let second = house
        .call(Method::POST, "/v1/workspaces", Some(&key), body())
        .await;
    assert_eq!((first.status, second.status), (201, 409));
    assert_eq!(second.code(), "exists");
    let unknown = Some(json!({"id": "a/b", "colour": "red"}));
    let answer = house
        .call(Method::POST, "/v1/workspaces", Some(&key), unknown)
        .await;
    assert_eq!(answer.status, 400, "unknown keys are refused");
}

#[tokio::test]
async fn deleting_erases_everything_and_says_what() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.live("other/production").await;
    house.person("ada@example.com", "Ada");
    house.pass(180_000).await;
    let gone = house.operate(Method::DELETE, WS, None).await;
    for kind in [
        "links",
        "bases",
        "marks",
        "connections",
        "data_keys",
        "workspaces",
        "lanes",
    ] {
        assert!(gone["erased"][kind].as_u64() > Some(0), "{kind}: {gone}");
    }
    house.pass(180_000).await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let shown = house.call(Method::GET, WS, Some(&key), None).await;
    assert_eq!(shown.status, 404);
    // A worker that still had the workspace must not have brought rows back.
    let ws = WorkspaceId::new("acme/production");
    assert_eq!(
        house.store.erase_workspace(&ws).await.unwrap(),
        Erased::new()
    );
    let other = house
        .operate(Method::GET, "/v1/workspaces/other/production", None)
        .await;
    assert_eq!(other["standing"], "open");
}

#[tokio::test]
async fn who_changed_what_is_on_record() {
    let house = House::new().await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let body = Some(json!({"id": "acme/production"}));
    house
        .call(Method::POST, "/v1/workspaces", Some(&key), body)
        .await;
    house.clock.advance_millis(1_000);
    house
        .call(Method::POST, &format!("{WS}/pause"), Some(&key), None)
        .await;
    let log = house
        .call(Method::GET, &format!("{WS}/log"), Some(&key), None)
        .await
        .json();
    let actions: Vec<&str> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["action"].as_str())
        .collect();
    assert_eq!(actions, ["pause", "create"], "the newest first");
    let actor = log["items"][0]["actor"].as_str().unwrap();
    assert!(
        actor.ends_with("(test)") && !actor.contains(&key),
        "{actor}"
    );
}

#[tokio::test]
async fn an_engine_that_was_closed_opens_again_without_asking_for_schemas() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.person("ada@example.com", "Ada");
    house.pass(180_000).await;
    let asked = |house: &House| {
        let counters = house.hubspot.counters();
        let families = ["properties.list", "account", "owners.list"];
        let of = |name: &&str| counters.calls_by_family.get(*name).copied().unwrap_or(0);
        (families.iter().map(of).sum::<u64>(), counters.calls)
    };
    let (before, _) = asked(&house);
    // Paused and resumed: the engine is closed and opened.
    house
        .operate(Method::POST, &format!("{WS}/pause"), None)
        .await;
    house.pass(5_000).await;
    house
        .operate(Method::POST, &format!("{WS}/resume"), None)
        .await;
    house.person("grace@example.com", "Grace");
    house.pass(180_000).await;
    assert_eq!(house.salesforce.records("Contact").len(), 2);
    let (after, calls) = asked(&house);
    assert_eq!(
        after,
        before,
        "{:?} in {calls}",
        house.hubspot.counters().calls_by_family
    );
}

#[tokio::test]
async fn what_another_process_decides_counts_here_too() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.pass(120_000).await;
    let ws = WorkspaceId::new("acme/production");
    // Straight into the rows: this process is not told.
    house
        .store
        .set_mode(&ws, WorkspaceMode::Observing)
        .await
        .unwrap();
    house.person("a@example.com", "A");
    house.pass(180_000).await;
    assert_eq!(house.salesforce.records("Contact").len(), 0, "it observes");
    house.store.set_paused(&ws, true).await.unwrap();
    house.pass(180_000).await;
    let calls = house.hubspot.counters().calls;
    house.pass(600_000).await;
    assert_eq!(house.hubspot.counters().calls, calls, "it is paused");
}

#[tokio::test]
async fn a_pause_is_kept_whatever_becomes_of_the_mapping_files() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.pass(120_000).await;
    house
        .service
        .set_mappings(MappingFiles::shared(vec![file("mapping: contacts\n")]));
    house
        .operate(Method::POST, &format!("{WS}/pause"), None)
        .await;
    house.pass(5_000).await;
    let calls = house.hubspot.counters().calls;
    house.pass(600_000).await;
    assert_eq!(
        house.hubspot.counters().calls,
        calls,
        "not one call while it is paused"
    );
}
