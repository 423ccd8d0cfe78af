//! How far taking stock of an object has come: the one cursor that others than its source read,
//! because nothing may be linked or created before both sides are known.

use serde::{Deserialize, Serialize};

use super::Site;
use crate::mapping::Bound;
use crate::model::{MappingName, Side};
use crate::store::StoreError;

/// The kind of cursor that holds a [`BackfillCursor`].
pub const BACKFILL: &str = "backfill";

/// Progress of a backfill of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillCursor {
    pub after: Option<String>,
    pub seen: u64,
    pub done: bool,
}

/// Whether every record of this mapping's object on this side has been seen at least once.
pub async fn is_filled(site: &Site, mapping: &MappingName, side: Side) -> Result<bool, StoreError> {
    let Some(leader) = site
        .sharing(mapping, side)
        .first()
        .map(|b| &b.mapping().name)
    else {
        return Ok(false);
    };
    let text = site
        .store
        .cursor(&site.workspace, leader, side, BACKFILL)
        .await?;
    Ok(text
        .and_then(|text| serde_json::from_str(&text).ok())
        .is_some_and(|c: BackfillCursor| c.done))
}

/// Whether nothing is unseen that a record of this mapping could be paired with: its own objects
/// and those of the other mappings of its group.
pub async fn is_stocked(site: &Site, bound: &Bound) -> Result<bool, StoreError> {
    for mapping in std::iter::once(bound).chain(site.peers(bound)) {
        for side in Side::BOTH {
            if !is_filled(site, &mapping.mapping().name, side).await? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
