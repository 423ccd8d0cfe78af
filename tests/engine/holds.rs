//! One value that cannot travel waits alone; the rest of its record moves on.

use tandem::model::HoldReason;

use crate::world::World;
use crate::{PEOPLE, linked};

const STATUS: &str = r#"
  hs_lead_status:
    to: Lead_Status__c
    values: { NEW: New, OPEN: Open }
"#;

#[tokio::test]
async fn a_value_too_long_for_the_other_side_holds_only_its_field() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let long = "x".repeat(200);
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", &long), ("firstname", "Adele")],
    );
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Adele");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CTO");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1);
    assert_eq!(
        (holds[0].rule.as_str(), holds[0].reason),
        ("jobtitle", HoldReason::Refused)
    );
    world.assert_quiet().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert!(
        world.holds().await.is_empty(),
        "a new value releases the hold"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_field_refused_by_the_crm_alone_is_held_and_the_record_written_without_it() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.set_validation(
        "Contact",
        Some(Box::new(|values| {
            let title = values.get("Title").and_then(|title| title.as_str());
            (title == Some("Boss")).then(|| ("no bosses here".to_owned(), Some("Title".to_owned())))
        })),
    );
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", "Boss"), ("firstname", "Adele")],
    );
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Adele");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CTO");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1);
    assert!(
        holds[0].detail.contains("no bosses here"),
        "{}",
        holds[0].detail
    );
    world.assert_quiet().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert!(world.holds().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_option_without_a_counterpart_is_held_with_its_name() {
    let mapping = format!("{PEOPLE}{STATUS}");
    let (mut world, hubspot, salesforce) = linked(&mapping).await;
    world.edit_hubspot("contacts", &hubspot, &[("hs_lead_status", "CONNECTED")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Lead_Status__c"), "");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].reason, HoldReason::Unmapped);
    assert!(holds[0].detail.contains("CONNECTED"), "{}", holds[0].detail);
    world.edit_hubspot("contacts", &hubspot, &[("hs_lead_status", "OPEN")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Lead_Status__c"), "Open");
    assert!(world.holds().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
pub async fn a_value_that_a_flow_rewrites_is_held_altered_and_not_fought_over() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.set_trigger(
        "Contact",
        Some(Box::new(|values| {
            if values.get("Title").and_then(|title| title.as_str()) == Some("CEO") {
                values.insert("Title".to_owned(), "Chief Executive".into());
            }
        })),
    );
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "Chief Executive");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].reason, HoldReason::Altered);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_field_that_a_flow_fills_besides_travels_back() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.set_trigger(
        "Contact",
        Some(Box::new(|values| {
            if values.get("Title").and_then(|title| title.as_str()) == Some("CEO") {
                values.insert("Phone".to_owned(), "+14155550100".into());
            }
        })),
    );
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Phone"), "+14155550100");
    assert_eq!(world.hs("contacts", &hubspot, "phone"), "+14155550100");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_held_field_does_not_stop_the_other_direction() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let long = "x".repeat(200);
    let hubspot = world.add_hubspot(
        "contacts",
        &[
            ("email", "a@example.com"),
            ("lastname", "A"),
            ("jobtitle", &long),
        ],
    );
    world.settle().await;
    let copies = world.salesforce_ids("Contact");
    assert_eq!(copies.len(), 1, "the record is created without the value");
    world.edit_salesforce("Contact", &copies[0], &[("LastName", "Aa")]);
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "lastname"), "Aa");
    assert_eq!(
        world.hs("contacts", &hubspot, "jobtitle"),
        long,
        "nothing is blanked"
    );
    assert_eq!(world.holds().await.len(), 1);
    world.assert_quiet().await;
}
