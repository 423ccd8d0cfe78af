//! What a save accepts, changes and refuses.

use serde_json::{Value, json};
use tandem::sim::salesforce::{DuplicateRule, SalesforceOptions};

use crate::support::{DATA, org, with};

#[tokio::test]
async fn a_created_row_reads_back_with_its_stamps() {
    let org = org();
    let body = json!({
        "LastName": "  Roe ", "FirstName": "", "Email": "Jane@Example.com",
        "MailingCity": "Ulm", "Interests__c": "Events;Newsletter;Events", "Score__c": 12,
    });
    let created = org.call("POST", "/sobjects/Contact", body).await;
    assert_eq!(created.status, 201);
    let id = created.body["id"].as_str().expect("an id").to_owned();
    assert_eq!((id.len(), &id[..3]), (18, "003"));
    let row = org
        .call("GET", &format!("/sobjects/Contact/{id}"), Value::Null)
        .await
        .body;
    assert_eq!(row["LastName"], "Roe");
    assert_eq!(row["FirstName"], Value::Null, "an empty text is null");
    assert_eq!(row["Email"], "Jane@Example.com");
    assert_eq!(row["Name"], "Roe");
    assert_eq!(row["Interests__c"], "Newsletter;Events");
    assert_eq!(row["Score__c"], json!(12.0));
    assert_eq!(row["HasOptedOutOfEmail"], false);
    assert_eq!(row["MailingAddress"]["city"], "Ulm");
    assert_eq!(row["CreatedDate"], "2026-11-23T10:00:00.000+0000");
    assert_eq!(row["CurrencyIsoCode"], "EUR");
    let short = org
        .call(
            "GET",
            &format!("/sobjects/Contact/{}", &id[..15]),
            Value::Null,
        )
        .await;
    assert_eq!(short.body["Id"], id.as_str());
    let lower = format!("/sobjects/Contact/{}", id.to_lowercase());
    assert_eq!(
        org.call("GET", &lower, Value::Null).await.body["Id"],
        id.as_str()
    );
}

#[tokio::test]
async fn switching_normalisation_off_keeps_texts_as_typed() {
    let org = with(SalesforceOptions {
        normalise: false,
        ..SalesforceOptions::default()
    });
    let id = org.contact(json!({ "LastName": " Roe ", "Title": "" }));
    let fields = org.sim.record("Contact", &id).expect("the record").fields;
    assert_eq!(
        (&fields["LastName"], &fields["Title"]),
        (&json!(" Roe "), &json!(""))
    );
}

#[tokio::test]
async fn bad_values_are_named_by_their_code() {
    let org = org();
    for (fields, code) in bad_values() {
        let refused = org.refusal("Contact", fields.clone()).await;
        assert_eq!(refused, code, "{fields}");
    }
}

fn bad_values() -> Vec<(Value, &'static str)> {
    let long = "x".repeat(81);
    vec![
        (json!({ "FirstName": "Jane" }), "REQUIRED_FIELD_MISSING"),
        (json!({ "LastName": long }), "STRING_TOO_LONG"),
        (
            json!({ "LastName": "R", "Email": "nonsense" }),
            "INVALID_EMAIL_ADDRESS",
        ),
        (
            json!({ "LastName": "R", "Stage__c": "Hero" }),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (
            json!({ "LastName": "R", "Interests__c": "Events;Skat" }),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (
            json!({ "LastName": "R", "Score__c": "12" }),
            "JSON_PARSER_ERROR",
        ),
        (
            json!({ "LastName": "R", "Score__c": 1e9 }),
            "NUMBER_OUTSIDE_VALID_RANGE",
        ),
        (
            json!({ "LastName": "R", "Birthdate": "23.11.2026" }),
            "JSON_PARSER_ERROR",
        ),
        (
            json!({ "LastName": "R", "DoNotCall": "yes" }),
            "JSON_PARSER_ERROR",
        ),
        (json!({ "LastName": 7 }), "JSON_PARSER_ERROR"),
        (
            json!({ "LastName": "R", "CurrencyIsoCode": "CHF" }),
            "INVALID_CURRENCY_ISO",
        ),
        (
            json!({ "LastName": "R", "CreatedDate": "x" }),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (json!({ "LastName": "R", "Nope__c": "x" }), "INVALID_FIELD"),
        (
            json!({ "LastName": "R", "AccountId": "abc" }),
            "MALFORMED_ID",
        ),
        (
            json!({ "LastName": "R", "AccountId": "003000000000000AAA" }),
            "MALFORMED_ID",
        ),
        (
            json!({ "LastName": "R", "AccountId": "001000000000000AAA" }),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        (
            json!({ "LastName": "R", "Id": "003000000000000AAA" }),
            "INVALID_FIELD",
        ),
        (
            json!({ "LastName": "R", "LeadSource": "Anything goes" }),
            "",
        ),
    ]
}

#[tokio::test]
async fn owners_must_exist_and_be_active() {
    let org = org();
    let statement = "SELECT Id FROM User WHERE Email = 'dora.owner@example.com'";
    let dora = org.pick(statement, "Id").await[0].clone();
    let refused = org
        .refusal("Contact", json!({ "LastName": "R", "OwnerId": dora }))
        .await;
    assert_eq!(refused, "INACTIVE_OWNER_OR_USER");
    let created = org
        .call("POST", "/sobjects/Contact", json!({ "LastName": "R" }))
        .await;
    let path = format!(
        "/sobjects/Contact/{}?fields=OwnerId,LastName",
        created.body["id"].as_str().unwrap_or_default()
    );
    let owner = org.call("GET", &path, Value::Null).await.body["OwnerId"].clone();
    let statement = "SELECT Id FROM User WHERE Username = 'integration@example.com'";
    assert_eq!(owner, org.pick(statement, "Id").await[0]);
}

#[tokio::test]
async fn record_types_allow_different_stages() {
    let org = org();
    let statement = "SELECT Id FROM RecordType WHERE SobjectType = 'Opportunity' AND \
                     DeveloperName = 'Renewal'";
    let renewal = org.pick(statement, "Id").await[0].clone();
    let deal = |stage: &str| json!({ "Name": "D", "CloseDate": "2026-12-01", "StageName": stage });
    assert_eq!(org.refusal("Opportunity", deal("Prospecting")).await, "");
    let mut renewed = deal("Prospecting");
    renewed["RecordTypeId"] = renewal;
    let code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST";
    assert_eq!(org.refusal("Opportunity", renewed.clone()).await, code);
    assert_eq!(org.refusal("Opportunity", deal("Renewal Due")).await, code);
    renewed["StageName"] = json!("Renewal Due");
    assert_eq!(org.refusal("Opportunity", renewed).await, "");
    let statement = "SELECT RecordType.DeveloperName, Probability, IsClosed FROM Opportunity \
                     WHERE RecordType.DeveloperName = 'Renewal'";
    let records = org.query("query", statement).await.body["records"].clone();
    assert_eq!(records[0]["RecordType"]["DeveloperName"], "Renewal");
    assert_eq!(records[0]["Probability"], json!(50.0));
}

#[tokio::test]
async fn the_external_key_is_unique_and_upserts() {
    let org = org();
    let path = "/sobjects/Contact/Tandem_Link_Id__c/hubspot%3A1%3A7";
    let created = org.call("PATCH", path, json!({ "LastName": "Roe" })).await;
    assert_eq!(
        (created.status, &created.body["created"]),
        (201, &json!(true))
    );
    let again = org.call("PATCH", path, json!({ "LastName": "Doe" })).await;
    assert_eq!((again.status, &again.body["created"]), (200, &json!(false)));
    let copy = json!({ "LastName": "X", "Tandem_Link_Id__c": "HUBSPOT:1:7" });
    let refused = org.call("POST", "/sobjects/Contact", copy).await;
    assert_eq!(refused.code(), "DUPLICATE_VALUE");
    let id = created.body["id"].as_str().expect("an id");
    let message = refused.body[0]["message"].as_str().expect("a message");
    assert!(message.ends_with(&id[..15]), "{message}");
    let twice = json!({ "LastName": "R", "Email": "same@example.com" });
    org.contact(twice.clone());
    org.contact(twice);
    let several = org
        .call(
            "GET",
            "/sobjects/Contact/Email/same@example.com",
            Value::Null,
        )
        .await;
    assert_eq!(several.status, 300);
    assert_eq!(several.body.as_array().map(Vec::len), Some(2));
    let missing = org
        .call("GET", "/sobjects/Contact/Title/x", Value::Null)
        .await;
    assert_eq!(missing.status, 404, "Title is no key");
}

#[tokio::test]
async fn a_bare_org_has_no_key_field() {
    let org = with(SalesforceOptions {
        bare: true,
        ..SalesforceOptions::default()
    });
    let body = json!({ "LastName": "R", "Tandem_Link_Id__c": "x" });
    assert_eq!(org.refusal("Contact", body).await, "INVALID_FIELD");
}

#[tokio::test]
async fn duplicate_rules_alert_or_block() {
    let org = org();
    let held = org.contact(json!({ "LastName": "Roe", "Email": "a@example.com" }));
    let rule = |block| {
        Some(DuplicateRule {
            fields: vec!["Email".to_owned()],
            block,
        })
    };
    org.sim.set_duplicate_rule("Contact", rule(false));
    let body = json!({ "LastName": "Doe", "Email": "A@example.com" });
    let refused = org.call("POST", "/sobjects/Contact", body.clone()).await;
    assert_eq!(
        (refused.status, refused.code()),
        (400, "DUPLICATES_DETECTED")
    );
    let result = &refused.body[0]["duplicateResut"];
    assert_eq!(result["allowSave"], true);
    let found = &result["matchResults"][0]["matchRecords"][0]["record"]["Id"];
    assert_eq!(found, held.as_str());
    let path = format!("{DATA}/sobjects/Contact");
    let headers = [(
        "Sforce-Duplicate-Rule-Header",
        "allowSave=true; includeRecordDetails=true",
    )];
    assert_eq!(
        org.call_with("POST", &path, &headers, body.clone())
            .await
            .status,
        201
    );
    org.sim.set_duplicate_rule("Contact", rule(true));
    assert_eq!(
        org.call_with("POST", &path, &headers, body).await.status,
        400
    );
}

#[tokio::test]
async fn validation_rules_and_triggers_have_their_say() {
    let org = org();
    org.sim.set_trigger(
        "Contact",
        Some(Box::new(|values| {
            values.insert("Title".to_owned(), json!("set by a trigger"));
        })),
    );
    org.sim.set_validation(
        "Contact",
        Some(Box::new(|values| {
            let bad = values.get("Department") == Some(&json!("Ghosts"));
            bad.then(|| ("No ghosts here".to_owned(), Some("Department".to_owned())))
        })),
    );
    let body = json!({ "LastName": "R", "Department": "Ghosts" });
    let refused = org.call("POST", "/sobjects/Contact", body).await;
    assert_eq!(refused.code(), "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    assert_eq!(refused.body[0]["fields"], json!(["Department"]));
    let id = org.contact(json!({ "LastName": "R", "Title": "mine" }));
    let fields = org.sim.record("Contact", &id).expect("the record").fields;
    assert_eq!(fields["Title"], "set by a trigger");
}

#[tokio::test]
async fn hidden_fields_look_deleted() {
    let org = org();
    let options = json!({ "hidden_fields": { "Contact": ["Title"] } });
    org.call("POST", "/_sim/options", options).await;
    let describe = org
        .call("GET", "/sobjects/Contact/describe", Value::Null)
        .await
        .body;
    let names: Vec<&Value> = describe["fields"]
        .as_array()
        .expect("fields")
        .iter()
        .map(|field| &field["name"])
        .collect();
    assert!(!names.contains(&&json!("Title")) && names.contains(&&json!("LastName")));
    assert_eq!(
        org.query("query", "SELECT Title FROM Contact").await.code(),
        "INVALID_FIELD"
    );
    let refused = org
        .refusal("Contact", json!({ "LastName": "R", "Title": "T" }))
        .await;
    assert_eq!(refused, "INVALID_FIELD");
}

#[tokio::test]
async fn describe_tells_what_a_client_must_know() {
    let org = org();
    let describe = org
        .call("GET", "/sobjects/Opportunity/describe", Value::Null)
        .await
        .body;
    let field = |name: &str| {
        let fields = describe["fields"].as_array().expect("fields");
        fields
            .iter()
            .find(|field| field["name"] == name)
            .expect(name)
            .clone()
    };
    let stage = field("StageName");
    assert_eq!(
        (&stage["nillable"], &stage["restrictedPicklist"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(field("Amount")["scale"], 2);
    assert_eq!(field("AccountId")["referenceTo"], json!(["Account"]));
    let key = field("Tandem_Link_Id__c");
    assert_eq!(
        (&key["externalId"], &key["unique"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(field("SystemModstamp")["createable"], false);
    assert_eq!(field("ContactId")["updateable"], false);
    let types: Vec<&Value> = describe["recordTypeInfos"]
        .as_array()
        .expect("types")
        .iter()
        .map(|info| &info["developerName"])
        .collect();
    assert_eq!(
        types,
        [&json!("Master"), &json!("New_Business"), &json!("Renewal")]
    );
    let global = org.call("GET", "/sobjects", Value::Null).await.body;
    assert_eq!(global["sobjects"].as_array().map(Vec::len), Some(23));
}

#[tokio::test]
async fn lookups_go_by_parent_key_and_owners_stay() {
    let org = org();
    let id = org.contact(json!({ "LastName": "R" }));
    let path = format!("/sobjects/Contact/{id}");
    let cleared = org.call("PATCH", &path, json!({ "OwnerId": null })).await;
    assert_eq!(cleared.code(), "REQUIRED_FIELD_MISSING");
    let account = json!({ "Name": "A", "Tandem_Link_Id__c": "a:1" });
    let account = org.create("Account", account).expect("an account");
    let by_key = json!({ "Account": { "Tandem_Link_Id__c": "a:1" } });
    assert_eq!(org.call("PATCH", &path, by_key).await.status, 204);
    let fields = org.sim.record("Contact", &id).expect("the record").fields;
    assert_eq!(fields["AccountId"], account.as_str());
    let unknown = json!({ "Account": { "Tandem_Link_Id__c": "a:2" } });
    assert_eq!(
        org.call("PATCH", &path, unknown).await.code(),
        "INVALID_FIELD"
    );
    let guard = [("If-Unmodified-Since", "Mon, 23 Nov 2026 09:59:59 GMT")];
    let path = format!("{DATA}{path}");
    let late = org
        .call_with("PATCH", &path, &guard, json!({ "Title": "T" }))
        .await;
    assert_eq!(late.status, 412);
    let form = [("content-type", "text/plain")];
    let plain = org
        .call_with("PATCH", &path, &form, json!({ "Title": "T" }))
        .await;
    assert_eq!(plain.status, 415);
}
