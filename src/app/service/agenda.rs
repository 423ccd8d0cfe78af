//! Which workspace is worked on next: pure bookkeeping of due times.
//!
//! A workspace is worked on by one worker at a time. A wake-up that comes meanwhile is not lost:
//! the workspace is due again as soon as the worker is done with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Timestamp, WorkspaceId};

#[derive(Debug, Default)]
pub struct Agenda {
    due: BTreeSet<(Timestamp, WorkspaceId)>,
    known: BTreeMap<WorkspaceId, Place>,
}

#[derive(Debug)]
enum Place {
    Waits(Timestamp),
    /// Nothing is due; somebody has to wake it.
    Rests,
    AtWork {
        woken: bool,
    },
}

/// What there is to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Work(WorkspaceId),
    Wait(Timestamp),
    Nothing,
}

impl Agenda {
    /// The workspace is due at this moment, or earlier if it was.
    pub fn due(&mut self, ws: &WorkspaceId, at: Timestamp) {
        match self.known.get_mut(ws) {
            Some(Place::AtWork { woken }) => *woken = true,
            Some(Place::Waits(earlier)) if *earlier <= at => {}
            Some(Place::Waits(_) | Place::Rests) | None => {
                self.forget_due(ws);
                self.due.insert((at, ws.clone()));
                self.known.insert(ws.clone(), Place::Waits(at));
            }
        }
    }

    /// Hands out the workspace that is due first, if one is due by now.
    pub fn next(&mut self, now: Timestamp) -> Next {
        let Some((at, ws)) = self.due.first().cloned() else {
            return Next::Nothing;
        };
        if at > now {
            return Next::Wait(at);
        }
        self.due.pop_first();
        self.known
            .insert(ws.clone(), Place::AtWork { woken: false });
        Next::Work(ws)
    }

    /// The worker is done; the workspace is due again then, or never by itself.
    pub fn done(&mut self, ws: &WorkspaceId, next: Option<Timestamp>, now: Timestamp) {
        let Some(Place::AtWork { woken }) = self.known.get(ws) else {
            return;
        };
        let next = if *woken { Some(now) } else { next };
        self.known.insert(ws.clone(), Place::Rests);
        if let Some(at) = next {
            self.due(ws, at);
        }
    }

    /// The workspace is gone; a worker that still has it finds out when it is done.
    pub fn remove(&mut self, ws: &WorkspaceId) {
        self.forget_due(ws);
        self.known.remove(ws);
    }

    /// Whether it comes to its turn by itself.
    pub fn is_due_some_time(&self, ws: &WorkspaceId) -> bool {
        matches!(
            self.known.get(ws),
            Some(Place::Waits(_) | Place::AtWork { .. })
        )
    }

    /// So many workspaces are known.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    pub fn is_at_work(&self, ws: &WorkspaceId) -> bool {
        matches!(self.known.get(ws), Some(Place::AtWork { .. }))
    }

    fn forget_due(&mut self, ws: &WorkspaceId) {
        if let Some(Place::Waits(at)) = self.known.get(ws) {
            self.due.remove(&(*at, ws.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ws(name: &str) -> WorkspaceId {
        WorkspaceId::new(name)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_earliest_is_worked_on_first_and_by_one_worker() {
        let mut agenda = Agenda::default();
        agenda.due(&ws("b/x"), at(20));
        agenda.due(&ws("a/x"), at(10));
        assert_eq!(agenda.next(at(5)), Next::Wait(at(10)));
        assert_eq!(agenda.next(at(30)), Next::Work(ws("a/x")));
        assert_eq!(agenda.next(at(30)), Next::Work(ws("b/x")));
        assert_eq!(agenda.next(at(30)), Next::Nothing);
        agenda.done(&ws("a/x"), Some(at(50)), at(30));
        assert_eq!(agenda.next(at(30)), Next::Wait(at(50)));
    }

    #[test]
    fn a_wake_up_during_work_makes_it_due_at_once() {
        let mut agenda = Agenda::default();
        agenda.due(&ws("a/x"), at(10));
        assert_eq!(agenda.next(at(10)), Next::Work(ws("a/x")));
        agenda.due(&ws("a/x"), at(11));
        assert_eq!(agenda.next(at(11)), Next::Nothing, "nobody else takes it");
        agenda.done(&ws("a/x"), Some(at(900)), at(12));
        assert_eq!(agenda.next(at(12)), Next::Work(ws("a/x")));
        agenda.done(&ws("a/x"), None, at(13));
        assert_eq!(agenda.next(at(999)), Next::Nothing, "it rests");
        agenda.due(&ws("a/x"), at(20));
        assert_eq!(agenda.next(at(20)), Next::Work(ws("a/x")));
    }

    #[test]
    fn an_earlier_time_wins_and_a_later_one_changes_nothing() {
        let mut agenda = Agenda::default();
        agenda.due(&ws("a/x"), at(100));
        agenda.due(&ws("a/x"), at(50));
        agenda.due(&ws("a/x"), at(200));
        assert_eq!(agenda.next(at(0)), Next::Wait(at(50)));
    }

    #[test]
    fn what_was_removed_does_not_come_back_when_its_worker_is_done() {
        let mut agenda = Agenda::default();
        agenda.due(&ws("a/x"), at(1));
        assert_eq!(agenda.next(at(1)), Next::Work(ws("a/x")));
        agenda.remove(&ws("a/x"));
        agenda.done(&ws("a/x"), Some(at(2)), at(2));
        assert_eq!(agenda.next(at(9)), Next::Nothing);
    }
}
