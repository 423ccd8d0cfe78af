//! Single records: list, read, create, update, archive, merge (`hubspot.md 4`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::failure::Failure;
use super::super::kind::ObjectKind;
use super::super::record::Source;
use super::super::render::Wanted;
use super::super::state::State;
use super::super::value::text_of;
use super::super::write::Draft;
use super::{Call, Reply};

const MAX_PAGE: usize = 100;
const MAX_PAGE_WITH_HISTORY: usize = 50;

/// Properties as a body sends them; `null` leaves a property as it is.
pub(super) type SentProperties = BTreeMap<String, Json>;

pub(super) fn texts(sent: &SentProperties) -> BTreeMap<String, String> {
    sent.iter()
        .filter_map(|(name, value)| Some((name.clone(), text_of(value)?)))
        .collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SentLink {
    to: SentId,
    types: Vec<SentType>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SentId {
    pub id: Json,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SentType {
    pub association_category: String,
    pub association_type_id: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CreateBody {
    properties: SentProperties,
    associations: Vec<SentLink>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UpdateBody {
    properties: SentProperties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MergeBody {
    primary_object_id: Json,
    object_id_to_merge: Json,
}

/// A link that a create asks for, checked.
pub(super) type PlannedLink = (ObjectKind, u64, u32);

impl State {
    pub(super) fn list(&self, kind: ObjectKind, call: &Call) -> Result<Reply, Failure> {
        let history = call.list_param("propertiesWithHistory");
        let max = if history.is_empty() {
            MAX_PAGE
        } else {
            MAX_PAGE_WITH_HISTORY
        };
        let limit = call.limit(10, max)?;
        let after = match call.param("after").filter(|text| !text.is_empty()) {
            None => 0,
            Some(text) => text.parse().map_err(|_| {
                Failure::validation(format!("after is not a cursor of this list: \"{text}\""))
            })?,
        };
        let archived = call.flag("archived");
        let table = self.table(kind);
        let wanted = self.wanted(kind, call)?;
        let shown = |id| !self.hides(kind, id);
        let mut rows = table
            .from(after)
            .filter(|r| r.is_live() != archived && shown(r.id));
        let page: Vec<Json> = rows
            .by_ref()
            .take(limit)
            .map(|record| self.record_json(table, record, &wanted))
            .collect();
        let mut body = super::listed(page);
        if let Some(next) = rows.next() {
            let after = next.id.to_string();
            let link = format!(
                "https://api.hubapi.com{}?limit={limit}&after={after}",
                call.path
            );
            body["paging"] = json!({"next": {"after": after, "link": link}});
        }
        Ok(Reply::ok(body))
    }

    fn wanted(&self, kind: ObjectKind, call: &Call) -> Result<Wanted, Failure> {
        let names = call.list_param("properties");
        let history = call.list_param("propertiesWithHistory");
        let kinds = call.list_param("associations");
        let kinds = kinds.iter().map(|name| self.kind(name));
        let wanted = Wanted::of(self.table(kind), &names, &history);
        Ok(wanted.with_associations(kinds.collect::<Result<_, _>>()?))
    }

    pub(super) fn read(&self, kind: ObjectKind, id: &str, call: &Call) -> Result<Reply, Failure> {
        let table = self.table(kind);
        let wanted = self.wanted(kind, call)?;
        let id_property = call.param("idProperty");
        if call.flag("archived") {
            let found = id
                .parse()
                .ok()
                .and_then(|id| table.get(id))
                .filter(|r| !r.is_live());
            let record = found.ok_or_else(Failure::not_found)?;
            return Ok(Reply::ok(self.record_json(table, record, &wanted)));
        }
        let id = self.must_locate(kind, id, id_property)?;
        let record = table.live(id).ok_or_else(Failure::not_found)?;
        Ok(Reply::ok(self.record_json(table, record, &wanted)))
    }

    fn must_locate(
        &self,
        kind: ObjectKind,
        id: &str,
        id_property: Option<&str>,
    ) -> Result<u64, Failure> {
        if id_property.is_none() && id.parse::<u64>().is_err() {
            return Err(Failure::not_an_id(id));
        }
        self.locate(kind, id, id_property)?
            .filter(|id| !self.hides(kind, *id))
            .ok_or_else(Failure::not_found)
    }

    pub(super) fn create(&mut self, kind: ObjectKind, call: &Call) -> Result<Reply, Failure> {
        let body: CreateBody = call.json()?;
        let links = self.plan_links(kind, &body.associations)?;
        let draft = self.draft(kind, None, &texts(&body.properties), Source::Integration)?;
        let id = self.create_from(kind, &draft, &links);
        let json = self.created_json(kind, id);
        let location = format!("https://api.hubapi.com{}/{id}", call.path);
        let mut reply = Reply::json(201, json);
        reply.headers.push(("location", location));
        Ok(reply)
    }

    /// Applies a checked create, counts it and marks it for the write hook.
    pub(super) fn create_from(
        &mut self,
        kind: ObjectKind,
        draft: &Draft,
        links: &[PlannedLink],
    ) -> u64 {
        let draft = self.mangle(kind, None, draft);
        let id = self.create_record(kind, &draft, Source::Integration);
        for (to, to_id, type_id) in links {
            let (from, to) = ((kind, id), (*to, *to_id));
            self.relate(from, to, Source::Integration, |all| {
                all.add(from, to, &[*type_id]);
            });
        }
        self.log.counters.records_created += 1;
        self.log.counters.associations_written += links.len() as u64;
        self.written.push((kind, id));
        id
    }

    /// Applies a checked update, counts it and marks it for the write hook.
    pub(super) fn update_from(&mut self, kind: ObjectKind, id: u64, draft: &Draft) {
        let saved = self.mangle(kind, Some(id), draft);
        // A write that a fault swallows is the fault's doing, not a pointless write.
        let swallowed = saved.changes.len() < draft.changes.len();
        if self.update_record(kind, id, &saved, Source::Integration) || swallowed {
            self.log.counters.records_updated += 1;
        } else {
            self.log.counters.noop_updates += 1;
        }
        self.edit_after(kind, id, draft);
        self.written.push((kind, id));
    }

    pub(super) fn created_json(&self, kind: ObjectKind, id: u64) -> Json {
        let table = self.table(kind);
        table.live(id).map_or(Json::Null, |record| {
            self.record_json(table, record, &Wanted::created(table, record))
        })
    }

    pub(super) fn updated_json(&self, kind: ObjectKind, id: u64, sent: &SentProperties) -> Json {
        let table = self.table(kind);
        let names = sent.keys();
        let ids = names.filter_map(|name| table.catalog.find(&name.to_ascii_lowercase()));
        let wanted = Wanted::written(table, ids);
        table.live(id).map_or(Json::Null, |record| {
            self.record_json(table, record, &wanted)
        })
    }

    /// Checks the inline associations of a create.
    pub(super) fn plan_links(
        &self,
        from: ObjectKind,
        sent: &[SentLink],
    ) -> Result<Vec<PlannedLink>, Failure> {
        let mut links = Vec::new();
        for link in sent {
            let text = text_of(&link.to.id).unwrap_or_default();
            for one in &link.types {
                let book = &self.associations.types;
                let known = book.by_id(one.association_type_id);
                let to = ObjectKind::ALL
                    .into_iter()
                    .find_map(|to| book.find(from, to, one.association_type_id));
                let Some(to) = to.filter(|t| t.category() == one.association_category) else {
                    let expected = known.map_or("unknown", |t| t.from.type_id());
                    return Err(Failure::validation(format!(
                        "invalid from object type {} for associations to be created. expected: \
                         {expected}",
                        from.type_id()
                    )));
                };
                let Some(id) = self.locate(to.to, &text, None)? else {
                    let mut failure = Failure::coded(
                        "INVALID_OBJECT_IDS",
                        "One or more associations are invalid",
                    );
                    failure.context.insert("INVALID_OBJECT_IDS", vec![text]);
                    return Err(failure);
                };
                links.push((to.to, id, to.id));
            }
        }
        Ok(links)
    }

    pub(super) fn update(
        &mut self,
        kind: ObjectKind,
        id: &str,
        call: &Call,
    ) -> Result<Reply, Failure> {
        let body: UpdateBody = call.json()?;
        let id = self.must_locate(kind, id, call.param("idProperty"))?;
        let sent = texts(&body.properties);
        self.row_fault(kind, &id.to_string(), &sent, false)?;
        let draft = self.draft(kind, Some(id), &sent, Source::Integration)?;
        self.update_from(kind, id, &draft);
        Ok(Reply::ok(self.updated_json(kind, id, &body.properties)))
    }

    pub(super) fn archive(&mut self, kind: ObjectKind, id: &str) -> Result<Reply, Failure> {
        let number: u64 = id.parse().map_err(|_| Failure::not_an_id(id))?;
        let number = self.table(kind).resolve(number);
        if self.table(kind).get(number).is_none() {
            return Err(Failure::not_found());
        }
        self.archive_from(kind, number);
        Ok(Reply::nothing())
    }

    pub(super) fn archive_from(&mut self, kind: ObjectKind, id: u64) {
        if self.archive_record(kind, id, Source::Integration) {
            self.log.counters.records_archived += 1;
            self.written.push((kind, id));
        }
    }

    pub(super) fn merge(&mut self, kind: ObjectKind, call: &Call) -> Result<Reply, Failure> {
        let body: MergeBody = call.json()?;
        let id = |value: &Json| {
            let text = text_of(value).unwrap_or_default();
            text.parse::<u64>().map_err(|_| Failure::not_an_id(&text))
        };
        let (primary, other) = (id(&body.primary_object_id)?, id(&body.object_id_to_merge)?);
        let id = self.merge_records(kind, primary, other, Source::Integration)?;
        self.log.counters.records_merged += 1;
        self.written.push((kind, id));
        Ok(Reply::ok(self.created_json(kind, id)))
    }
}
