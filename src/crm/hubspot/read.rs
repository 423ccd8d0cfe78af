//! Reading records: lists, batches by id and by key, and the history of properties.
//!
//! A record that was asked for always comes back, with a [`Presence`] that says what is known.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use url::Url;

use super::wire::{self, ID, MERGED, Many, Object};
use super::{BATCH, HubSpot, Op, VERSION};
use crate::crm::{CrmError, Edit, ErrorKind};
use crate::model::{Presence, Raw, Record, RecordId, Timestamp};

const READ: Op = Op::read("read");
const LIST: Op = Op::read("list");
const HISTORY: Op = Op::read("history");
/// Property lists longer than this go into a body instead of an address (hubspot.md 4.1).
const URL_PROPERTIES: usize = 5 * 1024;
/// HubSpot halves its batches when history is asked for.
const HISTORY_BATCH: usize = 50;

/// Ids that are neither live nor archived are asked for one by one, so many to a read.
const RESOLVED: usize = 20;

/// One page of a walk over all records, ordered by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub records: Vec<Record>,
    /// Hand it back as `after`; `None` at the end.
    pub next: Option<String>,
    /// HubSpot's time when it answered, to the second.
    pub server_time: Option<Timestamp>,
}

/// One value a property had, newest first in its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    pub value: Raw,
    pub at: Timestamp,
    /// An open set: `CRM_UI`, `INTEGRATION`, `API`, `IMPORT`, `CALCULATED`, ...
    pub source_type: String,
    pub source_id: Option<String>,
    pub user_id: Option<String>,
}

impl HistoryEntry {
    /// The app that set the value; `None` for people, imports and HubSpot's own automations.
    pub fn app(&self) -> Option<&str> {
        match self.source_type.as_str() {
            "INTEGRATION" | "API" => self.source_id.as_deref(),
            _ => None,
        }
    }

    pub(in crate::crm) fn into_edit(self) -> Edit {
        let by = self.app().map(str::to_owned);
        Edit {
            by_machine: by.is_some(),
            by,
            value: self.value,
            at: self.at,
        }
    }
}

impl HubSpot {
    /// 100 records, live or archived ones. Archived records are [`Presence::Deleted`].
    pub async fn list(
        &self,
        object: &str,
        properties: &[String],
        after: Option<&str>,
        archived: bool,
    ) -> Result<Page, CrmError> {
        let names = properties.join(",");
        let narrow = names.len() <= URL_PROPERTIES;
        let asked = if narrow { names.as_str() } else { ID };
        let mut page = self.list_page(object, asked, after, archived).await?;
        if !narrow {
            let ids: Vec<RecordId> = page.records.into_iter().map(|record| record.id).collect();
            page.records = if archived {
                self.read_chunks(object, &ids, properties, true).await?
            } else {
                self.batch_read(object, &ids, properties).await?
            };
        }
        Ok(page)
    }

    async fn list_page(
        &self,
        object: &str,
        properties: &str,
        after: Option<&str>,
        archived: bool,
    ) -> Result<Page, CrmError> {
        let mut url = self.objects_url(object, &[]).await?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("limit", "100");
            query.append_pair("archived", if archived { "true" } else { "false" });
            if !properties.is_empty() {
                query.append_pair("properties", properties);
            }
            if let Some(after) = after {
                query.append_pair("after", after);
            }
        }
        let reply = self.get(LIST, url).await?;
        let many: Many<Object> = reply.json()?;
        let next = many.paging.next.after.0;
        if next.is_some() && next.as_deref() == after {
            return Err(reply.broken("the list goes round in a circle"));
        }
        let results = many
            .results
            .ok_or_else(|| reply.broken("the list of records is missing"))?;
        let mut records = records(results)
            .ok_or_else(|| reply.broken("a record without an id is in the list"))?;
        if archived {
            for record in &mut records {
                record.presence = Presence::Deleted;
            }
        }
        Ok(Page {
            records,
            next,
            server_time: reply.server_time(),
        })
    }

    /// Any number of ids, 100 to a call; each comes back once, in the order of the ids. Those not
    /// returned are looked for among the archived ones.
    pub async fn batch_read(
        &self,
        object: &str,
        ids: &[RecordId],
        properties: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        let asked: Vec<RecordId> = unique(ids);
        let live = self.read_chunks(object, &asked, properties, false).await?;
        let mut found: BTreeMap<RecordId, Record> = BTreeMap::new();
        let mut survivors = Vec::new();
        let wanted: BTreeSet<&RecordId> = asked.iter().collect();
        for record in live {
            survivors.push((record.id.clone(), merged_ids(&record)));
            if wanted.contains(&record.id) {
                found.insert(record.id.clone(), record);
            }
        }
        for (survivor, swallowed) in &survivors {
            for id in swallowed {
                if wanted.contains(id) && !found.contains_key(id) {
                    found.insert(id.clone(), bare(id, Presence::MergedInto(survivor.clone())));
                }
            }
        }
        let missing: Vec<RecordId> = asked
            .iter()
            .filter(|id| !found.contains_key(*id))
            .cloned()
            .collect();
        for record in self.find_archived(object, &missing, properties).await? {
            found.insert(record.id.clone(), record);
        }
        let unknown: Vec<RecordId> = missing
            .into_iter()
            .filter(|id| !found.contains_key(id))
            .take(RESOLVED)
            .collect();
        for id in unknown {
            if let Some(into) = self.lives_on(object, &id).await? {
                found.insert(id.clone(), bare(&id, Presence::MergedInto(into)));
            }
        }
        let keep_merged = properties.iter().any(|name| name == MERGED);
        Ok(asked
            .iter()
            .map(|id| {
                let mut record = found
                    .remove(id)
                    .unwrap_or_else(|| bare(id, Presence::NotVisible));
                if !keep_merged {
                    record.fields.remove(MERGED);
                }
                record
            })
            .collect())
    }

    /// A single read answers to an id that was merged away, with another id than was asked for.
    async fn lives_on(&self, object: &str, id: &RecordId) -> Result<Option<RecordId>, CrmError> {
        let mut url = self.objects_url(object, &[id.as_str()]).await?;
        url.query_pairs_mut().append_pair("properties", ID);
        match self.get(READ, url).await {
            Ok(reply) => {
                let record = reply.json::<Object>()?.record(None);
                Ok(record.map(|record| record.id).filter(|now| now != id))
            }
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn find_archived(
        &self,
        object: &str,
        missing: &[RecordId],
        properties: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        let mut archived = self.read_chunks(object, missing, properties, true).await?;
        archived.retain(|record| missing.contains(&record.id));
        for record in &mut archived {
            record.presence = Presence::Deleted;
        }
        Ok(archived)
    }

    async fn read_chunks(
        &self,
        object: &str,
        ids: &[RecordId],
        properties: &[String],
        archived: bool,
    ) -> Result<Vec<Record>, CrmError> {
        let mut names: BTreeSet<&str> = properties.iter().map(String::as_str).collect();
        // Which record swallowed a missing one can only be told by this property of the survivor.
        names.extend([ID, MERGED]);
        let mut all = Vec::new();
        for chunk in ids.chunks(BATCH) {
            let inputs: Vec<Value> = chunk.iter().map(|id| json!({"id": id.as_str()})).collect();
            let body = json!({"inputs": inputs, "properties": &names, "propertiesWithHistory": []});
            all.extend(self.read_batch(READ, object, &body, archived).await?);
        }
        let records = records(all);
        records.ok_or_else(|| CrmError::broken("a record without an id was returned", READ.sent()))
    }

    /// Looks records up by a unique property, consistently: unlike search this reads no index.
    /// Values that name no live record are absent from the answer.
    pub async fn batch_read_by(
        &self,
        object: &str,
        property: &str,
        values: &[String],
        properties: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        self.read_by(object, property, values, properties, false)
            .await
    }

    /// The same in the recycle bin: every record is [`Presence::Deleted`].
    pub async fn archived_by(
        &self,
        object: &str,
        property: &str,
        values: &[String],
        properties: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        let mut records = self
            .read_by(object, property, values, properties, true)
            .await?;
        for record in &mut records {
            record.presence = Presence::Deleted;
        }
        Ok(records)
    }

    async fn read_by(
        &self,
        object: &str,
        property: &str,
        values: &[String],
        properties: &[String],
        archived: bool,
    ) -> Result<Vec<Record>, CrmError> {
        let mut names: BTreeSet<&str> = properties.iter().map(String::as_str).collect();
        names.extend([ID, property]);
        let values: Vec<&String> = values
            .iter()
            .filter(|value| !value.is_empty())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let mut all = Vec::new();
        for chunk in values.chunks(BATCH) {
            let inputs: Vec<Value> = chunk.iter().map(|value| json!({"id": value})).collect();
            let body = json!({
                "inputs": inputs,
                "properties": &names,
                "propertiesWithHistory": [],
                "idProperty": property,
            });
            all.extend(self.read_batch(READ, object, &body, archived).await?);
        }
        let records = records(all);
        records.ok_or_else(|| CrmError::broken("a record without an id was returned", READ.sent()))
    }

    /// The history of properties, newest first, by record and property.
    pub async fn history(
        &self,
        object: &str,
        ids: &[RecordId],
        properties: &[String],
    ) -> Result<BTreeMap<RecordId, BTreeMap<String, Vec<HistoryEntry>>>, CrmError> {
        let mut found = BTreeMap::new();
        for chunk in unique(ids).chunks(HISTORY_BATCH) {
            let inputs: Vec<Value> = chunk.iter().map(|id| json!({"id": id.as_str()})).collect();
            let body = json!({
                "inputs": inputs,
                "properties": [ID],
                "propertiesWithHistory": properties,
            });
            for object in self.read_batch(HISTORY, object, &body, false).await? {
                let Some(id) = object.id.0 else { continue };
                let versions = object
                    .properties_with_history
                    .into_iter()
                    .map(|(name, versions)| (name, entries(versions.0)))
                    .collect();
                found.insert(RecordId::new(id), versions);
            }
        }
        Ok(found)
    }

    /// One batch read. Ids that do not exist are no failure; anything else that went wrong with a
    /// part of it fails the whole, or a record would look deleted because HubSpot had a hiccup.
    async fn read_batch(
        &self,
        op: Op,
        object: &str,
        body: &Value,
        archived: bool,
    ) -> Result<Vec<Object>, CrmError> {
        let mut url = self.objects_url(object, &["batch", "read"]).await?;
        let archived = if archived { "true" } else { "false" };
        url.query_pairs_mut().append_pair("archived", archived);
        let reply = self.post(op, url, body).await?;
        let many: Many<Object> = reply.json()?;
        let now = self.now();
        for item in &many.errors {
            let failed = super::error::from_item(item, now).error;
            if failed.kind != ErrorKind::NotFound {
                return Err(failed);
            }
        }
        many.results
            .ok_or_else(|| reply.broken("the list of records is missing"))
    }

    pub(super) async fn objects_url(&self, object: &str, rest: &[&str]) -> Result<Url, CrmError> {
        let segment = self.segment(object).await?;
        let mut path = vec!["crm", "objects", VERSION, segment.as_str()];
        path.extend(rest);
        self.url(&path)
    }
}

pub(super) fn records(objects: Vec<Object>) -> Option<Vec<Record>> {
    objects
        .into_iter()
        .map(|object| object.record(None))
        .collect()
}

fn merged_ids(record: &Record) -> Vec<RecordId> {
    record
        .fields
        .get(MERGED)
        .and_then(Raw::as_text)
        .into_iter()
        .flat_map(|ids| ids.split(';'))
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .map(RecordId::new)
        .collect()
}

fn bare(id: &RecordId, presence: Presence) -> Record {
    Record {
        id: id.clone(),
        fields: [(ID.to_owned(), Raw::text(id.as_str()))].into(),
        modified_at: None,
        created_at: None,
        presence,
    }
}

fn unique(ids: &[RecordId]) -> Vec<RecordId> {
    let mut met = BTreeSet::new();
    ids.iter().filter(|id| met.insert(*id)).cloned().collect()
}

fn entries(versions: Vec<wire::Version>) -> Vec<HistoryEntry> {
    let mut entries: Vec<HistoryEntry> = versions
        .into_iter()
        .filter_map(|version| {
            Some(HistoryEntry {
                value: version.value.map_or(Some(Raw::Null), wire::as_text)?,
                at: version.timestamp.0.as_deref().and_then(wire::stamp)?,
                source_type: version.source_type.0.unwrap_or_default(),
                source_id: version.source_id.0,
                user_id: version.updated_by_user_id.0,
            })
        })
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries
}
