//! Rows 1 to 3: connections that break before, during and after the work.

use tandem::model::Side;
use tandem::sim::faults::Fault;

use crate::{GRACE_MS, PEOPLE, Pair, on_writes, struck, switch_on};

#[tokio::test]
async fn row_01_a_refused_connection_is_tried_again_at_once_and_writes_once() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        let refused = on_writes(side, Fault::Refused).times(3);
        let took = ada.write_into(side, &[refused]).await;
        assert_eq!(struck(&ada.world, Fault::Refused), 3);
        assert_eq!(ada.writes(side), 1);
        assert!(
            took < GRACE_MS,
            "nothing was sent, so nothing is waited out: {took} ms"
        );
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_01_polls_survive_a_side_that_cannot_be_reached() {
    for fault in [Fault::Refused, Fault::NeverApplied] {
        let mut ada = Pair::of(PEOPLE).await;
        let down = on_writes(Side::Salesforce, fault).times(4);
        let down = tandem::sim::faults::Switch {
            writes: Some(false),
            ..down
        };
        ada.write_into(Side::Salesforce, &[down]).await;
        assert_eq!(struck(&ada.world, fault), 4);
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_02_a_write_whose_reply_is_lost_is_settled_and_not_repeated() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        let lost = on_writes(side, Fault::LostReply).times(1);
        let took = ada.write_into(side, &[lost]).await;
        assert!(
            took >= GRACE_MS,
            "{side:?} is read when nothing can land any more: {took} ms"
        );
        assert_eq!(ada.writes(side), 1, "{side:?}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_02_a_create_whose_reply_is_lost_makes_one_record() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        switch_on(&ada.world, &[on_writes(side, Fault::LostReply).times(1)]);
        match side {
            Side::HubSpot => crate::add_salesforce(&ada.world, "bo"),
            Side::Salesforce => crate::add_hubspot(&ada.world, "bo"),
        };
        ada.world.settle().await;
        assert_eq!(struck(&ada.world, Fault::LostReply), 1);
        assert_eq!(ada.world.pairs().await.len(), 2, "{side:?}");
        assert_eq!(ada.world.hubspot_ids("contacts").len(), 2);
        assert_eq!(ada.world.salesforce_ids("Contact").len(), 2);
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_03_a_write_that_lands_ninety_seconds_late_is_settled_once() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        let late = on_writes(side, Fault::AppliedLate).times(1);
        let took = ada.write_into(side, &[late]).await;
        assert!(took >= GRACE_MS, "{took} ms");
        assert_eq!(ada.writes(side), 1, "{side:?}: no second write");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_03_a_write_that_never_lands_is_planned_afresh() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        let never = on_writes(side, Fault::NeverApplied).times(1);
        let took = ada.write_into(side, &[never]).await;
        assert!(took >= GRACE_MS, "{took} ms");
        assert_eq!(ada.writes(side), 1, "{side:?}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_03_a_newer_edit_made_meanwhile_is_what_arrives() {
    for fault in [Fault::AppliedLate, Fault::NeverApplied] {
        let mut ada = Pair::of(PEOPLE).await;
        ada.retitle(Side::HubSpot, "CEO");
        switch_on(&ada.world, &[on_writes(Side::Salesforce, fault).times(1)]);
        ada.world.until(|world| struck(world, fault) > 0).await;
        ada.retitle(Side::HubSpot, "Chair");
        ada.world.settle().await;
        assert_eq!(ada.title(Side::Salesforce), "Chair", "{fault:?}");
        assert_eq!(ada.title(Side::HubSpot), "Chair", "{fault:?}");
        assert_eq!(
            ada.world.conflicts().await,
            [],
            "nobody typed in Salesforce"
        );
        ada.world.assert_quiet().await;
    }
}
