//! A record goes on one side: what happens to the other, and what never does.

use tandem::model::{LinkState, Side};

use crate::world::{Setup, World};
use crate::{PEOPLE, linked};

fn archiving() -> String {
    format!("{PEOPLE}\ndelete: {{ hubspot: archive, salesforce: archive }}\n")
}

#[tokio::test]
async fn a_salesforce_delete_unlinks_by_default_and_nothing_is_created_again() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    world.scan().await;
    assert!(
        world.salesforce_ids("Contact").is_empty(),
        "a tombstone is not re-created"
    );
    assert_eq!(world.hubspot_ids("contacts"), [hubspot]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_hubspot_delete_unlinks_by_default_and_nothing_is_created_again() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.hubspot.archive("contacts", &hubspot).unwrap();
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "Chair")]);
    world.settle().await;
    assert!(world.hubspot_ids("contacts").is_empty());
    assert_eq!(world.salesforce_ids("Contact"), [salesforce]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_salesforce_delete_archives_in_hubspot_where_the_mapping_says_so() {
    let (mut world, _, salesforce) = linked(&archiving()).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    assert!(world.hubspot_ids("contacts").is_empty());
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_hubspot_delete_archives_in_salesforce_where_the_mapping_says_so() {
    let (mut world, hubspot, _) = linked(&archiving()).await;
    world.hubspot.archive("contacts", &hubspot).unwrap();
    world.mark("contacts", Side::HubSpot, &hubspot).await;
    world.settle().await;
    assert!(world.salesforce_ids("Contact").is_empty());
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_hubspot_delete_is_found_without_any_other_edit() {
    let (mut world, hubspot, _) = linked(&archiving()).await;
    world.hubspot.archive("contacts", &hubspot).unwrap();
    for _ in 0..5 {
        world.pass(15 * 60_000);
        world.settle().await;
    }
    assert!(world.salesforce_ids("Contact").is_empty());
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_beats_a_delete() {
    let (mut world, hubspot, salesforce) = linked(&archiving()).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(
        world.hubspot_ids("contacts"),
        [hubspot],
        "what a user just edited stays"
    );
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].reason, "delete-vs-edit");
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_between_our_read_and_our_delete_is_told() {
    let (mut world, hubspot, salesforce) = linked(&archiving()).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world
        .to_hubspot
        .lose_reply("POST", "/contacts/batch/archive");
    world.settle().await;
    assert!(
        world.hubspot_ids("contacts").is_empty(),
        "{hubspot} is archived once"
    );
    assert_eq!(world.hubspot.counters().records_archived, 1);
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_undelete_rejoins_the_pair_with_its_old_base() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    world.salesforce.undelete("Contact", &salesforce).unwrap();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Linked);
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
pub async fn a_mass_delete_stops_at_the_guard() {
    let guarded = format!("{}guard: {{ deletes: 3 }}\n", archiving());
    let mut world = World::new(Setup::with(&[&guarded])).await;
    for nth in 0..8 {
        let email = format!("p{nth}@example.com");
        world.add_hubspot("contacts", &[("email", &email), ("lastname", "P")]);
        world.add_salesforce("Contact", &[("Email", &email), ("LastName", "P")]);
    }
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 8);
    for id in world.salesforce_ids("Contact") {
        world.salesforce.delete("Contact", &id).unwrap();
    }
    world.settle().await;
    assert_eq!(
        world.hubspot_ids("contacts").len(),
        8,
        "nothing goes before a person agrees"
    );
    assert!(!world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_few_deletes_pass_the_guard() {
    let guarded = format!("{}guard: {{ deletes: 3 }}\n", archiving());
    let (mut world, _, salesforce) = linked(&guarded).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    assert!(world.hubspot_ids("contacts").is_empty());
    world.assert_quiet().await;
}
