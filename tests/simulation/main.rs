//! The simulation: the real engine, store and clients against both simulators, and one seed that
//! decides at numbered seams what users, networks and processes do.

mod cast;
mod counts;
mod crew;
mod dice;
mod invariants;
mod ledger;
mod mirror;
#[cfg(debug_assertions)]
mod power;
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
    println!("{} schedules in {:?}: {}", report.schedules, began.elapsed(), report.counts.line());
    assert!(report.failures.is_empty(), "\n{}", report.failures.join("\n\n"));
}

/// `scripts/simulate` runs this one.
#[test]
#[ignore = "as long as it is asked to be"]
fn a_long_run() {
    let plan = plan(20_000);
    let began = std::time::Instant::now();
    let rate = |done: u64| done as f64 / began.elapsed().as_secs_f64();
    let report = crew::play_all(plan, &|done| {
        if done % 50 == 0 || done == plan.schedules {
            eprint!("\r{done} of {} schedules, {:.0} a second ", plan.schedules, rate(done));
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
    assert!(report.failures.is_empty(), "\n{}", report.failures.join("\n\n"));
}

/// Every file of `tests/seeds` names a seed that once found something.
#[test]
fn what_was_found_once_stays_mended() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds");
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of seeds") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a text file");
        let numbers = text.lines().filter_map(|line| line.strip_prefix("seed "));
        seeds.extend(numbers.map(|number| number.trim().parse::<u64>().expect("a number")));
    }
    for seed in seeds {
        let one = crew::Plan {
            first: seed,
            schedules: 1,
            failures_max: 1,
            cast: None,
            bug: None,
        };
        let report = crew::play_all(one, &|_| {});
        assert!(report.failures.is_empty(), "\n{}", report.failures.join("\n\n"));
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
