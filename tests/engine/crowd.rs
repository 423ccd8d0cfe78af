//! Several contacts at once under tight guards: the ground on which guards and settling are tested.
//! Holds no test itself.

use crate::world::{Setup, World};

/// Contacts with a few rules and tight guards.
pub const PEOPLE: &str = r#"
mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
first-sync: { fill-blanks: salesforce }
match:
  - email: Email
create: both
delete: { hubspot: archive, salesforce: archive }
guard: { deletes: 2, blanks: 2, changes: 2 }
rules:
  email: Email
  firstname: FirstName
  lastname: { to: LastName, default: "(unknown)" }
  jobtitle: Title
  phone: { to: Phone, conflict: hubspot }
"#;

/// So many contacts on both sides, linked and at rest: their HubSpot and Salesforce ids.
pub async fn linked(mapping: &str, count: usize) -> (World, Vec<(String, String)>) {
    let mut world = World::new(Setup::with(&[mapping])).await;
    let mut pairs = Vec::new();
    for nth in 0..count {
        let email = format!("person{nth}@example.com");
        let hubspot = world.add_hubspot(
            "contacts",
            &[
                ("email", &email),
                ("firstname", "Ada"),
                ("lastname", "Lovelace"),
                ("jobtitle", "Engineer"),
                ("phone", "+493012345"),
            ],
        );
        let salesforce = world.add_salesforce(
            "Contact",
            &[
                ("Email", &email),
                ("FirstName", "Ada"),
                ("LastName", "Lovelace"),
                ("Title", "Engineer"),
                ("Phone", "+493012345"),
            ],
        );
        pairs.push((hubspot, salesforce));
    }
    world.open().await;
    world.settle().await;
    assert_eq!(world.links().await.len(), count);
    assert_eq!(world.holds().await, []);
    (world, pairs)
}
