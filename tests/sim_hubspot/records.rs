//! Single records: writing, keys, stages, history and merging.

use serde_json::{Value, json};
use tandem::sim::hubspot::HubSpotOptions;

use super::{CONTACTS, Portal, ids};

#[tokio::test]
async fn a_list_walks_every_live_record_once() {
    let portal = Portal::new();
    let mut made: Vec<String> = (0..25)
        .map(|n| portal.contact(&format!("c{n}@example.com")))
        .collect();
    portal.sim.archive("contacts", &made.remove(7)).unwrap();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = portal
            .get(&format!("{CONTACTS}?limit=10&after={after}"))
            .await;
        seen.extend(ids(&page.body));
        match page.body["paging"]["next"]["after"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!(seen, made);
    let archived = portal.get(&format!("{CONTACTS}?archived=true")).await;
    assert_eq!(ids(&archived.body).len(), 1);
    assert!(archived.body["results"][0]["archivedAt"].is_string());
    assert_eq!(
        portal.get(&format!("{CONTACTS}?limit=101")).await.status,
        400
    );
    let history = format!("{CONTACTS}?limit=51&propertiesWithHistory=email");
    assert_eq!(portal.get(&history).await.status, 400);
}

#[tokio::test]
async fn a_refused_write_names_every_property_and_stores_nothing() {
    let portal = Portal::new();
    let sent = json!({"properties": {"email": "nobody", "foo": "1", "hs_object_id": "5",
        "lifecyclestage": "king", "numemployees": "1,000", "date_of_birth": "31.12.1990"}});
    let answer = portal.post(CONTACTS, sent).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body["category"], "VALIDATION_ERROR");
    let mut codes: Vec<&str> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["code"].as_str().unwrap())
        .collect();
    codes.sort_unstable();
    let expected = [
        "INVALID_DATE",
        "INVALID_EMAIL",
        "INVALID_NUMBER",
        "INVALID_OPTION",
        "PROPERTY_DOESNT_EXIST",
        "READ_ONLY_VALUE",
    ];
    assert_eq!(codes, expected);
    let message = answer.body["message"].as_str().unwrap();
    let inner = message
        .strip_prefix("Property values were not valid: ")
        .unwrap();
    let inner: Value = serde_json::from_str(inner).unwrap();
    let foo = inner
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "foo")
        .unwrap();
    assert_eq!(foo["message"], "Property \"foo\" does not exist");
    assert_eq!(
        answer.headers["x-hubspot-correlation-id"].to_str().unwrap(),
        answer.body["correlationId"].as_str().unwrap()
    );
    assert!(portal.sim.records("contacts").is_empty());
}

#[tokio::test]
async fn an_email_is_normalised_and_unique() {
    let portal = Portal::new();
    let sent = json!({"properties": {"email": " Ann@Example.com ", "lastname": " Lee"}});
    let first = portal.post(CONTACTS, sent.clone()).await;
    assert_eq!(first.status, 201);
    assert!(first.headers.contains_key("location"));
    assert_eq!(first.body["properties"]["email"], "ann@example.com");
    assert_eq!(first.body["properties"]["lastname"], " Lee");
    assert_eq!(first.body["properties"]["lifecyclestage"], "lead");
    let again = portal.post(CONTACTS, sent).await;
    assert_eq!(
        (again.status, &again.body["category"]),
        (409, &json!("CONFLICT"))
    );
    let id = first.body["id"].as_str().unwrap();
    let message = format!("Contact already exists. Existing ID: {id}");
    assert_eq!(again.body["message"], json!(message));
    portal.sim.archive("contacts", id).unwrap();
    portal.contact("ann@example.com");
    assert!(portal.sim.restore("contacts", id).is_err());
}

#[tokio::test]
async fn a_company_domain_is_stripped_and_filled_from_the_website_but_not_unique() {
    let portal = Portal::new();
    let path = "/crm/objects/2026-09/companies";
    let sent = json!({"properties": {"name": "Acme", "website": "https://www.Acme.test/x"}});
    let first = portal.post(path, sent.clone()).await;
    assert_eq!(first.body["properties"]["domain"], "acme.test");
    assert_eq!(portal.post(path, sent).await.status, 201);
}

#[tokio::test]
async fn an_update_shows_what_was_written_and_a_repeat_moves_nothing() {
    let portal = Portal::new();
    let id = portal.contact("ann@example.com");
    portal.clock.advance_millis(1_500);
    let path = format!("{CONTACTS}/{id}");
    let sent = json!({"properties": {"city": "Ulm", "numemployees": 17}});
    let first = portal.call("PATCH", &path, sent.clone()).await;
    assert_eq!(first.status, 200);
    let properties = &first.body["properties"];
    assert_eq!(properties["numemployees"], "17");
    assert_eq!(properties["lastmodifieddate"], "2026-01-01T00:00:01.500Z");
    assert!(properties.get("email").is_none());
    portal.clock.advance_millis(1_500);
    let again = portal.call("PATCH", &path, sent).await;
    assert_eq!(again.body["updatedAt"], first.body["updatedAt"]);
    let counters = portal.sim.counters();
    assert_eq!((counters.records_updated, counters.noop_updates), (1, 1));
    let cleared = json!({"properties": {"city": ""}});
    let cleared = portal.call("PATCH", &path, cleared).await;
    assert!(cleared.body["properties"]["city"].is_null());
    assert_eq!(portal.sim.history("contacts", &id, "city").len(), 2);
}

#[tokio::test]
async fn history_tells_the_app_from_the_person_newest_first() {
    let portal = Portal::new();
    let id = portal.contact("ann@example.com");
    portal.clock.advance_millis(1_000);
    let sent = json!({"properties": {"firstname": "Anne"}});
    portal
        .call("PATCH", &format!("{CONTACTS}/{id}"), sent)
        .await;
    portal.clock.advance_millis(1_000);
    portal
        .sim
        .edit("contacts", &id, &[("firstname", "Anna")])
        .unwrap();
    let body = json!({"inputs": [{"id": id}], "propertiesWithHistory": ["firstname"]});
    let answer = portal.post(&format!("{CONTACTS}/batch/read"), body).await;
    let history = &answer.body["results"][0]["propertiesWithHistory"]["firstname"];
    let told: Vec<(&str, &str)> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            (
                e["value"].as_str().unwrap(),
                e["sourceType"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Anna", "CRM_UI"),
            ("Anne", "INTEGRATION"),
            ("ann", "CRM_UI")
        ]
    );
    assert_eq!(history[0]["timestamp"], "2026-01-01T00:00:02Z");
    assert_eq!(history[0]["updatedByUserId"], 77);
}

#[tokio::test]
async fn a_lifecycle_stage_only_moves_forward_for_an_app() {
    let portal = Portal::new();
    let id = portal.contact("ann@example.com");
    let path = format!("{CONTACTS}/{id}");
    let stage = |value: &str| json!({"properties": {"lifecyclestage": value}});
    portal.call("PATCH", &path, stage("customer")).await;
    let back = portal.call("PATCH", &path, stage("lead")).await;
    assert_eq!(back.status, 200);
    assert_eq!(back.body["properties"]["lifecyclestage"], "customer");
    portal.call("PATCH", &path, stage("")).await;
    let again = portal.call("PATCH", &path, stage("lead")).await;
    assert_eq!(again.body["properties"]["lifecyclestage"], "lead");
    let read = portal
        .get(&format!(
            "{path}?properties=hs_lifecyclestage_customer_date"
        ))
        .await;
    assert!(read.body["properties"]["hs_lifecyclestage_customer_date"].is_string());
}

#[tokio::test]
async fn the_key_property_is_unique_finds_its_record_and_can_be_left_out() {
    let portal = Portal::new();
    let path = "/crm/objects/2026-09/deals";
    let sent = json!({"properties": {"dealname": "One", "dealstage": "qualifiedtobuy",
        "tandem_link_id": "sf:org:006"}});
    let first = portal.post(path, sent.clone()).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.body["properties"]["pipeline"], "default");
    let again = portal.post(path, sent).await;
    assert_eq!(again.status, 400);
    assert_eq!(again.body["errors"][0]["code"], "CONFLICTING_UNIQUE_VALUE");
    let found = portal
        .get(&format!("{path}/sf%3Aorg%3A006?idProperty=tandem_link_id"))
        .await;
    assert_eq!(found.body["id"], first.body["id"]);
    let bare = Portal::with(HubSpotOptions {
        bare: true,
        ..HubSpotOptions::default()
    });
    let definition = bare
        .get("/crm/properties/2026-09/deals/tandem_link_id")
        .await;
    assert_eq!(definition.status, 404);
    let definition = json!({"name": "tandem_link_id", "label": "Key", "type": "string",
        "fieldType": "text", "groupName": "dealinformation", "hasUniqueValue": true});
    let path = "/crm/properties/2026-09/deals";
    assert_eq!(bare.post(path, definition.clone()).await.status, 201);
    let twice = bare.post(path, definition).await;
    assert_eq!(
        (twice.status, &twice.body["category"]),
        (409, &json!("OBJECT_ALREADY_EXISTS"))
    );
}

#[tokio::test]
async fn a_stage_must_belong_to_its_pipeline() {
    let portal = Portal::new();
    let deal = [("dealname", "One"), ("dealstage", "qualifiedtobuy")];
    let id = portal.sim.create("deals", &deal).unwrap();
    let path = format!("/crm/objects/2026-09/deals/{id}");
    let lone = json!({"properties": {"dealstage": "214587503"}});
    assert_eq!(portal.call("PATCH", &path, lone).await.status, 400);
    let both = json!({"properties": {"pipeline": "8423117", "dealstage": "214587503"}});
    assert_eq!(portal.call("PATCH", &path, both).await.status, 200);
    let won = portal
        .get(&format!("{path}?properties=hs_is_closed_won"))
        .await;
    assert_eq!(won.body["properties"]["hs_is_closed_won"], "true");
    let nameless = json!({"properties": {"dealstage": "closedwon"}});
    let refused = portal.post("/crm/objects/2026-09/deals", nameless).await;
    assert_eq!(
        refused.body["errors"][0]["code"],
        "MISSING_REQUIRED_PROPERTY"
    );
}

#[tokio::test]
async fn a_merge_makes_a_new_id_and_the_old_ones_lead_to_it() {
    let portal = Portal::new();
    let (one, two) = (
        portal.contact("ann@example.com"),
        portal.contact("anne@example.com"),
    );
    portal
        .sim
        .edit("contacts", &two, &[("city", "Ulm")])
        .unwrap();
    let company = portal.company("Acme");
    portal
        .sim
        .associate(("contacts", &two), ("companies", &company), 279)
        .unwrap();
    let body = json!({"primaryObjectId": one, "objectIdToMerge": two});
    let merged = portal.post(&format!("{CONTACTS}/merge"), body).await;
    let id = merged.body["id"].as_str().unwrap().to_owned();
    assert!(id != one && id != two);
    let properties = &merged.body["properties"];
    assert_eq!(properties["email"], "ann@example.com");
    assert_eq!(properties["hs_additional_emails"], "anne@example.com");
    assert_eq!(properties["city"], "Ulm");
    assert_eq!(
        properties["hs_merged_object_ids"],
        json!(format!("{one};{two}"))
    );
    assert_eq!(
        portal.get(&format!("{CONTACTS}/{two}")).await.body["id"],
        json!(id)
    );
    assert_eq!(
        portal.sim.associations("contacts", &id, "companies")[0].1,
        [1, 279]
    );
    let update = json!({"inputs": [{"id": two, "properties": {"city": "Bonn"}},
        {"id": "404404", "properties": {"city": "Bonn"}}]});
    let answer = portal
        .post(&format!("{CONTACTS}/batch/update"), update)
        .await;
    assert_eq!(answer.status, 207);
    assert!(ids(&answer.body).is_empty());
    assert_eq!(
        answer.body["errors"][0]["context"]["ids"],
        json!(["404404"])
    );
    let taken = portal
        .post(
            CONTACTS,
            json!({"properties": {"email": "anne@example.com"}}),
        )
        .await;
    assert_eq!(taken.status, 409);
}
