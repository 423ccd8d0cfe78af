//! Plays one case: the engine plans what is given, and what it would do becomes a behaviour.

use std::collections::BTreeSet;

use super::behaviour::Behaviour;
use crate::mapping::Bound;
use crate::pipeline::Site;
use crate::sync::{Given, Limits, Mode, Planning, Tally, single};

/// What came of one case.
#[derive(Clone, Debug, Default)]
pub struct Came {
    pub behaviour: Behaviour,
    /// The rules that wrote, competed or were held.
    pub rules: BTreeSet<String>,
    /// For people: why rules were held and why nothing became of the record.
    pub notes: Vec<String>,
}

/// Lets the engine plan what is given.
pub fn play(site: &Site, bound: &Bound, given: Given) -> Came {
    let mut planning = Planning {
        site,
        mode: &mut Mode::Observe,
        limits: Limits { creates: u64::MAX },
        tally: &mut Tally::default(),
    };
    let foreseen = single(&mut planning, bound, given);
    let behaviour = Behaviour::of(&foreseen);
    let writes = foreseen.writes.hubspot.iter();
    let writes = writes.chain(&foreseen.writes.salesforce);
    let mut rules: BTreeSet<String> = writes.map(|rule| rule.rule.clone()).collect();
    rules.extend(behaviour.conflicts.keys().cloned());
    rules.extend(behaviour.holds.keys().cloned());
    let holds = foreseen.holds.iter();
    let mut notes: Vec<String> = holds
        .map(|hold| format!("{} is held: {}", hold.rule, hold.detail))
        .collect();
    notes.extend(foreseen.stop.map(|stop| stop.message));
    Came {
        behaviour,
        rules,
        notes,
    }
}
