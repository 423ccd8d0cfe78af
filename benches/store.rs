//! What the store costs an attempt: claiming and committing 1,000 units, against a floor.
//!
//! The floor puts as many rows of the same size into one plain table with one statement and one
//! transaction, in a SQLite file with the same settings, which no store with keys and indexes can
//! beat. Run with `cargo bench --bench store`.

use std::collections::BTreeMap;

use divan::{Bencher, counter::ItemsCount};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tandem::clock::Clock;
use tandem::model::{
    BySide, Cause, Fields, Halves, JournalId, Link, LinkId, LinkState, MappingName, Raw, RecordId,
    RecordKey, Revision, RunId, Side, Task, Timestamp, Verdict, WorkspaceId,
};
use tandem::store::{Changes, JournalEntry, Judged, Lease, Mark, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

const LANE: &str = "sync";
/// One claim's worth.
const UNITS: u32 = 1_000;
/// Rows an attempt touches for a unit: link, bases, journal entry, and the mark that goes.
const ROWS: u32 = 4;
/// Rules of a link, as in the shipped mapping of contacts.
const RULES: usize = 20;
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime starts")
}

struct Place {
    runtime: Runtime,
    store: Store,
    lease: Lease,
    ws: WorkspaceId,
    _folder: TempDir,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tandem.db");
    let runtime = runtime();
    let ws = WorkspaceId::new("acme/bench");
    let (store, lease) = runtime.block_on(async {
        let store = Store::open(&file.to_string_lossy(), Clock::manual(START)).await;
        let store = store.expect("the store opens");
        store.ensure_workspace(&ws).await.expect("a workspace");
        let lease = store.lease(&ws, LANE, "bench", i64::MAX / 4_000).await;
        (store, lease.expect("no fault").expect("the lane is free"))
    });
    Place {
        runtime,
        store,
        lease,
        ws,
        _folder: folder,
    }
}

fn key(number: u32) -> RecordKey {
    RecordKey {
        mapping: MappingName::new("contacts"),
        side: Side::HubSpot,
        id: RecordId::new(format!("{number:012}")),
    }
}

fn mark(number: u32) -> Mark {
    Mark {
        task: Task::Record(key(number)),
        cause: Cause::Poll,
        not_before: START,
    }
}

fn fields(side: &str, number: u32) -> Fields {
    let name = format!("{side}_field");
    Fields::from([(name, Raw::text(format!("value {number} of this field")))])
}

fn sides(number: u32) -> BySide<Fields> {
    BySide::new(fields("hubspot", number), fields("salesforce", number))
}

/// What a settled write of one field leaves behind: the link and its bases are put again, the
/// journal grows.
fn unit(round: u32, number: u32, changes: &mut Changes) {
    let link = LinkId::new(format!("lnk_{number:032}"));
    changes.links.push(Link {
        id: link.clone(),
        mapping: MappingName::new("contacts"),
        group: Some("people".to_owned()),
        records: BySide::new(
            Some(key(number).id),
            Some(RecordId::new(format!("003{number:015}"))),
        ),
        state: LinkState::Linked,
        note: String::new(),
    });
    let half = |rule: usize| {
        let halves = Halves {
            sides: sides(number),
            rule_hash: "0123456789abcdef".to_owned(),
        };
        (format!("rule_{rule}"), halves)
    };
    let bases: BTreeMap<String, Halves> = (0..RULES).map(half).collect();
    changes.bases.push((link.clone(), bases));
    changes.journal.push(JournalEntry {
        id: JournalId::new(format!("jrn_{round:016}{number:016}")),
        at: START,
        run: RunId::new("run_bench"),
        mapping: MappingName::new("contacts"),
        revision: Revision::new("rev_bench"),
        link: Some(link),
        record: Some(key(number)),
        rule: "rule_1".to_owned(),
        decision: "write".to_owned(),
        reason: "applied".to_owned(),
        base: None,
        inputs: sides(number),
        winner: Some(Side::HubSpot),
        wrote: Some((Side::Salesforce, fields("salesforce", number))),
        loser: None,
        detail: String::new(),
    });
}

/// One attempt's traffic with the store: claim 1,000 marks, commit what came of them.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn claim_and_commit(bencher: Bencher<'_, '_>) {
    let place = place();
    let mut round = 0;
    bencher
        .counter(ItemsCount::new(UNITS))
        .with_inputs(|| {
            let marks: Vec<Mark> = (0..UNITS).map(mark).collect();
            let marked = place.store.mark(&place.ws, LANE, &marks);
            place.runtime.block_on(marked).expect("marks are stored");
            let mut changes = Changes::default();
            round += 1;
            (0..UNITS).for_each(|number| unit(round, number, &mut changes));
            changes
        })
        .bench_local_values(|mut changes| {
            place.runtime.block_on(async {
                let claimed = place.store.claim(&place.lease, START, UNITS).await;
                let claimed = claimed.expect("a claim");
                assert_eq!(claimed.len(), UNITS as usize);
                changes.verdicts = claimed
                    .into_iter()
                    .map(|claimed| Judged {
                        task: claimed.task,
                        revision: claimed.revision,
                        verdict: Verdict::Done,
                    })
                    .collect();
                let done = place.store.commit(&place.lease, changes).await;
                done.expect("a commit");
            });
        });
}

async fn bare_table(folder: &TempDir) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options).await.expect("a database");
    sqlx::query("CREATE TABLE rows (number BIGINT, doc TEXT)")
        .execute(&pool)
        .await
        .expect("a table");
    pool
}

/// The floor: as many rows, the bytes of the same documents, and nothing else.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn bare_insert(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = runtime();
    let pool = runtime.block_on(bare_table(&folder));
    bencher
        .counter(ItemsCount::new(UNITS))
        .with_inputs(|| {
            let rows = (0..UNITS).flat_map(|number| {
                // The bases are the one long document of the four.
                let long = "value of this field in both records ".repeat(RULES * 4);
                let short = format!("link, journal or mark of unit {number}, about as long as one");
                (0..ROWS).map(move |row| {
                    if row == 0 {
                        long.clone()
                    } else {
                        short.clone()
                    }
                })
            });
            serde_json::to_string(&rows.collect::<Vec<String>>()).expect("plain texts")
        })
        .bench_local_values(|rows| {
            let insert = sqlx::query("INSERT INTO rows SELECT key, value FROM json_each($1)");
            let done = runtime.block_on(insert.bind(rows).execute(&pool));
            assert_eq!(
                done.expect("an insert").rows_affected(),
                u64::from(UNITS * ROWS)
            );
        });
}
