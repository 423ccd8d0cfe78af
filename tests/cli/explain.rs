//! `explain` from outside: what it prints, how it refuses, and with which exit code.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use tandem::clock::Clock;
use tandem::model::{
    Bases, BySide, ConflictId, Fields, Halves, JournalId, Link, LinkId, LinkState, MappingName,
    Raw, RecordId, Revision, RunId, Side, Timestamp, WorkspaceId,
};
use tandem::store::{Changes, ConflictRow, ConflictState, JournalEntry, Store};

use super::store_faults::open;
use super::{CREDENTIALS, Ran, folder, tandem, tandem_with};

const MAPPING: &str = "mapping: contacts\nhubspot: contacts\nsalesforce: Contact\n\
    direction: both\nconflict: salesforce\nfirst-sync: ask\nmatch:\n  - email: Email\n\
    create: never\nrules:\n  email: Email\n  phone: Phone\n";
const LONG: &str = "003A00000000001IAA";

fn fields(name: &str, value: &str) -> Fields {
    Fields::from([(name.to_owned(), Raw::text(value))])
}

fn phones(one: &str, other: &str) -> BySide<Fields> {
    BySide::new(fields("phone", one), fields("Phone", other))
}

/// What a terminal would take for an order to clear itself.
const STEERING: &str = "+1 2\u{1b}[2J";

/// One pair whose phone was decided by a conflict, with values that try to steer a terminal.
async fn seed(data: &Path) {
    let store: Store = open(data).await;
    let ws = WorkspaceId::new("default/production");
    store.ensure_workspace(&ws).await.expect("a workspace");
    let (name, revision) = (MappingName::new("contacts"), Revision::new("rev_1"));
    let put = store.put_revision(&ws, &name, &revision, MAPPING, "{}");
    put.await.expect("a revision");
    let active = BTreeMap::from([(name, revision)]);
    store.activate(&ws, &active).await.expect("it runs");
    let lease = store.lease(&ws, "sync", "test", 30_000).await.unwrap();
    let lease = lease.expect("the lane is free");
    store.commit(&lease, decided()).await.expect("stored");
    store.release(lease).await.expect("given back");
    store.close().await;
}

fn decided() -> Changes {
    let (id, name) = (LinkId::new("lnk_1"), MappingName::new("contacts"));
    let halves = |sides: BySide<Fields>| Halves {
        sides,
        rule_hash: "h".to_owned(),
    };
    let ada = "ada@example.com";
    let email = BySide::new(fields("email", ada), fields("Email", ada));
    let bases = Bases::from([
        ("email".to_owned(), halves(email)),
        ("phone".to_owned(), halves(phones(STEERING, STEERING))),
    ]);
    Changes {
        links: vec![Link {
            id: id.clone(),
            mapping: name,
            group: None,
            records: BySide::new(Some(RecordId::new("101")), Some(RecordId::new(LONG))),
            state: LinkState::Linked,
            note: String::new(),
        }],
        bases: vec![(id, bases)],
        journal: vec![entry()],
        conflicts: vec![conflict()],
        ..Changes::default()
    }
}

fn entry() -> JournalEntry {
    JournalEntry {
        id: JournalId::new("jrn_1"),
        at: Clock::System.now(),
        run: RunId::new("run_1"),
        mapping: MappingName::new("contacts"),
        revision: Revision::new("rev_1"),
        link: Some(LinkId::new("lnk_1")),
        record: None,
        rule: "phone".to_owned(),
        decision: "write".to_owned(),
        reason: "applied".to_owned(),
        base: Some(phones("+1 0", "+1 0")),
        inputs: phones("+1 9", STEERING),
        winner: Some(Side::Salesforce),
        wrote: Some((Side::HubSpot, fields("phone", STEERING))),
        loser: Some(fields("phone", "+1 9")),
        detail: "conflict-salesforce-wins".to_owned(),
    }
}

fn conflict() -> ConflictRow {
    ConflictRow {
        id: ConflictId::new("cfl_1"),
        at: Timestamp::from_millis(1_000),
        run: RunId::new("run_1"),
        mapping: MappingName::new("contacts"),
        link: LinkId::new("lnk_1"),
        rule: "phone".to_owned(),
        base: None,
        inputs: phones("+1 9", STEERING),
        winner: Some(Side::Salesforce),
        loser: fields("phone", "+1 9"),
        reason: "conflict-salesforce-wins".to_owned(),
        state: ConflictState::Decided,
    }
}

fn explain(here: &Path, more: &[&str]) -> Ran {
    let mut words = vec!["explain"];
    words.extend(more);
    words.extend(["--data", "."]);
    tandem(here, &words)
}

#[tokio::test]
async fn an_answer_for_people_names_winner_reason_and_loser_within_80_columns() {
    let here = folder();
    seed(here.path()).await;
    for id in ["101", LONG, &LONG[..15]] {
        let ran = explain(here.path(), &["contacts", id]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let text = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in [
            "HubSpot contacts 101 and Salesforce Contact 003A00000000001IAA",
            "Salesforce won: both sides changed it, and the mapping says `conflict: salesforce`",
            "HubSpot's \"+1 9\" was kept as conflict cfl_1.",
            "run run_1, revision rev_1",
            "Both sides held the same",
        ] {
            assert!(text.contains(words), "{words} in:\n{}", ran.stdout);
        }
        let wide = ran.stdout.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None);
        assert!(
            !ran.stdout.contains('\u{1b}'),
            "a value steers the terminal"
        );
    }
}

#[tokio::test]
async fn an_answer_for_machines_is_complete() {
    let here = folder();
    seed(here.path()).await;
    let ran = explain(here.path(), &["Contact", "101", "Phone", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let object = ran.json();
    let pair = &object["pairs"][0];
    assert_eq!(pair["state"], "linked");
    assert_eq!(pair["fields"].as_array().map(Vec::len), Some(1));
    let field = &pair["fields"][0];
    assert_eq!(field["rule"], "phone");
    assert_eq!(field["terms"], json!(["conflict: salesforce"]));
    let last = &field["last"];
    assert_eq!(last["reason"], "applied");
    assert_eq!(last["detail"], "conflict-salesforce-wins");
    assert_eq!(last["winner"], "salesforce");
    assert_eq!(last["loser"], json!({"phone": "+1 9"}));
    assert_eq!(last["conflict"], "cfl_1");
    assert_eq!(last["base"]["salesforce"], json!({"Phone": "+1 0"}));
    assert_eq!(field["history"]["total"], 1);
}

#[tokio::test]
async fn what_had_been_agreed_is_told_for_a_moment_and_refused_for_the_future() {
    let here = folder();
    seed(here.path()).await;
    let now = explain(here.path(), &["contacts", "101", "--at", "0s", "--json"]);
    assert_eq!(now.code, 0, "{}", now.stderr);
    let fields = now.json()["pairs"][0]["fields"].clone();
    assert_eq!(fields[1]["then"]["state"], "agreed");
    let before = explain(here.path(), &["contacts", "101", "--at", "1d", "--json"]);
    let fields = before.json()["pairs"][0]["fields"].clone();
    assert_eq!(fields[0]["then"]["state"], "not-yet");

    let at = |time: &str| explain(here.path(), &["contacts", "101", "--at", time]);
    at("2999-01-01").refused(&["2999-01-01", "future", "passed"]);
    at("soon").refused(&["`soon`", "3d"]);
    at("2026-02-30").refused(&["2026-02-30"]);
    at(&"9".repeat(300)).refused(&["999…"]);
    at("1d; DROP TABLE links").refused(&["DROP"]);
}

#[tokio::test]
async fn unknown_records_and_words_are_refused_in_one_line_that_says_what_to_do() {
    let here = folder();
    seed(here.path()).await;
    let ask = |object: &str, id: &str| explain(here.path(), &[object, id]);
    ask("contacts", "102").refused(&["contacts `102`", "sync --once"]);
    ask("contacts", "003A00000000009").refused(&["nothing is known"]);
    ask("contcats", "101").refused(&["`contcats`", "did you mean `contacts`", "Contact"]);
    ask("deals", "101").refused(&["`deals`", "contacts, Contact"]);
    ask("contacts'; --", "101").refused(&["contacts'; --"]);
    ask("", "101").refused(&["no mapping"]);
    for id in [
        "1'1",
        "\u{1b}[31m",
        "10 1",
        "' OR 1=1 --",
        "é",
        &"7".repeat(5_000),
    ] {
        let ran = ask("contacts", id);
        ran.refused(&["neither a HubSpot nor a Salesforce record id", "15 or 18"]);
        assert!(ran.stderr.chars().count() < 400, "{}", ran.stderr);
    }
    let field = explain(here.path(), &["contacts", "101", "Phnoe"]);
    assert_eq!(field.code, 0, "{}", field.stderr);
    assert!(
        field.stdout.contains("did you mean `phone`"),
        "{}",
        field.stdout
    );
    let machine = explain(here.path(), &["contacts", "102", "--json"]);
    assert!(machine.json()["error"]["do"].is_string());
}

#[tokio::test]
async fn looking_live_needs_credentials_and_says_so_before_anything_else() {
    let here = folder();
    seed(here.path()).await;
    let ran = explain(here.path(), &["contacts", "101", "--live"]);
    ran.refused(&["TANDEM_HUBSPOT_TOKEN", "not set"]);
    let both = explain(here.path(), &["contacts", "101", "--live", "--at", "1d"]);
    both.refused(&["--at"]);
    let words = ["explain", "contacts", "999", "--live", "--data", "."];
    let unknown = tandem_with(here.path(), &CREDENTIALS, &words);
    unknown.refused(&["nothing is known of contacts `999`"]);
}

#[test]
fn a_store_that_no_run_has_used_is_told_apart_from_a_missing_one() {
    let here = folder();
    explain(here.path(), &["contacts", "101"]).refused(&["no store", "--data"]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async { open(here.path()).await.close().await });
    explain(here.path(), &["contacts", "101"]).refused(&["no mapping yet", "sync --once"]);
}

/// A run stays up for weeks, and questions come while it does.
#[tokio::test]
async fn a_store_that_a_run_has_open_is_explained_all_the_same_and_not_touched() {
    let here = folder();
    seed(here.path()).await;
    let run = open(here.path()).await;
    tandem(here.path(), &["links", "list", "--data", "."]).refused(&["in use"]);
    let file = here.path().join("tandem.db");
    let before = std::fs::read(&file).expect("a store");
    let ran = explain(here.path(), &["contacts", "101"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("cfl_1"), "{}", ran.stdout);
    assert!(
        std::fs::read(&file).expect("a store") == before,
        "a look wrote to the store"
    );
    run.close().await;
    let ran = explain(here.path(), &["contacts", "101"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
