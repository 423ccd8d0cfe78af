//! Changes that are hard to see: equal stamps, late commits, a lagging index.

use crate::world::{Setup, World};
use crate::{PEOPLE, linked};

const MANY: usize = 12_000;

const ONE_RULE: &str = r#"
mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
match:
  - email: Email
rules:
  email: Email
"#;

#[tokio::test]
async fn twelve_thousand_records_of_one_stamp_pass_polling_on_both_sides() {
    let mut world = World::with(&[ONE_RULE]).await;
    world.settle().await;
    for nth in 0..MANY {
        let email = format!("p{nth}@example.com");
        world.add_hubspot("contacts", &[("email", &email)]);
        world.add_salesforce("Contact", &[("Email", &email), ("LastName", "P")]);
    }
    world.settle().await;
    assert_eq!(
        world.pairs().await.len(),
        MANY,
        "each was seen on both sides"
    );
    assert_eq!(world.api_writes(), 0);
    assert!(world.letters().await.is_empty());
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_found_by_the_late_pass() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let fields = [("Title", "CEO".into())];
    let late = world
        .salesforce
        .begin_late_commit("Contact", &salesforce, &fields)
        .unwrap();
    for _ in 0..3 {
        world.settle().await;
    }
    world.salesforce.commit(late).unwrap();
    world.settle().await;
    for _ in 0..3 {
        world.pass(5 * 60_000);
        world.settle().await;
    }
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_record_created_by_a_late_commit_is_found_by_the_late_pass() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let fields = [
        ("Email", "bo@example.com".into()),
        ("LastName", "Berg".into()),
    ];
    let late = world
        .salesforce
        .begin_late_create("Contact", &fields)
        .unwrap();
    for _ in 0..3 {
        world.settle().await;
    }
    world.salesforce.commit(late).unwrap();
    for _ in 0..3 {
        world.pass(5 * 60_000);
        world.settle().await;
    }
    assert_eq!(world.hubspot_ids("contacts").len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_that_hubspots_index_shows_five_minutes_late_is_found_by_the_late_pass() {
    let mut setup = Setup::with(&[PEOPLE]);
    setup.hubspot.search_lag_ms = 5 * 60_000;
    let mut world = World::new(setup).await;
    let (hubspot, salesforce) = crate::add_ada(&world);
    world.open().await;
    world.settle().await;
    world.pass(20 * 60_000);
    world.settle().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    for _ in 0..10 {
        world.pass(60_000);
        world.look().await;
    }
    for _ in 0..3 {
        world.pass(3 * 60_000);
        world.look().await;
    }
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn quiet_polls_write_nothing_and_mark_nothing() {
    let (mut world, _, salesforce) = linked(PEOPLE).await;
    for _ in 0..10 {
        world
            .salesforce
            .internal_bump("Contact", &salesforce)
            .unwrap();
        world.settle().await;
    }
    assert_eq!(
        world.api_writes(),
        0,
        "a moved stamp is not a changed value"
    );
    assert_eq!(world.noop_writes(), 0);
}

#[tokio::test]
async fn an_expired_token_is_renewed_without_a_word() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.expire_tokens();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    world.assert_quiet().await;
}
