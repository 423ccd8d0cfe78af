//! Decisions about many rows at once over the API, and links that people make and take apart.

use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use tandem::model::{
    BySide, DeadLetterId, ErrorClass, KeyKind, MappingName, RecordId, RecordKey, Role, Side, Task,
    WorkspaceId,
};
use tandem::pipeline::LANE;
use tandem::store::{Changes, DeadLetter, DeadLetterState};

use crate::house::{Answer, House, START};
use crate::review::{
    WS, fall_out, house, items, jobtitle, linked, meanwhile, refuse, something_waits, title,
};

/// A decision of an operator, made while the service works.
async fn decide(house: &House, path: &str, body: Value) -> Answer {
    meanwhile(house, Method::POST, &format!("{WS}/{path}"), Some(body)).await
}

fn ids(rows: &[Value]) -> Vec<Value> {
    rows.iter().map(|row| row["id"].clone()).collect()
}

/// The entries of the workspace's log about such an action: what it was done to, and how.
async fn logged(house: &House, action: &str) -> Vec<(String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let log = items(house, &format!("{WS}/log")).await;
    let of_action = log.iter().filter(|entry| entry["action"] == action);
    of_action
        .map(|entry| (text(entry, "target"), text(entry, "detail")))
        .collect()
}

/// So many open dead letters of contacts, as if their work had failed.
async fn letters(house: &House, count: usize) {
    let letter = |nth: usize| DeadLetter {
        id: DeadLetterId::new(format!("dl_{nth:05}")),
        at: START,
        first_at: START,
        run: None,
        mapping: MappingName::new("contacts"),
        link: None,
        task: Task::Record(RecordKey {
            mapping: MappingName::new("contacts"),
            side: if nth.is_multiple_of(2) {
                Side::HubSpot
            } else {
                Side::Salesforce
            },
            id: RecordId::new(format!("{nth}")),
        }),
        rule: nth.is_multiple_of(3).then(|| "jobtitle".to_owned()),
        class: ErrorClass::Permanent,
        code: "MADE_UP".to_owned(),
        message: "made up".to_owned(),
        fields: Vec::new(),
        base: None,
        inputs: BySide::default(),
        planned: None,
        attempts: 1,
        fingerprint: String::new(),
        state: DeadLetterState::Open,
        note: String::new(),
    };
    let ws = WorkspaceId::new("acme/production");
    let lease = house.store.lease(&ws, LANE, "test", 30_000).await.unwrap();
    let lease = lease.expect("nobody works there");
    let changes = Changes {
        dead_letters: (0..count).map(letter).collect(),
        ..Changes::default()
    };
    house.store.commit(&lease, changes).await.unwrap();
    house.store.release(lease).await.unwrap();
}

/// A workspace that nobody works on, with so many dead letters.
async fn failed(count: usize) -> House {
    let house = House::new().await;
    let body = json!({"id": "acme/production"});
    house
        .operate(Method::POST, "/v1/workspaces", Some(body))
        .await;
    letters(&house, count).await;
    house
}

#[tokio::test]
async fn conflicts_of_a_rule_are_decided_at_once_and_written_on_both_sides() {
    let house = house().await;
    let pairs = linked(&house, 3).await;
    fall_out(&house, &pairs).await;
    let open = format!("{WS}/conflicts");
    let found = items(&house, &open).await;
    assert_eq!(found.len(), 3, "{found:?}");
    let body = json!({"choice": "salesforce", "which": {"rule": "lastname"}});
    let none = decide(&house, "conflicts/take", body).await;
    assert_eq!(
        none.json(),
        json!({"taken": [], "next": null}),
        "{}",
        none.text
    );
    let body = json!({"choice": "hubspot", "which": {"rule": "jobtitle"}});
    let taken = decide(&house, "conflicts/take", body).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    assert_eq!(taken.json(), json!({"taken": ids(&found), "next": null}));
    house.pass(120_000).await;
    for (hubspot, salesforce) in &pairs {
        assert_eq!(jobtitle(&house, hubspot), "CEO");
        assert_eq!(title(&house, salesforce), json!("CEO"));
    }
    assert_eq!(items(&house, &open).await.len(), 0);
    let told = logged(&house, "take").await;
    assert_eq!(told.len(), 1, "one entry for one decision: {told:?}");
    let (target, detail) = &told[0];
    assert_eq!(target, "3 conflicts");
    let text = |nth: usize| found[nth]["id"].as_str().unwrap();
    assert_eq!(
        *detail,
        format!("hubspot; rule jobtitle; {} to {}", text(0), text(2))
    );
}

#[tokio::test]
async fn one_value_is_given_to_many_conflicts_only_where_they_are_of_one_rule() {
    let house = house().await;
    let pairs = linked(&house, 2).await;
    fall_out(&house, &pairs).await;
    for which in [json!({"all": true}), json!({"mapping": "contacts"})] {
        let body = json!({"choice": "Chair", "which": which});
        let answer = decide(&house, "conflicts/take", body).await;
        assert_eq!(answer.code(), "bad-request", "{}", answer.text);
        assert!(
            answer.text.contains("mapping and the rule"),
            "{}",
            answer.text
        );
    }
    let which = json!({"mapping": "contacts", "rule": "jobtitle"});
    let body = json!({"choice": "Chair", "which": which});
    let answer = decide(&house, "conflicts/take", body).await;
    assert_eq!(answer.json()["taken"].as_array().map(Vec::len), Some(2));
    house.pass(120_000).await;
    for (hubspot, salesforce) in &pairs {
        assert_eq!(jobtitle(&house, hubspot), "Chair");
        assert_eq!(title(&house, salesforce), json!("Chair"));
    }
    let told = format!("{:?}", logged(&house, "take").await);
    assert!(!told.contains("Chair"), "the log holds no values: {told}");
}

#[tokio::test]
async fn ids_are_decided_all_or_none_and_nothing_is_decided_unnamed() {
    let house = house().await;
    let pairs = linked(&house, 2).await;
    fall_out(&house, &pairs).await;
    let found = items(&house, &format!("{WS}/conflicts")).await;
    let first = found[0]["id"].clone();
    let many: Vec<String> = (0..201).map(|nth| format!("cfl_{nth}")).collect();
    let cases = [
        (json!({"ids": [first, "cfl_none"]}), "not-found"),
        (json!({"ids": [first], "rule": "jobtitle"}), "bad-request"),
        (json!({"ids": [first], "all": true}), "bad-request"),
        (json!({"ids": [first], "cursor": "cfl_0"}), "bad-request"),
        (json!({"ids": many}), "bad-request"),
        (
            json!({"rule": "jobtitle", "state": "closed"}),
            "bad-request",
        ),
        (json!({"rule": "a\0b"}), "bad-request"),
        (json!({"every": true}), "bad-request"),
        (json!({}), "bad-request"),
    ];
    for (which, code) in cases {
        let body = json!({"choice": "hubspot", "which": which});
        let answer = decide(&house, "conflicts/take", body).await;
        assert_eq!(answer.code(), code, "{which}: {}", answer.text);
    }
    house.pass(120_000).await;
    let still = items(&house, &format!("{WS}/conflicts")).await;
    assert_eq!(ids(&still), ids(&found));
    assert_eq!(logged(&house, "take").await, []);
    let body = json!({"choice": "hubspot", "which": {"ids": [first, first]}});
    let answer = decide(&house, "conflicts/take", body).await;
    assert_eq!(answer.json(), json!({"taken": [first], "next": null}));
}

#[tokio::test]
async fn work_that_failed_is_put_back_in_line_by_a_filter_and_closes() {
    let house = house().await;
    refuse(&house, Some("Bad"));
    for nth in 0..3 {
        house.person(&format!("bad{nth}@example.com"), "Bad");
    }
    house.pass(120_000).await;
    let open = format!("{WS}/dead-letters");
    let found = items(&house, &open).await;
    assert_eq!(found.len(), 3, "{found:?}");
    refuse(&house, None);
    let code = found[0]["code"].clone();
    let which = json!({"mapping": "contacts", "code": code, "side": "hubspot"});
    let answer = decide(&house, "dead-letters/replay", json!({"which": which})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(
        answer.json(),
        json!({"replayed": ids(&found), "next": null})
    );
    house.pass(120_000).await;
    assert_eq!(house.salesforce.records("Contact").len(), 3);
    assert_eq!(items(&house, &open).await.len(), 0);
    let told = logged(&house, "replay").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "3 dead letters");
}

#[tokio::test]
async fn a_filter_that_leaves_very_many_rows_is_worked_off_a_page_at_a_time() {
    let house = failed(1_500).await;
    let mut cursor = Value::Null;
    let mut counts = Vec::new();
    loop {
        let which = json!({"mapping": "contacts", "cursor": cursor});
        let body = json!({"reason": "no longer with us", "which": which});
        let answer = decide(&house, "dead-letters/discard", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        counts.push(answer.json()["discarded"].as_array().unwrap().len());
        cursor = answer.json()["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(counts, [1_000, 500]);
    assert_eq!(items(&house, &format!("{WS}/dead-letters")).await.len(), 0);
    let gone = items(&house, &format!("{WS}/dead-letters?state=discarded")).await;
    assert_eq!(gone[0]["note"], json!("no longer with us"));
    let told = logged(&house, "discard").await;
    assert_eq!(told[1].0, "1000 dead letters");
    assert_eq!(told[1].1, "mapping contacts; dl_00000 to dl_00999");
}

#[tokio::test]
async fn dead_letters_are_told_apart_by_side_and_rule() {
    let house = failed(12).await;
    let listed = async |query: &str| {
        let rows = items(&house, &format!("{WS}/dead-letters?{query}")).await;
        rows.len()
    };
    assert_eq!(listed("side=hubspot").await, 6);
    assert_eq!(listed("rule=jobtitle").await, 4);
    let which = json!({"side": "salesforce", "rule": "jobtitle"});
    let body = json!({"reason": "made up", "which": which});
    let answer = decide(&house, "dead-letters/discard", body).await;
    let want = json!({"discarded": ["dl_00003", "dl_00009"], "next": null});
    assert_eq!(answer.json(), want, "{}", answer.text);
    assert_eq!(listed("rule=jobtitle&state=discarded").await, 2);
    assert_eq!(listed("rule=jobtitle").await, 2);
    let body = json!({"reason": "again", "which": {"ids": ["dl_00000", "dl_00003"]}});
    let answer = decide(&house, "dead-letters/discard", body).await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "settled"));
    assert_eq!(listed("state=open").await, 10, "all or none");
}

#[tokio::test]
async fn a_decision_that_is_sent_again_under_its_name_is_made_once() {
    let house = failed(3).await;
    let key = house.key(None, KeyKind::Management, Role::Operator).await;
    let path = format!("{WS}/dead-letters/discard");
    let body = json!({"reason": "made up", "which": {"all": true}});
    let send = async || {
        let request = Request::post(&path)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "once")
            .body(body.to_string().into());
        house.send(request.unwrap()).await
    };
    let first = send().await;
    assert_eq!(first.json()["discarded"].as_array().map(Vec::len), Some(3));
    let again = send().await;
    assert_eq!(again.text, first.text);
    assert!(again.headers.contains_key("idempotency-replayed"));
    assert_eq!(logged(&house, "discard").await.len(), 1);
}

#[tokio::test]
async fn links_are_taken_apart_and_made_by_hand() {
    let house = house().await;
    let pairs = linked(&house, 2).await;
    let (hubspot, salesforce) = &pairs[0];
    let links = items(&house, &format!("{WS}/links")).await;
    let first = links
        .iter()
        .find(|link| link["hubspot_id"] == json!(hubspot));
    let first = first.unwrap()["id"].clone();
    let which = json!({"ids": [first]});
    let answer = decide(&house, "links/unpair", json!({"which": which})).await;
    assert_eq!(
        answer.json(),
        json!({"unpaired": [first], "next": null}),
        "{}",
        answer.text
    );
    let edit = [("jobtitle", "Loner")];
    house.hubspot.edit("contacts", hubspot, &edit).unwrap();
    house.pass(120_000).await;
    assert_eq!(title(&house, salesforce), Value::Null);
    let again = decide(&house, "links/unpair", json!({"which": which})).await;
    assert_eq!((again.status, again.code().as_str()), (409, "settled"));

    let pair = |mapping: &str, hubspot: &str, salesforce: &str| {
        let ids = [("hubspot_id", hubspot), ("salesforce_id", salesforce)];
        let pairs = [("mapping", mapping)].into_iter().chain(ids);
        Value::Object(
            pairs
                .map(|(name, text)| (name.to_owned(), json!(text)))
                .collect(),
        )
    };
    let refused = [
        (pair("people", hubspot, salesforce), "not-found"),
        (pair("contacts", "abc", salesforce), "bad-request"),
        (pair("contacts", hubspot, &salesforce[..15]), "bad-request"),
        (pair("contacts", hubspot, &pairs[1].1), "exists"),
    ];
    for (body, code) in refused {
        let answer = decide(&house, "links", body.clone()).await;
        assert_eq!(answer.code(), code, "{body}: {}", answer.text);
    }
    let made = decide(&house, "links", pair("contacts", hubspot, salesforce)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["state"], json!("linked"));
    house.pass(120_000).await;
    let edit = [("jobtitle", "Partner")];
    house.hubspot.edit("contacts", hubspot, &edit).unwrap();
    house.pass(120_000).await;
    assert_eq!(title(&house, salesforce), json!("Partner"));
    let made_id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        logged(&house, "pair").await,
        [(made_id, "contacts".to_owned())]
    );

    let body = json!({"which": {"state": "linked"}});
    let answer = decide(&house, "links/unpair", body).await;
    assert_eq!(answer.json()["unpaired"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        items(&house, &format!("{WS}/links?state=linked"))
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn what_waits_in_another_workspace_is_not_decided_by_its_ids() {
    let house = House::new().await;
    something_waits(&house, "acme/production").await;
    house.connected("other/production").await;
    let mine = house
        .key(Some("other/production"), KeyKind::Workspace, Role::Admin)
        .await;
    let listed = async |list: &str| items(&house, &format!("{WS}/{list}")).await;
    let before = [
        listed("conflicts").await,
        listed("dead-letters").await,
        listed("links?state=linked").await,
    ];
    let which = |nth: usize| json!({"ids": [before[nth][0]["id"]]});
    let decisions = [
        (
            "conflicts/take",
            json!({"choice": "hubspot", "which": which(0)}),
        ),
        ("dead-letters/replay", json!({"which": which(1)})),
        (
            "dead-letters/discard",
            json!({"reason": "stolen", "which": which(1)}),
        ),
        ("links/unpair", json!({"which": which(2)})),
    ];
    for (path, body) in decisions {
        let path = format!("/v1/workspaces/other/production/{path}");
        let answer = house
            .call(Method::POST, &path, Some(&mine), Some(body))
            .await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
    }
    for all in ["conflicts/take", "dead-letters/replay", "links/unpair"] {
        let path = format!("/v1/workspaces/other/production/{all}");
        let mut body = json!({"which": {"all": true}});
        if all == "conflicts/take" {
            body["choice"] = json!("hubspot");
        }
        let answer = house
            .call(Method::POST, &path, Some(&mine), Some(body))
            .await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
        assert!(!answer.text.contains("_"), "it has none: {}", answer.text);
    }
    let after = [
        listed("conflicts").await,
        listed("dead-letters").await,
        listed("links?state=linked").await,
    ];
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_viewer_decides_nothing_in_bulk() {
    let house = failed(1).await;
    let viewer = house
        .key(Some("acme/production"), KeyKind::Workspace, Role::Viewer)
        .await;
    let all = json!({"all": true});
    let decisions = [
        ("conflicts/take", json!({"choice": "hubspot", "which": all})),
        ("dead-letters/replay", json!({"which": all})),
        ("dead-letters/discard", json!({"reason": "x", "which": all})),
        ("links/unpair", json!({"which": all})),
        (
            "links",
            json!({"mapping": "contacts", "hubspot_id": "1",
                "salesforce_id": "003A00000000001AAA"}),
        ),
    ];
    for (path, body) in decisions {
        let path = format!("{WS}/{path}");
        let answer = house
            .call(Method::POST, &path, Some(&viewer), Some(body))
            .await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
    }
    assert_eq!(items(&house, &format!("{WS}/dead-letters")).await.len(), 1);
}
