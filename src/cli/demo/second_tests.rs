//! Whether the second workspace's check finds what it is there to find.

use serde_json::json;

use crate::model::Side;

use super::super::sim::{Simulators, Start};
use super::outcome::{ConflictSeen, Outcome};
use super::second::{IN_HUBSPOT, IN_SALESFORCE, Row, Second};

async fn simulators(seed: u64) -> Simulators {
    let start = Start {
        seed,
        ..Start::default()
    };
    Simulators::start(start).await.unwrap()
}

/// What a right engine would have left: everybody on both sides, edits included.
fn sync(second: &mut Second<'_>) {
    for side in Side::BOTH {
        let rows: Vec<Row> = second.expected.get(side).values().cloned().collect();
        for row in rows {
            let [email, first, last, title, phone] = &row;
            let Some(id) = second.ids.get(side).get(email).cloned() else {
                second.put(side, &row).unwrap();
                continue;
            };
            let (hubspot, salesforce) = (&second.simulators.hubspot, &second.simulators.salesforce);
            match side {
                Side::HubSpot => hubspot
                    .edit("contacts", &id, &[("jobtitle", title), ("phone", phone)])
                    .unwrap(),
                Side::Salesforce => {
                    let fields = [("Title", json!(title)), ("Phone", json!(phone))];
                    salesforce.edit("Contact", &id, &fields).unwrap();
                    let names = [("FirstName", json!(first)), ("LastName", json!(last))];
                    salesforce.edit("Contact", &id, &names).unwrap();
                }
            }
        }
    }
}

fn outcome(people: usize) -> Outcome {
    let link = |nth: usize| ("contacts".to_owned(), nth.to_string(), nth.to_string());
    let conflict = ConflictSeen {
        mapping: "contacts".to_owned(),
        hubspot_id: "1".to_owned(),
        salesforce_id: "1".to_owned(),
        rule: "jobtitle".to_owned(),
        base: String::new(),
        hubspot: IN_HUBSPOT.to_owned(),
        salesforce: IN_SALESFORCE.to_owned(),
        winner: Some(Side::HubSpot),
        loser: vec![("Title".to_owned(), IN_SALESFORCE.to_owned())],
    };
    Outcome {
        links: (0..people).map(link).collect(),
        conflicts: vec![conflict],
        ..Outcome::default()
    }
}

#[tokio::test]
async fn only_a_workspace_that_holds_exactly_its_own_is_found_without_differences() {
    let (own, other) = (simulators(1).await, simulators(2).await);
    let mut second = Second::settle_in(&own, &other).unwrap();
    second.edit().unwrap();
    let right = outcome(second.people());
    let untouched = second.judge(&right).differences;
    assert!(untouched.len() >= 9, "{untouched:?}");
    sync(&mut second);
    assert_eq!(second.judge(&right).differences, Vec::<String>::new());

    let only = |what: &str, outcome: &Outcome| {
        let found = second.judge(outcome).differences;
        assert_eq!(found.len(), 1, "{what}: {found:?}");
    };
    only(
        "a pair too few",
        &Outcome {
            links: Vec::new(),
            ..right.clone()
        },
    );
    only(
        "a lost title",
        &Outcome {
            conflicts: Vec::new(),
            ..right.clone()
        },
    );
    let stranger = [
        ("Email", json!("ada@acme.example.com")),
        ("LastName", json!("L")),
    ];
    let id = own.salesforce.create("Contact", &stranger).unwrap();
    only("somebody of the other workspace", &right);
    own.salesforce.delete("Contact", &id).unwrap();
    let ours = [
        ("email", "hana.brandt@globex.example.com"),
        ("lastname", "Brandt"),
    ];
    let id = other.hubspot.create("contacts", &ours).unwrap();
    only("somebody who went to the other workspace", &right);
    other.hubspot.archive("contacts", &id).unwrap();
    let id = &second.ids.salesforce["hana.brandt@globex.example.com"];
    let moved = [("Title", json!("Somebody else"))];
    own.salesforce.edit("Contact", id, &moved).unwrap();
    assert_eq!(
        second.judge(&right).differences.len(),
        1,
        "one side alone moved"
    );
}
