//! Reading beside the engine: waits for room, and asks again where a fault passes.

use std::time::Duration;

use super::Engine;
use crate::clock::Clock;
use crate::crm::{CrmError, Crms, Listing, Why};
use crate::mapping::Bound;
use crate::model::{ErrorClass, LinkId, MappingName, Presence, Record, RecordKey, Side, Timestamp};
use crate::store::StoreError;
use crate::sync::{Compared, Part, PlannedValues, ReadError};

/// Calls that one step may need.
const CALLS_OF_A_STEP: u32 = 25;
const PATIENCE_MILLIS: i64 = 3 * 60_000;
const TRIES: usize = 5;

/// Why what was asked could not be found out. It can be asked again.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is not complete, and why.
    #[error("{0}")]
    Incomplete(String),
    /// A CRM refused the credentials; it helps to ask again once they are renewed.
    #[error("{0}")]
    Refused(String),
}

/// Sleeps until `at`, unless that is after `until`: then whoever calls next is told of the limit.
pub async fn wait_for_room(clock: &Clock, at: Option<Timestamp>, until: Timestamp) {
    let Some(at) = at.filter(|at| *at < until) else {
        return;
    };
    let millis = at.millis_since(clock.now()).max(0);
    if millis > 1_000 {
        let seconds = millis / 1_000 + 1;
        tracing::warn!("the CRM's limit of calls is used up; going on in {seconds} s");
    }
    tokio::time::sleep(Duration::from_millis(millis.unsigned_abs())).await;
}

/// How one step is waited for.
struct Patience {
    clock: Clock,
    until: Timestamp,
    tries: usize,
}

impl Patience {
    fn new(engine: &Engine) -> Self {
        let until = engine.site().clock.now().plus_millis(PATIENCE_MILLIS);
        Self::until(engine, until)
    }

    fn until(engine: &Engine, until: Timestamp) -> Self {
        Self {
            until,
            clock: engine.site().clock.clone(),
            tries: 0,
        }
    }

    async fn room(&self, crms: &Crms) {
        let room = crms.ready_at(CALLS_OF_A_STEP, 0);
        wait_for_room(&self.clock, room, self.until).await;
    }

    /// Waits after a fault that passes; any other ends the look.
    async fn after(&mut self, error: CrmError, what: &str) -> Result<(), LookError> {
        let passing = matches!(error.class(), ErrorClass::Rate | ErrorClass::Transient);
        // Once they were refused, our own gate says so and nothing is sent.
        let refused = error.class() == ErrorClass::Auth || error.code == Why::Login.code();
        self.tries += 1;
        if refused || !passing || self.tries == TRIES {
            let what = format!("the {what} is not complete: {error}");
            return Err(if refused {
                LookError::Refused(what)
            } else {
                LookError::Incomplete(what)
            });
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
) -> Result<Compared, LookError> {
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
pub async fn records_page(
    engine: &Engine,
    side: Side,
    object: &str,
    fields: &[String],
    after: Option<&str>,
) -> Result<Listing, LookError> {
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

/// One record with all that its mapping reads of it, unless that takes longer than `until`; `None`
/// where the mapping is not at work or the CRM tells nothing of the record.
pub(super) async fn record_now(
    engine: &Engine,
    key: &RecordKey,
    until: Timestamp,
) -> Result<Option<Record>, LookError> {
    let Some(bound) = engine.site().mappings.get(&key.mapping) else {
        return Ok(None);
    };
    let mut patience = Patience::until(engine, until);
    loop {
        in_time(engine, until)?;
        let crms = engine.crms();
        patience.room(crms).await;
        match read_one(crms, bound, key).await {
            Ok(record) => return Ok(record),
            Err(error) => patience.after(error, "look at the record").await?,
        }
    }
}

/// Whether there is still time for a look that ends at `until`.
pub(super) fn in_time(engine: &Engine, until: Timestamp) -> Result<(), LookError> {
    if engine.site().clock.now() < until {
        return Ok(());
    }
    let what = "the look at the record is not complete: it took too long";
    Err(LookError::Incomplete(what.to_owned()))
}

async fn read_one(crms: &Crms, bound: &Bound, key: &RecordKey) -> Result<Option<Record>, CrmError> {
    let (side, object) = (key.side, bound.object(key.side));
    let ids = std::slice::from_ref(&key.id);
    let mut records = crms
        .read(side, object, ids, bound.read_fields(side))
        .await?;
    if records
        .iter()
        .any(|record| record.presence == Presence::Live)
    {
        crms.add_ties(side, object, &bound.ties(), &mut records)
            .await?;
    }
    Ok(records.pop())
}
