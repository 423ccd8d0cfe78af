//! Schemas between two lives of an engine: an engine that is closed while its workspace is idle
//! opens again without asking either CRM what it knows already.

use std::collections::BTreeMap;

use crate::cases::{keep_schemas, read_object_names, read_schemas};
use crate::crm::Crms;
use crate::crm::hubspot::{is_custom_name, is_type_id};
use crate::mapping::Mapping;
use crate::model::{Schemas, WorkspaceId};
use crate::store::{Store, StoreError};

/// Older ones are asked for again: a new field or owner shows within this time at the latest.
const FRESH_MILLIS: i64 = 6 * 3_600_000;

/// What the schemas were asked for: any other mapping may need other objects.
pub fn asked_for(mappings: &[Mapping]) -> String {
    let revisions = mappings.iter().map(|mapping| mapping.revision.as_str());
    revisions.collect::<Vec<_>>().join(" ")
}

/// What is known, if it is fresh and of the organisation that the client is logged in to.
pub async fn known(
    store: &Store,
    ws: &WorkspaceId,
    asked_for: &str,
    crms: &Crms,
    now: crate::model::Timestamp,
) -> Result<Option<Box<Schemas>>, StoreError> {
    let since = now.plus_millis(-FRESH_MILLIS);
    let Some(text) = store.kept_schemas(ws, asked_for, since).await? else {
        return Ok(None);
    };
    // What another version kept is asked for anew.
    let schemas = read_schemas(&text).ok();
    let organization = crms.salesforce.session().organization_id;
    Ok(schemas
        .filter(|schemas| schemas.accounts.salesforce == organization)
        .map(Box::new))
}

/// The type ids of custom objects of HubSpot, by the names that mappings use, as far as they are
/// known: an id stays what it is, so it does not matter how long ago it was asked for. No CRM is
/// asked.
pub async fn type_ids(
    store: &Store,
    ws: &WorkspaceId,
    objects: impl Iterator<Item = &str>,
) -> Result<BTreeMap<String, String>, StoreError> {
    let named: Vec<&str> = objects.filter(|name| is_custom_name(name)).collect();
    if named.is_empty() {
        return Ok(BTreeMap::new());
    }
    let Some(text) = store.last_schemas(ws).await? else {
        return Ok(BTreeMap::new());
    };
    // What another version kept is asked for anew before long.
    let names = read_object_names(&text).unwrap_or_default();
    let known = names.hubspot.into_iter();
    Ok(known
        .filter(|(name, id)| named.contains(&name.as_str()) && is_type_id(id))
        .collect())
}

pub async fn keep(
    store: &Store,
    ws: &WorkspaceId,
    asked_for: &str,
    schemas: &Schemas,
) -> Result<(), StoreError> {
    store
        .keep_schemas(ws, asked_for, &keep_schemas(schemas))
        .await
}
