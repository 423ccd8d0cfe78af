//! `guard: strict`: a write never replaces an edit that was not seen, for the price of more calls.

use tandem::model::{Raw, Side};

use crate::world::World;
use crate::{PEOPLE, UPDATES, linked};

fn strict(conflict: &str) -> String {
    let title = format!("jobtitle: {{ to: Title, conflict: {conflict} }}");
    let mapping = PEOPLE.replace("jobtitle: Title", &title);
    mapping.replace("create: both", "create: both\nguard: strict")
}

/// Somebody types VP in Salesforce right before our guarded update of her arrives.
fn type_first(world: &World, salesforce: &str) {
    let (org, id) = (world.salesforce.clone(), salesforce.to_owned());
    let clock = world.clock.clone();
    let path: &'static str = Box::leak(format!("/sobjects/Contact/{salesforce}").into());
    world.to_salesforce.before("PATCH", path, move || {
        clock.advance_millis(1_500);
        org.edit("Contact", &id, &[("Title", "VP".into())]).unwrap();
    });
}

#[tokio::test]
async fn an_edit_in_salesforce_that_was_not_seen_refuses_our_write_and_is_decided_by_rule() {
    for (winner, title) in [("salesforce", "VP"), ("hubspot", "CEO")] {
        let (mut world, hubspot, salesforce) = linked(&strict(winner)).await;
        world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
        type_first(&world, &salesforce);
        world.settle().await;
        assert_eq!(world.to_salesforce.waiting(), 0);
        assert_eq!(world.sf("Contact", &salesforce, "Title"), title);
        assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), title);
        let conflicts = world.conflicts().await;
        assert_eq!(conflicts.len(), 1, "the loser is kept: {conflicts:?}");
        assert!(world.letters().await.is_empty());
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn strict_writes_to_salesforce_go_through_when_nobody_was_faster() {
    let (mut world, hubspot, salesforce) = linked(&strict("salesforce")).await;
    for title in ["CEO", "Chair"] {
        world.edit_hubspot("contacts", &hubspot, &[("jobtitle", title)]);
        world.settle().await;
        assert_eq!(world.sf("Contact", &salesforce, "Title"), title);
    }
    assert_eq!(world.salesforce.counters().records_updated, 2);
    world.assert_quiet().await;
}

/// HubSpot knows no condition on a write; the edit is found in its history and comes back.
#[tokio::test]
async fn an_edit_in_hubspot_that_a_strict_write_replaced_is_found_without_other_evidence() {
    for (winner, title) in [("salesforce", "CEO"), ("hubspot", "VP")] {
        let (mut world, hubspot, salesforce) = linked(&strict(winner)).await;
        world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
        let (portal, id) = (world.hubspot.clone(), hubspot.clone());
        world.to_hubspot.before("POST", UPDATES, move || {
            portal.edit("contacts", &id, &[("jobtitle", "VP")]).unwrap();
        });
        world.settle().await;
        assert_eq!(world.sf("Contact", &salesforce, "Title"), title);
        assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), title);
        let conflicts = world.conflicts().await;
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        let loser = if winner == "salesforce" {
            (Side::HubSpot, "jobtitle", "VP")
        } else {
            (Side::Salesforce, "Title", "CEO")
        };
        assert_eq!(conflicts[0].winner, Some(loser.0.other()));
        assert_eq!(conflicts[0].loser.get(loser.1), Some(&Raw::text(loser.2)));
        world.assert_quiet().await;
    }
}
