//! How a job ends, and what is kept of it.

use serde_json::{Value, json};

use super::jobs::{JobFault, KEPT_MILLIS};
use super::trouble::OpenError;
use crate::app::{Engine, PlanFile, SetupError, fate_json, fates, is_left};
use crate::crm::ErrorKind;
use crate::model::{BySide, RunEnd, Side, Timestamp};
use crate::store::{Job, JobEnd, JobState};
use crate::sync::Frozen;
use crate::vault::KeeperError;

/// A longer document is not kept.
const DOC_BYTES: usize = 64 * 1024 * 1024;
/// Rows that were not written and are kept with their reason.
const LEFT_MAX: usize = 1_000;

/// Ends a job that did not come to its end.
pub(super) fn broken(job: &Job, fault: JobFault, detail: &str, now: Timestamp) -> JobEnd {
    let state = match job.state {
        JobState::ToApply | JobState::Applying => JobState::Stopped,
        _ => JobState::Failed,
    };
    JobEnd {
        code: fault.as_str().to_owned(),
        detail: detail.to_owned(),
        ..ended(state, now)
    }
}

pub(super) fn ended(state: JobState, now: Timestamp) -> JobEnd {
    JobEnd {
        state,
        expires_at: now.plus_millis(KEPT_MILLIS),
        code: String::new(),
        detail: String::new(),
        found: None,
        progress: None,
        doc: None,
        outcome: None,
    }
}

/// What is to be told of a plan without its rows.
pub(super) fn counted(plan: &PlanFile) -> Value {
    let records = plan.totals().into_iter();
    let records = records.map(|((mapping, side, kind), count)| {
        let (side, kind) = (side.as_str(), kind.as_str());
        json!({"mapping": mapping, "side": side, "kind": kind, "records": count})
    });
    json!({
        "digest": plan.digest(),
        "values": plan.says().count(),
        "records": records.collect::<Vec<_>>(),
        "deletes": plan.deletes(),
        "blanks": plan.blanks(),
        "calls": sides(&plan.calls),
    })
}

fn sides(calls: &BySide<u64>) -> Value {
    let both = Side::BOTH.map(|side| (side.as_str().to_owned(), json!(calls.get(side))));
    Value::Object(both.into_iter().collect())
}

/// A plan that is there; one that is too long to be kept is none.
pub(super) fn ready(job: &Job, plan: &PlanFile, more: Value, now: Timestamp) -> JobEnd {
    let text = plan.to_text();
    let mut found = counted(plan);
    if let (Value::Object(found), Value::Object(more)) = (&mut found, more) {
        found.extend(more);
    }
    let found = found.to_string();
    if text.len() + found.len() > DOC_BYTES {
        let why = "the plan is too long to be kept; ask for one of fewer mappings";
        return broken(job, JobFault::TooLarge, why, now);
    }
    JobEnd {
        found: Some(found),
        doc: Some(text),
        ..ended(JobState::Ready, now)
    }
}

/// What was found that is no plan.
pub(super) fn taken(job: &Job, told: &Value, now: Timestamp) -> JobEnd {
    let text = told.to_string();
    if text.len() > DOC_BYTES {
        let why = "what was found is too long to be kept; ask for one mapping";
        return broken(job, JobFault::TooLarge, why, now);
    }
    JobEnd {
        doc: Some(text),
        ..ended(JobState::Ready, now)
    }
}

pub(super) fn progress(engine: &Engine, canary: bool, foreseen: &BySide<u64>) -> Value {
    let rows = engine.mode().frozen().map(Frozen::rows).unwrap_or_default();
    json!({
        "canary": canary,
        "counts": fates(rows),
        "left": rows.iter().filter(|row| is_left(row)).count(),
        "calls": {"foreseen": sides(foreseen), "used": sides(&engine.calls_of_sides())},
    })
}

pub(super) fn with_outcome(
    end: JobEnd,
    engine: &Engine,
    canary: bool,
    foreseen: &BySide<u64>,
) -> JobEnd {
    let rows = engine.mode().frozen().map(Frozen::rows).unwrap_or_default();
    let left = rows.iter().filter(|row| is_left(row)).take(LEFT_MAX);
    let left: Vec<Value> = left.map(fate_json).collect();
    JobEnd {
        progress: Some(progress(engine, canary, foreseen).to_string()),
        outcome: Some(Value::Array(left).to_string()),
        ..end
    }
}

/// What the end of a job before its end means for the run that was at it, or beside it.
pub(super) const fn run_end(fault: JobFault) -> RunEnd {
    match fault {
        JobFault::Interrupted => RunEnd::Interrupted,
        JobFault::Paused => RunEnd::Paused,
        JobFault::Changed | JobFault::Outdated => RunEnd::Changed,
        JobFault::CredentialsRefused | JobFault::NotConnected => RunEnd::CredentialsRefused,
        JobFault::NotComplete | JobFault::TooLarge => RunEnd::Unread,
        JobFault::Unavailable => RunEnd::StoreFailed,
    }
}

/// What an engine that could not be opened means for a job.
pub(super) fn fault_of(error: &OpenError) -> JobFault {
    match error {
        OpenError::Keeper(KeeperError::NotConnected(_) | KeeperError::Unusable { .. }) => {
            JobFault::NotConnected
        }
        OpenError::Keeper(KeeperError::Crm { error, .. })
        | OpenError::Setup(SetupError::Crm { error, .. })
            if error.kind == ErrorKind::LoginRefused =>
        {
            JobFault::CredentialsRefused
        }
        OpenError::Mappings(_)
        | OpenError::Setup(
            SetupError::Mappings(_)
            | SetupError::OtherAccount { .. }
            | SetupError::PlanOfOther { .. },
        ) => JobFault::Outdated,
        OpenError::Store(_) | OpenError::Keeper(_) | OpenError::Setup(_) => JobFault::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RunId, WorkspaceId};
    use crate::store::JobKind;

    #[test]
    fn what_is_told_beside_the_rows_of_a_plan_counts_for_its_length() {
        let now = Timestamp::from_millis(0);
        let job = Job {
            id: "job_1".to_owned(),
            kind: JobKind::Repair,
            state: JobState::Working,
            wish: String::new(),
            run: None,
            made_at: now,
            ended_at: None,
            expires_at: now,
            code: String::new(),
            detail: String::new(),
            found: String::new(),
            progress: String::new(),
        };
        let plan = PlanFile {
            workspace: WorkspaceId::new("acme/test"),
            accounts: BySide::default(),
            made_at: now,
            run: RunId::new("run_1"),
            mappings: Default::default(),
            calls: BySide::default(),
            writes: Vec::new(),
        };
        let end = ready(&job, &plan, json!({"comparison": "short"}), now);
        assert_eq!((end.state, end.code.as_str()), (JobState::Ready, ""));
        let long = "x".repeat(DOC_BYTES);
        let end = ready(&job, &plan, json!({"comparison": long}), now);
        assert_eq!(
            (end.state, end.code.as_str()),
            (JobState::Failed, "too-large")
        );
        assert!(end.doc.is_none() && end.found.is_none());
    }
}
