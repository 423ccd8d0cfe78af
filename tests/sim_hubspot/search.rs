//! Search: operators, the lag of the index, the way past its cap.

use serde_json::{Value, json};
use tandem::sim::hubspot::HubSpotOptions;

use super::{CONTACTS, Portal, START, ids};

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

/// Filters over three contacts, and how many of them each finds.
fn operator_cases() -> Value {
    let from = (START + 1_000).to_string();
    json!([
        [{"propertyName": "city", "operator": "EQ", "value": "ulm"}, 1],
        [{"propertyName": "city", "operator": "NEQ", "value": "Ulm"}, 1],
        [{"propertyName": "loyalty_points", "operator": "GT", "value": "9.50"}, 1],
        [{"propertyName": "loyalty_points", "operator": "GTE", "value": "9.50"}, 2],
        [{"propertyName": "loyalty_points", "operator": "LT", "value": "10"}, 1],
        [{"propertyName": "loyalty_points", "operator": "LTE", "value": "10"}, 2],
        [{"propertyName": "loyalty_points", "operator": "BETWEEN", "value": "9",
            "highValue": "9.9"}, 1],
        [{"propertyName": "city", "operator": "IN", "values": ["ulm", "bonn"]}, 2],
        [{"propertyName": "city", "operator": "IN", "values": ["Ulm"]}, 0],
        [{"propertyName": "city", "operator": "NOT_IN", "values": ["ulm"]}, 1],
        [{"propertyName": "interests", "operator": "EQ", "value": "training"}, 1],
        [{"propertyName": "interests", "operator": "IN", "values": ["training"]}, 1],
        [{"propertyName": "city", "operator": "HAS_PROPERTY"}, 2],
        [{"propertyName": "city", "operator": "NOT_HAS_PROPERTY"}, 1],
        [{"propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "*.org"}, 1],
        [{"propertyName": "email", "operator": "NOT_CONTAINS_TOKEN", "value": "bob"}, 2],
        [{"propertyName": "lastmodifieddate", "operator": "BETWEEN", "value": from,
            "highValue": "2026-01-01T00:00:02Z"}, 2],
        [{"propertyName": "lastmodifieddate", "operator": "LT", "value": from}, 1],
        [{"propertyName": "lastmodifieddate", "operator": "NEQ", "value": from}, 2],
        [{"propertyName": "createdate", "operator": "GTE", "value": from}, 2],
        [{"propertyName": "hs_object_id", "operator": "GT", "value": "0"}, 3],
        [{"propertyName": "hs_object_id", "operator": "LT", "value": "0"}, 0]
    ])
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
    let path = format!("{CONTACTS}/search");
    for case in operator_cases().as_array().unwrap() {
        let (filter, expected) = (&case[0], &case[1]);
        let answer = portal.post(&path, json!({"filters": [filter]})).await;
        assert_eq!(&answer.body["total"], expected, "{filter}");
    }
}

#[tokio::test]
async fn a_search_out_of_bounds_is_refused() {
    let portal = Portal::new();
    portal.contact("cid@example.net");
    let path = format!("{CONTACTS}/search");
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
