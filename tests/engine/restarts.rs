//! The process ends at any moment: nothing is lost, nothing is done twice.

use tandem::app::{SetupError, Step};

use crate::PEOPLE;
use crate::wire::Cut;
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

/// Three linked people, edited and added to on both sides, not looked at yet.
async fn busy() -> (World, [(String, String); 3]) {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    for nth in 0..3 {
        let email = format!("old{nth}@example.com");
        world.add_hubspot("contacts", &[("email", &email), ("lastname", "Old")]);
        world.add_salesforce("Contact", &[("Email", &email), ("LastName", "Old")]);
    }
    world.open().await;
    world.settle().await;
    let pairs: [(String, String); 3] = world.pairs().await.try_into().unwrap();
    world.edit_hubspot("contacts", &pairs[0].0, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &pairs[1].1, &[("Title", "CFO")]);
    world.edit_hubspot("contacts", &pairs[2].0, &[("jobtitle", "Both")]);
    world.edit_salesforce("Contact", &pairs[2].1, &[("FirstName", "Bo")]);
    world.add_hubspot("contacts", &[("email", "h@example.com"), ("lastname", "H")]);
    world.add_salesforce("Contact", &[("Email", "s@example.com"), ("LastName", "S")]);
    (world, pairs)
}

async fn assert_nothing_lost(world: &mut World, pairs: &[(String, String); 3], cut: &str) {
    let sizes = (
        world.hubspot_ids("contacts").len(),
        world.salesforce_ids("Contact").len(),
    );
    assert_eq!(
        sizes,
        (5, 5),
        "{cut}: a record is missing or was made twice"
    );
    assert_eq!(world.pairs().await.len(), 5, "{cut}");
    for (nth, title) in ["CEO", "CFO", "Both"].into_iter().enumerate() {
        let (here, there) = &pairs[nth];
        assert_eq!(world.hs("contacts", here, "jobtitle"), title, "{cut}");
        assert_eq!(world.sf("Contact", there, "Title"), title, "{cut}");
    }
    assert_eq!(
        world.hs("contacts", &pairs[2].0, "firstname"),
        "Bo",
        "{cut}"
    );
    assert!(
        world.letters().await.is_empty(),
        "{cut}: {:?}",
        world.letters().await
    );
    assert!(world.holds().await.is_empty(), "{cut}");
    assert!(
        world.conflicts().await.is_empty(),
        "{cut}: nothing conflicted"
    );
    assert_eq!(world.noop_writes(), 0, "{cut}: something was written twice");
    world.assert_nothing_open().await;
}

#[tokio::test]
async fn a_process_that_dies_at_any_request_of_a_pass_loses_nothing() {
    for arrives in [false, true] {
        for after in 0..60 {
            let (mut world, pairs) = busy().await;
            let wire = world.to_hubspot.clone();
            wire.cut(Some(Cut { after, arrives }));
            let is_dead = tokio::select! {
                () = wire.died() => true,
                () = world.settle() => false,
            };
            wire.cut(None);
            if !is_dead {
                assert!(after > 10, "the pass has more requests than {after}");
                break;
            }
            world.crash().await;
            world.settle().await;
            assert_nothing_lost(&mut world, &pairs, &format!("cut {after}, {arrives}")).await;
        }
    }
}
