//! HubSpot's broken, partial and refusing replies.

use secrecy::SecretString;
use serde_json::json;
use tandem::clock::Clock;
use tandem::crm::salesforce::{Login, log_in};
use tandem::crm::{ErrorKind, HubSpot, RateScope, Sent, Transport};
use tandem::model::{ErrorClass, Presence, RecordId, Timestamp};

use crate::script::{START, Script, clock, ids, json_reply, names, rows, text_reply};

#[tokio::test]
async fn html_and_broken_json_are_never_data() {
    let bodies = [
        text_reply(200, "text/html", "<html>{\"results\":[]}</html>"),
        text_reply(200, "application/json", "<html>maintenance</html>"),
        text_reply(200, "application/json", "{\"results\":[{\"id\":\"1\""),
        text_reply(200, "application/json", ""),
        json_reply(200, json!({"status": "COMPLETE"})),
        json_reply(200, json!([])),
        json_reply(200, json!({"results": [{"properties": {}}]})),
        json_reply(200, json!({"results": {"id": "1"}})),
    ];
    for body in bodies {
        let script = Script::new(vec![body]);
        let error = script
            .hubspot(&clock())
            .batch_read("contacts", &ids(&["1"]), &[])
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::BrokenReply, "{error}");
        assert_eq!(error.class(), ErrorClass::Transient);
    }
}

#[tokio::test]
async fn an_unreadable_answer_to_a_write_leaves_the_outcome_unknown() {
    for body in [
        text_reply(200, "text/html", "<html></html>"),
        text_reply(201, "application/json", "{\"results\":[{\"id\":"),
        text_reply(502, "text/html", "<html>Bad gateway</html>"),
        json_reply(504, json!({})),
    ] {
        let script = Script::new(vec![body]);
        let answers = script
            .hubspot(&clock())
            .create("contacts", &rows(&["a"]))
            .await;
        let error = answers[0].1.as_ref().unwrap_err();
        assert_eq!(error.sent, Sent::Unknown);
        assert_eq!(error.class(), ErrorClass::UnknownOutcome);
    }
    let script = Script::new(vec![text_reply(
        503,
        "text/html",
        "<html>Maintenance</html>",
    )]);
    let answers = script
        .salesforce(&clock(), None)
        .create("Contact", &rows(&["a"]))
        .await;
    assert_eq!(
        answers[0].1.as_ref().unwrap_err().class(),
        ErrorClass::Transient
    );
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_not_read() {
    let mut big = text_reply(200, "application/json", "");
    big.body = vec![b' '; tandem::crm::BODY_CAP + 1];
    let script = Script::new(vec![big]);
    let error = script.hubspot(&clock()).account().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BrokenReply);
}

#[tokio::test]
async fn rows_are_matched_by_trace_and_missing_ones_are_unknown() {
    let reply = json_reply(
        207,
        json!({
            "status": "COMPLETE",
            "results": [
                {"id": 12, "objectWriteTraceId": "b", "properties": {"firstname": "Ann"}, "x": []},
            ],
            "numErrors": 1,
            "errors": [{
                "status": "error", "category": "CONFLICT",
                "message": "Contact already exists. Existing ID: 77",
                "context": {"objectWriteTraceId": ["a"]},
            }],
        }),
    );
    let script = Script::new(vec![reply]);
    let answers = script
        .hubspot(&clock())
        .create("contacts", &rows(&["a", "b", "c"]))
        .await;
    let of = |trace: &str| &answers.iter().find(|(t, _)| t == trace).unwrap().1;
    let refused = of("a").as_ref().unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Duplicate);
    assert_eq!(refused.existing, Some(RecordId::new("77")));
    assert!(!refused.whole_call);
    let written = of("b").as_ref().unwrap();
    assert_eq!((written.id.as_str(), written.created), ("12", true));
    assert!(written.stored.is_some());
    assert_eq!(of("c").as_ref().unwrap_err().sent, Sent::Unknown);
    let sent = &script.got()[0].body["inputs"];
    assert_eq!(sent[0]["objectWriteTraceId"], "a");
}

#[tokio::test]
async fn a_refused_batch_gives_each_row_the_same_error_to_bisect() {
    let body = json!({
        "status": "error", "category": "VALIDATION_ERROR", "correlationId": "c-1",
        "message": "Property values were not valid: [{\"isValid\":false,\"message\":\"Property \
                    \\\"foo\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\
                    \"name\":\"foo\"}]",
    });
    let script = Script::new(vec![json_reply(400, body)]);
    let answers = script
        .hubspot(&clock())
        .create("contacts", &rows(&["a", "b"]))
        .await;
    assert_eq!(answers.len(), 2);
    for (_, answer) in answers {
        let error = answer.unwrap_err();
        assert!(error.whole_call);
        assert_eq!(error.kind, ErrorKind::UnknownField);
        assert_eq!(error.code, "PROPERTY_DOESNT_EXIST");
        assert_eq!(error.fields, ["foo"]);
        assert_eq!(error.correlation_id.as_deref(), Some("c-1"));
        assert_eq!(error.class(), ErrorClass::Permanent);
    }
}

#[tokio::test]
async fn every_kind_of_429_knows_when_to_come_back() {
    let policy = |name: &str, message: &str| {
        let body = json!({"status": "error", "policyName": name, "message": message});
        json_reply(429, body)
    };
    let cases = [
        (policy("TEN_SECONDLY_ROLLING", ""), RateScope::Burst, 10_000),
        (policy("SECONDLY", ""), RateScope::Search, 1_000),
        (
            policy("", "You have reached your secondly limit."),
            RateScope::Search,
            1_000,
        ),
        (policy("DAILY", ""), RateScope::Daily, 900_000),
        (
            text_reply(429, "text/html", "<html>"),
            RateScope::Burst,
            10_000,
        ),
        (
            policy("X", "").with("retry-after", "7"),
            RateScope::Burst,
            7_000,
        ),
        (
            policy("X", "").with("retry-after", "Thu, 01 Jan 2026 00:00:30 GMT"),
            RateScope::Burst,
            31_000,
        ),
        (
            json_reply(477, json!({})).with("retry-after", "3600"),
            RateScope::Moving,
            3_600_000,
        ),
        (
            policy("X", "").with("retry-after", "99999999"),
            RateScope::Burst,
            86_400_000,
        ),
    ];
    for (reply, scope, wait) in cases {
        let script = Script::new(vec![reply]);
        let hubspot = script.hubspot(&clock());
        let error = hubspot.account().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::RateLimited(scope));
        assert_eq!(error.class(), ErrorClass::Rate);
        let at = Timestamp::from_millis(START + wait);
        assert_eq!(error.retry_after, Some(at));
        // The gate is closed for the same time, and only for searches when those were too many.
        let searches = u32::from(scope == RateScope::Search);
        assert_eq!(hubspot.ready_at(1 - searches, searches), Some(at));
        if scope == RateScope::Search {
            assert_eq!(hubspot.ready_at(1, 0), None);
        } else {
            let refused = hubspot.account().await.unwrap_err();
            assert_eq!(
                (refused.kind, refused.sent),
                (ErrorKind::NotBefore, Sent::No)
            );
            assert_eq!(refused.retry_after, Some(at));
        }
        assert_eq!(hubspot.calls().rate_limited, 1);
        assert_eq!(script.got().len(), 1);
    }
}

#[tokio::test]
async fn a_lock_waits_two_seconds_without_stopping_the_others() {
    let script = Script::new(vec![
        json_reply(423, json!({})),
        json_reply(200, json!({"portalId": 1})),
    ]);
    let hubspot = script.hubspot(&clock());
    let error = hubspot.account().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Locked);
    assert!(error.retry_after.unwrap() >= Timestamp::from_millis(START + 2_000));
    assert_eq!(hubspot.account().await.unwrap().portal_id, "1");
}

#[tokio::test]
async fn a_merged_record_is_not_taken_for_a_deleted_one() {
    let live = json!({"results": [
        {"id": "30", "properties": {"hs_merged_object_ids": "10;20"}, "archived": false},
    ], "errors": [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["40", "50"]}}]});
    let archived = json!({"results": [{"id": "40", "properties": {}, "archived": true}]});
    let resolved = json!({"id": "30", "properties": {}, "archived": false});
    let script = Script::new(vec![
        json_reply(207, live),
        json_reply(200, archived),
        // Single reads answer to old ids too, and no merge names this one.
        json_reply(404, json!({"category": "OBJECT_NOT_FOUND"})),
        json_reply(200, resolved),
    ]);
    let records = script
        .hubspot(&clock())
        .batch_read(
            "contacts",
            &ids(&["10", "30", "40", "50", "10", "60"]),
            &names(&["email"]),
        )
        .await
        .unwrap();
    let found: Vec<(&str, &Presence)> = records
        .iter()
        .map(|r| (r.id.as_str(), &r.presence))
        .collect();
    let merged = Presence::MergedInto(RecordId::new("30"));
    assert_eq!(
        found,
        [
            ("10", &merged),
            ("30", &Presence::Live),
            ("40", &Presence::Deleted),
            ("50", &Presence::NotVisible),
            ("60", &merged),
        ]
    );
    assert_eq!(
        script.got()[1].body["inputs"],
        json!([{"id": "40"}, {"id": "50"}, {"id": "60"}])
    );
}

#[tokio::test]
async fn a_hiccup_in_a_read_is_no_proof_that_records_are_gone() {
    let body = json!({"results": [], "errors": [{"category": "INTERNAL_ERROR", "message": "x"}]});
    let script = Script::new(vec![json_reply(207, body)]);
    let read = script
        .hubspot(&clock())
        .batch_read("contacts", &ids(&["1"]), &[])
        .await;
    assert_eq!(read.unwrap_err().class(), ErrorClass::Transient);
}

#[tokio::test]
async fn a_search_that_stands_still_is_an_error_and_not_a_loop() {
    let page = json!({"total": 500, "results": [{"id": "9"}], "paging": {"next": {"after": "1"}}});
    let script = Script::new(vec![json_reply(200, page)]);
    let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(9));
    let after = RecordId::new("10");
    let found = script
        .hubspot(&clock())
        .search_changed("contacts", "lastmodifieddate", from, to, Some(&after), &[])
        .await;
    assert_eq!(found.unwrap_err().kind, ErrorKind::BrokenReply);
}

#[tokio::test]
async fn a_search_with_many_properties_stays_under_the_body_limit() {
    let script = Script::new(vec![
        json_reply(200, json!({"total": 1, "results": [{"id": "5"}]})),
        json_reply(
            200,
            json!({"results": [{"id": "5", "properties": {"p0": "x"}}]}),
        ),
    ]);
    let wide: Vec<String> = (0..300).map(|n| format!("p{n}_with_a_long_name")).collect();
    let at = Timestamp::from_millis(1);
    let page = script
        .hubspot(&clock())
        .search_changed("contacts", "lastmodifieddate", at, at, None, &wide)
        .await
        .unwrap();
    assert!(page.complete);
    assert_eq!(page.records.len(), 1);
    assert!(script.got()[0].body.to_string().len() <= 3_000);
    assert!(script.got()[1].path.contains("/batch/read"));
}

#[tokio::test]
async fn a_bad_address_or_token_is_told_by_the_first_call() {
    let script = Script::new(vec![]);
    let token = || SecretString::from("x");
    let client = HubSpot::new(script.transport(), "api.hubapi.com", token(), clock());
    assert_eq!(
        client.account().await.unwrap_err().kind,
        ErrorKind::BadRequest
    );
    let bad = SecretString::from("line\nbreak");
    let client = HubSpot::new(script.transport(), "http://x.test", bad, clock());
    let error = client.account().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::LoginRefused);
    assert!(!error.message.contains("line\n"));
    let login = Login::Token {
        url: "ftp://x".to_owned(),
        token: token(),
    };
    assert!(log_in(&script.transport(), &login, &clock()).await.is_err());
}

#[tokio::test]
async fn nothing_listens_is_a_connect_error_that_sent_nothing() {
    let token = SecretString::from("x");
    let transport = Transport::network().unwrap();
    let client = HubSpot::new(transport, "http://127.0.0.1:9", token, Clock::System);
    let answers = client.create("contacts", &rows(&["a"])).await;
    let error = answers[0].1.as_ref().unwrap_err();
    assert_eq!((error.kind, error.sent), (ErrorKind::Connect, Sent::No));
    assert_eq!(error.class(), ErrorClass::Transient);
}

#[tokio::test]
async fn a_reply_cut_anywhere_never_counts_as_written() {
    let whole =
        json!({"results": [{"id": "1", "objectWriteTraceId": "a", "new": true}]}).to_string();
    for end in 0..whole.len() {
        let script = Script::new(vec![text_reply(201, "application/json", &whole[..end])]);
        let answers = script
            .hubspot(&clock())
            .create("contacts", &rows(&["a"]))
            .await;
        assert_eq!(answers[0].1.as_ref().unwrap_err().sent, Sent::Unknown);
    }
}

#[tokio::test]
async fn absurd_figures_in_replies_do_no_harm() {
    let minimum = i64::MIN.to_string();
    let body = json!({"results": [{"id": "1", "updatedAt": minimum, "createdAt": "x",
        "properties": {"a": 1, "b": true, "c": {"d": []}}, "archived": null}]});
    let reply = json_reply(200, body)
        .with("x-hubspot-ratelimit-max", "18446744073709551615")
        .with("x-hubspot-ratelimit-remaining", "0")
        .with(
            "x-hubspot-ratelimit-interval-milliseconds",
            "9223372036854775807",
        )
        .with("x-hubspot-ratelimit-daily", "18446744073709551615")
        .with("x-hubspot-ratelimit-daily-remaining", "-5");
    let script = Script::new(vec![reply]);
    let hubspot = script.hubspot(&clock());
    let page = hubspot.list("contacts", &[], None, false).await.unwrap();
    assert_eq!(page.records[0].modified_at, None);
    hubspot.ready_at(u32::MAX, u32::MAX);
    let worst = json!({"burst": [[i64::MIN, u64::MAX], [i64::MAX, u64::MAX]],
        "burst_span_ms": i64::MAX, "daily_limit": u64::MAX, "daily_used": u64::MAX,
        "daily_read_ms": i64::MIN, "not_before_ms": i64::MAX, "day": [[START, u64::MAX]]});
    hubspot.restore_gate(&worst);
    assert!(hubspot.ready_at(u32::MAX, u32::MAX).is_some());
}

/// Takes one request and answers with `reply`, then hangs up.
async fn hang_up_after(reply: &'static [u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut got = [0; 4_096];
        assert!(stream.read(&mut got).await.unwrap() > 0);
        stream.write_all(reply).await.unwrap();
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_connection_cut_midway_leaves_a_write_unknown_and_a_read_transient() {
    let half: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"results\":";
    for reply in [b"".as_slice(), half] {
        let client = |url: String| {
            let token = SecretString::from("x");
            HubSpot::new(Transport::network().unwrap(), &url, token, Clock::System)
        };
        let answers = client(hang_up_after(reply).await)
            .create("contacts", &rows(&["a"]))
            .await;
        let error = answers[0].1.as_ref().unwrap_err();
        assert_eq!(error.class(), ErrorClass::UnknownOutcome, "{error:?}");
        let error = client(hang_up_after(reply).await)
            .account()
            .await
            .unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient, "{error:?}");
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_read_is_absent_and_not_blank() {
    let body = r#"{"results":[{"id":"1","properties":{"a":"\ud800","b":["x"],"c":null,"d":"é"}}]}"#;
    let script = Script::new(vec![text_reply(200, "application/json", body)]);
    let page = script
        .hubspot(&clock())
        .list("contacts", &[], None, false)
        .await
        .unwrap();
    let fields = &page.records[0].fields;
    assert!(!fields.contains_key("a") && !fields.contains_key("b"));
    assert!(fields["c"].is_blank());
    assert_eq!(fields["d"].as_text(), Some("é"));
}

#[tokio::test]
async fn secrets_do_not_show_in_debug_output() {
    let url = url::Url::parse("https://x.test/token?assertion=hush").unwrap();
    let request = tandem::crm::Request::new(http::Method::POST, url, false)
        .form(&[("client_secret", "hush")])
        .bearer(&SecretString::from("hush"))
        .unwrap();
    assert!(!format!("{request:?}").contains("hush"));
    let client = Script::new(vec![]).salesforce(&clock(), Some(crate::script::login()));
    assert!(!format!("{client:?}").contains("hush"));
}
