//! Reading records by id and by key. A record that was asked for always comes back, with a
//! [`Presence`] that says what is known.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::json;

use super::auth::full_id;
use super::query::statement;
use super::wire::{self, ID, Row};
use super::{Op, Salesforce, data_path, soql};
use crate::crm::CrmError;
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
        let mut met = BTreeSet::new();
        let asked: Vec<&RecordId> = ids.iter().filter(|id| met.insert(*id)).collect();
        let mut found: BTreeMap<&RecordId, Record> = BTreeMap::new();
        let mut missing = Vec::new();
        for chunk in asked.chunks(BATCH) {
            let rows = self.retrieve_call(object, chunk, fields).await?;
            for (id, record) in chunk.iter().zip(rows) {
                match record {
                    Some(record) => drop(found.insert(*id, record)),
                    None => missing.push(*id),
                }
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

    async fn retrieve_call(
        &self,
        object: &str,
        ids: &[&RecordId],
        fields: &[String],
    ) -> Result<Vec<Option<Record>>, CrmError> {
        let object = soql::name(object)?;
        let mut names: BTreeSet<&str> = wire::state_fields(object).into_iter().collect();
        for field in fields {
            names.insert(soql::name(field)?);
        }
        let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        let body = json!({"ids": ids, "fields": names});
        let path = data_path(&["composite", "sobjects", object], &[]);
        let reply = self.with_body(RETRIEVE, Method::POST, path, &body).await?;
        let rows: Vec<Option<Row>> = reply.list()?;
        if rows.len() != ids.len() {
            return Err(reply.broken("the reply has another number of rows than were asked for"));
        }
        let mut records = Vec::with_capacity(rows.len());
        for (id, row) in ids.into_iter().zip(rows) {
            let Some(row) = row else {
                records.push(None);
                continue;
            };
            let record = wire::record(row)
                .filter(|record| same(&RecordId::new(id), &record.id))
                .ok_or_else(|| reply.broken("a row of the reply is another record"))?;
            records.push(Some(record));
        }
        Ok(records)
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
        let field = match (object, heirs) {
            ("Lead", "Contact") => wire::CONTACT,
            _ if object == heirs && wire::can_merge(object) => wire::MASTER,
            _ => return Ok(Vec::new()),
        };
        let mut pairs = Vec::new();
        for chunk in ids.chunks(IDS_IN_QUERY) {
            let literals: Vec<String> = chunk
                .iter()
                .filter_map(|id| full_id(id.as_str()))
                .map(|id| soql::string(&id))
                .collect();
            if literals.is_empty() {
                continue;
            }
            let rest = format!("WHERE {field} IN ({})", literals.join(","));
            let page = self.query_all(&statement(object, &[], &rest)?).await?;
            for record in self.with_the_rest(page).await? {
                match record.presence {
                    Presence::MergedInto(heir)
                    | Presence::Converted {
                        contact: Some(heir),
                    } => pairs.push((record.id, heir)),
                    Presence::Live
                    | Presence::Deleted
                    | Presence::Converted { contact: None }
                    | Presence::NotVisible => {}
                }
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
