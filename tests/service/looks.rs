//! Looks at records as they are now, undoing since a moment, and repairs, over the API.

use axum::http::Method;
use serde_json::{Value, json};
use tandem::app::PlanFile;
use tandem::model::{KeyKind, Role};

use crate::connect::both;
use crate::house::House;
use crate::plans::{ACME, WS, apply, done, lastname, observing, refused, written};
use crate::review::{WS as REVIEWED, fall_out, linked};

/// A pair in a workspace that observes; HubSpot's id.
async fn paired() -> (House, String) {
    let (house, people) = observing(1).await;
    let fields = [
        ("Email", json!("person0@example.com")),
        ("LastName", json!("Lovelace")),
    ];
    house.salesforce.create("Contact", &fields).unwrap();
    house.pass(120_000).await;
    (house, people.into_iter().next().unwrap())
}

#[tokio::test]
async fn a_look_at_a_record_reads_both_sides_and_plays_the_next_run() {
    let (house, id) = paired().await;
    let edit = [("lastname", "King")];
    house.hubspot.edit("contacts", &id, &edit).unwrap();
    let asked = json!({"object": "contacts", "id": id, "field": "lastname"});
    let begun = house
        .operate(Method::POST, &format!("{WS}/explain"), Some(asked.clone()))
        .await;
    assert_eq!(begun["state"], "waiting", "{begun}");
    assert_eq!(
        refused(&house, "explain", asked).await,
        (409, "busy".to_owned())
    );
    // The workspace has its next look for changes in a minute.
    house.pass(2_000).await;
    let viewer = house
        .key(Some(ACME), KeyKind::Workspace, Role::Viewer)
        .await;
    let path = format!("{WS}/explain/{}", begun["id"].as_str().unwrap());
    let look = house.call(Method::GET, &path, Some(&viewer), None).await;
    let look = look.json();
    assert_eq!(look["state"], "ready", "{look}");
    let field = &look["answer"]["pairs"][0]["fields"][0];
    assert_eq!(field["seen_by"], "read", "{look}");
    assert_eq!(field["seen"]["hubspot"], json!({"lastname": "King"}));
    assert_eq!(field["seen"]["salesforce"], json!({"LastName": "Lovelace"}));
    let next = field["next"].as_str().unwrap();
    assert!(
        next.contains("\"King\" would be written to Salesforce"),
        "{next}"
    );
    assert!(field["history"]["entries"].is_array(), "{look}");
    assert_eq!(written(&house), 0);
    let plans = house
        .operate(Method::GET, &format!("{WS}/plans"), None)
        .await;
    assert_eq!(plans["items"], json!([]), "a look is no plan");
    let as_plan = format!("plans/{}/apply", begun["id"].as_str().unwrap());
    assert_eq!(refused(&house, &as_plan, json!({})).await.0, 404);
    let log = house.operate(Method::GET, &format!("{WS}/log"), None).await;
    assert!(!log.to_string().contains("King"), "the log holds no values");
}

#[tokio::test]
async fn a_look_with_credentials_that_are_refused_says_so() {
    let house = House::new().await;
    both(&house).await;
    let id = house.person("ada@example.com", "Ada");
    house.pass(180_000).await;
    house.hubspot.revoke_grants();
    let asked = json!({"object": "contacts", "id": id});
    let path = format!("{WS}/explain");
    let begun = house.operate(Method::POST, &path, Some(asked)).await;
    house.pass(2_000).await;
    let path = format!("{path}/{}", begun["id"].as_str().unwrap());
    let look = house.operate(Method::GET, &path, None).await;
    assert_eq!(
        (&look["state"], &look["error"]["code"]),
        (&json!("failed"), &json!("credentials-refused")),
        "{look}"
    );
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_said_at_once() {
    let (house, id) = paired().await;
    for (asked, status) in [
        (json!({"object": "contacts", "id": "no id"}), 400),
        (json!({"object": "people", "id": id}), 404),
        (json!({"object": "contacts", "id": "999999"}), 404),
        (json!({"object": "contacts"}), 400),
        (json!({"object": "con\u{0}tacts", "id": id}), 400),
    ] {
        let told = refused(&house, "explain", asked.clone()).await;
        assert_eq!(told.0, status, "{asked}: {told:?}");
    }
    let viewer = house
        .key(Some(ACME), KeyKind::Workspace, Role::Viewer)
        .await;
    let asked = json!({"object": "contacts", "id": id});
    let path = format!("{WS}/explain");
    let answer = house
        .call(Method::POST, &path, Some(&viewer), Some(asked.clone()))
        .await;
    assert_eq!(answer.status, 403, "it reads both CRMs");
    house
        .operate(Method::POST, &format!("{WS}/pause"), None)
        .await;
    let told = refused(&house, "explain", asked).await;
    assert_eq!(told, (409, "paused".to_owned()));
}

#[tokio::test]
async fn what_was_written_since_a_moment_is_taken_back_whatever_run_wrote_it() {
    let (house, id) = paired().await;
    let since = house.clock.now();
    let mut written = Vec::new();
    for name in ["Byron", "King"] {
        for copy in house.salesforce.records("Contact") {
            let edit = [("LastName", json!(name))];
            house.salesforce.edit("Contact", &copy.id, &edit).unwrap();
        }
        house.pass(120_000).await;
        let plan = done(&house, "plans", json!({})).await;
        let applied = apply(&house, plan["id"].as_str().unwrap(), json!({})).await;
        assert_eq!(lastname(&house, &id), name, "{applied}");
        written.push(applied["applied"]["run"].clone());
    }
    assert_ne!(written[0], written[1], "two runs");
    let narrowed = json!({"since": since.to_string(), "rule": "firstname"});
    let none = done(&house, "undo", narrowed).await;
    assert_eq!(none["found"]["values"], 0, "{none}");
    let undo = done(&house, "undo", json!({"since": since.to_string()})).await;
    assert_eq!(
        (&undo["kind"], &undo["state"], &undo["found"]["values"]),
        (&json!("undo"), &json!("ready"), &json!(1)),
        "{undo}"
    );
    assert_eq!(undo["undoes"], Value::Null);
    assert_eq!(undo["undoes_since"], json!(since.to_string()));
    apply(&house, undo["id"].as_str().unwrap(), json!({})).await;
    assert_eq!(lastname(&house, &id), "Lovelace");
    for since in ["2999-01-01", "yesterday", ""] {
        let told = refused(&house, "undo", json!({"since": since})).await;
        assert_eq!(told, (400, "bad-request".to_owned()), "{since}");
    }
    assert_eq!(refused(&house, "undo", json!({})).await.0, 400);
}

#[tokio::test]
async fn a_repair_compares_both_sides_and_is_a_plan_like_any_other() {
    let (house, _) = paired().await;
    let asked = json!({"repair": true, "mappings": ["contacts"]});
    let plan = done(&house, "plans", asked).await;
    assert_eq!(
        (&plan["kind"], &plan["state"]),
        (&json!("repair"), &json!("ready")),
        "{plan}"
    );
    let comparison = &plan["found"]["comparison"];
    assert_eq!(comparison["drift"], 0, "{plan}");
    assert_eq!(comparison["mappings"][0]["pairs"], 1, "{plan}");
    let key = house.key(None, KeyKind::Management, Role::Viewer).await;
    let path = format!("{WS}/plans/{}/file", plan["id"].as_str().unwrap());
    let file = house.call(Method::GET, &path, Some(&key), None).await.text;
    let kept = PlanFile::parse(&file).expect("it is a plan");
    assert_eq!(kept.writes, []);
    let listed = house
        .operate(Method::GET, &format!("{WS}/plans"), None)
        .await;
    let found = &listed["items"][0]["found"];
    assert_eq!(found["values"], 0, "{listed}");
    assert_eq!(found["comparison"], Value::Null, "a list has no values");
    assert_eq!(written(&house), 0);
    for wrong in [
        json!({"repair": true, "mappings": ["people"]}),
        json!({"repair": true, "file": {}}),
    ] {
        let told = refused(&house, "plans", wrong).await;
        assert_eq!(told, (400, "bad-request".to_owned()));
    }
    let unknown = refused(&house, "drift", json!({"mapping": "people"})).await;
    assert_eq!(unknown.0, 400);
}

#[tokio::test]
async fn a_page_of_conflicts_tells_how_many_there_are_on_all_pages() {
    let house = crate::review::house().await;
    let pairs = linked(&house, 3).await;
    fall_out(&house, &pairs).await;
    let total = async |query: &str| {
        let path = format!("{REVIEWED}/conflicts?limit=2{query}");
        let page = house.operate(Method::GET, &path, None).await;
        (
            page["items"].as_array().unwrap().len(),
            page["total"].clone(),
        )
    };
    assert_eq!(total("").await, (2, json!(3)));
    assert_eq!(
        total("&mapping=contacts&rule=jobtitle").await,
        (2, json!(3))
    );
    assert_eq!(total("&rule=lastname").await, (0, json!(0)));
    assert_eq!(total("&state=closed").await, (0, json!(0)));
}
