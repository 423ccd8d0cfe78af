//! All records of one object type, with the keys that must be unique and the ids merged away.
//!
//! Every change of a record goes through here, so that keys and the search index follow.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::index::SearchIndex;
use super::kind::ObjectKind;
use super::property::{Catalog, PropertyId};
use super::record::Record;

/// A value that no two live records may share.
pub(super) type Key = (PropertyId, String);

#[derive(Debug)]
pub(super) struct Table {
    pub kind: ObjectKind,
    pub catalog: Catalog,
    pub index: SearchIndex,
    records: BTreeMap<u64, Arc<Record>>,
    /// Ids that were merged away, each to the id that stands for it now.
    aliases: BTreeMap<u64, u64>,
    keys: BTreeMap<Key, u64>,
    last_id: u64,
}

impl Table {
    pub fn new(kind: ObjectKind, catalog: Catalog, first_id: u64) -> Self {
        Self {
            kind,
            catalog,
            index: SearchIndex::default(),
            records: BTreeMap::new(),
            aliases: BTreeMap::new(),
            keys: BTreeMap::new(),
            last_id: first_id,
        }
    }

    /// A new id, `gap` beyond the newest.
    pub fn next_id(&mut self, gap: u64) -> u64 {
        self.last_id += 1 + gap;
        self.last_id
    }

    /// The id that stands for `id` now: itself unless it was merged away.
    pub fn resolve(&self, id: u64) -> u64 {
        self.aliases.get(&id).copied().unwrap_or(id)
    }

    pub fn is_merged_away(&self, id: u64) -> bool {
        self.aliases.contains_key(&id)
    }

    pub fn get(&self, id: u64) -> Option<&Arc<Record>> {
        self.records.get(&id)
    }

    pub fn live(&self, id: u64) -> Option<&Arc<Record>> {
        self.get(id).filter(|r| r.is_live())
    }

    pub fn from(&self, id: u64) -> impl Iterator<Item = &Arc<Record>> {
        self.records.range(id..).map(|(_, record)| record)
    }

    /// The live record that owns a unique value.
    pub fn by_key(&self, property: PropertyId, value: &str) -> Option<u64> {
        let key = self.key(property, value);
        self.keys.get(&key).copied()
    }

    /// The newest of the archived records that owned a unique value.
    pub fn archived_by_key(&self, property: PropertyId, value: &str) -> Option<u64> {
        let key = self.key(property, value);
        let mut newest = self.records.values().rev();
        newest
            .find(|record| !record.is_live() && self.keys_of(record).contains(&key))
            .map(|record| record.id)
    }

    /// E-mails are compared without regard to case, other unique values exactly.
    fn key(&self, property: PropertyId, value: &str) -> Key {
        let text = if Some(property) == self.email() {
            value.trim().to_lowercase()
        } else {
            value.to_owned()
        };
        (property, text)
    }

    /// The property whose values must be unique by the platform's own rule.
    pub fn email(&self) -> Option<PropertyId> {
        match self.kind {
            ObjectKind::Contact => self.catalog.find("email"),
            ObjectKind::Company
            | ObjectKind::Deal
            | ObjectKind::Ticket
            | ObjectKind::Subscription => None,
        }
    }

    /// The keys a record owns while it is live.
    pub fn keys_of(&self, record: &Record) -> Vec<Key> {
        let mut keys = Vec::new();
        if let Some(email) = self.email() {
            let more = self.catalog.find("hs_additional_emails");
            let more = more.map_or("", |id| record.get(id));
            for address in more.split(';').chain([record.get(email)]) {
                keys.push(self.key(email, address));
            }
        }
        for property in self.catalog.unique_ids() {
            keys.push(self.key(property, record.get(property)));
        }
        keys.retain(|(_, value)| !value.is_empty());
        keys
    }

    /// Puts a new record in.
    pub fn insert(&mut self, record: Record, now: i64) {
        self.own_keys(&record);
        let record = Arc::new(record);
        self.index.note(now, record.id, Some(record.clone()));
        self.records.insert(record.id, record);
    }

    /// Changes a record in place; keys and search index follow. False when there is no such id.
    pub fn change(&mut self, id: u64, now: i64, edit: impl FnOnce(&mut Record)) -> bool {
        let Some(mut record) = self.records.remove(&id) else {
            return false;
        };
        self.release_keys(&record);
        edit(Arc::make_mut(&mut record));
        if record.is_live() {
            self.own_keys(&record);
        }
        let seen = record.is_live().then(|| record.clone());
        self.index.note(now, id, seen);
        self.records.insert(id, record);
        true
    }

    /// Takes a record out for good: from now on `into` stands for it and for all it stood for.
    pub fn merge_away(&mut self, id: u64, into: u64, now: i64) {
        if let Some(record) = self.records.remove(&id) {
            self.release_keys(&record);
            self.index.note(now, id, None);
        }
        for target in self.aliases.values_mut().filter(|target| **target == id) {
            *target = into;
        }
        self.aliases.insert(id, into);
    }

    /// The first of `keys` that a live record other than `id` owns, and that record.
    pub fn taken(&self, keys: &[Key], id: u64) -> Option<(PropertyId, String, u64)> {
        keys.iter().find_map(|key| {
            let owner = self.keys.get(key).copied().filter(|owner| *owner != id)?;
            Some((key.0, key.1.clone(), owner))
        })
    }

    fn own_keys(&mut self, record: &Record) {
        for key in self.keys_of(record) {
            self.keys.insert(key, record.id);
        }
    }

    fn release_keys(&mut self, record: &Record) {
        for key in self.keys_of(record) {
            if self.keys.get(&key) == Some(&record.id) {
                self.keys.remove(&key);
            }
        }
    }
}
