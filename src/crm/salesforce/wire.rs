//! The shapes of Salesforce's replies, and how a row becomes a record.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::auth::full_id;
use crate::crm::json::{Lenient, Scalar, list, listed};
use crate::model::{Fields, Presence, Raw, Record, RecordId, Timestamp};

pub(super) const ID: &str = "Id";
pub(super) const STAMP: &str = "SystemModstamp";
pub(super) const MODIFIED: &str = "LastModifiedDate";
pub(super) const CREATED: &str = "CreatedDate";
pub(super) const DELETED: &str = "IsDeleted";
pub(super) const MASTER: &str = "MasterRecordId";
pub(super) const CONVERTED: &str = "IsConverted";
pub(super) const CONTACT: &str = "ConvertedContactId";

/// One row of a query or a retrieve; nested objects are dropped, because none is ever mapped.
pub(super) type Row = BTreeMap<String, Scalar>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Rows {
    /// Absent is not the same as empty: a reply without it is no answer.
    #[serde(deserialize_with = "list")]
    pub records: Option<Vec<Row>>,
    pub done: Option<bool>,
    pub next_records_url: Lenient,
}

/// What became of one row of a collection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Saved {
    pub id: Lenient,
    pub success: Option<bool>,
    pub created: Option<bool>,
    #[serde(deserialize_with = "listed")]
    pub errors: Vec<Value>,
}

pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Objects that can be merged, and so know the record that swallowed them.
pub(super) fn can_merge(object: &str) -> bool {
    matches!(object, "Account" | "Contact" | "Lead" | "Case")
}

/// The fields that say when a record changed and whether it is still itself.
pub(super) fn state_fields(object: &str) -> Vec<&'static str> {
    let mut names = vec![ID, STAMP, MODIFIED, CREATED, DELETED];
    if can_merge(object) {
        names.push(MASTER);
    }
    if object == "Lead" {
        names.extend([CONVERTED, CONTACT]);
    }
    names
}

/// `None` without an id: such a row cannot be told from others.
pub(super) fn record(row: Row) -> Option<Record> {
    let fields: Fields = row
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.0?)))
        .collect();
    let id = RecordId::new(full_id(fields.get(ID)?.as_text()?)?);
    let at = |name: &str| fields.get(name)?.as_text().and_then(Timestamp::parse);
    Some(Record {
        modified_at: at(MODIFIED).or_else(|| at(STAMP)),
        created_at: at(CREATED),
        presence: presence(&fields),
        id,
        fields,
    })
}

fn presence(fields: &Fields) -> Presence {
    let id = |name: &str| {
        fields
            .get(name)?
            .as_text()
            .and_then(full_id)
            .map(RecordId::new)
    };
    let is = |name: &str| fields.get(name) == Some(&Raw::Bool(true));
    if is(DELETED) {
        return id(MASTER).map_or(Presence::Deleted, Presence::MergedInto);
    }
    if is(CONVERTED) {
        return Presence::Converted {
            contact: id(CONTACT),
        };
    }
    Presence::Live
}
