//! Webhooks: which events a change makes, how they are signed, and that they come again.

use serde_json::{Value, json};
use tandem::sim::PushRequest;
use tandem::sim::hubspot::{HubSpotOptions, Subscription, WebhookSettings, sign_v1, sign_v3};

use super::{CONTACTS, Portal};

const TARGET: &str = "https://tandem.test/hooks?src=a%3Ab";

fn told() -> Portal {
    let portal = Portal::new();
    let settings = WebhookSettings::to(TARGET);
    portal.sim.set_webhooks(Some(settings)).unwrap();
    portal
}

fn events(requests: &[PushRequest]) -> Vec<Value> {
    let bodies = requests.iter().map(|one| one.body.as_str());
    bodies
        .flat_map(|body| serde_json::from_str::<Vec<Value>>(body).unwrap())
        .collect()
}

/// Subscription types of the events, in order.
fn kinds(requests: &[PushRequest]) -> Vec<String> {
    let events = events(requests);
    let kinds = events.iter().map(|one| one["subscriptionType"].as_str());
    kinds.map(|kind| kind.unwrap().to_owned()).collect()
}

fn answer(portal: &Portal, requests: &[PushRequest], status: u16) {
    for request in requests {
        portal.sim.webhook_answered(request.delivery, Some(status));
    }
}

/// Takes what waits and says it arrived.
fn arrived(portal: &Portal) -> Vec<PushRequest> {
    let requests = portal.sim.take_webhooks();
    answer(portal, &requests, 204);
    requests
}

#[test]
fn signatures_are_those_of_the_platform() {
    let secret = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";
    let body =
        r#"[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"#
            .to_owned()
            + r#""subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"#
            + r#""changeSource":"CRM","changeFlag":"NEW","appId":54321}]"#;
    assert_eq!(
        sign_v1(secret, &body),
        "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"
    );
    let uri = "https://www.example.com/webhook_uri";
    let body = "{'example_field':'example_value'}";
    assert_eq!(
        sign_v3(secret, "POST", uri, body, 1_693_657_560_000),
        "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="
    );
    let (secret, uri) = (
        "sim-client-secret",
        "https://sync.example.test/hooks/hubspot",
    );
    let body = r#"[{"eventId":7,"objectId":42}]"#;
    assert_eq!(
        sign_v3(secret, "POST", uri, body, 1_790_000_001_000),
        "bEy9e4fRNwWdZZH18t1f+/3nNLMGPll0vIPt3hDjxfs="
    );
    let uri = format!("{uri}?src=a%3Ab%2Fc&n=x%20y");
    assert_eq!(
        sign_v3(secret, "POST", &uri, "[]", 1_790_000_001_000),
        "cVQBgzgY//NP1QBUOCybjpnN+hf40GxvbvKuOtQnW5U="
    );
}

#[tokio::test]
async fn a_change_is_told_with_who_made_it_and_signed_with_the_secret_of_the_app() {
    let portal = told();
    let id = portal.contact("ann@example.com");
    let made = arrived(&portal);
    assert_eq!(kinds(&made), ["contact.creation"]);
    let event = &events(&made)[0];
    assert_eq!(event["portalId"], json!(portal.sim.portal_id()));
    assert_eq!(event["objectId"].to_string(), id);
    assert_eq!(event["attemptNumber"], 0);
    assert_eq!(event["changeSource"], "CRM_UI");
    let (secret, sent) = (HubSpotOptions::default().client_secret, &made[0]);
    let at: i64 = sent
        .header("X-HubSpot-Request-Timestamp")
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(at, portal.clock.now().millis());
    assert_eq!(
        sent.header("X-HubSpot-Signature-v3").unwrap(),
        sign_v3(&secret, "POST", TARGET, &sent.body, at)
    );
    assert_eq!(
        sent.header("X-HubSpot-Signature").unwrap(),
        sign_v1(&secret, &sent.body)
    );

    let sent = json!({"properties": {"city": "Ulm", "lifecyclestage": "customer",
        "firstname": "ann"}});
    portal
        .call("PATCH", &format!("{CONTACTS}/{id}"), sent)
        .await;
    let changed = events(&arrived(&portal));
    let told = |name: &str| changed.iter().find(|one| one["propertyName"] == name);
    assert_eq!(told("city").unwrap()["propertyValue"], "Ulm");
    assert_eq!(told("city").unwrap()["changeSource"], "INTEGRATION");
    assert_eq!(told("city").unwrap()["sourceId"], "2718281");
    assert!(told("hs_lifecyclestage_customer_date").is_some());
    assert!(
        told("firstname").is_none(),
        "a value that stayed is not told"
    );
}

#[tokio::test]
async fn lifecycle_and_links_of_records_are_told() {
    let portal = told();
    let (ann, bob) = (
        portal.contact("ann@example.com"),
        portal.contact("bob@example.com"),
    );
    let acme = portal.company("Acme");
    arrived(&portal);
    portal
        .sim
        .associate(("contacts", &ann), ("companies", &acme), 279)
        .unwrap();
    let linked = arrived(&portal);
    let linked = events(&linked);
    let primary = |one: &&Value| one["isPrimaryAssociation"] == true;
    assert_eq!(linked.len(), 4, "each way, plain and primary: {linked:?}");
    assert_eq!(linked.iter().filter(primary).count(), 2);
    let to_company = |one: &&Value| one["associationType"] == "CONTACT_TO_COMPANY";
    let there = linked.iter().find(to_company).unwrap();
    assert_eq!(there["subscriptionType"], "contact.associationChange");
    assert_eq!(there["fromObjectId"].to_string(), ann);
    assert_eq!(there["associationRemoved"], false);
    portal
        .sim
        .dissociate(("contacts", &ann), ("companies", &acme))
        .unwrap();
    let ended = events(&arrived(&portal));
    assert_eq!(ended.len(), 4);
    assert!(ended.iter().all(|one| one["associationRemoved"] == true));

    portal.sim.archive("companies", &acme).unwrap();
    portal.sim.restore("companies", &acme).unwrap();
    let moved = arrived(&portal);
    assert_eq!(kinds(&moved), ["company.deletion", "company.restore"]);
    let new = portal.sim.merge("contacts", &ann, &bob).unwrap();
    let merged = arrived(&portal);
    assert_eq!(kinds(&merged), ["contact.merge", "contact.deletion"]);
    let merged = events(&merged);
    assert_eq!(merged[0]["newObjectId"].to_string(), new);
    assert_eq!(merged[0]["mergedObjectIds"][0].to_string(), bob);
    assert_eq!(merged[1]["objectId"].to_string(), bob);
}

#[tokio::test]
async fn a_batch_holds_a_hundred_and_comes_again_until_it_is_answered() {
    let portal = told();
    for n in 0..150 {
        portal.contact(&format!("p{n}@example.com"));
    }
    let first = portal.sim.take_webhooks();
    assert_eq!(first.len(), 2);
    assert_eq!(events(&first[..1]).len(), 100);
    assert!(
        portal.sim.take_webhooks().is_empty(),
        "what is on its way is not sent twice"
    );
    answer(&portal, &first[1..], 200);
    let mut failed = first[0].clone();
    for attempt in 1..=10 {
        let status = if attempt % 2 == 0 { None } else { Some(503) };
        portal.sim.webhook_answered(failed.delivery, status);
        let gap = 1_000 << (attempt - 1);
        portal.clock.advance_millis(gap - 1);
        assert!(
            portal.sim.take_webhooks().is_empty(),
            "attempt {attempt} is early"
        );
        portal.clock.advance_millis(1);
        let again = portal.sim.take_webhooks();
        let (before, now) = (events(&first[..1]), events(&again));
        assert_eq!(now.len(), 100);
        assert_eq!(now[0]["attemptNumber"], attempt);
        assert_eq!(now[0]["eventId"], before[0]["eventId"]);
        let stamp = "x-hubspot-request-timestamp";
        assert_ne!(
            again[0].header(stamp),
            failed.header(stamp),
            "each try is signed anew"
        );
        failed = again[0].clone();
    }
    portal.sim.webhook_answered(failed.delivery, Some(500));
    portal.clock.advance_millis(86_400_000);
    assert!(
        portal.sim.take_webhooks().is_empty(),
        "ten retries and no more"
    );
    let counts = portal.get("/_sim/webhooks").await.body;
    assert_eq!(
        (&counts["delivered"], &counts["lost"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn subscriptions_are_kept_to_and_the_general_form_covers_custom_objects() {
    let portal = Portal::new();
    let subscription = |event: &str, property: Option<&str>, object: Option<&str>| Subscription {
        event_type: event.to_owned(),
        property_name: property.map(str::to_owned),
        object_type: object.map(str::to_owned),
    };
    let settings = WebhookSettings {
        subscriptions: vec![
            subscription("contact.propertyChange", Some("city"), None),
            subscription("object.creation", None, Some("p_subscriptions")),
            subscription("object.propertyChange", Some("email"), Some("contact")),
        ],
        creation_tells_values: true,
        ..WebhookSettings::to(TARGET)
    };
    portal.sim.set_webhooks(Some(settings)).unwrap();
    let id = portal.contact("ann@example.com");
    let edit = [("city", "Ulm"), ("phone", "1")];
    portal.sim.edit("contacts", &id, &edit).unwrap();
    portal
        .sim
        .create("subscriptions", &[("subscription_name", "Team")])
        .unwrap();
    let sent = arrived(&portal);
    assert_eq!(
        kinds(&sent),
        [
            "object.propertyChange",
            "contact.propertyChange",
            "object.creation"
        ]
    );
    let sent = events(&sent);
    assert_eq!(
        (&sent[0]["propertyName"], &sent[0]["subscriptionId"]),
        (&json!("email"), &json!(3))
    );
    assert_eq!(sent[2]["objectTypeId"], "2-1234567");
    for wrong in [
        subscription("contact.propertyChange", None, None),
        subscription("planet.creation", None, None),
        subscription("contact.explosion", None, None),
    ] {
        let settings = WebhookSettings {
            subscriptions: vec![wrong],
            ..WebhookSettings::to(TARGET)
        };
        portal.sim.set_webhooks(Some(settings)).unwrap_err();
    }
    portal
        .sim
        .set_webhooks(Some(WebhookSettings::to("nowhere")))
        .unwrap_err();
    portal.sim.set_webhooks(None).unwrap();
    portal.contact("bob@example.com");
    assert!(portal.sim.take_webhooks().is_empty());
}

#[tokio::test]
async fn test_control_sets_webhooks_and_lets_them_go_wrong() {
    let portal = Portal::new();
    let settings = json!({"target_url": TARGET, "secret": "other", "duplicates": true,
        "other_portal": true, "stale_ms": 600_000});
    let on = portal.post("/_sim/webhooks", settings).await;
    assert_eq!((on.status, &on.body["target_url"]), (200, &json!(TARGET)));
    portal.contact("ann@example.com");
    let sent = arrived(&portal);
    assert_eq!(sent.len(), 2, "every batch comes twice");
    assert_eq!(sent[0].body, sent[1].body);
    let first = events(&sent[..1]);
    assert_eq!(first[1]["portalId"], json!(portal.sim.portal_id() + 1));
    let at: i64 = sent[0]
        .header("x-hubspot-request-timestamp")
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(at, portal.clock.now().millis() - 600_000);
    let signed = sign_v3("other", "POST", TARGET, &sent[0].body, at);
    assert_eq!(sent[0].header("x-hubspot-signature-v3").unwrap(), signed);

    let wrong = json!({"target_url": TARGET, "bad_signature": true, "disorder": true});
    portal.post("/_sim/webhooks", wrong).await;
    for n in 0..60 {
        portal.contact(&format!("p{n}@example.com"));
    }
    let sent = arrived(&portal);
    let ids: Vec<i64> = events(&sent)
        .iter()
        .map(|one| one["eventId"].as_i64().unwrap())
        .collect();
    assert!(!ids.is_sorted(), "{ids:?}");
    let at: i64 = sent[0]
        .header("x-hubspot-request-timestamp")
        .unwrap()
        .parse()
        .unwrap();
    let secret = HubSpotOptions::default().client_secret;
    let good = sign_v3(&secret, "POST", TARGET, &sent[0].body, at);
    assert_ne!(sent[0].header("x-hubspot-signature-v3").unwrap(), good);
    portal.post("/_sim/webhooks", json!({})).await;
    portal.contact("zoe@example.com");
    assert!(portal.sim.take_webhooks().is_empty());
}
