//! Chaos: whole processes that are killed, frozen and robbed of their database and their disk, at
//! moments that a seed decides, while people type into both CRMs.
//!
//! The CRMs are simulators in this process; the program runs as child processes against them. In
//! the end nothing may be lost, made twice or written without need, by the simulators' own state,
//! and each restart must have been followed by a right write soon. `scripts/chaos` runs it long.

mod arena;
mod child;
mod cluster;
mod course;
mod disk;
mod people;
#[allow(dead_code, reason = "here a cluster is wanted that can be killed")]
#[path = "../support/postgres.rs"]
mod postgres;
mod tally;

use std::thread;
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};

use arena::Arena;
use cluster::Cluster;
use course::Plan;
use tally::Tally;

/// Records of each kind in a CRM: enough for people to type for half an hour without wearing out
/// the same fields.
const RECORDS: usize = 120;
const FEW_RECORDS: usize = 10;
/// In a short run nobody waits for the next poll.
const BRIEFLY: Duration = Duration::from_millis(800);

/// What a long run is asked to do.
struct Asked {
    kills: u32,
    server_kills: u32,
    freezes: u32,
    full_disks: u32,
    seed: u64,
    sqlite: bool,
    postgres: bool,
    /// Arenas for each kind of store; they run side by side.
    arenas: u32,
}

fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

impl Asked {
    fn read() -> Self {
        let small = |name, otherwise| u32::try_from(number(name, otherwise)).unwrap_or(u32::MAX);
        let store = std::env::var("TANDEM_CHAOS_STORE").unwrap_or_default();
        Self {
            kills: small("TANDEM_CHAOS_KILLS", 100),
            server_kills: small("TANDEM_CHAOS_POSTGRES_KILLS", 20),
            freezes: small("TANDEM_CHAOS_FREEZES", 4),
            full_disks: small("TANDEM_CHAOS_FULL_DISKS", 5),
            seed: number("TANDEM_CHAOS_SEED", 1),
            sqlite: store != "postgres",
            postgres: store != "sqlite",
            arenas: small("TANDEM_CHAOS_ARENAS", 2).max(1),
        }
    }

    /// One plan for each arena, of SQLite first.
    fn plans(&self) -> Vec<(bool, Plan)> {
        let stores = [(self.sqlite, false), (self.postgres, true)];
        let stores: Vec<bool> = stores.iter().filter(|s| s.0).map(|s| s.1).collect();
        let all = self.arenas * u32::try_from(stores.len()).unwrap_or(1);
        let part = |whole: u32, of: u32, nth: u32| whole / of + u32::from(nth < whole % of);
        let mut plans = Vec::new();
        for postgres in stores {
            for nth in 0..self.arenas {
                let place = u32::try_from(plans.len()).unwrap_or(0);
                let store = if postgres { "PostgreSQL" } else { "SQLite" };
                let server_kills = match postgres {
                    true => part(self.server_kills, self.arenas, nth),
                    false => 0,
                };
                let plan = Plan {
                    name: format!("{store} {}", nth + 1),
                    seed: self.seed * 100 + u64::from(place),
                    records: RECORDS,
                    kills: part(self.kills, all, place),
                    server_kills,
                    freezes: part(self.freezes, all, place),
                    moment: course::MOMENT,
                    patient: true,
                };
                plans.push((postgres, plan));
            }
        }
        plans
    }
}

/// Plays one arena. A PostgreSQL that is not installed is said and skipped.
fn play(handle: &Handle, postgres: bool, plan: &Plan, tally: &Tally) {
    if !postgres {
        let arena = Arena::in_folder(handle, plan.records, plan.seed);
        return course::play(&arena, None, plan, tally);
    }
    let Some(mut cluster) = Cluster::new(handle) else {
        let required = std::env::var("TANDEM_REQUIRE_POSTGRES").is_ok_and(|set| set == "1");
        assert!(!required, "PostgreSQL is required and missing");
        println!("{} skipped: no PostgreSQL is installed", plan.name);
        return;
    };
    let arena = Arena::on_postgres(handle, cluster.store(), plan.records, plan.seed);
    course::play(&arena, Some(&mut cluster), plan, tally);
}

/// `scripts/chaos` runs this one.
#[test]
#[ignore = "takes a quarter of an hour"]
fn a_long_run() {
    let asked = Asked::read();
    let runtime = Runtime::new().expect("a runtime");
    let server_kills = if asked.postgres {
        asked.server_kills
    } else {
        0
    };
    let tally = Tally::new((asked.kills, server_kills), true);
    let (handle, tally) = (runtime.handle(), &tally);
    thread::scope(|scope| {
        for (postgres, plan) in asked.plans() {
            scope.spawn(move || play(handle, postgres, &plan, tally));
        }
        if asked.sqlite && asked.full_disks > 0 {
            let plan = Plan {
                name: "full disk".to_owned(),
                seed: asked.seed * 100 + 99,
                records: RECORDS,
                kills: 0,
                server_kills: 0,
                freezes: 0,
                moment: course::MOMENT,
                patient: true,
            };
            scope.spawn(move || disk::play(handle, &plan, asked.full_disks, tally));
        }
    });
    eprintln!();
    println!("{}", tally.report(asked.seed));
    let faults = tally.faults();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[track_caller]
fn a_short_run(postgres: bool, plan: &Plan) {
    let runtime = Runtime::new().expect("a runtime");
    let tally = Tally::new((plan.kills, plan.server_kills), false);
    play(runtime.handle(), postgres, plan, &tally);
    println!("{}", tally.report(plan.seed));
    let faults = tally.faults();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_few_kills_lose_nothing_and_make_nothing_twice() {
    let plan = Plan {
        name: "SQLite".to_owned(),
        seed: 7,
        records: FEW_RECORDS,
        kills: 5,
        server_kills: 0,
        freezes: 0,
        moment: BRIEFLY,
        patient: false,
    };
    a_short_run(false, &plan);
}

#[test]
fn a_run_that_stays_outlives_a_postgresql_that_is_killed() {
    let plan = Plan {
        name: "PostgreSQL".to_owned(),
        seed: 7,
        records: FEW_RECORDS,
        kills: 0,
        server_kills: 1,
        freezes: 0,
        moment: BRIEFLY,
        patient: false,
    };
    a_short_run(true, &plan);
}
