//! The one error of both clients: what happened, whether a write may have landed, what can help.
//!
//! Platform codes are read in the client of that platform; here is only the closed set they are
//! sorted into, and the class that the pipeline schedules by.

use std::fmt;

use super::text;
use crate::model::{ErrorClass, Failure, RecordId, Timestamp};

/// Fields that one error names at most, and the length of a name (salesforce.md 5, hubspot.md 6).
const FIELDS: usize = 50;
const FIELD_BYTES: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrmError {
    pub kind: ErrorKind,
    /// The HTTP status of the whole call; absent when there was no reply.
    pub status: Option<u16>,
    /// The platform's own code where it gave one, e.g. `PROPERTY_DOESNT_EXIST`; else ours.
    pub code: String,
    /// For people: addresses and tokens masked, at most 500 characters.
    pub message: String,
    /// Names of the fields the platform blamed; empty when it named none.
    pub fields: Vec<String>,
    /// Nothing is gained by trying before this moment.
    pub retry_after: Option<Timestamp>,
    pub sent: Sent,
    /// Names the request in the platform's own logs.
    pub correlation_id: Option<String>,
    /// The other record that a refusal as duplicate names, when it names exactly one.
    pub existing: Option<RecordId>,
    /// The call failed as one: each of its rows carries this same error, and a single bad row may
    /// be the cause. The caller bisects a permanent one.
    pub whole_call: bool,
}

/// Whether the request may have had an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It never left, or nobody was there to take it.
    No,
    /// It was answered, and the answer says that nothing was applied.
    Yes,
    /// A write may have been applied: settle by reading before anything is repeated.
    Unknown,
}

/// Which allowance was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateScope {
    /// The rolling window of some seconds.
    Burst,
    Daily,
    /// HubSpot's search has its own allowance.
    Search,
    /// HubSpot is moving the account to another data centre (477); up to a day.
    Moving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection was made.
    Connect,
    /// No reply in time.
    TimedOut,
    /// The platform is down, in maintenance, or failed inside; also a connection cut midway.
    Unavailable,
    /// The record is locked by another writer.
    Locked,
    RateLimited(RateScope),
    /// Our own gate is closed; nothing was sent.
    NotBefore,
    /// The token is expired or invalid and could not be replaced.
    TokenExpired,
    /// The login itself was refused: wrong secret, revoked grant, unapproved app.
    LoginRefused,
    /// A scope, permission or feature is missing, or an allowance only an admin can raise.
    Forbidden,
    /// No such record, or not visible to us.
    NotFound,
    /// The schema has no such field, or hides it: read the schema again.
    UnknownField,
    /// The values were refused; `fields` names the culprits where the platform does.
    Rejected,
    /// Another record already holds a unique value, or a duplicate rule matched.
    Duplicate,
    /// Somebody else changed the same thing at the same time.
    Conflict,
    /// A victim of another row of the same call; not applied.
    RolledBack,
    /// The request was too heavy for the platform: ask for less at once.
    TooHeavy,
    /// A paging cursor is gone: start the query again.
    CursorLost,
    /// The reply cannot be read: HTML, broken JSON, too large, or not the shape agreed.
    BrokenReply,
    /// The reply does not mention this row.
    RowMissing,
    /// We asked wrongly: a malformed query, a bad name, a path that does not exist.
    BadRequest,
}

impl CrmError {
    /// An error without a status. `message` is redacted and cut here, as in every constructor.
    pub fn new(kind: ErrorKind, code: &str, message: &str, sent: Sent) -> Self {
        Self {
            kind,
            status: None,
            // A code is the platform's word, so whatever a proxy puts there arrives here.
            code: text::label(code),
            message: text::redact(message),
            fields: Vec::new(),
            retry_after: None,
            sent,
            correlation_id: None,
            existing: None,
            whole_call: false,
        }
    }

    pub fn bad_request(message: &str) -> Self {
        Self::new(ErrorKind::BadRequest, "bad-request", message, Sent::No)
    }

    pub(super) fn broken(message: &str, sent: Sent) -> Self {
        Self::new(ErrorKind::BrokenReply, "broken-reply", message, sent)
    }

    /// A row that the caller finds missing in the answer.
    pub fn row_missing() -> Self {
        Self::new(
            ErrorKind::RowMissing,
            "row-missing",
            "the reply does not mention this record; whether it was written is not known",
            Sent::Unknown,
        )
    }

    /// A guarded update met a record that somebody has changed since it was read.
    pub(super) fn changed_meanwhile() -> Self {
        Self::new(
            ErrorKind::Conflict,
            "changed-meanwhile",
            "the record was changed since it was read; it is read again",
            Sent::Yes,
        )
    }

    /// Nothing was sent, and the same may be tried again.
    pub fn unsent(why: &str) -> Self {
        Self::new(ErrorKind::TimedOut, "not-sent", why, Sent::No)
    }

    /// The portal has no such association label; a person adds it or names another.
    pub fn unknown_label(from: &str, to: &str, label: &str) -> Self {
        let message = format!("HubSpot knows no association `{label}` from {from} to {to}");
        Self::new(
            ErrorKind::Rejected,
            "unknown-association-label",
            &message,
            Sent::No,
        )
    }

    /// Takes over the names of fields a reply blames, as many and as long as real names are: the
    /// error is copied for each row of a call.
    pub(super) fn blame(mut self, mut fields: Vec<String>) -> Self {
        fields.retain(|name| name.len() <= FIELD_BYTES && text::redact(name) == *name);
        fields.sort();
        fields.dedup();
        fields.truncate(FIELDS);
        self.fields = fields;
        self
    }

    pub(super) fn whole_call(mut self) -> Self {
        self.whole_call = true;
        self
    }

    pub fn not_before(mut self, at: Option<Timestamp>) -> Self {
        self.retry_after = self.retry_after.max(at);
        self
    }

    /// The class of correctness.md 11. A write that may have been applied is settled first,
    /// whatever the reason its outcome is unknown.
    pub fn class(&self) -> ErrorClass {
        if self.sent == Sent::Unknown {
            return ErrorClass::UnknownOutcome;
        }
        match self.kind {
            ErrorKind::Connect
            | ErrorKind::TimedOut
            | ErrorKind::Unavailable
            | ErrorKind::Locked
            | ErrorKind::Conflict
            | ErrorKind::RolledBack
            | ErrorKind::TooHeavy
            | ErrorKind::CursorLost
            | ErrorKind::BrokenReply => ErrorClass::Transient,
            ErrorKind::RateLimited(
                RateScope::Burst | RateScope::Daily | RateScope::Search | RateScope::Moving,
            )
            | ErrorKind::NotBefore => ErrorClass::Rate,
            ErrorKind::TokenExpired | ErrorKind::LoginRefused => ErrorClass::Auth,
            ErrorKind::Forbidden | ErrorKind::Duplicate => ErrorClass::NeedsPerson,
            ErrorKind::NotFound | ErrorKind::UnknownField | ErrorKind::Rejected => {
                ErrorClass::Permanent
            }
            ErrorKind::RowMissing => ErrorClass::UnknownOutcome,
            ErrorKind::BadRequest => ErrorClass::Ours,
        }
    }

    pub fn failure(&self) -> Failure {
        Failure {
            class: self.class(),
            code: self.code.clone(),
            message: self.message.clone(),
            fields: self.fields.clone(),
        }
    }
}

impl fmt::Display for CrmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{} ({status}): {}", self.code, self.message),
            None => write!(f, "{}: {}", self.code, self.message),
        }
    }
}

impl std::error::Error for CrmError {}
