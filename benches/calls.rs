//! Where the calls of a day's edits go: a table of every kind of call, for each wave of edits.
//!
//! The demo's records and its people, with one engine, both simulators and the store in one
//! process, on a clock that is moved by hand: a call takes a tenth of a second of it, so that polls
//! fall due in the middle of the work as they do in a run by the clock. Calls are a matter of the
//! engine and not of the machine, so the same numbers give the same table. Run with
//! `cargo bench --bench calls -- 10000 10000 7` for records of each type, edits, and the seed.

#[path = "support/engine.rs"]
mod engine;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use secrecy::SecretString;
use serde_json::Value;
use tandem::app::{Engine, Step};
use tandem::cli::demo::canon::Meaning;
use tandem::cli::demo::claims;
use tandem::cli::demo::edits::{Editor, free_targets};
use tandem::cli::demo::ledger::{Ledger, Partners, View};
use tandem::cli::demo::outcome::Outcome;
use tandem::cli::demo::shape::SHAPES;
use tandem::cli::demo::verify::{Claims, verify};
use tandem::clock::Clock;
use tandem::crm::salesforce::{Login, log_in};
use tandem::crm::{HubSpot, Salesforce, Transport};
use tandem::model::Timestamp;
use tandem::sim::SimClock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tandem::sim::seed::{Seeded, seed};

const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// As in the demo.
const WAVES: usize = 5;
const SEARCH_LAG_MILLIS: i64 = 500;
/// A wave is typed in so many parts, and each takes this long.
const TYPED_IN: usize = 4;
const TYPING_MILLIS: i64 = 250;
const POLL_MILLIS: i64 = 10_000;
const HORIZON_MILLIS: i64 = 180_000;
/// Simulated time that a call takes.
const CALL_MILLIS: i64 = 100;
const LARGEST_BODY: usize = 64 << 20;

fn main() {
    let given: Vec<u64> = std::env::args()
        .filter_map(|text| text.parse().ok())
        .collect();
    let number = |at: usize, usual: u64| given.get(at).copied().unwrap_or(usual);
    let [records, edits, seed] = [number(0, 10_000), number(1, 10_000), number(2, 7)];
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime starts");
    let (records, edits) = (size(records), size(edits));
    runtime.block_on(measure(records, edits, seed));
}

fn size(number: u64) -> usize {
    usize::try_from(number).expect("a small number")
}

/// Calls by what they are.
type Counted = BTreeMap<String, u64>;

/// Counts what passes to a simulator, and lets the time pass that a call takes.
#[derive(Clone)]
struct Count {
    clock: Clock,
    counted: Arc<Mutex<Counted>>,
}

impl Count {
    fn around(&self, side: &'static str, router: Router) -> Router {
        let count = self.clone();
        router.layer(from_fn(move |request: Request, next: Next| {
            let count = count.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, LARGEST_BODY).await.expect("a body");
                let call = named(side, head.method.as_str(), head.uri.path(), &body);
                *count.all().entry(call).or_default() += 1;
                count.clock.advance_millis(CALL_MILLIS);
                next.run(Request::from_parts(head, Body::from(body))).await
            }
        }))
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.counted.lock().expect("nobody panicked")
    }
}

/// A call without what only this one has; a joint call by its parts.
fn named(side: &str, method: &str, path: &str, body: &[u8]) -> String {
    let path = path.trim_start_matches("/services/data/");
    let steps: Vec<&str> = path.split('/').filter(|step| !is_version(step)).collect();
    let path = steps.join("/");
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(parts) = body["compositeRequest"].as_array() else {
        let history = match body["propertiesWithHistory"].as_array() {
            Some(fields) if !fields.is_empty() => " with history",
            _ => "",
        };
        return format!("{side} {method} {path}{history}");
    };
    let parts = parts.iter().map(|part| {
        let url = part["url"].as_str().unwrap_or_default();
        let url = url.split('?').next().unwrap_or_default();
        let last = url.rsplit('/').next().unwrap_or_default();
        let query = part["url"].as_str().unwrap_or_default();
        let from = query
            .split("+FROM+")
            .nth(1)
            .or(query.split("%20FROM%20").nth(1));
        let from = from.and_then(|rest| rest.split(['+', '%']).next());
        let method = part["method"].as_str().unwrap_or_default();
        format!("{method} {last} {}", from.unwrap_or_default())
            .trim()
            .to_owned()
    });
    let parts: Vec<String> = parts.collect();
    format!("{side} {method} {path}: {}", parts.join(" + "))
}

fn is_version(step: &str) -> bool {
    step.is_empty()
        || step.starts_with("20") && step.contains('-')
        || step.starts_with('v') && step[1..].chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// One engine between two simulators that are full.
struct House {
    clock: Clock,
    count: Count,
    hubspot: HubSpotSim,
    salesforce: SalesforceSim,
    seeded: Seeded,
    engine: Engine,
}

impl House {
    async fn new(records: usize, chance: u64) -> Self {
        let clock = Clock::manual(START);
        let options = HubSpotOptions {
            search_lag_ms: SEARCH_LAG_MILLIS,
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
        for shape in &SHAPES {
            let fields = shape.rules.iter().flat_map(|rule| rule.salesforce);
            let fields: Vec<&str> = fields.copied().collect();
            let kept = salesforce.track_history(shape.salesforce, &fields);
            kept.expect("a history is kept");
        }
        let seeded = seed(&hubspot, &salesforce, records, chance).expect("both are filled");
        clock.advance_millis(1_000);
        let count = Count {
            clock: clock.clone(),
            counted: Arc::default(),
        };
        let org = count.around("salesforce", salesforce.router());
        let portal = count.around("hubspot", hubspot.router());
        let transport = Transport::InProcess(org);
        let session = log_in(&transport, &login, &clock).await.expect("a session");
        let to_org = Salesforce::new(transport, session, Some(login), clock.clone());
        let transport = Transport::InProcess(portal);
        let to_portal = HubSpot::new(transport, "http://hubspot.test", token, clock.clone());
        let engine = engine::open((to_portal, to_org), &clock, chance, POLL_MILLIS).await;
        Self {
            clock,
            count,
            hubspot,
            salesforce,
            seeded,
            engine,
        }
    }

    /// Steps until no work is due that the demo would wait for.
    async fn until_quiet(&mut self) {
        loop {
            let Step::Wait(until) = self.engine.step().await.expect("a step") else {
                continue;
            };
            let now = self.clock.now();
            let work = self.engine.next_work().await.expect("a look at the lane");
            let soon = work.is_some_and(|at| at.millis_since(now) <= HORIZON_MILLIS);
            if !soon && !self.engine.poll_is_due().await.expect("a look at the lane") {
                return;
            }
            let wait = until.map_or(1_000, |at| at.millis_since(now));
            self.clock.advance_millis(wait.clamp(10, 500));
        }
    }

    /// Works while HubSpot's index catches up, as the demo does: polls that fall due here see a
    /// part of what was typed.
    async fn meanwhile(&mut self) {
        let until = self.clock.now().plus_millis(SEARCH_LAG_MILLIS);
        while self.clock.now() < until {
            if let Step::Wait(_) = self.engine.step().await.expect("a step") {
                self.clock.advance_millis(10);
            }
        }
    }

    async fn look(&mut self) {
        self.meanwhile().await;
        self.engine.poll_now().await.expect("polls are due");
        self.until_quiet().await;
    }

    /// What the store says became of the records.
    async fn told(&self) -> Outcome {
        let site = self.engine.site();
        let told = claims::read(&site.store, &site.workspace).await;
        told.expect("what the store says")
    }

    /// Compares both CRMs as the demo does.
    async fn judge(&self, view: View<'_>, ledger: &Ledger) {
        let outcome = self.told().await;
        let claims = Claims {
            links: &outcome.links,
            holds: &outcome.holds,
            dead_letters: &outcome.dead_letters,
            conflicts: &outcome.conflicts,
            seeded: &self.seeded,
            ledger,
            struck: &BTreeSet::new(),
        };
        let findings = verify(view, claims);
        let pointless =
            self.hubspot.counters().noop_updates + self.salesforce.counters().noop_updates;
        println!(
            "in step: {}; {} differences, {} edits lost, {} doubles, {pointless} pointless updates",
            findings.is_clean(),
            findings.mismatches.len(),
            findings.lost.len(),
            findings.duplicates.len(),
        );
    }

    /// What was counted since the last time, and how many of it were polls that found nothing.
    fn counted(&self, idle: &mut u64) -> (Counted, u64) {
        let counted = std::mem::take(&mut *self.count.all());
        let before = std::mem::replace(idle, self.engine.idle_calls());
        (counted, *idle - before)
    }
}

async fn measure(records: usize, edits: usize, chance: u64) {
    let mut house = House::new(records, chance).await;
    let mut idle = 0;
    house.until_quiet().await;
    house.look().await;
    let (first, first_idle) = house.counted(&mut idle);
    let outcome = house.told().await;
    println!(
        "first sync: {} pairs, {} calls and {first_idle} of idle polls",
        outcome.links.len(),
        total(&first) - first_idle
    );

    let (hubspot, salesforce) = (house.hubspot.clone(), house.salesforce.clone());
    let meaning = Meaning::read(&salesforce, &outcome.links);
    let view = View {
        hubspot: &hubspot,
        salesforce: &salesforce,
        meaning: &meaning,
    };
    let partners = Partners::new(&outcome.links);
    let targets = free_targets(&outcome, &house.seeded);
    let mut editor = Editor::new(view, &partners, house.clock.clone(), targets, chance);
    let mut ledger = Ledger::default();
    let mut waves = Vec::new();
    for wave in 1..=WAVES {
        ledger.begin_wave();
        for part in 1..=TYPED_IN {
            let count = edits * ((wave - 1) * TYPED_IN + part) / (WAVES * TYPED_IN);
            let typed = editor.work(count, &mut ledger);
            typed.expect("people can type");
            house.clock.advance_millis(TYPING_MILLIS);
        }
        house.look().await;
        ledger.observe(view, &partners, house.clock.now());
        waves.push(house.counted(&mut idle));
    }
    table(&waves);
    let idle: u64 = waves.iter().map(|(_, idle)| idle).sum();
    let calls = waves.iter().map(|(counted, _)| total(counted)).sum::<u64>() - idle;
    let touched = ledger.records(&partners);
    println!(
        "{} edits of {touched} records: {calls} calls and {idle} of idle polls, {:.4} for each",
        ledger.edits.len(),
        per(calls, touched),
    );
    house.look().await;
    ledger.observe(view, &partners, house.clock.now());
    house.judge(view, &ledger).await;
}

fn total(counted: &Counted) -> u64 {
    counted.values().sum()
}

#[allow(clippy::cast_precision_loss, reason = "some thousands")]
fn per(calls: u64, records: usize) -> f64 {
    calls as f64 / records.max(1) as f64
}

fn table(waves: &[(Counted, u64)]) {
    let kinds: BTreeSet<&String> = waves
        .iter()
        .flat_map(|(counted, _)| counted.keys())
        .collect();
    let line = |what: &str, numbers: Vec<u64>| {
        let mean = per(numbers.iter().sum(), numbers.len());
        let numbers: Vec<String> = numbers
            .iter()
            .map(|number| format!("{number:>4}"))
            .collect();
        println!("{mean:>6.1} |{} | {what}", numbers.join(""));
    };
    for kind in kinds {
        let numbers = waves
            .iter()
            .map(|(counted, _)| counted.get(kind).copied().unwrap_or(0));
        line(kind, numbers.collect());
    }
    line(
        "of these idle polls",
        waves.iter().map(|(_, idle)| *idle).collect(),
    );
    let counted = waves.iter().map(|(counted, idle)| total(counted) - idle);
    line("all but idle polls", counted.collect());
}
