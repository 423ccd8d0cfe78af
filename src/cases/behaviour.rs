//! What becomes of a record, in words that a case can expect: writes, conflicts, holds, or a stop.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{BySide, Fields, HoldReason, Raw, Side};
use crate::sync::Foreseen;

/// What a run does with what a case gives it, or what the case expects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// The fields that are sent to each side.
    pub writes: BySide<Fields>,
    /// Edits that competed, by rule, and who won; `None` when a person is asked.
    pub conflicts: BTreeMap<String, Option<Side>>,
    pub holds: BTreeMap<String, HoldReason>,
    /// Why nothing becomes of the record as a whole, as a code.
    pub stop: Option<String>,
}

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A field such as `salesforce.Phone`, `conflict on phone`, `hold on stage`, or `stop`.
    pub what: String,
    pub expected: String,
    pub found: String,
}

impl Behaviour {
    pub fn of(foreseen: &Foreseen) -> Self {
        let conflicts = foreseen.conflicts.iter();
        let holds = foreseen.holds.iter();
        Self {
            writes: BySide::from_fn(|side| foreseen.sent(side)),
            conflicts: conflicts.map(|c| (c.rule.clone(), c.winner)).collect(),
            holds: holds.map(|h| (h.rule.clone(), h.reason)).collect(),
            stop: foreseen.stop.as_ref().map(|stop| stop.code.clone()),
        }
    }

    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Where `found` is not what this expects, in the order writes, conflicts, holds, stop.
    pub fn differences(&self, found: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        for side in Side::BOTH {
            let (wanted, sent) = (self.writes.get(side), found.writes.get(side));
            for name in names(wanted, sent) {
                let (wanted, sent) = (wanted.get(name), sent.get(name));
                if !same(wanted, sent) {
                    let what = format!("{side}.{name}");
                    differences.push(difference(what, shown(wanted), shown(sent)));
                }
            }
        }
        for rule in names(&self.conflicts, &found.conflicts) {
            let (wanted, seen) = (self.conflicts.get(rule), found.conflicts.get(rule));
            if wanted != seen {
                let what = format!("conflict on {rule}");
                differences.push(difference(what, winner(wanted), winner(seen)));
            }
        }
        for rule in names(&self.holds, &found.holds) {
            let (wanted, seen) = (self.holds.get(rule), found.holds.get(rule));
            if wanted != seen {
                let word = |reason: Option<&HoldReason>| {
                    reason.map_or("none".to_owned(), |reason| reason.as_str().to_owned())
                };
                let what = format!("hold on {rule}");
                differences.push(difference(what, word(wanted), word(seen)));
            }
        }
        if self.stop != found.stop {
            let word = |stop: &Option<String>| stop.clone().unwrap_or_else(|| "none".to_owned());
            differences.push(difference(
                "stop".to_owned(),
                word(&self.stop),
                word(&found.stop),
            ));
        }
        differences
    }
}

fn difference(what: String, expected: String, found: String) -> Difference {
    Difference {
        what,
        expected,
        found,
    }
}

fn names<'a, T>(
    one: &'a BTreeMap<String, T>,
    other: &'a BTreeMap<String, T>,
) -> BTreeSet<&'a String> {
    one.keys().chain(other.keys()).collect()
}

/// A case has texts where a CRM has numbers and truths.
fn same(wanted: Option<&Raw>, sent: Option<&Raw>) -> bool {
    match (wanted, sent) {
        (None, None) => true,
        (Some(wanted), Some(sent)) => wanted.as_text() == sent.as_text(),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// What is sent for a field, as a person would write it.
fn shown(raw: Option<&Raw>) -> String {
    match raw {
        None => "no write".to_owned(),
        Some(raw) => match raw.as_text() {
            None => "blank".to_owned(),
            Some(text) => format!("{text:?}"),
        },
    }
}

fn winner(conflict: Option<&Option<Side>>) -> String {
    match conflict {
        None => "none".to_owned(),
        Some(None) => "ask".to_owned(),
        Some(Some(side)) => side.as_str().to_owned(),
    }
}
