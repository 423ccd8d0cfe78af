//! Work of a mapping that is paused on both sides: it waits without a call.

use super::{Engine, Step};
use crate::model::{ErrorClass, Failure, MappingName, PAUSED, Task};
use crate::store::{Claimed, StoreError};
use crate::sync::PAUSE_MILLIS;

impl Engine {
    /// The step for records of a paused mapping; `None` when there is no such pause. Sources go
    /// on: what they mark is there when the mapping is.
    pub(super) async fn wait_for_resume(
        &self,
        mapping: &MappingName,
        claimed: &[Claimed],
    ) -> Result<Option<Step>, StoreError> {
        let paused = self.site.pauses.get(mapping);
        let whole = paused.is_some_and(|sides| sides.hubspot && sides.salesforce);
        let waits = |one: &Claimed| matches!(one.task, Task::Record(_) | Task::Drift { .. });
        if !whole || !claimed.first().is_some_and(waits) {
            return Ok(None);
        }
        let at = self.site.clock.now().plus_millis(PAUSE_MILLIS);
        let failure = Failure {
            class: ErrorClass::NeedsPerson,
            code: PAUSED.to_owned(),
            message: format!("the mapping {mapping} is paused; resume it, and the work goes on"),
            fields: Vec::new(),
        };
        self.put_off(claimed, at, &failure).await.map(Some)
    }
}
