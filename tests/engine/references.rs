//! Records that belong to other records.

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

#[tokio::test]
async fn a_child_stored_as_blocked_while_its_parent_links_does_not_wait_for_ever() {
    let mut world = World::with(&[FIRMS, REQUIRED]).await;
    world.settle().await;
    let (person, firm) = add_employee(&world, &[("domain", "acme.example.com")]).await;
    world.settle().await;
    assert!(world.salesforce_ids("Contact").is_empty());
    // The parent is linked by a person at the very moment at which the child is looked at again.
    let account = world.add_salesforce("Account", &[("Name", "Acme")]);
    let link = tandem::model::Link {
        id: tandem::model::LinkId::new("lnk_by_hand"),
        mapping: tandem::model::MappingName::new("companies"),
        group: None,
        records: tandem::model::BySide::new(
            Some(tandem::model::RecordId::new(&firm)),
            Some(tandem::model::RecordId::new(&account)),
        ),
        state: tandem::model::LinkState::Linked,
        note: String::new(),
    };
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
            let changes = tandem::store::Changes {
                links: vec![link],
                ..Default::default()
            };
            store.commit(&lease, changes).await.unwrap();
            store.release(lease).await.unwrap();
        });
    world
        .mark("contacts", tandem::model::Side::HubSpot, &person)
        .await;
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
