//! Salesforce's broken, partial and refusing replies, and its logins.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tandem::crm::salesforce::{Login, log_in};
use tandem::crm::{ErrorKind, Sent, WriteRow};
use tandem::model::{ErrorClass, Raw, RecordId};

use crate::script::{
    ORG, START, Script, clock, expired, json_reply, login, names, row, text_reply, token_reply,
};

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

#[tokio::test]
async fn two_requests_that_meet_a_dead_token_log_in_once() {
    let rows = || json_reply(200, json!({"done": true, "records": []}));
    let script = Script::new(vec![
        expired(),
        expired(),
        token_reply("new"),
        rows(),
        rows(),
    ]);
    let client = script.salesforce(&clock(), Some(login()));
    let ask = || client.query("SELECT Id FROM Contact");
    let (first, second) = tokio::join!(ask(), ask());
    assert!(first.is_ok() && second.is_ok());
    let got = script.got();
    let logins = got.iter().filter(|got| got.path.contains("oauth2")).count();
    assert_eq!((logins, got.len()), (1, 5));
    assert_eq!(got[4].headers["authorization"], "Bearer new");
}

#[tokio::test]
async fn a_query_that_goes_round_in_a_circle_ends() {
    let page = || {
        let next = "/services/data/v67.0/query/0r8-2000";
        json_reply(
            200,
            json!({"done": false, "nextRecordsUrl": next, "records": []}),
        )
    };
    let script = Script::new(vec![page(), page(), page()]);
    let error = script.salesforce(&clock(), None).users().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BrokenReply);
}

#[tokio::test]
async fn an_unusable_private_key_is_explained_before_anything_is_sent() {
    let script = Script::new(vec![]);
    let keys = [
        "",
        "not a key",
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----",
    ];
    for key in keys {
        let login = Login::Jwt {
            url: "http://login.test".to_owned(),
            client_id: "key".to_owned(),
            username: "sync@acme.test".to_owned(),
            private_key: SecretString::from(key),
            audience: "https://login.salesforce.com".to_owned(),
        };
        let error = log_in(&script.transport(), &login, &clock())
            .await
            .unwrap_err();
        assert_eq!(error.code, "bad-private-key");
        assert_eq!((error.class(), error.sent), (ErrorClass::Auth, Sent::No));
    }
}
