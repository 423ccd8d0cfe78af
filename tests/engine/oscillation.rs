//! Automations that disagree for ever must not use up the quota, nor hide who they are.

use tandem::model::{Choice, HoldReason, Side};

use crate::conflicts::take;
use crate::world::World;
use crate::{PEOPLE, linked};

/// A workflow in HubSpot wants one title and a flow in Salesforce another; both run after we came.
async fn fight(world: &mut World, hubspot: &str, salesforce: &str, rounds: u32) {
    for _ in 0..rounds {
        if world.sf("Contact", salesforce, "Title") != "Boss" {
            world.edit_salesforce("Contact", salesforce, &[("Title", "Boss")]);
            world.settle().await;
        }
        if world.hs("contacts", hubspot, "jobtitle") != "Lead" {
            world.edit_hubspot("contacts", hubspot, &[("jobtitle", "Lead")]);
            world.settle().await;
        }
    }
}

#[tokio::test]
async fn a_fight_of_two_automations_ends_in_a_hold_that_says_what_was_written() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    fight(&mut world, &hubspot, &salesforce, 12).await;
    assert!(world.api_writes() <= 5, "{} writes", world.api_writes());
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].reason, HoldReason::Oscillation);
    let detail = &holds[0].detail;
    assert!(detail.contains("HubSpot := Boss"), "{detail}");
    assert!(detail.contains("Salesforce := Lead"), "{detail}");
    assert!(detail.contains("last changed by user 005"), "{detail}");
    world.edit_hubspot("contacts", &hubspot, &[("firstname", "Adele")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Adele");
}

#[tokio::test]
async fn the_rule_is_tried_again_after_an_hour_and_every_hold_lasts_longer() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    fight(&mut world, &hubspot, &salesforce, 4).await;
    let mut writes = world.api_writes();
    for hours in [1, 4, 24] {
        world.pass((hours * 3_600 - 2_700) * 1_000);
        fight(&mut world, &hubspot, &salesforce, 3).await;
        assert_eq!(world.api_writes(), writes, "still held within {hours} h");
        world.pass(2_700_000);
        world.settle().await;
        assert!(world.api_writes() > writes, "tried again after {hours} h");
        fight(&mut world, &hubspot, &salesforce, 6).await;
        assert!(world.api_writes() <= writes + 6, "bounded");
        writes = world.api_writes();
        assert_eq!(world.holds().await[0].reason, HoldReason::Oscillation);
    }
    world.pass(3 * 24 * 3_600_000);
    fight(&mut world, &hubspot, &salesforce, 3).await;
    assert_eq!(world.api_writes(), writes, "a person has to choose now");
    take(&mut world, Choice::Of(Side::Salesforce)).await;
    assert_eq!(
        world.hs("contacts", &hubspot, "jobtitle"),
        world.sf("Contact", &salesforce, "Title")
    );
    assert!(world.holds().await.is_empty());
}

#[tokio::test]
async fn a_hold_ends_at_once_when_both_sides_hold_the_same() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    fight(&mut world, &hubspot, &salesforce, 4).await;
    assert_eq!(world.holds().await.len(), 1);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Chair")]);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "Chair")]);
    world.settle().await;
    assert!(world.holds().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_person_who_edits_a_value_many_times_is_no_oscillation() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    for nth in 0..12 {
        let title = format!("Title {nth}");
        world.edit_hubspot("contacts", &hubspot, &[("jobtitle", &title)]);
        world.pass(120_000);
        world.settle().await;
        assert_eq!(world.sf("Contact", &salesforce, "Title"), title);
    }
    assert!(world.holds().await.is_empty());
}
