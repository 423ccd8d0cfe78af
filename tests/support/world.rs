//! A small world in one process: both simulators, the real clients, the real store, the engine.
//!
//! Time is a manual clock that only [`World::settle`] and [`World::pass`] move; no socket, no
//! sleep. Users act through the simulators' own doors, and tests judge by the simulators' state.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;
use tandem::app::{Engine, Options, Parts, SetupError, Step};
use tandem::clock::{Chance, Clock};
use tandem::crm::salesforce::{Login, log_in};
use tandem::crm::{HubSpot, Salesforce, Transport};
use tandem::mapping::{Mapping, SourceFile, load};
use tandem::model::{
    Cause, Hold, Link, LinkId, LinkState, MappingName, RecordId, RecordKey, RunEnd, Side, Task,
    Timestamp, WorkspaceId,
};
use tandem::sim::SimClock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tandem::store::{
    Changes, ConflictFilter, ConflictRow, DeadLetter, DeadLetterFilter, DeadLetterState,
    LinkFilter, Mark, Store, StoreError,
};
use tandem::sync::Mode;

use super::seams::Seams;
use super::wire::Wire;

/// 2026-03-02T09:00:00Z.
const START: Timestamp = Timestamp::from_millis(1_772_442_000_000);
pub const LANE: &str = "sync";
/// Work that is due later than this is left to wait.
const HORIZON_MILLIS: i64 = 30 * 60_000;
/// More steps than any test needs; a world that does not come to rest is a finding.
const STEPS_MAX: u32 = 3_000;

pub const SHIPPED: [&str; 4] = [
    include_str!("../../mappings/companies.yaml"),
    include_str!("../../mappings/contacts.yaml"),
    include_str!("../../mappings/deals.yaml"),
    include_str!("../../mappings/leads.yaml"),
];

/// How a world is made.
#[derive(Clone, Default)]
pub struct Setup {
    pub mappings: Vec<String>,
    pub hubspot: HubSpotOptions,
    pub salesforce: SalesforceOptions,
    /// `None`: a store in memory.
    pub file: Option<PathBuf>,
}

impl Setup {
    pub fn with(mappings: &[&str]) -> Self {
        Self {
            mappings: mappings.iter().map(|text| (*text).to_owned()).collect(),
            ..Self::default()
        }
    }
}

pub struct World {
    pub clock: Clock,
    pub hubspot: HubSpotSim,
    pub salesforce: SalesforceSim,
    pub to_hubspot: Wire,
    pub to_salesforce: Wire,
    /// Where the process may die.
    pub seams: Seams,
    pub setup: Setup,
    pub store: Arc<Store>,
    pub workspace: WorkspaceId,
    /// What the next engine may do.
    pub mode: Mode,
    pub engine: Option<Engine>,
}

impl World {
    /// Two empty CRMs and no engine yet.
    pub async fn new(setup: Setup) -> Self {
        let clock = Clock::manual(START);
        let hubspot = HubSpotSim::new(SimClock::new(clock.clone()), setup.hubspot.clone());
        let salesforce = SalesforceSim::new(SimClock::new(clock.clone()), setup.salesforce.clone());
        let seams = Seams::default();
        let store = open_store(&setup, &clock, &seams).await;
        Self {
            hubspot,
            salesforce,
            to_hubspot: Wire::new(&seams),
            to_salesforce: Wire::new(&seams),
            seams,
            store,
            workspace: WorkspaceId::new("acme/test"),
            mode: Mode::Write,
            engine: None,
            clock,
            setup,
        }
    }

    /// As [`World::new`], with the engine running on the given mappings.
    pub async fn with(mappings: &[&str]) -> Self {
        let mut world = Self::new(Setup::with(mappings)).await;
        world.open().await;
        world
    }

    pub async fn open(&mut self) {
        let engine = self.try_open().await;
        self.engine = Some(engine.unwrap_or_else(|error| panic!("the engine opens: {error}")));
    }

    /// As [`World::open`], when it may not succeed.
    pub async fn start(&mut self) -> Result<(), SetupError> {
        self.engine = Some(self.try_open().await?);
        Ok(())
    }

    pub async fn try_open(&self) -> Result<Engine, SetupError> {
        let transport = Transport::InProcess(self.to_hubspot.around(self.hubspot.router()));
        let token = SecretString::from(self.setup.hubspot.token.clone());
        let clock = self.clock.clone();
        let hubspot = HubSpot::new(transport, "http://hubspot.test", token, clock.clone());
        let transport = Transport::InProcess(self.to_salesforce.around(self.salesforce.router()));
        let login = Login::ClientCredentials {
            url: "http://salesforce.test".to_owned(),
            id: self.setup.salesforce.client_id.clone(),
            secret: SecretString::from(self.setup.salesforce.client_secret.clone()),
        };
        let session = log_in(&transport, &login, &clock).await;
        let session = session.map_err(|error| SetupError::Crm {
            side: Side::Salesforce,
            error,
        })?;
        let salesforce = Salesforce::new(transport, session, Some(login), clock.clone());
        Engine::open(Parts {
            store: Arc::clone(&self.store),
            workspace: self.workspace.clone(),
            hubspot,
            salesforce,
            mappings: self.mappings(),
            clock,
            chance: Chance::seeded(7),
            options: Options {
                poll_millis: Some(60_000),
                mode: self.mode.clone(),
                ..Options::default()
            },
        })
        .await
    }

    fn mappings(&self) -> Vec<Mapping> {
        let files: Vec<SourceFile> = self
            .setup
            .mappings
            .iter()
            .enumerate()
            .map(|(nth, text)| SourceFile {
                path: format!("{nth}.yaml"),
                text: text.clone(),
            })
            .collect();
        load(&files, &BTreeMap::new()).unwrap().mappings
    }

    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("the engine runs")
    }

    /// Stops in good order: the lane is given back.
    pub async fn close(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.close(RunEnd::Finished).await.unwrap();
        }
    }

    /// The process dies: nothing is given back, and the next one waits until the lease is over.
    /// A store in a file is opened anew.
    pub async fn crash(&mut self) {
        self.die().await;
        self.open().await;
    }

    /// As [`World::crash`], and no other process starts yet.
    pub async fn die(&mut self) {
        self.engine = None;
        if self.setup.file.is_some() {
            // The old store must let go of its file before the new one can take it.
            self.store = open_store(&Setup::default(), &self.clock, &self.seams).await;
            self.store = open_store(&self.setup, &self.clock, &self.seams).await;
        } else {
            // One statement, so that the connection is done with what was dropped.
            self.store.open_intents(&self.workspace).await.unwrap();
            self.pass(31_000);
        }
    }

    pub const fn is_open(&self) -> bool {
        self.engine.is_some()
    }

    /// Starts anew with other mapping files.
    pub async fn remap(&mut self, mappings: &[&str]) {
        self.close().await;
        self.setup.mappings = mappings.iter().map(|text| (*text).to_owned()).collect();
        self.open().await;
    }

    /// What a command does while no engine runs: one commit under a lease of its own.
    pub async fn by_command(&mut self, changes: Changes) {
        self.close().await;
        let lease = self.store.lease(&self.workspace, LANE, "command", 30_000);
        let lease = lease.await.unwrap().expect("the lane is free");
        self.store.commit(&lease, changes).await.unwrap();
        self.store.release(lease).await.unwrap();
        self.open().await;
    }

    pub fn pass(&self, millis: i64) {
        self.clock.advance_millis(millis);
    }

    pub async fn step(&mut self) -> Step {
        let engine = self.engine.as_mut().expect("the engine runs");
        engine.step().await.unwrap()
    }

    /// A step that may fail because the store does.
    pub async fn try_step(&mut self) -> Result<Step, StoreError> {
        let engine = self.engine.as_mut().expect("the engine runs");
        engine.step().await
    }

    /// Looks for changes on both sides until nothing is left to do within half an hour. Twice,
    /// with a minute between, so that echoes of what was written are seen too.
    pub async fn settle(&mut self) {
        for _ in 0..2 {
            self.pass(30_000);
            self.look().await;
        }
    }

    /// Steps until each turn that a test put on a wire has had its request.
    pub async fn until_turns_are_taken(&mut self) {
        self.until(|world| world.to_hubspot.waiting() + world.to_salesforce.waiting() == 0)
            .await;
    }

    /// Looks for changes, and steps until something has happened, and no further.
    pub async fn until(&mut self, happened: impl Fn(&Self) -> bool) {
        self.pass(30_000);
        self.engine().poll_now().await.unwrap();
        for _ in 0..STEPS_MAX {
            if happened(self) {
                return;
            }
            if let Step::Wait(_) = self.step().await {
                self.pass(500);
            }
        }
        panic!("what was waited for never happened");
    }

    /// One round of polls and everything that follows from it.
    pub async fn look(&mut self) {
        self.engine().poll_now().await.unwrap();
        self.work().await;
    }

    /// Compares everything with both CRMs, and carries out what follows.
    pub async fn scan(&mut self) {
        self.engine().scan_now().await.unwrap();
        self.work().await;
    }

    /// Steps until nothing is due within the horizon, moving the clock to what is due next.
    pub async fn work(&mut self) {
        for _ in 0..STEPS_MAX {
            let Step::Wait(until) = self.step().await else {
                continue;
            };
            if !self.is_due().await {
                return;
            }
            let now = self.clock.now();
            let wait = until.map_or(1_000, |at| at.millis_since(now) + 1);
            self.pass(wait.max(1));
        }
        let rows = self.store.queue(&self.workspace, LANE, 10).await;
        panic!("the engine does not come to rest: {rows:?}");
    }

    async fn is_due(&self) -> bool {
        let now = self.clock.now();
        let horizon = now.plus_millis(HORIZON_MILLIS);
        let engine = self.engine();
        let scan = self
            .store
            .next_due_of(&self.workspace, LANE, "scan")
            .await
            .unwrap();
        let work = engine.next_work().await.unwrap();
        work.is_some_and(|at| at <= horizon)
            || scan.is_some_and(|at| at <= now)
            || engine.poll_is_due().await.unwrap()
    }

    /// Asks for one record, as `replay` does.
    pub async fn mark(&self, mapping: &str, side: Side, id: &str) {
        let key = RecordKey {
            mapping: MappingName::new(mapping),
            side,
            id: RecordId::new(id),
        };
        let mark = Mark {
            task: Task::Record(key),
            cause: Cause::Person,
            not_before: self.clock.now(),
        };
        self.store
            .mark(&self.workspace, LANE, &[mark])
            .await
            .unwrap();
    }

    /// A HubSpot property as stored; empty when blank.
    pub fn hs(&self, object: &str, id: &str, property: &str) -> String {
        let record = self.hubspot.record(object, id).expect("the record exists");
        record.properties.get(property).cloned().unwrap_or_default()
    }

    /// A Salesforce field as stored; empty when null.
    pub fn sf(&self, object: &str, id: &str, field: &str) -> String {
        let record = self.salesforce.record(object, id);
        let fields = record.expect("the record exists").fields;
        match fields.get(field) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    pub fn edit_hubspot(&self, object: &str, id: &str, properties: &[(&str, &str)]) {
        self.hubspot.edit(object, id, properties).unwrap();
    }

    pub fn edit_salesforce(&self, object: &str, id: &str, fields: &[(&str, &str)]) {
        self.salesforce.edit(object, id, &values(fields)).unwrap();
    }

    pub fn add_hubspot(&self, object: &str, properties: &[(&str, &str)]) -> String {
        self.hubspot.create(object, properties).unwrap()
    }

    pub fn add_salesforce(&self, object: &str, fields: &[(&str, &str)]) -> String {
        self.salesforce.create(object, &values(fields)).unwrap()
    }

    /// Live records.
    pub fn hubspot_ids(&self, object: &str) -> Vec<String> {
        let records = self.hubspot.records(object).into_iter();
        records.filter(|r| !r.archived).map(|r| r.id).collect()
    }

    pub fn salesforce_ids(&self, object: &str) -> Vec<String> {
        let records = self.salesforce.records(object).into_iter();
        records.filter(|r| !r.deleted).map(|r| r.id).collect()
    }

    /// Records that came through the API: created, updated and archived, no-ops included.
    pub fn api_writes(&self) -> u64 {
        let hubspot = self.hubspot.counters();
        let salesforce = self.salesforce.counters();
        hubspot.records_created
            + hubspot.records_updated
            + hubspot.records_archived
            + salesforce.records_created
            + salesforce.records_updated
            + salesforce.records_deleted
            + self.noop_writes()
    }

    /// Writes that left everything as it was.
    pub fn noop_writes(&self) -> u64 {
        self.hubspot.counters().noop_updates + self.salesforce.counters().noop_updates
    }

    pub async fn links(&self) -> Vec<Link> {
        let filter = LinkFilter::default();
        self.store
            .links_page(&self.workspace, &filter, None, 50_000)
            .await
            .unwrap()
    }

    /// Pairs whose link is open, as (HubSpot id, Salesforce id).
    pub async fn pairs(&self) -> Vec<(String, String)> {
        let text = |id: &Option<RecordId>| id.as_ref().map_or("", RecordId::as_str).to_owned();
        let links = self.links().await.into_iter();
        links
            .filter(|link| link.state == LinkState::Linked)
            .map(|link| (text(&link.records.hubspot), text(&link.records.salesforce)))
            .collect()
    }

    pub async fn link(&self) -> Link {
        let mut links = self.links().await;
        assert_eq!(links.len(), 1, "one link is expected: {links:?}");
        links.remove(0)
    }

    pub async fn holds(&self) -> Vec<Hold> {
        let ids: Vec<LinkId> = self.links().await.into_iter().map(|link| link.id).collect();
        self.store.holds(&self.workspace, &ids).await.unwrap()
    }

    pub async fn conflicts(&self) -> Vec<ConflictRow> {
        let filter = ConflictFilter::default();
        self.store
            .conflicts(&self.workspace, &filter, 1_000)
            .await
            .unwrap()
    }

    /// Open dead letters.
    pub async fn letters(&self) -> Vec<DeadLetter> {
        let filter = DeadLetterFilter {
            state: Some(DeadLetterState::Open),
            limit: 1_000,
            ..DeadLetterFilter::default()
        };
        self.store
            .dead_letters(&self.workspace, &filter)
            .await
            .unwrap()
    }

    /// The codes of the open dead letters, sorted.
    pub async fn letter_codes(&self) -> Vec<String> {
        let mut codes: Vec<String> = self.letters().await.into_iter().map(|l| l.code).collect();
        codes.sort();
        codes
    }

    /// What no run may leave behind once it has come to rest.
    pub async fn assert_nothing_open(&self) {
        let intents = self.store.open_intents(&self.workspace).await.unwrap();
        assert!(intents.is_empty(), "open intents: {intents:?}");
        assert_eq!(self.to_hubspot.waiting(), 0, "a turn was not taken");
        assert_eq!(self.to_salesforce.waiting(), 0, "a turn was not taken");
    }

    /// As [`World::assert_quiet`], after writes that may have been repeated: one that was lost on
    /// the way and arrived all the same may be planned again.
    pub async fn assert_quiet_but_for_repeats(&mut self) {
        let before = self.api_writes();
        self.settle().await;
        self.scan().await;
        self.settle().await;
        assert_eq!(self.api_writes(), before, "an echo was written back");
        self.assert_nothing_open().await;
    }

    /// Rests without a write over several rounds of polls and a full scan.
    pub async fn assert_quiet(&mut self) {
        let before = self.api_writes();
        self.settle().await;
        self.settle().await;
        assert_eq!(self.api_writes(), before, "an echo was written back");
        self.assert_quiet_but_for_repeats().await;
        assert_eq!(self.noop_writes(), 0, "a write changed nothing");
    }
}

fn values<'a>(fields: &[(&'a str, &str)]) -> Vec<(&'a str, Value)> {
    let value = |text: &str| match text {
        "" => Value::Null,
        text => Value::from(text),
    };
    let named = |(name, text): &(&'a str, &str)| (*name, value(*text));
    fields.iter().map(named).collect()
}

async fn open_store(setup: &Setup, clock: &Clock, seams: &Seams) -> Arc<Store> {
    let place = match &setup.file {
        Some(path) => path.to_string_lossy().into_owned(),
        None => "sqlite::memory:".to_owned(),
    };
    let store = Store::open(&place, clock.clone()).await.unwrap();
    Arc::new(store.watched(seams.watch()))
}
