//! Rows as JSON: what the commands print with `--json` and the API answers. Shapes only; the
//! commands read them back from a service and print them as they print rows of a store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::model::{BySide, Fields, Hold, Link, RecordId, RunEnd, Side};
use crate::store::{Approval, ConflictRow, DeadLetter, RunRow};

/// Fields as an object; a blank is null.
pub fn fields_json(fields: &Fields) -> BTreeMap<String, Option<String>> {
    let pairs = fields
        .iter()
        .map(|(name, raw)| (name.clone(), raw.as_text().map(str::to_owned)));
    pairs.collect()
}

/// What each side holds.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct SidesJson {
    pub hubspot: BTreeMap<String, Option<String>>,
    pub salesforce: BTreeMap<String, Option<String>>,
}

impl SidesJson {
    pub const fn get(&self, side: Side) -> &BTreeMap<String, Option<String>> {
        match side {
            Side::HubSpot => &self.hubspot,
            Side::Salesforce => &self.salesforce,
        }
    }

    pub fn of(values: &BySide<Fields>) -> Self {
        Self {
            hubspot: fields_json(&values.hubspot),
            salesforce: fields_json(&values.salesforce),
        }
    }
}

/// Edits of both sides that met.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct ConflictJson {
    pub id: String,
    /// open (waits for a person), decided (a rule decided) or closed.
    pub state: String,
    pub at: String,
    pub run: String,
    pub mapping: String,
    pub link: String,
    pub rule: String,
    /// What was agreed before; null where nothing was.
    pub base: Option<SidesJson>,
    pub inputs: SidesJson,
    /// hubspot or salesforce; null where a person is asked.
    pub winner: Option<String>,
    pub loser: BTreeMap<String, Option<String>>,
    pub reason: String,
}

impl ConflictJson {
    pub fn of(conflict: &ConflictRow) -> Self {
        Self {
            id: conflict.id.to_string(),
            state: conflict.state.as_str().to_owned(),
            at: conflict.at.to_string(),
            run: conflict.run.to_string(),
            mapping: conflict.mapping.to_string(),
            link: conflict.link.to_string(),
            rule: conflict.rule.clone(),
            base: conflict.base.as_ref().map(SidesJson::of),
            inputs: SidesJson::of(&conflict.inputs),
            winner: conflict.winner.map(|side| side.as_str().to_owned()),
            loser: fields_json(&conflict.loser),
            reason: conflict.reason.clone(),
        }
    }
}

/// What would have been written where.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct PlannedJson {
    pub side: String,
    pub fields: BTreeMap<String, Option<String>>,
}

/// Work that failed for good.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct DeadLetterJson {
    pub id: String,
    /// open, closed or discarded.
    pub state: String,
    pub mapping: String,
    pub side: String,
    pub kind: String,
    pub record: String,
    pub link: Option<String>,
    /// Null: the whole record.
    pub rule: Option<String>,
    pub class: String,
    pub code: String,
    pub message: String,
    /// Fields that the platform blamed.
    pub fields: Vec<String>,
    pub base: Option<SidesJson>,
    pub now: SidesJson,
    pub planned: Option<PlannedJson>,
    pub attempts: u32,
    pub first_at: String,
    pub last_at: String,
    pub note: String,
}

impl DeadLetterJson {
    pub fn of(letter: &DeadLetter) -> Self {
        Self {
            id: letter.id.to_string(),
            state: letter.state.as_str().to_owned(),
            mapping: letter.mapping.to_string(),
            side: letter.task.side().as_str().to_owned(),
            kind: letter.task.kind().to_owned(),
            record: letter.task.record_id().to_owned(),
            link: letter.link.as_ref().map(ToString::to_string),
            rule: letter.rule.clone(),
            class: letter.class.as_str().to_owned(),
            code: letter.code.clone(),
            message: letter.message.clone(),
            fields: letter.fields.clone(),
            base: letter.base.as_ref().map(SidesJson::of),
            now: SidesJson::of(&letter.inputs),
            planned: letter.planned.as_ref().map(|(side, fields)| PlannedJson {
                side: side.as_str().to_owned(),
                fields: fields_json(fields),
            }),
            attempts: letter.attempts,
            first_at: letter.first_at.to_string(),
            last_at: letter.at.to_string(),
            note: letter.note.clone(),
        }
    }
}

fn id_of(link: &Link, side: Side) -> Option<String> {
    link.records.get(side).as_ref().map(RecordId::to_string)
}

/// Which record belongs to which.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct LinkJson {
    pub id: String,
    pub mapping: String,
    pub group: Option<String>,
    pub hubspot_id: Option<String>,
    pub salesforce_id: Option<String>,
    pub state: String,
    pub note: String,
}

impl LinkJson {
    pub fn of(link: &Link) -> Self {
        Self {
            id: link.id.to_string(),
            mapping: link.mapping.to_string(),
            group: link.group.clone(),
            hubspot_id: id_of(link, Side::HubSpot),
            salesforce_id: id_of(link, Side::Salesforce),
            state: link.state.as_str().to_owned(),
            note: link.note.clone(),
        }
    }
}

/// A value that stays as it is until somebody or something moves.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct HoldJson {
    pub link: String,
    pub mapping: String,
    pub hubspot_id: Option<String>,
    pub salesforce_id: Option<String>,
    pub rule: String,
    pub reason: String,
    pub detail: String,
    pub hubspot: BTreeMap<String, Option<String>>,
    pub salesforce: BTreeMap<String, Option<String>>,
    pub since: String,
}

impl HoldJson {
    pub fn of(link: &Link, hold: &Hold) -> Self {
        Self {
            link: link.id.to_string(),
            mapping: link.mapping.to_string(),
            hubspot_id: id_of(link, Side::HubSpot),
            salesforce_id: id_of(link, Side::Salesforce),
            rule: hold.rule.clone(),
            reason: hold.reason.as_str().to_owned(),
            detail: hold.detail.clone(),
            hubspot: fields_json(&hold.sides.hubspot),
            salesforce: fields_json(&hold.sides.salesforce),
            since: hold.since.to_string(),
        }
    }
}

/// What a guard stopped: may this exact set of changes go ahead?
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct ApprovalJson {
    pub id: String,
    pub asked_at: String,
    pub mapping: String,
    /// The side that would be written to.
    pub side: String,
    /// deletes, unlinks, blanks or changes.
    pub kind: String,
    pub records: u64,
    pub detail: String,
}

impl ApprovalJson {
    pub fn of(approval: &Approval) -> Self {
        Self {
            id: approval.id.to_string(),
            asked_at: approval.asked_at.to_string(),
            mapping: approval.mapping.to_string(),
            side: approval.side.as_str().to_owned(),
            kind: approval.kind.clone(),
            records: approval.items,
            detail: approval.detail.clone(),
        }
    }
}

/// A run of a command, or of the service from opening a workspace to putting it away.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct RunJson {
    pub id: String,
    pub kind: String,
    pub started_at: String,
    /// Null while it runs, and where it was cut off.
    pub ended_at: Option<String>,
    /// `finished` when nothing was due, `stopped`, `failed`, or `cut-off` where nobody said how it
    /// ended; null while it runs, and of runs of an earlier version.
    pub outcome: Option<String>,
    /// Why it stopped or failed: `interrupted`, `paused`, `changed`, `credentials-refused`,
    /// `unread` or `store-failed`.
    pub why: Option<String>,
    /// What it did. While it runs, and where it was cut off: as of a minute before.
    pub did: DidJson,
}

/// What a run did.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct DidJson {
    /// Records written, creates and archives among them.
    pub writes: u64,
    pub creates: u64,
    pub archives: u64,
    /// Records that became pairs.
    pub pairs: u64,
    pub conflicts: u64,
    pub held: u64,
    pub hubspot_calls: u64,
    pub salesforce_calls: u64,
    /// How long the changes took that it settled; null where it settled none.
    pub lag: Option<LagJson>,
}

/// From the mark of a change to the end of its work. Backfills and full comparisons are not in it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct LagJson {
    pub changes: u64,
    /// Half of them took no longer; estimated, as is the next one.
    pub p50_millis: u64,
    pub p99_millis: u64,
    /// The longest.
    pub max_millis: u64,
}

impl DidJson {
    /// Runs of an earlier version told of their writes only.
    fn of(summary: &Value) -> Self {
        let count = |of: &Value| of.as_u64().unwrap_or(0);
        let lag = &summary["lag"];
        Self {
            lag: lag.is_object().then(|| LagJson {
                changes: count(&lag["changes"]),
                p50_millis: count(&lag["p50_ms"]),
                p99_millis: count(&lag["p99_ms"]),
                max_millis: count(&lag["max_ms"]),
            }),
            writes: count(&summary["writes"]),
            creates: count(&summary["creates"]),
            archives: count(&summary["archives"]),
            pairs: count(&summary["pairs"]),
            conflicts: count(&summary["conflicts"]),
            held: count(&summary["held"]),
            hubspot_calls: count(&summary["calls"]["hubspot"]),
            salesforce_calls: count(&summary["calls"]["salesforce"]),
        }
    }
}

impl RunJson {
    pub fn of(run: &RunRow) -> Self {
        let summary: Value = serde_json::from_str(&run.summary).unwrap_or_default();
        Self {
            id: run.id.to_string(),
            kind: run.kind.clone(),
            started_at: run.started_at.to_string(),
            ended_at: run.ended_at.map(|at| at.to_string()),
            outcome: run.end.map(|end| end.outcome().as_str().to_owned()),
            why: run.end.and_then(RunEnd::why).map(str::to_owned),
            did: DidJson::of(&summary),
        }
    }
}
