//! A deleted record comes back: its pair goes on with the old base, and nobody is made twice.

use tandem::model::LinkState;

use crate::{PEOPLE, linked};

pub fn archiving() -> String {
    format!("{PEOPLE}\ndelete: {{ hubspot: archive, salesforce: archive }}\n")
}

#[tokio::test]
async fn an_undeleted_salesforce_record_rejoins_its_pair_and_edits_on_both_sides_travel() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    world.salesforce.undelete("Contact", &salesforce).unwrap();
    world.edit_salesforce("Contact", &salesforce, &[("FirstName", "Adah")]);
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Linked);
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    assert_eq!(world.hs("contacts", &hubspot, "firstname"), "Adah");
    assert!(
        world.conflicts().await.is_empty(),
        "the base is the old one"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_restored_hubspot_record_rejoins_its_pair() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.hubspot.archive("contacts", &hubspot).unwrap();
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    world.hubspot.restore("contacts", &hubspot).unwrap();
    world.settle().await;
    world.scan().await;
    assert_eq!(world.pairs().await, [(hubspot.clone(), salesforce)]);
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_record_restored_after_both_went_waits_for_its_partner_and_makes_no_second_one() {
    let (mut world, hubspot, salesforce) = linked(&archiving()).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    assert!(world.hubspot_ids("contacts").is_empty());
    world.salesforce.undelete("Contact", &salesforce).unwrap();
    world.settle().await;
    assert!(
        world.hubspot_ids("contacts").is_empty(),
        "never a second record"
    );
    assert_eq!(world.letter_codes().await, ["restored"]);
    world.assert_quiet().await;
    // A person takes the other one out of the bin too.
    world.hubspot.restore("contacts", &hubspot).unwrap();
    world.settle().await;
    world.scan().await;
    assert_eq!(world.pairs().await, [(hubspot, salesforce)]);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_purged_record_leaves_its_tombstone() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    world.salesforce.purge("Contact", &salesforce).unwrap();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    world.scan().await;
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    assert!(world.salesforce_ids("Contact").is_empty());
    assert!(world.letters().await.is_empty(), "nothing new happened");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_record_that_comes_back_after_its_partner_found_another_is_told_of_once() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    let fields = [("Email", "ada@example.com"), ("LastName", "Lind")];
    let new = world.add_salesforce("Contact", &fields);
    world.settle().await;
    assert_eq!(
        world.pairs().await,
        [(hubspot.clone(), new.clone())],
        "a new match"
    );
    world.salesforce.undelete("Contact", &salesforce).unwrap();
    world.settle().await;
    assert_eq!(world.pairs().await, [(hubspot.clone(), new)]);
    assert_eq!(world.letter_codes().await, ["already-linked"]);
    assert_eq!(world.hubspot_ids("contacts"), [hubspot]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_edit_beats_a_delete_and_an_undelete_still_rejoins() {
    let (mut world, hubspot, salesforce) = linked(&archiving()).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].reason, "delete-vs-edit");
    assert_eq!(world.link().await.state, LinkState::Tombstoned);
    world.salesforce.undelete("Contact", &salesforce).unwrap();
    world.settle().await;
    assert_eq!(world.pairs().await, [(hubspot, salesforce.clone())]);
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    world.assert_quiet().await;
}
