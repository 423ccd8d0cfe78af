//! What the verification found, in words for people.

use std::fmt;

use super::doubles::Duplicate;
use super::outcome::Open;

/// One value that differs without an open reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub mapping: String,
    pub hubspot_id: String,
    pub salesforce_id: String,
    /// The rule; `(record)` when a whole record is missing.
    pub rule: String,
    pub hubspot: String,
    pub salesforce: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mapping, rule, .. } = self;
        let side = |id: &str, value: &str| match id {
            "" => value.to_owned(),
            id => format!("{id} has {value:?}"),
        };
        let ours = side(&self.hubspot_id, &self.hubspot);
        let theirs = side(&self.salesforce_id, &self.salesforce);
        write!(f, "{mapping} {rule}: HubSpot {ours}, Salesforce {theirs}")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostEdit {
    pub edit: String,
    pub why: String,
}

impl fmt::Display for LostEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.edit, self.why)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub pairs: usize,
    pub mismatches: Vec<Mismatch>,
    /// Differences that a listed hold or dead letter explains.
    pub excused: usize,
    pub duplicates: Vec<Duplicate>,
    pub lost: Vec<LostEdit>,
    /// Holds and dead letters that nothing in the seed explains.
    pub unexpected: Vec<Open>,
}

impl Findings {
    pub fn is_clean(&self) -> bool {
        self.mismatches.is_empty()
            && self.duplicates.is_empty()
            && self.lost.is_empty()
            && self.unexpected.is_empty()
    }
}
