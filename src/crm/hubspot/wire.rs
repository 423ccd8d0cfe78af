//! The shapes of HubSpot's replies. Every part may be missing, and unknown parts are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::crm::json::{Bounded, Lenient, Scalar, list, listed};
use crate::model::{Fields, Presence, Raw, Record, RecordId, Timestamp};

/// The property that holds a record's own id on every object.
pub(super) const ID: &str = "hs_object_id";
/// Old ids of a record that swallowed others, separated by semicolons.
pub(super) const MERGED: &str = "hs_merged_object_ids";

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Object {
    pub id: Lenient,
    #[serde(deserialize_with = "or_default")]
    pub properties: BTreeMap<String, Scalar>,
    #[serde(deserialize_with = "or_default")]
    pub properties_with_history: BTreeMap<String, Bounded<Version>>,
    pub created_at: Lenient,
    pub updated_at: Lenient,
    pub archived: Option<bool>,
    pub archived_at: Lenient,
    pub object_write_trace_id: Lenient,
    pub new: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Version {
    pub value: Option<Scalar>,
    pub timestamp: Lenient,
    pub source_type: Lenient,
    pub source_id: Lenient,
    pub updated_by_user_id: Lenient,
}

/// A list, a search or a batch: the parts they share.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Many<T: for<'a> Deserialize<'a>> {
    /// Absent is not the same as empty: a reply without it is no answer.
    #[serde(bound = "", deserialize_with = "list")]
    pub results: Option<Vec<T>>,
    #[serde(deserialize_with = "listed")]
    pub errors: Vec<Value>,
    #[serde(deserialize_with = "or_default")]
    pub paging: Paging,
    pub total: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Paging {
    #[serde(deserialize_with = "or_default")]
    pub next: Next,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    pub after: Lenient,
}

/// `null` where a list or an object was agreed counts as absent.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl Object {
    /// `None` without an id: such a row cannot be told from others.
    pub(super) fn record(self, stamp_property: Option<&str>) -> Option<Record> {
        let id = RecordId::new(self.id.0?);
        let mut fields: Fields = self
            .properties
            .into_iter()
            .filter_map(|(name, value)| Some((name, as_text(value)?)))
            .collect();
        fields.insert(ID.to_owned(), Raw::text(id.as_str()));
        let stamped = stamp_property
            .and_then(|name| fields.get(name)?.as_text())
            .and_then(stamp);
        let archived = self.archived == Some(true);
        let gone_at = self.archived_at.0.as_deref().and_then(stamp);
        let updated_at = self.updated_at.0.as_deref().and_then(stamp);
        Some(Record {
            id,
            fields,
            modified_at: stamped.or(gone_at.filter(|_| archived).max(updated_at)),
            created_at: self.created_at.0.as_deref().and_then(stamp),
            presence: if archived {
                Presence::Deleted
            } else {
                Presence::Live
            },
        })
    }
}

/// HubSpot's values are text or null whatever JSON type a reply uses. What is no scalar was not
/// read, which is not the same as blank.
pub(super) fn as_text(value: Scalar) -> Option<Raw> {
    Some(match value.0? {
        Raw::Text(text) | Raw::Number(text) => Raw::Text(text),
        Raw::Bool(truth) => Raw::Text(truth.to_string()),
        Raw::Null => Raw::Null,
    })
}

/// The text HubSpot expects for a value: blank clears, everything else is its own text.
pub(super) fn to_text(raw: &Raw) -> &str {
    raw.as_text().unwrap_or_default()
}

/// ISO 8601, or milliseconds since 1970.
pub(super) fn stamp(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|| {
        let millis = text.parse::<i64>().ok()?;
        // Beyond the year 9999 it is no time, and would overflow as microseconds.
        (millis.unsigned_abs() < 253_402_300_800_000).then(|| Timestamp::from_millis(millis))
    })
}
