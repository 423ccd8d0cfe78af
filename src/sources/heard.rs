//! What webhooks announced lately, and whether they can be relied on enough to poll less.
//!
//! Kept in memory only and never a reason to skip work: a poll reads and marks what it always did,
//! and this says when the next one is due. A process that has just started has heard nothing, so
//! it polls at the usual pace until webhooks have proved themselves to it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{MappingName, RecordId, Side, Timestamp, WorkspaceId};
use crate::store::Announced;

/// The pace of polls while webhooks flow, and so how late a change may be seen whose webhook is
/// lost. `HubSpot` tries a webhook again ten times, spread over a day (hubspot.md 9.5), and sends
/// none for calculated values, so one that is missing cannot be waited for. Polling is five minutes
/// behind at best by the platform's own account (hubspot.md 9.8), and the late pass looks back
/// twice as far.
pub const SAFETY_NET_MILLIS: i64 = 5 * 60_000;

/// For so long polls have to find nothing that was not announced before they slow down.
const PROVEN_MILLIS: i64 = 30 * 60_000;

/// An object of which nothing was heard for so long is polled as if it had no webhooks: silence may
/// be rest, and it may be a subscription that ended. Announcements are kept as long.
const HEARD_MILLIS: i64 = 60 * 60_000;

/// A poll may be faster than the webhook of the same change, by the seconds that `HubSpot` gathers
/// events for or a busy intake puts off. A younger change is judged by the next poll.
const YOUNG_MILLIS: i64 = 60_000;

/// Announcements that are kept, of one feed and of all. Beyond that there is too much news to poll
/// less, so the feed is forgotten and begins again.
const OF_ONE: usize = 10_000;
const OF_ALL: usize = 200_000;

/// The announcements of one mapping's object on one side.
type Of = (WorkspaceId, MappingName, Side);

#[derive(Debug, Default)]
pub struct Heard {
    feeds: Mutex<Feeds>,
}

#[derive(Debug, Default)]
struct Feeds {
    by: BTreeMap<Of, Feed>,
    records: usize,
}

#[derive(Debug, Default)]
struct Feed {
    last: Option<Timestamp>,
    announced: BTreeMap<RecordId, Timestamp>,
    /// Found by a poll while the change was young.
    suspects: BTreeMap<RecordId, Timestamp>,
    /// The first poll after the last one that found what was not announced.
    proven_since: Option<Timestamp>,
}

/// A record that a poll has marked, and when it was changed by the CRM's time.
pub struct Found<'a> {
    pub record: &'a RecordId,
    pub changed: Option<Timestamp>,
}

/// Whether an announcement can be of a change: it comes after it, by clocks that may differ.
fn tells(announced: Timestamp, changed: Option<Timestamp>) -> bool {
    changed.is_none_or(|at| announced.plus_millis(YOUNG_MILLIS) >= at)
}

impl Heard {
    /// Webhooks announced these records, and that is stored.
    pub fn announce(&self, ws: &WorkspaceId, announced: &Announced, now: Timestamp) {
        let mut feeds = self.feeds();
        for ((mapping, side), ids) in announced {
            let of = (ws.clone(), mapping.clone(), *side);
            let mut feed = feeds.by.remove(&of).unwrap_or_default();
            feeds.records -= feed.announced.len();
            feed.last = Some(now);
            for id in ids {
                feed.suspects.remove(id);
                match feed.announced.get_mut(id) {
                    Some(at) => *at = now,
                    None => {
                        feed.announced.insert(id.clone(), now);
                    }
                }
            }
            if feed.announced.len() <= OF_ONE {
                feeds.records += feed.announced.len();
                feeds.by.insert(of, feed);
            }
        }
        if feeds.records > OF_ALL {
            *feeds = Feeds::default();
        }
    }

    /// What a poll found that was not equal to the base already.
    pub fn judge(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
        found: &[Found<'_>],
        now: Timestamp,
    ) {
        let mut feeds = self.feeds();
        let of = (ws.clone(), mapping.clone(), side);
        let Some(feed) = feeds.by.get_mut(&of) else {
            return;
        };
        let before = feed.announced.len();
        feed.announced
            .retain(|_, at| now.millis_since(*at) < HEARD_MILLIS);
        let gone = before - feed.announced.len();
        let is_late = |at: &Timestamp| now.millis_since(*at) >= YOUNG_MILLIS;
        let mut missed = feed.suspects.values().any(is_late);
        for Found { record, changed } in found {
            if feed
                .announced
                .get(record)
                .is_some_and(|at| tells(*at, *changed))
            {
                continue;
            }
            if changed.as_ref().is_none_or(is_late) {
                missed = true;
            } else {
                feed.suspects.entry((*record).clone()).or_insert(now);
            }
        }
        if missed {
            feed.suspects.clear();
            feed.proven_since = None;
        } else {
            feed.proven_since.get_or_insert(now);
        }
        feeds.records -= gone;
    }

    /// Whether polls of this mapping's object may be a mere safety net.
    pub fn flows(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
        now: Timestamp,
    ) -> bool {
        let feeds = self.feeds();
        let Some(feed) = feeds.by.get(&(ws.clone(), mapping.clone(), side)) else {
            return false;
        };
        let heard = feed
            .last
            .is_some_and(|at| now.millis_since(at) < HEARD_MILLIS);
        let proven = feed
            .proven_since
            .is_some_and(|at| now.millis_since(at) >= PROVEN_MILLIS);
        heard && proven
    }

    /// The workspace's connections or mappings are others now, and its webhooks have to prove
    /// themselves again.
    pub fn forget(&self, ws: &WorkspaceId) {
        let mut feeds = self.feeds();
        feeds.by.retain(|(of, _, _), _| of != ws);
        feeds.records = feeds.by.values().map(|feed| feed.announced.len()).sum();
    }

    fn feeds(&self) -> MutexGuard<'_, Feeds> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    struct Feed {
        heard: Heard,
        ws: WorkspaceId,
        mapping: MappingName,
    }

    impl Feed {
        fn new() -> Self {
            Self {
                heard: Heard::default(),
                ws: WorkspaceId::new("acme/production"),
                mapping: MappingName::new("contacts"),
            }
        }

        fn announce(&self, id: &str, now: Timestamp) {
            let feed = (self.mapping.clone(), Side::HubSpot);
            let announced = Announced::from([(feed, vec![RecordId::new(id)])]);
            self.heard.announce(&self.ws, &announced, now);
        }

        /// A poll that found these records, changed at these times.
        fn poll(&self, found: &[(&str, Timestamp)], now: Timestamp) -> bool {
            let ids: Vec<_> = found.iter().map(|(id, _)| RecordId::new(*id)).collect();
            let found: Vec<Found<'_>> = ids
                .iter()
                .zip(found)
                .map(|(record, (_, at))| Found {
                    record,
                    changed: Some(*at),
                })
                .collect();
            let side = Side::HubSpot;
            self.heard.judge(&self.ws, &self.mapping, side, &found, now);
            self.heard.flows(&self.ws, &self.mapping, side, now)
        }

        fn proven(&self) {
            self.announce("1", at(0));
            assert!(!self.poll(&[], at(1)));
            assert!(!self.poll(&[], at(30)), "half an hour is not over");
            assert!(self.poll(&[("1", at(0))], at(31)));
        }
    }

    #[test]
    fn half_an_hour_without_a_surprise_is_proof_and_silence_ends_it() {
        let feed = Feed::new();
        assert!(!feed.poll(&[], at(0)), "nothing was ever announced");
        feed.proven();
        assert!(feed.poll(&[], at(59)));
        assert!(!feed.poll(&[], at(60)), "nothing was heard for an hour");
        feed.announce("2", at(61));
        assert!(feed.poll(&[("2", at(61))], at(62)));
        let others = feed
            .heard
            .flows(&feed.ws, &feed.mapping, Side::Salesforce, at(62));
        assert!(!others, "the other side has to prove itself");
    }

    #[test]
    fn one_change_that_nobody_announced_ends_it_at_once() {
        let feed = Feed::new();
        feed.proven();
        feed.announce("3", at(32));
        assert!(feed.poll(&[("3", at(32))], at(33)));
        let news = feed.poll(&[("3", at(34))], at(35));
        assert!(!news, "what was announced was an earlier change");
        feed.announce("5", at(50));
        assert!(!feed.poll(&[], at(36)));
        assert!(!feed.poll(&[], at(65)));
        assert!(feed.poll(&[], at(66)), "half an hour after the next poll");
    }

    #[test]
    fn a_poll_that_is_faster_than_the_webhook_is_no_surprise() {
        let feed = Feed::new();
        feed.proven();
        assert!(feed.poll(&[("3", at(36)), ("4", at(36))], at(36)));
        feed.announce("3", at(36));
        assert!(!feed.poll(&[], at(41)), "the other one never came");
    }

    #[test]
    fn a_flood_is_not_kept() {
        let feed = Feed::new();
        feed.proven();
        for id in 0..=OF_ONE {
            feed.announce(&id.to_string(), at(32));
        }
        assert!(!feed.poll(&[], at(33)));
        assert_eq!(feed.heard.feeds().records, 0);
    }

    #[test]
    fn what_is_forgotten_takes_its_announcements_along() {
        let feed = Feed::new();
        feed.proven();
        feed.heard.forget(&feed.ws);
        assert!(!feed.poll(&[], at(33)));
        assert_eq!(feed.heard.feeds().records, 0);
    }
}
