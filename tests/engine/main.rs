//! The engine in one process, against both simulators: what must hold for a user's records.
//!
//! Each module is one kind of trouble. No test opens a socket or sleeps; time is moved by hand.

#[path = "../support/seams.rs"]
mod seams;
#[path = "../support/wire.rs"]
mod wire;
#[path = "../support/world.rs"]
mod world;

mod calls;
mod conflicts;
mod conversion;
mod crashes;
mod creates;
mod crowd;
mod deletes;
mod doubles;
mod drift;
mod explaining;
mod first_sync;
mod groups;
mod guards;
mod holds;
mod interleavings;
mod joint;
mod leaving;
mod lifecycle;
mod matching;
mod merge_races;
mod merge_walk;
mod merges;
mod newest;
mod office;
mod oscillation;
mod outages;
mod overtaken;
mod patience;
mod planned;
mod poison;
mod policies;
mod power;
mod references;
mod rereads;
mod restarts;
mod revisions;
mod roles;
mod settling;
mod shadow;
mod sources;
mod strict;
mod tracked;
mod trials;
mod two_sided;
mod undelete;
mod undo;
mod urgency;
mod waiting;
mod walk;

use world::World;

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

pub const WRITES: &str = "/composite/sobjects";
/// Where records are created with their key, in Salesforce by PATCH and in HubSpot by POST.
pub const KEYED: &str = "/composite/sobjects/Contact/Tandem_Link_Id__c";
pub const CREATES: &str = "/contacts/batch/upsert";
pub const UPDATES: &str = "/contacts/batch/update";

/// Ada on both sides, linked and at rest: her HubSpot and her Salesforce id.
pub async fn linked(mapping: &str) -> (World, String, String) {
    let mut world = World::new(world::Setup::with(&[mapping])).await;
    let (hubspot, salesforce) = add_ada(&world);
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await, [(hubspot.clone(), salesforce.clone())]);
    (world, hubspot, salesforce)
}

pub fn add_ada(world: &World) -> (String, String) {
    let hubspot = world.add_hubspot(
        "contacts",
        &[
            ("email", "ada@example.com"),
            ("firstname", "Ada"),
            ("lastname", "Lind"),
            ("jobtitle", "CTO"),
        ],
    );
    let salesforce = world.add_salesforce(
        "Contact",
        &[
            ("Email", "ada@example.com"),
            ("FirstName", "Ada"),
            ("LastName", "Lind"),
            ("Title", "CTO"),
        ],
    );
    (hubspot, salesforce)
}
