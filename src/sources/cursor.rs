//! Where each source stopped reading. Stored as JSON text; unknown or broken text starts afresh,
//! because reading a record twice costs a call and skipping one costs an edit.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::bugs::{self, Bug};
use crate::model::{RecordId, Timestamp};

/// A record changed within this long before a pass may have been shown too late for it: HubSpot's
/// index usually takes seconds, up to about half a minute (hubspot.md 5.1).
pub const OVERLAP_MILLIS: i64 = 30_000;

/// Records of a fast pass, above which its stretch is a busy one: a page of HubSpot's search.
const MANY: u64 = 200;

/// In a busy stretch the overlap holds many pages, and a pass leaves it out, so that news need not
/// queue behind what was seen before. A pass of its own reads it again when it is this long.
const SHORT_FOR_MILLIS: i64 = 60_000;

/// What the fast pass could not see yet, because an index lagged or a transaction committed late,
/// is read once more after this long (architecture.md 7).
pub const LATE_MILLIS: i64 = 10 * 60_000;

/// A CRM's clock is believed to be this far ahead of ours and no further: a cursor behind its own
/// time reads records again, one before it passes edits over. Less than [`LATE_MILLIS`], so that
/// the late pass reads again whatever an earlier one has skipped.
const AHEAD_MILLIS: i64 = 5 * 60_000;

/// How often the recycle bin is walked through for deletions.
pub const BIN_MILLIS: i64 = 60 * 60_000;

/// How far before the start of a backfill polling begins, so that no clock difference opens a gap.
const JOIN_MILLIS: i64 = 5 * 60_000;

/// Progress of polling one object. All stamps are the CRM's own times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollCursor {
    /// Everything the CRM showed up to here has been marked.
    pub high: i64,
    /// Everything up to here was read when it was old enough to be shown.
    #[serde(default)]
    pub sure: i64,
    /// Passes begin at `high`, and what lies behind it is read again by one of its own.
    #[serde(default)]
    pub busy: bool,
    /// The last fast pass showed more than [`MANY`].
    #[serde(default)]
    pub many: bool,
    /// The late pass has covered everything up to here.
    pub late_high: i64,
    /// Our time of each finished fast pass with the `high` it reached, for the late pass.
    pub passed: VecDeque<(i64, i64)>,
    /// Our time when the recycle bin was last walked to its end, and where a walk stands that has
    /// not come there; HubSpot only.
    #[serde(default)]
    pub bin_walked: i64,
    #[serde(default)]
    pub bin_after: Option<String>,
    /// A pass over the changes has ended since the last page of the bin was read.
    #[serde(default)]
    pub bin_turn: bool,
    /// A pass that is under way over the changes or the bin, and one over what was read before:
    /// neither waits for the other.
    pub window: Option<Window>,
    #[serde(default)]
    pub reread: Option<Window>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub from: i64,
    /// Known after the first page of a fast pass: the CRM's time then.
    pub to: Option<i64>,
    /// The last row of the page before.
    pub after: Option<Place>,
    #[serde(default)]
    pub pass: Pass,
    /// Records this pass was shown.
    #[serde(default)]
    pub seen: u64,
    /// Our time when the pass was due, or began, and the pages it has read.
    #[serde(default)]
    pub begun: i64,
    #[serde(default)]
    pub pages: u32,
}

/// What a pass is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// What has changed since the last one.
    #[default]
    Fast,
    /// A busy stretch, once more, as far as the index has had time to show all of it.
    Again,
    /// What the fast passes of ten minutes ago could not see yet.
    Late,
    /// One page of the recycle bin instead of the changes.
    Bin,
}

impl Pass {
    /// Reads once more what a fast pass has read.
    pub const fn rereads(self) -> bool {
        matches!(self, Self::Again | Self::Late)
    }
}

/// A row in the order of the pass: by id for HubSpot, by stamp and id for Salesforce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub stamp: i64,
    pub id: String,
}

impl Place {
    pub fn key(&self) -> (Timestamp, RecordId) {
        (Timestamp::from_micros(self.stamp), RecordId::new(&self.id))
    }
}

impl PollCursor {
    /// Polling that joins a backfill without a gap. It began at `started` by the CRM's time, which
    /// is `now` by ours.
    pub fn joining(started: Timestamp, now: Timestamp) -> Self {
        let high = started.plus_millis(-JOIN_MILLIS).micros();
        Self {
            high,
            sure: high,
            late_high: high,
            bin_walked: now.micros(),
            ..Self::default()
        }
    }

    /// Takes back what lies in the future: a stored cursor may be broken, and a reply's `Date` may
    /// come from a proxy whose clock is.
    pub fn keep_to(&mut self, now: Timestamp) {
        let latest = now.plus_millis(AHEAD_MILLIS).micros();
        self.high = self.high.min(latest);
        self.sure = self.sure.min(latest);
        self.late_high = self.late_high.min(latest);
        self.passed.retain(|(_, high)| *high <= latest);
        self.window
            .take_if(|window| window.from > latest || window.pass.rereads());
        self.reread
            .take_if(|window| window.from > latest || !window.pass.rereads());
    }

    /// The pass over the changes or the bin to go on with, or the next one to begin. `has_bin`:
    /// deletions do not show among the changes of this side.
    pub fn next_window(&self, now: Timestamp, has_bin: bool) -> Window {
        if let Some(window) = &self.window {
            return window.clone();
        }
        let new = match self.wants_bin(now, has_bin) {
            true => Window {
                pass: Pass::Bin,
                ..Window::default()
            },
            false => Window {
                from: if self.busy { self.high } else { self.sure },
                ..Window::default()
            },
        };
        Window {
            begun: now.micros(),
            ..new
        }
    }

    /// The pass over what was read before to go on with, or the next one to begin; `None` when no
    /// such pass is due.
    pub fn next_reread(&self, now: Timestamp) -> Option<Window> {
        let (late, again) = (self.wants_late(now), self.wants_again());
        self.reread.clone().or_else(|| {
            let new = match late {
                true => Window {
                    from: Timestamp::from_micros(self.late_high)
                        .plus_millis(-OVERLAP_MILLIS)
                        .micros(),
                    to: Some(self.late_target(now)),
                    pass: Pass::Late,
                    ..Window::default()
                },
                false => Window {
                    from: self.sure,
                    to: Some(self.high.saturating_sub(OVERLAP_MILLIS * 1_000)),
                    pass: Pass::Again,
                    ..Window::default()
                },
            };
            (late || again).then_some(new)
        })
    }

    /// Whether a page of the recycle bin is due. It takes turns with the passes over the changes,
    /// so that a bin of any size costs one call more per poll and holds nothing up.
    pub fn wants_bin(&self, now: Timestamp, has_bin: bool) -> bool {
        let walked = Timestamp::from_micros(self.bin_walked);
        let due = self.bin_after.is_some() || now.millis_since(walked) >= BIN_MILLIS;
        has_bin && self.bin_turn && due
    }

    /// Whether a busy stretch is due to be read again.
    fn wants_again(&self) -> bool {
        self.busy && self.high.saturating_sub(self.sure) >= SHORT_FOR_MILLIS * 1_000
    }

    /// Whether a pass of ten minutes ago is due to be read late.
    fn wants_late(&self, now: Timestamp) -> bool {
        self.late_target(now) > self.late_high && !bugs::on(Bug::LatePassLeftOut)
    }

    /// The highest stamp that a fast pass reached at least [`LATE_MILLIS`] ago.
    fn late_target(&self, now: Timestamp) -> i64 {
        let due = now.plus_millis(-LATE_MILLIS).micros();
        let reached = self
            .passed
            .iter()
            .take_while(|(at, _)| *at <= due)
            .map(|(_, high)| *high);
        reached.max().unwrap_or(self.late_high)
    }

    /// Notes that a page of the bin is stored, and where the next one begins.
    pub fn finish_bin(&mut self, next: Option<String>, now: Timestamp) {
        self.window = None;
        self.bin_turn = false;
        if next.is_none() {
            self.bin_walked = now.micros();
        }
        self.bin_after = next;
    }

    /// Notes that the window's last page is stored.
    pub fn finish(&mut self, window: &Window, reached: Timestamp, now: Timestamp) {
        match window.pass.rereads() {
            true => self.reread = None,
            false => self.window = None,
        }
        if window.pass == Pass::Late {
            self.late_high = window.to.unwrap_or(self.late_high);
            let late_high = self.late_high;
            self.passed.retain(|(_, high)| *high > late_high);
            return;
        }
        if window.pass == Pass::Fast {
            self.bin_turn = true;
            self.many = window.seen > MANY;
        }
        let reached = reached.min(now.plus_millis(AHEAD_MILLIS));
        self.high = self.high.max(reached.micros());
        if window.from <= self.sure {
            let young = match window.pass {
                Pass::Again => 0,
                Pass::Fast | Pass::Late | Pass::Bin => OVERLAP_MILLIS,
            };
            self.sure = self.sure.max(reached.plus_millis(-young).micros());
            self.busy = self.many;
        }
        // One entry a minute is enough to know how far the passes had come ten minutes ago.
        let minute = now.plus_millis(-60_000).micros();
        if self.passed.back().is_none_or(|(at, _)| *at <= minute) {
            self.passed.push_back((now.micros(), self.high));
        }
    }
}

/// Progress of a full scan of one object, and what past scans found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanCursor {
    pub after: Option<String>,
    /// The records that are there are compared; those that were archived follow.
    #[serde(default)]
    pub archived: bool,
    pub seen: u64,
    /// Records the events had missed, in this pass. Should be zero.
    pub missed: u64,
    pub passes: u64,
    pub missed_before: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// `pipeline` reads a part of this cursor, under the same names.
    #[test]
    fn whoever_compares_edit_times_reads_the_passes_that_a_cursor_wrote() {
        let mut cursor = PollCursor::joining(at(0), at(0));
        for minute in 1..4 {
            let now = at(minute * 60 + 3);
            let window = cursor.next_window(now, false);
            cursor.finish(&window, at(minute * 60), now);
        }
        let text = serde_json::to_string(&cursor).unwrap();
        let passes: crate::pipeline::Passes = serde_json::from_str(&text).unwrap();
        assert_eq!(passes.before(at(1_000), None), Some(at(180)));
        let shown = Some(at(183));
        assert_eq!(
            passes.before(at(1_000), shown),
            Some(at(120)),
            "the pass that showed it"
        );
        assert_eq!(
            passes.before(at(100), shown),
            Some(at(60)),
            "a pass after the change"
        );
        assert_eq!(passes.before(at(30), shown), None);
    }

    #[test]
    fn a_window_under_way_is_resumed_before_anything_else() {
        let (news, late) = (Pass::Fast, Pass::Late);
        let window = |pass| Window {
            from: 5,
            pass,
            ..Window::default()
        };
        let cursor = PollCursor {
            window: Some(window(news)),
            reread: Some(window(late)),
            ..PollCursor::default()
        };
        assert_eq!(cursor.next_window(at(9_999), false), window(news));
        assert_eq!(cursor.next_reread(at(9_999)), Some(window(late)));
    }

    /// Until a version that kept one window for both.
    #[test]
    fn what_was_being_read_once_more_in_place_of_the_news_is_begun_again() {
        let mut cursor = PollCursor::joining(at(10_000), at(10_000));
        fast(&mut cursor, 10_000);
        cursor.window = cursor.next_reread(at(10_600));
        cursor.keep_to(at(10_600));
        fast(&mut cursor, 10_600);
        assert_eq!(cursor.next_reread(at(10_600)).unwrap().pass, Pass::Late);
    }

    /// A fast pass at this second, to its end.
    fn fast(cursor: &mut PollCursor, now: i64) {
        let window = cursor.next_window(at(now), false);
        assert_eq!(window.pass, Pass::Fast);
        cursor.finish(&window, at(now), at(now));
    }

    #[test]
    fn what_a_fast_pass_reached_is_read_once_more_ten_minutes_later() {
        let mut cursor = PollCursor::joining(at(10_000), at(10_000));
        fast(&mut cursor, 10_000);
        fast(&mut cursor, 10_599);
        let nine = cursor.next_reread(at(10_599));
        assert_eq!(nine, None, "nine minutes and 59 seconds");

        let late = cursor.next_reread(at(10_600)).unwrap();
        assert_eq!(late.pass, Pass::Late);
        assert_eq!(late.to, Some(at(10_000).micros()));
        fast(&mut cursor, 10_600);
        cursor.finish(&late, at(10_000), at(10_600));
        fast(&mut cursor, 10_601);
        let again = cursor.next_reread(at(10_601));
        assert_eq!(again, None, "the late pass is not repeated");
    }

    #[test]
    fn a_quiet_pass_reads_the_last_half_minute_again_and_a_busy_one_at_most_once_a_minute() {
        let mut cursor = PollCursor::joining(at(10_000), at(10_000));
        let from = |cursor: &PollCursor, now| cursor.next_window(at(now), false).from;
        let pass = |cursor: &mut PollCursor, now: i64, seen: u64| {
            let window = Window {
                seen,
                ..cursor.next_window(at(now), false)
            };
            cursor.finish(&window, at(now), at(now));
        };
        pass(&mut cursor, 10_000, 200);
        assert_eq!(
            from(&cursor, 10_010),
            at(9_970).micros(),
            "one page, read again"
        );
        pass(&mut cursor, 10_010, 1_500);
        assert_eq!(
            from(&cursor, 10_020),
            at(10_010).micros(),
            "eight pages, not again"
        );
        pass(&mut cursor, 10_020, 1_500);
        pass(&mut cursor, 10_030, 10);
        assert_eq!(
            from(&cursor, 10_035),
            at(10_030).micros(),
            "nor while that is young"
        );
        assert_eq!(cursor.next_reread(at(10_039)), None);
        pass(&mut cursor, 10_040, 10);
        let again = cursor.next_reread(at(10_040)).unwrap();
        assert_eq!(
            (again.pass, again.from, again.to),
            (Pass::Again, at(9_980).micros(), Some(at(10_010).micros())),
            "what the first busy pass may have missed is read when it is old enough"
        );
        assert_eq!(
            from(&cursor, 10_040),
            at(10_040).micros(),
            "beside the news"
        );
        cursor.finish(&again, at(10_010), at(10_041));
        assert_eq!(from(&cursor, 10_050), at(10_010).micros(), "quiet again");
    }

    #[test]
    fn a_pass_never_moves_the_cursor_back() {
        let mut cursor = PollCursor {
            high: at(50).micros(),
            ..PollCursor::default()
        };
        let window = cursor.next_window(at(60), false);
        cursor.finish(&window, at(40), at(60));
        assert_eq!(cursor.high, at(50).micros());
    }

    #[test]
    fn a_time_of_another_age_in_a_reply_skips_no_edit() {
        let mut cursor = PollCursor::joining(at(10_000), at(10_000));
        let fast = cursor.next_window(at(10_000), false);
        cursor.finish(&fast, at(9_000_000), at(10_000));
        let (next, late) = (at(10_060), at(10_601));
        let fast = cursor.next_window(next, false);
        assert!(
            fast.from <= at(10_300).micros(),
            "at most five minutes ahead"
        );
        cursor.finish(&fast, at(10_060), next);
        let fast = cursor.next_window(late, false);
        cursor.finish(&fast, at(10_601), late);
        let window = cursor.next_reread(late).unwrap();
        assert_eq!(window.pass, Pass::Late);
        assert!(window.from <= at(10_000).micros());
        assert!(
            window.to >= Some(at(10_300).micros()),
            "what was skipped is read late"
        );
    }

    #[test]
    fn the_bin_is_walked_once_an_hour_and_takes_turns_with_the_changes() {
        let mut cursor = PollCursor::joining(at(10_000), at(10_000));
        let fast = cursor.next_window(at(13_700), true);
        assert_ne!(fast.pass, Pass::Bin, "the changes come first");
        cursor.finish(&fast, at(13_700), at(13_700));
        assert_ne!(
            cursor.next_window(at(13_700), false).pass,
            Pass::Bin,
            "this side has no bin"
        );

        assert_eq!(cursor.next_window(at(13_700), true).pass, Pass::Bin);
        cursor.finish_bin(Some("100".to_owned()), at(13_700));
        assert_eq!(
            cursor.high,
            at(13_700).micros(),
            "the bin says nothing about changes"
        );
        let fast = cursor.next_window(at(13_760), true);
        assert_ne!(fast.pass, Pass::Bin, "one page, then the changes again");
        cursor.finish(&fast, at(13_760), at(13_760));

        assert_eq!(
            cursor.next_window(at(13_760), true).pass,
            Pass::Bin,
            "the walk goes on"
        );
        cursor.finish_bin(None, at(13_760));
        let fast = cursor.next_window(at(13_820), true);
        cursor.finish(&fast, at(13_820), at(13_820));
        assert_ne!(
            cursor.next_window(at(13_820), true).pass,
            Pass::Bin,
            "not again within the hour"
        );
    }
}
