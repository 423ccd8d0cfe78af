//! The inbox: what was announced and answered becomes marks, whatever happens in between.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tandem::model::{Cause, RecordId, Side, Task, Verdict, WorkspaceId};
use tandem::store::{Announced, Folded, Reply, Seam, Watch};

use crate::fixture::{Fixture, LANE, START, contacts, key, on_both, polled};

on_both!(
    what_was_announced_often_is_one_mark_due_since_it_came,
    both_sides_and_all_mappings_come_back_as_they_were,
    a_fold_is_bounded_and_says_what_it_left,
    a_mark_in_the_middle_of_an_attempt_is_attempted_again,
    what_comes_for_an_erased_workspace_is_let_go,
    a_lost_reply_doubles_nothing,
    a_fold_that_is_cut_off_anywhere_loses_nothing,
);

fn people(ids: std::ops::Range<u32>) -> Announced {
    let ids = ids.map(|id| RecordId::new(id.to_string()));
    Announced::from([((contacts(), Side::HubSpot), ids.collect())])
}

impl Fixture {
    async fn announce(&self, id: &str, ws: &WorkspaceId, announced: Announced) {
        let announced = BTreeMap::from([(ws.clone(), announced)]);
        self.store.put_inbox(id, &announced).await.unwrap();
    }

    async fn fold(&self, of: &[&WorkspaceId]) -> Vec<Folded> {
        let of: Vec<WorkspaceId> = of.iter().map(|ws| (*ws).clone()).collect();
        self.store.fold_inbox(LANE, &of).await.unwrap()
    }

    async fn marked(&self) -> BTreeSet<String> {
        let queue = self.store.queue(&self.ws, LANE, 100_000).await.unwrap();
        let ids = queue.iter().map(|work| work.task.record_id().to_owned());
        ids.collect()
    }
}

async fn what_was_announced_often_is_one_mark_due_since_it_came(f: Fixture) {
    for group in 0..40 {
        f.announce(&format!("g{group:02}"), &f.ws, people(0..3))
            .await;
        f.clock.advance_millis(1_000);
    }
    assert_eq!(f.queue().await, []);
    let waits = f.store.inbox().await.unwrap();
    assert_eq!((waits[0].records, waits[0].since), (120, START));
    assert_eq!(f.store.inbox_since(&f.ws).await.unwrap(), Some(START));
    let folded = f.fold(&[&f.ws]).await;
    assert_eq!((folded[0].taken, folded[0].more), (120, false));
    let lease = f.lease().await;
    let work = f.claim(&lease).await;
    assert_eq!(work.len(), 3);
    for one in &work {
        let since = (one.not_before, one.first_marked_at);
        assert_eq!((one.cause, one.revision), (Cause::Event, 1));
        assert_eq!(since, (START, START));
    }
    assert_eq!(f.store.inbox().await.unwrap(), []);
    assert_eq!(f.store.inbox_since(&f.ws).await.unwrap(), None);
}

async fn both_sides_and_all_mappings_come_back_as_they_were(f: Fixture) {
    let records = vec![
        key("contacts", Side::HubSpot, "1"),
        key("contacts", Side::Salesforce, "003000000000001AAA"),
        key("odd \"one\"", Side::HubSpot, "1"),
    ];
    let mut announced = Announced::new();
    for record in &records {
        let of = announced.entry((record.mapping.clone(), record.side));
        of.or_default().push(record.id.clone());
    }
    f.announce("g", &f.ws, announced).await;
    f.fold(&[&f.ws]).await;
    let queue = f.queue().await;
    let found: BTreeSet<_> = queue.into_iter().map(|work| work.task).collect();
    let expected = records.into_iter().map(Task::Record);
    assert_eq!(found, expected.collect());
}

async fn a_fold_is_bounded_and_says_what_it_left(f: Fixture) {
    let other = WorkspaceId::new("other/test");
    f.store.ensure_workspace(&other).await.unwrap();
    f.announce("g", &f.ws, people(0..9_000)).await;
    f.announce("g", &other, people(0..10)).await;
    let first = f.fold(&[&f.ws, &other]).await;
    assert_eq!(first.len(), 1, "the second one has its turn later");
    assert!(first[0].more && first[0].taken < 5_000, "{first:?}");
    assert_eq!(f.marked().await.len() as u64, first[0].taken);
    while f.fold(&[&f.ws]).await[0].more {}
    assert_eq!(f.marked().await.len(), 9_000);
    let last = f.fold(&[&f.ws, &other]).await;
    let taken: Vec<u64> = last.iter().map(|one| one.taken).collect();
    assert_eq!(taken, [0, 10]);
}

async fn a_mark_in_the_middle_of_an_attempt_is_attempted_again(f: Fixture) {
    f.mark(&[polled("1")]).await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    f.announce("g", &f.ws, people(1..2)).await;
    f.fold(&[&f.ws]).await;
    f.judge(&lease, &claimed, &Verdict::Done).await;
    assert_eq!(f.claim(&lease).await.len(), 1);
}

async fn what_comes_for_an_erased_workspace_is_let_go(f: Fixture) {
    f.store.erase_workspace(&f.ws).await.unwrap();
    f.announce("g", &f.ws, people(0..3)).await;
    let folded = f.fold(&[&f.ws]).await;
    assert_eq!((folded[0].taken, folded[0].more), (3, false));
    assert_eq!(f.store.inbox().await.unwrap(), []);
    assert_eq!(
        f.store.erase_workspace(&f.ws).await.unwrap(),
        BTreeMap::new()
    );
}

async fn a_lost_reply_doubles_nothing(f: Fixture) {
    let lost = Arc::new(AtomicBool::new(false));
    let watch = {
        let lost = Arc::clone(&lost);
        Watch::new(move |seam| {
            // The first time that something is durable, nobody hears of it.
            let reply = match seam {
                Seam::After if !lost.swap(true, Ordering::Relaxed) => Reply::Lost,
                _ => Reply::Heard,
            };
            Box::pin(async move { reply })
        })
    };
    let f = Fixture {
        store: f.store.watched(watch),
        ..f
    };
    f.announce("g", &f.ws, people(0..600)).await;
    assert!(lost.swap(false, Ordering::Relaxed));
    assert_eq!(f.store.inbox().await.unwrap()[0].records, 600);
    while !f.store.inbox().await.unwrap().is_empty() {
        f.fold(&[&f.ws]).await;
    }
    assert!(lost.load(Ordering::Relaxed));
    let queue = f.store.queue(&f.ws, LANE, 1_000).await.unwrap();
    assert_eq!(queue.len(), 600);
    assert!(queue.iter().all(|work| work.revision == 1));
}

/// The work, given up after it was polled so many times, as by a process that dies.
async fn cut_off<T>(work: impl Future<Output = T>, mut polls: usize) -> Option<T> {
    let mut work = Box::pin(work);
    poll_fn(move |context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

async fn a_fold_that_is_cut_off_anywhere_loses_nothing(f: Fixture) {
    let of = [f.ws.clone()];
    let mut ended = 0;
    for polls in 0..60 {
        let ids = polls * 10..polls * 10 + 10;
        let group = format!("g{polls:03}");
        f.announce(&group, &f.ws, people(ids)).await;
        let folded = cut_off(f.store.fold_inbox(LANE, &of), polls as usize).await;
        ended += usize::from(folded.is_some());
        let waits = f.store.inbox().await.unwrap();
        let waits = waits.first().map_or(0, |one| one.records);
        let marked = f.marked().await.len() as u64;
        let all = u64::from(polls + 1) * 10;
        assert_eq!(waits + marked, all, "cut off after {polls} polls");
    }
    assert!(ended > 0, "some were not cut off");
}

#[tokio::test]
async fn processes_that_fold_at_once_share_the_work() {
    let Some(url) = crate::postgres::database().await else {
        return;
    };
    let (one, two) = (
        crate::fixture::open(&url).await,
        crate::fixture::open(&url).await,
    );
    for group in 0..50 {
        let ids = group * 100..group * 100 + 100;
        one.announce(&format!("g{group:02}"), &one.ws, people(ids))
            .await;
    }
    let all = async |f: &Fixture| {
        let mut taken = 0;
        loop {
            let folded = f.fold(&[&f.ws]).await;
            taken += folded[0].taken;
            if !folded[0].more {
                return taken;
            }
        }
    };
    let (by_one, by_two) = tokio::join!(all(&one), all(&two));
    // Whoever finds nothing may have met rows that the other was just taking.
    assert_eq!(by_one + by_two, 5_000);
    assert_eq!(one.marked().await.len(), 5_000);
}
