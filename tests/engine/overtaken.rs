//! Edits that a write of ours replaced between our read and our write, or that came right after it.

use tandem::model::{Raw, Side};
use tandem::store::{ConflictRow, ConflictState, JournalEntry};

use crate::conflicts::take;
use crate::world::World;
use crate::{PEOPLE, UPDATES, WRITES, linked};

fn ruled(conflict: &str) -> String {
    let rule = format!("jobtitle: {{ to: Title, conflict: {conflict} }}");
    PEOPLE.replace("jobtitle: Title", &rule)
}

/// The salesperson sees CEO in Salesforce, while somebody works on the same person in HubSpot.
async fn met(mapping: &str) -> (World, String, String) {
    let (world, hubspot, salesforce) = linked(mapping).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.edit_hubspot("contacts", &hubspot, &[("firstname", "Adele")]);
    (world, hubspot, salesforce)
}

/// Somebody types `title` in HubSpot right before our next update arrives there.
fn type_first(world: &World, hubspot: &str, title: &'static str) {
    let (portal, id) = (world.hubspot.clone(), hubspot.to_owned());
    world.to_hubspot.before("POST", UPDATES, move || {
        portal
            .edit("contacts", &id, &[("jobtitle", title)])
            .unwrap();
    });
}

async fn journal(world: &World) -> Vec<JournalEntry> {
    let link = world.link().await;
    let entries = world.store.journal_of(&world.workspace, &link.id, 1_000);
    entries.await.unwrap()
}

async fn audits(world: &World) -> Vec<String> {
    let entries = journal(world).await.into_iter();
    let audits = entries.filter(|entry| entry.decision == "audit");
    audits.map(|entry| entry.reason).collect()
}

fn titles(world: &World, hubspot: &str, salesforce: &str) -> (String, String) {
    let here = world.hs("contacts", hubspot, "jobtitle");
    (here, world.sf("Contact", salesforce, "Title"))
}

fn both(title: &str) -> (String, String) {
    (title.to_owned(), title.to_owned())
}

#[tokio::test]
async fn an_edit_that_our_write_replaced_is_kept_by_name_where_the_other_side_wins() {
    let (mut world, hubspot, salesforce) = met(PEOPLE).await;
    type_first(&world, &hubspot, "VP");
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("CEO"));
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0].loser.get("jobtitle"), Some(&Raw::text("VP")));
    assert_eq!(conflicts[0].winner, Some(Side::Salesforce));
    assert_eq!(conflicts[0].state, ConflictState::Decided);
    world.assert_quiet().await;
    take(&mut world, tandem::model::Choice::Of(Side::HubSpot)).await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("VP"));
}

#[tokio::test]
async fn an_edit_that_our_write_replaced_comes_back_where_its_side_wins() {
    let (mut world, hubspot, salesforce) = met(&ruled("hubspot")).await;
    type_first(&world, &hubspot, "VP");
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("VP"));
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0].loser.get("Title"), Some(&Raw::text("CEO")));
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Adele");
    assert!(audits(&world).await.contains(&"overwrote".to_owned()));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_that_our_write_replaced_comes_back_and_is_asked_about_where_the_rule_asks() {
    let (mut world, hubspot, salesforce) = met(&ruled("ask")).await;
    type_first(&world, &hubspot, "VP");
    world.settle().await;
    let stands = ("VP".to_owned(), "CEO".to_owned());
    assert_eq!(titles(&world, &hubspot, &salesforce), stands);
    assert_eq!(world.holds().await.len(), 1);
    assert_eq!(world.conflicts().await[0].state, ConflictState::Open);
    world.assert_quiet().await;
}

/// Whoever types again while the first edit is put back is the latest, and is asked no more.
#[tokio::test]
async fn edits_that_overtake_a_restoring_write_end_with_the_last_one() {
    let (mut world, hubspot, salesforce) = met(&ruled("hubspot")).await;
    for title in ["VP", "Chair", "Queen", "Empress"] {
        type_first(&world, &hubspot, title);
    }
    world.settle().await;
    assert_eq!(world.to_hubspot.waiting(), 0, "every edit came between");
    assert_eq!(titles(&world, &hubspot, &salesforce), both("Empress"));
    let audits = journal(&world).await.into_iter();
    let audits = audits.filter(|entry| entry.decision == "audit");
    let lost: Vec<Raw> = audits
        .filter_map(|entry| entry.loser?.get("jobtitle").cloned())
        .collect();
    for title in ["VP", "Chair", "Queen", "Empress"] {
        assert!(
            lost.contains(&Raw::text(title)),
            "{title} is in the journal"
        );
    }
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_that_a_write_without_a_reply_replaced_is_found_by_the_next_pass() {
    for (rule, title) in [("salesforce", "CEO"), ("hubspot", "VP")] {
        let (mut world, hubspot, salesforce) = linked(&ruled(rule)).await;
        world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
        let (portal, id) = (world.hubspot.clone(), hubspot.clone());
        world
            .to_hubspot
            .before_losing_reply("POST", UPDATES, move || {
                portal.edit("contacts", &id, &[("jobtitle", "VP")]).unwrap();
            });
        world.settle().await;
        assert_eq!(titles(&world, &hubspot, &salesforce), both(title));
        let found = audits(&world).await;
        assert!(found.contains(&"overwrote".to_owned()), "{rule}: {found:?}");
        assert_eq!(world.conflicts().await.len(), 1, "{rule}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn an_edit_after_our_write_whose_reply_was_lost_travels_back_and_conflicts_with_nothing() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.lose_reply("POST", UPDATES);
    world.until_turns_are_taken().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Queen")]);
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("Queen"));
    assert!(
        world.conflicts().await.is_empty(),
        "who edits what we wrote saw it"
    );
    world.assert_quiet().await;
}

/// Back to the old value: without the history this looks like a write that never arrived.
#[tokio::test]
async fn an_edit_that_takes_our_unanswered_write_back_is_not_written_over() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.lose_reply("POST", UPDATES);
    world.until_turns_are_taken().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CTO")]);
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("CTO"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_instead_of_our_write_that_never_arrived_is_a_conflict_with_its_loser_kept() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.lose_request("POST", UPDATES);
    world.until_turns_are_taken().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "VP")]);
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("CEO"));
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].loser.get("jobtitle"), Some(&Raw::text("VP")));
    world.assert_quiet().await;
}

/// Our write never arrived, and somebody typed its very value while the source went on.
#[tokio::test]
async fn an_edit_that_equals_our_write_which_never_arrived_is_an_edit_all_the_same() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.lose_request("POST", UPDATES);
    world.until_turns_are_taken().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "Chair")]);
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("Chair"));
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0].loser.get("jobtitle"), Some(&Raw::text("CEO")));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_that_equals_our_write_which_never_arrived_ends_in_peace() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.to_hubspot.lose_request("POST", UPDATES);
    world.until_turns_are_taken().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("CEO"));
    assert!(world.conflicts().await.is_empty());
    world.assert_quiet().await;
}

/// The record of a replaced edit is deleted before the edit is back: nothing waits for it any more.
#[tokio::test]
async fn an_edit_that_cannot_be_put_back_because_its_record_is_gone_is_kept_by_name() {
    let (mut world, hubspot, salesforce) = met(&ruled("hubspot")).await;
    type_first(&world, &hubspot, "VP");
    world.to_hubspot.lose_request("POST", UPDATES);
    world.until_turns_are_taken().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("CEO"));
    world.hubspot.archive("contacts", &hubspot).unwrap();
    world.settle().await;
    let open = world.store.open_intents(&world.workspace).await.unwrap();
    assert!(open.is_empty(), "{open:?}");
    let conflicts = world.conflicts().await;
    let kept = |row: &ConflictRow| row.loser.get("jobtitle") == Some(&Raw::text("VP"));
    assert!(conflicts.iter().any(kept), "{conflicts:?}");
    world.assert_quiet().await;
}

/// A before-save trigger leaves our own stamp; it must not pass for a person.
#[tokio::test]
async fn a_trigger_that_alters_our_value_is_held_and_never_sent_back_as_an_edit() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.set_trigger(
        "Contact",
        Some(Box::new(|values| {
            if values.get("Title").is_some_and(|title| title == "CEO") {
                values.insert("Title".to_owned(), "Chief".into());
            }
        })),
    );
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "Chief");
    assert_eq!(world.holds().await.len(), 1);
    world.assert_quiet().await;
}

/// Salesforce keeps no history here: what cannot be known is counted, not passed over.
#[tokio::test]
async fn a_suspect_write_to_an_org_without_history_is_counted_as_unknown() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    let (org, id) = (world.salesforce.clone(), salesforce.clone());
    world.to_salesforce.before("PATCH", WRITES, move || {
        let fields = [("Title", "VP".into()), ("FirstName", "Adele".into())];
        org.edit("Contact", &id, &fields).unwrap();
    });
    world.settle().await;
    assert_eq!(titles(&world, &hubspot, &salesforce), both("CEO"));
    assert_eq!(audits(&world).await, ["unknown"]);
    world.assert_quiet().await;
}
