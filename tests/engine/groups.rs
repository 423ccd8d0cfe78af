//! Leads and contacts: one HubSpot person is never both.

use crate::world::{SHIPPED, Setup, World};

#[tokio::test]
async fn a_new_person_becomes_a_lead_or_a_contact_by_stage_and_never_both() {
    let mut world = World::with(&SHIPPED).await;
    world.settle().await;
    let early = [
        ("email", "e@example.com"),
        ("lastname", "E"),
        ("lifecyclestage", "lead"),
    ];
    let late = [
        ("email", "l@example.com"),
        ("lastname", "L"),
        ("lifecyclestage", "customer"),
    ];
    let early = world.add_hubspot("contacts", &early);
    let late = world.add_hubspot("contacts", &late);
    world.settle().await;
    let (leads, contacts) = (
        world.salesforce_ids("Lead"),
        world.salesforce_ids("Contact"),
    );
    assert_eq!((leads.len(), contacts.len()), (1, 1));
    let mut pairs = world.pairs().await;
    pairs.sort();
    let mut wanted = [(early, leads[0].clone()), (late, contacts[0].clone())];
    wanted.sort();
    assert_eq!(pairs, wanted);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_lead_that_becomes_a_customer_stays_linked_once() {
    let mut world = World::with(&SHIPPED).await;
    world.settle().await;
    let early = [
        ("email", "e@example.com"),
        ("lastname", "E"),
        ("lifecyclestage", "lead"),
    ];
    let person = world.add_hubspot("contacts", &early);
    world.settle().await;
    world.edit_hubspot("contacts", &person, &[("lifecyclestage", "customer")]);
    world.settle().await;
    assert_eq!(world.salesforce_ids("Lead").len(), 1);
    assert!(
        world.salesforce_ids("Contact").is_empty(),
        "one person is not both"
    );
    let lead = &world.salesforce_ids("Lead")[0];
    assert_eq!(world.sf("Lead", lead, "HubSpot_Lifecycle__c"), "customer");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_person_who_is_lead_and_contact_in_salesforce_is_linked_to_one_of_them() {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    let properties = [
        ("email", "b@example.com"),
        ("lastname", "B"),
        ("company", "Acme"),
    ];
    world.add_hubspot("contacts", &properties);
    world.add_salesforce("Contact", &[("Email", "b@example.com"), ("LastName", "B")]);
    let lead = [
        ("Email", "b@example.com"),
        ("LastName", "B"),
        ("Company", "Acme"),
    ];
    world.add_salesforce("Lead", &lead);
    world.open().await;
    world.settle().await;
    assert_eq!(
        world.pairs().await.len(),
        1,
        "never two open links for one person"
    );
    assert_eq!(world.hubspot_ids("contacts").len(), 1);
    assert_eq!(world.salesforce_ids("Contact").len(), 1);
    assert_eq!(world.salesforce_ids("Lead").len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_lead_typed_for_a_person_who_is_a_linked_contact_makes_no_second_person() {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    world.add_hubspot("contacts", &[("email", "b@example.com"), ("lastname", "B")]);
    world.add_salesforce("Contact", &[("Email", "b@example.com"), ("LastName", "B")]);
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 1);
    let lead = [
        ("Email", "b@example.com"),
        ("LastName", "B"),
        ("Company", "Acme"),
    ];
    world.add_salesforce("Lead", &lead);
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 1);
    assert_eq!(
        world.hubspot_ids("contacts").len(),
        1,
        "no second copy of the person"
    );
    assert!(!world.letters().await.is_empty(), "a person is told");
    world.assert_quiet().await;
}

#[tokio::test]
async fn the_copy_of_a_lead_whose_reply_was_lost_is_no_business_of_the_contacts() {
    let mut world = World::with(&SHIPPED).await;
    world.settle().await;
    let lead = [
        ("Email", "l@example.com"),
        ("LastName", "L"),
        ("Company", "Acme"),
    ];
    world.to_hubspot.lose_reply("POST", crate::CREATES);
    world.add_salesforce("Lead", &lead);
    // The poll shows the copy to the contacts before the leads have settled their create.
    world.settle().await;
    world.settle().await;
    assert_eq!(world.to_hubspot.waiting(), 0, "the reply was lost");
    assert_eq!(world.hubspot_ids("contacts").len(), 1);
    assert_eq!(world.pairs().await.len(), 1);
    let letters = world.letters().await;
    assert!(letters.is_empty(), "nobody need be told: {letters:?}");
}
