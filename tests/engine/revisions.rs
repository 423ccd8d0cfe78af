//! A mapping changes while records are under way or long at rest.

use crate::{KEYED, PEOPLE, WRITES, linked};

#[tokio::test]
async fn a_mapping_edited_while_an_intent_is_open_loses_neither_the_old_write_nor_the_new_rule() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.to_salesforce.lose_reply("PATCH", WRITES);
    world.until_turns_are_taken().await;
    let open = world.store.open_intents(&world.workspace).await.unwrap();
    assert_eq!(open.len(), 1, "the write has no answer yet");
    let edited = PEOPLE.replace("jobtitle: Title", "jobtitle: Department");
    world.remap(&[&edited]).await;
    world.settle().await;
    assert_eq!(
        world.sf("Contact", &salesforce, "Title"),
        "CEO",
        "what was written stays"
    );
    assert_eq!(world.sf("Contact", &salesforce, "Department"), "CEO");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_mapping_edited_while_a_lost_write_never_arrived_plans_it_by_the_new_rules() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", "CEO"), ("firstname", "Adele")],
    );
    world.to_salesforce.lose_request("PATCH", WRITES);
    world.until_turns_are_taken().await;
    let edited = PEOPLE.replace("  jobtitle: Title\n", "");
    world.remap(&[&edited]).await;
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Adele");
    assert_eq!(
        world.sf("Contact", &salesforce, "Title"),
        "CTO",
        "the rule is gone"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_mapping_edited_while_a_create_is_open_completes_the_create_once() {
    let (mut world, _, _) = linked(PEOPLE).await;
    let properties = [
        ("email", "bo@example.com"),
        ("lastname", "Berg"),
        ("jobtitle", "CIO"),
    ];
    let hubspot = world.add_hubspot("contacts", &properties);
    world.to_salesforce.lose_reply("PATCH", KEYED);
    world.until_turns_are_taken().await;
    let edited = PEOPLE.replace("jobtitle: Title", "jobtitle: Department");
    world.remap(&[&edited]).await;
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 2, "made once");
    let pairs = world.pairs().await;
    let copy = &pairs
        .iter()
        .find(|(here, _)| *here == hubspot)
        .expect("Bo is linked")
        .1;
    assert_eq!(world.sf("Contact", copy, "Department"), "CIO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_new_rule_reaches_records_that_are_long_at_rest() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("city", "Bern")]);
    world.settle().await;
    let edited = format!("{PEOPLE}  city: MailingCity\n");
    world.remap(&[&edited]).await;
    world.work().await;
    assert_eq!(world.sf("Contact", &salesforce, "MailingCity"), "Bern");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_hold_is_looked_at_again_when_its_rule_changes() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    let long = "x".repeat(200);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", &long)]);
    world.settle().await;
    assert_eq!(world.holds().await.len(), 1);
    let rule = "jobtitle: { to: Title, tolerance: truncate(128) }";
    let edited = PEOPLE.replace("jobtitle: Title", rule);
    let edited = edited.replace("fill-blanks: salesforce", "fill-blanks: hubspot");
    world.remap(&[&edited]).await;
    world.settle().await;
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "x".repeat(128));
    assert_eq!(
        world.hs("contacts", &hubspot, "jobtitle"),
        long,
        "the source stays whole"
    );
    world.assert_quiet().await;
}
