//! What waits for a person, over the API: conflicts, dead letters, questions of guards, and why.

use std::cell::Cell;

use axum::http::Method;
use serde_json::{Value, json};
use tandem::app::MappingFiles;
use tandem::mapping::SourceFile;
use tandem::model::{KeyKind, Role, WorkspaceId};
use tandem::pipeline::LANE;
use tandem::sim::salesforce::{SimRecord, ValidationRule};

use crate::house::{Answer, CONTACTS, House, PUBLIC};

const ACME: &str = "acme/production";
pub const WS: &str = "/v1/workspaces/acme/production";

/// People are asked about job titles, and more than two blanks at once wait for a yes.
pub fn asking() -> SourceFile {
    let rules = "  jobtitle: { to: Title, conflict: ask }\n";
    let guarded = CONTACTS.replace("create: both\n", "create: both\nguard: { blanks: 2 }\n");
    SourceFile {
        path: "contacts.yaml".to_owned(),
        text: format!("{guarded}{rules}"),
    }
}

/// A live workspace with such a mapping.
pub async fn house() -> House {
    house_at(PUBLIC).await
}

/// As [`house`], reached at this address.
pub async fn house_at(public: &str) -> House {
    let house = House::at(public).await;
    house
        .service
        .set_mappings(MappingFiles::shared(vec![asking()]));
    house.live(ACME).await;
    house.pass(60_000).await;
    house
}

/// One conflict, one dead letter and one question of a guard wait in the workspace.
pub async fn something_waits(house: &House, ws: &str) {
    let text = asking().text.replace("blanks: 2", "blanks: 1");
    house
        .service
        .set_mappings(MappingFiles::shared(vec![SourceFile {
            path: "contacts.yaml".to_owned(),
            text,
        }]));
    house.live(ws).await;
    house.pass(60_000).await;
    let mut people = Vec::new();
    for nth in 0..3 {
        people.push(ada(house, nth));
        house.pass(120_000).await;
    }
    let copies = house.salesforce.records("Contact");
    let edit = [("jobtitle", "CEO")];
    house.hubspot.edit("contacts", &people[0], &edit).unwrap();
    let of_first =
        |copy: &&SimRecord| copy.fields.get("Email") == Some(&json!("person0@example.com"));
    let copy = copies.iter().find(of_first).expect("it has a copy");
    let edit = [("Title", json!("VP"))];
    house.salesforce.edit("Contact", &copy.id, &edit).unwrap();
    refuse(house, Some("Bad"));
    house.person("bad@example.com", "Bad");
    house.pass(180_000).await;
    for person in &people {
        let edit = [("firstname", "")];
        house.hubspot.edit("contacts", person, &edit).unwrap();
    }
    house.pass(180_000).await;
}

/// Sends a request while the service works, as it would beside it.
pub async fn meanwhile(house: &House, method: Method, path: &str, body: Option<Value>) -> Answer {
    let key = house.key(None, KeyKind::Management, Role::Operator).await;
    let done = Cell::new(false);
    let work = async {
        while !done.get() {
            house.service.run_due().await;
            tokio::task::yield_now().await;
        }
    };
    let asked = async {
        let answer = house.call(method, path, Some(&key), body).await;
        done.set(true);
        answer
    };
    tokio::join!(work, asked).1
}

/// Somebody adds a contact with both names to HubSpot.
fn ada(house: &House, nth: usize) -> String {
    let email = format!("person{nth}@example.com");
    let fields = [
        ("email", email.as_str()),
        ("firstname", "Ada"),
        ("lastname", "Lovelace"),
    ];
    let made = house.hubspot.create("contacts", &fields);
    made.expect("a sound contact")
}

pub async fn items(house: &House, path: &str) -> Vec<Value> {
    let listed = house.operate(Method::GET, path, None).await;
    listed["items"].as_array().unwrap().clone()
}

/// Contacts of both sides, linked and at rest: their HubSpot and Salesforce ids.
pub async fn linked(house: &House, count: usize) -> Vec<(String, String)> {
    for nth in 0..count {
        ada(house, nth);
    }
    house.pass(300_000).await;
    let links = items(house, &format!("{WS}/links?state=linked&limit=200")).await;
    assert_eq!(links.len(), count);
    let id = |link: &Value, side: &str| link[side].as_str().unwrap().to_owned();
    links
        .iter()
        .map(|link| (id(link, "hubspot_id"), id(link, "salesforce_id")))
        .collect()
}

/// Both sides edit the job title of each pair, one pair after the other.
pub async fn fall_out(house: &House, pairs: &[(String, String)]) {
    for (hubspot, salesforce) in pairs {
        let edit = [("jobtitle", "CEO")];
        house.hubspot.edit("contacts", hubspot, &edit).unwrap();
        let edit = [("Title", json!("VP"))];
        house.salesforce.edit("Contact", salesforce, &edit).unwrap();
        house.pass(180_000).await;
    }
}

pub fn title(house: &House, salesforce: &str) -> Value {
    let record = house.salesforce.record("Contact", salesforce).unwrap();
    record.fields.get("Title").cloned().unwrap_or_default()
}

pub fn jobtitle(house: &House, hubspot: &str) -> String {
    let record = house.hubspot.record("contacts", hubspot).unwrap();
    record.properties["jobtitle"].clone()
}

/// Salesforce refuses everybody of that name, or nobody.
pub fn refuse(house: &House, name: Option<&'static str>) {
    let rule = name.map(|name| {
        let rule: ValidationRule = Box::new(move |values| {
            let found = values.get("LastName").and_then(|found| found.as_str());
            (found == Some(name)).then(|| ("not this one".to_owned(), None))
        });
        rule
    });
    house.salesforce.set_validation("Contact", rule);
}

#[tokio::test]
async fn a_conflict_taken_over_the_api_ends_with_the_choice_on_both_sides() {
    let house = house().await;
    let pairs = linked(&house, 2).await;
    fall_out(&house, &pairs).await;
    let found = items(&house, &format!("{WS}/conflicts")).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0]["inputs"]["hubspot"], json!({"jobtitle": "CEO"}));
    let of = |nth: usize| format!("{WS}/conflicts/{}", found[nth]["id"].as_str().unwrap());
    for (nth, choice) in [(0, "hubspot"), (1, "Chair")] {
        let path = format!("{}/take", of(nth));
        let body = Some(json!({"choice": choice}));
        let answer = meanwhile(&house, Method::POST, &path, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(answer.json(), json!({"taken": [found[nth]["id"]]}));
    }
    house.pass(120_000).await;
    let mut ended: Vec<(String, Value)> = pairs
        .iter()
        .map(|(hubspot, salesforce)| (jobtitle(&house, hubspot), title(&house, salesforce)))
        .collect();
    ended.sort_by(|a, b| a.0.cmp(&b.0));
    let want = |text: &str| (text.to_owned(), json!(text));
    assert_eq!(ended, [want("CEO"), want("Chair")]);
    assert_eq!(items(&house, &format!("{WS}/conflicts")).await.len(), 0);
    let shown = house.operate(Method::GET, &of(0), None).await;
    assert_eq!(shown["state"], json!("closed"));
    let body = Some(json!({"choice": "salesforce"}));
    let again = meanwhile(&house, Method::POST, &format!("{}/take", of(0)), body).await;
    assert_eq!((again.status, again.code().as_str()), (409, "settled"));
    let log = items(&house, &format!("{WS}/log")).await;
    let taken: Vec<&Value> = log
        .iter()
        .filter(|entry| entry["action"] == "take")
        .collect();
    assert_eq!(taken.len(), 2, "{log:?}");
    let told = format!("{taken:?}");
    assert!(!told.contains("Chair"), "the log holds no values: {told}");
}

#[tokio::test]
async fn a_dead_letter_is_replayed_while_the_engine_is_open_and_busy() {
    let house = house().await;
    refuse(&house, Some("Bad"));
    house.person("bad@example.com", "Bad");
    house.pass(120_000).await;
    let open = format!("{WS}/dead-letters");
    let letters = items(&house, &open).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    refuse(&house, None);
    for nth in 0..30 {
        house.person(&format!("more{nth}@example.com"), "More");
    }
    house
        .operate(Method::POST, &format!("{WS}/sync"), None)
        .await;
    let shown = house.operate(Method::GET, WS, None).await;
    assert_eq!(shown["standing"], json!("open"));
    let path = format!("{open}/{}/replay", letters[0]["id"].as_str().unwrap());
    let answer = meanwhile(&house, Method::POST, &path, None).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    house.pass(120_000).await;
    assert_eq!(house.salesforce.records("Contact").len(), 31);
    assert_eq!(items(&house, &open).await.len(), 0, "it has closed");
    let again = meanwhile(&house, Method::POST, &path, None).await;
    assert_eq!(again.code(), "settled");
}

#[tokio::test]
async fn what_cannot_be_changed_now_is_told_so_and_nothing_is_changed() {
    let house = house().await;
    refuse(&house, Some("Bad"));
    house.person("bad@example.com", "Bad");
    house.pass(120_000).await;
    let open = format!("{WS}/dead-letters");
    let letters = items(&house, &open).await;
    let path = format!("{open}/{}/discard", letters[0]["id"].as_str().unwrap());
    let pause = format!("{WS}/pause");
    house.operate(Method::POST, &pause, None).await;
    house.pass(1_000).await;
    let ws = WorkspaceId::new(ACME);
    let elsewhere = house.store.lease(&ws, LANE, "elsewhere", 30_000).await;
    let lease = elsewhere.unwrap().expect("a paused workspace is let go");
    let body = || Some(json!({"reason": "no longer with us"}));
    let answer = meanwhile(&house, Method::POST, &path, body()).await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "busy"));
    assert_eq!(items(&house, &open).await.len(), 1);
    house.store.release(lease).await.unwrap();
    for wrong in [json!({"reason": " "}), json!({}), json!({"reason": "a\0b"})] {
        let answer = meanwhile(&house, Method::POST, &path, Some(wrong)).await;
        assert_eq!(answer.code(), "bad-request");
    }
    let answer = meanwhile(&house, Method::POST, &path, body()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let left = items(&house, &format!("{open}?state=discarded")).await;
    assert_eq!(left[0]["note"], json!("no longer with us"));
}

#[tokio::test]
async fn what_a_guard_stopped_goes_ahead_after_a_yes() {
    let house = house().await;
    let pairs = linked(&house, 4).await;
    for (hubspot, _) in &pairs {
        let edit = [("firstname", "")];
        house.hubspot.edit("contacts", hubspot, &edit).unwrap();
    }
    house.pass(120_000).await;
    let emptied = || {
        let records = house.salesforce.records("Contact");
        let full = |record: &&SimRecord| record.fields.get("FirstName") == Some(&json!("Ada"));
        records.len() - records.iter().filter(full).count()
    };
    assert_eq!(emptied(), 0, "the guard stops all of them");
    let asked = items(&house, &format!("{WS}/approvals")).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    let path = format!(
        "{WS}/approvals/{}/approve",
        asked[0]["id"].as_str().unwrap()
    );
    let answer = meanwhile(&house, Method::POST, &path, None).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    house.pass(120_000).await;
    assert_eq!(emptied(), 4);
    assert_eq!(items(&house, &format!("{WS}/approvals")).await.len(), 0);
    let again = meanwhile(&house, Method::POST, &path, None).await;
    assert_eq!(again.code(), "settled");
}

#[tokio::test]
async fn a_workspace_tells_how_it_stands_and_why() {
    let house = house().await;
    let pairs = linked(&house, 2).await;
    fall_out(&house, &pairs[..1]).await;
    refuse(&house, Some("Bad"));
    house.person("bad@example.com", "Bad");
    house.pass(120_000).await;
    let status = house
        .operate(Method::GET, &format!("{WS}/status"), None)
        .await;
    assert_eq!(
        status["links"],
        json!({"linked": 2, "creating-salesforce": 1})
    );
    assert_eq!(status["holds"], json!({"ask": 1}));
    assert_eq!(status["dead_letters_open"], json!(1));
    assert_eq!(status["conflicts_open"], json!(1));
    assert_eq!(status["backlog_millis"], json!(0));
    for side in ["hubspot", "salesforce"] {
        let made = status["calls"][side]["made"].as_u64().unwrap();
        assert!(made > 0, "{status}");
    }
    // Nobody works while the clock goes on, so what is due grows old.
    house.clock.advance_millis(600_000);
    let later = house
        .operate(Method::GET, &format!("{WS}/status"), None)
        .await;
    assert!(later["backlog_millis"].as_u64().unwrap() >= 500_000);
    let figures = house.call(Method::GET, "/metrics", None, None).await.text;
    let row = |name: &str| format!("tandem_{name}{{workspace=\"{ACME}\"}} ");
    for name in ["dead_letters_open", "holds_open", "conflicts_open"] {
        assert!(figures.contains(&format!("{}1\n", row(name))), "{figures}");
    }
    let (_, age) = figures.split_once(&row("backlog_age_seconds")).unwrap();
    let age: f64 = age.lines().next().unwrap().parse().unwrap();
    assert!(age >= 500.0, "{age}");
    let asked = format!("{WS}/explain?object=contacts&id={}", pairs[0].0);
    let told = house.operate(Method::GET, &asked, None).await;
    assert_eq!(told["pairs"][0]["salesforce_id"], json!(pairs[0].1));
    let field = house
        .operate(Method::GET, &format!("{asked}&field=jobtitle"), None)
        .await;
    let rules = field["pairs"][0]["fields"].as_array().unwrap();
    assert_eq!(rules.len(), 1, "{field}");
    assert_eq!(rules[0]["rule"], json!("jobtitle"));
    let key = house.key(None, KeyKind::Management, Role::Viewer).await;
    let unknown = format!("{WS}/explain?object=contacts&id=999999");
    let answer = house.call(Method::GET, &unknown, Some(&key), None).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"));
}

#[tokio::test]
async fn a_viewer_looks_and_decides_nothing() {
    let house = house().await;
    let pairs = linked(&house, 1).await;
    fall_out(&house, &pairs).await;
    let found = items(&house, &format!("{WS}/conflicts")).await;
    let id = found[0]["id"].as_str().unwrap();
    let viewer = house
        .key(Some(ACME), KeyKind::Workspace, Role::Viewer)
        .await;
    let shown = format!("{WS}/conflicts/{id}");
    let answer = house.call(Method::GET, &shown, Some(&viewer), None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let actions = [
        (format!("{shown}/take"), Some(json!({"choice": "hubspot"}))),
        (format!("{WS}/dead-letters/x/replay"), None),
        (
            format!("{WS}/dead-letters/x/discard"),
            Some(json!({"reason": "x"})),
        ),
        (format!("{WS}/approvals/x/approve"), None),
    ];
    for (path, body) in actions {
        let answer = house.call(Method::POST, &path, Some(&viewer), body).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
    }
}
