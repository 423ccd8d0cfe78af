//! Crash points: wherever the process dies, whoever comes next ends where it would have ended.
//!
//! A scenario is a small script (`scenarios`). The walker (`walk`) plays it once in peace and
//! numbers its seams: each request the engine sends and each commit of its store. Then it plays it
//! again with the process dying before a seam, after it, or after it was done and its reply lost,
//! and with pairs of deaths. Each play has to end in the same picture (`picture`): the records and
//! ties of both CRMs, links, bases, holds, conflicts, dead letters and questions, nothing open or
//! waiting, and as many records made, changed and deleted, so that nothing was written twice.
//!
//! `cargo test` plays a share of all kills that a seed picks. Everything:
//! `cargo test --test engine crashes::every -- --ignored --nocapture`

mod changes;
mod pairs;
mod people;
mod picture;
mod plans;
mod ties;
mod walk;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::seams::{Kill, Way};
pub use walk::{Scenario, all_kills, in_peace, said, with_deaths};
use walk::{Share, Tally, walk};

/// One kill of so many is played with `cargo test`.
const ONE_OF: u64 = 20;
const PAIRS: u32 = 2;
const THREADS: usize = 2;

pub fn scenarios() -> Vec<Scenario> {
    let mut all = changes::scenarios();
    all.extend(pairs::scenarios());
    all.extend(ties::scenarios());
    all.extend(people::scenarios());
    all.extend(plans::scenarios());
    all
}

pub fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn walk_all(share: Share) {
    let began = std::time::Instant::now();
    let mut scenarios = scenarios();
    // Those whose name has this in it.
    if let Ok(part) = std::env::var("TANDEM_TEST_SCENARIO") {
        scenarios.retain(|one| one.name.contains(&part));
    }
    let (next, total) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(one) = scenarios.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let tally = walk(one, share);
                    println!("{}: {} seams", one.name, tally.seams);
                    total.lock().unwrap().add(tally);
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    println!(
        "{} scenarios, {} seams, {} deaths ({} pairs) in {:?}",
        scenarios.len(),
        total.seams,
        total.kills,
        total.pairs,
        began.elapsed()
    );
    assert!(
        total.failures.is_empty(),
        "{} plays ended otherwise than in peace\n\n{}",
        total.failures.len(),
        total.failures.join("\n\n")
    );
}

#[test]
fn wherever_a_process_dies_the_next_one_ends_where_it_would_have_ended() {
    walk_all(Share {
        one_of: number("TANDEM_TEST_ONE_OF", ONE_OF),
        pairs: u32::try_from(number("TANDEM_TEST_PAIRS", u64::from(PAIRS))).unwrap(),
        seed: number("TANDEM_TEST_SEED", 1),
    });
}

#[test]
#[ignore = "every seam of every scenario takes minutes"]
fn every_kill_of_every_scenario() {
    walk_all(Share {
        one_of: 1,
        pairs: u32::try_from(number("TANDEM_TEST_PAIRS", 60)).unwrap(),
        seed: number("TANDEM_TEST_SEED", 1),
    });
}

/// As a failure prints it: `TANDEM_TEST_KILLS="blank / 12 after / 3 before"`.
#[test]
#[ignore = "plays what TANDEM_TEST_KILLS names"]
fn the_kills_that_are_named() {
    let Ok(text) = std::env::var("TANDEM_TEST_KILLS") else {
        return;
    };
    let mut parts = text.split(" / ");
    let name = parts.next().unwrap_or_default();
    let scenarios = scenarios();
    let scenario = scenarios.iter().find(|one| one.name == name);
    let scenario = scenario.unwrap_or_else(|| panic!("no scenario `{name}`"));
    let kills: Vec<Kill> = parts.map(kill_of).collect();
    let runtime = runtime();
    let peace = in_peace(&runtime, scenario);
    for (nth, what) in peace.met.iter().enumerate() {
        println!("{nth:3} {what}");
    }
    let found = with_deaths(&runtime, scenario, &kills, &peace);
    assert!(found.is_ok(), "{}", found.unwrap_err());
}

fn kill_of(text: &str) -> Kill {
    let (seam, word) = text.split_once(' ').expect("a seam and a way");
    let way = Way::ALL.into_iter().find(|way| way.word() == word.trim());
    Kill {
        seam: seam.parse().expect("the number of a seam"),
        way: way.expect("before, after or without-reply"),
    }
}
