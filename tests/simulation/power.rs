//! Test power: each deliberate bug of `tandem::bugs` is caught, and by which invariant.

use tandem::bugs::{Bug, plant};

use crate::crew::runtime;
use crate::number;
use crate::run::{Outcome, Rig, Wish, play};
use crate::trace::Keep;

/// A bug, the first seed that catches it, and the invariant that does.
const CAUGHT: &[(Bug, u64, &str)] = &[
    (Bug::BaseAdvancedBeforeTheWrite, 1, "I4"),
    (Bug::BasesNotStored, 1, "I4"),
    (Bug::OneSharedBaseHalf, 1, "I4"),
    (Bug::OvertakenTakenForApplied, 2, "I1"),
    (Bug::OwnWriteBelieved, 2, "I4"),
    (Bug::CursorCommittedBeforeMarks, 30, "I11"),
    (Bug::AlteredTakenForApplied, 46, "I3"),
    (Bug::EpochIgnored, 12, "I5"),
    (Bug::LeftOpenIntentsForgotten, 175, "I3"),
    (Bug::GraceNotWaitedFor, 175, "I3"),
    (Bug::UnknownOutcomeTakenForFailure, 175, "I3"),
    (Bug::UnknownOutcomeTakenForSuccess, 175, "I3"),
    (Bug::CreateWithoutKey, 1, "I7"),
    (Bug::LoserNotStored, 1, "I3"),
    (Bug::HoldNotStored, 9, "I1"),
    (Bug::DeadLetterNotWritten, 9, "I8"),
    (Bug::TransientGivenUp, 174, "I8"),
    (Bug::FailedReadTakenForDone, 174, "I8"),
    (Bug::DeletePolicyIgnored, 6, "I10"),
    (Bug::DeleteBeatsEdit, 32, "I24"),
    (Bug::DeletedTakenForLive, 6, "I1"),
    (Bug::TombstoneIgnored, 6, "I7"),
    (Bug::RetryAfterIgnored, 2, "I13"),
    (Bug::ExpiredCallSent, 2, "I5"),
    (Bug::ResultsMatchedByPosition, 6, "I3"),
    (Bug::LatePassLeftOut, 17, "I8"),
    (Bug::RuleLeftOutOfRest, 1, "I16"),
    (Bug::CreatedRecordNotLinked, 6, "I7"),
    (Bug::IntentNotClosed, 1, "I5"),
    (Bug::GuardIgnored, 14, "I10"),
    (Bug::ParentsLinkWakesNobody, 67, "I16"),
    (Bug::HalfAUnionAgreed, 188, "I1"),
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

#[test]
fn every_deliberate_bug_is_caught_by_the_invariant_that_is_named_for_it() {
    let mut blind = Vec::new();
    for (bug, seed, invariant) in CAUGHT {
        let found = match with_bug(*bug, *seed) {
            None => vec!["panic"],
            Some(outcome) => outcome
                .violations
                .iter()
                .map(|found| found.invariant)
                .collect(),
        };
        if !found.contains(invariant) {
            blind.push(format!(
                "{bug:?} with seed {seed}: {found:?} instead of {invariant}"
            ));
        }
    }
    assert!(blind.is_empty(), "\n{}", blind.join("\n"));
    assert!(CAUGHT.len() >= 30, "only {} bugs are caught", CAUGHT.len());
}

/// Finds the first seed for each bug that the table does not have.
#[test]
#[ignore = "a measurement: it plays until each bug is caught"]
fn how_soon_each_bug_is_caught() {
    let most = number("TANDEM_TEST_SCHEDULES", 400);
    let known = |bug: &Bug| CAUGHT.iter().any(|(caught, ..)| caught == bug);
    let bugs: Vec<Bug> = Bug::ALL.into_iter().filter(|bug| !known(bug)).collect();
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
