//! What a property is: its definition, its options, and the set of them an object has.
//!
//! Definitions only. Which properties exist is said in `catalog`; what a value may be, in `value`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::stamp;

/// Where a property stands in its catalog; stored in place of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PropertyId(pub u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PropertyType {
    Text,
    Email,
    Domain,
    Number,
    Bool,
    Choice,
    MultiChoice,
    Owner,
    Date,
    DateTime,
}

/// A value that is worked out when it is read and never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Derived {
    ObjectId,
    Created,
    Modified,
    SourceType,
    SourceId,
    SourceLabel,
    PrimaryCompany,
    EmailDomain,
    FullName,
    DealClosed,
    DealWon,
    DealProbability,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Writable,
    ReadOnly,
    Derived(Derived),
}

#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub value: String,
    pub label: String,
}

#[derive(Clone, Debug)]
pub(super) struct Property {
    pub name: Arc<str>,
    pub label: String,
    pub description: String,
    pub group: String,
    pub kind: PropertyType,
    pub field: String,
    pub choices: Vec<Choice>,
    pub unique: bool,
    pub access: Access,
    pub hubspot_defined: bool,
    /// Milliseconds since 1970; none for what the platform brought along.
    pub created: Option<i64>,
}

impl Property {
    fn new(name: &str, label: &str, kind: PropertyType, field: &str) -> Self {
        Self {
            name: name.into(),
            label: label.to_owned(),
            description: String::new(),
            group: String::new(),
            kind,
            field: field.to_owned(),
            choices: Vec::new(),
            unique: false,
            access: Access::Writable,
            hubspot_defined: true,
            created: None,
        }
    }

    pub fn text(name: &str, label: &str) -> Self {
        Self::new(name, label, PropertyType::Text, "text")
    }

    pub fn area(name: &str, label: &str) -> Self {
        Self::new(name, label, PropertyType::Text, "textarea")
    }

    pub fn phone(name: &str, label: &str) -> Self {
        Self::new(name, label, PropertyType::Text, "phonenumber")
    }

    pub fn email(name: &str, label: &str) -> Self {
        Self::new(name, label, PropertyType::Email, "text")
    }

    pub fn domain(name: &str, label: &str) -> Self {
        Self::new(name, label, PropertyType::Domain, "text")
    }

    pub fn number(name: &str, label: &str) -> Self {
        Self::new(name, label, PropertyType::Number, "number")
    }

    pub fn boolean(name: &str, label: &str) -> Self {
        let mut property = Self::new(name, label, PropertyType::Bool, "booleancheckbox");
        property.choices = choices(&[("true", "Yes"), ("false", "No")]);
        property
    }

    pub fn date(name: &str, label: &str) -> Self {
        Self::new(name, label, PropertyType::Date, "date")
    }

    pub fn datetime(name: &str, label: &str) -> Self {
        Self::new(name, label, PropertyType::DateTime, "date")
    }

    pub fn owner(name: &str, label: &str) -> Self {
        Self::new(name, label, PropertyType::Owner, "select")
    }

    pub fn choice(name: &str, label: &str, options: &[(&str, &str)]) -> Self {
        let mut property = Self::new(name, label, PropertyType::Choice, "select");
        property.choices = choices(options);
        property
    }

    pub fn multi(name: &str, label: &str, options: &[(&str, &str)]) -> Self {
        let mut property = Self::new(name, label, PropertyType::MultiChoice, "checkbox");
        property.choices = choices(options);
        property
    }

    pub fn custom(mut self) -> Self {
        self.hubspot_defined = false;
        self
    }

    pub fn unique(mut self) -> Self {
        self.unique = true;
        self.custom()
    }

    pub fn read_only(mut self) -> Self {
        self.access = Access::ReadOnly;
        self
    }

    pub fn derived(mut self, how: Derived) -> Self {
        self.access = Access::Derived(how);
        self
    }

    pub fn wire_type(&self) -> &'static str {
        match self.kind {
            PropertyType::Text | PropertyType::Email | PropertyType::Domain => "string",
            PropertyType::Number => "number",
            PropertyType::Bool => "bool",
            PropertyType::Choice | PropertyType::MultiChoice | PropertyType::Owner => "enumeration",
            PropertyType::Date => "date",
            PropertyType::DateTime => "datetime",
        }
    }

    fn calculated(&self) -> bool {
        matches!(
            self.access,
            Access::Derived(
                Derived::DealClosed
                    | Derived::DealWon
                    | Derived::DealProbability
                    | Derived::FullName
                    | Derived::EmailDomain
            )
        )
    }

    /// The definition as the properties endpoint shows it (`hubspot.md 6`).
    pub fn to_json(&self) -> Json {
        let writable = self.access == Access::Writable;
        let created = self
            .created
            .map_or("2019-08-06T02:41:08Z".to_owned(), stamp);
        let options: Vec<Json> = self
            .choices
            .iter()
            .enumerate()
            .map(|(at, choice)| {
                json!({"label": choice.label, "value": choice.value, "displayOrder": at,
                    "hidden": false, "description": ""})
            })
            .collect();
        let mut body = json!({
            "name": &*self.name, "label": self.label, "description": self.description,
            "groupName": self.group, "type": self.wire_type(), "fieldType": self.field,
            "displayOrder": -1, "hidden": false, "formField": writable,
            "hasUniqueValue": self.unique, "calculated": self.calculated(),
            "externalOptions": self.kind == PropertyType::Owner,
            "hubspotDefined": self.hubspot_defined, "archived": false,
            "createdAt": created, "updatedAt": created, "dataSensitivity": "non_sensitive",
            "modificationMetadata": {"archivable": !self.hubspot_defined,
                "readOnlyDefinition": self.hubspot_defined, "readOnlyValue": !writable,
                "readOnlyOptions": self.hubspot_defined}
        });
        body["options"] = Json::Array(options);
        if self.kind == PropertyType::Owner {
            body["referencedObjectType"] = json!("OWNER");
        }
        body
    }
}

pub(super) fn choices(options: &[(&str, &str)]) -> Vec<Choice> {
    options
        .iter()
        .map(|(value, label)| Choice {
            value: (*value).to_owned(),
            label: (*label).to_owned(),
        })
        .collect()
}

/// The properties of one object type.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    properties: Vec<Property>,
    by_name: BTreeMap<Arc<str>, PropertyId>,
    groups: BTreeMap<String, String>,
}

impl Catalog {
    /// Adds a property; the name must be new. None when the catalog is full.
    pub fn add(&mut self, property: Property) -> Option<PropertyId> {
        let id = PropertyId(u16::try_from(self.properties.len()).ok()?);
        self.by_name.insert(property.name.clone(), id);
        self.properties.push(property);
        Some(id)
    }

    /// Adds a group and the properties that belong to it.
    pub fn add_group(&mut self, name: &str, label: &str, properties: Vec<Property>) {
        self.groups.insert(name.to_owned(), label.to_owned());
        for mut property in properties {
            name.clone_into(&mut property.group);
            self.add(property)
                .expect("the built-in catalog is far below 65,536 properties");
        }
    }

    pub fn find(&self, name: &str) -> Option<PropertyId> {
        self.by_name.get(name).copied()
    }

    pub fn get(&self, id: PropertyId) -> &Property {
        &self.properties[usize::from(id.0)]
    }

    pub fn named(&self, name: &str) -> Option<(PropertyId, &Property)> {
        self.find(name).map(|id| (id, self.get(id)))
    }

    /// In order of name.
    pub fn iter(&self) -> impl Iterator<Item = (PropertyId, &Property)> {
        self.by_name.values().map(|id| (*id, self.get(*id)))
    }

    pub fn unique_ids(&self) -> impl Iterator<Item = PropertyId> {
        self.iter().filter(|(_, p)| p.unique).map(|(id, _)| id)
    }

    pub fn groups(&self) -> &BTreeMap<String, String> {
        &self.groups
    }

    pub fn groups_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.groups
    }
}
