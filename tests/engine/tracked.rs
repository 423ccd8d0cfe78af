//! Edits in Salesforce that a write of ours replaced, in an org that tracks the history of fields.

use tandem::model::{Raw, Side};
use tandem::store::ConflictState;

use crate::world::World;
use crate::{PEOPLE, WRITES, linked};

fn ruled(conflict: &str) -> String {
    let rule = format!("jobtitle: {{ to: Title, conflict: {conflict} }}");
    PEOPLE.replace("jobtitle: Title", &rule)
}

/// Ada on both sides, and an org that keeps the history of these fields.
async fn tracking(mapping: &str, fields: &[&str]) -> (World, String, String) {
    let (world, hubspot, salesforce) = linked(mapping).await;
    world.salesforce.track_history("Contact", fields).unwrap();
    (world, hubspot, salesforce)
}

/// Somebody types these right before our next update arrives in Salesforce.
fn type_first(world: &World, salesforce: &str, fields: &'static [(&'static str, &'static str)]) {
    let (org, id) = (world.salesforce.clone(), salesforce.to_owned());
    world.to_salesforce.before("PATCH", WRITES, move || {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, text)| (*name, (*text).into()))
            .collect();
        org.edit("Contact", &id, &fields).unwrap();
    });
}

const VP: &[(&str, &str)] = &[("Title", "VP"), ("FirstName", "Adele")];

fn titles(world: &World, hubspot: &str, salesforce: &str) -> (String, String) {
    let here = world.hs("contacts", hubspot, "jobtitle");
    (here, world.sf("Contact", salesforce, "Title"))
}

fn both(title: &str) -> (String, String) {
    (title.to_owned(), title.to_owned())
}

async fn audits(world: &World) -> Vec<(String, String)> {
    let link = world.link().await;
    let entries = world.store.journal_of(&world.workspace, &link.id, 1_000);
    let entries = entries.await.unwrap().into_iter();
    let audits = entries.filter(|entry| entry.decision == "audit");
    audits.map(|entry| (entry.rule, entry.reason)).collect()
}

fn told(rule: &str, reason: &str) -> Vec<(String, String)> {
    vec![(rule.to_owned(), reason.to_owned())]
}

#[tokio::test]
async fn an_edit_in_salesforce_that_our_write_replaced_is_kept_by_name_where_hubspot_wins() {
    let (mut world, hubspot, salesforce) = tracking(&ruled("hubspot"), &["Title"]).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    type_first(&world, &salesforce, VP);
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("CEO"));
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Adele");
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0].loser.get("Title"), Some(&Raw::text("VP")));
    assert_eq!(conflicts[0].winner, Some(Side::HubSpot));
    assert_eq!(conflicts[0].state, ConflictState::Decided);
    assert_eq!(audits(&world).await, told("jobtitle", "overwrote"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_in_salesforce_that_our_write_replaced_comes_back_where_salesforce_wins() {
    let (mut world, hubspot, salesforce) = tracking(&ruled("salesforce"), &["Title"]).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    type_first(&world, &salesforce, VP);
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("VP"));
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0].loser.get("jobtitle"), Some(&Raw::text("CEO")));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_in_salesforce_that_our_write_replaced_comes_back_where_a_person_is_asked() {
    let (mut world, hubspot, salesforce) = tracking(&ruled("ask"), &["Title"]).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    type_first(&world, &salesforce, VP);
    world.settle().await;
    let stands = ("CEO".to_owned(), "VP".to_owned());
    assert_eq!(titles(&world, &hubspot, &salesforce), stands);
    assert_eq!(world.holds().await.len(), 1);
    assert_eq!(world.conflicts().await[0].state, ConflictState::Open);
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_in_salesforce_that_an_unanswered_write_replaced_is_found_by_the_next_pass() {
    for (rule, title) in [("salesforce", "VP"), ("hubspot", "CEO")] {
        let (mut world, hubspot, salesforce) = tracking(&ruled(rule), &["Title"]).await;
        world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
        let (org, id) = (world.salesforce.clone(), salesforce.clone());
        world
            .to_salesforce
            .before_losing_reply("PATCH", WRITES, move || {
                org.edit("Contact", &id, &[("Title", "VP".into())]).unwrap();
            });
        world.settle().await;
        world.settle().await;
        assert_eq!(titles(&world, &hubspot, &salesforce), both(title), "{rule}");
        assert_eq!(world.conflicts().await.len(), 1, "{rule}");
        world.assert_quiet().await;
    }
}

/// Without the history this would look like a value that the platform altered, or like a conflict.
#[tokio::test]
async fn an_edit_after_an_unanswered_write_to_salesforce_travels_back() {
    let (mut world, hubspot, salesforce) = tracking(PEOPLE, &["Title"]).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.to_salesforce.lose_reply("PATCH", WRITES);
    world.until_turns_are_taken().await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CTO")]);
    world.settle().await;
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("CTO"));
    assert!(world.conflicts().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_field_without_tracking_is_counted_as_unknown_and_costs_no_look_at_the_history() {
    let (mut world, hubspot, salesforce) = tracking(PEOPLE, &["Phone"]).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    type_first(&world, &salesforce, VP);
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("CEO"));
    assert_eq!(audits(&world).await, told("jobtitle", "unknown"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn only_the_fields_of_a_write_that_are_not_tracked_are_unknown() {
    let (mut world, hubspot, salesforce) = tracking(PEOPLE, &["Title"]).await;
    let news = [("jobtitle", "CEO"), ("lastname", "Lovelace")];
    world.edit_hubspot("contacts", &hubspot, &news);
    type_first(&world, &salesforce, &[("FirstName", "Adele")]);
    world.settle().await;
    assert_eq!(audits(&world).await, told("lastname", "unknown"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn writes_that_nothing_speaks_against_cost_no_look_at_the_history() {
    let (mut world, hubspot, salesforce) = tracking(PEOPLE, &["Title"]).await;
    let calls = |world: &World| world.salesforce.counters().by_family["query"];
    world.edit_hubspot("contacts", &hubspot, &[("firstname", "Adele")]);
    let before = calls(&world);
    world.settle().await;
    let usual = calls(&world) - before;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    let before = calls(&world);
    world.settle().await;
    assert_eq!(calls(&world) - before, usual);
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
}

#[tokio::test]
async fn the_histories_of_a_batch_cost_one_call() {
    let (mut world, pairs) = crate::crowd::linked(PEOPLE, 30).await;
    world
        .salesforce
        .track_history("Contact", &["Title"])
        .unwrap();
    let mut costs = Vec::new();
    for (title, many) in [("CEO", 1), ("Chair", 30), ("Queen", 1)] {
        for (hubspot, _) in &pairs[..many] {
            world.edit_hubspot("contacts", hubspot, &[("jobtitle", title)]);
        }
        let (org, ids) = (world.salesforce.clone(), pairs.clone());
        world
            .to_salesforce
            .before_losing_reply("PATCH", WRITES, move || {
                for (_, id) in &ids[..many] {
                    org.edit("Contact", id, &[("Title", "VP".into())]).unwrap();
                }
            });
        let before = world.salesforce.counters().by_family["query"];
        world.settle().await;
        costs.push(world.salesforce.counters().by_family["query"] - before);
    }
    // But for a poll more or less.
    assert!(costs[1] <= costs[0] + 2, "thirty cost as one: {costs:?}");
    assert!(costs[1] <= costs[2] + 2, "thirty cost as one: {costs:?}");
}

/// Seed 474 of the simulation, with a field history: the intent stayed open for ever.
#[tokio::test]
async fn an_edit_that_was_to_be_put_back_into_a_pair_that_is_over_is_kept_by_name() {
    let (mut world, hubspot, salesforce) = tracking(PEOPLE, &["Title"]).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    let (org, id) = (world.salesforce.clone(), salesforce.clone());
    world
        .to_salesforce
        .before_losing_reply("PATCH", WRITES, move || {
            org.edit("Contact", &id, &[("Title", "VP".into())]).unwrap();
        });
    world.until_turns_are_taken().await;
    world.hubspot.archive("contacts", &hubspot).unwrap();
    world.mark("contacts", Side::HubSpot, &hubspot).await;
    world.settle().await;
    world.settle().await;
    assert!(world.pairs().await.is_empty());
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0].loser.get("Title"), Some(&Raw::text("VP")));
    world.scan().await;
    assert_eq!(world.conflicts().await.len(), 1, "and once only");
    world.assert_quiet().await;
}
