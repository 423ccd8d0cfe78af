//! Records as the platform writes them (`hubspot.md 4.2`).

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::kind::ObjectKind;
use super::property::PropertyId;
use super::record::Record;
use super::stamp;
use super::state::State;
use super::table::Table;

/// What a caller wants to see of each record.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    properties: BTreeSet<PropertyId>,
    history: Vec<PropertyId>,
    associations: Vec<ObjectKind>,
}

impl Wanted {
    /// Unknown names are left out without a word, as reads do. Nothing named means the defaults.
    pub fn of(table: &Table, names: &[String], history: &[String]) -> Self {
        let find = |name: &str| table.catalog.find(&name.to_ascii_lowercase());
        let history: Vec<PropertyId> = history.iter().filter_map(|name| find(name)).collect();
        let mut properties: BTreeSet<PropertyId> = if names.is_empty() {
            let defaults = table.kind.default_properties();
            defaults.iter().filter_map(|name| find(name)).collect()
        } else {
            names.iter().filter_map(|name| find(name)).collect()
        };
        properties.extend(&history);
        Self {
            properties,
            history,
            associations: Vec::new(),
        }
        .with_system(table)
    }

    /// What the answer to a write shows: the written properties.
    pub fn written(table: &Table, names: impl Iterator<Item = PropertyId>) -> Self {
        Self {
            properties: names.collect(),
            ..Self::default()
        }
        .with_system(table)
    }

    /// Everything a record has.
    pub fn created(table: &Table, record: &Record) -> Self {
        let mut wanted = Self::written(table, record.values().map(|(id, _)| id));
        let source = [
            "hs_object_source",
            "hs_object_source_id",
            "hs_object_source_label",
        ];
        let source = source.iter().filter_map(|name| table.catalog.find(name));
        wanted.properties.extend(source);
        wanted
    }

    pub fn with_associations(mut self, kinds: Vec<ObjectKind>) -> Self {
        self.associations = kinds;
        self
    }

    fn with_system(mut self, table: &Table) -> Self {
        let kind = table.kind;
        let system = [
            kind.created_property(),
            kind.modified_property(),
            "hs_object_id",
        ];
        let system = system.iter().filter_map(|name| table.catalog.find(name));
        self.properties.extend(system);
        self
    }
}

impl State {
    pub fn record_json(&self, table: &Table, record: &Record, wanted: &Wanted) -> Json {
        let mut properties = Map::new();
        for id in &wanted.properties {
            let name = &table.catalog.get(*id).name;
            if self.hides_property(table.kind, name) || self.lost_property(table.kind, name) {
                continue;
            }
            let text = self.text(table, record, *id);
            let value = if text.is_empty() {
                Json::Null
            } else {
                Json::String(text.into_owned())
            };
            properties.insert(table.catalog.get(*id).name.to_string(), value);
        }
        let id = record.id.to_string();
        let url = format!(
            "https://app.hubspot.com/contacts/{}/record/{}/{id}",
            self.portal_id,
            table.kind.type_id()
        );
        let mut body = json!({"id": id, "properties": properties, "url": url,
            "createdAt": stamp(record.created), "updatedAt": stamp(record.modified),
            "archived": !record.is_live()});
        if let Some(at) = record.archived {
            body["archivedAt"] = json!(stamp(at));
        }
        if !wanted.history.is_empty() {
            body["propertiesWithHistory"] = self.history_json(table, record, &wanted.history);
        }
        let associations = self.associations_json(table.kind, record.id, &wanted.associations);
        if !associations.is_empty() {
            body["associations"] = Json::Object(associations);
        }
        body
    }

    fn history_json(&self, table: &Table, record: &Record, wanted: &[PropertyId]) -> Json {
        let mut body = Map::new();
        for id in wanted {
            let entries: Vec<Json> = record
                .history(*id)
                .map(|entry| {
                    let mut body = json!({"value": &*entry.text, "timestamp": stamp(entry.at),
                        "sourceType": entry.source.wire_type(), "sourceId": entry.source.id(),
                        "sourceLabel": entry.source.label()});
                    if let Some(user) = entry.source.user() {
                        body["updatedByUserId"] = json!(user);
                    }
                    body
                })
                .collect();
            body.insert(
                table.catalog.get(*id).name.to_string(),
                Json::Array(entries),
            );
        }
        Json::Object(body)
    }

    /// The legacy form: a row per link, and an `_unlabeled` one beside it when the link has more
    /// than its plain type.
    fn associations_json(
        &self,
        from: ObjectKind,
        id: u64,
        kinds: &[ObjectKind],
    ) -> Map<String, Json> {
        const FIRST_PAGE: usize = 100;
        let mut body = Map::new();
        for to in kinds {
            let links = self.links(from, id, *to);
            if links.is_empty() {
                continue;
            }
            let name = format!("{}_to_{}", from.singular(), to.singular());
            let mut rows = Vec::new();
            for (to_id, types) in links.iter().take(FIRST_PAGE) {
                let to_id = to_id.to_string();
                rows.push(json!({"id": to_id, "type": name}));
                if types.len() > 1 {
                    rows.push(json!({"id": to_id, "type": format!("{name}_unlabeled")}));
                }
            }
            let mut page = json!({"results": rows});
            if let Some((next, _)) = links.get(FIRST_PAGE) {
                page["paging"] = json!({"next": {"after": next.to_string()}});
            }
            body.insert(to.plural().to_owned(), page);
        }
        body
    }
}
