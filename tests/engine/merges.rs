//! Two records became one: the link goes along, nothing is created, deleted or emptied over it.

use std::slice::from_ref;

use tandem::model::{LinkState, Side};

use crate::world::{SHIPPED, Setup, World};
use crate::{PEOPLE, linked};

/// As [`PEOPLE`], but nobody is created: a record without a partner stays without.
pub fn matching_only() -> String {
    PEOPLE.replace(
        "create: both",
        "create: { hubspot: never, salesforce: never }",
    )
}

/// Ada and Bo, linked: their HubSpot and Salesforce ids.
pub async fn ada_and_bo(mapping: &str) -> (World, [(String, String); 2]) {
    let mut world = World::new(Setup::with(&[mapping])).await;
    world.salesforce.set_duplicate_rule("Contact", None);
    let mut pairs = Vec::new();
    for (email, first, title) in [
        ("ada@example.com", "Ada", "CTO"),
        ("bo@example.com", "Bo", "CFO"),
    ] {
        let properties = [
            ("email", email),
            ("firstname", first),
            ("lastname", "Lind"),
            ("jobtitle", title),
        ];
        let fields = [
            ("Email", email),
            ("FirstName", first),
            ("LastName", "Lind"),
            ("Title", title),
        ];
        let hubspot = world.add_hubspot("contacts", &properties);
        pairs.push((hubspot, world.add_salesforce("Contact", &fields)));
    }
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 2);
    (world, pairs.try_into().unwrap())
}

async fn states(world: &World) -> Vec<LinkState> {
    let mut states: Vec<LinkState> = world.links().await.into_iter().map(|l| l.state).collect();
    states.sort();
    states
}

#[tokio::test]
async fn a_hubspot_merge_of_two_linked_contacts_keeps_the_primarys_pair_and_tells_of_the_other() {
    let (mut world, [ada, bo]) = ada_and_bo(PEOPLE).await;
    let left = world.hubspot.merge("contacts", &ada.0, &bo.0).unwrap();
    world.settle().await;
    assert_eq!(world.pairs().await, [(left.clone(), ada.1.clone())]);
    assert_eq!(
        states(&world).await,
        [LinkState::Linked, LinkState::Detached]
    );
    assert_eq!(
        world.api_writes(),
        0,
        "nothing differs, so nothing is written"
    );
    assert_eq!(world.letter_codes().await, ["merged"]);
    let message = &world.letters().await[0].message;
    for id in [&bo.0, &left, &ada.1, &bo.1] {
        assert!(
            message.contains(id.as_str()),
            "{id} is not named: {message}"
        );
    }
    // The pair goes on, both ways; what is left over rests.
    world.edit_hubspot("contacts", &left, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &ada.1, &[("FirstName", "Adah")]);
    world.edit_salesforce("Contact", &bo.1, &[("Title", "Boss")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &ada.1, "Title"), "CEO");
    assert_eq!(world.hs("contacts", &left, "firstname"), "Adah");
    assert_eq!(world.salesforce_ids("Contact").len(), 2);
    assert_eq!(world.hubspot_ids("contacts"), [left]);
    world.assert_quiet().await;
    assert_eq!(world.letter_codes().await, ["merged"], "told once");
}

#[tokio::test]
async fn the_letter_about_a_left_over_record_closes_when_that_is_merged_too() {
    let (mut world, [ada, bo]) = ada_and_bo(PEOPLE).await;
    world.hubspot.merge("contacts", &ada.0, &bo.0).unwrap();
    world.settle().await;
    assert_eq!(world.letter_codes().await, ["merged"]);
    world.salesforce.merge("Contact", &ada.1, &[&bo.1]).unwrap();
    world.settle().await;
    assert!(world.letters().await.is_empty());
    assert_eq!(
        states(&world).await,
        [LinkState::Linked, LinkState::Unlinked]
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_left_over_hubspot_contact_that_is_merged_too_closes_its_letter() {
    let (mut world, [ada, bo]) = ada_and_bo(PEOPLE).await;
    world.salesforce.merge("Contact", &ada.1, &[&bo.1]).unwrap();
    world.settle().await;
    assert_eq!(world.letter_codes().await, ["merged"]);
    assert_eq!(world.pairs().await, from_ref(&ada));
    let left = world.hubspot.merge("contacts", &ada.0, &bo.0).unwrap();
    world.settle().await;
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letters().await
    );
    assert_eq!(world.pairs().await, [(left, ada.1)]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_hubspot_merge_where_only_the_loser_is_linked_moves_the_link_and_the_values_travel() {
    let (mut world, hubspot, salesforce) = linked(&matching_only()).await;
    let other = world.add_hubspot("contacts", &[("lastname", "Lund"), ("jobtitle", "Chair")]);
    world.settle().await;
    let left = world.hubspot.merge("contacts", &other, &hubspot).unwrap();
    world.settle().await;
    assert_eq!(world.pairs().await, [(left.clone(), salesforce.clone())]);
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "Chair");
    assert_eq!(world.sf("Contact", &salesforce, "LastName"), "Lund");
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Ada");
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_merge_that_a_mark_of_the_other_side_meets_first_is_followed_all_the_same() {
    let (mut world, hubspot, salesforce) = linked(&matching_only()).await;
    let other = world.add_hubspot("contacts", &[("lastname", "Lund")]);
    world.settle().await;
    let left = world.hubspot.merge("contacts", &other, &hubspot).unwrap();
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    // HubSpot's search does not show the survivor yet.
    world.look().await;
    assert_eq!(world.pairs().await, [(left.clone(), salesforce)]);
    world.settle().await;
    assert_eq!(world.hs("contacts", &left, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_salesforce_merge_moves_the_losers_link_to_the_master_and_empties_nothing() {
    let (mut world, hubspot, salesforce) = linked(&matching_only()).await;
    world.salesforce.set_duplicate_rule("Contact", None);
    let master = world.add_salesforce(
        "Contact",
        &[("LastName", "Lund"), ("Email", "ada@example.com")],
    );
    world.settle().await;
    world
        .salesforce
        .merge("Contact", &master, &[&salesforce])
        .unwrap();
    world.settle().await;
    assert_eq!(world.pairs().await, [(hubspot.clone(), master.clone())]);
    assert_eq!(
        world.hs("contacts", &hubspot, "jobtitle"),
        "CTO",
        "not emptied"
    );
    assert_eq!(
        world.hs("contacts", &hubspot, "lastname"),
        "Lund",
        "a change"
    );
    assert_eq!(
        world.sf("Contact", &master, "Title"),
        "CTO",
        "filled instead"
    );
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letters().await
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_chain_of_two_salesforce_merges_is_followed_to_its_end() {
    let (mut world, hubspot, salesforce) = linked(&matching_only()).await;
    world.salesforce.set_duplicate_rule("Contact", None);
    let one = world.add_salesforce("Contact", &[("LastName", "One")]);
    let two = world.add_salesforce("Contact", &[("LastName", "Two")]);
    world.settle().await;
    world
        .salesforce
        .merge("Contact", &one, &[&salesforce])
        .unwrap();
    world.salesforce.merge("Contact", &two, &[&one]).unwrap();
    world.settle().await;
    assert_eq!(world.pairs().await, [(hubspot.clone(), two.clone())]);
    assert_eq!(world.hs("contacts", &hubspot, "lastname"), "Two");
    assert_eq!(world.salesforce_ids("Contact"), [two]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_chain_whose_middle_is_purged_is_left_to_a_person() {
    let (mut world, hubspot, salesforce) = linked(&matching_only()).await;
    world.salesforce.set_duplicate_rule("Contact", None);
    let one = world.add_salesforce("Contact", &[("LastName", "One")]);
    let two = world.add_salesforce("Contact", &[("LastName", "Two")]);
    world.settle().await;
    world
        .salesforce
        .merge("Contact", &one, &[&salesforce])
        .unwrap();
    world.salesforce.merge("Contact", &two, &[&one]).unwrap();
    world.salesforce.purge("Contact", &one).unwrap();
    world.settle().await;
    assert_eq!(states(&world).await, [LinkState::Suspended]);
    assert_eq!(world.letter_codes().await, ["merged"]);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.assert_quiet().await;
    assert_eq!(world.letter_codes().await, ["merged"], "told once");
    assert_eq!(world.salesforce_ids("Contact"), [two]);
}

#[tokio::test]
async fn two_losers_of_one_salesforce_merge_leave_one_pair_and_one_letter() {
    let (mut world, [ada, bo]) = ada_and_bo(&matching_only()).await;
    let fields = [("LastName", "Lind"), ("FirstName", "Bo"), ("Title", "CFO")];
    let master = world.add_salesforce("Contact", &fields);
    world.settle().await;
    world
        .salesforce
        .merge("Contact", &master, &[&ada.1, &bo.1])
        .unwrap();
    world.settle().await;
    assert_eq!(
        world.pairs().await,
        [(bo.0, master)],
        "the pair whose values the master holds"
    );
    assert_eq!(world.letter_codes().await, ["merged"]);
    assert_eq!(world.hubspot_ids("contacts").len(), 2);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_merge_that_does_not_tell_whose_partner_is_right_waits_for_a_person() {
    let mut world = World::with(&[PEOPLE]).await;
    world.settle().await;
    let one = world.add_hubspot("contacts", &[("lastname", "Lind"), ("jobtitle", "CTO")]);
    let two = world.add_hubspot("contacts", &[("lastname", "Lind"), ("firstname", "Ada")]);
    world.settle().await;
    let pairs = world.pairs().await;
    assert_eq!(pairs.len(), 2);
    let left = world.hubspot.merge("contacts", &one, &two).unwrap();
    world.settle().await;
    assert_eq!(
        states(&world).await,
        [LinkState::Suspended, LinkState::Suspended]
    );
    assert_eq!(world.letter_codes().await, ["merged", "merged"]);
    world.edit_hubspot("contacts", &left, &[("jobtitle", "CEO")]);
    world.assert_quiet().await;
    assert_eq!(world.api_writes(), 2, "the two creates of the first sync");

    // One is taken apart by hand, and the other follows.
    let links = world.links().await;
    let is_two = |link: &&tandem::model::Link| {
        link.records
            .hubspot
            .as_ref()
            .is_some_and(|id| id.as_str() == two)
    };
    let mut wrong = links.iter().find(is_two).unwrap().clone();
    wrong.state = LinkState::Unlinked;
    world
        .by_command(tandem::store::Changes {
            links: vec![wrong],
            ..Default::default()
        })
        .await;
    world.mark("contacts", Side::HubSpot, &one).await;
    world.settle().await;
    let kept = pairs.iter().find(|(hubspot, _)| *hubspot == one).unwrap();
    assert_eq!(world.pairs().await, [(left, kept.1.clone())]);
    assert_eq!(world.sf("Contact", &kept.1, "Title"), "CEO");
    assert_eq!(
        world.sf("Contact", &kept.1, "FirstName"),
        "Ada",
        "from the merge"
    );
}

#[tokio::test]
async fn a_record_merged_into_one_that_was_never_seen_makes_no_second_copy() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.set_duplicate_rule("Contact", None);
    let master = world.add_salesforce(
        "Contact",
        &[("LastName", "Lind"), ("Email", "new@example.com")],
    );
    world
        .salesforce
        .merge("Contact", &master, &[&salesforce])
        .unwrap();
    // The master is looked at by itself, before anything else.
    world.mark("contacts", Side::Salesforce, &master).await;
    world.work().await;
    world.settle().await;
    assert_eq!(world.hubspot_ids("contacts"), from_ref(&hubspot));
    assert_eq!(world.pairs().await, [(hubspot, master)]);
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_survivor_of_a_pair_that_was_taken_apart_is_not_copied() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.settle().await;
    let other = world.add_hubspot("contacts", &[("lastname", "Lund")]);
    let left = world.hubspot.merge("contacts", &hubspot, &other).unwrap();
    world.settle().await;
    world.edit_hubspot("contacts", &left, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert!(
        world.salesforce_ids("Contact").is_empty(),
        "a tombstone holds"
    );
    world.assert_quiet().await;
    // And it rejoins as any other when its partner comes back.
    world.salesforce.undelete("Contact", &salesforce).unwrap();
    world.settle().await;
    assert_eq!(world.pairs().await, [(left, salesforce)]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_hubspot_merge_deletes_nothing_in_salesforce_even_where_deletes_travel() {
    let archiving = format!("{PEOPLE}\ndelete: {{ hubspot: archive, salesforce: archive }}\n");
    let (mut world, [ada, bo]) = ada_and_bo(&archiving).await;
    world.hubspot.merge("contacts", &ada.0, &bo.0).unwrap();
    world.settle().await;
    assert_eq!(world.salesforce_ids("Contact").len(), 2);
    world.salesforce.merge("Contact", &ada.1, &[&bo.1]).unwrap();
    world.settle().await;
    assert_eq!(world.hubspot_ids("contacts").len(), 1);
    world.assert_quiet().await;
}

async fn employees() -> (World, [String; 2], [String; 2]) {
    let mut world = World::new(Setup::with(&SHIPPED)).await;
    let (mut firms, mut people) = (Vec::new(), Vec::new());
    for name in ["Acme", "Bolt"] {
        let domain = format!("{}.example.com", name.to_lowercase());
        let firm = world.add_hubspot("companies", &[("name", name), ("domain", &domain)]);
        let email = format!("ann@{domain}");
        let person = [
            ("email", email.as_str()),
            ("lastname", "Arc"),
            ("lifecyclestage", "customer"),
        ];
        let person = world.add_hubspot("contacts", &person);
        let (from, to) = (("contacts", person.as_str()), ("companies", firm.as_str()));
        world.hubspot.associate(from, to, 1).unwrap();
        firms.push(firm);
        people.push(person);
    }
    world.open().await;
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 4);
    (world, firms.try_into().unwrap(), people.try_into().unwrap())
}

#[tokio::test]
async fn people_of_two_merged_accounts_keep_their_company_and_nothing_is_rewritten() {
    let (mut world, firms, people) = employees().await;
    let accounts = world.salesforce_ids("Account");
    world
        .salesforce
        .merge("Account", &accounts[0], &[&accounts[1]])
        .unwrap();
    let before = world.api_writes();
    world.settle().await;
    assert_eq!(world.letter_codes().await, ["merged"]);
    assert!(world.holds().await.is_empty(), "{:?}", world.holds().await);
    for (person, firm) in people.iter().zip(&firms) {
        let theirs = world.hubspot.associations("contacts", person, "companies");
        assert_eq!(theirs.len(), 1);
        assert_eq!(theirs[0].0, *firm);
    }
    assert_eq!(world.api_writes(), before);
    world.assert_quiet().await;

    // The person who was told merges the companies, and all is one.
    world
        .hubspot
        .merge("companies", &firms[0], &firms[1])
        .unwrap();
    world.settle().await;
    assert!(
        world.letters().await.is_empty(),
        "{:?}",
        world.letters().await
    );
    assert_eq!(world.api_writes(), before);
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_many_merges_change_at_once_waits_for_a_person() {
    let guarded = format!("{}guard: {{ changes: 1 }}\n", matching_only());
    let (mut world, pairs) = ada_and_bo(&guarded).await;
    for (hubspot, _) in &pairs {
        let other = world.add_hubspot("contacts", &[("lastname", "New"), ("jobtitle", "New")]);
        world.hubspot.merge("contacts", &other, hubspot).unwrap();
    }
    world.settle().await;
    assert_eq!(world.pairs().await.len(), 2, "the links went along");
    for (_, salesforce) in &pairs {
        assert_eq!(world.sf("Contact", salesforce, "LastName"), "Lind");
    }
    let asked = world.store.approvals(&world.workspace).await.unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].kind.as_str(), asked[0].items), ("changes", 2));
    world.assert_quiet().await;

    let expires = world.clock.now().plus_millis(24 * 3_600_000);
    let granted = world
        .store
        .grant_approval(&world.workspace, &asked[0].id, expires);
    assert!(granted.await.unwrap());
    for id in &asked[0].records {
        world.mark("contacts", Side::Salesforce, id.as_str()).await;
    }
    world.settle().await;
    for (_, salesforce) in &pairs {
        assert_eq!(world.sf("Contact", salesforce, "LastName"), "New");
    }
    assert!(world.holds().await.is_empty());
    let left = world.store.approvals(&world.workspace).await.unwrap();
    let used = |a: &tandem::store::Approval| a.state == tandem::store::ApprovalState::Used;
    assert!(left.iter().all(used), "{left:?}");
}
