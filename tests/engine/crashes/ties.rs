//! Scenarios about references: parents that come and go, and roles on deals.

use super::Scenario;
use crate::leaving::employee;
use crate::references::{ACME, FIRMS, REQUIRED, add_employee};
use crate::roles::busy;
use crate::world::World;

pub fn scenarios() -> Vec<Scenario> {
    let mut all = associations();
    all.extend(parents());
    all
}

fn associations() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "an association that is made",
            || {
                Box::pin(async {
                    let (mut world, _, copy) = employee().await;
                    let other = world.add_salesforce("Account", &[("Name", "Other")]);
                    world.settle().await;
                    world.edit_salesforce("Contact", &copy, &[("AccountId", &other)]);
                    world
                })
            },
            |world, _| assert_eq!(primary(world), ["Other"]),
        ),
        Scenario::new(
            "an association that is cut",
            || {
                Box::pin(async {
                    let (world, _, copy) = employee().await;
                    world.edit_salesforce("Contact", &copy, &[("AccountId", "")]);
                    world
                })
            },
            |world, _| assert_eq!(primary(world), [""; 0]),
        ),
    ]
}

fn parents() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a person and her firm are both new",
            || {
                Box::pin(async {
                    let mut world = World::with(&[FIRMS, REQUIRED]).await;
                    world.settle().await;
                    add_employee(&world, &ACME).await;
                    world
                })
            },
            |world, _| {
                let firm = world.salesforce_ids("Account").remove(0);
                let person = world.salesforce_ids("Contact").remove(0);
                assert_eq!(world.sf("Contact", &person, "AccountId"), firm);
            },
        ),
        Scenario::new(
            "a person who may be without her new firm",
            || {
                Box::pin(async {
                    let optional = REQUIRED.replace("required: yes", "required: no");
                    let mut world = World::with(&[FIRMS, &optional]).await;
                    world.settle().await;
                    add_employee(&world, &ACME).await;
                    world
                })
            },
            |world, picture| {
                let firm = world.salesforce_ids("Account").remove(0);
                let person = world.salesforce_ids("Contact").remove(0);
                assert_eq!(world.sf("Contact", &person, "AccountId"), firm);
                assert_eq!(picture.count("hold") + picture.count("waiting"), 0);
            },
        )
        // Who is made first depends on who had to wait for the grace.
        .varying(),
        Scenario::new(
            "roles that are given and taken",
            || Box::pin(async { busy().await.world }),
            |world, picture| {
                assert_eq!(crate::office::rows(world).len(), 3);
                assert_eq!(world.salesforce_ids("Contact").len(), 2);
                assert_eq!(picture.count("letter") + picture.count("hold"), 0);
            },
        )
        .scanned(),
    ]
}

/// HubSpot's type of contact to company, primary.
const PRIMARY: u32 = 1;

/// The names of the firms that somebody works for in the first place.
fn primary(world: &World) -> Vec<String> {
    let person = world.hubspot_ids("contacts").remove(0);
    let firms = world.hubspot.associations("contacts", &person, "companies");
    let firms = firms
        .into_iter()
        .filter(|(_, types)| types.contains(&PRIMARY));
    firms
        .map(|(firm, _)| world.hs("companies", &firm, "name"))
        .collect()
}
