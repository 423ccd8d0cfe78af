//! Mapping files in service: one for all, one's own, changed while records flow, and with faults.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::json;
use tandem::app::MappingFiles;
use tandem::model::WorkspaceId;

use crate::house::{CONTACTS, House, file};

/// The shared mapping, with one more rule.
fn with_title() -> String {
    format!("{CONTACTS}  jobtitle: Title\n")
}

fn titles(house: &House) -> Vec<Option<String>> {
    let records = house.salesforce.records("Contact");
    let title = |fields: &BTreeMap<String, serde_json::Value>| {
        fields
            .get("Title")
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    records.iter().map(|record| title(&record.fields)).collect()
}

async fn started(house: &House) -> String {
    house.live("acme/production").await;
    let id = house.person("ada@example.com", "Ada");
    house
        .hubspot
        .edit("contacts", &id, &[("jobtitle", "Analyst")])
        .unwrap();
    house.pass(180_000).await;
    assert_eq!(titles(house), [None], "there is no rule for it");
    id
}

#[tokio::test]
async fn changed_files_take_over_while_the_service_runs() {
    let house = House::new().await;
    started(&house).await;
    house
        .service
        .set_mappings(MappingFiles::shared(vec![file(&with_title())]));
    house.pass(600_000).await;
    assert_eq!(titles(&house), [Some("Analyst".to_owned())]);
}

#[tokio::test]
async fn files_with_faults_leave_the_old_ones_at_work() {
    let house = House::new().await;
    let id = started(&house).await;
    let unreadable = CONTACTS.replace("conflict: salesforce\n", "");
    let unknown_field = format!("{CONTACTS}  jobtitle: No_Such_Field__c\n");
    for (round, text) in [unreadable, unknown_field].iter().enumerate() {
        house
            .service
            .set_mappings(MappingFiles::shared(vec![file(text)]));
        let name = format!("Round{round}");
        house
            .hubspot
            .edit("contacts", &id, &[("lastname", &name)])
            .unwrap();
        house.pass(180_000).await;
        let shown = house
            .operate(Method::GET, "/v1/workspaces/acme/production", None)
            .await;
        assert_eq!(shown["standing"], "open", "{shown}");
        assert_eq!(
            house.salesforce.records("Contact")[0].fields["LastName"],
            json!(name)
        );
    }
}

#[tokio::test]
async fn a_mapping_of_a_workspaces_own_stands_in_the_place_of_the_shared_one() {
    let house = House::new().await;
    let own = BTreeMap::from([(
        WorkspaceId::new("acme/production"),
        vec![file(&with_title())],
    )]);
    house.service.set_mappings(MappingFiles {
        shared: vec![file(CONTACTS)],
        own,
    });
    house.live("acme/production").await;
    let id = house.person("ada@example.com", "Ada");
    house
        .hubspot
        .edit("contacts", &id, &[("jobtitle", "Analyst")])
        .unwrap();
    house.pass(180_000).await;
    assert_eq!(titles(&house), [Some("Analyst".to_owned())]);
}

#[tokio::test]
async fn variables_are_the_workspaces_own_and_faults_with_them_are_told_at_once() {
    let house = House::new().await;
    let text = CONTACTS.replace("\"(unknown)\"", "\"${vars.nobody}\"");
    house
        .service
        .set_mappings(MappingFiles::shared(vec![file(&text)]));
    let body = json!({"id": "acme/production", "vars": {"nobody": "(nobody)"}});
    house
        .operate(Method::POST, "/v1/workspaces", Some(body))
        .await;
    let key = house
        .key(
            None,
            tandem::model::KeyKind::Management,
            tandem::model::Role::Admin,
        )
        .await;
    let path = "/v1/workspaces/acme/production";
    let body = Some(json!({"vars": {"other": "x"}}));
    let answer = house.call(Method::PATCH, path, Some(&key), body).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (422, "mapping-faults")
    );
    assert!(answer.text.contains("nobody"), "{}", answer.text);
    let shown = house.operate(Method::GET, path, None).await;
    assert_eq!(
        shown["vars"],
        json!({"nobody": "(nobody)"}),
        "nothing was changed"
    );
}
