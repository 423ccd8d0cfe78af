//! The history of runs: how each ended, what it did, how long changes took.

use std::sync::atomic::Ordering::Relaxed;

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tandem::app::MappingFiles;
use tandem::model::WorkspaceId;

use crate::house::{House, file, seldom};
use crate::review::{WS, items};
use crate::webhooks::{announce, changed};

async fn runs(house: &House) -> Vec<Value> {
    items(house, &format!("{WS}/runs")).await
}

fn ends(runs: &[Value]) -> Vec<(&str, &str)> {
    runs.iter()
        .map(|run| {
            let text = |name: &str| run[name].as_str().unwrap_or_default();
            (text("outcome"), text("why"))
        })
        .collect()
}

#[tokio::test]
async fn a_run_says_how_it_ended_and_how_long_changes_took() {
    let house = House::new().await;
    house.live("acme/production").await;
    let id = house.person("a@example.com", "A");
    house.pass(180_000).await;
    house
        .hubspot
        .edit("contacts", &id, &[("lastname", "B")])
        .unwrap();
    announce(&house, json!([changed(&house, &id)])).await;
    house.pass(1_000).await;
    // It had work a moment ago, so it is still open.
    let before = runs(&house).await;
    assert_eq!(ends(&before)[0], ("", ""), "{before:?}");
    assert_eq!(before[0]["ended_at"], Value::Null);
    let one = format!("{WS}/runs/{}", before[0]["id"].as_str().unwrap());
    assert_eq!(house.operate(Method::GET, &one, None).await, before[0]);
    house
        .operate(Method::POST, &format!("{WS}/pause"), None)
        .await;
    house.pass(1_000).await;
    let paused = runs(&house).await;
    assert_eq!(ends(&paused)[0], ("stopped", "paused"), "{paused:?}");
    let lag = &paused[0]["did"]["lag"];
    let number = |name: &str| lag[name].as_u64().unwrap();
    assert!(number("changes") >= 1, "{lag}");
    assert!(number("p50_millis") <= number("p99_millis"), "{lag}");
    assert!(number("p99_millis") <= number("max_millis"), "{lag}");
    assert!(
        paused[0]["did"]["hubspot_calls"].as_u64() > Some(0),
        "{paused:?}"
    );
    house
        .service
        .set_mappings(MappingFiles::shared(vec![file(&seldom())]));
    house
        .operate(Method::POST, &format!("{WS}/resume"), None)
        .await;
    let edit = [("lastname", "C")];
    house.hubspot.edit("contacts", &id, &edit).unwrap();
    house.pass(900_000).await;
    // Nothing was due any more, so it was put away.
    let quiet = runs(&house).await;
    assert_eq!(ends(&quiet)[0], ("finished", ""), "{quiet:?}");
    let ended = quiet.iter().filter(|run| !run["ended_at"].is_null());
    assert_eq!(ended.count(), quiet.len(), "{quiet:?}");
}

#[tokio::test]
async fn a_run_of_a_process_that_died_is_cut_off_once_another_begins() {
    let house = House::new().await;
    house.live("acme/production").await;
    let id = house.person("a@example.com", "A");
    house.pass(65_000).await;
    assert_eq!(runs(&house).await[0]["ended_at"], Value::Null);
    // What the process had open is gone, without a word.
    let ws = WorkspaceId::new("acme/production");
    house.service.forget(&ws);
    house
        .hubspot
        .edit("contacts", &id, &[("lastname", "B")])
        .unwrap();
    house.service.wake(&ws);
    house.pass(180_000).await;
    let runs = runs(&house).await;
    let last = runs.last().unwrap();
    assert_eq!(
        ends(std::slice::from_ref(last)),
        [("cut-off", "")],
        "{runs:?}"
    );
    assert_eq!(last["ended_at"], Value::Null);
}

#[tokio::test]
async fn a_run_whose_store_failed_says_so_where_the_store_takes_that_after_all() {
    let house = House::new().await;
    house.live("acme/production").await;
    let id = house.person("a@example.com", "A");
    house.pass(65_000).await;
    assert_eq!(runs(&house).await[0]["ended_at"], Value::Null);
    // A commit is tried five times.
    house.lost.store(5, Relaxed);
    house
        .hubspot
        .edit("contacts", &id, &[("lastname", "B")])
        .unwrap();
    house.pass(180_000).await;
    assert_eq!(house.lost.load(Relaxed), 0);
    let runs = runs(&house).await;
    let last = runs.last().unwrap();
    let ended = ends(std::slice::from_ref(last));
    assert_eq!(ended, [("failed", "store-failed")], "{runs:?}");
    assert!(last["ended_at"].is_string(), "{last}");
    let contact = &house.salesforce.records("Contact")[0];
    assert_eq!(
        contact.fields["LastName"],
        json!("B"),
        "the next run goes on"
    );
}

/// Nothing was done in the turns that could not begin, so there is nothing to end.
#[tokio::test]
async fn a_run_goes_on_after_its_store_could_not_be_read_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tandem.db");
    let house = House::on(file.to_str().unwrap()).await;
    house.live("acme/production").await;
    let id = house.person("a@example.com", "A");
    house.pass(65_000).await;
    let options = SqliteConnectOptions::new().filename(&file);
    let mut beside = SqliteConnection::connect_with(&options).await.unwrap();
    let away = "ALTER TABLE workspaces RENAME TO gone";
    sqlx::query(away).execute(&mut beside).await.unwrap();
    let ws = WorkspaceId::new("acme/production");
    house.service.wake(&ws);
    house.pass(2_000).await;
    assert_eq!(house.service.figures().troubled, 1);
    let back = "ALTER TABLE gone RENAME TO workspaces";
    sqlx::query(back).execute(&mut beside).await.unwrap();
    let edit = [("lastname", "B")];
    house.hubspot.edit("contacts", &id, &edit).unwrap();
    house.service.wake(&ws);
    house.pass(65_000).await;
    let contact = &house.salesforce.records("Contact")[0];
    assert_eq!(contact.fields["LastName"], json!("B"));
    let runs = runs(&house).await;
    assert_eq!(ends(&runs), [("", "")], "{runs:?}");
}
