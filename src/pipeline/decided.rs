//! States of HubSpot's records that attempts have decided on lately.
//!
//! Its search goes on showing a record as it was before our write for as long as its index lags,
//! and such a row differs from the base. It is no news when an attempt has read that very state and
//! ended. Kept in memory only: whoever has forgotten it looks at the record once more.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::mapping::Bound;
use crate::model::{MappingName, Presence, Record, RecordId, Side, Timestamp};

/// Longer than the index lags, "up to about half a minute" (hubspot.md 5.1), and shorter than it
/// takes until a record is read late.
const KEPT_MILLIS: i64 = 60_000;

#[derive(Debug, Default)]
pub struct Decided {
    states: Mutex<BTreeMap<MappingName, BTreeMap<RecordId, State>>>,
}

#[derive(Debug)]
struct State {
    modified_at: Timestamp,
    /// Of the values that a poll reads, too.
    values: u64,
    decided_at: Timestamp,
}

impl Decided {
    /// An attempt read these records and its verdict on them is stored.
    pub fn note<'a>(
        &self,
        bound: &Bound,
        records: impl Iterator<Item = &'a Record>,
        now: Timestamp,
    ) {
        let mut states = self.states(now);
        let of = states.entry(bound.mapping().name.clone()).or_default();
        for record in records {
            if let Some(modified_at) = record.modified_at {
                let state = State {
                    modified_at,
                    values: values(bound, record),
                    decided_at: now,
                };
                of.insert(record.id.clone(), state);
            }
        }
    }

    /// Of the records that a search has shown, those that it shows as they were decided on. One
    /// that is gone is always news.
    pub fn among<'a>(
        &self,
        bound: &Bound,
        records: &'a [Record],
        now: Timestamp,
    ) -> BTreeSet<&'a RecordId> {
        let states = self.states(now);
        let Some(of) = states.get(&bound.mapping().name) else {
            return BTreeSet::new();
        };
        let same = |record: &&Record| {
            of.get(&record.id).is_some_and(|state| {
                record.presence == Presence::Live
                    && record.modified_at == Some(state.modified_at)
                    && state.values == values(bound, record)
            })
        };
        records
            .iter()
            .filter(same)
            .map(|record| &record.id)
            .collect()
    }

    /// Without those that are too old.
    fn states(
        &self,
        now: Timestamp,
    ) -> MutexGuard<'_, BTreeMap<MappingName, BTreeMap<RecordId, State>>> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.retain(|_, of| {
            of.retain(|_, state| now.millis_since(state.decided_at) < KEPT_MILLIS);
            !of.is_empty()
        });
        states
    }
}

fn values(bound: &Bound, record: &Record) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in bound.told_fields(Side::HubSpot) {
        record.fields.get(name).hash(&mut hasher);
    }
    hasher.finish()
}
