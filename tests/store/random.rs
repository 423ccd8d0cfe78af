//! The same random work on both databases leads to the same rows and the same refusals.

use fastrand::Rng;
use tandem::model::{
    Cause, ConflictId, DeadLetterId, ErrorClass, HoldReason, IntentId, JournalId, Link, LinkId,
    LinkState, RecordId, Revision, RunId, Side, Verdict,
};
use tandem::store::{
    Changes, ConflictFilter, ConflictRow, ConflictState, CursorPut, DeadLetter, DeadLetterClose,
    DeadLetterFilter, DeadLetterOf, DeadLetterState, JournalEntry, JournalFilter, Judged, Lease,
    LinkFilter, Mark, MatchKeys, RuleScope, StoreError, Tombstone,
};

use crate::fixture::{
    Fixture, LANE, START, bases, contacts, fields, hold, intent, key, link, mark, postgres, record,
    retry, sides, sqlite,
};

const CAUSES: [Cause; 5] = [
    Cause::Person,
    Cause::Poll,
    Cause::Scan,
    Cause::Backfill,
    Cause::Follow,
];
const RULES: [&str; 3] = ["email", "phone", "name"];

#[tokio::test]
async fn both_databases_do_the_same() {
    for seed in 0..6 {
        let Some(postgres) = postgres().await else {
            return;
        };
        compare(seed, &sqlite().await, &postgres).await;
    }
}

async fn compare(seed: u64, one: &Fixture, two: &Fixture) {
    let mut rng = Rng::with_seed(seed);
    let mut leases = (one.lease().await, two.lease().await);
    for step in 0..40 {
        let at = format!("seed {seed}, step {step}");
        if rng.u8(..10) == 0 {
            one.store.release(leases.0).await.unwrap();
            two.store.release(leases.1).await.unwrap();
            leases = (one.lease().await, two.lease().await);
        }
        let now = START.plus_millis(rng.i64(0..5_000));
        let claimed = one.store.claim(&leases.0, now, 10).await.unwrap();
        assert_eq!(
            claimed,
            two.store.claim(&leases.1, now, 10).await.unwrap(),
            "{at}"
        );
        let mut changes = random_changes(&mut rng, step);
        for work in claimed {
            let verdict = random_verdict(&mut rng);
            let judged = Judged {
                task: work.task,
                revision: work.revision,
                verdict,
            };
            changes.verdicts.push(judged);
        }
        let outcome = commit(one, &leases.0, changes.clone()).await;
        assert_eq!(outcome, commit(two, &leases.1, changes).await, "{at}");
        for (left, right) in picture(one).await.iter().zip(&picture(two).await) {
            assert_eq!(left, right, "{at}");
        }
    }
}

/// Which of several broken rules is named first is the database's choice.
async fn commit(f: &Fixture, lease: &Lease, changes: Changes) -> &'static str {
    match f.store.commit(lease, changes).await {
        Ok(()) => "applied",
        Err(StoreError::Conflict(_)) => "conflict",
        Err(other) => panic!("{other}"),
    }
}

fn random_side(rng: &mut Rng) -> Side {
    if rng.bool() {
        Side::HubSpot
    } else {
        Side::Salesforce
    }
}

fn random_verdict(rng: &mut Rng) -> Verdict {
    match rng.u8(..6) {
        0 => retry(rng.i64(0..4_000), ErrorClass::Transient),
        1 => retry(rng.i64(0..4_000), ErrorClass::Rate),
        2 => Verdict::BlockedOn {
            parent: key("contacts", random_side(rng), &rng.u8(..8).to_string()),
            failure: crate::fixture::failure(ErrorClass::Blocked),
        },
        3 => Verdict::Dead(crate::fixture::failure(ErrorClass::Permanent)),
        _ => Verdict::Done,
    }
}

fn some<T>(rng: &mut Rng, mut make: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    let count = rng.usize(..4);
    (0..count).map(|_| make(rng)).collect()
}

fn small(rng: &mut Rng) -> String {
    rng.u8(..8).to_string()
}

fn link_id(rng: &mut Rng) -> LinkId {
    LinkId::new(format!("lnk_{}", rng.u8(..6)))
}

fn random_link(rng: &mut Rng) -> Link {
    let states = [
        LinkState::Linked,
        LinkState::Unlinked,
        LinkState::Tombstoned,
    ];
    let id = link_id(rng);
    Link {
        state: states[rng.usize(..3)],
        group: rng.bool().then(|| "people".to_owned()),
        ..link(id.as_str(), &small(rng), &small(rng))
    }
}

fn random_mark(rng: &mut Rng) -> Mark {
    let not_before = START.plus_millis(rng.i64(0..3_000));
    let cause = CAUSES[rng.usize(..5)];
    Mark {
        not_before,
        ..mark(record(&small(rng)), cause)
    }
}

fn random_changes(rng: &mut Rng, step: usize) -> Changes {
    Changes {
        lane_state: rng.bool().then(|| format!("{{\"step\":{step}}}")),
        marks: some(rng, random_mark),
        unblock: some(rng, |rng| key("contacts", random_side(rng), &small(rng))),
        links: if rng.bool() {
            some(rng, random_link)
        } else {
            Vec::new()
        },
        bases: some(rng, |rng| (link_id(rng), bases(&small(rng), &small(rng)))),
        holds: some(rng, |rng| {
            hold(
                link_id(rng).as_str(),
                RULES[rng.usize(..3)],
                HoldReason::Ask,
            )
        }),
        holds_closed: some(rng, |rng| (link_id(rng), RULES[rng.usize(..3)].to_owned())),
        intents: if rng.u8(..4) == 0 {
            vec![intent(
                &format!("int_{step}"),
                link_id(rng).as_str(),
                random_side(rng),
            )]
        } else {
            Vec::new()
        },
        intents_closed: some(rng, |rng| IntentId::new(format!("int_{}", rng.usize(..60)))),
        cursors: some(rng, |rng| CursorPut {
            mapping: contacts(),
            side: random_side(rng),
            kind: "poll".to_owned(),
            value: small(rng),
        }),
        match_keys: some(rng, |rng| MatchKeys {
            mapping: contacts(),
            side: random_side(rng),
            record: RecordId::new(small(rng)),
            keys: some(rng, |rng| rng.bool().then(|| small(rng))),
        }),
        aliases: some(rng, |rng| {
            (
                key("contacts", random_side(rng), &small(rng)),
                RecordId::new(small(rng)),
            )
        }),
        tombstones: some(rng, |rng| Tombstone {
            key: key("contacts", random_side(rng), &small(rng)),
            link: link_id(rng),
            at: START.plus_millis(rng.i64(0..100)),
            reason: small(rng),
        }),
        links_parted: some(rng, |rng| (link_id(rng), small(rng))),
        tombstones_lifted: some(rng, |rng| key("contacts", random_side(rng), &small(rng))),
        ..random_findings(rng, step)
    }
}

fn random_findings(rng: &mut Rng, step: usize) -> Changes {
    let id = |what: &str, rng: &mut Rng| format!("{what}_{step:03}_{}", rng.u32(..));
    Changes {
        journal: some(rng, |rng| JournalEntry {
            id: JournalId::new(id("jrn", rng)),
            at: START,
            run: RunId::new("run_1"),
            mapping: contacts(),
            revision: Revision::new("rev_1"),
            link: Some(link_id(rng)),
            record: None,
            rule: RULES[rng.usize(..3)].to_owned(),
            decision: small(rng),
            reason: small(rng),
            base: None,
            inputs: sides(&small(rng), &small(rng)),
            winner: rng.bool().then_some(Side::HubSpot),
            wrote: None,
            loser: None,
            detail: String::new(),
        }),
        conflicts: some(rng, |rng| ConflictRow {
            id: ConflictId::new(id("cfl", rng)),
            at: START,
            run: RunId::new("run_1"),
            mapping: contacts(),
            link: link_id(rng),
            rule: RULES[rng.usize(..3)].to_owned(),
            base: None,
            inputs: sides(&rng.u8(..2).to_string(), "s"),
            winner: None,
            loser: fields(&[("email", "x")]),
            reason: small(rng),
            state: ConflictState::Open,
        }),
        conflicts_closed: some(rng, |rng| tandem::store::ConflictClose {
            link: link_id(rng),
            rule: rng.bool().then(|| RULES[0].to_owned()),
            why: small(rng),
        }),
        dead_letters: some(rng, |rng| {
            random_letter(rng, id("dl", &mut Rng::with_seed(0)))
        }),
        dead_letters_closed: some(rng, |rng| DeadLetterClose {
            of: if rng.bool() {
                DeadLetterOf::Link(link_id(rng))
            } else {
                DeadLetterOf::Task(record(&small(rng)))
            },
            rules: [RuleScope::All, RuleScope::Record][rng.usize(..2)].clone(),
            state: DeadLetterState::Closed,
            why: small(rng),
        }),
        ..Changes::default()
    }
}

fn random_letter(rng: &mut Rng, id: String) -> DeadLetter {
    DeadLetter {
        id: DeadLetterId::new(format!("{id}_{}", rng.u32(..))),
        at: START,
        first_at: START,
        run: None,
        mapping: contacts(),
        link: rng.bool().then(|| link_id(rng)),
        task: record(&small(rng)),
        rule: rng.bool().then(|| RULES[rng.usize(..3)].to_owned()),
        class: ErrorClass::Permanent,
        code: small(rng),
        message: small(rng),
        fields: Vec::new(),
        base: None,
        inputs: sides("a", "b"),
        planned: None,
        attempts: rng.u32(..9),
        fingerprint: small(rng),
        state: DeadLetterState::Open,
        note: String::new(),
    }
}

/// Everything that can be read, as one text per read.
async fn picture(f: &Fixture) -> Vec<String> {
    let (store, ws) = (&f.store, &f.ws);
    let mut seen = Vec::new();
    let links = store
        .links_page(ws, &LinkFilter::default(), None, 1_000)
        .await
        .unwrap();
    let ids: Vec<LinkId> = (0..6).map(|n| LinkId::new(format!("lnk_{n}"))).collect();
    let everyone =
        (0..8).flat_map(|n| Side::BOTH.map(|side| key("contacts", side, &n.to_string())));
    let everyone: Vec<_> = everyone.collect();
    let records: Vec<RecordId> = everyone.iter().map(|key| key.id.clone()).collect();
    let letters = DeadLetterFilter {
        limit: 10_000,
        ..DeadLetterFilter::default()
    };
    let entries = JournalFilter {
        limit: 10_000,
        ..JournalFilter::default()
    };
    let conflicts = ConflictFilter::default();
    seen.push(format!("{links:?}"));
    seen.push(format!("{:?}", store.bases(ws, &ids).await.unwrap()));
    seen.push(format!("{:?}", store.holds(ws, &ids).await.unwrap()));
    seen.push(format!("{:?}", store.open_intents(ws).await.unwrap()));
    seen.push(format!("{:?}", store.queue(ws, LANE, 1_000).await.unwrap()));
    seen.push(format!("{:?}", store.next_due(ws, LANE).await.unwrap()));
    seen.push(format!("{:?}", store.queue_counts(ws, LANE).await.unwrap()));
    seen.push(format!("{:?}", store.lane_state(ws, LANE).await.unwrap()));
    seen.push(format!("{:?}", store.cursors(ws).await.unwrap()));
    seen.push(format!(
        "{:?}",
        store.tombstones(ws, &everyone).await.unwrap()
    ));
    seen.push(format!("{:?}", store.aliases(ws, &everyone).await.unwrap()));
    for side in Side::BOTH {
        let keys = store
            .match_keys_of(ws, &contacts(), side, &records)
            .await
            .unwrap();
        seen.push(format!("{keys:?}"));
    }
    seen.push(format!(
        "{:?}",
        store.conflicts(ws, &conflicts, 10_000).await.unwrap()
    ));
    seen.push(format!(
        "{:?}",
        store.dead_letters(ws, &letters).await.unwrap()
    ));
    seen.push(format!(
        "{:?}",
        store.journal_page(ws, &entries).await.unwrap()
    ));
    seen.push(format!("{:?}", store.summary(ws).await.unwrap()));
    seen
}
