//! Records as read from a CRM, and the keys that name them.

use super::{Fields, MappingName, RecordId, Side, Timestamp};

/// A record under one mapping: what marks, aliases and tombstones are keyed by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    pub mapping: MappingName,
    pub side: Side,
    pub id: RecordId,
}

/// A CRM record: the fields that were asked for, as read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub id: RecordId,
    /// Associations appear as fields too, under the name [`association_field`] gives them.
    pub fields: Fields,
    /// The side's own last-modified time; for display and for `newest`, never for deciding work.
    pub modified_at: Option<Timestamp>,
    pub created_at: Option<Timestamp>,
    pub presence: Presence,
}

/// Whether a record is there, and if not, what is known about why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    Live,
    /// Positive proof of deletion: HubSpot's archived list, Salesforce's `IsDeleted`.
    Deleted,
    /// The record now lives on under another id: a merge, or an id that resolves to a new one.
    MergedInto(RecordId),
    /// A Lead that was converted; the Contact it became, when the platform names one.
    Converted {
        contact: Option<RecordId>,
    },
    /// Asked for by id and not returned, with no proof of deletion.
    NotVisible,
}

/// The name under which an association is kept among a record's fields, e.g.
/// `companies/primary` for HubSpot and `OpportunityContactRole/Decision Maker` for Salesforce.
/// A Salesforce lookup keeps its own field name. Several ids are joined with `;`, sorted.
pub fn association_field(object: &str, label: Option<&str>) -> String {
    format!("{object}/{}", label.unwrap_or(""))
}

/// An association to read along with HubSpot records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssociationRead {
    /// The object at the other end.
    pub to: String,
    /// `primary`, a label, or any association.
    pub label: Option<String>,
}
