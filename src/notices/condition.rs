//! What people are told of, and whether it holds. Pure.

use crate::model::{ConnectionState, Side, Timestamp};
use crate::store::NoticeFacts;

/// Something that begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// HubSpot cannot be used any more.
    HubSpot,
    /// Salesforce cannot be used any more.
    Salesforce,
    /// Work has been due for too long.
    Backlog,
    /// Guards wait for a yes.
    Approvals,
    /// Work failed for good.
    DeadLetters,
}

impl Subject {
    pub const ALL: [Self; 5] = [
        Self::HubSpot,
        Self::Salesforce,
        Self::Backlog,
        Self::Approvals,
        Self::DeadLetters,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HubSpot => "connection-hubspot",
            Self::Salesforce => "connection-salesforce",
            Self::Backlog => "backlog",
            Self::Approvals => "approvals",
            Self::DeadLetters => "dead-letters",
        }
    }
}

/// Whether it holds now. What is on the edge stays as it `was`.
pub fn holds(subject: Subject, facts: &NoticeFacts, was: bool, now: Timestamp) -> bool {
    let lost = |side: Side| {
        let state = facts.connections.get(side);
        state.is_some_and(|state| state != ConnectionState::Connected)
    };
    match subject {
        Subject::HubSpot => lost(Side::HubSpot),
        Subject::Salesforce => lost(Side::Salesforce),
        Subject::Approvals => facts.approvals > 0,
        Subject::DeadLetters => facts.dead_letters > 0,
        // A pause is somebody's wish: work that waits for its end is no news.
        Subject::Backlog if facts.paused => was,
        Subject::Backlog => {
            let overdue = facts.due.map_or(0, |at| now.millis_since(at));
            let bound = facts.backlog_millis;
            overdue >= if was { bound / 2 } else { bound }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BySide, WorkspaceId};

    fn facts(due_millis: i64) -> NoticeFacts {
        NoticeFacts {
            workspace: WorkspaceId::new("acme/x"),
            backlog_millis: 100,
            paused: false,
            due: Some(Timestamp::from_millis(due_millis)),
            dead_letters: 0,
            approvals: 0,
            connections: BySide::new(None, Some(ConnectionState::Connected)),
        }
    }

    #[test]
    fn a_backlog_at_the_edge_does_not_begin_and_end_all_the_time() {
        let at = |age: i64, was: bool| {
            let now = Timestamp::from_millis(1_000 + age);
            holds(Subject::Backlog, &facts(1_000), was, now)
        };
        assert_eq!((at(99, false), at(100, false)), (false, true));
        assert_eq!((at(50, true), at(49, true)), (true, false));
        assert!(!at(-500, false), "what is due later is no backlog");
    }

    #[test]
    fn a_pause_neither_begins_nor_ends_a_backlog() {
        let paused = NoticeFacts {
            paused: true,
            ..facts(0)
        };
        let now = Timestamp::from_millis(9_000);
        for was in [false, true] {
            assert_eq!(holds(Subject::Backlog, &paused, was, now), was);
        }
    }

    #[test]
    fn a_side_is_lost_only_after_it_was_connected() {
        let now = Timestamp::from_millis(0);
        let mut facts = facts(0);
        let lost = |facts: &NoticeFacts| {
            [Subject::HubSpot, Subject::Salesforce].map(|one| holds(one, facts, false, now))
        };
        assert_eq!(lost(&facts), [false, false]);
        facts.connections = BySide::new(
            Some(ConnectionState::Reconnect),
            Some(ConnectionState::WrongAccount),
        );
        assert_eq!(lost(&facts), [true, true]);
    }
}
