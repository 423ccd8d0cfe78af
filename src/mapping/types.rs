//! A mapping as the engine reads it: every key of the file in its type.
//!
//! Data only. How it is read from a file lives in `read`, how values move in `bound`.

use std::collections::BTreeMap;

use super::expression::Expression;
use super::fault::At;
use super::poll::Poll;
use super::rule::Rule;
use crate::model::{BySide, Direction, MappingName, Revision};

#[derive(Clone, Debug)]
pub struct Mapping {
    pub name: MappingName,
    /// Hash of the effective text: comments and layout do not count.
    pub revision: Revision,
    /// The effective text, after `extends` and variables; loads by itself.
    pub text: String,
    /// Object names as the file writes them.
    pub objects: BySide<String>,
    pub direction: Direction,
    pub group: Option<String>,
    pub matches: Vec<MatchRule>,
    /// Whether records are created ON that side.
    pub create: BySide<Create>,
    /// What happens TO that side when the other side's record goes.
    pub delete: BySide<Delete>,
    pub only: BySide<Option<Expression>>,
    pub on_leave: OnLeave,
    pub poll: Poll,
    /// Field that holds the key of created records; `None` means the standard name.
    pub key: BySide<Option<String>>,
    pub create_without_key: bool,
    pub guard: Guard,
    /// Field rules, then computed fields, then associations; names are unique.
    pub rules: Vec<Rule>,
    pub(super) places: Places,
}

/// Where the parts of the mapping stand in their file, by path such as `match.0.hubspot`.
pub(super) type Places = BTreeMap<String, At>;

impl Mapping {
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// Rules that carry a reference to another mapping's records.
    pub fn associations(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.reference().is_some())
    }
}

/// Two fields whose equal values name the same person or thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchRule {
    pub hubspot: String,
    pub salesforce: String,
    pub fold: Option<Fold>,
}

/// How values are made comparable for matching; chosen by the field types when not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    Text,
    Exact,
    Email,
    Domain,
    Phone,
    Id,
}

#[derive(Clone, Debug)]
pub enum Create {
    Never,
    Always,
    /// Over the source record.
    When(Expression),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delete {
    Unlink,
    Ignore,
    Archive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLeave {
    Keep,
    Unlink,
    Archive,
}

/// How much may change at once before a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    pub deletes: Limit,
    pub unlinks: Limit,
    pub blanks: Limit,
    pub changes: Limit,
    /// No write over an edit that was not seen, for more calls.
    pub strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Five percent of the linked records, but at least 25 and at most 500.
    Auto,
    Count(u64),
    Percent(u64),
    Off,
}

impl Limit {
    /// How many records may be touched when `total` are linked; `None` for no limit.
    pub fn allowed(self, total: u64) -> Option<u64> {
        match self {
            Self::Auto => Some((total / 20).clamp(25, 500)),
            Self::Count(count) => Some(count),
            Self::Percent(percent) => Some(total.saturating_mul(percent) / 100),
            Self::Off => None,
        }
    }
}
