//! What some work costs in calls, where the design names the price, and that the saving loses
//! nothing.

use tandem::app::Step;
use tandem::crm::ErrorKind;
use tandem::crm::salesforce::{Ask, Asked};

use crate::references::FIRMS;
use crate::world::{SHIPPED, Setup, World};
use crate::{PEOPLE, add_ada, linked};

/// Calls of one family that Salesforce has answered.
pub fn answered(world: &World, family: &str) -> u64 {
    let families = world.salesforce.counters().by_family;
    families.get(family).copied().unwrap_or_default()
}

/// The steps of one look for changes, a little time after each: kind and mapping.
pub async fn steps(world: &mut World) -> Vec<(String, String)> {
    world.pass(30_000);
    world.engine().poll_now().await.unwrap();
    let mut steps = Vec::new();
    for _ in 0..200 {
        world.pass(50);
        match world.step().await {
            Step::Worked(work) => {
                steps.push((work.kind.to_owned(), work.mapping.as_str().to_owned()));
            }
            // The limits of a CRM are waited for, the next look is not.
            Step::Wait(Some(at)) if at.millis_since(world.clock.now()) < 11_000 => {
                world.pass(1_000);
            }
            Step::Wait(_) => break,
        }
    }
    steps
}

#[tokio::test]
async fn each_mapping_is_worked_once_when_the_changes_fill_many_pages() {
    let mut world = World::with(&[FIRMS, PEOPLE]).await;
    world.settle().await;
    let firm = |nth: usize| (format!("Firm {nth}"), format!("firm{nth}.example.com"));
    for nth in 0..250 {
        let (name, domain) = firm(nth);
        world.add_hubspot("companies", &[("name", &name), ("domain", &domain)]);
    }
    for nth in 0..450 {
        let email = format!("p{nth}@example.com");
        world.add_hubspot("contacts", &[("email", &email), ("lastname", "P")]);
    }
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 700);
    world.pass(120_000);
    world.settle().await;
    for id in world.hubspot_ids("companies") {
        world.edit_hubspot("companies", &id, &[("name", "Renamed")]);
    }
    for id in world.hubspot_ids("contacts") {
        world.edit_hubspot("contacts", &id, &[("jobtitle", "CEO")]);
    }
    let steps = steps(&mut world).await;
    for mapping in ["companies", "contacts"] {
        let worked = steps
            .iter()
            .filter(|(kind, of)| kind == "record" && of == mapping);
        assert_eq!(worked.count(), 1, "{mapping}: {steps:?}");
    }
    for id in world.salesforce_ids("Contact") {
        assert_eq!(world.sf("Contact", &id, "Title"), "CEO");
    }
    world.assert_quiet().await;
}

/// A CRM tells its time to the second, and people type in the middle of one.
#[tokio::test]
async fn a_pass_of_many_pages_takes_all_that_changed_in_the_second_it_began_in() {
    let mut setup = Setup::with(&[PEOPLE]);
    setup.hubspot.search_lag_ms = 0;
    let mut world = World::new(setup).await;
    world.open().await;
    world.settle().await;
    for nth in 0..450 {
        let email = format!("p{nth}@example.com");
        world.add_hubspot("contacts", &[("email", &email), ("lastname", "P")]);
    }
    world.settle().await;
    // Quiet for so long that the next pass reads nothing but news.
    world.pass(120_000);
    world.settle().await;
    world.pass(1_100 - world.clock.now().millis() % 1_000);
    for id in world.hubspot_ids("contacts") {
        world.edit_hubspot("contacts", &id, &[("jobtitle", "CEO")]);
    }
    world.pass(700);
    world.engine().poll_now().await.unwrap();
    let mut worked = Vec::new();
    for _ in 0..100 {
        match world.step().await {
            Step::Worked(work) if work.kind == "record" => worked.push(work.records),
            Step::Worked(_) => {}
            Step::Wait(_) => world.pass(50),
        }
    }
    assert_eq!(worked, [450]);
}

#[tokio::test]
async fn what_two_polls_find_half_a_second_apart_is_one_piece_of_work() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.pass(30_000);
    world.edit_salesforce("Contact", &salesforce, &[("FirstName", "Adele")]);
    world.engine().poll_now().await.unwrap();
    let mut worked = Vec::new();
    for typed_later in [false, true] {
        if typed_later {
            world.pass(500);
            world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
            world.engine().poll_now().await.unwrap();
        }
        while let Step::Worked(work) = world.step().await {
            worked.push(work.kind);
        }
    }
    assert!(!worked.contains(&"record"), "{worked:?}");
    let Step::Wait(Some(at)) = world.step().await else {
        panic!("it is due within a second");
    };
    assert_eq!(
        at.millis_since(world.clock.now()),
        500,
        "since the first poll"
    );
    world.pass(500);
    let Step::Worked(work) = world.step().await else {
        panic!("it is due");
    };
    assert_eq!(work.kind, "record");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Adele");
    world.assert_quiet().await;
}

/// A new record on each side, while a pair of old ones is edited.
async fn busy() -> World {
    let mut world = World::with(&[PEOPLE]).await;
    let (_, ada) = add_ada(&world);
    world.settle().await;
    world.edit_salesforce("Contact", &ada, &[("Title", "CEO")]);
    let new = [("Email", "bo@example.com"), ("LastName", "Berg")];
    world.add_salesforce("Contact", &new);
    world.add_hubspot(
        "contacts",
        &[("email", "cy@example.com"), ("lastname", "Cole")],
    );
    world.pass(30_000);
    world
}

#[tokio::test]
async fn salesforce_is_asked_once_for_all_that_a_batch_must_know() {
    let mut world = busy().await;
    let (asked, queries) = (answered(&world, "composite"), answered(&world, "query"));
    steps(&mut world).await;
    assert_eq!(world.pairs().await.len(), 3);
    assert_eq!(answered(&world, "composite") - asked, 1);
    assert_eq!(answered(&world, "query") - queries, 1, "the poll itself");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_look_up_that_goes_along_finds_the_record_somebody_was_faster_to_add() {
    let mut world = busy().await;
    let org = world.salesforce.clone();
    world.to_salesforce.before("POST", "/composite", move || {
        let fields = [
            ("Email", "cy@example.com".into()),
            ("LastName", "Cole".into()),
        ];
        org.create("Contact", &fields).unwrap();
    });
    steps(&mut world).await;
    assert_eq!(world.salesforce_ids("Contact").len(), 3, "nobody twice");
    assert_eq!(world.pairs().await.len(), 3);
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_org_that_takes_no_joint_calls_is_asked_one_by_one() {
    let mut world = busy().await;
    let refusal = r#"[{"errorCode":"NOT_FOUND","message":"no such resource"}]"#;
    world
        .to_salesforce
        .answer("POST", "/composite", 404, refusal);
    steps(&mut world).await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 3);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_joint_question_without_an_answer_is_asked_again_and_costs_nothing_else() {
    for body in ["", "{}", r#"{"compositeResponse":[]}"#] {
        let mut world = busy().await;
        world.to_salesforce.spoil("POST", "/composite", 200, body);
        world.to_salesforce.lose_reply("POST", "/composite");
        steps(&mut world).await;
        world.settle().await;
        world.settle().await;
        assert_eq!(world.pairs().await.len(), 3, "{body}");
        assert_eq!(world.salesforce_ids("Contact").len(), 3, "{body}");
        world.to_salesforce.forget();
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn questions_to_salesforce_are_one_call_for_five_and_fail_one_by_one() {
    let world = World::with(&[PEOPLE]).await;
    add_ada(&world);
    let client = &world.engine().crms().salesforce;
    let fields = ["LastName".to_owned()];
    let now = world.clock.now();
    let asked = |object| {
        Ask::Changed(Asked {
            object,
            fields: &fields,
            from: now.plus_millis(-60_000),
            after: None,
            until: now.plus_millis(60_000),
            limit: 10,
        })
    };
    let before = world.salesforce.counters().total;
    let three = [asked("Contact"), asked("Account"), asked("Lead")];
    let mut pages = client.ask_all(&three).await.into_iter();
    assert_eq!(world.salesforce.counters().total - before, 1);
    let people = pages.next().unwrap().unwrap().into_page();
    assert_eq!(people.records.len(), 1);
    assert!(people.server_time.is_some());
    let accounts = pages.next().unwrap().unwrap_err();
    assert_eq!(accounts.kind, ErrorKind::UnknownField, "{accounts}");
    let leads = pages.next().unwrap().unwrap().into_page();
    assert!(leads.records.is_empty());
    let six = [(); 6].map(|()| asked("Contact"));
    for page in client.ask_all(&six).await {
        assert_eq!(page.unwrap().into_page().records.len(), 1);
    }
    assert_eq!(
        world.salesforce.counters().total - before,
        3,
        "five and one"
    );
}

#[tokio::test]
async fn which_fields_have_a_history_is_asked_along_where_both_sides_are_edited() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let kept = world.salesforce.track_history("Contact", &["Title"]);
    kept.unwrap();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("FirstName", "Adele")]);
    let (asked, queries) = (answered(&world, "composite"), answered(&world, "query"));
    steps(&mut world).await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Adele");
    let asked = answered(&world, "composite") - asked;
    assert_eq!(asked, 2, "with the read before, and with the one behind");
    assert_eq!(answered(&world, "query") - queries, 1, "the poll itself");
    world.assert_quiet().await;
}

#[tokio::test]
async fn nobody_asks_what_a_record_is_tied_to_that_was_made_a_moment_ago() {
    let mut world = World::with(&SHIPPED).await;
    world.settle().await;
    let new = [("Email", "ann@example.com"), ("LastName", "Arc")];
    let person = world.add_salesforce("Contact", &new);
    world.pass(30_000);
    let read = |world: &World| {
        let families = world.hubspot.counters().calls_by_family;
        let read = families.get("associations.batch_read");
        read.copied().unwrap_or_default()
    };
    let before = read(&world);
    steps(&mut world).await;
    let stage = world.sf("Contact", &person, "HubSpot_Lifecycle__c");
    assert_eq!(
        stage, "lead",
        "what HubSpot filled in was planned on at once"
    );
    assert_eq!(read(&world) - before, 0);
    world.assert_quiet().await;
}
