//! How far the sources of an object have come: the parts of their cursors that others read.
//!
//! Nothing may be linked or created before both sides are known, and whoever compares edit times
//! asks when a record was last not among the changes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Site;
use crate::mapping::Bound;
use crate::model::{MappingName, Side, Timestamp};
use crate::store::StoreError;

/// The kind of cursor that holds a [`BackfillCursor`].
pub const BACKFILL: &str = "backfill";

/// The kind of cursor that holds the progress of polling; [`Passes`] is a part of it.
pub const POLL: &str = "poll";

/// Our time of each recent pass over the changes of an object, with the CRM's time it reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passes {
    #[serde(default)]
    passed: VecDeque<(i64, i64)>,
}

impl Passes {
    pub async fn load(site: &Site, mapping: &MappingName, side: Side) -> Result<Self, StoreError> {
        let Some(leader) = leader(site, mapping, side) else {
            return Ok(Self::default());
        };
        let ws = &site.workspace;
        let text = site.store.cursor(ws, leader, side, POLL).await?;
        let passes = text.and_then(|text| serde_json::from_str(&text).ok());
        Ok(passes.unwrap_or_default())
    }

    /// How far the last pass had come that was over before a change stamped `stamp` was `shown`
    /// (our time; `None` when no poll has shown it yet). By then the record was still unchanged.
    pub fn before(&self, stamp: Timestamp, shown: Option<Timestamp>) -> Option<Timestamp> {
        let earlier = |at: i64| shown.is_none_or(|shown| at < shown.micros());
        let passes = self.passed.iter();
        let passes = passes.filter(|(at, high)| earlier(*at) && *high < stamp.micros());
        passes.map(|(_, high)| Timestamp::from_micros(*high)).max()
    }
}

fn leader<'a>(site: &'a Site, mapping: &MappingName, side: Side) -> Option<&'a MappingName> {
    let sharing = site.sharing(mapping, side);
    sharing.first().map(|bound| &bound.mapping().name)
}

/// Progress of a backfill of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillCursor {
    pub after: Option<String>,
    pub seen: u64,
    pub done: bool,
}

/// Whether every record of this mapping's object on this side has been seen at least once.
pub async fn is_filled(site: &Site, mapping: &MappingName, side: Side) -> Result<bool, StoreError> {
    let Some(leader) = leader(site, mapping, side) else {
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
