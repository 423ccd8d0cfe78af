//! Compares the two CRMs with each other, by the simulators' own state.
//!
//! The engine's links, holds, dead letters and conflicts come in as claims. A claim can excuse a
//! difference only for the record and the rule it names, and only while it is listed.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Side;
use crate::sim::faults::TYPED;
use crate::sim::seed::{Fate, Seeded};

use super::canon::agree;
use super::doubles;
use super::findings::{Findings, LostEdit, Mismatch};
use super::ledger::{Edit, EditKind, Ledger, Partners, View};
use super::outcome::{ConflictSeen, LinkSeen, Open};
use super::shape::{self, Creates, SHAPES, Shape};

/// What the engine says, what was seeded, and what users did.
#[derive(Clone, Copy)]
pub struct Claims<'a> {
    pub links: &'a [LinkSeen],
    pub holds: &'a [Open],
    pub dead_letters: &'a [Open],
    pub conflicts: &'a [ConflictSeen],
    pub seeded: &'a Seeded,
    pub ledger: &'a Ledger,
    /// Ids of records that met a fault of the simulators.
    pub struck: &'a BTreeSet<String>,
}

/// Reads both simulators and judges.
pub fn verify(view: View<'_>, claims: Claims<'_>) -> Findings {
    let partners = Partners::new(claims.links);
    let mut judge = Judge {
        view,
        claims,
        removed: removed(claims.ledger, &partners),
        opens: Opens::new(claims),
        cases: ambiguous(claims.seeded),
        partners,
        findings: Findings::default(),
    };
    judge.pairs();
    judge.singles();
    judge.resurrections();
    judge.edits();
    judge.findings.duplicates = doubles::find(view, claims.links, claims.seeded);
    judge.findings.unexpected = unexpected(claims);
    judge.findings
}

/// A record of one side, by object name.
type Key = (Side, String, String);

/// Open reasons by the records they name.
struct Opens<'a>(BTreeMap<(Side, &'a str, &'a str), Vec<&'a Open>>);

impl<'a> Opens<'a> {
    fn new(claims: Claims<'a>) -> Self {
        let mut opens: BTreeMap<(Side, &str, &str), Vec<&Open>> = BTreeMap::new();
        for open in claims.holds.iter().chain(claims.dead_letters) {
            let ids = [
                (Side::HubSpot, open.hubspot_id.as_str()),
                (Side::Salesforce, open.salesforce_id.as_str()),
            ];
            for (side, id) in ids.into_iter().filter(|(_, id)| !id.is_empty()) {
                let key = (side, open.mapping.as_str(), id);
                opens.entry(key).or_default().push(open);
            }
        }
        Self(opens)
    }

    /// Something listed says why this rule of this record waits, or why the whole record does.
    fn excuse(&self, mapping: &str, side: Side, id: &str, rule: &str) -> bool {
        let found = self.0.get(&(side, mapping, id));
        found.is_some_and(|opens| {
            let fits = |open: &&Open| open.rule.as_deref().is_none_or(|held| held == rule);
            opens.iter().any(fits)
        })
    }
}

struct Judge<'a> {
    view: View<'a>,
    claims: Claims<'a>,
    partners: Partners,
    opens: Opens<'a>,
    /// Which seeded case an ambiguous record belongs to.
    cases: BTreeMap<Key, usize>,
    /// Records that a user removed, and their counterparts.
    removed: BTreeSet<Key>,
    findings: Findings,
}

impl Judge<'_> {
    fn pairs(&mut self) {
        for (mapping, hubspot, salesforce) in self.claims.links {
            let Some(shape) = shape::of(mapping) else {
                continue;
            };
            self.findings.pairs += 1;
            let records = self.view.pair(shape, hubspot, salesforce);
            let Some((left, right)) = records else {
                self.one_is_gone(shape, hubspot, salesforce);
                continue;
            };
            for rule in shape.rules {
                let meaning = self.view.meaning;
                let ours = meaning.of_hubspot(self.view.hubspot, shape, rule, &left);
                let theirs = meaning.of_salesforce(rule, &right);
                if agree(rule, &ours, &theirs) {
                    continue;
                }
                let excused = self
                    .opens
                    .excuse(mapping, Side::HubSpot, hubspot, rule.name)
                    || self
                        .opens
                        .excuse(mapping, Side::Salesforce, salesforce, rule.name);
                if excused {
                    self.findings.excused += 1;
                    continue;
                }
                self.findings.mismatches.push(Mismatch {
                    mapping: mapping.clone(),
                    hubspot_id: hubspot.clone(),
                    salesforce_id: salesforce.clone(),
                    rule: rule.name.to_owned(),
                    hubspot: ours,
                    salesforce: theirs,
                });
            }
        }
    }

    /// A linked record is in the bin: fine when a user put it there.
    fn one_is_gone(&mut self, shape: &Shape, hubspot: &str, salesforce: &str) {
        let key = (Side::HubSpot, shape.hubspot.to_owned(), hubspot.to_owned());
        if self.removed.contains(&key) {
            return;
        }
        let state = |side, id| {
            let live = self.view.is_live(shape, side, id);
            if live { "there" } else { "gone" }.to_owned()
        };
        let gone = Mismatch {
            mapping: shape.mapping.to_owned(),
            hubspot_id: hubspot.to_owned(),
            salesforce_id: salesforce.to_owned(),
            rule: "(record)".to_owned(),
            hubspot: state(Side::HubSpot, hubspot),
            salesforce: state(Side::Salesforce, salesforce),
        };
        self.findings.mismatches.push(gone);
    }

    /// Records without a link that should have one.
    fn singles(&mut self) {
        let mut done = BTreeSet::new();
        for shape in &SHAPES {
            for side in Side::BOTH {
                let object = shape.object(side);
                if !done.insert((side, object)) {
                    continue;
                }
                for (id, stage) in self.live(side, object) {
                    self.single(side, object, &id, &stage);
                }
            }
        }
    }

    /// Ids and lifecycle stages of the live records of one object.
    fn live(&self, side: Side, object: &str) -> Vec<(String, String)> {
        match side {
            Side::HubSpot => {
                let records = self.view.hubspot.records(object).into_iter();
                let live = records.filter(|record| !record.archived);
                live.map(|mut record| {
                    let stage = record.properties.remove("lifecyclestage");
                    (record.id, stage.unwrap_or_default())
                })
                .collect()
            }
            Side::Salesforce => {
                let records = self.view.salesforce.records(object).into_iter();
                let live = records.filter(|record| !record.deleted);
                live.map(|record| (record.id, String::new())).collect()
            }
        }
    }

    fn single(&mut self, side: Side, object: &str, id: &str, stage: &str) {
        let shapes = || SHAPES.iter().filter(|shape| shape.object(side) == object);
        let linked = shapes().any(|shape| self.partners.of(shape.mapping, side, id).is_some());
        let key = (side, object.to_owned(), id.to_owned());
        if linked || self.removed.contains(&key) {
            return;
        }
        let wanted = shapes().find(|shape| should_have_counterpart(shape, side, stage));
        let Some(wanted) = wanted else {
            return;
        };
        let mut mappings = shapes().map(|shape| shape.mapping);
        let listed = mappings.any(|mapping| self.opens.excuse(mapping, side, id, ""));
        if listed || self.meant_by_a_listed_one(side, object, id) {
            self.findings.excused += 1;
            return;
        }
        let mut missing = Mismatch {
            mapping: wanted.mapping.to_owned(),
            hubspot_id: String::new(),
            salesforce_id: String::new(),
            rule: "(record)".to_owned(),
            hubspot: "none".to_owned(),
            salesforce: "none".to_owned(),
        };
        match side {
            Side::HubSpot => {
                id.clone_into(&mut missing.hubspot_id);
                "there".clone_into(&mut missing.hubspot);
            }
            Side::Salesforce => {
                id.clone_into(&mut missing.salesforce_id);
                "there".clone_into(&mut missing.salesforce);
            }
        }
        self.findings.mismatches.push(missing);
    }

    /// Ambiguous records are one case for a person; it is enough that one of them is listed.
    fn meant_by_a_listed_one(&self, side: Side, object: &str, id: &str) -> bool {
        let Some(&case) = self.cases.get(&(side, object.to_owned(), id.to_owned())) else {
            return false;
        };
        let case = &self.claims.seeded.expected[case];
        let listed = |side: Side, object: &str, id: &str| {
            let mut shapes = SHAPES.iter().filter(|shape| shape.object(side) == object);
            shapes.any(|shape| self.opens.excuse(shape.mapping, side, id, ""))
        };
        let mut ours = case.hubspot.iter();
        let mut theirs = case.salesforce.iter();
        ours.any(|id| listed(Side::HubSpot, case.hubspot_object, id))
            || theirs.any(|id| listed(Side::Salesforce, case.salesforce_object, id))
    }

    /// A record that a user removed and that stands there again, linked with its old counterpart.
    fn resurrections(&mut self) {
        for edit in &self.claims.ledger.edits {
            let (EditKind::Remove, Some(partner)) = (&edit.kind, &edit.partner) else {
                continue;
            };
            let other = edit.side.other();
            let again = self.partners.of(edit.shape.mapping, other, partner);
            let Some(again) = again.filter(|id| self.view.is_live(edit.shape, edit.side, id))
            else {
                continue;
            };
            let told = |side| {
                if side == edit.side {
                    (
                        again.to_owned(),
                        "made again after it was removed".to_owned(),
                    )
                } else {
                    (partner.clone(), "there".to_owned())
                }
            };
            let (hubspot_id, hubspot) = told(Side::HubSpot);
            let (salesforce_id, salesforce) = told(Side::Salesforce);
            self.findings.mismatches.push(Mismatch {
                mapping: edit.shape.mapping.to_owned(),
                hubspot_id,
                salesforce_id,
                rule: "(record)".to_owned(),
                hubspot,
                salesforce,
            });
        }
    }

    fn edits(&mut self) {
        let edits = &self.claims.ledger.edits;
        for (at, edit) in edits.iter().enumerate() {
            if let Some(why) = self.lost(edit, &edits[at + 1..]) {
                self.findings.lost.push(LostEdit {
                    edit: edit.describe(),
                    why: format!("{why}; {}", self.competitors(edit)),
                });
            }
        }
    }

    /// Everything that people typed into the two ends of the lost edit's field, in order.
    fn competitors(&self, lost: &Edit) -> String {
        let same = |edit: &&Edit| {
            let ours = edit.side == lost.side && edit.id == lost.id;
            let theirs = edit.side != lost.side && Some(&edit.id) == lost.partner.as_ref();
            edit.rule() == lost.rule() && (ours || theirs)
        };
        let edits = self.claims.ledger.edits.iter().filter(same);
        let told: Vec<String> = edits.map(Edit::describe).collect();
        format!("typed in all: {}", told.join(", "))
    }

    /// Why an edit counts as lost; `None` when it is accounted for.
    fn lost(&self, edit: &Edit, later: &[Edit]) -> Option<String> {
        let (mapping, side, id) = (edit.shape.mapping, edit.side, edit.id.as_str());
        let object = edit.shape.object(side).to_owned();
        if self.removed.contains(&(side, object, id.to_owned())) {
            return None;
        }
        let partner = self.partners.of(mapping, side, id);
        let partner = partner.or(edit.partner.as_deref());
        let rule = edit.rule();
        let excused = self.opens.excuse(mapping, side, id, rule)
            || partner.is_some_and(|id| self.opens.excuse(mapping, side.other(), id, rule));
        if excused {
            return None;
        }
        match &edit.kind {
            EditKind::Remove => None,
            EditKind::Create if partner.is_some() => None,
            EditKind::Create => Some("has no counterpart".to_owned()),
            EditKind::Field {
                arrived: Some(_), ..
            } => None,
            EditKind::Field {
                rule,
                meaning,
                agreed,
                ..
            } => {
                let of = |side, id| self.view.value(edit.shape, rule, side, id);
                let here = of(side, id);
                let there = partner.and_then(|id| of(side.other(), id));
                let visible = here.as_ref() == Some(meaning) && here == there;
                let replaced = later
                    .iter()
                    .any(|other| other.side == side && other.id == id && other.rule() == rule.name);
                // Whoever types back what both sides agreed on has changed nothing that a
                // comparison with the base could see, so an edit of the other side travels.
                let typed_back = agreed.as_ref() == Some(meaning);
                // A fault of the simulators: the edit had arrived when somebody typed over it.
                let typed_over = here.as_deref() == Some(TYPED) && here == there;
                let told = visible || replaced || typed_back || typed_over;
                let kept = told || self.is_kept(edit, partner);
                (!kept).then(|| {
                    let shown = |value: Option<String>| value.unwrap_or("(gone)".to_owned());
                    format!("here now {:?}, there {:?}", shown(here), shown(there))
                })
            }
        }
    }

    /// The edit's value is kept as the loser of a recorded conflict.
    fn is_kept(&self, edit: &Edit, partner: Option<&str>) -> bool {
        let EditKind::Field { rule, meaning, .. } = &edit.kind else {
            return false;
        };
        let of = |conflict: &ConflictSeen| {
            let (ours, theirs) = match edit.side {
                Side::HubSpot => (&conflict.hubspot_id, &conflict.salesforce_id),
                Side::Salesforce => (&conflict.salesforce_id, &conflict.hubspot_id),
            };
            conflict.mapping == edit.shape.mapping
                && conflict.rule == rule.name
                && *ours == edit.id
                && partner == Some(theirs)
        };
        let mut fitting = self.claims.conflicts.iter().filter(|conflict| of(conflict));
        fitting.any(|conflict| {
            let view = self.view;
            let loser = view.meaning.of_loser(rule, edit.side, &conflict.loser);
            conflict.winner != Some(edit.side) && loser == *meaning
        })
    }
}

fn should_have_counterpart(shape: &Shape, side: Side, stage: &str) -> bool {
    let creates = match side {
        Side::HubSpot => shape.hubspot_creates,
        Side::Salesforce => shape.salesforce_creates,
    };
    match creates {
        Creates::Always => true,
        Creates::WhenStage(stages) => stages.contains(&stage),
        Creates::UnlessStage(stages) => !stages.contains(&stage),
    }
}

/// Records users removed, together with the counterparts they had.
fn removed(ledger: &Ledger, partners: &Partners) -> BTreeSet<Key> {
    let mut removed = BTreeSet::new();
    for edit in &ledger.edits {
        if !matches!(edit.kind, EditKind::Remove) {
            continue;
        }
        let key = |side: Side, id: &str| (side, edit.shape.object(side).to_owned(), id.to_owned());
        removed.insert(key(edit.side, &edit.id));
        let partner = partners.of(edit.shape.mapping, edit.side, &edit.id);
        removed.extend(partner.map(|id| key(edit.side.other(), id)));
        // The link is closed by now: its counterpart is known from when the edit was made.
        removed.extend(edit.partner.iter().map(|id| key(edit.side.other(), id)));
    }
    removed
}

fn ambiguous(seeded: &Seeded) -> BTreeMap<Key, usize> {
    let mut cases = BTreeMap::new();
    for (at, case) in seeded.expected.iter().enumerate() {
        if case.trouble.fate() != Fate::Ambiguous {
            continue;
        }
        for id in &case.hubspot {
            let key = (Side::HubSpot, case.hubspot_object.to_owned(), id.clone());
            cases.insert(key, at);
        }
        for id in &case.salesforce {
            let key = (
                Side::Salesforce,
                case.salesforce_object.to_owned(),
                id.clone(),
            );
            cases.insert(key, at);
        }
    }
    cases
}

/// Open reasons that name no record with a seeded trouble, and none that a fault struck.
fn unexpected(claims: Claims<'_>) -> Vec<Open> {
    let mut troubled = BTreeSet::new();
    for expected in &claims.seeded.expected {
        for id in &expected.hubspot {
            troubled.insert((expected.hubspot_object, id.as_str()));
        }
        for id in &expected.salesforce {
            troubled.insert((expected.salesforce_object, id.as_str()));
        }
    }
    let known = |open: &Open| {
        let ids = [&open.hubspot_id, &open.salesforce_id];
        if ids.into_iter().any(|id| claims.struck.contains(id)) {
            return true;
        }
        shape::of(&open.mapping).is_some_and(|shape| {
            troubled.contains(&(shape.hubspot, open.hubspot_id.as_str()))
                || troubled.contains(&(shape.salesforce, open.salesforce_id.as_str()))
        })
    };
    let opens = claims.holds.iter().chain(claims.dead_letters);
    opens
        .filter(|open| !known(open) && !waits_for_a_listed_one(open, claims))
        .cloned()
        .collect()
}

/// Who waits for a parent waits as long as that one does, which is listed and judged itself.
fn waits_for_a_listed_one(open: &Open, claims: Claims<'_>) -> bool {
    let letters = claims.dead_letters.iter();
    let mut listed = letters.flat_map(|letter| [&letter.hubspot_id, &letter.salesforce_id]);
    let named = |id: &String| open.why.split_whitespace().any(|word| word == id);
    open.why.starts_with("unresolved:") && listed.any(named)
}
