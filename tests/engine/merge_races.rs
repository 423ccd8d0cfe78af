//! A merge in the middle of something: a write under way, or a process that dies.

use crate::merges::{ada_and_bo, matching_only};
use crate::wire::Cut;
use crate::world::World;
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

/// Ada and Bo merged in HubSpot, and edited on the other side, not looked at yet.
async fn merged_and_edited() -> (World, [(String, String); 2], String) {
    let (world, pairs) = ada_and_bo(PEOPLE).await;
    let left = world
        .hubspot
        .merge("contacts", &pairs[0].0, &pairs[1].0)
        .unwrap();
    world.edit_salesforce("Contact", &pairs[0].1, &[("Title", "CEO")]);
    world.edit_hubspot("contacts", &left, &[("firstname", "Adah")]);
    (world, pairs, left)
}

#[tokio::test]
async fn a_process_that_dies_at_any_request_of_a_merge_loses_and_makes_nothing() {
    for arrives in [false, true] {
        for after in 0..60 {
            let (mut world, pairs, left) = merged_and_edited().await;
            let wire = world.to_hubspot.clone();
            wire.cut(Some(Cut { after, arrives }));
            let is_dead = tokio::select! {
                () = wire.died() => true,
                () = world.settle() => false,
            };
            wire.cut(None);
            if !is_dead {
                assert!(after > 5, "the pass has more requests than {after}");
                break;
            }
            world.crash().await;
            world.settle().await;
            let cut = format!("cut {after}, {arrives}");
            assert_eq!(
                world.pairs().await,
                [(left.clone(), pairs[0].1.clone())],
                "{cut}"
            );
            assert_eq!(world.salesforce_ids("Contact").len(), 2, "{cut}");
            assert_eq!(world.hubspot_ids("contacts").len(), 1, "{cut}");
            assert_eq!(world.hs("contacts", &left, "jobtitle"), "CEO", "{cut}");
            assert_eq!(
                world.sf("Contact", &pairs[0].1, "FirstName"),
                "Adah",
                "{cut}"
            );
            assert_eq!(world.letter_codes().await, ["merged"], "{cut}");
            assert!(world.conflicts().await.is_empty(), "{cut}");
            assert_eq!(world.noop_writes(), 0, "{cut}");
            world.assert_nothing_open().await;
        }
    }
}
