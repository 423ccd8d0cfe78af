//! The store: every row the product keeps, on SQLite or on PostgreSQL.
//!
//! The only module that imports sqlx. It stores and finds; it decides nothing about records and
//! knows no CRM. Reads answer at once from the database; writes of the engine go through
//! [`Store::commit`], one transaction for everything a step decided, fenced by its [`Lease`].

mod access;
mod attention;
mod changes;
mod commit;
mod connecting;
mod connections;
mod copy;
mod db;
mod doc;
mod error;
mod explain;
mod inbox;
mod inspect;
mod jobs;
mod journal;
mod keys;
mod lanes;
mod links;
mod mappings;
mod notices;
mod open;
mod planner;
mod records;
mod repeats;
mod review;
mod rows;
mod seam;
mod setup;
mod shadow;
mod sql;
mod tenants;

pub use access::AccessEntry;
pub use attention::Attention;
pub use changes::{
    Changes, Claim, Claimed, CursorPut, Judged, Mark, MatchKeys, QueueCounts, Standing, Tombstone,
    Turn,
};
pub use connecting::{Authorization, ConnectLink};
pub use connections::SealedConnection;
pub use db::Dialected;
pub use error::{Result, StoreError, Taken};
pub use explain::{StoredRevision, Waiting};
pub use inbox::{Announced, Folded, Unfolded};
pub use inspect::Inspection;
pub use jobs::{Job, JobEnd, JobKind, JobState, NewJob};
pub use journal::{JournalSize, WritesOf, journal_kept_from};
pub use keys::ApiKey;
pub use lanes::Lease;
pub use links::{HoldPlace, LinkFilter};
pub use mappings::{Activation, Brought, Pending, SetMapping};
pub use notices::{Notice, NoticeChannel, NoticeFacts, NoticeState};
pub use records::match_hash;
pub use repeats::{Begun, Repeat};
pub use review::{
    Approval, ApprovalState, ConflictClose, ConflictFilter, ConflictRow, ConflictState, DeadLetter,
    DeadLetterClose, DeadLetterFilter, DeadLetterOf, DeadLetterState, JournalEntry, JournalFilter,
    RuleScope, RunRow, Summary,
};
pub use seam::{Deed, Reply, Seam, Watch};
pub use setup::{Connection, RevisionText};
pub use shadow::{ShadowState, ShadowWrite};
pub use tenants::{Agenda, Due, Erased};

use crate::clock::Clock;

/// An open store. Shared by reference or behind an `Arc`; one process has one per place.
#[derive(Debug)]
pub struct Store {
    db: db::Db,
    clock: Clock,
    /// Held for as long as the store is open; a SQLite file belongs to one process.
    lock: Option<open::FileLock>,
    growth: planner::Growth,
    watch: Option<Watch>,
}

impl Store {
    /// Has the database parse every statement the product uses, running none.
    pub async fn check_statements(&self) -> Result<()> {
        for statement in sql::all() {
            self.db.prepare(statement).await?;
        }
        Ok(())
    }

    /// Whether other processes may work in the same store at the same time.
    pub fn is_shared(&self) -> bool {
        matches!(self.db.pool, db::Pool::Postgres(_))
    }

    /// Where the rows are: a path, or a server without credentials.
    pub fn place(&self) -> &str {
        &self.db.place
    }
}
