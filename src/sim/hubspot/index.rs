//! The search index: what search can see, which trails what is stored (`hubspot.md 5.1`).
//!
//! Records are shared with the table, so that the index costs memory only for what is on its way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::record::Record;

#[derive(Debug, Default)]
pub(super) struct SearchIndex {
    records: BTreeMap<u64, Arc<Record>>,
    /// (last modification, id): what a poller's range filter walks.
    by_modified: BTreeSet<(i64, u64)>,
    /// Changes that are stored but not visible yet, oldest first.
    pending: VecDeque<Pending>,
}

#[derive(Debug)]
struct Pending {
    at: i64,
    id: u64,
    /// None when the record left the index.
    record: Option<Arc<Record>>,
}

impl SearchIndex {
    /// Queues a change made at `at`.
    pub fn note(&mut self, at: i64, id: u64, record: Option<Arc<Record>>) {
        self.pending.push_back(Pending { at, id, record });
    }

    /// Makes visible what was changed `lag` milliseconds ago or earlier.
    pub fn catch_up(&mut self, now: i64, lag: i64) {
        let visible = now.saturating_sub(lag);
        while let Some(change) = self.pending.pop_front_if(|change| change.at <= visible) {
            let replaced = match change.record {
                Some(record) => {
                    self.by_modified.insert((record.modified, change.id));
                    let key = (record.modified, change.id);
                    let replaced = self.records.insert(change.id, record);
                    replaced.filter(|old| (old.modified, change.id) != key)
                }
                None => self.records.remove(&change.id),
            };
            if let Some(old) = replaced {
                self.by_modified.remove(&(old.modified, change.id));
            }
        }
    }

    pub fn by_id(&self, ids: RangeInclusive<u64>) -> impl Iterator<Item = &Arc<Record>> {
        let some = (!ids.is_empty()).then(|| self.records.range(ids));
        some.into_iter().flatten().map(|(_, record)| record)
    }

    /// The records modified within `range`.
    pub fn by_modified(&self, range: RangeInclusive<i64>) -> impl Iterator<Item = &Arc<Record>> {
        let (from, to) = range.into_inner();
        let some = (from <= to).then(|| self.by_modified.range((from, 0)..=(to, u64::MAX)));
        some.into_iter()
            .flatten()
            .filter_map(|(_, id)| self.records.get(id))
    }
}
