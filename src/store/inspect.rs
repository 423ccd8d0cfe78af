//! Looks at a store without opening it for work: nothing is made, locked or brought up to date, and
//! a service that has it is not disturbed.

use std::path::Path;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;

use crate::model::Timestamp;

use super::Store;
use super::db::{Db, Pool};
use super::error::{OPENING, Result, StoreError, classify};
use super::open::{CONNECT_TIMEOUT, Place, check_magic, connect_sqlite, without_credentials};
use super::rows::{AtDb, CountDb, TextIdDb};
use super::sql::setup as sql;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The path, or the server without credentials.
    pub place: String,
    /// `None` when there is nothing yet.
    pub schema: Option<i64>,
    /// The last schema that this build knows.
    pub known: i64,
    /// What the database says is wrong with its file; empty when nothing is.
    pub damage: Vec<String>,
    /// The time of the database's server, where it has one of its own.
    pub time: Option<Timestamp>,
}

impl Store {
    /// # Errors
    /// The place cannot be reached, or is something else.
    pub async fn inspect(url: &str) -> Result<Inspection> {
        let (db, shared) = match Place::of(url) {
            Place::Memory => return Ok(nothing(url.to_owned())),
            Place::File(path) if !path.exists() => return Ok(nothing(path.display().to_string())),
            Place::File(path) => (file(&path).await?, false),
            Place::Postgres(url) => (server(&url).await?, true),
        };
        let found = inspect(&db, shared).await;
        db.close().await;
        found
    }
}

fn nothing(place: String) -> Inspection {
    Inspection {
        place,
        schema: None,
        known: known(),
        damage: Vec::new(),
        time: None,
    }
}

fn known() -> i64 {
    let steps = sqlx::migrate!("./migrations");
    steps.iter().map(|step| step.version).max().unwrap_or(0)
}

async fn file(path: &Path) -> Result<Db> {
    let place = path.display().to_string();
    check_magic(path, &place)?;
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    connect_sqlite(options, place).await
}

async fn server(url: &str) -> Result<Db> {
    let place = without_credentials(url);
    let failed = |error| classify(error, &place, OPENING);
    let options = PgConnectOptions::from_str(url).map_err(failed)?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_with(options.application_name("tandem doctor"))
        .await
        .map_err(failed)?;
    Ok(Db {
        pool: Pool::Postgres(pool),
        place,
    })
}

async fn inspect(db: &Db, shared: bool) -> Result<Inspection> {
    let schema = match db.fetch_one::<CountDb>(&sql::SCHEMA, &[]).await {
        Ok(row) => row.and_then(|row| i64::try_from(row.count()).ok()),
        // There is no table of migrations yet.
        Err(StoreError::Other { .. }) => None,
        Err(error) => return Err(error),
    };
    let damage = db.fetch::<TextIdDb>(&sql::CHECK, &[]).await?;
    let damage = damage.into_iter().map(|row| row.id);
    let time = match shared {
        true => db.fetch_one::<AtDb>(&sql::NOW, &[]).await?,
        false => None,
    };
    Ok(Inspection {
        place: db.place.clone(),
        schema,
        known: known(),
        damage: damage.filter(|line| line != "ok").collect(),
        time: time.and_then(|row| row.at).map(Timestamp::from_micros),
    })
}
