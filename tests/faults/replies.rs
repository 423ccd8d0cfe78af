//! Rows 14, 15 and 65: answers that are odd, cut, or too short.

use tandem::model::Side;
use tandem::sim::faults::{Fault, Switch};

use crate::{GRACE_MS, PEOPLE, Pair, crowd, on_writes, struck, switch_on};

#[tokio::test]
async fn row_14_an_error_without_any_known_member_is_taken_by_its_status() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        let odd = Switch {
            writes: None,
            ..on_writes(side, Fault::OddError).times(4)
        };
        ada.write_into(side, &[odd]).await;
        assert_eq!(struck(&ada.world, Fault::OddError), 4, "{side:?}");
        assert_eq!(ada.writes(side), 1, "{side:?}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_15_a_cut_answer_to_a_write_is_an_unknown_outcome() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        let cut = on_writes(side, Fault::TruncatedReply).times(1);
        let took = ada.write_into(side, &[cut]).await;
        assert!(took >= GRACE_MS, "{side:?}: {took} ms");
        assert_eq!(ada.writes(side), 1, "{side:?}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_15_a_cut_answer_to_a_read_is_read_again_and_never_taken_for_data() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        let cut = Switch {
            writes: Some(false),
            ..on_writes(side, Fault::TruncatedReply).times(4)
        };
        ada.write_into(side, &[cut]).await;
        assert_eq!(struck(&ada.world, Fault::TruncatedReply), 4, "{side:?}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_65_a_record_missing_in_the_answer_is_settled_and_its_neighbours_are_done() {
    for side in Side::BOTH {
        let (mut world, pairs) = crowd(PEOPLE, 5).await;
        for (hubspot, salesforce) in &pairs {
            match side {
                Side::HubSpot => world.edit_salesforce("Contact", salesforce, &[("Title", "CEO")]),
                Side::Salesforce => world.edit_hubspot("contacts", hubspot, &[("jobtitle", "CEO")]),
            }
        }
        switch_on(&world, &[on_writes(side, Fault::ShortReply).times(1)]);
        world.settle().await;
        assert_eq!(struck(&world, Fault::ShortReply), 1, "{side:?}");
        for (hubspot, salesforce) in &pairs {
            assert_eq!(world.hs("contacts", hubspot, "jobtitle"), "CEO", "{side:?}");
            assert_eq!(world.sf("Contact", salesforce, "Title"), "CEO", "{side:?}");
        }
        assert_eq!(world.letter_codes().await, [""; 0]);
        let written = match side {
            Side::HubSpot => world.hubspot.counters().records_updated,
            Side::Salesforce => world.salesforce.counters().records_updated,
        };
        assert_eq!(written, 5, "{side:?}: none is written twice");
        world.assert_quiet().await;
    }
}
