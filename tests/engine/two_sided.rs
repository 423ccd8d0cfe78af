//! Writes that change both sides: when one of them fails, the two must not drift apart.

use tandem::model::Choice;
use tandem::store::ConflictState;

use crate::conflicts::{met, take};
use crate::world::World;
use crate::{PEOPLE, UPDATES, WRITES, linked};

const BUSY: &str = r#"{"status":"error","errorType":"RATE_LIMIT",
    "message":"You have reached your ten_secondly_rolling limit.",
    "policyName":"TEN_SECONDLY_ROLLING"}"#;

const INTERESTS: &str = "  interests: { to: Interests__c, conflict: union, \
    values: { analytics: Research, automation: Product, training: Webinars } }\n";

/// What goes wrong with the next write to one side.
type Trouble = (&'static str, fn(&World));

const TROUBLES: [Trouble; 8] = [
    ("HubSpot has had enough", |world| {
        world.to_hubspot.answer("POST", UPDATES, 429, BUSY);
    }),
    ("HubSpot is down", |world| {
        world.to_hubspot.answer("POST", UPDATES, 503, "");
    }),
    ("the request to HubSpot is lost", |world| {
        world.to_hubspot.lose_request("POST", UPDATES);
    }),
    ("HubSpot's reply is lost", |world| {
        world.to_hubspot.lose_reply("POST", UPDATES);
    }),
    ("Salesforce has had enough", |world| {
        world.to_salesforce.answer("PATCH", WRITES, 429, "[]");
    }),
    ("Salesforce is down", |world| {
        world.to_salesforce.answer("PATCH", WRITES, 503, "");
    }),
    ("the request to Salesforce is lost", |world| {
        world.to_salesforce.lose_request("PATCH", WRITES);
    }),
    ("Salesforce's reply is lost", |world| {
        world.to_salesforce.lose_reply("PATCH", WRITES);
    }),
];

fn set(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = text.split(';').map(str::to_owned).collect();
    parts.sort();
    parts
}

fn assert_sets(world: &World, ids: (&str, &str), wanted: (&str, &str), what: &str) {
    let here = set(&world.hs("contacts", ids.0, "interests"));
    let there = set(&world.sf("Contact", ids.1, "Interests__c"));
    assert_eq!(here, set(wanted.0), "HubSpot, after {what}");
    assert_eq!(there, set(wanted.1), "Salesforce, after {what}");
}

#[tokio::test]
pub async fn a_union_of_which_one_half_fails_at_first_reaches_both_sides() {
    for (what, strike) in TROUBLES {
        let mapping = format!("{PEOPLE}{INTERESTS}");
        let (mut world, hubspot, salesforce) = linked(&mapping).await;
        let ids = (hubspot.as_str(), salesforce.as_str());
        world.edit_hubspot("contacts", ids.0, &[("interests", "analytics")]);
        world.settle().await;
        let both = [("interests", "analytics;automation")];
        world.edit_hubspot("contacts", ids.0, &both);
        let both = [("Interests__c", "Research;Webinars")];
        world.edit_salesforce("Contact", ids.1, &both);
        strike(&world);
        world.settle().await;
        let all = ("analytics;automation;training", "Product;Research;Webinars");
        assert_sets(&world, ids, all, what);
        assert!(world.letters().await.is_empty(), "{what}");
        world.assert_quiet_but_for_repeats().await;
        // What was agreed is known: taking one away is seen as that, and not undone.
        world.edit_hubspot("contacts", ids.0, &[("interests", "analytics;training")]);
        world.settle().await;
        assert_sets(
            &world,
            ids,
            ("analytics;training", "Research;Webinars"),
            what,
        );
        world.assert_quiet_but_for_repeats().await;
    }
}

#[tokio::test]
async fn a_typed_choice_of_which_one_half_fails_at_first_reaches_both_sides() {
    for (what, strike) in TROUBLES {
        let (mut world, hubspot, salesforce) = met().await;
        strike(&world);
        take(&mut world, Choice::Value("President".to_owned())).await;
        let here = world.hs("contacts", &hubspot, "jobtitle");
        let there = world.sf("Contact", &salesforce, "Title");
        assert_eq!([here.as_str(), &there], ["President"; 2], "{what}");
        assert!(world.holds().await.is_empty(), "{what}");
        let conflicts = world.conflicts().await;
        assert_eq!(conflicts.len(), 1, "{what}: nothing new is asked");
        assert_eq!(conflicts[0].state, ConflictState::Closed, "{what}");
        world.assert_quiet_but_for_repeats().await;
        world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Chair")]);
        world.settle().await;
        let there = world.sf("Contact", &salesforce, "Title");
        assert_eq!(there, "Chair", "{what}: the choice is used up");
        world.assert_quiet_but_for_repeats().await;
    }
}
