//! Lists of what waits for a person: pages that miss nothing, and input that means harm.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use tandem::model::{KeyKind, Role};

use crate::house::House;
use crate::review::{WS, fall_out, house, items, linked, refuse};

/// Every row of a list in pages of two, as text.
async fn walked(house: &House, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let between = if path.contains('?') { '&' } else { '?' };
        let page = format!("{path}{between}limit=2{cursor}");
        let listed = house.operate(Method::GET, &page, None).await;
        let rows = listed["items"].as_array().unwrap();
        assert!(rows.len() <= 2);
        found.extend(rows.iter().map(ToString::to_string));
        assert!(found.len() < 100, "{path} does not end");
        let Some(next) = listed["next"].as_str() else {
            return found;
        };
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn pages_meet_every_row_once() {
    let house = house().await;
    let pairs = linked(&house, 5).await;
    fall_out(&house, &pairs).await;
    refuse(&house, Some("Bad"));
    for nth in 0..5 {
        house.person(&format!("bad{nth}@example.com"), "Bad");
    }
    house.pass(120_000).await;
    for nth in 0..2 {
        for action in ["pause", "resume"] {
            let path = format!("{WS}/{action}");
            house.operate(Method::POST, &path, None).await;
            house.pass(1_000).await;
        }
        // An engine that works on nothing is no run.
        house.person(&format!("more{nth}@example.com"), "More");
        house.pass(90_000).await;
    }
    let lists = [
        ("conflicts", 5),
        ("conflicts?mapping=contacts&rule=jobtitle", 5),
        ("conflicts?mapping=other", 0),
        ("conflicts?state=decided", 0),
        ("dead-letters", 5),
        ("dead-letters?mapping=contacts&state=open", 5),
        ("dead-letters?code=OTHER", 0),
        ("dead-letters?class=rate", 0),
        ("dead-letters?state=closed", 0),
        ("holds", 5),
        ("links", 12),
        ("links?state=linked", 7),
        ("links?state=creating-salesforce", 5),
        ("links?state=tombstoned", 0),
        ("runs", 3),
    ];
    for (list, count) in lists {
        let path = format!("{WS}/{list}");
        let walked = walked(&house, &path).await;
        let whole = items(&house, &path).await;
        let whole: Vec<String> = whole.iter().map(ToString::to_string).collect();
        assert_eq!(walked, whole, "{list}");
        assert_eq!(walked.len(), count, "{list}");
        let different: BTreeSet<&String> = walked.iter().collect();
        assert_eq!(different.len(), count, "{list}");
    }
    let runs = items(&house, &format!("{WS}/runs")).await;
    let started: Vec<&str> = runs
        .iter()
        .map(|run| run["started_at"].as_str().unwrap())
        .collect();
    assert!(started.is_sorted_by(|a, b| a >= b), "{runs:?}");
    assert_eq!(runs[0]["ended_at"], Value::Null);
    // Each pair was linked, and so written, once.
    assert_eq!(runs[2]["did"]["writes"].as_u64(), Some(5), "{runs:?}");
}

/// Texts that no cursor, name or id looks like, as they stand in an address.
fn hostile() -> Vec<String> {
    let texts = [
        "%00",
        "x%00y",
        "'%3B%20DROP%20TABLE%20links%3B--",
        "%F0%9F%98%80",
        "%FF%FE",
        ":",
        "lnk_:%00",
        "..%2F..%2Fkeys",
        "-1",
    ];
    let long = "a".repeat(5_000);
    texts.map(str::to_owned).into_iter().chain([long]).collect()
}

#[tokio::test]
async fn hostile_cursors_and_filters_find_nothing_and_break_nothing() {
    let house = house().await;
    let pairs = linked(&house, 1).await;
    fall_out(&house, &pairs).await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let get = async |path: String| {
        let answer = house.call(Method::GET, &path, Some(&key), None).await;
        assert!(answer.status < 500, "{path}: {}", answer.text);
        answer
    };
    for text in hostile() {
        for list in [
            "conflicts",
            "dead-letters",
            "holds",
            "links",
            "approvals",
            "runs",
        ] {
            let answer = get(format!("{WS}/{list}?cursor={text}")).await;
            assert!(matches!(answer.status, 200 | 400), "{list} {text}");
            let answer = get(format!("{WS}/{list}?limit={text}")).await;
            assert_eq!(answer.status, 400, "{list} {text}");
        }
        for list in ["conflicts", "dead-letters", "links"] {
            let answer = get(format!("{WS}/{list}?state={text}")).await;
            assert_eq!(answer.status, 400, "{list} {text}");
            let answer = get(format!("{WS}/{list}?mapping={text}")).await;
            let found = answer.json()["items"].as_array().map_or(0, Vec::len);
            assert_eq!(found, 0, "{list} {text}");
        }
        let answer = get(format!("{WS}/explain?object=contacts&id={text}")).await;
        assert_eq!(answer.status, 400, "{text}: {}", answer.text);
        let answer = get(format!("{WS}/explain?object={text}&id=1")).await;
        assert!(matches!(answer.status, 400 | 404), "{text}");
        let known = format!("{WS}/explain?object=contacts&id={}", pairs[0].0);
        get(format!("{known}&field={text}")).await;
        let answer = get(format!("{known}&at={text}")).await;
        assert_eq!(answer.status, 400, "{text}: {}", answer.text);
        for kind in ["conflicts", "dead-letters"] {
            let answer = get(format!("{WS}/{kind}/{text}")).await;
            assert!(matches!(answer.status, 400 | 404), "{kind} {text}");
        }
    }
    assert_eq!(items(&house, &format!("{WS}/conflicts")).await.len(), 1);
}

#[tokio::test]
async fn hostile_ids_change_nothing() {
    let house = house().await;
    let pairs = linked(&house, 1).await;
    fall_out(&house, &pairs).await;
    let key = house.key(None, KeyKind::Management, Role::Admin).await;
    let actions = [
        ("conflicts", "take", Some(json!({"choice": "hubspot"}))),
        ("dead-letters", "replay", None),
        ("dead-letters", "discard", Some(json!({"reason": "x"}))),
        ("approvals", "approve", None),
    ];
    for text in hostile() {
        for (kind, action, body) in &actions {
            let path = format!("{WS}/{kind}/{text}/{action}");
            let answer = house
                .call(Method::POST, &path, Some(&key), body.clone())
                .await;
            assert!(
                matches!(answer.status, 400 | 404),
                "{path}: {}",
                answer.text
            );
        }
    }
    assert_eq!(items(&house, &format!("{WS}/conflicts")).await.len(), 1);
}
