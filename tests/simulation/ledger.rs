//! What users did, what they saw when they did it, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use tandem::model::{BySide, IntendedRule, Intent, LinkId, Raw, Side};

use crate::cast::{Cast, Kind, same};
use crate::mirror::{Mirror, Partner, Pending};
use crate::shots::{Difference, Place, Shot, Shots};

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
    /// The seam from which a write was decided that has been settled since as if this very value
    /// were agreed on.
    pub agreed_since: Option<u32>,
    /// The link of the record at that moment.
    pub link: Option<LinkId>,
}

/// A value as it was sent by a write that its record took, perhaps in another form.
#[derive(Debug)]
struct Sent {
    place: Place,
    field: String,
    value: String,
    /// How many edits there had been.
    after: usize,
}

#[derive(Default)]
pub struct Ledger {
    pub edits: Vec<Edit>,
    /// Every value that each field of each record ever held.
    ever: BTreeMap<Place, BTreeMap<&'static str, BTreeSet<String>>>,
    sent: Vec<Sent>,
    /// The latest user edit that each field shows, as a place in `edits`.
    standing: BTreeMap<(Place, &'static str), usize>,
    /// Records that users deleted, each with the seam of the latest time.
    pub deleted: BTreeMap<Place, u32>,
    /// Values that were there when a user gave a record its first ones, or that a user put back.
    pub added: BTreeSet<Place>,
    /// Deletes through the API.
    pub archived: BySide<u64>,
    /// What is gone by such a delete.
    pub ours: BTreeSet<Place>,
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

    /// Whether the field took this value from us in a form of its own, and somebody edited it then,
    /// so that nobody could read what had become of it.
    pub fn took_and_lost(&self, place: &Place, field: &str, value: &str) -> bool {
        let of = |sent: &&Sent| sent.place == *place && sent.field == field && sent.value == value;
        let edited = |sent: &Sent| {
            let mut later = self.edits.iter().skip(sent.after);
            later.any(|edit| edit.place == *place && edit.field == field)
        };
        self.sent.iter().filter(of).any(edited)
    }

    pub fn edited(&mut self, edit: Edit) {
        let place = (edit.place.clone(), edit.field);
        self.standing.insert(place, self.edits.len());
        self.edits.push(edit);
    }

    /// A request was carried out: notes what it sent to each record that took it.
    pub fn took(&mut self, cast: &Cast, body: &str, after: &Shots, intents: &[Intent]) {
        for intent in intents.iter().filter(|one| body.contains(&one.target)) {
            let holds = |(place, shot): &(&Place, &Shot)| {
                place.0 == intent.side && (place.1 == intent.target || shot.key == intent.target)
            };
            let Some((place, shot)) = after.0.iter().find(holds) else {
                continue;
            };
            for intended in &intent.rules {
                let rules = &cast.pair(intent.mapping.as_str()).rules;
                let Some(rule) = rules.iter().find(|rule| rule.name == intended.rule) else {
                    continue;
                };
                for (field, raw) in &intended.after {
                    let value = raw.as_text().unwrap_or_default();
                    let held = shot.fields.get(field.as_str());
                    if !held.is_some_and(|held| same(rule.kind, held, value))
                        || !body.contains(value)
                    {
                        continue;
                    }
                    self.sent.push(Sent {
                        place: place.clone(),
                        field: field.clone(),
                        value: value.to_owned(),
                        after: self.edits.len(),
                    });
                }
            }
        }
    }

    /// A commit settles writes: notes which edits hold just what is agreed on now. Comparing by
    /// value, nobody can tell them from what the write left or was decided from.
    pub fn settled(&mut self, mirror: &Mirror, pending: &Pending) {
        for intent in pending.closed.iter().filter_map(|id| mirror.open.get(id)) {
            let Some((_, bases)) = pending.bases.iter().find(|(link, _)| *link == intent.link)
            else {
                continue;
            };
            let now = pending.links.iter().find(|link| link.id == intent.link);
            let Some(link) = now.or_else(|| mirror.links.get(&intent.link)) else {
                continue;
            };
            let of = |place: &Place| {
                let id = link.records.get(place.0).as_ref();
                id.is_some_and(|id| id.as_str() == place.1)
            };
            let since = mirror.born.get(&intent.id).copied().unwrap_or(0);
            for edit in self.edits.iter_mut().filter(|edit| edit.seam >= since) {
                let written = intent.rules.iter().any(|rule| rule.rule == edit.rule);
                let halves = bases.get(edit.rule).filter(|_| written);
                let half = halves.and_then(|halves| halves.sides.get(edit.place.0).get(edit.field));
                let agreed =
                    half.is_some_and(|raw| raw.as_text().unwrap_or_default() == edit.value);
                if agreed && of(&edit.place) {
                    edit.agreed_since = Some(since);
                }
            }
        }
    }

    /// A write through the API changed these fields: user edits that stood there are gone from
    /// this side, knowingly if the write's intent was decided from them.
    pub fn written(&mut self, difference: &Difference, intents: &[Intent]) {
        for (place, field, was, now) in &difference.changed {
            let Some(at) = self.standing.remove(&(place.clone(), *field)) else {
                continue;
            };
            let text = |raw: &Raw| raw.as_text().unwrap_or_default().to_lowercase();
            let mut latest = intents
                .iter()
                .rev()
                .filter(|intent| intent.side == place.0 && intent.target == place.1);
            let known = latest
                .find_map(|intent| {
                    let of = |rule: &&IntendedRule| {
                        rule.after
                            .get(*field)
                            .is_some_and(|raw| text(raw) == now.to_lowercase())
                    };
                    intent.rules.iter().find(of)
                })
                .and_then(|rule| rule.before.get(*field))
                .is_some_and(|raw| raw.as_text().unwrap_or_default() == was);
            self.edits[at].overtaken |= !known;
        }
    }

    /// The seam of the last edit of a record.
    pub fn last_edit(&self, place: &Place) -> Option<u32> {
        let of = self.edits.iter().filter(|edit| edit.place == *place);
        of.map(|edit| edit.seam).max()
    }

    /// Whether somebody else edited the same value at the other end.
    pub fn competes(&self, edit: &Edit, partner: &Partner) -> bool {
        let mut others = self.edits.iter();
        others.any(|other| other.rule == edit.rule && other.place == partner.place)
    }

    /// Whether some user replaced this value knowingly, here or at a record that was paired with
    /// this one then.
    pub fn superseded(&self, edit: &Edit, partners: &[Partner], kind: Kind) -> bool {
        let paired = |other: &Edit| {
            let mut with = partners.iter();
            with.any(|with| with.place == other.place && other.seam <= with.until)
        };
        let mut later = self.edits.iter().filter(|other| {
            other.rule == edit.rule
                && (other.place == edit.place || paired(other))
                && other.seam >= edit.seam
        });
        later.any(|other| !std::ptr::eq(other, edit) && same(kind, &other.saw, &edit.value))
    }

    /// Whether somebody at the other end replaced this value while the write was under way that it
    /// was agreed on by, before or after it was typed here.
    pub fn replaced_there(&self, edit: &Edit, partners: &[Partner], kind: Kind) -> bool {
        let Some(since) = edit.agreed_since else {
            return false;
        };
        let mut others = self.edits.iter().filter(|other| other.seam >= since);
        others.any(|other| {
            other.rule == edit.rule
                && partners.iter().any(|with| with.place == other.place)
                && same(kind, &other.saw, &edit.value)
        })
    }

    pub fn was_deleted(&self, side: Side, id: &str) -> bool {
        self.deleted.contains_key(&(side, id.to_owned()))
    }
}
