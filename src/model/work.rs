//! Work: what marks a record, how urgent it is, and how an attempt ended.

use super::{MappingName, RecordId, RecordKey, Side, Timestamp};

/// "Record X on side S changed": a hint that marks work, never a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeEvent {
    pub key: RecordKey,
    pub cause: Cause,
}

/// Where a mark came from; decides its priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A person asked: replay, approve, pair.
    Person,
    /// The CRM itself told of it.
    Event,
    Poll,
    Scan,
    Backfill,
    /// A parent was linked, or a settled write showed something new.
    Follow,
}

impl Cause {
    const ALL: [Self; 6] = [
        Self::Person,
        Self::Event,
        Self::Poll,
        Self::Scan,
        Self::Backfill,
        Self::Follow,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Event => "event",
            Self::Poll => "poll",
            Self::Scan => "scan",
            Self::Backfill => "backfill",
            Self::Follow => "follow",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }

    pub const fn class(self) -> Class {
        match self {
            Self::Person => Class::Interactive,
            Self::Event | Self::Poll | Self::Follow => Class::Live,
            Self::Scan | Self::Backfill => Class::Backfill,
        }
    }
}

/// Work that takes turns with work of other classes; the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A person waits for it.
    Interactive,
    Live,
    /// Live work that failed before.
    Retry,
    /// Backfills and scans.
    Backfill,
}

impl Class {
    pub const ALL: [Self; 4] = [Self::Interactive, Self::Live, Self::Retry, Self::Backfill];

    /// As the store keeps it.
    pub const fn priority(self) -> i64 {
        self as i64
    }

    pub fn of_priority(priority: i64) -> Self {
        let found = Self::ALL.into_iter().find(|c| c.priority() == priority);
        found.unwrap_or(Self::Backfill)
    }
}

/// What a piece of work in a lane is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// A dirty record.
    Record(RecordKey),
    /// Ask one side for what changed under a mapping.
    Poll { mapping: MappingName, side: Side },
    /// Read once more what a poll has read, for what it could not be shown yet.
    Reread { mapping: MappingName, side: Side },
    /// Read the next chunk of all records of one side.
    Backfill { mapping: MappingName, side: Side },
    /// Compare the next chunk of all records of one side by value.
    Scan { mapping: MappingName, side: Side },
    /// Compare the next chunk of the pairs of both sides with each other by value.
    Drift { mapping: MappingName },
}

impl Task {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Record(_) => "record",
            Self::Poll { .. } => "poll",
            Self::Reread { .. } => "reread",
            Self::Backfill { .. } => "backfill",
            Self::Scan { .. } => "scan",
            Self::Drift { .. } => "drift",
        }
    }

    pub fn mapping(&self) -> &MappingName {
        match self {
            Self::Record(key) => &key.mapping,
            Self::Poll { mapping, .. }
            | Self::Reread { mapping, .. }
            | Self::Backfill { mapping, .. }
            | Self::Scan { mapping, .. }
            | Self::Drift { mapping } => mapping,
        }
    }

    /// The side that the work is about; HubSpot for work on both.
    pub fn side(&self) -> Side {
        match self {
            Self::Record(key) => key.side,
            Self::Poll { side, .. }
            | Self::Reread { side, .. }
            | Self::Backfill { side, .. }
            | Self::Scan { side, .. } => *side,
            Self::Drift { .. } => Side::HubSpot,
        }
    }

    /// The record that the work is about.
    pub const fn record(&self) -> Option<&RecordKey> {
        match self {
            Self::Record(key) => Some(key),
            Self::Poll { .. }
            | Self::Reread { .. }
            | Self::Backfill { .. }
            | Self::Scan { .. }
            | Self::Drift { .. } => None,
        }
    }

    /// The record's id; empty for work that is not about one record.
    pub fn record_id(&self) -> &str {
        self.record().map_or("", |key| key.id.as_str())
    }

    /// Puts together what [`Task::kind`] and the other parts took apart.
    pub fn from_parts(kind: &str, mapping: MappingName, side: Side, id: &str) -> Option<Self> {
        match kind {
            "record" => Some(Self::Record(RecordKey {
                mapping,
                side,
                id: RecordId::new(id),
            })),
            "poll" => Some(Self::Poll { mapping, side }),
            "reread" => Some(Self::Reread { mapping, side }),
            "backfill" => Some(Self::Backfill { mapping, side }),
            "scan" => Some(Self::Scan { mapping, side }),
            "drift" => Some(Self::Drift { mapping }),
            _ => None,
        }
    }
}

/// Why an attempt failed, classed once at the edge (correctness.md section 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorClass {
    Transient,
    Rate,
    Auth,
    Permanent,
    NeedsPerson,
    Blocked,
    UnknownOutcome,
    Ours,
}

impl ErrorClass {
    pub const ALL: [Self; 8] = [
        Self::Transient,
        Self::Rate,
        Self::Auth,
        Self::Permanent,
        Self::NeedsPerson,
        Self::Blocked,
        Self::UnknownOutcome,
        Self::Ours,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Rate => "rate",
            Self::Auth => "auth",
            Self::Permanent => "permanent",
            Self::NeedsPerson => "needs-person",
            Self::Blocked => "blocked",
            Self::UnknownOutcome => "unknown-outcome",
            Self::Ours => "ours",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}

/// The code of a failure that is none: a person has paused what it would be written to.
pub const PAUSED: &str = "paused";

/// What went wrong with one piece of work, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub class: ErrorClass,
    /// The platform's code or ours, e.g. `REQUIRED_FIELD_MISSING`, `ambiguous-match`.
    pub code: String,
    pub message: String,
    /// Field names the platform blamed; empty when it named none.
    pub fields: Vec<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Due again at this time. `counted` attempts are limited by the class.
    RetryAt {
        at: Timestamp,
        counted: bool,
        failure: Failure,
    },
    /// Waits until the parent is linked.
    BlockedOn {
        parent: RecordKey,
        failure: Failure,
    },
    /// A person must act.
    Dead(Failure),
}
