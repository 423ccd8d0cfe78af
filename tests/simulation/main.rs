//! The simulation: the real engine, the real store (SQLite in memory) and the real clients against
//! both simulators, on a clock that only the harness moves, and one seed that decides at numbered
//! seams what users, networks and processes do.
//!
//! A seam is before or after a commit of the store, or before or after a request. There a user may
//! edit, add, delete or restore; time may pass; the process may die, or freeze until a successor
//! has worked; a request, its reply, or both may be lost, and a write that was given up may arrive
//! later. Events that come twice or never are polls that come twice or are left out. After some
//! dozen seams trouble ends, and once nothing is left to do the world is judged.
//!
//! | Invariant | Asked | Where |
//! |---|---|---|
//! | I1 both sides agree, or a hold or a dead letter says why not | at rest | `agreement` |
//! | I2 nothing is written as it is | each intent | `agreement` |
//! | I3 every edit is visible, superseded, kept, or counted as unknown | at rest | `agreement` |
//! | I4 bases hold only what their side once held | each commit | `agreement` |
//! | I5 one open intent, no commit under an old lease | each commit | `pairs` |
//! | I6 one open link per record and side | each commit | `pairs` |
//! | I7 one copy per record | each write | `pairs` |
//! | I8 no cursor passes unmarked work | at rest | `work` |
//! | I9 webhooks | not applicable | no webhooks yet |
//! | I10 deletes have proof, policy and room | each write | `deletes` |
//! | I11 one failed record stops nobody else | at rest | `work` |
//! | I12 work is in one place | at rest | `work` |
//! | I13 no request before `Retry-After` | each request | `work` |
//! | I14 within the platforms' limits | at rest | `work` |
//! | I15 writes are bounded | at rest | `work` |
//! | I16 a replay writes nothing | at rest | `work` |
//! | I17 what was carried out leaves nothing to do | at rest | `work`, `rest` |
//! | I18 canonical forms | not here | `tests/mapping/laws.rs`, value by value |
//! | I19 deliveries | not applicable | no deliveries yet |
//! | I20 tenants' shares | not applicable | one workspace per process yet |
//! | I21 token refresh | not applicable | no rotated tokens yet; expired ones occur |
//! | I22 no secrets and no unmapped data in what is kept | at rest | `runs` |
//! | I23 same seed, same trace | every 50th seed | `runs`, `crew` |
//! | I24 an edit beats a delete | each write | `deletes` |
//! | I25 edits that do not meet end the same | 100 schedules | `runs` |

#![allow(
    clippy::large_futures,
    reason = "one future holds a whole schedule, once per thread, and nothing nests it"
)]

mod cast;
mod counts;
mod crew;
mod dice;
mod invariants;
mod ledger;
mod mirror;
#[cfg(debug_assertions)]
mod power;
mod process;
mod rest;
mod run;
mod shots;
mod stage;
mod trace;
mod users;
mod wire;

use tandem::model::Side;
use users::Scripted;

/// As many as a change has to pass.
const SCHEDULES: u64 = 3_000;

fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn plan(schedules: u64) -> crew::Plan {
    let name = std::env::var("TANDEM_TEST_CAST").ok();
    let known = cast::CASTS.iter().map(|cast| cast.name);
    crew::Plan {
        first: number("TANDEM_TEST_SEED", 1),
        schedules: number("TANDEM_TEST_SCHEDULES", schedules),
        failures_max: usize::try_from(number("TANDEM_TEST_FAILURES", 3)).unwrap_or(3),
        cast: name.and_then(|name| known.into_iter().find(|known| *known == name)),
        bug: None,
    }
}

#[test]
fn whatever_happens_nothing_is_lost_and_both_sides_agree_in_the_end() {
    let began = std::time::Instant::now();
    let report = crew::play_all(plan(SCHEDULES), &|_| {});
    println!(
        "{} schedules in {:?}: {}",
        report.schedules,
        began.elapsed(),
        report.counts.line()
    );
    assert!(
        report.failures.is_empty(),
        "\n{}",
        report.failures.join("\n\n")
    );
}

/// `scripts/simulate` runs this one.
#[test]
#[ignore = "as long as it is asked to be"]
fn a_long_run() {
    let plan = plan(20_000);
    let began = std::time::Instant::now();
    let rate = |done: u64| done as f64 / began.elapsed().as_secs_f64();
    let report = crew::play_all(plan, &|done| {
        if done.is_multiple_of(50) || done == plan.schedules {
            eprint!(
                "\r{done} of {} schedules, {:.0} a second ",
                plan.schedules,
                rate(done)
            );
        }
    });
    eprintln!();
    println!(
        "{} schedules from seed {}, {:.1} a second, {} violations: {}",
        report.schedules,
        plan.first,
        rate(report.schedules),
        report.failures.len(),
        report.counts.line()
    );
    assert!(
        report.failures.is_empty(),
        "\n{}",
        report.failures.join("\n\n")
    );
}

/// Every file of `tests/seeds` names a seed that once found something.
#[test]
fn what_was_found_once_stays_mended() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds");
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of seeds") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a text file");
        for line in text.lines().filter_map(|line| line.strip_prefix("seed ")) {
            let mut words = line.split_whitespace();
            let seed = words.next().and_then(|number| number.parse::<u64>().ok());
            let name = words.next();
            let cast = cast::CASTS.iter().find(|cast| Some(cast.name) == name);
            assert_eq!(cast.is_some(), name.is_some(), "{line}: no such cast");
            seeds.push((seed.expect("a number"), cast.map(|cast| cast.name)));
        }
    }
    for (seed, cast) in seeds {
        let one = crew::Plan {
            first: seed,
            schedules: 1,
            failures_max: 1,
            cast,
            bug: None,
        };
        let report = crew::play_all(one, &|_| {});
        assert!(
            report.failures.is_empty(),
            "\n{}",
            report.failures.join("\n\n")
        );
    }
}

/// I25: edits of which no two are about the same field of the same person.
#[test]
fn edits_that_do_not_meet_end_the_same_whatever_the_schedule() {
    let edit = |side, record, rule, value: &str| Scripted {
        side,
        record,
        rule,
        value: value.to_owned(),
    };
    let script = [
        edit(Side::HubSpot, 0, "jobtitle", "a"),
        edit(Side::Salesforce, 0, "phone", "+14155550001"),
        edit(Side::HubSpot, 0, "jobtitle", "b"),
        edit(Side::Salesforce, 1, "jobtitle", "c"),
        edit(Side::HubSpot, 1, "lastname", "d"),
        edit(Side::HubSpot, 2, "phone", "+14155550002"),
        edit(Side::Salesforce, 2, "lastname", "e"),
        edit(Side::Salesforce, 1, "jobtitle", "f"),
    ];
    crew::runtime().block_on(async {
        let rig = run::Rig::new().await;
        let (first, _) = run::follow(&rig, 0, &script).await;
        for seed in 1..100 {
            let (end, violations) = run::follow(&rig, seed, &script).await;
            assert!(violations.is_empty(), "seed {seed}: {violations:?}");
            let found = invariants::runs::same_edits_same_end(&first, &end);
            assert_eq!(found, Ok(()), "seed {seed}");
        }
    });
}
