//! What users did, what they saw when they did it, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use tandem::model::{BySide, Intent, Side};

use crate::cast::{Kind, same};
use crate::shots::{Difference, Place, Shots};

/// One value that one user typed.
#[derive(Clone, Debug)]
pub struct Edit {
    pub place: Place,
    pub mapping: &'static str,
    pub rule: &'static str,
    pub field: &'static str,
    pub value: String,
    /// What stood there, so that it was replaced knowingly.
    pub saw: String,
    pub seam: u32,
    /// Nothing moved by it: the value is the agreed one again, or blank before any agreement.
    pub nothing: bool,
    /// There was no agreement yet that it could have moved away from.
    pub fresh: bool,
    /// One of our writes replaced it although the write was decided from another value.
    pub overtaken: bool,
}

#[derive(Default)]
pub struct Ledger {
    pub edits: Vec<Edit>,
    /// Every value that each field of each record ever held.
    ever: BTreeMap<Place, BTreeMap<&'static str, BTreeSet<String>>>,
    /// The latest user edit that each field shows, as a place in `edits`.
    standing: BTreeMap<(Place, &'static str), usize>,
    /// Records that users deleted, each with the seam of the latest time.
    pub deleted: BTreeMap<Place, u32>,
    /// Values that were there when a user gave a record its first ones, or that a user put back.
    pub added: BTreeSet<Place>,
    /// Deletes through the API.
    pub archived: BySide<u64>,
    /// Records with values that the other side refuses.
    pub poisoned: BTreeSet<Place>,
}

impl Ledger {
    pub fn note_values(&mut self, shots: &Shots) {
        for (place, shot) in &shots.0 {
            let fields = match self.ever.get_mut(place) {
                Some(fields) => fields,
                None => self.ever.entry(place.clone()).or_default(),
            };
            for (field, value) in &shot.fields {
                let held = fields.entry(field).or_default();
                if !held.contains(value) {
                    held.insert(value.clone());
                }
            }
        }
    }

    /// Whether the field ever held this. Fields the cast does not look at are taken on trust.
    pub fn ever_held(&self, place: &Place, field: &str, value: &str) -> bool {
        match self.ever.get(place).and_then(|fields| fields.get(field)) {
            None => true,
            Some(values) => values.contains(value),
        }
    }

    pub fn edited(&mut self, edit: Edit) {
        let place = (edit.place.clone(), edit.field);
        self.standing.insert(place, self.edits.len());
        self.edits.push(edit);
    }

    /// A write through the API changed these fields: user edits that stood there are gone from
    /// this side, knowingly if the write's intent was decided from them.
    pub fn written(&mut self, difference: &Difference, intents: &[Intent]) {
        for (place, field, was, _) in &difference.changed {
            let Some(at) = self.standing.remove(&(place.clone(), *field)) else {
                continue;
            };
            let known = intents.iter().any(|intent| {
                let before = intent.rules.iter().find_map(|rule| rule.before.get(*field));
                intent.side == place.0
                    && intent.target == place.1
                    && before.is_some_and(|raw| raw.as_text().unwrap_or_default() == was)
            });
            self.edits[at].overtaken |= !known;
        }
    }

    /// The seam of the last edit of a record.
    pub fn last_edit(&self, place: &Place) -> Option<u32> {
        let of = self.edits.iter().filter(|edit| edit.place == *place);
        of.map(|edit| edit.seam).max()
    }

    /// Whether somebody else edited the same value at the other end.
    pub fn competes(&self, edit: &Edit, partner: &Place) -> bool {
        let mut others = self.edits.iter();
        others.any(|other| other.rule == edit.rule && other.place == *partner)
    }

    /// Whether some user replaced this value knowingly.
    pub fn superseded(&self, edit: &Edit, partner: Option<&Place>, kind: Kind) -> bool {
        let mut later = self.edits.iter().filter(|other| {
            other.rule == edit.rule
                && (other.place == edit.place || partner == Some(&other.place))
                && other.seam >= edit.seam
        });
        later.any(|other| !std::ptr::eq(other, edit) && same(kind, &other.saw, &edit.value))
    }

    pub fn was_deleted(&self, side: Side, id: &str) -> bool {
        self.deleted.contains_key(&(side, id.to_owned()))
    }
}
