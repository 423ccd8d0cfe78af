//! The two sides of a workspace, and a pair with one value for each.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    HubSpot,
    Salesforce,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::HubSpot, Self::Salesforce];

    pub const fn other(self) -> Self {
        match self {
            Self::HubSpot => Self::Salesforce,
            Self::Salesforce => Self::HubSpot,
        }
    }

    /// The word used in files, rows and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HubSpot => "hubspot",
            Self::Salesforce => "salesforce",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|side| side.as_str() == text)
    }

    /// The name as people write it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::HubSpot => "HubSpot",
            Self::Salesforce => "Salesforce",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One value for each side.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct BySide<T> {
    pub hubspot: T,
    pub salesforce: T,
}

impl<T> BySide<T> {
    pub fn new(hubspot: T, salesforce: T) -> Self {
        Self {
            hubspot,
            salesforce,
        }
    }

    pub fn from_fn(mut make: impl FnMut(Side) -> T) -> Self {
        Self {
            hubspot: make(Side::HubSpot),
            salesforce: make(Side::Salesforce),
        }
    }

    pub fn get(&self, side: Side) -> &T {
        match side {
            Side::HubSpot => &self.hubspot,
            Side::Salesforce => &self.salesforce,
        }
    }

    pub fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::HubSpot => &mut self.hubspot,
            Side::Salesforce => &mut self.salesforce,
        }
    }

    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> BySide<U> {
        BySide {
            hubspot: change(self.hubspot),
            salesforce: change(self.salesforce),
        }
    }

    pub fn as_ref(&self) -> BySide<&T> {
        BySide {
            hubspot: &self.hubspot,
            salesforce: &self.salesforce,
        }
    }
}
