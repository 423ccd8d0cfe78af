//! Fields that are made while the org runs, and who sees them.

use serde_json::{Value, json};

use super::support::{DATA, Org, org};

const NAME: &str = "Contact.Tandem_Key__c";

async fn make(org: &Org, metadata: Value) -> super::support::Answer {
    let path = format!("{DATA}/tooling/sobjects/CustomField");
    let body = json!({ "FullName": NAME, "Metadata": metadata });
    org.call("POST", &path, body).await
}

fn text() -> Value {
    json!({ "type": "Text", "label": "Key", "length": 255, "externalId": true, "unique": true })
}

async fn create(org: &Org, object: &str, body: Value) -> String {
    let path = format!("{DATA}/sobjects/{object}");
    let made = org.call("POST", &path, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["id"].as_str().expect("an id").to_owned()
}

async fn sees(org: &Org) -> Option<Value> {
    let path = format!("{DATA}/sobjects/Contact/describe");
    let described = org.call("GET", &path, Value::Null).await;
    let fields = described.body["fields"].as_array().expect("fields").clone();
    fields
        .into_iter()
        .find(|field| field["name"] == "Tandem_Key__c")
}

#[tokio::test]
async fn a_new_field_is_seen_by_whom_a_permission_set_shows_it() {
    let org = org();
    let made = make(&org, text()).await;
    assert_eq!((made.status, &made.body["success"]), (201, &json!(true)));
    assert_eq!(make(&org, text()).await.code(), "DUPLICATE_DEVELOPER_NAME");
    assert_eq!(sees(&org).await, None);
    let contact = json!({ "LastName": "Lovelace", "Tandem_Key__c": "k1" });
    let path = format!("{DATA}/sobjects/Contact");
    let refused = org.call("POST", &path, contact.clone()).await;
    assert_eq!(refused.code(), "INVALID_FIELD");

    let set = create(
        &org,
        "PermissionSet",
        json!({ "Name": "Keys", "Label": "Keys" }),
    )
    .await;
    let grant = json!({ "ParentId": set, "SobjectType": "Contact", "Field": NAME,
        "PermissionsRead": true, "PermissionsEdit": false });
    let grant = create(&org, "FieldPermissions", grant).await;
    assert_eq!(sees(&org).await, None, "the set is nobody's yet");
    let users = org.sim.records("User");
    let me = users
        .iter()
        .find(|user| user.fields["Username"] == "integration@example.com");
    let mine = json!({ "PermissionSetId": set, "AssigneeId": me.expect("the user").id });
    let mine = create(&org, "PermissionSetAssignment", mine).await;
    let seen = sees(&org).await.expect("shown");
    assert_eq!(seen["updateable"], false);
    let refused = org.call("POST", &path, contact.clone()).await;
    assert_eq!(refused.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");

    let wider = format!("{DATA}/sobjects/FieldPermissions/{grant}");
    let changed = org.call("PATCH", &wider, json!({ "PermissionsEdit": true }));
    assert_eq!(changed.await.status, 204);
    assert_eq!(org.call("POST", &path, contact.clone()).await.status, 201);
    assert_eq!(
        org.call("POST", &path, contact).await.code(),
        "DUPLICATE_VALUE"
    );

    let gone = format!("{DATA}/sobjects/PermissionSetAssignment/{mine}");
    assert_eq!(org.call("DELETE", &gone, Value::Null).await.status, 204);
    assert_eq!(sees(&org).await, None);
}

#[tokio::test]
async fn only_sound_fields_are_made_and_only_by_administrators() {
    let org = org();
    for (key, value) in [
        ("type", json!("Number")),
        ("length", json!(256)),
        ("label", json!("")),
    ] {
        let mut metadata = text();
        metadata[key] = value;
        let refused = make(&org, metadata).await;
        assert_eq!(refused.code(), "FIELD_INTEGRITY_EXCEPTION", "{key}");
    }
    org.sim.set_administrator(false);
    assert_eq!(make(&org, text()).await.status, 403);
    let path = format!("{DATA}/sobjects/PermissionSet");
    let set = json!({ "Name": "Keys", "Label": "Keys" });
    let refused = org.call("POST", &path, set).await;
    assert_eq!(refused.code(), "INSUFFICIENT_ACCESS_OR_READONLY");
}
