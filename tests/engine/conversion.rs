//! A Lead became a Contact: the person goes on as one pair, and nobody is made twice.

use std::slice::from_ref;

use serde_json::Value;
use tandem::model::{LinkState, Side};

use crate::world::{SHIPPED, Setup, World};

const LEADS: &str = include_str!("../../mappings/leads.yaml");

/// Lea, a HubSpot contact with a Lead: both ids.
pub async fn lea() -> (World, String, String) {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    let properties = [
        ("email", "lea@example.com"),
        ("firstname", "Lea"),
        ("lastname", "Lang"),
        ("jobtitle", "CTO"),
        ("company", "Acme"),
        ("lifecyclestage", "lead"),
    ];
    let hubspot = world.add_hubspot("contacts", &properties);
    world.open().await;
    world.settle().await;
    let leads = world.salesforce_ids("Lead");
    assert_eq!(leads.len(), 1);
    assert!(world.salesforce_ids("Contact").is_empty());
    (world, hubspot, leads[0].clone())
}

async fn states(world: &World, mapping: &str) -> Vec<LinkState> {
    let links = world.links().await.into_iter();
    let of = links.filter(|link| link.mapping.as_str() == mapping);
    of.map(|link| link.state).collect()
}

#[tokio::test]
async fn a_converted_leads_person_goes_on_with_the_contact_both_ways() {
    let (mut world, hubspot, lead) = lea().await;
    let became = world
        .salesforce
        .convert_lead(&lead, None, None, false)
        .unwrap();
    world.settle().await;
    assert_eq!(states(&world, "leads").await, [LinkState::Unlinked]);
    assert_eq!(states(&world, "contacts").await, [LinkState::Linked]);
    let pair = (hubspot.clone(), became.contact.clone());
    assert!(
        world.pairs().await.contains(&pair),
        "{:?}",
        world.pairs().await
    );
    assert_eq!(world.hubspot_ids("contacts"), from_ref(&hubspot));
    assert_eq!(world.salesforce_ids("Contact"), from_ref(&became.contact));
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letters().await
    );
    assert!(
        world.conflicts().await.is_empty(),
        "{:?}",
        world.conflicts().await
    );
    assert_eq!(
        world.sf("Contact", &became.contact, "HubSpot_Lifecycle__c"),
        "lead",
        "what the conversion did not take along is filled"
    );
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &became.contact, &[("FirstName", "Leah")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &became.contact, "Title"), "CEO");
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Leah");
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_made_before_the_conversion_was_seen_travels_to_the_contact() {
    let (mut world, hubspot, lead) = lea().await;
    let became = world
        .salesforce
        .convert_lead(&lead, None, None, false)
        .unwrap();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &became.contact, &[("FirstName", "Leah")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &became.contact, "Title"), "CEO");
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Leah");
    assert!(
        world.conflicts().await.is_empty(),
        "the base was carried over"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_the_contact_holds_differently_is_salesforces_change() {
    let (mut world, hubspot, lead) = lea().await;
    let fields = [
        ("LastName", Value::from("Langley")),
        ("Title", Value::from("CTO")),
    ];
    let contact = world.salesforce.create("Contact", &fields).unwrap();
    world
        .salesforce
        .convert_lead(&lead, Some(&contact), None, false)
        .unwrap();
    world.settle().await;
    assert!(
        world
            .pairs()
            .await
            .contains(&(hubspot.clone(), contact.clone()))
    );
    assert_eq!(world.hs("contacts", &hubspot, "lastname"), "Langley");
    assert_eq!(
        world.hs("contacts", &hubspot, "email"),
        "lea@example.com",
        "not emptied"
    );
    assert_eq!(world.sf("Contact", &contact, "Email"), "lea@example.com");
    assert_eq!(world.hubspot_ids("contacts").len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_contact_that_is_looked_at_before_its_lead_makes_no_second_person() {
    let (mut world, hubspot, lead) = lea().await;
    let fields = [("LastName", Value::from("Langley"))];
    let contact = world.salesforce.create("Contact", &fields).unwrap();
    world
        .salesforce
        .convert_lead(&lead, Some(&contact), None, false)
        .unwrap();
    world.mark("contacts", Side::Salesforce, &contact).await;
    world.work().await;
    world.settle().await;
    assert_eq!(world.hubspot_ids("contacts"), from_ref(&hubspot));
    assert!(world.pairs().await.contains(&(hubspot, contact)));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_lead_converted_into_a_linked_contact_gives_way_to_its_pair() {
    let (mut world, hubspot, lead) = lea().await;
    let other = [
        ("email", "pia@example.com"),
        ("lastname", "Pia"),
        ("lifecyclestage", "customer"),
    ];
    let other = world.add_hubspot("contacts", &other);
    world.settle().await;
    let contact = world.salesforce_ids("Contact").remove(0);
    world
        .salesforce
        .convert_lead(&lead, Some(&contact), None, false)
        .unwrap();
    let before = world.api_writes();
    world.settle().await;
    assert_eq!(states(&world, "leads").await, [LinkState::Detached]);
    assert!(
        world
            .pairs()
            .await
            .contains(&(other.clone(), contact.clone()))
    );
    assert_eq!(world.letter_codes().await, ["converted"]);
    let message = &world.letters().await[0].message;
    for id in [&hubspot, &other, &contact, &lead] {
        assert!(
            message.contains(id.as_str()),
            "{id} is not named: {message}"
        );
    }
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 1);
    assert_eq!(world.hubspot_ids("contacts").len(), 2);
    world.assert_quiet().await;
    assert!(
        world.api_writes() - before <= 1,
        "only the new account is copied"
    );

    // The two HubSpot records are merged, as the letter says.
    let left = world.hubspot.merge("contacts", &other, &hubspot).unwrap();
    world.settle().await;
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letters().await
    );
    assert!(world.pairs().await.contains(&(left, contact)));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_conversions_account_and_opportunity_are_taken_up() {
    let (mut world, hubspot, lead) = lea().await;
    let became = world
        .salesforce
        .convert_lead(&lead, None, None, true)
        .unwrap();
    world.settle().await;
    let pairs = world.pairs().await;
    let copy_of = |id: &str| {
        pairs
            .iter()
            .find(|(_, sf)| sf == id)
            .map(|(hs, _)| hs.clone())
    };
    let company = copy_of(&became.account).expect("the account has a company");
    assert!(copy_of(became.opportunity.as_ref().unwrap()).is_some());
    let firms = world
        .hubspot
        .associations("contacts", &hubspot, "companies");
    assert_eq!(firms.first().map(|(id, _)| id.clone()), Some(company));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_lead_that_was_merged_and_then_converted_is_followed_through_both() {
    let (mut world, hubspot, lead) = lea().await;
    world.salesforce.set_duplicate_rule("Lead", None);
    let fields = [
        ("LastName", Value::from("Lang")),
        ("Company", Value::from("Acme")),
    ];
    let master = world.salesforce.create("Lead", &fields).unwrap();
    world.salesforce.merge("Lead", &master, &[&lead]).unwrap();
    let became = world
        .salesforce
        .convert_lead(&master, None, None, false)
        .unwrap();
    world.settle().await;
    assert!(
        world
            .pairs()
            .await
            .contains(&(hubspot.clone(), became.contact))
    );
    assert_eq!(world.hubspot_ids("contacts"), [hubspot]);
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letters().await
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_conversion_without_a_mapping_for_contacts_waits_for_a_person() {
    let mut world = World::new(Setup::with(&[LEADS])).await;
    let properties = [("email", "lea@example.com"), ("lastname", "Lea")];
    let hubspot = world.add_hubspot("contacts", &properties);
    world.open().await;
    world.settle().await;
    let lead = world.salesforce_ids("Lead").remove(0);
    world
        .salesforce
        .convert_lead(&lead, None, None, false)
        .unwrap();
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Suspended);
    assert_eq!(world.letter_codes().await, ["converted"]);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.assert_quiet().await;
    assert_eq!(world.letter_codes().await, ["converted"], "told once");
}

#[tokio::test]
async fn a_write_to_a_lead_that_is_converted_meanwhile_reaches_the_contact() {
    let (mut world, hubspot, lead) = lea().await;
    let org = world.salesforce.clone();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.to_salesforce.before("PATCH", crate::WRITES, move || {
        org.convert_lead(&lead, None, None, false).unwrap();
    });
    world.settle().await;
    let contact = world.salesforce_ids("Contact").remove(0);
    assert_eq!(world.sf("Contact", &contact, "Title"), "CEO");
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letters().await
    );
    world.assert_quiet().await;
}
