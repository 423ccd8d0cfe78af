//! Rows 16, 17 and 20 to 22: tokens, scopes, and what the app may no longer see.

use tandem::model::{ErrorClass, LinkState, Side};
use tandem::sim::faults::{Fault, Switch};

use crate::{PEOPLE, Pair, run_for, struck, switch_on, waiting};

#[tokio::test]
async fn row_16_an_expired_token_is_replaced_once_and_the_work_goes_on() {
    let mut ada = Pair::of(PEOPLE).await;
    let expired = Switch {
        writes: Some(true),
        ..Switch::of(Fault::TokenExpired).times(1)
    };
    let logins = |ada: &Pair| {
        let families = ada.world.salesforce.counters().by_family;
        families.get("oauth").copied().unwrap_or_default()
    };
    let before = logins(&ada);
    ada.write_into(Side::Salesforce, &[expired]).await;
    assert_eq!(struck(&ada.world, Fault::TokenExpired), 1);
    assert_eq!(logins(&ada) - before, 1, "one refresh");
    assert_eq!(ada.writes(Side::Salesforce), 1);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_16_a_token_that_hubspot_refuses_for_a_while_gives_nothing_up() {
    let mut ada = Pair::of(PEOPLE).await;
    let expired = Switch::of(Fault::TokenExpired).times(15);
    let expired = Switch {
        side: Some(tandem::sim::faults::Crm::HubSpot),
        ..expired
    };
    ada.write_into(Side::HubSpot, &[expired]).await;
    assert_eq!(ada.writes(Side::HubSpot), 1);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_17_a_revoked_grant_stops_the_connection_with_one_notice_and_gives_nothing_up() {
    let mut ada = Pair::of(PEOPLE).await;
    ada.world
        .salesforce
        .set_faults(&[Switch::of(Fault::Revoked)]);
    ada.retitle(Side::HubSpot, "CEO");
    ada.world.engine().poll_now().await.unwrap();
    let before = ada.world.salesforce.counters().total;
    run_for(&mut ada.world, 60).await;
    let asked = ada.world.salesforce.counters().total - before;
    assert!((2..=40).contains(&asked), "{asked} calls without a grant");
    let notice = ada.world.engine().auth_failure();
    let notice = notice.expect("the owner is told");
    assert_eq!(notice.code, "invalid_grant");
    let told = waiting(&ada.world).await;
    let told = told.iter().filter_map(|work| work.failure.as_ref());
    let mut told = told.filter(|told| told.class == ErrorClass::Auth);
    assert!(told.all(|told| told.message.starts_with("Salesforce: ")));
    assert_eq!(ada.world.letter_codes().await, [""; 0]);
    ada.world.salesforce.set_faults(&[]);
    run_for(&mut ada.world, 30).await;
    assert!(ada.world.engine().auth_failure().is_none(), "it is over");
    assert_eq!(ada.title(Side::Salesforce), "CEO");
    assert_eq!(ada.writes(Side::Salesforce), 1);
    ada.world.assert_quiet().await;
}

const FIRMS: &str = r#"
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

#[tokio::test]
async fn row_20_a_removed_scope_parks_its_objects_and_the_others_go_on() {
    let mut ada = Pair::of(PEOPLE).await;
    ada.world.remap(&[FIRMS, PEOPLE]).await;
    ada.world.settle().await;
    let gone = Switch::of(Fault::ScopeRemoved).object("contacts");
    ada.world.hubspot.set_faults(&[gone]);
    ada.retitle(Side::Salesforce, "CEO");
    let firm = [("Name", "Acme"), ("Website", "acme.example")];
    ada.world.add_salesforce("Account", &firm);
    run_for(&mut ada.world, 90).await;
    assert_eq!(
        ada.world.hubspot_ids("companies").len(),
        1,
        "companies go on"
    );
    assert_eq!(ada.title(Side::HubSpot), "CTO", "contacts wait");
    assert_eq!(
        ada.world.letter_codes().await,
        [""; 0],
        "nothing is given up"
    );
    ada.world.hubspot.set_faults(&[]);
    run_for(&mut ada.world, 60).await;
    assert_eq!(ada.title(Side::HubSpot), "CEO", "the scope is back");
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_21_a_field_hidden_in_hubspot_is_held_and_blanks_nothing() {
    let mut ada = Pair::of(PEOPLE).await;
    let hidden = Switch::of(Fault::FieldHidden)
        .object("contacts")
        .field("jobtitle");
    ada.world.hubspot.set_faults(&[hidden]);
    ada.world
        .edit_hubspot("contacts", &ada.hubspot, &[("firstname", "Adele")]);
    run_for(&mut ada.world, 30).await;
    assert!(struck(&ada.world, Fault::FieldHidden) > 0);
    assert_eq!(ada.title(Side::Salesforce), "CTO", "hidden is not blank");
    let first = ada.world.sf("Contact", &ada.salesforce, "FirstName");
    assert_eq!(first, "Adele", "the rest of the record goes on");
    ada.retitle(Side::Salesforce, "CEO");
    run_for(&mut ada.world, 30).await;
    assert_eq!(ada.title(Side::Salesforce), "CEO");
    ada.world.hubspot.set_faults(&[]);
    ada.retitle(Side::Salesforce, "Chair");
    run_for(&mut ada.world, 30).await;
    assert_eq!(ada.title(Side::HubSpot), "Chair", "visible again");
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_21_a_field_hidden_in_salesforce_blanks_nothing_and_gives_nothing_up() {
    let mut ada = Pair::of(PEOPLE).await;
    let hidden = Switch::of(Fault::FieldHidden)
        .object("Contact")
        .field("Title");
    ada.world.salesforce.set_faults(&[hidden]);
    ada.world
        .edit_hubspot("contacts", &ada.hubspot, &[("firstname", "Adele")]);
    run_for(&mut ada.world, 60).await;
    assert!(struck(&ada.world, Fault::FieldHidden) > 0);
    assert_eq!(ada.title(Side::HubSpot), "CTO", "hidden is not blank");
    assert_eq!(
        ada.world.letter_codes().await,
        [""; 0],
        "nothing is given up"
    );
    ada.world.salesforce.set_faults(&[]);
    run_for(&mut ada.world, 30).await;
    let first = ada.world.sf("Contact", &ada.salesforce, "FirstName");
    assert_eq!(first, "Adele", "the field is back and the work goes on");
    assert_eq!(ada.title(Side::Salesforce), "CTO");
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_22_a_record_that_is_hidden_is_not_taken_for_deleted() {
    let archiving = format!("{PEOPLE}\ndelete: {{ hubspot: archive, salesforce: archive }}\n");
    for side in Side::BOTH {
        let mut ada = Pair::of(&archiving).await;
        let id = match side {
            Side::HubSpot => ada.hubspot.clone(),
            Side::Salesforce => ada.salesforce.clone(),
        };
        switch_on(&ada.world, &[Switch::of(Fault::RecordHidden).record(&id)]);
        ada.retitle(side.other(), "CEO");
        ada.world.settle().await;
        ada.world.scan().await;
        ada.world.settle().await;
        assert_eq!(ada.world.hubspot_ids("contacts").len(), 1, "{side:?}");
        assert_eq!(ada.world.salesforce_ids("Contact").len(), 1, "{side:?}");
        let link = ada.world.link().await;
        assert_ne!(
            link.state,
            LinkState::Tombstoned,
            "{side:?}: no proof of a delete"
        );
        ada.world.assert_nothing_open().await;
    }
}
