//! Asks one side for what changed. A page of each object a step; the cursor moves with the marks.

use std::collections::BTreeSet;

use super::cursor::{Pass, Place, PollCursor, Window};
use super::heard::{Found, SAFETY_NET_MILLIS};
use super::{Pace, Produced, SourceError, put_cursor, read_cursor, reread};
use crate::crm::{Changed, Crms, Question, Span};
use crate::mapping::Bound;
use crate::model::{Cause, MappingName, Raw, Record, RecordId, Side, Task, Timestamp};
use crate::pipeline::{DEBOUNCE_MILLIS, POLL, Site, Taken, is_stocked, take};
use crate::store::{Changes, Mark, StoreError};

/// Until a poll asks again whether the backfills are done that it has to wait for.
const UNSTOCKED_MILLIS: i64 = 1_000;
/// A CRM tells its time to the second. The first page of a pass shows what changed in the rest of
/// that second as well, and the pages behind it must not leave it out.
const CRM_TICK_MILLIS: i64 = 1_000;
/// What is read once more waits for the work that the pass before it has found: records at rest
/// cost nothing more.
pub const REREAD_MILLIS: i64 = DEBOUNCE_MILLIS + 1;
/// Pages of one pass that go before the records they mark: enough to fill a few attempts.
const PAGES_AHEAD: u32 = 20;

/// What became of one of several polls; `None` when it was left for a step of its own.
pub type Outcome = Option<Result<Produced, SourceError>>;

/// One page for each poll. Polls of Salesforce that begin a pass share a call; a pass of many pages
/// goes on by itself, in pages of full size.
pub async fn step(
    site: &Site,
    crms: &Crms,
    due: &[(&Task, Timestamp)],
    side: Side,
    pace: &Pace,
) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(due.len());
    let mut begun = Vec::new();
    for (place, (task, at)) in due.iter().enumerate() {
        outcomes.push(match begin(site, task, side, *at).await {
            Ok(Beginning::Page(one)) => {
                begun.push((place, *one));
                None
            }
            Ok(Beginning::Over(produced)) => Some(Ok(*produced)),
            Err(error) => Some(Err(error)),
        });
    }
    let goes_on = |(_, one): &(usize, Begun<'_>)| one.window.after.is_some();
    match begun.first() {
        Some(first) if goes_on(first) => begun.truncate(1),
        Some(_) | None => begun.retain(|one| !goes_on(one)),
    }
    let pages = read(site, crms, side, &begun).await;
    for ((place, one), page) in begun.into_iter().zip(pages) {
        outcomes[place] = Some(match page {
            Ok(page) => one.end(site, side, page, pace).await,
            Err(error) => Err(error),
        });
    }
    outcomes
}

/// A poll that knows what to read.
struct Begun<'a> {
    leader: &'a MappingName,
    bound: &'a Bound,
    cursor: PollCursor,
    window: Window,
    sharing: Vec<(&'a Bound, bool)>,
    now: Timestamp,
}

enum Beginning<'a> {
    Page(Box<Begun<'a>>),
    /// There is nothing to read, or not yet.
    Over(Box<Produced>),
}

async fn begin<'a>(
    site: &'a Site,
    task: &'a Task,
    side: Side,
    due: Timestamp,
) -> Result<Beginning<'a>, SourceError> {
    let leader = task.mapping();
    let text = site
        .store
        .cursor(&site.workspace, leader, side, POLL)
        .await?;
    let mut cursor: PollCursor = read_cursor(text);
    let now = site.clock.now();
    cursor.keep_to(now);
    let window = match matches!(task, Task::Reread { .. }) {
        true => cursor.next_reread(now),
        false => Some(cursor.next_window(now, side == Side::HubSpot)),
    };
    let (Some(mut window), Some(bound)) = (window, site.mappings.get(leader)) else {
        return Ok(Beginning::Over(Box::new(Produced::nothing())));
    };
    if cursor.window.is_none() {
        window.begun = due.min(now).micros();
    }
    let sharing = sharing(site, leader, side).await?;
    if !sharing.iter().any(|(_, stocked)| *stocked) {
        // Nothing can be paired yet; the pass will reach back to before the backfill.
        return Ok(Beginning::Over(Box::new(Produced {
            next: Some(now.plus_millis(UNSTOCKED_MILLIS)),
            ..Produced::nothing()
        })));
    }
    Ok(Beginning::Page(Box::new(Begun {
        leader,
        bound,
        cursor,
        window,
        sharing,
        now,
    })))
}

impl Begun<'_> {
    fn question(&self, site: &Site, side: Side) -> Question {
        let window = &self.window;
        Question {
            object: self.bound.object(side).to_owned(),
            span: Span {
                from: Timestamp::from_micros(window.from),
                until: window
                    .to
                    .map(|to| Timestamp::from_micros(to).plus_millis(CRM_TICK_MILLIS)),
                after: window.after.as_ref().map(Place::key),
            },
            fields: site.shared_fields(self.leader, side),
        }
    }

    /// Marks what the page shows and moves the cursor past it.
    async fn end(
        self,
        site: &Site,
        side: Side,
        page: Changed,
        pace: &Pace,
    ) -> Result<Produced, SourceError> {
        let Self {
            leader,
            mut cursor,
            mut window,
            sharing,
            now,
            ..
        } = self;
        let server_time = page.server_time.unwrap_or(now);
        let to = *window.to.get_or_insert(server_time.micros());

        let mut changes = Changes::default();
        let first = cursor.passed.is_empty();
        let page_of = (side, &page.records[..]);
        let taken = take_page(site, sharing, page_of, first, pace, &mut changes).await?;
        window.seen = window.seen.saturating_add(taken.seen);
        let reached = Timestamp::from_micros(to);
        let (pass, complete) = (window.pass, page.complete);
        let goes_on = advance(side, &mut cursor, window, page, reached, now);
        let in_bin = cursor.bin_after.is_some();
        let next = match pass.rereads() {
            true => goes_on,
            false => goes_on.or_else(|| Some(next_poll(site, leader, (side, now), pace, in_bin))),
        };
        if pass == Pass::Fast && complete && cursor.next_reread(now).is_some() {
            changes.marks.push(Mark {
                task: reread(leader, side),
                cause: Cause::Poll,
                not_before: site.clock.now().plus_millis(REREAD_MILLIS),
            });
        }
        changes
            .cursors
            .push(put_cursor(leader, side, POLL, &cursor));
        Ok(Produced {
            changes,
            next,
            seen: taken.seen,
            marked: taken.marked,
        })
    }
}

/// Marks what a page shows under each mapping that shares the poll. The first pass meets what the
/// backfill has just marked; that is no more urgent now.
async fn take_page(
    site: &Site,
    sharing: Vec<(&Bound, bool)>,
    (side, records): (Side, &[Record]),
    first: bool,
    pace: &Pace,
    changes: &mut Changes,
) -> Result<Taken, SourceError> {
    let mut all = Taken::default();
    for (bound, stocked) in sharing {
        let cause = if first || !stocked {
            Cause::Backfill
        } else {
            Cause::Poll
        };
        let before = changes.marks.len();
        let taken = take(site, bound, side, records, cause, changes).await?;
        if cause == Cause::Poll {
            let marks = &changes.marks[before..];
            judge_webhooks(site, bound, (side, records), marks, pace);
        }
        all.seen = taken.seen;
        all.marked += taken.marked;
        all.linked += taken.linked;
    }
    Ok(all)
}

/// Tells what the poll found, so that a change that no webhook announced is noticed.
fn judge_webhooks(
    site: &Site,
    bound: &Bound,
    (side, records): (Side, &[Record]),
    marks: &[Mark],
    pace: &Pace,
) {
    let marked: BTreeSet<&RecordId> = marks
        .iter()
        .filter_map(|mark| match &mark.task {
            Task::Record(key) if key.side == side => Some(&key.id),
            _ => None,
        })
        .collect();
    let found: Vec<Found<'_>> = records
        .iter()
        .filter(|record| marked.contains(&record.id))
        .map(|record| Found {
            record: &record.id,
            changed: record.modified_at,
        })
        .collect();
    let (mapping, now) = (&bound.mapping().name, site.clock.now());
    pace.heard
        .judge(&site.workspace, mapping, side, &found, now);
}

/// Moves the cursor past a page that is being stored. When the same task goes on; `None` when it is
/// over.
fn advance(
    side: Side,
    cursor: &mut PollCursor,
    mut window: Window,
    page: Changed,
    reached: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    if window.pass == Pass::Bin {
        cursor.finish_bin(page.resume, now);
        return None;
    }
    let rereads = window.pass.rereads();
    if page.complete {
        cursor.finish(&window, reached, now);
        let more = match rereads {
            true => cursor.next_reread(now).is_some(),
            false => cursor.wants_bin(now, side == Side::HubSpot),
        };
        return more.then_some(now);
    }
    window.after = page.records.last().map(place);
    window.pages += 1;
    // In the place it had, ahead of what it and the polls that were due with it have marked, so
    // that batches fill; a very long pass takes turns with them.
    let ahead = window.pass == Pass::Fast && window.pages < PAGES_AHEAD;
    let next = if ahead {
        Timestamp::from_micros(window.begun)
    } else {
        now
    };
    match rereads {
        true => cursor.reread = Some(window),
        false => cursor.window = Some(window),
    }
    Some(next)
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

/// A page for each, in order.
async fn read(
    site: &Site,
    crms: &Crms,
    side: Side,
    begun: &[(usize, Begun<'_>)],
) -> Vec<Result<Changed, SourceError>> {
    if let [(_, one)] = begun
        && one.window.pass == Pass::Bin
    {
        let after = one.cursor.bin_after.as_deref();
        return vec![bin_page(site, crms, one.bound, after).await];
    }
    let questions = begun.iter().map(|(_, one)| one.question(site, side));
    let questions: Vec<Question> = questions.collect();
    let pages = crms.changed(side, &questions).await;
    let pages = pages
        .into_iter()
        .map(|page| page.map_err(SourceError::from));
    pages.collect()
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

/// The earliest wish of the mappings that share this poll. While webhooks can be relied on, those
/// that name no time of their own wish for a safety net only; but a walk through the bin takes one
/// page a poll, and is not made to last for days.
pub fn next_poll(
    site: &Site,
    leader: &MappingName,
    (side, now): (Side, Timestamp),
    pace: &Pace,
    in_bin: bool,
) -> Timestamp {
    let usual = *pace.poll_millis.get(side);
    let auto = |name: &MappingName| {
        let flows = pace.heard.flows(&site.workspace, name, side, now);
        match flows && !in_bin {
            true => usual.max(SAFETY_NET_MILLIS),
            false => usual,
        }
    };
    site.sharing(leader, side)
        .into_iter()
        .map(|bound| {
            let mapping = bound.mapping();
            mapping.poll.next_after(now, auto(&mapping.name))
        })
        .min()
        .unwrap_or_else(|| now.plus_millis(usual))
}
