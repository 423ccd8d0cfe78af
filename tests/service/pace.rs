//! How often the CRMs are asked for changes: less while webhooks prove that they bring the news.

use serde_json::json;
use tandem::model::WorkspaceId;

use crate::house::House;
use crate::webhooks::{announce, changed};

const MINUTE: i64 = 60_000;

/// So many times HubSpot was asked which contacts have changed.
fn polls(house: &House) -> usize {
    let asked = house.hubspot.requests();
    let of_contacts = |path: &str| path.contains("/contacts/search");
    asked.iter().filter(|one| of_contacts(&one.path)).count()
}

/// The polls of so many minutes; in every fifth of them somebody edits the contact.
async fn polls_in(house: &House, id: &str, minutes: i64, announced: bool) -> usize {
    let before = polls(house);
    for minute in 0..minutes {
        if minute % 5 == 0 {
            let name = format!("Name {}", house.clock.now());
            let edited = house.hubspot.edit("contacts", id, &[("lastname", &name)]);
            edited.unwrap();
            if announced {
                announce(house, json!([changed(house, id)])).await;
            }
        }
        house.pass(MINUTE).await;
    }
    polls(house) - before
}

/// A workspace in which webhooks have been announcing every change for three quarters of an hour.
async fn flowing() -> (House, String) {
    let house = House::new().await;
    house.live("acme/production").await;
    let id = house.person("a@example.com", "A");
    house.pass(3 * MINUTE).await;
    polls_in(&house, &id, 45, true).await;
    (house, id)
}

fn in_step(house: &House, id: &str) -> bool {
    let ours = house.hubspot.record("contacts", id).unwrap();
    let theirs = house.salesforce.records("Contact");
    theirs[0].fields["LastName"].as_str() == ours.properties.get("lastname").map(String::as_str)
}

#[tokio::test]
async fn polls_are_a_safety_net_while_every_change_is_announced() {
    let house = House::new().await;
    house.live("acme/production").await;
    let id = house.person("a@example.com", "A");
    house.pass(3 * MINUTE).await;
    let usual = polls_in(&house, &id, 30, false).await;
    polls_in(&house, &id, 45, true).await;
    let slow = polls_in(&house, &id, 30, true).await;
    // Each look for changes goes with one at what was changed ten minutes before.
    assert!(usual >= 30 && slow <= 14, "{usual} and {slow}");
    assert!(in_step(&house, &id));
}

#[tokio::test]
async fn a_change_that_no_webhook_announced_is_found_and_ends_the_slow_pace() {
    let (house, id) = flowing().await;
    house
        .hubspot
        .edit("contacts", &id, &[("lastname", "Unheard")])
        .unwrap();
    house.pass(10 * MINUTE).await;
    assert!(in_step(&house, &id), "nothing is lost");
    let usual = polls_in(&house, &id, 20, true).await;
    assert!(
        usual >= 20,
        "{usual}: announcements alone prove nothing yet"
    );
}

#[tokio::test]
async fn a_quiet_object_is_polled_as_if_it_had_no_webhooks() {
    let (house, id) = flowing().await;
    house.pass(65 * MINUTE).await;
    let before = polls(&house);
    house.pass(10 * MINUTE).await;
    assert!(polls(&house) - before >= 10);
    assert!(in_step(&house, &id));
}

#[tokio::test]
async fn new_connections_and_new_processes_begin_at_the_usual_pace() {
    let (house, id) = flowing().await;
    house.service.reopen(&WorkspaceId::new("acme/production"));
    let usual = polls_in(&house, &id, 10, true).await;
    assert!(usual >= 10, "{usual}");
}
