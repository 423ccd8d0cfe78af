//! What a poll may be shown too late, or shown although it is over: second looks and stale rows.

use tandem::app::{Step, Work};
use tandem::model::{MappingName, Presence, Raw, Record, RecordId, Side};
use tandem::pipeline::Decided;

use crate::world::{Setup, World};
use crate::{PEOPLE, add_ada};

/// A look for changes and what follows from it at once.
async fn look(world: &mut World) -> Vec<Work> {
    world.engine().poll_now().await.unwrap();
    let mut works = Vec::new();
    loop {
        match world.step().await {
            Step::Worked(work) => works.push(work),
            Step::Wait(Some(at)) if at.millis_since(world.clock.now()) < 2_000 => world.pass(100),
            Step::Wait(_) => return works,
        }
    }
}

fn of<'a>(works: &'a [Work], kind: &'a str) -> impl Iterator<Item = &'a Work> {
    works.iter().filter(move |work| work.kind == kind)
}

#[tokio::test]
async fn what_a_search_still_shows_from_before_our_write_is_not_worked_again() {
    let mut setup = Setup::with(&[PEOPLE]);
    setup.hubspot.search_lag_ms = 10_000;
    let mut world = World::new(setup).await;
    let (hubspot, salesforce) = add_ada(&world);
    world.open().await;
    world.settle().await;
    world.pass(120_000);
    look(&mut world).await;

    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "VP")]);
    world.pass(11_000);
    let works = look(&mut world).await;
    assert_eq!(of(&works, "record").count(), 1);
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "VP");

    world.pass(2_000);
    let works = look(&mut world).await;
    let polls = of(&works, "poll").filter(|work| work.side == Side::HubSpot);
    let shown: Vec<u64> = polls.map(|work| work.records).collect();
    assert_eq!(shown, [1], "she is still the CEO there");
    assert_eq!(of(&works, "record").count(), 0, "{works:?}");

    // The same value once more is an edit like any other.
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.pass(11_000);
    let works = look(&mut world).await;
    assert_eq!(of(&works, "record").count(), 1);
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn only_the_very_state_that_was_decided_on_is_no_news_and_for_a_minute() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let now = world.clock.now();
    let bound = &world.engine().site().mappings[&MappingName::new("contacts")];
    let read = Record {
        id: RecordId::new("1"),
        fields: [("jobtitle".to_owned(), Raw::text("CEO"))].into(),
        modified_at: Some(now),
        created_at: None,
        presence: Presence::Live,
    };
    let decided = Decided::default();
    decided.note(bound, std::iter::once(&read), now);
    let is_news = |record: Record, later| {
        let now = now.plus_millis(later);
        decided.among(bound, &[record], now).is_empty()
    };
    let edited = Record {
        fields: [("jobtitle".to_owned(), Raw::text("VP"))].into(),
        ..read.clone()
    };
    let touched = Record {
        modified_at: Some(now.plus_millis(1)),
        ..read.clone()
    };
    let gone = Record {
        presence: Presence::Deleted,
        ..read.clone()
    };
    assert!(is_news(edited, 0));
    assert!(is_news(touched, 0));
    assert!(is_news(gone, 0));
    assert!(!is_news(read.clone(), 59_000));
    assert!(is_news(read, 60_000));
}

#[tokio::test]
async fn news_does_not_wait_for_a_long_second_look() {
    let mut setup = Setup::with(&[PEOPLE]);
    setup.hubspot.search_lag_ms = 0;
    let mut world = World::new(setup).await;
    let (hubspot, salesforce) = add_ada(&world);
    world.open().await;
    world.settle().await;
    for nth in 0..650 {
        let email = format!("p{nth}@example.com");
        world.add_hubspot("contacts", &[("email", &email), ("lastname", "P")]);
    }
    look(&mut world).await;
    world.pass(65_000);
    world.engine().poll_now().await.unwrap();
    let mut steps = 0;
    while !matches!(world.step().await, Step::Worked(work) if work.kind == "reread") {
        world.pass(100);
        steps += 1;
        assert!(steps < 100, "650 new people are read once more");
    }
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    let works = look(&mut world).await;
    let news = |work: &Work| work.kind == "poll" && work.side == Side::HubSpot;
    let at = works.iter().position(news).expect("it was asked for");
    assert!(of(&works[..at], "reread").count() <= 1, "{works:?}");
    assert!(of(&works[at..], "reread").count() >= 1, "{works:?}");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    world.assert_quiet().await;
}
