//! One test for each row of the fault catalogue: the fault is switched on in a simulator, and the
//! real engine is seen to react as `docs/faults.md` says.
//!
//! A test's name begins with the number of its row. Modules are the families of faults.

#[path = "../support/seams.rs"]
mod seams;
#[path = "../support/wire.rs"]
mod wire;
#[path = "../support/world.rs"]
mod world;

mod access;
mod frozen;
mod limits;
mod outages;
mod overtaken;
mod people;
mod replies;
mod rows;
mod sockets;
mod storm;
mod timing;
mod transport;
mod values;

use tandem::app::{SetupError, Step};
use tandem::model::Side;
use tandem::sim::faults::{Fault, Switch};

use world::{Setup, World};

/// Contacts with a few rules, created on both sides.
pub const PEOPLE: &str = r#"
mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
first-sync: { fill-blanks: salesforce }
match:
  - email: Email
create: both
rules:
  email: Email
  firstname: FirstName
  lastname: { to: LastName, default: "(unknown)" }
  jobtitle: Title
  phone: { to: Phone, conflict: hubspot }
"#;

/// A write that was sent and never answered may land until this long after it was planned.
pub const GRACE_MS: i64 = 120_000;

/// One contact on both sides, linked and at rest.
pub struct Pair {
    pub world: World,
    pub hubspot: String,
    pub salesforce: String,
}

impl Pair {
    pub async fn of(mapping: &str) -> Self {
        let mut world = World::new(Setup::with(&[mapping])).await;
        let hubspot = add_hubspot(&world, "ada");
        let salesforce = add_salesforce(&world, "ada");
        world.open().await;
        world.settle().await;
        assert_eq!(world.pairs().await.len(), 1);
        Self {
            world,
            hubspot,
            salesforce,
        }
    }

    /// The job title on one side.
    pub fn title(&self, side: Side) -> String {
        match side {
            Side::HubSpot => self.world.hs("contacts", &self.hubspot, "jobtitle"),
            Side::Salesforce => self.world.sf("Contact", &self.salesforce, "Title"),
        }
    }

    /// A person types a job title on one side.
    pub fn retitle(&self, side: Side, title: &str) {
        match side {
            Side::HubSpot => {
                let title = [("jobtitle", title)];
                self.world.edit_hubspot("contacts", &self.hubspot, &title);
            }
            Side::Salesforce => {
                let title = [("Title", title)];
                self.world
                    .edit_salesforce("Contact", &self.salesforce, &title);
            }
        }
    }

    /// A title typed on the other side has to travel into `side` while these faults are on. Returns
    /// how long that took by the clock.
    pub async fn write_into(&mut self, side: Side, switches: &[Switch]) -> i64 {
        self.retitle(side.other(), "CEO");
        switch_on(&self.world, switches);
        let begun = self.world.clock.now();
        self.world.settle().await;
        // A poll that failed is tried again by itself, and no later than the next one.
        for _ in 0..4 {
            if self.title(side) != "CEO" {
                self.world.settle().await;
            }
        }
        let took = self.world.clock.now().millis_since(begun);
        assert_eq!(self.title(side), "CEO", "{side:?}: the edit arrives");
        assert_eq!(self.world.letter_codes().await, [""; 0], "{side:?}");
        assert_eq!(self.world.holds().await, [], "{side:?}");
        took
    }

    /// Times the record was changed through the API on one side.
    pub fn writes(&self, side: Side) -> u64 {
        match side {
            Side::HubSpot => self.world.hubspot.counters().records_updated,
            Side::Salesforce => self.world.salesforce.counters().records_updated,
        }
    }
}

pub fn add_hubspot(world: &World, name: &str) -> String {
    let email = format!("{name}@example.com");
    let fields = [
        ("email", email.as_str()),
        ("firstname", name),
        ("lastname", "Lind"),
        ("jobtitle", "CTO"),
    ];
    world.add_hubspot("contacts", &fields)
}

pub fn add_salesforce(world: &World, name: &str) -> String {
    let email = format!("{name}@example.com");
    let fields = [
        ("Email", email.as_str()),
        ("FirstName", name),
        ("LastName", "Lind"),
        ("Title", "CTO"),
    ];
    world.add_salesforce("Contact", &fields)
}

/// Pairs by name, linked and at rest: their HubSpot and Salesforce ids.
pub async fn crowd(mapping: &str, count: usize) -> (World, Vec<(String, String)>) {
    let mut world = World::new(Setup::with(&[mapping])).await;
    let pairs: Vec<(String, String)> = (0..count)
        .map(|nth| {
            let name = format!("person{nth}");
            (add_hubspot(&world, &name), add_salesforce(&world, &name))
        })
        .collect();
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), count);
    (world, pairs)
}

/// Why the mappings of a world do not fit its CRMs.
pub async fn misfits(world: &World) -> String {
    match world.try_open().await {
        Err(SetupError::Mappings(faults)) => format!("{faults:?}"),
        Err(error) => panic!("another fault was expected: {error}"),
        Ok(_) => panic!("the mappings fit"),
    }
}

/// Lets time pass for an engine that has something to wait for.
pub async fn run_for(world: &mut World, minutes: i64) {
    let end = world.clock.now().plus_millis(minutes * 60_000);
    while world.clock.now() < end {
        if let Step::Wait(until) = world.step().await {
            let now = world.clock.now();
            let wait = until.unwrap_or(end).min(end).millis_since(now);
            world.pass(wait.max(1));
        }
    }
}

/// Replaces all switches of both simulators.
pub fn switch_on(world: &World, switches: &[Switch]) {
    world.hubspot.set_faults(switches);
    world.salesforce.set_faults(switches);
}

/// Calls of one side whose family has this in its name, refused ones included.
pub fn calls(world: &World, side: Side, family: &str) -> u64 {
    let families = match side {
        Side::HubSpot => world.hubspot.counters().calls_by_family,
        Side::Salesforce => world.salesforce.counters().by_family,
    };
    let of = families.iter().filter(|(name, _)| name.contains(family));
    of.map(|(_, calls)| *calls).sum()
}

/// Work that is not done yet.
pub async fn waiting(world: &World) -> Vec<tandem::store::Claimed> {
    let queue = world
        .store
        .queue(&world.workspace, world::LANE, 1_000)
        .await;
    queue.unwrap()
}

/// How often a fault has struck.
pub fn struck(world: &World, fault: Fault) -> u64 {
    let hubspot = world.hubspot.fault_counts().by_fault;
    let salesforce = world.salesforce.fault_counts().by_fault;
    let of = |counts: &std::collections::BTreeMap<&str, u64>| {
        counts.get(fault.word()).copied().unwrap_or_default()
    };
    of(&hubspot) + of(&salesforce)
}

/// A fault of calls that write records into one side.
pub fn on_writes(side: Side, fault: Fault) -> Switch {
    Switch {
        writes: Some(true),
        side: Some(match side {
            Side::HubSpot => tandem::sim::faults::Crm::HubSpot,
            Side::Salesforce => tandem::sim::faults::Crm::Salesforce,
        }),
        ..Switch::of(fault)
    }
}
