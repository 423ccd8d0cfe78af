//! Users and lost replies at the worst moments of one write.

use tandem::model::{Cause, MappingName, RecordId, RecordKey, Side, Task};
use tandem::store::Mark;

use crate::world::{LANE, World};
use crate::{CREATES, KEYED, PEOPLE, UPDATES, WRITES, linked};

#[tokio::test]
async fn a_users_edit_of_another_field_between_our_read_and_our_write_travels() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    let (org, id) = (world.salesforce.clone(), salesforce.clone());
    world.to_salesforce.before("PATCH", WRITES, move || {
        org.edit("Contact", &id, &[("FirstName", "Adelheid".into())])
            .unwrap();
    });
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Adelheid");
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Adelheid");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert!(world.conflicts().await.is_empty(), "nothing conflicted");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_users_edit_of_the_same_field_between_our_read_and_our_write_ends_in_agreement() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    let (org, id) = (world.salesforce.clone(), salesforce.clone());
    world.to_salesforce.before("PATCH", WRITES, move || {
        org.edit("Contact", &id, &[("Title", "VP".into())]).unwrap();
    });
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_users_edit_of_the_source_between_our_read_and_our_write_follows_without_a_conflict() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    let (portal, id) = (world.hubspot.clone(), hubspot.clone());
    world.to_salesforce.before("PATCH", WRITES, move || {
        portal
            .edit("contacts", &id, &[("jobtitle", "Chair")])
            .unwrap();
    });
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "Chair");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "Chair");
    assert!(world.conflicts().await.is_empty(), "only one side moved");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_hubspot_users_edit_between_our_read_and_our_write_travels() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    let (portal, id) = (world.hubspot.clone(), hubspot.clone());
    world.to_hubspot.before("POST", UPDATES, move || {
        portal
            .edit("contacts", &id, &[("firstname", "Adele")])
            .unwrap();
    });
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Adele");
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_right_after_our_write_travels_back_whoever_sees_it_first() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    let (org, id) = (world.salesforce.clone(), salesforce.clone());
    // The first POST to this address after the write is the read that settles it.
    let wire = world.to_salesforce.clone();
    world.to_salesforce.before("PATCH", WRITES, move || {
        wire.before("POST", "/composite/sobjects/Contact", move || {
            org.edit("Contact", &id, &[("Title", "Queen".into())])
                .unwrap();
        });
    });
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "Queen");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "Queen");
    assert!(world.holds().await.is_empty(), "a person is no automation");
    assert!(
        world.conflicts().await.is_empty(),
        "who edits what we wrote saw it"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_create_whose_reply_was_lost_is_found_by_the_poll_and_not_repeated_in_salesforce() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let properties = [("email", "bo@example.com"), ("lastname", "Berg")];
    let hubspot = world.add_hubspot("contacts", &properties);
    world.to_salesforce.lose_reply("PATCH", KEYED);
    world.settle().await;
    let copies = world.salesforce_ids("Contact");
    assert_eq!(copies.len(), 1, "the create was repeated");
    assert_eq!(world.pairs().await, [(hubspot, copies[0].clone())]);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
pub async fn a_create_whose_reply_was_lost_is_found_by_the_poll_and_not_repeated_in_hubspot() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let fields = [("Email", "bo@example.com"), ("LastName", "Berg")];
    let salesforce = world.add_salesforce("Contact", &fields);
    world.to_hubspot.lose_reply("POST", CREATES);
    world.settle().await;
    let copies = world.hubspot_ids("contacts");
    assert_eq!(copies.len(), 1, "the create was repeated");
    assert_eq!(world.pairs().await, [(copies[0].clone(), salesforce)]);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_created_record_edited_before_the_poll_shows_it_keeps_the_edit() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let properties = [("email", "bo@example.com"), ("lastname", "Berg")];
    let hubspot = world.add_hubspot("contacts", &properties);
    world.to_salesforce.lose_reply("PATCH", KEYED);
    world.until_turns_are_taken().await;
    let copies = world.salesforce_ids("Contact");
    world.edit_salesforce("Contact", &copies[0], &[("LastName", "Berg-Sund")]);
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact"), copies);
    assert_eq!(world.sf("Contact", &copies[0], "LastName"), "Berg-Sund");
    assert_eq!(world.hs("contacts", &hubspot, "lastname"), "Berg-Sund");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_create_that_never_arrived_is_made_once_after_the_grace() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    world.add_hubspot(
        "contacts",
        &[("email", "bo@example.com"), ("lastname", "Berg")],
    );
    world.add_salesforce(
        "Contact",
        &[("Email", "cy@example.com"), ("LastName", "Cole")],
    );
    world.to_salesforce.lose_request("PATCH", KEYED);
    world.to_hubspot.lose_request("POST", CREATES);
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 2);
    assert_eq!(world.hubspot_ids("contacts").len(), 2);
    assert_eq!(world.pairs().await.len(), 2);
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_update_whose_reply_was_lost_is_not_sent_again() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.to_salesforce.lose_reply("PATCH", WRITES);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert_eq!(world.salesforce.counters().records_updated, 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn both_sides_of_one_link_marked_in_one_batch_are_one_pass() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", "CEO"), ("phone", "+14155550101")],
    );
    world.edit_salesforce(
        "Contact",
        &salesforce,
        &[("FirstName", "Adele"), ("Phone", "+14155550199")],
    );
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Adele");
    assert_eq!(world.sf("Contact", &salesforce, "Phone"), "+14155550101");
    assert_eq!(world.hubspot.counters().records_updated, 1);
    assert_eq!(world.salesforce.counters().records_updated, 1);
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1, "one conflict is one row: {conflicts:?}");
    let lost = conflicts[0]
        .loser
        .values()
        .next()
        .and_then(|raw| raw.as_text());
    assert_eq!(lost, Some("+14155550199"), "the losing value is kept");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_lane_stolen_between_check_and_commit_stores_nothing_and_writes_nothing_twice() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.add_hubspot(
        "contacts",
        &[("email", "bo@example.com"), ("lastname", "Berg")],
    );
    for path in [WRITES, KEYED] {
        let (store, ws) = (world.store.clone(), world.workspace.clone());
        let clock = world.clock.clone();
        world
            .to_salesforce
            .before_async("PATCH", path, move || async move {
                clock.advance_millis(31_000);
                let thief = store
                    .lease(&ws, crate::world::LANE, "thief", 5_000)
                    .await
                    .unwrap();
                assert!(thief.is_some(), "the lease had run out");
            });
    }
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert_eq!(world.salesforce_ids("Contact").len(), 2, "one copy of Bo");
    assert_eq!(world.salesforce.counters().records_updated, 1);
    assert_eq!(world.pairs().await.len(), 2);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

/// Ada's contact is changed by a long transaction, whose stamp no poll looks at any more, right
/// after it was read for a look at her HubSpot record; and somebody asks for it.
#[tokio::test]
pub async fn a_record_that_is_asked_for_right_after_it_was_read_is_looked_at_again() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let fields = [("FirstName", "Adele".into())];
    let org = world.salesforce.clone();
    let late = org.begin_late_commit("Contact", &salesforce, &fields);
    for _ in 0..3 {
        world.settle().await;
    }
    // Too long for Salesforce, so nothing is written there that a poll would show.
    let long = "x".repeat(200);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", &long)]);
    let (store, ws, clock) = (
        world.store.clone(),
        world.workspace.clone(),
        world.clock.clone(),
    );
    let reads = "/contacts/batch/read";
    world
        .to_hubspot
        .before_async("POST", reads, move || async move {
            org.commit(late.unwrap()).unwrap();
            let key = RecordKey {
                mapping: MappingName::new("contacts"),
                side: Side::Salesforce,
                id: RecordId::new(salesforce),
            };
            let mark = Mark {
                task: Task::Record(key),
                cause: Cause::Person,
                not_before: clock.now(),
            };
            store.mark(&ws, LANE, &[mark]).await.unwrap();
        });
    world.settle().await;
    assert_eq!(
        world.hs("contacts", &hubspot, "firstname"),
        "Adele",
        "the question was answered with what had been read before it"
    );
    world.assert_quiet().await;
}
