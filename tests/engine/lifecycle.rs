//! Merges, conversions and hidden records: the link waits for a person and nothing is written.

use serde_json::json;
use tandem::model::LinkState;

use crate::world::{SHIPPED, Setup, World};
use crate::{PEOPLE, linked};

async fn assert_suspended(world: &mut World, code: &str) {
    let before = world.api_writes();
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Suspended);
    assert_eq!(world.letter_codes().await, [code]);
    assert_eq!(
        world.api_writes(),
        before,
        "nothing is written over a {code} record"
    );
    world.assert_quiet().await;
    assert_eq!(world.letter_codes().await, [code], "told once");
}

#[tokio::test]
async fn a_salesforce_merge_suspends_the_link_of_the_loser() {
    let (mut world, _, salesforce) = linked(PEOPLE).await;
    world.salesforce.set_duplicate_rule("Contact", None);
    let master = world.add_salesforce("Contact", &[("LastName", "Lind")]);
    let only = "contacts";
    world.settle().await;
    let links = world.links().await.len();
    world
        .salesforce
        .merge("Contact", &master, &[&salesforce])
        .unwrap();
    let before = world.api_writes();
    world.settle().await;
    let suspended = world.links().await.into_iter();
    let suspended: Vec<_> = suspended
        .filter(|l| l.state == LinkState::Suspended)
        .collect();
    assert_eq!(suspended.len(), 1, "{only}");
    assert_eq!(
        suspended[0].records.salesforce.as_ref().unwrap().as_str(),
        salesforce
    );
    assert_eq!(world.links().await.len(), links, "no new link");
    assert!(world.letter_codes().await.contains(&"merged".to_owned()));
    assert_eq!(world.api_writes(), before);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_hubspot_merge_suspends_the_link_of_the_loser() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let other = world.add_hubspot("contacts", &[("lastname", "Lund")]);
    world.settle().await;
    let people = world.salesforce_ids("Contact").len();
    world.hubspot.merge("contacts", &other, &hubspot).unwrap();
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    let before = world.api_writes();
    world.settle().await;
    let links = world.links().await;
    let of_ada = links.iter().find(|link| {
        link.records
            .salesforce
            .as_ref()
            .is_some_and(|id| id.as_str() == salesforce)
    });
    assert_eq!(of_ada.unwrap().state, LinkState::Suspended, "{links:?}");
    assert!(world.letter_codes().await.contains(&"merged".to_owned()));
    assert_eq!(
        world.salesforce_ids("Contact").len(),
        people,
        "no copy of the survivor"
    );
    assert_eq!(
        world.api_writes(),
        before,
        "nothing is written over a merge"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_converted_lead_suspends_its_link_and_makes_no_second_person() {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    let properties = [
        ("email", "lea@example.com"),
        ("lastname", "Lea"),
        ("company", "Acme"),
    ];
    let hubspot = world.add_hubspot("contacts", &properties);
    world.open().await;
    world.settle().await;
    let leads = world.salesforce_ids("Lead");
    assert_eq!(leads.len(), 1);
    world
        .salesforce
        .convert_lead(&leads[0], None, None, false)
        .unwrap();
    world.settle().await;
    let links = world.links().await;
    let link = links
        .iter()
        .find(|link| link.mapping.as_str() == "leads")
        .unwrap();
    assert_eq!(link.state, LinkState::Suspended);
    assert_eq!(link.records.hubspot.as_ref().unwrap().as_str(), hubspot);
    assert!(world.letter_codes().await.contains(&"converted".to_owned()));
    assert_eq!(
        world.hubspot_ids("contacts").len(),
        1,
        "the Contact makes no second person"
    );
    assert_eq!(world.salesforce_ids("Contact").len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_record_that_is_hidden_from_us_suspends_and_goes_on_when_it_is_back() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    // Neither readable nor in the bin: purged from it, or no longer shared with us.
    let portal = world.hubspot.clone();
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.salesforce.purge("Contact", &salesforce).unwrap();
    portal
        .edit("contacts", &hubspot, &[("jobtitle", "CEO")])
        .unwrap();
    assert_suspended(&mut world, "not-visible").await;
    assert_eq!(world.hubspot_ids("contacts"), [hubspot]);
    assert!(
        world.salesforce_ids("Contact").is_empty(),
        "absence is not a delete"
    );
    assert_eq!(json!(world.links().await.len()), json!(1));
}
