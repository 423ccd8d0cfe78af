//! Links: one pair of records, what both held when they last agreed, and what waits.

use std::collections::BTreeMap;

use super::{BySide, Fields, LinkId, MappingName, RecordId, Revision, RunId, Side, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub id: LinkId,
    pub mapping: MappingName,
    /// Mappings of one group never hold two open links for one HubSpot record.
    pub group: Option<String>,
    /// A side is empty only while the record there is being created.
    pub records: BySide<Option<RecordId>>,
    pub state: LinkState,
    /// Why it is in this state, for people.
    pub note: String,
}

impl Link {
    /// Note of a linked pair that a merge or a conversion moved and that was not planned since.
    pub const FOLLOWED: &'static str = "its record was merged or converted";

    /// Note of a linked pair whose record on this side went, while what follows from that waits
    /// for approval.
    pub const fn waits(side: Side) -> &'static str {
        match side {
            Side::HubSpot => "HubSpot's record went; what follows waits for approval",
            Side::Salesforce => "Salesforce's record went; what follows waits for approval",
        }
    }

    /// The pair has to be looked at as a whole even when its values rest.
    pub fn is_to_be_looked_at(&self) -> bool {
        let notes = Side::BOTH.map(Self::waits);
        self.note == Self::FOLLOWED || notes.contains(&self.note.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkState {
    /// A create on this side is under way; the other side's record is known.
    Creating(Side),
    Linked,
    /// Waits for a person: hidden, or merged into nobody knows what.
    Suspended,
    /// Left the filter under `on-leave: keep`: frozen with its base until it returns.
    Frozen,
    /// One side was deleted. Never re-created by a later edit or scan.
    Tombstoned,
    /// Taken apart by a person or by `on-leave: unlink`.
    Unlinked,
    /// A merge made one record of two, and the other pair was kept. A person decides about the
    /// record that is left over.
    Detached,
}

impl LinkState {
    /// Counts against the rule that a record has one open link.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Creating(_) | Self::Linked | Self::Suspended | Self::Frozen => true,
            Self::Tombstoned | Self::Unlinked | Self::Detached => false,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating(Side::HubSpot) => "creating-hubspot",
            Self::Creating(Side::Salesforce) => "creating-salesforce",
            Self::Linked => "linked",
            Self::Suspended => "suspended",
            Self::Frozen => "frozen",
            Self::Tombstoned => "tombstoned",
            Self::Unlinked => "unlinked",
            Self::Detached => "detached",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Creating(Side::HubSpot),
            Self::Creating(Side::Salesforce),
            Self::Linked,
            Self::Suspended,
            Self::Frozen,
            Self::Tombstoned,
            Self::Unlinked,
            Self::Detached,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}

/// What each side held when one rule last agreed: raw fields, one half per side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Halves {
    pub sides: BySide<Fields>,
    /// Hash of the rule they agreed under; another hash means first contact for this rule.
    pub rule_hash: String,
}

/// The bases of a link by rule name. A rule that is absent had no agreement yet.
pub type Bases = BTreeMap<String, Halves>;

/// One rule of one link that waits. Released when a half moves away from these values or the
/// rule's hash changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub link: LinkId,
    pub rule: String,
    pub reason: HoldReason,
    /// For people: what was refused, by whom, what to do.
    pub detail: String,
    pub sides: BySide<Fields>,
    pub rule_hash: String,
    pub since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldReason {
    /// `conflict: ask` or `first-sync: ask`.
    Ask,
    /// The destination refused the value.
    Refused,
    /// The value has no counterpart in the values table, the pipeline or the owners.
    Unmapped,
    /// The destination stored something that is neither the old nor the new value.
    Altered,
    /// The destination kept the old value although it said yes.
    NotKept,
    /// A guard stopped a mass change.
    Guard,
    /// The value cannot be read as the field's type.
    Unreadable,
    /// A reference whose parent is not linked yet.
    Unresolved,
    /// The rule was written back and forth; tried again later, then left to a person.
    Oscillation,
    /// A person took back what a run had written, so the sides differ on purpose.
    Undone,
}

impl HoldReason {
    pub const ALL: [Self; 10] = [
        Self::Ask,
        Self::Refused,
        Self::Unmapped,
        Self::Altered,
        Self::NotKept,
        Self::Guard,
        Self::Unreadable,
        Self::Unresolved,
        Self::Oscillation,
        Self::Undone,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Refused => "refused",
            Self::Unmapped => "unmapped",
            Self::Altered => "altered",
            Self::NotKept => "not-kept",
            Self::Guard => "guard",
            Self::Unreadable => "unreadable",
            Self::Unresolved => "unresolved",
            Self::Oscillation => "oscillation",
            Self::Undone => "undone",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// The durable record of one record's write about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub id: super::IntentId,
    pub link: LinkId,
    pub mapping: MappingName,
    pub revision: Revision,
    pub run: RunId,
    pub side: Side,
    pub kind: IntentKind,
    /// The record written to; for a create the key that names it instead.
    pub target: String,
    pub rules: Vec<IntendedRule>,
    /// Not to be sent after this moment; a successor waits for it plus the grace.
    pub send_before: Timestamp,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IntentKind {
    Create,
    Update,
    Archive,
    /// An association that is written by its own call.
    Associate,
}

impl IntentKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Archive => "archive",
            Self::Associate => "associate",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Create, Self::Update, Self::Archive, Self::Associate]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// What one rule of an intent was decided from and what it sends. `before` is never refreshed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntendedRule {
    pub rule: String,
    pub rule_hash: String,
    /// The source's fields as read for the decision.
    pub source: Fields,
    /// The destination's fields as read for the decision.
    pub before: Fields,
    /// The destination's fields as they will be sent.
    pub after: Fields,
    /// The machine-readable reason of the decision, for the journal.
    pub reason: String,
}
