//! The service's rows: workspaces, sealed credentials, keys, links, the access log.

use std::collections::BTreeMap;

use tandem::model::{
    ConnectionState, KeyKind, OwnerPair, OwnerTable, RecordId, Role, Side, WorkspaceId,
    WorkspaceMode,
};
use tandem::store::{AccessEntry, Announced, ApiKey, Authorization, Brought, ConnectLink, Erased};

use crate::fixture::{Fixture, contacts, on_both, polled};

on_both!(
    a_workspace_is_made_once_and_changed,
    workspaces_are_listed_page_by_page,
    an_account_stays_bound,
    one_renewal_at_a_time,
    a_grant_has_its_turn_when_it_was_not_renewed_for_long,
    a_lost_connection_is_told_once,
    a_link_is_used_once_and_an_authorisation_taken_once,
    a_revoked_key_stays_revoked,
    the_newest_access_comes_first,
    erasing_takes_this_workspace_and_no_other,
    the_agenda_leaves_out_what_somebody_holds,
);

const HUBSPOT: Side = Side::HubSpot;

fn owners(pairs: &[(&str, &str)]) -> OwnerTable {
    let pairs = pairs.iter().map(|(hubspot, salesforce)| OwnerPair {
        hubspot: (*hubspot).to_owned(),
        salesforce: (*salesforce).to_owned(),
    });
    OwnerTable::new(pairs.collect()).unwrap()
}

async fn a_workspace_is_made_once_and_changed(f: Fixture) {
    let ws = WorkspaceId::new("new/one");
    let vars = BTreeMap::from([("region".to_owned(), "eu".to_owned())]);
    let owners = owners(&[
        ("zoe@example.com", "Inside Sales"),
        ("ann@example.com", "Ann"),
    ]);
    assert!(f.store.make_workspace(&ws, &vars, &owners).await.unwrap());
    assert!(
        !f.store
            .make_workspace(&ws, &BTreeMap::new(), &OwnerTable::default())
            .await
            .unwrap()
    );
    let made = f.store.workspace(&ws).await.unwrap().unwrap();
    assert_eq!(
        (made.mode, made.paused, &made.vars, &made.owners),
        (WorkspaceMode::Observing, false, &vars, &owners)
    );
    assert!(f.store.set_mode(&ws, WorkspaceMode::Live).await.unwrap());
    assert!(f.store.set_paused(&ws, true).await.unwrap());
    let (none, by) = (BTreeMap::new(), Brought::new());
    let change = f.store.change_workspace(&ws, Some(&none), None, &by);
    assert!(change.await.unwrap());
    let changed = f.store.workspace(&ws).await.unwrap().unwrap();
    assert_eq!((changed.mode, changed.paused), (WorkspaceMode::Live, true));
    assert!(changed.vars.is_empty());
    assert_eq!(changed.owners, owners, "what is not given stays");
    let nobody = OwnerTable::default();
    let change = f.store.change_workspace(&ws, None, Some(&nobody), &by);
    assert!(change.await.unwrap());
    let changed = f.store.workspace(&ws).await.unwrap().unwrap();
    assert_eq!(changed.owners, nobody);
    // The workspace of the commands is none of the service's until it is made so.
    assert_eq!(f.store.workspace(&f.ws).await.unwrap(), None);
    assert!(!f.store.set_paused(&f.ws, true).await.unwrap());
    let change = f.store.change_workspace(&f.ws, None, Some(&owners), &by);
    assert!(!change.await.unwrap());
    assert!(
        f.store
            .make_workspace(&f.ws, &BTreeMap::new(), &OwnerTable::default())
            .await
            .unwrap()
    );
}

async fn workspaces_are_listed_page_by_page(f: Fixture) {
    for name in ["c/x", "a/x", "b/x"] {
        f.store
            .make_workspace(
                &WorkspaceId::new(name),
                &BTreeMap::new(),
                &OwnerTable::default(),
            )
            .await
            .unwrap();
    }
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let page = f.store.workspaces(&after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id.as_str().to_owned();
        found.extend(page.into_iter().map(|one| one.id));
    }
    let names: Vec<&str> = found.iter().map(WorkspaceId::as_str).collect();
    assert_eq!(names, ["a/x", "b/x", "c/x"]);
}

async fn an_account_stays_bound(f: Fixture) {
    let seal = async |account: &str, sealed: &str| {
        f.store
            .seal_connection(&f.ws, HUBSPOT, account, "a b", sealed)
            .await
            .unwrap()
    };
    assert!(seal("1", "one").await);
    assert!(!seal("2", "two").await, "another account changes nothing");
    assert!(seal("1", "three").await);
    let found = f
        .store
        .sealed_connection(&f.ws, HUBSPOT)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.account_id.as_str(), found.sealed.as_deref()),
        ("1", Some("three"))
    );
    assert_eq!((found.version, found.scopes.as_str()), (2, "a b"));
    assert!(
        f.store
            .cut_connection(&f.ws, HUBSPOT, "by hand")
            .await
            .unwrap()
    );
    let cut = f
        .store
        .sealed_connection(&f.ws, HUBSPOT)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((cut.sealed, cut.state), (None, ConnectionState::Reconnect));
    assert!(!seal("2", "two").await, "not even then");
    assert_eq!(
        f.store.workspaces_of(HUBSPOT, "1").await.unwrap(),
        std::slice::from_ref(&f.ws)
    );
    assert!(
        f.store
            .workspaces_of(HUBSPOT, "2")
            .await
            .unwrap()
            .is_empty()
    );
}

async fn one_renewal_at_a_time(f: Fixture) {
    f.store
        .seal_connection(&f.ws, HUBSPOT, "1", "", "one")
        .await
        .unwrap();
    let begin = async |version: i64| {
        f.store
            .begin_renewal(&f.ws, HUBSPOT, version, 30_000)
            .await
            .unwrap()
    };
    assert!(begin(1).await);
    assert!(!begin(1).await, "somebody is at it");
    assert!(!begin(2).await, "there is no such version yet");
    let end = async |sealed: &str| {
        let turn = f.clock.now();
        let ended = f.store.end_renewal(&f.ws, HUBSPOT, 1, sealed, turn);
        ended.await.unwrap()
    };
    assert!(end("two").await);
    assert!(!end("late").await);
    assert!(!begin(1).await, "that one is renewed already");
    assert!(begin(2).await);
    f.store.drop_renewal(&f.ws, HUBSPOT, 2).await.unwrap();
    assert!(begin(2).await, "it was given back");
    let found = f
        .store
        .sealed_connection(&f.ws, HUBSPOT)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.sealed.as_deref(), Some("two"));
}

async fn a_grant_has_its_turn_when_it_was_not_renewed_for_long(f: Fixture) {
    let store = &f.store;
    let sealed = store.seal_connection(&f.ws, HUBSPOT, "1", "", "one").await;
    assert!(sealed.unwrap());
    let week = 1_000;
    let due = async || {
        let now = f.clock.now();
        let oldest = now.plus_millis(-week);
        store.grants_due(now, oldest, 10).await.unwrap()
    };
    assert!(due().await.is_empty(), "it is new");
    f.clock.advance_millis(week);
    assert_eq!(due().await, [(f.ws.clone(), HUBSPOT)]);
    let put_off = async |turn: i64| {
        let now = f.clock.now();
        let (oldest, turn) = (now.plus_millis(-week), now.plus_millis(turn));
        let taken = store.put_off_grant(&f.ws, HUBSPOT, now, oldest, turn);
        taken.await.unwrap()
    };
    assert!(put_off(100).await);
    assert!(!put_off(100).await, "another process has it");
    f.clock.advance_millis(100);
    assert_eq!(due().await.len(), 1, "it failed there, and comes again");
    assert!(store.begin_renewal(&f.ws, HUBSPOT, 1, 10).await.unwrap());
    let turn = f.clock.now().plus_millis(week);
    let ended = store.end_renewal(&f.ws, HUBSPOT, 1, "two", turn).await;
    assert!(ended.unwrap() && due().await.is_empty());
    f.clock.advance_millis(week);
    assert_eq!(due().await.len(), 1);
    store
        .cut_connection(&f.ws, HUBSPOT, "by hand")
        .await
        .unwrap();
    assert!(due().await.is_empty(), "what is cut is left alone");
}

async fn a_lost_connection_is_told_once(f: Fixture) {
    f.store
        .seal_connection(&f.ws, HUBSPOT, "1", "", "one")
        .await
        .unwrap();
    let lose = async |version: i64| {
        let state = ConnectionState::Reconnect;
        f.store
            .lose_connection(&f.ws, HUBSPOT, version, state, "revoked")
            .await
            .unwrap()
    };
    assert!(!lose(7).await, "of a version that is not there");
    assert!(lose(1).await);
    assert!(!lose(1).await);
    assert!(
        !f.store
            .begin_renewal(&f.ws, HUBSPOT, 1, 1_000)
            .await
            .unwrap()
    );
    f.store
        .seal_connection(&f.ws, HUBSPOT, "1", "", "two")
        .await
        .unwrap();
    let found = f
        .store
        .sealed_connection(&f.ws, HUBSPOT)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.state, found.detail.as_str()),
        (ConnectionState::Connected, "")
    );
}

async fn a_link_is_used_once_and_an_authorisation_taken_once(f: Fixture) {
    let now = f.clock.now();
    let link = ConnectLink {
        id: "l1".to_owned(),
        side: HUBSPOT,
        created_at: now,
        expires_at: now.plus_millis(1_000),
        used_at: None,
    };
    f.store.put_connect_link(&f.ws, &link).await.unwrap();
    let other = WorkspaceId::new("other/test");
    assert!(!f.store.use_connect_link(&other, "l1").await.unwrap());
    assert!(f.store.use_connect_link(&f.ws, "l1").await.unwrap());
    assert!(!f.store.use_connect_link(&f.ws, "l1").await.unwrap());
    let begun = Authorization {
        id: "a1".to_owned(),
        link: "l1".to_owned(),
        side: HUBSPOT,
        sealed: "sealed".to_owned(),
    };
    let until = now.plus_millis(1_000);
    f.store
        .put_authorization(&f.ws, &begun, "cookie", until)
        .await
        .unwrap();
    let take = async |ws: &WorkspaceId, browser: &str| {
        f.store.take_authorization(ws, "a1", browser).await.unwrap()
    };
    assert_eq!(take(&f.ws, "another").await, None);
    assert_eq!(take(&other, "cookie").await, None);
    assert_eq!(take(&f.ws, "cookie").await, Some(begun.clone()));
    assert_eq!(take(&f.ws, "cookie").await, None);
    f.store
        .put_authorization(&f.ws, &begun, "cookie", now)
        .await
        .unwrap();
    assert_eq!(take(&f.ws, "cookie").await, None, "it has expired");
}

async fn a_revoked_key_stays_revoked(f: Fixture) {
    let key = ApiKey {
        id: "k1".to_owned(),
        workspace: Some(f.ws.clone()),
        kind: KeyKind::Workspace,
        role: Role::Operator,
        name: "test".to_owned(),
        hash: "hash".to_owned(),
        created_at: f.clock.now(),
        used_at: None,
        revoked_at: None,
    };
    f.store.put_api_key(&key).await.unwrap();
    assert_eq!(f.store.api_key("k1").await.unwrap(), Some(key.clone()));
    assert_eq!(f.store.api_keys(None, "", 10).await.unwrap(), []);
    assert!(
        !f.store.revoke_api_key(None, "k1").await.unwrap(),
        "it is a workspace's"
    );
    assert!(f.store.revoke_api_key(Some(&f.ws), "k1").await.unwrap());
    assert!(!f.store.revoke_api_key(Some(&f.ws), "k1").await.unwrap());
    assert!(
        f.store
            .api_key("k1")
            .await
            .unwrap()
            .unwrap()
            .revoked_at
            .is_some()
    );
}

async fn the_newest_access_comes_first(f: Fixture) {
    for number in 1..=5 {
        let entry = AccessEntry {
            id: format!("acc_{number}"),
            made_at: f.clock.now(),
            actor: "somebody".to_owned(),
            action: format!("action {number}"),
            target: String::new(),
            detail: String::new(),
        };
        f.store.log_access(Some(&f.ws), &entry).await.unwrap();
    }
    let ids = async |before: Option<&str>| -> Vec<String> {
        let page = f.store.access_log(Some(&f.ws), before, 2).await.unwrap();
        page.into_iter().map(|entry| entry.id).collect()
    };
    assert_eq!(ids(None).await, ["acc_5", "acc_4"]);
    assert_eq!(ids(Some("acc_4")).await, ["acc_3", "acc_2"]);
    assert!(f.store.access_log(None, None, 10).await.unwrap().is_empty());
}

async fn erasing_takes_this_workspace_and_no_other(f: Fixture) {
    let other = WorkspaceId::new("other/test");
    for ws in [&f.ws, &other] {
        f.store
            .make_workspace(ws, &BTreeMap::new(), &OwnerTable::default())
            .await
            .unwrap();
        f.store.mark(ws, "sync", &[polled("1")]).await.unwrap();
        f.store.keep_schemas(ws, "rev", "{}").await.unwrap();
        let announced = Announced::from([((contacts(), HUBSPOT), vec![RecordId::new("2")])]);
        let announced = BTreeMap::from([(ws.clone(), announced)]);
        f.store.put_inbox(ws.as_str(), &announced).await.unwrap();
    }
    let erased = f.store.erase_workspace(&f.ws).await.unwrap();
    let expected = Erased::from([
        ("inbox", 1),
        ("lanes", 1),
        ("marks", 1),
        ("schemas", 1),
        ("workspaces", 1),
    ]);
    assert_eq!(erased, expected);
    assert_eq!(f.store.erase_workspace(&f.ws).await.unwrap(), Erased::new());
    assert_eq!(f.store.queue(&other, "sync", 10).await.unwrap().len(), 1);
    assert_eq!(f.store.inbox().await.unwrap()[0].workspace, other);
    assert!(f.store.workspace(&other).await.unwrap().is_some());
}

async fn the_agenda_leaves_out_what_somebody_holds(f: Fixture) {
    let other = WorkspaceId::new("other/test");
    for ws in [&f.ws, &other] {
        f.store.mark(ws, "sync", &[polled("1")]).await.unwrap();
    }
    let names = async || -> Vec<WorkspaceId> {
        f.store.agenda("sync").await.unwrap().into_keys().collect()
    };
    assert_eq!(names().await.len(), 2);
    let lease = f
        .store
        .lease(&other, "sync", "me", 30_000)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(names().await, std::slice::from_ref(&f.ws));
    f.store.release(lease).await.unwrap();
    assert_eq!(names().await.len(), 2);
}
