//! What every piece of work in a workspace needs at hand, without the CRMs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Decided;
use crate::clock::{Chance, Clock, Ids};
use crate::mapping::{Bound, Rule};
use crate::model::{BySide, MappingName, Pauses, RunId, Schemas, Side, WorkspaceId};
use crate::store::Store;

/// One workspace as one process serves it.
pub struct Site {
    pub workspace: WorkspaceId,
    pub store: Arc<Store>,
    /// The active mappings, bound to the schemas that were read at the start.
    pub mappings: BTreeMap<MappingName, Bound>,
    /// The HubSpot portal and the Salesforce organization; part of every creation key.
    pub accounts: BySide<String>,
    /// What the mappings are bound to; an older revision of one is bound to it when needed.
    pub schemas: Schemas,
    /// What nothing is written to just now.
    pub pauses: Pauses,
    /// What HubSpot's search shows although it is no news.
    pub decided: Decided,
    pub clock: Clock,
    pub chance: Chance,
    pub ids: Ids,
    pub run: RunId,
}

impl Site {
    /// The mappings that read the same object on this side, in name order.
    ///
    /// They share one poll, one backfill and one scan, led by the first of them.
    pub fn sharing(&self, leader: &MappingName, side: Side) -> Vec<&Bound> {
        let Some(object) = self
            .mappings
            .get(leader)
            .map(|b| b.mapping().objects.get(side))
        else {
            return Vec::new();
        };
        self.mappings
            .values()
            .filter(|b| b.mapping().objects.get(side) == object)
            .collect()
    }

    /// The first mapping of each object on this side.
    pub fn leaders(&self, side: Side) -> Vec<&MappingName> {
        let mut by_object = BTreeMap::new();
        for (name, bound) in &self.mappings {
            by_object
                .entry(bound.mapping().objects.get(side))
                .or_insert(name);
        }
        by_object.into_values().collect()
    }

    /// Every field that the mappings of one object want to read, each once.
    pub fn shared_fields(&self, leader: &MappingName, side: Side) -> Vec<String> {
        let mut fields: Vec<String> = self
            .sharing(leader, side)
            .into_iter()
            .flat_map(|bound| bound.read_fields(side).iter().cloned())
            .collect();
        fields.sort();
        fields.dedup();
        fields
    }

    /// Kinds of HubSpot records whose ties are read along with this mapping's.
    pub fn tied(&self, name: &MappingName) -> u32 {
        let ties = self.mappings.get(name).map(Bound::ties).unwrap_or_default();
        let mut kinds: Vec<String> = ties.associations.into_iter().map(|tie| tie.to).collect();
        kinds.sort();
        kinds.dedup();
        u32::try_from(kinds.len()).unwrap_or(u32::MAX)
    }

    /// How many levels of mappings refer to this one, three at most: parents have more.
    pub fn height(&self, name: &MappingName) -> i64 {
        self.height_within(name, 3)
    }

    fn height_within(&self, name: &MappingName, levels: u8) -> i64 {
        let Some(below) = levels.checked_sub(1) else {
            return 0;
        };
        let refers = |bound: &&Bound| {
            let mut references = bound.mapping().rules.iter().filter_map(Rule::reference);
            bound.mapping().name != *name && references.any(|to| to.mapping == *name)
        };
        let children = self.mappings.values().filter(refers);
        let heights = children.map(|child| 1 + self.height_within(&child.mapping().name, below));
        heights.max().unwrap_or(0)
    }

    /// The other mappings of this one's group.
    pub fn peers<'a>(&'a self, bound: &'a Bound) -> impl Iterator<Item = &'a Bound> {
        let me = &bound.mapping().name;
        let group = bound.mapping().group.as_ref();
        self.mappings.values().filter(move |other| {
            group.is_some()
                && other.mapping().group.as_ref() == group
                && &other.mapping().name != me
        })
    }
}
