//! Workspaces, connections, mapping revisions, statements and migrations.

use std::collections::BTreeMap;

use tandem::model::{
    Cause, HoldReason, LinkId, MappingName, RecordId, Revision, Side, Verdict, WorkspaceId,
};
use tandem::store::{Changes, Connection, LinkFilter, Store};

use crate::fixture::{Fixture, bases, contacts, hold, link, mark, on_both, polled, record};

on_both!(
    every_statement_is_understood,
    a_connection_can_be_replaced,
    exactly_the_named_revisions_are_active,
    two_workspaces_with_equal_ids_never_meet,
    text_that_a_database_dislikes_is_no_reason_to_fail,
);

async fn every_statement_is_understood(f: Fixture) {
    f.store.check_statements().await.unwrap();
}

async fn a_connection_can_be_replaced(f: Fixture) {
    let empty = f.store.connections(&f.ws).await.unwrap();
    assert_eq!((empty.hubspot, empty.salesforce), (None, None));
    let side = Side::HubSpot;
    f.store
        .put_connection(&f.ws, side, "1", "http://one.test")
        .await
        .unwrap();
    f.store
        .put_connection(&f.ws, side, "2", "http://two.test")
        .await
        .unwrap();
    let expected = Connection {
        account_id: "2".to_owned(),
        url: "http://two.test".to_owned(),
    };
    let found = f.store.connections(&f.ws).await.unwrap();
    assert_eq!((found.hubspot, found.salesforce), (Some(expected), None));
}

async fn exactly_the_named_revisions_are_active(f: Fixture) {
    let (one, two) = (Revision::new("rev_1"), Revision::new("rev_2"));
    for revision in [&one, &two, &one] {
        let text = format!("text of {revision}");
        f.store
            .put_revision(&f.ws, &contacts(), revision, &text, "{}")
            .await
            .unwrap();
    }
    let deals = MappingName::new("deals");
    let first = BTreeMap::from([(contacts(), one.clone()), (deals, two.clone())]);
    f.store.activate(&f.ws, &first).await.unwrap();
    assert_eq!(f.store.active_revisions(&f.ws).await.unwrap(), first);
    let second = BTreeMap::from([(contacts(), two)]);
    f.store.activate(&f.ws, &second).await.unwrap();
    assert_eq!(f.store.active_revisions(&f.ws).await.unwrap(), second);
    f.store.activate(&f.ws, &BTreeMap::new()).await.unwrap();
    assert_eq!(
        f.store.active_revisions(&f.ws).await.unwrap(),
        BTreeMap::new()
    );
    let text = f.store.revision_text(&f.ws, &one).await.unwrap();
    assert_eq!(
        text.as_deref(),
        Some("text of rev_1"),
        "an old revision can still be read"
    );
}

async fn two_workspaces_with_equal_ids_never_meet(f: Fixture) {
    let other = WorkspaceId::new("other/test");
    f.store.ensure_workspace(&other).await.unwrap();
    f.mark(&[polled("1")]).await;
    f.store
        .mark(&other, "sync", &[mark(record("1"), Cause::Person)])
        .await
        .unwrap();
    let mine = f.lease().await;
    let theirs = f
        .store
        .lease(&other, "sync", "me", 60_000)
        .await
        .unwrap()
        .unwrap();
    let full = |salesforce: &str| Changes {
        links: vec![link("lnk_1", "1", salesforce)],
        bases: vec![(LinkId::new("lnk_1"), bases(salesforce, salesforce))],
        holds: vec![hold("lnk_1", "email", HoldReason::Ask)],
        ..Changes::default()
    };
    f.apply(&mine, full("a")).await;
    f.apply(&theirs, full("b")).await;
    let claimed = f.claim(&mine).await;
    f.judge(&mine, &claimed, &Verdict::Done).await;
    assert_eq!(f.claim(&mine).await, []);
    assert_eq!(f.claim(&theirs).await[0].cause, Cause::Person);
    for (ws, salesforce) in [(&f.ws, "a"), (&other, "b")] {
        let all = f
            .store
            .links_page(ws, &LinkFilter::default(), None, 10)
            .await
            .unwrap();
        assert_eq!(all, [link("lnk_1", "1", salesforce)]);
        let read = f.store.bases(ws, &[LinkId::new("lnk_1")]).await.unwrap();
        assert_eq!(read[&LinkId::new("lnk_1")], bases(salesforce, salesforce));
        assert_eq!(
            f.store.summary(ws).await.unwrap().holds[&HoldReason::Ask],
            1
        );
    }
    let holds_closed = vec![(LinkId::new("lnk_1"), "email".to_owned())];
    f.apply(
        &theirs,
        Changes {
            holds_closed,
            ..Changes::default()
        },
    )
    .await;
    assert_eq!(
        f.store
            .holds(&f.ws, &[LinkId::new("lnk_1")])
            .await
            .unwrap()
            .len(),
        1
    );
}

async fn text_that_a_database_dislikes_is_no_reason_to_fail(f: Fixture) {
    let lease = f.lease().await;
    let mut odd = link("lnk_1", "1", "a");
    odd.note = "nul \u{0}, quote ', dollar $1, backslash \\u0000 \\".to_owned();
    f.apply(
        &lease,
        Changes {
            links: vec![odd.clone()],
            ..Changes::default()
        },
    )
    .await;
    let found = f.store.links_by_id(&f.ws, &[odd.id.clone()]).await.unwrap();
    assert_eq!(found[0].note, odd.note.replace('\u{0}', "\u{fffd}"));
    let nul = [RecordId::new("\u{0}")];
    let found = f
        .store
        .links_by_record(&f.ws, &contacts(), Side::HubSpot, &nul)
        .await;
    assert_eq!(found.unwrap(), []);
}

#[tokio::test]
async fn opening_twice_changes_nothing() {
    let Some(url) = crate::postgres::database().await else {
        return;
    };
    let first = crate::fixture::open(&url).await;
    first.mark(&[polled("1")]).await;
    let second = crate::fixture::open(&url).await;
    assert_eq!(second.queue().await, first.queue().await);
}

#[tokio::test]
async fn processes_that_start_at_once_take_turns() {
    let Some(url) = crate::postgres::database().await else {
        return;
    };
    let clock = tandem::clock::Clock::System;
    let opened = tokio::join!(
        Store::open(&url, clock.clone()),
        Store::open(&url, clock.clone()),
        Store::open(&url, clock.clone()),
        Store::open(&url, clock.clone()),
    );
    for store in <[_; 4]>::from(opened) {
        store
            .expect("each of them opens")
            .check_statements()
            .await
            .unwrap();
    }
}

/// Workers run on any thread; this would not compile if the store kept them from it.
#[tokio::test]
async fn the_store_can_be_used_from_a_spawned_task() {
    let f = std::sync::Arc::new(crate::fixture::sqlite().await);
    let shared = f.clone();
    let work = tokio::spawn(async move {
        let mut lease = shared.lease().await;
        shared.mark(&[polled("1")]).await;
        shared.store.renew(&mut lease, 1_000).await.unwrap();
        shared
            .store
            .activate(&shared.ws, &BTreeMap::new())
            .await
            .unwrap();
        let claimed = shared.claim(&lease).await;
        shared.judge(&lease, &claimed, &Verdict::Done).await;
        shared.store.release(lease).await.unwrap();
    });
    work.await.unwrap();
    assert_eq!(f.queue().await, []);
}
