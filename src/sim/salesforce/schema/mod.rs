//! What objects and fields the org has, as data; describe, validation and SOQL all read it.
//!
//! Lengths, required fields and flags follow `salesforce.md 2.2` and `10`. No rows live here.

mod business;
pub(super) mod history;
mod people;
mod rights;
mod setup;

use std::collections::BTreeMap;

/// How a field holds and checks its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Id,
    Reference,
    Text,
    TextArea,
    LongText,
    Email,
    Phone,
    Url,
    Picklist,
    MultiPicklist,
    Boolean,
    Int,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    /// Read-only compound of the fields that start with the same word.
    Address,
    /// Read-only compound of first and last name.
    PersonName,
    /// A value of whatever kind the field has that it was once in.
    Any,
}

impl Kind {
    pub fn wire(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Reference => "reference",
            Self::Text | Self::PersonName => "string",
            Self::TextArea | Self::LongText => "textarea",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Picklist => "picklist",
            Self::MultiPicklist => "multipicklist",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Double => "double",
            Self::Currency => "currency",
            Self::Percent => "percent",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Address => "address",
            Self::Any => "anyType",
        }
    }

    pub fn soap(self) -> &'static str {
        match self {
            Self::Id | Self::Reference => "tns:ID",
            Self::Boolean => "xsd:boolean",
            Self::Int => "xsd:int",
            Self::Double | Self::Currency | Self::Percent => "xsd:double",
            Self::Date => "xsd:date",
            Self::DateTime => "xsd:dateTime",
            Self::Address => "urn:address",
            Self::Any => "xsd:anyType",
            Self::Text
            | Self::PersonName
            | Self::TextArea
            | Self::LongText
            | Self::Email
            | Self::Phone
            | Self::Url
            | Self::Picklist
            | Self::MultiPicklist => "xsd:string",
        }
    }

    pub fn is_number(self) -> bool {
        matches!(
            self,
            Self::Int | Self::Double | Self::Currency | Self::Percent
        )
    }

    /// Compounds are made when read and stored nowhere.
    pub fn is_compound(self) -> bool {
        matches!(self, Self::Address | Self::PersonName)
    }

    pub fn filterable(self) -> bool {
        !matches!(self, Self::LongText | Self::Address | Self::Any)
    }
}

/// What a create fills in when the caller leaves the field out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    None,
    Text(&'static str),
    /// The acting user.
    User,
    /// The corporate currency.
    Currency,
    /// The object's default record type.
    RecordType,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub label: String,
    pub kind: Kind,
    pub length: u32,
    pub precision: u32,
    pub scale: u32,
    pub required: bool,
    pub createable: bool,
    pub updateable: bool,
    pub default: Default,
    pub restricted: bool,
    pub values: &'static [&'static str],
    pub targets: &'static [&'static str],
    pub relationship: Option<&'static str>,
    /// Rows that point at a deleted parent go with it instead of losing the lookup.
    pub cascade: bool,
    pub external_id: bool,
    pub unique: bool,
    pub id_lookup: bool,
    pub indexed: bool,
}

impl Field {
    pub fn custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    pub fn read_only(mut self) -> Self {
        self.createable = false;
        self.updateable = false;
        self
    }

    fn create_only(mut self) -> Self {
        self.updateable = false;
        self
    }

    fn required(mut self) -> Self {
        self.required = true;
        self
    }

    fn or(mut self, default: Default) -> Self {
        self.default = default;
        self
    }

    fn restricted(mut self) -> Self {
        self.restricted = true;
        self
    }

    fn cascade(mut self) -> Self {
        self.cascade = true;
        self
    }

    fn lookup(mut self) -> Self {
        self.id_lookup = true;
        self.indexed = true;
        self
    }
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub name: &'static str,
    pub label: &'static str,
    pub plural: &'static str,
    pub prefix: &'static str,
    /// Records can be written by the API.
    pub writable: bool,
    pub mergeable: bool,
    /// Its rows grant rights.
    pub rights: bool,
    pub fields: Vec<Field>,
    by_name: BTreeMap<String, u16>,
}

impl Object {
    fn new(names: [&'static str; 4], fields: Vec<Field>) -> Self {
        let [name, label, plural, prefix] = names;
        let by_name = (0_u16..)
            .zip(&fields)
            .map(|(at, field)| (field.name.to_ascii_lowercase(), at))
            .collect();
        Self {
            name,
            label,
            plural,
            prefix,
            writable: true,
            mergeable: matches!(name, "Account" | "Contact" | "Lead"),
            rights: false,
            fields,
            by_name,
        }
    }

    fn setup(mut self) -> Self {
        self.writable = false;
        self
    }

    fn rights(mut self) -> Self {
        self.rights = true;
        self
    }

    /// Puts a field behind the others and tells its place.
    pub fn add(&mut self, field: Field) -> u16 {
        let at = u16::try_from(self.fields.len()).unwrap_or(u16::MAX);
        self.by_name.insert(field.name.to_ascii_lowercase(), at);
        self.fields.push(field);
        at
    }

    /// API names are case-insensitive on the way in.
    pub fn field_at(&self, name: &str) -> Option<u16> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    pub fn field(&self, at: u16) -> &Field {
        &self.fields[usize::from(at)]
    }

    /// The reference field whose relationship has this name.
    pub fn relationship(&self, name: &str) -> Option<u16> {
        (0_u16..)
            .zip(&self.fields)
            .find(|(_, field)| {
                field
                    .relationship
                    .is_some_and(|own| own.eq_ignore_ascii_case(name))
            })
            .map(|(at, _)| at)
    }
}

/// All objects, in a fixed order; an object is known by its place.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub objects: Vec<Object>,
}

impl Schema {
    pub fn new(bare: bool, multi_currency: bool) -> Self {
        let mut objects = setup::objects();
        objects.extend(people::objects(bare, multi_currency));
        objects.extend(business::objects(bare, multi_currency));
        objects.extend(history::objects());
        objects.extend(rights::objects());
        if !multi_currency {
            objects.retain(|object| object.name != "CurrencyType");
        }
        Self { objects }
    }

    pub fn find(&self, name: &str) -> Option<usize> {
        self.objects
            .iter()
            .position(|object| object.name.eq_ignore_ascii_case(name))
    }

    pub fn by_prefix(&self, prefix: &str) -> Option<usize> {
        self.objects
            .iter()
            .position(|object| object.prefix == prefix)
    }
}

/// Code, rate against the corporate currency, active. The first is the corporate one.
pub(super) const CURRENCIES: &[(&str, f64, bool)] = &[
    ("EUR", 1.0, true),
    ("USD", 1.1, true),
    ("GBP", 0.85, true),
    ("CHF", 0.95, false),
];

/// Stages of an opportunity with their probability: `salesforce.md 10`.
pub(super) const STAGES: &[(&str, f64)] = &[
    ("Prospecting", 10.0),
    ("Qualification", 10.0),
    ("Needs Analysis", 20.0),
    ("Value Proposition", 50.0),
    ("Id. Decision Makers", 60.0),
    ("Perception Analysis", 70.0),
    ("Renewal Due", 50.0),
    ("Proposal/Price Quote", 75.0),
    ("Negotiation/Review", 90.0),
    ("Closed Won", 100.0),
    ("Closed Lost", 0.0),
];

/// Record types of Opportunity: developer name, label, the stages they allow. The first is the
/// default of the integration user.
pub(super) const RECORD_TYPES: &[(&str, &str, &[&str])] = &[
    (
        "New_Business",
        "New Business",
        &[
            "Prospecting",
            "Qualification",
            "Needs Analysis",
            "Value Proposition",
            "Id. Decision Makers",
            "Perception Analysis",
            "Proposal/Price Quote",
            "Negotiation/Review",
            "Closed Won",
            "Closed Lost",
        ],
    ),
    (
        "Renewal",
        "Renewal",
        &[
            "Renewal Due",
            "Proposal/Price Quote",
            "Negotiation/Review",
            "Closed Won",
            "Closed Lost",
        ],
    ),
];

fn field(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        label: label(name),
        kind,
        length: 0,
        precision: 0,
        scale: 0,
        required: false,
        createable: !kind.is_compound(),
        updateable: !kind.is_compound(),
        default: Default::None,
        restricted: false,
        values: &[],
        targets: &[],
        relationship: None,
        cascade: false,
        external_id: false,
        unique: false,
        id_lookup: false,
        indexed: false,
    }
}

fn text(name: &'static str, length: u32) -> Field {
    sized(name, Kind::Text, length)
}

fn sized(name: &'static str, kind: Kind, length: u32) -> Field {
    Field {
        length,
        ..field(name, kind)
    }
}

fn number(name: &'static str, kind: Kind, precision: u32, scale: u32) -> Field {
    Field {
        precision,
        scale,
        ..field(name, kind)
    }
}

fn picklist(name: &'static str, values: &'static [&'static str]) -> Field {
    Field {
        values,
        length: 255,
        ..field(name, Kind::Picklist)
    }
}

fn reference(
    name: &'static str,
    targets: &'static [&'static str],
    relationship: &'static str,
) -> Field {
    Field {
        targets,
        relationship: Some(relationship),
        length: 18,
        indexed: !matches!(targets, ["User", ..] | ["Group", ..] | ["RecordType"]),
        ..field(name, Kind::Reference)
    }
}

/// The field in which the product keeps the deterministic key of a created record.
fn link_key() -> Field {
    Field {
        external_id: true,
        unique: true,
        id_lookup: true,
        indexed: true,
        ..text("Tandem_Link_Id__c", 255)
    }
}

/// A text field that somebody makes while the org runs; `keys`: an external id, unique.
pub(super) fn custom_text(name: &str, label: &str, length: u32, keys: (bool, bool)) -> Field {
    let (external_id, unique) = keys;
    Field {
        label: label.to_owned(),
        external_id,
        unique,
        id_lookup: external_id,
        indexed: external_id || unique,
        ..text(Box::leak(name.to_owned().into_boxed_str()), length)
    }
}

/// The five parts of a postal address and the compound that shows them together.
fn address(names: [&'static str; 6]) -> Vec<Field> {
    let [street, city, state, code, country, compound] = names;
    vec![
        sized(street, Kind::TextArea, 255),
        text(city, 40),
        text(state, 80),
        text(code, 20),
        text(country, 80),
        field(compound, Kind::Address).read_only(),
    ]
}

/// Fields of every object, in front of its own.
fn system() -> Vec<Field> {
    vec![
        sized("Id", Kind::Id, 18).read_only().lookup(),
        field("IsDeleted", Kind::Boolean).read_only(),
        field("CreatedDate", Kind::DateTime).read_only(),
        reference("CreatedById", &["User"], "CreatedBy").read_only(),
        field("LastModifiedDate", Kind::DateTime).read_only(),
        reference("LastModifiedById", &["User"], "LastModifiedBy").read_only(),
        field("SystemModstamp", Kind::DateTime).read_only(),
    ]
}

/// How many fields [`system`] puts in front; their places are fixed.
pub(super) const SYSTEM_FIELDS: u16 = 7;

fn with_system(own: Vec<Field>) -> Vec<Field> {
    let mut fields = system();
    fields.extend(own);
    fields
}

fn label(name: &str) -> String {
    let bare = name.trim_end_matches("__c").replace('_', " ");
    let bare = match bare.strip_suffix("Id") {
        Some(stem) if !stem.is_empty() && !stem.ends_with(' ') => format!("{stem} ID"),
        Some(_) | None => bare,
    };
    let mut out = String::with_capacity(bare.len() + 4);
    let mut before = ' ';
    for c in bare.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            out.push(' ');
        }
        out.push(c);
        before = c;
    }
    out
}
