//! Changes that are hard to see: equal stamps, late commits, a lagging index.

use tandem::sim::faults::{Crm, Fault, Switch};

use crate::calls::answered;
use crate::references::FIRMS;
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

fn add_firm(world: &World, nth: usize) -> String {
    let (name, site) = (format!("Firm {nth}"), format!("firm{nth}.example.com"));
    world.add_salesforce("Account", &[("Name", &name), ("Website", &site)])
}

#[tokio::test]
async fn a_look_for_changes_of_several_salesforce_objects_costs_one_call() {
    let mut world = World::with(&[FIRMS, PEOPLE]).await;
    world.settle().await;
    let firm = add_firm(&world, 1);
    let person = [("Email", "ann@example.com"), ("LastName", "Arc")];
    let person = world.add_salesforce("Contact", &person);
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 2);
    world.edit_salesforce("Account", &firm, &[("Name", "Firm One")]);
    world.edit_salesforce("Contact", &person, &[("Title", "CEO")]);
    let (queries, together) = (answered(&world, "query"), answered(&world, "composite"));
    world.look().await;
    assert_eq!(answered(&world, "composite"), together + 1);
    assert_eq!(
        answered(&world, "query"),
        queries,
        "nothing was asked twice"
    );
    let (firm, person) = (
        world.hubspot_ids("companies")[0].clone(),
        world.hubspot_ids("contacts")[0].clone(),
    );
    assert_eq!(world.hs("companies", &firm, "name"), "Firm One");
    assert_eq!(world.hs("contacts", &person, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn polls_that_came_out_of_step_come_together_again() {
    let mut world = World::with(&[FIRMS, PEOPLE]).await;
    world.settle().await;
    let together = answered(&world, "composite");
    let queries = answered(&world, "query");
    for _ in 0..12 {
        world.pass(30_000);
        while let tandem::app::Step::Worked(_) = world.step().await {}
    }
    let shared = answered(&world, "composite") - together;
    let alone = answered(&world, "query") - queries;
    assert!((5..=12).contains(&shared), "{shared} calls in six minutes");
    assert!(alone <= 2, "{alone} polls went alone");
}

#[tokio::test]
async fn more_changes_of_several_objects_than_one_call_shows_are_all_seen() {
    let mut world = World::with(&[FIRMS, PEOPLE]).await;
    world.settle().await;
    for nth in 0..900 {
        add_firm(&world, nth);
        let email = format!("p{nth}@example.com");
        world.add_salesforce("Contact", &[("Email", &email), ("LastName", "P")]);
    }
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 1_800);
    assert_eq!(world.hubspot_ids("companies").len(), 900);
    assert_eq!(world.hubspot_ids("contacts").len(), 900);
    assert!(world.letters().await.is_empty());
}

#[tokio::test]
async fn an_object_that_cannot_be_read_does_not_hide_the_changes_of_the_others() {
    let mut world = World::with(&[FIRMS, PEOPLE]).await;
    world.settle().await;
    let firm = add_firm(&world, 1);
    let person = [("Email", "ann@example.com"), ("LastName", "Arc")];
    let person = world.add_salesforce("Contact", &person);
    world.settle().await;
    let hidden = Switch {
        side: Some(Crm::Salesforce),
        ..Switch::of(Fault::FieldHidden)
    };
    let hidden = hidden.object("Account").field("Website");
    world.salesforce.set_faults(&[hidden]);
    world.edit_salesforce("Account", &firm, &[("Name", "Firm One")]);
    world.edit_salesforce("Contact", &person, &[("Title", "CEO")]);
    world.settle().await;
    let contact = world.hubspot_ids("contacts")[0].clone();
    assert_eq!(world.hs("contacts", &contact, "jobtitle"), "CEO");
    world.salesforce.set_faults(&[]);
    for _ in 0..4 {
        world.pass(5 * 60_000);
        world.settle().await;
    }
    let company = world.hubspot_ids("companies")[0].clone();
    assert_eq!(world.hs("companies", &company, "name"), "Firm One");
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_org_that_takes_no_joint_calls_is_asked_object_by_object() {
    let mut world = World::with(&[FIRMS, PEOPLE]).await;
    world.settle().await;
    let firm = add_firm(&world, 1);
    for _ in 0..8 {
        let refusal = r#"[{"errorCode":"NOT_FOUND","message":"no such resource"}]"#;
        world
            .to_salesforce
            .answer("POST", "/composite", 404, refusal);
    }
    world.settle().await;
    world.to_salesforce.forget();
    assert_eq!(world.pairs().await.len(), 1, "{firm} was seen");
    world.assert_quiet().await;
}
