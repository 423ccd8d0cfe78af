//! How many calls planned writes would take. Counts what `write` would send; sends nothing.

use std::collections::BTreeSet;

use super::call::key_field;
use super::unit::Write;
use super::write::{COLLECTIONS, JOINT_FROM, go_along};
use crate::crm::Crms;
use crate::mapping::Bound;
use crate::model::{BySide, IntentKind, Raw, Side};

/// Records that one read of Salesforce's takes when writes are settled.
const RETRIEVE: usize = 2_000;
/// Pairs that one call ties (hubspot.md 7).
const TIES: usize = 1_000;

/// Calls by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    pub calls: BySide<u64>,
}

impl Forecast {
    /// Counts the writes of one attempt, whose rows share their calls.
    pub fn add(&mut self, bound: &Bound, writes: &[Write]) {
        for side in Side::BOTH {
            let of = |kind: IntentKind| {
                let of_kind = writes.iter().filter(|write| write.side == side);
                of_kind.filter(|write| write.kind == kind).count()
            };
            let updates = writes.iter().filter(|write| {
                write.side == side && write.kind == IntentKind::Update && has_fields(write)
            });
            let updates = updates.count();
            let batch = Crms::batch(side);
            let salesforce = side == Side::Salesforce;
            let joint = salesforce && updates >= JOINT_FROM && !bound.mapping().guard.strict;
            let creates = of(IntentKind::Create);
            let along = joint && go_along(creates, updates) && key_field(bound, side).is_some();
            if !along {
                self.count(side, creates, batch);
            }
            self.count(side, of(IntentKind::Archive), batch);
            if joint {
                // What was written is read back in the same calls.
                self.count(side, updates, batch * COLLECTIONS);
            } else {
                self.count(side, updates, batch);
            }
            if salesforce && !joint {
                let written = writes.iter().filter(|write| write.side == side);
                self.count(side, written.count(), RETRIEVE);
            }
        }
        self.ties(writes);
    }

    /// Associations have calls of their own, one kind of them at a time, and so have rows of
    /// roles.
    fn ties(&mut self, writes: &[Write]) {
        for side in Side::BOTH {
            let here: Vec<&Write> = writes.iter().filter(|write| write.side == side).collect();
            let names: BTreeSet<&String> = here
                .iter()
                .flat_map(|write| write.rules.iter().flat_map(|rule| rule.after.keys()))
                .filter(|name| name.contains('/'))
                .collect();
            for name in names {
                let tied = |write: &&&Write| {
                    let mut rules = write.rules.iter();
                    rules.any(|rule| rule.after.get(name).is_some_and(|raw| *raw != Raw::Null))
                };
                self.count(side, here.iter().filter(tied).count(), TIES);
            }
        }
    }

    fn count(&mut self, side: Side, rows: usize, batch: usize) {
        *self.calls.get_mut(side) += rows.div_ceil(batch) as u64;
    }
}

/// Something of the write is said to the object itself, and not only about its ties.
fn has_fields(write: &Write) -> bool {
    let mut names = write.rules.iter().flat_map(|rule| rule.after.keys());
    names.any(|name| !name.contains('/'))
}
