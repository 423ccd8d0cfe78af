//! Everything at once: the shipped mappings under the harsh preset, with people typing all along.

use std::collections::BTreeSet;

use tandem::model::{HoldReason, LinkState, Side};
use tandem::sim::faults::FaultPlan;
use tandem::sim::seed::seed;

use crate::world::{SHIPPED, Setup, World};
use crate::{run_for, switch_on};

const RECORDS: usize = 150;
const WAVES: usize = 12;
/// Rules of the contacts mapping whose values are spelled alike on both sides.
const ALIKE: [(&str, &str); 2] = [("firstname", "FirstName"), ("jobtitle", "Title")];

async fn contacts(world: &World) -> Vec<(tandem::model::LinkId, String, String)> {
    let text = |id: Option<tandem::model::RecordId>| id.map(|id| id.as_str().to_owned());
    let links = world.links().await.into_iter();
    links
        .filter(|link| link.mapping.as_str() == "contacts" && link.state == LinkState::Linked)
        .filter_map(|link| {
            Some((
                link.id,
                text(link.records.hubspot)?,
                text(link.records.salesforce)?,
            ))
        })
        .collect()
}

/// Somebody changes something of everybody in turn, on one side or the other.
async fn type_something(world: &World, wave: usize) {
    for (nth, (_, hubspot, salesforce)) in contacts(world).await.iter().enumerate() {
        if nth % WAVES != wave % WAVES {
            continue;
        }
        let title = format!("Title {wave}.{nth}");
        match if (nth + wave).is_multiple_of(2) {
            Side::HubSpot
        } else {
            Side::Salesforce
        } {
            Side::HubSpot => world.edit_hubspot("contacts", hubspot, &[("jobtitle", &title)]),
            Side::Salesforce => world.edit_salesforce("Contact", salesforce, &[("Title", &title)]),
        }
    }
}

#[tokio::test]
async fn both_sides_agree_after_a_storm_of_every_family_of_faults() {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    seed(&world.hubspot, &world.salesforce, RECORDS, 7).unwrap();
    world.pass(60_000);
    world.open().await;
    run_for(&mut world, 15).await;
    let doomed = contacts(&world).await.remove(0);
    switch_on(&world, &FaultPlan::named("harsh").unwrap().faults);
    for wave in 0..2 * WAVES {
        type_something(&world, wave).await;
        if wave == 3 {
            world.salesforce.delete("Contact", &doomed.2).unwrap();
        }
        run_for(&mut world, 4).await;
    }
    let mut families = world.hubspot.fault_counts().by_family;
    for (family, count) in world.salesforce.fault_counts().by_family {
        *families.entry(family).or_default() += count;
    }
    switch_on(&world, &[]);
    run_for(&mut world, 60).await;
    let quiet: Vec<&str> = families
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(family, _)| *family)
        .collect();
    assert_eq!(quiet, [""; 0], "every family struck: {families:?}");

    let holds = world.holds().await;
    let held: BTreeSet<_> = holds
        .iter()
        .map(|hold| (&hold.link, hold.rule.as_str()))
        .collect();
    for (link, hubspot, salesforce) in contacts(&world).await {
        for (rule, field) in ALIKE {
            let ours = world.hs("contacts", &hubspot, rule);
            let theirs = world.sf("Contact", &salesforce, field);
            let told = held.contains(&(&link, rule));
            assert!(
                ours == theirs || told,
                "{hubspot} {rule}: {ours:?} and {theirs:?}"
            );
        }
    }
    world.assert_nothing_open().await;
    let before = world.api_writes();
    run_for(&mut world, 30).await;
    assert_eq!(world.api_writes(), before, "all is at rest");
}

#[tokio::test]
async fn a_first_sync_in_a_storm_ties_every_child_to_its_parent() {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    seed(&world.hubspot, &world.salesforce, 2 * RECORDS, 7).unwrap();
    world.pass(60_000);
    world.open().await;
    switch_on(&world, &FaultPlan::named("harsh").unwrap().faults);
    run_for(&mut world, 60).await;
    switch_on(&world, &[]);
    run_for(&mut world, 60).await;
    let linked: BTreeSet<String> = world
        .links()
        .await
        .into_iter()
        .filter(|link| link.state == LinkState::Linked)
        .flat_map(|link| [link.records.hubspot, link.records.salesforce])
        .flatten()
        .map(|id| id.as_str().to_owned())
        .collect();
    let holds = world.holds().await;
    let stale: Vec<_> = holds
        .iter()
        .filter(|hold| hold.reason == HoldReason::Unresolved)
        .filter(|hold| hold.detail.split(' ').any(|word| linked.contains(word)))
        .map(|hold| (&hold.rule, &hold.detail))
        .collect();
    assert_eq!(stale.len(), 0, "their parents are linked: {stale:?}");
    world.assert_nothing_open().await;
}
