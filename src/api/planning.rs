//! What comes in and goes out of plans and other looks at both sides: wishes, how far they are,
//! what became of their rows.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::dto::{time, whole};
use super::error::ApiError;
use super::review::word;
use crate::app::{ExplainWish, UndoWish, Wish};
use crate::explain::Question;
use crate::model::Timestamp;
use crate::store::{Job, JobKind, JobState};

/// Rows that were not written and are shown with their reason.
const LEFT_SHOWN: usize = 200;
/// Mappings that a plan may name.
const MAPPINGS_MAX: usize = 100;

/// What is to be planned, or a plan that was made elsewhere.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewPlan {
    /// Only what these mappings would write; all unless given.
    pub mappings: Vec<String>,
    /// Instead: compare both sides, and plan what the mappings would write to the records that
    /// drifted.
    pub repair: bool,
    /// Instead: a plan as `tandem plan --out` or `…/plans/{id}/file` writes it, to be carried out
    /// here. It must be of this workspace and its present mappings.
    #[schema(value_type = Option<Object>)]
    pub file: Option<Value>,
}

impl NewPlan {
    pub const fn kind(&self) -> JobKind {
        match self.repair {
            true => JobKind::Repair,
            false => JobKind::Plan,
        }
    }

    pub fn wish(&self) -> Result<Wish, ApiError> {
        if self.mappings.len() > MAPPINGS_MAX {
            let why = format!("mappings are up to {MAPPINGS_MAX} names");
            return Err(ApiError::bad(why));
        }
        let name = |name: &String| word("mappings", Some(name.clone()));
        let names: Result<Vec<_>, _> = self.mappings.iter().map(name).collect();
        Ok(Wish {
            mappings: names?.into_iter().flatten().collect(),
            ..Wish::default()
        })
    }
}

/// How much of a plan is to be carried out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewApply {
    /// Write only this many of the plan's records, drawn by chance, and stop.
    #[schema(minimum = 1)]
    #[serde(deserialize_with = "whole")]
    pub canary: Option<u32>,
}

impl NewApply {
    pub fn checked(self) -> Result<Option<u32>, ApiError> {
        if self.canary == Some(0) {
            return Err(ApiError::bad("canary is a number of records from 1 on"));
        }
        Ok(self.canary)
    }
}

/// Which writes of a run are to be taken back; all unless given.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewUndo {
    pub mapping: Option<String>,
    pub rule: Option<String>,
    /// Only writes to the pair of this record, by the id it has on either side.
    pub record: Option<String>,
    /// Also delete records that were created, where nobody has touched them.
    pub archive_created: bool,
}

impl NewUndo {
    pub fn of_run(self, run: &str) -> Result<Wish, ApiError> {
        self.wish(Some(run.to_owned()), None)
    }

    fn wish(self, run: Option<String>, since: Option<Timestamp>) -> Result<Wish, ApiError> {
        let undo = UndoWish {
            run,
            since: since.map(Timestamp::micros),
            mapping: word("mapping", self.mapping)?,
            rule: word("rule", self.rule)?,
            record: word("record", self.record)?,
            archive_created: self.archive_created,
        };
        Ok(Wish {
            undo: Some(undo),
            ..Wish::default()
        })
    }
}

/// Which writes are to be taken back, of whatever run; all from the moment on unless narrowed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUndoSince {
    /// 2026-03-02T09:00:00Z, 2026-03-02, or an age such as 2h or 3d.
    pub since: String,
    #[serde(default)]
    pub mapping: Option<String>,
    #[serde(default)]
    pub rule: Option<String>,
    /// Only writes to the pair of this record, by the id it has on either side.
    #[serde(default)]
    pub record: Option<String>,
    /// Also delete records that were created, where nobody has touched them.
    #[serde(default)]
    pub archive_created: bool,
}

impl NewUndoSince {
    /// `since` as it was understood.
    pub fn wish(self, since: Timestamp) -> Result<Wish, ApiError> {
        let narrowed = NewUndo {
            mapping: self.mapping,
            rule: self.rule,
            record: self.record,
            archive_created: self.archive_created,
        };
        narrowed.wish(None, Some(since))
    }
}

/// A plan: how far it is, what it would write, and how carrying it out went.
#[derive(Serialize, ToSchema)]
pub struct PlanJson {
    pub id: String,
    /// plan; undo: what takes writes back; or repair: what mends values that drifted.
    pub kind: &'static str,
    /// waiting, working, ready, failed; then to-apply, applying, applied, stopped.
    pub state: &'static str,
    /// The mappings that were asked for; all where it is empty.
    pub mappings: Vec<String>,
    /// The run that is to be taken back.
    pub undoes: Option<String>,
    /// From when on all writes are to be taken back, where no run is named.
    pub undoes_since: Option<String>,
    pub made_at: String,
    pub ended_at: Option<String>,
    /// From then on it is gone.
    pub expires_at: String,
    /// Why it failed or stopped.
    pub error: Option<FaultJson>,
    /// Counts of what it would write: values, records by mapping, side and kind, deletes, blanks,
    /// calls; of an undo also what stays as it is (`spared`), and of a repair, where one plan is
    /// asked for, what differs (`comparison`, the answer of `tandem drift --json`).
    #[schema(value_type = Option<Object>)]
    pub found: Option<Value>,
    /// How carrying it out goes or went: the run, counts of values by what became of them, calls.
    #[schema(value_type = Option<Object>)]
    pub applied: Option<Value>,
    /// Values that were not written, each with the reason; only where one plan is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub left: Option<Vec<Value>>,
}

/// Why a job failed or stopped; the codes are explained in docs/errors.md.
#[derive(Serialize, ToSchema)]
pub struct FaultJson {
    pub code: String,
    pub detail: String,
}

impl FaultJson {
    fn of(code: String, detail: String) -> Option<Self> {
        (!code.is_empty()).then_some(Self { code, detail })
    }
}

impl From<Job> for PlanJson {
    fn from(job: Job) -> Self {
        let wish = Wish::of(&job);
        let object = |text: &str| {
            let value: Value = serde_json::from_str(text).ok()?;
            let told = value.as_object().is_some_and(|object| !object.is_empty());
            told.then_some(value)
        };
        let applying = matches!(
            job.state,
            JobState::Applying | JobState::Applied | JobState::Stopped
        );
        let progress = object(&job.progress).filter(|_| applying);
        let applied = job.run.map(|run| {
            let mut applied = progress.unwrap_or_else(|| Value::Object(Default::default()));
            applied["run"] = Value::from(run.as_str());
            applied
        });
        Self {
            id: job.id,
            kind: job.kind.as_str(),
            state: job.state.as_str(),
            mappings: wish.mappings,
            undoes_since: wish.undo.as_ref().and_then(|undo| {
                let since = undo.since.map(Timestamp::from_micros);
                since.map(time)
            }),
            undoes: wish.undo.and_then(|undo| undo.run),
            made_at: time(job.made_at),
            ended_at: job.ended_at.map(time),
            expires_at: time(job.expires_at),
            error: FaultJson::of(job.code, job.detail),
            found: object(&job.found),
            applied,
            left: None,
        }
    }
}

impl PlanJson {
    /// As a list has it, without what may be a thousand rows of values.
    pub fn in_brief(job: Job) -> Self {
        let mut plan = Self::from(job);
        if let Some(Value::Object(found)) = &mut plan.found {
            found.remove("comparison");
        }
        plan
    }

    /// With the rows that were not written.
    pub fn with_left(mut self, outcome: Option<&str>) -> Self {
        let rows = outcome.and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok());
        self.left = rows.map(|rows| rows.into_iter().take(LEFT_SHOWN).collect());
        self
    }
}

/// The mappings whose comparison begins now; the others are being compared already, and wait to
/// look at what differs a second time.
#[derive(Serialize, ToSchema)]
pub struct ComparingJson {
    pub mappings: Vec<String>,
}

/// The answer of `tandem drift --last --json`.
#[derive(Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct DriftJson(pub Value);

/// What is to be compared or counted.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewLook {
    /// Only this mapping; all unless given.
    pub mapping: Option<String>,
}

impl NewLook {
    pub fn wish(self) -> Result<Wish, ApiError> {
        let mapping = word("mapping", self.mapping)?;
        Ok(Wish {
            mappings: mapping.into_iter().collect(),
            ..Wish::default()
        })
    }
}

/// An inventory, and how far it is.
#[derive(Serialize, ToSchema)]
pub struct MatchJson {
    pub id: String,
    /// waiting, working, ready or failed.
    pub state: &'static str,
    pub made_at: String,
    pub ended_at: Option<String>,
    pub expires_at: String,
    /// Why it failed.
    pub error: Option<FaultJson>,
    /// The answer of `tandem match --json`, once it is there.
    #[schema(value_type = Option<Object>)]
    pub inventory: Option<Value>,
}

impl MatchJson {
    pub fn of(job: Job, doc: Option<&str>) -> Self {
        Self {
            id: job.id,
            state: job.state.as_str(),
            made_at: time(job.made_at),
            ended_at: job.ended_at.map(time),
            expires_at: time(job.expires_at),
            error: FaultJson::of(job.code, job.detail),
            inventory: doc.and_then(|text| serde_json::from_str(text).ok()),
        }
    }
}

/// Which record is to be looked at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExplain {
    /// A HubSpot object type (contacts), a Salesforce object (Contact) or the name of a mapping.
    pub object: String,
    /// HubSpot's record id, or Salesforce's in 15 or 18 characters.
    pub id: String,
    /// A property, a field or the name of a rule: tells its whole history.
    #[serde(default)]
    pub field: Option<String>,
}

impl NewExplain {
    pub fn checked(self) -> Result<Self, ApiError> {
        Ok(Self {
            object: word("object", Some(self.object))?.unwrap_or_default(),
            field: word("field", self.field)?,
            id: self.id,
        })
    }

    pub fn question(&self, now: Timestamp) -> Result<Question, ApiError> {
        let field = self.field.as_deref();
        Ok(Question::read(&self.object, &self.id, field, None, now)?)
    }

    pub fn wish(self) -> Wish {
        let explain = ExplainWish {
            object: self.object,
            id: self.id,
            field: self.field,
        };
        Wish {
            explain: Some(explain),
            ..Wish::default()
        }
    }
}

/// What both records hold and what the next run would do, and how far the look is.
#[derive(Serialize, ToSchema)]
pub struct LiveJson {
    pub id: String,
    /// waiting, working, ready or failed.
    pub state: &'static str,
    pub made_at: String,
    pub ended_at: Option<String>,
    /// From then on it is gone.
    pub expires_at: String,
    /// Why it failed.
    pub error: Option<FaultJson>,
    /// The answer of `tandem explain --live --json`, once it is there.
    #[schema(value_type = Option<Object>)]
    pub answer: Option<Value>,
}

impl LiveJson {
    pub fn of(job: Job, doc: Option<&str>) -> Self {
        Self {
            id: job.id,
            state: job.state.as_str(),
            made_at: time(job.made_at),
            ended_at: job.ended_at.map(time),
            expires_at: time(job.expires_at),
            error: FaultJson::of(job.code, job.detail),
            answer: doc.and_then(|text| serde_json::from_str(text).ok()),
        }
    }
}

/// How a workspace is let write.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewLive {
    /// First this plan is carried out, and nothing else is written until then.
    pub plan: Option<String>,
    /// Only this many of the plan's records, drawn by chance; the workspace keeps observing.
    #[schema(minimum = 1)]
    #[serde(deserialize_with = "whole")]
    pub canary: Option<u32>,
}
