//! Bad places: each is refused with one clear line, none is harmed, none makes us panic.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{Connection, SqliteConnection};
use tandem::clock::Clock;
use tandem::model::{LinkId, Side, WorkspaceId};
use tandem::store::{Changes, LinkFilter, Store, StoreError};

use crate::fixture::{Fixture, LANE, START, bases, link, open, polled};

fn path_in(dir: &tempfile::TempDir) -> (PathBuf, String) {
    let path = dir.path().join("store.db");
    let url = format!("sqlite://{}", path.display());
    (path, url)
}

async fn refused(url: &str) -> StoreError {
    let opened = Store::open(url, Clock::manual(START)).await;
    opened.expect_err("the place is refused")
}

async fn filled(url: &str) -> Fixture {
    let f = open(url).await;
    let lease = f.lease().await;
    let ids: Vec<String> = (0..500).map(|n| format!("lnk_{n:04}")).collect();
    let changes = Changes {
        links: ids.iter().map(|id| link(id, id, id)).collect(),
        bases: ids
            .iter()
            .map(|id| (LinkId::new(id), bases(id, id)))
            .collect(),
        ..Changes::default()
    };
    f.apply(&lease, changes).await;
    f.mark(&[polled("1")]).await;
    f.store.release(lease).await.unwrap();
    f
}

async fn run_on_file(path: &Path, statement: &'static str) {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_file_store_keeps_everything_when_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let (path, url) = path_in(&dir);
    filled(&url).await.store.close().await;
    let again = open(&path.display().to_string()).await;
    assert_eq!(again.queue().await.len(), 1);
    let all = again
        .store
        .links_page(&again.ws, &LinkFilter::default(), None, 1_000)
        .await;
    assert_eq!(all.unwrap().len(), 500);
}

#[tokio::test]
async fn a_store_in_use_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (_, url) = path_in(&dir);
    let first = open(&url).await;
    let error = refused(&url).await;
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"));
    first.store.close().await;
    open(&url).await;
}

#[tokio::test]
async fn a_crash_frees_the_lock_and_the_lanes_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (_, url) = path_in(&dir);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "faults::child_that_holds_a_store", "--nocapture"])
        .env("TANDEM_TEST_STORE", &url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = said
        .map_while(Result::ok)
        .any(|line| line.contains("holding"));
    assert!(ready, "the child took the store");
    assert!(matches!(refused(&url).await, StoreError::Locked { .. }));
    child.kill().unwrap();
    child.wait().unwrap();
    let f = open(&url).await;
    let lease = f.store.lease(&f.ws, LANE, "me", 1_000).await.unwrap();
    assert_eq!(lease.expect("the lane is free").epoch(), 2);
}

/// The other half of the test above, which runs it in a process of its own; by itself it has
/// nothing to do.
#[tokio::test]
async fn child_that_holds_a_store() {
    let Ok(url) = std::env::var("TANDEM_TEST_STORE") else {
        return;
    };
    let f = open(&url).await;
    let _lease = f
        .store
        .lease(&f.ws, LANE, "doomed", 3_600_000)
        .await
        .unwrap()
        .unwrap();
    println!("holding");
    std::io::stdout().flush().unwrap();
    let mut forever = String::new();
    std::io::stdin().read_line(&mut forever).unwrap();
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (path, url) = path_in(&dir);
    let letter = "Dear Sir or Madam,\n".repeat(1_000);
    std::fs::write(&path, &letter).unwrap();
    let error = refused(&url).await;
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    assert!(error.to_string().contains(&path.display().to_string()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), letter);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, url) = path_in(&dir);
    run_on_file(&path, "CREATE TABLE songs (title TEXT)").await;
    let error = refused(&url).await;
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, url) = path_in(&dir);
    open(&url).await.store.close().await;
    run_on_file(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', TRUE, x'00', 1)",
    )
    .await;
    let error = refused(&url).await;
    assert!(
        matches!(error, StoreError::Newer { found: 9999, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("newer version"));
}

#[tokio::test]
async fn a_newer_postgres_store_is_refused() {
    let Some(url) = crate::postgres::database().await else {
        return;
    };
    open(&url).await.store.close().await;
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let later = "INSERT INTO _sqlx_migrations \
        (version, description, success, checksum, execution_time) \
        VALUES (9999, 'later', TRUE, '', 1)";
    sqlx::raw_sql(later).execute(&mut connection).await.unwrap();
    let error = refused(&url).await;
    assert!(
        matches!(error, StoreError::Newer { found: 9999, .. }),
        "{error}"
    );
}

/// What a restarted or failed-over server looks like.
#[tokio::test]
async fn cut_connections_are_made_again() {
    let Some(url) = crate::postgres::database().await else {
        return;
    };
    let f = filled(&url).await;
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    for id in ["2", "3", "4"] {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::raw_sql(cut).execute(&mut connection).await.unwrap();
        let lease = f.lease().await;
        let changes = Changes {
            marks: vec![polled(id)],
            ..Changes::default()
        };
        f.apply(&lease, changes).await;
        f.store.release(lease).await.unwrap();
    }
    assert_eq!(f.queue().await.len(), 4);
}

#[tokio::test]
async fn a_store_with_another_schema_of_that_number_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, url) = path_in(&dir);
    open(&url).await.store.close().await;
    run_on_file(&path, "UPDATE _sqlx_migrations SET checksum = x'00'").await;
    let error = refused(&url).await;
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
}

#[tokio::test]
async fn a_place_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/missing/store.db", dir.path().display());
    let error = refused(&url).await;
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    let error = refused(&dir.path().display().to_string()).await;
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    let error = refused("postgres://user:secret@127.0.0.1:1/none").await;
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

/// Every table is read, so that damage anywhere is met.
async fn read_all(store: &Store) -> Result<(), StoreError> {
    let ws = WorkspaceId::new("acme/test");
    let links = store
        .links_page(&ws, &LinkFilter::default(), None, 1_000)
        .await?;
    let ids: Vec<LinkId> = links.iter().map(|link| link.id.clone()).collect();
    store.bases(&ws, &ids).await?;
    store.holds(&ws, &ids).await?;
    store.queue(&ws, LANE, 100).await?;
    store.summary(&ws).await?;
    let records: Vec<_> = links
        .into_iter()
        .filter_map(|link| link.records.hubspot)
        .collect();
    let mapping = crate::fixture::contacts();
    store
        .links_by_record(&ws, &mapping, Side::HubSpot, &records)
        .await?;
    Ok(())
}

async fn use_damaged(url: &str) -> Result<(), StoreError> {
    let store = Store::open(url, Clock::manual(START)).await?;
    let read = read_all(&store).await;
    store.close().await;
    read
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let (path, url) = path_in(&dir);
    filled(&url).await.store.close().await;
    let whole = std::fs::read(&path).unwrap();
    use_damaged(&url).await.expect("it is whole so far");

    let mut scrambled = whole.clone();
    scrambled[100..].fill(0xa5);
    std::fs::write(&path, &scrambled).unwrap();
    let error = use_damaged(&url).await.unwrap_err();
    let told = matches!(
        error,
        StoreError::Corrupt { .. } | StoreError::NotAStore { .. }
    );
    assert!(told, "{error}");

    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = use_damaged(&url).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");

    let mut chance = fastrand::Rng::with_seed(7);
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..200 {
            let at = chance.usize(..bytes.len());
            bytes[at] = chance.u8(..);
        }
        std::fs::write(&path, &bytes).unwrap();
        for leftover in ["-wal", "-shm"] {
            std::fs::remove_file(format!("{}{leftover}", path.display())).ok();
        }
        match use_damaged(&url).await {
            Ok(()) | Err(StoreError::Corrupt { .. } | StoreError::NotAStore { .. }) => {}
            Err(StoreError::Newer { .. } | StoreError::Other { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}
