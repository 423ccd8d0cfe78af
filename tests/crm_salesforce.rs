//! The Salesforce client against the simulated org, in process.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tandem::clock::Clock;
use tandem::crm::salesforce::{Asked, Login, log_in};
use tandem::crm::{ErrorKind, Salesforce, Transport, WriteRow};
use tandem::model::{
    ErrorClass, FieldKind, Junction, Presence, Raw, RecordId, RoleRead, Timestamp,
};
use tandem::sim::SimClock;
use tandem::sim::salesforce::{DuplicateRule, SalesforceOptions, SalesforceSim};

const START: i64 = 1_767_225_600_000;

struct Org {
    sim: SalesforceSim,
    clock: Clock,
    client: Salesforce,
}

fn credentials(options: &SalesforceOptions) -> Login {
    Login::ClientCredentials {
        url: "http://org.test".to_owned(),
        id: options.client_id.clone(),
        secret: SecretString::from(options.client_secret.clone()),
    }
}

async fn org_with(options: SalesforceOptions) -> Org {
    let clock = Clock::manual(Timestamp::from_millis(START));
    let login = credentials(&options);
    let sim = SalesforceSim::new(SimClock::new(clock.clone()), options);
    let transport = Transport::InProcess(sim.router());
    let session = log_in(&transport, &login, &clock).await.unwrap();
    let client = Salesforce::new(transport, session, Some(login), clock.clone());
    Org { sim, clock, client }
}

async fn org() -> Org {
    org_with(SalesforceOptions::default()).await
}

impl Org {
    fn contact(&self, name: &str) -> RecordId {
        RecordId::new(
            self.sim
                .create("Contact", &[("LastName", json!(name))])
                .unwrap(),
        )
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn row(trace: &str, id: Option<&RecordId>, fields: &[(&str, Raw)]) -> WriteRow {
    WriteRow {
        trace: trace.to_owned(),
        id: id.cloned(),
        fields: fields
            .iter()
            .map(|(name, raw)| ((*name).to_owned(), raw.clone()))
            .collect(),
        unless_changed_since: None,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(START + seconds * 1_000)
}

#[tokio::test]
async fn the_org_describes_itself() {
    let org = org().await;
    assert_eq!(
        org.client.session().organization_id,
        org.sim.organization_id()
    );
    let schema = org.client.object_schema("Contact").await.unwrap();
    assert!(schema.fields["LastName"].required);
    assert_eq!(
        schema.fields["LastName"].kind,
        FieldKind::Text { length: Some(80) }
    );
    assert_eq!(schema.fields["OwnerId"].kind, FieldKind::Owner);
    assert!(!schema.fields["SystemModstamp"].updateable);
    let key = &schema.fields["Tandem_Link_Id__c"];
    assert!(key.external_id && key.unique);
    let deals = org.client.object_schema("Opportunity").await.unwrap();
    assert!(matches!(
        deals.fields["Amount"].kind,
        FieldKind::Money { .. }
    ));
    assert!(!deals.record_types.is_empty());
    let about = org.client.organization().await.unwrap();
    assert_eq!(about.id, org.sim.organization_id());
    assert!(about.multi_currency);
    assert_eq!(about.currency.as_deref(), Some("EUR"));
    let users = org.client.users().await.unwrap();
    assert!(users.iter().any(|user| user.active && user.email.is_some()));
    let usage = org.client.limits().await.unwrap();
    assert_eq!(usage.daily_limit, Some(100_000));
    let error = org.client.object_schema("Nothing__c").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn an_org_with_one_currency_says_so() {
    let options = SalesforceOptions {
        multi_currency: false,
        ..SalesforceOptions::default()
    };
    let about = org_with(options).await.client.organization().await.unwrap();
    assert!(!about.multi_currency);
}

#[tokio::test]
async fn a_wrong_secret_is_for_a_person_and_a_given_token_works() {
    let org = org().await;
    let transport = Transport::InProcess(org.sim.router());
    let url = "http://org.test".to_owned();
    let wrong = Login::ClientCredentials {
        url: url.clone(),
        id: "sim-client-id".to_owned(),
        secret: SecretString::from("wrong"),
    };
    let error = log_in(&transport, &wrong, &org.clock).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Auth);
    let token = SecretString::from(org.sim.issue_token());
    let session = log_in(&transport, &Login::Token { url, token }, &org.clock)
        .await
        .unwrap();
    assert_eq!(session.organization_id, org.sim.organization_id());
}

#[tokio::test]
async fn a_batch_with_bad_rows_writes_the_good_ones() {
    let org = org().await;
    let rows = [
        row(
            "good",
            None,
            &[("LastName", Raw::text("Berg")), ("Email", Raw::Null)],
        ),
        row("empty", None, &[("FirstName", Raw::text("Ann"))]),
        row(
            "typo",
            None,
            &[("LastName", Raw::text("X")), ("Nope__c", Raw::text("x"))],
        ),
        row("long", None, &[("LastName", Raw::text("x".repeat(81)))]),
    ];
    let answers = org.client.create("Contact", &rows).await;
    assert!(answers[0].1.as_ref().unwrap().created);
    let error = |n: usize| answers[n].1.as_ref().unwrap_err();
    assert_eq!(
        (error(1).kind, &error(1).fields),
        (ErrorKind::Rejected, &names(&["LastName"]))
    );
    assert_eq!(error(2).kind, ErrorKind::UnknownField, "{:?}", error(2));
    assert_eq!(error(3).code, "STRING_TOO_LONG");
    assert_eq!(org.sim.records("Contact").len(), 1);
}

#[tokio::test]
async fn duplicates_name_the_record_that_is_there() {
    let org = org().await;
    let first = [row(
        "a",
        None,
        &[
            ("LastName", Raw::text("Berg")),
            ("Tandem_Link_Id__c", Raw::text("k1")),
        ],
    )];
    let there = org.client.create("Contact", &first).await[0]
        .1
        .as_ref()
        .unwrap()
        .id
        .clone();
    let again = org.client.create("Contact", &first).await;
    let error = again[0].1.as_ref().unwrap_err();
    assert_eq!(
        (error.kind, error.existing.as_ref()),
        (ErrorKind::Duplicate, Some(&there))
    );
    org.sim.set_duplicate_rule(
        "Contact",
        Some(DuplicateRule {
            fields: names(&["LastName"]),
            block: false,
        }),
    );
    let other = [row("b", None, &[("LastName", Raw::text("Berg"))])];
    let answers = org.client.create("Contact", &other).await;
    let error = answers[0].1.as_ref().unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Duplicate, "DUPLICATES_DETECTED")
    );
}

#[tokio::test]
async fn an_upsert_by_key_creates_once_and_an_update_clears() {
    let org = org().await;
    let rows = [row(
        "a",
        None,
        &[
            ("Tandem_Link_Id__c", Raw::text("k1")),
            ("LastName", Raw::text("Berg")),
            ("FirstName", Raw::text("Ann")),
        ],
    )];
    for created in [true, false] {
        let answers = org
            .client
            .upsert("Contact", "Tandem_Link_Id__c", &rows)
            .await;
        assert_eq!(answers[0].1.as_ref().unwrap().created, created);
    }
    let found = org
        .client
        .find_by(
            "Contact",
            "Tandem_Link_Id__c",
            &names(&["k1", "it's \\ none"]),
            &[],
        )
        .await
        .unwrap();
    let id = found[0].id.clone();
    let clear = [row("a", Some(&id), &[("FirstName", Raw::Null)])];
    assert!(org.client.update("Contact", &clear).await[0].1.is_ok());
    let read = org
        .client
        .retrieve("Contact", &[id], &names(&["FirstName"]))
        .await
        .unwrap();
    assert_eq!(read[0].fields["FirstName"], Raw::Null);
}

#[tokio::test]
async fn retrieve_tells_deleted_merged_and_unknown_apart() {
    let org = org().await;
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| org.contact(name));
    org.sim.merge("Contact", a.as_str(), &[b.as_str()]).unwrap();
    org.sim.purge("Contact", d.as_str()).ok();
    let deleted = org.client.delete("Contact", &[c.clone(), d.clone()]).await;
    assert!(
        deleted.iter().all(|(_, answer)| answer.is_ok()),
        "{deleted:?}"
    );
    org.sim.purge("Contact", d.as_str()).unwrap();
    let ids = [a.clone(), b, c, d];
    let records = org
        .client
        .retrieve("Contact", &ids, &names(&["LastName"]))
        .await
        .unwrap();
    let presence: Vec<Presence> = records.into_iter().map(|record| record.presence).collect();
    let expected = [
        Presence::Live,
        Presence::MergedInto(a),
        Presence::Deleted,
        Presence::NotVisible,
    ];
    assert_eq!(presence, expected);
}

#[tokio::test]
async fn a_converted_lead_names_its_contact() {
    let org = org().await;
    let fields = [("LastName", json!("Berg")), ("Company", json!("Acme"))];
    let lead = RecordId::new(org.sim.create("Lead", &fields).unwrap());
    org.sim
        .convert_lead(lead.as_str(), None, None, false)
        .unwrap();
    let read = org.client.retrieve("Lead", &[lead], &[]).await.unwrap();
    let contact = RecordId::new(org.sim.records("Contact")[0].id.as_str());
    let converted = Presence::Converted {
        contact: Some(contact),
    };
    assert_eq!(read[0].presence, converted);
}

#[tokio::test]
async fn twelve_thousand_records_with_one_stamp_are_all_found() {
    let org = org().await;
    for n in 0..12_000 {
        org.contact(&format!("c{n}"));
    }
    let gone = org.contact("gone");
    org.sim.delete("Contact", gone.as_str()).unwrap();
    let (mut after, mut met, mut deleted) = (None, BTreeSet::new(), 0);
    for _ in 0..20 {
        let asked = Asked {
            object: "Contact",
            fields: &names(&["LastName"]),
            from: at(0),
            after,
            until: at(60),
            limit: 2_000,
        };
        let page = org.client.changed(&asked).await.unwrap();
        let Some(last) = page.records.last() else {
            break;
        };
        let stamp = last.fields["SystemModstamp"]
            .as_text()
            .and_then(Timestamp::parse);
        after = Some((stamp.unwrap(), last.id.clone()));
        deleted += page
            .records
            .iter()
            .filter(|r| r.presence == Presence::Deleted)
            .count();
        met.extend(page.records.into_iter().map(|record| record.id));
    }
    assert_eq!((met.len(), deleted), (12_001, 1));
    let mut listed = 0;
    let mut last: Option<RecordId> = None;
    loop {
        let page = org
            .client
            .list("Contact", &[], last.as_ref(), 2_000)
            .await
            .unwrap();
        let Some(record) = page.records.last() else {
            break;
        };
        last = Some(record.id.clone());
        listed += page.records.len();
    }
    assert_eq!(listed, 12_000);
}

#[tokio::test]
async fn field_lists_too_long_for_an_address_are_read_all_the_same() {
    let org = org().await;
    let id = org.contact("Berg");
    let schema = org.client.object_schema("Contact").await.unwrap();
    let mut fields: Vec<String> = schema.fields.keys().cloned().collect();
    // Naming fields over and over is allowed; only the length matters here.
    fields.extend(fields.clone());
    let page = org.client.list("Contact", &fields, None, 10).await.unwrap();
    assert_eq!(page.records[0].id, id);
    let many: Vec<String> = (0..900).map(|n| format!("Missing_Field_{n}__c")).collect();
    let error = org
        .client
        .list("Contact", &many, None, 10)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownField, "{error:?}");
}

#[tokio::test]
async fn queries_page_and_expired_tokens_are_renewed_midway() {
    let org = org().await;
    for n in 0..2_500 {
        org.contact(&format!("c{n}"));
    }
    let page = org
        .client
        .query_all("SELECT Id FROM Contact")
        .await
        .unwrap();
    assert_eq!(page.records.len(), 2_000);
    org.sim.expire_tokens();
    let before = org.client.session();
    let rest = org.client.query_more(&page.next.unwrap()).await.unwrap();
    assert_eq!(rest.records.len(), 500);
    assert_eq!(rest.next, None);
    assert_ne!(
        before.token.expose_secret(),
        org.client.session().token.expose_secret()
    );
    assert_eq!(org.client.calls().by_family["login"], 1);
    let used = org.client.usage();
    assert!(used.daily_used.is_some() && used.daily_limit == Some(100_000));
}

#[tokio::test]
async fn a_hidden_field_is_an_unknown_one() {
    let org = org().await;
    let id = org.contact("Berg");
    org.sim.hide_fields("Contact", &["Email"]).unwrap();
    let schema = org.client.object_schema("Contact").await.unwrap();
    assert!(!schema.fields.contains_key("Email"));
    let error = org
        .client
        .retrieve("Contact", &[id], &names(&["Email"]))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.fields),
        (ErrorKind::UnknownField, names(&["Email"]))
    );
}

#[tokio::test]
async fn the_assertion_of_either_key_form_logs_in() {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::signature::KeyPair;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der = pair.as_der().unwrap();
    let org = org_with(SalesforceOptions {
        jwt_public_key_der: Some(pair.public_key().as_ref().to_vec()),
        ..SalesforceOptions::default()
    })
    .await;
    let transport = Transport::InProcess(org.sim.router());
    // A PKCS#8 key of this size is a PKCS#1 key behind 26 bytes.
    let forms = [
        ("PRIVATE KEY", pkcs8.as_ref()),
        ("RSA PRIVATE KEY", &pkcs8.as_ref()[26..]),
    ];
    for (name, der) in forms {
        let body = STANDARD.encode(der);
        let pem = format!("-----BEGIN {name}-----\n{body}\n-----END {name}-----\n");
        let login = Login::Jwt {
            url: "http://org.test".to_owned(),
            client_id: "sim-client-id".to_owned(),
            username: "integration@example.com".to_owned(),
            private_key: SecretString::from(pem),
            audience: "https://login.salesforce.com".to_owned(),
        };
        let session = log_in(&transport, &login, &org.clock).await.unwrap();
        assert_eq!(session.organization_id, org.sim.organization_id());
    }
}

#[tokio::test]
async fn roles_are_found_for_any_number_of_contacts_made_and_deleted_row_by_row() {
    let org = org().await;
    let deal = json!({"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01"});
    let deal: Vec<(&str, serde_json::Value)> = deal
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    let deal = RecordId::new(org.sim.create("Opportunity", &deal).unwrap());
    let people: Vec<RecordId> = (0..450).map(|n| org.contact(&format!("P{n}"))).collect();
    let object = "OpportunityContactRole";
    let role = |nth: usize, contact: &RecordId, role: &str| {
        let fields = [
            ("ContactId", Raw::text(contact.as_str())),
            ("OpportunityId", Raw::text(deal.as_str())),
            ("Role", Raw::text(role)),
        ];
        row(&nth.to_string(), None, &fields)
    };
    let mut rows: Vec<WriteRow> = people
        .iter()
        .enumerate()
        .map(|(nth, contact)| role(nth, contact, "Decision Maker"))
        .collect();
    rows.push(role(450, &people[0], "Evaluator"));
    rows.push(role(451, &RecordId::new("not-an-id"), "Evaluator"));
    let made = org.client.create(object, &rows).await;
    let failed = made.iter().filter(|(_, reply)| reply.is_err());
    assert_eq!(failed.map(|(trace, _)| trace).collect::<Vec<_>>(), ["451"]);
    let junction = Junction::named(object).unwrap();
    let (own, far, _) = junction.seen_from("Contact").unwrap();
    let reads = ["decision maker", "O'Brien\\"].map(|role| RoleRead {
        junction,
        own,
        far,
        role: role.to_owned(),
    });
    let mut asked = people.clone();
    asked.push(RecordId::new("not-an-id"));
    let found = org.client.role_rows(&reads, &asked).await.unwrap();
    assert_eq!(found.len(), 450, "each once, and no other role");
    assert!(found.iter().all(|row| row.far == deal && row.is(&reads[0])));
    let ids: Vec<RecordId> = found.iter().map(|row| row.id.clone()).collect();
    let deleted = org.client.delete(object, &ids).await;
    assert!(deleted.iter().all(|(_, reply)| reply.is_ok()));
    assert!(
        org.client
            .role_rows(&reads, &people)
            .await
            .unwrap()
            .is_empty()
    );
    let again = org.client.delete(object, &ids[..1]).await;
    assert_eq!(again[0].1.as_ref().unwrap_err().kind, ErrorKind::NotFound);
}
