//! Plans over the API: what would be written, written as planned, and taken back.

use axum::http::Method;
use serde_json::{Value, json};
use tandem::app::{MappingFiles, PlanFile};
use tandem::model::{KeyKind, Role, RunId, WorkspaceId};
use tandem::store::{JobKind, JobState, NewJob};

use crate::house::{CONTACTS, House, file};

pub const ACME: &str = "acme/production";
pub const WS: &str = "/v1/workspaces/acme/production";

/// A workspace that observes, with so many people in HubSpot who would be copied.
pub async fn observing(people: usize) -> (House, Vec<String>) {
    let house = House::new().await;
    house.connected(ACME).await;
    let person = |nth| house.person(&format!("person{nth}@example.com"), "Lovelace");
    let ids = (0..people).map(person).collect();
    house.pass(120_000).await;
    (house, ids)
}

/// Asks for a job and lets it be done.
pub async fn done(house: &House, path: &str, body: Value) -> Value {
    let asked = house
        .operate(Method::POST, &format!("{WS}/{path}"), Some(body))
        .await;
    house.pass(15_000).await;
    shown(house, asked["id"].as_str().unwrap()).await
}

async fn shown(house: &House, id: &str) -> Value {
    house
        .operate(Method::GET, &format!("{WS}/plans/{id}"), None)
        .await
}

pub async fn apply(house: &House, id: &str, body: Value) -> Value {
    done(house, &format!("plans/{id}/apply"), body).await
}

pub async fn refused(house: &House, path: &str, body: Value) -> (u16, String) {
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let path = format!("{WS}/{path}");
    let answer = house
        .call(Method::POST, &path, Some(&key), Some(body))
        .await;
    (answer.status, answer.code())
}

fn emails(house: &House) -> Vec<String> {
    let records = house.salesforce.records("Contact");
    let email = |record: &tandem::sim::salesforce::SimRecord| {
        let email = record.fields.get("Email").and_then(Value::as_str);
        email.unwrap_or_default().to_owned()
    };
    let mut emails: Vec<String> = records.iter().map(email).collect();
    emails.sort();
    emails
}

/// Records that were written to, on both sides, as often as they were; people count on HubSpot.
pub fn written(house: &House) -> u64 {
    let (hubspot, salesforce) = (house.hubspot.counters(), house.salesforce.counters());
    let updates = [hubspot.noop_updates, salesforce.noop_updates];
    salesforce.records_created
        + salesforce.records_updated
        + salesforce.records_deleted
        + hubspot.records_archived
        + updates.iter().sum::<u64>()
}

pub fn lastname(house: &House, id: &str) -> String {
    let record = house.hubspot.record("contacts", id).unwrap();
    record.properties["lastname"].clone()
}

#[tokio::test]
async fn a_plan_tells_what_would_be_written_and_writes_nothing() {
    let (house, _) = observing(3).await;
    let calls = async || {
        let path = format!("{WS}/status");
        let status = house.operate(Method::GET, &path, None).await;
        let made = status["calls"]["hubspot"]["made"].as_u64().unwrap();
        (made, house.hubspot.counters().calls)
    };
    let before = calls().await;
    let plan = done(&house, "plans", json!({})).await;
    assert_eq!(plan["state"], "ready", "{plan}");
    let after = calls().await;
    assert!(after.1 > before.1, "it reads");
    let (made, counted) = (after.0 - before.0, after.1 - before.1);
    assert_eq!(made, counted, "the workspace's quota knows of every call");
    assert_eq!(
        plan["found"]["records"],
        json!([{"mapping": "contacts", "side": "salesforce", "kind": "create", "records": 3}])
    );
    assert_eq!(
        (&plan["error"], &plan["applied"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(house.salesforce.records("Contact").len(), 0);
    assert_eq!(written(&house), 0);
    // The file is what the command reads.
    let key = house
        .key(Some(ACME), KeyKind::Workspace, Role::Viewer)
        .await;
    let path = format!("{WS}/plans/{}/file", plan["id"].as_str().unwrap());
    let answer = house.call(Method::GET, &path, Some(&key), None).await;
    let kept = PlanFile::parse(&answer.text).expect("it is a plan");
    assert_eq!(json!(kept.digest()), plan["found"]["digest"]);
    assert_eq!(kept.totals().values().sum::<u64>(), 3);
    // The workspace goes on as before.
    house.person("late@example.com", "Late");
    house.pass(120_000).await;
    let again = done(&house, "plans", json!({"mappings": ["contacts"]})).await;
    assert_eq!(again["found"]["records"][0]["records"], 4, "{again}");
    let listed = house
        .operate(Method::GET, &format!("{WS}/plans"), None)
        .await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}

/// How many records a plan would make.
fn creates(plan: &Value) -> u64 {
    let found = plan["found"]["records"].as_array().unwrap();
    let make = found.iter().filter(|row| row["kind"] == "create");
    make.map(|row| row["records"].as_u64().unwrap()).sum()
}

/// Polls are a minute apart here, and HubSpot's searches seconds late; a plan asks both CRMs
/// itself.
#[tokio::test]
async fn a_plan_knows_what_was_typed_a_moment_ago_and_what_is_paused() {
    let (house, _) = observing(2).await;
    house.pass(10_000).await;
    house.person("late@example.com", "Late");
    house.pass(20_000).await;
    let plan = done(&house, "plans", json!({})).await;
    assert_eq!(creates(&plan), 3, "{plan}");
    let pause = format!("{WS}/mappings/contacts/pause");
    let to = json!({"to": "salesforce"});
    house.operate(Method::POST, &pause, Some(to)).await;
    let plan = done(&house, "plans", json!({})).await;
    assert_eq!(creates(&plan), 0, "{plan}");
}

#[tokio::test]
async fn exactly_the_plan_is_carried_out_and_what_was_edited_since_is_spared() {
    let (house, people) = observing(3).await;
    let plan = done(&house, "plans", json!({})).await;
    let id = plan["id"].as_str().unwrap();
    let edit = [("lastname", "Byron")];
    house.hubspot.edit("contacts", &people[1], &edit).unwrap();
    house.person("late@example.com", "Late");
    let applied = apply(&house, id, json!({})).await;
    assert_eq!(applied["state"], "applied", "{applied}");
    assert_eq!(
        emails(&house),
        ["person0@example.com", "person2@example.com"],
        "nothing but what was planned and still holds"
    );
    assert!(applied["applied"]["counts"]["written"].as_u64() > Some(0));
    let left = applied["left"].as_array().unwrap();
    assert!(!left.is_empty(), "{applied}");
    for row in left {
        assert_eq!(row["fate"], "moved", "{row}");
        assert_eq!(row["source"], json!(people[1]), "{row}");
    }
    assert_eq!(applied["applied"]["left"], json!(left.len()));
    // It still observes, and a second time changes nothing.
    let before = written(&house);
    let again = apply(&house, id, json!({})).await;
    assert_eq!(
        again["applied"]["counts"]["written"],
        Value::Null,
        "{again}"
    );
    assert_eq!(written(&house), before);
    house.pass(600_000).await;
    assert_eq!(emails(&house).len(), 2);
    // Once it is live, the rest comes by itself.
    house
        .operate(Method::POST, &format!("{WS}/live"), None)
        .await;
    house.pass(600_000).await;
    assert_eq!(emails(&house).len(), 4);
}

#[tokio::test]
async fn a_canary_writes_a_few_records_and_leaves_the_rest_of_the_plan() {
    let (house, _) = observing(4).await;
    let plan = done(&house, "plans", json!({})).await;
    let id = plan["id"].as_str().unwrap();
    assert_eq!(
        refused(&house, &format!("plans/{id}/apply"), json!({"canary": 0}))
            .await
            .0,
        400
    );
    let tried = apply(&house, id, json!({"canary": 1})).await;
    assert_eq!(emails(&house).len(), 1, "{tried}");
    assert_eq!(tried["applied"]["canary"], json!(true));
    assert!(tried["applied"]["counts"]["left-out"].as_u64() > Some(0));
    let rest = apply(&house, id, json!({})).await;
    assert_eq!(emails(&house).len(), 4, "{rest}");
    assert!(
        rest["applied"]["counts"]["already"].as_u64() > Some(0),
        "{rest}"
    );
}

#[tokio::test]
async fn what_a_run_wrote_is_taken_back_but_not_what_people_made_of_it() {
    let house = House::new().await;
    house.live(ACME).await;
    let ids = [0, 1].map(|nth| house.person(&format!("p{nth}@example.com"), "Lovelace"));
    house.pass(300_000).await;
    // A run of its own that writes a value to each: HubSpot's names change, under a plan.
    house
        .operate(Method::POST, &format!("{WS}/observe"), None)
        .await;
    for copy in house.salesforce.records("Contact") {
        let edit = [("LastName", json!("Byron"))];
        house.salesforce.edit("Contact", &copy.id, &edit).unwrap();
    }
    house.pass(120_000).await;
    let plan = done(&house, "plans", json!({})).await;
    let applied = apply(&house, plan["id"].as_str().unwrap(), json!({})).await;
    let names = ids.each_ref().map(|id| lastname(&house, id));
    assert_eq!(names, ["Byron", "Byron"], "{applied}");
    let run = applied["applied"]["run"].as_str().unwrap();
    let edit = [("lastname", "King")];
    house.hubspot.edit("contacts", &ids[1], &edit).unwrap();
    let undo = done(&house, &format!("runs/{run}/undo"), json!({})).await;
    assert_eq!(
        (&undo["kind"], &undo["state"]),
        (&json!("undo"), &json!("ready")),
        "{undo}"
    );
    assert_eq!(undo["found"]["values"], 1, "{undo}");
    assert_eq!(undo["found"]["spared_count"], 1, "{undo}");
    assert_eq!(undo["undoes"], json!(run));
    let names = ids.each_ref().map(|id| lastname(&house, id));
    assert_eq!(names, ["Byron", "King"], "only planned");
    let undone = apply(&house, undo["id"].as_str().unwrap(), json!({})).await;
    assert_eq!(undone["state"], "applied", "{undone}");
    let names = ids.each_ref().map(|id| lastname(&house, id));
    assert_eq!(names, ["Lovelace", "King"], "{undone}");
    let unknown = refused(&house, "runs/run_x/undo", json!({})).await;
    assert_eq!(unknown, (404, "not-found".to_owned()));
}

#[tokio::test]
async fn one_job_at_a_time_and_none_in_a_paused_workspace() {
    let (house, _) = observing(1).await;
    let first = house
        .operate(Method::POST, &format!("{WS}/plans"), None)
        .await;
    assert_eq!(first["state"], "waiting");
    let second = refused(&house, "plans", json!({})).await;
    assert_eq!(second, (409, "busy".to_owned()));
    house
        .operate(Method::POST, &format!("{WS}/pause"), None)
        .await;
    house.pass(5_000).await;
    let plan = shown(&house, first["id"].as_str().unwrap()).await;
    assert_eq!(
        (&plan["state"], &plan["error"]["code"]),
        (&json!("failed"), &json!("paused"))
    );
    let paused = refused(&house, "plans", json!({})).await;
    assert_eq!(paused, (409, "paused".to_owned()));
    house
        .operate(Method::POST, &format!("{WS}/resume"), None)
        .await;
    let plan = done(&house, "plans", json!({})).await;
    assert_eq!(plan["state"], "ready", "{plan}");
    // A workspace that is not connected has nothing to plan.
    let bare = json!({"id": "bare/test"});
    house
        .operate(Method::POST, "/v1/workspaces", Some(bare))
        .await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let path = "/v1/workspaces/bare/test/plans";
    let answer = house.call(Method::POST, path, Some(&key), None).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (409, "not-connected")
    );
}

#[tokio::test]
async fn a_job_that_was_cut_off_is_told_and_blocks_nothing() {
    let (house, _) = observing(2).await;
    let ws = WorkspaceId::new(ACME);
    // As a process leaves it that dies while it plans.
    let job = NewJob {
        id: "plan_1",
        kind: JobKind::Plan,
        state: JobState::Waiting,
        wish: "{}",
        expires_at: house.clock.now().plus_millis(3_600_000),
        found: "{}",
        doc: None,
    };
    assert!(house.store.put_job(&ws, &job).await.unwrap());
    let working = JobState::Working;
    house
        .store
        .job_begins(&ws, "plan_1", working, None)
        .await
        .unwrap();
    house.pass(120_000).await;
    let plan = shown(&house, "plan_1").await;
    let told = (&plan["state"], &plan["error"]["code"]);
    assert_eq!(told, (&json!("failed"), &json!("interrupted")));
    // The same while a plan is carried out: what was written is known, and the rest goes on.
    let plan = done(&house, "plans", json!({})).await;
    let id = plan["id"].as_str().unwrap();
    let tried = apply(&house, id, json!({"canary": 1})).await;
    let run = RunId::new(tried["applied"]["run"].as_str().unwrap());
    let later = house.clock.now().plus_millis(3_600_000);
    assert!(house.store.job_again(&ws, id, "{}", later).await.unwrap());
    let applying = JobState::Applying;
    let begun = house.store.job_begins(&ws, id, applying, Some(&run)).await;
    assert!(begun.unwrap());
    house.pass(120_000).await;
    let stopped = shown(&house, id).await;
    let told = (&stopped["state"], &stopped["error"]["code"]);
    assert_eq!(told, (&json!("stopped"), &json!("interrupted")));
    let (by_then, by_canary) = (&stopped["applied"]["counts"], &tried["applied"]["counts"]);
    assert_eq!(by_then["written"], by_canary["written"], "{stopped}");
    let applied = apply(&house, id, json!({})).await;
    assert_eq!(applied["state"], "applied", "{applied}");
    assert_eq!(emails(&house).len(), 2);
    house
        .operate(Method::POST, &format!("{WS}/live"), None)
        .await;
    house.person("late@example.com", "Late");
    house.pass(300_000).await;
    assert_eq!(emails(&house).len(), 3, "its engine works");
}

#[tokio::test]
async fn a_plan_that_does_not_fit_any_more_is_refused_before_anything_happens() {
    let (house, _) = observing(2).await;
    let plan = done(&house, "plans", json!({})).await;
    let id = plan["id"].as_str().unwrap();
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let path = format!("{WS}/plans/{id}/file");
    let text = house.call(Method::GET, &path, Some(&key), None).await.text;
    let kept: Value = serde_json::from_str(&text).unwrap();
    // Taken in as it was written, it is as good as the first.
    let brought = json!({"file": kept});
    let taken = house
        .operate(Method::POST, &format!("{WS}/plans"), Some(brought.clone()))
        .await;
    assert_eq!(taken["state"], "ready", "{taken}");
    assert_eq!(taken["found"]["digest"], plan["found"]["digest"]);
    let mut changed = brought.clone();
    changed["file"]["writes"][0]["reason"] = json!("because");
    let told = refused(&house, "plans", changed).await;
    assert_eq!(told, (400, "bad-request".to_owned()));
    house.connected("other/production").await;
    let other = "/v1/workspaces/other/production/plans";
    let answer = house
        .call(Method::POST, other, Some(&key), Some(brought.clone()))
        .await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "outdated"));
    let edited = CONTACTS.replace("  firstname: FirstName\n", "");
    house
        .service
        .set_mappings(MappingFiles::shared(vec![file(&edited)]));
    for (path, body) in [
        (format!("plans/{id}/apply"), json!({})),
        ("plans".to_owned(), brought),
    ] {
        let told = refused(&house, &path, body).await;
        assert_eq!(told, (409, "outdated".to_owned()), "{path}");
    }
    house.pass(60_000).await;
    assert_eq!(emails(&house).len(), 0);
}

#[tokio::test]
async fn a_viewer_looks_an_operator_plans_and_an_admin_applies() {
    let (house, _) = observing(1).await;
    let key = async |role| house.key(Some(ACME), KeyKind::Workspace, role).await;
    let (viewer, operator) = (key(Role::Viewer).await, key(Role::Operator).await);
    let admin = key(Role::Admin).await;
    let post = async |key: &str, path: &str| {
        let path = format!("{WS}/{path}");
        let answer = house.call(Method::POST, &path, Some(key), None).await;
        (answer.status, answer.json())
    };
    assert_eq!(post(&viewer, "plans").await.0, 403);
    let (status, plan) = post(&operator, "plans").await;
    assert_eq!(status, 202);
    house.pass(15_000).await;
    let id = plan["id"].as_str().unwrap();
    let path = format!("{WS}/plans/{id}");
    let looked = house.call(Method::GET, &path, Some(&viewer), None).await;
    assert_eq!(looked.json()["state"], "ready");
    assert_eq!(post(&operator, &format!("plans/{id}/apply")).await.0, 403);
    assert_eq!(post(&admin, &format!("plans/{id}/apply")).await.0, 202);
    house.pass(15_000).await;
    let log = house.operate(Method::GET, &format!("{WS}/log"), None).await;
    let actions: Vec<&str> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["action"].as_str())
        .collect();
    assert!(
        actions.contains(&"plan") && actions.contains(&"apply"),
        "{log}"
    );
    assert!(
        !log.to_string().contains("Lovelace"),
        "the log holds no values"
    );
}

#[tokio::test]
async fn a_workspace_goes_live_by_a_plan_and_a_canary_first() {
    let (house, _) = observing(3).await;
    let plan = done(&house, "plans", json!({})).await;
    let id = plan["id"].as_str().unwrap();
    house.person("late@example.com", "Late");
    let path = format!("{WS}/live");
    assert_eq!(refused(&house, "live", json!({"canary": 1})).await.0, 400);
    let canary = json!({"plan": id, "canary": 1});
    house.operate(Method::POST, &path, Some(canary)).await;
    house.pass(300_000).await;
    assert_eq!(emails(&house).len(), 1);
    let told = house.operate(Method::GET, WS, None).await;
    assert_eq!(told["mode"], "observing", "it waits for another word");
    let whole = json!({"plan": id});
    house.operate(Method::POST, &path, Some(whole)).await;
    house.pass(1_000).await;
    assert_eq!(shown(&house, id).await["state"], "applied");
    house.pass(300_000).await;
    let told = house.operate(Method::GET, WS, None).await;
    assert_eq!(told["mode"], "live");
    assert_eq!(emails(&house).len(), 4, "then whatever comes");
}

#[tokio::test]
async fn a_plan_is_made_although_the_workspace_is_changed_meanwhile() {
    let (house, _) = observing(1).await;
    let asked = house
        .operate(Method::POST, &format!("{WS}/plans"), None)
        .await;
    let token = json!({"kind": "token", "token": house.hubspot_options.token});
    let path = format!("{WS}/connections/hubspot");
    house.operate(Method::PUT, &path, Some(token)).await;
    house
        .operate(Method::POST, &format!("{WS}/live"), None)
        .await;
    house.pass(30_000).await;
    let plan = shown(&house, asked["id"].as_str().unwrap()).await;
    assert_eq!(plan["state"], "ready", "{plan}");
    house.pass(120_000).await;
    assert_eq!(emails(&house).len(), 1, "and its engine writes");
}
