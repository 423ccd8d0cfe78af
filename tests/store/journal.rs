//! The journal as a whole: what a stretch of time wrote, its size, and that only what is old goes.

use tandem::model::{JournalId, LinkId, Revision, RunId, Side, Timestamp};
use tandem::store::{Changes, JournalEntry, JournalSize, Lease, WritesOf, journal_kept_from};

use crate::fixture::{Fixture, START, contacts, fields, key, on_both, sides};

on_both!(
    writes_are_found_by_run_and_by_time_and_page_by_page,
    only_what_is_old_goes_and_what_went_is_remembered,
);

fn entry(number: usize, run: &str, decision: &str, at: Timestamp) -> JournalEntry {
    JournalEntry {
        id: JournalId::new(format!("jrn_{number:04}")),
        at,
        run: RunId::new(run),
        mapping: contacts(),
        revision: Revision::new("rev_1"),
        link: Some(LinkId::new("lnk_1")),
        record: Some(key("contacts", Side::HubSpot, "1")),
        rule: "email".to_owned(),
        decision: decision.to_owned(),
        reason: "applied".to_owned(),
        base: None,
        inputs: sides("b", "a"),
        winner: Some(Side::HubSpot),
        wrote: Some((Side::Salesforce, fields(&[("Email", "b")]))),
        loser: None,
        detail: String::new(),
    }
}

async fn kept(f: &Fixture, lease: &Lease, journal: Vec<JournalEntry>) {
    let changes = Changes {
        journal,
        ..Changes::default()
    };
    f.apply(lease, changes).await;
}

fn ids(entries: &[JournalEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

async fn writes_are_found_by_run_and_by_time_and_page_by_page(f: Fixture) {
    let at = |second: i64| START.plus_millis(second * 1_000);
    let journal = vec![
        entry(1, "run_1", "write", at(1)),
        entry(2, "run_1", "hold", at(2)),
        entry(3, "run_2", "write", at(3)),
        entry(4, "run_1", "tombstone", at(4)),
        entry(5, "run_1", "write", at(5)),
    ];
    let lease = f.lease().await;
    kept(&f, &lease, journal).await;
    let of = |run: Option<&str>, from: i64, until: i64| WritesOf {
        run: run.map(RunId::new),
        from: at(from),
        until: at(until),
    };
    let page = |of: WritesOf, after: Option<JournalId>, limit: u32| {
        let (store, ws) = (&f.store, &f.ws);
        async move { store.journal_writes(ws, &of, after.as_ref(), limit).await }
    };
    let all = page(of(Some("run_1"), 0, 9), None, 10).await.unwrap();
    assert_eq!(ids(&all), ["jrn_0001", "jrn_0004", "jrn_0005"]);
    let timed = page(of(None, 3, 4), None, 10).await.unwrap();
    assert_eq!(ids(&timed), ["jrn_0003", "jrn_0004"]);
    let first = page(of(None, 0, 9), None, 2).await.unwrap();
    assert_eq!(ids(&first), ["jrn_0001", "jrn_0003"]);
    let rest = page(of(None, 0, 9), Some(first[1].id.clone()), 9).await;
    assert_eq!(ids(&rest.unwrap()), ["jrn_0004", "jrn_0005"]);
}

async fn only_what_is_old_goes_and_what_went_is_remembered(f: Fixture) {
    let none = f.store.journal_size(&f.ws).await.unwrap();
    assert_eq!(none, JournalSize::default());
    assert_eq!(f.store.journal_oldest(&f.ws).await.unwrap(), None);
    assert_eq!(f.store.journal_pruned(&f.ws).await.unwrap(), None);
    let at = |second: i64| START.plus_millis(second * 1_000);
    let entries = (1..=9).map(|n| entry(n, "run_1", "write", at(n as i64)));
    let lease = f.lease().await;
    kept(&f, &lease, entries.collect()).await;
    let size = f.store.journal_size(&f.ws).await.unwrap();
    assert_eq!((size.entries, size.oldest), (9, Some(at(1))));
    assert!(size.bytes > 0);
    let gone = f.store.prune_journal(&f.ws, at(6), 3).await.unwrap();
    assert_eq!(gone, 3, "a part at a time");
    let gone = f.store.prune_journal(&f.ws, at(6), 9).await.unwrap();
    assert_eq!(gone, 2, "and nothing that is younger");
    assert_eq!(f.store.journal_oldest(&f.ws).await.unwrap(), Some(at(6)));
    let changes = Changes {
        cursors: vec![journal_kept_from(at(6))],
        ..Changes::default()
    };
    f.apply(&lease, changes).await;
    let pruned = f.store.journal_pruned(&f.ws).await.unwrap();
    assert_eq!(pruned, Some(at(6)));
}
