//! What it costs to take webhooks in, against a floor, over HTTP on loopback.
//!
//! The service and the floor run as processes of their own, one after the other, under the same
//! load: requests of ten events about deals, signed as HubSpot does it, for fifty portals, over
//! fifty connections. The floor ([`floor`]) is a bare server of the same HTTP stack that checks the
//! same signature, parses the same body, and answers after the same kind of group commit into one
//! plain table of the same kind of store. The credentials of the service's workspaces are none, so
//! that it takes in, marks, and does nothing else. How long it takes to mark what waits when the
//! load ends is measured too. Run with `cargo bench --bench intake`; PostgreSQL is measured where
//! one can be started.

#[path = "intake/floor.rs"]
mod floor;
#[path = "intake/load.rs"]
mod load;
#[allow(dead_code, reason = "only a part of it is needed here")]
#[path = "../tests/support/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "other benchmarks need the rest of it")]
#[path = "support/rig.rs"]
mod rig;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tandem::model::{OwnerTable, Side, WorkspaceId};

use load::{PORTALS, Requests, Run, portal};
use rig::{CLIENT_SECRET, Place, Program, millis};

/// The address that HubSpot is told, and signs.
pub const PUBLIC: &str = "https://sync.example.test";
const WARM: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(5);
/// Records of each portal that change: what is worked off meanwhile, or piles up.
const RECORDS: [u64; 2] = [200, 5_000];
/// From one look at what waits to be marked to the next.
const LOOK: Duration = Duration::from_millis(20);
/// Each server is measured so often, in turns.
const ROUNDS: usize = 3;

fn main() {
    let mut args = std::env::args().skip(1);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    if args.next().as_deref() == Some("floor") {
        let store = args.next().expect("the address of a store");
        return runtime.block_on(floor::serve(&store, CLIENT_SECRET, PUBLIC));
    }
    for records in RECORDS {
        runtime.block_on(compare("SQLite", records, false));
        match postgres::find_binaries() {
            Some(_) => runtime.block_on(compare("PostgreSQL", records, true)),
            None => println!("PostgreSQL: none was found that could be started"),
        }
    }
}

async fn compare(name: &str, records: u64, on_postgres: bool) {
    let requests = Requests::new(CLIENT_SECRET, PUBLIC, records);
    let cluster = on_postgres.then(|| {
        let site = postgres::Site::make(postgres::find_binaries().expect("it was found"));
        let settings = ["-c", "listen_addresses=", "-c", "max_connections=50"];
        let keeper = site.keep_running(postgres::KEEPER, &settings);
        postgres::await_socket(&site);
        (site, keeper)
    });
    let mut runs: [Vec<Measured>; 2] = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (which, runs) in runs.iter_mut().enumerate() {
            let database = match &cluster {
                Some((site, _)) => {
                    let database = format!("bench_{round}_{which}");
                    postgres::create(&site.url("postgres"), &database).await;
                    Some(site.url(&database))
                }
                None => None,
            };
            let place = Place::new(database, &[("TANDEM_SERVER_PUBLIC_URL", PUBLIC.into())]);
            let program = if which == 0 {
                bare(&place)
            } else {
                connect_all(&place).await;
                place.serve()
            };
            load::send(&program.address, &requests, WARM).await;
            let run = load::send(&program.address, &requests, MEASURED).await;
            let backlog = if which == 0 {
                None
            } else {
                Some(drain(&program.address).await)
            };
            runs.push(Measured {
                run,
                peak: program.peak(),
                backlog,
            });
        }
    }
    let all = records * u64::from(PORTALS);
    report(&format!("{name}, {all} records"), &runs);
}

/// What one server did in one round.
struct Measured {
    run: Run,
    peak: f64,
    /// Announcements without marks when the load ended, and until all had theirs.
    backlog: Option<(u64, Duration)>,
}

/// Waits until all that was announced is marked.
async fn drain(address: &str) -> (u64, Duration) {
    let began = Instant::now();
    let left = load::waiting(address).await;
    while load::waiting(address).await > 0 {
        tokio::time::sleep(LOOK).await;
    }
    (left, began.elapsed())
}

/// A workspace for each portal, with credentials that open nothing.
async fn connect_all(place: &Place) {
    let store = place.store().await;
    for number in 0..PORTALS {
        let ws = WorkspaceId::new(format!("acme/{number}"));
        let made = store
            .make_workspace(&ws, &BTreeMap::new(), &OwnerTable::default())
            .await;
        assert!(made.expect("a workspace is made"));
        let account = portal(number).to_string();
        let bound = store.seal_connection(&ws, Side::HubSpot, &account, "", "none");
        assert!(bound.await.expect("it is connected"));
    }
    store.close().await;
}

/// The floor, with a table of its own in the place's store.
fn bare(place: &Place) -> Program {
    let program = std::env::current_exe().expect("this program has a path");
    let store = match place.store_url() {
        url if url.starts_with("postgres") => url.to_owned(),
        _ => place.folder().join("floor.db").display().to_string(),
    };
    let child = Command::new(program)
        .args(["floor", &store])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    Program::of(child.expect("the floor starts"))
}

fn report(name: &str, runs: &[Vec<Measured>; 2]) {
    println!("{name}, {} rounds of {} s:", ROUNDS, MEASURED.as_secs());
    let mut medians = Vec::new();
    for (who, runs) in ["floor", "service"].iter().zip(runs) {
        for Measured { run, peak, backlog } in runs {
            println!(
                "  {who:8} {:7.0} requests/s  p50 {:6.2} ms  p99 {:6.2} ms  max {:6.1} ms  \
                 peak {peak:5.1} MiB  {} refused",
                run.per_second,
                millis(run.p50),
                millis(run.p99),
                millis(run.max),
                run.refused,
            );
            if let Some((left, drained)) = backlog {
                let drained = drained.as_secs_f64();
                println!(
                    "           then {left} records waited, and were marked in {drained:.2} s"
                );
            }
        }
        let mut rates: Vec<f64> = runs.iter().map(|one| one.run.per_second).collect();
        rates.sort_by(f64::total_cmp);
        medians.push(rates[rates.len() / 2]);
    }
    let share = medians[1] / medians[0];
    println!("  the service takes in {share:.2} of what the floor does");
}
