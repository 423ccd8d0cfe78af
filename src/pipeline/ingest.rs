//! The only door in: records that a source has read become marks, or nothing.
//!
//! A record whose values all equal its half of the base costs nothing more. Whatever is marked is
//! marked in the commit that moves the source's cursor, so that a cursor never passes unseen work.

use std::collections::BTreeMap;

use super::{Site, at_rest};
use crate::mapping::Bound;
use crate::model::{Cause, Hold, Link, LinkId, Presence, Record, RecordId, RecordKey, Side, Task};
use crate::store::{Changes, Mark, MatchKeys, StoreError};

/// What one page of records came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub seen: u64,
    pub marked: u64,
}

/// Compares records with the base under one mapping and adds marks and match keys to `changes`.
pub async fn take(
    site: &Site,
    bound: &Bound,
    side: Side,
    records: &[Record],
    cause: Cause,
    changes: &mut Changes,
) -> Result<Taken, StoreError> {
    let known = Known::load(site, bound, side, records).await?;
    let mut taken = Taken {
        seen: records.len() as u64,
        marked: 0,
    };
    let now = site.clock.now();
    for record in records {
        let link = known.links.get(&record.id);
        if link.is_none() && record.presence == Presence::Live {
            changes.match_keys.push(keys_of(bound, side, record));
        }
        if known.quiet(bound, side, record, link) {
            continue;
        }
        taken.marked += 1;
        let key = RecordKey {
            mapping: bound.mapping().name.clone(),
            side,
            id: record.id.clone(),
        };
        changes.marks.push(Mark {
            task: Task::Record(key),
            cause,
            not_before: now,
        });
    }
    Ok(taken)
}

/// The match keys of a record that was read, to be stored whatever becomes of it.
pub fn keys_of(bound: &Bound, side: Side, record: &Record) -> MatchKeys {
    MatchKeys {
        mapping: bound.mapping().name.clone(),
        side,
        record: record.id.clone(),
        keys: bound.match_keys(side, &record.fields),
    }
}

struct Known {
    links: BTreeMap<RecordId, Link>,
    bases: BTreeMap<LinkId, crate::model::Bases>,
    holds: BTreeMap<LinkId, Vec<Hold>>,
}

impl Known {
    async fn load(
        site: &Site,
        bound: &Bound,
        side: Side,
        records: &[Record],
    ) -> Result<Self, StoreError> {
        let ids: Vec<RecordId> = records.iter().map(|record| record.id.clone()).collect();
        let ws = &site.workspace;
        let name = &bound.mapping().name;
        let links = site.store.links_by_record(ws, name, side, &ids).await?;
        let link_ids: Vec<LinkId> = links.iter().map(|link| link.id.clone()).collect();
        let bases = site.store.bases(ws, &link_ids).await?;
        let mut holds: BTreeMap<LinkId, Vec<Hold>> = BTreeMap::new();
        for hold in site.store.holds(ws, &link_ids).await? {
            holds.entry(hold.link.clone()).or_default().push(hold);
        }
        let links = links
            .into_iter()
            .filter_map(|link| link.records.get(side).clone().map(|id| (id, link)))
            .collect();
        Ok(Self {
            links,
            bases,
            holds,
        })
    }

    /// Nothing to do: at rest under an open link, or gone and never linked.
    fn quiet(&self, bound: &Bound, side: Side, record: &Record, link: Option<&Link>) -> bool {
        let Some(link) = link else {
            return record.presence != Presence::Live;
        };
        if record.presence != Presence::Live {
            return !link.state.is_open();
        }
        if link.state != crate::model::LinkState::Linked {
            return false;
        }
        let none = Vec::new();
        let holds = self.holds.get(&link.id).unwrap_or(&none);
        self.bases
            .get(&link.id)
            .is_some_and(|bases| at_rest(bound, side, &record.fields, bases, holds))
    }
}
