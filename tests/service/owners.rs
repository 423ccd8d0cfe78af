//! A workspace's own table of owners, over the API and into records.

use axum::http::Method;
use serde_json::{Value, json};
use tandem::app::MappingFiles;
use tandem::model::{KeyKind, Role};

use crate::house::{Answer, CONTACTS, House, file};

const WS: &str = "/v1/workspaces/acme/production";
/// Owners of both simulators, by their ids in HubSpot.
const ADA: &str = "77110001";

/// The shared mapping: it knows who stands for Ada, and workspaces may know better.
fn shared() -> MappingFiles {
    let rule = "  hubspot_owner_id: { to: OwnerId, direction: to-salesforce, owner: \
        { chain: [table, keep], table: { ada.owner@example.com: cleo.owner@example.com } } }\n";
    MappingFiles::shared(vec![file(&format!("{CONTACTS}{rule}"))])
}

fn pair(hubspot: &str, salesforce: &str) -> Value {
    json!({"hubspot": hubspot, "salesforce": salesforce})
}

/// A contact of Ada's that is on both sides.
async fn started(house: &House) -> String {
    house.service.set_mappings(shared());
    house.live("acme/production").await;
    let id = house.person("ada@example.com", "Ada");
    let owner = [("hubspot_owner_id", ADA)];
    house.hubspot.edit("contacts", &id, &owner).unwrap();
    house.pass(180_000).await;
    id
}

/// The e-mail address of whoever owns the only contact in Salesforce.
fn owner(house: &House) -> String {
    let records = house.salesforce.records("Contact");
    assert_eq!(records.len(), 1);
    let id = records[0].fields["OwnerId"].as_str().unwrap();
    let users = house.salesforce.records("User");
    let user = users.iter().find(|user| user.id == id).unwrap();
    user.fields["Email"].as_str().unwrap().to_owned()
}

async fn set(house: &House, owners: Value) -> Value {
    let body = json!({"owners": owners});
    house.operate(Method::PATCH, WS, Some(body)).await
}

async fn refused(house: &House, body: Value) -> Answer {
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    house.call(Method::PATCH, WS, Some(&key), Some(body)).await
}

async fn mapping(house: &House) -> Value {
    let path = format!("{WS}/mappings");
    house.operate(Method::GET, &path, None).await["items"][0].clone()
}

#[tokio::test]
async fn a_table_of_owners_goes_before_the_mappings_and_is_at_work_within_seconds() {
    let house = House::new().await;
    started(&house).await;
    assert_eq!(owner(&house), "cleo.owner@example.com");
    let before = mapping(&house).await["revision"].clone();
    let changed = set(
        &house,
        json!([pair("ADA.owner@example.com", "ben.owner@example.com")]),
    )
    .await;
    let told = changed["warnings"].to_string();
    assert!(!told.contains("owner"), "{told}");
    house.pass(600_000).await;
    assert_eq!(
        owner(&house),
        "ben.owner@example.com",
        "without an edit of the record"
    );
    let now = mapping(&house).await;
    assert_ne!(now["revision"], before);
    assert_eq!(now["revision"], now["active_revision"]);

    // What it says is kept as a revision, can be compared, and can be gone back from.
    let revisions = format!("{WS}/mappings/contacts/revisions");
    let diff = format!(
        "{revisions}/{}?against={}",
        now["revision"].as_str().unwrap(),
        before.as_str().unwrap()
    );
    let diff = house.operate(Method::GET, &diff, None).await;
    let diff = diff["diff"].as_str().unwrap().to_owned();
    let line = "+        \"ADA.owner@example.com\": \"ben.owner@example.com\"";
    assert!(diff.contains(line), "{diff}");
    set(&house, json!([])).await;
    house.pass(600_000).await;
    assert_eq!(mapping(&house).await["revision"], before);
    assert_eq!(owner(&house), "cleo.owner@example.com");
}

#[tokio::test]
async fn a_workspace_is_made_with_a_table_and_shows_it_in_its_order() {
    let house = House::new().await;
    let owners = json!([
        pair("zoe@example.com", "Inside Sales"),
        pair("12", "ann@example.com")
    ]);
    let body = json!({"id": "acme/production", "owners": owners});
    let made = house
        .operate(Method::POST, "/v1/workspaces", Some(body))
        .await;
    assert_eq!(made["owners"], owners);
    let vars = json!({"vars": {"a": "b"}});
    house.operate(Method::PATCH, WS, Some(vars)).await;
    let shown = house.operate(Method::GET, WS, None).await;
    assert_eq!(shown["owners"], owners, "variables are something else");
    set(&house, json!([])).await;
    let shown = house.operate(Method::GET, WS, None).await;
    assert_eq!(
        (&shown["owners"], &shown["vars"]),
        (&json!([]), &json!({"a": "b"}))
    );
}

#[tokio::test]
async fn what_is_no_table_is_refused_and_changes_nothing() {
    let house = House::new().await;
    started(&house).await;
    let good = json!([pair("ada.owner@example.com", "ben.owner@example.com")]);
    set(&house, good.clone()).await;
    let many: Vec<Value> = (0..1_001).map(|one| pair(&one.to_string(), "x")).collect();
    for (owners, status, says) in [
        (
            json!([pair("a@b.c", "x"), pair("A@b.c", "y")]),
            422,
            "both about",
        ),
        (json!([pair(" ", "x")]), 422, "names nobody on HubSpot"),
        (
            json!([pair("a", "${vars.x}")]),
            422,
            "names nobody on Salesforce",
        ),
        (Value::from(many), 422, "up to 1000 pairs"),
        (json!([{"hubspot": "a"}]), 400, "salesforce"),
        (json!({"a": "b"}), 400, "expected a sequence"),
        (Value::Null, 400, "null"),
    ] {
        let answer = refused(&house, json!({"owners": owners})).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.text.contains(says), "{says}: {}", answer.text);
    }
    let shown = house.operate(Method::GET, WS, None).await;
    assert_eq!(shown["owners"], good);
    house.pass(600_000).await;
    assert_eq!(owner(&house), "ben.owner@example.com");
}

#[tokio::test]
async fn an_owner_whom_nobody_knows_is_told_and_stops_nobody() {
    let house = House::new().await;
    started(&house).await;
    let owners = json!([
        pair("ada.ovner@example.com", "ben.owner@example.com"),
        pair("ada.owner@example.com", "ben.owner@example.com"),
    ]);
    let told = set(&house, owners.clone()).await["warnings"].to_string();
    assert!(
        told.contains("HubSpot has no owner `ada.ovner@example.com`"),
        "{told}"
    );
    assert!(
        told.contains("did you mean `ada.owner@example.com`"),
        "{told}"
    );
    house.pass(600_000).await;
    assert_eq!(owner(&house), "ben.owner@example.com");
    house
        .service
        .set_mappings(MappingFiles::shared(vec![file(CONTACTS)]));
    let told = set(&house, owners).await["warnings"].to_string();
    assert!(told.contains("no rule looks into"), "{told}");
}

#[tokio::test]
async fn who_changed_the_owners_is_on_record_without_their_names() {
    let house = House::new().await;
    started(&house).await;
    set(
        &house,
        json!([pair("ada.owner@example.com", "ben.owner@example.com")]),
    )
    .await;
    let log = house.operate(Method::GET, &format!("{WS}/log"), None).await;
    let newest = &log["items"][0];
    assert_eq!(newest["action"], "change owners");
    assert_eq!(newest["detail"], "pairs: 1, before: 0");
    assert!(!log.to_string().contains("owner@example.com"), "{log}");
}

/// As revisions that were set do, one that a table made says who set the table.
#[tokio::test]
async fn a_revision_says_who_set_the_owners_that_it_came_of() {
    let house = House::new().await;
    started(&house).await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let owners = json!({"owners": [pair("ada.owner@example.com", "ben.owner@example.com")]});
    let changed = house
        .call(Method::PATCH, WS, Some(&key), Some(owners))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    // Somebody's variables that no mapping reads, before it is at work, change nothing about that.
    let vars = json!({"vars": {"b": "c"}});
    house.operate(Method::PATCH, WS, Some(vars)).await;
    house.pass(600_000).await;
    let path = format!("{WS}/mappings/contacts/revisions");
    let authors = async || -> Vec<String> {
        let log = house.operate(Method::GET, &path, None).await;
        let rows = log["items"].as_array().unwrap().iter();
        rows.map(|row| row["author"].as_str().unwrap().to_owned())
            .collect()
    };
    let before = authors().await;
    let id = key.split('_').nth(1).unwrap();
    assert_eq!(before[0], format!("{id} (test)"));
    assert_eq!(before[1], "files");
    // Variables that no mapping reads make no revision, and later files are nobody's.
    let vars = json!({"vars": {"a": "b"}});
    house.operate(Method::PATCH, WS, Some(vars)).await;
    house
        .service
        .set_mappings(MappingFiles::shared(vec![file(CONTACTS)]));
    house.pass(600_000).await;
    let after = authors().await;
    assert_eq!(after.len(), 3);
    assert_eq!(after[0], "files");
}
