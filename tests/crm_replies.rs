//! The clients against replies no well-behaved CRM would send: each must end as a classed error
//! or as data that is really there, never as a panic or as a record that looks deleted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use http::{HeaderMap, Method, Response, Uri};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tandem::clock::Clock;
use tandem::crm::salesforce::{Login, Session, log_in};
use tandem::crm::{ErrorKind, HubSpot, RateScope, Salesforce, Sent, Transport, WriteRow};
use tandem::model::{ErrorClass, Presence, Raw, RecordId, Timestamp};

const START: i64 = 1_767_225_600_000;

/// One canned reply.
struct Canned {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn json_reply(status: u16, body: Value) -> Canned {
    Canned {
        status,
        headers: vec![("content-type", "application/json;charset=utf-8".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

fn text_reply(status: u16, kind: &str, body: &str) -> Canned {
    Canned {
        status,
        headers: vec![("content-type", kind.to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

impl Canned {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

#[derive(Clone, Debug)]
struct Got {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Value,
}

/// A server that gives its replies one after another and keeps what it was asked.
#[derive(Clone)]
struct Script {
    replies: Arc<Mutex<VecDeque<Canned>>>,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Script {
    fn new(replies: Vec<Canned>) -> Self {
        Self {
            replies: Arc::new(Mutex::new(replies.into())),
            got: Arc::default(),
        }
    }

    fn transport(&self) -> Transport {
        let script = self.clone();
        let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let script = script.clone();
            async move {
                let form = String::from_utf8_lossy(&body).into_owned();
                script.got.lock().unwrap().push(Got {
                    method,
                    path: uri.to_string(),
                    headers,
                    body: serde_json::from_slice(&body).unwrap_or(Value::String(form)),
                });
                let canned = script.replies.lock().unwrap().pop_front();
                let canned = canned.expect("more requests than replies");
                let mut response = Response::builder().status(canned.status);
                for (name, value) in canned.headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(canned.body)).unwrap()
            }
        };
        Transport::InProcess(Router::new().fallback(answer))
    }

    fn hubspot(&self, clock: &Clock) -> HubSpot {
        let token = SecretString::from("pat-na1-secret");
        HubSpot::new(
            self.transport(),
            "http://hubspot.test",
            token,
            clock.clone(),
        )
    }

    fn salesforce(&self, clock: &Clock, login: Option<Login>) -> Salesforce {
        let session = Session {
            instance_url: "http://org.test".to_owned(),
            token: SecretString::from("00D5f000000aaaa!old"),
            organization_id: ORG.to_owned(),
            user_id: None,
        };
        Salesforce::new(self.transport(), session, login, clock.clone())
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

const ORG: &str = "00D5f000000aaaaEAA";

fn clock() -> Clock {
    Clock::manual(Timestamp::from_millis(START))
}

fn ids(names: &[&str]) -> Vec<RecordId> {
    names.iter().map(|&id| RecordId::new(id)).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn row(trace: &str, id: Option<&str>, fields: &[(&str, Raw)]) -> WriteRow {
    WriteRow {
        trace: trace.to_owned(),
        id: id.map(RecordId::new),
        fields: fields
            .iter()
            .map(|(name, raw)| ((*name).to_owned(), raw.clone()))
            .collect(),
    }
}

fn rows(traces: &[&str]) -> Vec<WriteRow> {
    let fields = [("firstname", Raw::text("Ann"))];
    traces
        .iter()
        .map(|trace| row(trace, None, &fields))
        .collect()
}

fn login() -> Login {
    Login::ClientCredentials {
        url: "http://login.test".to_owned(),
        id: "key".to_owned(),
        secret: SecretString::from("hush"),
    }
}

fn token_reply(token: &str) -> Canned {
    json_reply(
        200,
        json!({
            "access_token": token,
            "instance_url": "http://moved.test/",
            "id": format!("https://login.salesforce.com/id/{ORG}/0055f000000bbbbAAA"),
            "issued_at": "1763895120123",
        }),
    )
}

fn expired() -> Canned {
    let body =
        json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]);
    json_reply(401, body)
}

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
    let script = Script::new(vec![json_reply(207, live), json_reply(200, archived)]);
    let records = script
        .hubspot(&clock())
        .batch_read(
            "contacts",
            &ids(&["10", "30", "40", "50", "10"]),
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
        ]
    );
    assert_eq!(
        script.got()[1].body["inputs"],
        json!([{"id": "40"}, {"id": "50"}])
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
async fn an_expired_token_is_replaced_once_and_the_new_address_is_used() {
    let ok = json_reply(200, json!([{"id": "0035f00002JUZPDAA5", "success": true}]));
    let script = Script::new(vec![expired(), token_reply("new"), ok]);
    let client = script.salesforce(&clock(), Some(login()));
    let fields = [("LastName", Raw::text("Ann"))];
    let answers = client.create("Contact", &[row("a", None, &fields)]).await;
    assert!(answers[0].1.is_ok());
    let got = script.got();
    assert_eq!(
        got[1].body,
        "grant_type=client_credentials&client_id=key&client_secret=hush"
    );
    assert_eq!(got[2].headers["authorization"], "Bearer new");
    assert_eq!(got[2].headers["host"], "moved.test");
    assert_eq!(got[2].headers["sforce-auto-assign"], "FALSE");
    assert_eq!(got[0].body, got[2].body);
}

#[tokio::test]
async fn a_second_401_stops() {
    let script = Script::new(vec![expired(), token_reply("new"), expired()]);
    let client = script.salesforce(&clock(), Some(login()));
    let error = client.query("SELECT Id FROM Contact").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TokenExpired);
    assert_eq!(error.class(), ErrorClass::Auth);
    assert_eq!(script.got().len(), 3);
}

#[tokio::test]
async fn a_login_that_leads_to_another_org_is_refused() {
    let other = json!({
        "access_token": "t", "instance_url": "http://org.test",
        "id": "https://test.salesforce.com/id/00D5f000000zzzzEAC/0055f000000bbbbAAA",
    });
    let script = Script::new(vec![expired(), json_reply(200, other)]);
    let client = script.salesforce(&clock(), Some(login()));
    let error = client.query("SELECT Id FROM Contact").await.unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::LoginRefused, "organization-changed")
    );
}

#[tokio::test]
async fn refused_logins_are_for_a_person_and_broken_ones_are_not() {
    let refused = json!({"error": "invalid_grant", "error_description": "audience is invalid"});
    let cases = [
        (json_reply(400, refused), ErrorClass::Auth),
        (
            text_reply(503, "text/html", "<html>"),
            ErrorClass::Transient,
        ),
        (
            json_reply(200, json!({"access_token": "t"})),
            ErrorClass::Transient,
        ),
        (
            json_reply(
                200,
                json!({"access_token": "t", "instance_url": "javascript:1"}),
            ),
            ErrorClass::Transient,
        ),
    ];
    for (reply, class) in cases {
        let script = Script::new(vec![reply]);
        let error = log_in(&script.transport(), &login(), &clock())
            .await
            .unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert!(!format!("{error:?}").contains("hush"));
    }
}

#[tokio::test]
async fn salesforce_rows_answer_in_order_and_short_replies_are_unknown() {
    let reply = json!([
        {"success": false, "errors": [{"statusCode": "REQUIRED_FIELD_MISSING",
            "message": "Required fields are missing: [LastName]", "fields": ["LastName"]}]},
        {"success": false, "id": null, "errors": [{"statusCode": "DUPLICATE_VALUE", "message":
            "duplicate value found: Ext__c duplicates value on record with id: 0035f00002JUZPD"}]},
        {"success": false, "errors": [{"errorCode": "DUPLICATES_DETECTED", "message": "Use one?",
            "duplicateResut": {"matchResults": [{"matchRecords": [
                {"record": {"attributes": {"type": "Lead"}, "Id": "00Q5f000000ccccAAA"}},
                {"record": {"attributes": {"type": "Contact"}, "Id": "0035f00002JUZPDAA5"}}]}]}}]},
        {"success": false, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "busy"}]},
        {"success": true, "id": "0035f00002JUZPDAA5", "errors": []},
    ]);
    let script = Script::new(vec![json_reply(200, reply)]);
    let fields = [("Amount", Raw::Number("123456789012345678.90".to_owned()))];
    let rows: Vec<WriteRow> = ["a", "b", "c", "d", "e", "f"]
        .iter()
        .map(|t| row(t, None, &fields))
        .collect();
    let answers = script
        .salesforce(&clock(), None)
        .create("Contact", &rows)
        .await;
    let error = |n: usize| answers[n].1.as_ref().unwrap_err();
    assert_eq!(
        (error(0).kind, &error(0).fields),
        (ErrorKind::Rejected, &names(&["LastName"]))
    );
    let other = Some(RecordId::new("0035f00002JUZPDAA5"));
    assert_eq!(
        (error(1).kind, &error(1).existing),
        (ErrorKind::Duplicate, &other)
    );
    assert_eq!(
        (error(2).kind, &error(2).existing),
        (ErrorKind::Duplicate, &other)
    );
    assert_eq!(error(3).class(), ErrorClass::Transient);
    assert!(answers[4].1.is_ok());
    assert_eq!(error(5).sent, Sent::Unknown);
}

#[tokio::test]
async fn money_keeps_its_digits_in_both_directions() {
    let body = r#"{"done":true,"records":[{"Id":"0065f00002JUZPDAA5","Amount":123456789012345678.90,
        "Big":1.0E7,"Account":{"Name":"x"},"Flag":true,"Gone":null}]}"#;
    let saved = json!([{"id": "0065f00002JUZPDAA5", "success": true}]);
    let script = Script::new(vec![
        text_reply(200, "application/json", body),
        json_reply(200, saved),
    ]);
    let client = script.salesforce(&clock(), None);
    let page = client
        .query("SELECT Id, Amount FROM Opportunity")
        .await
        .unwrap();
    let fields = &page.records[0].fields;
    let amount = Raw::Number("123456789012345678.90".to_owned());
    assert_eq!(fields["Amount"], amount);
    assert_eq!(fields["Gone"], Raw::Null);
    assert!(!fields.contains_key("Account"));
    let update = row("a", Some("0065f00002JUZPDAA5"), &[("Amount", amount)]);
    assert!(client.update("Opportunity", &[update]).await[0].1.is_ok());
}

#[tokio::test]
async fn query_pages_without_an_end_marker_are_not_the_end() {
    for body in [
        json!({"records": []}),
        json!({"records": [], "done": false}),
        json!({"done": true}),
    ] {
        let script = Script::new(vec![json_reply(200, body)]);
        let error = script
            .salesforce(&clock(), None)
            .query("SELECT Id FROM Lead")
            .await;
        assert_eq!(error.unwrap_err().kind, ErrorKind::BrokenReply);
    }
    let script = Script::new(vec![]);
    let client = script.salesforce(&clock(), None);
    for next in [
        "http://evil.test/",
        "//evil.test",
        "/services/data/../x",
        "@evil.test/",
    ] {
        assert_eq!(
            client.query_more(next).await.unwrap_err().kind,
            ErrorKind::BadRequest
        );
    }
}

#[tokio::test]
async fn salesforce_refusals_are_sorted_by_code_then_by_status() {
    let code = |status, code: &str, message: &str| {
        json_reply(status, json!([{"errorCode": code, "message": message}]))
    };
    let cases = [
        (
            code(
                403,
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
            ),
            ErrorClass::Rate,
        ),
        (
            code(403, "INSUFFICIENT_ACCESS", ""),
            ErrorClass::NeedsPerson,
        ),
        (
            code(400, "INVALID_QUERY_LOCATOR", ""),
            ErrorClass::Transient,
        ),
        (code(400, "MALFORMED_QUERY", ""), ErrorClass::Ours),
        (code(400, "SOMETHING_NEW", ""), ErrorClass::Permanent),
        (code(500, "SOMETHING_NEW", ""), ErrorClass::Transient),
        (text_reply(406, "text/plain", ""), ErrorClass::Transient),
        (
            text_reply(420, "text/html", "<html>"),
            ErrorClass::Transient,
        ),
        (
            json_reply(503, json!({"error": "x"})),
            ErrorClass::Transient,
        ),
    ];
    for (reply, class) in cases {
        let script = Script::new(vec![reply]);
        let client = script.salesforce(&clock(), None);
        let error = client.query("SELECT Id FROM Contact").await.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
    }
    let message = "No such column 'Foo__c' on entity 'Contact'.";
    let script = Script::new(vec![code(400, "INVALID_FIELD", message)]);
    let error = script
        .salesforce(&clock(), None)
        .query("SELECT Id FROM Contact")
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.fields),
        (ErrorKind::UnknownField, names(&["Foo__c"]))
    );
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
async fn an_assertion_is_signed_so_that_its_public_key_verifies_it() {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let login = Login::Jwt {
        url: "http://login.test".to_owned(),
        client_id: "key".to_owned(),
        username: "sync@acme.test".to_owned(),
        private_key: SecretString::from(pem),
        audience: "https://login.salesforce.com".to_owned(),
    };
    let script = Script::new(vec![token_reply("t")]);
    let session = log_in(&script.transport(), &login, &clock()).await.unwrap();
    assert_eq!(session.token.expose_secret(), "t");
    assert_eq!(session.organization_id, ORG);
    assert_eq!(session.instance_url, "http://moved.test");
    let form = script.got()[0].body.as_str().unwrap().to_owned();
    let assertion = form.split("assertion=").nth(1).unwrap();
    let (message, signature) = assertion.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
        .verify(message.as_bytes(), &signature)
        .unwrap();
    let claims = URL_SAFE_NO_PAD
        .decode(message.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["sub"], "sync@acme.test");
    assert_eq!(claims["exp"], START / 1_000 + 120);
}
