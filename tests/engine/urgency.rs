//! Whose turn it is: nobody is starved, and a person is never kept waiting by a machine.

use tandem::app::Step;
use tandem::clock::Chance;
use tandem::model::{Cause, Class, MappingName, RecordId, RecordKey, Side, Task};
use tandem::pipeline::Lane;
use tandem::store::{Changes, Mark};

use crate::world::{LANE, Setup, World};
use crate::{PEOPLE, linked};

fn marks(world: &World, mapping: &str, cause: Cause, records: usize) -> Vec<Mark> {
    let key = |n: usize| RecordKey {
        mapping: MappingName::new(mapping),
        side: Side::HubSpot,
        id: RecordId::new(format!("{n}")),
    };
    let mark = |n| Mark {
        task: Task::Record(key(n)),
        cause,
        not_before: world.clock.now(),
    };
    (0..records).map(mark).collect()
}

#[tokio::test]
async fn a_replay_is_the_next_thing_done_however_much_else_is_due() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    for (cause, records) in [(Cause::Poll, 900), (Cause::Backfill, 2_000)] {
        let storm = marks(&world, "contacts", cause, records);
        let marked = world.store.mark(&world.workspace, LANE, &storm).await;
        marked.unwrap();
    }
    world.mark("contacts", Side::HubSpot, &hubspot).await;
    let Step::Worked(work) = world.step().await else {
        panic!("work is due");
    };
    assert_eq!(work.records, 1, "alone, so that it is done soon");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
}

#[tokio::test]
async fn a_backfill_gets_its_turns_while_changes_never_end_and_over_a_restart() {
    let world = World::new(Setup::with(&[PEOPLE])).await;
    world
        .store
        .ensure_workspace(&world.workspace)
        .await
        .unwrap();
    let backfill = marks(&world, "companies", Cause::Backfill, 50);
    let marked = world.store.mark(&world.workspace, LANE, &backfill).await;
    marked.unwrap();
    let mut order = Vec::new();
    for round in 0..30 {
        let (clock, chance) = (world.clock.clone(), Chance::seeded(round));
        let lane = Lane::lease(&world.store, &world.workspace, "me", &clock, &chance).await;
        let mut lane = lane.unwrap().expect("the lane is free");
        let storm = marks(&world, "contacts", Cause::Poll, 20);
        let marked = world.store.mark(&world.workspace, LANE, &storm).await;
        marked.unwrap();
        let claim = lane.claim(10, Class::Backfill).await.unwrap();
        let claim = claim.expect("work is due");
        order.push(claim.class);
        lane.had(claim.class, 10);
        let done = claim.work.iter().map(|work| lane.done(work)).collect();
        let changes = Changes {
            verdicts: done,
            lane_state: Some(String::new()),
            ..Changes::default()
        };
        lane.commit(changes).await.unwrap();
        lane.release().await.unwrap();
    }
    let turns = order.iter().filter(|class| **class == Class::Backfill);
    assert_eq!(
        turns.count(),
        5,
        "a fifth until the fifty are done: {order:?}"
    );
    assert_eq!(order[0], Class::Live);
    assert_eq!(
        order[20..25]
            .iter()
            .filter(|c| **c == Class::Backfill)
            .count(),
        1
    );
}
