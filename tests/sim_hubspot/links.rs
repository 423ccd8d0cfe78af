//! Associations and their labels.

use serde_json::{Value, json};

use super::Portal;

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
