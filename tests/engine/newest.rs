//! `newest` compares when people edited; what cannot be told goes to the side that the rule names.

use axum::body::Body;
use axum::http::Request;
use tandem::model::{Raw, Side};
use tower::ServiceExt;

use crate::crowd::{PEOPLE, linked};
use crate::world::{Setup, World};
use crate::{WRITES, add_ada};

fn newest(tie: &str) -> String {
    PEOPLE.replace(
        "jobtitle: Title",
        &format!("jobtitle: {{ to: Title, conflict: {{ newest: {tie} }} }}"),
    )
}

#[tokio::test]
async fn an_edit_in_hubspot_after_salesforces_last_change_wins() {
    let (mut world, pairs) = linked(&newest("salesforce"), 1).await;
    let (hubspot, salesforce) = &pairs[0];
    world.edit_salesforce("Contact", salesforce, &[("Title", "Chief")]);
    world.pass(60_000);
    world.edit_hubspot("contacts", hubspot, &[("jobtitle", "Countess")]);
    world.settle().await;
    assert_eq!(world.hs("contacts", hubspot, "jobtitle"), "Countess");
    assert_eq!(world.sf("Contact", salesforce, "Title"), "Countess");
}

/// Salesforce's stamp is of the whole record: a flow may have moved it long after the title.
#[tokio::test]
async fn an_edit_in_hubspot_since_salesforce_was_last_seen_is_a_tie() {
    for (tie, winner) in [("hubspot", "Countess"), ("salesforce", "Chief")] {
        let (mut world, pairs) = linked(&newest(tie), 1).await;
        let (hubspot, salesforce) = &pairs[0];
        world.edit_salesforce("Contact", salesforce, &[("Title", "Chief")]);
        world.pass(60_000);
        world.edit_hubspot("contacts", hubspot, &[("jobtitle", "Countess")]);
        world.pass(60_000);
        world.edit_salesforce("Contact", salesforce, &[("Department", "Sales")]);
        world.settle().await;
        assert_eq!(world.hs("contacts", hubspot, "jobtitle"), winner);
        assert_eq!(world.sf("Contact", salesforce, "Title"), winner);
    }
}

/// HubSpot's index is slow; a poll of Salesforce in between saw the record unmoved.
#[tokio::test]
async fn an_edit_in_salesforce_after_it_was_seen_unmoved_wins() {
    let mut setup = Setup::with(&[&newest("hubspot")]);
    setup.hubspot.search_lag_ms = 4 * 60_000;
    let mut world = World::new(setup).await;
    let (hubspot, salesforce) = add_ada(&world);
    world.open().await;
    world.pass(300_000);
    world.settle().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Countess")]);
    world.pass(90_000);
    world.look().await;
    assert_eq!(
        world.sf("Contact", &salesforce, "Title"),
        "CTO",
        "unseen yet"
    );
    world.pass(1_000);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "Chief")]);
    world.pass(240_000);
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "Chief");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "Chief");
}

/// Our write of another field moves LastModifiedDate, which then says nothing about the title.
#[tokio::test]
async fn our_own_stamp_in_salesforce_is_a_tie() {
    let (mut world, pairs) = linked(&newest("hubspot"), 1).await;
    let (hubspot, salesforce) = pairs[0].clone();
    world.edit_hubspot("contacts", &hubspot, &[("firstname", "Eve")]);
    let (portal, org, clock) = (
        world.hubspot.clone(),
        world.salesforce.clone(),
        world.clock.clone(),
    );
    let (theirs, ours) = (hubspot.clone(), salesforce.clone());
    world
        .to_salesforce
        .before("PATCH", "/composite/sobjects", move || {
            portal
                .edit("contacts", &theirs, &[("jobtitle", "Countess")])
                .unwrap();
            clock.advance_millis(10_000);
            org.edit("Contact", &ours, &[("Title", "Chief".into())])
                .unwrap();
        });
    world.settle().await;
    assert_eq!(world.to_salesforce.waiting(), 0);
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Eve");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "Countess");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "Countess");
}

/// A late write of ours that nobody expected any more, as a frozen process makes it.
#[tokio::test]
async fn a_value_that_our_own_app_left_in_hubspot_is_nobodys_later_edit() {
    let (mut world, pairs) = linked(&newest("salesforce"), 1).await;
    let (hubspot, salesforce) = pairs[0].clone();
    world.edit_salesforce("Contact", &salesforce, &[("Title", "Chief")]);
    world.pass(60_000);
    let body = r#"{"properties":{"jobtitle":"Stale"}}"#;
    let late = Request::patch(format!("/crm/objects/2026-03/contacts/{hubspot}"))
        .header("content-type", "application/json")
        .header(
            "authorization",
            format!("Bearer {}", world.setup.hubspot.token),
        )
        .body(Body::from(body))
        .unwrap();
    let reply = world.hubspot.router().oneshot(late).await.unwrap();
    assert!(reply.status().is_success());
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "Chief");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "Chief");
}

/// The two values met twice: HubSpot's was the newer one, its write was refused, and then a flow
/// touched the record in Salesforce.
#[tokio::test]
async fn a_value_that_won_and_was_refused_and_lost_the_second_time_is_kept_by_name() {
    let (mut world, pairs) = linked(&newest("salesforce"), 1).await;
    let (hubspot, salesforce) = &pairs[0];
    world.edit_salesforce("Contact", salesforce, &[("Title", "Chief")]);
    world.pass(60_000);
    world.edit_hubspot("contacts", hubspot, &[("jobtitle", "Countess")]);
    world.to_salesforce.answer("PATCH", WRITES, 503, "");
    world.until_turns_are_taken().await;
    let winners = |conflicts: Vec<tandem::store::ConflictRow>| -> Vec<Option<Side>> {
        conflicts.into_iter().map(|row| row.winner).collect()
    };
    assert_eq!(winners(world.conflicts().await), [Some(Side::HubSpot)]);
    world.pass(60_000);
    world.edit_salesforce("Contact", salesforce, &[("Department", "Sales")]);
    world.settle().await;
    assert_eq!(world.hs("contacts", hubspot, "jobtitle"), "Chief");
    let conflicts = world.conflicts().await;
    let loser = conflicts[0].loser.get("jobtitle").cloned();
    assert_eq!(winners(conflicts), [Some(Side::Salesforce)]);
    assert_eq!(loser, Some(Raw::text("Countess")));
}
