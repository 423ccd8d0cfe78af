//! The closed set of faults: how each is written, which family it belongs to, and where it strikes.

use serde::{Deserialize, Serialize};

/// Which simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Crm {
    HubSpot,
    Salesforce,
}

/// The moment at which a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// One request, before it is carried out or before its answer leaves.
    Call,
    /// One record of a write.
    Row,
    /// One value that a write saves.
    Value,
    /// A condition that lasts while its switch is there; a record or field is chosen once and for
    /// all, so bursts and counts do not apply.
    Standing,
    /// What the CRM does by itself or for its own users.
    Inside,
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident $word:literal $family:ident $point:ident $where:tt;)+) => {
        /// One kind of fault. `docs/faults.md` says what each does and what Tandem should do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
        pub enum Fault {
            $($(#[$doc])* #[serde(rename = $word)] $name,)+
        }

        impl Fault {
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name in files and in test control.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            pub const fn family(self) -> Family {
                match self { $(Self::$name => Family::$family,)+ }
            }

            pub const fn point(self) -> Point {
                match self { $(Self::$name => Point::$point,)+ }
            }

            /// The simulators that know this fault.
            pub const fn crms(self) -> &'static [Crm] {
                match self { $(Self::$name => crms!($where),)+ }
            }
        }
    };
}

macro_rules! crms {
    (both) => {
        &[Crm::HubSpot, Crm::Salesforce]
    };
    (hubspot) => {
        &[Crm::HubSpot]
    };
    (salesforce) => {
        &[Crm::Salesforce]
    };
}

/// What people type when a switch does not say.
pub const TYPED: &str = "Typed by somebody else";

/// Faults of one sort; counters are told by family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Transport,
    Outage,
    Limit,
    Reply,
    Access,
    Row,
    Refusal,
    Value,
    Timing,
    People,
}

impl Family {
    pub const ALL: [Self; 10] = [
        Self::Transport,
        Self::Outage,
        Self::Limit,
        Self::Reply,
        Self::Access,
        Self::Row,
        Self::Refusal,
        Self::Value,
        Self::Timing,
        Self::People,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Outage => "outage",
            Self::Limit => "limit",
            Self::Reply => "reply",
            Self::Access => "access",
            Self::Row => "row",
            Self::Refusal => "refusal",
            Self::Value => "value",
            Self::Timing => "timing",
            Self::People => "people",
        }
    }
}

faults! {
    /// Nobody takes the connection; over a socket it is closed before anything is answered.
    Refused "refused" Transport Call both;
    /// Carried out; the connection breaks before the answer.
    LostReply "lost-reply" Transport Call both;
    /// The connection breaks, and the call is carried out `seconds` (90) later.
    AppliedLate "applied-late" Transport Call both;
    /// The connection breaks, and the call is never carried out.
    NeverApplied "never-applied" Transport Call both;

    ServerError "server-error" Outage Call both;
    BadGateway "bad-gateway" Outage Call hubspot;
    Unavailable "unavailable" Outage Call both;
    GatewayTimeout "gateway-timeout" Outage Call hubspot;
    OriginDown "origin-down" Outage Call hubspot;
    OriginUnreachable "origin-unreachable" Outage Call hubspot;
    /// 524: carried out, but the answer took longer than 100 seconds.
    TimeLimit "time-limit" Outage Call hubspot;
    /// 423, for two seconds.
    Locked "locked" Outage Call hubspot;
    /// 477 with a `Retry-After` of `seconds` (an hour).
    Moving "moving" Outage Call hubspot;
    /// 503 with a page of HTML.
    Maintenance "maintenance" Outage Call salesforce;

    BurstLimit "burst-limit" Limit Call hubspot;
    DailyLimit "daily-limit" Limit Call hubspot;
    SearchLimit "search-limit" Limit Call hubspot;
    RequestLimit "request-limit" Limit Call salesforce;
    LongRequests "long-requests" Limit Call salesforce;

    /// Carried out; the answer is 200 with a page of HTML.
    HtmlReply "html-reply" Reply Call both;
    /// 503 whose body has none of the usual members and some unheard of.
    OddError "odd-error" Reply Call both;
    /// Carried out; the JSON of the answer is cut in half.
    TruncatedReply "truncated-reply" Reply Call both;
    /// Carried out; the last result is missing in the answer.
    ShortReply "short-reply" Reply Call both;

    TokenExpired "token-expired" Access Call both;
    /// The token is dead and no new one is given.
    Revoked "revoked" Access Call both;
    ScopeRemoved "scope-removed" Access Call both;
    /// Missing in reads; Salesforce knows no such column, HubSpot ignores it in writes.
    FieldHidden "field-hidden" Access Standing both;
    RecordHidden "record-hidden" Access Standing both;

    RowLocked "row-locked" Row Row salesforce;
    /// One record of a batch fails for a reason that passes.
    RowFailed "row-failed" Row Row both;
    /// One bad record makes the whole batch fail.
    BatchRefused "batch-refused" Row Inside hubspot;
    /// The collection is treated as all or none.
    AllOrNone "all-or-none" Row Inside salesforce;
    DuplicateRule "duplicate-rule" Row Row salesforce;
    SeveralMatches "several-matches" Row Inside salesforce;
    /// Another integration makes the same record just before.
    CreatedElsewhere "created-elsewhere" Row Row both;

    OptionRefused "option-refused" Refusal Row both;
    RequiredMissing "required-missing" Refusal Row both;
    ValidationRule "validation-rule" Refusal Row both;
    InactiveOwner "inactive-owner" Refusal Row both;
    FieldDeleted "field-deleted" Refusal Standing both;

    Trimmed "trimmed" Value Value both;
    Lowered "lowered" Value Value both;
    Rounded "rounded" Value Value both;
    Truncated "truncated" Value Value both;
    Ignored "ignored" Value Value both;
    /// A trigger or workflow puts `value` in its place, in the same transaction.
    Rewritten "rewritten" Value Value both;
    /// An automation puts the old value back `seconds` (5) later.
    Reverted "reverted" Value Value both;

    /// HubSpot's search shows nothing new for `seconds` (600).
    SearchLate "search-late" Timing Inside hubspot;
    /// A record is touched while somebody pages over its object.
    PageShift "page-shift" Timing Inside both;
    /// A user's edit takes its stamp now and is seen `seconds` (60) later.
    LateCommit "late-commit" Timing Inside salesforce;

    /// A person types `value` into a field just before it is written.
    EditBefore "edit-before" People Row both;
    /// A person types `value` into a field just after it was written.
    EditAfter "edit-after" People Inside both;
    /// A deleted record is gone from the recycle bin `seconds` (0) later.
    BinEmptied "bin-emptied" People Inside salesforce;
}

impl Fault {
    /// Whether a person has to act on what this does to a record, so that a wait is to be expected.
    pub const fn leaves_a_wait(self) -> bool {
        matches!(
            self.family(),
            Family::Refusal | Family::Value | Family::Row | Family::Access
        ) || matches!(self, Self::EditAfter | Self::BinEmptied)
    }

    /// How long this lasts or waits unless its switch says so.
    pub const fn usual_seconds(self) -> u32 {
        match self {
            Self::AppliedLate => 90,
            Self::Moving => 3_600,
            Self::Reverted => 5,
            Self::SearchLate => 600,
            Self::LateCommit => 60,
            _ => 0,
        }
    }
}
