//! How often a key may ask, and what becomes of those who have none.

use axum::http::Method;
use serde_json::json;
use tandem::model::{KeyKind, Role};

use crate::crowd::Open;
use crate::house::{House, PER_MINUTE};

const WS: &str = "/v1/workspaces/acme/production";

#[tokio::test]
async fn a_key_that_asks_too_often_waits_for_the_next_minute_and_no_other_does() {
    let house = House::new().await;
    house.connected("acme/production").await;
    let keen = house
        .key(Some("acme/production"), KeyKind::Workspace, Role::Viewer)
        .await;
    let other = house
        .key(Some("acme/production"), KeyKind::Workspace, Role::Viewer)
        .await;
    let get = async |key: &str| house.call(Method::GET, WS, Some(key), None).await;
    let first = get(&keen).await;
    let header = |answer: &crate::house::Answer, name: &str| {
        let value = answer.headers.get(name).map(|value| value.to_str());
        value.unwrap_or(Ok("")).unwrap().to_owned()
    };
    assert_eq!(first.status, 200);
    let policy = format!("\"requests\";q={PER_MINUTE};w=60");
    assert_eq!(header(&first, "ratelimit-policy"), policy);
    let left = format!("\"requests\";r={};t=60", PER_MINUTE - 1);
    assert_eq!(header(&first, "ratelimit"), left);
    house.clock.advance_millis(20_000);
    for _ in 1..PER_MINUTE {
        // Whatever it asks for, and whether or not it is there.
        let path = "/v1/workspaces/acme/production/conflicts/none";
        house.call(Method::GET, path, Some(&keen), None).await;
    }
    let refused = get(&keen).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "too-many-requests")
    );
    assert_eq!(header(&refused, "retry-after"), "40");
    assert_eq!(header(&refused, "ratelimit"), "\"requests\";r=0;t=40");
    assert_eq!(get(&other).await.status, 200);
    let body = Some(json!({"name": "x", "role": "viewer"}));
    let path = format!("{WS}/keys");
    let post = house.call(Method::POST, &path, Some(&keen), body).await;
    assert_eq!(post.status, 429);
    house.clock.advance_millis(40_000);
    assert_eq!(get(&keen).await.status, 200);
}

#[tokio::test]
async fn an_address_that_guesses_is_stopped_and_good_keys_from_it_go_on() {
    let house = House::new().await;
    let good = house.key(None, KeyKind::Management, Role::Admin).await;
    let late = house.key(None, KeyKind::Management, Role::Admin).await;
    let open = Open::wide(&house).await;
    let url = format!("http://{}/v1/workspaces", open.address);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |key: &str, from: &str| {
        let request = client.get(&url).bearer_auth(key);
        let answer = request
            .header("x-forwarded-for", from)
            .send()
            .await
            .unwrap();
        let retry = answer.headers().get("retry-after").cloned();
        (answer.status().as_u16(), retry)
    };
    let near = "192.0.2.1, 198.51.100.7";
    assert_eq!(ask(&good, near).await.0, 200);
    for nth in 0..30 {
        assert_eq!(ask(&format!("tdm_x{nth}_guess"), near).await.0, 401);
    }
    let (status, retry) = ask("tdm_x_guess", near).await;
    assert_eq!((status, retry.unwrap().to_str().unwrap()), (429, "60"));
    assert_eq!(ask(&good, near).await.0, 200, "it was good a moment ago");
    assert_eq!(ask(&late, near).await.0, 429, "nobody knows this one yet");
    let elsewhere = "198.51.100.8";
    assert_eq!(ask("tdm_x_guess", elsewhere).await.0, 401);
    assert_eq!(ask(&late, elsewhere).await.0, 200);
    house.clock.advance_millis(60_000);
    assert_eq!(ask("tdm_x_guess", near).await.0, 401);
}
