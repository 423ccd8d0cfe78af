//! The seam to sqlx: one statement with its two texts, its arguments, and running it.
//!
//! Knows nothing of any table. Everything that differs between SQLite and PostgreSQL is here or
//! in `open`.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, PgPool, Postgres, Sqlite, SqlitePool};

use super::error::{Result, StoreError, classify};

/// The place of a database that is gone with its connection.
pub(super) const IN_MEMORY: &str = ":memory:";

/// One statement as both databases read it.
#[derive(Clone, Copy, Debug)]
pub struct Dialected {
    pub name: &'static str,
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

/// One bound argument. Many rows travel as one text that holds a JSON array.
#[derive(Clone, Debug)]
pub(super) enum Arg {
    Text(String),
    MaybeText(Option<String>),
    Int(i64),
    MaybeInt(Option<i64>),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Option<String>> for Arg {
    fn from(text: Option<String>) -> Self {
        Self::MaybeText(text)
    }
}

impl From<Option<&str>> for Arg {
    fn from(text: Option<&str>) -> Self {
        Self::MaybeText(text.map(str::to_owned))
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Option<crate::model::Timestamp>> for Arg {
    fn from(at: Option<crate::model::Timestamp>) -> Self {
        Self::MaybeInt(at.map(crate::model::Timestamp::micros))
    }
}

impl From<u32> for Arg {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<crate::model::Timestamp> for Arg {
    fn from(at: crate::model::Timestamp) -> Self {
        Self::Int(at.micros())
    }
}

/// Builds the argument list of one statement.
macro_rules! args {
    ($($value:expr),+ $(,)?) => { vec![$($crate::store::db::Arg::from($value)),+] };
}
pub(super) use args;

macro_rules! bound {
    ($database:ty, $text:expr, $args:expr) => {{
        let mut query = sqlx::query::<$database>($text);
        for arg in $args {
            query = match arg {
                Arg::Text(text) => query.bind(text.as_str()),
                Arg::MaybeText(text) => query.bind(text.as_deref()),
                Arg::Int(number) => query.bind(*number),
                Arg::MaybeInt(number) => query.bind(*number),
            };
        }
        query
    }};
}

/// A row type that both databases can fill.
pub(super) trait FromEither:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>
{
}

impl<T> FromEither for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> {}

#[derive(Clone, Debug)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The pool together with the name of the place, which every error carries.
#[derive(Clone, Debug)]
pub(super) struct Db {
    pub pool: Pool,
    /// The file's path, or the server's address without credentials.
    pub place: String,
}

/// An open transaction. Dropping it rolls back.
pub(super) enum Tx {
    Sqlite(sqlx::Transaction<'static, Sqlite>, String),
    Postgres(sqlx::Transaction<'static, Postgres>, String),
}

/// A caller that leaves while the driver begins would leave the connection in a transaction that
/// nobody ends, and what is stored over it next would never be durable. So it is begun to the end,
/// in a task of its own, and undone there when nobody takes it.
async fn begin_whole(pool: &PgPool) -> sqlx::Result<sqlx::Transaction<'static, Postgres>> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin().await });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

fn decode<'r, R, T: FromRow<'r, R>>(rows: &'r [R]) -> std::result::Result<Vec<T>, sqlx::Error>
where
    R: sqlx::Row,
{
    rows.iter().map(T::from_row).collect()
}

impl Db {
    /// Runs one reading statement on its own, again when the connection was lost.
    pub async fn fetch<T: FromEither>(&self, sql: &Dialected, args: &[Arg]) -> Result<Vec<T>> {
        again(|| self.fetch_once(sql, args)).await
    }

    async fn fetch_once<T: FromEither>(&self, sql: &Dialected, args: &[Arg]) -> Result<Vec<T>> {
        let found = match &self.pool {
            Pool::Sqlite(pool) => {
                let found = bound!(Sqlite, sql.sqlite, args).fetch_all(pool).await;
                found.and_then(|rows| decode(&rows))
            }
            Pool::Postgres(pool) => {
                let found = bound!(Postgres, sql.postgres, args).fetch_all(pool).await;
                found.and_then(|rows| decode(&rows))
            }
        };
        found.map_err(|error| classify(error, &self.place, sql.name))
    }

    /// The single row of a statement that returns at most one.
    pub async fn fetch_one<T: FromEither>(
        &self,
        sql: &Dialected,
        args: &[Arg],
    ) -> Result<Option<T>> {
        Ok(self.fetch(sql, args).await?.into_iter().next())
    }

    /// Runs one writing statement in a transaction of its own; returns the rows it touched.
    pub async fn run(&self, sql: &Dialected, args: &[Arg]) -> Result<u64> {
        again(|| self.run_once(sql, args)).await
    }

    async fn run_once(&self, sql: &Dialected, args: &[Arg]) -> Result<u64> {
        let done = match &self.pool {
            Pool::Sqlite(pool) => bound!(Sqlite, sql.sqlite, args)
                .execute(pool)
                .await
                .map(|done| done.rows_affected()),
            Pool::Postgres(pool) => bound!(Postgres, sql.postgres, args)
                .execute(pool)
                .await
                .map(|done| done.rows_affected()),
        };
        done.map_err(|error| classify(error, &self.place, sql.name))
    }

    pub async fn begin(&self) -> Result<Tx> {
        let place = self.place.clone();
        let begun = match &self.pool {
            Pool::Sqlite(pool) => match pool.begin_with("BEGIN IMMEDIATE").await {
                Err(sqlx::Error::InvalidSavePointStatement) if self.place != IN_MEMORY => {
                    return Err(self.renew(pool).await);
                }
                begun => begun.map(|tx| Tx::Sqlite(tx, place)),
            },
            Pool::Postgres(pool) => begin_whole(pool).await.map(|tx| Tx::Postgres(tx, place)),
        };
        begun.map_err(|error| classify(error, &self.place, "BEGIN"))
    }

    /// SQLite rolls back by itself when the disk is full; the driver does not notice, and holds the
    /// connection to be in a transaction from then on. It is closed, and the next one is sound.
    async fn renew(&self, pool: &SqlitePool) -> StoreError {
        match pool.acquire().await {
            Ok(connection) => {
                if let Err(error) = connection.close().await {
                    tracing::debug!(%error, "a connection did not close well");
                }
            }
            Err(error) => return classify(error, &self.place, "BEGIN"),
        }
        StoreError::Busy {
            place: self.place.clone(),
            why: "a transaction was cut off, and its connection is made anew".to_owned(),
        }
    }

    /// Has the database parse one statement without running it.
    pub async fn prepare(&self, sql: &Dialected) -> Result<()> {
        use sqlx::{Executor, SqlSafeStr};
        let prepared = match &self.pool {
            Pool::Sqlite(pool) => pool.prepare(sql.sqlite.into_sql_str()).await.map(|_| ()),
            Pool::Postgres(pool) => pool.prepare(sql.postgres.into_sql_str()).await.map(|_| ()),
        };
        prepared.map_err(|error| classify(error, &self.place, sql.name))
    }

    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    pub async fn run(&mut self, sql: &Dialected, args: &[Arg]) -> Result<u64> {
        match self {
            Self::Sqlite(tx, place) => bound!(Sqlite, sql.sqlite, args)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected())
                .map_err(|error| classify(error, place, sql.name)),
            Self::Postgres(tx, place) => bound!(Postgres, sql.postgres, args)
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected())
                .map_err(|error| classify(error, place, sql.name)),
        }
    }

    pub async fn fetch<T: FromEither>(&mut self, sql: &Dialected, args: &[Arg]) -> Result<Vec<T>> {
        let (found, place) = match self {
            Self::Sqlite(tx, place) => {
                let found = bound!(Sqlite, sql.sqlite, args).fetch_all(&mut **tx).await;
                (found.and_then(|rows| decode(&rows)), place)
            }
            Self::Postgres(tx, place) => {
                let found = bound!(Postgres, sql.postgres, args)
                    .fetch_all(&mut **tx)
                    .await;
                (found.and_then(|rows| decode(&rows)), place)
            }
        };
        found.map_err(|error| classify(error, place, sql.name))
    }

    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx, place) => tx
                .commit()
                .await
                .map_err(|error| classify(error, &place, "COMMIT")),
            Self::Postgres(tx, place) => tx
                .commit()
                .await
                .map_err(|error| classify(error, &place, "COMMIT")),
        }
    }
}

/// Repeats what failed only because of the moment: a serialisation failure, a deadlock, a dropped
/// connection, a busy file. Whatever it wraps must be safe to run twice.
pub(super) async fn again<T, F>(work: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let schedule = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_millis(500))
        .with_max_times(4);
    work.retry(schedule).when(StoreError::is_passing).await
}
