//! Two simulated CRMs in this process, a store, and the program beside them as a child process.
//!
//! The verdict at the end reads the simulators' own state. What the store says (pairs, holds, kept
//! losers) is a claim that may excuse a difference, as in the demo, whose judgement this is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tandem::cli::demo::canon::Meaning;
use tandem::cli::demo::claims;
use tandem::cli::demo::findings::Findings;
use tandem::cli::demo::ledger::{Ledger, View};
use tandem::cli::demo::outcome::Outcome;
use tandem::cli::demo::verify::{Claims, verify};
use tandem::clock::Clock;
use tandem::model::WorkspaceId;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tandem::sim::seed::{Seeded, seed};
use tandem::sim::{Running, SimClock, serve};
use tandem::store::Store;
use tokio::runtime::Handle;

use crate::child::Program;

const WORKSPACE: &str = "default/production";
/// So many runs in a minute are not what limits of calls are for.
const NO_LIMIT: u64 = 10_000_000;

pub enum Place {
    Folder(PathBuf),
    /// The address of a PostgreSQL database.
    Server(String),
}

pub struct Arena {
    pub hubspot: HubSpotSim,
    pub salesforce: SalesforceSim,
    pub program: Program,
    pub place: Place,
    pub handle: Handle,
    pub seeded: Seeded,
    _running: [Running; 2],
    _home: tempfile::TempDir,
}

impl Arena {
    /// With a store in a folder of its own.
    pub fn in_folder(handle: &Handle, records: usize, seed: u64) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let store = home.path().join("store");
        Self::new(handle, Place::Folder(store), home, (records, seed))
    }

    /// With a store in this folder, which has little room.
    pub fn in_tight_folder(handle: &Handle, folder: &Path, records: usize, seed: u64) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let place = Place::Folder(folder.to_owned());
        Self::new(handle, place, home, (records, seed))
    }

    pub fn on_postgres(handle: &Handle, url: String, records: usize, seed: u64) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        Self::new(handle, Place::Server(url), home, (records, seed))
    }

    fn new(
        handle: &Handle,
        place: Place,
        home: tempfile::TempDir,
        (records, number): (usize, u64),
    ) -> Self {
        let clock = SimClock::new(Clock::System);
        let options = HubSpotOptions {
            seed: number,
            // An edit that a search shows late is found ten minutes later; not what this is about.
            search_lag_ms: 0,
            daily_limit: NO_LIMIT,
            burst_limit: NO_LIMIT,
            associations_limit: NO_LIMIT,
            ..HubSpotOptions::default()
        };
        let token = options.token.clone();
        let hubspot = HubSpotSim::new(clock.clone(), options);
        let options = SalesforceOptions {
            seed: number,
            daily_limit: NO_LIMIT,
            ..SalesforceOptions::default()
        };
        let client = (options.client_id.clone(), options.client_secret.clone());
        let salesforce = SalesforceSim::new(clock, options);
        let seeded = seed(&hubspot, &salesforce, records, number).expect("seeded");
        let running = [hubspot.router(), salesforce.router()]
            .map(|router| handle.block_on(serve(router, 0)).expect("it listens"));
        let data = match &place {
            Place::Folder(folder) => folder.display().to_string(),
            Place::Server(url) => url.clone(),
        };
        let mut variables = vec![
            ("TANDEM_HUBSPOT_URL", running[0].url()),
            ("TANDEM_HUBSPOT_TOKEN", token),
            ("TANDEM_SALESFORCE_URL", running[1].url()),
            ("TANDEM_SALESFORCE_CLIENT_ID", client.0),
            ("TANDEM_SALESFORCE_CLIENT_SECRET", client.1),
        ];
        // What the runs tell of themselves, for whoever looks into a fault.
        variables.extend(
            std::env::var("TANDEM_LOG")
                .ok()
                .map(|level| ("TANDEM_LOG", level)),
        );
        let log = home.path().join("log");
        Self {
            hubspot,
            salesforce,
            program: Program {
                variables,
                data,
                log,
            },
            place,
            handle: handle.clone(),
            seeded,
            _running: running,
            _home: home,
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Server(_))
    }

    /// Calls of both APIs so far.
    pub fn calls(&self) -> u64 {
        self.hubspot.counters().calls + self.salesforce.counters().total
    }

    /// Records that a call has made or changed so far.
    pub fn writes(&self) -> u64 {
        let (hubspot, salesforce) = (self.hubspot.counters(), self.salesforce.counters());
        hubspot.records_created
            + hubspot.records_updated
            + salesforce.records_created
            + salesforce.records_updated
    }

    /// Writes that left everything as it was.
    pub fn pointless(&self) -> u64 {
        self.hubspot.counters().noop_updates + self.salesforce.counters().noop_updates
    }

    /// What the store says; no run may be under way.
    pub fn claims(&self) -> Outcome {
        let place = match &self.place {
            Place::Folder(folder) => folder.join("tandem.db").display().to_string(),
            Place::Server(url) => url.clone(),
        };
        self.handle.block_on(async {
            let store = Store::open(&place, Clock::System).await;
            let store = store.expect("the store can be read");
            let outcome = claims::read(&store, &WorkspaceId::new(WORKSPACE)).await;
            store.close().await;
            outcome.expect("the store can be read")
        })
    }

    pub fn view<'v>(&'v self, meaning: &'v Meaning) -> View<'v> {
        View {
            hubspot: &self.hubspot,
            salesforce: &self.salesforce,
            meaning,
        }
    }

    pub fn judge(&self, outcome: &Outcome, ledger: &Ledger) -> Findings {
        let meaning = Meaning::read(&self.salesforce, &outcome.links);
        let claims = Claims {
            links: &outcome.links,
            holds: &outcome.holds,
            dead_letters: &outcome.dead_letters,
            conflicts: &outcome.conflicts,
            seeded: &self.seeded,
            ledger,
            struck: &BTreeSet::new(),
        };
        verify(self.view(&meaning), claims)
    }

    /// As if some minutes had passed for everything that waits for the fate of a write.
    pub fn minutes_pass(&self) {
        let earlier = [
            "UPDATE intents SET send_before = send_before - 300000000",
            "UPDATE marks SET not_before = not_before - 300000000 WHERE kind = 'record'",
        ];
        self.handle.block_on(async {
            match &self.place {
                Place::Folder(folder) => {
                    let url = format!("sqlite://{}", folder.join("tandem.db").display());
                    let pool = sqlx::SqlitePool::connect(&url).await.expect("it opens");
                    for statement in earlier {
                        let done = sqlx::query(statement).execute(&pool).await;
                        done.expect("it runs");
                    }
                    pool.close().await;
                }
                Place::Server(url) => {
                    let pool = sqlx::PgPool::connect(url).await;
                    let pool = pool.expect("it opens");
                    for statement in earlier {
                        let done = sqlx::query(statement).execute(&pool).await;
                        done.expect("it runs");
                    }
                    pool.close().await;
                }
            }
        });
    }
}
