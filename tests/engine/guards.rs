//! Too much at once waits for a person, and a yes lets exactly that set through, once.

use tandem::model::{HoldReason, Side};
use tandem::store::{Approval, ApprovalState};

use crate::crowd::{PEOPLE, linked};
use crate::world::World;

const DAY_MILLIS: i64 = 24 * 3_600_000;

pub async fn questions(world: &World) -> Vec<Approval> {
    let mut approvals = world.store.approvals(&world.workspace).await.unwrap();
    approvals.retain(|approval| approval.state == ApprovalState::Asked);
    approvals
}

fn ids(approval: &Approval) -> Vec<&str> {
    approval.records.iter().map(|id| id.as_str()).collect()
}

/// What `tandem approve` does.
pub async fn approve(world: &World, approval: &Approval) {
    let expires = world.clock.now().plus_millis(DAY_MILLIS);
    let granted = world
        .store
        .grant_approval(&world.workspace, &approval.id, expires)
        .await;
    assert!(granted.unwrap());
    for id in &approval.records {
        world
            .mark(approval.mapping.as_str(), approval.side, id.as_str())
            .await;
    }
}

fn salesforce_ids(pairs: &[(String, String)]) -> Vec<&str> {
    let mut ids: Vec<&str> = pairs.iter().map(|(_, id)| id.as_str()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_mass_delete_waits_and_goes_ahead_only_for_the_approved_set() {
    let (mut world, pairs) = linked(PEOPLE, 6).await;
    for (hubspot, _) in &pairs[..3] {
        world.hubspot.archive("contacts", hubspot).unwrap();
    }
    world.scan().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 6);
    assert_eq!(world.letter_codes().await, ["guard-deletes"; 3]);
    let asked = questions(&world).await;
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].kind.as_str(), asked[0].side),
        ("deletes", Side::Salesforce)
    );
    assert_eq!(ids(&asked[0]), salesforce_ids(&pairs[..3]));
    assert_eq!(asked[0].items, 3);

    // A fourth one joins the question; the old one is closed.
    world.hubspot.archive("contacts", &pairs[3].0).unwrap();
    world.scan().await;
    let asked = questions(&world).await;
    assert_eq!(asked.len(), 1);
    assert_eq!(ids(&asked[0]), salesforce_ids(&pairs[..4]));

    approve(&world, &asked[0]).await;
    world.work().await;
    let mut left = world.salesforce_ids("Contact");
    left.sort();
    assert_eq!(left, salesforce_ids(&pairs[4..]));
    assert_eq!(world.letters().await, [], "what was released is settled");
    assert_eq!(questions(&world).await, []);

    // The grant is used up: the next one over the limit is a question of its own.
    world.hubspot.archive("contacts", &pairs[4].0).unwrap();
    world.scan().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 2);
    assert_eq!(ids(&questions(&world).await[0]), [pairs[4].1.as_str()]);
}

#[tokio::test]
async fn deletes_by_users_do_not_count_against_the_guard() {
    let text = PEOPLE.replace("salesforce: archive }", "salesforce: unlink }");
    let (mut world, pairs) = linked(&text, 6).await;
    for (hubspot, _) in &pairs[..4] {
        world.hubspot.archive("contacts", hubspot).unwrap();
    }
    world.scan().await;
    world.salesforce.delete("Contact", &pairs[4].1).unwrap();
    world.settle().await;
    assert_eq!(world.letters().await, []);
    assert_eq!(world.hubspot_ids("contacts"), [pairs[5].0.clone()]);
}

#[tokio::test]
async fn emptying_many_values_is_held_and_released_by_a_person() {
    let (mut world, pairs) = linked(PEOPLE, 6).await;
    for (hubspot, _) in &pairs[..3] {
        world.edit_hubspot(
            "contacts",
            hubspot,
            &[("jobtitle", ""), ("firstname", "Eve")],
        );
    }
    world.settle().await;
    for (_, salesforce) in &pairs[..3] {
        assert_eq!(world.sf("Contact", salesforce, "Title"), "Engineer");
        assert_eq!(
            world.sf("Contact", salesforce, "FirstName"),
            "Eve",
            "the rest travels"
        );
    }
    let holds = world.holds().await;
    assert_eq!(holds.len(), 3);
    assert!(holds.iter().all(|hold| hold.reason == HoldReason::Guard));
    let asked = questions(&world).await;
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].kind, "blanks");
    assert_eq!(ids(&asked[0]), salesforce_ids(&pairs[..3]));

    approve(&world, &asked[0]).await;
    world.work().await;
    world.settle().await;
    for (_, salesforce) in &pairs[..3] {
        assert_eq!(world.sf("Contact", salesforce, "Title"), "");
    }
    assert_eq!(world.holds().await, []);

    // Used once: emptying one more of the same value needs another yes.
    world.edit_hubspot("contacts", &pairs[0].0, &[("jobtitle", "Boss")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &pairs[0].1, "Title"), "Boss");
    world.edit_hubspot("contacts", &pairs[0].0, &[("jobtitle", "")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &pairs[0].1, "Title"), "Boss");
    assert_eq!(questions(&world).await.len(), 1);

    // A day later there is room again for ordinary edits.
    world.pass(2 * DAY_MILLIS);
    world.edit_hubspot("contacts", &pairs[4].0, &[("jobtitle", "")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &pairs[4].1, "Title"), "");
}

#[tokio::test]
async fn a_few_emptied_values_travel_without_a_question() {
    let (mut world, pairs) = linked(PEOPLE, 3).await;
    for (hubspot, _) in &pairs[..2] {
        world.edit_hubspot("contacts", hubspot, &[("jobtitle", "")]);
    }
    world.settle().await;
    assert_eq!(world.sf("Contact", &pairs[0].1, "Title"), "");
    assert_eq!(world.sf("Contact", &pairs[1].1, "Title"), "");
    assert_eq!(questions(&world).await, []);
}

/// The title was one-way to Salesforce, so a change there was left alone; now it goes both ways.
#[tokio::test]
async fn a_changed_rule_does_not_rewrite_everything_unasked() {
    let before = PEOPLE.replace(
        "jobtitle: Title",
        "jobtitle: { to: Title, direction: to-salesforce }",
    );
    let (mut world, pairs) = linked(&before, 6).await;
    for (_, salesforce) in &pairs[..3] {
        world.edit_salesforce("Contact", salesforce, &[("Title", "Chief")]);
    }
    world.settle().await;
    world
        .remap(&[&PEOPLE.replace(
            "jobtitle: Title",
            "jobtitle: { to: Title, first-sync: salesforce }",
        )])
        .await;
    world.work().await;
    world.settle().await;
    for (hubspot, _) in &pairs[..3] {
        assert_eq!(world.hs("contacts", hubspot, "jobtitle"), "Engineer");
    }
    let holds = world.holds().await;
    assert_eq!(holds.len(), 3, "{holds:?}");
    assert!(holds.iter().all(|hold| hold.reason == HoldReason::Guard));
    let asked = questions(&world).await;
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].kind.as_str(), asked[0].side),
        ("changes", Side::HubSpot)
    );

    approve(&world, &asked[0]).await;
    world.work().await;
    for (hubspot, _) in &pairs[..3] {
        assert_eq!(world.hs("contacts", hubspot, "jobtitle"), "Chief");
    }
    assert_eq!(world.holds().await, []);
}

#[tokio::test]
async fn a_grant_that_ran_out_releases_nothing() {
    let (mut world, pairs) = linked(PEOPLE, 4).await;
    for (hubspot, _) in &pairs[..3] {
        world.hubspot.archive("contacts", hubspot).unwrap();
    }
    world.scan().await;
    let asked = questions(&world).await;
    approve(&world, &asked[0]).await;
    world.pass(DAY_MILLIS + 1);
    world.work().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 4);
    assert_eq!(questions(&world).await.len(), 1, "it is asked again");
}

#[tokio::test]
async fn values_emptied_by_a_write_without_a_reply_count_all_the_same() {
    let (mut world, pairs) = linked(PEOPLE, 6).await;
    for (hubspot, _) in &pairs[..2] {
        world.edit_hubspot("contacts", hubspot, &[("jobtitle", "")]);
    }
    world.to_salesforce.lose_reply("PATCH", crate::WRITES);
    world.settle().await;
    assert_eq!(world.sf("Contact", &pairs[0].1, "Title"), "");
    world.edit_hubspot("contacts", &pairs[2].0, &[("jobtitle", "")]);
    world.settle().await;
    let third = world.sf("Contact", &pairs[2].1, "Title");
    assert_eq!(
        third, "Engineer",
        "the third within a day, and two may pass"
    );
    assert_eq!(questions(&world).await.len(), 1);
}

#[tokio::test]
async fn a_yes_to_deletes_whose_reply_is_lost_is_used_up_all_the_same() {
    let (mut world, pairs) = linked(PEOPLE, 6).await;
    for _ in 0..2 {
        for (_, salesforce) in &pairs[..3] {
            world.salesforce.delete("Contact", salesforce).unwrap();
        }
        world.settle().await;
        assert_eq!(world.hubspot_ids("contacts").len(), 6, "asked each time");
        let asked = questions(&world).await;
        assert_eq!(asked.len(), 1);
        approve(&world, &asked[0]).await;
        world
            .to_hubspot
            .lose_reply("POST", "/contacts/batch/archive");
        world.work().await;
        assert_eq!(world.hubspot_ids("contacts").len(), 3);
        for (hubspot, salesforce) in &pairs[..3] {
            world.hubspot.restore("contacts", hubspot).unwrap();
            world.salesforce.undelete("Contact", salesforce).unwrap();
        }
        world.settle().await;
        world.scan().await;
        assert_eq!(linked_count(&world).await, 6, "all are back");
    }
}

/// Nothing is archived over a delete here; pairs are only taken apart.
fn unlinking() -> String {
    PEOPLE
        .replace("delete: { hubspot: archive, salesforce: archive }\n", "")
        .replace("guard: { deletes: 2,", "guard: { unlinks: 2,")
}

async fn linked_count(world: &World) -> usize {
    world.pairs().await.len()
}

#[tokio::test]
async fn taking_many_pairs_apart_waits_and_an_undelete_makes_the_question_pointless() {
    let (mut world, pairs) = linked(&unlinking(), 6).await;
    for (_, salesforce) in &pairs[..3] {
        world.salesforce.delete("Contact", salesforce).unwrap();
    }
    world.settle().await;
    assert_eq!(linked_count(&world).await, 6, "no pair is taken apart yet");
    assert_eq!(world.letter_codes().await, ["guard-unlinks"; 3]);
    let asked = questions(&world).await;
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].kind.as_str(), asked[0].side, asked[0].items),
        ("unlinks", Side::HubSpot, 3)
    );
    world.assert_quiet().await;

    for (_, salesforce) in &pairs[..3] {
        world.salesforce.undelete("Contact", salesforce).unwrap();
    }
    world.settle().await;
    assert_eq!(world.letters().await, [], "all is as it was");
    world.edit_hubspot("contacts", &pairs[0].0, &[("jobtitle", "Boss")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &pairs[0].1, "Title"), "Boss");
}

#[tokio::test]
async fn a_question_survives_a_crash_and_a_grown_set_is_another_question() {
    let (mut world, pairs) = linked(&unlinking(), 6).await;
    for (_, salesforce) in &pairs[..3] {
        world.salesforce.delete("Contact", salesforce).unwrap();
    }
    world.settle().await;
    let first = questions(&world).await.remove(0);
    world.crash().await;
    world.settle().await;
    assert_eq!(linked_count(&world).await, 6);
    assert_eq!(questions(&world).await, std::slice::from_ref(&first));

    world.salesforce.delete("Contact", &pairs[3].1).unwrap();
    world.settle().await;
    let second = questions(&world).await.remove(0);
    assert_ne!(first.set_hash, second.set_hash);
    let expires = world.clock.now().plus_millis(DAY_MILLIS);
    let stale = world
        .store
        .grant_approval(&world.workspace, &first.id, expires);
    assert!(
        !stale.await.unwrap(),
        "a yes to what was shown is no yes to more"
    );
    world.settle().await;
    assert_eq!(linked_count(&world).await, 6);

    approve(&world, &second).await;
    world.work().await;
    assert_eq!(linked_count(&world).await, 2);
    assert_eq!(world.letters().await, []);
    // Used once: the next one over the limit is asked about anew.
    world.salesforce.delete("Contact", &pairs[4].1).unwrap();
    world.settle().await;
    assert_eq!(linked_count(&world).await, 2);
    assert_eq!(ids(&questions(&world).await[0]), [pairs[4].0.as_str()]);
}

#[tokio::test]
async fn a_filter_that_many_records_leave_takes_no_pairs_apart_unasked() {
    let filter = "only: { hubspot: 'jobtitle != \"Out\"' }\non-leave: unlink\n";
    let (mut world, pairs) = linked(&format!("{}{filter}", unlinking()), 6).await;
    for (hubspot, _) in &pairs[..3] {
        world.edit_hubspot("contacts", hubspot, &[("jobtitle", "Out")]);
    }
    world.settle().await;
    assert_eq!(linked_count(&world).await, 6);
    let asked = questions(&world).await;
    assert_eq!(
        (asked[0].kind.as_str(), asked[0].side),
        ("unlinks", Side::Salesforce)
    );
    approve(&world, &asked[0]).await;
    world.work().await;
    assert_eq!(linked_count(&world).await, 3);
    assert_eq!(world.sf("Contact", &pairs[0].1, "Title"), "Engineer");
}

#[tokio::test]
async fn an_accident_of_many_deletes_stops_only_the_deletes() {
    let (mut world, pairs) = linked(PEOPLE, 8).await;
    for (_, salesforce) in &pairs[..5] {
        world.salesforce.delete("Contact", salesforce).unwrap();
    }
    world.edit_hubspot("contacts", &pairs[6].0, &[("jobtitle", "Boss")]);
    world.settle().await;
    assert_eq!(world.hubspot_ids("contacts").len(), 8);
    assert_eq!(world.letter_codes().await, ["guard-deletes"; 5]);
    assert_eq!(
        world.sf("Contact", &pairs[6].1, "Title"),
        "Boss",
        "edits flow"
    );
    // Edited meanwhile, a held record is no longer deleted, whatever is approved.
    world.edit_hubspot("contacts", &pairs[0].0, &[("jobtitle", "Kept")]);
    world.settle().await;
    approve(&world, &questions(&world).await[0].clone()).await;
    world.work().await;
    world.settle().await;
    let mut kept = vec![pairs[0].0.clone()];
    kept.extend(pairs[5..].iter().map(|(hubspot, _)| hubspot.clone()));
    kept.sort();
    let mut left = world.hubspot_ids("contacts");
    left.sort();
    assert_eq!(left, kept);
    let reasons: Vec<String> = world
        .conflicts()
        .await
        .into_iter()
        .map(|c| c.reason)
        .collect();
    assert_eq!(reasons, ["delete-vs-edit"]);
}
