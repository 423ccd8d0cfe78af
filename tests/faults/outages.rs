//! Rows 4 to 7 and 13: a platform that is down, locked, moving, or in maintenance.

use tandem::model::Side;
use tandem::sim::faults::{Crm, Fault, Switch};

use crate::{GRACE_MS, PEOPLE, Pair, calls, crowd, on_writes, run_for, struck, waiting};

#[tokio::test]
async fn row_04_a_write_that_a_gateway_gave_up_is_of_unknown_outcome_and_written_once() {
    for fault in [Fault::BadGateway, Fault::GatewayTimeout] {
        let mut ada = Pair::of(PEOPLE).await;
        let down = on_writes(Side::HubSpot, fault).times(1);
        let took = ada.write_into(Side::HubSpot, &[down]).await;
        assert!(took >= GRACE_MS, "{fault:?}: {took} ms");
        assert_eq!(ada.writes(Side::HubSpot), 1, "{fault:?}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_04_after_a_gateway_gave_up_the_next_calls_carry_less() {
    for fault in [Fault::BadGateway, Fault::GatewayTimeout] {
        let (mut world, pairs) = crowd(PEOPLE, 100).await;
        for (_, salesforce) in &pairs {
            world.edit_salesforce("Contact", salesforce, &[("Title", "CEO")]);
        }
        let before = calls(&world, Side::HubSpot, "update");
        let down = on_writes(Side::HubSpot, fault).times(1);
        world.hubspot.set_faults(&[down]);
        world.settle().await;
        world.settle().await;
        for (hubspot, _) in &pairs {
            assert_eq!(world.hs("contacts", hubspot, "jobtitle"), "CEO");
        }
        let sent = calls(&world, Side::HubSpot, "update") - before;
        assert!(sent >= 3, "{fault:?}: {sent} calls, where two were full");
        assert_eq!(world.hubspot.counters().records_updated, 100, "{fault:?}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_07_an_account_that_moves_is_left_alone_for_as_long_as_it_says_and_its_owner_told() {
    let mut ada = Pair::of(PEOPLE).await;
    let moving = Switch::of(Fault::Moving).seconds(3_600).times(1);
    ada.world.hubspot.set_faults(&[moving]);
    ada.retitle(Side::Salesforce, "CEO");
    ada.world.engine().poll_now().await.unwrap();
    let before = ada.world.hubspot.requests().len();
    run_for(&mut ada.world, 55).await;
    let asked = ada.world.hubspot.requests();
    assert_eq!(asked.len() - before, 1, "{:?}", &asked[before..]);
    assert_eq!(asked[before].status, 477);
    let told = waiting(&ada.world).await;
    let told = told.iter().filter_map(|work| work.failure.as_ref());
    let told: Vec<_> = told.filter(|told| told.code == "account-moving").collect();
    assert!(!told.is_empty(), "somebody is told why nothing happens");
    run_for(&mut ada.world, 60).await;
    assert_eq!(ada.title(Side::HubSpot), "CEO");
    assert_eq!(ada.world.letter_codes().await, [""; 0]);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_05_short_unavailability_is_tried_again_and_writes_once() {
    for fault in [
        Fault::Unavailable,
        Fault::OriginDown,
        Fault::OriginUnreachable,
    ] {
        let mut ada = Pair::of(PEOPLE).await;
        let down = on_writes(Side::HubSpot, fault).times(3);
        let took = ada.write_into(Side::HubSpot, &[down]).await;
        assert_eq!(struck(&ada.world, fault), 3);
        assert_eq!(ada.writes(Side::HubSpot), 1, "{fault:?}");
        assert!(
            took < GRACE_MS,
            "{fault:?} says that nothing was applied: {took} ms"
        );
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_05_a_524_is_an_unknown_outcome_and_is_settled() {
    let mut ada = Pair::of(PEOPLE).await;
    let slow = on_writes(Side::HubSpot, Fault::TimeLimit).times(1);
    let took = ada.write_into(Side::HubSpot, &[slow]).await;
    assert!(took >= GRACE_MS, "{took} ms");
    assert_eq!(ada.writes(Side::HubSpot), 1);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_05_reads_that_fail_are_read_again() {
    for fault in [
        Fault::Unavailable,
        Fault::BadGateway,
        Fault::GatewayTimeout,
        Fault::TimeLimit,
        Fault::ServerError,
    ] {
        let mut ada = Pair::of(PEOPLE).await;
        let down = Switch {
            writes: Some(false),
            side: Some(Crm::HubSpot),
            ..Switch::of(fault).times(4)
        };
        ada.write_into(Side::Salesforce, &[down]).await;
        assert_eq!(struck(&ada.world, fault), 4, "{fault:?}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_06_a_lock_is_waited_for_two_seconds_each_time() {
    let mut ada = Pair::of(PEOPLE).await;
    let mut sent = Vec::new();
    ada.retitle(Side::Salesforce, "CEO");
    let locked = on_writes(Side::HubSpot, Fault::Locked).times(3);
    ada.world.hubspot.set_faults(&[locked]);
    ada.world.settle().await;
    for request in ada.world.hubspot.requests() {
        if request.path.ends_with("/batch/update") {
            sent.push((request.status, request.at));
        }
    }
    let statuses: Vec<u16> = sent.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [423, 423, 423, 200]);
    for two in sent.windows(2) {
        let wait = two[1].1.millis_since(two[0].1);
        assert!(wait >= 2_000, "{wait} ms after a lock");
    }
    assert_eq!(ada.title(Side::HubSpot), "CEO");
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_13_a_page_of_html_is_no_data_and_is_tried_again() {
    let mut ada = Pair::of(PEOPLE).await;
    let down = Switch::of(Fault::Maintenance).times(5);
    ada.write_into(Side::Salesforce, &[down]).await;
    assert_eq!(struck(&ada.world, Fault::Maintenance), 5);
    assert_eq!(ada.writes(Side::Salesforce), 1);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_13_html_instead_of_the_answer_to_a_write_is_an_unknown_outcome() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        let page = on_writes(side, Fault::HtmlReply).times(1);
        let took = ada.write_into(side, &[page]).await;
        assert!(took >= GRACE_MS, "{side:?}: {took} ms");
        assert_eq!(ada.writes(side), 1, "{side:?}");
        ada.world.assert_quiet().await;
    }
}
