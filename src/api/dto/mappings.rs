//! The JSON of mappings: their texts, revisions and pauses.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{TroubleJson, time};
use crate::app::{Origin, Refused};
use crate::mapping::Mapping;
use crate::model::{BySide, MappingName, Revision, Side};
use crate::store::Activation;

#[derive(Serialize, ToSchema)]
pub struct MappingJson {
    pub name: String,
    /// shared or folder: from files; set: by somebody, for this workspace.
    pub origin: &'static str,
    /// Who set it.
    pub author: Option<String>,
    /// Of the text that counts; null where it has faults.
    pub revision: Option<String>,
    /// What the engine works by.
    pub active_revision: Option<String>,
    /// When changes are asked for: `auto`, a time, or a cron text with its zone.
    pub poll: Option<String>,
    /// Sides that nothing is written to just now.
    pub paused: Vec<&'static str>,
}

impl MappingJson {
    pub fn of(
        name: &MappingName,
        (origin, author): (Origin, Option<&str>),
        loaded: Option<&Mapping>,
        active: Option<&Revision>,
        paused: Option<&BySide<bool>>,
    ) -> Self {
        let on = |side: &Side| paused.is_some_and(|sides| *sides.get(*side));
        Self {
            name: name.as_str().to_owned(),
            origin: origin.as_str(),
            author: author.map(str::to_owned),
            revision: loaded.map(|one| one.revision.as_str().to_owned()),
            active_revision: active.map(|one| one.as_str().to_owned()),
            poll: loaded.map(|one| one.poll.to_string()),
            paused: Side::BOTH
                .into_iter()
                .filter(on)
                .map(Side::as_str)
                .collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct MappingsJson {
    pub items: Vec<MappingJson>,
    /// Why the mappings that count are not at work, and since when; the last good ones are.
    pub refused: Option<TroubleJson>,
}

impl MappingsJson {
    pub fn of(items: Vec<MappingJson>, refused: Option<Refused>) -> Self {
        Self {
            items,
            refused: refused.map(TroubleJson::from),
        }
    }
}

impl From<Refused> for TroubleJson {
    fn from(refused: Refused) -> Self {
        Self {
            since: time(refused.since),
            why: refused.why,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct MappingTextJson {
    pub name: String,
    /// shared, folder, set or revision.
    pub origin: &'static str,
    pub text: String,
    /// From the revision that was asked for with `against` to this one.
    pub diff: Option<String>,
}

/// With what a revision is compared.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TextQuery {
    /// Another revision of the mapping.
    pub against: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewText {
    /// A mapping file.
    pub text: String,
}

/// What came of a change, and what the check warns of.
#[derive(Serialize, ToSchema)]
pub struct SetJson {
    pub warnings: Vec<String>,
    pub mappings: MappingsJson,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    pub revision: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// customer/environment.
    pub from: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseAsked {
    /// The side that is written to: hubspot or salesforce. Both unless given.
    #[serde(default)]
    #[schema(pattern = "^(hubspot|salesforce)$")]
    pub to: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanAsked {
    /// All unless given.
    #[serde(default)]
    pub mapping: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct ActivationJson {
    pub at: String,
    /// Null: the mapping was taken out.
    pub revision: Option<String>,
    /// Who set it, or `files`.
    pub author: String,
}

impl From<Activation> for ActivationJson {
    fn from(row: Activation) -> Self {
        Self {
            at: time(row.at),
            revision: row.revision.map(|one| one.as_str().to_owned()),
            author: row.author,
        }
    }
}
