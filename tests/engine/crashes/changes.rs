//! Scenarios about values: created, changed on either side or on both, emptied, refused, altered.

use super::Scenario;
use super::picture::Picture;
use crate::world::{Setup, World};
use crate::{KEYED, PEOPLE, UPDATES, WRITES, linked};

pub fn scenarios() -> Vec<Scenario> {
    let mut all = creates();
    all.extend(updates());
    all.extend(collisions());
    all.extend(overtakings());
    all.extend(troubles());
    all
}

/// The HubSpot and the Salesforce value of every pair, in the order of their HubSpot ids.
pub fn values(world: &World, here: &str, there: &str) -> Vec<(String, String)> {
    let people = world.hubspot_ids("contacts").into_iter();
    let contacts = world.salesforce_ids("Contact").into_iter();
    let people = people.map(|id| world.hs("contacts", &id, here));
    let contacts = contacts.map(|id| world.sf("Contact", &id, there));
    people.zip(contacts).collect()
}

fn both(value: &str) -> (String, String) {
    (value.to_owned(), value.to_owned())
}

fn copied_once(world: &World, picture: &Picture) {
    assert_eq!(world.hubspot_ids("contacts").len(), 2);
    assert_eq!(world.salesforce_ids("Contact").len(), 2);
    assert_eq!(picture.count("link "), 2);
    assert_eq!(picture.count("letter"), 0);
}

fn add_bo(world: &World) {
    let bo = [("email", "bo@example.com"), ("lastname", "Berg")];
    world.add_hubspot("contacts", &[&bo[..], &[("jobtitle", "CIO")]].concat());
}

fn add_cy(world: &World) {
    let cy = [("Email", "cy@example.com"), ("LastName", "Cole")];
    world.add_salesforce("Contact", &[&cy[..], &[("Title", "CIO")]].concat());
}

fn creates() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "create in salesforce",
            || {
                Box::pin(async {
                    let (world, ..) = linked(PEOPLE).await;
                    add_bo(&world);
                    world
                })
            },
            copied_once,
        ),
        Scenario::new(
            "create in hubspot",
            || {
                Box::pin(async {
                    let (world, ..) = linked(PEOPLE).await;
                    add_cy(&world);
                    world
                })
            },
            copied_once,
        ),
        Scenario::new(
            "create without a reply",
            || {
                Box::pin(async {
                    let (world, ..) = linked(PEOPLE).await;
                    add_bo(&world);
                    world.to_salesforce.lose_reply("PATCH", KEYED);
                    world
                })
            },
            copied_once,
        ),
        Scenario::new(
            "first sync",
            || {
                Box::pin(async {
                    let world = World::new(Setup::with(&[PEOPLE])).await;
                    crate::add_ada(&world);
                    for nth in 0..3 {
                        let (here, there) =
                            (format!("h{nth}@example.com"), format!("s{nth}@example.com"));
                        world.add_hubspot("contacts", &[("email", &here), ("lastname", "H")]);
                        world.add_salesforce("Contact", &[("Email", &there), ("LastName", "S")]);
                    }
                    world
                })
            },
            |world, picture| {
                assert_eq!(world.hubspot_ids("contacts").len(), 7);
                assert_eq!(picture.count("link "), 7);
            },
        ),
    ]
}

fn updates() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "update in salesforce",
            || {
                Box::pin(async {
                    let (world, hubspot, _) = linked(PEOPLE).await;
                    let edits = [("jobtitle", "CEO"), ("firstname", "Adele")];
                    world.edit_hubspot("contacts", &hubspot, &edits);
                    world
                })
            },
            |world, _| assert_eq!(values(world, "jobtitle", "Title"), [both("CEO")]),
        ),
        Scenario::new(
            "update in hubspot",
            || {
                Box::pin(async {
                    let (world, _, salesforce) = linked(PEOPLE).await;
                    let edits = [("Title", "CEO"), ("FirstName", "Adele")];
                    world.edit_salesforce("Contact", &salesforce, &edits);
                    world
                })
            },
            |world, _| assert_eq!(values(world, "jobtitle", "Title"), [both("CEO")]),
        ),
        Scenario::new(
            "update without a reply",
            || {
                Box::pin(async {
                    let (world, hubspot, _) = linked(PEOPLE).await;
                    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
                    world.to_salesforce.lose_reply("PATCH", WRITES);
                    world
                })
            },
            |world, _| assert_eq!(values(world, "jobtitle", "Title"), [both("CEO")]),
        ),
        Scenario::new(
            "edits and creates on both sides",
            || Box::pin(busy()),
            |world, picture| {
                assert_eq!(world.hubspot_ids("contacts").len(), 5);
                assert_eq!(world.salesforce_ids("Contact").len(), 5);
                assert_eq!(picture.count("conflict"), 0);
            },
        ),
        Scenario::new(
            "blank",
            || {
                Box::pin(async {
                    let (world, hubspot, salesforce) = linked(PEOPLE).await;
                    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "")]);
                    world.edit_salesforce("Contact", &salesforce, &[("FirstName", "")]);
                    world
                })
            },
            |world, _| {
                assert_eq!(values(world, "jobtitle", "Title"), [both("")]);
                assert_eq!(values(world, "firstname", "FirstName"), [both("")]);
            },
        ),
    ]
}

/// Three linked people, edited and added to on both sides, not looked at yet.
async fn busy() -> World {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    for nth in 0..3 {
        let email = format!("old{nth}@example.com");
        world.add_hubspot("contacts", &[("email", &email), ("lastname", "Old")]);
        world.add_salesforce("Contact", &[("Email", &email), ("LastName", "Old")]);
    }
    world.open().await;
    world.settle().await;
    let pairs = world.pairs().await;
    world.edit_hubspot("contacts", &pairs[0].0, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &pairs[1].1, &[("Title", "CFO")]);
    world.edit_hubspot("contacts", &pairs[2].0, &[("jobtitle", "Both")]);
    world.edit_salesforce("Contact", &pairs[2].1, &[("FirstName", "Bo")]);
    add_bo(&world);
    add_cy(&world);
    world
}

const INTERESTS: &str = "  interests: { to: Interests__c, conflict: union, \
    values: { analytics: Research, automation: Product, training: Webinars } }\n";

async fn divided(mapping: &str) -> World {
    let (world, hubspot, salesforce) = linked(mapping).await;
    let edits = [("jobtitle", "CEO"), ("phone", "+14155550101")];
    world.edit_hubspot("contacts", &hubspot, &edits);
    let edits = [("Title", "VP"), ("FirstName", "Adele")];
    world.edit_salesforce("Contact", &salesforce, &edits);
    world
}

fn collisions() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "both sides at once",
            || Box::pin(divided(PEOPLE)),
            |world, picture| {
                assert_eq!(values(world, "jobtitle", "Title"), [both("VP")]);
                assert_eq!(values(world, "firstname", "FirstName"), [both("Adele")]);
                assert_eq!(picture.count("conflict jobtitle"), 1);
            },
        ),
        Scenario::new(
            "a conflict that a person is asked about",
            || {
                Box::pin(async {
                    let asks =
                        PEOPLE.replace("jobtitle: Title", "jobtitle: { to: Title, conflict: ask }");
                    divided(&asks).await
                })
            },
            |world, picture| {
                let stand = ("CEO".to_owned(), "VP".to_owned());
                assert_eq!(values(world, "jobtitle", "Title"), [stand]);
                assert_eq!(picture.count("hold jobtitle"), 1);
            },
        ),
        Scenario::new(
            "set union",
            || {
                Box::pin(async {
                    let (mut world, hubspot, salesforce) =
                        linked(&format!("{PEOPLE}{INTERESTS}")).await;
                    world.edit_hubspot("contacts", &hubspot, &[("interests", "analytics")]);
                    world.settle().await;
                    let two = [("interests", "analytics;automation")];
                    world.edit_hubspot("contacts", &hubspot, &two);
                    let two = [("Interests__c", "Research;Webinars")];
                    world.edit_salesforce("Contact", &salesforce, &two);
                    world
                })
            },
            |world, _| {
                let (here, there) = values(world, "interests", "Interests__c").remove(0);
                assert_eq!((here.split(';').count(), there.split(';').count()), (3, 3));
            },
        ),
    ]
}

fn overtakings() -> Vec<Scenario> {
    vec![Scenario::new(
        "an overwritten edit that is put back",
        || {
            Box::pin(async {
                let rule = "jobtitle: { to: Title, conflict: hubspot }";
                let mapping = PEOPLE.replace("jobtitle: Title", rule);
                let (world, hubspot, salesforce) = linked(&mapping).await;
                world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
                world.edit_hubspot("contacts", &hubspot, &[("firstname", "Adele")]);
                let portal = world.hubspot.clone();
                world.to_hubspot.before("POST", UPDATES, move || {
                    portal
                        .edit("contacts", &hubspot, &[("jobtitle", "VP")])
                        .unwrap();
                });
                world
            })
        },
        |world, picture| {
            assert_eq!(values(world, "jobtitle", "Title"), [both("VP")]);
            assert_eq!(picture.count("conflict jobtitle"), 1);
        },
    )]
}

fn troubles() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a refused value",
            || {
                Box::pin(async {
                    let (world, hubspot, _) = linked(PEOPLE).await;
                    refuse_boss(&world);
                    let edits = [("jobtitle", "Boss"), ("firstname", "Adele")];
                    world.edit_hubspot("contacts", &hubspot, &edits);
                    world
                })
            },
            |world, picture| {
                assert_eq!(values(world, "firstname", "FirstName"), [both("Adele")]);
                assert_eq!(picture.count("hold jobtitle"), 1);
            },
        ),
        Scenario::new(
            "a value that a flow alters",
            || {
                Box::pin(async {
                    let (world, hubspot, _) = linked(PEOPLE).await;
                    world.salesforce.set_trigger(
                        "Contact",
                        Some(Box::new(|values| {
                            let title = values.get("Title").and_then(|title| title.as_str());
                            if title == Some("CEO") {
                                values.insert("Title".to_owned(), "Chief".into());
                            }
                        })),
                    );
                    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
                    world
                })
            },
            |world, picture| {
                // Without its reply, what a flow made of a write looks like somebody's edit.
                let taken = picture.count("conflict jobtitle") == 1;
                let stand = if taken { "Chief" } else { "CEO" };
                let stand = (stand.to_owned(), "Chief".to_owned());
                assert_eq!(values(world, "jobtitle", "Title"), [stand]);
                assert_eq!(picture.count("hold jobtitle"), usize::from(!taken));
                assert_eq!(picture.count("waiting"), 0);
            },
        )
        .varying(),
        Scenario::new(
            "two automations that never agree",
            || Box::pin(async { linked(PEOPLE).await.0 }),
            |world, picture| {
                assert_eq!(picture.count("hold jobtitle"), 1);
                assert!(world.api_writes() <= 7, "{}", world.api_writes());
            },
        )
        .varying()
        .working(|world| Box::pin(fight(world))),
    ]
}

/// A workflow in HubSpot wants one title and a flow in Salesforce another.
async fn fight(world: &mut World) {
    let (person, contact) = world.pairs().await.remove(0);
    for _ in 0..3 {
        if world.sf("Contact", &contact, "Title") != "Boss" {
            world.edit_salesforce("Contact", &contact, &[("Title", "Boss")]);
        }
        world.settle().await;
        if world.hs("contacts", &person, "jobtitle") != "Lead" {
            world.edit_hubspot("contacts", &person, &[("jobtitle", "Lead")]);
        }
        world.settle().await;
    }
}

pub fn refuse_boss(world: &World) {
    world.salesforce.set_validation(
        "Contact",
        Some(Box::new(|values| {
            let title = values.get("Title").and_then(|title| title.as_str());
            (title == Some("Boss")).then(|| ("no bosses here".to_owned(), Some("Title".to_owned())))
        })),
    );
}
