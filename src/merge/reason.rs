//! Why a decision was taken, for the journal and for people who ask. A closed set.

use crate::model::{HoldReason, Side};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Both sides still hold their half of the base.
    BothUnchanged,
    /// One side's value, carried over, is what the other holds.
    Equal,
    /// The values differ by something the rule tolerates.
    Tolerated,
    /// Only this side moved, and its value travels.
    Moved(Side),
    /// Both moved and the rule names this side.
    ConflictWins(Side),
    /// Both moved and the rule asks a person.
    ConflictAsked,
    /// Both moved under a one-way rule.
    SourceWins,
    /// Both moved, and the later edit wins.
    Newest,
    /// Both moved at about the same time, or one time is not known; the named side wins.
    NewestTie,
    /// The sets of both sides were merged.
    Union,
    /// The value further along wins.
    RatchetForward,
    /// One side went back and is set forward again.
    RatchetBack,
    /// The destination is further along than the source; it stays.
    RatchetKept,
    /// No agreement yet, and one side was blank.
    FirstContactFill,
    /// No agreement yet, and the rule names this side.
    FirstContactWins(Side),
    /// No agreement yet, and the rule asks a person.
    FirstContactAsked,
    /// Nobody moved, but the sides disagree under the changed rule.
    RuleChangedFirstContact,
    /// A blank may not overwrite a value under this rule.
    BlankKept,
    /// The side that should win is blank and may not overwrite, so the other's value fills it.
    BlankYields,
    /// The destination is filled, and the rule writes only while it is blank.
    WriteOnceFilled,
    /// The destination of a one-way rule was changed there; noted, not reverted.
    Drift,
    /// The same, under a rule that reverts it.
    Enforced,
    /// An open hold still applies.
    Held,
    /// A side's value cannot be read as its field's type.
    Unreadable,
    /// The value that should travel has no counterpart.
    Unmapped,
    /// The value that should travel refers to a record that is not linked yet.
    Unresolved,
}

impl Reason {
    /// Every reason there is, for documents and tests.
    pub const ALL: [Self; 29] = [
        Self::BothUnchanged,
        Self::Equal,
        Self::Tolerated,
        Self::Moved(Side::HubSpot),
        Self::Moved(Side::Salesforce),
        Self::ConflictWins(Side::HubSpot),
        Self::ConflictWins(Side::Salesforce),
        Self::ConflictAsked,
        Self::SourceWins,
        Self::Newest,
        Self::NewestTie,
        Self::Union,
        Self::RatchetForward,
        Self::RatchetBack,
        Self::RatchetKept,
        Self::FirstContactFill,
        Self::FirstContactWins(Side::HubSpot),
        Self::FirstContactWins(Side::Salesforce),
        Self::FirstContactAsked,
        Self::RuleChangedFirstContact,
        Self::BlankKept,
        Self::BlankYields,
        Self::WriteOnceFilled,
        Self::Drift,
        Self::Enforced,
        Self::Held,
        Self::Unreadable,
        Self::Unmapped,
        Self::Unresolved,
    ];

    /// The word in the journal and in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BothUnchanged => "both-unchanged",
            Self::Equal => "equal",
            Self::Tolerated => "tolerated",
            Self::Moved(Side::HubSpot) => "hubspot-moved",
            Self::Moved(Side::Salesforce) => "salesforce-moved",
            Self::ConflictWins(Side::HubSpot) => "conflict-hubspot-wins",
            Self::ConflictWins(Side::Salesforce) => "conflict-salesforce-wins",
            Self::ConflictAsked => "conflict-asked",
            Self::SourceWins => "source-wins",
            Self::Newest => "newest",
            Self::NewestTie => "newest-tie",
            Self::Union => "union",
            Self::RatchetForward => "ratchet-forward",
            Self::RatchetBack => "ratchet-back",
            Self::RatchetKept => "ratchet-kept",
            Self::FirstContactFill => "first-contact-fill",
            Self::FirstContactWins(Side::HubSpot) => "first-contact-hubspot-wins",
            Self::FirstContactWins(Side::Salesforce) => "first-contact-salesforce-wins",
            Self::FirstContactAsked => "first-contact-asked",
            Self::RuleChangedFirstContact => "rule-changed-first-contact",
            Self::BlankKept => "blank-kept",
            Self::BlankYields => "blank-yields",
            Self::WriteOnceFilled => "write-once-filled",
            Self::Drift => "drift",
            Self::Enforced => "enforced",
            Self::Held => "held",
            Self::Unreadable => "unreadable",
            Self::Unmapped => "unmapped",
            Self::Unresolved => "unresolved",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// The reason to give when a value could not be read or carried.
    pub(super) const fn of_problem(reason: HoldReason) -> Self {
        match reason {
            HoldReason::Unreadable => Self::Unreadable,
            HoldReason::Unresolved => Self::Unresolved,
            HoldReason::Unmapped
            | HoldReason::Refused
            | HoldReason::Ask
            | HoldReason::Altered
            | HoldReason::NotKept
            | HoldReason::Oscillation
            | HoldReason::Guard
            | HoldReason::Undone => Self::Unmapped,
        }
    }
}
