//! Takes stock of one side: every record once, in chunks that resume where they stopped.
//!
//! A chunk stores match keys and marks; nothing is planned before both sides are known, because a
//! record that looks new, or unique, may turn out not to be.

use super::cursor::PollCursor;
use super::{Produced, SourceError, put_cursor, read_cursor};
use crate::crm::Crms;
use crate::model::{Cause, MappingName, Side, Task};
use crate::pipeline::{BACKFILL, BackfillCursor, POLL, Site, take};
use crate::store::{Changes, Mark};

/// A full comparison follows the backfill a day later.
const FIRST_SCAN_MILLIS: i64 = 24 * 3_600_000;

pub async fn step(
    site: &Site,
    crms: &Crms,
    leader: &MappingName,
    side: Side,
) -> Result<Produced, SourceError> {
    let text = site
        .store
        .cursor(&site.workspace, leader, side, BACKFILL)
        .await?;
    let fresh = text.is_none();
    let mut cursor: BackfillCursor = read_cursor(text);
    let mut changes = Changes::default();
    let fields = site.shared_fields(leader, side);
    let page = match site.mappings.get(leader) {
        Some(bound) => {
            crms.list(side, bound.object(side), &fields, cursor.after.as_deref())
                .await?
        }
        None => return Ok(Produced::nothing()),
    };
    if fresh {
        // In the CRM's own time: a clock of ours that is ahead would open a gap.
        let started = page.server_time.unwrap_or_else(|| site.clock.now());
        let joining = PollCursor::joining(started, site.clock.now());
        changes
            .cursors
            .push(put_cursor(leader, side, POLL, &joining));
    }
    let (mut seen, mut marked) = (0, 0);
    for bound in site.sharing(leader, side) {
        let taken = take(
            site,
            bound,
            side,
            &page.records,
            Cause::Backfill,
            &mut changes,
        )
        .await?;
        seen = taken.seen;
        marked += taken.marked;
    }
    cursor.seen += seen;
    cursor.done = page.next.is_none();
    cursor.after = page.next;
    let now = site.clock.now();
    if cursor.done {
        changes.marks.extend(followers(leader, side, now));
    }
    let next = (!cursor.done).then_some(now);
    changes
        .cursors
        .push(put_cursor(leader, side, BACKFILL, &cursor));
    Ok(Produced {
        changes,
        next,
        seen,
        marked,
    })
}

/// What takes over when everything has been seen once.
fn followers(leader: &MappingName, side: Side, now: crate::model::Timestamp) -> Vec<Mark> {
    let poll = Task::Poll {
        mapping: leader.clone(),
        side,
    };
    let scan = Task::Scan {
        mapping: leader.clone(),
        side,
    };
    vec![
        Mark {
            task: poll,
            cause: Cause::Poll,
            not_before: now,
        },
        Mark {
            task: scan,
            cause: Cause::Scan,
            not_before: now.plus_millis(FIRST_SCAN_MILLIS),
        },
    ]
}
