//! Stores that are missing, foreign, damaged, in use or newer: one line, and nothing is touched.

use std::fs;
use std::path::Path;

use tandem::clock::Clock;
use tandem::store::Store;

use super::{CREDENTIALS, folder, tandem, tandem_with};

const READERS: [&[&str]; 5] = [
    &["conflicts", "list"],
    &["dead-letters", "list"],
    &["links", "list"],
    &["approve"],
    &["dead-letters", "replay", "--all"],
];

pub async fn open(data: &Path) -> Store {
    let file = data.join("tandem.db");
    let path = file.to_str().expect("a path in Unicode");
    Store::open(path, Clock::System).await.expect("a new store")
}

#[test]
fn looking_for_a_store_does_not_make_one() {
    let here = folder();
    for command in READERS {
        tandem(here.path(), command).refused(&["no store", ".tandem", "--data"]);
    }
    assert!(super::is_empty(here.path()));
    fs::write(here.path().join("a-file"), "x").expect("written");
    let ran = tandem(here.path(), &["links", "list", "--data", "a-file"]);
    ran.refused(&["a-file", "folder"]);
}

#[test]
fn a_file_that_is_no_store_is_left_as_it_is() {
    let here = folder();
    let file = here.path().join("tandem.db");
    for garbage in [
        &b"this is not a database, and long enough to be looked at"[..],
        b"x",
    ] {
        fs::write(&file, garbage).expect("written");
        for command in READERS {
            let ran = tandem(here.path(), &[command, &["--data", "."]].concat());
            ran.refused(&["tandem.db", "not a store"]);
        }
        let run = ["sync", "--once", "--data", "."];
        let ran = tandem_with(here.path(), &CREDENTIALS, &run);
        ran.refused(&["tandem.db", "not a store"]);
        assert_eq!(fs::read(&file).expect("still there"), garbage);
    }
}

#[tokio::test]
async fn a_damaged_store_is_an_error_and_no_panic() {
    let here = folder();
    open(here.path()).await.close().await;
    let file = here.path().join("tandem.db");
    let mut bytes = fs::read(&file).expect("the store is a file");
    let from = bytes.len() / 4;
    bytes[from..].fill(0xa5);
    fs::write(&file, bytes).expect("written");
    for command in READERS {
        let ran = tandem(here.path(), &[command, &["--data", "."]].concat());
        ran.refused(&["tandem.db"]);
    }
}

#[tokio::test]
async fn a_store_in_use_says_so_at_once() {
    let here = folder();
    let store = open(here.path()).await;
    for command in READERS {
        let ran = tandem(here.path(), &[command, &["--data", "."]].concat());
        ran.refused(&["in use"]);
    }
    store.close().await;
    let ran = tandem(here.path(), &["links", "list", "--data", "."]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_not_touched() {
    let here = folder();
    open(here.path()).await.close().await;
    let file = here.path().join("tandem.db");
    let url = format!("sqlite://{}", file.display());
    let pool = sqlx::SqlitePool::connect(&url)
        .await
        .expect("the file opens");
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', TRUE, X'00', 1)",
    )
    .execute(&pool)
    .await
    .expect("a later version leaves its mark");
    pool.close().await;
    for command in READERS {
        let ran = tandem(here.path(), &[command, &["--data", "."]].concat());
        ran.refused(&["9999", "newer version"]);
    }
}
