//! A merge in the middle of something: a write under way, or a process that dies.

use crate::merges::{ada_and_bo, matching_only};
use crate::world::{Setup, World};
use crate::{PEOPLE, UPDATES, linked};

#[tokio::test]
async fn a_merge_while_a_write_has_no_answer_settles_the_write_first_and_repeats_nothing() {
    let (mut world, hubspot, salesforce) = linked(&matching_only()).await;
    let other = world.add_hubspot("contacts", &[("lastname", "Lund")]);
    world.settle().await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.lose_reply("POST", UPDATES);
    world.until_turns_are_taken().await;
    let left = world.hubspot.merge("contacts", &hubspot, &other).unwrap();
    world.settle().await;
    assert_eq!(world.pairs().await, [(left.clone(), salesforce.clone())]);
    assert_eq!(world.hs("contacts", &left, "jobtitle"), "CEO");
    assert_eq!(world.hubspot.counters().records_updated, 1);
    assert!(world.conflicts().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_write_to_an_id_that_is_merged_away_meanwhile_reaches_the_survivor() {
    let (mut world, hubspot, salesforce) = linked(&matching_only()).await;
    let other = world.add_hubspot("contacts", &[("lastname", "Lund")]);
    world.settle().await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    let (portal, primary) = (world.hubspot.clone(), hubspot.clone());
    // HubSpot leaves such a row out of its answer without a word.
    world.to_hubspot.before("POST", UPDATES, move || {
        portal.merge("contacts", &primary, &other).unwrap();
    });
    world.settle().await;
    let left = world.hubspot_ids("contacts").remove(0);
    assert_eq!(world.pairs().await, [(left.clone(), salesforce)]);
    assert_eq!(world.hs("contacts", &left, "jobtitle"), "CEO");
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letters().await
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_second_pair_is_told_of_although_the_first_followed_before_the_survivor_was_seen() {
    let (mut world, [ada, bo]) = ada_and_bo(PEOPLE).await;
    let left = world.hubspot.merge("contacts", &ada.0, &bo.0).unwrap();
    world.edit_salesforce("Contact", &ada.1, &[("Title", "CEO")]);
    // HubSpot's search does not show the survivor yet.
    world.look().await;
    assert!(world.pairs().await.contains(&(left.clone(), ada.1.clone())));
    world.settle().await;
    assert_eq!(world.pairs().await, [(left, ada.1)]);
    assert_eq!(world.letter_codes().await, ["merged"]);
    world.assert_quiet().await;
}

/// Neither pair is the right one by its values, so both wait; and one of them is edited.
#[tokio::test]
async fn pairs_that_wait_for_a_person_after_a_merge_do_not_wake_each_other_for_ever() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let one = world.add_hubspot("contacts", &[("lastname", "Lind"), ("jobtitle", "CTO")]);
    let two = world.add_hubspot("contacts", &[("lastname", "Lind"), ("firstname", "Ada")]);
    world.settle().await;
    let pairs = world.pairs().await;
    world.hubspot.merge("contacts", &one, &two).unwrap();
    world.settle().await;
    assert_eq!(world.letter_codes().await, ["merged", "merged"]);
    world.edit_salesforce("Contact", &pairs[0].1, &[("Title", "CEO")]);
    let before = world.to_hubspot.sent();
    world.settle().await;
    let sent = world.to_hubspot.sent() - before;
    assert!(sent < 60, "{sent} requests for one edit");
    assert!(world.pairs().await.is_empty(), "both still wait");
    assert_eq!(world.api_writes(), 2, "the two creates of the first sync");
    world.assert_quiet().await;
}

/// Ada and Bo merged in HubSpot, and edited on the other side, not looked at yet.
pub async fn merged_and_edited() -> (World, [(String, String); 2], String) {
    let (world, pairs) = ada_and_bo(PEOPLE).await;
    let left = world
        .hubspot
        .merge("contacts", &pairs[0].0, &pairs[1].0)
        .unwrap();
    world.edit_salesforce("Contact", &pairs[0].1, &[("Title", "CEO")]);
    world.edit_hubspot("contacts", &left, &[("firstname", "Adah")]);
    (world, pairs, left)
}

/// A portal whose batch reads know nothing of merges.
async fn forgetful(mapping: &str) -> (World, String, String) {
    let mut setup = Setup::with(&[mapping]);
    setup.hubspot.batch_read_follows_merges = false;
    let mut world = World::new(setup).await;
    let (hubspot, salesforce) = crate::add_ada(&world);
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await, [(hubspot.clone(), salesforce.clone())]);
    (world, hubspot, salesforce)
}

#[tokio::test]
async fn a_batch_read_that_keeps_silent_about_a_merge_is_asked_again_one_by_one() {
    let archiving = format!(
        "{}\ndelete: {{ hubspot: archive, salesforce: archive }}\n",
        matching_only()
    );
    let (mut world, hubspot, salesforce) = forgetful(&archiving).await;
    let other = world.add_hubspot("contacts", &[("lastname", "Lund")]);
    world.settle().await;
    let left = world.hubspot.merge("contacts", &hubspot, &other).unwrap();
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.look().await;
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letters().await
    );
    assert_eq!(world.pairs().await, [(left.clone(), salesforce)]);
    world.settle().await;
    assert_eq!(world.hs("contacts", &left, "jobtitle"), "CEO");
    world.assert_quiet().await;
}
