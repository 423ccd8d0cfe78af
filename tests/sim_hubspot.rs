//! The HubSpot simulator, driven through its router in process: the rules a client must live with.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tandem::clock::Clock;
use tandem::model::Timestamp;
use tandem::sim::SimClock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tower::ServiceExt;

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

struct Portal {
    sim: HubSpotSim,
    clock: SimClock,
    router: Router,
    token: String,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Portal {
    fn new() -> Self {
        Self::with(HubSpotOptions {
            burst_limit: 100_000,
            search_per_second: 100_000,
            search_lag_ms: 0,
            ..HubSpotOptions::default()
        })
    }

    fn with(options: HubSpotOptions) -> Self {
        let clock = SimClock::new(Clock::manual(Timestamp::from_millis(START)));
        let token = options.token.clone();
        let sim = HubSpotSim::new(clock.clone(), options);
        let router = sim.router();
        Self {
            sim,
            clock,
            router,
            token,
        }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.raw(method, path, body, &self.token).await
    }

    async fn raw(&self, method: &str, path: &str, body: String, token: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, body).await
    }

    fn contact(&self, email: &str) -> String {
        let name = email.split('@').next().unwrap();
        self.sim
            .create("contacts", &[("email", email), ("firstname", name)])
            .unwrap()
    }

    fn company(&self, name: &str) -> String {
        self.sim.create("companies", &[("name", name)]).unwrap()
    }
}

fn ids(body: &Value) -> Vec<String> {
    let rows = body["results"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

const CONTACTS: &str = "/crm/objects/2026-09/contacts";

#[tokio::test]
async fn both_path_families_and_all_names_of_a_type_lead_to_one_record() {
    let portal = Portal::new();
    let id = portal.contact("ann@example.com");
    for path in [
        "/crm/v3/objects/contacts",
        "/crm/v3/objects/contact",
        "/crm/objects/2026-03/0-1",
        "/crm/objects/2026-09/CONTACTS",
    ] {
        let answer = portal
            .get(&format!("{path}/{id}?properties=email,phone,nonsense"))
            .await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.body["id"], json!(id));
        let properties = &answer.body["properties"];
        assert_eq!(properties["email"], "ann@example.com");
        assert!(properties["phone"].is_null() && properties.get("phone").is_some());
        assert!(properties.get("nonsense").is_none());
        assert_eq!(properties["createdate"], "2026-01-01T00:00:00Z");
    }
    let own = portal
        .sim
        .create("subscriptions", &[("subscription_name", "Team plan")])
        .unwrap();
    let full = format!("p{}_subscriptions", portal.sim.portal_id());
    for name in ["subscriptions", "2-1234567", full.as_str()] {
        let answer = portal
            .get(&format!("/crm/objects/2026-09/{name}/{own}"))
            .await;
        assert_eq!(answer.status, 200, "{name}");
    }
    assert_eq!(
        portal.get("/crm/objects/2026-09/nonsense").await.status,
        400
    );
    assert_eq!(
        portal.get("/crm/objects/2031-09/contacts").await.status,
        404
    );
    assert_eq!(portal.call("PUT", CONTACTS, Value::Null).await.status, 405);
}

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

#[tokio::test]
async fn the_first_company_is_primary_and_a_new_primary_demotes_it() {
    let portal = Portal::new();
    let contact = portal.contact("ann@example.com");
    let (acme, beta) = (portal.company("Acme"), portal.company("Beta"));
    let stamp = portal.sim.record("contacts", &contact).unwrap().updated_at;
    portal.clock.advance_millis(5_000);
    let path = format!("/crm/objects/2026-09/contacts/{contact}/associations");
    let default = format!("{path}/default/companies/{acme}");
    let answer = portal.call("PUT", &default, Value::Null).await;
    assert_eq!(answer.body["results"].as_array().unwrap().len(), 2);
    let primary = |portal: &Portal| {
        let record = portal.sim.record("contacts", &contact).unwrap();
        record.properties["associatedcompanyid"].clone()
    };
    assert_eq!(primary(&portal), acme);
    let types = json!([{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]);
    let answer = portal
        .call("PUT", &format!("{path}/companies/{beta}"), types)
        .await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body["labels"], json!(["Primary"]));
    assert_eq!(primary(&portal), beta);
    let links = portal.sim.associations("contacts", &contact, "companies");
    assert_eq!(
        links,
        [(acme.clone(), vec![279]), (beta.clone(), vec![1, 279])]
    );
    assert_eq!(
        portal.sim.associations("companies", &beta, "contacts")[0].1,
        [2, 280]
    );
    assert_eq!(
        portal.sim.record("contacts", &contact).unwrap().updated_at,
        stamp
    );
    let list = portal.get(&format!("{path}/companies")).await;
    assert_eq!(
        list.body["results"][1]["associationTypes"][0]["label"],
        "Primary"
    );
    let gone = portal
        .call("DELETE", &format!("{path}/companies/{beta}"), Value::Null)
        .await;
    assert_eq!(gone.status, 204);
    assert!(
        portal
            .sim
            .associations("companies", &beta, "contacts")
            .is_empty()
    );
}

#[tokio::test]
async fn association_batches_read_a_thousand_and_check_the_direction() {
    let portal = Portal::new();
    let contact = portal.contact("ann@example.com");
    let deal = [("dealname", "One"), ("dealstage", "qualifiedtobuy")];
    let deal = portal.sim.create("deals", &deal).unwrap();
    let path = "/crm/associations/2026-09/deals/contacts/batch";
    let create = |category: &str, type_id: u32| {
        json!({"inputs": [{"from": {"id": deal}, "to": {"id": contact},
            "types": [{"associationCategory": category, "associationTypeId": type_id}]}]})
    };
    let wrong = portal
        .post(&format!("{path}/create"), create("HUBSPOT_DEFINED", 4))
        .await;
    assert_eq!(wrong.status, 400);
    let made = portal
        .post(&format!("{path}/create"), create("USER_DEFINED", 36))
        .await;
    assert_eq!(made.status, 201);
    let read = portal
        .post(&format!("{path}/read"), json!({"inputs": [{"id": deal}]}))
        .await;
    let types = &read.body["results"][0]["to"][0]["associationTypes"];
    assert_eq!(types.as_array().unwrap().len(), 2);
    let missing = json!({"inputs": [{"id": deal}, {"id": "5"}]});
    assert_eq!(
        portal.post(&format!("{path}/read"), missing).await.status,
        207
    );
    let many: Vec<Value> = (0..1_001).map(|n| json!({"id": n.to_string()})).collect();
    let refused = portal
        .post(&format!("{path}/read"), json!({"inputs": many}))
        .await;
    assert_eq!(refused.status, 400);
    let archive = json!({"inputs": [{"from": {"id": deal}, "to": [{"id": contact}]}]});
    let dated = portal
        .post(&format!("{path}/archive"), archive.clone())
        .await;
    assert_eq!(dated.status, 200);
    let v4 = "/crm/v4/associations/deals/contacts/batch/archive";
    assert_eq!(portal.post(v4, archive).await.status, 204);
    let labels = portal
        .get("/crm/v4/associations/deals/contacts/labels")
        .await;
    let labels = labels.body["results"].as_array().unwrap();
    assert!(
        labels
            .iter()
            .any(|one| one["label"] == "Decision maker" && one["typeId"] == 36)
    );
}

#[tokio::test]
async fn links_of_an_archived_record_hide_and_come_back() {
    let portal = Portal::new();
    let (contact, company) = (portal.contact("ann@example.com"), portal.company("Acme"));
    portal
        .sim
        .associate(("contacts", &contact), ("companies", &company), 1)
        .unwrap();
    portal.sim.archive("companies", &company).unwrap();
    assert!(
        portal
            .sim
            .associations("contacts", &contact, "companies")
            .is_empty()
    );
    portal.sim.restore("companies", &company).unwrap();
    assert_eq!(
        portal
            .sim
            .associations("contacts", &contact, "companies")
            .len(),
        1
    );
}

#[tokio::test]
async fn search_sees_a_change_only_after_the_lag() {
    let portal = Portal::with(HubSpotOptions {
        search_per_second: 1_000,
        ..HubSpotOptions::default()
    });
    let id = portal.contact("ann@example.com");
    let body = |name: &str| {
        json!({"filterGroups": [{"filters": [
            {"propertyName": "firstname", "operator": "EQ", "value": name}]}]})
    };
    let path = format!("{CONTACTS}/search");
    assert_eq!(portal.post(&path, body("ann")).await.body["total"], 0);
    portal.clock.advance_millis(2_000);
    assert_eq!(portal.post(&path, body("ANN")).await.body["total"], 1);
    portal
        .sim
        .edit("contacts", &id, &[("firstname", "Anna")])
        .unwrap();
    assert_eq!(portal.post(&path, body("anna")).await.body["total"], 0);
    assert_eq!(portal.post(&path, body("ann")).await.body["total"], 1);
    portal.clock.advance_millis(2_000);
    assert_eq!(portal.post(&path, body("anna")).await.body["total"], 1);
    portal.sim.archive("contacts", &id).unwrap();
    portal.clock.advance_millis(2_000);
    assert_eq!(portal.post(&path, body("anna")).await.body["total"], 0);
}

#[tokio::test]
async fn search_understands_every_operator() {
    let portal = Portal::new();
    let people = [
        ("ann@example.com", "Ulm", "10", "analytics"),
        ("bob@example.org", "Bonn", "9.5", "analytics;training"),
        ("cid@example.net", "", "", ""),
    ];
    for (email, city, points, interests) in people {
        let properties = [
            ("email", email),
            ("city", city),
            ("loyalty_points", points),
            ("interests", interests),
        ];
        portal.sim.create("contacts", &properties).unwrap();
        portal.clock.advance_millis(1_000);
    }
    let cases = [
        (
            json!({"propertyName": "city", "operator": "EQ", "value": "ulm"}),
            1,
        ),
        (
            json!({"propertyName": "city", "operator": "NEQ", "value": "Ulm"}),
            1,
        ),
        (
            json!({"propertyName": "loyalty_points", "operator": "GT", "value": "9.50"}),
            1,
        ),
        (
            json!({"propertyName": "loyalty_points", "operator": "GTE", "value": "9.50"}),
            2,
        ),
        (
            json!({"propertyName": "loyalty_points", "operator": "LT", "value": "10"}),
            1,
        ),
        (
            json!({"propertyName": "loyalty_points", "operator": "LTE", "value": "10"}),
            2,
        ),
        (
            json!({"propertyName": "loyalty_points", "operator": "BETWEEN", "value": "9",
            "highValue": "9.9"}),
            1,
        ),
        (
            json!({"propertyName": "city", "operator": "IN", "values": ["ulm", "bonn"]}),
            2,
        ),
        (
            json!({"propertyName": "city", "operator": "IN", "values": ["Ulm"]}),
            0,
        ),
        (
            json!({"propertyName": "city", "operator": "NOT_IN", "values": ["ulm"]}),
            1,
        ),
        (
            json!({"propertyName": "interests", "operator": "IN", "values": ["training"]}),
            1,
        ),
        (
            json!({"propertyName": "city", "operator": "HAS_PROPERTY"}),
            2,
        ),
        (
            json!({"propertyName": "city", "operator": "NOT_HAS_PROPERTY"}),
            1,
        ),
        (
            json!({"propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "*.org"}),
            1,
        ),
        (
            json!({"propertyName": "email", "operator": "NOT_CONTAINS_TOKEN", "value": "bob"}),
            2,
        ),
        (
            json!({"propertyName": "lastmodifieddate", "operator": "BETWEEN",
            "value": (START + 1_000).to_string(), "highValue": "2026-01-01T00:00:02Z"}),
            2,
        ),
        (
            json!({"propertyName": "hs_object_id", "operator": "GT", "value": "0"}),
            3,
        ),
    ];
    let path = format!("{CONTACTS}/search");
    for (filter, expected) in cases {
        let answer = portal.post(&path, json!({"filters": [filter]})).await;
        assert_eq!(answer.body["total"], expected, "{filter}");
    }
    let bad = [
        json!({"filters": [{"propertyName": "nonsense", "operator": "EQ", "value": "1"}]}),
        json!({"filters": [{"propertyName": "city", "operator": "LIKE", "value": "1"}]}),
        json!({"limit": 201}),
        json!({"limit": 100, "after": "9901"}),
        json!({"query": "x".repeat(3_000)}),
        json!({"filterGroups": vec![json!({"filters": []}); 6]}),
    ];
    for body in bad {
        assert_eq!(portal.post(&path, body.clone()).await.status, 400, "{body}");
    }
    assert_eq!(
        portal
            .post(&path, json!({"query": "example.net"}))
            .await
            .body["total"],
        1
    );
}

#[tokio::test]
async fn a_keyset_by_id_passes_more_records_of_one_stamp_than_a_search_can_reach() {
    let portal = Portal::new();
    for n in 0..10_450 {
        portal
            .sim
            .create("companies", &[("name", &format!("Company {n}"))])
            .unwrap();
    }
    let path = "/crm/v3/objects/companies/search";
    let (mut seen, mut last) = (0, "0".to_owned());
    loop {
        let body = json!({"limit": 200, "sorts": ["hs_object_id"], "filterGroups": [{"filters": [
            {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": START.to_string()},
            {"propertyName": "hs_object_id", "operator": "GT", "value": last}]}]});
        let page = portal.post(path, body).await;
        let page = ids(&page.body);
        seen += page.len();
        match page.last() {
            Some(id) => id.clone_into(&mut last),
            None => break,
        }
    }
    assert_eq!(seen, 10_450);
}

#[tokio::test]
async fn the_burst_window_rolls_and_its_headers_count_down() {
    let portal = Portal::with(HubSpotOptions {
        burst_limit: 3,
        ..HubSpotOptions::default()
    });
    for left in ["2", "1", "0"] {
        let answer = portal.get(CONTACTS).await;
        assert_eq!(answer.headers["x-hubspot-ratelimit-remaining"], left);
        assert_eq!(answer.headers["x-hubspot-ratelimit-max"], "3");
        assert!(
            answer
                .headers
                .contains_key("x-hubspot-ratelimit-daily-remaining")
        );
        portal.clock.advance_millis(1_000);
    }
    let refused = portal.get(CONTACTS).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body["policyName"], "TEN_SECONDLY_ROLLING");
    portal.clock.advance_millis(7_000);
    assert_eq!(portal.get(CONTACTS).await.status, 200);
    assert_eq!(portal.get(CONTACTS).await.status, 429);
    assert_eq!(portal.sim.counters().rate_limited, 2);
}

#[tokio::test]
async fn searches_have_their_own_limit_and_no_rate_headers() {
    let portal = Portal::with(HubSpotOptions {
        burst_limit: 1,
        ..HubSpotOptions::default()
    });
    let path = format!("{CONTACTS}/search");
    for _ in 0..5 {
        let answer = portal.post(&path, json!({})).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.contains_key("x-hubspot-ratelimit-max"));
    }
    let refused = portal.post(&path, json!({})).await;
    assert_eq!(
        (refused.status, &refused.body["policyName"]),
        (429, &json!("SECONDLY"))
    );
    assert_eq!(
        refused.body["message"],
        "You have reached your secondly limit."
    );
    portal.clock.advance_millis(1_000);
    assert_eq!(portal.post(&path, json!({})).await.status, 200);
}

#[tokio::test]
async fn the_daily_limit_ends_at_midnight_of_the_account() {
    let portal = Portal::with(HubSpotOptions {
        daily_limit: 1,
        ..HubSpotOptions::default()
    });
    assert_eq!(portal.get(CONTACTS).await.status, 200);
    let refused = portal.get(CONTACTS).await;
    assert_eq!(refused.body["policyName"], "DAILY");
    // Midnight in the account's time zone is at 05:00 UTC in winter.
    portal.clock.advance_millis(4 * 3_600_000);
    assert_eq!(portal.get(CONTACTS).await.status, 429);
    portal.clock.advance_millis(3_600_000);
    assert_eq!(portal.get(CONTACTS).await.status, 200);
}

#[tokio::test]
async fn an_access_token_expires_and_a_refresh_token_may_rotate() {
    let portal = Portal::new();
    let options = HubSpotOptions::default();
    let (id, secret) = (options.client_id, options.client_secret);
    let form = |grant: &str| format!("client_id={id}&client_secret={secret}&{grant}");
    let token = "/oauth/2026-09/token";
    let code =
        form("grant_type=authorization_code&redirect_uri=http://localhost/cb&code=sim-code-1");
    let granted = portal.raw("POST", token, code.clone(), "").await;
    assert_eq!(
        (granted.status, &granted.body["expires_in"]),
        (200, &json!(1_800))
    );
    let used = portal.raw("POST", token, code, "").await;
    assert_eq!(
        (used.status, &used.body["status"]),
        (400, &json!("BAD_AUTH_CODE"))
    );
    let access = granted.body["access_token"].as_str().unwrap().to_owned();
    let refresh = granted.body["refresh_token"].as_str().unwrap();
    let read = portal.raw("GET", CONTACTS, String::new(), &access).await;
    assert_eq!(read.status, 200);
    assert!(!read.headers.contains_key("x-hubspot-ratelimit-daily"));
    portal.clock.advance_millis(1_875_000);
    let late = portal.raw("GET", CONTACTS, String::new(), &access).await;
    assert_eq!(
        (late.status, &late.body["category"]),
        (401, &json!("EXPIRED_AUTHENTICATION"))
    );
    assert!(
        late.body["message"]
            .as_str()
            .unwrap()
            .contains("expired 75 second(s) ago")
    );
    let again = form(&format!("grant_type=refresh_token&refresh_token={refresh}"));
    let kept = portal
        .raw("POST", "/oauth/v1/token", again.clone(), "")
        .await;
    assert_eq!(kept.body["refresh_token"], json!(refresh));
    portal
        .post("/_sim/options", json!({"rotate_refresh_tokens": true}))
        .await;
    let rotated = portal.raw("POST", token, again.clone(), "").await;
    assert_ne!(rotated.body["refresh_token"], json!(refresh));
    let dead = portal.raw("POST", token, again, "").await;
    assert_eq!(dead.body["error"], "invalid_grant");
    assert_eq!(
        portal.raw("GET", CONTACTS, String::new(), "x").await.status,
        401
    );
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let portal = Portal::new();
    let options = json!({"missing_scopes": ["crm.objects.contacts.write"]});
    portal.post("/_sim/options", options).await;
    assert_eq!(portal.get(CONTACTS).await.status, 200);
    let refused = portal
        .post(CONTACTS, json!({"properties": {"firstname": "A"}}))
        .await;
    assert_eq!(
        (refused.status, &refused.body["category"]),
        (403, &json!("MISSING_SCOPES"))
    );
    assert_eq!(
        refused.body["errors"][0]["context"]["requiredGranularScopes"],
        json!(["crm.objects.contacts.write"])
    );
}

#[tokio::test]
async fn bad_requests_are_answered_in_the_platforms_words() {
    let portal = Portal::new();
    let broken = portal
        .raw("POST", CONTACTS, "{".to_owned(), &portal.token)
        .await;
    assert_eq!(broken.status, 400);
    let message = broken.body["message"].as_str().unwrap();
    assert!(
        message.starts_with("Invalid input JSON on line 1, column 1"),
        "{message}"
    );
    let named = portal.get(&format!("{CONTACTS}/ann")).await;
    assert_eq!(named.status, 404);
    assert_eq!(
        named.body["message"],
        "Object not found.  objectId are usually numeric."
    );
    assert_eq!(portal.get(&format!("{CONTACTS}/12345")).await.status, 404);
    let nothing = portal
        .post(CONTACTS, json!({"properties": {"city": "Ulm"}}))
        .await;
    assert_eq!(
        nothing.body["context"]["properties"],
        json!(["email", "firstname", "lastname"])
    );
    let id = portal.contact("ann@example.com");
    for _ in 0..2 {
        let gone = portal
            .call("DELETE", &format!("{CONTACTS}/{id}"), Value::Null)
            .await;
        assert_eq!(gone.status, 204);
    }
    let company = json!({"properties": {"name": "A"}, "associations": [{"to": {"id": id},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 280}]}]});
    let refused = portal.post("/crm/v3/objects/companies", company).await;
    assert_eq!(refused.body["context"]["INVALID_OBJECT_IDS"], json!([id]));
}

#[tokio::test]
async fn definitions_owners_and_the_account_can_be_read() {
    let portal = Portal::new();
    let email = portal.get("/crm/v3/properties/contacts/email").await;
    assert_eq!(email.body["type"], "string");
    let owner = portal
        .get("/crm/properties/2026-09/contacts/hubspot_owner_id")
        .await;
    assert_eq!(owner.body["referencedObjectType"], "OWNER");
    assert_eq!(owner.body["options"], json!([]));
    let deals = portal.get("/crm/pipelines/2026-09/deals").await;
    assert_eq!(ids(&deals.body), ["default", "8423117"]);
    let first = &deals.body["results"][0]["stages"][0];
    assert_eq!(first["metadata"]["probability"], "0.2");
    let page = portal.get("/crm/owners/2026-09?limit=2").await;
    assert_eq!(ids(&page.body).len(), 2);
    let after = page.body["paging"]["next"]["after"].as_str().unwrap();
    let rest = portal
        .get(&format!("/crm/v3/owners?limit=2&after={after}"))
        .await;
    assert_eq!(ids(&rest.body).len(), 1);
    let gone = portal.get("/crm/owners/2026-09?archived=true").await;
    assert!(gone.body["results"][0]["userId"].is_null());
    let schemas = portal.get("/crm-object-schemas/2026-09/schemas").await;
    assert_eq!(schemas.body["results"][0]["objectTypeId"], "2-1234567");
    let account = portal.get("/account-info/2026-09/details").await;
    assert_eq!(account.body["portalId"], json!(portal.sim.portal_id()));
    assert_eq!(account.body["utcOffset"], "-05:00");
}

#[tokio::test]
async fn test_control_edits_reads_and_moves_time() {
    let portal = Portal::new();
    let made = json!({"object": "contacts", "properties": {"email": "ann@example.com"}});
    let made = portal.post("/_sim/create", made).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    portal.post("/_sim/time", json!({"advance_ms": 250})).await;
    let edit = json!({"object": "contacts", "id": id, "properties": {"city": "Ulm"}});
    assert_eq!(portal.post("/_sim/edit", edit).await.status, 200);
    let state = portal.get("/_sim/state?object=contacts").await;
    let row = &state.body["results"][0];
    assert_eq!(
        row["properties"]["lastmodifieddate"],
        "2026-01-01T00:00:00.250Z"
    );
    assert_eq!(portal.get("/_sim/counters").await.body["calls"], 0);
    portal.get(CONTACTS).await;
    let log = portal.get("/_sim/requests").await;
    assert_eq!(log.body["results"][0]["path"], CONTACTS);
    let bad = json!({"object": "contacts", "id": id, "properties": {"nonsense": "1"}});
    assert_eq!(portal.post("/_sim/edit", bad).await.status, 400);
}

#[tokio::test]
async fn the_write_hook_may_edit_between_a_write_and_its_answer() {
    let portal = Portal::new();
    let id = portal.contact("ann@example.com");
    let sim = portal.sim.clone();
    portal.sim.set_write_hook(Some(Box::new(move |object, id| {
        sim.edit(object, id, &[("city", "Bonn")]).unwrap();
    })));
    let sent = json!({"properties": {"city": "Ulm"}});
    let answer = portal
        .call("PATCH", &format!("{CONTACTS}/{id}"), sent)
        .await;
    assert_eq!(answer.body["properties"]["city"], "Ulm");
    portal.sim.set_write_hook(None);
    let record = portal.sim.record("contacts", &id).unwrap();
    assert_eq!(record.properties["city"], "Bonn");
}

#[tokio::test]
async fn one_seed_gives_one_portal() {
    let (one, two) = (Portal::new(), Portal::new());
    for portal in [&one, &two] {
        portal.contact("ann@example.com");
        portal.company("Acme");
    }
    assert_eq!(one.sim.records("contacts"), two.sim.records("contacts"));
    assert_eq!(one.sim.records("companies"), two.sim.records("companies"));
    assert_eq!(one.sim.portal_id(), two.sim.portal_id());
}
