//! The simulation: the real engine, store and clients against both simulators, and one seed that
//! decides at numbered seams what users, networks and processes do.

mod cast;
mod counts;
mod crew;
mod dice;
mod invariants;
mod ledger;
mod mirror;
mod rest;
mod run;
mod shots;
mod stage;
mod trace;
mod users;
mod wire;

fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn whatever_happens_nothing_is_lost_and_both_sides_agree_in_the_end() {
    let schedules = number("TANDEM_TEST_SCHEDULES", 3_000);
    let first = number("TANDEM_TEST_SEED", 1);
    let began = std::time::Instant::now();
    let report = crew::play_all(first, schedules, number("TANDEM_TEST_FAILURES", 3) as usize, &|_| {});
    println!("{} schedules in {:?}: {}", report.schedules, began.elapsed(), report.counts.line());
    assert!(report.failures.is_empty(), "\n{}", report.failures.join("\n\n"));
}
