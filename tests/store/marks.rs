//! Marks: nothing that changed is ever forgotten, and nothing waits that need not.

use std::sync::atomic::{AtomicU32, Ordering};

use tandem::model::{Cause, Class, ErrorClass, Side, Task, Timestamp, Verdict};
use tandem::store::{Changes, Claimed, Mark, Standing, Turn};

use crate::fixture::{
    Fixture, START, contacts, failure, judged, key, link, linked, mark, on_both, polled, record,
    retry,
};

on_both!(
    fifty_changes_are_one_piece_of_work,
    a_change_during_the_attempt_is_attempted_again,
    a_dead_record_that_changed_meanwhile_gets_another_chance,
    the_most_urgent_work_comes_first_and_by_mapping,
    a_class_whose_turn_it_is_comes_first_and_takes_along_only_its_riders,
    what_is_due_in_a_moment_goes_along_unless_it_failed,
    work_that_failed_takes_the_turns_of_retries_until_it_is_marked_again,
    a_chore_is_claimed_alone,
    work_that_is_not_due_waits,
    a_retry_waits_and_counts,
    a_new_change_ends_a_back_off_but_never_a_rate_limit,
    only_a_person_forgives_attempts,
    a_blocked_record_wakes_when_its_parent_is_linked,
    a_parent_linked_in_the_same_step_blocks_nothing,
    an_edit_wakes_a_blocked_record_and_a_scan_does_not,
    the_counts_tell_how_the_lane_stands,
    marks_in_one_batch_add_up,
    no_mark_is_lost_between_a_claim_and_its_verdict,
);

fn ids(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|work| work.task.record_id()).collect()
}

async fn fifty_changes_are_one_piece_of_work(f: Fixture) {
    for _ in 0..50 {
        f.mark(&[polled("1")]).await;
    }
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    assert_eq!((ids(&claimed), claimed[0].revision), (vec!["1"], 50));
    f.judge(&lease, &claimed, &Verdict::Done).await;
    assert_eq!(f.queue().await, []);
}

async fn a_change_during_the_attempt_is_attempted_again(f: Fixture) {
    f.mark(&[polled("1")]).await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    f.judge(&lease, &claimed, &retry(0, ErrorClass::Transient))
        .await;
    let claimed = f.claim(&lease).await;
    assert_eq!(claimed[0].attempts, 1);
    f.clock.advance_millis(1_000);
    f.mark(&[polled("1")]).await;
    f.judge(&lease, &claimed, &Verdict::Done).await;
    let again = f.claim(&lease).await;
    assert_eq!((again[0].attempts, again[0].failure.as_ref()), (0, None));
    assert_eq!(
        again[0].first_marked_at,
        START.plus_millis(1_000),
        "its lag starts anew"
    );
    f.judge(&lease, &again, &Verdict::Done).await;
    assert_eq!(f.queue().await, []);
}

async fn a_dead_record_that_changed_meanwhile_gets_another_chance(f: Fixture) {
    f.mark(&[polled("1"), polled("2")]).await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    f.mark(&[polled("2")]).await;
    f.judge(
        &lease,
        &claimed,
        &Verdict::Dead(failure(ErrorClass::Permanent)),
    )
    .await;
    assert_eq!(ids(&f.claim(&lease).await), ["2"]);
}

async fn the_most_urgent_work_comes_first_and_by_mapping(f: Fixture) {
    let company = Task::Record(key("companies", Side::HubSpot, "9"));
    f.mark(&[
        mark(record("3"), Cause::Backfill),
        mark(record("2"), Cause::Scan),
        mark(company, Cause::Poll),
        mark(record("1"), Cause::Person),
    ])
    .await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    assert_eq!(
        ids(&claimed),
        ["1", "2", "3"],
        "one mapping, the person's first"
    );
    let two = f.store.claim(&lease, START, 2).await.unwrap();
    assert_eq!(ids(&two), ["1", "2"], "claiming changes nothing");
    f.judge(&lease, &claimed, &Verdict::Done).await;
    assert_eq!(ids(&f.claim(&lease).await), ["9"]);
}

async fn a_class_whose_turn_it_is_comes_first_and_takes_along_only_its_riders(f: Fixture) {
    f.mark(&[
        mark(record("1"), Cause::Person),
        mark(record("2"), Cause::Poll),
        mark(record("3"), Cause::Backfill),
    ])
    .await;
    let lease = f.lease().await;
    let take = async |class: Class, riders: Class| {
        let mut order = Class::ALL.map(|class| Turn { class, riders });
        order.sort_by_key(|turn| turn.class != class);
        let found = f
            .store
            .claim_in_turn(&lease, (START, START), 10, &order)
            .await;
        let found = found.unwrap().expect("work is due");
        let ids: Vec<String> = found
            .work
            .iter()
            .map(|w| w.task.record_id().into())
            .collect();
        (found.class, ids.join(" "))
    };
    let backfill = Class::Backfill;
    assert_eq!(take(backfill, backfill).await, (backfill, "3 1 2".into()));
    assert_eq!(
        take(Class::Live, Class::Live).await,
        (Class::Live, "2 1".into())
    );
    let person = Class::Interactive;
    assert_eq!(take(person, person).await, (person, "1".into()));
    // Nobody of that class is there: the next in the order has the turn.
    assert_eq!(take(Class::Retry, person).await, (person, "1".into()));
}

async fn what_is_due_in_a_moment_goes_along_unless_it_failed(f: Fixture) {
    let later = |id: &str, millis: i64| Mark {
        not_before: START.plus_millis(millis),
        ..polled(id)
    };
    f.mark(&[polled("1"), polled("2")]).await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    f.judge(&lease, &claimed[1..], &retry(600, ErrorClass::Transient))
        .await;
    f.mark(&[later("3", 1_000), later("4", 1_001)]).await;
    let order = Class::ALL.map(|class| Turn {
        class,
        riders: class,
    });
    let take = async |now: Timestamp| {
        let due = (now, now.plus_millis(1_000));
        let found = f.store.claim_in_turn(&lease, due, 10, &order).await;
        found.unwrap().map(|claim| claim.work)
    };
    let found = take(START).await.expect("one is due");
    assert_eq!(ids(&found), ["1", "3"]);
    assert_eq!(
        take(START.plus_millis(-1)).await,
        None,
        "nothing is begun early"
    );
}

async fn work_that_failed_takes_the_turns_of_retries_until_it_is_marked_again(f: Fixture) {
    f.mark(&[polled("1"), polled("2"), mark(record("3"), Cause::Backfill)])
        .await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    let failed = |work: &&Claimed| work.task.record_id() != "2";
    let failed: Vec<Claimed> = claimed.iter().filter(failed).cloned().collect();
    f.judge(&lease, &failed, &retry(0, ErrorClass::Transient))
        .await;
    assert_eq!(
        ids(&f.claim(&lease).await),
        ["2", "1", "3"],
        "live, retry, backfill"
    );
    f.mark(&[polled("1")]).await;
    assert_eq!(ids(&f.claim(&lease).await), ["1", "2", "3"]);
}

async fn a_chore_is_claimed_alone(f: Fixture) {
    let poll = Task::Poll {
        mapping: contacts(),
        side: Side::Salesforce,
    };
    let scan = Task::Scan {
        mapping: contacts(),
        side: Side::HubSpot,
    };
    f.mark(&[
        mark(scan.clone(), Cause::Scan),
        mark(poll.clone(), Cause::Poll),
    ])
    .await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    assert_eq!(
        claimed.iter().map(|work| &work.task).collect::<Vec<_>>(),
        [&poll]
    );
    f.judge(&lease, &claimed, &Verdict::Done).await;
    assert_eq!(f.claim(&lease).await[0].task, scan);
}

async fn work_that_is_not_due_waits(f: Fixture) {
    let later = Mark {
        not_before: START.plus_millis(5_000),
        ..polled("1")
    };
    f.mark(&[later]).await;
    let lease = f.lease().await;
    assert_eq!(f.claim(&lease).await, []);
    let due = f.store.next_due(&f.ws, "sync").await.unwrap();
    assert_eq!(due, Some(START.plus_millis(5_000)));
    f.clock.advance_millis(5_000);
    assert_eq!(ids(&f.claim(&lease).await), ["1"]);
    assert_eq!(
        f.store.next_due(&f.ws, "elsewhere").await.unwrap(),
        None::<Timestamp>
    );
}

async fn a_retry_waits_and_counts(f: Fixture) {
    f.mark(&[polled("1")]).await;
    let lease = f.lease().await;
    for attempt in 1..=3_u32 {
        let claimed = f.claim(&lease).await;
        let wait = i64::from(attempt) * 1_000;
        f.judge(&lease, &claimed, &retry(wait, ErrorClass::Transient))
            .await;
        assert_eq!(f.claim(&lease).await, []);
        f.clock.advance_millis(1_000);
        let claimed = f.claim(&lease).await;
        assert_eq!(claimed[0].attempts, attempt);
        assert_eq!(claimed[0].failure, Some(failure(ErrorClass::Transient)));
    }
}

async fn a_new_change_ends_a_back_off_but_never_a_rate_limit(f: Fixture) {
    f.mark(&[polled("1"), polled("2")]).await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    let verdicts = vec![
        judged(&claimed[0], retry(60_000, ErrorClass::Transient)),
        judged(&claimed[1], retry(60_000, ErrorClass::Rate)),
    ];
    f.apply(
        &lease,
        Changes {
            verdicts,
            ..Changes::default()
        },
    )
    .await;
    f.mark(&[polled("1"), polled("2")]).await;
    assert_eq!(ids(&f.claim(&lease).await), ["1"]);
    f.clock.advance_millis(60_000);
    let due = f.claim(&lease).await;
    assert_eq!(ids(&due), ["1", "2"]);
    assert_eq!(due[1].attempts, 0, "a rate limit is not an attempt");
}

async fn only_a_person_forgives_attempts(f: Fixture) {
    f.mark(&[polled("1")]).await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    f.judge(&lease, &claimed, &retry(0, ErrorClass::Transient))
        .await;
    f.mark(&[polled("1")]).await;
    assert_eq!(f.claim(&lease).await[0].attempts, 1);
    f.mark(&[mark(record("1"), Cause::Person)]).await;
    let claimed = f.claim(&lease).await;
    assert_eq!((claimed[0].attempts, claimed[0].cause), (0, Cause::Person));
}

fn blocked_on(parent: &str) -> Verdict {
    Verdict::BlockedOn {
        parent: key("contacts", Side::Salesforce, parent),
        failure: failure(ErrorClass::Blocked),
    }
}

async fn a_blocked_record_wakes_when_its_parent_is_linked(f: Fixture) {
    f.mark(&[polled("1"), polled("2")]).await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    f.judge(&lease, &claimed, &blocked_on("p")).await;
    assert_eq!(f.claim(&lease).await, []);
    assert_eq!(f.store.next_due(&f.ws, "sync").await.unwrap(), None);
    let long = f
        .store
        .blocked_since(&f.ws, "sync", START, 10)
        .await
        .unwrap();
    assert_eq!(ids(&long), ["1", "2"]);
    let unblock = vec![key("contacts", Side::Salesforce, "p")];
    let links = vec![link("lnk_p", "77", "p")];
    f.apply(
        &lease,
        Changes {
            unblock,
            links,
            ..Changes::default()
        },
    )
    .await;
    let awake = f.claim(&lease).await;
    assert_eq!(ids(&awake), ["1", "2"]);
    assert_eq!(
        awake[0].parent,
        Some(key("contacts", Side::Salesforce, "p"))
    );
    assert_eq!(awake[0].attempts, 0);
}

async fn a_parent_linked_in_the_same_step_blocks_nothing(f: Fixture) {
    f.mark(&[polled("1"), polled("2"), polled("3")]).await;
    let lease = f.lease().await;
    f.apply(&lease, linked(vec![link("lnk_a", "a", "p")])).await;
    let claimed = f.claim(&lease).await;
    let on = |id, side| Verdict::BlockedOn {
        parent: key("contacts", side, id),
        failure: failure(ErrorClass::Blocked),
    };
    let verdicts = vec![
        judged(&claimed[0], on("p", Side::Salesforce)),
        judged(&claimed[1], on("b", Side::HubSpot)),
        judged(&claimed[2], on("p", Side::HubSpot)),
    ];
    let links = vec![link("lnk_b", "b", "q")];
    f.apply(
        &lease,
        Changes {
            verdicts,
            links,
            ..Changes::default()
        },
    )
    .await;
    assert_eq!(
        ids(&f.claim(&lease).await),
        ["1", "2"],
        "the third waits for another side"
    );
}

async fn an_edit_wakes_a_blocked_record_and_a_scan_does_not(f: Fixture) {
    f.mark(&[polled("1")]).await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    f.judge(&lease, &claimed, &blocked_on("p")).await;
    f.mark(&[mark(record("1"), Cause::Scan)]).await;
    assert_eq!(f.claim(&lease).await, []);
    f.mark(&[polled("1")]).await;
    assert_eq!(ids(&f.claim(&lease).await), ["1"]);
}

async fn the_counts_tell_how_the_lane_stands(f: Fixture) {
    let poll = Task::Poll {
        mapping: contacts(),
        side: Side::HubSpot,
    };
    let later = Mark {
        not_before: START.plus_millis(1),
        ..mark(poll, Cause::Poll)
    };
    f.mark(&[polled("1"), polled("2"), later]).await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    f.judge(&lease, &claimed[..1], &blocked_on("p")).await;
    let counts = f.store.queue_counts(&f.ws, "sync").await.unwrap();
    let standing = |ready, waiting, blocked| Standing {
        ready,
        waiting,
        blocked,
        dead: 0,
    };
    assert_eq!(counts.get("record"), Some(&standing(1, 0, 1)));
    assert_eq!(counts.get("poll"), Some(&standing(0, 1, 0)));
}

async fn marks_in_one_batch_add_up(f: Fixture) {
    let early = Mark {
        not_before: START,
        ..mark(record("1"), Cause::Backfill)
    };
    let late = Mark {
        not_before: START.plus_millis(900),
        ..mark(record("1"), Cause::Person)
    };
    let lease = f.lease().await;
    let marks = vec![early, late];
    f.apply(
        &lease,
        Changes {
            marks,
            ..Changes::default()
        },
    )
    .await;
    let claimed = f.claim(&lease).await;
    assert_eq!(
        (claimed[0].cause, claimed[0].not_before),
        (Cause::Person, START)
    );
}

/// Whoever claims after the last mark was made sees everything that was marked before.
async fn no_mark_is_lost_between_a_claim_and_its_verdict(f: Fixture) {
    const ROUNDS: u32 = 100;
    let changed = AtomicU32::new(0);
    let finished = AtomicU32::new(0);
    let lease = f.lease().await;
    let edits = async {
        for round in 1..=ROUNDS {
            changed.store(round, Ordering::SeqCst);
            f.mark(&[polled("1")]).await;
        }
        finished.store(1, Ordering::SeqCst);
    };
    let work = async {
        let mut seen = 0;
        loop {
            let over = finished.load(Ordering::SeqCst) == 1;
            let claimed = f.claim(&lease).await;
            if claimed.is_empty() && over {
                return seen;
            }
            if !claimed.is_empty() {
                seen = changed.load(Ordering::SeqCst);
            }
            f.judge(&lease, &claimed, &Verdict::Done).await;
        }
    };
    let ((), seen) = tokio::join!(edits, work);
    assert_eq!(seen, ROUNDS);
}
