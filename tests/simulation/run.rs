//! One schedule: trouble for a while, then peace, then judgement.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tandem::app::{Engine, Step};
use tandem::clock::Clock;
use tandem::mapping::{Mapping, SourceFile, load};
use tandem::model::{BySide, Side, Timestamp, WorkspaceId};
use tandem::sim::SimClock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tandem::store::{Reply, Store, Watch};

use crate::cast::{CASTS, Cast};
use crate::counts::Counts;
use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::mirror::Mirror;
use crate::rest;
use crate::shots::Shots;
use crate::stage::{Hub, Stage, Violation};
use crate::trace::{Keep, Trace};
use crate::users::{self, Scripted};
use crate::wire::arrivals;

/// 2026-03-02T09:00:00Z.
const START: Timestamp = Timestamp::from_millis(1_772_442_000_000);

/// One store that many schedules share, each in a workspace of its own.
pub struct Rig {
    pub store: Arc<Store>,
    pub clock: Clock,
    pub hub: Hub,
    pub runs: AtomicU64,
}

impl Rig {
    pub async fn new() -> Self {
        let clock = Clock::manual(START);
        let hub = Hub::new();
        let store = Store::open("sqlite::memory:", clock.clone()).await.unwrap();
        let asked = hub.clone();
        let watch = Watch::new(move |seam| {
            let fate = asked.at_commit(seam);
            let hub = asked.clone();
            Box::pin(async move {
                hub.meet(fate).await;
                Reply::Heard
            })
        });
        Self {
            store: Arc::new(store.watched(watch)),
            clock,
            hub,
            runs: AtomicU64::new(0),
        }
    }
}

/// What a schedule is to be played with besides its seed.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub keep: Keep,
    /// By name; otherwise the seed picks.
    pub cast: Option<&'static str>,
}

/// How a schedule ended.
pub struct Outcome {
    pub seed: u64,
    pub cast: &'static str,
    pub violations: Vec<Violation>,
    pub counts: Counts,
    pub hash: u64,
    pub tail: String,
}

pub struct Run<'a> {
    pub rig: &'a Rig,
    pub workspace: WorkspaceId,
    pub engine: Option<Engine>,
    pub openings: u32,
    pub seed: u64,
    pub cast: &'static Cast,
    pub salesforce: SalesforceSim,
    pub hubspot: HubSpotSim,
    pub mappings: Vec<Mapping>,
}

pub async fn play(rig: &Rig, seed: u64, wish: Wish) -> Outcome {
    let mut run = Run::begin(rig, seed, wish);
    run.go().await;
    let stage = rig.hub.take();
    Outcome {
        seed,
        cast: run.cast.name,
        violations: stage.violations,
        counts: stage.counts,
        hash: stage.trace.hash(),
        tail: stage.trace.tail(160),
    }
}

/// The end that one schedule of a script comes to, and what it broke on the way.
pub async fn follow(rig: &Rig, seed: u64, script: &[Scripted]) -> (Shots, Vec<Violation>) {
    let wish = Wish {
        keep: Keep::Nothing,
        cast: Some("salesforce-wins"),
    };
    let mut run = Run::begin(rig, seed, wish);
    let shots = run.follow(script).await;
    run.engine = None;
    (shots, rig.hub.take().violations)
}

fn read(mappings: &[String]) -> Vec<Mapping> {
    let files: Vec<SourceFile> = mappings
        .iter()
        .enumerate()
        .map(|(nth, text)| SourceFile {
            path: format!("{nth}.yaml"),
            text: text.clone(),
        })
        .collect();
    let loaded = load(&files, &BTreeMap::new());
    loaded
        .unwrap_or_else(|faults| panic!("the cast's mappings load: {faults:?}"))
        .mappings
}

fn set_clock(clock: &Clock, at: Timestamp) {
    clock.advance_millis(at.millis_since(clock.now()));
}

fn store_titles_in_capitals(salesforce: &SalesforceSim) {
    salesforce.set_trigger(
        "Contact",
        Some(Box::new(|values| {
            let title = values.get("Title").and_then(|title| title.as_str());
            if let Some(title) = title.map(str::to_uppercase) {
                values.insert("Title".to_owned(), title.into());
            }
        })),
    );
}

impl<'a> Run<'a> {
    fn begin(rig: &'a Rig, seed: u64, wish: Wish) -> Self {
        set_clock(&rig.clock, START);
        let mut dice = Dice::new(seed);
        let mut cast = &CASTS[dice.below(CASTS.len())];
        if let Some(name) = wish.cast {
            cast = CASTS
                .iter()
                .find(|cast| cast.name == name)
                .expect("a cast of this name");
        }
        let clock = &rig.clock;
        let hubspot = HubSpotOptions {
            search_lag_ms: if dice.one_in(4) { 240_000 } else { 2_000 },
            ..HubSpotOptions::default()
        };
        let hubspot = HubSpotSim::new(SimClock::new(clock.clone()), hubspot);
        let options = SalesforceOptions::default();
        let salesforce = SalesforceSim::new(SimClock::new(clock.clone()), options);
        if seed.is_multiple_of(2) {
            let tracked = ["Email", "FirstName", "LastName", "Title", "Phone"];
            let kept = salesforce.track_history("Contact", &tracked);
            kept.expect("these fields can be tracked");
        }
        if cast.shouts {
            store_titles_in_capitals(&salesforce);
        }
        let pooled = dice.one_in(3);
        let stage = Stage {
            cast,
            clock: clock.clone(),
            hubspot: hubspot.clone(),
            salesforce: salesforce.clone(),
            dice,
            seams: 0,
            calm: true,
            alone: false,
            starting: false,
            thawed: false,
            ledger: Ledger::default(),
            mirror: Mirror::default(),
            counts: Counts::default(),
            trace: Trace::new(wish.keep),
            deferred: Vec::new(),
            late: Vec::new(),
            closed_until: BySide::default(),
            violations: Vec::new(),
            script: Vec::new(),
            pooled,
            next_value: 0,
            step_from: 0,
            before_write: None,
        };
        rig.hub.set(stage);
        let nth = rig.runs.fetch_add(1, Ordering::SeqCst);
        Self {
            rig,
            workspace: WorkspaceId::new(format!("run{nth}/test")),
            engine: None,
            openings: 0,
            seed,
            cast,
            salesforce,
            hubspot,
            mappings: read(&cast.mappings),
        }
    }

    /// Three people on both sides, then the edits of a script at moments that the seed picks.
    async fn follow(&mut self, script: &[Scripted]) -> Shots {
        self.with(|stage| {
            for nth in 0..3 {
                let email = format!("p{nth}@example.com");
                let person = [("email", email.as_str()), ("lastname", "New")];
                stage.hubspot.create("contacts", &person).unwrap();
                let person = [("Email", email.as_str().into()), ("LastName", "New".into())];
                stage.salesforce.create("Contact", &person).unwrap();
            }
            stage.clock.advance_millis(60_000);
            let shots = stage.shots();
            stage.ledger.note_values(&shots);
        });
        self.open().await;
        rest::settle(self).await;
        self.with(|stage| {
            stage.calm = false;
            stage.dice.rates.act = 0;
            stage.script = script.to_vec();
        });
        self.trouble().await;
        self.with(|stage| {
            while !stage.script.is_empty() {
                users::next_of_script(stage);
            }
        });
        self.make_peace().await;
        rest::judge(self).await;
        self.with(|stage| stage.shots())
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut Stage) -> T) -> T {
        self.rig.hub.with(act)
    }

    pub fn store(&self) -> &Store {
        &self.rig.store
    }

    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("the engine runs")
    }

    async fn go(&mut self) {
        self.populate();
        let early = self.with(|stage| stage.dice.coin());
        if early {
            self.with(|stage| stage.calm = false);
        }
        self.open().await;
        if !early {
            rest::settle(self).await;
            self.with(|stage| stage.calm = false);
        }
        self.trouble().await;
        self.make_peace().await;
        rest::judge(self).await;
        self.engine = None;
    }

    /// A few records on each side, some of them the same people.
    fn populate(&self) {
        self.with(|stage| {
            let number = 2 + stage.dice.below(3);
            for _ in 0..number {
                let side = if stage.dice.coin() {
                    Side::HubSpot
                } else {
                    Side::Salesforce
                };
                users::add(stage, side);
                if stage.dice.coin() {
                    users::add(stage, side.other());
                }
            }
            stage.clock.advance_millis(60_000);
            let shots = stage.shots();
            stage.ledger.note_values(&shots);
        });
    }

    /// Users act, the engine looks and works, until the seams of this schedule are used up.
    async fn trouble(&mut self) {
        let from = self.with(|stage| stage.seams);
        let budget = self.with(|stage| 20 + stage.dice.below(40)) as u32;
        for _ in 0..30 {
            let over = self.with(|stage| stage.seams - from >= budget);
            if over || self.with(|stage| !stage.violations.is_empty()) {
                break;
            }
            let (acts, millis, scans) = self.with(|stage| {
                let millis = match stage.dice.below(6) {
                    0 => stage.dice.between(30_000, 200_000),
                    _ => stage.dice.between(200, 8_000),
                };
                (stage.dice.below(4), millis, stage.dice.one_in(12))
            });
            self.with(|stage| {
                for _ in 0..acts {
                    if stage.dice.rates.act > 0 {
                        users::act(stage);
                    }
                }
            });
            self.pass(millis).await;
            match scans {
                true => self.scan().await,
                false => self.look().await,
            }
            self.some_steps(10).await;
        }
    }

    async fn some_steps(&mut self, most: u32) {
        for _ in 0..most {
            if let Step::Wait(_) = self.step().await {
                break;
            }
        }
    }

    /// Users rest, nothing is lost any more, and what is still on its way arrives or never does.
    async fn make_peace(&mut self) {
        self.with(|stage| {
            stage.calm = true;
            stage.alone = false;
            stage.trace.say(|| "-- peace --".to_owned());
        });
        self.pass(1_000).await;
        if self.with(|stage| !stage.deferred.is_empty()) {
            // What an impatient process does now would meet what is still on its way.
            self.look().await;
            self.some_steps(10).await;
        }
        let now = self.rig.clock.now();
        let last = self.with(|stage| {
            let deferred = stage.deferred.iter().map(|one| one.until);
            deferred
                .chain(stage.late.iter().map(|(_, until)| *until))
                .max()
        });
        if let Some(last) = last {
            self.pass(last.millis_since(now).max(0) + 1).await;
        }
        // A pass over the changes is remembered once a minute; the late pass follows the memory.
        self.pass(61_000).await;
    }

    /// Moves the clock; what arrives in the meantime arrives.
    pub async fn pass(&self, millis: i64) {
        let by = self.rig.clock.now().plus_millis(millis);
        for (side, router) in [
            (Side::HubSpot, self.hubspot.router()),
            (Side::Salesforce, self.salesforce.router()),
        ] {
            arrivals(&self.rig.hub, &router, side, Some(by)).await;
        }
        self.with(|stage| {
            stage.clock.advance_millis(millis);
            stage.trace.say(|| format!("{millis} ms pass"));
            let (due, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut stage.late)
                .into_iter()
                .partition(|(_, until)| *until <= by);
            stage.late = rest;
            for (late, _) in due {
                users::commit_late(stage, late);
            }
        });
    }

    /// Asks both sides for changes. Not a place to die at: it is the harness that asks.
    pub async fn look(&self) {
        self.with(|stage| stage.alone = true);
        self.engine().poll_now().await.unwrap();
        self.with(|stage| stage.alone = false);
    }

    pub async fn scan(&self) {
        self.with(|stage| {
            stage.alone = true;
            stage.counts.add("scans", 1);
        });
        self.engine().scan_now().await.unwrap();
        self.with(|stage| stage.alone = false);
    }
}
