//! A plan first, and then exactly that: nothing else is written, and what moved since is spared.

use std::sync::Arc;

use tandem::app::Step;
use tandem::clock::Chance;
use tandem::model::{BySide, PlannedWrite, Side};
use tandem::store::Store;
use tandem::sync::{Fate, Frozen, Mode, Row};

use crate::PEOPLE;
use crate::world::{Setup, World};

/// A run waits no longer than this for work that is due later.
const HORIZON_MILLIS: i64 = 3 * 60_000;

/// Steps an engine in `mode` until nothing is due, as one command does, and hands it to `look`.
pub async fn run<T>(world: &mut World, mode: Mode, look: impl FnOnce(&World) -> T) -> T {
    world.close().await;
    world.mode = mode;
    world.open().await;
    world.pass(1_000);
    loop {
        let Step::Wait(_) = world.step().await else {
            continue;
        };
        let engine = world.engine();
        let now = world.clock.now();
        let soon = now.plus_millis(HORIZON_MILLIS);
        let due = engine.next_work().await.unwrap().filter(|at| *at <= soon);
        if due.is_none() && !engine.poll_is_due().await.unwrap() {
            break;
        }
        world.pass(due.map_or(1, |at| at.millis_since(now).max(1)));
    }
    let found = look(world);
    world.close().await;
    world.mode = Mode::Write;
    found
}

/// What a run would write, found out on a copy of the store.
pub async fn plan(world: &mut World) -> Vec<PlannedWrite> {
    plan_and_calls(world).await.0
}

/// The same, with the calls that carrying it out should take.
pub async fn plan_and_calls(world: &mut World) -> (Vec<PlannedWrite>, BySide<u64>) {
    world.close().await;
    let file = world.setup.file.clone().expect("the store is in a file");
    let scratch = tempfile::tempdir().unwrap();
    let clock = world.clock.clone();
    world.store = Arc::new(Store::open("sqlite::memory:", clock.clone()).await.unwrap());
    let copy = Store::open_copy(&file, scratch.path(), clock.clone()).await;
    world.store = Arc::new(copy.unwrap());
    let found = run(world, Mode::Observe, |world| {
        let engine = world.engine();
        let tally = engine.tally();
        let (made, looking) = (engine.calls_of_sides(), engine.looking_calls());
        let calls = BySide::from_fn(|side| {
            made.get(side) - looking.get(side) + tally.forecast.calls.get(side)
        });
        (tally.planned.rows().cloned().collect(), calls)
    })
    .await;
    world.store = Arc::new(Store::open("sqlite::memory:", clock.clone()).await.unwrap());
    let back = Store::open(&file.to_string_lossy(), clock).await;
    world.store = Arc::new(back.unwrap());
    found
}

pub async fn apply(world: &mut World, plan: &[PlannedWrite]) -> Vec<Row> {
    carry_out(world, Frozen::new(plan.to_vec())).await
}

pub async fn carry_out(world: &mut World, frozen: Frozen) -> Vec<Row> {
    let rows = |world: &World| world.engine().mode().frozen().unwrap().rows().to_vec();
    run(world, Mode::Apply(frozen), rows).await
}

/// The fates of the rows that would send something.
fn fates(rows: &[Row]) -> Vec<(&str, &Fate)> {
    let rows = rows.iter().filter(|row| row.write.says());
    rows.map(|row| (row.write.rule.as_str(), &row.fate))
        .collect()
}

struct Folder {
    world: World,
    /// Goes with the world.
    _folder: tempfile::TempDir,
}

/// `pairs` people on both sides, linked and at rest, with the store in a file.
async fn people(pairs: usize) -> (Folder, Vec<(String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup {
        file: Some(folder.path().join("tandem.db")),
        ..Setup::with(&[PEOPLE])
    };
    let mut world = World::new(setup).await;
    for nth in 0..pairs {
        let mail = format!("p{nth}@example.com");
        let person = [("email", mail.as_str()), ("lastname", "Lind")];
        world.add_hubspot("contacts", &person);
        let person = [("Email", mail.as_str()), ("LastName", "Lind")];
        world.add_salesforce("Contact", &person);
    }
    world.open().await;
    world.settle().await;
    let ids = world.pairs().await;
    assert_eq!(ids.len(), pairs);
    let folder = Folder {
        world,
        _folder: folder,
    };
    (folder, ids)
}

#[tokio::test]
async fn a_plan_is_carried_out_to_the_letter_and_a_second_time_changes_nothing() {
    let (mut folder, ids) = people(3).await;
    let world = &mut folder.world;
    world.edit_hubspot("contacts", &ids[0].0, &[("jobtitle", "CEO")]);
    world.edit_salesforce(
        "Contact",
        &ids[1].1,
        &[("Title", "VP"), ("FirstName", "Ada")],
    );
    world.pass(30_000);
    let before = world.api_writes();
    let planned = plan(world).await;
    assert_eq!(world.api_writes(), before, "a plan writes nothing");
    assert_eq!(planned.len(), 3, "{planned:#?}");
    let rows = apply(world, &planned).await;
    assert!(
        rows.iter().all(|row| row.fate == Fate::Written),
        "{rows:#?}"
    );
    assert_eq!(world.api_writes(), before + 2);
    assert_eq!(world.sf("Contact", &ids[0].1, "Title"), "CEO");
    assert_eq!(world.hs("contacts", &ids[1].0, "jobtitle"), "VP");
    assert_eq!(world.hs("contacts", &ids[1].0, "firstname"), "Ada");

    let rows = apply(world, &planned).await;
    assert!(
        rows.iter().all(|row| row.fate == Fate::Already),
        "{rows:#?}"
    );
    assert_eq!(world.api_writes(), before + 2);
    world.open().await;
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_moved_since_the_plan_is_spared_and_goes_with_the_next_sync() {
    let (mut folder, ids) = people(4).await;
    let world = &mut folder.world;
    for (hubspot, _) in &ids {
        world.edit_hubspot("contacts", hubspot, &[("jobtitle", "CEO")]);
    }
    world.pass(30_000);
    let planned = plan(world).await;
    // The source moved, the destination moved, another field of a planned record moved, and a
    // record that the plan does not know of.
    world.edit_hubspot("contacts", &ids[0].0, &[("jobtitle", "CTO")]);
    world.edit_salesforce("Contact", &ids[1].1, &[("Title", "VP")]);
    world.edit_hubspot("contacts", &ids[2].0, &[("firstname", "Ada")]);
    world.add_hubspot(
        "contacts",
        &[("email", "new@example.com"), ("lastname", "New")],
    );
    world.pass(30_000);
    let rows = apply(world, &planned).await;
    let moved = |row: &Row| matches!(row.fate, Fate::Moved(_));
    let of = |id: &str| {
        let of = |row: &&Row| row.write.record.as_ref().is_some_and(|r| r.as_str() == id);
        rows.iter().find(of).unwrap()
    };
    assert!(moved(of(&ids[0].1)), "{rows:#?}");
    assert!(moved(of(&ids[1].1)), "{rows:#?}");
    assert_eq!(of(&ids[2].1).fate, Fate::Written, "{rows:#?}");
    assert_eq!(of(&ids[3].1).fate, Fate::Written, "{rows:#?}");
    assert_eq!(world.sf("Contact", &ids[0].1, "Title"), "");
    assert_eq!(world.sf("Contact", &ids[1].1, "Title"), "VP");
    assert_eq!(world.sf("Contact", &ids[2].1, "FirstName"), "");
    assert_eq!(world.salesforce_ids("Contact").len(), 4, "no other record");
    assert!(world.conflicts().await.is_empty(), "nothing lost yet");

    world.open().await;
    world.settle().await;
    assert_eq!(world.sf("Contact", &ids[0].1, "Title"), "CTO");
    assert_eq!(world.hs("contacts", &ids[1].0, "jobtitle"), "VP");
    assert_eq!(world.sf("Contact", &ids[2].1, "FirstName"), "Ada");
    assert_eq!(world.salesforce_ids("Contact").len(), 5);
    assert_eq!(world.conflicts().await.len(), 1, "CEO lost to VP");
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_a_plan_leaves_is_due_at_once_for_whoever_comes_next() {
    let (mut folder, ids) = people(1).await;
    let world = &mut folder.world;
    world.edit_hubspot("contacts", &ids[0].0, &[("jobtitle", "CEO")]);
    world.pass(30_000);
    let planned = plan(world).await;
    world.edit_hubspot("contacts", &ids[0].0, &[("jobtitle", "CTO")]);
    world.pass(30_000);
    apply(world, &planned).await;
    let again = plan(world).await;
    assert_eq!(again.len(), 1, "{again:#?}");
    assert_eq!(again[0].after["Title"].as_text(), Some("CTO"));
}

#[tokio::test]
async fn a_first_sync_is_planned_and_carried_out_with_its_links_and_new_records() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup {
        file: Some(folder.path().join("tandem.db")),
        ..Setup::with(&[PEOPLE])
    };
    let mut world = World::new(setup).await;
    let ada = world.add_hubspot(
        "contacts",
        &[
            ("email", "ada@example.com"),
            ("lastname", "Lind"),
            ("jobtitle", "CEO"),
        ],
    );
    let other = [("Email", "ada@example.com"), ("LastName", "Lind")];
    let ada_there = world.add_salesforce("Contact", &other);
    world.add_hubspot(
        "contacts",
        &[("email", "bo@example.com"), ("lastname", "Berg")],
    );
    world.add_salesforce(
        "Contact",
        &[("Email", "cy@example.com"), ("LastName", "Cole")],
    );
    world.pass(60_000);
    world.open().await;
    let planned = plan(&mut world).await;
    assert_eq!(world.api_writes(), 0);
    let creates = planned.iter().filter(|row| row.record.is_none());
    assert!(
        creates.clone().any(|row| row.side == Side::HubSpot),
        "{planned:#?}"
    );
    assert!(
        creates.clone().any(|row| row.side == Side::Salesforce),
        "{planned:#?}"
    );
    let rows = apply(&mut world, &planned).await;
    let written = |(_, fate): &(&str, &Fate)| **fate == Fate::Written;
    assert!(fates(&rows).iter().all(written), "{:#?}", fates(&rows));
    assert_eq!(world.pairs().await.len(), 3);
    assert!(world.pairs().await.contains(&(ada, ada_there.clone())));
    assert_eq!(world.sf("Contact", &ada_there, "Title"), "CEO");
    assert_eq!(world.api_writes(), 3);
    let rows = apply(&mut world, &planned).await;
    let already = |(_, fate): &(&str, &Fate)| **fate == Fate::Already;
    assert!(fates(&rows).iter().all(already), "{:#?}", fates(&rows));
    world.open().await;
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_canary_writes_that_many_records_and_the_rest_of_the_plan_stays_good() {
    let (mut folder, ids) = people(8).await;
    let world = &mut folder.world;
    for (hubspot, _) in &ids {
        let edit = [("jobtitle", "CEO"), ("firstname", "Ada")];
        world.edit_hubspot("contacts", hubspot, &edit);
    }
    world.pass(30_000);
    let planned = plan(world).await;
    let mut frozen = Frozen::new(planned.clone());
    frozen.draw(3, &Chance::seeded(5));
    let before = world.api_writes();
    let rows = carry_out(world, frozen).await;
    assert_eq!(world.api_writes(), before + 3);
    let count = |rows: &[Row], fate: Fate| rows.iter().filter(|row| row.fate == fate).count();
    assert_eq!(count(&rows, Fate::Written), 6);
    assert_eq!(count(&rows, Fate::LeftOut), 10);
    let rows = apply(world, &planned).await;
    assert_eq!(count(&rows, Fate::Already), 6);
    assert_eq!(count(&rows, Fate::Written), 10);
    assert_eq!(world.api_writes(), before + 8);
}

#[tokio::test]
async fn a_plan_says_how_many_calls_it_takes() {
    let (mut folder, ids) = people(240).await;
    let world = &mut folder.world;
    for (nth, (hubspot, salesforce)) in ids.iter().enumerate() {
        if nth % 2 == 0 {
            world.edit_hubspot("contacts", hubspot, &[("jobtitle", "CEO")]);
        } else {
            world.edit_salesforce("Contact", salesforce, &[("Title", "VP")]);
        }
    }
    for nth in 0..120 {
        let mail = format!("new{nth}@example.com");
        world.add_hubspot("contacts", &[("email", mail.as_str()), ("lastname", "New")]);
    }
    world.pass(30_000);
    let (planned, calls) = plan_and_calls(world).await;
    let used = run(world, Mode::Apply(Frozen::new(planned)), |world| {
        world.engine().calls_of_sides()
    })
    .await;
    assert_eq!(used, calls);
}

#[tokio::test]
async fn a_guard_still_holds_what_a_plan_wants() {
    let (mut folder, ids) = people(40).await;
    let world = &mut folder.world;
    for (hubspot, _) in &ids {
        world.edit_hubspot("contacts", hubspot, &[("jobtitle", "CEO")]);
    }
    world.settle().await;
    for (hubspot, _) in &ids {
        world.edit_hubspot("contacts", hubspot, &[("jobtitle", "")]);
    }
    world.pass(30_000);
    let planned = plan(world).await;
    let before = world.api_writes();
    let rows = apply(world, &planned).await;
    assert_eq!(world.api_writes(), before, "{:#?}", rows.first());
    let held = |row: &Row| matches!(&row.fate, Fate::Held(why) if why.contains("guard"));
    assert!(rows.iter().all(held), "{:#?}", rows.first());
}

#[tokio::test]
async fn a_plan_for_another_account_is_refused_before_anything_is_marked() {
    let (mut folder, ids) = people(1).await;
    let world = &mut folder.world;
    world.edit_hubspot("contacts", &ids[0].0, &[("jobtitle", "CEO")]);
    world.pass(30_000);
    let planned = plan(world).await;
    let accounts = BySide::new("1".to_owned(), "00D0".to_owned());
    world.mode = Mode::Apply(Frozen::new(planned).on(accounts));
    let error = world.start().await.unwrap_err().to_string();
    assert!(error.contains("made for HubSpot account 1"), "{error}");
    assert_eq!(world.sf("Contact", &ids[0].1, "Title"), "");
}
