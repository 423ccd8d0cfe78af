//! A rule: fields on both sides that move as one value, and how the value is converted.
//!
//! Data only, as read from the file; nothing here has seen a schema.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::expression::Expression;
use super::fault::At;
use crate::model::{BySide, Direction, MappingName, Policy, Side, Value};

#[derive(Clone, Debug)]
pub struct Rule {
    pub name: String,
    /// Hash of everything that gives the rule its meaning; another hash is first contact.
    pub hash: String,
    /// Raw field names by side: those that are written, then those a conversion only reads.
    /// An association has one pseudo field per side, see `model::association_field`.
    pub sides: BySide<Vec<String>>,
    pub policy: Policy,
    /// Used where the source is blank and the destination needs a value; reads back as blank.
    pub default: Option<String>,
    pub shape: Shape,
    pub(super) written: BySide<usize>,
    /// The written fields as the file spells them, e.g. `RecordType.DeveloperName`.
    pub(super) spelled: BySide<Vec<String>>,
    pub(super) at: At,
    /// Where the written fields stand in the file; the rule's own place where they do not.
    pub(super) fields_at: BySide<Vec<At>>,
}

impl Rule {
    pub(super) fn at_field(&self, side: Side, index: usize) -> &At {
        self.fields_at.get(side).get(index).unwrap_or(&self.at)
    }

    /// The fields a write to this side may touch.
    pub fn writes(&self, side: Side) -> &[String] {
        let fields = self.sides.get(side);
        &fields[..(*self.written.get(side)).min(fields.len())]
    }

    pub fn reference(&self) -> Option<&Reference> {
        match &self.shape {
            Shape::Reference(reference) => Some(reference),
            Shape::Fields(_)
            | Shape::Table(_)
            | Shape::Money(_)
            | Shape::FullName
            | Shape::Owner(_)
            | Shape::Computed(_) => None,
        }
    }

    /// Whether the rule is about a set of references.
    pub fn is_set(&self) -> bool {
        self.reference().is_some_and(Reference::is_set)
    }
}

#[derive(Clone, Debug)]
pub enum Shape {
    /// One field per side, or several pairs that move together.
    Fields(FieldRule),
    Table(Table),
    Money(MoneyRule),
    /// One full name on a side, first and last name on the other.
    FullName,
    Owner(OwnerRule),
    Reference(Reference),
    Computed(Computed),
}

#[derive(Clone, Debug, Default)]
pub struct FieldRule {
    pub conversion: Option<Conversion>,
    pub values: Option<Values>,
    pub otherwise: Otherwise,
}

/// The named conversions of `as:` that work on one field.
#[derive(Clone, Debug)]
pub enum Conversion {
    Text,
    Email,
    /// With the country of numbers written without one.
    Phone(Option<Country>),
    /// The calendar day of a moment, in this zone.
    Date(Tz),
    /// The bare host name of a web address.
    Domain,
}

/// How the country of a phone number is found, on either side's record.
#[derive(Clone, Debug)]
pub struct Country {
    pub expression: Expression,
    /// The field that stands for each variable on a side; a variable without one is blank there.
    pub fields: BySide<BTreeMap<String, String>>,
}

/// Value by value, in both directions; only texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// What is written TO that side, by the other side's value.
    pub to: BySide<BTreeMap<String, String>>,
}

/// What becomes of a value without a counterpart, by the side it would be written to.
pub type Otherwise = BySide<Unmatched>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unmatched {
    /// The rule is held until the value or the table changes.
    #[default]
    Hold,
    /// Counts as blank on the other side.
    Drop,
    /// This text, or these texts for several fields.
    Literal(Vec<String>),
}

/// Rows of values that belong together.
#[derive(Clone, Debug)]
pub struct Table {
    pub rows: Vec<Row>,
    pub otherwise: Otherwise,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub cells: BySide<Vec<Cell>>,
    pub direction: Direction,
}

/// One value of a row; `None` is blank.
#[derive(Clone, Debug)]
pub struct Cell {
    pub text: Option<String>,
    pub(super) at: At,
}

impl Cell {
    pub fn value(&self) -> Value {
        self.text.as_ref().map_or(Value::Null, Value::text)
    }
}

/// An amount and its currency; a side with one field is in that account's own currency.
#[derive(Clone, Debug)]
pub struct MoneyRule {
    pub otherwise: Otherwise,
}

#[derive(Clone, Debug)]
pub struct OwnerRule {
    pub chain: Vec<Chain>,
    /// HubSpot owner and Salesforce user, each by e-mail, id or name.
    pub table: Vec<(String, String)>,
}

/// One step in finding an owner's counterpart; the first that yields an active one decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    Table,
    Email,
    /// Leave the destination's owner as it is.
    Keep,
    /// The owner with this e-mail; never travels back.
    Fallback(String),
}

/// An association on HubSpot and a lookup or a junction record on Salesforce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The mapping under which the records referred to are linked.
    pub mapping: MappingName,
    pub hubspot: ReferenceEnd,
    pub salesforce: ReferenceEnd,
    /// The record is not written before its parent is linked.
    pub required: bool,
}

impl Reference {
    /// The HubSpot object it leads to and the label it needs there.
    pub fn label(&self) -> Option<(&str, &str)> {
        match &self.hubspot {
            ReferenceEnd::Association { object, label } => Some((object, label.as_deref()?)),
            ReferenceEnd::Lookup { .. } | ReferenceEnd::Junction { .. } => None,
        }
    }

    /// The Salesforce object whose rows tie both together.
    pub fn junction(&self) -> Option<&str> {
        match &self.salesforce {
            ReferenceEnd::Junction { object, .. } => Some(object),
            ReferenceEnd::Association { .. } | ReferenceEnd::Lookup { .. } => None,
        }
    }

    /// Several records at once, which merge one by one; a lookup holds a single one.
    pub fn is_set(&self) -> bool {
        self.junction().is_some()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceEnd {
    /// `label`: `primary`, a label of the portal, or none for any association.
    Association {
        object: String,
        label: Option<String>,
    },
    Lookup {
        field: String,
    },
    /// Rows of `object` with this role tie the two together, see `model::Junction`.
    Junction {
        object: String,
        role: String,
    },
}

#[derive(Clone, Debug)]
pub struct Computed {
    pub to: Side,
    pub value: Expression,
}
