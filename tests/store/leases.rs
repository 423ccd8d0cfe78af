//! Leases: one owner at a time, and a stale one can store nothing.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tandem::model::Verdict;
use tandem::store::{Changes, StoreError};

use crate::fixture::{Fixture, LANE, judged, link, linked, on_both, open, polled};

on_both!(
    a_lane_has_one_owner,
    a_free_lane_can_be_taken_and_its_state_goes_along,
    a_lane_stolen_between_check_and_commit_stores_nothing,
    a_lease_can_be_renewed_until_somebody_else_came,
    giving_back_a_lost_lease_disturbs_nobody,
    lanes_do_not_disturb_each_other,
);

async fn a_lane_has_one_owner(f: Fixture) {
    let lease = f.lease().await;
    assert_eq!(
        (lease.epoch(), lease.owner(), lease.state()),
        (1, "me", "{}")
    );
    let other = f.store.lease(&f.ws, LANE, "other", 1_000).await.unwrap();
    assert!(other.is_none());
    let same_name = f.store.lease(&f.ws, LANE, "me", 1_000).await.unwrap();
    assert!(same_name.is_none(), "a name is no proof of the lease");
}

async fn a_free_lane_can_be_taken_and_its_state_goes_along(f: Fixture) {
    let lease = f.lease().await;
    let lane_state = Some("{\"gate\":1}".to_owned());
    f.apply(
        &lease,
        Changes {
            lane_state,
            ..Changes::default()
        },
    )
    .await;
    f.apply(&lease, Changes::default()).await;
    f.store.release(lease).await.unwrap();
    let next = f
        .store
        .lease(&f.ws, LANE, "other", 1_000)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((next.epoch(), next.state()), (2, "{\"gate\":1}"));
    let seen = f.store.lane_state(&f.ws, LANE).await.unwrap();
    assert_eq!(seen.as_deref(), Some("{\"gate\":1}"));
}

/// A lease of no length runs out at once by any clock.
async fn a_lane_stolen_between_check_and_commit_stores_nothing(f: Fixture) {
    f.mark(&[polled("1")]).await;
    let stale = f.store.lease(&f.ws, LANE, "me", 0).await.unwrap().unwrap();
    let claimed = f.claim(&stale).await;
    let thief = f
        .store
        .lease(&f.ws, LANE, "me", 60_000)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(thief.epoch(), stale.epoch() + 1);
    let changes = Changes {
        verdicts: vec![judged(&claimed[0], Verdict::Done)],
        lane_state: Some("{\"mine\":true}".to_owned()),
        ..linked(vec![link("lnk_1", "1", "a")])
    };
    let refused = f.refused(&stale, changes.clone()).await;
    assert!(matches!(refused, StoreError::LeaseLost { .. }), "{refused}");
    assert_eq!(f.queue().await, claimed);
    assert_eq!(
        f.store
            .links_by_id(&f.ws, &[changes.links[0].id.clone()])
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        f.store.lane_state(&f.ws, LANE).await.unwrap().as_deref(),
        Some("{}")
    );
    f.apply(&thief, changes).await;
    assert_eq!(f.queue().await, []);
}

async fn a_lease_can_be_renewed_until_somebody_else_came(f: Fixture) {
    let mut lease = f.store.lease(&f.ws, LANE, "me", 0).await.unwrap().unwrap();
    assert_eq!(lease.until(), f.clock.now());
    f.store.renew(&mut lease, 60_000).await.unwrap();
    assert_eq!(lease.until(), f.clock.now().plus_millis(60_000));
    assert!(
        f.store
            .lease(&f.ws, LANE, "other", 1_000)
            .await
            .unwrap()
            .is_none()
    );
    f.store.renew(&mut lease, 0).await.unwrap();
    f.store
        .lease(&f.ws, LANE, "other", 60_000)
        .await
        .unwrap()
        .unwrap();
    let lost = f.store.renew(&mut lease, 60_000).await.unwrap_err();
    assert!(matches!(lost, StoreError::LeaseLost { .. }));
}

async fn giving_back_a_lost_lease_disturbs_nobody(f: Fixture) {
    let stale = f.store.lease(&f.ws, LANE, "me", 0).await.unwrap().unwrap();
    let thief = f
        .store
        .lease(&f.ws, LANE, "other", 60_000)
        .await
        .unwrap()
        .unwrap();
    f.store.release(stale).await.unwrap();
    f.apply(&thief, linked(vec![link("lnk_1", "1", "a")])).await;
}

async fn lanes_do_not_disturb_each_other(f: Fixture) {
    f.mark(&[polled("1")]).await;
    f.store
        .mark(&f.ws, "dest/slack", &[polled("2")])
        .await
        .unwrap();
    let sync = f.lease().await;
    let dest = f
        .store
        .lease(&f.ws, "dest/slack", "me", 1_000)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(f.claim(&sync).await[0].task.record_id(), "1");
    assert_eq!(f.claim(&dest).await[0].task.record_id(), "2");
    let claimed = f.claim(&dest).await;
    f.judge(&sync, &claimed, &Verdict::Done).await;
    assert_eq!(
        f.claim(&dest).await,
        claimed,
        "a verdict reaches its own lane only"
    );
}

/// A process that is stopped in the middle of a commit, as by a hypervisor: its transaction stays
/// open, and in it the lane's row is locked.
#[tokio::test]
async fn a_process_that_stands_still_in_a_commit_keeps_nobody_from_its_lane() {
    let Some(url) = crate::postgres::database().await else {
        return;
    };
    let (frozen, other) = (open(&url).await, open(&url).await);
    let mut looking = PgConnection::connect(&url).await.unwrap();
    let lease = frozen.store.lease(&frozen.ws, LANE, "me", 0).await.unwrap();
    let lease = lease.expect("the lane is free");
    let changes = Changes {
        lane_state: Some("{}".to_owned()),
        marks: vec![polled("1")],
        ..Changes::default()
    };
    let mut commit = Box::pin(frozen.store.commit(&lease, changes));
    // A lock on the marks is where the commit is caught: by then it has locked its lane.
    let mut barrier = looking.begin().await.unwrap();
    run(&mut barrier, "LOCK TABLE marks IN EXCLUSIVE MODE").await;
    while !is_seen(
        &mut barrier,
        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'marks'::regclass)",
    )
    .await
    {
        let step = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context).is_ready()));
        assert!(!step.await, "it waits for the marks");
    }
    barrier.rollback().await.unwrap();
    // Nobody reads what the database answers it, and its transaction stays open.
    while !is_seen(
        &mut looking,
        "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
         AND state = 'idle in transaction' AND backend_xid IS NOT NULL)",
    )
    .await
    {
        tokio::task::yield_now().await;
    }
    let taken = other.store.lease(&other.ws, LANE, "other", 60_000);
    let taken = tokio::time::timeout(Duration::from_secs(30), taken).await;
    let taken = taken.expect("it is not kept waiting for ever").unwrap();
    assert_eq!(taken.map(|lease| lease.epoch()), Some(2));
    // It wakes, and has lost the lane.
    assert!(matches!(commit.await, Err(StoreError::LeaseLost { .. })));
    assert_eq!(other.queue().await.len(), 0, "nothing of it was stored");
}

async fn run(database: &mut PgConnection, statement: &'static str) {
    sqlx::query(statement).execute(database).await.unwrap();
}

async fn is_seen(database: &mut PgConnection, question: &'static str) -> bool {
    let seen = sqlx::query_scalar(question).fetch_one(database);
    seen.await.unwrap()
}
