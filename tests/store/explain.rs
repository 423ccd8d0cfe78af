//! What is read to explain a record: the right rows, in the right order, on both databases.

use tandem::model::{
    BySide, DeadLetterId, ErrorClass, Fields, JournalId, LinkId, Revision, RunId, Side, Verdict,
};
use tandem::store::{
    Changes, DeadLetter, DeadLetterClose, DeadLetterOf, DeadLetterState, JournalEntry, RuleScope,
};

use crate::fixture::{
    Fixture, LANE, START, bases, contacts, failure, key, link, linked, on_both, polled, record,
    sides,
};

on_both!(
    a_pair_keeps_the_time_of_its_first_agreement,
    the_journal_of_a_pair_is_found_by_rule_and_by_time,
    letters_that_are_open_or_let_go_are_found_and_closed_ones_not,
    work_is_found_by_name_with_what_it_waits_for,
    every_revision_is_listed_in_its_order,
);

async fn a_pair_keeps_the_time_of_its_first_agreement(f: Fixture) {
    let lease = f.lease().await;
    let id = LinkId::new("lnk_1");
    f.apply(&lease, linked(vec![link("lnk_1", "1", "A")])).await;
    let since = || f.store.agreed_since(&f.ws, &id);
    assert_eq!(since().await.unwrap(), None);
    for value in ["a", "b"] {
        let changes = Changes {
            bases: vec![(id.clone(), bases(value, value))],
            ..Changes::default()
        };
        f.apply(&lease, changes).await;
        f.clock.advance_millis(5_000);
    }
    assert_eq!(since().await.unwrap(), Some(START));
    let held = f.store.bases(&f.ws, &[id]).await.unwrap();
    assert_eq!(held.into_values().collect::<Vec<_>>(), [bases("b", "b")]);
}

fn entry(nth: i64, rule: &str, decision: &str) -> JournalEntry {
    JournalEntry {
        id: JournalId::new(format!("jrn_{nth}")),
        at: START.plus_millis(nth),
        run: RunId::new("run_1"),
        mapping: contacts(),
        revision: Revision::new("rev_1"),
        link: Some(LinkId::new("lnk_1")),
        record: None,
        rule: rule.to_owned(),
        decision: decision.to_owned(),
        reason: String::new(),
        base: None,
        inputs: sides("a", "b"),
        winner: None,
        wrote: None,
        loser: None,
        detail: String::new(),
    }
}

fn ids(entries: &[JournalEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

async fn the_journal_of_a_pair_is_found_by_rule_and_by_time(f: Fixture) {
    let lease = f.lease().await;
    let mut other = entry(9, "email", "write");
    other.link = Some(LinkId::new("lnk_2"));
    let journal = vec![
        entry(1, "email", "write"),
        entry(2, "phone", "write"),
        entry(3, "email", "audit"),
        entry(4, "email", "hold"),
        entry(5, "", "tombstone"),
        other,
    ];
    let changes = Changes {
        journal,
        ..Changes::default()
    };
    f.apply(&lease, changes).await;
    let (store, ws, id) = (&f.store, &f.ws, LinkId::new("lnk_1"));
    let newest = store.journal_newest(ws, &id, 2).await.unwrap();
    assert_eq!(ids(&newest), ["jrn_5", "jrn_4", "jrn_3", "jrn_2"]);
    let after = |millis: i64| store.journal_next(ws, &id, START.plus_millis(millis));
    assert_eq!(ids(&after(0).await.unwrap()), ["jrn_1", "jrn_2", "jrn_5"]);
    assert_eq!(ids(&after(1).await.unwrap()), ["jrn_2", "jrn_4", "jrn_5"]);
    assert_eq!(ids(&after(5).await.unwrap()), [""; 0]);
    let (found, total) = store.journal_of_rule(ws, &id, "email", 2).await.unwrap();
    assert_eq!((ids(&found), total), (vec!["jrn_5", "jrn_4"], 4));
}

fn letter(id: &str, number: &str, rule: Option<&str>) -> DeadLetter {
    DeadLetter {
        id: DeadLetterId::new(id),
        at: START,
        first_at: START,
        run: None,
        mapping: contacts(),
        link: Some(LinkId::new("lnk_1")),
        task: record(number),
        rule: rule.map(str::to_owned),
        class: ErrorClass::Permanent,
        code: "CODE".to_owned(),
        message: "no".to_owned(),
        fields: Vec::new(),
        base: None,
        inputs: BySide::<Fields>::default(),
        planned: None,
        attempts: 1,
        fingerprint: "f".to_owned(),
        state: DeadLetterState::Open,
        note: String::new(),
    }
}

async fn letters_that_are_open_or_let_go_are_found_and_closed_ones_not(f: Fixture) {
    let lease = f.lease().await;
    let changes = Changes {
        dead_letters: vec![
            letter("dl_1", "1", None),
            letter("dl_2", "1", Some("email")),
            letter("dl_3", "1", Some("phone")),
            letter("dl_4", "2", None),
        ],
        ..Changes::default()
    };
    f.apply(&lease, changes).await;
    let close = |id: &str, state| DeadLetterClose {
        of: DeadLetterOf::Id(DeadLetterId::new(id)),
        rules: RuleScope::All,
        state,
        why: "test".to_owned(),
    };
    let changes = Changes {
        dead_letters_closed: vec![
            close("dl_2", DeadLetterState::Discarded),
            close("dl_3", DeadLetterState::Closed),
        ],
        ..Changes::default()
    };
    f.apply(&lease, changes).await;
    let names = |letters: Vec<DeadLetter>| -> Vec<String> {
        letters.into_iter().map(|one| one.id.to_string()).collect()
    };
    let found = f.store.letters_of(&f.ws, &[record("1")]).await.unwrap();
    assert_eq!(names(found), ["dl_1", "dl_2"]);
    let link = LinkId::new("lnk_1");
    let found = f.store.letters_of_link(&f.ws, &link).await.unwrap();
    assert_eq!(names(found), ["dl_1", "dl_4"]);
}

async fn work_is_found_by_name_with_what_it_waits_for(f: Fixture) {
    f.mark(&[polled("1"), polled("2")]).await;
    let lease = f.lease().await;
    let parent = key("companies", Side::HubSpot, "7");
    let claimed = f.claim(&lease).await;
    let blocked = Verdict::BlockedOn {
        parent: parent.clone(),
        failure: failure(ErrorClass::Blocked),
    };
    f.judge(&lease, &claimed[..1], &blocked).await;
    let wanted = [record("1"), record("2"), record("3")];
    let found = f.store.waiting(&f.ws, LANE, &wanted).await.unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|one| {
            (
                one.work.task.record_id(),
                one.blocked,
                one.work.parent.clone(),
            )
        })
        .collect();
    assert_eq!(told, [("1", true, Some(parent)), ("2", false, None)]);
}

async fn every_revision_is_listed_in_its_order(f: Fixture) {
    for text in ["one", "two"] {
        let revision = Revision::new(format!("rev_{text}"));
        f.store
            .put_revision(&f.ws, &contacts(), &revision, text, "{}")
            .await
            .unwrap();
        f.clock.advance_millis(1_000);
    }
    let found = f.store.revisions(&f.ws).await.unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|one| (one.revision.as_str(), one.created_at.millis_since(START)))
        .collect();
    assert_eq!(told, [("rev_one", 0), ("rev_two", 1_000)]);
}
