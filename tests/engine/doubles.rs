//! One person, several records: no second copy, no third record, and no neighbour pays.

use crate::PEOPLE;
use crate::world::{Setup, World};

const TWINS: [[(&str, &str); 3]; 2] = [
    [
        ("Email", "ann@example.com"),
        ("LastName", "Arc"),
        ("FirstName", "Ann"),
    ],
    [
        ("Email", "Ann@Example.com"),
        ("LastName", "Arc"),
        ("FirstName", "Anna"),
    ],
];

#[tokio::test]
async fn two_contacts_of_one_email_created_in_one_batch_become_one_record_and_one_letter() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    for twin in &TWINS {
        world.add_salesforce("Contact", twin);
    }
    let other = [("Email", "bo@example.com"), ("LastName", "Berg")];
    let other = world.add_salesforce("Contact", &other);
    world.settle().await;
    assert_eq!(world.letter_codes().await, ["already-linked"]);
    let pairs = world.pairs().await;
    assert_eq!(pairs.len(), 2, "{pairs:?}");
    assert_eq!(world.hubspot_ids("contacts").len(), 2, "Ann once, and Bo");
    let bo = pairs.iter().find(|(_, salesforce)| *salesforce == other);
    let bo = bo.expect("a neighbour in the batch is linked").0.clone();
    world.edit_hubspot("contacts", &bo, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &other, "Title"), "CEO", "work goes on");
    world.assert_quiet().await;
    assert_eq!(world.letter_codes().await, ["already-linked"], "told once");
}

#[tokio::test]
async fn a_create_refused_because_of_a_linked_record_takes_no_record_from_its_partner() {
    let (mut world, hubspot, salesforce) = crate::linked(PEOPLE).await;
    // HubSpot knows the address as a second one of Ada, where no match rule looks.
    let more = [("hs_additional_emails", "ada@home.example.com")];
    world.edit_hubspot("contacts", &hubspot, &more);
    let twin = [("Email", "ada@home.example.com"), ("LastName", "Lind")];
    world.add_salesforce("Contact", &twin);
    let other = [("Email", "bo@example.com"), ("LastName", "Berg")];
    let other = world.add_salesforce("Contact", &other);
    world.settle().await;
    let pairs = world.pairs().await;
    assert!(pairs.contains(&(hubspot, salesforce)), "{pairs:?}");
    assert!(pairs.iter().any(|(_, there)| *there == other), "{pairs:?}");
    assert_eq!(world.letter_codes().await, ["already-linked"]);
    world.assert_quiet().await;
}

const BY_EMAIL: &str = r#"
mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
match:
  - email: Email
rules:
  lastname: { to: LastName, default: "(unknown)" }
"#;

/// More than a page of either side's list.
const MANY: usize = 2_300;

#[tokio::test]
async fn a_second_match_rule_pairs_a_large_stock_before_anything_is_created() {
    let mut world = World::new(Setup::with(&[BY_EMAIL])).await;
    for nth in 0..MANY {
        let (title, email) = (format!("badge {nth}"), format!("p{nth}@example.com"));
        let person = [("lastname", "P"), ("jobtitle", title.as_str())];
        world.add_hubspot("contacts", &person);
        let person = [("LastName", "P"), ("Title", &title), ("Email", &email)];
        world.add_salesforce("Contact", &person);
    }
    world.open().await;
    world.settle().await;
    assert!(world.pairs().await.is_empty());
    let both = "  - email: Email\n  - jobtitle: Title\ncreate: both";
    let mapping = BY_EMAIL.replace("  - email: Email", both);
    world.remap(&[&mapping]).await;
    world.settle().await;
    assert_eq!(world.hubspot_ids("contacts").len(), MANY, "no duplicates");
    assert_eq!(world.salesforce_ids("Contact").len(), MANY);
    assert_eq!(world.pairs().await.len(), MANY);
    assert_eq!(world.api_writes(), 0);
    assert!(world.letters().await.is_empty());
}

#[tokio::test]
async fn a_hubspot_merge_of_two_linked_contacts_without_an_email_makes_no_third_record() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let one = world.add_hubspot("contacts", &[("lastname", "Lind"), ("jobtitle", "CTO")]);
    let two = world.add_hubspot("contacts", &[("lastname", "Lund")]);
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 2);
    let people = world.salesforce_ids("Contact");
    assert_eq!(people.len(), 2);
    let left = world.hubspot.merge("contacts", &one, &two).unwrap();
    world.settle().await;
    world.edit_hubspot("contacts", &left, &[("jobtitle", "CEO")]);
    world.settle().await;
    world.scan().await;
    assert_eq!(world.salesforce_ids("Contact"), people, "no third record");
    let pairs = world.pairs().await;
    assert_eq!(pairs.len(), 1, "{pairs:?}");
    assert_eq!(pairs[0].0, left);
    assert_eq!(world.sf("Contact", &pairs[0].1, "Title"), "CEO");
    assert_eq!(world.letter_codes().await, ["merged"]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_garbage_key_fails_no_neighbour() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let account = world.add_salesforce("Account", &[("Name", "Acme")]);
    let known = world.add_salesforce("Contact", &[("LastName", "K"), ("Email", "k@example.com")]);
    let flipped = format!("{}{}", &known[..15], "999");
    let wrong = {
        let last = if known.ends_with('A') { 'B' } else { 'A' };
        format!("{}{last}", &known[..17])
    };
    let garbage = [
        "garbage",
        "",
        "ééééééééé",
        "<html>",
        &flipped,
        &wrong,
        &account,
        "003",
    ];
    let org = world.salesforce.organization_id();
    for (nth, id) in garbage.iter().enumerate() {
        let (email, key) = (
            format!("g{nth}@example.com"),
            format!("salesforce:{org}:{id}"),
        );
        let person = [
            ("email", email.as_str()),
            ("lastname", "G"),
            ("tandem_link_id", &key),
        ];
        world.add_hubspot("contacts", &person);
    }
    let portal = world.hubspot.portal_id();
    for (nth, id) in ["garbage", "1e9", "-1", "99999999999999999999", ""]
        .iter()
        .enumerate()
    {
        let (email, key) = (
            format!("s{nth}@example.com"),
            format!("hubspot:{portal}:{id}"),
        );
        let person = [
            ("Email", email.as_str()),
            ("LastName", "S"),
            ("Tandem_Link_Id__c", &key),
        ];
        world.add_salesforce("Contact", &person);
    }
    let here = [("email", "n@example.com"), ("lastname", "N")];
    let here = world.add_hubspot("contacts", &here);
    let there = [("Email", "m@example.com"), ("LastName", "M")];
    let there = world.add_salesforce("Contact", &there);
    world.settle().await;
    let pairs = world.pairs().await;
    let (letters, codes) = (world.letters().await, world.letter_codes().await);
    assert!(pairs.iter().any(|pair| pair.0 == here), "{codes:?}");
    assert!(pairs.iter().any(|pair| pair.1 == there), "{codes:?}");
    assert!(pairs.iter().any(|pair| pair.1 == known), "{codes:?}");
    // Only the account is a record that exists, and it is no contact.
    assert_eq!(codes, ["key-names-nobody"], "{letters:?}");
    let told = &letters[0].message;
    assert!(
        told.contains(&account) && told.contains("tandem_link_id"),
        "{told}"
    );
    world.assert_quiet().await;
    assert_eq!(
        world.letter_codes().await,
        ["key-names-nobody"],
        "told once"
    );
}

#[tokio::test]
async fn a_key_that_names_a_record_of_another_object_is_for_a_person() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let company = world.add_hubspot("companies", &[("name", "Acme")]);
    let key = format!("hubspot:{}:{company}", world.hubspot.portal_id());
    let person = [
        ("Email", "bo@example.com"),
        ("LastName", "Berg"),
        ("Tandem_Link_Id__c", &key),
    ];
    let person = world.add_salesforce("Contact", &person);
    world.settle().await;
    assert!(world.pairs().await.is_empty());
    let letters = world.letters().await;
    assert_eq!(letters.len(), 1);
    for part in [
        &key,
        "Tandem_Link_Id__c",
        "HubSpot contacts",
        "Clear the field",
    ] {
        assert!(letters[0].message.contains(part), "{}", letters[0].message);
    }
    // What it says to do helps.
    world.edit_salesforce("Contact", &person, &[("Tandem_Link_Id__c", "")]);
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 1);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_copy_whose_original_was_deleted_is_left_as_it_is_and_nobody_is_bothered() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let original = world.add_hubspot("contacts", &[("email", "bo@example.com")]);
    world.hubspot.archive("contacts", &original).unwrap();
    let key = format!("hubspot:{}:{original}", world.hubspot.portal_id());
    let copy = [("LastName", "Berg"), ("Tandem_Link_Id__c", &key)];
    world.add_salesforce("Contact", &copy);
    world.settle().await;
    assert!(world.pairs().await.is_empty());
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}
