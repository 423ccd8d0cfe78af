//! What is known about single records: the reads behind `tandem explain`.
//!
//! Nothing here walks a workspace, so an answer takes as long in a store of a million pairs as in
//! a small one.

use crate::model::{LinkId, MappingName, Revision, Task, Timestamp, WorkspaceId};

use super::Store;
use super::changes::Claimed;
use super::db::args;
use super::error::Result;
use super::review::{Approval, ConflictRow, DeadLetter, JournalEntry};
use super::rows::{
    ApprovalDb, AtDb, ConflictDb, CountDb, DeadLetterDb, JournalDb, StoredRevisionDb, WaitingDb,
    ids, task_key,
};
use super::sql::explain as sql;

/// One revision of a mapping as it was first run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRevision {
    pub mapping: MappingName,
    pub revision: Revision,
    pub created_at: Timestamp,
}

/// A piece of work that waits, due or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub work: Claimed,
    /// Waits for the parent that `work` names, whatever its due time.
    pub blocked: bool,
}

impl Store {
    /// Every revision that was ever run, by mapping, the oldest first.
    pub async fn revisions(&self, ws: &WorkspaceId) -> Result<Vec<StoredRevision>> {
        let args = args![ws.as_str()];
        let found = self
            .db
            .fetch::<StoredRevisionDb>(&sql::REVISIONS, &args)
            .await?;
        self.each(found)
    }

    /// When a pair first agreed on anything; `None` when it never did, or nobody knows when.
    pub async fn agreed_since(&self, ws: &WorkspaceId, link: &LinkId) -> Result<Option<Timestamp>> {
        let args = args![ws.as_str(), link.as_str()];
        let found = self.db.fetch_one::<AtDb>(&sql::AGREED_SINCE, &args).await?;
        Ok(found.and_then(|row| row.at).map(Timestamp::from_micros))
    }

    /// These pieces of work as far as they wait in the lane, blocked ones too.
    pub async fn waiting(
        &self,
        ws: &WorkspaceId,
        lane: &str,
        tasks: &[Task],
    ) -> Result<Vec<Waiting>> {
        let args = args![ws.as_str(), lane, task_ids(tasks)];
        let found = self.db.fetch::<WaitingDb>(&sql::MARKS_OF, &args).await?;
        let mut waiting: Vec<Waiting> = self.each(found)?;
        waiting.sort_by(|a, b| a.work.task.cmp(&b.work.task));
        Ok(waiting)
    }

    /// The newest conflicts of a pair first, in every state.
    pub async fn conflicts_of(
        &self,
        ws: &WorkspaceId,
        link: &LinkId,
        limit: u32,
    ) -> Result<Vec<ConflictRow>> {
        let args = args![ws.as_str(), link.as_str(), limit];
        self.each(
            self.db
                .fetch::<ConflictDb>(&sql::CONFLICTS_OF, &args)
                .await?,
        )
    }

    /// What waits for a person about this pair.
    pub async fn letters_of_link(
        &self,
        ws: &WorkspaceId,
        link: &LinkId,
    ) -> Result<Vec<DeadLetter>> {
        let args = args![ws.as_str(), link.as_str()];
        let found = self
            .db
            .fetch::<DeadLetterDb>(&sql::LETTERS_OF_LINK, &args)
            .await?;
        self.each(found)
    }

    /// Dead letters of these pieces of work that are open, or that a person has let go.
    pub async fn letters_of(&self, ws: &WorkspaceId, tasks: &[Task]) -> Result<Vec<DeadLetter>> {
        let args = args![ws.as_str(), task_ids(tasks)];
        let found = self
            .db
            .fetch::<DeadLetterDb>(&sql::LETTERS_OF_TASKS, &args)
            .await?;
        self.each(found)
    }

    /// What a person was asked or has said about a mapping, as far as it still counts.
    pub async fn approvals_of(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
    ) -> Result<Vec<Approval>> {
        let args = args![ws.as_str(), mapping.as_str()];
        let found = self
            .db
            .fetch::<ApprovalDb>(&sql::APPROVALS_OF, &args)
            .await?;
        let mut approvals: Vec<Approval> = self.each(found)?;
        approvals.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(approvals)
    }

    /// The newest `each` entries of every rule of a pair, the newest first.
    pub async fn journal_newest(
        &self,
        ws: &WorkspaceId,
        link: &LinkId,
        each: u32,
    ) -> Result<Vec<JournalEntry>> {
        let args = args![ws.as_str(), link.as_str(), each];
        self.each(
            self.db
                .fetch::<JournalDb>(&sql::JOURNAL_NEWEST, &args)
                .await?,
        )
    }

    /// Of every rule of a pair the first entry after `at`. What it holds as the base is what the
    /// sides had agreed on by then.
    pub async fn journal_next(
        &self,
        ws: &WorkspaceId,
        link: &LinkId,
        at: Timestamp,
    ) -> Result<Vec<JournalEntry>> {
        let args = args![ws.as_str(), link.as_str(), at];
        self.each(
            self.db
                .fetch::<JournalDb>(&sql::JOURNAL_NEXT, &args)
                .await?,
        )
    }

    /// The newest entries of one rule and of the pair as a whole, and how many there are in all.
    pub async fn journal_of_rule(
        &self,
        ws: &WorkspaceId,
        link: &LinkId,
        rule: &str,
        limit: u32,
    ) -> Result<(Vec<JournalEntry>, u64)> {
        let args = args![ws.as_str(), link.as_str(), rule];
        let count = self
            .db
            .fetch_one::<CountDb>(&sql::JOURNAL_OF_RULE_COUNT, &args)
            .await?;
        let args = args![ws.as_str(), link.as_str(), rule, limit];
        let found = self
            .db
            .fetch::<JournalDb>(&sql::JOURNAL_OF_RULE, &args)
            .await?;
        Ok((self.each(found)?, count.map_or(0, |row| row.count())))
    }
}

fn task_ids(tasks: &[Task]) -> String {
    let keys: Vec<String> = tasks.iter().map(task_key).collect();
    ids(keys.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Row};

    use super::*;
    use crate::clock::Clock;
    use crate::store::db::Pool;

    /// Tables by the names that the statements give them.
    const NAMES: [&str; 11] = [
        "m",
        "d",
        "j",
        "bases",
        "journal",
        "conflicts",
        "dead_letters",
        "approvals",
        "revisions",
        "links",
        "marks",
    ];

    #[tokio::test]
    async fn no_look_up_walks_a_workspace() {
        let clock = Clock::manual(Timestamp::from_millis(0));
        let store = Store::open("sqlite::memory:", clock).await.unwrap();
        let Pool::Sqlite(pool) = &store.db.pool else {
            panic!("a store in memory is SQLite");
        };
        for statement in sql::ALL {
            let plan = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.sqlite));
            let steps = sqlx::query(plan).fetch_all(pool).await.unwrap();
            for step in steps {
                let detail: String = step.get("detail");
                let walks = NAMES.iter().any(|name| {
                    detail == format!("SCAN {name}")
                        || detail.starts_with(&format!("SCAN {name} "))
                        || detail.starts_with(&format!("SEARCH {name} "))
                            && detail.ends_with("(workspace_id=?)")
                });
                let few = statement.name == "REVISIONS";
                assert!(!walks || few, "{}: {detail}", statement.name);
            }
        }
    }
}
