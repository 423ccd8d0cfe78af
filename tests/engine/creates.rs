//! Records that are missing on one side.

use tandem::store::DeadLetterFilter;

use crate::world::{Setup, World};
use crate::{CREATES, PEOPLE};

const STRICT: &str = r#"
mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
match:
  - email: Email
create: both
rules:
  email: Email
  lastname: LastName
"#;

#[tokio::test]
async fn a_missing_required_field_is_a_dead_letter_that_a_fixed_source_resolves() {
    let mut world = World::with(&[STRICT]).await;
    world.settle().await;
    let id = world.add_hubspot("contacts", &[("email", "a@example.com")]);
    world.settle().await;
    assert!(world.salesforce_ids("Contact").is_empty());
    assert_eq!(world.letter_codes().await, ["required-missing"]);
    let letters = world.letters().await;
    assert!(
        letters[0].message.contains("LastName"),
        "{}",
        letters[0].message
    );
    assert!(
        world.links().await.is_empty(),
        "nothing is left of the attempt"
    );
    world.assert_quiet().await;
    world.edit_hubspot("contacts", &id, &[("lastname", "Arc")]);
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 1);
    assert!(world.letters().await.is_empty(), "the letter closes");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_create_the_crm_refuses_as_a_whole_is_a_dead_letter_and_costs_no_neighbour() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    world.salesforce.set_validation(
        "Contact",
        Some(Box::new(|values| {
            let name = values.get("LastName").and_then(|name| name.as_str());
            (name == Some("Bad")).then(|| ("not this one".to_owned(), None))
        })),
    );
    for (email, name) in [("a@example.com", "Good"), ("b@example.com", "Bad")] {
        world.add_hubspot("contacts", &[("email", email), ("lastname", name)]);
    }
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 1);
    let letters = world.letters().await;
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0].message.contains("not this one"),
        "{}",
        letters[0].message
    );
    world.salesforce.set_validation("Contact", None);
    let id = world.hubspot_ids("contacts").pop().unwrap();
    world
        .mark("contacts", tandem::model::Side::HubSpot, &id)
        .await;
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 2);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

fn bare(mapping: &str) -> Setup {
    let mut setup = Setup::with(&[mapping]);
    setup.salesforce.bare = true;
    setup.hubspot.bare = true;
    setup
}

#[tokio::test]
async fn without_a_key_field_creates_wait_for_consent() {
    let mut world = World::new(bare(PEOPLE)).await;
    world.add_hubspot("contacts", &[("email", "a@example.com"), ("lastname", "A")]);
    world.add_salesforce("Contact", &[("Email", "b@example.com"), ("LastName", "B")]);
    world.open().await;
    world.settle().await;
    assert_eq!(world.api_writes(), 0);
    assert_eq!(world.letter_codes().await, ["no-key-field"; 2]);
    let letters = world.letters().await;
    assert!(
        letters
            .iter()
            .all(|l| l.message.contains("create-without-key: accept"))
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn accepted_creates_without_a_key_field_happen() {
    let accepting = format!("{PEOPLE}\ncreate-without-key: accept\n");
    let mut world = World::new(bare(&accepting)).await;
    world.add_hubspot("contacts", &[("email", "a@example.com"), ("lastname", "A")]);
    world.add_salesforce("Contact", &[("Email", "b@example.com"), ("LastName", "B")]);
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 2);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn consent_given_later_makes_the_creates_that_waited() {
    let mut world = World::new(bare(PEOPLE)).await;
    let id = world.add_hubspot("contacts", &[("email", "a@example.com"), ("lastname", "A")]);
    world.open().await;
    world.settle().await;
    assert!(world.salesforce_ids("Contact").is_empty());
    let accepting = format!("{PEOPLE}\ncreate-without-key: accept\n");
    world.remap(&[&accepting]).await;
    world
        .mark("contacts", tandem::model::Side::HubSpot, &id)
        .await;
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 1);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_hubspot_contact_that_appears_while_its_copy_is_made_becomes_the_partner() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let fields = [("Email", "bo@example.com"), ("LastName", "Berg")];
    let salesforce = world.add_salesforce("Contact", &fields);
    let portal = world.hubspot.clone();
    world.to_hubspot.before("POST", crate::CREATES, move || {
        portal
            .create(
                "contacts",
                &[("email", "bo@example.com"), ("firstname", "Bo")],
            )
            .unwrap();
    });
    world.settle().await;
    let people = world.hubspot_ids("contacts");
    assert_eq!(
        people.len(),
        1,
        "the portal refuses a second record of one e-mail"
    );
    assert_eq!(
        world.pairs().await,
        [(people[0].clone(), salesforce.clone())]
    );
    assert_eq!(world.hs("contacts", &people[0], "lastname"), "Berg");
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Bo");
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letters().await
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_error_page_in_place_of_a_reply_is_never_taken_for_data() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    world.add_hubspot(
        "contacts",
        &[("email", "bo@example.com"), ("lastname", "Berg")],
    );
    world
        .to_salesforce
        .answer("PATCH", crate::KEYED, 200, "<html>maintenance</html>");
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 1);
    assert_eq!(world.pairs().await.len(), 1);
    world.assert_quiet().await;
}

/// Leads of a status that Salesforce fills in by itself.
const LEADS: &str = r#"
mapping: leads
hubspot: contacts
salesforce: Lead
conflict: salesforce
first-sync: { fill-blanks: salesforce }
match:
  - email: Email
create: { salesforce: always, hubspot: never }
rules:
  email: Email
  lastname: LastName
  company: { to: Company, default: "(none)" }
  hs_lead_status:
    to: Status
    values: { NEW: Open - Not Contacted, IN_PROGRESS: Working - Contacted }
"#;

#[tokio::test]
async fn what_salesforce_fills_in_on_a_create_travels_back_without_another_read() {
    let mut world = World::with(&[LEADS]).await;
    world.settle().await;
    let before = world.hubspot.requests().len();
    let person = world.add_hubspot("contacts", &[("email", "e@example.com"), ("lastname", "E")]);
    world.settle().await;
    assert_eq!(world.salesforce_ids("Lead").len(), 1);
    assert_eq!(world.hs("contacts", &person, "hs_lead_status"), "NEW");
    let requests = world.hubspot.requests();
    let reads = requests[before..].iter();
    let reads = reads.filter(|request| request.path.contains("/contacts/batch/read"));
    assert_eq!(reads.count(), 1, "the record is known already");
    world.assert_quiet().await;
}

#[tokio::test]
async fn nobody_is_asked_about_a_match_with_a_record_whose_copy_is_still_being_made() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let fields = [("Email", "e@example.com"), ("LastName", "E")];
    let contact = world.add_salesforce("Contact", &fields);
    world.to_hubspot.lose_request("POST", CREATES);
    world.until_turns_are_taken().await;
    let person = world.add_hubspot("contacts", &[("email", "e@example.com"), ("lastname", "E")]);
    world.settle().await;
    world.settle().await;
    assert_eq!(world.pairs().await, [(person, contact)]);
    let ever = DeadLetterFilter {
        limit: 10,
        ..DeadLetterFilter::default()
    };
    let ever = world.store.dead_letters(&world.workspace, &ever).await;
    assert_eq!(ever.unwrap().len(), 0, "closed letters count too");
    world.assert_quiet().await;
}
