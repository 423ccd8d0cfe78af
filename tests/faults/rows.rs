//! Rows 12, 36 to 39, 62 to 64, 66 to 68 and 82: single records of a write that fail.

use tandem::model::{HoldReason, LinkState, Side};
use tandem::sim::faults::{Fault, Switch};

use crate::world::World;
use crate::{PEOPLE, Pair, add_hubspot, add_salesforce, crowd, run_for, struck, switch_on};

/// Everybody gets another title on the other side of `side`.
fn promote(world: &World, pairs: &[(String, String)], side: Side) {
    for (hubspot, salesforce) in pairs {
        match side {
            Side::HubSpot => world.edit_salesforce("Contact", salesforce, &[("Title", "CEO")]),
            Side::Salesforce => world.edit_hubspot("contacts", hubspot, &[("jobtitle", "CEO")]),
        }
    }
}

/// How many hold the new title on both sides.
fn promoted(world: &World, pairs: &[(String, String)]) -> usize {
    let both = pairs.iter().filter(|(hubspot, salesforce)| {
        world.hs("contacts", hubspot, "jobtitle") == "CEO"
            && world.sf("Contact", salesforce, "Title") == "CEO"
    });
    both.count()
}

fn written(world: &World, side: Side) -> u64 {
    match side {
        Side::HubSpot => world.hubspot.counters().records_updated,
        Side::Salesforce => world.salesforce.counters().records_updated,
    }
}

fn id(pair: &(String, String), side: Side) -> &str {
    match side {
        Side::HubSpot => &pair.0,
        Side::Salesforce => &pair.1,
    }
}

#[tokio::test]
async fn row_12_a_locked_row_is_tried_again_alone() {
    let (mut world, pairs) = crowd(PEOPLE, 5).await;
    promote(&world, &pairs, Side::Salesforce);
    let locked = Switch::of(Fault::RowLocked).record(&pairs[2].1).times(3);
    switch_on(&world, &[locked]);
    world.settle().await;
    assert_eq!(struck(&world, Fault::RowLocked), 3);
    assert_eq!(promoted(&world, &pairs), 5);
    assert_eq!(
        written(&world, Side::Salesforce),
        5,
        "neighbours are written once"
    );
    assert_eq!(world.letter_codes().await, [""; 0]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn row_62_in_a_batch_that_fails_in_part_the_good_rows_are_done_and_the_bad_one_comes_again() {
    for side in Side::BOTH {
        let (mut world, pairs) = crowd(PEOPLE, 5).await;
        promote(&world, &pairs, side);
        let bad = Switch::of(Fault::RowFailed)
            .record(id(&pairs[1], side))
            .times(2);
        switch_on(&world, &[bad]);
        world.settle().await;
        assert_eq!(struck(&world, Fault::RowFailed), 2, "{side:?}");
        assert_eq!(promoted(&world, &pairs), 5, "{side:?}");
        assert_eq!(
            written(&world, side),
            5,
            "{side:?}: neighbours are written once"
        );
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_63_a_batch_refused_for_one_record_is_halved_until_it_stands_alone() {
    let (mut world, pairs) = crowd(PEOPLE, 8).await;
    promote(&world, &pairs, Side::HubSpot);
    let bad = Switch::of(Fault::BatchRefused).record(&pairs[5].0);
    switch_on(&world, &[bad]);
    world.settle().await;
    assert_eq!(promoted(&world, &pairs), 7, "all but the one");
    let calls = struck(&world, Fault::BatchRefused);
    assert!(calls <= 4, "{calls} refusals for one of eight");
    assert_eq!(
        world.letters().await.len(),
        1,
        "told once, for the one record"
    );
    switch_on(&world, &[]);
    world.edit_salesforce("Contact", &pairs[5].1, &[("FirstName", "Eve")]);
    world.settle().await;
    assert_eq!(promoted(&world, &pairs), 8, "a new edit opens it again");
    assert_eq!(world.letters().await.len(), 0);
    world.assert_quiet().await;
}

#[tokio::test]
async fn row_64_rows_rolled_back_with_a_neighbour_are_written_after_all() {
    let (mut world, pairs) = crowd(PEOPLE, 5).await;
    promote(&world, &pairs, Side::Salesforce);
    let both = [
        Switch::of(Fault::AllOrNone).times(1),
        Switch::of(Fault::RowLocked).record(&pairs[0].1).times(1),
    ];
    switch_on(&world, &both);
    world.settle().await;
    assert_eq!(struck(&world, Fault::AllOrNone), 1);
    assert_eq!(promoted(&world, &pairs), 5);
    assert_eq!(world.letter_codes().await, [""; 0]);
    assert_eq!(world.holds().await, []);
    world.assert_quiet().await;
}

#[tokio::test]
async fn row_66_a_duplicate_rule_is_told_and_never_overridden() {
    let mut ada = Pair::of(PEOPLE).await;
    switch_on(&ada.world, &[Switch::of(Fault::DuplicateRule)]);
    add_hubspot(&ada.world, "bo");
    ada.world.settle().await;
    assert!(struck(&ada.world, Fault::DuplicateRule) >= 1);
    assert_eq!(
        ada.world.salesforce_ids("Contact").len(),
        1,
        "no forced save"
    );
    assert_eq!(ada.world.letter_codes().await, ["DUPLICATES_DETECTED"]);
    assert_eq!(
        ada.world.pairs().await.len(),
        1,
        "and nobody's partner is taken"
    );
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_67_an_external_id_that_means_several_records_is_left_to_a_person() {
    let mut ada = Pair::of(PEOPLE).await;
    switch_on(&ada.world, &[Switch::of(Fault::SeveralMatches)]);
    add_hubspot(&ada.world, "bo");
    ada.world.settle().await;
    assert_eq!(ada.world.salesforce_ids("Contact").len(), 1);
    assert_eq!(ada.world.letter_codes().await, ["DUPLICATE_EXTERNAL_ID"]);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_68_a_record_that_another_integration_made_first_is_adopted() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        let faster = Switch {
            side: Some(match side {
                Side::HubSpot => tandem::sim::faults::Crm::HubSpot,
                Side::Salesforce => tandem::sim::faults::Crm::Salesforce,
            }),
            ..Switch::of(Fault::CreatedElsewhere).times(1)
        };
        switch_on(&ada.world, &[faster]);
        match side {
            Side::HubSpot => add_salesforce(&ada.world, "bo"),
            Side::Salesforce => add_hubspot(&ada.world, "bo"),
        };
        ada.world.settle().await;
        assert_eq!(struck(&ada.world, Fault::CreatedElsewhere), 1, "{side:?}");
        assert_eq!(ada.world.hubspot_ids("contacts").len(), 2, "{side:?}");
        assert_eq!(ada.world.salesforce_ids("Contact").len(), 2, "{side:?}");
        assert_eq!(ada.world.pairs().await.len(), 2, "{side:?}");
        assert_eq!(ada.world.letter_codes().await, [""; 0], "{side:?}");
        // Where a key names the other record, the create becomes a write of what it holds.
        ada.world.assert_quiet_but_for_repeats().await;
    }
}

/// A title that one side refuses is held, and the rest of the record goes on.
async fn held_alone(side: Side, fault: Fault) {
    let mut ada = Pair::of(PEOPLE).await;
    let (object, field) = match side {
        Side::HubSpot => ("contacts", "jobtitle"),
        Side::Salesforce => ("Contact", "Title"),
    };
    switch_on(&ada.world, &[Switch::of(fault).object(object).field(field)]);
    match side {
        Side::HubSpot => ada.world.edit_salesforce(
            "Contact",
            &ada.salesforce,
            &[("Title", "CEO"), ("FirstName", "Adele")],
        ),
        Side::Salesforce => ada.world.edit_hubspot(
            "contacts",
            &ada.hubspot,
            &[("jobtitle", "CEO"), ("firstname", "Adele")],
        ),
    }
    ada.world.settle().await;
    assert!(struck(&ada.world, fault) >= 1, "{fault:?}");
    assert_eq!(ada.title(side), "CTO", "{fault:?} {side:?}");
    let first = (
        ada.world.hs("contacts", &ada.hubspot, "firstname"),
        ada.world.sf("Contact", &ada.salesforce, "FirstName"),
    );
    assert_eq!(
        first,
        ("Adele".to_owned(), "Adele".to_owned()),
        "{fault:?} {side:?}"
    );
    let holds = ada.world.holds().await;
    assert_eq!(holds.len(), 1, "{fault:?} {side:?}");
    assert_eq!(holds[0].rule, "jobtitle", "the field is named");
    assert_eq!(holds[0].reason, HoldReason::Refused);
    let before = ada.world.api_writes();
    ada.world.scan().await;
    assert_eq!(
        ada.world.api_writes(),
        before,
        "{fault:?}: the same value is not sent again"
    );
    switch_on(&ada.world, &[]);
    ada.retitle(side.other(), "Chair");
    ada.world.settle().await;
    assert_eq!(
        ada.title(side),
        "Chair",
        "{fault:?} {side:?}: new data opens it again"
    );
    assert_eq!(ada.world.holds().await, []);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_36_an_option_that_one_side_lacks_holds_its_field() {
    for side in Side::BOTH {
        held_alone(side, Fault::OptionRefused).await;
    }
}

#[tokio::test]
async fn row_37_a_required_field_that_is_missed_is_named() {
    for side in Side::BOTH {
        held_alone(side, Fault::RequiredMissing).await;
    }
}

#[tokio::test]
async fn row_38_a_validation_rule_holds_its_field_until_the_data_changes() {
    for side in Side::BOTH {
        held_alone(side, Fault::ValidationRule).await;
    }
}

#[tokio::test]
async fn row_39_a_deleted_hubspot_property_stops_its_rule_and_blanks_nothing() {
    let mut ada = Pair::of(PEOPLE).await;
    let deleted = Switch::of(Fault::FieldDeleted)
        .object("contacts")
        .field("jobtitle");
    ada.world.hubspot.set_faults(&[deleted]);
    ada.world.edit_salesforce(
        "Contact",
        &ada.salesforce,
        &[("Title", "CEO"), ("FirstName", "Adele")],
    );
    run_for(&mut ada.world, 60).await;
    assert_eq!(ada.title(Side::Salesforce), "CEO", "gone is not blank");
    let first = ada.world.hs("contacts", &ada.hubspot, "firstname");
    assert_eq!(first, "Adele", "the rest of the record goes on");
    let link = ada.world.link().await;
    assert_eq!(link.state, LinkState::Linked);
}

#[tokio::test]
async fn row_39_a_deleted_salesforce_field_stops_its_mapping_and_blanks_nothing() {
    let mut ada = Pair::of(PEOPLE).await;
    let deleted = Switch::of(Fault::FieldDeleted)
        .object("Contact")
        .field("Title");
    ada.world.salesforce.set_faults(&[deleted]);
    ada.retitle(Side::HubSpot, "CEO");
    run_for(&mut ada.world, 60).await;
    assert_eq!(ada.title(Side::HubSpot), "CEO", "gone is not blank");
    assert_eq!(ada.title(Side::Salesforce), "CTO");
    ada.world.close().await;
    let faults = crate::misfits(&ada.world).await;
    assert!(faults.contains("Title"), "{faults}");
}

const OWNED: &str = r#"
  hubspot_owner_id: { to: OwnerId, owner: { chain: [email, keep] } }
"#;

#[tokio::test]
async fn row_82_an_inactive_owner_holds_the_owner_and_nothing_else() {
    let mapping = format!("{PEOPLE}{OWNED}");
    let mut ada = Pair::of(&mapping).await;
    let owners = tandem::sim::seed::OWNERS;
    let inactive = Switch::of(Fault::InactiveOwner).object("Contact");
    ada.world.salesforce.set_faults(&[inactive]);
    let fields = [("hubspot_owner_id", owners[1].0), ("firstname", "Adele")];
    ada.world.edit_hubspot("contacts", &ada.hubspot, &fields);
    ada.world.settle().await;
    assert!(struck(&ada.world, Fault::InactiveOwner) >= 1);
    let first = ada.world.sf("Contact", &ada.salesforce, "FirstName");
    assert_eq!(first, "Adele", "the rest of the record goes on");
    let holds = ada.world.holds().await;
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].rule, "hubspot_owner_id");
    ada.world.assert_quiet().await;
}
