//! Is there room for an attempt? Asked of both connections before it begins.
//!
//! Here the rules of the gate, the breaker and the pressure of each side meet the work of a lane.

use std::collections::BTreeMap;

use super::breaker::Operation;
use super::gate::{GateState, Urgency, Why};
use super::meter::{Asked, Line};
use super::{CrmError, Crms};
use crate::model::{BySide, ErrorClass, Side, Timestamp};

/// What an attempt asks of one side or, without one, of both.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub side: Option<Side>,
    pub calls: u32,
    pub searches: u32,
    /// Of the calls, those for HubSpot's associations.
    pub associations: u32,
    pub writes: bool,
    /// More work may come that would go along in the same calls.
    pub spares: bool,
    pub urgency: Urgency,
}

/// Why an attempt cannot begin, and from when it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shut {
    pub side: Side,
    pub why: Why,
    pub at: Timestamp,
}

/// A refusal is an answer too: the platform is there, and knows who asks.
fn probed(line: &Line, error: Option<CrmError>) -> bool {
    let well = match error.map(|error| error.class()) {
        None | Some(ErrorClass::Permanent | ErrorClass::NeedsPerson | ErrorClass::Ours) => true,
        // Nothing was sent, or nothing may be learnt from what came back.
        Some(ErrorClass::Rate) => return false,
        Some(
            ErrorClass::Transient
            | ErrorClass::Auth
            | ErrorClass::UnknownOutcome
            | ErrorClass::Blocked,
        ) => false,
    };
    line.probed(well);
    well
}

impl Crms {
    /// When this many calls and searches fit under the limits; `None` when they do now.
    pub fn ready_at(&self, calls: u32, searches: u32) -> Option<Timestamp> {
        self.hubspot
            .ready_at(calls, searches)
            .max(self.salesforce.ready_at(calls, 0))
    }

    /// `None` when the attempt may begin now.
    pub fn shut(&self, need: Need) -> Option<Shut> {
        let operations: &[Operation] = match (need.searches > 0, need.writes) {
            (false, false) => &[Operation::Read],
            (true, false) => &[Operation::Read, Operation::Search],
            (_, true) => &[Operation::Read, Operation::Write],
        };
        let asked = Asked {
            calls: need.calls,
            searches: need.searches,
            associations: need.associations,
            spares: need.spares,
            operations,
            urgency: need.urgency,
        };
        let sides = Side::BOTH
            .into_iter()
            .filter(|side| need.side.is_none_or(|only| only == *side));
        sides
            .filter_map(|side| {
                let (at, why) = match side {
                    Side::HubSpot => self.hubspot.line().shut(asked),
                    Side::Salesforce => self.salesforce.line().shut(Asked {
                        calls: asked.calls.saturating_add(asked.searches),
                        searches: 0,
                        ..asked
                    }),
                }?;
                Some(Shut { side, why, at })
            })
            .max_by_key(|shut| (shut.why.parks(), shut.at))
    }

    /// Calls from now on are for this.
    pub fn set_urgency(&self, urgency: Urgency) {
        self.hubspot.line().set_urgency(urgency);
        self.salesforce.line().set_urgency(urgency);
    }

    /// One cheap read of each connection that was left alone for long enough. True when there was
    /// one, and it went well.
    pub async fn probe(&self) -> bool {
        let mut well = false;
        if self.hubspot.line().probe_is_due() {
            let looked = self.hubspot.account().await;
            well |= probed(self.hubspot.line(), looked.err());
        }
        if self.salesforce.line().probe_is_due() {
            let looked = self.salesforce.query("SELECT Id FROM Organization").await;
            well |= probed(self.salesforce.line(), looked.err());
        }
        well
    }

    /// Rows that one call carries now: at most [`Crms::batch`], less under pressure.
    pub fn rows(&self, side: Side) -> usize {
        let most = Self::batch(side);
        match side {
            Side::HubSpot => self.hubspot.line().rows(most),
            Side::Salesforce => self.salesforce.line().rows(most),
        }
    }

    /// Whether retries may come as early as chance has it; not when the quota of one connection is
    /// used up.
    pub fn hasty(&self) -> bool {
        self.hubspot.line().hasty() && self.salesforce.line().hasty()
    }

    /// Whether a CRM did not know a field since this was last asked: the schemas are out of date.
    pub fn take_stale(&self) -> bool {
        let both = [
            self.hubspot.line().take_stale(),
            self.salesforce.line().take_stale(),
        ];
        both.contains(&true)
    }

    /// What both connections know of their limits, to outlive this process.
    pub fn gates(&self) -> String {
        let mut both = BTreeMap::new();
        both.insert(Side::HubSpot.as_str(), self.hubspot.gate_state());
        both.insert(Side::Salesforce.as_str(), self.salesforce.gate_state());
        serde_json::to_string(&both).unwrap_or_default()
    }

    /// Takes up what [`Crms::gates`] wrote; text that cannot be read is ignored.
    pub fn restore_gates(&self, text: &str) {
        let both: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(text).unwrap_or_default();
        if let Some(state) = both.get(Side::HubSpot.as_str()) {
            self.hubspot.restore_gate(state);
        }
        if let Some(state) = both.get(Side::Salesforce.as_str()) {
            self.salesforce.restore_gate(state);
        }
    }
}

/// What both connections knew when [`Crms::gates`] wrote; nothing where it cannot be read.
pub fn kept_gates(text: &str) -> BySide<GateState> {
    let mut both: BTreeMap<String, GateState> = serde_json::from_str(text).unwrap_or_default();
    BySide::from_fn(|side| both.remove(side.as_str()).unwrap_or_default())
}
