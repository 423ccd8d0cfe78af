//! What the databases' planners must be told about the shape of the tables.
//!
//! Every row of a store may belong to one workspace, so the first column of an index narrows
//! nothing down. A planner without statistics assumes it does, walks the whole workspace and looks
//! into the JSON argument for each row: thousands of times slower, with the same answer. Nothing
//! here changes what any statement means.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Store;
use super::db::Pool;
use super::error::Result;
use super::sql::setup as sql;

/// Tables smaller than this are quick to search in any way.
const FIRST_SURVEY: u64 = 1_000;

/// Rows written through this store, and how many of them call for the next survey.
#[derive(Debug)]
pub(super) struct Growth {
    written: AtomicU64,
    next: AtomicU64,
}

impl Growth {
    pub fn new() -> Self {
        Self {
            written: AtomicU64::new(0),
            next: AtomicU64::new(FIRST_SURVEY),
        }
    }

    /// True each time the rows written have doubled.
    fn is_due(&self, rows: u64) -> bool {
        let written = self.written.fetch_add(rows, Ordering::Relaxed) + rows;
        let next = self.next.load(Ordering::Relaxed);
        let due = written >= next;
        if due {
            self.next.store(written * 2, Ordering::Relaxed);
        }
        due
    }
}

impl Store {
    /// SQLite takes statistics as rows (sqlite.org/fileformat2.html, 2.6.3): typical ones are
    /// written down once and serve a store of any size.
    pub(super) async fn brief_planner(&self) -> Result<()> {
        for statement in [
            &sql::STATS_MAKE,
            &sql::STATS_CLEAR,
            &sql::STATS_PUT,
            &sql::STATS_LOAD,
        ] {
            self.db.run(statement, &[]).await?;
        }
        Ok(())
    }

    /// PostgreSQL surveys its tables by itself, but minutes after a first sync filled them. This
    /// does it each time they doubled. The commit before it stands whatever happens here.
    pub(super) async fn survey_after(&self, rows: u64) {
        if matches!(self.db.pool, Pool::Postgres(_))
            && self.growth.is_due(rows)
            && let Err(error) = self.db.run(&sql::SURVEY, &[]).await
        {
            tracing::warn!(%error, "could not refresh the statistics of the store's tables");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survey_is_due_each_time_the_rows_doubled() {
        let growth = Growth::new();
        let due: Vec<u64> = (1..=100).filter(|_| growth.is_due(100)).collect();
        assert_eq!(due, [10, 20, 40, 80]);
    }
}
