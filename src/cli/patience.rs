//! Reading beside the engine: waits for room, and asks again where a fault passes.

use crate::app::Engine;
use crate::clock::Clock;
use crate::crm::{CrmError, Crms, Listing};
use crate::model::{ErrorClass, LinkId, MappingName, Side, Timestamp};
use crate::sync::{Compared, Part, PlannedValues, ReadError};

use super::engine::wait_for_room;
use super::output::Advice;

/// Calls that one step may need.
const CALLS_OF_A_STEP: u32 = 25;
const PATIENCE_MILLIS: i64 = 3 * 60_000;
const TRIES: usize = 5;

/// How one step is waited for.
struct Patience {
    clock: Clock,
    until: Timestamp,
    tries: usize,
}

impl Patience {
    fn new(engine: &Engine) -> Self {
        let clock = engine.site().clock.clone();
        Self {
            until: clock.now().plus_millis(PATIENCE_MILLIS),
            clock,
            tries: 0,
        }
    }

    async fn room(&self, crms: &Crms) {
        let room = crms.ready_at(CALLS_OF_A_STEP, 0);
        wait_for_room(&self.clock, room, self.until).await;
    }

    /// Waits after a fault that passes; any other ends the command.
    async fn after(&mut self, error: CrmError, what: &str) -> anyhow::Result<()> {
        let passing = matches!(error.class(), ErrorClass::Rate | ErrorClass::Transient);
        self.tries += 1;
        if !passing || self.tries == TRIES {
            let what = format!("the {what} is not complete: {error}");
            return Err(Advice::new(what, "run it again").into());
        }
        let soonest = self.clock.now().plus_millis(1_000);
        let at = error.retry_after.unwrap_or(soonest).max(soonest);
        wait_for_room(&self.clock, Some(at), self.until).await;
        Ok(())
    }
}

/// One step of a comparison, once there is room for its calls.
pub async fn compared(
    engine: &mut Engine,
    name: &MappingName,
    after: Option<&LinkId>,
    planned: &PlannedValues,
) -> anyhow::Result<Compared> {
    let mut patience = Patience::new(engine);
    loop {
        patience.room(engine.crms()).await;
        match engine.compare(name, Part::After(after), planned).await {
            Ok(compared) => return Ok(compared),
            Err(ReadError::Store(error)) => return Err(error.into()),
            Err(ReadError::Crm(error)) => patience.after(error, "comparison").await?,
        }
    }
}

/// One page of all records of an object.
pub async fn page(
    engine: &Engine,
    side: Side,
    object: &str,
    fields: &[String],
    after: Option<&str>,
) -> anyhow::Result<Listing> {
    let mut patience = Patience::new(engine);
    loop {
        let crms = engine.crms();
        patience.room(crms).await;
        match crms.list(side, object, fields, after).await {
            Ok(page) => return Ok(page),
            Err(error) => patience.after(error, "inventory").await?,
        }
    }
}
