//! What ends: a hold, a label, a place inside the filter, a record.

use tandem::model::LinkState;

use crate::world::{SHIPPED, Setup, World};
use crate::{PEOPLE, linked};

#[tokio::test]
async fn a_refused_value_that_its_user_takes_back_is_held_no_longer() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let long = "x".repeat(200);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", &long)]);
    world.settle().await;
    assert_eq!(world.holds().await.len(), 1);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CTO")]);
    world.settle().await;
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
    assert_eq!(world.api_writes(), 0);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_value_refused_by_a_validation_rule_and_taken_back_is_held_no_longer() {
    let (mut world, hubspot, _) = linked(PEOPLE).await;
    world.salesforce.set_validation(
        "Contact",
        Some(Box::new(|values| {
            let title = values.get("Title").and_then(|title| title.as_str());
            (title == Some("Boss")).then(|| ("no bosses here".to_owned(), Some("Title".to_owned())))
        })),
    );
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Boss")]);
    world.settle().await;
    assert_eq!(world.holds().await.len(), 1);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CTO")]);
    world.settle().await;
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
    world.assert_quiet().await;
}

/// HubSpot's types of contact to company: primary, and a label of the portal's own.
const PRIMARY: u32 = 1;
const BILLING: u32 = 931;

pub async fn employee() -> (World, String, String) {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    let firm = [("name", "Acme"), ("domain", "acme.example.com")];
    let firm = world.add_hubspot("companies", &firm);
    let person = [
        ("email", "ann@acme.example.com"),
        ("lastname", "Arc"),
        ("lifecyclestage", "customer"),
    ];
    let person = world.add_hubspot("contacts", &person);
    let (from, to) = (("contacts", person.as_str()), ("companies", firm.as_str()));
    world.hubspot.associate(from, to, PRIMARY).unwrap();
    world.open().await;
    world.settle().await;
    let people = world.salesforce_ids("Contact");
    assert_eq!(people.len(), 1);
    (world, person, people[0].clone())
}

fn types(world: &World, person: &str, firm: &str) -> Vec<u32> {
    let firms = world.hubspot.associations("contacts", person, "companies");
    let tie = firms.into_iter().find(|(id, _)| id == firm);
    tie.map(|(_, types)| types).unwrap_or_default()
}

#[tokio::test]
async fn a_primary_company_comes_and_goes_beside_a_label_of_a_user() {
    let (mut world, person, copy) = employee().await;
    let other = world.add_salesforce("Account", &[("Name", "Other")]);
    world.settle().await;
    let pairs = world.pairs().await;
    let pair = pairs.iter().find(|(_, account)| *account == other);
    let firm = pair.expect("the other firm is linked").0.clone();
    let (from, to) = (("contacts", person.as_str()), ("companies", firm.as_str()));
    world.hubspot.associate(from, to, BILLING).unwrap();
    world.edit_salesforce("Contact", &copy, &[("AccountId", &other)]);
    world.settle().await;
    let set = types(&world, &person, &firm);
    assert!(set.contains(&PRIMARY), "{set:?}");
    assert!(set.contains(&BILLING), "the user's label stays: {set:?}");
    world.edit_salesforce("Contact", &copy, &[("AccountId", "")]);
    world.settle().await;
    let cleared = types(&world, &person, &firm);
    assert!(!cleared.contains(&PRIMARY), "{cleared:?}");
    assert!(
        cleared.contains(&BILLING),
        "only the primary goes: {cleared:?}"
    );
    assert_eq!(world.sf("Contact", &copy, "AccountId"), "");
    world.assert_quiet().await;
}

const HUBSPOT_FILTER: &str = "only: { hubspot: 'hs_lead_status != \"OPEN\"' }\n";
const SALESFORCE_FILTER: &str = "only: { salesforce: 'Department != \"Out\"' }\n";

#[tokio::test]
async fn a_record_that_leaves_the_filter_by_an_unmapped_field_is_treated_as_declared() {
    let declared = [
        ("", LinkState::Frozen),
        ("on-leave: unlink\n", LinkState::Unlinked),
    ];
    for filter in [HUBSPOT_FILTER, SALESFORCE_FILTER] {
        for (on_leave, state) in declared {
            let mapping = format!("{PEOPLE}{filter}{on_leave}");
            let (mut world, hubspot, salesforce) = linked(&mapping).await;
            if filter == HUBSPOT_FILTER {
                world.edit_hubspot("contacts", &hubspot, &[("hs_lead_status", "OPEN")]);
            } else {
                world.edit_salesforce("Contact", &salesforce, &[("Department", "Out")]);
            }
            world.settle().await;
            assert_eq!(world.link().await.state, state, "{filter}{on_leave}");
            world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
            world.settle().await;
            assert_eq!(world.sf("Contact", &salesforce, "Title"), "CTO");
            assert_eq!(world.api_writes(), 0, "{filter}{on_leave}");
            world.assert_quiet().await;
        }
    }
}

#[tokio::test]
async fn a_hubspot_delete_is_found_by_the_hourly_walk_through_the_recycle_bin() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.hubspot.archive("contacts", &hubspot).unwrap();
    world.pass(61 * 60_000);
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    assert_eq!(world.salesforce_ids("Contact"), [salesforce]);
    assert_eq!(world.api_writes(), 0, "the pair is only taken apart");
    world.assert_quiet().await;
}
