//! Deliberate bugs for tests, each behind a switch that only builds with debug assertions have.
//!
//! In a release nothing can be switched on and the questions vanish.

/// A closed set: one name for each bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Planning a record one of whose values is `poison` panics.
    PanicInPlan,
}

#[cfg(debug_assertions)]
thread_local! {
    static ON: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Whether this thread runs with the bug.
#[cfg(debug_assertions)]
pub fn on(bug: Bug) -> bool {
    ON.get() & (1 << bug as u64) != 0
}

#[cfg(not(debug_assertions))]
pub const fn on(_: Bug) -> bool {
    false
}

/// Switches the bug on or off, for this thread.
#[cfg(debug_assertions)]
pub fn switch(bug: Bug, is_on: bool) {
    let bit = 1 << bug as u64;
    ON.set(if is_on {
        ON.get() | bit
    } else {
        ON.get() & !bit
    });
}
