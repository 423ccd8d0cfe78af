//! How much of the platforms' allowances an attempt may need, by the kind of work.

use crate::crm::{Crms, Need, Urgency, Why};
use crate::model::{Class, Side, Task};

/// Reads of the pairs of one chunk, and of what they are tied to.
const DRIFT_CALLS: u32 = 25;

/// What an attempt may need; it does not begin before there is room. Records take four calls for
/// each batch of HubSpot's: both sides' reads, a write, and half a dozen besides. `tied` is how
/// many kinds of records theirs are associated with.
pub(super) fn need(task: &Task, class: Class, claimed: usize, batch: usize, tied: u32) -> Need {
    let urgency = match class {
        Class::Interactive => Urgency::Interactive,
        Class::Live | Class::Retry => Urgency::Live,
        Class::Backfill => Urgency::Idle,
    };
    let source = |side: &Side, calls| Need {
        side: Some(*side),
        calls,
        searches: 0,
        associations: 0,
        writes: false,
        spares: false,
        urgency,
    };
    match task {
        Task::Record(_) => Need {
            side: None,
            calls: 4 * u32::try_from(claimed.div_ceil(batch)).unwrap_or(10) + 5,
            searches: 0,
            associations: tied,
            writes: true,
            spares: urgency == Urgency::Live && claimed < batch,
            urgency,
        },
        Task::Poll { side, .. } | Task::Reread { side, .. } => Need {
            searches: u32::from(*side == Side::HubSpot),
            ..source(side, 2)
        },
        Task::Backfill { side, .. } => Need {
            urgency: Urgency::Idle,
            ..source(side, 2)
        },
        Task::Scan { side, .. } => Need {
            urgency: Urgency::Idle,
            ..source(side, 4)
        },
        Task::Drift { .. } => Need {
            side: None,
            calls: DRIFT_CALLS,
            searches: 0,
            associations: 0,
            writes: false,
            spares: false,
            urgency: Urgency::Idle,
        },
    }
}

/// The least urgent class that may ride along: while calls are left to more urgent work, the rest
/// must not get in by the side door.
pub(super) fn riders(crms: &Crms) -> Class {
    let kept = |urgency| {
        let need = Need {
            side: None,
            calls: 1,
            searches: 0,
            associations: 0,
            writes: false,
            spares: false,
            urgency,
        };
        crms.shut(need).is_some_and(|shut| shut.why == Why::Spent)
    };
    if kept(Urgency::Live) {
        Class::Interactive
    } else if kept(Urgency::Idle) {
        Class::Retry
    } else {
        Class::Backfill
    }
}
