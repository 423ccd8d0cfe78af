//! What a mapping file can say about one rule or one record, seen from both CRMs.

use tandem::model::LinkState;

use crate::world::{Setup, World};
use crate::{PEOPLE, linked};

fn with(rules: &str) -> String {
    format!("{PEOPLE}{rules}")
}

#[tokio::test]
async fn a_change_at_a_one_way_destination_stays_unless_it_is_enforced() {
    for (enforce, left) in [("no", "Sales"), ("yes", "R&D")] {
        let rule = format!(
            "  industry: {{ to: Department, direction: to-salesforce, enforce: {enforce} }}\n"
        );
        let (mut world, hubspot, salesforce) = linked(&with(&rule)).await;
        world.edit_hubspot("contacts", &hubspot, &[("industry", "R&D")]);
        world.settle().await;
        assert_eq!(world.sf("Contact", &salesforce, "Department"), "R&D");
        world.edit_salesforce("Contact", &salesforce, &[("Department", "Sales")]);
        world.settle().await;
        assert_eq!(world.sf("Contact", &salesforce, "Department"), left);
        assert_eq!(world.hs("contacts", &hubspot, "industry"), "R&D");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn a_ratchet_never_goes_back_whoever_says_so() {
    let rule = "  lifecyclestage: { to: HubSpot_Lifecycle__c, \
                ratchet: [subscriber, lead, opportunity, customer] }\n";
    let (mut world, hubspot, salesforce) = linked(&with(rule)).await;
    world.edit_hubspot("contacts", &hubspot, &[("lifecyclestage", "opportunity")]);
    world.settle().await;
    let stage = "HubSpot_Lifecycle__c";
    assert_eq!(world.sf("Contact", &salesforce, stage), "opportunity");
    world.edit_salesforce("Contact", &salesforce, &[(stage, "lead")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, stage), "opportunity");
    assert_eq!(
        world.hs("contacts", &hubspot, "lifecyclestage"),
        "opportunity"
    );
    world.edit_salesforce("Contact", &salesforce, &[(stage, "customer")]);
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "lifecyclestage"), "customer");
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_either_side_adds_to_a_set_is_added_on_the_other() {
    let rule = "  interests: { to: Interests__c, conflict: union, \
                values: { analytics: Research, automation: Product, training: Webinars } }\n";
    let (mut world, hubspot, salesforce) = linked(&with(rule)).await;
    world.edit_hubspot("contacts", &hubspot, &[("interests", "analytics")]);
    world.settle().await;
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("interests", "analytics;automation")],
    );
    world.edit_salesforce(
        "Contact",
        &salesforce,
        &[("Interests__c", "Research;Webinars")],
    );
    world.settle().await;
    let set = |text: String| {
        let mut parts: Vec<String> = text.split(';').map(str::to_owned).collect();
        parts.sort();
        parts
    };
    let here = set(world.hs("contacts", &hubspot, "interests"));
    assert_eq!(here, ["analytics", "automation", "training"]);
    let there = set(world.sf("Contact", &salesforce, "Interests__c"));
    assert_eq!(there, ["Product", "Research", "Webinars"]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_emptied_field_empties_the_other_unless_the_rule_keeps_it() {
    let mapping = PEOPLE.replace(
        "firstname: FirstName",
        "firstname: { to: FirstName, blank: keep }",
    );
    let (mut world, hubspot, salesforce) = linked(&mapping).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", ""), ("firstname", "")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "");
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Ada");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_value_written_once_is_never_touched_again() {
    let rule = "  website: { to: Department, direction: to-salesforce, write: once }\n";
    let (mut world, hubspot, salesforce) = linked(&with(rule)).await;
    world.edit_hubspot("contacts", &hubspot, &[("website", "one.example.com")]);
    world.settle().await;
    let first = world.sf("Contact", &salesforce, "Department");
    assert!(first.contains("one.example.com"), "{first}");
    world.edit_hubspot("contacts", &hubspot, &[("website", "two.example.com")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Department"), first);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_record_that_leaves_the_filter_is_frozen_and_goes_on_when_it_returns() {
    let mapping = format!("{PEOPLE}only: {{ hubspot: 'jobtitle != \"Left\"' }}\n");
    let (mut world, hubspot, salesforce) = linked(&mapping).await;
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", "Left"), ("firstname", "Adele")],
    );
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Frozen);
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Ada");
    world.edit_salesforce("Contact", &salesforce, &[("Phone", "+14155550100")]);
    world.settle().await;
    assert_eq!(
        world.hs("contacts", &hubspot, "phone"),
        "",
        "frozen is frozen on both sides"
    );
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CTO")]);
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Linked);
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Adele");
    assert_eq!(world.hs("contacts", &hubspot, "phone"), "+14155550100");
    world.assert_quiet().await;
}

#[tokio::test]
async fn records_outside_the_filter_are_not_created_but_count_as_matches() {
    let mapping = format!("{PEOPLE}only: {{ hubspot: 'jobtitle != \"Out\"' }}\n");
    let mut world = World::new(Setup::with(&[&mapping])).await;
    let out = [
        ("email", "o@example.com"),
        ("lastname", "O"),
        ("jobtitle", "Out"),
    ];
    world.add_hubspot("contacts", &out);
    world.add_salesforce("Contact", &[("Email", "o@example.com"), ("LastName", "O")]);
    world.open().await;
    world.settle().await;
    assert_eq!(
        world.hubspot_ids("contacts").len(),
        1,
        "no second record for the one outside"
    );
    assert_eq!(world.salesforce_ids("Contact").len(), 1);
    assert_eq!(world.api_writes(), 0);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_deal_moves_pipeline_stage_and_money_as_values_of_several_fields() {
    let mut world = World::new(Setup::with(&crate::world::SHIPPED)).await;
    let deal = world.add_hubspot(
        "deals",
        &[
            ("dealname", "Big one"),
            ("pipeline", "default"),
            ("dealstage", "qualifiedtobuy"),
            ("closedate", "2026-06-01T00:00:00Z"),
            ("amount", "1200.50"),
            ("deal_currency_code", "USD"),
        ],
    );
    world.open().await;
    world.settle().await;
    let copies = world.salesforce_ids("Opportunity");
    assert_eq!(copies.len(), 1, "{:?}", world.letters().await);
    let copy = copies[0].clone();
    assert_eq!(world.sf("Opportunity", &copy, "StageName"), "Qualification");
    assert_eq!(world.sf("Opportunity", &copy, "CloseDate"), "2026-06-01");
    assert_eq!(world.sf("Opportunity", &copy, "CurrencyIsoCode"), "USD");
    assert!(
        world
            .sf("Opportunity", &copy, "Amount")
            .starts_with("1200.5")
    );
    world.edit_salesforce("Opportunity", &copy, &[("StageName", "Closed Won")]);
    world.settle().await;
    assert_eq!(world.hs("deals", &deal, "dealstage"), "closedwon");
    world.edit_hubspot("deals", &deal, &[("deal_currency_code", "JPY")]);
    world.settle().await;
    assert_eq!(world.sf("Opportunity", &copy, "CurrencyIsoCode"), "USD");
    let holds = world.holds().await;
    assert_eq!(
        holds.len(),
        1,
        "an amount never travels without its currency: {holds:?}"
    );
    assert_eq!(holds[0].rule, "amount");
    world.assert_quiet().await;
}
