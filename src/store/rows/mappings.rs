//! Rows of mappings set for one workspace, and of what is paused.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::FromRow;

use super::{Fault, side_of};
use crate::model::{BySide, MappingName, Pauses, Revision, Side, Timestamp};
use crate::store::mappings::{Activation, SetMapping};

#[derive(FromRow)]
pub(in crate::store) struct SetMappingDb {
    mapping: String,
    body: String,
    author: String,
    made_at: i64,
}

impl From<SetMappingDb> for SetMapping {
    fn from(row: SetMappingDb) -> Self {
        Self {
            name: MappingName::new(row.mapping),
            text: row.body,
            author: row.author,
            made_at: Timestamp::from_micros(row.made_at),
        }
    }
}

#[derive(Serialize)]
pub(in crate::store) struct SetMappingRow {
    pub mapping: String,
    pub body: String,
}

#[derive(Serialize)]
pub(in crate::store) struct NameRow {
    pub mapping: String,
}

#[derive(Serialize)]
pub(in crate::store) struct ActivationRow {
    pub mapping: String,
    pub revision: String,
    /// Empty where whoever set the mapping is, or the files are.
    pub author: String,
}

#[derive(FromRow)]
pub(in crate::store) struct ActivationDb {
    made_at: i64,
    revision: String,
    author: String,
}

impl From<ActivationDb> for Activation {
    fn from(row: ActivationDb) -> Self {
        Self {
            at: Timestamp::from_micros(row.made_at),
            revision: (!row.revision.is_empty()).then(|| Revision::new(row.revision)),
            author: row.author,
        }
    }
}

/// The paused sides of each mapping as JSON, always spelt the same way.
pub(in crate::store) fn pauses_text(pauses: &Pauses) -> String {
    let sides = |paused: &BySide<bool>| -> Vec<&'static str> {
        let on = Side::BOTH.into_iter().filter(|side| *paused.get(*side));
        on.map(Side::as_str).collect()
    };
    let words = pauses
        .iter()
        .map(|(name, paused)| (name.as_str(), sides(paused)));
    let words: BTreeMap<&str, Vec<&str>> = words.filter(|(_, on)| !on.is_empty()).collect();
    serde_json::to_string(&words).unwrap_or_else(|_| "{}".to_owned())
}

pub(in crate::store) fn pauses_of(text: Option<String>) -> Result<Pauses, Fault> {
    let Some(text) = text else {
        return Ok(Pauses::new());
    };
    let words: BTreeMap<String, Vec<String>> =
        serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let mut pauses = Pauses::new();
    for (name, sides) in words {
        let paused: &mut BySide<bool> = pauses.entry(MappingName::new(name)).or_default();
        for side in sides {
            *paused.get_mut(side_of(&side)?) = true;
        }
    }
    Ok(pauses)
}
