//! Plays many schedules at once, one thread for each core, and reports what it found.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tandem::bugs::Bug;

use crate::counts::Counts;
use crate::invariants::runs::same_seed_same_trace;
use crate::run::{Outcome, Rig, Wish, play};
use crate::trace::Keep;

#[cfg(debug_assertions)]
use tandem::bugs::plant;

/// A release build has no bugs to plant.
#[cfg(not(debug_assertions))]
fn plant(_: Option<Bug>) {}

/// Every so many seeds are played twice and compared.
const TWICE_EVERY: u64 = 50;
/// A store that many workspaces have passed through is slower than a new one.
const RUNS_PER_STORE: u64 = 300;

pub struct Report {
    pub schedules: u64,
    pub counts: Counts,
    pub failures: Vec<String>,
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

/// How to see it again, what it was, and what led to it.
pub fn told(outcome: &Outcome) -> String {
    let mut text = format!("seed {} with the cast {}\n", outcome.seed, outcome.cast);
    for violation in &outcome.violations {
        let _ = writeln!(text, "  {}: {}", violation.invariant, violation.what);
    }
    let _ = writeln!(
        text,
        "  replay: scripts/simulate --seed {} --schedules 1",
        outcome.seed
    );
    text
}

async fn one(rig: &Rig, seed: u64, cast: Cast) -> (Counts, Option<String>) {
    let twice = seed.is_multiple_of(TWICE_EVERY);
    let keep = if twice { Keep::Hash } else { Keep::Nothing };
    let first = play(rig, seed, Wish { keep, cast }).await;
    if !first.violations.is_empty() {
        let again = play(
            rig,
            seed,
            Wish {
                keep: Keep::Lines,
                cast,
            },
        )
        .await;
        let text = format!("{}  the last events:\n{}", told(&first), again.tail);
        return (first.counts, Some(text));
    }
    if twice {
        let second = play(
            rig,
            seed,
            Wish {
                keep: Keep::Hash,
                cast,
            },
        )
        .await;
        let found = same_seed_same_trace(seed, first.hash, second.hash);
        return (first.counts, found.err().map(|what| format!("I23: {what}")));
    }
    (first.counts, None)
}

/// Only this cast; otherwise each seed picks.
type Cast = Option<&'static str>;

/// Which seeds are played, and when enough is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub first: u64,
    pub schedules: u64,
    pub failures_max: usize,
    pub cast: Cast,
    /// Planted in every thread that plays.
    pub bug: Option<Bug>,
}

/// A schedule and the thread of its store take turns thousands of times a second. On one core that
/// costs a quarter less than between two. Where it cannot be had, nothing but time is lost.
#[cfg(target_os = "linux")]
fn keep_to(core: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(allowed) = sched_getaffinity(None) else {
        return;
    };
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    if let Some(core) = cores.nth(core) {
        let mut one = CpuSet::new();
        one.set(core);
        if let Err(error) = sched_setaffinity(None, &one) {
            eprintln!("schedules are not kept to one core each: {error}");
        }
    }
}

#[cfg(not(target_os = "linux"))]
const fn keep_to(_: usize) {}

pub fn play_all(plan: Plan, progress: &(impl Fn(u64) + Sync)) -> Report {
    let Plan {
        first,
        schedules,
        failures_max,
        ..
    } = plan;
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = threads.min(usize::try_from(schedules).unwrap_or(threads));
    let next = AtomicU64::new(0);
    let report = Mutex::new(Report {
        schedules: 0,
        counts: Counts::default(),
        failures: Vec::new(),
    });
    std::thread::scope(|scope| {
        let (next, report) = (&next, &report);
        for core in 0..threads {
            scope.spawn(move || {
                keep_to(core);
                plant(plan.bug);
                let runtime = runtime();
                let mut rig = runtime.block_on(Rig::new());
                for played in 1.. {
                    let nth = next.fetch_add(1, Ordering::SeqCst);
                    if nth >= schedules {
                        return;
                    }
                    let seed = first + nth;
                    let played_one = catch_unwind(AssertUnwindSafe(|| {
                        runtime.block_on(one(&rig, seed, plan.cast))
                    }));
                    let (counts, failure) = played_one.unwrap_or_else(|_| {
                        (
                            Counts::default(),
                            Some(format!("seed {seed} panicked, as said above")),
                        )
                    });
                    let fresh = failure.is_some() || u64::is_multiple_of(played, RUNS_PER_STORE);
                    let done = {
                        let mut report = report.lock().expect("no thread panics here");
                        report.schedules += 1;
                        report.counts.join(&counts);
                        report.failures.extend(failure);
                        if report.failures.len() >= failures_max {
                            next.store(schedules, Ordering::SeqCst);
                        }
                        report.schedules
                    };
                    progress(done);
                    if fresh {
                        rig = runtime.block_on(Rig::new());
                    }
                }
            });
        }
    });
    report.into_inner().expect("no thread panics here")
}
