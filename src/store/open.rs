//! Opening a store: finding the database, the lock of a SQLite file, migrations.
//!
//! Whatever is wrong with the place is found here, before anything is written, and said in one
//! line. See `migrations/README.md` for the rules of the schema.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::clock::Clock;

use super::Store;
use super::db::{Db, IN_MEMORY, Pool};
use super::error::{OPENING, Result, StoreError, classify};
use super::planner::Growth;
use super::rows::{CountDb, GateDb};
use super::sql::setup as sql;

const STATEMENTS_CACHED: usize = 200;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages of a SQLite file that stay in memory, 16 MiB, and those that its log holds before they go
/// to their places, 32 MiB. A flood of marks goes all over a table, and SQLite's own 2 and 4 MiB
/// had each page read and written several times.
const PAGES_KEPT: &str = "-16384";
const PAGES_LOGGED: &str = "8192";
/// How long a transaction may stand still before the server ends it. A process that is frozen in
/// the middle of one holds its lane's row, and nobody could take over before it wakes.
const IDLE_TIMEOUT: &str = "5s";
const POSTGRES_CONNECTIONS: u32 = 5;
/// The first bytes of every SQLite file (sqlite.org/fileformat2.html).
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";

pub(super) enum Place {
    Memory,
    File(PathBuf),
    Postgres(String),
}

impl Place {
    pub(super) fn of(url: &str) -> Self {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Self::Postgres(url.to_owned());
        }
        let path = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))
            .unwrap_or(url);
        if path == IN_MEMORY {
            Self::Memory
        } else {
            Self::File(PathBuf::from(path))
        }
    }
}

impl Store {
    /// Opens `sqlite::memory:`, a file (`sqlite:///path`, or just its path; made if missing), or
    /// `postgres://…`, and brings its schema up to date. A newer schema is refused untouched.
    pub async fn open(url: &str, clock: Clock) -> Result<Self> {
        match Place::of(url) {
            Place::Memory => Self::open_memory(clock).await,
            Place::File(path) => {
                let place = path.display().to_string();
                let lock = lock_file(&path, &place)?;
                Self::open_file(&path, place, Some(lock), clock).await
            }
            Place::Postgres(url) => Self::open_postgres(&url, clock).await,
        }
    }

    /// Opens a copy of the SQLite store at `path`, made in the folder `into`, so that nothing done
    /// to it reaches the original. The original is read under its lock and not opened; its log of
    /// changes comes along, which a process that crashed may have left.
    pub async fn open_copy(path: &Path, into: &Path, clock: Clock) -> Result<Self> {
        let place = path.display().to_string();
        let lock = lock_file(path, &place)?;
        let copy = into.join("copy.db");
        for end in ["", "-wal"] {
            let named = |path: &Path| {
                let mut name = path.as_os_str().to_owned();
                name.push(end);
                PathBuf::from(name)
            };
            match std::fs::copy(named(path), named(&copy)) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    let why = format!("it cannot be copied to {}: {error}", into.display());
                    return Err(StoreError::Unreachable { place, why });
                }
            }
        }
        drop(lock);
        Self::open_file(&copy, place, None, clock).await
    }

    /// Opens the SQLite store at `path` to look at it, beside whatever process has it: nothing is
    /// locked, brought up to date or written. `None` when that cannot be done with the file as it
    /// is; [`Store::open`] finds out why.
    pub async fn open_to_read(path: &Path, clock: Clock) -> Option<Self> {
        let place = path.display().to_string();
        check_magic(path, &place).ok()?;
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let store = Self {
            db: connect_sqlite(options, place).await.ok()?,
            clock,
            lock: None,
            growth: Growth::new(),
            watch: None,
        };
        let found = store.db.fetch_one::<CountDb>(&sql::SCHEMA, &[]).await;
        let known = sqlx::migrate!("./migrations")
            .iter()
            .map(|step| step.version)
            .max();
        let found = found.ok().flatten().map(|row| row.count());
        let is_ours = found.is_some() && found == known.and_then(|known| known.try_into().ok());
        if is_ours {
            return Some(store);
        }
        store.close().await;
        None
    }

    /// Waits for running statements and lets go of the place.
    pub async fn close(self) {
        self.db.close().await;
        drop(self.lock);
    }

    async fn open_memory(clock: Clock) -> Result<Self> {
        let place = IN_MEMORY.to_owned();
        let options = SqliteConnectOptions::from_str("sqlite::memory:")
            .map_err(|error| classify(error, &place, OPENING))?;
        let db = connect_sqlite(options, place).await?;
        let store = Self {
            db,
            clock,
            lock: None,
            growth: Growth::new(),
            watch: None,
        };
        store.migrate().await?;
        store.brief_planner().await?;
        Ok(store)
    }

    pub(super) async fn open_file(
        path: &Path,
        place: String,
        lock: Option<FileLock>,
        clock: Clock,
    ) -> Result<Self> {
        check_magic(path, &place)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", PAGES_KEPT)
            .pragma("wal_autocheckpoint", PAGES_LOGGED);
        let db = connect_sqlite(options, place).await?;
        let store = Self {
            db,
            clock,
            lock,
            growth: Growth::new(),
            watch: None,
        };
        store.refuse_foreign_tables().await?;
        store.migrate().await?;
        store.brief_planner().await?;
        // Nobody else has the file, so whoever leased a lane is dead.
        store.db.run(&sql::LANES_FREE_ALL, &[]).await?;
        Ok(store)
    }

    async fn open_postgres(url: &str, clock: Clock) -> Result<Self> {
        let place = without_credentials(url);
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| classify(error, &place, OPENING))?
            .application_name("tandem")
            .options([("idle_in_transaction_session_timeout", IDLE_TIMEOUT)])
            .statement_cache_capacity(STATEMENTS_CACHED);
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|error| classify(error, &place, OPENING))?;
        let db = Db {
            pool: Pool::Postgres(pool),
            place,
        };
        let store = Self {
            db,
            clock,
            lock: None,
            growth: Growth::new(),
            watch: None,
        };
        store.migrate_alone().await?;
        Ok(store)
    }

    async fn refuse_foreign_tables(&self) -> Result<()> {
        let found = self
            .db
            .fetch_one::<CountDb>(&sql::FOREIGN_TABLES, &[])
            .await?;
        if found.is_some_and(|row| row.count() > 0) {
            return Err(StoreError::NotAStore {
                place: self.db.place.clone(),
                why: "the database has tables of another program".to_owned(),
            });
        }
        Ok(())
    }

    /// Processes that start at once on one PostgreSQL take turns: a row lock is held, on a
    /// connection of its own, for as long as the migrations run on another.
    async fn migrate_alone(&self) -> Result<()> {
        let Pool::Postgres(pool) = &self.db.pool else {
            return self.migrate().await;
        };
        let made = sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS migration_gate (gate BIGINT NOT NULL PRIMARY KEY)",
        )
        .execute(pool)
        .await;
        match made {
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) if made_by_another(error.code()) => {}
            Err(error) => return Err(classify(error, &self.db.place, "GATE")),
        }
        let mut gate = self.db.begin().await?;
        gate.run(&sql::GATE_PUT, &[]).await?;
        gate.fetch::<GateDb>(&sql::GATE_LOCK, &[]).await?;
        self.migrate().await?;
        gate.commit().await
    }

    async fn migrate(&self) -> Result<()> {
        let mut migrator = sqlx::migrate!("./migrations");
        migrator.set_locking(false);
        let done = match &self.db.pool {
            Pool::Sqlite(pool) => migrator.run(pool).await,
            Pool::Postgres(pool) => migrator.run(pool).await,
        };
        done.map_err(|error| self.migration_fault(error, &migrator))
    }

    fn migration_fault(&self, error: MigrateError, known: &Migrator) -> StoreError {
        let place = self.db.place.clone();
        let known = known.iter().map(|step| step.version).max().unwrap_or(0);
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                classify(error, &place, "migration")
            }
            MigrateError::VersionMissing(found) if found > known => {
                StoreError::Newer { found, known }
            }
            other => StoreError::NotAStore {
                place,
                why: other.to_string(),
            },
        }
    }
}

/// One connection, kept for good: SQLite has one writer anyway, and in memory a second connection
/// or a replaced one would be another, empty database.
pub(super) async fn connect_sqlite(options: SqliteConnectOptions, place: String) -> Result<Db> {
    let options = options
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS_CACHED);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|error| classify(error, &place, OPENING))?;
    Ok(Db {
        pool: Pool::Sqlite(pool),
        place,
    })
}

/// Two processes made the same table at the same moment, and this one was told so. Depending on how
/// far the other had come, PostgreSQL calls it a broken unique key, a duplicate table or, for the
/// row type that every table has, a duplicate object.
fn made_by_another(code: Option<std::borrow::Cow<'_, str>>) -> bool {
    matches!(code.as_deref(), Some("23505" | "42P07" | "42710"))
}

/// The lock next to a store's file. The system frees it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct FileLock(File);

impl Drop for FileLock {
    /// Closing the file would not do: a program that this process begins at the same moment has it
    /// open as well, for as long as its start takes.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "a lock is left to the system");
        }
    }
}

fn lock_file(path: &Path, place: &str) -> Result<FileLock> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let unreachable = |error: std::io::Error| StoreError::Unreachable {
        place: place.to_owned(),
        why: error.to_string(),
    };
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name))
        .map_err(unreachable)?;
    match lock.try_lock() {
        Ok(()) => Ok(FileLock(lock)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            place: place.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(unreachable(error)),
    }
}

/// A file that is no SQLite file is refused before SQLite can touch it.
pub(super) fn check_magic(path: &Path, place: &str) -> Result<()> {
    let mut head = Vec::with_capacity(SQLITE_MAGIC.len());
    let read = File::open(path).and_then(|file| {
        let limit = u64::try_from(SQLITE_MAGIC.len()).unwrap_or(16);
        file.take(limit).read_to_end(&mut head)
    });
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::Unreachable {
            place: place.to_owned(),
            why: error.to_string(),
        }),
        Ok(_) if head.is_empty() || head == SQLITE_MAGIC => Ok(()),
        Ok(_) => Err(StoreError::NotAStore {
            place: place.to_owned(),
            why: "the file is not a SQLite database".to_owned(),
        }),
    }
}

pub(super) fn without_credentials(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(parsed) => {
            let host = parsed.host_str().unwrap_or("localhost");
            format!("postgres://{host}{}", parsed.path())
        }
        Err(_) => "postgres".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child between its fork and its exec has every file of its parent.
    #[test]
    fn a_lock_ends_with_its_owner_whoever_else_has_the_file() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("a.db");
        let lock = lock_file(&path, "a.db").unwrap();
        let childs = lock.0.try_clone().unwrap();
        let refused = lock_file(&path, "a.db").unwrap_err();
        assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
        drop(lock);
        let next = lock_file(&path, "a.db").unwrap();
        drop((childs, next));
    }
}
