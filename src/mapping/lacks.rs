//! What the two CRMs lack before a run of these mappings can end well.
//!
//! Each would otherwise show as one dead letter per record. Only what is known for sure counts: a
//! key field that the schema does not list, a permission that the platform says is not there.

use std::collections::BTreeMap;
use std::fmt;

use super::bound::KEYS;
use super::types::{Create, Mapping};
use crate::model::{MappingName, ObjectSchema, Schemas, Side};

/// One thing that one object lacks, for all mappings that need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub side: Side,
    /// As the mapping files name it.
    pub object: String,
    pub what: String,
    pub todo: String,
    pub mappings: Vec<MappingName>,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.mappings.iter().map(MappingName::as_str).collect();
        write!(
            f,
            "{} {}: {}; {} (mapping {})",
            self.side.title(),
            self.object,
            self.what,
            self.todo,
            names.join(", ")
        )
    }
}

/// In the order of sides and objects. A side that a mapping never writes to needs nothing.
pub fn lacks(mappings: &[Mapping], schemas: &Schemas) -> Vec<Lack> {
    let mut found: BTreeMap<(Side, &str, String, String), Vec<MappingName>> = BTreeMap::new();
    for mapping in mappings {
        for side in Side::BOTH {
            let name = mapping.objects.get(side);
            let Some(object) = schemas.objects.get(side).get(name) else {
                continue;
            };
            if let Some((what, todo)) = lack(mapping, side, object) {
                let key = (side, name.as_str(), what, todo);
                found.entry(key).or_default().push(mapping.name.clone());
            }
        }
    }
    let rows = found.into_iter();
    rows.map(|((side, object, what, todo), mappings)| Lack {
        side,
        object: object.to_owned(),
        what,
        todo,
        mappings,
    })
    .collect()
}

fn lack(mapping: &Mapping, side: Side, object: &ObjectSchema) -> Option<(String, String)> {
    if !mapping.direction.allows(side) {
        return None;
    }
    let creates = !matches!(mapping.create.get(side), Create::Never);
    let grant = match side {
        Side::HubSpot => "grant it in the settings of the app",
        Side::Salesforce => "grant it to the user by a permission set",
    };
    if let Some(what) = &object.barred.updates {
        let todo = format!("{grant}, or set `direction: to-{}`", side.other());
        return Some((what.clone(), todo));
    }
    if !creates {
        return None;
    }
    let never = format!("`create: {{ {side}: never }}`");
    if let Some(what) = &object.barred.creates {
        return Some((what.clone(), format!("{grant}, or set {never}")));
    }
    let name = KEYS.get(side);
    // A key that the file names itself is checked when the mapping is bound.
    let keyed = mapping.key.get(side).is_some() || object.fields.contains_key(*name);
    if keyed || mapping.create_without_key {
        return None;
    }
    let make = match side {
        Side::HubSpot => "create that property (single-line text, unique values)",
        Side::Salesforce => {
            "create that field (Text(255), External ID, Unique) and let the connected user edit it"
        }
    };
    Some((
        format!("there is no `{name}` to keep a record from being created twice"),
        format!("{make}, name another with `key:`, or set `create-without-key: accept` or {never}"),
    ))
}
