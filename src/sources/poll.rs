//! Asks one side for what changed. One page a step; the cursor moves with the marks.

use super::cursor::{Pass, Place, PollCursor, Window};
use super::{Pace, Produced, SourceError, put_cursor, read_cursor};
use crate::crm::{Changed, Crms, Span};
use crate::mapping::{Bound, Poll};
use crate::model::{Cause, MappingName, Raw, Record, Side, Timestamp};
use crate::pipeline::{POLL, Site, Taken, is_stocked, take};
use crate::store::{Changes, StoreError};

/// Until a poll asks again whether the backfills are done that it has to wait for.
const UNSTOCKED_MILLIS: i64 = 1_000;
/// Pages of one pass that go before the records they mark: enough to fill a few attempts.
const PAGES_AHEAD: u32 = 20;

pub async fn step(
    site: &Site,
    crms: &Crms,
    leader: &MappingName,
    side: Side,
    pace: &Pace,
) -> Result<Produced, SourceError> {
    let text = site
        .store
        .cursor(&site.workspace, leader, side, POLL)
        .await?;
    let mut cursor: PollCursor = read_cursor(text);
    let now = site.clock.now();
    cursor.keep_to(now);
    let mut window = cursor.next_window(now, side == Side::HubSpot);
    let Some(bound) = site.mappings.get(leader) else {
        return Ok(Produced::nothing());
    };
    let sharing = sharing(site, leader, side).await?;
    if !sharing.iter().any(|(_, stocked)| *stocked) {
        // Nothing can be paired yet; the pass will reach back to before the backfill.
        return Ok(Produced {
            next: Some(now.plus_millis(UNSTOCKED_MILLIS)),
            ..Produced::nothing()
        });
    }
    let page = read(
        site,
        crms,
        bound,
        side,
        &window,
        cursor.bin_after.as_deref(),
    )
    .await?;
    let server_time = page.server_time.unwrap_or(now);
    let to = *window.to.get_or_insert(server_time.micros());

    let mut changes = Changes::default();
    let first = cursor.passed.is_empty();
    let taken = take_page(site, sharing, side, &page.records, first, &mut changes).await?;
    window.marked += taken.marked;
    let next = match advance(
        side,
        &mut cursor,
        window,
        page,
        Timestamp::from_micros(to),
        now,
    ) {
        Turn::Next(at) => at,
        Turn::Over => next_poll(site, leader, side, now, pace),
    };
    changes
        .cursors
        .push(put_cursor(leader, side, POLL, &cursor));
    Ok(Produced {
        changes,
        next: Some(next),
        seen: taken.seen,
        marked: taken.marked,
    })
}

/// Marks what a page shows under each mapping that shares the poll. The first pass meets what the
/// backfill has just marked; that is no more urgent now.
async fn take_page(
    site: &Site,
    sharing: Vec<(&Bound, bool)>,
    side: Side,
    records: &[Record],
    first: bool,
    changes: &mut Changes,
) -> Result<Taken, SourceError> {
    let mut all = Taken::default();
    for (bound, stocked) in sharing {
        let cause = if first || !stocked {
            Cause::Backfill
        } else {
            Cause::Poll
        };
        let taken = take(site, bound, side, records, cause, changes).await?;
        all.seen = taken.seen;
        all.marked += taken.marked;
        all.linked += taken.linked;
    }
    Ok(all)
}

/// Who goes next after a page.
enum Turn {
    /// The poll itself, at this time.
    Next(Timestamp),
    /// Nobody, until the next poll is due.
    Over,
}

/// Moves the cursor past a page that is being stored.
fn advance(
    side: Side,
    cursor: &mut PollCursor,
    mut window: Window,
    page: Changed,
    reached: Timestamp,
    now: Timestamp,
) -> Turn {
    if window.pass == Pass::Bin {
        cursor.finish_bin(page.resume, now);
        return Turn::Over;
    }
    if page.complete {
        cursor.finish(&window, reached, now);
        let more = window.pass == Pass::Late
            || cursor.wants_again()
            || cursor.wants_bin(now, side == Side::HubSpot);
        return if more { Turn::Next(now) } else { Turn::Over };
    }
    window.after = page.records.last().map(place);
    window.pages += 1;
    // Ahead of what it marks, so that batches fill; a very long pass takes turns with them.
    let ahead = window.pass == Pass::Fast && window.pages < PAGES_AHEAD;
    let next = if ahead {
        Timestamp::from_micros(window.begun)
    } else {
        now
    };
    cursor.window = Some(window);
    Turn::Next(next)
}

/// The mappings that share a poll, and whether each may pair records yet.
async fn sharing<'a>(
    site: &'a Site,
    leader: &MappingName,
    side: Side,
) -> Result<Vec<(&'a Bound, bool)>, StoreError> {
    let mut sharing = Vec::new();
    for bound in site.sharing(leader, side) {
        sharing.push((bound, is_stocked(site, bound).await?));
    }
    Ok(sharing)
}

async fn read(
    site: &Site,
    crms: &Crms,
    bound: &Bound,
    side: Side,
    window: &Window,
    bin_after: Option<&str>,
) -> Result<Changed, SourceError> {
    if window.pass == Pass::Bin {
        return bin_page(site, crms, bound, bin_after).await;
    }
    let span = Span {
        from: Timestamp::from_micros(window.from),
        until: window.to.map(Timestamp::from_micros),
        after: window.after.as_ref().map(Place::key),
    };
    let fields = site.shared_fields(&bound.mapping().name, side);
    Ok(crms
        .changed(side, bound.object(side), &span, &fields)
        .await?)
}

/// A page of HubSpot's recycle bin. Its records carry proof of their deletion.
async fn bin_page(
    site: &Site,
    crms: &Crms,
    bound: &Bound,
    after: Option<&str>,
) -> Result<Changed, SourceError> {
    let side = Side::HubSpot;
    let fields = site.shared_fields(&bound.mapping().name, side);
    let page = crms
        .list_archived(bound.object(side), &fields, after)
        .await?;
    Ok(Changed {
        complete: page.next.is_none(),
        resume: page.next,
        records: page.records,
        server_time: None,
    })
}

fn place(record: &Record) -> Place {
    let system = record.fields.get("SystemModstamp").and_then(Raw::as_text);
    let stamp = system.and_then(Timestamp::parse).or(record.modified_at);
    let stamp = stamp.map_or(0, Timestamp::micros);
    Place {
        stamp,
        id: record.id.as_str().to_owned(),
    }
}

/// The earliest wish of the mappings that share this poll.
fn next_poll(
    site: &Site,
    leader: &MappingName,
    side: Side,
    now: Timestamp,
    pace: &Pace,
) -> Timestamp {
    let auto = *pace.poll_millis.get(side);
    site.sharing(leader, side)
        .into_iter()
        .map(|bound| match &bound.mapping().poll {
            Poll::Auto => now.plus_millis(auto),
            every @ (Poll::Every { .. } | Poll::Cron { .. }) => every.next_after(now, auto),
        })
        .min()
        .unwrap_or_else(|| now.plus_millis(auto))
}
