//! A run is taken back: what it replaced comes back, what people did since stays, and nothing of it
//! is written again.

use std::collections::BTreeMap;

use tandem::app::{self, Spared, Undo};
use tandem::mapping::{Mapping, SourceFile, load};
use tandem::model::{HoldReason, PlannedWrite, RecordId, RunId, Timestamp};
use tandem::store::WritesOf;
use tandem::sync::{Fate, Frozen, Mode, Row};

use crate::office::{Office, hubspot_deal, opportunity};
use crate::planned::run;
use crate::world::World;
use crate::{PEOPLE, linked};

/// What is to be taken back: one run.
pub fn of_run(world: &World, id: &RunId) -> Undo {
    Undo {
        of: WritesOf {
            run: Some(id.clone()),
            from: Timestamp::from_micros(0),
            until: world.clock.now(),
        },
        mapping: None,
        rule: None,
        record: None,
        archive_created: false,
    }
}

fn mappings(world: &World) -> Vec<Mapping> {
    let files = world.setup.mappings.iter().enumerate();
    let files: Vec<SourceFile> = files
        .map(|(nth, text)| SourceFile {
            path: format!("{nth}.yaml"),
            text: text.clone(),
        })
        .collect();
    load(&files, &BTreeMap::new()).unwrap().mappings
}

pub async fn plan(world: &World, undo: &Undo) -> (Vec<PlannedWrite>, Vec<Spared>) {
    let mappings = mappings(world);
    let found = app::undo(&world.store, &world.workspace, undo, &mappings).await;
    found.unwrap()
}

/// Takes back; answers the rows and the run that did it.
pub async fn take_back(world: &mut World, undo: &Undo) -> (Vec<Row>, RunId) {
    let (writes, _) = plan(world, undo).await;
    run(world, Mode::Apply(Frozen::new(writes)), |world| {
        let engine = world.engine();
        let rows = engine.mode().frozen().unwrap().rows().to_vec();
        (rows, engine.site().run.clone())
    })
    .await
}

fn this_run(world: &World) -> RunId {
    world.engine().site().run.clone()
}

/// Ada, linked and at rest, and a run under way that has done nothing yet.
async fn ada() -> (World, String, String) {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.close().await;
    world.open().await;
    (world, hubspot, salesforce)
}

#[tokio::test]
async fn what_a_run_replaced_comes_back_and_is_not_written_again() {
    let (mut world, hubspot, salesforce) = ada().await;
    let run = this_run(&world);
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", "CEO"), ("firstname", "Adele")],
    );
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    let before = world.api_writes();
    let undo = of_run(&world, &run);
    let (rows, _) = take_back(&mut world, &undo).await;
    assert!(
        rows.iter().all(|row| row.fate == Fate::Written),
        "{rows:#?}"
    );
    assert_eq!(world.api_writes(), before + 1);
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CTO");
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Ada");
    assert_eq!(
        world.hs("contacts", &hubspot, "jobtitle"),
        "CEO",
        "the edit stays"
    );
    let holds = world.holds().await;
    assert!(
        holds.iter().all(|hold| hold.reason == HoldReason::Undone),
        "{holds:#?}"
    );
    assert_eq!(holds.len(), 2);
    world.open().await;
    world.assert_quiet().await;
    assert!(world.letters().await.is_empty());
}

#[tokio::test]
async fn an_edit_after_an_undo_travels_as_ever() {
    let (mut world, hubspot, salesforce) = ada().await;
    let run = this_run(&world);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    let undo = of_run(&world, &run);
    take_back(&mut world, &undo).await;
    world.open().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "COO")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "COO");
    assert!(world.holds().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_somebody_made_of_a_value_since_is_spared() {
    let (mut world, hubspot, salesforce) = ada().await;
    let run = this_run(&world);
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", "CEO"), ("firstname", "Adele")],
    );
    world.settle().await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "VP")]);
    let undo = of_run(&world, &run);
    let (rows, _) = take_back(&mut world, &undo).await;
    let fate = |rule: &str| &rows.iter().find(|row| row.write.rule == rule).unwrap().fate;
    assert!(matches!(fate("jobtitle"), Fate::Moved(_)), "{rows:#?}");
    assert_eq!(*fate("firstname"), Fate::Written);
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "VP");
    world.open().await;
    world.settle().await;
    assert_eq!(
        world.hs("contacts", &hubspot, "jobtitle"),
        "VP",
        "the later edit travels"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_undo_is_a_run_and_can_be_undone() {
    let (mut world, hubspot, salesforce) = ada().await;
    let run = this_run(&world);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    let undo = of_run(&world, &run);
    let (_, undone) = take_back(&mut world, &undo).await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CTO");
    let undo = of_run(&world, &undone);
    let (rows, _) = take_back(&mut world, &undo).await;
    assert!(
        rows.iter().all(|row| row.fate == Fate::Written),
        "{rows:#?}"
    );
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert!(world.holds().await.is_empty(), "{:#?}", world.holds().await);
    world.open().await;
    world.assert_quiet().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
}

#[tokio::test]
async fn several_writes_go_back_to_what_was_there_before_the_first() {
    let (mut world, hubspot, salesforce) = ada().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "One")]);
    world.settle().await;
    let run = this_run(&world);
    world.close().await;
    world.open().await;
    let second = this_run(&world);
    assert_ne!(run, second);
    for title in ["Two", "Three"] {
        world.edit_hubspot("contacts", &hubspot, &[("jobtitle", title)]);
        world.settle().await;
    }
    let undo = of_run(&world, &second);
    take_back(&mut world, &undo).await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "One");
    world.open().await;
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_first_sync_that_filled_blanks_is_taken_back_and_rests() {
    let mut world = World::with(&[PEOPLE]).await;
    let run = this_run(&world);
    let hubspot = world.add_hubspot(
        "contacts",
        &[
            ("email", "ada@example.com"),
            ("lastname", "Lind"),
            ("jobtitle", "CEO"),
        ],
    );
    let there = [
        ("Email", "ada@example.com"),
        ("LastName", "Lind"),
        ("FirstName", "Ada"),
    ];
    let salesforce = world.add_salesforce("Contact", &there);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Ada");
    let undo = of_run(&world, &run);
    let (rows, _) = take_back(&mut world, &undo).await;
    assert!(
        rows.iter().all(|row| row.fate == Fate::Written),
        "{rows:#?}"
    );
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "");
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "");
    world.open().await;
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_created_record_goes_only_when_asked_and_only_while_nobody_touched_it() {
    let mut world = World::with(&[PEOPLE]).await;
    let run = this_run(&world);
    let mails = ["ada@example.com", "bo@example.com"];
    for mail in mails {
        world.add_hubspot("contacts", &[("email", mail), ("lastname", "Lind")]);
    }
    world.settle().await;
    let created = world.salesforce_ids("Contact");
    assert_eq!(created.len(), 2);
    let mut undo = of_run(&world, &run);
    let (writes, spared) = plan(&world, &undo).await;
    assert!(writes.is_empty(), "{writes:#?}");
    assert_eq!(spared.len(), 2);
    assert!(spared[0].why.contains("--archive-created"), "{spared:#?}");

    world.edit_salesforce("Contact", &created[0], &[("Title", "VP")]);
    undo.archive_created = true;
    let (rows, _) = take_back(&mut world, &undo).await;
    assert_eq!(
        world.salesforce_ids("Contact"),
        [created[0].clone()],
        "{rows:#?}"
    );
    assert_eq!(world.hubspot_ids("contacts").len(), 2, "the sources stay");
    world.open().await;
    world.settle().await;
    world.scan().await;
    assert_eq!(
        world.salesforce_ids("Contact").len(),
        1,
        "it is not made again"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_undo_can_be_narrowed_to_a_rule_or_a_record() {
    let (mut world, hubspot, salesforce) = ada().await;
    let run = this_run(&world);
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", "CEO"), ("firstname", "Adele")],
    );
    world.settle().await;
    let mut undo = of_run(&world, &run);
    undo.record = Some(RecordId::new("nobody"));
    assert!(plan(&world, &undo).await.0.is_empty());
    undo.record = Some(RecordId::new(&salesforce));
    undo.rule = Some("jobtitle".to_owned());
    let (rows, _) = take_back(&mut world, &undo).await;
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CTO");
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Adele");
}

#[tokio::test]
async fn a_conflict_that_a_run_decided_goes_back_to_both_values() {
    let (mut world, hubspot, salesforce) = ada().await;
    let run = this_run(&world);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "VP")]);
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "VP");
    let undo = of_run(&world, &run);
    take_back(&mut world, &undo).await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "VP");
    world.open().await;
    world.assert_quiet().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
}

#[tokio::test]
async fn roles_that_a_run_gave_and_took_are_taken_and_given_back_one_by_one() {
    let mut office = Office::with_roles(4).await;
    office.world.close().await;
    office.world.open().await;
    let run = this_run(&office.world);
    // The run takes the role of the first deal in Salesforce, and gives one there for a new deal.
    office.unlabel(0);
    let (hubspot, salesforce) = (
        hubspot_deal(&office.world, "New"),
        opportunity(&office.world, "New"),
    );
    office.deals.push((hubspot, salesforce));
    office.world.settle().await;
    office.label(4);
    office.world.scan().await;
    let after = vec![1, 2, 3, 4];
    assert_eq!(office.decides(), (after.clone(), after.clone()));
    let undo = of_run(&office.world, &run);
    let (rows, _) = take_back(&mut office.world, &undo).await;
    assert!(!rows.is_empty());
    let (hubspot, salesforce) = office.decides();
    assert!(
        salesforce.contains(&0),
        "the role is given back: {salesforce:?}"
    );
    assert!(
        !salesforce.contains(&4),
        "the new one is taken back: {salesforce:?}"
    );
    assert!(!hubspot.contains(&0) && hubspot.contains(&4), "{hubspot:?}");
    let before = office.world.api_writes();
    office.world.open().await;
    office.world.settle().await;
    office.world.scan().await;
    assert_eq!(office.world.api_writes(), before, "nothing is echoed");
}

#[tokio::test]
async fn a_set_that_somebody_changed_since_is_spared_as_a_whole() {
    let mut office = Office::with_roles(2).await;
    office.world.close().await;
    office.world.open().await;
    let run = this_run(&office.world);
    office.unlabel(0);
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![1], vec![1]));
    office.world.close().await;
    office.world.pass(1_000);
    office.world.open().await;
    assert_ne!(this_run(&office.world), run);
    office.take_role(1);
    office.world.scan().await;
    let undo = of_run(&office.world, &run);
    let now = office.decides();
    assert_eq!(now, (vec![], vec![]));
    let (rows, _) = take_back(&mut office.world, &undo).await;
    let spared = |row: &Row| !matches!(row.fate, Fate::Written | Fate::Already);
    assert!(!rows.is_empty() && rows.iter().all(spared), "{rows:?}");
    assert_eq!(office.decides(), now);
}
