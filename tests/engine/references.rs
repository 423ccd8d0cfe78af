//! Records that belong to other records.

use tandem::model::{BySide, HoldReason, Link, LinkId, LinkState, MappingName, RecordId, Side};
use tandem::store::Changes;

use crate::world::{SHIPPED, Setup, World};

/// HubSpot's type of contact to company, primary.
const PRIMARY: u32 = 1;

pub const REQUIRED: &str = r#"
mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
match:
  - email: Email
create: both
rules:
  email: Email
  lastname: { to: LastName, default: "(unknown)" }
associations:
  - { hubspot: companies, label: primary, salesforce: AccountId, mapping: companies, required: yes }
"#;

pub const FIRMS: &str = r#"
mapping: companies
hubspot: companies
salesforce: Account
conflict: salesforce
match:
  - domain: Website
create: both
rules:
  name: Name
  domain: { to: Website, as: domain }
"#;

pub async fn add_employee(world: &World, firm: &[(&str, &str)]) -> (String, String) {
    let firm = world.add_hubspot("companies", firm);
    let person = [("email", "ann@acme.example.com"), ("lastname", "Arc")];
    let person = world.add_hubspot("contacts", &person);
    let (from, to) = (("contacts", person.as_str()), ("companies", firm.as_str()));
    world.hubspot.associate(from, to, PRIMARY).unwrap();
    (person, firm)
}

pub const ACME: [(&str, &str); 2] = [("name", "Acme"), ("domain", "acme.example.com")];

#[tokio::test]
pub async fn a_child_waits_for_its_required_parent_and_is_then_created_with_it() {
    let mut world = World::with(&[FIRMS, REQUIRED]).await;
    world.settle().await;
    // Without a name the account cannot be created, so the child has to wait.
    add_employee(&world, &[("domain", "acme.example.com")]).await;
    let firm = world.hubspot_ids("companies")[0].clone();
    world.settle().await;
    assert!(
        world.salesforce_ids("Contact").is_empty(),
        "no child without its parent"
    );
    world.edit_hubspot("companies", &firm, &[("name", "Acme")]);
    world.settle().await;
    let (people, firms) = (
        world.salesforce_ids("Contact"),
        world.salesforce_ids("Account"),
    );
    assert_eq!((people.len(), firms.len()), (1, 1));
    assert_eq!(world.sf("Contact", &people[0], "AccountId"), firms[0]);
    world.assert_quiet().await;
}

fn paired_by_hand(firm: &str, account: &str) -> Link {
    Link {
        id: LinkId::new("lnk_by_hand"),
        mapping: MappingName::new("companies"),
        group: None,
        records: BySide::new(Some(RecordId::new(firm)), Some(RecordId::new(account))),
        state: LinkState::Linked,
        note: String::new(),
    }
}

#[tokio::test]
async fn a_child_stored_as_blocked_while_its_parent_links_does_not_wait_for_ever() {
    let mut world = World::with(&[FIRMS, REQUIRED]).await;
    world.settle().await;
    let (person, firm) = add_employee(&world, &[("domain", "acme.example.com")]).await;
    world.settle().await;
    assert!(world.salesforce_ids("Contact").is_empty());
    // The parent is linked by a person at the very moment at which the child is looked at again.
    let account = world.add_salesforce("Account", &[("Name", "Acme")]);
    let link = paired_by_hand(&firm, &account);
    let (store, ws) = (world.store.clone(), world.workspace.clone());
    let clock = world.clock.clone();
    world
        .to_hubspot
        .before_async("POST", "/contacts/batch/read", move || async move {
            clock.advance_millis(31_000);
            let lane = crate::world::LANE;
            let lease = store
                .lease(&ws, lane, "person", 1_000)
                .await
                .unwrap()
                .unwrap();
            let changes = Changes {
                links: vec![link],
                ..Default::default()
            };
            store.commit(&lease, changes).await.unwrap();
            store.release(lease).await.unwrap();
        });
    world.mark("contacts", Side::HubSpot, &person).await;
    world.settle().await;
    let people = world.salesforce_ids("Contact");
    assert_eq!(people.len(), 1, "the child was woken");
    assert_eq!(world.sf("Contact", &people[0], "AccountId"), account);
    world.assert_nothing_open().await;
}

#[tokio::test]
async fn an_optional_reference_follows_once_its_parent_is_linked() {
    let optional = REQUIRED.replace("required: yes", "required: no");
    let mut world = World::with(&[FIRMS, &optional]).await;
    world.settle().await;
    let (_, firm) = add_employee(&world, &[("domain", "acme.example.com")]).await;
    world.settle().await;
    let people = world.salesforce_ids("Contact");
    assert_eq!(people.len(), 1, "the person need not wait");
    assert_eq!(world.sf("Contact", &people[0], "AccountId"), "");
    world.edit_hubspot("companies", &firm, &[("name", "Acme")]);
    world.settle().await;
    let firms = world.salesforce_ids("Account");
    assert_eq!(firms.len(), 1);
    assert_eq!(world.sf("Contact", &people[0], "AccountId"), firms[0]);
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_create_that_carries_what_an_earlier_one_had_to_leave_out_leaves_nothing_held() {
    let firms = FIRMS.replace("create: both", "create: { salesforce: always }");
    let mut world = World::with(&[&firms, &optional()]).await;
    world.settle().await;
    let account = world.add_salesforce("Account", &[("Name", "Acme")]);
    let person = [("Email", "ann@acme.example.com"), ("LastName", "Arc")];
    let contact = world.add_salesforce("Contact", &person);
    world.edit_salesforce("Contact", &contact, &[("AccountId", &account)]);
    world
        .to_hubspot
        .answer("POST", "/contacts/batch/upsert", 503, "");
    world.until_turns_are_taken().await;
    assert_eq!(world.holds().await.len(), 1, "her firm is not linked yet");
    let firm = world.add_hubspot("companies", &[("name", "Acme")]);
    let changes = Changes {
        links: vec![paired_by_hand(&firm, &account)],
        ..Changes::default()
    };
    world.by_command(changes).await;
    world.settle().await;
    let people = world.hubspot_ids("contacts");
    assert_eq!(people.len(), 1);
    let ties = world
        .hubspot
        .associations("contacts", &people[0], "companies");
    assert_eq!(ties.len(), 1);
    assert_eq!(ties[0].0, firm);
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
}

#[tokio::test]
async fn a_salesforce_account_of_a_person_becomes_her_primary_company() {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    let (person, firm) = add_employee(&world, &ACME).await;
    world.edit_hubspot("contacts", &person, &[("lifecyclestage", "customer")]);
    world.open().await;
    world.settle().await;
    let people = world.salesforce_ids("Contact");
    assert_eq!(people.len(), 1);
    let other = world.add_salesforce("Account", &[("Name", "Other")]);
    world.settle().await;
    world.edit_salesforce("Contact", &people[0], &[("AccountId", &other)]);
    world.settle().await;
    let firms = world.hubspot.associations("contacts", &person, "companies");
    let primary: Vec<_> = firms
        .iter()
        .filter(|(_, types)| types.contains(&PRIMARY))
        .collect();
    assert_eq!(primary.len(), 1);
    assert_ne!(primary[0].0, firm);
    assert_eq!(world.hs("companies", &primary[0].0, "name"), "Other");
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_association_that_moves_no_stamp_is_found_by_a_scan() {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    let (person, firm) = add_employee(&world, &ACME).await;
    world.edit_hubspot("contacts", &person, &[("lifecyclestage", "customer")]);
    let second = [("name", "Second"), ("domain", "second.example.com")];
    let second = world.add_hubspot("companies", &second);
    world.open().await;
    world.settle().await;
    let people = world.salesforce_ids("Contact");
    let before = world.sf("Contact", &people[0], "AccountId");
    assert!(!before.is_empty());
    let (from, to) = (
        ("contacts", person.as_str()),
        ("companies", second.as_str()),
    );
    world
        .hubspot
        .dissociate(from, ("companies", &firm))
        .unwrap();
    world.hubspot.associate(from, to, PRIMARY).unwrap();
    world.scan().await;
    let after = world.sf("Contact", &people[0], "AccountId");
    assert_ne!(after, before);
    assert_eq!(world.sf("Account", &after, "Name"), "Second");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_new_contact_without_a_firm_holds_nothing_when_hubspot_fills_in_its_stage() {
    let people = REQUIRED.replace("required: yes", "required: no").replace(
        "rules:\n",
        "rules:\n  lifecyclestage: HubSpot_Lifecycle__c\n",
    );
    let mut world = World::with(&[FIRMS, &people]).await;
    world.settle().await;
    let fields = [("Email", "bo@example.com"), ("LastName", "Bo")];
    let contact = world.add_salesforce("Contact", &fields);
    world.settle().await;
    let stage = world.sf("Contact", &contact, "HubSpot_Lifecycle__c");
    assert_eq!(stage, "lead", "what HubSpot filled in came across");
    let holds = world.holds().await;
    assert!(holds.is_empty(), "nothing waits: {holds:?}");
    world.assert_quiet().await;
}

fn optional() -> String {
    REQUIRED.replace("required: yes", "required: no")
}

/// A person and a firm, both linked and not tied to each other: their ids on both sides.
async fn person_and_firm(world: &mut World) -> ([String; 2], [String; 2]) {
    let person = [("email", "ann@acme.example.com"), ("lastname", "Arc")];
    let person = world.add_hubspot("contacts", &person);
    let firm = world.add_hubspot("companies", &ACME);
    world.settle().await;
    let contact = world.salesforce_ids("Contact").remove(0);
    let account = world.salesforce_ids("Account").remove(0);
    ([person, contact], [firm, account])
}

#[tokio::test]
async fn a_person_tied_to_a_firm_that_is_in_the_bin_is_written_all_the_same() {
    let mut world = World::with(&[FIRMS, &optional()]).await;
    let ([person, contact], [firm, account]) = person_and_firm(&mut world).await;
    // Nothing tells of a deletion before the bin is walked, once an hour.
    world.hubspot.archive("companies", &firm).unwrap();
    let fields = [("LastName", "Arden"), ("AccountId", account.as_str())];
    world.edit_salesforce("Contact", &contact, &fields);
    world.settle().await;
    assert_eq!(world.hs("contacts", &person, "lastname"), "Arden");
    assert_eq!(world.letter_codes().await, [""; 0], "nobody need act");
    let firms = world.links().await;
    let firms = firms
        .iter()
        .filter(|link| link.mapping.as_str() == "companies");
    let states: Vec<_> = firms.map(|link| link.state).collect();
    assert_eq!(states, [LinkState::Tombstoned], "the deletion was learnt");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].reason, HoldReason::Unresolved);
    assert!(holds[0].detail.contains(&firm), "{}", holds[0].detail);
    world.assert_quiet().await;
    assert_eq!(world.letter_codes().await, [""; 0]);
}

#[tokio::test]
async fn a_firm_that_comes_back_from_the_bin_gets_its_person_after_all() {
    let mut world = World::with(&[FIRMS, &optional()]).await;
    let ([person, contact], [firm, account]) = person_and_firm(&mut world).await;
    world.hubspot.archive("companies", &firm).unwrap();
    world.edit_salesforce("Contact", &contact, &[("AccountId", &account)]);
    world.settle().await;
    assert_eq!(world.holds().await.len(), 1);
    world.hubspot.restore("companies", &firm).unwrap();
    world.scan().await;
    let ties = world.hubspot.associations("contacts", &person, "companies");
    let tied: Vec<_> = ties.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(tied, [firm]);
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
    world.assert_quiet().await;
}

#[tokio::test]
async fn one_firm_in_the_bin_keeps_no_other_person_from_hers() {
    let mut world = World::with(&[FIRMS, &optional()]).await;
    let ([_, contact], [firm, account]) = person_and_firm(&mut world).await;
    let other = world.add_hubspot(
        "companies",
        &[("name", "Other"), ("domain", "other.example")],
    );
    let bob = [("email", "bob@other.example"), ("lastname", "Bo")];
    let bob = world.add_hubspot("contacts", &bob);
    world.settle().await;
    let named = |object: &str, field: &str, value: &str| {
        let mut ids = world.salesforce_ids(object).into_iter();
        ids.find(|id| world.sf(object, id, field) == value).unwrap()
    };
    let (theirs, bobs) = (
        named("Account", "Name", "Other"),
        named("Contact", "LastName", "Bo"),
    );
    world.hubspot.archive("companies", &firm).unwrap();
    world.edit_salesforce("Contact", &contact, &[("AccountId", &account)]);
    world.edit_salesforce("Contact", &bobs, &[("AccountId", &theirs)]);
    // HubSpot may refuse such a call as a whole and name nobody.
    let url = "/contacts/companies/batch/create";
    let body = r#"{"status":"error","category":"OBJECT_NOT_FOUND","message":"not found"}"#;
    world.to_hubspot.answer("POST", url, 404, body);
    world.settle().await;
    let ties = world.hubspot.associations("contacts", &bob, "companies");
    let tied: Vec<_> = ties.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(tied, [other]);
    assert_eq!(world.letter_codes().await, [""; 0], "nobody need act");
    world.assert_quiet().await;
}
