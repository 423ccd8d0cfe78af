//! The only door in: records that a source has read become marks, or nothing.
//!
//! A record whose values all equal its half of the base costs nothing more. Whatever is marked is
//! marked in the commit that moves the source's cursor, so that a cursor never passes unseen work.

use std::collections::{BTreeMap, BTreeSet};

use super::{Site, at_rest, caught, rivals};
use crate::mapping::Bound;
use crate::model::{
    Cause, ErrorClass, Hold, HoldReason, Link, LinkId, LinkState, Presence, Record, RecordId,
    RecordKey, Side, Task,
};
use crate::store::{
    Changes, DeadLetter, DeadLetterClose, DeadLetterOf, DeadLetterState, Mark, MatchKeys,
    RuleScope, StoreError,
};

/// Records taken in bulk are worked in the order of their due times. Those that others refer to are
/// dated back by this much a level, or each child would be written before its parent and again.
const HEAD_START_MILLIS: i64 = 24 * 3_600_000;

/// What a poll finds rests this long. Edits of one moment are not all shown at once: the other
/// side's poll comes a little later, and so does HubSpot's index. Worked one by one, each part
/// would cost the calls of the whole.
pub const DEBOUNCE_MILLIS: i64 = 1_000;

/// What one page of records came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub seen: u64,
    pub marked: u64,
    /// Of the marked ones, those with an open link: a scan that finds one found what events missed.
    pub linked: u64,
}

/// Compares records with the base under one mapping and adds marks and match keys to `changes`.
pub async fn take(
    site: &Site,
    bound: &Bound,
    side: Side,
    records: &[Record],
    cause: Cause,
    changes: &mut Changes,
) -> Result<Taken, StoreError> {
    let known = Known::load(site, bound, side, records).await?;
    let mut taken = Taken {
        seen: records.len() as u64,
        ..Taken::default()
    };
    let now = site.clock.now();
    let due = match cause {
        Cause::Backfill => now.plus_millis(-HEAD_START_MILLIS * site.height(&bound.mapping().name)),
        Cause::Poll => now.plus_millis(DEBOUNCE_MILLIS),
        Cause::Person | Cause::Event | Cause::Follow | Cause::Scan => now,
    };
    let decided = match (cause, side) {
        (Cause::Poll, Side::HubSpot) => site.decided.among(bound, records, now),
        _ => BTreeSet::new(),
    };
    let keys: Vec<MatchKeys> = records.iter().map(|of| keys_of(bound, side, of)).collect();
    if cause == Cause::Poll {
        let woken = rivals::woken(site, bound, side, &keys, due).await?;
        changes.marks.extend(woken);
    }
    changes.match_keys.extend(keys);
    for record in records {
        let link = known.links.get(&record.id);
        let key = RecordKey {
            mapping: bound.mapping().name.clone(),
            side,
            id: record.id.clone(),
        };
        if link.is_none() && record.presence != Presence::Live {
            changes.dead_letters_closed.push(gone(&key));
        }
        // What cannot even be compared is marked: its own attempt will tell what is wrong with it.
        let quiet = caught(|| known.quiet(bound, side, record, link)).unwrap_or(false)
            || known.given_up(bound, cause, side, record)
            || decided.contains(&record.id);
        let looks_again = known.looks_again(cause, link);
        if quiet && !looks_again {
            continue;
        }
        // A scan does not wake what waits for a parent, unless something else has moved.
        let cause = match !quiet && looks_again {
            true => Cause::Poll,
            false => cause,
        };
        taken.marked += 1;
        taken.linked += u64::from(link.is_some_and(|link| link.state.is_open()));
        changes.marks.push(Mark {
            task: Task::Record(key),
            cause,
            not_before: due,
        });
    }
    Ok(taken)
}

/// The match keys of a record that was read, to be stored whatever becomes of it. A record that is
/// gone matches nobody any more.
pub fn keys_of(bound: &Bound, side: Side, record: &Record) -> MatchKeys {
    MatchKeys {
        mapping: bound.mapping().name.clone(),
        side,
        record: record.id.clone(),
        keys: if record.presence == Presence::Live {
            caught(|| bound.match_keys(side, &record.fields)).unwrap_or_default()
        } else {
            Vec::new()
        },
    }
}

/// Nobody can decide anything about an unlinked record that is gone.
fn gone(key: &RecordKey) -> DeadLetterClose {
    DeadLetterClose {
        of: DeadLetterOf::Task(Task::Record(key.clone())),
        rules: RuleScope::All,
        state: DeadLetterState::Closed,
        why: "the record is gone".to_owned(),
    }
}

struct Known {
    links: BTreeMap<RecordId, Link>,
    bases: BTreeMap<LinkId, crate::model::Bases>,
    holds: BTreeMap<LinkId, Vec<Hold>>,
    letters: BTreeMap<RecordId, Vec<DeadLetter>>,
    /// Linked under another mapping of the group, so none of this one's business.
    peers_own: BTreeSet<RecordId>,
}

impl Known {
    async fn load(
        site: &Site,
        bound: &Bound,
        side: Side,
        records: &[Record],
    ) -> Result<Self, StoreError> {
        let ids: Vec<RecordId> = records.iter().map(|record| record.id.clone()).collect();
        let ws = &site.workspace;
        let name = &bound.mapping().name;
        let mut links = site.store.links_by_record(ws, name, side, &ids).await?;
        let link_ids: Vec<LinkId> = links.iter().map(|link| link.id.clone()).collect();
        let bases = site.store.bases(ws, &link_ids).await?;
        let mut holds: BTreeMap<LinkId, Vec<Hold>> = BTreeMap::new();
        for hold in site.store.holds(ws, &link_ids).await? {
            holds.entry(hold.link.clone()).or_default().push(hold);
        }
        let letters = Self::letters(site, bound, side, &ids).await?;
        // A closed link never hides an open one of the same record.
        links.sort_by_key(|link| link.state.is_open());
        let links: BTreeMap<RecordId, Link> = links
            .into_iter()
            .filter_map(|link| link.records.get(side).clone().map(|id| (id, link)))
            .collect();
        let peers_own = match &bound.mapping().group {
            Some(group) if side == Side::HubSpot => {
                let mut ids = ids;
                ids.retain(|id| !links.contains_key(id));
                let theirs = site.store.links_of_group(ws, group, &ids).await?;
                let open = theirs.into_iter().filter(|link| link.state.is_open());
                open.filter_map(|link| link.records.hubspot).collect()
            }
            Some(_) | None => BTreeSet::new(),
        };
        Ok(Self {
            links,
            bases,
            holds,
            letters,
            peers_own,
        })
    }

    async fn letters(
        site: &Site,
        bound: &Bound,
        side: Side,
        ids: &[RecordId],
    ) -> Result<BTreeMap<RecordId, Vec<DeadLetter>>, StoreError> {
        let mapping = &bound.mapping().name;
        let key = |id: &RecordId| RecordKey {
            mapping: mapping.clone(),
            side,
            id: id.clone(),
        };
        let tasks: Vec<Task> = ids.iter().map(|id| Task::Record(key(id))).collect();
        let mut letters: BTreeMap<RecordId, Vec<DeadLetter>> = BTreeMap::new();
        for letter in site.store.dead_letters_of(&site.workspace, &tasks).await? {
            if let Task::Record(key) = &letter.task {
                letters.entry(key.id.clone()).or_default().push(letter);
            }
        }
        Ok(letters)
    }

    /// The platform refused this very record for good, and nothing in it has changed since: polls
    /// read a record more than once, and another look is no new reason to try.
    fn given_up(&self, bound: &Bound, cause: Cause, side: Side, record: &Record) -> bool {
        let letters = self.letters.get(&record.id).map_or(&[][..], Vec::as_slice);
        let told_of_it = |letter: &DeadLetter| {
            let then = letter.inputs.get(side);
            letter.class == ErrorClass::Permanent
                && !then.is_empty()
                && bound
                    .told_fields(side)
                    .all(|name| record.fields.get(name) == then.get(name))
        };
        cause == Cause::Poll && record.presence == Presence::Live && letters.iter().any(told_of_it)
    }

    /// A scan also tries what gave up waiting for a parent: the link that was missing then moves
    /// no value of this record.
    fn looks_again(&self, cause: Cause, link: Option<&Link>) -> bool {
        let holds = link.and_then(|link| self.holds.get(&link.id));
        let waits = |hold: &Hold| hold.reason == HoldReason::Unresolved;
        cause == Cause::Scan && holds.is_some_and(|holds| holds.iter().any(waits))
    }

    /// Nothing to do: at rest under an open link, gone and never linked, or linked by a peer.
    fn quiet(&self, bound: &Bound, side: Side, record: &Record, link: Option<&Link>) -> bool {
        let Some(link) = link else {
            return record.presence != Presence::Live || self.peers_own.contains(&record.id);
        };
        if record.presence != Presence::Live {
            // What is left of a detached pair may have gone too, and then nobody need decide.
            return !link.state.is_open() && link.state != LinkState::Detached;
        }
        if link.state != LinkState::Linked || link.note == Link::waits(side) {
            return false;
        }
        let none = Vec::new();
        let holds = self.holds.get(&link.id).unwrap_or(&none);
        // A record that left the filter has moved, whatever its mapped values say.
        let inside = bound.takes_part(side, &record.fields).unwrap_or(false);
        inside
            && self
                .bases
                .get(&link.id)
                .is_some_and(|bases| at_rest(bound, side, &record.fields, bases, holds))
    }
}
