//! Test power: which invariant catches which deliberate bug of `tandem::bugs`. Those that random
//! schedules meet too seldom are in `tests/engine/power.rs`, each with a test of its own.

use tandem::bugs::{Bug, plant};

use crate::crew::runtime;
use crate::number;
use crate::run::{Outcome, Rig, Wish, play};
use crate::trace::Keep;

/// A bug that nothing catches within as many is not caught.
const SCHEDULES_MAX: u64 = 300;

/// A bug, the first seed that catches it, and the invariant that does.
const CAUGHT: &[(Bug, u64, &str)] = &[
    (Bug::BaseAdvancedBeforeTheWrite, 1, "I4"),
    (Bug::BasesNotStored, 1, "I4"),
    (Bug::OneSharedBaseHalf, 1, "I4"),
    (Bug::OvertakenTakenForApplied, 27, "I1"),
    (Bug::OwnWriteBelieved, 7, "I4"),
    (Bug::EpochIgnored, 20, "I5"),
    (Bug::IntentNotClosed, 1, "I3"),
    (Bug::UnknownOutcomeTakenForSuccess, 82, "I8"),
    (Bug::CreateWithoutKey, 1, "I7"),
    (Bug::LoserNotStored, 2, "I3"),
    (Bug::HoldNotStored, 1, "I1"),
    (Bug::DeadLetterNotWritten, 6, "I17"),
    (Bug::DeletePolicyIgnored, 1, "I10"),
    (Bug::DeleteBeatsEdit, 58, "I24"),
    (Bug::DeletedTakenForLive, 1, "I1"),
    (Bug::TombstoneIgnored, 23, "I7"),
    (Bug::RetryAfterIgnored, 10, "I13"),
    (Bug::LatePassLeftOut, 111, "I8"),
    (Bug::ExpiredCallSent, 20, "I5"),
    (Bug::ResultsMatchedByPosition, 83, "I7"),
    (Bug::RuleLeftOutOfRest, 1, "I16"),
    (Bug::ParentsLinkWakesNobody, 21, "I16"),
    (Bug::CreatedRecordNotLinked, 1, "I4"),
];

/// The mapping that a bug needs to show; otherwise the seed picks one.
fn cast(bug: Bug) -> Option<&'static str> {
    match bug {
        Bug::HalfAUnionAgreed => Some("union"),
        Bug::GuardIgnored => Some("deleting"),
        Bug::ParentsLinkWakesNobody | Bug::BlockedTakenForDone => Some("references"),
        _ => None,
    }
}

/// One schedule with a bug; `None` when it panicked, which catches it too.
fn with_bug(bug: Bug, seed: u64) -> Option<Outcome> {
    let played = std::panic::catch_unwind(|| {
        runtime().block_on(async {
            let rig = Rig::new().await;
            plant(Some(bug));
            let wish = Wish {
                keep: Keep::Nothing,
                cast: cast(bug),
            };
            play(&rig, seed, wish).await
        })
    });
    plant(None);
    played.ok()
}

fn caught(bug: Bug, seed: u64, invariant: &str) -> bool {
    match with_bug(bug, seed) {
        None => invariant == "panic",
        Some(outcome) => outcome
            .violations
            .iter()
            .any(|found| found.invariant == invariant),
    }
}

#[test]
fn every_deliberate_bug_is_caught_by_the_invariant_that_is_named_for_it() {
    let mut blind = Vec::new();
    for (bug, seed, invariant) in CAUGHT {
        // Every change of the engine shifts what a seed plays, so the seed is where to look first.
        let mut seeds = std::iter::once(*seed).chain(1..=SCHEDULES_MAX);
        if !seeds.any(|seed| caught(*bug, seed, invariant)) {
            blind.push(format!(
                "{bug:?}: no {invariant} in {SCHEDULES_MAX} schedules"
            ));
        }
    }
    assert!(blind.is_empty(), "\n{}", blind.join("\n"));
}

/// Finds the first seed for each bug, or for the one that `TANDEM_TEST_BUG` names.
#[test]
#[ignore = "a measurement: it plays until each bug is caught"]
fn how_soon_each_bug_is_caught() {
    let most = number("TANDEM_TEST_SCHEDULES", 400);
    let only = std::env::var("TANDEM_TEST_BUG").ok();
    let mut bugs = Bug::ALL.to_vec();
    bugs.retain(|bug| only.as_ref().is_none_or(|only| *only == format!("{bug:?}")));
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    let Some(bug) = bugs.get(at) else { return };
                    measure(*bug, most);
                }
            });
        }
    });
}

fn measure(bug: Bug, most: u64) {
    let runtime = runtime();
    let rig = runtime.block_on(Rig::new());
    for seed in 1..=most {
        plant(Some(bug));
        let wish = Wish {
            keep: Keep::Nothing,
            cast: cast(bug),
        };
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(play(&rig, seed, wish))
        }));
        plant(None);
        let Ok(outcome) = played else {
            println!("    (Bug::{bug:?}, {seed}, \"panic\"),");
            return;
        };
        if let Some(first) = outcome.violations.first() {
            println!(
                "    (Bug::{bug:?}, {seed}, \"{}\"), // {}",
                first.invariant, first.what
            );
            return;
        }
    }
    println!("    // {bug:?} is not caught by {most} schedules");
}
