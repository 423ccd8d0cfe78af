//! The process ends at any moment: nothing is lost, nothing is done twice.

use tandem::app::{SetupError, Step};

use crate::PEOPLE;
use crate::world::{Setup, World};

async fn people(world: &World) {
    for nth in 0..6 {
        let (here, there) = (format!("h{nth}@example.com"), format!("s{nth}@example.com"));
        world.add_hubspot("contacts", &[("email", &here), ("lastname", "H")]);
        world.add_salesforce("Contact", &[("Email", &there), ("LastName", "S")]);
    }
}

async fn assert_all_paired_once(world: &mut World) {
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 12);
    assert_eq!(world.hubspot_ids("contacts").len(), 12);
    assert_eq!(world.salesforce_ids("Contact").len(), 12);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_process_that_dies_after_any_step_of_the_first_sync_loses_nothing() {
    for steps in 1..8 {
        let folder = tempfile::tempdir().unwrap();
        let file = Some(folder.path().join("tandem.db"));
        let mut world = World::new(Setup {
            file,
            ..Setup::with(&[PEOPLE])
        })
        .await;
        people(&world).await;
        world.open().await;
        for _ in 0..steps {
            if let Step::Wait(_) = world.step().await {
                world.pass(1_000);
            }
        }
        world.crash().await;
        assert_all_paired_once(&mut world).await;
    }
}

#[tokio::test]
async fn a_process_that_dies_without_an_answer_to_its_creates_makes_none_twice() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    people(&world).await;
    world.to_salesforce.lose_reply("PATCH", crate::KEYED);
    world.to_hubspot.lose_reply("POST", crate::CREATES);
    world.until_turns_are_taken().await;
    world.crash().await;
    assert_all_paired_once(&mut world).await;
}

#[tokio::test]
async fn an_attempt_cut_off_in_the_middle_of_a_request_is_taken_up_again() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    people(&world).await;
    // The request never returns; the process dies while it waits.
    let (sent, arrived) = tokio::sync::oneshot::channel::<()>();
    world
        .to_salesforce
        .before_async("PATCH", crate::KEYED, move || async move {
            sent.send(()).unwrap();
            std::future::pending::<()>().await;
        });
    world.pass(30_000);
    world.engine().poll_now().await.unwrap();
    tokio::select! {
        () = async { loop {
            if let Step::Wait(_) = world.step().await {
                world.pass(1_000);
            }
        } } => {}
        arrived = arrived => arrived.unwrap(),
    }
    world.crash().await;
    assert_all_paired_once(&mut world).await;
}

#[tokio::test]
async fn a_stop_in_good_order_needs_no_waiting() {
    let mut world = World::with(&[PEOPLE]).await;
    people(&world).await;
    world.settle().await;
    world.close().await;
    world.open().await;
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_second_engine_on_one_workspace_is_refused() {
    let world = World::with(&[PEOPLE]).await;
    let second = world.try_open().await;
    assert!(matches!(second, Err(SetupError::LaneBusy)));
}

#[tokio::test]
async fn the_store_of_another_account_is_refused_before_anything_is_written() {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    people(&world).await;
    world.open().await;
    world.settle().await;
    world.close().await;
    let mut other = Setup::with(&[PEOPLE]);
    other.hubspot.seed = 99;
    other.salesforce.seed = 99;
    let mut other = World::new(other).await;
    assert_ne!(other.hubspot.portal_id(), world.hubspot.portal_id());
    people(&other).await;
    other.store = world.store.clone();
    match other.try_open().await {
        Err(error @ SetupError::OtherAccount { .. }) => {
            assert!(error.to_string().contains("belongs to"), "{error}");
        }
        Err(error) => panic!("another refusal: {error}"),
        Ok(_) => panic!("the store of another account was taken"),
    }
    assert_eq!(other.api_writes(), 0);
}
