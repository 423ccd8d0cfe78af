//! What comes in and goes out where people review: filters, decisions, how a workspace stands.
//!
//! The rows themselves have their shape from `crate::review`, which the commands share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::ApiError;
use crate::model::{ErrorClass, MappingName, Side};
use crate::review::ConflictJson;

/// Longer than any name, code or id.
const WORD_CHARS: usize = 200;
/// The longest reason that is kept.
const REASON_CHARS: usize = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConflictQuery {
    /// open (waits for a person), decided (a rule decided) or closed; open unless given.
    #[param(pattern = "^(open|decided|closed)$")]
    pub state: Option<String>,
    #[param(max_length = 200, pattern = "^[^\\x00]*$")]
    pub mapping: Option<String>,
    #[param(max_length = 200, pattern = "^[^\\x00]*$")]
    pub rule: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 1000, pattern = "^[^\\x00]*$")]
    pub cursor: Option<String>,
    /// Rows of the page: 1 to 200, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeadLetterQuery {
    /// open, closed or discarded; open unless given.
    #[param(pattern = "^(open|closed|discarded)$")]
    pub state: Option<String>,
    #[param(max_length = 200, pattern = "^[^\\x00]*$")]
    pub mapping: Option<String>,
    /// The class of the failure, such as permanent.
    #[param(
        pattern = "^(transient|rate|auth|permanent|needs-person|blocked|unknown-outcome|\
                         ours)$"
    )]
    pub class: Option<String>,
    /// The code of the failure, such as REQUIRED_FIELD_MISSING.
    #[param(max_length = 200, pattern = "^[^\\x00]*$")]
    pub code: Option<String>,
    /// The side of the record: hubspot or salesforce.
    #[param(pattern = "^(hubspot|salesforce)$")]
    pub side: Option<String>,
    #[param(max_length = 200, pattern = "^[^\\x00]*$")]
    pub rule: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 1000, pattern = "^[^\\x00]*$")]
    pub cursor: Option<String>,
    /// Rows of the page: 1 to 200, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinkQuery {
    #[param(max_length = 200, pattern = "^[^\\x00]*$")]
    pub mapping: Option<String>,
    /// The state of the link: creating-hubspot, creating-salesforce, linked, suspended, frozen,
    /// tombstoned, unlinked or detached.
    #[param(
        pattern = "^(creating-(hubspot|salesforce)|linked|suspended|frozen|tombstoned|\
                         unlinked|detached)$"
    )]
    pub state: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 1000, pattern = "^[^\\x00]*$")]
    pub cursor: Option<String>,
    /// Rows of the page: 1 to 200, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HoldQuery {
    /// A page may then have fewer rows than asked for, and more may follow.
    #[param(max_length = 200, pattern = "^[^\\x00]*$")]
    pub mapping: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 1000, pattern = "^[^\\x00]*$")]
    pub cursor: Option<String>,
    /// Rows of the page: 1 to 200, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// A HubSpot object type (contacts), a Salesforce object (Contact) or the name of a mapping.
    #[param(max_length = 200, pattern = "^[^\\x00]*$")]
    pub object: String,
    /// HubSpot's record id, or Salesforce's in 15 or 18 characters.
    pub id: String,
    /// A property, a field or the name of a rule: tells its whole history.
    #[param(max_length = 200, pattern = "^[^\\x00]*$")]
    pub field: Option<String>,
    /// What had been agreed then: 2026-03-02T09:00:00Z, 2026-03-02, or an age such as 2h or 3d.
    pub at: Option<String>,
}

/// A page of conflicts; `next` is there when more follow.
#[derive(Serialize, ToSchema)]
pub struct ConflictsJson {
    pub items: Vec<ConflictJson>,
    pub next: Option<String>,
    /// How many there are on all pages.
    pub total: u64,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChoice {
    /// hubspot, salesforce, or a value; `=VALUE` where a value could be taken for a side. Empty
    /// for a blank.
    #[schema(pattern = "^[^\\x00]*$")]
    pub choice: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDiscard {
    /// Why; kept with the letter.
    #[schema(max_length = 1000, pattern = "^[^\\x00]*[^\\s\\x00]")]
    pub reason: String,
}

/// A reason that can be kept.
pub fn reason(text: &str) -> Result<String, ApiError> {
    let reason = text.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS || reason.contains('\0') {
        let why = format!("reason is a text of 1 to {REASON_CHARS} characters");
        return Err(ApiError::bad(why));
    }
    Ok(reason.to_owned())
}

/// What was decided, by ids.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DecidedJson {
    Taken(Vec<String>),
    Replayed(Vec<String>),
    Discarded(Vec<String>),
    Approved(Vec<String>),
    Unpaired(Vec<String>),
}

/// Pieces of work of one kind.
#[derive(Serialize, ToSchema)]
pub struct QueueJson {
    pub ready: u64,
    /// Due later.
    pub waiting: u64,
    /// Waits for a parent.
    pub blocked: u64,
    /// Open dead letters.
    pub dead: u64,
}

/// API calls of one connection, as it knew them when it last worked.
#[derive(Serialize, ToSchema)]
pub struct CallsJson {
    /// Calls of this workspace during the last day.
    pub made: u64,
    /// The account's allowance of a day, and what everybody who shares it has used.
    pub daily_limit: Option<u64>,
    pub daily_used: Option<u64>,
    pub read_at: Option<String>,
}

/// How a workspace stands.
#[derive(Serialize, ToSchema)]
pub struct StatusJson {
    /// Links by state.
    pub links: BTreeMap<String, u64>,
    /// Work by kind: record, poll, reread, backfill, scan, drift.
    pub queue: BTreeMap<String, QueueJson>,
    /// Values that are held back, by reason.
    pub holds: BTreeMap<String, u64>,
    pub dead_letters_open: u64,
    pub conflicts_open: u64,
    /// For how long the oldest work that is due has been due, in milliseconds.
    pub backlog_millis: u64,
    pub calls: BTreeMap<String, CallsJson>,
}

/// The answer of `tandem explain --json`.
#[derive(Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct ExplainedJson(pub serde_json::Value);

/// A word of a query, unless nothing could ever have that name.
pub fn word(name: &str, text: Option<String>) -> Result<Option<String>, ApiError> {
    if text.as_ref().is_some_and(|text| !is_word(text)) {
        return Err(ApiError::bad(format!("{name} is a plain word")));
    }
    Ok(text)
}

pub fn mapping(text: Option<String>) -> Result<Option<MappingName>, ApiError> {
    Ok(word("mapping", text)?.map(MappingName::new))
}

/// A word of a closed set, or the one that is meant when none is given.
pub fn one_of<T>(
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    known: &str,
) -> Result<Option<T>, ApiError> {
    text.map(|text| parse(text).ok_or_else(|| ApiError::bad(format!("use {known}"))))
        .transpose()
}

pub fn class(text: Option<&str>) -> Result<Option<ErrorClass>, ApiError> {
    let known = "transient, rate, auth, permanent, needs-person, blocked, unknown-outcome or ours";
    one_of(text, ErrorClass::parse, known)
}

pub fn side(text: Option<&str>) -> Result<Option<Side>, ApiError> {
    one_of(text, Side::parse, "hubspot or salesforce")
}

/// The id in a path. What no id looks like is not there, whatever the database thinks of it.
pub fn id<'a>(what: &str, text: &'a str) -> Result<&'a str, ApiError> {
    if is_word(text) {
        Ok(text)
    } else {
        Err(ApiError::not_found(what))
    }
}

fn is_word(text: &str) -> bool {
    text.chars().count() <= WORD_CHARS && !text.contains('\0')
}
