//! Reading records by id and by key. A record that was asked for always comes back, with a
//! [`Presence`] that says what is known.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::json;

use super::auth::full_id;
use super::composite::Part;
use super::query::{self, statement};
use super::wire::{self, ID, Row};
use super::{Op, Salesforce, data_path, soql};
use crate::crm::CrmError;
use crate::crm::http::Reply;
use crate::model::{Presence, Raw, Record, RecordId};

const RETRIEVE: Op<'static> = Op::read("retrieve");
/// Ids of one retrieve by POST.
const BATCH: usize = 2_000;
/// Quoted ids that fit into the address of a query with room to spare.
const IDS_IN_QUERY: usize = 300;
/// Bytes of escaped literals in one `IN` list.
const LITERALS: usize = 6_000;
/// Text fields that can be asked by hold no more.
const VALUE_CHARS: usize = 255;

impl Salesforce {
    /// Any number of ids, 2,000 to a call; each comes back once, in the order of the ids. Those
    /// not returned are looked for in the recycle bin, which also knows merges.
    pub async fn retrieve(
        &self,
        object: &str,
        ids: &[RecordId],
        fields: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        let asked = unique(ids);
        let mut rows = Vec::with_capacity(asked.len());
        for chunk in asked.chunks(BATCH) {
            let part = retrieve_part(object, chunk, fields)?;
            let reply = self.ask_one(RETRIEVE, part).await?;
            rows.extend(retrieved(&reply, chunk)?);
        }
        self.with_bin(object, asked, rows).await
    }

    /// The reply to [`retrieve_question`], with what it lacks looked for in the bin.
    pub(super) async fn read_retrieve(
        &self,
        reply: &Reply,
        object: &str,
        ids: &[RecordId],
    ) -> Result<Vec<Record>, CrmError> {
        let asked = unique(ids);
        let rows = retrieved(reply, &asked)?;
        self.with_bin(object, asked, rows).await
    }

    async fn with_bin(
        &self,
        object: &str,
        asked: Vec<&RecordId>,
        rows: Vec<Option<Record>>,
    ) -> Result<Vec<Record>, CrmError> {
        let mut found: BTreeMap<&RecordId, Record> = BTreeMap::new();
        let mut missing = Vec::new();
        for (id, record) in asked.iter().zip(rows) {
            match record {
                Some(record) => drop(found.insert(*id, record)),
                None => missing.push(*id),
            }
        }
        for record in self.in_bin(object, &missing).await? {
            let id = missing.iter().find(|id| same(id, &record.id));
            if let Some(id) = id {
                found.insert(*id, record);
            }
        }
        Ok(asked
            .into_iter()
            .map(|id| found.remove(id).unwrap_or_else(|| not_visible(id)))
            .collect())
    }

    /// Deleted and merged ones among the ids; what is not even in the bin is absent.
    async fn in_bin(&self, object: &str, ids: &[&RecordId]) -> Result<Vec<Record>, CrmError> {
        let mut records = Vec::new();
        for chunk in ids.chunks(IDS_IN_QUERY) {
            // Text that is no id would fail the whole query, and cannot be in the bin.
            let literals: Vec<String> = chunk
                .iter()
                .filter_map(|id| full_id(id.as_str()))
                .map(|id| soql::string(&id))
                .collect();
            if literals.is_empty() {
                continue;
            }
            let rest = format!("WHERE {ID} IN ({})", literals.join(","));
            let page = self.query_all(&statement(object, &[], &rest)?).await?;
            records.extend(self.with_the_rest(page).await?);
        }
        // A live row here was hidden from the retrieve or came back meanwhile; it proves nothing.
        records.retain(|record| record.presence != Presence::Live);
        Ok(records)
    }

    /// Which records of an object live on as one of `ids`, which are records of `heirs`: losers of
    /// merges, or Leads that were converted into these Contacts. Each comes with the id it became.
    pub async fn became(
        &self,
        object: &str,
        heirs: &str,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, RecordId)>, CrmError> {
        let mut pairs = Vec::new();
        for chunk in ids.chunks(IDS_IN_QUERY) {
            if let Some(soql) = became_query(object, heirs, chunk)? {
                let page = self.query_all(&soql).await?;
                pairs.extend(became(self.with_the_rest(page).await?));
            }
        }
        Ok(pairs)
    }

    /// Live records whose `field` holds one of the values, as Salesforce compares them: mostly
    /// without regard to case. Values that match nothing are absent from the answer.
    pub async fn find_by(
        &self,
        object: &str,
        field: &str,
        values: &[String],
        fields: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        self.select_by(object, field, values, fields, false).await
    }

    /// The same in the recycle bin, which also knows what was merged.
    pub async fn deleted_by(
        &self,
        object: &str,
        field: &str,
        values: &[String],
        fields: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        self.select_by(object, field, values, fields, true).await
    }

    async fn select_by(
        &self,
        object: &str,
        field: &str,
        values: &[String],
        fields: &[String],
        deleted: bool,
    ) -> Result<Vec<Record>, CrmError> {
        let key = soql::name(field)?;
        let mut wanted = fields.to_vec();
        wanted.push(field.to_owned());
        let (verb, only) = match deleted {
            true => ("queryAll", " AND IsDeleted = TRUE"),
            false => ("query", ""),
        };
        let mut records = Vec::new();
        for literals in literal_lists(values) {
            let rest = format!("WHERE {key} IN ({literals}){only}");
            let page = self.select(verb, object, &wanted, &rest).await?;
            records.extend(self.with_the_rest(page).await?);
        }
        Ok(records)
    }
}

/// Each id once, in their order.
fn unique(ids: &[RecordId]) -> Vec<&RecordId> {
    let mut met = BTreeSet::new();
    ids.iter().filter(|id| met.insert(*id)).collect()
}

/// A retrieve that one call answers; `None` for more ids than that, or none.
pub(super) fn retrieve_question(object: &str, ids: &[RecordId], fields: &[String]) -> Option<Part> {
    let asked = unique(ids);
    let one_call = (1..=BATCH).contains(&asked.len());
    one_call.then(|| retrieve_part(object, &asked, fields).ok())?
}

fn retrieve_part(object: &str, ids: &[&RecordId], fields: &[String]) -> Result<Part, CrmError> {
    let object = soql::name(object)?;
    let mut names: BTreeSet<&str> = wire::state_fields(object).into_iter().collect();
    for field in fields {
        names.insert(soql::name(field)?);
    }
    let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    let path = data_path(&["composite", "sobjects", object], &[]);
    Part::with_body(Method::POST, path, &json!({"ids": ids, "fields": names}))
}

fn retrieved(reply: &Reply, ids: &[&RecordId]) -> Result<Vec<Option<Record>>, CrmError> {
    let rows: Vec<Option<Row>> = reply.list()?;
    if rows.len() != ids.len() {
        return Err(reply.broken("the reply has another number of rows than were asked for"));
    }
    let mut records = Vec::with_capacity(rows.len());
    for (id, row) in ids.iter().zip(rows) {
        let Some(row) = row else {
            records.push(None);
            continue;
        };
        let record = wire::record(row)
            .filter(|record| same(id, &record.id))
            .ok_or_else(|| reply.broken("a row of the reply is another record"))?;
        records.push(Some(record));
    }
    Ok(records)
}

/// A question after the losers of merges that one call answers; `None` when there is nothing to
/// ask, or more than that.
pub(super) fn became_question(object: &str, heirs: &str, ids: &[RecordId]) -> Option<Part> {
    let one_call = ids.len() <= IDS_IN_QUERY;
    let soql = one_call.then(|| became_query(object, heirs, ids).ok())??;
    query::question("queryAll", soql?)
}

/// `None` when no record of the one object can have become one of the other, or no id is one.
fn became_query(object: &str, heirs: &str, ids: &[RecordId]) -> Result<Option<String>, CrmError> {
    let field = match (object, heirs) {
        ("Lead", "Contact") => wire::CONTACT,
        _ if object == heirs && wire::can_merge(object) => wire::MASTER,
        _ => return Ok(None),
    };
    let literals: Vec<String> = ids
        .iter()
        .filter_map(|id| full_id(id.as_str()))
        .map(|id| soql::string(&id))
        .collect();
    if literals.is_empty() {
        return Ok(None);
    }
    let rest = format!("WHERE {field} IN ({})", literals.join(","));
    Ok(Some(statement(object, &[], &rest)?))
}

/// Each record with the one that it became.
pub(super) fn became(records: Vec<Record>) -> Vec<(RecordId, RecordId)> {
    let pair = |record: Record| match record.presence {
        Presence::MergedInto(heir)
        | Presence::Converted {
            contact: Some(heir),
        } => Some((record.id, heir)),
        Presence::Live
        | Presence::Deleted
        | Presence::Converted { contact: None }
        | Presence::NotVisible => None,
    };
    records.into_iter().filter_map(pair).collect()
}

/// A look-up that one call answers; `None` when there is nothing to ask, or more than that.
pub(super) fn find_question(
    object: &str,
    field: &str,
    values: &[String],
    fields: &[String],
) -> Option<Part> {
    let lists = literal_lists(values);
    let [literals] = lists.as_slice() else {
        return None;
    };
    let key = soql::name(field).ok()?;
    let mut wanted = fields.to_vec();
    wanted.push(field.to_owned());
    let rest = format!("WHERE {key} IN ({literals})");
    query::question("query", statement(object, &wanted, &rest).ok()?)
}

/// A look at records by id and others by key that one call answers; `None` for more than that.
pub(super) fn written_question(
    object: &str,
    ids: &[RecordId],
    (key, values): (&str, &[String]),
    fields: &[String],
) -> Option<Part> {
    let lists = literal_lists(values);
    let [keys] = lists.as_slice() else {
        return None;
    };
    let key = soql::name(key).ok()?;
    let mut wanted = fields.to_vec();
    wanted.push(key.to_owned());
    let literal = |id: &&RecordId| Some(soql::string(&full_id(id.as_str())?));
    let ids: Vec<String> = unique(ids).iter().filter_map(literal).collect();
    let by_id = match ids.is_empty() {
        true => String::new(),
        false => format!("{ID} IN ({}) OR ", ids.join(",")),
    };
    let rest = format!("WHERE {by_id}{key} IN ({keys})");
    query::question("query", statement(object, &wanted, &rest).ok()?)
}

/// `IN` lists that each fit into the address of a query. A value longer than any field that can be
/// asked by matches nothing, and would have the whole query refused.
pub(super) fn literal_lists(values: &[String]) -> Vec<String> {
    let values: BTreeSet<&String> = values.iter().filter(|value| !value.is_empty()).collect();
    let short = |value: &&String| value.chars().nth(VALUE_CHARS).is_none();
    let mut lists: Vec<String> = Vec::new();
    let mut used = LITERALS;
    for value in values.into_iter().filter(short) {
        let literal = soql::string(value);
        let size = url::form_urlencoded::byte_serialize(literal.as_bytes())
            .map(str::len)
            .sum::<usize>()
            + 3;
        match lists.last_mut() {
            Some(list) if used + size <= LITERALS => {
                list.push(',');
                list.push_str(&literal);
                used += size;
            }
            Some(_) | None => {
                lists.push(literal);
                used = size;
            }
        }
    }
    lists
}

fn same(asked: &RecordId, returned: &RecordId) -> bool {
    full_id(asked.as_str()).as_deref() == Some(returned.as_str())
}

fn not_visible(id: &RecordId) -> Record {
    Record {
        id: id.clone(),
        fields: [(ID.to_owned(), Raw::text(id.as_str()))].into(),
        modified_at: None,
        created_at: None,
        presence: Presence::NotVisible,
    }
}
