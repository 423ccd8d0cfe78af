//! Batches: whole or in part, and what they leave out.

use serde_json::{Value, json};

use super::{CONTACTS, Portal, ids};

#[tokio::test]
async fn a_batch_create_without_trace_ids_is_all_or_nothing() {
    let portal = Portal::new();
    let taken = portal.contact("ann@example.com");
    let inputs = |trace: bool| {
        let one = |n: u8, email: &str| {
            let mut input = json!({"properties": {"email": email}});
            if trace {
                input["objectWriteTraceId"] = json!(format!("row-{n}"));
            }
            input
        };
        json!({"inputs": [one(1, "new@example.com"), one(2, "ann@example.com"),
            one(3, "nobody"), one(4, "new@example.com")]})
    };
    let path = format!("{CONTACTS}/batch/create");
    let whole = portal.post(&path, inputs(false)).await;
    assert_eq!(whole.status, 409);
    assert_eq!(portal.sim.records("contacts").len(), 1);
    let parts = portal.post(&path, inputs(true)).await;
    assert_eq!(parts.status, 207);
    assert_eq!(parts.body["numErrors"], 3);
    assert_eq!(parts.body["results"][0]["objectWriteTraceId"], "row-1");
    let errors = parts.body["errors"].as_array().unwrap();
    assert_eq!(errors[0]["category"], "CONFLICT");
    assert_eq!(errors[0]["context"]["objectWriteTraceId"], json!(["row-2"]));
    assert!(errors[0]["message"].as_str().unwrap().ends_with(&taken));
    assert_eq!(errors[1]["errors"][0]["code"], "INVALID_EMAIL");
    assert_eq!(errors[2]["category"], "CONFLICT");
}

#[tokio::test]
async fn a_whole_batch_refuses_two_inputs_that_claim_one_key() {
    let portal = Portal::new();
    let input = json!({"properties": {"email": "twin@example.com"}});
    let body = json!({"inputs": [input, input]});
    let answer = portal.post(&format!("{CONTACTS}/batch/create"), body).await;
    assert_eq!(answer.status, 400);
    assert!(portal.sim.records("contacts").is_empty());
}

#[tokio::test]
async fn a_batch_takes_a_hundred_and_no_id_twice() {
    let portal = Portal::new();
    let id = portal.contact("ann@example.com");
    let many: Vec<Value> = (0..101).map(|n| json!({"id": n.to_string()})).collect();
    for call in ["read", "update", "archive"] {
        let path = format!("{CONTACTS}/batch/{call}");
        assert_eq!(
            portal.post(&path, json!({"inputs": many})).await.status,
            400,
            "{call}"
        );
    }
    let twice = json!({"inputs": [{"id": id, "properties": {"city": "Ulm"}},
        {"id": id, "properties": {"city": "Bonn"}}]});
    let answer = portal
        .post(&format!("{CONTACTS}/batch/update"), twice)
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body["category"], "VALIDATION_ERROR");
}

#[tokio::test]
async fn a_batch_read_reports_the_missing_and_keeps_no_order() {
    let portal = Portal::new();
    let made: Vec<String> = (0..3)
        .map(|n| portal.contact(&format!("c{n}@example.com")))
        .collect();
    let inputs: Vec<Value> = made.iter().map(|id| json!({"id": id})).collect();
    let path = format!("{CONTACTS}/batch/read");
    let answer = portal
        .post(&path, json!({"inputs": inputs, "properties": ["email"]}))
        .await;
    assert_eq!(answer.status, 200);
    let mut got = ids(&answer.body);
    assert_ne!(got, made);
    got.reverse();
    assert_eq!(got, made);
    let body = json!({"inputs": [{"id": "C1@example.com"}, {"id": "x@example.com"}],
        "idProperty": "email", "properties": ["email"]});
    let answer = portal.post(&path, body).await;
    assert_eq!(answer.status, 207);
    assert_eq!(ids(&answer.body), [made[1].clone()]);
    assert_eq!(answer.body["errors"][0]["category"], "OBJECT_NOT_FOUND");
    assert_eq!(
        answer.body["errors"][0]["context"]["ids"],
        json!(["x@example.com"])
    );
}

#[tokio::test]
async fn the_bin_is_read_by_a_unique_property_as_the_live_ones_are() {
    let portal = Portal::new();
    let old = portal.contact("ann@example.com");
    portal.sim.archive("contacts", &old).unwrap();
    let gone = portal.contact("ann@example.com");
    portal.sim.archive("contacts", &gone).unwrap();
    let live = portal.contact("bob@example.com");
    let path = format!("{CONTACTS}/batch/read");
    let body = json!({"inputs": [{"id": "Ann@example.com"}, {"id": "bob@example.com"}],
        "idProperty": "email", "properties": ["email"]});
    let bin = portal
        .post(&format!("{path}?archived=true"), body.clone())
        .await;
    assert_eq!(ids(&bin.body), [gone], "of several the newest");
    let answer = portal.post(&path, body).await;
    assert_eq!(ids(&answer.body), [live]);
}

#[tokio::test]
async fn an_upsert_says_what_is_new_and_needs_a_unique_property() {
    let portal = Portal::new();
    let id = portal.contact("ann@example.com");
    let path = format!("{CONTACTS}/batch/upsert");
    let input = |email: &str| {
        json!({"id": email, "idProperty": "email", "objectWriteTraceId": email,
            "properties": {"email": email, "city": "Ulm"}})
    };
    let body = json!({"inputs": [input("ann@example.com"), input("bob@example.com")]});
    let answer = portal.post(&path, body).await;
    assert_eq!(answer.status, 200);
    let rows = answer.body["results"].as_array().unwrap();
    let ann = rows.iter().find(|row| row["id"] == json!(id)).unwrap();
    assert_eq!(ann["new"], false);
    let bob = rows.iter().find(|row| row["id"] != json!(id)).unwrap();
    assert_eq!(
        (&bob["new"], &bob["objectWriteTraceId"]),
        (&json!(true), &json!("bob@example.com"))
    );
    let by_city = json!({"inputs": [{"id": "Ulm", "idProperty": "city", "properties": {}}]});
    let refused = portal.post(&path, by_city).await;
    assert_eq!(
        refused.body["message"],
        "Unable to perform update/upsert by non-unique 0-1 property"
    );
    let update = json!({"inputs": [{"id": "ann@example.com", "idProperty": "email",
        "properties": {"city": "Bonn"}}]});
    assert_eq!(
        portal
            .post(&format!("{CONTACTS}/batch/update"), update)
            .await
            .status,
        400
    );
}
