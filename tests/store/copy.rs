//! The copy of one workspace that plans are made on.

use std::collections::BTreeMap;

use tandem::model::{
    Cause, HoldReason, IntentKind, JournalId, LinkId, RecordId, Revision, RunId, Side, Timestamp,
    WorkspaceId,
};
use tandem::store::{
    Changes, CursorPut, JournalEntry, LinkFilter, MatchKeys, ShadowState, ShadowWrite, Store,
    Tombstone,
};

use crate::fixture::{
    Fixture, LANE, START, bases, contacts, fields, hold, intent, key, link, mark, on_both, record,
    sides,
};

on_both!(a_copy_has_all_of_one_workspace_and_nothing_of_another);

/// More than one page.
const MANY: usize = 1_100;

fn shadow(id: &str, state: ShadowState) -> ShadowWrite {
    ShadowWrite {
        id: id.to_owned(),
        mapping: contacts(),
        side: Side::Salesforce,
        kind: IntentKind::Update,
        record: RecordId::new("003"),
        rule: "email".to_owned(),
        first_at: START,
        state,
        ended_at: None,
        reason: "hubspot-moved".to_owned(),
        from: fields(&[("email", "b")]),
        before: fields(&[("Email", "a")]),
        after: fields(&[("Email", "b")]),
        found: None,
    }
}

fn entry(at: Timestamp) -> JournalEntry {
    let uuid = format!("{:012x}70008000000000000000", at.millis());
    JournalEntry {
        id: JournalId::from_uuid(&uuid),
        at,
        run: RunId::new("run_1"),
        mapping: contacts(),
        revision: Revision::new("rev_1"),
        link: Some(LinkId::new("lnk_00001")),
        record: Some(key("contacts", Side::HubSpot, "1")),
        rule: "email".to_owned(),
        decision: "write".to_owned(),
        reason: "applied".to_owned(),
        base: None,
        inputs: sides("b", "a"),
        winner: Some(Side::HubSpot),
        wrote: Some((Side::Salesforce, fields(&[("Email", "b")]))),
        loser: None,
        detail: String::new(),
    }
}

fn everything() -> Changes {
    let id = |nth: usize| format!("lnk_{nth:05}");
    let records = |nth: usize| (format!("{nth}"), format!("003{nth}"));
    let old = START.plus_millis(-8 * 24 * 3_600_000);
    Changes {
        lane_state: Some("{\"gates\":\"kept\"}".to_owned()),
        links: (0..MANY)
            .map(|nth| link(&id(nth), &records(nth).0, &records(nth).1))
            .collect(),
        bases: vec![(LinkId::new(id(1)), bases("a\"b", "ü\u{1f}"))],
        holds: vec![hold(&id(1), "email", HoldReason::Undone)],
        intents: vec![intent("int_1", &id(1), Side::Salesforce)],
        match_keys: (0..MANY)
            .map(|nth| MatchKeys {
                mapping: contacts(),
                side: Side::HubSpot,
                record: RecordId::new(records(nth).0),
                keys: vec![Some("same".to_owned()), Some(format!("own {nth}"))],
            })
            .collect(),
        marks: vec![mark(record("7"), Cause::Poll)],
        cursors: vec![CursorPut {
            mapping: contacts(),
            side: Side::HubSpot,
            kind: "poll".to_owned(),
            value: "{\"at\":1}".to_owned(),
        }],
        aliases: vec![(key("contacts", Side::HubSpot, "old"), RecordId::new("new"))],
        tombstones: vec![Tombstone {
            key: key("contacts", Side::HubSpot, "gone"),
            link: LinkId::new(id(2)),
            at: START,
            reason: "deleted".to_owned(),
        }],
        journal: vec![entry(START), entry(old)],
        shadow: vec![
            shadow("1", ShadowState::Open),
            shadow("2", ShadowState::Same),
        ],
        ..Changes::default()
    }
}

/// What an engine would find of a workspace, as far as it is in order.
async fn found(store: &Store, ws: &WorkspaceId) -> String {
    let ids = [LinkId::new("lnk_00001")];
    let all = LinkFilter::default();
    let links = store.links_page(ws, &all, None, 10_000).await.unwrap();
    let keys: Vec<RecordId> = (0..MANY)
        .map(|nth| RecordId::new(nth.to_string()))
        .collect();
    let side = Side::HubSpot;
    let repeats = store.match_repeats(ws, &contacts(), side).await.unwrap();
    let gone = [key("contacts", side, "gone")];
    let old = [key("contacts", side, "old")];
    format!(
        "{links:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{repeats:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        store.bases(ws, &ids).await.unwrap(),
        store.holds(ws, &ids).await.unwrap(),
        store.intents(ws, &ids).await.unwrap(),
        store
            .match_keys_of(ws, &contacts(), side, &keys)
            .await
            .unwrap(),
        store.queue(ws, LANE, 100).await.unwrap(),
        store.cursors(ws).await.unwrap(),
        store.tombstones(ws, &gone).await.unwrap(),
        store.aliases(ws, &old).await.unwrap(),
        store.lane_state(ws, LANE).await.unwrap(),
    )
}

async fn a_copy_has_all_of_one_workspace_and_nothing_of_another(f: Fixture) {
    f.store
        .put_connection(&f.ws, Side::HubSpot, "42", "")
        .await
        .unwrap();
    let lease = f.lease().await;
    f.apply(&lease, everything()).await;
    let text = ("mapping: contacts", "{}");
    let revision = Revision::new("rev_1");
    f.store
        .put_revision(&f.ws, &contacts(), &revision, text.0, text.1)
        .await
        .unwrap();
    let active = BTreeMap::from([(contacts(), revision.clone())]);
    f.store.activate(&f.ws, &active).await.unwrap();
    let other = WorkspaceId::new("other/test");
    f.store.ensure_workspace(&other).await.unwrap();
    let theirs = f.store.lease(&other, LANE, "me", 3_600_000).await;
    let theirs = theirs.unwrap().unwrap();
    f.store.commit(&theirs, everything()).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let copy = f.store.copy_workspace(&f.ws, folder.path()).await.unwrap();
    assert_eq!(found(&copy, &f.ws).await, found(&f.store, &f.ws).await);
    let known = copy.connections(&f.ws).await.unwrap();
    assert_eq!(known.hubspot.unwrap().account_id, "42");
    assert_eq!(copy.active_revisions(&f.ws).await.unwrap(), active);
    let kept = copy.revision_text(&f.ws, &revision).await.unwrap();
    assert_eq!(kept.as_deref(), Some(text.0));
    let ever = (Timestamp::from_micros(0), START.plus_millis(1));
    let open = copy.shadow_since(&f.ws, ever, None, None, 10).await;
    let open: Vec<String> = open.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(open, ["1"], "only what is open");
    let journal = [LinkId::new("lnk_00001")];
    let journal = copy.journal_since(&f.ws, &journal, ever.0).await.unwrap();
    assert_eq!(journal.len(), 1, "only what is young");
    let all = LinkFilter::default();
    let theirs = copy.links_page(&other, &all, None, 10).await.unwrap();
    assert!(theirs.is_empty());
    // The copy has a lane of its own, which nobody holds.
    let lane = copy.lease(&f.ws, LANE, "copy", 30_000).await.unwrap();
    let lane = lane.expect("the lane of the copy is free");
    copy.commit(&lane, Changes::default()).await.unwrap();
    f.apply(&lease, Changes::default()).await;
    copy.close().await;
}
