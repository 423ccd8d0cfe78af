//! What both CRMs say about their objects, kept in a file, so that mapping tests need no network.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::model::{BySide, ObjectSchema, Owner, Schemas};

const FORMAT: u32 = 1;
/// Deeper than this, a value stands on one line: a line is a field, an owner or a pipeline.
const DEPTH: usize = 4;

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    accounts: BySide<String>,
    currency: BySide<Option<String>>,
    objects: BySide<BTreeMap<String, ObjectSchema>>,
    owners: BySide<Vec<Owner>>,
    /// HubSpot's labels between two objects.
    labels: Vec<(String, String, Vec<String>)>,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotSchemas {
    #[error("it is not a file of schemas: {0}")]
    Unreadable(String),
    #[error("it is of format {0}, and this program reads format {FORMAT}")]
    Format(u32),
}

/// The text of a file: a line for each field, so that what changed in a CRM shows in a diff.
pub fn keep_schemas(schemas: &Schemas) -> String {
    let labels = schemas.labels.iter();
    let kept = Kept {
        format: FORMAT,
        accounts: schemas.accounts.clone(),
        currency: schemas.currency.clone(),
        objects: schemas.objects.clone(),
        owners: schemas.owners.clone(),
        labels: labels
            .map(|((from, to), labels)| (from.clone(), to.clone(), labels.clone()))
            .collect(),
    };
    let mut out = String::new();
    // Only maps with keys that are no text cannot become JSON, and there are none.
    put(
        &serde_json::to_value(&kept).unwrap_or_default(),
        0,
        &mut out,
    );
    out.push('\n');
    out
}

fn put(value: &Json, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth + 1);
    let end = "  ".repeat(depth);
    match value {
        Json::Object(map) if depth <= DEPTH && !map.is_empty() => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index == 0 { "\n" } else { ",\n" });
                out.push_str(&format!("{pad}{}: ", Json::from(key.as_str())));
                put(value, depth + 1, out);
            }
            out.push_str(&format!("\n{end}}}"));
        }
        Json::Array(items) if depth <= DEPTH && items.iter().any(is_nested) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "\n" } else { ",\n" });
                out.push_str(&pad);
                out.push_str(&item.to_string());
            }
            out.push_str(&format!("\n{end}]"));
        }
        _ => out.push_str(&value.to_string()),
    }
}

fn is_nested(value: &Json) -> bool {
    value.is_object() || value.is_array()
}

/// Of a file only what each platform calls the objects, by the names that mappings use.
///
/// # Errors
/// As [`read_schemas`].
pub fn read_object_names(text: &str) -> Result<BySide<BTreeMap<String, String>>, NotSchemas> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    #[derive(Deserialize)]
    struct Names {
        objects: BySide<BTreeMap<String, Named>>,
    }
    let names: Names = of_format(text)?;
    let own = |(object, named): (String, Named)| (object, named.name);
    Ok(names
        .objects
        .map(|named| named.into_iter().map(own).collect()))
}

/// Reads the text of a file.
///
/// # Errors
/// When it is not one that [`keep_schemas`] made, or of another format.
pub fn read_schemas(text: &str) -> Result<Schemas, NotSchemas> {
    let kept: Kept = of_format(text)?;
    let labels = kept.labels.into_iter();
    Ok(Schemas {
        objects: kept.objects,
        owners: kept.owners,
        accounts: kept.accounts,
        labels: labels
            .map(|(from, to, labels)| ((from, to), labels))
            .collect(),
        currency: kept.currency,
    })
}

fn of_format<T: DeserializeOwned>(text: &str) -> Result<T, NotSchemas> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let unreadable = |error: serde_json::Error| NotSchemas::Unreadable(error.to_string());
    let Format { format } = serde_json::from_str(text).map_err(unreadable)?;
    if format != FORMAT {
        return Err(NotSchemas::Format(format));
    }
    serde_json::from_str(text).map_err(unreadable)
}
