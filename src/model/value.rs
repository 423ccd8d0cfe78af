//! Values: as a CRM holds them ([`Raw`]) and as they are compared ([`Value`]).
//!
//! How one becomes the other depends on the field's type and lives in `mapping`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{LinkId, Timestamp};

/// One field exactly as the CRM gave it. HubSpot knows only text and null.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Raw {
    #[default]
    Null,
    Text(String),
    /// A JSON number in its own digits, so that no money passes through a float.
    Number(String),
    Bool(bool),
}

impl Raw {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Null and the empty string are the same blank on both platforms.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::Number(_) | Self::Bool(_) => false,
        }
    }

    /// The text a person would read; `None` when blank.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            Self::Number(digits) => Some(digits),
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Null | Self::Text(_) => None,
        }
    }
}

/// Raw fields by name; a name that is absent was not read, which is not the same as blank.
pub type Fields = BTreeMap<String, Raw>;

/// A value in the canonical form of one side: equal values mean the same thing there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    #[default]
    Null,
    Text(String),
    Bool(bool),
    /// Normalised: no trailing zeros beyond the field's scale.
    Number(Decimal),
    Date(NaiveDate),
    Time(Timestamp),
    Set(BTreeSet<String>),
    Money {
        amount: Decimal,
        currency: String,
    },
    /// A reference to a linked record, by link so that it survives a change of record id.
    Link(LinkId),
    Links(BTreeSet<LinkId>),
    /// Several fields that move as one value, in the order the rule names them.
    Several(Vec<Value>),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The values that move as one; a single value is its own only part.
    pub fn parts(&self) -> &[Self] {
        if let Self::Several(parts) = self {
            parts
        } else {
            std::slice::from_ref(self)
        }
    }

    /// Nothing is there: null, an empty set, or several fields that are all blank.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Set(set) => set.is_empty(),
            Self::Links(links) => links.is_empty(),
            Self::Several(values) => values.iter().all(Self::is_blank),
            Self::Text(text) => text.is_empty(),
            Self::Bool(_) | Self::Number(_) | Self::Date(_) | Self::Time(_) => false,
            Self::Money { .. } | Self::Link(_) => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("(blank)"),
            Self::Text(text) => f.write_str(text),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Date(date) => write!(f, "{date}"),
            Self::Time(at) => write!(f, "{at}"),
            Self::Money { amount, currency } => write!(f, "{amount} {currency}"),
            Self::Link(link) => write!(f, "{link}"),
            Self::Set(set) => f.write_str(&set.iter().cloned().collect::<Vec<_>>().join(";")),
            Self::Links(links) => {
                let names: Vec<&str> = links.iter().map(LinkId::as_str).collect();
                f.write_str(&names.join(";"))
            }
            Self::Several(values) => {
                let parts: Vec<String> = values.iter().map(ToString::to_string).collect();
                f.write_str(&parts.join(" / "))
            }
        }
    }
}
