//! Reads what the store knows of one record. Decides nothing.
//!
//! Every look-up goes by id or by pair. A record that was merged is followed to the one it lives
//! on as.

use std::collections::BTreeMap;

use super::question::{Question, Refusal};
use super::site::{Known, rules_named, searched};
use crate::mapping::{SourceFile, load};
use crate::model::{
    Bases, Hold, Intent, Link, MappingName, RecordId, RecordKey, Revision, Side, Task, Timestamp,
    WorkspaceId,
};
use crate::pipeline::LANE;
use crate::store::{
    Approval, ConflictRow, DeadLetter, JournalEntry, Store, StoreError, Tombstone, Waiting,
};

/// Entries of each rule: the last decision, and those before it that may have moved the base.
const ENTRIES: u32 = 10;
/// Conflicts of one pair that are looked through for the one a decision made.
const CONFLICTS: u32 = 1_000;
/// Entries of one rule that its history shows.
pub const HISTORY: u32 = 50;
/// Merges of merges are followed this far.
const STEPS: usize = 10;

/// What is known of one record under all mappings that may be meant.
#[derive(Debug, Default)]
pub struct Facts {
    pub pairs: Vec<PairFacts>,
    pub loose: Vec<LooseFacts>,
    pub mappings: Vec<Known>,
}

/// A pair, and everything that hangs on it.
#[derive(Debug)]
pub struct PairFacts {
    pub link: Link,
    /// Other pairs that the asked record was in before, under the same mapping.
    pub earlier: Vec<Link>,
    pub bases: Bases,
    pub since: Option<Timestamp>,
    pub holds: Vec<Hold>,
    pub intents: Vec<Intent>,
    pub conflicts: Vec<ConflictRow>,
    pub letters: Vec<DeadLetter>,
    pub waiting: Vec<Waiting>,
    pub approvals: Vec<Approval>,
    pub tombstones: Vec<Tombstone>,
    /// The newest entries of each rule, the newest first.
    pub journal: Vec<JournalEntry>,
    /// Of each rule the first entry after the moment that was asked about.
    pub next: Vec<JournalEntry>,
    /// By rule: the newest entries and how many there are, for the rules that were asked about.
    pub history: BTreeMap<String, (Vec<JournalEntry>, u64)>,
}

/// A record that is in no pair under a mapping, although something is known of it.
#[derive(Debug)]
pub struct LooseFacts {
    pub key: RecordKey,
    /// Match keys are stored, so it was read.
    pub seen: bool,
    pub letters: Vec<DeadLetter>,
    pub waiting: Vec<Waiting>,
    pub tombstones: Vec<Tombstone>,
    /// The ids it lived on under, the last one last.
    pub became: Vec<RecordId>,
}

/// One reading of one store.
pub struct Reader<'a> {
    pub store: &'a Store,
    pub ws: &'a WorkspaceId,
}

impl Reader<'_> {
    /// What is known of the record that `question` names.
    pub async fn facts(&self, question: &Question) -> Result<Facts, Refusal> {
        let mappings = self.mappings().await?;
        let wanted = searched(&mappings, &question.object)?;
        let mut facts = Facts::default();
        for name in &wanted {
            for side in Side::BOTH {
                if let Some(id) = question.ids.get(side) {
                    let key = RecordKey {
                        mapping: name.clone(),
                        side,
                        id: id.clone(),
                    };
                    self.record(question, key, &mappings, &mut facts).await?;
                }
            }
        }
        facts.mappings = mappings;
        Ok(facts)
    }

    /// All mappings that were ever run: the active ones as they run, others as they ran last.
    pub async fn mappings(&self) -> Result<Vec<Known>, StoreError> {
        let active = self.store.active_revisions(self.ws).await?;
        let mut latest: BTreeMap<MappingName, Revision> = BTreeMap::new();
        for stored in self.store.revisions(self.ws).await? {
            latest.insert(stored.mapping, stored.revision);
        }
        latest.extend(active.clone());
        let mut files = Vec::new();
        for (name, revision) in &latest {
            let text = self.store.revision_text(self.ws, revision).await?;
            files.extend(text.map(|text| SourceFile {
                path: name.to_string(),
                text,
            }));
        }
        // One that this version cannot read must not hide the others.
        let all = load(&files, &BTreeMap::new()).map(|loaded| loaded.mappings);
        let some = |_| files.iter().filter_map(alone).collect();
        let loaded: Vec<_> = all.unwrap_or_else(some);
        let known = latest.into_iter().map(|(name, revision)| Known {
            active: active.contains_key(&name),
            mapping: loaded.iter().find(|one| one.name == name).cloned(),
            name,
            revision,
        });
        Ok(known.collect())
    }

    async fn record(
        &self,
        question: &Question,
        key: RecordKey,
        mappings: &[Known],
        facts: &mut Facts,
    ) -> Result<(), StoreError> {
        let became = self.became(&key).await?;
        let mut ids = vec![key.id.clone()];
        ids.extend(became.iter().cloned());
        let links = self
            .store
            .links_by_record(self.ws, &key.mapping, key.side, &ids)
            .await?;
        let open = links.iter().position(|link| link.state.is_open());
        let chosen = open.or_else(|| links.len().checked_sub(1));
        if let Some(at) = chosen {
            let mut earlier = links;
            let link = earlier.remove(at);
            if facts.pairs.iter().all(|pair| pair.link.id != link.id) {
                let mut pair = self.pair(question, link, earlier).await?;
                if let Some(field) = &question.field {
                    let known = mappings
                        .iter()
                        .find(|known| known.name == pair.link.mapping);
                    self.history(&mut pair, known, field).await?;
                }
                facts.pairs.push(pair);
            }
        } else if let Some(loose) = self.loose(key, became).await? {
            facts.loose.push(loose);
        }
        Ok(())
    }

    async fn became(&self, key: &RecordKey) -> Result<Vec<RecordId>, StoreError> {
        let mut found: Vec<RecordId> = Vec::new();
        let mut at = key.clone();
        for _ in 0..STEPS {
            let step = self
                .store
                .aliases(self.ws, std::slice::from_ref(&at))
                .await?;
            match step.into_values().next() {
                Some(id) if id != key.id && !found.contains(&id) => {
                    found.push(id.clone());
                    at.id = id;
                }
                Some(_) | None => break,
            }
        }
        Ok(found)
    }

    async fn pair(
        &self,
        question: &Question,
        link: Link,
        earlier: Vec<Link>,
    ) -> Result<PairFacts, StoreError> {
        let (store, ws) = (self.store, self.ws);
        let id = std::slice::from_ref(&link.id);
        let keys = keys(&link);
        let tasks: Vec<Task> = keys.iter().cloned().map(Task::Record).collect();
        let mut letters = store.letters_of_link(ws, &link.id).await?;
        for letter in store.letters_of(ws, &tasks).await? {
            if letters.iter().all(|known| known.id != letter.id) {
                letters.push(letter);
            }
        }
        let next = match question.at {
            Some(at) => store.journal_next(ws, &link.id, at).await?,
            None => Vec::new(),
        };
        Ok(PairFacts {
            bases: store
                .bases(ws, id)
                .await?
                .remove(&link.id)
                .unwrap_or_default(),
            since: store.agreed_since(ws, &link.id).await?,
            holds: store.holds(ws, id).await?,
            intents: store.intents(ws, id).await?,
            conflicts: store.conflicts_of(ws, &link.id, CONFLICTS).await?,
            letters,
            waiting: store.waiting(ws, LANE, &tasks).await?,
            approvals: store.approvals_of(ws, &link.mapping).await?,
            tombstones: store.tombstones(ws, &keys).await?,
            journal: store.journal_newest(ws, &link.id, ENTRIES).await?,
            next,
            history: BTreeMap::new(),
            link,
            earlier,
        })
    }

    /// The history of the rules that a field stands for, one that is no longer mapped included.
    async fn history(
        &self,
        pair: &mut PairFacts,
        known: Option<&Known>,
        field: &str,
    ) -> Result<(), StoreError> {
        let mapping = known.and_then(|known| known.mapping.as_ref());
        let named = mapping.map_or_else(Vec::new, |mapping| rules_named(mapping, field));
        let mut names: Vec<String> = named.iter().map(|rule| rule.name.clone()).collect();
        if names.is_empty() {
            names.extend(pair.bases.keys().filter(|rule| *rule == field).cloned());
        }
        for rule in names {
            let found = self
                .store
                .journal_of_rule(self.ws, &pair.link.id, &rule, HISTORY)
                .await?;
            pair.history.insert(rule, found);
        }
        Ok(())
    }

    async fn loose(
        &self,
        key: RecordKey,
        became: Vec<RecordId>,
    ) -> Result<Option<LooseFacts>, StoreError> {
        let (store, ws) = (self.store, self.ws);
        let tasks = [Task::Record(key.clone())];
        let ids = std::slice::from_ref(&key.id);
        let keys = store.match_keys_of(ws, &key.mapping, key.side, ids).await?;
        let facts = LooseFacts {
            seen: !keys.is_empty(),
            letters: store.letters_of(ws, &tasks).await?,
            waiting: store.waiting(ws, LANE, &tasks).await?,
            tombstones: store.tombstones(ws, std::slice::from_ref(&key)).await?,
            became,
            key,
        };
        Ok(facts.is_known().then_some(facts))
    }
}

impl LooseFacts {
    fn is_known(&self) -> bool {
        self.seen
            || !self.letters.is_empty()
            || !self.waiting.is_empty()
            || !self.tombstones.is_empty()
            || !self.became.is_empty()
    }
}

/// Both records of a pair, as work and tombstones name them.
pub fn keys(link: &Link) -> Vec<RecordKey> {
    let key = |side: Side| {
        let id = link.records.get(side).clone()?;
        let mapping = link.mapping.clone();
        Some(RecordKey { mapping, side, id })
    };
    Side::BOTH.into_iter().filter_map(key).collect()
}

fn alone(file: &SourceFile) -> Option<crate::mapping::Mapping> {
    let loaded = load(std::slice::from_ref(file), &BTreeMap::new()).ok()?;
    loaded.mappings.into_iter().next()
}
