//! Shows chosen rows as JSON: own fields, compounds, and fields of parents as nested objects.

use serde_json::{Map, Value, json};

use super::bind::{no_column, no_relationship};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::id::AnyId;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::schema::{Kind, Object};
use crate::sim::salesforce::table::{Row, see};
use crate::sim::salesforce::value::Cell;

/// The selected fields of one object and, per lookup, those of the objects it may point at.
#[derive(Clone, Debug)]
pub(in crate::sim::salesforce) struct Output {
    object: usize,
    fields: Vec<u16>,
    parents: Vec<Parent>,
}

#[derive(Clone, Debug)]
struct Parent {
    field: u16,
    per_object: Vec<Output>,
}

impl Output {
    pub fn new(object: usize) -> Self {
        Self {
            object,
            fields: Vec::new(),
            parents: Vec::new(),
        }
    }

    /// Adds a field given by the parts of its dotted name.
    pub fn add(&mut self, org: &Org, parts: &[String]) -> Result<(), Refusal> {
        let own = &org.schema.objects[self.object];
        let Some((first, rest)) = parts.split_first() else {
            return Ok(());
        };
        if rest.is_empty() {
            let at = org
                .visible_field(self.object, first)
                .ok_or_else(|| no_column(first, own.name))?;
            if !self.fields.contains(&at) {
                self.fields.push(at);
            }
            return Ok(());
        }
        let field = own
            .relationship(first)
            .filter(|at| org.is_visible(self.object, *at) && rest.len() <= 5)
            .ok_or_else(|| no_relationship(first, own.name))?;
        let place = self.parents.iter().position(|parent| parent.field == field);
        let place = place.unwrap_or_else(|| {
            let targets = own.field(field).targets;
            let per_object = targets.iter().filter_map(|name| org.schema.find(name));
            self.parents.push(Parent {
                field,
                per_object: per_object.map(Self::new).collect(),
            });
            self.parents.len() - 1
        });
        let results: Vec<Result<(), Refusal>> = self.parents[place]
            .per_object
            .iter_mut()
            .map(|output| output.add(org, rest))
            .collect();
        if results.iter().any(Result::is_ok) {
            return Ok(());
        }
        results.into_iter().collect()
    }

    pub fn row(&self, org: &Org, row: &Row, version: &str) -> Value {
        let own = &org.schema.objects[self.object];
        let mut out = Map::new();
        let id = org.id_of(self.object, row.number);
        let url = format!("/services/data/{version}/sobjects/{}/{id}", own.name);
        out.insert(
            "attributes".to_owned(),
            json!({ "type": own.name, "url": url }),
        );
        for at in &self.fields {
            let field = own.field(*at);
            let value = match field.kind {
                Kind::Address => address(own, row, field.name),
                kind => see(own, row, *at)
                    .cell()
                    .map_or(Value::Null, |cell| cell.to_json(kind)),
            };
            out.insert(field.name.to_owned(), value);
        }
        for parent in &self.parents {
            let name = own.field(parent.field).relationship.unwrap_or_default();
            let target = see(own, row, parent.field)
                .cell()
                .and_then(Cell::as_text)
                .and_then(AnyId::parse)
                .and_then(|id| org.find(&id));
            let value = target.and_then(|(object, row)| {
                let output = parent
                    .per_object
                    .iter()
                    .find(|output| output.object == object)?;
                Some(output.row(org, row, version))
            });
            out.insert(name.to_owned(), value.unwrap_or(Value::Null));
        }
        Value::Object(out)
    }
}

/// The compound of an address, or null when all of its parts are.
fn address(own: &Object, row: &Row, name: &str) -> Value {
    let stem = name.trim_end_matches("Address");
    let part = |suffix: &str| {
        own.field_at(&format!("{stem}{suffix}"))
            .and_then(|at| row.text(at))
    };
    let parts = [
        ("street", part("Street")),
        ("city", part("City")),
        ("state", part("State")),
        ("postalCode", part("PostalCode")),
        ("country", part("Country")),
    ];
    if parts.iter().all(|(_, text)| text.is_none()) {
        return Value::Null;
    }
    let mut out: Map<String, Value> = parts
        .into_iter()
        .map(|(key, text)| (key.to_owned(), json!(text)))
        .collect();
    for key in ["latitude", "longitude", "geocodeAccuracy"] {
        out.insert(key.to_owned(), Value::Null);
    }
    Value::Object(out)
}
