//! What people look at: each decision once, each open question once, nothing lost on closing.

use std::collections::BTreeMap;

use tandem::model::{
    ConflictId, DeadLetterId, ErrorClass, HoldReason, JournalId, LinkId, LinkState, Revision,
    RunId, Side, Task,
};
use tandem::store::{
    Changes, ConflictClose, ConflictFilter, ConflictRow, ConflictState, DeadLetter,
    DeadLetterClose, DeadLetterFilter, DeadLetterOf, DeadLetterState, JournalEntry, JournalFilter,
    RuleScope,
};

use crate::fixture::{Fixture, START, contacts, fields, hold, key, link, on_both, record, sides};

on_both!(
    the_journal_keeps_each_entry_once,
    the_same_conflict_is_one_conflict,
    a_closed_conflict_can_be_met_again,
    a_dead_letter_is_one_per_record_and_rule,
    dead_letters_close_by_link_by_task_and_by_rule,
    a_discarded_letter_keeps_its_note_and_swallows_no_new_one,
    dead_letters_can_be_filtered_and_paged,
    the_summary_counts_everything,
);

fn entry(id: &str, run: &str, decision: &str) -> JournalEntry {
    JournalEntry {
        id: JournalId::new(id),
        at: START,
        run: RunId::new(run),
        mapping: contacts(),
        revision: Revision::new("rev_1"),
        link: Some(LinkId::new("lnk_1")),
        record: Some(key("contacts", Side::HubSpot, "1")),
        rule: "email".to_owned(),
        decision: decision.to_owned(),
        reason: "hubspot-moved".to_owned(),
        base: Some(sides("a", "a")),
        inputs: sides("b", "a"),
        winner: Some(Side::HubSpot),
        wrote: Some((Side::Salesforce, fields(&[("Email", "b")]))),
        loser: Some(fields(&[("Email", "a")])),
        detail: "e-mail \u{1f4e7}".to_owned(),
    }
}

fn bare(id: &str) -> JournalEntry {
    JournalEntry {
        link: None,
        record: None,
        base: None,
        winner: None,
        wrote: None,
        loser: None,
        ..entry(id, "run_2", "skip")
    }
}

async fn the_journal_keeps_each_entry_once(f: Fixture) {
    let lease = f.lease().await;
    let journal = vec![
        entry("jrn_1", "run_1", "write"),
        entry("jrn_2", "run_1", "agree"),
    ];
    f.apply(
        &lease,
        Changes {
            journal: journal.clone(),
            ..Changes::default()
        },
    )
    .await;
    let more = vec![journal[1].clone(), bare("jrn_3")];
    f.apply(
        &lease,
        Changes {
            journal: more,
            ..Changes::default()
        },
    )
    .await;
    let of_link = f
        .store
        .journal_of(&f.ws, &LinkId::new("lnk_1"), 10)
        .await
        .unwrap();
    assert_eq!(
        of_link,
        [journal[1].clone(), journal[0].clone()],
        "the newest first"
    );
    let all = f
        .store
        .journal_page(&f.ws, &JournalFilter::default())
        .await
        .unwrap();
    assert_eq!(all, [journal[0].clone(), journal[1].clone(), bare("jrn_3")]);
    let filter = JournalFilter {
        run: Some(RunId::new("run_1")),
        mapping: Some(contacts()),
        decision: Some("agree".to_owned()),
        after: Some(JournalId::new("jrn_1")),
        limit: 5,
    };
    assert_eq!(
        f.store.journal_page(&f.ws, &filter).await.unwrap(),
        journal[1..]
    );
    let counts = f
        .store
        .journal_counts(&f.ws, Some(&RunId::new("run_2")))
        .await
        .unwrap();
    assert_eq!(counts, BTreeMap::from([("skip".to_owned(), 1)]));
}

fn conflict(id: &str, hubspot: &str, winner: Option<Side>) -> ConflictRow {
    let state = if winner.is_some() {
        ConflictState::Decided
    } else {
        ConflictState::Open
    };
    ConflictRow {
        id: ConflictId::new(id),
        at: START,
        run: RunId::new("run_1"),
        mapping: contacts(),
        link: LinkId::new("lnk_1"),
        rule: "email".to_owned(),
        base: None,
        inputs: sides(hubspot, "s"),
        winner,
        loser: fields(&[("email", hubspot)]),
        reason: "both-moved".to_owned(),
        state,
    }
}

async fn all_conflicts(f: &Fixture) -> Vec<ConflictRow> {
    f.store
        .conflicts(&f.ws, &ConflictFilter::default(), 100)
        .await
        .unwrap()
}

async fn the_same_conflict_is_one_conflict(f: Fixture) {
    let lease = f.lease().await;
    let first = conflict("cfl_1", "h", Some(Side::Salesforce));
    let repeat = conflict("cfl_2", "h", Some(Side::Salesforce));
    let other = conflict("cfl_3", "other", None);
    f.apply(
        &lease,
        Changes {
            conflicts: vec![first.clone()],
            ..Changes::default()
        },
    )
    .await;
    let conflicts = vec![repeat, other.clone()];
    f.apply(
        &lease,
        Changes {
            conflicts,
            ..Changes::default()
        },
    )
    .await;
    assert_eq!(all_conflicts(&f).await, [first.clone(), other.clone()]);
    let filter = ConflictFilter {
        state: Some(ConflictState::Open),
        ..ConflictFilter::default()
    };
    assert_eq!(f.store.conflicts(&f.ws, &filter, 9).await.unwrap(), [other]);
    let found = f
        .store
        .conflict(&f.ws, &ConflictId::new("cfl_1"))
        .await
        .unwrap();
    assert_eq!(found, Some(first));
    assert_eq!(
        f.store
            .conflict(&f.ws, &ConflictId::new("cfl_2"))
            .await
            .unwrap(),
        None
    );
}

async fn a_closed_conflict_can_be_met_again(f: Fixture) {
    let lease = f.lease().await;
    let conflicts = vec![conflict("cfl_1", "h", None), conflict("cfl_2", "i", None)];
    f.apply(
        &lease,
        Changes {
            conflicts,
            ..Changes::default()
        },
    )
    .await;
    let close = |rule: Option<&str>| Changes {
        conflicts_closed: vec![ConflictClose {
            link: LinkId::new("lnk_1"),
            rule: rule.map(str::to_owned),
            why: "a person took hubspot".to_owned(),
        }],
        ..Changes::default()
    };
    f.apply(&lease, close(Some("phone"))).await;
    let states = |all: Vec<ConflictRow>| all.iter().map(|row| row.state).collect::<Vec<_>>();
    assert_eq!(states(all_conflicts(&f).await), [ConflictState::Open; 2]);
    f.apply(&lease, close(None)).await;
    assert_eq!(states(all_conflicts(&f).await), [ConflictState::Closed; 2]);
    let conflicts = vec![conflict("cfl_9", "h", None)];
    f.apply(
        &lease,
        Changes {
            conflicts,
            ..Changes::default()
        },
    )
    .await;
    let after = all_conflicts(&f).await;
    assert_eq!(
        states(after.clone()),
        [ConflictState::Open, ConflictState::Closed]
    );
    assert_eq!(after[0].id, ConflictId::new("cfl_1"), "its id stays");
}

fn letter(id: &str, record_id: &str, rule: Option<&str>) -> DeadLetter {
    DeadLetter {
        id: DeadLetterId::new(id),
        at: START,
        first_at: START,
        run: Some(RunId::new("run_1")),
        mapping: contacts(),
        link: Some(LinkId::new("lnk_1")),
        task: record(record_id),
        rule: rule.map(str::to_owned),
        class: ErrorClass::Permanent,
        code: "INVALID_EMAIL".to_owned(),
        message: "invalid e-mail: \"x\"".to_owned(),
        fields: vec!["Email".to_owned(), "Name".to_owned()],
        base: Some(sides("a", "a")),
        inputs: sides("x", "a"),
        planned: Some((Side::Salesforce, fields(&[("Email", "x")]))),
        attempts: 1,
        fingerprint: "permanent/INVALID_EMAIL/Email/Contact".to_owned(),
        state: DeadLetterState::Open,
        note: String::new(),
    }
}

async fn letters(f: &Fixture, filter: &DeadLetterFilter) -> Vec<DeadLetter> {
    f.store.dead_letters(&f.ws, filter).await.unwrap()
}

async fn a_dead_letter_is_one_per_record_and_rule(f: Fixture) {
    let lease = f.lease().await;
    let put = |dead_letters: Vec<DeadLetter>| Changes {
        dead_letters,
        ..Changes::default()
    };
    let first = letter("dl_1", "1", None);
    f.apply(
        &lease,
        put(vec![first.clone(), letter("dl_2", "1", Some("email"))]),
    )
    .await;
    f.apply(&lease, put(vec![first.clone()])).await;
    let later = DeadLetter {
        id: DeadLetterId::new("dl_3"),
        at: START.plus_millis(5),
        first_at: START.plus_millis(5),
        attempts: 4,
        ..first.clone()
    };
    f.apply(&lease, put(vec![later.clone()])).await;
    let kept = DeadLetter {
        id: first.id.clone(),
        first_at: START,
        ..later
    };
    let found = f.store.dead_letter(&f.ws, &first.id).await.unwrap();
    assert_eq!(found, Some(kept));
    assert_eq!(letters(&f, &DeadLetterFilter::default()).await.len(), 2);
    let counts = f.store.queue_counts(&f.ws, "sync").await.unwrap();
    assert_eq!(counts["record"].dead, 2);
}

fn close(of: DeadLetterOf, rules: RuleScope, state: DeadLetterState) -> Changes {
    let why = "done".to_owned();
    let dead_letters_closed = vec![DeadLetterClose {
        of,
        rules,
        state,
        why,
    }];
    Changes {
        dead_letters_closed,
        ..Changes::default()
    }
}

async fn open_ids(f: &Fixture) -> Vec<String> {
    let state = Some(DeadLetterState::Open);
    let found = letters(
        f,
        &DeadLetterFilter {
            state,
            ..Default::default()
        },
    )
    .await;
    found.iter().map(|letter| letter.id.to_string()).collect()
}

async fn dead_letters_close_by_link_by_task_and_by_rule(f: Fixture) {
    let lease = f.lease().await;
    let dead_letters = vec![
        letter("dl_1", "1", None),
        letter("dl_2", "1", Some("email")),
        letter("dl_3", "2", Some("phone")),
        DeadLetter {
            link: None,
            ..letter("dl_4", "4", None)
        },
    ];
    f.apply(
        &lease,
        Changes {
            dead_letters,
            ..Changes::default()
        },
    )
    .await;
    let closed = DeadLetterState::Closed;
    let by_task = DeadLetterOf::Task(record("1"));
    f.apply(&lease, close(by_task, RuleScope::Record, closed))
        .await;
    assert_eq!(open_ids(&f).await, ["dl_2", "dl_3", "dl_4"]);
    let by_link = DeadLetterOf::Link(LinkId::new("lnk_1"));
    let phone = RuleScope::Rule("phone".to_owned());
    f.apply(&lease, close(by_link.clone(), phone, closed)).await;
    assert_eq!(open_ids(&f).await, ["dl_2", "dl_4"]);
    f.apply(&lease, close(by_link, RuleScope::All, closed))
        .await;
    assert_eq!(open_ids(&f).await, ["dl_4"]);
}

async fn a_discarded_letter_keeps_its_note_and_swallows_no_new_one(f: Fixture) {
    let lease = f.lease().await;
    let chore = Task::Poll {
        mapping: contacts(),
        side: Side::HubSpot,
    };
    let put = |id| {
        let polling = DeadLetter {
            task: chore.clone(),
            link: None,
            ..letter(id, "", None)
        };
        Changes {
            dead_letters: vec![polling],
            ..Changes::default()
        }
    };
    f.apply(&lease, put("dl_1")).await;
    let by_id = DeadLetterOf::Id(DeadLetterId::new("dl_1"));
    f.apply(
        &lease,
        close(by_id, RuleScope::All, DeadLetterState::Discarded),
    )
    .await;
    assert_eq!(open_ids(&f).await, Vec::<String>::new());
    let found = f
        .store
        .dead_letter(&f.ws, &DeadLetterId::new("dl_1"))
        .await
        .unwrap();
    let found = found.unwrap();
    assert_eq!((&found.task, found.note.as_str()), (&chore, "done"));
    assert_eq!(found.state, DeadLetterState::Discarded);
    f.apply(&lease, put("dl_2")).await;
    assert_eq!(open_ids(&f).await, ["dl_2"]);
}

async fn dead_letters_can_be_filtered_and_paged(f: Fixture) {
    let lease = f.lease().await;
    let numbered = |n: u32| letter(&format!("dl_{n:03}"), &n.to_string(), None);
    let mut dead_letters: Vec<DeadLetter> = (0..120).map(numbered).collect();
    dead_letters[5].class = ErrorClass::NeedsPerson;
    dead_letters[6].code = "AMBIGUOUS".to_owned();
    let all = dead_letters.clone();
    f.apply(
        &lease,
        Changes {
            dead_letters,
            ..Changes::default()
        },
    )
    .await;
    let first = letters(&f, &DeadLetterFilter::default()).await;
    assert_eq!(first, all[..100]);
    let after = DeadLetterFilter {
        after: Some(first[99].id.clone()),
        ..Default::default()
    };
    assert_eq!(letters(&f, &after).await, all[100..]);
    let class = Some(ErrorClass::NeedsPerson);
    let by_class = DeadLetterFilter {
        class,
        ..Default::default()
    };
    assert_eq!(letters(&f, &by_class).await, all[5..6]);
    let code = Some("AMBIGUOUS".to_owned());
    let by_code = DeadLetterFilter {
        code,
        side: Some(Side::HubSpot),
        ..Default::default()
    };
    assert_eq!(letters(&f, &by_code).await, all[6..7]);
    let other = DeadLetterFilter {
        side: Some(Side::Salesforce),
        ..Default::default()
    };
    assert_eq!(letters(&f, &other).await, []);
}

async fn the_summary_counts_everything(f: Fixture) {
    let lease = f.lease().await;
    let changes = Changes {
        links: vec![link("lnk_1", "1", "a"), link("lnk_2", "2", "b")],
        holds: vec![hold("lnk_1", "email", HoldReason::Ask)],
        conflicts: vec![conflict("cfl_1", "h", None)],
        dead_letters: vec![letter("dl_1", "3", None)],
        journal: vec![entry("jrn_1", "run_1", "write")],
        ..Changes::default()
    };
    f.apply(&lease, changes).await;
    let summary = f.store.summary(&f.ws).await.unwrap();
    assert_eq!(summary.links, BTreeMap::from([(LinkState::Linked, 2)]));
    assert_eq!(summary.holds, BTreeMap::from([(HoldReason::Ask, 1)]));
    assert_eq!(
        summary.conflicts,
        BTreeMap::from([(ConflictState::Open, 1)])
    );
    assert_eq!(
        summary.dead_letters,
        BTreeMap::from([(DeadLetterState::Open, 1)])
    );
    assert_eq!(summary.decisions, BTreeMap::from([("write".to_owned(), 1)]));
}
