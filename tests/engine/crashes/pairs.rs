//! Scenarios about pairs: found, refused, taken apart, merged, converted, deleted, brought back.

use super::Scenario;
use crate::conversion::lea;
use crate::merge_races::merged_and_edited;
use crate::merges::ada_and_bo;
use crate::undelete::archiving;
use crate::world::World;
use crate::{PEOPLE, add_ada, linked};

pub fn scenarios() -> Vec<Scenario> {
    let mut all = meetings();
    all.extend(partings());
    all.extend(deletions());
    all.extend(returns());
    all.extend(mergers());
    all
}

fn meetings() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "match of an existing pair",
            || {
                Box::pin(async {
                    let mut world = World::with(&[PEOPLE]).await;
                    world.settle().await;
                    let (hubspot, _) = add_ada(&world);
                    world.edit_hubspot("contacts", &hubspot, &[("phone", "+14155550101")]);
                    world
                })
            },
            |world, picture| {
                assert_eq!(picture.count("link "), 1);
                let contact = world.salesforce_ids("Contact").remove(0);
                assert_eq!(world.sf("Contact", &contact, "Phone"), "+14155550101");
            },
        ),
        Scenario::new(
            "an ambiguous match",
            || {
                Box::pin(async {
                    let mut world = World::with(&[PEOPLE]).await;
                    world.settle().await;
                    world.salesforce.set_duplicate_rule("Contact", None);
                    add_ada(&world);
                    let twin = [("Email", "ada@example.com"), ("LastName", "Lindh")];
                    world.add_salesforce("Contact", &twin);
                    world
                })
            },
            |world, picture| {
                assert_eq!(world.salesforce_ids("Contact").len(), 2);
                assert!(picture.count("letter") > 0);
            },
        ),
        Scenario::new(
            "a merge before anybody was matched",
            || {
                Box::pin(async {
                    let mut world = World::with(&[PEOPLE]).await;
                    world.settle().await;
                    let (hubspot, _) = add_ada(&world);
                    let twin = [("email", "twin@example.com"), ("lastname", "Lind")];
                    let twin = world.add_hubspot("contacts", &twin);
                    world.hubspot.merge("contacts", &hubspot, &twin).unwrap();
                    world
                })
            },
            |_, picture| assert_eq!(picture.count("link "), 1),
        ),
    ]
}

const FILTER: &str = "only: { hubspot: 'jobtitle != \"Out\"' }\n";

fn partings() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "leaving the filter",
            || {
                Box::pin(async {
                    let mapping = format!("{PEOPLE}{FILTER}on-leave: unlink\n");
                    let (world, hubspot, salesforce) = linked(&mapping).await;
                    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Out")]);
                    world.edit_salesforce("Contact", &salesforce, &[("FirstName", "Adele")]);
                    world
                })
            },
            |_, picture| assert_eq!(picture.count("link contacts"), 1),
        ),
        Scenario::new(
            "coming back into the filter",
            || {
                Box::pin(async {
                    let (mut world, hubspot, salesforce) =
                        linked(&format!("{PEOPLE}{FILTER}")).await;
                    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Out")]);
                    world.settle().await;
                    world.edit_salesforce("Contact", &salesforce, &[("FirstName", "Adele")]);
                    world.settle().await;
                    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CTO")]);
                    world
                })
            },
            |world, _| {
                let person = world.hubspot_ids("contacts").remove(0);
                assert_eq!(world.hs("contacts", &person, "firstname"), "Adele");
            },
        ),
    ]
}

fn deletions() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a delete that archives in hubspot",
            || {
                Box::pin(async {
                    let (world, _, salesforce) = linked(&archiving()).await;
                    world.salesforce.delete("Contact", &salesforce).unwrap();
                    world
                })
            },
            |world, _| assert!(world.hubspot_ids("contacts").is_empty()),
        ),
        Scenario::new(
            "an archive that deletes in salesforce",
            || {
                Box::pin(async {
                    let (world, hubspot, _) = linked(&archiving()).await;
                    world.hubspot.archive("contacts", &hubspot).unwrap();
                    world
                })
            },
            |world, _| assert!(world.salesforce_ids("Contact").is_empty()),
        )
        .scanned(),
        Scenario::new(
            "a delete against an edit",
            || {
                Box::pin(async {
                    let (world, hubspot, salesforce) = linked(&archiving()).await;
                    world.salesforce.delete("Contact", &salesforce).unwrap();
                    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
                    world
                })
            },
            |world, picture| {
                assert_eq!(world.hubspot_ids("contacts").len(), 1);
                assert_eq!(picture.count("conflict"), 1);
            },
        ),
    ]
}

fn returns() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "an undelete of a record whose partner was edited",
            || {
                Box::pin(async {
                    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
                    world.salesforce.delete("Contact", &salesforce).unwrap();
                    world.settle().await;
                    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
                    world.settle().await;
                    world.salesforce.undelete("Contact", &salesforce).unwrap();
                    world
                })
            },
            |world, _| {
                let contact = world.salesforce_ids("Contact").remove(0);
                assert_eq!(world.sf("Contact", &contact, "Title"), "CEO");
            },
        ),
        Scenario::new(
            "an undelete",
            || {
                Box::pin(async {
                    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
                    world.salesforce.delete("Contact", &salesforce).unwrap();
                    world.settle().await;
                    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
                    world.settle().await;
                    world.salesforce.undelete("Contact", &salesforce).unwrap();
                    let edit = [("FirstName", "Adah")];
                    world.edit_salesforce("Contact", &salesforce, &edit);
                    world
                })
            },
            |world, _| {
                let person = world.hubspot_ids("contacts").remove(0);
                assert_eq!(world.hs("contacts", &person, "firstname"), "Adah");
            },
        ),
    ]
}

fn mergers() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a merge in hubspot",
            || Box::pin(async { merged_and_edited().await.0 }),
            |world, picture| {
                assert_eq!(world.hubspot_ids("contacts").len(), 1);
                assert_eq!(world.salesforce_ids("Contact").len(), 2);
                assert_eq!(picture.count("letter merged"), 1);
            },
        ),
        Scenario::new(
            "a merge in salesforce",
            || {
                Box::pin(async {
                    let (world, [ada, bo]) = ada_and_bo(PEOPLE).await;
                    world.salesforce.merge("Contact", &ada.1, &[&bo.1]).unwrap();
                    world.edit_hubspot("contacts", &ada.0, &[("jobtitle", "CEO")]);
                    world.edit_salesforce("Contact", &ada.1, &[("FirstName", "Adah")]);
                    world
                })
            },
            |world, picture| {
                assert_eq!(world.hubspot_ids("contacts").len(), 2);
                assert_eq!(world.salesforce_ids("Contact").len(), 1);
                assert_eq!(picture.count("letter merged"), 1);
            },
        ),
        Scenario::new(
            "merges in both",
            || {
                Box::pin(async {
                    let (world, [ada, bo]) = ada_and_bo(PEOPLE).await;
                    world.salesforce.merge("Contact", &ada.1, &[&bo.1]).unwrap();
                    world.hubspot.merge("contacts", &ada.0, &bo.0).unwrap();
                    world
                })
            },
            |_, picture| assert_eq!(picture.count("letter"), 0),
        ),
        Scenario::new(
            "a lead that is converted",
            || {
                Box::pin(async {
                    let (world, hubspot, lead) = lea().await;
                    let org = &world.salesforce;
                    org.convert_lead(&lead, None, None, false).unwrap();
                    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
                    world
                })
            },
            |world, picture| {
                let contact = world.salesforce_ids("Contact").remove(0);
                assert_eq!(world.sf("Contact", &contact, "Title"), "CEO");
                assert_eq!(world.hubspot_ids("contacts").len(), 1);
                assert_eq!(world.hubspot_ids("companies").len(), 1);
                assert_eq!(picture.count("letter"), 0);
            },
        ),
    ]
}
