//! Mappings set for a workspace, what was at work when, and what is paused.

use std::collections::BTreeMap;

use tandem::model::{
    BySide, ErrorClass, MappingName, OwnerTable, PAUSED, Pauses, Revision, Verdict, WorkspaceId,
};
use tandem::pipeline::LANE;
use tandem::store::{Activation, Brought, Pending};

use crate::fixture::{Fixture, failure, on_both, polled, retry};

on_both!(
    what_is_set_is_found_until_it_is_taken_back,
    every_activation_is_kept_with_who_set_it,
    a_revision_that_owners_brought_about_is_whose_change_it_was,
    what_a_change_brings_stays_its_own_until_it_is_at_work,
    pauses_change_only_as_they_were_seen,
    what_waits_for_a_pause_is_made_due_and_nothing_else,
);

fn name(text: &str) -> MappingName {
    MappingName::new(text)
}

fn texts(text: &str) -> BTreeMap<MappingName, String> {
    BTreeMap::from([(name("contacts"), text.to_owned())])
}

async fn tenant(f: &Fixture) -> WorkspaceId {
    let ws = WorkspaceId::new("new/one");
    assert!(
        f.store
            .make_workspace(&ws, &BTreeMap::new(), &OwnerTable::default())
            .await
            .unwrap()
    );
    ws
}

async fn what_is_set_is_found_until_it_is_taken_back(f: Fixture) {
    let ws = tenant(&f).await;
    let version = async || {
        f.store
            .workspace(&ws)
            .await
            .unwrap()
            .unwrap()
            .mappings_version
    };
    assert_eq!(version().await, 0);
    let set = async |text: &str, author: &str| {
        let texts = texts(text);
        let changed = f.store.change_set_mappings(&ws, &texts, &[], author);
        changed.await.unwrap();
    };
    set("one", "ada").await;
    set("two", "bob").await;
    let found = f.store.set_mappings(&ws).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].text.as_str(), found[0].author.as_str()),
        ("two", "bob")
    );
    assert_eq!(version().await, 2);
    let back = [name("contacts"), name("nothing")];
    let none = BTreeMap::new();
    let changed = f.store.change_set_mappings(&ws, &none, &back, "ada");
    changed.await.unwrap();
    assert_eq!(f.store.set_mappings(&ws).await.unwrap(), []);
    assert_eq!(
        version().await,
        3,
        "whoever looks at the version sees that, too"
    );
}

async fn every_activation_is_kept_with_who_set_it(f: Fixture) {
    let ws = tenant(&f).await;
    let activate = async |revision: Option<&str>| {
        let active = revision.map(|one| (name("contacts"), Revision::new(one)));
        f.store
            .activate(&ws, &active.into_iter().collect())
            .await
            .unwrap();
        f.clock.advance_millis(1_000);
    };
    activate(Some("mr_1")).await;
    activate(Some("mr_1")).await;
    let two = texts("two");
    let set = f.store.change_set_mappings(&ws, &two, &[], "ada");
    set.await.unwrap();
    let contacts = name("contacts");
    activate(Some("mr_2")).await;
    activate(None).await;
    let log = async |before, limit| {
        let found = f.store.activations(&ws, &contacts, before, limit);
        found.await.unwrap()
    };
    let all: Vec<Activation> = log(None, 10).await;
    let told = |row: &Activation| {
        let revision = row.revision.as_ref().map(|one| one.as_str().to_owned());
        (revision, row.author.clone())
    };
    let seen: Vec<_> = all.iter().map(told).collect();
    let row =
        |revision: Option<&str>, author: &str| (revision.map(str::to_owned), author.to_owned());
    assert_eq!(
        seen,
        [
            row(None, "ada"),
            row(Some("mr_2"), "ada"),
            row(Some("mr_1"), Activation::FILES)
        ],
        "the newest first, and a repeat is no news"
    );
    assert_eq!(log(Some(all[0].at), 1).await, all[1..2]);
    let other = f.store.activations(&f.ws, &contacts, None, 10);
    assert_eq!(other.await.unwrap(), [], "another workspace has its own");
}

async fn a_revision_that_owners_brought_about_is_whose_change_it_was(f: Fixture) {
    let ws = tenant(&f).await;
    let activate = async |contacts: &str, deals: &str| {
        let active = [("contacts", contacts), ("deals", deals)];
        let active = active.map(|(of, revision)| (name(of), Revision::new(revision)));
        f.store.activate(&ws, &active.into()).await.unwrap();
        f.clock.advance_millis(1_000);
    };
    let authors = async |of: &str| -> Vec<String> {
        let found = f.store.activations(&ws, &name(of), None, 10).await.unwrap();
        found.into_iter().map(|row| row.author).collect()
    };
    let owners = OwnerTable::default();
    let brings = async |author: &str, revision: &str| {
        let brought = by(Some(author), "contacts", revision);
        let change = f.store.change_workspace(&ws, None, Some(&owners), &brought);
        assert!(change.await.unwrap());
    };
    activate("mr_1", "mr_a").await;
    brings("ada", "mr_2").await;
    activate("mr_2", "mr_b").await;
    assert_eq!(authors("contacts").await, ["ada", Activation::FILES]);
    let files = [Activation::FILES; 2];
    assert_eq!(authors("deals").await, files, "that one is the files'");
    // What became of other files is nobody's, nor is what somebody set later.
    activate("mr_3", "mr_b").await;
    assert_eq!(authors("contacts").await[0], Activation::FILES);
    brings("ada", "mr_4").await;
    let two = texts("two");
    let set = f.store.change_set_mappings(&ws, &two, &[], "bob");
    set.await.unwrap();
    activate("mr_4", "mr_b").await;
    assert_eq!(authors("contacts").await[0], "bob");
}

fn by(author: Option<&str>, of: &str, revision: &str) -> Brought {
    let pending = Pending {
        revision: Revision::new(revision),
        author: author.map(str::to_owned),
    };
    Brought::from([(name(of), pending)])
}

async fn what_a_change_brings_stays_its_own_until_it_is_at_work(f: Fixture) {
    let ws = tenant(&f).await;
    let activate = async |contacts: &str, deals: &str| {
        let active = [("contacts", contacts), ("deals", deals)];
        let active = active.map(|(of, revision)| (name(of), Revision::new(revision)));
        f.store.activate(&ws, &active.into()).await.unwrap();
        f.clock.advance_millis(1_000);
    };
    let newest = async |of: &str| {
        let found = f.store.activations(&ws, &name(of), None, 1).await.unwrap();
        found[0].author.clone()
    };
    let brings = async |contacts: Brought, deals: Brought| {
        let brought = contacts.into_iter().chain(deals).collect();
        let change = f.store.change_workspace(&ws, None, None, &brought);
        assert!(change.await.unwrap());
    };
    activate("mr_1", "mr_a").await;
    let ada = by(Some("ada"), "contacts", "mr_2");
    brings(ada, by(None, "deals", "mr_a")).await;
    // Another change that leaves the first one's revision as it is, and one that changes nothing.
    let same = || by(None, "contacts", "mr_2");
    brings(same(), by(Some("bob"), "deals", "mr_b")).await;
    brings(same(), by(None, "deals", "mr_b")).await;
    // What is read with an older table is put to work in between.
    activate("mr_1", "mr_b").await;
    assert_eq!(newest("deals").await, "bob");
    activate("mr_2", "mr_b").await;
    assert_eq!(newest("contacts").await, "ada");
    // It is at work, and what files make of it later is nobody's.
    activate("mr_3", "mr_c").await;
    activate("mr_2", "mr_b").await;
    assert_eq!(newest("contacts").await, Activation::FILES);
    assert_eq!(newest("deals").await, Activation::FILES);
    // What is taken back before it is at work is what was there all along.
    brings(by(Some("ada"), "contacts", "mr_4"), Brought::new()).await;
    brings(by(Some("ada"), "contacts", "mr_2"), Brought::new()).await;
    activate("mr_3", "mr_b").await;
    activate("mr_2", "mr_b").await;
    assert_eq!(newest("contacts").await, Activation::FILES);
}

async fn pauses_change_only_as_they_were_seen(f: Fixture) {
    let ws = tenant(&f).await;
    let none = Pauses::new();
    let some = Pauses::from([(name("contacts"), BySide::new(false, true))]);
    let change =
        async |seen: &Pauses, next: &Pauses| f.store.change_pauses(&ws, seen, next).await.unwrap();
    assert!(change(&none, &some).await);
    assert!(!change(&none, &none).await, "somebody came first");
    let found = f.store.workspace(&ws).await.unwrap().unwrap();
    assert_eq!(found.pauses, some);
    assert!(change(&some, &none).await);
    let found = f.store.workspace(&ws).await.unwrap().unwrap();
    assert_eq!(found.pauses, none);
}

async fn what_waits_for_a_pause_is_made_due_and_nothing_else(f: Fixture) {
    f.mark(&[polled("1"), polled("2")]).await;
    let lease = f.lease().await;
    let claimed = f.claim(&lease).await;
    assert_eq!(claimed.len(), 2);
    let Verdict::RetryAt { at, .. } = retry(3_600_000, ErrorClass::Transient) else {
        panic!("a retry");
    };
    let paused = Verdict::RetryAt {
        at,
        counted: false,
        failure: tandem::model::Failure {
            code: PAUSED.to_owned(),
            ..failure(ErrorClass::NeedsPerson)
        },
    };
    f.judge(&lease, &claimed[..1], &paused).await;
    let later = retry(3_600_000, ErrorClass::Transient);
    f.judge(&lease, &claimed[1..], &later).await;
    assert_eq!(f.claim(&lease).await.len(), 0, "both wait");
    let none = Pauses::new();
    let some = Pauses::from([(name("contacts"), BySide::new(false, true))]);
    let under = async |pauses: &Pauses| {
        f.store.work_under(&f.ws, LANE, pauses).await.unwrap();
        f.claim(&lease).await
    };
    assert_eq!(under(&none).await.len(), 0, "nothing has changed");
    let due = under(&some).await;
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].task, claimed[0].task);
    f.judge(&lease, &due, &paused).await;
    assert_eq!(under(&some).await.len(), 0, "not with every engine");
    assert_eq!(under(&none).await.len(), 1, "it goes on");
}
