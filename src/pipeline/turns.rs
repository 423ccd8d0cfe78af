//! Whose turn it is: interactive, live, retried and backfilled work share a lane 8 : 4 : 2 : 1.
//!
//! Plain data and pure rules. Every class keeps count of the API calls it has had, weighed by its
//! share; the one that has had least is next. So nothing starves, and whoever had nothing to do
//! for a while is served at once without being paid for the time it was away.

use serde::{Deserialize, Serialize};

use crate::model::Class;

/// Ticks that one call costs the class with the share 1.
const CALL: u64 = 8;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Turns {
    /// Where the class that was served last began.
    now: u64,
    /// Where each class has come to.
    used: [u64; 4],
}

impl Turns {
    /// All classes, whoever is next first.
    pub fn order(&self) -> [Class; 4] {
        let mut order = Class::ALL;
        order.sort_by_key(|class| (self.begins(*class), *class));
        order
    }

    /// The class has had this many calls; an attempt without any costs one.
    pub fn had(&mut self, class: Class, calls: u64) {
        let begins = self.begins(class);
        let cost = calls.clamp(1, 1_000_000) * (CALL / share(class));
        self.now = begins;
        self.used[class as usize] = begins.saturating_add(cost);
    }

    fn begins(&self, class: Class) -> u64 {
        self.used[class as usize].max(self.now)
    }
}

const fn share(class: Class) -> u64 {
    match class {
        Class::Interactive => 8,
        Class::Live => 4,
        Class::Retry => 2,
        Class::Backfill => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(turns: &Turns, ready: &[Class]) -> Class {
        let order = turns.order();
        *order.iter().find(|class| ready.contains(class)).unwrap()
    }

    #[test]
    fn four_busy_classes_share_eight_four_two_one() {
        let mut turns = Turns::default();
        let mut calls = [0_u64; 4];
        for n in 0..15_000_u64 {
            let class = next(&turns, &Class::ALL);
            let cost = 1 + n % 7;
            turns.had(class, cost);
            calls[class as usize] += cost;
        }
        let unit = calls.iter().sum::<u64>() / 15;
        for (class, had) in Class::ALL.into_iter().zip(calls) {
            let fair = unit * share(class);
            assert!(had.abs_diff(fair) < 100, "{class:?} had {had} of {fair}");
        }
    }

    #[test]
    fn a_person_never_waits_behind_a_storm_of_live_work() {
        let mut turns = Turns::default();
        for _ in 0..10_000 {
            let class = next(&turns, &[Class::Live, Class::Backfill]);
            turns.had(class, 45);
            assert_eq!(turns.order()[0], Class::Interactive);
        }
    }

    #[test]
    fn who_was_idle_is_not_paid_for_it() {
        let mut turns = Turns::default();
        (0..1_000).for_each(|_| turns.had(Class::Live, 10));
        turns.had(Class::Backfill, 10);
        let mut row = 0;
        while next(&turns, &[Class::Live, Class::Backfill]) == Class::Backfill {
            turns.had(Class::Backfill, 10);
            row += 1;
        }
        assert!(row <= 1, "{row} in a row");
    }
}
