//! The first meeting of two CRMs: blanks are filled, nothing else is lost without a name.

use tandem::model::{Raw, Side};

use crate::PEOPLE;
use crate::references::{ACME, FIRMS};
use crate::world::{SHIPPED, Setup, World};

#[tokio::test]
async fn first_sync_fills_blanks_both_ways_and_names_the_losers() {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    let hubspot = world.add_hubspot(
        "contacts",
        &[
            ("email", "ann@example.com"),
            ("lastname", "Arc"),
            ("firstname", "Ann"),
        ],
    );
    let salesforce = world.add_salesforce(
        "Contact",
        &[
            ("Email", "ANN@example.com"),
            ("LastName", "Arch"),
            ("Title", "CFO"),
        ],
    );
    world.open().await;
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Ann");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CFO");
    assert_eq!(
        world.hs("contacts", &hubspot, "lastname"),
        "Arch",
        "the named winner"
    );
    let kept = world.sf("Contact", &salesforce, "Email");
    assert_eq!(kept, "ANN@example.com", "an equal value is not reformatted");
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].winner, Some(Side::Salesforce));
    assert_eq!(conflicts[0].loser.get("lastname"), Some(&Raw::text("Arc")));
    assert!(world.holds().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn first_sync_that_asks_overwrites_nothing() {
    let asking = PEOPLE.replace("fill-blanks: salesforce", "fill-blanks: ask");
    let mut world = World::new(Setup::with(&[&asking])).await;
    let hubspot = world.add_hubspot(
        "contacts",
        &[
            ("email", "ann@example.com"),
            ("lastname", "Arc"),
            ("firstname", "Ann"),
        ],
    );
    let fields = [("Email", "ann@example.com"), ("LastName", "Arch")];
    let salesforce = world.add_salesforce("Contact", &fields);
    world.open().await;
    world.settle().await;
    assert_eq!(
        world.sf("Contact", &salesforce, "FirstName"),
        "Ann",
        "blanks are filled"
    );
    assert_eq!(world.sf("Contact", &salesforce, "LastName"), "Arch");
    assert_eq!(world.hs("contacts", &hubspot, "lastname"), "Arc");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].rule, "lastname");
    world.assert_quiet().await;
}

#[tokio::test]
async fn records_of_one_side_get_copies_on_the_other() {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    world.add_hubspot(
        "contacts",
        &[("email", "a@example.com"), ("firstname", "A")],
    );
    world.add_salesforce("Contact", &[("Email", "b@example.com"), ("LastName", "B")]);
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 2);
    let mut names: Vec<String> = Vec::new();
    for id in world.salesforce_ids("Contact") {
        names.push(world.sf("Contact", &id, "LastName"));
    }
    names.sort();
    assert_eq!(
        names,
        ["(unknown)", "B"],
        "a required field gets its default"
    );
    let last: Vec<String> = world
        .hubspot_ids("contacts")
        .iter()
        .map(|id| world.hs("contacts", id, "lastname"))
        .collect();
    assert!(
        last.contains(&String::new()),
        "the default reads back as blank: {last:?}"
    );
    world.assert_quiet().await;
}

/// The portal cannot be read for a moment, so nobody knows that it has the company already.
#[tokio::test]
pub async fn nothing_is_copied_to_a_side_that_has_not_been_read_once() {
    const COMPANIES: &str = "/objects/2026-03/companies";
    let mut world = World::new(Setup::with(&[FIRMS])).await;
    let company = world.add_hubspot("companies", &ACME);
    let fields = [("Name", "Acme"), ("Website", "acme.example.com")];
    let account = world.add_salesforce("Account", &fields);
    world.open().await;
    world.to_hubspot.answer("GET", COMPANIES, 503, "");
    world.settle().await;
    assert_eq!(world.to_hubspot.waiting(), 0);
    let companies = world.hubspot_ids("companies").len();
    assert_eq!(companies, 1, "the portal has it already");
    assert_eq!(world.pairs().await, [(company, account)]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn the_shipped_mappings_bring_a_seeded_world_to_rest_without_an_echo() {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    tandem::sim::seed::seed(&world.hubspot, &world.salesforce, 40, 11).unwrap();
    world.open().await;
    world.settle().await;
    world.assert_quiet().await;
    for object in ["contacts", "companies", "deals"] {
        assert!(!world.hubspot_ids(object).is_empty());
    }
}

#[tokio::test]
async fn values_that_both_sides_normalise_on_save_settle_without_an_echo() {
    let mapping = PEOPLE.replace(
        "phone: { to: Phone, conflict: hubspot }",
        "phone: { to: Phone, conflict: hubspot, tolerance: trim }",
    );
    let mut world = World::new(Setup::with(&[&mapping])).await;
    let hubspot = world.add_hubspot(
        "contacts",
        &[
            ("email", "Ann.ARC@Example.COM"),
            ("lastname", "Arc"),
            ("phone", "  +1 415 555 0101 "),
        ],
    );
    world.open().await;
    world.settle().await;
    let copies = world.salesforce_ids("Contact");
    assert_eq!(copies.len(), 1);
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
    world.edit_salesforce("Contact", &copies[0], &[("Email", "Ann.New@Example.COM")]);
    world.settle().await;
    assert_eq!(
        world.hs("contacts", &hubspot, "email"),
        "ann.new@example.com"
    );
    assert_eq!(
        world.sf("Contact", &copies[0], "Email").to_lowercase(),
        "ann.new@example.com",
        "what a user typed is not rewritten by an echo"
    );
    world.assert_quiet().await;
}
