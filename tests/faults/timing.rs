//! Rows 48, 50 and 51: what cannot be seen yet, or moves while it is looked at.

use tandem::model::Side;
use tandem::sim::faults::{Fault, Switch};

use crate::{PEOPLE, Pair, add_hubspot, crowd, run_for, struck, switch_on};

#[tokio::test]
async fn row_48_a_record_that_the_index_shows_ten_minutes_late_is_found_and_made_once() {
    let mut ada = Pair::of(PEOPLE).await;
    let late = Switch::of(Fault::SearchLate).seconds(590).times(1);
    ada.world.hubspot.set_faults(&[late]);
    add_hubspot(&ada.world, "bo");
    ada.retitle(Side::HubSpot, "CEO");
    ada.world.settle().await;
    assert_eq!(struck(&ada.world, Fault::SearchLate), 1);
    assert_eq!(
        ada.world.salesforce_ids("Contact").len(),
        1,
        "nobody can know yet"
    );
    run_for(&mut ada.world, 40).await;
    assert_eq!(
        ada.world.salesforce_ids("Contact").len(),
        2,
        "found by the late pass"
    );
    assert_eq!(ada.title(Side::Salesforce), "CEO");
    assert_eq!(ada.world.hubspot_ids("contacts").len(), 2, "and made once");
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_50_pages_that_shift_while_they_are_read_lose_nobody() {
    let (mut world, pairs) = crowd(PEOPLE, 450).await;
    for (nth, (hubspot, salesforce)) in pairs.iter().enumerate() {
        if nth % 2 == 0 {
            world.edit_hubspot("contacts", hubspot, &[("jobtitle", "CEO")]);
        } else {
            world.edit_salesforce("Contact", salesforce, &[("Title", "CEO")]);
        }
    }
    switch_on(&world, &[Switch::of(Fault::PageShift).times(40)]);
    world.settle().await;
    assert!(struck(&world, Fault::PageShift) >= 3);
    for (hubspot, salesforce) in &pairs {
        assert_eq!(world.hs("contacts", hubspot, "jobtitle"), "CEO");
        assert_eq!(world.sf("Contact", salesforce, "Title"), "CEO");
    }
    switch_on(&world, &[]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn row_51_an_edit_that_commits_late_with_an_old_stamp_is_found() {
    let mut ada = Pair::of(PEOPLE).await;
    let late = Switch::of(Fault::LateCommit).seconds(400).times(1);
    ada.world.salesforce.set_faults(&[late]);
    ada.retitle(Side::Salesforce, "CEO");
    ada.world.settle().await;
    assert_eq!(ada.title(Side::Salesforce), "CTO", "not committed yet");
    run_for(&mut ada.world, 40).await;
    assert_eq!(struck(&ada.world, Fault::LateCommit), 1);
    assert_eq!(ada.title(Side::HubSpot), "CEO");
    ada.world.assert_quiet().await;
}
