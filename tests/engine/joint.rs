//! Batches that are updated in Salesforce and read back in one call.

use tandem::model::HoldReason;
use tandem::sim::faults::{Fault, Switch};

use crate::PEOPLE;
use crate::calls::{answered, steps};
use crate::crowd::linked;
use crate::world::World;

/// More than one collection holds.
const MANY: usize = 230;

/// The calls that write and read back; looks for changes of one object are no such calls.
const JOINT: &str = "/composite";

type Pairs = Vec<(String, String)>;

/// So many people, each of whom gets another title in HubSpot.
async fn promoted() -> (World, Pairs) {
    let (world, pairs) = linked(PEOPLE, MANY).await;
    for (hubspot, _) in &pairs {
        world.edit_hubspot("contacts", hubspot, &[("jobtitle", "CEO")]);
    }
    (world, pairs)
}

/// As [`promoted`], and two people whom only HubSpot knows.
async fn promoted_and_joined() -> (World, Pairs) {
    let (world, pairs) = promoted().await;
    for name in ["Berg", "Cole"] {
        let email = format!("{name}@example.com");
        let fields = [
            ("email", &email[..]),
            ("lastname", name),
            ("phone", "+493055555"),
        ];
        world.add_hubspot("contacts", &fields);
    }
    (world, pairs)
}

/// Everybody is there once, with the new title or as they joined.
fn assert_all_there(world: &World, pairs: &Pairs, what: &str) {
    assert_eq!(arrived(world, pairs), MANY, "{what}");
    assert_eq!(world.salesforce_ids("Contact").len(), MANY + 2, "{what}");
    let counters = world.salesforce.counters();
    assert_eq!(counters.records_created, 2, "{what}");
    assert_eq!(counters.records_updated, MANY as u64, "{what}");
}

/// Calls of each family in the next steps.
async fn calls_of<const N: usize>(world: &mut World, families: [&'static str; N]) -> [u64; N] {
    let before = families.map(|family| answered(world, family));
    steps(world).await;
    std::array::from_fn(|at| answered(world, families[at]) - before[at])
}

/// Those that hold the new title on both sides.
fn arrived(world: &World, pairs: &Pairs) -> usize {
    let both = pairs.iter().filter(|(hubspot, salesforce)| {
        world.hs("contacts", hubspot, "jobtitle") == "CEO"
            && world.sf("Contact", salesforce, "Title") == "CEO"
    });
    both.count()
}

#[tokio::test]
async fn more_updates_than_a_collection_holds_are_written_and_read_back_in_one_call() {
    let (mut world, pairs) = promoted().await;
    let families = [
        "composite",
        "collections-update",
        "collections-retrieve",
        "query",
    ];
    let calls = calls_of(&mut world, families).await;
    assert_eq!(arrived(&world, &pairs), MANY);
    assert_eq!(calls, [1, 0, 1, 1], "{families:?}");
    assert_eq!(world.salesforce.counters().records_updated, MANY as u64);
    world.assert_quiet().await;
}

/// The poll apart: one question ahead, and one call that makes, updates and reads back.
#[tokio::test]
async fn new_records_go_along_with_the_updates_and_are_read_back_by_their_key() {
    let (mut world, pairs) = promoted_and_joined().await;
    let families = [
        "composite",
        "collections-create",
        "collections-update",
        "collections-retrieve",
        "query",
    ];
    let calls = calls_of(&mut world, families).await;
    assert_eq!(calls, [2, 0, 0, 0, 1], "{families:?}");
    assert_all_there(&world, &pairs, "at once");
    assert_eq!(world.pairs().await.len(), MANY + 2);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_new_record_that_is_refused_a_field_is_made_without_it_and_costs_nobody_else_anything() {
    let (mut world, pairs) = promoted_and_joined().await;
    let refused = Switch::of(Fault::ValidationRule).field("Phone");
    world.salesforce.set_faults(&[refused]);
    world.settle().await;
    assert_all_there(&world, &pairs, "refused");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 2, "{holds:?}");
    assert!(holds.iter().all(|hold| hold.reason == HoldReason::Refused));
    world.salesforce.set_faults(&[]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_a_trigger_makes_of_a_new_record_is_seen_in_the_call_that_makes_it() {
    let (mut world, pairs) = promoted_and_joined().await;
    world.salesforce.set_trigger(
        "Contact",
        Some(Box::new(|values| {
            if values.get("LastName").is_some_and(|name| name == "Berg") {
                values.insert("LastName".to_owned(), "Hill".into());
            }
        })),
    );
    steps(&mut world).await;
    assert_all_there(&world, &pairs, "altered");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].reason, HoldReason::Altered);
    world.assert_quiet().await;
}

/// In a joint call Salesforce would put the id of the first record in its place.
#[tokio::test]
async fn a_text_that_reads_like_a_part_of_a_joint_call_arrives_as_it_was_typed() {
    let (mut world, pairs) = promoted().await;
    let (hubspot, salesforce) = &pairs[MANY - 1];
    let text = "@{q0[0].id}";
    world.edit_hubspot("contacts", hubspot, &[("jobtitle", text)]);
    let asked = answered(&world, "composite");
    steps(&mut world).await;
    assert_eq!(world.sf("Contact", salesforce, "Title"), text);
    assert_eq!(arrived(&world, &pairs), MANY - 1);
    assert_eq!(answered(&world, "composite") - asked, 0, "none was joint");
    world.assert_quiet().await;
}

#[tokio::test]
async fn whatever_becomes_of_the_joint_call_each_record_is_written_once() {
    type Trouble = fn(&World);
    let troubles: [(&str, Trouble); 6] = [
        ("the reply is lost", |world| {
            world.to_salesforce.lose_reply("POST", JOINT);
        }),
        ("the request is lost", |world| {
            world.to_salesforce.lose_request("POST", JOINT);
        }),
        ("the CRM is down", |world| {
            world.to_salesforce.answer("POST", JOINT, 503, "");
        }),
        ("the reply says nothing", |world| {
            world.to_salesforce.spoil("POST", JOINT, 200, "{}");
        }),
        ("the reply is of other parts", |world| {
            let body =
                r#"{"compositeResponse":[{"httpStatusCode":200,"referenceId":"q7","body":[]}]}"#;
            world.to_salesforce.spoil("POST", JOINT, 200, body);
        }),
        ("there are no such calls", |world| {
            let refusal = r#"[{"errorCode":"NOT_FOUND","message":"no such resource"}]"#;
            world.to_salesforce.answer("POST", JOINT, 404, refusal);
        }),
    ];
    for (name, trouble) in troubles {
        let (mut world, pairs) = promoted_and_joined().await;
        trouble(&world);
        world.settle().await;
        assert_all_there(&world, &pairs, name);
        assert!(world.letters().await.is_empty(), "{name}");
        assert_eq!(world.holds().await, [], "{name}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn a_row_that_fails_in_a_joint_call_comes_again_alone() {
    let (mut world, pairs) = promoted().await;
    let bad = Switch::of(Fault::RowFailed).record(&pairs[7].1).times(2);
    world.salesforce.set_faults(&[bad]);
    world.settle().await;
    assert_eq!(arrived(&world, &pairs), MANY);
    assert_eq!(world.salesforce.counters().records_updated, MANY as u64);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_field_that_is_refused_for_one_row_of_a_joint_call_is_held_for_that_row_alone() {
    let (mut world, pairs) = promoted().await;
    world.edit_hubspot("contacts", &pairs[7].0, &[("firstname", "Eve")]);
    let refused = Switch::of(Fault::ValidationRule)
        .record(&pairs[7].1)
        .field("Title");
    world.salesforce.set_faults(&[refused]);
    world.settle().await;
    assert_eq!(arrived(&world, &pairs), MANY - 1);
    assert_eq!(world.sf("Contact", &pairs[7].1, "FirstName"), "Eve");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].reason, HoldReason::Refused);
    world.salesforce.set_faults(&[]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_value_that_a_trigger_alters_is_seen_in_the_joint_call_and_held() {
    let (mut world, pairs) = promoted().await;
    let email = world.sf("Contact", &pairs[7].1, "Email");
    world.salesforce.set_trigger(
        "Contact",
        Some(Box::new(move |values| {
            let is_theirs = values
                .get("Email")
                .is_some_and(|value| *value == email.as_str());
            if is_theirs && values.get("Title").is_some_and(|title| title == "CEO") {
                values.insert("Title".to_owned(), "Chief".into());
            }
        })),
    );
    world.settle().await;
    assert_eq!(arrived(&world, &pairs), MANY - 1);
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].reason, HoldReason::Altered);
    world.assert_quiet().await;
}

/// Somebody types into Salesforce between our read and the joint call, and the org tracks titles.
#[tokio::test]
async fn an_edit_that_a_joint_call_replaced_is_found_in_the_history_it_asks_for() {
    let mapping = PEOPLE.replace(
        "jobtitle: Title",
        "jobtitle: { to: Title, conflict: hubspot }",
    );
    let (mut world, pairs) = linked(&mapping, MANY).await;
    world
        .salesforce
        .track_history("Contact", &["Title"])
        .unwrap();
    for (hubspot, _) in &pairs {
        world.edit_hubspot("contacts", hubspot, &[("jobtitle", "CEO")]);
    }
    // Somebody is at work on this one, so its history is asked for with the write.
    world.edit_salesforce("Contact", &pairs[7].1, &[("FirstName", "Adele")]);
    let (org, id) = (world.salesforce.clone(), pairs[7].1.clone());
    world.to_salesforce.before("POST", JOINT, move || {
        let title = [("Title", "VP".into())];
        org.edit("Contact", &id, &title).unwrap();
    });
    let queries = answered(&world, "query");
    steps(&mut world).await;
    assert!(
        answered(&world, "query") - queries <= 3,
        "no call of its own"
    );
    world.settle().await;
    assert_eq!(arrived(&world, &pairs), MANY);
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0].loser["Title"].as_text(), Some("VP"));
    world.assert_quiet().await;
}
