//! Rows 29 to 33 and 35: values that are not stored as they were sent.

use tandem::model::{HoldReason, Side};
use tandem::sim::faults::{Fault, Switch};

use crate::world::{Setup, World};
use crate::{PEOPLE, Pair, run_for, struck, switch_on};

fn on_title(side: Side, fault: Fault) -> Switch {
    match side {
        Side::HubSpot => Switch::of(fault).object("contacts").field("jobtitle"),
        Side::Salesforce => Switch::of(fault).object("Contact").field("Title"),
    }
}

/// Writes a title into a side that stores something else, and returns the hold that follows.
async fn held(side: Side, fault: Fault, stored: &str) -> (Pair, HoldReason) {
    let mut ada = Pair::of(PEOPLE).await;
    switch_on(&ada.world, &[on_title(side, fault)]);
    ada.retitle(side.other(), "Chief Officer");
    ada.world.settle().await;
    assert!(struck(&ada.world, fault) >= 1);
    assert_eq!(ada.title(side), stored, "{fault:?} {side:?}");
    assert_eq!(
        ada.title(side.other()),
        "Chief Officer",
        "what a user typed stays"
    );
    let holds = ada.world.holds().await;
    assert_eq!(holds.len(), 1, "{fault:?} {side:?}");
    assert_eq!(holds[0].rule, "jobtitle");
    let reason = holds[0].reason;
    (ada, reason)
}

/// Nothing is sent again, and once the side behaves both agree on a new value.
///
/// Without its history nobody can tell an altered value from one that a person typed right after
/// our write. So the next edit meets it as a conflict, which the mapping decides and which is kept.
async fn released(mut ada: Pair, side: Side, reason: HoldReason) {
    let before = ada.world.api_writes();
    for _ in 0..3 {
        ada.world.settle().await;
    }
    ada.world.scan().await;
    assert_eq!(
        ada.world.api_writes(),
        before,
        "a held value is not sent again"
    );
    switch_on(&ada.world, &[]);
    ada.retitle(side.other(), "Chair");
    ada.world.settle().await;
    let conflicts = ada.world.conflicts().await;
    assert_eq!(conflicts.len(), usize::from(reason == HoldReason::Altered));
    if reason == HoldReason::NotKept || side == Side::HubSpot {
        assert_eq!(ada.title(side), "Chair", "{side:?}");
    } else {
        let kept = format!("{:?}", conflicts[0].loser);
        assert!(kept.contains("Chair"), "{side:?}: {kept}");
    }
    assert_eq!(
        ada.title(Side::HubSpot),
        ada.title(Side::Salesforce),
        "{side:?}"
    );
    assert_eq!(ada.world.holds().await, []);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_29_lower_case_that_means_the_same_is_agreement_and_no_echo() {
    let by_mail = PEOPLE.replace("  - email: Email", "  - lastname: LastName");
    let mut setup = Setup::with(&[&by_mail]);
    setup.hubspot.normalise = true;
    let mut world = World::new(setup).await;
    world.open().await;
    world.settle().await;
    let fields = [("Email", "Ada.Lind@Example.COM"), ("LastName", "Lind")];
    let salesforce = world.add_salesforce("Contact", &fields);
    world.settle().await;
    let hubspot = world.hubspot_ids("contacts").remove(0);
    assert_eq!(
        world.hs("contacts", &hubspot, "email"),
        "ada.lind@example.com"
    );
    let stored = world.sf("Contact", &salesforce, "Email");
    assert!(
        stored.eq_ignore_ascii_case("ada.lind@example.com"),
        "{stored}"
    );
    assert_eq!(world.holds().await, []);
    world.assert_quiet().await;
}

#[tokio::test]
async fn row_29_a_value_that_comes_back_in_lower_case_is_held_and_not_echoed() {
    for side in Side::BOTH {
        let (ada, reason) = held(side, Fault::Lowered, "chief officer").await;
        assert_eq!(reason, HoldReason::Altered);
        released(ada, side, reason).await;
    }
}

const DEALS: &str = r#"
mapping: deals
hubspot: deals
salesforce: Opportunity
conflict: salesforce
match:
  - dealname: Name
create: never
rules:
  dealname: Name
  amount: Amount
"#;

/// A deal on both sides with an amount that is then changed to one with cents.
async fn deal(mapping: &str) -> (World, String, String) {
    let mut world = World::new(Setup::with(&[mapping])).await;
    let fields = [
        ("dealname", "Big"),
        ("dealstage", "appointmentscheduled"),
        ("pipeline", "default"),
        ("amount", "100"),
    ];
    let hubspot = world.add_hubspot("deals", &fields);
    let fields = [
        ("Name", "Big".into()),
        ("StageName", "Prospecting".into()),
        ("CloseDate", "2026-06-01".into()),
        ("Amount", 100.0.into()),
    ];
    let salesforce = world.salesforce.create("Opportunity", &fields).unwrap();
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 1);
    world.salesforce.set_faults(&[Switch::of(Fault::Rounded)
        .object("Opportunity")
        .field("Amount")]);
    world.edit_hubspot("deals", &hubspot, &[("amount", "150.25")]);
    world.settle().await;
    assert!(struck(&world, Fault::Rounded) >= 1);
    assert_eq!(world.sf("Opportunity", &salesforce, "Amount"), "150.0");
    assert_eq!(world.hs("deals", &hubspot, "amount"), "150.25");
    (world, hubspot, salesforce)
}

#[tokio::test]
async fn row_29_a_rounded_amount_is_held_and_not_echoed() {
    let (mut world, _, _) = deal(DEALS).await;
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].reason, HoldReason::Altered);
    world.assert_quiet().await;
}

#[tokio::test]
async fn row_29_a_rounding_that_the_mapping_tolerates_is_agreement() {
    let tolerant = DEALS.replace(
        "amount: Amount",
        "amount: { to: Amount, tolerance: round(0) }",
    );
    let (mut world, hubspot, _) = deal(&tolerant).await;
    assert_eq!(world.holds().await, []);
    assert_eq!(world.hs("deals", &hubspot, "amount"), "150.25", "no echo");
    world.assert_quiet().await;
}

#[tokio::test]
async fn row_30_a_value_that_is_cut_without_a_word_is_held() {
    for side in Side::BOTH {
        let (ada, reason) = held(side, Fault::Truncated, "Chief O").await;
        assert_eq!(reason, HoldReason::Altered);
        released(ada, side, reason).await;
    }
}

#[tokio::test]
async fn row_31_a_value_that_is_ignored_is_told_as_not_kept() {
    for side in Side::BOTH {
        let (ada, reason) = held(side, Fault::Ignored, "CTO").await;
        assert_eq!(reason, HoldReason::NotKept);
        released(ada, side, reason).await;
    }
}

#[tokio::test]
async fn row_32_a_value_that_a_trigger_rewrites_is_held_and_not_fought() {
    for side in Side::BOTH {
        let (ada, reason) = held(side, Fault::Rewritten, "Chief Officer (by a flow)").await;
        assert_eq!(reason, HoldReason::Altered);
        released(ada, side, reason).await;
    }
}

#[tokio::test]
async fn row_33_a_value_that_an_automation_takes_back_travels_back_once() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        switch_on(&ada.world, &[on_title(side, Fault::Reverted).times(1)]);
        ada.retitle(side.other(), "Chief Officer");
        run_for(&mut ada.world, 30).await;
        assert_eq!(struck(&ada.world, Fault::Reverted), 1);
        assert_eq!(
            ada.title(side),
            "CTO",
            "{side:?}: the automation had the last word"
        );
        assert_eq!(ada.title(side.other()), "CTO", "{side:?}: and both agree");
        assert_eq!(ada.writes(side.other()), 1, "{side:?}: it travels once");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_35_a_calculated_property_is_refused_when_the_mapping_is_read() {
    let calculated = PEOPLE.replace(
        "  phone: {",
        "  hs_full_name_or_email: Department\n  phone: {",
    );
    let world = World::new(Setup::with(&[&calculated])).await;
    let faults = crate::misfits(&world).await;
    assert!(faults.contains("hs_full_name_or_email"), "{faults}");
}
