//! What the engine adds to the calls it cannot do without: edits carried across, against reading
//! the same records and no more.
//!
//! Real clients, both simulators and the store in one process, on a clock that is moved by hand, so
//! that no rate limit is waited for. Run with `cargo bench --bench sync`.

#[path = "support/engine.rs"]
mod engine;

use divan::{Bencher, counter::ItemsCount};
use secrecy::SecretString;
use tandem::app::{Engine, Step};
use tandem::clock::Clock;
use tandem::crm::salesforce::{Login, log_in};
use tandem::crm::{HubSpot, Salesforce, Transport};
use tandem::model::{LinkState, MappingName, RecordId, Side, Timestamp};
use tandem::sim::SimClock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tandem::sim::seed::seed;
use tandem::store::LinkFilter;
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

/// Companies edited in each round.
const EDITS: usize = 500;
const SEEDED: usize = 700;
/// Nothing is found but by asking.
const POLL_MILLIS: i64 = 3_600_000;
const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

struct House {
    runtime: Runtime,
    clock: Clock,
    hubspot: HubSpotSim,
    engine: Engine,
    /// Linked companies, by their ids on both sides.
    pairs: Vec<(RecordId, RecordId)>,
}

fn house() -> House {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime starts");
    let clock = Clock::manual(START);
    let options = HubSpotOptions {
        search_lag_ms: 0,
        ..HubSpotOptions::default()
    };
    let token = SecretString::from(options.token.clone());
    let hubspot = HubSpotSim::new(SimClock::new(clock.clone()), options);
    let options = SalesforceOptions::default();
    let login = Login::ClientCredentials {
        url: "http://org.test".to_owned(),
        id: options.client_id.clone(),
        secret: SecretString::from(options.client_secret.clone()),
    };
    let salesforce = SalesforceSim::new(SimClock::new(clock.clone()), options);
    seed(&hubspot, &salesforce, SEEDED, 7).expect("both are filled");
    let (portal, org) = (hubspot.router(), salesforce.router());
    let mut engine = runtime.block_on(async {
        let transport = Transport::InProcess(org);
        let session = log_in(&transport, &login, &clock).await.expect("a session");
        let salesforce = Salesforce::new(transport, session, Some(login), clock.clone());
        let transport = Transport::InProcess(portal);
        let hubspot = HubSpot::new(transport, "http://hubspot.test", token, clock.clone());
        engine::open((hubspot, salesforce), &clock, 7, POLL_MILLIS).await
    });
    runtime.block_on(until_quiet(&mut engine, &clock));
    let pairs = runtime.block_on(companies(&engine));
    House {
        runtime,
        clock,
        hubspot,
        engine,
        pairs,
    }
}

/// Steps until no work is due, and passes the waiting on to the clock.
async fn until_quiet(engine: &mut Engine, clock: &Clock) {
    loop {
        if let Step::Wait(until) = engine.step().await.expect("a step") {
            let work = engine.next_work().await.expect("a look at the lane");
            let soon = work.is_some_and(|at| at.millis_since(clock.now()) < 180_000);
            if !soon && !engine.poll_is_due().await.expect("a look at the lane") {
                return;
            }
            let wait = until.map_or(1_000, |at| at.millis_since(clock.now()));
            clock.advance_millis(wait.max(1));
        }
    }
}

async fn companies(engine: &Engine) -> Vec<(RecordId, RecordId)> {
    let filter = LinkFilter {
        mapping: Some(MappingName::new("companies")),
        state: Some(LinkState::Linked),
    };
    let site = engine.site();
    let links = engine
        .store()
        .links_page(&site.workspace, &filter, None, 10_000);
    let links = links.await.expect("links");
    let pairs = links.into_iter().filter_map(|link| {
        let records = link.records;
        Some((records.hubspot?, records.salesforce?))
    });
    pairs.take(EDITS).collect()
}

impl House {
    /// Somebody types another description into each company, and time passes.
    fn edit(&mut self, round: u32) {
        self.clock.advance_millis(60_000);
        for (id, _) in &self.pairs {
            let text = format!("edited in round {round}");
            let edited = self
                .hubspot
                .edit("companies", id.as_str(), &[("description", &text)]);
            edited.expect("an edit");
        }
        self.clock.advance_millis(1_000);
    }
}

/// Seen by a poll, planned, written to Salesforce, settled, committed.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn carry_edits(bencher: Bencher<'_, '_>) {
    let mut house = house();
    assert_eq!(house.pairs.len(), EDITS);
    let mut round = 0;
    bencher.counter(ItemsCount::new(EDITS)).bench_local(|| {
        round += 1;
        house.edit(round);
        let before = house.engine.tally().writes;
        house.runtime.block_on(async {
            house.engine.poll_now().await.expect("polls are due");
            until_quiet(&mut house.engine, &house.clock).await;
        });
        assert_eq!(house.engine.tally().writes - before, EDITS as u64);
    });
}

/// The floor: the same edits, and one read of the same records on both sides.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn only_read(bencher: Bencher<'_, '_>) {
    let mut house = house();
    let mut round = 0;
    let (ours, theirs): (Vec<_>, Vec<_>) = house.pairs.iter().cloned().unzip();
    bencher.counter(ItemsCount::new(EDITS)).bench_local(|| {
        round += 1;
        house.edit(round);
        let site = house.engine.site();
        let bound = &site.mappings[&MappingName::new("companies")];
        let crms = house.engine.crms();
        for (side, ids) in [(Side::HubSpot, &ours), (Side::Salesforce, &theirs)] {
            let read = crms.read(side, bound.object(side), ids, bound.read_fields(side));
            let records = house.runtime.block_on(read).expect("a read");
            assert_eq!(records.len(), EDITS);
        }
    });
}
