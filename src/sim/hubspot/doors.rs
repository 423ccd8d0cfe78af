//! Direct doors for tests and the demo: what a person does in the browser, and what is stored.
//!
//! They keep the rules of the platform (history, stamps, normalisation, search lag) and pass by
//! tokens, rate limits and the request log.

use std::collections::BTreeMap;

use super::HubSpotSim;
use super::failure::Failure;
use super::kind::ObjectKind;
use super::log::{Counters, LoggedRequest};
use super::property::{Property, PropertyId};
use super::record::{Record, Source};
use super::state::State;
use super::table::Table;
use crate::model::Timestamp;

/// A stored record with every property that is set, the derived ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimRecord {
    pub id: String,
    pub archived: bool,
    pub properties: BTreeMap<String, String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// One entry of a property's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    pub value: String,
    pub timestamp: Timestamp,
    /// `INTEGRATION`, `CRM_UI` or `MERGE_OBJECTS`.
    pub source_type: String,
    pub source_id: String,
    pub user: Option<u64>,
}

impl HubSpotSim {
    /// Makes a record as a person would; its id.
    pub fn create(&self, object: &str, properties: &[(&str, &str)]) -> Result<String, String> {
        self.door(|state| {
            let kind = state.kind(object)?;
            let draft = state.draft(kind, None, &owned(properties), Source::Person)?;
            let id = state.create_record(kind, &draft, Source::Person);
            Ok(id.to_string())
        })
    }

    /// Changes a live record as user 77 in the browser.
    pub fn edit(&self, object: &str, id: &str, properties: &[(&str, &str)]) -> Result<(), String> {
        self.door(|state| {
            let (kind, id) = found(state, object, id)?;
            let draft = state.draft(kind, Some(id), &owned(properties), Source::Person)?;
            state.update_record(kind, id, &draft, Source::Person);
            Ok(())
        })
    }

    /// Moves a live record to the recycle bin.
    pub fn archive(&self, object: &str, id: &str) -> Result<(), String> {
        self.door(|state| {
            let (kind, id) = found(state, object, id)?;
            state.archive_record(kind, id, Source::Person);
            Ok(())
        })
    }

    /// Takes a record out of the recycle bin.
    pub fn restore(&self, object: &str, id: &str) -> Result<(), String> {
        self.door(|state| {
            let kind = state.kind(object)?;
            let number = id.parse().map_err(|_| Failure::not_an_id(id))?;
            state.restore_record(kind, number)
        })
    }

    /// Merges two live records into one with a new id, which this returns.
    pub fn merge(&self, object: &str, primary: &str, other: &str) -> Result<String, String> {
        self.door(|state| {
            let (kind, primary) = found(state, object, primary)?;
            let (_, other) = found(state, object, other)?;
            let id = state.merge_records(kind, primary, other, Source::Person)?;
            Ok(id.to_string())
        })
    }

    /// Links two live records; `type_id` must be one of the direction asked for. Labels the pair
    /// has already stay.
    pub fn associate(
        &self,
        from: (&str, &str),
        to: (&str, &str),
        type_id: u32,
    ) -> Result<(), String> {
        self.door(|state| {
            let from = found(state, from.0, from.1)?;
            let to = found(state, to.0, to.1)?;
            if state
                .associations
                .types
                .find(from.0, to.0, type_id)
                .is_none()
            {
                return Err(Failure::validation(format!(
                    "association type {type_id} does not lead from {} to {}",
                    from.0.plural(),
                    to.0.plural()
                )));
            }
            state.relate(from, to, Source::Person, |all| {
                all.add(from, to, &[type_id])
            });
            Ok(())
        })
    }

    /// Ends every association between two live records.
    pub fn dissociate(&self, from: (&str, &str), to: (&str, &str)) -> Result<(), String> {
        self.door(|state| {
            let from = found(state, from.0, from.1)?;
            let to = found(state, to.0, to.1)?;
            state.relate(from, to, Source::Person, |all| all.unlink(from, to));
            Ok(())
        })
    }

    /// All stored records, archived ones included, by ascending id; none for an unknown object.
    pub fn records(&self, object: &str) -> Vec<SimRecord> {
        self.with(|state| {
            let Ok(kind) = state.kind(object) else {
                return Vec::new();
            };
            let table = state.table(kind);
            table
                .from(0)
                .map(|record| shown(state, table, record))
                .collect()
        })
    }

    /// As [`Self::records`], with these properties and no others.
    pub fn records_with(&self, object: &str, names: &[&str]) -> Vec<SimRecord> {
        self.with(|state| {
            let Ok(kind) = state.kind(object) else {
                return Vec::new();
            };
            let table = state.table(kind);
            let of = names.iter().filter_map(|name| table.catalog.named(name));
            let of: Vec<(PropertyId, &Property)> = of.collect();
            let records = table.from(0);
            records
                .map(|record| shown_in(state, table, record, of.iter().copied()))
                .collect()
        })
    }

    /// One stored record, live or archived. An id that was merged away gives the survivor.
    pub fn record(&self, object: &str, id: &str) -> Option<SimRecord> {
        self.with(|state| {
            let table = state.table(state.kind(object).ok()?);
            let record = table.get(table.resolve(id.parse().ok()?))?;
            Some(shown(state, table, record))
        })
    }

    /// Ids and association type ids of the live records of one kind linked to a record.
    pub fn associations(
        &self,
        from_object: &str,
        from_id: &str,
        to_object: &str,
    ) -> Vec<(String, Vec<u32>)> {
        self.with(|state| {
            let (Ok(from), Ok(to)) = (state.kind(from_object), state.kind(to_object)) else {
                return Vec::new();
            };
            let Ok(id) = from_id.parse() else {
                return Vec::new();
            };
            let id = state.table(from).resolve(id);
            let links = state.links(from, id, to).into_iter();
            links.map(|(id, types)| (id.to_string(), types)).collect()
        })
    }

    /// What a stored property held, newest first.
    pub fn history(&self, object: &str, id: &str, property: &str) -> Vec<HistoryEntry> {
        self.with(|state| {
            let find = || {
                let table = state.table(state.kind(object).ok()?);
                let record = table.get(table.resolve(id.parse().ok()?))?;
                Some((record.clone(), table.catalog.find(property)?))
            };
            let Some((record, property)) = find() else {
                return Vec::new();
            };
            record
                .history(property)
                .map(|entry| HistoryEntry {
                    value: entry.text.to_string(),
                    timestamp: Timestamp::from_millis(entry.at),
                    source_type: entry.source.wire_type().to_owned(),
                    source_id: entry.source.id(),
                    user: entry.source.user(),
                })
                .collect()
        })
    }

    /// The newest 10,000 API requests, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.with(|state| state.log.requests.iter().cloned().collect())
    }

    pub fn counters(&self) -> Counters {
        self.with(|state| state.log.counters.clone())
    }

    fn door<T>(&self, act: impl FnOnce(&mut State) -> Result<T, Failure>) -> Result<T, String> {
        self.with(act).map_err(Failure::into_text)
    }
}

fn owned(properties: &[(&str, &str)]) -> BTreeMap<String, String> {
    properties
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn found(state: &State, object: &str, id: &str) -> Result<(ObjectKind, u64), Failure> {
    let kind = state.kind(object)?;
    let id = state
        .locate(kind, id, None)?
        .ok_or_else(Failure::not_found)?;
    Ok((kind, id))
}

fn shown(state: &State, table: &Table, record: &Record) -> SimRecord {
    shown_in(state, table, record, table.catalog.iter())
}

fn shown_in<'a>(
    state: &State,
    table: &Table,
    record: &Record,
    properties: impl Iterator<Item = (PropertyId, &'a Property)>,
) -> SimRecord {
    let properties = properties
        .map(|(id, property)| (property.name.to_string(), state.text(table, record, id)))
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name, text.into_owned()))
        .collect();
    SimRecord {
        id: record.id.to_string(),
        archived: !record.is_live(),
        properties,
        created_at: Timestamp::from_millis(record.created),
        updated_at: Timestamp::from_millis(record.modified),
    }
}
