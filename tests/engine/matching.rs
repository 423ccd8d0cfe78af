//! Who is paired with whom, who is not, and what a person is asked.

use tandem::model::{LinkState, Side};
use tandem::store::Changes;

use crate::world::{Setup, World};
use crate::{PEOPLE, add_ada, linked};

const ANN: [(&str, &str); 2] = [("email", "ann@example.com"), ("lastname", "Arc")];
const FIRST: [(&str, &str); 3] = [
    ("Email", "ann@example.com"),
    ("LastName", "Arc"),
    ("FirstName", "Ann"),
];
const SECOND: [(&str, &str); 3] = [
    ("Email", "Ann@Example.com"),
    ("LastName", "Arc"),
    ("FirstName", "Anna"),
];

#[tokio::test]
async fn two_salesforce_contacts_with_one_email_are_a_persons_choice_at_first_sync() {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    world.add_hubspot("contacts", &ANN);
    world.add_salesforce("Contact", &FIRST);
    world.add_salesforce("Contact", &SECOND);
    world.open().await;
    world.settle().await;
    assert!(
        world.pairs().await.is_empty(),
        "nobody knows which of the two is meant"
    );
    assert_eq!(world.api_writes(), 0);
    assert_eq!(world.letter_codes().await, ["ambiguous-match"; 3]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn two_salesforce_contacts_with_one_email_met_in_either_order_never_share_a_partner() {
    for order in [[FIRST, SECOND], [SECOND, FIRST]] {
        let mut world = World::new(Setup::with(&[PEOPLE])).await;
        let hubspot = world.add_hubspot("contacts", &ANN);
        let met_first = world.add_salesforce("Contact", &order[0]);
        world.open().await;
        world.settle().await;
        world.add_salesforce("Contact", &order[1]);
        world.settle().await;
        assert_eq!(
            world.pairs().await,
            [(hubspot, met_first)],
            "the first pair stands"
        );
        assert_eq!(world.letter_codes().await, ["already-linked"]);
        assert_eq!(world.hubspot_ids("contacts").len(), 1, "no second copy");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn a_person_added_to_both_crms_between_two_looks_becomes_one_pair() {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    world.open().await;
    world.settle().await;
    let hubspot = world.add_hubspot("contacts", &ANN);
    let salesforce = world.add_salesforce("Contact", &FIRST);
    // HubSpot's is worked first, before anybody has looked at Salesforce again.
    world.mark("contacts", Side::HubSpot, &hubspot).await;
    world.step().await;
    world.settle().await;
    assert_eq!(world.pairs().await, [(hubspot, salesforce)]);
    assert_eq!(world.salesforce_ids("Contact").len(), 1, "no second copy");
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn the_second_contact_of_an_email_is_linked_once_its_key_is_corrected() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let fields = [
        ("Email", "ada@example.com"),
        ("LastName", "Lind"),
        ("FirstName", "Adam"),
    ];
    let second = world.add_salesforce("Contact", &fields);
    world.settle().await;
    assert_eq!(world.letter_codes().await, ["already-linked"]);
    world.edit_salesforce("Contact", &second, &[("Email", "adam@example.com")]);
    world.settle().await;
    assert!(
        world.letters().await.is_empty(),
        "a later pass that succeeds closes the letter"
    );
    let pairs = world.pairs().await;
    assert_eq!(pairs.len(), 2);
    assert!(pairs.contains(&(hubspot, salesforce)));
    world.assert_quiet().await;
}

#[tokio::test]
async fn two_contacts_of_one_email_that_arrive_in_one_batch_are_not_both_linked() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    world.add_hubspot("contacts", &ANN);
    world.add_salesforce("Contact", &FIRST);
    world.add_salesforce("Contact", &SECOND);
    world.settle().await;
    assert!(world.pairs().await.len() <= 1);
    assert_eq!(
        world.hubspot_ids("contacts").len(),
        1,
        "no second copy of Ann"
    );
    assert!(!world.letters().await.is_empty());
    world.assert_quiet().await;
}

async fn unpair(world: &mut World) {
    let mut link = world.link().await;
    link.state = LinkState::Unlinked;
    link.note = "unpaired by hand".to_owned();
    let changes = Changes {
        links: vec![link],
        ..Changes::default()
    };
    world.by_command(changes).await;
}

#[tokio::test]
async fn an_edit_after_an_unlink_stays_where_it_was_made() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    unpair(&mut world).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("FirstName", "Adele")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CTO");
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Ada");
    assert!(
        world.pairs().await.is_empty(),
        "the same two are not paired again by themselves"
    );
    assert_eq!(
        world.api_writes(),
        0,
        "nothing is created for a record taken out by hand"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_new_matching_record_rejoins_a_record_whose_pair_was_taken_apart() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    assert!(world.pairs().await.is_empty());
    let fields = [
        ("Email", "ada@example.com"),
        ("LastName", "Lind"),
        ("Title", "CEO"),
    ];
    let fresh = world.add_salesforce("Contact", &fields);
    world.settle().await;
    assert_eq!(world.pairs().await, [(hubspot.clone(), fresh.clone())]);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Chair")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &fresh, "Title"), "Chair");
    assert_eq!(world.hubspot_ids("contacts").len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn keys_of_a_sandbox_copy_are_ignored() {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    let other = world.add_hubspot("contacts", &[("email", "x@example.com"), ("lastname", "X")]);
    let key = format!("hubspot:999999:{other}");
    let fields = [
        ("Email", "y@example.com"),
        ("LastName", "Y"),
        ("Tandem_Link_Id__c", &key),
    ];
    let copied = world.add_salesforce("Contact", &fields);
    world.open().await;
    world.settle().await;
    let pairs = world.pairs().await;
    assert_eq!(pairs.len(), 2, "both travel as records of their own");
    assert!(
        !pairs.contains(&(other, copied)),
        "a key of another portal names nobody here"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_key_of_this_account_links_before_any_match() {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    let hubspot = world.add_hubspot("contacts", &[("email", "x@example.com"), ("lastname", "X")]);
    let key = format!("hubspot:{}:{hubspot}", world.hubspot.portal_id());
    let fields = [
        ("Email", "z@example.com"),
        ("LastName", "X"),
        ("Tandem_Link_Id__c", &key),
    ];
    let salesforce = world.add_salesforce("Contact", &fields);
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await, [(hubspot, salesforce)]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_partner_whose_key_changed_since_it_was_seen_is_not_linked() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let (hubspot, salesforce) = add_ada(&world);
    let (org, id) = (world.salesforce.clone(), salesforce.clone());
    // Between the poll that stored the key and the read before the plan.
    world.to_salesforce.before("POST", "/composite", move || {
        org.edit("Contact", &id, &[("Email", "other@example.com".into())])
            .unwrap();
    });
    world.settle().await;
    assert!(!world.pairs().await.contains(&(hubspot, salesforce)));
    assert_eq!(world.pairs().await.len(), 2, "each got a copy of its own");
    world.assert_quiet().await;
}

#[tokio::test]
async fn replaying_a_dead_letter_after_the_cause_is_gone_closes_it() {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    let hubspot = world.add_hubspot("contacts", &ANN);
    let keep = world.add_salesforce("Contact", &FIRST);
    let spare = world.add_salesforce("Contact", &SECOND);
    world.open().await;
    world.settle().await;
    world.salesforce.delete("Contact", &spare).unwrap();
    world.settle().await;
    world.mark("contacts", Side::HubSpot, &hubspot).await;
    world.settle().await;
    assert_eq!(world.pairs().await, [(hubspot, keep)]);
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letter_codes().await
    );
    world.assert_quiet().await;
}

const FIRMS: &str = r#"
mapping: companies
hubspot: companies
salesforce: Account
conflict: salesforce
match:
  - { hubspot: domain, salesforce: Website, as: domain }
create: both
rules:
  name: Name
  domain: { to: Website, as: domain }
"#;

#[tokio::test]
async fn a_linked_record_is_matched_by_the_key_it_has_now() {
    let mut world = World::with(&[FIRMS]).await;
    world.settle().await;
    let firm = world.add_hubspot("companies", &[("name", "Acme"), ("domain", "acme.com")]);
    world.settle().await;
    world.edit_hubspot("companies", &firm, &[("domain", "acme.org")]);
    world.settle().await;
    // The old name of Acme is free for another firm, the new one is not.
    world.add_salesforce("Account", &[("Name", "Other"), ("Website", "acme.com")]);
    world.add_salesforce("Account", &[("Name", "Twin"), ("Website", "acme.org")]);
    world.settle().await;
    let mut names: Vec<String> = Vec::new();
    for id in world.hubspot_ids("companies") {
        names.push(world.hs("companies", &id, "name"));
    }
    names.sort();
    assert_eq!(names, ["Acme", "Other"]);
    assert_eq!(world.letter_codes().await, ["already-linked"]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_copy_that_tandem_made_counts_as_a_match() {
    let mut world = World::with(&[FIRMS]).await;
    world.settle().await;
    world.add_hubspot("companies", &[("name", "Acme"), ("domain", "acme.com")]);
    world.settle().await;
    world.add_hubspot(
        "companies",
        &[("name", "Acme again"), ("domain", "acme.com")],
    );
    world.settle().await;
    assert_eq!(
        world.salesforce_ids("Account").len(),
        1,
        "no second account of one domain"
    );
    assert_eq!(world.letter_codes().await, ["already-linked"]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_rival_that_goes_away_or_changes_its_key_lets_the_others_be_paired_at_once() {
    for deleted in [true, false] {
        let mut world = World::new(Setup::with(&[PEOPLE])).await;
        let hubspot = world.add_hubspot("contacts", &ANN);
        let salesforce = world.add_salesforce("Contact", &FIRST);
        let rival = world.add_salesforce("Contact", &SECOND);
        world.open().await;
        world.settle().await;
        assert_eq!(world.letter_codes().await, ["ambiguous-match"; 3]);
        if deleted {
            world.salesforce.delete("Contact", &rival).unwrap();
        } else {
            let own = [("Email", "anna@example.com")];
            world.edit_salesforce("Contact", &rival, &own);
        }
        world.settle().await;
        let pairs = world.pairs().await;
        assert!(pairs.contains(&(hubspot, salesforce)), "{pairs:?}");
        assert_eq!(world.letter_codes().await, [""; 0], "deleted: {deleted}");
        assert_eq!(pairs.len(), 2 - usize::from(deleted));
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn a_hubspot_rival_that_changes_its_key_wakes_who_waited_for_it() {
    let mut world = World::new(Setup::with(&[PEOPLE])).await;
    let hubspot = world.add_hubspot("contacts", &ANN);
    let salesforce = world.add_salesforce("Contact", &FIRST);
    world.add_salesforce("Contact", &SECOND);
    world.open().await;
    world.settle().await;
    world.edit_hubspot("contacts", &hubspot, &[("email", "other@example.com")]);
    world.settle().await;
    // Nobody matches her any more, so the two are no longer anybody's double.
    let codes = world.letter_codes().await;
    assert!(!codes.contains(&"ambiguous-match".to_owned()), "{codes:?}");
    assert!(world.salesforce_ids("Contact").contains(&salesforce));
}
