//! What comes in and goes out where people review: filters, decisions, how a workspace stands.
//!
//! The rows themselves have their shape from `crate::review`, which the commands share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::ApiError;
use crate::model::MappingName;

/// Longer than any name, code or id.
const WORD_BYTES: usize = 200;
/// The longest reason that is kept, in bytes.
const REASON_BYTES: usize = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConflictQuery {
    /// open (waits for a person), decided (a rule decided) or closed; open unless given.
    pub state: Option<String>,
    pub mapping: Option<String>,
    pub rule: Option<String>,
    /// `next` of the page before.
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
    pub state: Option<String>,
    pub mapping: Option<String>,
    /// The class of the failure, such as permanent.
    pub class: Option<String>,
    /// The code of the failure, such as REQUIRED_FIELD_MISSING.
    pub code: Option<String>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Rows of the page: 1 to 200, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinkQuery {
    pub mapping: Option<String>,
    /// The state of the link, such as linked.
    pub state: Option<String>,
    /// `next` of the page before.
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
    pub object: String,
    /// HubSpot's record id, or Salesforce's in 15 or 18 characters.
    pub id: String,
    /// A property, a field or the name of a rule: tells its whole history.
    pub field: Option<String>,
    /// What had been agreed then: 2026-03-02T09:00:00Z, 2026-03-02, or an age such as 2h or 3d.
    pub at: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChoice {
    /// hubspot, salesforce, or a value; `=VALUE` where a value could be taken for a side. Empty
    /// for a blank.
    pub choice: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDiscard {
    /// Why; kept with the letter.
    pub reason: String,
}

impl NewDiscard {
    pub fn checked(self) -> Result<String, ApiError> {
        let reason = self.reason.trim();
        if reason.is_empty() || reason.len() > REASON_BYTES || reason.contains('\0') {
            let why = format!("reason is a text of up to {REASON_BYTES} bytes");
            return Err(ApiError::bad(why));
        }
        Ok(reason.to_owned())
    }
}

/// What was decided, by ids.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DecidedJson {
    Taken(Vec<String>),
    Replayed(Vec<String>),
    Discarded(Vec<String>),
    Approved(Vec<String>),
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
    /// Work by kind: record, poll, backfill, scan.
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

/// The id in a path. What no id looks like is not there, whatever the database thinks of it.
pub fn id<'a>(what: &str, text: &'a str) -> Result<&'a str, ApiError> {
    if is_word(text) {
        Ok(text)
    } else {
        Err(ApiError::not_found(what))
    }
}

fn is_word(text: &str) -> bool {
    text.len() <= WORD_BYTES && !text.contains('\0')
}
