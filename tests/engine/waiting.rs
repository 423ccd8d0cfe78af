//! Work that waits for a parent ends after a day, and still finds a parent that comes later.

use tandem::model::HoldReason;

use crate::world::{Setup, World};

const DAY_MILLIS: i64 = 24 * 3_600_000;

const COMPANIES: &str = r#"
mapping: companies
hubspot: companies
salesforce: Account
conflict: salesforce
first-sync: { fill-blanks: salesforce }
match:
  - domain: Website
create: never
rules:
  name: Name
  domain: Website
"#;

fn people(required: &str) -> String {
    format!(
        r#"
mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
first-sync: {{ fill-blanks: salesforce }}
match:
  - email: Email
create: both
rules:
  email: Email
  lastname: {{ to: LastName, default: "(unknown)" }}
associations:
  - hubspot: companies
    label: primary
    salesforce: AccountId
    mapping: companies
    required: {required}
"#
    )
}

/// A Salesforce contact of an account that has no company.
async fn orphan(required: &str) -> (World, String, String) {
    let people = people(required);
    let mut world = World::new(Setup::with(&[COMPANIES, &people])).await;
    let account = world.add_salesforce("Account", &[("Name", "Acme")]);
    let contact = world.add_salesforce(
        "Contact",
        &[
            ("LastName", "Lovelace"),
            ("Email", "ada@example.com"),
            ("AccountId", &account),
        ],
    );
    world.open().await;
    world.settle().await;
    (world, account, contact)
}

/// Everything that becomes due within a day and a few hours.
async fn a_day_later(world: &mut World) {
    for _ in 0..26 {
        world.pass(DAY_MILLIS / 24);
        world.settle().await;
    }
}

#[tokio::test]
async fn a_required_parent_that_never_comes_is_a_dead_letter_after_a_day() {
    let (mut world, account, _) = orphan("yes").await;
    assert_eq!(world.letters().await, []);
    assert!(world.hubspot_ids("contacts").is_empty());
    a_day_later(&mut world).await;
    let letters = world.letters().await;
    assert_eq!(world.letter_codes().await, ["parent-not-linked"]);
    assert!(
        !letters[0].inputs.salesforce.is_empty(),
        "a person sees what it is about"
    );

    // The parent comes after all; a replay goes through.
    let company = world.add_hubspot("companies", &[("name", "Acme"), ("domain", "acme.example")]);
    world.edit_salesforce("Account", &account, &[("Website", "acme.example")]);
    world.settle().await;
    let contact = letters[0].task.record_id().to_owned();
    world
        .mark("contacts", tandem::model::Side::Salesforce, &contact)
        .await;
    world.settle().await;
    assert_eq!(world.letters().await, []);
    let made = world.hubspot_ids("contacts");
    assert_eq!(made.len(), 1);
    let tied = world
        .hubspot
        .associations("contacts", &made[0], "companies");
    assert_eq!(tied.len(), 1, "{company}");
}

#[tokio::test]
async fn an_optional_parent_is_a_quiet_hold_and_a_scan_still_ties_it() {
    let (mut world, account, contact) = orphan("no").await;
    let made = world.hubspot_ids("contacts");
    assert_eq!(made.len(), 1, "the record does not wait");
    a_day_later(&mut world).await;
    assert_eq!(world.letters().await, []);
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].reason, HoldReason::Unresolved);
    let yesterday = world.clock.now().plus_millis(-DAY_MILLIS - DAY_MILLIS / 24);
    let blocked = world
        .store
        .blocked_since(&world.workspace, "sync", yesterday, 10)
        .await;
    assert_eq!(blocked.unwrap(), [], "nothing waits for ever");

    world.add_hubspot("companies", &[("name", "Acme"), ("domain", "acme.example")]);
    world.edit_salesforce("Account", &account, &[("Website", "acme.example")]);
    world.settle().await;
    world.scan().await;
    world.settle().await;
    let tied = world
        .hubspot
        .associations("contacts", &made[0], "companies");
    assert_eq!(tied.len(), 1, "{contact}");
    assert_eq!(world.holds().await, []);
}
