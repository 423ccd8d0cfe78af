//! A CRM did not know a field any more: read the schemas again, and bind the mappings to what is
//! there now.
//!
//! A mapping that no longer fits is laid off, not dropped: its work waits, with its attempts, until
//! the field is back or the mapping is corrected.

use super::{Engine, SetupError, Step, read_schemas};
use crate::mapping::{self, Mapping};
use crate::model::{ErrorClass, Failure, MappingName, Timestamp};
use crate::store::{Claimed, StoreError};

/// Schemas younger than this are not read again.
const FRESH_MILLIS: i64 = 60_000;
/// Until a mapping that does not fit is tried again.
const LAID_OFF_MILLIS: i64 = 5 * 60_000;

impl Engine {
    /// After an attempt that met an unknown field.
    pub(super) async fn refresh_if_stale(&mut self) -> Result<(), StoreError> {
        if self.crms.take_stale() {
            Box::pin(self.refresh()).await?;
        }
        Ok(())
    }

    async fn refresh(&mut self) -> Result<(), StoreError> {
        let now = self.site.clock.now();
        if self.is_fresh(now) {
            return Ok(());
        }
        self.refreshed_at = Some(now);
        let bound = self.site.mappings.values();
        let mappings: Vec<Mapping> = bound.map(|bound| bound.mapping().clone()).collect();
        let schemas = match read_schemas(&self.crms, &mappings).await {
            Ok(schemas) => schemas,
            Err(SetupError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the schemas could not be read again");
                return Ok(());
            }
        };
        for mapping in &mappings {
            let name = mapping.name.clone();
            match mapping::bind(mapping, &schemas) {
                Ok(bound) => {
                    self.laid_off.remove(&name);
                    self.site.mappings.insert(name, bound);
                }
                Err(faults) => {
                    let first = faults.first().map(ToString::to_string);
                    let failure = misfit(&name, &first.unwrap_or_default());
                    tracing::warn!("{}", failure.message);
                    self.laid_off.insert(name, failure);
                }
            }
        }
        self.site.schemas = schemas;
        Ok(())
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = self.refreshed_at.map(|at| now.millis_since(at));
        age.is_some_and(|age| (0..FRESH_MILLIS).contains(&age))
    }

    /// The step for work of a mapping that does not fit; `None` when it fits.
    pub(super) async fn lay_off(
        &mut self,
        mapping: &MappingName,
        claimed: &[Claimed],
    ) -> Result<Option<Step>, StoreError> {
        if self.laid_off.contains_key(mapping) {
            Box::pin(self.refresh()).await?;
        }
        let Some(failure) = self.laid_off.get(mapping).cloned() else {
            return Ok(None);
        };
        let at = self.site.clock.now().plus_millis(LAID_OFF_MILLIS);
        self.put_off(claimed, at, &failure).await.map(Some)
    }
}

fn misfit(mapping: &MappingName, fault: &str) -> Failure {
    Failure {
        class: ErrorClass::NeedsPerson,
        code: "mapping-does-not-fit".to_owned(),
        message: format!(
            "the mapping {mapping} does not fit the CRM any more: {fault}. Correct the mapping or \
             bring the field back; the work waits until then."
        ),
        fields: Vec::new(),
    }
}
