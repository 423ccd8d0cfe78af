//! The JSON of a workspace's table of owners.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::error::{ApiError, Code};
use crate::model::{OwnerPair, OwnerTable};

/// Who on HubSpot stands for whom on Salesforce, each by e-mail address, id or name.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnerJson {
    #[schema(min_length = 1, max_length = 255)]
    pub hubspot: String,
    #[schema(min_length = 1, max_length = 255)]
    pub salesforce: String,
}

/// The table that these pairs are.
///
/// # Errors
/// A fault of the mappings: the table becomes a part of them.
pub fn table(pairs: Vec<OwnerJson>) -> Result<OwnerTable, ApiError> {
    let pairs = pairs.into_iter().map(|pair| OwnerPair {
        hubspot: pair.hubspot,
        salesforce: pair.salesforce,
    });
    OwnerTable::new(pairs.collect())
        .map_err(|fault| ApiError::new(Code::MappingFaults, fault.to_string()))
}

pub fn shown(table: &OwnerTable) -> Vec<OwnerJson> {
    let pairs = table.pairs().iter().map(|pair| OwnerJson {
        hubspot: pair.hubspot.clone(),
        salesforce: pair.salesforce.clone(),
    });
    pairs.collect()
}
