//! What ten thousand workspaces cost in which nothing happens: memory, the time to start, polls,
//! and what a scrape of `/metrics` takes meanwhile.
//!
//! One workspace is brought to rest by the built service against both simulators. Its rows are
//! copied for all the others, each with credentials sealed for itself, so that every one of them
//! is due at the same moment, as after a day on which the service was down. Then the service
//! starts, and the simulators count. Run with `cargo bench --bench idle`; `-- 1000 3` is with a
//! thousand workspaces and for three minutes.

#[allow(dead_code, reason = "other benchmarks need the rest of it")]
#[path = "support/rig.rs"]
mod rig;
#[allow(dead_code, reason = "other benchmarks need the rest of it")]
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use secrecy::SecretString;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Row};
use tandem::clock::Clock;
use tandem::crm::{Traffic, Transport};
use tandem::model::{BySide, Side, WorkspaceId};
use tandem::sim::hubspot::HubSpotOptions;
use tandem::vault::{Credentials, Keeper, Keyring, Vault};

use rig::{Place, Program, millis};
use world::World;

const FIRST: &str = "idle/0";
const PEOPLE: usize = 10;
/// How often `/metrics` is asked after each minute.
const SCRAPES: usize = 11;

/// Calls of both CRMs by the second, and those of them that ask for changes.
#[derive(Default)]
struct Counted {
    all: BTreeMap<u64, u64>,
    polls: BTreeMap<u64, u64>,
}

struct Count {
    since: Mutex<Instant>,
    counted: Mutex<Counted>,
}

impl Count {
    fn start(&self) {
        *self.since.lock().expect("nobody panicked") = Instant::now();
        *self.counted.lock().expect("nobody panicked") = Counted::default();
    }

    fn note(&self, path: &str) {
        let second = self.since.lock().expect("nobody panicked").elapsed();
        let mut counted = self.counted.lock().expect("nobody panicked");
        *counted.all.entry(second.as_secs()).or_default() += 1;
        if path.ends_with("/search") || path.ends_with("/composite") || path.ends_with("/query") {
            *counted.polls.entry(second.as_secs()).or_default() += 1;
        }
    }
}

fn main() {
    let mut numbers = std::env::args().filter_map(|text| text.parse::<u32>().ok());
    let workspaces = numbers.next().unwrap_or(10_000);
    let minutes = numbers.next().unwrap_or(5);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(measure(workspaces, u64::from(minutes) * 60));
}

async fn measure(workspaces: u32, seconds: u64) {
    let count = Arc::new(Count {
        since: Mutex::new(Instant::now()),
        counted: Mutex::default(),
    });
    let counting = |router: Router| {
        let count = Arc::clone(&count);
        router.layer(from_fn(move |request: Request, next: Next| {
            count.note(request.uri().path());
            next.run(request)
        }))
    };
    let world = World::new(|portal, org| [counting(portal.router()), counting(org.router())]).await;
    let place = world.place();
    bring_to_rest(&world, &place).await;
    let began = Instant::now();
    copy(&place.folder().join(".tandem/tandem.db"), workspaces).await;
    seal(&world, &place, workspaces).await;
    println!(
        "{workspaces} workspaces were made in {:.0?}",
        began.elapsed()
    );

    count.start();
    let began = Instant::now();
    let program = place.serve();
    let address = format!("http://{}/readyz", program.address);
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client");
    let ready = async || {
        let answer = client.get(&address).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    };
    while !ready().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!(
        "ready after {:.0} ms, {:.0} MiB",
        millis(began.elapsed()),
        program.resident()
    );
    let mut most = 0.0_f64;
    for second in 1..=seconds {
        tokio::time::sleep(Duration::from_secs(second).saturating_sub(began.elapsed())).await;
        most = most.max(program.resident());
        if second % 60 == 0 {
            report(&program, &count, second, most);
            scrape(&client, &program).await;
        }
    }
}

/// How large `/metrics` is, and how long it takes over a connection that is open.
async fn scrape(client: &reqwest::Client, program: &Program) {
    let address = format!("http://{}/metrics", program.address);
    let mut took = Vec::new();
    let mut bytes = 0;
    for _ in 0..SCRAPES {
        let began = Instant::now();
        let answer = client.get(&address).send().await.expect("an answer");
        bytes = answer.bytes().await.expect("a body").len();
        took.push(millis(began.elapsed()));
    }
    took.sort_by(f64::total_cmp);
    println!(
        "  /metrics: {bytes} bytes; least {:.1} ms, half {:.1}, most {:.1}",
        took[0],
        took[SCRAPES / 2],
        took[SCRAPES - 1]
    );
}

/// What the last minute was like.
fn report(program: &Program, count: &Count, second: u64, most: f64) {
    let counted = count.counted.lock().expect("nobody panicked");
    let mut polls: Vec<u64> = (second - 60..second)
        .map(|second| counted.polls.get(&second).copied().unwrap_or(0))
        .collect();
    let all: u64 = counted.all.range(second - 60..second).map(|(_, n)| n).sum();
    polls.sort_unstable();
    println!(
        "minute {}: {all} calls, polls in a second: least {}, half {}, most {}; {:.0} MiB, at most \
         {most:.0}, peak {:.0}; {:.0} core seconds so far",
        second / 60,
        polls[0],
        polls[30],
        polls[59],
        program.resident(),
        program.peak(),
        program.core_seconds(),
    );
}

/// One workspace with some pairs and nothing to do.
async fn bring_to_rest(world: &World, place: &Place) {
    let mut program = place.serve();
    for number in 0..PEOPLE {
        let email = format!("person{number}@example.com");
        let fields = [
            ("email", email.as_str()),
            ("lastname", "Person"),
            ("lifecyclestage", "customer"),
        ];
        world.hubspot.create("contacts", &fields).expect("a person");
    }
    world.connect(place, &program, FIRST).await;
    let began = Instant::now();
    while world.salesforce.records("Contact").len() < PEOPLE {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it does not sync"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Long enough for the poll that sees our own writes.
    tokio::time::sleep(Duration::from_secs(20)).await;
    program.stop();
}

/// Copies every row of the first workspace for each of the others.
async fn copy(store: &Path, workspaces: u32) {
    let options = SqliteConnectOptions::new().filename(store);
    let mut db = SqliteConnection::connect_with(&options)
        .await
        .expect("the store");
    let tables = "SELECT m.name AS name FROM sqlite_master AS m \
        JOIN pragma_table_info(m.name) AS c \
        WHERE m.type = 'table' AND c.name = 'workspace_id' AND c.pk > 0";
    let tables = sqlx::query(tables)
        .fetch_all(&mut db)
        .await
        .expect("tables");
    let mut tx = db.begin().await.expect("a transaction");
    for table in tables {
        let table: String = table.get("name");
        let columns = format!(
            "SELECT group_concat(name) AS names FROM pragma_table_info('{table}') \
             WHERE name <> 'workspace_id'"
        );
        let row = sqlx::query(AssertSqlSafe(columns))
            .fetch_one(&mut *tx)
            .await;
        let columns: String = row.expect("columns").get("names");
        let copied = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < \
             {workspaces}) INSERT INTO {table} (workspace_id, {columns}) \
             SELECT 'idle/' || n.i, {columns} FROM n, {table} WHERE workspace_id = '{FIRST}'"
        );
        let done = sqlx::query(AssertSqlSafe(copied)).execute(&mut *tx).await;
        done.expect("rows are copied");
    }
    // What is sealed for one workspace is no use to another.
    for statement in [
        "DELETE FROM data_keys WHERE workspace_id LIKE 'idle/%' AND workspace_id <> 'idle/0'",
        "UPDATE connections SET sealed = NULL WHERE workspace_id <> 'idle/0'",
    ] {
        sqlx::query(statement)
            .execute(&mut *tx)
            .await
            .expect("rows go");
    }
    tx.commit().await.expect("a commit");
    db.close().await.expect("the store is closed");
}

/// The credentials of every workspace, sealed for it.
async fn seal(world: &World, place: &Place, workspaces: u32) {
    let store = Arc::new(place.store().await);
    let key = place.folder().join("tandem.key");
    let read = Box::new(move || Keyring::read(&key));
    let vault = Vault::open(Arc::clone(&store), read)
        .await
        .expect("a vault");
    let keeper = Keeper {
        store: Arc::clone(&store),
        vault: Arc::new(vault),
        transport: Transport::network().expect("a client"),
        clock: Clock::System,
        apps: BySide::new(None, None),
        hubspot_url: world.hubspot_url(),
        on_loss: Box::new(|_, _, _| {}),
        traffic: Traffic::default(),
    };
    let account = store.connections(&WorkspaceId::new(FIRST)).await;
    let account = account.expect("connections");
    let token = |token: &str, url: String| Credentials::Token {
        token: SecretString::from(token),
        url,
    };
    for number in 1..workspaces {
        let ws = WorkspaceId::new(format!("idle/{number}"));
        for side in Side::BOTH {
            let credentials = match side {
                Side::HubSpot => token(&HubSpotOptions::default().token, String::new()),
                Side::Salesforce => token(&world.salesforce_token, world.salesforce_url()),
            };
            let id = &account.get(side).as_ref().expect("it is known").account_id;
            let connected = keeper.connect(&ws, side, id, &[], &credentials).await;
            connected.expect("it is connected");
        }
    }
    drop(keeper);
    Arc::into_inner(store)
        .expect("nobody else has it")
        .close()
        .await;
}
