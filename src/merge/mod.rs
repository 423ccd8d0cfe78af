//! The heart: from what was agreed and what both sides hold now, what is to be done.
//!
//! Pure. One rule of one link goes in ([`RuleInput`]), one [`Decision`] with its [`Reason`] comes
//! out, and the same input always gives the same output. Only types of `model` are known here:
//! how a raw field becomes a value, and how a value is carried to the other side, is decided
//! before (`mapping`), and what is written, held or noted is done after (`sync`).
//!
//! Invariants: no write carries what its destination already holds; every value that a write
//! destroys and that was not agreed before is named in [`Lost`]; first contact ends in a base, a
//! write or a hold; planning again after a decision was carried out finds nothing to do.

mod decide;
mod ratchet;
mod reason;
mod seen;
mod settle;
mod tolerance;
mod union;

pub use decide::{corresponds, decide, plan};
pub use reason::Reason;
pub use settle::{Settled, settle};
pub use tolerance::within;

use crate::model::{BySide, HoldReason, Policy, Problem, Side, Timestamp, Value};

/// One rule of one link as it stands: everything a decision needs, in canonical values.
#[derive(Clone, Debug)]
pub struct RuleInput<'a> {
    pub rule: String,
    pub policy: &'a Policy,
    /// What each side held at the last agreement, each half in its own side's terms.
    /// `None`: there was no agreement yet.
    pub base: Option<BySide<Value>>,
    /// The base carried over: `hubspot` is Salesforce's half in HubSpot's terms, and the other way
    /// round. Read by `union` only, to tell an element that was removed from one that has no
    /// counterpart. `None`: every element is taken to have one.
    pub carried_base: Option<BySide<Value>>,
    /// The base was agreed under another revision of this rule.
    pub rule_changed: bool,
    /// What each side holds, in its own terms.
    pub now: BySide<Result<Value, Problem>>,
    /// `salesforce` is HubSpot's value in Salesforce's terms, that is, what would be written
    /// there; and the other way round. Where the mapping can carry against a rule's direction it
    /// should: a one-way ratchet ranks Salesforce's value by it.
    pub carried: BySide<Result<Value, Problem>>,
    /// An open hold that still applies: neither the values nor the rule changed since.
    pub held: Option<HoldReason>,
    /// When each value was last edited, by its own platform; read by `newest` only.
    pub modified: BySide<Option<Timestamp>>,
    /// Until when Salesforce's record is known to have held its half of the base, by its own
    /// clock. Its stamp is one for the whole record, so its edit lies anywhere in between.
    pub unmoved_until: Option<Timestamp>,
}

impl<'a> RuleInput<'a> {
    /// A rule without base, hold or times: first contact.
    pub fn new(
        rule: impl Into<String>,
        policy: &'a Policy,
        now: BySide<Result<Value, Problem>>,
        carried: BySide<Result<Value, Problem>>,
    ) -> Self {
        Self {
            rule: rule.into(),
            policy,
            base: None,
            carried_base: None,
            rule_changed: false,
            now,
            carried,
            held: None,
            modified: BySide::default(),
            unmoved_until: None,
        }
    }
}

/// The decisions for the rules of one link, in the order the rules were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub decisions: Vec<Decided>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub rule: String,
    pub decision: Decision,
    pub reason: Reason,
}

/// What is to be done about one rule of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Both sides still hold their half of the base.
    Unchanged,
    /// The base becomes what was observed on both sides; nothing is written.
    Agree { how: Agreement },
    /// Each side that has a value is written, in its own canonical terms. Only `union` fills both.
    Write {
        values: BySide<Option<Value>>,
        lost: Option<Lost>,
    },
    /// The rule waits. `conflict`: two values compete and a person may have to choose.
    Hold {
        reason: HoldReason,
        detail: String,
        conflict: bool,
    },
    /// Nothing to do, and the base stays; the reason says why.
    Skip,
}

/// In which sense two values correspond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agreement {
    /// One, carried over, is the other.
    Equal,
    /// They differ by something the rule tolerates.
    Tolerated,
    /// They differ, and the rule says to leave it so from here on: a filled field that is written
    /// once, a blank that may not overwrite, a stage that may not go back.
    Kept,
}

/// A value that the accompanying write replaces and that no agreement ever covered. It is kept
/// in a named conflict before the write is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    pub loser: Side,
    /// In the loser's own terms. Blank when the loser's edit was to clear the field.
    pub value: Value,
    /// There was no agreement under this rule before, so nobody edited against anybody.
    pub first_contact: bool,
}
