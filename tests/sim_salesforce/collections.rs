//! Many records in one call: collections and composite.

use serde_json::{Value, json};

use crate::support::{DATA, org, record};

#[tokio::test]
async fn collections_answer_each_record_in_its_place() {
    let org = org();
    let body = json!({ "allOrNone": false, "records": [
        record("Contact", json!({ "LastName": "One" })),
        record("Contact", json!({ "FirstName": "Two" })),
        record("Contact", json!({ "LastName": "Three", "Nope": 1 })),
        record("Account", json!({ "Name": "Four" })),
    ]});
    let answer = org.call("POST", "/composite/sobjects", body.clone()).await;
    assert_eq!(answer.status, 200);
    let list = answer.body.as_array().expect("a list");
    let ok: Vec<bool> = list.iter().map(|one| one["success"] == true).collect();
    assert_eq!(ok, [true, false, false, true]);
    assert_eq!(list[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    assert_eq!(list[1]["errors"][0]["fields"], json!(["LastName"]));
    assert_eq!(list[1].get("id"), None);

    let mut all = body;
    all["allOrNone"] = json!(true);
    let before = org.sim.records("Contact").len();
    let answer = org.call("POST", "/composite/sobjects", all).await;
    assert_eq!(
        answer.body[0]["errors"][0]["statusCode"],
        "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    );
    assert_eq!(
        answer.body[1]["errors"][0]["statusCode"],
        "REQUIRED_FIELD_MISSING"
    );
    assert_eq!(org.sim.records("Contact").len(), before, "nothing is saved");
    assert_eq!(org.sim.counters().records_created, 2);
}

#[tokio::test]
async fn collections_have_their_limits() {
    let org = org();
    let many: Vec<Value> = (0..201)
        .map(|_| record("Contact", json!({ "LastName": "R" })))
        .collect();
    let answer = org
        .call("POST", "/composite/sobjects", json!({ "records": many }))
        .await;
    assert_eq!(answer.status, 400);
    let mixed: Vec<Value> = (0..11)
        .map(|at| match at % 2 {
            0 => record("Contact", json!({ "LastName": "R" })),
            _ => record("Account", json!({ "Name": "A" })),
        })
        .collect();
    let answer = org
        .call("POST", "/composite/sobjects", json!({ "records": mixed }))
        .await;
    assert_eq!((answer.status, answer.code()), (400, "LIMIT_EXCEEDED"));
    assert!(org.sim.records("Contact").is_empty());
}

#[tokio::test]
async fn updates_tell_missing_repeated_and_deleted_rows_apart() {
    let org = org();
    let (one, gone) = (
        org.contact(json!({ "LastName": "1" })),
        org.contact(json!({ "LastName": "2" })),
    );
    org.sim.delete("Contact", &gone).expect("deleted");
    let unknown = format!("{}zzzzz", &one[..10]);
    let update = |id: &str| record("Contact", json!({ "id": id, "Title": "T" }));
    let body = json!({ "records": [
        update(&one), update(&one), update(&gone), update(&unknown), update("junk"),
        record("Contact", json!({ "Title": "T" })),
    ]});
    let answer = org.call("PATCH", "/composite/sobjects", body).await;
    let codes: Vec<&str> = answer
        .body
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["errors"][0]["statusCode"].as_str().unwrap_or("ok"))
        .collect();
    assert_eq!(
        codes,
        [
            "ok",
            "INVALID_ID_FIELD",
            "ENTITY_IS_DELETED",
            "INVALID_CROSS_REFERENCE_KEY",
            "MALFORMED_ID",
            "MISSING_ARGUMENT",
        ]
    );
    assert_eq!(org.sim.counters().records_updated, 1);
    let again = json!({ "records": [update(&one)] });
    org.call("PATCH", "/composite/sobjects", again).await;
    assert_eq!(
        org.sim.counters().noop_updates,
        1,
        "the same values once more"
    );
}

#[tokio::test]
async fn retrieve_keeps_length_and_order_and_refuses_unknown_fields() {
    let org = org();
    let (one, two) = (
        org.contact(json!({ "LastName": "1" })),
        org.contact(json!({ "LastName": "2" })),
    );
    org.sim.delete("Contact", &one).expect("deleted");
    let unknown = "003000000000000AAA";
    let body = json!({ "ids": [two, unknown, one, two], "fields": ["LastName"] });
    let rows = org
        .call("POST", "/composite/sobjects/Contact", body)
        .await
        .body;
    assert_eq!(rows.as_array().map(Vec::len), Some(4));
    assert_eq!(
        (&rows[0]["LastName"], &rows[1], &rows[2]),
        (&json!("2"), &Value::Null, &Value::Null)
    );
    let get = format!("/composite/sobjects/Contact?ids={two}&fields=LastName,Id");
    assert_eq!(
        org.call("GET", &get, Value::Null).await.body[0]["Id"],
        two.as_str()
    );
    let body = json!({ "ids": [two], "fields": ["LastName", "Nope"] });
    let answer = org.call("POST", "/composite/sobjects/Contact", body).await;
    assert_eq!((answer.status, answer.code()), (400, "INVALID_FIELD"));
}

#[tokio::test]
async fn upsert_by_key_creates_updates_and_refuses_repeats() {
    let org = org();
    let row = |key: &str, name: &str| {
        record(
            "Contact",
            json!({ "Tandem_Link_Id__c": key, "LastName": name }),
        )
    };
    let path = "/composite/sobjects/Contact/Tandem_Link_Id__c";
    let body = json!({ "records": [row("a", "A"), row("b", "B"), row("a", "A2")] });
    let first = org.call("PATCH", path, body).await.body;
    assert_eq!(
        (&first[0]["created"], &first[1]["created"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(first[2]["errors"][0]["statusCode"], "DUPLICATE_VALUE");
    let body =
        json!({ "records": [row("b", "B2"), record("Contact", json!({ "LastName": "C" }))] });
    let second = org.call("PATCH", path, body).await.body;
    assert_eq!(second[0]["created"], false);
    assert_eq!(second[0]["id"], first[1]["id"]);
    assert_eq!(second[1]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
}

#[tokio::test]
async fn composite_hands_the_parent_to_the_child() {
    let org = org();
    let body = json!({ "allOrNone": true, "compositeRequest": [
        { "method": "POST", "url": format!("{DATA}/sobjects/Account"), "referenceId": "acc",
          "body": { "Name": "Acme" } },
        { "method": "POST", "url": format!("{DATA}/sobjects/Contact"), "referenceId": "con",
          "body": { "LastName": "Roe", "AccountId": "@{acc.id}" } },
    ]});
    let answer = org.call("POST", "/composite", body).await.body;
    assert_eq!(
        answer["compositeResponse"][1]["httpStatusCode"], 201,
        "{answer}"
    );
    let names = org
        .pick("SELECT Account.Name FROM Contact", "Account")
        .await;
    assert_eq!(names[0]["Name"], "Acme");
}

#[tokio::test]
async fn composite_takes_five_queries_and_answers_each_by_itself() {
    let org = org();
    org.contact(json!({ "LastName": "Roe" }));
    let asked = |count: usize| {
        let parts = (0..count).map(|nth| {
            let object = if nth == 1 { "Nothing" } else { "Contact" };
            let url = format!("{DATA}/query?q=SELECT+Id+FROM+{object}");
            json!({ "method": "GET", "url": url, "referenceId": format!("q{nth}") })
        });
        json!({ "compositeRequest": parts.collect::<Vec<_>>() })
    };
    let before = org.sim.counters().total;
    let answer = org.call("POST", "/composite", asked(5)).await.body;
    assert_eq!(org.sim.counters().total - before, 1, "one call");
    let answers = &answer["compositeResponse"];
    assert_eq!(
        answers[0]["body"]["records"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(answers[1]["httpStatusCode"], 400, "{answer}");
    assert_eq!(answers[4]["httpStatusCode"], 200);
    let refused = org.call("POST", "/composite", asked(6)).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
}
