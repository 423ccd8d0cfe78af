//! Who else was merged into a survivor, and whose pair goes on.
//!
//! The survivor's own link stands above all, then the one of the record merged last. Among equals
//! the values tell: a merge keeps the primary's, so its link differs least from the survivor. A
//! draw is no answer, and nobody's link is moved over one.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::follow::{MERGED, Trail, record_key};
use super::load::ReadError;
use super::matching::links_of;
use super::survivor;
use super::unit::Unit;
use crate::mapping::Bound;
use crate::model::{Bases, Fields, Link, LinkId, LinkState, RecordId, RecordKey, Side};
use crate::store::{DeadLetterClose, DeadLetterOf, DeadLetterState, RuleScope};

/// What is known about the survivors of a batch and the records they swallowed.
pub struct Kin {
    side: Side,
    swallowed: BTreeMap<RecordId, BTreeSet<RecordId>>,
    /// Links of the survivors and of all that led to them, closed ones too.
    links: Vec<Link>,
    bases: BTreeMap<LinkId, Bases>,
    /// Links with a write whose outcome is not known yet.
    busy: BTreeSet<LinkId>,
    /// Pairs that a merge on the other side took apart; the record here is what is left of them.
    left_over: Vec<Link>,
}

pub enum Claim {
    /// The link moves to the survivor; links of a create that never began give way to it.
    Keep { displaced: Vec<Link> },
    /// This link is the survivor's.
    Yield(Link),
    /// A create for the survivor may be under way.
    Wait,
    /// Nothing tells which of these and this one is the right pair.
    Unclear(Vec<Link>),
}

impl Kin {
    pub async fn load(
        desk: &mut Desk<'_>,
        bound: &Bound,
        side: Side,
        trails: impl Iterator<Item = &Trail>,
    ) -> Result<Self, ReadError> {
        let trails: Vec<&Trail> = trails.collect();
        let ends: Vec<_> = trails.iter().map(|trail| &trail.end).collect();
        let swallowed = survivor::swallowed(desk, bound, side, &ends).await?;
        let steps = trails.iter().flat_map(|trail| &trail.steps);
        let ids: BTreeSet<RecordId> = steps.chain(swallowed.values().flatten()).cloned().collect();
        let ids: Vec<RecordId> = ids.into_iter().collect();
        let links = links_of(desk, bound, side, &ids).await?;
        let open: Vec<LinkId> = links
            .iter()
            .filter(|link| link.state.is_open())
            .map(|link| link.id.clone())
            .collect();
        let (store, ws) = (&desk.site.store, &desk.site.workspace);
        let intents = store.intents(ws, &open).await?;
        let mut left_over = links.clone();
        left_over.retain(|link| link.state == LinkState::Detached);
        let keys: Vec<RecordKey> = left_over
            .iter()
            .filter_map(|link| record_key(link, side))
            .collect();
        let merged_here = store.aliases(ws, &keys).await?;
        left_over.retain(|link| {
            record_key(link, side).is_some_and(|key| !merged_here.contains_key(&key))
        });
        Ok(Self {
            side,
            swallowed,
            links,
            bases: store.bases(ws, &open).await?,
            busy: intents.into_iter().map(|intent| intent.link).collect(),
            left_over,
        })
    }

    /// From here on the survivor is this link's.
    pub fn take(&mut self, survivor: &RecordId, link: Option<&Link>) {
        let Some(link) = link else { return };
        self.links.retain(|known| known.id != link.id);
        self.links.push(Link {
            state: LinkState::Linked,
            ..link.clone()
        });
        debug_assert!(link.records.get(self.side).as_ref() == Some(survivor));
    }

    /// Pairs that an earlier merge left over have become one with this one on their other side
    /// too, and nobody need decide about them any more.
    pub fn reunite(&self, unit: &mut Unit, survivor: &RecordId) {
        let swallowed = self.swallowed.get(survivor);
        let gone = |link: &&Link| {
            let id = link.records.get(self.side).as_ref();
            id.is_some_and(|id| swallowed.is_some_and(|ids| ids.contains(id)))
        };
        for link in self.left_over.iter().filter(gone) {
            unit.changes.dead_letters_closed.push(DeadLetterClose {
                of: DeadLetterOf::Link(link.id.clone()),
                rules: RuleScope::All,
                state: DeadLetterState::Closed,
                why: "the record left over was merged too".to_owned(),
            });
            unit.changes.links.push(Link {
                state: LinkState::Unlinked,
                note: "merged on both sides".to_owned(),
                ..link.clone()
            });
        }
    }
}

/// What becomes of the link of a record that was merged.
pub fn claim(link: &Link, bases: &Bases, side: Side, trail: &Trail, kin: &Kin) -> Claim {
    let place = |other: &Link| {
        let id = other.records.get(side).as_ref()?;
        trail.steps.iter().position(|step| step == id)
    };
    let none = BTreeSet::new();
    let siblings = kin.swallowed.get(&trail.end.id).unwrap_or(&none);
    let rivals: Vec<&Link> = kin
        .links
        .iter()
        .filter(|other| other.id != link.id && other.state.is_open())
        .filter(|other| {
            let id = other.records.get(side).as_ref();
            place(other).is_some() || id.is_some_and(|id| siblings.contains(id))
        })
        .collect();
    let creating = |link: &Link| matches!(link.state, LinkState::Creating(_));
    let ahead = rivals
        .iter()
        .filter(|other| place(other).is_some() && !creating(other))
        .max_by_key(|other| place(other));
    if let Some(ahead) = ahead {
        return Claim::Yield((*ahead).clone());
    }
    let (begun, rivals): (Vec<&Link>, Vec<&Link>) =
        rivals.into_iter().partition(|other| creating(other));
    if creating(link)
        && let Some(pair) = rivals.first()
    {
        return Claim::Yield((*pair).clone());
    }
    if begun.iter().any(|other| kin.busy.contains(&other.id)) {
        return Claim::Wait;
    }
    let displaced = begun.into_iter().filter(|other| place(other).is_some());
    let displaced: Vec<Link> = displaced
        .map(|other| Link {
            state: LinkState::Unlinked,
            note: "merged before its copy was created".to_owned(),
            ..other.clone()
        })
        .collect();
    // What a person was asked is not answered by the next edit of the survivor.
    if link.state == LinkState::Suspended && link.note == MERGED && !rivals.is_empty() {
        return Claim::Unclear(rivals.into_iter().cloned().collect());
    }
    by_values(bases, side, &trail.end.fields, &rivals, kin, displaced)
}

fn by_values(
    bases: &Bases,
    side: Side,
    survivor: &Fields,
    rivals: &[&Link],
    kin: &Kin,
    displaced: Vec<Link>,
) -> Claim {
    let mine = unlike(bases, side, survivor);
    let none = Bases::new();
    let theirs = |link: &Link| unlike(kin.bases.get(&link.id).unwrap_or(&none), side, survivor);
    let Some(best) = rivals.iter().map(|link| theirs(link)).min() else {
        return Claim::Keep { displaced };
    };
    let at_best: Vec<Link> = rivals
        .iter()
        .filter(|link| theirs(link) == best)
        .map(|link| (*link).clone())
        .collect();
    match (mine.cmp(&best), at_best.as_slice()) {
        (std::cmp::Ordering::Less, _) => Claim::Keep { displaced },
        (std::cmp::Ordering::Greater, [one]) => Claim::Yield(one.clone()),
        (std::cmp::Ordering::Greater | std::cmp::Ordering::Equal, _) => Claim::Unclear(at_best),
    }
}

/// How many values a record held when its pair last agreed that the survivor does not hold.
fn unlike(bases: &Bases, side: Side, survivor: &Fields) -> usize {
    let held = bases.values().flat_map(|base| base.sides.get(side));
    let held: BTreeSet<_> = held.filter(|(_, raw)| !raw.is_blank()).collect();
    held.into_iter()
        .filter(|(name, raw)| survivor.get(*name).is_some_and(|now| now != *raw))
        .count()
}
