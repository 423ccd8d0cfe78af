//! Sources produce change events and nothing else: they read a CRM from a stored cursor, hand the
//! records to `pipeline::take`, and move the cursor in the same commit. They never write to a CRM.

mod backfill;
mod cursor;
mod heard;
mod poll;
mod scan;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::crm::{CrmError, Crms, ErrorKind};
use crate::mapping::{Bound, Mapping};
use crate::model::{BySide, Cause, MappingName, Side, Task, Timestamp};
use crate::pipeline::{BACKFILL, BackfillCursor, Setback, Site, is_filled};
use crate::store::{Changes, Claimed, CursorPut, Mark, StoreError};

pub use cursor::{Pass, PollCursor, ScanCursor};
pub use heard::Heard;
pub use poll::{Outcome, REREAD_MILLIS};

/// What one piece of a source's work came to.
pub struct Produced {
    pub changes: Changes,
    /// When the source wants to go on; `None` when it is finished for good.
    pub next: Option<Timestamp>,
    pub seen: u64,
    pub marked: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Crm(#[from] CrmError),
}

impl SourceError {
    /// The setback for the retry schedule; a store error is not one.
    pub fn setback(self) -> Result<Setback, StoreError> {
        match self {
            Self::Store(error) => Err(error),
            Self::Crm(error) => Ok(Setback {
                failure: error.failure(),
                retry_after: error.retry_after,
                stale: error.kind == ErrorKind::UnknownField,
            }),
        }
    }
}

/// How often sources run when a mapping says `poll: auto`, and how far apart full scans are.
#[derive(Clone, Debug)]
pub struct Pace {
    pub poll_millis: BySide<i64>,
    pub scan_millis: i64,
    /// Between two chunks of a scan, which is meant to be slow.
    pub scan_chunk_millis: i64,
    /// What webhooks announced: while they can be relied on, `poll: auto` is slower.
    pub heard: Arc<Heard>,
}

/// Does one step of a poll, backfill or scan, and of the polls that [`companions`] named for it.
/// Each task has its own outcome; `None` when it was left for a step of its own.
pub async fn produce(site: &Site, crms: &Crms, claimed: &[Claimed], pace: &Pace) -> Vec<Outcome> {
    let Some(first) = claimed.first() else {
        return Vec::new();
    };
    let mut outcomes = match &first.task {
        Task::Poll { side, .. } | Task::Reread { side, .. } => {
            let due = claimed.iter().map(|one| (&one.task, one.not_before));
            let due: Vec<(&Task, Timestamp)> = due.collect();
            return poll::step(site, crms, &due, *side, pace).await;
        }
        Task::Backfill { mapping, side } => {
            vec![Some(backfill::step(site, crms, mapping, *side).await)]
        }
        Task::Scan { mapping, side } => {
            vec![Some(scan::step(site, crms, mapping, *side, pace).await)]
        }
        Task::Record(_) | Task::Drift { .. } => vec![Some(Ok(Produced::nothing()))],
    };
    outcomes.resize_with(claimed.len(), || None);
    outcomes
}

/// The polls that cost nothing more when they go along with this one: Salesforce answers for
/// several objects in one call. Those that are due by the moment given.
pub fn companions(site: &Site, task: &Task, pace: &Pace) -> Option<(BTreeSet<Task>, Timestamp)> {
    let side = Side::Salesforce;
    let polls = |mapping: &MappingName| match task {
        Task::Poll { side: of, .. } if *of == side => Some(Task::Poll {
            mapping: mapping.clone(),
            side,
        }),
        Task::Reread { side: of, .. } if *of == side => Some(reread(mapping, side)),
        Task::Record(_)
        | Task::Poll { .. }
        | Task::Reread { .. }
        | Task::Backfill { .. }
        | Task::Scan { .. }
        | Task::Drift { .. } => None,
    };
    let leaders = site.leaders(side).into_iter();
    let like: Option<BTreeSet<Task>> = leaders.map(polls).collect();
    let mut others = like?;
    others.remove(task);
    // Early rather than late, so that all of them come to be due together.
    let soon = *pace.poll_millis.get(side) / 2;
    Some((others, site.clock.now().plus_millis(soon)))
}

/// The work that must exist for every object, whatever ran before, due now: a backfill that is not
/// done, otherwise its poll.
pub async fn arranged(site: &Site) -> Result<Vec<Mark>, StoreError> {
    let mut marks = Vec::new();
    let now = site.clock.now();
    for side in Side::BOTH {
        for mapping in site.leaders(side) {
            let task = if is_filled(site, mapping, side).await? {
                Task::Poll {
                    mapping: mapping.clone(),
                    side,
                }
            } else {
                Task::Backfill {
                    mapping: mapping.clone(),
                    side,
                }
            };
            let cause = task_cause(&task);
            marks.push(Mark {
                task,
                cause,
                not_before: now,
            });
        }
    }
    Ok(marks)
}

/// When a poll that has just been made is due again; `None` for other tasks.
pub fn next_look(site: &Site, task: &Task, pace: &Pace) -> Option<Timestamp> {
    let Task::Poll { mapping, side } = task else {
        return None;
    };
    let now = site.clock.now();
    Some(poll::next_poll(site, mapping, (*side, now), pace, false))
}

/// Asks for a full comparison of one mapping's object on both sides, at once.
pub fn scan_marks(site: &Site, mapping: &MappingName) -> Vec<Mark> {
    let all = site.mappings.values().map(Bound::mapping);
    let wanted = all.clone().filter(|one| one.name == *mapping);
    scans(all, wanted, site.clock.now())
}

/// Asks for a full comparison of the objects of the mappings that are wanted. `all` come by name,
/// because the first mapping of an object leads the others.
pub fn scans<'a>(
    all: impl Iterator<Item = &'a Mapping> + Clone,
    wanted: impl Iterator<Item = &'a Mapping>,
    now: Timestamp,
) -> Vec<Mark> {
    let mut tasks = BTreeSet::new();
    for mapping in wanted {
        for side in Side::BOTH {
            let object = mapping.objects.get(side);
            let leader = all.clone().find(|one| one.objects.get(side) == object);
            tasks.extend(leader.map(|leader| Task::Scan {
                mapping: leader.name.clone(),
                side,
            }));
        }
    }
    let mark = |task| Mark {
        task,
        cause: Cause::Scan,
        not_before: now,
    };
    tasks.into_iter().map(mark).collect()
}

/// Starts over taking stock of a mapping's object: a mapping that is new must see every record.
pub fn backfill_again(site: &Site, mapping: &MappingName) -> Vec<CursorPut> {
    Side::BOTH
        .into_iter()
        .filter_map(|side| {
            let leader = &site.sharing(mapping, side).first()?.mapping().name;
            Some(put_cursor(
                leader,
                side,
                BACKFILL,
                &BackfillCursor::default(),
            ))
        })
        .collect()
}

const SCAN: &str = "scan";

/// Sources run ahead of the records they mark, or nothing could be matched.
const fn task_cause(task: &Task) -> Cause {
    match task {
        Task::Record(_) | Task::Poll { .. } | Task::Reread { .. } | Task::Backfill { .. } => {
            Cause::Poll
        }
        Task::Scan { .. } | Task::Drift { .. } => Cause::Scan,
    }
}

impl Produced {
    fn nothing() -> Self {
        Self {
            changes: Changes::default(),
            next: None,
            seen: 0,
            marked: 0,
        }
    }
}

fn reread(mapping: &MappingName, side: Side) -> Task {
    let mapping = mapping.clone();
    Task::Reread { mapping, side }
}

fn read_cursor<T: serde::de::DeserializeOwned + Default>(text: Option<String>) -> T {
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

fn put_cursor<T: serde::Serialize>(
    mapping: &MappingName,
    side: Side,
    kind: &str,
    cursor: &T,
) -> CursorPut {
    let value = serde_json::to_string(cursor).unwrap_or_default();
    CursorPut {
        mapping: mapping.clone(),
        side,
        kind: kind.to_owned(),
        value,
    }
}
