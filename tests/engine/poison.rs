//! Records that Tandem itself fails on, and fields that a CRM no longer knows.

use tandem::bugs::{self, Bug};
use tandem::model::ErrorClass;

use crate::world::LANE;
use crate::{PEOPLE, UPDATES, linked};

const NO_TITLE: &str = r#"{"status":"error","category":"VALIDATION_ERROR",
    "message":"Property values were not valid","errors":[{"code":"PROPERTY_DOESNT_EXIST",
    "message":"Property \"jobtitle\" does not exist",
    "context":{"propertyName":["jobtitle"]}}]}"#;

/// Planted for this thread until it is dropped.
struct Planted;

impl Planted {
    fn new(bug: Bug) -> Self {
        bugs::plant(Some(bug));
        Self
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        bugs::plant(None);
    }
}

#[tokio::test]
async fn a_record_that_makes_the_planner_panic_costs_itself_and_no_other() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let other = [("email", "bo@example.com"), ("lastname", "Bo")];
    let bo = world.add_hubspot("contacts", &other);
    world.settle().await;
    let planted = Planted::new(Bug::PanicInPlan);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "poison")]);
    world.edit_hubspot("contacts", &bo, &[("jobtitle", "Clerk")]);
    world.settle().await;
    let pairs = world.pairs().await;
    let (_, bo) = pairs.iter().find(|(id, _)| *id == bo).expect("a pair");
    assert_eq!(world.sf("Contact", bo, "Title"), "Clerk", "its neighbour");
    let letters = world.letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    let letter = &letters[0];
    assert_eq!(
        (letter.class, letter.code.as_str()),
        (ErrorClass::Ours, "panic")
    );
    assert_eq!(letter.attempts, 5);
    assert!(!letter.id.as_str().is_empty());
    assert!(letter.message.contains("poison"), "{}", letter.message);
    assert_eq!(
        world.sf("Contact", &salesforce, "Title"),
        "CTO",
        "untouched"
    );

    drop(planted);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert!(world.letters().await.is_empty(), "a new value closes it");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_field_that_is_unknown_once_is_asked_for_again_with_a_new_schema_and_nothing_is_held() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.answer("POST", UPDATES, 400, NO_TITLE);
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert!(world.holds().await.is_empty());
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_field_that_stays_unknown_is_held_and_the_rest_of_the_record_arrives() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let edits = [("Title", "CEO"), ("LastName", "Lindqvist")];
    world.edit_salesforce("Contact", &salesforce, &edits);
    for _ in 0..2 {
        world.to_hubspot.answer("POST", UPDATES, 400, NO_TITLE);
    }
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "lastname"), "Lindqvist");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].rule, "jobtitle");
}

#[tokio::test]
async fn a_mapping_whose_field_is_gone_waits_with_its_work_until_the_field_is_back() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.hide_fields("Contact", &["Title"]).unwrap();
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", "CEO"), ("lastname", "Lindqvist")],
    );
    world.pass(61_000);
    world.engine().poll_now().await.unwrap();
    for _ in 0..60 {
        world.step().await;
        world.pass(500);
    }
    let queue = world
        .store
        .queue(&world.workspace, LANE, 100)
        .await
        .unwrap();
    let told = queue.iter().filter_map(|work| work.failure.as_ref());
    let told: Vec<_> = told.filter(|f| f.code == "mapping-does-not-fit").collect();
    assert!(!told.is_empty(), "{queue:?}");
    assert!(told[0].message.contains("Title"), "{}", told[0].message);
    assert!(world.letters().await.is_empty());
    assert_eq!(
        world.hs("contacts", &hubspot, "jobtitle"),
        "CEO",
        "absence is not blank"
    );

    world.salesforce.hide_fields("Contact", &[]).unwrap();
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert_eq!(world.sf("Contact", &salesforce, "LastName"), "Lindqvist");
    world.assert_quiet().await;
}
