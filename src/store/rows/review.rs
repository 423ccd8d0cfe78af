//! Rows of the journal, conflicts, dead letters, approvals and runs.

use serde::Serialize;
use sqlx::FromRow;

use crate::model::{
    ApprovalId, ConflictId, DeadLetterId, ErrorClass, JournalId, LinkId, MappingName, RecordId,
    Revision, RunEnd, RunId, Side, Task, Timestamp,
};
use crate::store::JournalSize;
use crate::store::doc::{self, Values};
use crate::store::records::match_hash;
use crate::store::review::{
    Approval, ApprovalState, ConflictClose, ConflictRow, ConflictState, DeadLetter,
    DeadLetterClose, DeadLetterOf, DeadLetterState, JournalEntry, RuleScope, RunRow,
};

use super::{Fault, key_of, side_of, task_key};

fn maybe_side(text: Option<String>) -> Result<Option<Side>, Fault> {
    text.as_deref().map(side_of).transpose()
}

#[derive(Serialize, FromRow)]
pub(in crate::store) struct JournalDb {
    pub entry_id: String,
    made_at: i64,
    run_id: String,
    mapping: String,
    revision: String,
    link_id: Option<String>,
    record_side: Option<String>,
    record_id: Option<String>,
    rule: String,
    decision: String,
    reason: String,
    winner: Option<String>,
    vals: String,
    detail: String,
}

impl JournalDb {
    pub fn of(entry: JournalEntry) -> Self {
        let values = Values {
            base: entry.base,
            inputs: entry.inputs,
            wrote: entry.wrote,
            loser: entry.loser,
        };
        let record = entry.record.as_ref();
        Self {
            entry_id: entry.id.as_str().to_owned(),
            made_at: entry.at.micros(),
            run_id: entry.run.as_str().to_owned(),
            mapping: entry.mapping.as_str().to_owned(),
            revision: entry.revision.as_str().to_owned(),
            link_id: entry.link.map(|link| link.as_str().to_owned()),
            record_side: record.map(|key| key.side.as_str().to_owned()),
            record_id: record.map(|key| key.id.as_str().to_owned()),
            rule: entry.rule,
            decision: entry.decision,
            reason: entry.reason,
            winner: entry.winner.map(|side| side.as_str().to_owned()),
            vals: doc::values_text(&values),
            detail: entry.detail,
        }
    }
}

impl TryFrom<JournalDb> for JournalEntry {
    type Error = Fault;

    fn try_from(row: JournalDb) -> Result<Self, Fault> {
        let values = doc::values_from(&row.vals)?;
        let record = match (row.record_side, row.record_id) {
            (Some(side), Some(id)) => Some(key_of(row.mapping.clone(), &side, id)?),
            _ => None,
        };
        Ok(Self {
            id: JournalId::new(row.entry_id),
            at: Timestamp::from_micros(row.made_at),
            run: RunId::new(row.run_id),
            mapping: MappingName::new(row.mapping),
            revision: Revision::new(row.revision),
            link: row.link_id.map(LinkId::new),
            record,
            rule: row.rule,
            decision: row.decision,
            reason: row.reason,
            base: values.base,
            inputs: values.inputs,
            winner: maybe_side(row.winner)?,
            wrote: values.wrote,
            loser: values.loser,
            detail: row.detail,
        })
    }
}

#[derive(Serialize, FromRow)]
pub(in crate::store) struct ConflictDb {
    conflict_id: String,
    made_at: i64,
    run_id: String,
    mapping: String,
    pub link_id: String,
    pub rule: String,
    pub input_hash: String,
    winner: Option<String>,
    state: String,
    reason: String,
    vals: String,
}

impl ConflictDb {
    pub fn of(conflict: ConflictRow) -> Self {
        let input_hash = match_hash(&doc::sides_text(&conflict.inputs));
        let values = Values {
            base: conflict.base,
            inputs: conflict.inputs,
            wrote: None,
            loser: Some(conflict.loser),
        };
        Self {
            conflict_id: conflict.id.as_str().to_owned(),
            made_at: conflict.at.micros(),
            run_id: conflict.run.as_str().to_owned(),
            mapping: conflict.mapping.as_str().to_owned(),
            link_id: conflict.link.as_str().to_owned(),
            rule: conflict.rule,
            input_hash,
            winner: conflict.winner.map(|side| side.as_str().to_owned()),
            state: conflict.state.as_str().to_owned(),
            reason: conflict.reason,
            vals: doc::values_text(&values),
        }
    }
}

impl TryFrom<ConflictDb> for ConflictRow {
    type Error = Fault;

    fn try_from(row: ConflictDb) -> Result<Self, Fault> {
        let values = doc::values_from(&row.vals)?;
        let state = ConflictState::parse(&row.state)
            .ok_or_else(|| format!("no conflict state is named {:?}", row.state))?;
        Ok(Self {
            id: ConflictId::new(row.conflict_id),
            at: Timestamp::from_micros(row.made_at),
            run: RunId::new(row.run_id),
            mapping: MappingName::new(row.mapping),
            link: LinkId::new(row.link_id),
            rule: row.rule,
            base: values.base,
            inputs: values.inputs,
            winner: maybe_side(row.winner)?,
            loser: values.loser.unwrap_or_default(),
            reason: row.reason,
            state,
        })
    }
}

#[derive(Serialize)]
pub(in crate::store) struct ConflictCloseRow {
    pub link_id: String,
    pub rule: Option<String>,
    why: String,
}

impl ConflictCloseRow {
    pub fn of(close: &ConflictClose) -> Self {
        Self {
            link_id: close.link.as_str().to_owned(),
            rule: close.rule.clone(),
            why: close.why.clone(),
        }
    }
}

#[derive(Serialize, FromRow)]
pub(in crate::store) struct DeadLetterDb {
    dead_letter_id: String,
    made_at: i64,
    first_at: i64,
    run_id: Option<String>,
    mapping: String,
    link_id: Option<String>,
    pub task_key: String,
    kind: String,
    side: String,
    record_id: String,
    pub rule: String,
    class: String,
    code: String,
    message: String,
    fields: String,
    vals: String,
    attempts: i64,
    fingerprint: String,
    pub state: String,
    note: String,
}

impl DeadLetterDb {
    pub fn of(letter: DeadLetter) -> Self {
        let values = Values {
            base: letter.base,
            inputs: letter.inputs,
            wrote: letter.planned,
            loser: None,
        };
        Self {
            dead_letter_id: letter.id.as_str().to_owned(),
            made_at: letter.at.micros(),
            first_at: letter.first_at.micros(),
            run_id: letter.run.map(|run| run.as_str().to_owned()),
            mapping: letter.mapping.as_str().to_owned(),
            link_id: letter.link.map(|link| link.as_str().to_owned()),
            task_key: task_key(&letter.task),
            kind: letter.task.kind().to_owned(),
            side: letter.task.side().as_str().to_owned(),
            record_id: letter.task.record_id().to_owned(),
            rule: letter.rule.unwrap_or_default(),
            class: letter.class.as_str().to_owned(),
            code: letter.code,
            message: letter.message,
            fields: doc::names_text(&letter.fields),
            vals: doc::values_text(&values),
            attempts: i64::from(letter.attempts),
            fingerprint: letter.fingerprint,
            state: letter.state.as_str().to_owned(),
            note: letter.note,
        }
    }
}

impl TryFrom<DeadLetterDb> for DeadLetter {
    type Error = Fault;

    fn try_from(row: DeadLetterDb) -> Result<Self, Fault> {
        let values = doc::values_from(&row.vals)?;
        let mapping = MappingName::new(row.mapping);
        let side = side_of(&row.side)?;
        let task = Task::from_parts(&row.kind, mapping.clone(), side, &row.record_id)
            .ok_or_else(|| format!("no task is named {:?}", row.kind))?;
        let class = ErrorClass::parse(&row.class)
            .ok_or_else(|| format!("no error class is named {:?}", row.class))?;
        let state = DeadLetterState::parse(&row.state)
            .ok_or_else(|| format!("no dead letter state is named {:?}", row.state))?;
        Ok(Self {
            id: DeadLetterId::new(row.dead_letter_id),
            at: Timestamp::from_micros(row.made_at),
            first_at: Timestamp::from_micros(row.first_at),
            run: row.run_id.map(RunId::new),
            mapping,
            link: row.link_id.map(LinkId::new),
            task,
            rule: Some(row.rule).filter(|rule| !rule.is_empty()),
            class,
            code: row.code,
            message: row.message,
            fields: doc::names_from(&row.fields)?,
            base: values.base,
            inputs: values.inputs,
            planned: values.wrote,
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            fingerprint: row.fingerprint,
            state,
            note: row.note,
        })
    }
}

#[derive(Serialize)]
pub(in crate::store) struct DeadCloseRow {
    pub of_id: String,
    /// `None` closes those of every rule, empty that of the whole record.
    pub rule: Option<String>,
    state: &'static str,
    why: String,
}

impl DeadCloseRow {
    pub fn of(close: &DeadLetterClose) -> Self {
        let of_id = match &close.of {
            DeadLetterOf::Id(id) => id.as_str().to_owned(),
            DeadLetterOf::Link(link) => link.as_str().to_owned(),
            DeadLetterOf::Task(task) => task_key(task),
        };
        let rule = match &close.rules {
            RuleScope::All => None,
            RuleScope::Record => Some(String::new()),
            RuleScope::Rule(rule) => Some(rule.clone()),
        };
        Self {
            of_id,
            rule,
            state: close.state.as_str(),
            why: close.why.clone(),
        }
    }
}

#[derive(Serialize, FromRow)]
pub(in crate::store) struct ApprovalDb {
    approval_id: String,
    pub mapping: String,
    pub side: String,
    pub kind: String,
    pub set_hash: String,
    records: String,
    items: i64,
    detail: String,
    state: String,
    asked_at: i64,
    expires_at: Option<i64>,
}

impl ApprovalDb {
    pub fn of(approval: &Approval) -> Self {
        Self {
            approval_id: approval.id.as_str().to_owned(),
            mapping: approval.mapping.as_str().to_owned(),
            side: approval.side.as_str().to_owned(),
            kind: approval.kind.clone(),
            set_hash: approval.set_hash.clone(),
            records: doc::names_text(&record_names(&approval.records)),
            items: i64::try_from(approval.items).unwrap_or(i64::MAX),
            detail: approval.detail.clone(),
            state: approval.state.as_str().to_owned(),
            asked_at: approval.asked_at.micros(),
            expires_at: approval.expires_at.map(Timestamp::micros),
        }
    }
}

fn record_names(records: &[RecordId]) -> Vec<String> {
    records.iter().map(|id| id.as_str().to_owned()).collect()
}

impl TryFrom<ApprovalDb> for Approval {
    type Error = Fault;

    fn try_from(row: ApprovalDb) -> Result<Self, Fault> {
        let state = ApprovalState::parse(&row.state)
            .ok_or_else(|| format!("no approval state is named {:?}", row.state))?;
        Ok(Self {
            id: ApprovalId::new(row.approval_id),
            mapping: MappingName::new(row.mapping),
            side: side_of(&row.side)?,
            kind: row.kind,
            set_hash: row.set_hash,
            records: doc::names_from(&row.records)?
                .into_iter()
                .map(RecordId::new)
                .collect(),
            items: row.items.unsigned_abs(),
            detail: row.detail,
            state,
            asked_at: Timestamp::from_micros(row.asked_at),
            expires_at: row.expires_at.map(Timestamp::from_micros),
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct RunDb {
    run_id: String,
    kind: String,
    started_at: i64,
    ended_at: Option<i64>,
    outcome: Option<String>,
    summary: String,
}

impl TryFrom<RunDb> for RunRow {
    type Error = Fault;

    fn try_from(row: RunDb) -> Result<Self, Fault> {
        let end =
            |text: &String| RunEnd::parse(text).ok_or_else(|| format!("no run ends {text:?}"));
        Ok(Self {
            end: row.outcome.as_ref().map(end).transpose()?,
            id: RunId::new(row.run_id),
            kind: row.kind,
            started_at: Timestamp::from_micros(row.started_at),
            ended_at: row.ended_at.map(Timestamp::from_micros),
            summary: row.summary,
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct SizeDb {
    entries: i64,
    bytes: i64,
    oldest: Option<i64>,
}

impl TryFrom<SizeDb> for JournalSize {
    type Error = Fault;

    fn try_from(row: SizeDb) -> Result<Self, Fault> {
        let count = |n: i64| u64::try_from(n).map_err(|_| format!("{n} is no count"));
        Ok(Self {
            entries: count(row.entries)?,
            bytes: count(row.bytes)?,
            oldest: row.oldest.map(Timestamp::from_micros),
        })
    }
}
