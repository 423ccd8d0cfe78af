//! How long it takes from a webhook's arrival until its change is on the other side.
//!
//! The built service runs against both simulators, which have no limits here and no lag. A thousand
//! contacts of HubSpot are edited and announced, all at once and then over ten seconds; the clock
//! of each runs from before its webhook is sent until Salesforce has the new value. Run with
//! `cargo bench --bench announced`.

#[allow(dead_code, reason = "other benchmarks need the rest of it")]
#[path = "support/rig.rs"]
mod rig;
#[allow(dead_code, reason = "other benchmarks need the rest of it")]
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use serde_json::{Value, json};
use tandem::clock::Clock;
use tandem::sim::hubspot::HubSpotSim;
use tandem::sim::salesforce::SalesforceSim;

use rig::{CLIENT_SECRET, Program, millis, quantile, signature};
use world::{PUBLIC, World};

const CHANGES: usize = 1_000;
const PATH: &str = "/webhooks/hubspot";
const WS: &str = "acme/bench";
const PATIENCE: Duration = Duration::from_secs(120);
/// When each title came to Salesforce.
type Arrived = Arc<Mutex<BTreeMap<String, Instant>>>;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(measure());
}

async fn measure() {
    let arrived = Arrived::default();
    let world = World::new(|portal, org| [portal.router(), watch(org, &arrived)]).await;
    let place = world.place();
    let program = place.serve();
    let ids = people(&world.hubspot);
    world.connect(&place, &program, WS).await;
    until_still(&world).await;
    assert_eq!(world.salesforce.records("Contact").len(), CHANGES);
    let tenth = Duration::from_millis(100);
    for (name, pause, together) in [
        ("all at once, 100 to a request", Duration::ZERO, 100),
        ("over ten seconds, 10 to a request", tenth, 10),
        ("over ten seconds, one by one", tenth / 10, 1),
    ] {
        let sent = announce(&world, &program, &ids, pause, together).await;
        report(name, await_all(&sent, &arrived).await);
        until_still(&world).await;
    }
    println!("peak {:.0} MiB", program.peak());
}

/// Until everybody is on both sides, and nothing was written for a few seconds.
async fn until_still(world: &World) {
    let began = Instant::now();
    let mut written = (0, Instant::now());
    let mut people = 0;
    while written.1.elapsed() < Duration::from_secs(4) || people < CHANGES {
        assert!(began.elapsed() < PATIENCE, "it does not come to rest");
        tokio::time::sleep(Duration::from_millis(200)).await;
        people = world.salesforce.records("Contact").len();
        let counted = world.hubspot.counters().records_updated + people as u64;
        if counted != written.0 {
            written = (counted, Instant::now());
        }
    }
}

/// Salesforce, with a look at its contacts after each write, before the writer is answered.
fn watch(salesforce: &SalesforceSim, arrived: &Arrived) -> axum::Router {
    let (sim, arrived) = (salesforce.clone(), arrived.clone());
    salesforce
        .router()
        .layer(from_fn(move |request: Request, next: Next| {
            let (sim, arrived) = (sim.clone(), arrived.clone());
            async move {
                let writes = request.method() != Method::GET;
                let response: Response = next.run(request).await;
                if writes {
                    note(&sim, &arrived);
                }
                response
            }
        }))
}

fn note(sim: &SalesforceSim, arrived: &Arrived) {
    let now = Instant::now();
    let mut arrived = arrived.lock().expect("nobody panicked");
    for record in sim.records("Contact") {
        if let Some(title) = record.fields.get("Title").and_then(Value::as_str) {
            arrived.entry(title.to_owned()).or_insert(now);
        }
    }
}

fn people(hubspot: &HubSpotSim) -> Vec<String> {
    let person = |number: usize| {
        let email = format!("person{number}@example.com");
        let lastname = format!("Person {number}");
        let fields = [
            ("email", email.as_str()),
            ("lastname", lastname.as_str()),
            ("lifecyclestage", "customer"),
        ];
        hubspot.create("contacts", &fields).expect("a contact")
    };
    (0..CHANGES).map(person).collect()
}

/// Edits everybody and announces it, so many to a request, with a pause after each request. When
/// each was sent, by its new title.
async fn announce(
    world: &World,
    program: &Program,
    ids: &[String],
    pause: Duration,
    together: usize,
) -> BTreeMap<String, Instant> {
    let client = reqwest::Client::new();
    let url = format!("http://{}{PATH}", program.address);
    let round = Clock::System.now().millis();
    let began = Instant::now();
    let mut sent = BTreeMap::new();
    for (number, ids) in ids.chunks(together).enumerate() {
        let due = pause * u32::try_from(number).expect("not so many");
        tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        let mut events = Vec::new();
        for id in ids {
            let title = format!("title {id} of {round}");
            let edited = world.hubspot.edit("contacts", id, &[("jobtitle", &title)]);
            edited.expect("a sound edit");
            sent.insert(title, Instant::now());
            events.push(json!({"eventId": 1, "portalId": world.hubspot.portal_id(),
                "objectId": id.parse::<u64>().expect("a number"),
                "subscriptionType": "contact.propertyChange", "propertyName": "jobtitle"}));
        }
        let body = Value::Array(events).to_string();
        let at = Clock::System.now().millis();
        let signed = signature(CLIENT_SECRET, &format!("{PUBLIC}{PATH}"), &body, at);
        let request = client
            .post(&url)
            .header("x-hubspot-signature-v3", signed)
            .header("x-hubspot-request-timestamp", at.to_string());
        let answer = request.body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
    sent
}

async fn await_all(sent: &BTreeMap<String, Instant>, arrived: &Arrived) -> Vec<Duration> {
    let began = Instant::now();
    loop {
        let found = times(sent, arrived);
        if found.len() == sent.len() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "only {} arrived", found.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn times(sent: &BTreeMap<String, Instant>, arrived: &Arrived) -> Vec<Duration> {
    let arrived = arrived.lock().expect("nobody panicked");
    let taken = sent
        .iter()
        .filter_map(|(title, at)| Some(arrived.get(title)?.duration_since(*at)));
    taken.collect()
}

fn report(name: &str, mut times: Vec<Duration>) {
    let [half, most, all] = [0.5, 0.99, 1.0].map(|share| millis(quantile(&mut times, share)));
    println!("{CHANGES} changes, {name}: p50 {half:.0} ms, p99 {most:.0} ms, max {all:.0} ms");
}
