//! Webhooks in: what is genuine is stored and worked, all else is refused cheaply.

use std::sync::atomic::Ordering;

use aws_lc_rs::hmac;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tandem::app::MappingFiles;
use tandem::model::{MappingName, RecordId, Side, Timestamp, WorkspaceId};
use tandem::store::Announced;

use crate::house::{Answer, House, PUBLIC, file};

const PATH: &str = "/webhooks/hubspot";

fn signature(secret: &str, body: &str, at: Timestamp) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let source = format!("POST{PUBLIC}{PATH}{body}{}", at.millis());
    STANDARD.encode(hmac::sign(&key, source.as_bytes()))
}

async fn post(house: &House, body: &str, signature: &str, at: Timestamp) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri(PATH)
        .header("x-hubspot-signature-v3", signature)
        .header("x-hubspot-request-timestamp", at.millis().to_string())
        .body(Body::from(body.to_owned()))
        .unwrap();
    house.send(request).await
}

pub async fn announce(house: &House, events: Value) -> Answer {
    let (body, at) = (events.to_string(), house.clock.now());
    let signed = signature(&house.hubspot_options.client_secret, &body, at);
    post(house, &body, &signed, at).await
}

pub fn changed(house: &House, id: &str) -> Value {
    let id: u64 = id.parse().unwrap();
    json!({"eventId": 1, "portalId": house.hubspot.portal_id(), "objectId": id,
        "subscriptionType": "contact.propertyChange", "propertyName": "email"})
}

/// A mapping of the simulated portal's custom object, which goes by this name.
fn subscriptions(name: &str) -> MappingFiles {
    let text = format!(
        "mapping: subscriptions\nhubspot: {name}\nsalesforce: Subscription__c\n\
         direction: to-salesforce\nmatch: [subscription_name: Name]\n\
         create: {{ salesforce: always }}\ncreate-without-key: accept\nrules:\n  \
         subscription_name: Name\n  seats: Seats__c\n"
    );
    MappingFiles::shared(vec![file(&text)])
}

/// Of the generic form, as it comes for custom objects.
fn seated(house: &House, id: &str) -> Value {
    let id: u64 = id.parse().unwrap();
    json!([{"eventId": 1, "portalId": house.hubspot.portal_id(), "objectId": id,
        "objectTypeId": "2-1234567", "subscriptionType": "object.propertyChange",
        "propertyName": "seats"}])
}

/// Records that are marked once all that was announced is folded.
async fn marks(house: &House, ws: &str) -> usize {
    house.service.fold_all().await.unwrap();
    marked(house, ws).await
}

async fn marked(house: &House, ws: &str) -> usize {
    let queue = house
        .store
        .queue(&WorkspaceId::new(ws), "sync", 10_000)
        .await
        .unwrap();
    queue
        .iter()
        .filter(|work| work.task.kind() == "record")
        .count()
}

#[tokio::test]
async fn an_announced_change_is_on_the_other_side_before_the_next_poll() {
    let house = House::new().await;
    house.live("acme/production").await;
    let id = house.person("a@example.com", "A");
    house.pass(180_000).await;
    // Right after a poll, so that the next one is a minute away.
    house
        .hubspot
        .edit("contacts", &id, &[("lastname", "Lovelace")])
        .unwrap();
    let answer = announce(&house, json!([changed(&house, &id)])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    house.pass(2_000).await;
    let copied = house.salesforce.records("Contact");
    assert_eq!(copied[0].fields["LastName"].as_str(), Some("Lovelace"));
}

#[tokio::test]
async fn events_of_one_body_reach_every_workspace_of_their_portal_and_no_other() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.connected("other/production").await;
    house.pass(120_000).await;
    let mut events = vec![json!({"portalId": 999, "objectId": 5,
        "subscriptionType": "contact.creation"})];
    events.extend((1..=99).map(|id| changed(&house, &id.to_string())));
    let answer = announce(&house, Value::Array(events)).await;
    assert_eq!(
        answer.status, 200,
        "an unknown portal is no reason to send it again"
    );
    assert_eq!(marks(&house, "acme/production").await, 99);
    assert_eq!(marks(&house, "other/production").await, 99);
    assert_eq!(house.api.counts.unknown.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_was_answered_outlives_the_process_that_had_not_marked_it() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.pass(120_000).await;
    let answer = announce(&house, json!([changed(&house, "7")])).await;
    assert_eq!(answer.status, 200);
    assert_eq!(marked(&house, "acme/production").await, 0, "it waits");
    let next = house.successor().await;
    next.fold_all().await.unwrap();
    assert_eq!(marked(&house, "acme/production").await, 1);
}

#[tokio::test]
async fn what_waits_for_its_mark_is_part_of_the_backlog() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.pass(120_000).await;
    announce(&house, json!([changed(&house, "7")])).await;
    house.clock.advance_millis(5_000);
    let path = "/v1/workspaces/acme/production/status";
    let status = house.operate(Method::GET, path, None).await;
    assert_eq!(status["backlog_millis"], 5_000);
    let figures = async || house.call(Method::GET, "/metrics", None, None).await.text;
    let text = figures().await;
    let age = "tandem_backlog_age_seconds{workspace=\"acme/production\"} 5.000\n";
    assert!(text.contains(age), "{text}");
    assert!(text.contains("\ntandem_inbox_records 1\n"), "{text}");
    house.pass(1_000).await;
    let text = figures().await;
    assert!(text.contains("\ntandem_inbox_records 0\n"), "{text}");
}

#[tokio::test]
async fn requests_are_put_off_while_too_much_waits() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.pass(120_000).await;
    let ws = WorkspaceId::new("acme/production");
    let feed = (MappingName::new("contacts"), Side::HubSpot);
    let records = (0..20_000).map(|id| RecordId::new(id.to_string()));
    let flood = Announced::from([(feed, records.collect())]);
    for _ in 0..50 {
        house.service.announced(&ws, &flood);
    }
    let answer = announce(&house, json!([changed(&house, "7")])).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "unavailable")
    );
    assert_eq!(house.api.counts.deferred.load(Ordering::Relaxed), 1);
    assert_eq!(marks(&house, "acme/production").await, 0);
    let answer = announce(&house, json!([changed(&house, "7")])).await;
    assert_eq!(answer.status, 200, "there is room again");
    assert_eq!(marks(&house, "acme/production").await, 1);
}

#[tokio::test]
async fn duplicates_and_replays_are_one_mark() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.pass(120_000).await;
    for _ in 0..5 {
        let one = changed(&house, "7");
        announce(&house, json!([one, one, one])).await;
    }
    assert_eq!(marks(&house, "acme/production").await, 1);
}

#[tokio::test]
async fn what_is_forged_stale_cut_or_no_list_leaves_nothing_behind() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.pass(120_000).await;
    let secret = house.hubspot_options.client_secret.clone();
    let now = house.clock.now();
    let body = json!([changed(&house, "7")]).to_string();
    let good = signature(&secret, &body, now);
    let old = now.plus_millis(-300_001);
    let refused = [
        post(&house, &body, "", now).await,
        post(&house, &body, &signature("other", &body, now), now).await,
        post(&house, &format!("{body} "), &good, now).await,
        post(&house, &body, &signature(&secret, &body, old), old).await,
        post(&house, &body, &good, now.plus_millis(1)).await,
    ];
    for answer in refused {
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "unauthenticated")
        );
    }
    for odd in ["{}", "[1", "", "null", "\"x\""] {
        let answer = post(&house, odd, &signature(&secret, odd, now), now).await;
        assert_eq!(answer.status, 400, "{odd}: {}", answer.text);
    }
    let large = format!("[{}]", " ".repeat(2 * 1024 * 1024));
    let answer = post(&house, &large, &signature(&secret, &large, now), now).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too-large"));
    assert_eq!(marks(&house, "acme/production").await, 0);
    assert_eq!(house.api.counts.refused.load(Ordering::Relaxed), 11);
}

/// An event has its type id; mappings may call it by a name that only the account knows.
#[tokio::test]
async fn a_custom_object_is_announced_by_its_type_id_whatever_the_mapping_calls_it() {
    for name in ["2-1234567", "p_subscriptions", "subscriptions"] {
        let house = House::new().await;
        house.service.set_mappings(subscriptions(name));
        house.live("acme/production").await;
        let fields = [("subscription_name", "Team plan"), ("seats", "5")];
        let id = house.hubspot.create("subscriptions", &fields).unwrap();
        house.pass(180_000).await;
        let seats = || {
            let records = house.salesforce.records("Subscription__c");
            assert_eq!(records.len(), 1, "{name}");
            records[0].fields["Seats__c"].as_f64()
        };
        assert_eq!(seats(), Some(5.0), "{name}");
        let more = [("seats", "8")];
        house.hubspot.edit("subscriptions", &id, &more).unwrap();
        let calls = house.hubspot.counters().calls;
        let answer = announce(&house, seated(&house, &id)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(
            house.hubspot.counters().calls,
            calls,
            "nobody is asked for it"
        );
        house.pass(2_000).await;
        assert_eq!(seats(), Some(8.0), "{name}");
        assert_eq!(house.api.counts.unknown.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn a_custom_object_that_nobody_has_met_yet_is_answered_and_counted() {
    let house = House::new().await;
    house.service.set_mappings(subscriptions("p_subscriptions"));
    house.live("acme/production").await;
    let answer = announce(&house, seated(&house, "7")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(house.api.counts.unknown.load(Ordering::Relaxed), 1);
    assert_eq!(marks(&house, "acme/production").await, 0);
}

/// A message as Salesforce sends it, for records of one object.
fn message(organization: &str, object: &str, ids: &[&str]) -> String {
    let rows: String = ids
        .iter()
        .map(|id| {
            format!(
                "<Notification><Id>04lxx0000000001AAA</Id><sObject xsi:type=\"sf:{object}\" \
                 xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\"><sf:Id>{id}</sf:Id></sObject>\
                 </Notification>"
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><notifications \
         xmlns=\"http://soap.sforce.com/2005/09/outbound\"><OrganizationId>{organization}\
         </OrganizationId>{rows}</notifications></soapenv:Body></soapenv:Envelope>"
    )
}

async fn address(house: &House, ws: &str) -> String {
    let path = format!("/v1/workspaces/{ws}/connections");
    let shown = house.operate(Method::GET, &path, None).await;
    let url = shown["outbound_messages_url"].as_str().unwrap();
    url.strip_prefix(PUBLIC).unwrap().to_owned()
}

async fn send(house: &House, path: &str, body: String) -> Answer {
    let request = Request::builder().method(Method::POST).uri(path);
    house.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn an_outbound_message_is_acknowledged_once_it_is_stored() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.pass(120_000).await;
    let path = address(&house, "acme/production").await;
    let organization = house.salesforce.organization_id();
    let body = message(
        &organization,
        "Contact",
        &["003000000000001AAA", "003000000000002AAA"],
    );
    let answer = send(&house, &path, body).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("<Ack>true</Ack>"), "{}", answer.text);
    assert_eq!(marks(&house, "acme/production").await, 2);
}

#[tokio::test]
async fn a_message_of_another_organisation_or_address_is_refused() {
    let house = House::new().await;
    house.live("acme/production").await;
    house.pass(120_000).await;
    let path = address(&house, "acme/production").await;
    let foreign = message("00Dxx0000000001EAA", "Contact", &["003000000000001AAA"]);
    assert_eq!(send(&house, &path, foreign).await.code(), "other-account");
    let own = message(
        &house.salesforce.organization_id(),
        "Contact",
        &["003000000000001AAA"],
    );
    let guessed = format!("{}x", &path[..path.len() - 1]);
    assert_eq!(send(&house, &guessed, own).await.status, 404);
    assert_eq!(
        send(&house, &path, "<!DOCTYPE a><a/>".to_owned())
            .await
            .status,
        400
    );
    assert_eq!(marks(&house, "acme/production").await, 0);
}
