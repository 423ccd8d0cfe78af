//! What the store has made durable, followed commit by commit.

use std::collections::BTreeMap;

use tandem::model::{Bases, BySide, Intent, IntentId, IntentKind, Link, LinkId, RecordId, Side};
use tandem::store::Deed;

use crate::shots::Place;

/// What is about to become durable.
#[derive(Default)]
pub struct Pending {
    pub epoch: Option<i64>,
    pub links: Vec<Link>,
    pub bases: Vec<(LinkId, Bases)>,
    pub intents: Vec<Intent>,
    pub closed: Vec<IntentId>,
    pub conflicts: u64,
    pub holds: u64,
    pub letters: u64,
}

#[derive(Default)]
pub struct Mirror {
    pub links: BTreeMap<LinkId, Link>,
    pub bases: BTreeMap<LinkId, Bases>,
    pub open: BTreeMap<IntentId, Intent>,
    /// Every intent so far, so that a late write can be told from a new one.
    pub intents: Vec<Intent>,
    pub epoch: i64,
    /// Commits that made, ended or moved anything about a pair.
    pub moves: u64,
    /// The seam at which the step began that decided to delete a record.
    pub decided: BTreeMap<Place, u32>,
    /// The seam at which the step began that decided on a write.
    pub born: BTreeMap<IntentId, u32>,
    /// Every two records that were ever a pair, and the seam at which they last parted.
    pairs: BTreeMap<BySide<RecordId>, Option<u32>>,
    pending: Option<Pending>,
}

/// A record at the other end of a pair.
pub struct Partner {
    pub place: Place,
    /// The seam at which the two parted; never, while they are a pair.
    pub until: u32,
}

/// The two records of an open link that has both.
fn paired(link: &Link) -> Option<BySide<RecordId>> {
    let (hubspot, salesforce) = (&link.records.hubspot, &link.records.salesforce);
    let both = (hubspot.clone()?, salesforce.clone()?);
    link.state.is_open().then(|| BySide::new(both.0, both.1))
}

impl Pending {
    pub fn of(deed: Deed<'_>) -> Self {
        match deed {
            Deed::Lease { .. } | Deed::Mark | Deed::Announce | Deed::Fold => Self::default(),
            Deed::Renew { epoch } => Self {
                epoch: Some(epoch),
                ..Self::default()
            },
            Deed::Commit { epoch, changes } => Self {
                epoch: Some(epoch),
                links: changes.links.clone(),
                bases: changes.bases.clone(),
                intents: changes.intents.clone(),
                closed: changes.intents_closed.clone(),
                conflicts: changes.conflicts.len() as u64,
                holds: changes.holds.len() as u64,
                letters: changes.dead_letters.len() as u64,
            },
        }
    }
}

impl Mirror {
    pub fn announce(&mut self, deed: Deed<'_>) {
        self.pending = Some(Pending::of(deed));
    }

    pub fn take_pending(&mut self) -> Option<Pending> {
        self.pending.take()
    }

    /// `step_from` is the seam at which the step began that this commit belongs to, `seam` its own.
    pub fn apply(&mut self, pending: Pending, step_from: u32, seam: u32) {
        self.epoch = self.epoch.max(pending.epoch.unwrap_or(0));
        let moved = !pending.links.is_empty() || !pending.bases.is_empty() || pending.holds > 0;
        self.moves += u64::from(moved);
        for link in pending.links {
            let before = self.links.get(&link.id).and_then(paired);
            if let Some(pair) = before {
                self.pairs.insert(pair, Some(seam));
            }
            if let Some(pair) = paired(&link) {
                self.pairs.insert(pair, None);
            }
            self.links.insert(link.id.clone(), link);
        }
        for (link, bases) in pending.bases {
            self.bases.insert(link, bases);
        }
        for id in pending.closed {
            self.open.remove(&id);
        }
        for intent in pending.intents {
            if intent.kind == IntentKind::Archive {
                self.decided
                    .insert((intent.side, intent.target.clone()), step_from);
            }
            self.born.insert(intent.id.clone(), step_from);
            self.open.insert(intent.id.clone(), intent.clone());
            self.intents.push(intent);
        }
    }

    /// The link that a record is in, or else the latest one that it was in. A link may be older
    /// than another and have come to the record later.
    pub fn link_of(&self, side: Side, id: &str) -> Option<&Link> {
        let holds =
            |link: &&Link| link.records.get(side).as_ref().map(RecordId::as_str) == Some(id);
        let links = self.links.values().filter(holds);
        links.max_by_key(|link| link.state.is_open())
    }

    /// The records that a record has been paired with since a seam, and until when.
    pub fn partners_since(&self, side: Side, id: &str, seam: u32) -> Vec<Partner> {
        let of = self
            .pairs
            .iter()
            .filter(|(pair, _)| pair.get(side).as_str() == id)
            .filter(|(_, parted)| parted.is_none_or(|at| at >= seam));
        of.map(|(pair, parted)| Partner {
            place: (side.other(), pair.get(side.other()).as_str().to_owned()),
            until: parted.unwrap_or(u32::MAX),
        })
        .collect()
    }

    /// What a field of a record held when its rule last agreed; `None` when it never did.
    pub fn agreed(&self, side: Side, id: &str, rule: &str, field: &str) -> Option<String> {
        let link = self.link_of(side, id)?;
        let halves = self.bases.get(&link.id)?.get(rule)?;
        let raw = halves.sides.get(side).get(field)?;
        Some(raw.as_text().unwrap_or_default().to_owned())
    }

    /// The record a record was ever paired with, the latest first.
    pub fn partner(&self, side: Side, id: &str) -> Option<String> {
        let link = self.link_of(side, id)?;
        link.records
            .get(side.other())
            .as_ref()
            .map(|id| id.as_str().to_owned())
    }
}
