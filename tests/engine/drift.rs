//! Both CRMs are compared value by value: what differs is found, wherever it is, and what differs
//! for a reason is not called drift.

use std::collections::BTreeSet;

use tandem::app::{DriftFound, Step, drift_found};
use tandem::clock::Chance;
use tandem::model::{HoldReason, MappingName, Raw, RecordKey, Side};
use tandem::store::Changes;
use tandem::sync::{Compared, Difference, Part, PlannedValues, Why};

use crate::world::{Setup, World};
use crate::{PEOPLE, linked};

const FIELDS: [(&str, &str); 4] = [
    ("firstname", "FirstName"),
    ("lastname", "LastName"),
    ("jobtitle", "Title"),
    ("phone", "Phone"),
];

/// So many people on both sides, linked and at rest.
async fn people(pairs: usize) -> World {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    for nth in 0..pairs {
        let mail = format!("p{nth}@example.com");
        let person = [("email", mail.as_str()), ("lastname", "Lind")];
        world.add_hubspot("contacts", &person);
        world.add_salesforce("Contact", &[("Email", mail.as_str()), ("LastName", "Lind")]);
    }
    world.open().await;
    world.settle().await;
    world
}

async fn compare_with(world: &mut World, known: &PlannedValues) -> Compared {
    let name = MappingName::new("contacts");
    let mut all = Compared::default();
    let mut after = None;
    loop {
        let engine = world.engine.as_mut().unwrap();
        let some = engine
            .compare(&name, Part::After(after.as_ref()), known)
            .await
            .unwrap();
        all.pairs += some.pairs;
        all.differences.extend(some.differences);
        for side in Side::BOTH {
            let sum = all.digests.get_mut(side);
            *sum = sum.wrapping_add(*some.digests.get(side));
        }
        for (rule, (values, agree)) in some.values {
            let count = all.values.entry(rule).or_default();
            count.0 += values;
            count.1 += agree;
        }
        after = some.next;
        if after.is_none() {
            return all;
        }
    }
}

async fn compare(world: &mut World) -> Compared {
    compare_with(world, &PlannedValues::new()).await
}

fn whys(compared: &Compared) -> Vec<(&str, Why)> {
    let of = |one: &'_ Difference| (one.rule.clone(), one.why);
    let mut whys: Vec<(String, Why)> = compared.differences.iter().map(of).collect();
    whys.sort();
    let names = ["", "firstname", "lastname", "jobtitle", "phone", "email"];
    whys.into_iter()
        .map(|(rule, why)| (*names.iter().find(|name| **name == rule).unwrap(), why))
        .collect()
}

#[tokio::test]
async fn a_thousand_disagreements_are_found_and_no_other_and_a_clean_pair_has_none() {
    const PAIRS: usize = 1_200;
    let mut world = people(PAIRS).await;
    let pairs = world.pairs().await;
    assert_eq!(pairs.len(), PAIRS);
    let clean = compare(&mut world).await;
    assert_eq!(clean.pairs, PAIRS as u64);
    assert!(
        clean.differences.is_empty(),
        "{:#?}",
        clean.differences.first()
    );
    assert_eq!(clean.digests.hubspot, clean.digests.salesforce);

    let chance = Chance::seeded(11);
    let below = |most: usize| usize::try_from(chance.below(most as u64)).unwrap();
    let mut seeded: BTreeSet<(String, String)> = BTreeSet::new();
    while seeded.len() < 1_000 {
        let ((hubspot, salesforce), (property, field)) = (&pairs[below(PAIRS)], FIELDS[below(4)]);
        if !seeded.insert((hubspot.clone(), property.to_owned())) {
            continue;
        }
        let value = format!("+4930{}", seeded.len());
        if below(2) == 0 {
            world.edit_hubspot("contacts", hubspot, &[(property, value.as_str())]);
        } else {
            world.edit_salesforce("Contact", salesforce, &[(field, value.as_str())]);
        }
    }
    let found = compare(&mut world).await;
    let places: BTreeSet<(String, String)> = found
        .differences
        .iter()
        .map(|one| {
            let id = one.records.hubspot.as_ref().unwrap().as_str().to_owned();
            (id, one.rule.clone())
        })
        .collect();
    assert_eq!(places, seeded);
    assert!(found.differences.iter().all(|one| one.why == Why::Drift));
    assert_ne!(found.digests.hubspot, found.digests.salesforce);
    let compared: u64 = found.values.values().map(|(values, _)| values).sum();
    let agree: u64 = found.values.values().map(|(_, agree)| agree).sum();
    assert_eq!(compared - agree, 1_000);
}

#[tokio::test]
async fn what_differs_for_a_reason_is_no_drift() {
    let mapping = PEOPLE
        .replace("jobtitle: Title", "jobtitle: { to: Title, conflict: ask }")
        .replace(
            "firstname: FirstName",
            "firstname: { to: FirstName, direction: to-salesforce }",
        )
        .replace(
            "phone: { to: Phone, conflict: hubspot }",
            "phone: { to: Phone, blank: keep }",
        );
    let (mut world, hubspot, salesforce) = linked(&mapping).await;
    world.edit_hubspot("contacts", &hubspot, &[("phone", "+493012345")]);
    world.settle().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO"), ("phone", "")]);
    let edit = [("Title", "VP"), ("FirstName", "Adele")];
    world.edit_salesforce("Contact", &salesforce, &edit);
    world.settle().await;
    let found = compare(&mut world).await;
    let expected = [
        ("firstname", Why::OneWay),
        ("jobtitle", Why::Held(HoldReason::Ask)),
        ("phone", Why::Kept),
    ];
    assert_eq!(whys(&found), expected);
}

#[tokio::test]
async fn what_is_on_its_way_is_pending_and_not_drift() {
    let (mut world, hubspot, _) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    let key = RecordKey {
        mapping: MappingName::new("contacts"),
        side: Side::HubSpot,
        id: tandem::model::RecordId::new(&hubspot),
    };
    let mut known = PlannedValues::new();
    known.insert((key.clone(), "jobtitle".to_owned()));
    let found = compare_with(&mut world, &known).await;
    assert_eq!(whys(&found), [("jobtitle", Why::Pending)]);
    // A mark in the lane says the same of the record as a whole.
    world.mark("contacts", Side::HubSpot, &hubspot).await;
    let found = compare(&mut world).await;
    assert_eq!(whys(&found), [("jobtitle", Why::Pending)]);
}

#[tokio::test]
async fn a_record_that_is_gone_is_told_as_such() {
    let (mut world, hubspot, _) = linked(PEOPLE).await;
    world.hubspot.archive("contacts", &hubspot).unwrap();
    let found = compare(&mut world).await;
    assert_eq!(whys(&found), [("", Why::Gone)]);
}

#[tokio::test]
async fn two_values_that_differ_in_spelling_only_agree() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("email", "ADA@example.com")]);
    world.edit_salesforce("Contact", &salesforce, &[("Email", "ada@example.com")]);
    let found = compare(&mut world).await;
    assert!(found.differences.is_empty(), "{:#?}", found.differences);
    assert_eq!(found.digests.hubspot, found.digests.salesforce);
}

/// What the engine found the last time it compared both sides by itself.
async fn last(world: &World) -> Option<DriftFound> {
    let name = MappingName::new("contacts");
    let found = drift_found(&world.store, &world.workspace, [name.clone()]).await;
    found.unwrap().remove(&name)
}

#[tokio::test]
async fn the_engine_compares_both_sides_by_itself_and_remembers_what_it_found() {
    let mut world = people(1_100).await;
    assert_eq!(last(&world).await, None);
    world.engine().compare_now().await.unwrap();
    world.work().await;
    let found = last(&world).await.expect("it was compared");
    assert_eq!(found.found.pairs, 1_100);
    assert_eq!(found.drift(), 0);
    assert_eq!(found.found.digests.hubspot, found.found.digests.salesforce);
    let agree = found.found.values.values().all(|(all, agree)| all == agree);
    assert!(agree, "{:?}", found.found.values);
    // Nobody asks for the next one: it comes by itself.
    world.pass(8 * 24 * 3_600_000);
    world.settle().await;
    let again = last(&world).await.expect("it was compared again");
    assert!(again.began > found.ended);
}

#[tokio::test]
async fn a_comparison_goes_on_where_it_was_when_the_process_dies() {
    let mut world = people(1_100).await;
    world.engine().compare_now().await.unwrap();
    loop {
        match world.step().await {
            Step::Worked(work) if work.kind == "drift" => break,
            Step::Worked(_) => {}
            Step::Wait(_) => world.pass(1_000),
        }
    }
    assert_eq!(last(&world).await, None, "a chunk is left");
    world.crash().await;
    world.pass(120_000);
    world.open().await;
    world.settle().await;
    let found = last(&world).await.expect("it was compared to its end");
    assert_eq!(found.found.pairs, 1_100, "each pair once");
}

#[tokio::test]
async fn an_edit_that_is_on_its_way_is_looked_at_again_and_a_missed_one_is_named() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    // An edit that the next poll will carry, seen by the comparison first.
    world.engine().compare_now().await.unwrap();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.work().await;
    world.pass(20 * 60_000);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    let found = last(&world).await.expect("it was compared");
    assert_eq!(found.drift(), 0, "{found:?}");
    assert!(
        found.ended - found.began >= 15 * 60_000_000,
        "it looked twice"
    );
    // One that no poll shows and the base does not know of: drift.
    let link = world.link().await;
    let mut bases = world
        .store
        .bases(&world.workspace, std::slice::from_ref(&link.id))
        .await
        .unwrap();
    let mut wrong = bases.remove(&link.id).unwrap();
    let title = wrong.get_mut("jobtitle").unwrap();
    title
        .sides
        .hubspot
        .insert("jobtitle".to_owned(), Raw::text("CTO"));
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CTO")]);
    world
        .by_command(Changes {
            bases: vec![(link.id, wrong)],
            ..Changes::default()
        })
        .await;
    world.engine().compare_now().await.unwrap();
    world.work().await;
    world.pass(20 * 60_000);
    world.settle().await;
    let found = last(&world).await.expect("it was compared");
    assert_eq!(found.drift(), 1, "{found:?}");
    assert_eq!(found.found.named[0].rule, "jobtitle");
    assert_eq!(
        found.found.named[0].records.hubspot.as_deref(),
        Some(hubspot.as_str())
    );
    assert_ne!(found.found.digests.hubspot, found.found.digests.salesforce);
}

#[tokio::test]
async fn what_differs_in_a_pair_is_counted_once_although_it_is_looked_at_twice() {
    let asked = PEOPLE.replace("jobtitle: Title", "jobtitle: { to: Title, conflict: ask }");
    let (mut world, hubspot, salesforce) = linked(&asked).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "VP")]);
    world.settle().await;
    assert_eq!(world.holds().await.len(), 1);
    // Beside the held value one that the base is wrong about.
    let link = world.link().await.id;
    let of = std::slice::from_ref(&link);
    let mut bases = world.store.bases(&world.workspace, of).await.unwrap();
    let mut wrong = bases.remove(&link).unwrap();
    let name = wrong.get_mut("firstname").unwrap();
    let typed = Raw::text("Adele");
    name.sides.hubspot.insert("firstname".to_owned(), typed);
    world.edit_hubspot("contacts", &hubspot, &[("firstname", "Adele")]);
    let changes = Changes {
        bases: vec![(link, wrong)],
        ..Changes::default()
    };
    world.by_command(changes).await;
    world.engine().compare_now().await.unwrap();
    world.work().await;
    world.pass(20 * 60_000);
    world.settle().await;
    let reasons = last(&world).await.expect("it was compared").found.reasons;
    let reasons: Vec<(&str, u64)> = reasons.iter().map(|(why, n)| (why.as_str(), *n)).collect();
    assert_eq!(reasons, [("drift", 1), ("held", 1)]);
}
