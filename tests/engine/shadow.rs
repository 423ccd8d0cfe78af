//! A run that only observes: nothing leaves, what would have been written is kept, and so is who
//! wrote it instead. Other hands, such as the native integration, are played by edits.

use std::collections::BTreeMap;

use tandem::crm::WriteRow;
use tandem::model::{Fields, IntentKind, Raw, RecordId, Side, Timestamp};
use tandem::store::{ShadowState, ShadowWrite};
use tandem::sync::Mode;

use crate::PEOPLE;
use crate::world::World;

const HOUR_MILLIS: i64 = 3_600_000;

async fn rows(world: &World) -> Vec<ShadowWrite> {
    let ever = (Timestamp::from_micros(0), Timestamp::from_micros(i64::MAX));
    let rows = world
        .store
        .shadow_since(&world.workspace, ever, None, None, 1_000);
    rows.await.unwrap()
}

/// The state of each row by rule; a test has one row for each.
async fn states(world: &World) -> BTreeMap<String, ShadowState> {
    let rows = rows(world).await.into_iter();
    rows.map(|row| (row.rule, row.state)).collect()
}

/// One person on both sides, linked and agreed on, watched from now on.
async fn watched() -> (World, String, String) {
    let mut world = World::with(&[PEOPLE]).await;
    world.close().await;
    world.mode = Mode::Shadow;
    let person = [("email", "ada@example.com"), ("lastname", "Lovelace")];
    let hubspot = world.add_hubspot("contacts", &person);
    let person = [("Email", "ada@example.com"), ("LastName", "Lovelace")];
    let salesforce = world.add_salesforce("Contact", &person);
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 1);
    assert_eq!(rows(&world).await, []);
    (world, hubspot, salesforce)
}

#[tokio::test]
async fn what_would_be_written_is_kept_and_nothing_is_sent() {
    let (mut world, hubspot, salesforce) = watched().await;
    world.edit_hubspot("contacts", &hubspot, &[("lastname", "King")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "LastName"), "Lovelace");
    assert_eq!(world.api_writes(), 0);
    let rows = rows(&world).await;
    let [row] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    assert_eq!(row.state, ShadowState::Open);
    assert_eq!((row.side, row.kind), (Side::Salesforce, IntentKind::Update));
    assert_eq!(row.record, RecordId::new(salesforce));
    let field = |name: &str, text: &str| Fields::from([(name.to_owned(), Raw::text(text))]);
    assert_eq!(row.before, field("LastName", "Lovelace"));
    assert_eq!(row.after, field("LastName", "King"));
}

#[tokio::test]
async fn others_that_write_the_same_are_seen_to_have_done_so() {
    let (mut world, hubspot, salesforce) = watched().await;
    world.edit_hubspot("contacts", &hubspot, &[("lastname", "King")]);
    world.settle().await;
    world.pass(4 * 60_000);
    world.edit_salesforce("Contact", &salesforce, &[("LastName", "King")]);
    world.settle().await;
    let rows = rows(&world).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].state, ShadowState::Same);
    let later = rows[0].ended_at.unwrap().millis_since(rows[0].first_at);
    assert!(later >= 4 * 60_000, "{later}");
    assert_eq!(world.api_writes(), 0);
}

#[tokio::test]
async fn others_that_write_something_else_are_named_with_their_value() {
    let (mut world, hubspot, salesforce) = watched().await;
    world.edit_hubspot("contacts", &hubspot, &[("lastname", "King")]);
    world.settle().await;
    world.edit_salesforce("Contact", &salesforce, &[("LastName", "Noel")]);
    world.settle().await;
    let rows = rows(&world).await;
    let first = rows.first().unwrap();
    assert_eq!(first.state, ShadowState::Otherwise);
    let found = first.found.as_ref().unwrap();
    assert_eq!(found.get("LastName"), Some(&Raw::text("Noel")));
    // Both sides moved now, and the policy lets Salesforce win.
    let second = &rows[1];
    assert_eq!(
        (second.side, second.state),
        (Side::HubSpot, ShadowState::Open)
    );
    assert_eq!(second.after.get("lastname"), Some(&Raw::text("Noel")));
    assert_eq!(world.conflicts().await, [], "nobody has lost anything yet");
}

#[tokio::test]
async fn an_edit_that_is_taken_back_is_no_longer_missing() {
    let (mut world, hubspot, _) = watched().await;
    world.edit_hubspot("contacts", &hubspot, &[("lastname", "King")]);
    world.settle().await;
    world.edit_hubspot("contacts", &hubspot, &[("lastname", "Lovelace")]);
    world.settle().await;
    world.pass(HOUR_MILLIS);
    world.settle().await;
    let states = states(&world).await;
    assert_eq!(
        states.values().collect::<Vec<_>>(),
        [&ShadowState::Withdrawn]
    );
}

#[tokio::test]
async fn what_nobody_wrote_stays_open_and_one_row_however_often_it_is_looked_at() {
    let (mut world, hubspot, salesforce) = watched().await;
    world.edit_hubspot("contacts", &hubspot, &[("lastname", "King")]);
    world.settle().await;
    for _ in 0..3 {
        world.pass(HOUR_MILLIS);
        world.settle().await;
        world.scan().await;
    }
    // Something else about the record moves, and then the value itself moves on.
    world.edit_salesforce("Contact", &salesforce, &[("Department", "Mathematics")]);
    world.settle().await;
    world.edit_hubspot("contacts", &hubspot, &[("lastname", "Byron")]);
    world.settle().await;
    let rows = rows(&world).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].state, ShadowState::Open);
    assert_eq!(rows[0].after.get("LastName"), Some(&Raw::text("Byron")));
}

#[tokio::test]
async fn a_record_that_others_create_is_the_one_that_would_have_been() {
    let (mut world, ..) = watched().await;
    let person = [("email", "mary@example.com"), ("lastname", "Somerville")];
    world.add_hubspot("contacts", &person);
    world.settle().await;
    let created = rows(&world).await;
    assert!(!created.is_empty());
    assert!(created.iter().all(|row| row.kind == IntentKind::Create));
    assert_eq!(world.salesforce_ids("Contact").len(), 1);
    let person = [("Email", "mary@example.com"), ("LastName", "Somerville")];
    world.add_salesforce("Contact", &person);
    world.settle().await;
    world.pass(HOUR_MILLIS);
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 2);
    let ended = rows(&world).await;
    assert!(
        ended.iter().all(|row| row.state == ShadowState::Same),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_run_that_writes_takes_over_what_nobody_wrote() {
    let (mut world, hubspot, salesforce) = watched().await;
    world.edit_hubspot("contacts", &hubspot, &[("lastname", "King")]);
    world.settle().await;
    world.close().await;
    world.mode = Mode::Write;
    world.open().await;
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "LastName"), "King");
    let states = states(&world).await;
    assert_eq!(
        states.values().collect::<Vec<_>>(),
        [&ShadowState::TakenOver]
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_restart_loses_nothing_of_what_was_observed() {
    let (mut world, hubspot, salesforce) = watched().await;
    world.edit_hubspot("contacts", &hubspot, &[("lastname", "King")]);
    world.settle().await;
    let before = rows(&world).await;
    world.crash().await;
    world.pass(120_000);
    world.open().await;
    world.settle().await;
    assert_eq!(rows(&world).await, before);
    world.edit_salesforce("Contact", &salesforce, &[("LastName", "King")]);
    world.settle().await;
    let states = states(&world).await;
    assert_eq!(states.values().collect::<Vec<_>>(), [&ShadowState::Same]);
}

#[tokio::test]
async fn the_clients_themselves_refuse_to_write_in_a_run_that_only_looks() {
    for mode in [Mode::Shadow, Mode::Observe] {
        let (mut world, hubspot, salesforce) = watched().await;
        world.close().await;
        world.mode = mode;
        world.open().await;
        for (side, object, id, name) in [
            (Side::HubSpot, "contacts", &hubspot, "lastname"),
            (Side::Salesforce, "Contact", &salesforce, "LastName"),
        ] {
            let row = WriteRow {
                trace: "1".to_owned(),
                id: Some(RecordId::new(id.as_str())),
                fields: Fields::from([(name.to_owned(), Raw::text("X"))]),
                unless_changed_since: None,
            };
            let crms = world.engine().crms();
            let calls = crms.calls();
            let answered = crms.update(side, object, &[row]).await;
            assert!(answered.iter().all(|(_, row)| row.is_err()), "{answered:?}");
            assert_eq!(crms.calls(), calls, "nothing left");
        }
        assert_eq!(world.hs("contacts", &hubspot, "lastname"), "Lovelace");
        assert_eq!(world.api_writes(), 0);
    }
}

#[tokio::test]
async fn a_plan_on_what_was_observed_has_what_nobody_wrote() {
    let (mut world, hubspot, salesforce) = watched().await;
    world.edit_hubspot("contacts", &hubspot, &[("lastname", "King")]);
    world.settle().await;
    world.close().await;
    world.mode = Mode::Observe;
    world.open().await;
    world.settle().await;
    let engine = world.engine();
    let planned: Vec<_> = engine.tally().planned.rows().cloned().collect();
    let [row] = planned.as_slice() else {
        panic!("{planned:?}")
    };
    assert_eq!(row.record, Some(RecordId::new(salesforce)));
    assert_eq!(row.after.get("LastName"), Some(&Raw::text("King")));
}
