//! A mapping edited while a write has no answer: it is judged by the rules it was planned with.

use tandem::model::{Side, Timestamp};

use crate::crowd::{PEOPLE, linked};

const UPDATES: &str = "/composite/sobjects";

/// HubSpot's title was sent to Salesforce's `Title`; the reply is lost and the rule then points
/// elsewhere. What arrived is known to have arrived, and nothing is written twice.
#[tokio::test]
async fn an_open_intent_is_settled_by_the_rule_it_was_planned_with() {
    let (mut world, pairs) = linked(PEOPLE, 1).await;
    let (hubspot, salesforce) = &pairs[0];
    world.edit_hubspot("contacts", hubspot, &[("jobtitle", "Countess")]);
    world.to_salesforce.lose_reply("PATCH", UPDATES);
    world.until_turns_are_taken().await;
    let intents = world.store.open_intents(&world.workspace).await.unwrap();
    assert_eq!(intents.len(), 1);
    let old = intents[0].revision.clone();

    world
        .remap(&[&PEOPLE.replace(
            "jobtitle: Title",
            "jobtitle: { to: Department, conflict: hubspot }",
        )])
        .await;
    world.work().await;
    let link = world.links().await.remove(0);
    let journal = world
        .store
        .journal_of(&world.workspace, &link.id, 100)
        .await
        .unwrap();
    let settled = journal
        .iter()
        .find(|entry| {
            entry.decision == "write" && entry.rule == "jobtitle" && entry.revision == old
        })
        .expect("the old write was settled under its own revision");
    assert_eq!(settled.reason, "applied");
    assert_eq!(settled.winner, Some(Side::HubSpot));
    world.settle().await;
    assert_eq!(world.sf("Contact", salesforce, "Title"), "Countess");
    assert_eq!(world.sf("Contact", salesforce, "Department"), "Countess");
    assert_eq!(world.hs("contacts", hubspot, "jobtitle"), "Countess");
    assert!(
        world
            .store
            .open_intents(&world.workspace)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(world.clock.now() > Timestamp::from_millis(0));
}

/// The revision's text no longer fits (its values name an option the field lost): raw text decides.
#[tokio::test]
async fn a_rule_that_is_gone_still_ends_its_intent() {
    let (mut world, pairs) = linked(PEOPLE, 1).await;
    let (hubspot, salesforce) = &pairs[0];
    world.edit_hubspot("contacts", hubspot, &[("jobtitle", "Countess")]);
    world.to_salesforce.lose_request("PATCH", UPDATES);
    world.until_turns_are_taken().await;
    world
        .remap(&[&PEOPLE.replace("  jobtitle: Title\n", "")])
        .await;
    world.work().await;
    world.settle().await;
    assert!(
        world
            .store
            .open_intents(&world.workspace)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        world.sf("Contact", salesforce, "Title"),
        "Engineer",
        "nothing is sent blindly"
    );
    world.edit_hubspot("contacts", hubspot, &[("firstname", "Eve")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", salesforce, "FirstName"), "Eve");
}
