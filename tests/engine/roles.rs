//! Contact roles: a label on HubSpot, a row of its own on Salesforce, merged one by one.

use crate::office::{
    CONTACTS, DEALS, DECIDES, Office, ROLE, hubspot_deal, labelled, opportunity, role, rows,
};
use crate::world::Setup;

/// Where rows are made and deleted.
const ROWS: &str = "/composite/sobjects";

#[tokio::test]
async fn at_first_contact_the_roles_of_both_sides_come_together() {
    let mut office = Office::new(Setup::with(&[CONTACTS, DEALS]), 4).await;
    office.label(0);
    office.label(1);
    office.give_role(1);
    office.give_role(2);
    // Another role of hers is nobody's business here.
    let (person, deal) = (&office.person.1, &office.deals[3].1);
    role(&office.world, person, deal, "Evaluator");
    office.world.open().await;
    office.world.settle().await;
    assert_eq!(office.decides(), (vec![0, 1, 2], vec![0, 1, 2]));
    assert_eq!(
        rows(&office.world).len(),
        4,
        "the other role is still there"
    );
    assert!(office.world.conflicts().await.is_empty());
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn a_role_that_is_given_or_taken_on_one_side_is_given_or_taken_on_the_other() {
    let mut office = Office::with_roles(2).await;
    assert_eq!(office.decides(), (vec![0, 1], vec![0, 1]));
    office.unlabel(0);
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![1], vec![1]), "taken in HubSpot");
    office.take_role(1);
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![], vec![]), "taken in Salesforce");
    office.label(1);
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![1], vec![1]), "given in HubSpot");
    office.give_role(0);
    office.world.scan().await;
    assert_eq!(
        office.decides(),
        (vec![0, 1], vec![0, 1]),
        "given in Salesforce"
    );
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn taking_a_label_leaves_the_other_ties_of_the_pair() {
    let mut office = Office::with_roles(1).await;
    office.take_role(0);
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![], vec![]));
    let (person, hubspot) = (&office.person.0, &office.world.hubspot);
    let ties = hubspot.associations("contacts", person, "deals");
    assert_eq!(ties.len(), 1, "she is still one of the deal's people");
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn what_both_sides_give_and_take_at_once_all_happens_and_nobody_loses() {
    let mut office = Office::with_roles(6).await;
    office.unlabel(0);
    office.take_role(1);
    office.unlabel(2);
    office.take_role(2);
    let deals: Vec<_> = ["New 0", "New 1"]
        .map(|name| {
            let world = &office.world;
            (hubspot_deal(world, name), opportunity(world, name))
        })
        .into();
    office.deals.extend(deals);
    office.world.settle().await;
    office.label(6);
    office.give_role(7);
    office.world.scan().await;
    let left = vec![3, 4, 5, 6, 7];
    assert_eq!(office.decides(), (left.clone(), left));
    assert!(office.world.conflicts().await.is_empty(), "no winner");
    assert!(office.world.holds().await.is_empty());
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn a_deal_that_is_not_linked_yet_keeps_only_its_own_role_waiting() {
    let mut office = Office::linked(2).await;
    let lone = hubspot_deal(&office.world, "Later");
    let (person, hubspot) = (&office.person.0, &office.world.hubspot);
    hubspot
        .associate(("contacts", person), ("deals", &lone), DECIDES)
        .unwrap();
    office.label(0);
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![0], vec![0]), "the others go on");
    let holds = office.world.holds().await;
    assert_eq!(holds.len(), 1);
    assert!(holds[0].detail.contains("not linked yet"), "{holds:?}");
    // Meanwhile the set goes on in both directions.
    office.give_role(1);
    office.unlabel(0);
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![1], vec![1]));
    assert!(labelled(&office.world, &office.person.0).contains(&lone));
    let there = opportunity(&office.world, "Later");
    office.deals.push((lone, there));
    office.world.settle().await;
    assert_eq!(office.decides(), (vec![1, 2], vec![1, 2]), "it follows");
    assert!(office.world.holds().await.is_empty());
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn a_new_contact_gets_the_roles_it_has_on_the_other_side() {
    let mut office = Office::linked(2).await;
    let world = &office.world;
    let bo = [("email", "bo@example.com"), ("lastname", "Berg")];
    let bo = world.add_hubspot("contacts", &bo);
    let ties = (
        ("contacts", bo.as_str()),
        ("deals", office.deals[0].0.as_str()),
    );
    world.hubspot.associate(ties.0, ties.1, DECIDES).unwrap();
    let cy = [("Email", "cy@example.com"), ("LastName", "Cole")];
    let cy = world.add_salesforce("Contact", &cy);
    role(world, &cy, &office.deals[1].1, ROLE);
    office.world.settle().await;
    let pairs = office.world.pairs().await;
    let bo = pairs
        .iter()
        .find(|pair| pair.0 == bo)
        .expect("Bo is linked");
    let cy = pairs
        .iter()
        .find(|pair| pair.1 == cy)
        .expect("Cy is linked");
    let mut ties: Vec<_> = rows(&office.world)
        .into_iter()
        .map(|row| (row.0, row.1))
        .collect();
    ties.sort();
    let mut wanted = vec![
        (bo.1.clone(), office.deals[0].1.clone()),
        (cy.1.clone(), office.deals[1].1.clone()),
    ];
    wanted.sort();
    assert_eq!(ties, wanted);
    assert_eq!(labelled(&office.world, &cy.0), [office.deals[1].0.clone()]);
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn a_row_whose_reply_was_lost_is_not_made_twice() {
    for arrived in [true, false] {
        let mut office = Office::linked(2).await;
        office.label(0);
        office.label(1);
        match arrived {
            true => office.world.to_salesforce.lose_reply("POST", ROWS),
            false => office.world.to_salesforce.lose_request("POST", ROWS),
        }
        office.world.scan().await;
        assert_eq!(office.decides(), (vec![0, 1], vec![0, 1]), "{arrived}");
        assert_eq!(rows(&office.world).len(), 2, "{arrived}");
        assert!(office.world.letters().await.is_empty());
        office.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn the_rows_of_a_new_contact_are_not_made_twice_after_a_lost_reply() {
    let mut office = Office::linked(1).await;
    let bo = [("email", "bo@example.com"), ("lastname", "Berg")];
    let bo = office.world.add_hubspot("contacts", &bo);
    let deal = office.deals[0].0.clone();
    let hubspot = &office.world.hubspot;
    hubspot
        .associate(("contacts", &bo), ("deals", &deal), DECIDES)
        .unwrap();
    office.world.to_salesforce.lose_reply("PATCH", crate::KEYED);
    office.world.to_salesforce.lose_reply("POST", ROWS);
    office.world.settle().await;
    assert_eq!(rows(&office.world).len(), 1);
    assert_eq!(office.world.salesforce_ids("Contact").len(), 2);
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn a_row_that_is_there_twice_goes_as_one() {
    let mut office = Office::with_roles(1).await;
    office.give_role(0);
    office.world.scan().await;
    assert_eq!(rows(&office.world).len(), 2, "left as people made it");
    office.unlabel(0);
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![], vec![]));
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn a_row_that_somebody_else_deletes_at_the_same_moment_is_gone_as_wanted() {
    let mut office = Office::with_roles(1).await;
    office.unlabel(0);
    let (sim, row) = (
        office.world.salesforce.clone(),
        rows(&office.world)[0].3.clone(),
    );
    office.world.to_salesforce.before("DELETE", ROWS, move || {
        sim.delete("OpportunityContactRole", &row).unwrap();
    });
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![], vec![]));
    assert!(office.world.letters().await.is_empty());
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn a_role_that_salesforce_refuses_holds_its_rule_and_nothing_else() {
    let mut office = Office::linked(2).await;
    let bad = office.deals[1].1.clone();
    let rule = move |fields: &std::collections::BTreeMap<String, serde_json::Value>| {
        let is_bad = fields.get("OpportunityId") == Some(&bad.clone().into());
        is_bad.then(|| ("This deal has its decision maker".to_owned(), None))
    };
    let sim = &office.world.salesforce;
    sim.set_validation("OpportunityContactRole", Some(Box::new(rule)));
    office.label(0);
    office.label(1);
    let person = office.person.clone();
    office
        .world
        .edit_hubspot("contacts", &person.0, &[("jobtitle", "CTO")]);
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![0, 1], vec![0]));
    assert_eq!(office.world.sf("Contact", &person.1, "Title"), "CTO");
    let holds = office.world.holds().await;
    assert_eq!(holds.len(), 1);
    assert!(holds[0].detail.contains("its decision maker"), "{holds:?}");
    office.world.assert_quiet().await;
    // The hold ends when the set changes.
    office.unlabel(1);
    office.world.scan().await;
    assert!(office.world.holds().await.is_empty());
    assert_eq!(office.decides(), (vec![0], vec![0]));
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn a_flow_that_deletes_the_row_again_ends_in_a_hold_and_not_in_a_circle() {
    let mut office = Office::linked(1).await;
    office.label(0);
    // Right before the row is read back, somebody's flow has deleted it.
    let (sim, wire) = (
        office.world.salesforce.clone(),
        office.world.to_salesforce.clone(),
    );
    let inner = wire.clone();
    wire.before("POST", ROWS, move || {
        inner.before("POST", "/composite/sobjects/Contact", move || {
            for row in sim.records("OpportunityContactRole") {
                sim.delete("OpportunityContactRole", &row.id).unwrap();
            }
        });
    });
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![0], vec![]));
    let holds = office.world.holds().await;
    assert_eq!(holds.len(), 1);
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn a_contact_or_deal_that_goes_takes_its_roles_with_it_and_nothing_comes_back() {
    let mut office = Office::with_roles(2).await;
    let deal = office.deals[0].clone();
    office
        .world
        .salesforce
        .delete("Opportunity", &deal.1)
        .unwrap();
    office.world.settle().await;
    office.world.scan().await;
    assert_eq!(office.decides().1, [1]);
    assert_eq!(rows(&office.world).len(), 1);
    let contact = office.person.1.clone();
    office.world.salesforce.delete("Contact", &contact).unwrap();
    office.world.settle().await;
    office.world.scan().await;
    assert!(rows(&office.world).is_empty());
    office.world.assert_quiet().await;
}

#[tokio::test]
async fn the_same_rows_can_be_mapped_from_the_deal() {
    let contacts = CONTACTS.split("associations:").next().unwrap();
    let deals = format!(
        "{DEALS}associations:\n  - {{ hubspot: contacts, label: Decision maker, \
         salesforce: OpportunityContactRole, role: Decision Maker, mapping: contacts }}\n"
    );
    let mut office = Office::new(Setup::with(&[contacts, &deals]), 2).await;
    office.label(0);
    office.give_role(1);
    office.world.open().await;
    office.world.settle().await;
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![0, 1], vec![0, 1]));
    office.unlabel(0);
    office.world.scan().await;
    assert_eq!(office.decides(), (vec![1], vec![1]));
    office.world.assert_quiet().await;
}

/// Roles given and taken on both sides, not looked at yet.
pub async fn busy() -> Office {
    let office = Office::with_roles(4).await;
    office.unlabel(0);
    office.take_role(1);
    let world = &office.world;
    let bo = [("email", "bo@example.com"), ("lastname", "Berg")];
    let bo = world.add_hubspot("contacts", &bo);
    let deal = office.deals[2].0.clone();
    let hubspot = &world.hubspot;
    hubspot
        .associate(("contacts", &bo), ("deals", &deal), DECIDES)
        .unwrap();
    world.edit_hubspot("contacts", &office.person.0, &[("jobtitle", "CTO")]);
    office
}

/// HubSpot's type of contact to deal under the label `Influencer`.
const INFLUENCES: u32 = 39;

fn two_roles() -> String {
    let second = "  - hubspot: deals\n    label: Influencer\n    \
                  salesforce: OpportunityContactRole\n    role: Evaluator\n    mapping: deals\n";
    format!("{CONTACTS}{second}")
}

/// A labelled tie replaces the labels its pair has, so the second role must know of the first.
#[tokio::test]
async fn two_roles_given_at_once_are_two_labels_of_one_tie() {
    for linked in [true, false] {
        let mut office = Office::new(Setup::with(&[&two_roles(), DEALS]), 1).await;
        office.world.open().await;
        office.world.settle().await;
        let (mut person, deal) = (office.person.1.clone(), office.deals[0].1.clone());
        if !linked {
            let bo = [("Email", "bo@example.com"), ("LastName", "Ek")];
            person = office.world.add_salesforce("Contact", &bo);
        }
        for name in [ROLE, "Evaluator"] {
            role(&office.world, &person, &deal, name);
        }
        office.world.scan().await;
        office.world.settle().await;
        let pairs = office.world.pairs().await;
        let pair = pairs.iter().find(|(_, there)| *there == person);
        let here = &pair.expect("she is linked").0;
        let ties = office.world.hubspot.associations("contacts", here, "deals");
        assert_eq!(ties.len(), 1, "linked before: {linked}");
        for kind in [DECIDES, INFLUENCES] {
            assert!(
                ties[0].1.contains(&kind),
                "linked before: {linked}, {ties:?}"
            );
        }
        office.world.scan().await;
        assert_eq!(rows(&office.world).len(), 2, "neither role is taken back");
        office.world.assert_quiet().await;
    }
}
