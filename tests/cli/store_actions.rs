//! Actions on what waits for a person, seen in the store afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tandem::clock::Clock;
use tandem::model::{
    ApprovalId, BySide, Cause, Choice, ConflictId, DeadLetterId, ErrorClass, Fields, Hold,
    HoldReason, Link, LinkId, LinkState, MappingName, Raw, RecordId, RecordKey, Revision, RunId,
    Side, Task, Timestamp, WorkspaceId,
};
use tandem::store::{
    Approval, ApprovalState, Changes, Claimed, ConflictFilter, ConflictRow, ConflictState,
    DeadLetter, DeadLetterFilter, DeadLetterState, Store,
};

use super::store_faults::open;
use super::{Ran, folder, tandem};

const SALESFORCE: [&str; 3] = [
    "003A00000000001AAA",
    "003A00000000002AAA",
    "003A00000000003AAA",
];
const MAPPING: &str = "mapping: contacts\nhubspot: contacts\nsalesforce: Contact\n\
    direction: both\nconflict: salesforce\nfirst-sync: ask\nmatch:\n  - email: Email\n\
    create: never\nrules:\n  email: Email\n";

fn workspace() -> WorkspaceId {
    WorkspaceId::new("default/production")
}

fn contacts() -> MappingName {
    MappingName::new("contacts")
}

fn link_id(number: usize) -> LinkId {
    LinkId::new(format!("lnk_{number}"))
}

fn task(number: usize) -> Task {
    Task::Record(RecordKey {
        mapping: contacts(),
        side: Side::HubSpot,
        id: RecordId::new(format!("10{number}")),
    })
}

fn fields(name: &str, value: &str) -> Fields {
    Fields::from([(name.to_owned(), Raw::text(value))])
}

fn phones() -> BySide<Fields> {
    BySide::new(fields("phone", "+49 30 1"), fields("Phone", "+49 30 2"))
}

fn link(number: usize) -> Link {
    let salesforce = RecordId::new(SALESFORCE[number]);
    Link {
        id: link_id(number),
        mapping: contacts(),
        group: None,
        records: BySide::new(Some(RecordId::new(format!("10{number}"))), Some(salesforce)),
        state: LinkState::Linked,
        note: String::new(),
    }
}

fn letter(number: usize) -> DeadLetter {
    DeadLetter {
        id: DeadLetterId::new(format!("dl_{number}")),
        at: Timestamp::from_millis(2_000),
        first_at: Timestamp::from_millis(1_000),
        run: None,
        mapping: contacts(),
        link: Some(link_id(number)),
        task: task(number),
        rule: (number == 0).then(|| "phone".to_owned()),
        class: ErrorClass::Permanent,
        code: format!("CODE_{number}"),
        message: "Phone: data value too large\u{1b}[31m".to_owned(),
        fields: vec!["Phone".to_owned()],
        base: None,
        inputs: phones(),
        planned: Some((Side::Salesforce, fields("Phone", "+49 30 1"))),
        attempts: 3,
        fingerprint: "f".to_owned(),
        state: DeadLetterState::Open,
        note: String::new(),
    }
}

fn conflict(number: usize, winner: Option<Side>) -> ConflictRow {
    ConflictRow {
        id: ConflictId::new(format!("cfl_{number}")),
        at: Timestamp::from_millis(1_000),
        run: RunId::new("run_1"),
        mapping: contacts(),
        link: link_id(number),
        rule: "phone".to_owned(),
        base: None,
        inputs: phones(),
        winner,
        loser: fields("phone", "+49 30 1"),
        reason: "both-moved".to_owned(),
        state: winner.map_or(ConflictState::Open, |_| ConflictState::Decided),
    }
}

fn approval(number: usize) -> Approval {
    Approval {
        id: ApprovalId::new(format!("apr_{number}")),
        mapping: contacts(),
        side: Side::Salesforce,
        kind: "blanks".to_owned(),
        set_hash: format!("set{number}"),
        records: Vec::new(),
        items: 60,
        detail: "60 of 200 contacts would lose `phone`".to_owned(),
        state: ApprovalState::Asked,
        asked_at: Timestamp::from_millis(1_000),
        expires_at: None,
    }
}

fn hold(reason: HoldReason) -> Hold {
    Hold {
        link: link_id(0),
        rule: "phone".to_owned(),
        reason,
        detail: "too long".to_owned(),
        sides: phones(),
        rule_hash: "h".to_owned(),
        since: Timestamp::from_millis(1_000),
    }
}

/// Two links with a dead letter and a conflict each, a hold, and two questions of a guard.
async fn seed(data: &Path, reason: HoldReason) {
    let store = open(data).await;
    let ws = workspace();
    store.ensure_workspace(&ws).await.expect("a workspace");
    let revision = Revision::new("rev_1");
    store
        .put_revision(&ws, &contacts(), &revision, MAPPING, "[]")
        .await
        .expect("a revision");
    let active = BTreeMap::from([(contacts(), revision)]);
    store
        .activate(&ws, &active)
        .await
        .expect("an active revision");
    let changes = Changes {
        links: vec![link(0), link(1)],
        dead_letters: vec![letter(0), letter(1)],
        conflicts: vec![conflict(0, None), conflict(1, Some(Side::Salesforce))],
        approvals: vec![approval(0), approval(1)],
        holds: vec![hold(reason)],
        ..Changes::default()
    };
    commit(&store, changes).await;
    store.close().await;
}

async fn commit(store: &Store, changes: Changes) {
    let lease = store.lease(&workspace(), "sync", "test", 30_000).await;
    let lease = lease.expect("the store answers").expect("the lane is free");
    store.commit(&lease, changes).await.expect("a commit");
    store.release(lease).await.expect("a release");
}

/// What the next run would work on.
async fn claimed(store: &Store) -> Vec<Claimed> {
    let lease = store.lease(&workspace(), "sync", "test", 30_000).await;
    let lease = lease.expect("the store answers").expect("the lane is free");
    let now = Clock::System.now();
    let claimed = store.claim(&lease, now, 100).await.expect("a claim");
    store.release(lease).await.expect("a release");
    claimed
}

fn act(data: &Path, arguments: &[&str]) -> Ran {
    tandem(data, &[arguments, &["--data", ".", "--json"]].concat())
}

async fn letters(store: &Store, state: DeadLetterState) -> Vec<DeadLetter> {
    let filter = DeadLetterFilter {
        state: Some(state),
        ..DeadLetterFilter::default()
    };
    let found = store.dead_letters(&workspace(), &filter).await;
    found.expect("the store answers")
}

#[tokio::test]
async fn a_replayed_letter_is_work_again_without_its_hold() {
    let data = folder();
    seed(data.path(), HoldReason::Refused).await;
    let ran = act(data.path(), &["dead-letters", "replay", "--rule", "phone"]);
    assert_eq!(
        ran.json()["replayed"],
        serde_json::json!(["dl_0"]),
        "{}",
        ran.stderr
    );

    let store = open(data.path()).await;
    let work = claimed(&store).await;
    assert_eq!(work.len(), 1);
    assert_eq!((&work[0].task, work[0].cause), (&task(0), Cause::Person));
    let holds = store.holds(&workspace(), &[link_id(0)]).await;
    assert_eq!(holds.expect("the store answers"), []);
    assert_eq!(letters(&store, DeadLetterState::Open).await.len(), 2);
    store.close().await;
}

#[tokio::test]
async fn discarding_in_bulk_keeps_the_reason_and_touches_no_other_letter() {
    let data = folder();
    seed(data.path(), HoldReason::Refused).await;
    let discard = [
        "dead-letters",
        "discard",
        "--code",
        "CODE_1",
        "--reason",
        "test data",
    ];
    assert_eq!(act(data.path(), &discard).code, 0);
    let store = open(data.path()).await;
    let discarded = letters(&store, DeadLetterState::Discarded).await;
    assert_eq!(discarded.len(), 1);
    assert_eq!(
        (discarded[0].id.as_str(), discarded[0].note.as_str()),
        ("dl_1", "test data")
    );
    assert_eq!(letters(&store, DeadLetterState::Open).await.len(), 1);
    assert_eq!(claimed(&store).await, []);
    store.close().await;
}

#[tokio::test]
async fn an_action_that_names_nothing_or_something_unknown_changes_nothing() {
    let data = folder();
    seed(data.path(), HoldReason::Refused).await;
    let cases: [(&[&str], &str); 10] = [
        (&["dead-letters", "discard"], "--all"),
        (&["dead-letters", "replay"], "--all"),
        (&["links", "unpair"], "--all"),
        (&["conflicts", "take", "hubspot"], "--all"),
        (&["dead-letters", "discard", "dl_0", "dl_7"], "dl_7"),
        (
            &["dead-letters", "discard", "dl_0", "--code", "CODE_1"],
            "both",
        ),
        (&["links", "unpair", "lnk_0", "lnk_7"], "lnk_7"),
        (&["conflicts", "take", "hubspot", "cfl_0", "cfl_7"], "cfl_7"),
        (&["approve", "apr_0", "apr_7"], "apr_7"),
        (&["dead-letters", "show", "dl_7"], "dl_7"),
    ];
    for (arguments, word) in cases {
        act(data.path(), arguments).refused(&[word]);
    }
    let store = open(data.path()).await;
    assert_eq!(letters(&store, DeadLetterState::Open).await.len(), 2);
    assert_eq!(claimed(&store).await, []);
    let approvals = store
        .approvals(&workspace())
        .await
        .expect("the store answers");
    assert!(
        approvals
            .iter()
            .all(|found| found.state == ApprovalState::Asked)
    );
    let links = store.links_by_id(&workspace(), &[link_id(0)]).await;
    assert_eq!(
        links.expect("the store answers")[0].state,
        LinkState::Linked
    );
    store.close().await;
}

async fn choices(store: &Store) -> Vec<(ConflictId, Choice)> {
    let approvals = store
        .approvals(&workspace())
        .await
        .expect("the store answers");
    approvals
        .iter()
        .filter(|found| found.kind == Choice::APPROVAL && found.state == ApprovalState::Granted)
        .map(|found| {
            (
                Choice::conflict(&found.set_hash),
                Choice::parse(&found.detail),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_choice_is_stored_once_and_both_records_are_marked() {
    let data = folder();
    seed(data.path(), HoldReason::Ask).await;
    assert_eq!(
        act(data.path(), &["conflicts", "take", "salesforce", "--all"]).code,
        0
    );
    // A second thought replaces the first.
    assert_eq!(
        act(data.path(), &["conflicts", "take", "-5", "cfl_0"]).code,
        0
    );
    let store = open(data.path()).await;
    let typed = Choice::Value("-5".to_owned());
    assert_eq!(choices(&store).await, [(ConflictId::new("cfl_0"), typed)]);
    assert_eq!(claimed(&store).await.len(), 2);
    let open_ones = ConflictFilter {
        state: Some(ConflictState::Open),
        ..ConflictFilter::default()
    };
    let found = store.conflicts(&workspace(), &open_ones, 10).await;
    assert_eq!(found.expect("the store answers").len(), 1);
    store.close().await;
}

#[tokio::test]
async fn the_value_that_lost_can_be_taken_and_the_one_that_won_need_not_be() {
    let data = folder();
    seed(data.path(), HoldReason::Ask).await;
    act(data.path(), &["conflicts", "take", "salesforce", "cfl_1"]).refused(&["already"]);
    assert_eq!(
        act(data.path(), &["conflicts", "take", "hubspot", "cfl_1"]).code,
        0
    );
    let store = open(data.path()).await;
    let taken = (ConflictId::new("cfl_1"), Choice::Of(Side::HubSpot));
    assert_eq!(choices(&store).await, [taken]);
    store.close().await;
}

#[tokio::test]
async fn pairing_by_hand_links_and_marks_both_records_once() {
    let data = folder();
    seed(data.path(), HoldReason::Ask).await;
    let pair = |hubspot, salesforce| {
        act(
            data.path(),
            &["links", "pair", "contacts", hubspot, salesforce],
        )
    };
    let ran = pair("102", SALESFORCE[2]);
    assert_eq!(ran.json()["state"], "linked", "{}", ran.stderr);
    pair("102", SALESFORCE[0]).refused(&["already links", "unpair"]);
    pair("100", SALESFORCE[0]).refused(&["lnk_0"]);
    pair("abc", SALESFORCE[0]).refused(&["abc", "HubSpot"]);
    pair("103", "003A00000000003").refused(&["18 characters"]);
    let other = ["links", "pair", "people", "103", SALESFORCE[2]];
    act(data.path(), &other).refused(&["people", "contacts"]);

    let store = open(data.path()).await;
    let work: Vec<Task> = claimed(&store)
        .await
        .into_iter()
        .map(|work| work.task)
        .collect();
    assert_eq!(work.len(), 2);
    assert!(work.contains(&task(2)));
    let ids = [RecordId::new("102")];
    let links = store
        .links_by_record(&workspace(), &contacts(), Side::HubSpot, &ids)
        .await
        .expect("the store answers");
    assert_eq!(links.len(), 1);
    let bases = store.bases(&workspace(), &[links[0].id.clone()]).await;
    assert!(
        bases
            .expect("the store answers")
            .values()
            .all(BTreeMap::is_empty)
    );
    store.close().await;
}

#[tokio::test]
async fn unpairing_closes_what_waited_and_the_pair_may_be_linked_again() {
    let data = folder();
    seed(data.path(), HoldReason::Ask).await;
    assert_eq!(act(data.path(), &["links", "unpair", "lnk_0"]).code, 0);
    let waiting = act(data.path(), &["dead-letters", "list"]).json();
    assert_eq!(waiting["dead_letters"].as_array().map(Vec::len), Some(1));
    let pair = ["links", "pair", "contacts", "100", SALESFORCE[0]];
    assert_eq!(act(data.path(), &pair).code, 0);
    act(data.path(), &["links", "unpair", "lnk_0"]).refused(&["lnk_0"]);
    let links = act(data.path(), &["links", "list", "--state", "unlinked"]).json();
    assert_eq!(links["links"][0]["id"], "lnk_0");
    assert_eq!(links["links"][0]["note"], "unpaired by hand");
}

#[tokio::test]
async fn an_approval_is_granted_for_a_while_and_wakes_what_waits() {
    let data = folder();
    seed(data.path(), HoldReason::Guard).await;
    let asked = act(data.path(), &["approve"]).json();
    assert_eq!(asked["approvals"].as_array().map(Vec::len), Some(2));
    assert_eq!(act(data.path(), &["approve", "apr_0"]).code, 0);
    let asked = act(data.path(), &["approve"]).json();
    assert_eq!(asked["approvals"][0]["id"], "apr_1");

    let store = open(data.path()).await;
    let approvals = store
        .approvals(&workspace())
        .await
        .expect("the store answers");
    let granted = approvals.iter().find(|found| found.id.as_str() == "apr_0");
    let granted = granted.expect("it is still there");
    assert_eq!(granted.state, ApprovalState::Granted);
    assert!(granted.expires_at > Some(Clock::System.now()));
    assert_eq!(claimed(&store).await.len(), 2);
    store.close().await;
}

#[tokio::test]
async fn lists_and_details_are_readable_and_carry_no_control_characters() {
    let data = folder();
    seed(data.path(), HoldReason::Ask).await;
    let show = |arguments: &[&str]| {
        let ran = tandem(data.path(), &[arguments, &["--data", "."]].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(
            !ran.stdout.contains('\u{1b}'),
            "{arguments:?}: {}",
            ran.stdout
        );
        ran.stdout
    };
    assert!(show(&["dead-letters", "list"]).contains("dl_1"));
    let letter = show(&["dead-letters", "show", "dl_0"]);
    for words in ["+49 30 1", "CODE_0", "data value too large", "replay dl_0"] {
        assert!(letter.contains(words), "{words}: {letter}");
    }
    assert!(show(&["conflicts", "list", "--limit", "1"]).contains("1 more"));
    let conflict = show(&["conflicts", "show", "cfl_1"]);
    for words in ["+49 30 2", "Salesforce: both-moved", "lost", "take hubspot"] {
        assert!(conflict.contains(words), "{words}: {conflict}");
    }
    assert!(show(&["links", "list"]).contains(SALESFORCE[1]));
    assert!(show(&["approve"]).contains("60 of 200"));
    for (list, key) in [("dead-letters", "dead_letters"), ("conflicts", "conflicts")] {
        let answer = act(data.path(), &[list, "list"]).json();
        assert_eq!(answer[key].as_array().map(Vec::len), Some(2), "{list}");
        let one = answer[key][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(
            act(data.path(), &[list, "show", &one]).json()["id"],
            one.as_str()
        );
    }
}

#[tokio::test]
async fn a_held_value_is_listed_with_its_reason_and_both_values() {
    let data = folder();
    seed(data.path(), HoldReason::Refused).await;
    let held = act(data.path(), &["links", "list", "--held"]).json();
    let held = held["holds"].as_array().expect("a list").clone();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0]["link"], "lnk_0");
    assert_eq!(
        (&held[0]["rule"], &held[0]["reason"]),
        (&"phone".into(), &"refused".into())
    );
    assert_eq!(held[0]["hubspot"]["phone"], "+49 30 1");
    assert_eq!(held[0]["salesforce"]["Phone"], "+49 30 2");
    let other = ["links", "list", "--held", "--mapping", "deals"];
    assert_eq!(
        act(data.path(), &other).json()["holds"],
        Value::Array(Vec::new())
    );
}
