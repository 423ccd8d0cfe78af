//! Rows 24, 27, 28, 69, 75 to 78, 80 and 81: what people do at the wrong moment.

use tandem::model::{LinkState, Side};
use tandem::sim::faults::{Fault, Switch};

use crate::world::{Setup, World};
use crate::{PEOPLE, Pair, add_hubspot, add_salesforce, crowd, struck, switch_on};

fn archiving() -> String {
    format!("{PEOPLE}\ndelete: {{ hubspot: archive, salesforce: archive }}\n")
}

#[tokio::test]
async fn row_24_an_edit_right_after_our_write_is_kept_and_travels() {
    for (side, object, field) in [
        (Side::HubSpot, "contacts", "jobtitle"),
        (Side::Salesforce, "Contact", "Title"),
    ] {
        let mut ada = Pair::of(PEOPLE).await;
        let quick = Switch::of(Fault::EditAfter).object(object).field(field);
        switch_on(&ada.world, &[quick.times(1).value("Chair")]);
        ada.retitle(side.other(), "CEO");
        ada.world.settle().await;
        assert_eq!(struck(&ada.world, Fault::EditAfter), 1, "{side:?}");
        assert_eq!(ada.title(side), "Chair", "{side:?}: a user's edit stays");
        ada.world.assert_nothing_open().await;
        let travelled = ada.title(side.other()) == "Chair";
        let told = !ada.world.holds().await.is_empty();
        assert!(travelled || told, "{side:?}: neither travelled nor told");
    }
}

#[tokio::test]
async fn row_27_equal_edits_on_both_sides_are_agreement_and_no_write() {
    let mut ada = Pair::of(PEOPLE).await;
    ada.retitle(Side::HubSpot, "CEO");
    ada.retitle(Side::Salesforce, "CEO");
    let before = ada.world.api_writes();
    ada.world.settle().await;
    assert_eq!(ada.world.api_writes(), before);
    assert_eq!(ada.world.conflicts().await, []);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_28_different_edits_are_one_conflict_and_one_write() {
    let mut ada = Pair::of(PEOPLE).await;
    ada.retitle(Side::HubSpot, "CEO");
    ada.retitle(Side::Salesforce, "Chair");
    let before = ada.world.api_writes();
    ada.world.settle().await;
    assert_eq!(ada.world.api_writes() - before, 1);
    assert_eq!(ada.title(Side::HubSpot), "Chair", "the mapping's winner");
    let conflicts = ada.world.conflicts().await;
    assert_eq!(conflicts.len(), 1);
    let loser: Vec<_> = conflicts[0].loser.values().collect();
    assert_eq!(loser.len(), 1);
    assert_eq!(loser[0].as_text(), Some("CEO"), "the loser is kept");
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_69_one_person_added_to_both_sides_at_once_is_one_link() {
    let mut ada = Pair::of(PEOPLE).await;
    add_hubspot(&ada.world, "bo");
    add_salesforce(&ada.world, "bo");
    ada.world.settle().await;
    assert_eq!(ada.world.pairs().await.len(), 2);
    assert_eq!(ada.world.hubspot_ids("contacts").len(), 2);
    assert_eq!(ada.world.salesforce_ids("Contact").len(), 2);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_70_a_crash_between_a_create_and_its_link_meets_its_own_record() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        let lost = crate::on_writes(side, Fault::LostReply).times(1);
        switch_on(&ada.world, &[lost]);
        match side {
            Side::HubSpot => add_salesforce(&ada.world, "bo"),
            Side::Salesforce => add_hubspot(&ada.world, "bo"),
        };
        ada.world
            .until(|world| struck(world, Fault::LostReply) > 0)
            .await;
        ada.world.crash().await;
        ada.world.settle().await;
        assert_eq!(ada.world.hubspot_ids("contacts").len(), 2, "{side:?}");
        assert_eq!(ada.world.salesforce_ids("Contact").len(), 2, "{side:?}");
        assert_eq!(ada.world.pairs().await.len(), 2, "{side:?}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_75_an_edit_beats_a_delete() {
    for side in Side::BOTH {
        let mut ada = Pair::of(&archiving()).await;
        ada.retitle(side, "CEO");
        match side {
            Side::HubSpot => ada
                .world
                .salesforce
                .delete("Contact", &ada.salesforce)
                .unwrap(),
            Side::Salesforce => ada.world.hubspot.archive("contacts", &ada.hubspot).unwrap(),
        }
        ada.world.settle().await;
        assert_eq!(
            ada.title(side),
            "CEO",
            "{side:?}: what was just edited stays"
        );
        let alive = match side {
            Side::HubSpot => ada.world.hubspot_ids("contacts").len(),
            Side::Salesforce => ada.world.salesforce_ids("Contact").len(),
        };
        assert_eq!(alive, 1, "{side:?}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_76_a_mass_delete_waits_for_a_person_while_edits_flow() {
    let (mut world, pairs) = crowd(&archiving(), 60).await;
    for (_, salesforce) in &pairs[..50] {
        world.salesforce.delete("Contact", salesforce).unwrap();
    }
    world.edit_hubspot("contacts", &pairs[55].0, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.hubspot_ids("contacts").len(), 60, "the guard holds");
    assert_eq!(world.letter_codes().await, ["guard-deletes"; 50]);
    assert_eq!(
        world.sf("Contact", &pairs[55].1, "Title"),
        "CEO",
        "edits flow"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn row_77_an_undelete_revives_the_link() {
    for side in Side::BOTH {
        let mut ada = Pair::of(PEOPLE).await;
        match side {
            Side::HubSpot => ada.world.hubspot.archive("contacts", &ada.hubspot).unwrap(),
            Side::Salesforce => ada
                .world
                .salesforce
                .delete("Contact", &ada.salesforce)
                .unwrap(),
        }
        let key = match side {
            Side::HubSpot => &ada.hubspot,
            Side::Salesforce => &ada.salesforce,
        };
        ada.world.mark("contacts", side, key).await;
        ada.world.settle().await;
        assert_eq!(
            ada.world.link().await.state,
            LinkState::Tombstoned,
            "{side:?}"
        );
        match side {
            Side::HubSpot => ada.world.hubspot.restore("contacts", &ada.hubspot).unwrap(),
            Side::Salesforce => ada
                .world
                .salesforce
                .undelete("Contact", &ada.salesforce)
                .unwrap(),
        }
        ada.retitle(side, "CEO");
        ada.world.settle().await;
        assert_eq!(ada.world.link().await.state, LinkState::Linked, "{side:?}");
        assert_eq!(ada.title(side.other()), "CEO", "{side:?}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_78_a_record_gone_from_the_bin_is_deleted_and_stays_so() {
    let mut ada = Pair::of(PEOPLE).await;
    switch_on(&ada.world, &[Switch::of(Fault::BinEmptied).seconds(90)]);
    ada.world
        .salesforce
        .delete("Contact", &ada.salesforce)
        .unwrap();
    ada.world.settle().await;
    assert_eq!(ada.world.link().await.state, LinkState::Tombstoned);
    ada.world.pass(120_000);
    ada.retitle(Side::HubSpot, "CEO");
    ada.world.settle().await;
    ada.world.scan().await;
    ada.world.settle().await;
    assert_eq!(struck(&ada.world, Fault::BinEmptied), 1);
    assert_eq!(ada.world.salesforce.records("Contact"), []);
    assert_eq!(ada.world.link().await.state, LinkState::Tombstoned);
    assert_eq!(ada.world.hubspot_ids("contacts").len(), 1);
    ada.world.assert_quiet().await;
}

#[tokio::test]
async fn row_78_a_bin_that_was_emptied_before_anybody_looked_deletes_nothing_on_the_other_side() {
    let mut ada = Pair::of(&archiving()).await;
    switch_on(&ada.world, &[Switch::of(Fault::BinEmptied)]);
    ada.world
        .salesforce
        .delete("Contact", &ada.salesforce)
        .unwrap();
    ada.retitle(Side::HubSpot, "CEO");
    ada.world.settle().await;
    ada.world.scan().await;
    ada.world.settle().await;
    assert_eq!(
        ada.world.hubspot_ids("contacts").len(),
        1,
        "an edit beats it"
    );
    assert_eq!(
        ada.world.salesforce_ids("Contact").len(),
        0,
        "and nothing is made again"
    );
    ada.world.assert_quiet().await;
}

const FIRMS: &str = r#"
mapping: companies
hubspot: companies
salesforce: Account
conflict: salesforce
match:
  - domain: Website
create: both
rules:
  name: Name
  domain: { to: Website, as: domain }
"#;

const EMPLOYED: &str = r#"
associations:
  - { hubspot: companies, label: primary, salesforce: AccountId, mapping: companies, required: yes }
"#;

#[tokio::test]
async fn row_80_a_child_waits_for_the_link_of_its_parent() {
    let children = format!("{PEOPLE}{EMPLOYED}");
    let mut world = World::with(&[FIRMS, &children]).await;
    world.settle().await;
    let firm = [("Name", "Acme"), ("Website", "acme.example")];
    let firm = world.add_salesforce("Account", &firm);
    let fields = [
        ("Email", "ada@example.com"),
        ("LastName", "Lind"),
        ("AccountId", firm.as_str()),
    ];
    world.add_salesforce("Contact", &fields);
    // The parent cannot be made for a while.
    let refused = Switch {
        writes: Some(true),
        ..Switch::of(Fault::Unavailable).object("companies").times(4)
    };
    world.hubspot.set_faults(&[refused]);
    world.settle().await;
    assert_eq!(struck(&world, Fault::Unavailable), 4);
    let (people, firms) = (
        world.hubspot_ids("contacts"),
        world.hubspot_ids("companies"),
    );
    assert_eq!((people.len(), firms.len()), (1, 1));
    let ties = world
        .hubspot
        .associations("contacts", &people[0], "companies");
    assert_eq!(ties.len(), 1, "made with its parent");
    assert_eq!(ties[0].0, firms[0]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn row_81_a_ring_of_accounts_is_no_deadlock() {
    let mut world = World::new(Setup::with(&[FIRMS])).await;
    let firm = |name: &str, site: &str| {
        world.add_salesforce("Account", &[("Name", name), ("Website", site)])
    };
    let (a, b) = (firm("A", "a.example"), firm("B", "b.example"));
    world.edit_salesforce("Account", &a, &[("ParentId", &b)]);
    world
        .salesforce
        .edit("Account", &b, &[("ParentId", a.as_str().into())])
        .ok();
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 2);
    world.assert_quiet().await;
}
