//! Deliberate bugs that random schedules meet too seldom: a named test catches each, or the walk
//! over crash points. What catches the others is in `tests/simulation/power.rs`.

use std::panic::catch_unwind;

use tandem::bugs::{Bug, plant};

use crate::crashes::{all_kills, in_peace, runtime, said, scenarios, with_deaths};
use crate::interleavings::{
    a_create_whose_reply_was_lost_is_found_by_the_poll_and_not_repeated_in_hubspot,
    a_record_that_is_asked_for_right_after_it_was_read_is_looked_at_again,
};
use crate::seams::Way;
use crate::{first_sync, holds, outages, patience, references, two_sided};

/// A bug, the test that catches it, and words of what the test says then.
type ByTest = (Bug, fn(), &'static str);

/// The rest are caught by the killing of the process in a scenario.
const BY_CRASH: &[(Bug, &str)] = &[(
    Bug::CursorCommittedBeforeMarks,
    "a backfill of several chunks",
)];

fn by_test() -> Vec<ByTest> {
    vec![
        (
            Bug::AlteredTakenForApplied,
            holds::a_value_that_a_flow_rewrites_is_held_altered_and_not_fought_over,
            "left: 0",
        ),
        (
            Bug::IntentNotCommitted,
            outages::a_write_whose_reply_is_lost_in_any_way_is_not_sent_again,
            "open until it is known",
        ),
        (
            Bug::UnknownOutcomeTakenForFailure,
            outages::a_write_whose_reply_is_lost_in_any_way_is_not_sent_again,
            "open until it is known",
        ),
        (
            Bug::LeftOpenIntentsForgotten,
            a_create_whose_reply_was_lost_is_found_by_the_poll_and_not_repeated_in_hubspot,
            "a write changed nothing",
        ),
        (
            Bug::GraceNotWaitedFor,
            outages::a_write_that_may_still_land_is_neither_judged_nor_repeated,
            "judged too early",
        ),
        (
            Bug::PartnerMarkTakenAfterTheRead,
            a_record_that_is_asked_for_right_after_it_was_read_is_looked_at_again,
            "answered with what had been read before it",
        ),
        (
            Bug::TransientGivenUp,
            outages::a_read_that_fails_costs_only_the_records_it_asked_for,
            "nothing is given up",
        ),
        (
            Bug::FailedReadTakenForDone,
            patience::records_that_may_not_be_read_for_a_while_are_not_given_up,
            "asked again, now and then",
        ),
        (
            Bug::GuardIgnored,
            crate::deletes::a_mass_delete_stops_at_the_guard,
            "nothing goes before a person agrees",
        ),
        (
            Bug::HalfAUnionAgreed,
            two_sided::a_union_of_which_one_half_fails_at_first_reaches_both_sides,
            "has had enough",
        ),
        (
            Bug::BlockedTakenForDone,
            references::a_child_waits_for_its_required_parent_and_is_then_created_with_it,
            "left: (0, 1)",
        ),
        (
            Bug::StockNotWaitedFor,
            first_sync::nothing_is_copied_to_a_side_that_has_not_been_read_once,
            "the portal has it already",
        ),
    ]
}

/// With a bug planted for this thread.
fn under<T>(bug: Bug, act: impl FnOnce() -> T) -> T {
    plant(Some(bug));
    let done = act();
    plant(None);
    done
}

#[test]
fn each_bug_is_caught_by_the_test_that_is_named_for_it() {
    let mut blind = Vec::new();
    for (bug, test, words) in by_test() {
        match under(bug, || catch_unwind(test)) {
            Ok(()) => blind.push(format!("{bug:?} is not caught")),
            Err(panic) => {
                let told = said(panic.as_ref());
                if !told.contains(words) {
                    blind.push(format!("{bug:?} is caught by chance: {told}"));
                }
            }
        }
    }
    assert!(blind.is_empty(), "\n{}", blind.join("\n"));
}

#[test]
fn each_bug_is_caught_by_a_process_that_dies_in_the_scenario_that_is_named_for_it() {
    let (scenarios, runtime) = (scenarios(), runtime());
    for (bug, name) in BY_CRASH {
        let scenario = scenarios.iter().find(|one| one.name == *name);
        let scenario = scenario.unwrap_or_else(|| panic!("no scenario `{name}`"));
        let peace = in_peace(&runtime, scenario);
        let mut kills = all_kills(peace.met.len());
        kills.retain(|kill| kill.way == Way::After);
        let mut kills = kills.into_iter();
        let caught = under(*bug, || {
            kills.position(|kill| with_deaths(&runtime, scenario, &[kill], &peace).is_err())
        });
        let after = caught.unwrap_or_else(|| panic!("{bug:?} is not caught"));
        println!("{bug:?}: caught by kill {} of `{name}`", after + 1);
    }
}
