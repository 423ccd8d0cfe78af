//! Asks one side for what changed. One page a step; the cursor moves with the marks.

use super::cursor::{Place, PollCursor, Window};
use super::{POLL, Pace, Produced, SourceError, put_cursor, read_cursor};
use crate::crm::{Changed, Crms, Span};
use crate::mapping::{Bound, Poll};
use crate::model::{Cause, MappingName, Raw, Record, Side, Timestamp};
use crate::pipeline::{Site, take};
use crate::store::Changes;

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
    let mut window = cursor.next_window(now, side == Side::HubSpot);
    let Some(bound) = site.mappings.get(leader) else {
        return Ok(Produced::nothing());
    };
    let page = read(site, crms, bound, side, &window).await?;
    let server_time = page.server_time.unwrap_or(now);
    let to = *window.to.get_or_insert(server_time.micros());

    let mut changes = Changes::default();
    let (mut seen, mut marked) = (0, 0);
    for bound in site.sharing(leader, side) {
        let taken = take(site, bound, side, &page.records, Cause::Poll, &mut changes).await?;
        seen = taken.seen;
        marked += taken.marked;
    }
    window.marked += marked;
    let next = if page.complete {
        let fast = !window.late && !window.bin;
        cursor.finish(&window, Timestamp::from_micros(to), now);
        if fast {
            next_poll(site, leader, side, now, pace)
        } else {
            now
        }
    } else {
        let resume = page.resume.map(|id| Place { stamp: 0, id });
        window.after = resume.or_else(|| page.records.last().map(place));
        cursor.window = Some(window);
        now
    };
    changes
        .cursors
        .push(put_cursor(leader, side, POLL, &cursor));
    Ok(Produced {
        changes,
        next: Some(next),
        seen,
        marked,
    })
}

async fn read(
    site: &Site,
    crms: &Crms,
    bound: &Bound,
    side: Side,
    window: &Window,
) -> Result<Changed, SourceError> {
    if window.bin {
        return walk_bin(site, crms, bound, window).await;
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

/// The next page of HubSpot's recycle bin. Its records carry proof of their deletion.
async fn walk_bin(
    site: &Site,
    crms: &Crms,
    bound: &Bound,
    window: &Window,
) -> Result<Changed, SourceError> {
    let side = Side::HubSpot;
    let fields = site.shared_fields(&bound.mapping().name, side);
    let after = window.after.as_ref().map(|place| place.id.as_str());
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
