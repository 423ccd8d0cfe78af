//! Mappings set over the API: tried out first, kept as revisions, rolled back, promoted; and what
//! goes on where those that count have faults.

use axum::http::Method;
use serde_json::{Value, json};
use tandem::app::MappingFiles;
use tandem::model::{KeyKind, Role};

use crate::house::{CONTACTS, House, file, seldom};

const WS: &str = "/v1/workspaces/acme/production";

fn with_title() -> String {
    format!("{CONTACTS}  jobtitle: Title\n")
}

/// A contact that is on both sides, with a job title that no rule carries yet.
async fn started(house: &House) -> String {
    house.live("acme/production").await;
    let id = house.person("ada@example.com", "Ada");
    let title = [("jobtitle", "Analyst")];
    house.hubspot.edit("contacts", &id, &title).unwrap();
    house.pass(180_000).await;
    assert_eq!(salesforce(house, "LastName"), json!("Ada"));
    id
}

/// A field of the only contact in Salesforce.
fn salesforce(house: &House, field: &str) -> Value {
    let records = house.salesforce.records("Contact");
    assert_eq!(records.len(), 1);
    records[0].fields.get(field).cloned().unwrap_or(Value::Null)
}

async fn set(house: &House, text: &str) -> Value {
    let path = format!("{WS}/mappings/contacts");
    let body = json!({"text": text});
    house.operate(Method::PUT, &path, Some(body)).await
}

async fn admin(house: &House) -> String {
    house.key(None, KeyKind::Management, Role::Admin).await
}

async fn mapping(house: &House) -> Value {
    let found = house
        .operate(Method::GET, &format!("{WS}/mappings"), None)
        .await;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    found["items"][0].clone()
}

#[tokio::test]
async fn a_mapping_that_is_set_is_at_work_within_seconds_and_taken_back_again() {
    let house = House::new().await;
    let id = started(&house).await;
    assert_eq!(mapping(&house).await["origin"], "shared");
    set(&house, &with_title()).await;
    house.pass(600_000).await;
    assert_eq!(salesforce(&house, "Title"), json!("Analyst"));
    let shown = mapping(&house).await;
    assert_eq!(shown["origin"], "set");
    assert_eq!(shown["author"], "command line");
    assert_eq!(shown["revision"], shown["active_revision"]);

    // Files that change meanwhile stand back.
    house
        .service
        .set_mappings(MappingFiles::shared(vec![file(CONTACTS)]));
    let title = [("jobtitle", "Engineer")];
    house.hubspot.edit("contacts", &id, &title).unwrap();
    house.pass(180_000).await;
    assert_eq!(salesforce(&house, "Title"), json!("Engineer"));

    let path = format!("{WS}/mappings/contacts");
    house.operate(Method::DELETE, &path, None).await;
    let title = [("jobtitle", "Writer"), ("lastname", "Bo")];
    house.hubspot.edit("contacts", &id, &title).unwrap();
    house.pass(600_000).await;
    assert_eq!(salesforce(&house, "LastName"), json!("Bo"));
    assert_eq!(salesforce(&house, "Title"), json!("Engineer"));
    let key = admin(&house).await;
    let again = house.call(Method::DELETE, &path, Some(&key), None).await;
    assert_eq!(again.status, 404, "there is nothing to take back any more");
}

#[tokio::test]
async fn a_text_with_a_fault_changes_nothing_and_says_where_it_is() {
    let house = House::new().await;
    let id = started(&house).await;
    let key = admin(&house).await;
    let before = mapping(&house).await;
    let path = format!("{WS}/mappings/contacts");
    let unreadable = CONTACTS.replace("conflict: salesforce\n", "");
    let misfit = format!("{CONTACTS}  jobtitle: No_Such_Field__c\n");
    let misnamed = CONTACTS.replace("mapping: contacts", "mapping: people");
    for (text, status, says) in [
        (unreadable, 422, "conflict"),
        (misfit, 422, "No_Such_Field__c"),
        (misnamed, 422, "mapping: contacts"),
    ] {
        let body = Some(json!({"text": text}));
        let answer = house.call(Method::PUT, &path, Some(&key), body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.text.contains(says), "{}", answer.text);
        assert_eq!(mapping(&house).await, before);
    }
    let name = [("lastname", "Bo")];
    house.hubspot.edit("contacts", &id, &name).unwrap();
    house.pass(180_000).await;
    assert_eq!(salesforce(&house, "LastName"), json!("Bo"));
}

#[tokio::test]
async fn every_revision_is_kept_with_its_author_and_can_be_gone_back_to() {
    let house = House::new().await;
    let id = started(&house).await;
    set(&house, &with_title()).await;
    house.pass(600_000).await;
    let path = format!("{WS}/mappings/contacts/revisions");
    let log = house.operate(Method::GET, &path, None).await;
    let [newest, oldest] = log["items"].as_array().unwrap().as_slice() else {
        panic!("{log}");
    };
    assert_eq!(oldest["author"], "files");
    assert_eq!(newest["author"], "command line");
    let (first, second) = (
        oldest["revision"].as_str().unwrap(),
        newest["revision"].as_str().unwrap(),
    );
    let shown = house
        .operate(
            Method::GET,
            &format!("{path}/{second}?against={first}"),
            None,
        )
        .await;
    let diff = shown["diff"].as_str().unwrap();
    assert!(diff.contains("\n+  jobtitle: Title"), "{diff}");

    let back = json!({"revision": first});
    let activate = format!("{WS}/mappings/contacts/activate");
    house.operate(Method::POST, &activate, Some(back)).await;
    let title = [("jobtitle", "Writer"), ("lastname", "Bo")];
    house.hubspot.edit("contacts", &id, &title).unwrap();
    house.pass(600_000).await;
    assert_eq!(salesforce(&house, "LastName"), json!("Bo"));
    assert_eq!(
        salesforce(&house, "Title"),
        json!("Analyst"),
        "no rule carries it"
    );
    assert_eq!(mapping(&house).await["active_revision"], first);
    let log = house.operate(Method::GET, &path, None).await;
    assert_eq!(log["items"].as_array().map(Vec::len), Some(3));
    let key = admin(&house).await;
    let unknown = Some(json!({"revision": "mr_nothing"}));
    let answer = house
        .call(Method::POST, &activate, Some(&key), unknown)
        .await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn an_engine_that_is_opened_later_goes_on_with_the_last_good_mappings() {
    let house = House::new().await;
    let id = started(&house).await;
    let unreadable = CONTACTS.replace("conflict: salesforce\n", "");
    let misfit = format!("{CONTACTS}  jobtitle: No_Such_Field__c\n");
    for (round, text) in [unreadable, misfit].iter().enumerate() {
        for action in ["pause", "resume"] {
            house
                .operate(Method::POST, &format!("{WS}/{action}"), None)
                .await;
            house.pass(1_000).await;
            let files = MappingFiles::shared(vec![file(text)]);
            house.service.set_mappings(files);
        }
        let name = format!("Round{round}");
        let fields = [("lastname", name.as_str())];
        house.hubspot.edit("contacts", &id, &fields).unwrap();
        house.pass(180_000).await;
        assert_eq!(salesforce(&house, "LastName"), json!(name));
        let shown = house.operate(Method::GET, WS, None).await;
        assert_eq!(shown["trouble"], Value::Null, "{shown}");
        assert!(shown["mappings_refused"]["why"].is_string(), "{shown}");
    }
    let files = MappingFiles::shared(vec![file(&with_title())]);
    house.service.set_mappings(files);
    let title = [("jobtitle", "Writer")];
    house.hubspot.edit("contacts", &id, &title).unwrap();
    house.pass(600_000).await;
    assert_eq!(salesforce(&house, "Title"), json!("Writer"));
    let shown = house.operate(Method::GET, WS, None).await;
    assert_eq!(shown["mappings_refused"], Value::Null, "{shown}");
}

/// An engine is opened for every look here; each try asks both CRMs for all that they know.
#[tokio::test]
async fn mappings_that_do_not_fit_are_tried_every_quarter_of_an_hour_and_not_with_every_look() {
    let house = House::new().await;
    let files = |text: &str| MappingFiles::shared(vec![file(text)]);
    house.service.set_mappings(files(&seldom()));
    started(&house).await;
    let misfit = format!("{}  jobtitle: No_Such_Field__c\n", seldom());
    house.service.set_mappings(files(&misfit));
    house.pass(600_000).await;
    let shown = house.operate(Method::GET, WS, None).await;
    assert!(shown["mappings_refused"]["why"].is_string(), "{shown}");
    let asked = || {
        let requests = house.salesforce.requests();
        requests
            .iter()
            .filter(|one| one.path.ends_with("/Contact/describe"))
            .count()
    };
    let before = asked();
    house.pass(3_600_000).await;
    let tries = asked() - before;
    assert!((3..=5).contains(&tries), "{tries}");
    // Other files are tried with the next look.
    let title = format!("{}  jobtitle: Title\n", seldom());
    house.service.set_mappings(files(&title));
    house.pass(600_000).await;
    assert_eq!(salesforce(&house, "Title"), json!("Analyst"));
}

#[tokio::test]
async fn what_was_tried_in_a_sandbox_is_promoted_as_a_whole() {
    let house = House::new().await;
    let id = started(&house).await;
    let sandbox = json!({"id": "acme/sandbox"});
    house
        .operate(Method::POST, "/v1/workspaces", Some(sandbox))
        .await;
    let theirs = "/v1/workspaces/acme/sandbox/mappings/contacts";
    let body = json!({"text": with_title()});
    house.operate(Method::PUT, theirs, Some(body)).await;
    let promote = format!("{WS}/promote");
    let from = json!({"from": "acme/sandbox"});
    // Whoever may only work on the target is not told that the source exists.
    let narrow = house
        .key(Some("acme/production"), KeyKind::Workspace, Role::Admin)
        .await;
    let answer = house
        .call(Method::POST, &promote, Some(&narrow), Some(from.clone()))
        .await;
    assert_eq!(answer.status, 404);
    house
        .operate(Method::POST, &promote, Some(from.clone()))
        .await;
    house.pass(600_000).await;
    assert_eq!(salesforce(&house, "Title"), json!("Analyst"));

    // What the sandbox has taken back is taken back here too.
    house.operate(Method::DELETE, theirs, None).await;
    house.operate(Method::POST, &promote, Some(from)).await;
    assert_eq!(mapping(&house).await["origin"], "shared");
    let title = [("jobtitle", "Writer")];
    house.hubspot.edit("contacts", &id, &title).unwrap();
    house.pass(600_000).await;
    assert_eq!(salesforce(&house, "Title"), json!("Analyst"));
}
