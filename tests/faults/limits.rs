//! Rows 8 to 11: allowances that are used up.

use tandem::model::Side;
use tandem::sim::faults::{Fault, Switch};

use crate::{PEOPLE, Pair, calls, crowd, on_writes, struck, waiting};

#[tokio::test]
async fn row_08_a_full_window_is_waited_out_and_costs_no_attempt() {
    let mut ada = Pair::of(PEOPLE).await;
    let full = on_writes(Side::HubSpot, Fault::BurstLimit).times(30);
    ada.write_into(Side::HubSpot, &[full]).await;
    assert_eq!(
        struck(&ada.world, Fault::BurstLimit),
        30,
        "more often than any schedule has attempts"
    );
    let sent = ada.world.hubspot.requests().into_iter();
    let refused: Vec<_> = sent.filter(|request| request.status == 429).collect();
    for two in refused.windows(2) {
        let wait = two[1].at.millis_since(two[0].at);
        assert!(wait >= 10_000, "{wait} ms after a full window");
    }
    assert_eq!(ada.writes(Side::HubSpot), 1);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_08_a_used_up_day_is_not_asked_again_before_time() {
    let mut ada = Pair::of(PEOPLE).await;
    ada.retitle(Side::Salesforce, "CEO");
    let used_up = Switch::of(Fault::DailyLimit).times(2);
    ada.world.hubspot.set_faults(&[used_up]);
    for _ in 0..60 {
        ada.world.settle().await;
        ada.world.pass(60 * 60_000);
    }
    let sent = ada.world.hubspot.requests().into_iter();
    let refused: Vec<_> = sent.filter(|request| request.status == 429).collect();
    assert_eq!(refused.len(), 2);
    let wait = refused[1].at.millis_since(refused[0].at);
    assert!(wait >= 10 * 60_000, "{wait} ms after the day's last call");
    assert_eq!(ada.title(Side::HubSpot), "CEO");
    assert_eq!(ada.world.letter_codes().await, [""; 0]);
}

#[tokio::test]
async fn row_09_a_search_limit_stops_searches_and_nothing_else() {
    let mut ada = Pair::of(PEOPLE).await;
    let searches = Switch::of(Fault::SearchLimit).family("objects.search");
    ada.world.hubspot.set_faults(&[searches]);
    ada.retitle(Side::Salesforce, "CEO");
    ada.world.pass(30_000);
    ada.world.engine().poll_now().await.unwrap();
    for _ in 0..200 {
        if let tandem::app::Step::Wait(_) = ada.world.step().await {
            ada.world.pass(1_000);
        }
    }
    assert!(
        struck(&ada.world, Fault::SearchLimit) >= 2,
        "it is tried again"
    );
    assert_eq!(
        ada.title(Side::HubSpot),
        "CEO",
        "writes have an allowance of their own"
    );
    ada.world.hubspot.set_faults(&[]);
    ada.retitle(Side::HubSpot, "Chair");
    ada.world.settle().await;
    assert_eq!(ada.title(Side::Salesforce), "Chair");
    assert_eq!(ada.world.letter_codes().await, [""; 0]);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_10_a_used_up_salesforce_allowance_gives_nothing_up() {
    let mut ada = Pair::of(PEOPLE).await;
    ada.retitle(Side::HubSpot, "CEO");
    let used_up = Switch::of(Fault::RequestLimit).times(20);
    ada.world.salesforce.set_faults(&[used_up]);
    for _ in 0..60 {
        ada.world.settle().await;
        ada.world.pass(15 * 60_000);
    }
    assert_eq!(struck(&ada.world, Fault::RequestLimit), 20);
    assert_eq!(ada.title(Side::Salesforce), "CEO");
    assert_eq!(ada.world.letter_codes().await, [""; 0]);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_11_too_many_long_requests_make_the_next_calls_smaller_and_cost_no_attempt() {
    let (mut world, pairs) = crowd(PEOPLE, 200).await;
    for (hubspot, _) in &pairs {
        world.edit_hubspot("contacts", hubspot, &[("jobtitle", "CEO")]);
    }
    // A batch of this size is written and read in one call, until there is reason for smaller ones.
    let families = ["collections-update", "composite"];
    let writes = |world: &crate::world::World| -> u64 {
        let calls = families.map(|family| calls(world, Side::Salesforce, family));
        calls.iter().sum()
    };
    let before = writes(&world);
    let long = on_writes(Side::Salesforce, Fault::LongRequests).times(1);
    world.salesforce.set_faults(&[long]);
    world.pass(30_000);
    world.engine().poll_now().await.unwrap();
    while struck(&world, Fault::LongRequests) == 0 {
        if let tandem::app::Step::Wait(_) = world.step().await {
            world.pass(500);
        }
    }
    let attempts = waiting(&world).await.into_iter().map(|work| work.attempts);
    assert_eq!(attempts.max(), Some(0), "no record's fault");
    world.settle().await;
    world.settle().await;
    for (_, salesforce) in &pairs {
        assert_eq!(world.sf("Contact", salesforce, "Title"), "CEO");
    }
    let sent = writes(&world) - before;
    assert!(sent >= 3, "{sent} calls, where two were full");
    assert_eq!(world.salesforce.counters().records_updated, 200);
    world.assert_quiet().await;
}
