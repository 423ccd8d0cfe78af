//! What people look at: the journal, conflicts, dead letters, approvals, runs and their counts.
//!
//! Types and reads. These rows are written by `commit` only, except for a person's approval.

use std::collections::BTreeMap;

use crate::model::{
    ApprovalId, BySide, ConflictId, DeadLetterId, ErrorClass, Fields, HoldReason, JournalId,
    LinkId, LinkState, MappingName, RecordId, RecordKey, Revision, RunEnd, RunId, Side, Task,
    Timestamp, WorkspaceId,
};

use super::Store;
use super::db::args;
use super::error::Result;
use super::rows::{ApprovalDb, ConflictDb, Counted, DeadLetterDb, JournalDb, RunDb, ids, task_key};
use super::sql::review as sql;

/// A closed set of words, as the store and the command line write them.
macro_rules! word {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

/// One decision, also a refusal or a skip: what it was made from, what was written, what lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    pub id: JournalId,
    pub at: Timestamp,
    pub run: RunId,
    pub mapping: MappingName,
    pub revision: Revision,
    pub link: Option<LinkId>,
    pub record: Option<RecordKey>,
    /// Empty when the decision is about the record as a whole.
    pub rule: String,
    /// A word for machines, such as `write`, `agree`, `hold`, `skip`.
    pub decision: String,
    /// A word for machines: why.
    pub reason: String,
    pub base: Option<BySide<Fields>>,
    pub inputs: BySide<Fields>,
    pub winner: Option<Side>,
    pub wrote: Option<(Side, Fields)>,
    pub loser: Option<Fields>,
    /// For people.
    pub detail: String,
}

/// Both sides moved: who won by which rule, and the value that lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictRow {
    pub id: ConflictId,
    pub at: Timestamp,
    pub run: RunId,
    pub mapping: MappingName,
    pub link: LinkId,
    pub rule: String,
    pub base: Option<BySide<Fields>>,
    pub inputs: BySide<Fields>,
    /// `None` when a person is asked.
    pub winner: Option<Side>,
    pub loser: Fields,
    /// Why it was decided so, or asked; once closed, why it was closed. The journal has both.
    pub reason: String,
    pub state: ConflictState,
}

word! {
    ConflictState {
        /// Waits for a person.
        Open = "open",
        /// A rule decided.
        Decided = "decided",
        /// A person decided, or the sides agree again.
        Closed = "closed",
    }
}

/// Closes open conflicts of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictClose {
    pub link: LinkId,
    /// `None` closes those of every rule.
    pub rule: Option<String>,
    pub why: String,
}

#[derive(Clone, Debug, Default)]
pub struct ConflictFilter {
    pub mapping: Option<MappingName>,
    pub state: Option<ConflictState>,
    pub link: Option<LinkId>,
    pub rule: Option<String>,
    pub run: Option<RunId>,
}

/// Work that needs a person, with everything needed to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub id: DeadLetterId,
    /// When it was last met.
    pub at: Timestamp,
    pub first_at: Timestamp,
    pub run: Option<RunId>,
    pub mapping: MappingName,
    pub link: Option<LinkId>,
    pub task: Task,
    /// `None`: the whole record.
    pub rule: Option<String>,
    pub class: ErrorClass,
    pub code: String,
    pub message: String,
    /// Field names the platform blamed.
    pub fields: Vec<String>,
    pub base: Option<BySide<Fields>>,
    pub inputs: BySide<Fields>,
    /// What would have been written where.
    pub planned: Option<(Side, Fields)>,
    pub attempts: u32,
    /// Groups letters that have one cause.
    pub fingerprint: String,
    pub state: DeadLetterState,
    /// Candidates, or why it was closed; for people.
    pub note: String,
}

word! {
    DeadLetterState {
        Open = "open",
        /// A later pass succeeded, or a person resolved it.
        Closed = "closed",
        /// A person decided to leave it.
        Discarded = "discarded",
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterClose {
    pub of: DeadLetterOf,
    pub rules: RuleScope,
    pub state: DeadLetterState,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetterOf {
    Id(DeadLetterId),
    Link(LinkId),
    Task(Task),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleScope {
    All,
    /// Only the letter of the record as a whole.
    Record,
    Rule(String),
}

#[derive(Clone, Debug, Default)]
pub struct DeadLetterFilter {
    pub mapping: Option<MappingName>,
    pub class: Option<ErrorClass>,
    pub code: Option<String>,
    pub state: Option<DeadLetterState>,
    pub side: Option<Side>,
    pub link: Option<LinkId>,
    pub rule: Option<String>,
    pub fingerprint: Option<String>,
    pub after: Option<DeadLetterId>,
    /// 0 means 100.
    pub limit: u32,
}

#[derive(Clone, Debug, Default)]
pub struct JournalFilter {
    pub run: Option<RunId>,
    pub mapping: Option<MappingName>,
    pub decision: Option<String>,
    pub after: Option<JournalId>,
    /// 0 means 100.
    pub limit: u32,
}

/// A guard's question: may this exact set of changes go ahead?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub id: ApprovalId,
    pub mapping: MappingName,
    /// The side that would be written to.
    pub side: Side,
    /// What kind of mass change: `deletes`, `blanks` or `changes`.
    pub kind: String,
    /// Names the exact set; another set is another question.
    pub set_hash: String,
    /// The records of the set, where the question is about records.
    pub records: Vec<RecordId>,
    pub items: u64,
    /// For people: what would happen.
    pub detail: String,
    pub state: ApprovalState,
    pub asked_at: Timestamp,
    /// Set by the grant; a grant past this time counts no more.
    pub expires_at: Option<Timestamp>,
}

word! {
    ApprovalState {
        Asked = "asked",
        Granted = "granted",
        Used = "used",
    }
}

/// One run of a command or of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    pub id: RunId,
    pub kind: String,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// `None` while it is under way, and where it ended under an earlier version.
    pub end: Option<RunEnd>,
    /// JSON.
    pub summary: String,
}

/// Counts of a whole workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub links: BTreeMap<LinkState, u64>,
    pub holds: BTreeMap<HoldReason, u64>,
    pub conflicts: BTreeMap<ConflictState, u64>,
    pub dead_letters: BTreeMap<DeadLetterState, u64>,
    /// Journal entries by decision.
    pub decisions: BTreeMap<String, u64>,
}

fn or_hundred(limit: u32) -> u32 {
    if limit == 0 { 100 } else { limit }
}

impl Store {
    /// The newest entries of one link first.
    pub async fn journal_of(
        &self,
        ws: &WorkspaceId,
        link: &LinkId,
        limit: u32,
    ) -> Result<Vec<JournalEntry>> {
        let args = args![ws.as_str(), link.as_str(), limit];
        self.each(self.db.fetch::<JournalDb>(&sql::JOURNAL_OF, &args).await?)
    }

    /// Writes and holds of these links since a moment, newest first.
    pub async fn journal_since(
        &self,
        ws: &WorkspaceId,
        links: &[LinkId],
        since: Timestamp,
    ) -> Result<Vec<JournalEntry>> {
        let links = ids(links.iter().map(LinkId::as_str));
        let args = args![ws.as_str(), links, since];
        let found = self
            .db
            .fetch::<JournalDb>(&sql::JOURNAL_SINCE, &args)
            .await?;
        self.each(found)
    }

    /// Entries in the order they were made, from after `filter.after`.
    pub async fn journal_page(
        &self,
        ws: &WorkspaceId,
        filter: &JournalFilter,
    ) -> Result<Vec<JournalEntry>> {
        let args = args![
            ws.as_str(),
            filter.run.as_ref().map(RunId::as_str),
            filter.mapping.as_ref().map(MappingName::as_str),
            filter.decision.as_deref(),
            filter.after.as_ref().map_or("", JournalId::as_str),
            or_hundred(filter.limit),
        ];
        self.each(
            self.db
                .fetch::<JournalDb>(&sql::JOURNAL_PAGE, &args)
                .await?,
        )
    }

    /// Journal entries by decision, of one run or of all.
    pub async fn journal_counts(
        &self,
        ws: &WorkspaceId,
        run: Option<&RunId>,
    ) -> Result<BTreeMap<String, u64>> {
        let args = args![ws.as_str(), run.map(RunId::as_str)];
        let counts = self.db.fetch::<Counted>(&sql::JOURNAL_COUNT, &args).await?;
        self.tally(counts, |word| Some(word.to_owned()))
    }

    /// Conflicts in the order they were found.
    pub async fn conflicts(
        &self,
        ws: &WorkspaceId,
        filter: &ConflictFilter,
        limit: u32,
    ) -> Result<Vec<ConflictRow>> {
        let args = args![
            ws.as_str(),
            filter.mapping.as_ref().map(MappingName::as_str),
            filter.state.map(ConflictState::as_str),
            filter.link.as_ref().map(LinkId::as_str),
            filter.rule.as_deref(),
            filter.run.as_ref().map(RunId::as_str),
            limit,
        ];
        self.each(self.db.fetch::<ConflictDb>(&sql::CONFLICTS, &args).await?)
    }

    pub async fn conflict(&self, ws: &WorkspaceId, id: &ConflictId) -> Result<Option<ConflictRow>> {
        let args = args![ws.as_str(), id.as_str()];
        let found = self.db.fetch::<ConflictDb>(&sql::CONFLICT, &args).await?;
        Ok(self.each(found)?.pop())
    }

    /// By state. Of the filter the mapping and the rule count.
    pub async fn conflict_counts(
        &self,
        ws: &WorkspaceId,
        filter: &ConflictFilter,
    ) -> Result<BTreeMap<ConflictState, u64>> {
        let args = args![
            ws.as_str(),
            filter.mapping.as_ref().map(MappingName::as_str),
            filter.rule.as_deref(),
        ];
        let counts = self
            .db
            .fetch::<Counted>(&sql::CONFLICTS_COUNT, &args)
            .await?;
        self.tally(counts, ConflictState::parse)
    }

    /// Dead letters by id, which is the order they were first met in.
    pub async fn dead_letters(
        &self,
        ws: &WorkspaceId,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetter>> {
        let args = args![
            ws.as_str(),
            filter.mapping.as_ref().map(MappingName::as_str),
            filter.class.map(ErrorClass::as_str),
            filter.code.as_deref(),
            filter.state.map(DeadLetterState::as_str),
            filter.side.map(Side::as_str),
            filter.link.as_ref().map(LinkId::as_str),
            filter.rule.as_deref(),
            filter.fingerprint.as_deref(),
            filter.after.as_ref().map_or("", DeadLetterId::as_str),
            or_hundred(filter.limit),
        ];
        self.each(
            self.db
                .fetch::<DeadLetterDb>(&sql::DEAD_LETTERS, &args)
                .await?,
        )
    }

    /// The open dead letters of these pieces of work.
    pub async fn dead_letters_of(
        &self,
        ws: &WorkspaceId,
        tasks: &[Task],
    ) -> Result<Vec<DeadLetter>> {
        let keys: Vec<String> = tasks.iter().map(task_key).collect();
        let args = args![ws.as_str(), ids(keys.iter().map(String::as_str))];
        self.each(
            self.db
                .fetch::<DeadLetterDb>(&sql::DEAD_LETTERS_OF_TASKS, &args)
                .await?,
        )
    }

    pub async fn dead_letter(
        &self,
        ws: &WorkspaceId,
        id: &DeadLetterId,
    ) -> Result<Option<DeadLetter>> {
        let args = args![ws.as_str(), id.as_str()];
        let found = self
            .db
            .fetch::<DeadLetterDb>(&sql::DEAD_LETTER, &args)
            .await?;
        Ok(self.each(found)?.pop())
    }

    pub async fn dead_letter_counts(
        &self,
        ws: &WorkspaceId,
    ) -> Result<BTreeMap<DeadLetterState, u64>> {
        let args = args![ws.as_str()];
        let counts = self
            .db
            .fetch::<Counted>(&sql::DEAD_LETTERS_COUNT, &args)
            .await?;
        self.tally(counts, DeadLetterState::parse)
    }

    pub async fn approvals(&self, ws: &WorkspaceId) -> Result<Vec<Approval>> {
        let args = args![ws.as_str()];
        self.each(self.db.fetch::<ApprovalDb>(&sql::APPROVALS, &args).await?)
    }

    /// A person says yes, until `expires`. False when there is no such question any more. Needs no
    /// lease: it changes nothing a running step has read.
    pub async fn grant_approval(
        &self,
        ws: &WorkspaceId,
        id: &ApprovalId,
        expires: Timestamp,
    ) -> Result<bool> {
        let args = args![ws.as_str(), id.as_str(), expires];
        Ok(self.db.run(&sql::APPROVAL_GRANT, &args).await? > 0)
    }

    /// The newest runs first.
    pub async fn runs(&self, ws: &WorkspaceId, limit: u32) -> Result<Vec<RunRow>> {
        let args = args![ws.as_str(), limit];
        self.each(self.db.fetch::<RunDb>(&sql::RUNS, &args).await?)
    }

    /// Everything a summary counts, over all runs.
    pub async fn summary(&self, ws: &WorkspaceId) -> Result<Summary> {
        Ok(Summary {
            links: self.count_links(ws, None).await?,
            holds: self.count_holds(ws).await?,
            conflicts: self.conflict_counts(ws, &ConflictFilter::default()).await?,
            dead_letters: self.dead_letter_counts(ws).await?,
            decisions: self.journal_counts(ws, None).await?,
        })
    }
}
