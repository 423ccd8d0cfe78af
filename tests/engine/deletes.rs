//! A record goes on one side: what happens to the other, and what never does.

use tandem::model::{LinkState, Side};

use crate::world::{Setup, World};
use crate::{CREATES, KEYED, PEOPLE, linked};

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

/// Salesforce takes no title of that length, so it stands in HubSpot alone.
#[tokio::test]
async fn a_value_that_waits_under_a_hold_is_an_edit_that_beats_a_delete() {
    let (mut world, hubspot, salesforce) = linked(&archiving()).await;
    let title = "x".repeat(140);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", &title)]);
    world.settle().await;
    assert_eq!(world.holds().await.len(), 1);
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    assert_eq!(world.hubspot_ids("contacts"), [hubspot]);
    let reasons = world.conflicts().await.into_iter().map(|row| row.reason);
    assert_eq!(reasons.collect::<Vec<_>>(), ["delete-vs-edit"]);
    world.assert_quiet().await;
}

/// One attempt works on two pairs of the same record: the one that is buried and the one that is.
#[tokio::test]
async fn a_delete_travels_although_an_earlier_partner_comes_back_at_the_same_time() {
    let (mut world, hubspot, first) = linked(&archiving()).await;
    world.salesforce.delete("Contact", &first).unwrap();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    let ada = [
        ("Email", "ada@example.com"),
        ("FirstName", "Ada"),
        ("LastName", "Lind"),
        ("Title", "CEO"),
    ];
    let second = world.add_salesforce("Contact", &ada);
    world.settle().await;
    let pairs = world.pairs().await;
    assert!(pairs.contains(&(hubspot, second.clone())), "{pairs:?}");
    world.salesforce.undelete("Contact", &first).unwrap();
    world.salesforce.delete("Contact", &second).unwrap();
    world.settle().await;
    assert!(world.hubspot_ids("contacts").is_empty());
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

/// Ada on Salesforce; her copy was made on HubSpot, the reply was lost, and somebody deleted the
/// copy before Tandem looked. Her id and that of the copy.
async fn copy_deleted_on_hubspot(world: &mut World) -> (String, String) {
    world.settle().await;
    let fields = [("Email", "e@example.com"), ("LastName", "E")];
    let source = world.add_salesforce("Contact", &fields);
    world.to_hubspot.lose_reply("POST", CREATES);
    world.until_turns_are_taken().await;
    let copy = world.hubspot_ids("contacts").remove(0);
    world.hubspot.archive("contacts", &copy).unwrap();
    (source, copy)
}

/// The same with the sides changed.
async fn copy_deleted_on_salesforce(world: &mut World) -> (String, String) {
    world.settle().await;
    let fields = [("email", "e@example.com"), ("lastname", "E")];
    let source = world.add_hubspot("contacts", &fields);
    world.to_salesforce.lose_reply("PATCH", KEYED);
    world.until_turns_are_taken().await;
    let copy = world.salesforce_ids("Contact").remove(0);
    world.salesforce.delete("Contact", &copy).unwrap();
    (source, copy)
}

#[tokio::test]
async fn a_hubspot_copy_that_somebody_deleted_before_its_create_was_settled_is_not_made_twice() {
    let mut world = World::with(&[PEOPLE]).await;
    let (source, _) = copy_deleted_on_hubspot(&mut world).await;
    world.settle().await;
    world.settle().await;
    assert_eq!(world.hubspot.records("contacts").len(), 1, "bin included");
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    world.edit_salesforce("Contact", &source, &[("Title", "CEO")]);
    world.settle().await;
    world.scan().await;
    assert_eq!(world.hubspot.records("contacts").len(), 1, "nor later");
    assert_eq!(world.salesforce_ids("Contact"), [source]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_salesforce_copy_that_somebody_deleted_before_its_create_was_settled_is_not_made_twice() {
    let mut world = World::with(&[PEOPLE]).await;
    let (source, _) = copy_deleted_on_salesforce(&mut world).await;
    world.settle().await;
    world.settle().await;
    assert_eq!(world.salesforce.records("Contact").len(), 1, "bin included");
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    assert_eq!(world.hubspot_ids("contacts"), [source]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn the_delete_of_an_unsettled_copy_travels_where_the_mapping_says_so() {
    let mut world = World::with(&[&archiving()]).await;
    copy_deleted_on_hubspot(&mut world).await;
    world.settle().await;
    world.settle().await;
    assert!(world.salesforce_ids("Contact").is_empty());
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    assert!(world.conflicts().await.is_empty(), "nobody edited anything");
    world.assert_quiet().await;

    let mut world = World::with(&[&archiving()]).await;
    copy_deleted_on_salesforce(&mut world).await;
    world.settle().await;
    world.settle().await;
    assert!(world.hubspot_ids("contacts").is_empty());
    assert!(world.conflicts().await.is_empty(), "nobody edited anything");
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_beats_the_delete_of_an_unsettled_copy() {
    let mut world = World::with(&[&archiving()]).await;
    let (source, _) = copy_deleted_on_hubspot(&mut world).await;
    world.edit_salesforce("Contact", &source, &[("Title", "CEO")]);
    world.settle().await;
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact"), [source]);
    assert_eq!(world.hubspot.records("contacts").len(), 1);
    assert_eq!(world.conflicts().await[0].reason, "delete-vs-edit");
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_unsettled_copy_that_is_taken_out_of_the_bin_rejoins_its_pair() {
    let mut world = World::with(&[PEOPLE]).await;
    let (source, copy) = copy_deleted_on_hubspot(&mut world).await;
    world.settle().await;
    world.settle().await;
    world.hubspot.restore("contacts", &copy).unwrap();
    world.scan().await;
    assert_eq!(world.pairs().await, [(copy.clone(), source.clone())]);
    world.edit_salesforce("Contact", &source, &[("Title", "CEO")]);
    world.settle().await;
    assert_eq!(world.hs("contacts", &copy, "jobtitle"), "CEO");
    world.assert_quiet().await;
}
