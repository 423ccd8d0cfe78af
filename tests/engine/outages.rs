//! A CRM that is down, refuses its credentials, or asks for less: it is left alone, nothing that
//! waits is given up meanwhile, and everything arrives afterwards.

use sqlx::{Connection, SqliteConnection};
use tandem::app::Step;
use tandem::model::{ErrorClass, Side};

use crate::world::{LANE, Setup, World};
use crate::{PEOPLE, UPDATES, linked};

const DENIED: &str = r#"{"status":"error","category":"INVALID_AUTHENTICATION",
    "message":"Authentication credentials not found."}"#;
const LOCKED: &str = r#"{"status":"error","message":"locked"}"#;
const DAILY: &str = r#"{"status":"error","errorType":"RATE_LIMIT","policyName":"DAILY",
    "message":"You have reached your daily limit."}"#;
const MOVING: &str = r#"{"status":"error","message":"the account is being moved"}"#;

/// So many people on both sides, linked and at rest.
async fn crowd(people: usize) -> World {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    for n in 0..people {
        let email = format!("p{n}@example.com");
        let lastname = format!("P{n}");
        let hubspot = [("email", email.as_str()), ("lastname", lastname.as_str())];
        world.add_hubspot("contacts", &hubspot);
        let salesforce = [("Email", email.as_str()), ("LastName", lastname.as_str())];
        world.add_salesforce("Contact", &salesforce);
    }
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), people);
    world
}

fn promote_in_hubspot(world: &World, title: &str) {
    for id in world.hubspot_ids("contacts") {
        world.edit_hubspot("contacts", &id, &[("jobtitle", title)]);
    }
}

fn promote_in_salesforce(world: &World, title: &str) {
    for id in world.salesforce_ids("Contact") {
        world.edit_salesforce("Contact", &id, &[("Title", title)]);
    }
}

/// Works for so long, moving the clock to whatever is due next. Returns the number of steps.
async fn live(world: &mut World, millis: i64) -> u32 {
    let end = world.clock.now().plus_millis(millis);
    for steps in 0..(1_000 + u32::try_from(millis / 1_000).unwrap()) {
        let now = world.clock.now();
        if now >= end {
            return steps;
        }
        if let Step::Wait(until) = world.step().await {
            let wait = until.map_or(1_000, |at| at.millis_since(now) + 1);
            world.pass(wait.clamp(1, end.millis_since(now).max(1)));
        }
    }
    panic!("the loop spins");
}

async fn waiting(world: &World) -> Vec<tandem::store::Claimed> {
    let queue = world.store.queue(&world.workspace, LANE, 1_000).await;
    queue.unwrap()
}

#[tokio::test]
pub async fn a_read_that_fails_costs_only_the_records_it_asked_for() {
    let mut world = crowd(150).await;
    promote_in_salesforce(&world, "CEO");
    world
        .to_hubspot
        .answer("POST", "/contacts/batch/read", 503, "");
    world.until_turns_are_taken().await;
    let promoted = |world: &World| {
        let ids = world.hubspot_ids("contacts").into_iter();
        ids.filter(|id| world.hs("contacts", id, "jobtitle") == "CEO")
            .count()
    };
    let others = promoted(&world);
    assert!((50..=100).contains(&others), "{others} of 150");
    assert!(world.letters().await.is_empty(), "nothing is given up");
    world.settle().await;
    assert_eq!(promoted(&world), 150);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_crm_that_is_down_for_an_hour_is_hardly_asked_and_costs_no_record() {
    let mut world = crowd(150).await;
    promote_in_hubspot(&world, "CEO");
    world.engine().poll_now().await.unwrap();
    world.to_salesforce.down(503, "");
    let sent = world.to_salesforce.sent();
    live(&mut world, 3_600_000).await;
    let sent = world.to_salesforce.sent() - sent;
    assert!(sent < 100, "{sent} calls to a CRM that is down");
    let waiting = waiting(&world).await;
    let told = waiting.iter().filter_map(|work| work.failure.as_ref());
    let told: Vec<_> = told
        .filter(|failure| failure.code == "breaker-open")
        .collect();
    assert!(!told.is_empty(), "{waiting:?}");
    assert!(
        told[0].message.starts_with("Salesforce: "),
        "{}",
        told[0].message
    );
    let attempts = waiting.iter().map(|work| work.attempts).max();
    assert!(attempts < Some(11), "{attempts:?} attempts");
    assert!(world.letters().await.is_empty(), "nothing is given up");

    world.to_salesforce.up();
    live(&mut world, 1_800_000).await;
    for id in world.salesforce_ids("Contact") {
        assert_eq!(world.sf("Contact", &id, "Title"), "CEO");
    }
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_outage_is_known_to_the_process_that_comes_next() {
    let mut world = crowd(60).await;
    promote_in_salesforce(&world, "CEO");
    for _ in 0..1_000 {
        world.to_hubspot.answer("POST", UPDATES, 503, "");
    }
    world.engine().poll_now().await.unwrap();
    let before = world.to_hubspot.waiting();
    live(&mut world, 50_000).await;
    let left = world.to_hubspot.waiting();
    assert!(before - left >= 20, "only {} writes failed", before - left);
    // The next process comes when the first look is due. It goes well, because reading works; one
    // write shows that writing does not, where a process that knows nothing would try all sixty.
    world.crash().await;
    live(&mut world, 40_000).await;
    let tried = left - world.to_hubspot.waiting();
    assert!(tried <= 1, "{tried} writes");
    world.to_hubspot.forget();
    live(&mut world, 1_800_000).await;
    for id in world.hubspot_ids("contacts") {
        assert_eq!(world.hs("contacts", &id, "jobtitle"), "CEO");
    }
    world.assert_quiet().await;
}

#[tokio::test]
async fn refused_credentials_stop_all_calls_but_a_look_now_and_then_until_somebody_renews_them() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.down(401, DENIED);
    world.engine().poll_now().await.unwrap();
    let sent = world.to_hubspot.sent();
    live(&mut world, 3_600_000).await;
    let sent = world.to_hubspot.sent() - sent;
    assert!(
        (2..=14).contains(&sent),
        "{sent} calls with refused credentials"
    );
    assert!(world.engine().auth_failure().is_some());
    let told = waiting(&world).await;
    let told = told.iter().filter_map(|work| work.failure.as_ref());
    let told: Vec<_> = told
        .filter(|failure| failure.class == ErrorClass::Auth)
        .collect();
    assert!(told[0].message.contains("renew"), "{}", told[0].message);
    world.to_hubspot.up();
    live(&mut world, 1_200_000).await;
    assert!(world.engine().auth_failure().is_none(), "it is over");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_lock_is_waited_for_and_the_next_calls_carry_less() {
    let mut world = crowd(100).await;
    promote_in_salesforce(&world, "CEO");
    let before = world.hubspot.counters().calls_by_family;
    let count = |calls: &std::collections::BTreeMap<String, u64>| -> u64 {
        let updates = calls.iter().filter(|(name, _)| name.contains("update"));
        updates.map(|(_, calls)| *calls).sum()
    };
    world.to_hubspot.answer("POST", UPDATES, 423, LOCKED);
    let locked = world.clock.now();
    world.settle().await;
    let updates = count(&world.hubspot.counters().calls_by_family) - count(&before);
    assert!(updates >= 2, "{updates} calls for a hundred rows");
    for id in world.hubspot_ids("contacts") {
        assert_eq!(world.hs("contacts", &id, "jobtitle"), "CEO");
        let record = world.hubspot.record("contacts", &id).unwrap();
        assert!(record.updated_at.millis_since(locked) >= 2_000, "too soon");
    }
    world.assert_quiet().await;
}

/// The day ends at midnight of the account's own time zone, half a day away.
#[tokio::test]
async fn a_daily_limit_is_waited_for_to_its_reset_and_costs_no_attempt() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.down(429, DAILY);
    world.engine().poll_now().await.unwrap();
    let sent = world.to_hubspot.sent();
    live(&mut world, 3_600_000).await;
    assert_eq!(
        world.to_hubspot.sent() - sent,
        1,
        "the first refusal is enough"
    );
    let left = waiting(&world).await;
    assert!(left.iter().all(|work| work.attempts == 0), "{left:?}");
    let told = left.iter().filter_map(|work| work.failure.as_ref());
    assert!(
        told.into_iter()
            .any(|failure| failure.code == "daily-limit"),
        "{left:?}"
    );
    // A person who asks now is told so, and is not refused for good.
    world.mark("contacts", Side::Salesforce, &salesforce).await;
    live(&mut world, 60_000).await;
    assert_eq!(world.to_hubspot.sent() - sent, 1);
    world.to_hubspot.up();
    world.pass(20 * 3_600_000);
    live(&mut world, 1_800_000).await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_account_that_is_being_moved_is_left_alone_and_its_owner_told() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.down(477, MOVING);
    world.engine().poll_now().await.unwrap();
    let sent = world.to_hubspot.sent();
    live(&mut world, 14 * 60_000).await;
    assert_eq!(world.to_hubspot.sent() - sent, 1);
    let left = waiting(&world).await;
    let told = left.iter().filter_map(|work| work.failure.as_ref());
    let told: Vec<_> = told
        .filter(|failure| failure.code == "account-moving")
        .collect();
    assert!(told[0].message.contains("moving the account"), "{left:?}");
    world.to_hubspot.up();
    live(&mut world, 1_800_000).await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

/// Rows 2, 5 and 15 of the fault catalogue: the write was done, and nobody was told.
#[tokio::test]
pub async fn a_write_whose_reply_is_lost_in_any_way_is_not_sent_again() {
    for (status, body) in [
        (504, ""),
        (524, ""),
        (500, ""),
        (200, "{\"results\":[{\"id\":"),
    ] {
        let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
        world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
        world.to_hubspot.spoil("POST", UPDATES, status, body);
        let before = world.api_writes();
        world.until_turns_are_taken().await;
        assert_eq!(
            open_intents(&world).await,
            1,
            "{status}: open until it is known"
        );
        world.settle().await;
        assert_eq!(world.api_writes(), before + 1, "{status}: written twice");
        assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
        world.assert_quiet().await;
    }
}

/// Row 3: what has not arrived may still arrive, for as long as HubSpot works on a request.
#[tokio::test]
pub async fn a_write_that_may_still_land_is_neither_judged_nor_repeated() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.answer("POST", UPDATES, 524, "");
    let before = world.api_writes();
    world.until_turns_are_taken().await;
    live(&mut world, 110_000).await;
    assert_eq!(open_intents(&world).await, 1, "judged too early");
    assert_eq!(world.api_writes(), before, "repeated too early");
    live(&mut world, 120_000).await;
    assert_eq!(world.api_writes(), before + 1);
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

async fn open_intents(world: &World) -> usize {
    let open = world.store.open_intents(&world.workspace).await;
    open.unwrap().len()
}

/// Rows 86 and 87: the disk is full when a write has been made and is to be noted.
#[tokio::test]
async fn a_store_that_cannot_store_stops_the_step_and_the_work_goes_on_when_it_can_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let mut setup = Setup::with(&[PEOPLE]);
    setup.file = Some(path.clone());
    let mut world = World::new(setup).await;
    let (hubspot, salesforce) = crate::add_ada(&world);
    world.open().await;
    world.settle().await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    let url = format!("sqlite://{}", path.display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON journal \
        BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
    sqlx::raw_sql(full).execute(&mut other).await.unwrap();
    let before = world.api_writes();
    world.pass(30_000);
    world.engine().poll_now().await.unwrap();
    let mut failed = 0;
    for _ in 0..40 {
        match world.try_step().await {
            Ok(_) => world.pass(1_000),
            Err(error) => {
                failed += 1;
                assert!(error.to_string().contains("disk is full"), "{error}");
            }
        }
    }
    assert!(failed > 0, "the store never failed");
    let again = "DROP TRIGGER full";
    sqlx::raw_sql(again).execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert_eq!(world.api_writes(), before + 1, "written once");
    world.assert_quiet().await;
}
