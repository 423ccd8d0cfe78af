//! The inventory before a first write: who pairs with whom and what stands in the way.
//!
//! An engine has made a run that writes nothing, on a store of its own; what it found out is
//! collected, and every record is read once more to be counted. How it is shown is decided
//! elsewhere.

mod found;
mod gather;
mod report;
mod retold;
mod survey;

use std::collections::BTreeMap;

use super::{Engine, LookError, blind_spots, is_blind_source};
use crate::mapping::{Mapping, lacks};
use crate::model::MappingName;
use crate::store::Claimed;

pub use found::{Found, Group, Groups, asks};
pub use report::{Report, percent};
pub use retold::retold;
use survey::Fates;

/// Collects all that is to be told of a run that has ended.
///
/// # Errors
/// When a CRM cannot be read or the store fails; it can be asked again.
pub async fn find_out(engine: &mut Engine, chosen: &[MappingName]) -> Result<Report, LookError> {
    let waiting = engine.waiting().await?;
    let blind: Vec<Claimed> = waiting.into_iter().filter(is_blind_source).collect();
    if !blind.is_empty() {
        let what = format!("the inventory is not complete: {}", blind_spots(&blind));
        return Err(LookError::Incomplete(what));
    }
    let mut found = BTreeMap::new();
    for name in chosen {
        let Some(bound) = engine.site().mappings.get(name) else {
            continue;
        };
        let mut of = Found::new(bound);
        gather::pairs(engine, name, &mut of).await?;
        gather::failures(engine, name, &mut of).await?;
        gather::doubles(engine, name, &mut of).await?;
        found.insert(name.clone(), of);
    }
    gather::holds(engine, &mut found).await?;
    let fates = Fates {
        created: gather::created(engine),
        waiting: gather::waiting(engine).await?,
    };
    survey::survey(engine, &fates, &mut found).await?;
    let site = engine.site();
    let mappings = found.keys().filter_map(|name| site.mappings.get(name));
    let mappings: Vec<Mapping> = mappings.map(|bound| bound.mapping().clone()).collect();
    let lacking = lacks(&mappings, &site.schemas);
    Ok(Report {
        accounts: site.accounts.clone(),
        workspace: site.workspace.to_string(),
        made_at: site.clock.now(),
        missing: lacking.iter().map(ToString::to_string).collect(),
        calls: engine.calls_of_sides(),
        found: found.into_values().collect(),
    })
}
