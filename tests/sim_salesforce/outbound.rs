//! Outbound messages: what they hold, and that they come until they are acknowledged.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tandem::sim::PushRequest;
use tandem::sim::salesforce::OutboundSettings;

use crate::support::{Org, org, record};

const ENDPOINT: &str = "https://tandem.test/sf/secret-path";
const ACK: &str = "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\">\
    <soapenv:Body><notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\">\
    <Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>";

fn told() -> Org {
    let org = org();
    let settings = OutboundSettings::to(ENDPOINT);
    org.sim
        .set_outbound_messages(Some(settings))
        .expect("settings");
    org
}

fn arrived(org: &Org) -> Vec<PushRequest> {
    let messages = org.sim.take_outbound_messages();
    for message in &messages {
        org.sim
            .outbound_answered(message.delivery, Some((200, ACK)));
    }
    messages
}

/// Texts of all elements of that name.
fn all(message: &PushRequest, name: &str) -> Vec<String> {
    let open = format!("<{name}>");
    let parts = message.body.split(&open).skip(1);
    parts
        .map(|part| part.split("</").next().expect("a text").to_owned())
        .collect()
}

#[tokio::test]
async fn a_message_holds_the_values_of_the_moment_it_is_sent() {
    let org = told();
    let id = org.contact(json!({ "LastName": "Roe & <Co>", "Email": "r@example.com" }));
    org.sim
        .edit("Contact", &id, &[("Title", json!("CTO"))])
        .expect("an edit");
    let messages = arrived(&org);
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!(message.url, ENDPOINT);
    assert_eq!(
        message.header("Content-Type"),
        Some("text/xml; charset=utf-8")
    );
    assert_eq!(all(message, "OrganizationId"), [org.sim.organization_id()]);
    assert!(all(message, "ActionId")[0].starts_with("04k"));
    assert_eq!(all(message, "sf:Id"), [id.clone(), id.clone()]);
    assert_eq!(
        all(message, "sf:Title"),
        ["CTO", "CTO"],
        "the values of now, not of then"
    );
    assert_eq!(all(message, "sf:LastName")[0], "Roe &amp; &lt;Co&gt;");
    assert_eq!(
        all(message, "sf:CreatedDate")[0],
        "2026-11-23T10:00:00.000Z"
    );
    assert!(
        all(message, "sf:Phone").is_empty(),
        "what is null is left out"
    );
    let order = [
        "<OrganizationId>",
        "<ActionId>",
        "<SessionId",
        "<EnterpriseUrl>",
        "<PartnerUrl>",
    ];
    let places = order.map(|name| message.body.find(name).expect(name));
    assert!(places.is_sorted());

    org.sim.delete("Contact", &id).expect("a deletion");
    assert!(arrived(&org).is_empty(), "deletions are not told");
    let gone = org.contact(json!({ "LastName": "Short" }));
    org.sim.delete("Contact", &gone).expect("a deletion");
    assert!(arrived(&org).is_empty());
}

#[tokio::test]
async fn one_message_is_of_one_object_and_at_most_a_hundred() {
    let org = told();
    for n in 0..120 {
        org.contact(json!({ "LastName": format!("Roe {n}") }));
    }
    org.create("Account", json!({ "Name": "Acme" }))
        .expect("an account");
    let messages = arrived(&org);
    let sizes: Vec<usize> = messages.iter().map(|one| all(one, "sf:Id").len()).collect();
    assert_eq!(sizes, [100, 20, 1]);
    assert_eq!(all(&messages[2], "sf:Name"), ["Acme"]);
}

#[tokio::test]
async fn a_message_comes_again_later_and_later_until_it_is_acknowledged() {
    let org = told();
    org.contact(json!({ "LastName": "Roe" }));
    let mut message = org.sim.take_outbound_messages().remove(0);
    let first = all(&message, "Id");
    for (answer, gap) in [
        (None, 30_000),
        (Some((500, ACK)), 60_000),
        (Some((200, "<Ack>false</Ack>")), 120_000),
        (Some((200, "")), 240_000),
    ] {
        org.sim.outbound_answered(message.delivery, answer);
        org.clock.advance_millis(gap - 1);
        assert!(org.sim.take_outbound_messages().is_empty());
        org.clock.advance_millis(1);
        message = org.sim.take_outbound_messages().remove(0);
        assert_eq!(all(&message, "Id"), first);
    }
    let other = "<n:notificationsResponse xmlns:n=\"x\"><n:Ack> true </n:Ack>";
    org.sim
        .outbound_answered(message.delivery, Some((200, other)));
    org.clock.advance_millis(86_400_000);
    assert!(org.sim.take_outbound_messages().is_empty());

    org.contact(json!({ "LastName": "Doe" }));
    let unheard = org.sim.take_outbound_messages().remove(0);
    org.sim.outbound_answered(unheard.delivery, None);
    org.clock.advance_millis(86_400_000);
    assert!(
        org.sim.take_outbound_messages().is_empty(),
        "after a day it is dropped"
    );
    let counts = org.call("GET", "/_sim/outbound", Value::Null).await.body;
    assert_eq!(
        (&counts["delivered"], &counts["lost"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn what_is_undone_or_hidden_by_the_profile_is_not_told() {
    let org = told();
    let body = json!({ "allOrNone": true, "records": [
        record("Contact", json!({ "LastName": "Kept?" })),
        record("Contact", json!({ "FirstName": "no last name" })),
    ] });
    org.call("POST", "/composite/sobjects", body).await;
    assert!(arrived(&org).is_empty(), "a batch that was rolled back");
    let late = org
        .sim
        .begin_late_create("Contact", &[("LastName", json!("Late"))])
        .expect("begun");
    assert!(arrived(&org).is_empty());
    org.sim.commit(late).expect("committed");
    assert_eq!(arrived(&org).len(), 1);

    let settings = json!({ "endpoint": ENDPOINT, "objects": { "Lead": ["Email"] },
        "skip_integration_user": true, "duplicates": true });
    let on = org.call("POST", "/_sim/outbound", settings).await;
    assert_eq!((on.status, &on.body["endpoint"]), (200, &json!(ENDPOINT)));
    let lead = json!({ "LastName": "Roe", "Company": "Acme", "Email": "r@example.com" });
    org.call("POST", "/sobjects/Lead", lead.clone()).await;
    org.contact(json!({ "LastName": "Roe" }));
    assert!(arrived(&org).is_empty());
    org.create("Lead", lead).expect("a lead");
    let messages = arrived(&org);
    assert_eq!(messages.len(), 2, "every message comes twice");
    assert_eq!(all(&messages[0], "Id"), all(&messages[1], "Id"));
    assert_eq!(all(&messages[0], "sf:Email"), ["r@example.com"]);
    assert!(
        all(&messages[0], "sf:Company").is_empty(),
        "only the fields that were chosen"
    );
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let org = org();
    let with = |object: &str, field: &str| OutboundSettings {
        objects: BTreeMap::from([(object.to_owned(), vec![field.to_owned()])]),
        ..OutboundSettings::to(ENDPOINT)
    };
    for settings in [
        OutboundSettings::to("nowhere"),
        with("Planet", "Name"),
        with("Contact", "Mass"),
    ] {
        org.sim
            .set_outbound_messages(Some(settings))
            .expect_err("refused");
    }
}
