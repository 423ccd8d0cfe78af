//! Both sides moved: who wins, what is kept, and what a person's choice does.

use tandem::model::{ApprovalId, Choice, Raw, RecordKey, Side, Task};
use tandem::store::{Approval, ApprovalState, Changes, ConflictState, Mark};

use crate::world::World;
use crate::{PEOPLE, linked};

fn asking() -> String {
    PEOPLE.replace("jobtitle: Title", "jobtitle: { to: Title, conflict: ask }")
}

pub async fn take(world: &mut World, choice: Choice) {
    choose(world, choice).await;
    world.settle().await;
}

/// As `tandem conflicts take` stores it.
pub async fn choose(world: &mut World, choice: Choice) {
    let conflicts = world.conflicts().await;
    let conflict = conflicts.last().expect("a conflict is there").clone();
    let link = world.link().await;
    let now = world.clock.now();
    let approval = Approval {
        id: ApprovalId::new("apr_test"),
        mapping: conflict.mapping.clone(),
        side: Side::HubSpot,
        kind: Choice::APPROVAL.to_owned(),
        set_hash: Choice::set_hash(&conflict.id, "test"),
        records: Vec::new(),
        items: 1,
        detail: choice.as_text(),
        state: ApprovalState::Granted,
        asked_at: now,
        expires_at: None,
    };
    let marks = Side::BOTH.map(|side| Mark {
        task: Task::Record(RecordKey {
            mapping: link.mapping.clone(),
            side,
            id: link.records.get(side).clone().unwrap(),
        }),
        cause: tandem::model::Cause::Person,
        not_before: now,
    });
    let changes = Changes {
        approvals: vec![approval],
        marks: marks.to_vec(),
        ..Changes::default()
    };
    world.by_command(changes).await;
}

pub async fn met() -> (World, String, String) {
    let (mut world, hubspot, salesforce) = linked(&asking()).await;
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", "CEO"), ("firstname", "Adele")],
    );
    world.edit_salesforce("Contact", &salesforce, &[("Title", "VP")]);
    world.settle().await;
    (world, hubspot, salesforce)
}

#[tokio::test]
async fn a_conflict_decided_by_rule_keeps_the_losing_value() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot(
        "contacts",
        &hubspot,
        &[("jobtitle", "CEO"), ("phone", "+14155550101")],
    );
    world.edit_salesforce(
        "Contact",
        &salesforce,
        &[("Title", "VP"), ("Phone", "+14155550102")],
    );
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "VP");
    assert_eq!(world.sf("Contact", &salesforce, "Phone"), "+14155550101");
    let mut conflicts = world.conflicts().await;
    conflicts.sort_by(|a, b| a.rule.cmp(&b.rule));
    assert_eq!(conflicts.len(), 2);
    let (title, phone) = (&conflicts[0], &conflicts[1]);
    assert_eq!(title.winner, Some(Side::Salesforce));
    assert_eq!(title.loser.get("jobtitle"), Some(&Raw::text("CEO")));
    assert_eq!(phone.winner, Some(Side::HubSpot));
    assert_eq!(phone.loser.get("Phone"), Some(&Raw::text("+14155550102")));
    let base = title
        .base
        .as_ref()
        .expect("what both held before is kept too");
    assert_eq!(base.hubspot.get("jobtitle"), Some(&Raw::text("CTO")));
    world.assert_quiet().await;
}

#[tokio::test]
async fn the_same_edit_on_both_sides_is_agreement() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.settle().await;
    assert_eq!(world.api_writes(), 0);
    assert!(world.conflicts().await.is_empty());
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Chair")]);
    world.settle().await;
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "Chair");
    world.assert_quiet().await;
}

#[tokio::test]
async fn ask_holds_only_its_field_and_overwrites_neither_side() {
    let (mut world, hubspot, salesforce) = met().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "VP");
    assert_eq!(
        world.sf("Contact", &salesforce, "FirstName"),
        "Adele",
        "the rest travels"
    );
    let conflicts = world.conflicts().await;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].state, ConflictState::Open);
    assert_eq!(world.holds().await.len(), 1);
    world.assert_quiet().await;
    assert_eq!(world.conflicts().await.len(), 1, "asked once");
}

#[tokio::test]
async fn a_held_conflict_resolves_itself_when_people_make_the_values_equal() {
    let (mut world, hubspot, _) = met().await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "VP")]);
    world.settle().await;
    assert!(world.holds().await.is_empty());
    assert_eq!(world.conflicts().await[0].state, ConflictState::Closed);
    world.assert_quiet().await;
}

#[tokio::test]
async fn taking_a_side_writes_its_value_and_releases_the_hold() {
    for (side, value) in [(Side::HubSpot, "CEO"), (Side::Salesforce, "VP")] {
        let (mut world, hubspot, salesforce) = met().await;
        take(&mut world, Choice::Of(side)).await;
        assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), value);
        assert_eq!(world.sf("Contact", &salesforce, "Title"), value);
        assert!(world.holds().await.is_empty());
        assert_eq!(world.conflicts().await[0].state, ConflictState::Closed);
        world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Chair")]);
        world.settle().await;
        assert_eq!(
            world.sf("Contact", &salesforce, "Title"),
            "Chair",
            "used up by one pass"
        );
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn taking_a_typed_value_writes_it_to_both_sides() {
    let (mut world, hubspot, salesforce) = met().await;
    take(&mut world, Choice::Value("President".to_owned())).await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "President");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "President");
    assert!(world.holds().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn the_loser_of_a_decided_conflict_can_be_taken_back() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.edit_salesforce("Contact", &salesforce, &[("Title", "VP")]);
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "VP");
    take(&mut world, Choice::Of(Side::HubSpot)).await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    world.assert_quiet().await;
}

/// The person saw CEO against VP, and somebody wrote something else before the choice came.
#[tokio::test]
async fn an_edit_made_after_the_conflict_is_kept_by_name_when_a_choice_replaces_it() {
    let (mut world, hubspot, salesforce) = met().await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "Chair")]);
    take(&mut world, Choice::Of(Side::HubSpot)).await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    let conflicts = world.conflicts().await;
    let kept = conflicts
        .iter()
        .find(|row| row.loser.get("Title") == Some(&Raw::text("Chair")));
    let kept = kept.expect("nobody ever saw what the choice replaced");
    assert_eq!(kept.state, ConflictState::Decided);
    assert_eq!(kept.winner, Some(Side::HubSpot));
    world.assert_quiet().await;
}

#[tokio::test]
async fn edits_of_both_sides_after_the_conflict_are_kept_when_a_typed_value_replaces_them() {
    let (mut world, hubspot, salesforce) = met().await;
    world.edit_salesforce("Contact", &salesforce, &[("Title", "Chair")]);
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "Queen")]);
    take(&mut world, Choice::Value("President".to_owned())).await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "President");
    let conflicts = world.conflicts().await;
    let kept = conflicts.iter().find(|row| row.loser.len() == 2);
    let kept = &kept.expect("both edits are kept").loser;
    assert_eq!(kept.get("Title"), Some(&Raw::text("Chair")));
    assert_eq!(kept.get("jobtitle"), Some(&Raw::text("Queen")));
    world.assert_quiet().await;
}
