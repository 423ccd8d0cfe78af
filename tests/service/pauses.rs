//! A mapping paused, or one direction of it: nothing is written there, and nothing is lost.

use axum::http::Method;
use serde_json::{Value, json};
use tandem::app::MappingFiles;
use tandem::model::{KeyKind, Role, Task, WorkspaceId};
use tandem::pipeline::LANE;

use crate::house::{House, file, seldom};

const WS: &str = "/v1/workspaces/acme/production";

/// A pair that is in step; the ids on both sides.
async fn started(house: &House) -> (String, String) {
    house.live("acme/production").await;
    let id = house.person("ada@example.com", "Ada");
    house.pass(180_000).await;
    let there = house.salesforce.records("Contact");
    assert_eq!(there.len(), 1);
    (id, there[0].id.clone())
}

async fn ask(house: &House, action: &str, to: Value) -> Value {
    let path = format!("{WS}/mappings/contacts/{action}");
    house
        .operate(Method::POST, &path, Some(json!({"to": to})))
        .await
}

fn type_hubspot(house: &House, id: &str, name: &str) {
    let fields = [("lastname", name)];
    house.hubspot.edit("contacts", id, &fields).unwrap();
}

fn type_salesforce(house: &House, id: &str, name: &str) {
    let fields = [("FirstName", json!(name))];
    house.salesforce.edit("Contact", id, &fields).unwrap();
}

fn in_hubspot(house: &House, id: &str, field: &str) -> String {
    let record = house.hubspot.record("contacts", id).unwrap();
    record.properties.get(field).cloned().unwrap_or_default()
}

fn in_salesforce(house: &House, id: &str, field: &str) -> Value {
    house.salesforce.record("Contact", id).unwrap().fields[field].clone()
}

#[tokio::test]
async fn one_direction_waits_while_the_other_goes_on() {
    let house = House::new().await;
    let (ours, theirs) = started(&house).await;
    let shown = ask(&house, "pause", json!("salesforce")).await;
    assert_eq!(shown["items"][0]["paused"], json!(["salesforce"]));
    type_hubspot(&house, &ours, "Waiting");
    house.person("bob@example.com", "Bob");
    house.pass(120_000).await;
    type_salesforce(&house, &theirs, "Going");
    house.pass(600_000).await;
    assert_eq!(in_salesforce(&house, &theirs, "LastName"), json!("Ada"));
    assert_eq!(house.salesforce.records("Contact").len(), 1);
    assert_eq!(in_hubspot(&house, &ours, "firstname"), "Going");

    let shown = ask(&house, "resume", json!("salesforce")).await;
    assert_eq!(shown["items"][0]["paused"], json!([]));
    house.pass(60_000).await;
    assert_eq!(in_salesforce(&house, &theirs, "LastName"), json!("Waiting"));
    assert_eq!(house.salesforce.records("Contact").len(), 2);
    assert_eq!(in_hubspot(&house, &ours, "lastname"), "Waiting");
    let dead = house
        .operate(Method::GET, &format!("{WS}/dead-letters"), None)
        .await;
    assert_eq!(dead["items"], json!([]), "waiting is no failure");
}

#[tokio::test]
async fn a_paused_mapping_waits_as_a_whole_for_as_long_as_it_takes() {
    let house = House::new().await;
    let (ours, theirs) = started(&house).await;
    ask(&house, "pause", Value::Null).await;
    type_hubspot(&house, &ours, "Waiting");
    type_salesforce(&house, &theirs, "Too");
    house.pass(3 * 3_600_000).await;
    assert_eq!(in_salesforce(&house, &theirs, "LastName"), json!("Ada"));
    assert_eq!(in_hubspot(&house, &ours, "firstname"), "");
    // One direction may go on before the other.
    ask(&house, "resume", json!("hubspot")).await;
    house.pass(60_000).await;
    assert_eq!(in_hubspot(&house, &ours, "firstname"), "Too");
    assert_eq!(in_salesforce(&house, &theirs, "LastName"), json!("Ada"));
    ask(&house, "resume", Value::Null).await;
    house.pass(60_000).await;
    assert_eq!(in_salesforce(&house, &theirs, "LastName"), json!("Waiting"));
}

#[tokio::test]
async fn what_is_not_there_cannot_be_paused_or_scanned() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    for (path, body, status) in [
        ("mappings/people/pause", json!({}), 404),
        ("mappings/contacts/pause", json!({"to": "slack"}), 400),
        ("scan", json!({"mapping": "people"}), 404),
    ] {
        let path = format!("{WS}/{path}");
        let answer = house
            .call(Method::POST, &path, Some(&key), Some(body))
            .await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_scan_that_is_asked_for_is_due_at_once() {
    let house = House::new().await;
    started(&house).await;
    let ws = WorkspaceId::new("acme/production");
    let due = async || {
        let queue = house.store.queue(&ws, LANE, 100).await.unwrap();
        let now = house.clock.now();
        let scan = |task: &Task| matches!(task, Task::Scan { .. });
        let due = queue
            .iter()
            .filter(|one| scan(&one.task) && one.not_before <= now);
        due.count()
    };
    assert_eq!(due().await, 0);
    let asked = json!({"mapping": "contacts"});
    house
        .operate(Method::POST, &format!("{WS}/scan"), Some(asked))
        .await;
    assert_eq!(due().await, 2, "one for each side");
    house.pass(60_000).await;
    assert_eq!(due().await, 0, "it has run");
}

/// An engine is opened for every look here, and looks at what waits no more often for that.
#[tokio::test]
async fn what_waits_costs_no_calls_while_it_waits() {
    let house = House::new().await;
    let files = MappingFiles::shared(vec![file(&seldom())]);
    house.service.set_mappings(files);
    let (ours, theirs) = started(&house).await;
    house.pass(600_000).await;
    ask(&house, "pause", json!("salesforce")).await;
    type_hubspot(&house, &ours, "Waiting");
    house.pass(900_000).await;
    let reads = || {
        let requests = house.salesforce.requests();
        let read = requests
            .iter()
            .filter(|one| one.path.ends_with("/composite/sobjects/Contact"));
        read.count()
    };
    let before = reads();
    house.pass(3 * 3_600_000).await;
    assert_eq!(reads(), before, "nothing was read again");
    ask(&house, "resume", json!("salesforce")).await;
    house.pass(60_000).await;
    assert_eq!(in_salesforce(&house, &theirs, "LastName"), json!("Waiting"));
}
