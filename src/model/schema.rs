//! What a CRM says about its objects: fields, types, permissions, pipelines, owners.
//!
//! Plain data: clients produce it, `mapping` checks files against it and canonicalises by it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BySide, RecordId};

/// Both sides' schemas for the objects that the mappings name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schemas {
    /// By object name as the mapping file writes it.
    pub objects: BySide<BTreeMap<String, ObjectSchema>>,
    pub owners: BySide<Vec<Owner>>,
    /// The HubSpot portal id and the Salesforce organization id.
    pub accounts: BySide<String>,
    /// The association labels of HubSpot, by the objects they lead from and to; only pairs for
    /// which a mapping names a label.
    pub labels: BTreeMap<(String, String), Vec<String>>,
    /// ISO code used when a record has no currency of its own.
    pub currency: BySide<Option<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectSchema {
    /// The name the platform uses, e.g. `contacts`, `2-1234567`, `Contact`, `Subscription__c`.
    pub name: String,
    pub fields: BTreeMap<String, FieldSchema>,
    /// HubSpot pipelines; empty elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pipelines: Vec<Pipeline>,
    /// Salesforce record types; empty elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub record_types: Vec<RecordType>,
    #[serde(skip_serializing_if = "Barred::is_none")]
    pub barred: Barred,
}

/// What the connection may not do to an object's records: for each, what it lacks, in words. `None`
/// also where the platform does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Barred {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creates: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updates: Option<String>,
}

impl Barred {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldSchema {
    pub name: String,
    pub label: String,
    pub kind: FieldKind,
    /// May be written when a record is created or updated, by the connected user.
    #[serde(default, skip_serializing_if = "is_no")]
    pub createable: bool,
    #[serde(default, skip_serializing_if = "is_no")]
    pub updateable: bool,
    /// A create without it is refused and no default steps in.
    #[serde(default, skip_serializing_if = "is_no")]
    pub required: bool,
    #[serde(default, skip_serializing_if = "is_no")]
    pub unique: bool,
    /// May serve as an upsert key.
    #[serde(default, skip_serializing_if = "is_no")]
    pub external_id: bool,
    /// Computed by the platform: changes may move no stamp, writes are refused.
    #[serde(default, skip_serializing_if = "is_no")]
    pub calculated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// Length limit in characters, when there is one.
    Text {
        length: Option<u32>,
    },
    Email,
    Phone,
    Url,
    /// Digits after the point, when the platform fixes them.
    Number {
        scale: Option<u32>,
    },
    Money {
        scale: Option<u32>,
    },
    Integer,
    Bool,
    Date,
    DateTime,
    /// `restricted`: values that are not options are refused.
    Picklist {
        options: Vec<PickOption>,
        restricted: bool,
    },
    MultiPicklist {
        options: Vec<PickOption>,
        restricted: bool,
    },
    /// Names of the objects it may point to.
    Reference {
        to: Vec<String>,
    },
    /// The owner of the record: a HubSpot owner id or a Salesforce user id.
    Owner,
    Id,
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickOption {
    pub value: String,
    pub label: String,
    pub active: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    pub id: String,
    pub label: String,
    pub stages: Vec<PickOption>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordType {
    pub id: RecordId,
    pub developer_name: String,
    pub active: bool,
}

/// Someone who may own records: a HubSpot owner or a Salesforce user or queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub id: RecordId,
    pub email: Option<String>,
    pub name: String,
    pub active: bool,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out a reference"
)]
fn is_no(flag: &bool) -> bool {
    !flag
}
