//! What comes next, and what a run does besides that plans or keeps to a frozen plan: it looks at
//! the plan's records and at nothing else, and gives back what it leaves.

use std::collections::BTreeSet;

use super::{Engine, room};
use crate::crm::Crms;
use crate::model::{Cause, RecordKey, Side, Task, Timestamp};
use crate::pipeline::{CLAIM_LIMIT, Lane, Site};
use crate::sources::REREAD_MILLIS;
use crate::store::{Changes, Claim, Claimed, Mark, StoreError};
use crate::sync::Mode;

/// Looking for news can wait for as long as a plan is carried out; the next run looks at once.
const ASIDE_MILLIS: i64 = 10 * 60_000;

/// When a source may go on that only looks for what nobody has planned; `None` for one that the
/// plan itself rests on.
pub(super) fn not_now(site: &Site, claimed: &Claimed) -> Option<Timestamp> {
    match claimed.task {
        Task::Poll { .. } | Task::Reread { .. } | Task::Scan { .. } | Task::Drift { .. } => {
            Some(site.clock.now().plus_millis(ASIDE_MILLIS))
        }
        Task::Backfill { .. } | Task::Record(_) => None,
    }
}

/// A source that is due. A run that plans looks at everything before it works on records, so that
/// these come in full batches, and a run that carries the plan out meets the same ones.
async fn source_due(lane: &Lane, site: &Site) -> Result<Option<Claim>, StoreError> {
    let sources = Side::BOTH.into_iter().flat_map(|side| {
        let leaders = site.leaders(side).into_iter();
        leaders.flat_map(move |mapping| {
            let mapping = || mapping.clone();
            [
                Task::Backfill {
                    mapping: mapping(),
                    side,
                },
                Task::Poll {
                    mapping: mapping(),
                    side,
                },
                Task::Reread {
                    mapping: mapping(),
                    side,
                },
                Task::Scan {
                    mapping: mapping(),
                    side,
                },
            ]
        })
    });
    let sources = sources.collect();
    let mut due = lane.claim_named(&sources).await?;
    if due.is_empty() {
        // What is read once more, too: in a plan, records are not at rest after their attempt.
        let soon = site.clock.now().plus_millis(REREAD_MILLIS);
        due = lane.claim_early(&sources, soon).await?;
    }
    Ok(due.into_iter().next().map(|source| Claim {
        class: source.cause.class(),
        work: vec![source],
    }))
}

/// Batches of HubSpot's that one attempt takes on.
const BATCHES: usize = 10;

/// The next piece of work, as far as the run may do any.
pub(super) async fn next(
    lane: &Lane,
    site: &Site,
    crms: &Crms,
    mode: &Mode,
) -> Result<Option<Claim>, StoreError> {
    // Under pressure an attempt takes on as many batches as ever, so fewer records.
    let limit = u32::try_from(BATCHES * crms.rows(Side::HubSpot)).unwrap_or(CLAIM_LIMIT);
    match mode {
        Mode::Write | Mode::Shadow => {}
        Mode::Observe | Mode::Apply(_) | Mode::Rehearse(_) => {
            if let Some(asked) = lane.claim_asked(limit).await? {
                return Ok(Some(asked));
            }
            if let Some(source) = source_due(lane, site).await? {
                return Ok(Some(source));
            }
        }
    }
    lane.claim(limit, room::riders(crms)).await
}

/// Makes what the plan left due again: the next run need not wait for it.
pub(super) async fn give_back(
    lane: &Lane,
    site: &Site,
    left: &BTreeSet<RecordKey>,
) -> Result<(), StoreError> {
    let marks = left.iter().map(|key| (key.clone(), Cause::Follow));
    mark(lane, site, marks.collect()).await
}

async fn mark(
    lane: &Lane,
    site: &Site,
    records: Vec<(RecordKey, Cause)>,
) -> Result<(), StoreError> {
    let now = site.clock.now();
    for some in records.chunks(CLAIM_LIMIT as usize) {
        let marks = some.iter().cloned().map(|(key, cause)| Mark {
            task: Task::Record(key),
            cause,
            not_before: now,
        });
        let changes = Changes {
            marks: marks.collect(),
            ..Changes::default()
        };
        lane.commit(changes).await?;
    }
    Ok(())
}

impl Engine {
    /// Marks every record that the frozen plan is about, on both sides, so that each of its rows
    /// ends in a verdict.
    pub(super) async fn mark_planned(&self) -> Result<(), StoreError> {
        let (Some(frozen), Some(lane)) = (self.options.mode.frozen(), &self.lane) else {
            return Ok(());
        };
        // A pair that is to go back is at rest as it is, and a tie moves no stamp.
        let undo = frozen.is_undo();
        let cause = |ties: bool| match (undo, ties) {
            (true, _) => Cause::Person,
            (false, true) => Cause::Scan,
            (false, false) => Cause::Follow,
        };
        let records = frozen.records().into_iter();
        let records = records.map(|(key, ties)| (key, cause(ties))).collect();
        mark(lane, &self.site, records).await
    }

    /// Asks for a look at these records, as a scan does that finds them changed.
    pub async fn look_at(&self, records: Vec<RecordKey>) -> Result<(), StoreError> {
        let Some(lane) = &self.lane else {
            return Ok(());
        };
        let marks = records.into_iter().map(|key| (key, Cause::Scan));
        mark(lane, &self.site, marks.collect()).await
    }

    pub(super) async fn put_aside(
        &mut self,
        claimed: &Claimed,
        until: Timestamp,
    ) -> Result<u64, StoreError> {
        let Some(lane) = &self.lane else {
            return Ok(0);
        };
        let changes = Changes {
            verdicts: vec![lane.done(claimed)],
            marks: vec![Mark {
                task: claimed.task.clone(),
                cause: claimed.cause,
                not_before: until,
            }],
            ..Changes::default()
        };
        lane.commit(changes).await?;
        Ok(0)
    }
}
