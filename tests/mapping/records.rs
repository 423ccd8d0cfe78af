//! Questions about whole records: matching, filters, creates, refusals.

use std::collections::BTreeMap;

use tandem::mapping::Bound;
use tandem::model::{Fields, Raw, Side};

use crate::schemas::bound;

fn leads() -> Bound {
    bound(
        r#"
mapping: leads
hubspot: contacts
salesforce: Lead
conflict: ask
match:
  - { hubspot: salesforceleadid, salesforce: Id }
  - email: Email
  - { hubspot: website, salesforce: Website, as: domain }
only: { hubspot: 'email != () && !email.ends_with("@test.com")' }
create: { salesforce: 'lifecyclestage in ["lead"]', hubspot: never }
rules:
  email: Email
  lastname: { to: LastName, default: "(unknown)" }
  company: { to: Company, default: none }
  lifecyclestage: HubSpot_Lifecycle__c
"#,
    )
}

fn record(pairs: &[(&str, &str)]) -> Fields {
    pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Raw::text(*text)))
        .collect()
}

fn ann() -> Fields {
    record(&[
        ("salesforceleadid", "005xx000001X83a"),
        ("email", "Ann@X.com "),
        ("website", "https://www.Acme.com/x"),
        ("lifecyclestage", "lead"),
    ])
}

#[test]
fn one_person_has_the_same_keys_on_both_sides() {
    let bound = leads();
    let salesforce = record(&[
        ("Id", "005xx000001X83aAAC"),
        ("Email", "ann@x.com"),
        ("Website", "acme.com"),
    ]);
    let keys = bound.match_keys(Side::HubSpot, &ann());
    assert_eq!(keys, bound.match_keys(Side::Salesforce, &salesforce));
    assert_eq!(keys[0].as_deref(), Some("005xx000001X83aAAC"));
    let blank = bound.match_keys(Side::HubSpot, &record(&[("email", "")]));
    assert_eq!(blank, [None, None, None]);
}

#[test]
fn only_and_create_are_judged_on_the_record() {
    let bound = leads();
    let takes_part = |email| {
        bound
            .takes_part(Side::HubSpot, &record(&[("email", email)]))
            .unwrap()
    };
    assert!(takes_part("ann@x.com"));
    assert!(!takes_part("a@test.com") && !takes_part(""));
    assert_eq!(bound.takes_part(Side::Salesforce, &Fields::new()), Ok(true));
    assert_eq!(bound.may_create(Side::Salesforce, &ann()), Ok(true));
    assert_eq!(
        bound.may_create(Side::Salesforce, &record(&[("email", "x")])),
        Ok(false)
    );
    assert_eq!(bound.may_create(Side::HubSpot, &ann()), Ok(false));
}

#[test]
fn defaults_fill_what_a_new_record_needs() {
    let bound = leads();
    let mut send = record(&[("Email", "ann@x.com"), ("LastName", "")]);
    assert_eq!(
        bound.missing_for_create(Side::Salesforce, &send),
        ["Company", "LastName"]
    );
    bound.fill_defaults(Side::Salesforce, &mut send);
    assert!(bound.missing_for_create(Side::Salesforce, &send).is_empty());
    assert_eq!(send["LastName"], Raw::text("(unknown)"));
    let nameless = bound.missing_for_create(Side::HubSpot, &record(&[("phone", "1")]));
    assert_eq!(nameless, ["email or firstname or lastname"]);
}

#[test]
fn what_salesforce_would_refuse_is_known_before_it_is_sent() {
    let bad = record(&[
        ("Email", "ann at x"),
        ("FirstName", &"x".repeat(41)),
        ("HubSpot_Lifecycle__c", "gone"),
        ("Interests__c", "Events;Nope"),
        ("Title", "fine"),
    ]);
    let refused: BTreeMap<String, String> = leads()
        .refusals(Side::Salesforce, &bad)
        .into_iter()
        .collect();
    let names: Vec<&str> = refused.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["Email", "FirstName", "HubSpot_Lifecycle__c", "Interests__c"]
    );
    assert!(refused["FirstName"].contains("truncate(40)"));
}

#[test]
fn a_deal_without_name_or_stage_is_known_before_it_is_sent() {
    let deals = bound(
        r#"
mapping: deals
hubspot: deals
salesforce: Opportunity
conflict: ask
match:
  - dealname: Name
create: both
rules:
  dealname: { to: Name, default: "(no name)" }
"#,
    );
    let missing = deals.missing_for_create(Side::HubSpot, &record(&[("amount", "1")]));
    assert_eq!(missing, ["dealname", "dealstage", "pipeline"]);
    let mut send = record(&[("dealstage", "won"), ("pipeline", "default")]);
    deals.fill_defaults(Side::HubSpot, &mut send);
    assert!(deals.missing_for_create(Side::HubSpot, &send).is_empty());
}
