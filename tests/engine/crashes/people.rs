//! Scenarios in which a person decides, or a mapping changes, and long polls.

use tandem::model::Side;

use super::Scenario;
use super::changes::{refuse_boss, values};
use crate::crowd::linked as guarded;
use crate::guards::{approve, questions};
use crate::world::{Setup, World};
use crate::{PEOPLE, linked};

pub fn scenarios() -> Vec<Scenario> {
    let mut all = guards();
    all.extend(others());
    all.extend(sources());
    all
}

async fn deleted(count: usize) -> World {
    let (world, pairs) = guarded(crate::crowd::PEOPLE, 6).await;
    for (_, salesforce) in &pairs[..count] {
        world.salesforce.delete("Contact", salesforce).unwrap();
    }
    world
}

fn guards() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a guard that asks",
            || Box::pin(deleted(3)),
            |world, picture| {
                assert_eq!(world.hubspot_ids("contacts").len(), 6);
                assert_eq!(picture.count("letter guard-deletes"), 3);
                assert_eq!(picture.count("question deletes"), 1);
            },
        ),
        Scenario::new(
            "a guard and a yes",
            || {
                Box::pin(async {
                    let mut world = deleted(3).await;
                    world.settle().await;
                    let asked = questions(&world).await;
                    approve(&world, &asked[0]).await;
                    world
                })
            },
            |world, picture| {
                assert_eq!(world.hubspot_ids("contacts").len(), 3);
                assert_eq!(picture.count("letter"), 0);
            },
        ),
        Scenario::new(
            "a conflict and a choice",
            || {
                Box::pin(async {
                    let (mut world, ..) = crate::conflicts::met().await;
                    let choice = tandem::model::Choice::Value("President".to_owned());
                    crate::conflicts::choose(&mut world, choice).await;
                    world
                })
            },
            |world, picture| {
                let chosen = ("President".to_owned(), "President".to_owned());
                assert_eq!(values(world, "jobtitle", "Title"), [chosen]);
                assert_eq!(picture.count("hold"), 0);
            },
        ),
    ]
}

fn others() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a dead letter that is replayed",
            || {
                Box::pin(async {
                    let mut world = World::with(&[PEOPLE]).await;
                    world.settle().await;
                    refuse_all(&world);
                    let bo = [("email", "bo@example.com"), ("lastname", "Berg")];
                    let bo = world.add_hubspot("contacts", &bo);
                    world.settle().await;
                    assert_eq!(world.letters().await.len(), 1);
                    world.salesforce.set_validation("Contact", None);
                    world.mark("contacts", Side::HubSpot, &bo).await;
                    world
                })
            },
            |world, picture| {
                assert_eq!(world.salesforce_ids("Contact").len(), 1);
                assert_eq!(picture.count("letter"), 0);
            },
        ),
        Scenario::new(
            "a record that is refused",
            || {
                Box::pin(async {
                    let mut world = World::with(&[PEOPLE]).await;
                    world.settle().await;
                    refuse_all(&world);
                    let bo = [("email", "bo@example.com"), ("lastname", "Berg")];
                    world.add_hubspot("contacts", &bo);
                    world
                })
            },
            |world, picture| {
                assert!(world.salesforce_ids("Contact").is_empty());
                assert_eq!(picture.count("letter"), 1);
            },
        ),
        Scenario::new(
            "a mapping that has changed",
            || {
                Box::pin(async {
                    let (mut world, hubspot, _) = linked(PEOPLE).await;
                    let edits = [("city", "Bern"), ("jobtitle", "Boss")];
                    refuse_boss(&world);
                    world.edit_hubspot("contacts", &hubspot, &edits);
                    world.settle().await;
                    world.close().await;
                    let edited = PEOPLE.replace("jobtitle: Title", "jobtitle: Department");
                    world.setup.mappings = vec![format!("{edited}  city: MailingCity\n")];
                    world
                })
            },
            |world, picture| {
                let contact = world.salesforce_ids("Contact").remove(0);
                assert_eq!(world.sf("Contact", &contact, "MailingCity"), "Bern");
                assert_eq!(world.sf("Contact", &contact, "Department"), "Boss");
                assert_eq!(picture.count("hold"), 0);
            },
        ),
    ]
}

fn sources() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a backfill of several chunks",
            || {
                Box::pin(async {
                    let world = World::new(Setup::with(&[ONE_RULE])).await;
                    crowd(&world, CHUNK + 1);
                    // No poll goes back so far; only the backfill shows them.
                    world.pass(2 * 3_600_000);
                    world
                })
            },
            |_, picture| assert_eq!(picture.count("link "), 3),
        ),
        Scenario::new(
            "a poll of several pages",
            || {
                Box::pin(async {
                    let mut world = World::with(&[ONE_RULE]).await;
                    world.settle().await;
                    crowd(&world, PAGE + 1);
                    world
                })
            },
            |_, picture| assert_eq!(picture.count("link "), 3),
        ),
    ]
}

const ONE_RULE: &str = "mapping: contacts\nhubspot: contacts\nsalesforce: Contact\n\
    conflict: salesforce\nmatch:\n  - email: Email\nrules:\n  email: Email\n";

/// As many records as HubSpot lists at once, and as it finds at once.
const CHUNK: usize = 100;
const PAGE: usize = 200;

/// So many people in HubSpot, the first three of whom are in Salesforce as well.
fn crowd(world: &World, people: usize) {
    for nth in 0..people {
        let email = format!("p{nth}@example.com");
        world.add_hubspot("contacts", &[("email", &email), ("lastname", "P")]);
        if nth < 3 {
            world.add_salesforce("Contact", &[("Email", &email), ("LastName", "P")]);
        }
    }
}

fn refuse_all(world: &World) {
    let nobody: tandem::sim::salesforce::ValidationRule =
        Box::new(|_| Some(("nobody may be saved".to_owned(), None)));
    world.salesforce.set_validation("Contact", Some(nobody));
}
