//! Salesforce objects whose rows tie two records together under a role.
//!
//! The one list of those that are carried, and what is asked of them. An object belongs in here if
//! a row is no more than its two records and one role: `AccountContactRelation` keeps several roles
//! in one row, and one of its rows is the contact's own account, which nobody can delete.

use super::{AssociationRead, Side, association_field};

/// A kind of tie. A row is known by its two records and its role.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Junction {
    pub object: &'static str,
    /// Two lookups, each with the object it leads to.
    pub ends: [(&'static str, &'static str); 2],
    /// The picklist that says what one is to the other.
    pub role: &'static str,
}

pub const JUNCTIONS: [Junction; 2] = [
    Junction {
        object: "OpportunityContactRole",
        ends: [("OpportunityId", "Opportunity"), ("ContactId", "Contact")],
        role: "Role",
    },
    Junction {
        object: "AccountContactRole",
        ends: [("AccountId", "Account"), ("ContactId", "Contact")],
        role: "Role",
    },
];

impl Junction {
    pub fn named(object: &str) -> Option<&'static Self> {
        JUNCTIONS.iter().find(|junction| junction.object == object)
    }

    /// For records of `object`: the lookup to them, the lookup to what they are tied to, and the
    /// object that this is.
    pub fn seen_from(&self, object: &str) -> Option<(&'static str, &'static str, &'static str)> {
        let [one, two] = self.ends;
        if one.1 == object {
            Some((one.0, two.0, two.1))
        } else {
            (two.1 == object).then_some((two.0, one.0, one.1))
        }
    }
}

/// The rows of one role, to be read along with Salesforce records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleRead {
    pub junction: &'static Junction,
    /// The lookup to the records that are read, and the one to those they are tied to.
    pub own: &'static str,
    pub far: &'static str,
    pub role: String,
}

impl RoleRead {
    /// The name under which the ids of the tied records are kept.
    pub fn field(&self) -> String {
        association_field(self.junction.object, Some(&self.role))
    }
}

/// What is read along with the records of a mapping, because it is no field of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// With HubSpot records.
    pub associations: Vec<AssociationRead>,
    /// With Salesforce records.
    pub roles: Vec<RoleRead>,
}

impl Ties {
    /// The names under which a side's records keep them.
    pub fn fields(&self, side: Side) -> Vec<String> {
        match side {
            Side::HubSpot => {
                let reads = self.associations.iter();
                reads
                    .map(|read| association_field(&read.to, read.label.as_deref()))
                    .collect()
            }
            Side::Salesforce => self.roles.iter().map(RoleRead::field).collect(),
        }
    }

    /// These and those, each once.
    pub fn and(mut self, more: Self) -> Self {
        self.associations.extend(more.associations);
        self.associations.sort();
        self.associations.dedup();
        self.roles.extend(more.roles);
        self.roles.sort();
        self.roles.dedup();
        self
    }
}
