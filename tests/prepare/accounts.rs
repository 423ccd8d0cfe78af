//! Looking over both accounts and making what is missing, by the real clients on the simulators.

use axum::Router;
use axum::body::Body;
use http::Request;
use secrecy::SecretString;
use serde_json::{Value, json};
use tandem::app::{Made, look_over, make_ready};
use tandem::clock::Clock;
use tandem::crm::salesforce::{Login, log_in};
use tandem::crm::{Crms, HubSpot, Salesforce, Transport, WriteRow};
use tandem::mapping::Mapping;
use tandem::model::{Raw, Side, Timestamp};
use tandem::prepare::{Finding, State, findings, grants, note_failures};
use tandem::sim::SimClock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tower::ServiceExt;

use super::{PEOPLE, SHIPPED, mappings};

/// 2026-03-02T09:00:00Z.
const START: Timestamp = Timestamp::from_millis(1_772_442_000_000);

struct Accounts {
    hubspot: HubSpotSim,
    salesforce: SalesforceSim,
    crms: Crms,
    mappings: Vec<Mapping>,
}

impl Accounts {
    /// Accounts that nobody has prepared.
    async fn bare(texts: &[&str]) -> Self {
        Self::with(texts, true).await
    }

    async fn with(texts: &[&str], bare: bool) -> Self {
        let clock = Clock::manual(START);
        let options = HubSpotOptions {
            bare,
            ..HubSpotOptions::default()
        };
        let token = SecretString::from(options.token.clone());
        let hubspot = HubSpotSim::new(SimClock::new(clock.clone()), options);
        let options = SalesforceOptions {
            bare,
            ..SalesforceOptions::default()
        };
        let login = Login::ClientCredentials {
            url: "http://salesforce.test".to_owned(),
            id: options.client_id.clone(),
            secret: SecretString::from(options.client_secret.clone()),
        };
        let salesforce = SalesforceSim::new(SimClock::new(clock.clone()), options);
        let transport = Transport::InProcess(salesforce.router());
        let session = log_in(&transport, &login, &clock).await.expect("a session");
        let to_hubspot = Transport::InProcess(hubspot.router());
        let url = "http://hubspot.test";
        Self {
            crms: Crms {
                hubspot: HubSpot::new(to_hubspot, url, token, clock.clone()),
                salesforce: Salesforce::new(transport, session, Some(login), clock),
            },
            mappings: mappings(texts),
            hubspot,
            salesforce,
        }
    }

    async fn look(&self) -> Vec<Finding> {
        let seen = look_over(&self.crms, &self.mappings).await;
        findings(&self.mappings, &seen.expect("both accounts are read"))
    }

    /// As `tandem prepare --yes`, and what is found afterwards.
    async fn prepare(&self) -> (Made, Vec<Finding>) {
        let seen = look_over(&self.crms, &self.mappings).await.expect("read");
        let found = findings(&self.mappings, &seen);
        let made = make_ready(&self.crms, &found, &grants(&self.mappings, &seen)).await;
        let mut left = self.look().await;
        note_failures(&mut left, &made.failed);
        (made, left)
    }

    /// Writes to HubSpot and Salesforce so far, definitions and rights included.
    fn writes(&self) -> usize {
        let hubspot = self.hubspot.requests();
        let salesforce = self.salesforce.requests();
        let methods = hubspot.iter().map(|one| (&one.method, &one.path));
        let methods = methods.chain(salesforce.iter().map(|one| (&one.method, &one.path)));
        methods
            .filter(|(method, path)| *method != "GET" && !path.contains("oauth"))
            .count()
    }
}

async fn options(router: Router, options: Value) {
    let request = Request::post("/_sim/options").body(Body::from(options.to_string()));
    let reply = router.oneshot(request.unwrap()).await.unwrap();
    assert!(reply.status().is_success());
}

fn open(findings: &[Finding]) -> Vec<(Side, &str, &str, State)> {
    findings
        .iter()
        .filter(|one| one.state.is_open())
        .map(|one| (one.side, one.place.as_str(), one.what.as_str(), one.state))
        .collect()
}

#[tokio::test]
async fn bare_accounts_become_ready_and_a_second_time_changes_nothing() {
    let accounts = Accounts::bare(&SHIPPED).await;
    let before = accounts.look().await;
    let hubspot = |object| {
        let key = "key field tandem_link_id";
        (Side::HubSpot, object, key, State::Creatable)
    };
    let salesforce = |object| {
        let key = "key field Tandem_Link_Id__c";
        (Side::Salesforce, object, key, State::Creatable)
    };
    assert_eq!(
        open(&before),
        [
            hubspot("companies"),
            hubspot("contacts"),
            hubspot("deals"),
            salesforce("Account"),
            salesforce("Contact"),
            salesforce("Lead"),
            salesforce("Opportunity"),
        ]
    );
    assert_eq!(accounts.writes(), 0, "looking is not making");

    let (made, left) = accounts.prepare().await;
    assert_eq!(made.done.len(), 7, "{made:?}");
    assert!(made.failed.is_empty(), "{made:?}");
    assert!(open(&left).is_empty(), "{left:?}");

    let writes = accounts.writes();
    let (again, left) = accounts.prepare().await;
    assert!(
        again.done.is_empty() && again.failed.is_empty(),
        "{again:?}"
    );
    assert!(open(&left).is_empty(), "{left:?}");
    assert_eq!(accounts.writes(), writes);
}

/// The keys are there to refuse a second record.
#[tokio::test]
async fn a_key_that_was_made_takes_each_value_once() {
    let accounts = Accounts::bare(&[PEOPLE]).await;
    accounts.prepare().await;
    for (side, object, key) in [
        (Side::HubSpot, "contacts", "tandem_link_id"),
        (Side::Salesforce, "Contact", "Tandem_Link_Id__c"),
    ] {
        let name = match side {
            Side::HubSpot => "lastname",
            Side::Salesforce => "LastName",
        };
        let row = |trace: &str, value: &str| WriteRow {
            trace: trace.to_owned(),
            id: None,
            fields: [(name, trace), (key, value)]
                .map(|(name, value)| (name.to_owned(), Raw::text(value)))
                .into(),
            unless_changed_since: None,
        };
        let mut outcomes = Vec::new();
        for row in [row("one", "k1"), row("two", "K2"), row("three", "k1")] {
            outcomes.extend(match side {
                Side::HubSpot => accounts.crms.hubspot.create(object, &[row]).await,
                Side::Salesforce => accounts.crms.salesforce.create(object, &[row]).await,
            });
        }
        let sound: Vec<bool> = outcomes.iter().map(|(_, one)| one.is_ok()).collect();
        assert_eq!(sound, [true, true, false], "{outcomes:?}");
    }
}

#[tokio::test]
async fn each_missing_scope_is_named_with_what_it_is_for() {
    let accounts = Accounts::with(&[PEOPLE], false).await;
    let missing = json!({"missing_scopes": ["crm.objects.contacts.write"]});
    options(accounts.hubspot.router(), missing).await;
    let found = accounts.look().await;
    let scope = "scope crm.objects.contacts.write";
    assert_eq!(open(&found), [(Side::HubSpot, "app", scope, State::Admin)]);
    let why = &found.iter().find(|one| one.what == scope).unwrap().why;
    assert!(why.contains("create and change contacts"), "{why}");
}

/// Without the right to read definitions there is still an answer, and it says what comes first.
#[tokio::test]
async fn an_app_that_may_not_look_is_told_which_scopes_come_first() {
    let accounts = Accounts::bare(&[PEOPLE]).await;
    let missing = ["crm.schemas.contacts.read", "crm.objects.owners.read"];
    options(
        accounts.hubspot.router(),
        json!({"missing_scopes": missing}),
    )
    .await;
    let (made, left) = accounts.prepare().await;
    assert!(made.done.is_empty(), "{made:?}");
    let mut scopes: Vec<&str> = open(&left).iter().map(|(_, _, what, _)| *what).collect();
    scopes.sort_unstable();
    assert_eq!(
        scopes,
        [
            "scope crm.objects.owners.read",
            "scope crm.schemas.contacts.read"
        ]
    );
    let blind = left.iter().filter(|one| one.state == State::Unknown);
    assert_eq!(blind.count(), 2, "{left:?}");
    assert_eq!(accounts.writes(), 0);
}

/// Told beforehand where HubSpot tells the scopes, and in the platform's words where it does not.
#[tokio::test]
async fn without_the_scope_for_definitions_a_person_makes_the_property() {
    let accounts = Accounts::bare(&[PEOPLE]).await;
    for hidden in [false, true] {
        let missing = json!({
            "missing_scopes": ["crm.schemas.contacts.write"], "hide_scopes": hidden,
        });
        options(accounts.hubspot.router(), missing).await;
        let (made, left) = accounts.prepare().await;
        let key = left
            .iter()
            .find(|one| one.what == "key field tandem_link_id")
            .unwrap();
        assert_eq!(key.state, State::Admin, "{key:?}");
        assert!(key.why.contains("crm.schemas.contacts.write"), "{key:?}");
        assert!(key.todo.contains("unique values"), "{key:?}");
        assert_eq!(made.failed.len(), usize::from(hidden), "{made:?}");
    }
}

#[tokio::test]
async fn hidden_and_locked_fields_are_opened_by_a_permission_set() {
    let accounts = Accounts::with(&[PEOPLE], false).await;
    accounts
        .salesforce
        .hide_fields("Contact", &["Title", "Phone", "Department"])
        .unwrap();
    accounts
        .salesforce
        .lock_fields("Contact", &["Email", "HubSpot_Lifecycle__c", "Phone"])
        .unwrap();
    let before = accounts.look().await;
    let field = |what| (Side::Salesforce, "Contact", what, State::Creatable);
    assert_eq!(
        open(&before),
        [
            field("field Email"),
            field("field HubSpot_Lifecycle__c"),
            field("field Phone"),
            field("field Title"),
        ]
    );
    let (made, left) = accounts.prepare().await;
    assert_eq!(made.done.len(), 4, "{made:?}");
    assert!(open(&left).is_empty(), "{left:?}");

    // Exactly the mapped fields, and only what is written may be edited.
    let granted: Vec<(Value, Value)> = accounts
        .salesforce
        .records("FieldPermissions")
        .into_iter()
        .map(|row| {
            (
                row.fields["Field"].clone(),
                row.fields["PermissionsEdit"].clone(),
            )
        })
        .collect();
    let expected = [
        ("Contact.Email", true),
        ("Contact.HubSpot_Lifecycle__c", true),
        ("Contact.Phone", false),
        ("Contact.Tandem_Link_Id__c", true),
        ("Contact.Title", true),
    ];
    let expected = expected.map(|(field, edit)| (json!(field), json!(edit)));
    assert_eq!(granted, expected);
}

/// Salesforce gives the parts of an address no rights of their own.
#[tokio::test]
async fn the_parts_of_an_address_are_opened_together() {
    let more = "  street: { hubspot: address, salesforce: MailingStreet }\n  city: MailingCity\n";
    let mapping = format!("{PEOPLE}{more}");
    let accounts = Accounts::with(&[&mapping], false).await;
    let hidden = ["MailingStreet", "MailingCity", "MailingAddress"];
    accounts.salesforce.hide_fields("Contact", &hidden).unwrap();
    assert_eq!(open(&accounts.look().await).len(), 2);
    let (made, left) = accounts.prepare().await;
    assert!(made.failed.is_empty(), "{made:?}");
    assert!(open(&left).is_empty(), "{left:?}");
    let granted = accounts.salesforce.records("FieldPermissions");
    let address = granted
        .iter()
        .find(|row| row.fields["Field"] == "Contact.MailingAddress");
    assert_eq!(address.unwrap().fields["PermissionsEdit"], true);
}

#[tokio::test]
async fn a_user_who_may_not_set_up_leaves_it_to_the_administrator() {
    let accounts = Accounts::bare(&[PEOPLE]).await;
    accounts.salesforce.set_administrator(false);
    accounts
        .salesforce
        .hide_fields("Contact", &["Title"])
        .unwrap();
    let (made, left) = accounts.prepare().await;
    assert_eq!(made.done.len(), 1, "only HubSpot's property: {made:?}");
    let admin = |what| (Side::Salesforce, "Contact", what, State::Admin);
    assert_eq!(
        open(&left),
        [admin("key field Tandem_Link_Id__c"), admin("field Title")]
    );
    assert!(accounts.salesforce.records("PermissionSet").is_empty());
    let todo = &left
        .iter()
        .find(|one| one.what == "field Title")
        .unwrap()
        .todo;
    assert!(todo.contains("--zip"), "{todo}");
}

/// A field that no mapping could ever see cannot be granted either; the rest is.
#[tokio::test]
async fn a_field_that_is_not_there_is_left_and_does_not_keep_the_others_shut() {
    let wrong = PEOPLE.replace("jobtitle: Title", "jobtitle: Titel");
    let accounts = Accounts::bare(&[&wrong]).await;
    let (made, left) = accounts.prepare().await;
    assert_eq!(made.done.len(), 2, "{made:?}");
    let field = "field Titel";
    assert_eq!(
        open(&left),
        [(Side::Salesforce, "Contact", field, State::Admin)]
    );
    let why = &left.iter().find(|one| one.what == field).unwrap().why;
    assert!(why.contains("bad value"), "{why}");
}

/// A key whose values may repeat protects nothing, and cannot be changed later.
#[tokio::test]
async fn a_property_that_is_not_unique_is_no_key() {
    let named = format!("{PEOPLE}key: {{ hubspot: company }}\n");
    let accounts = Accounts::with(&[&named], false).await;
    let found = accounts.look().await;
    let key = "key field company";
    assert_eq!(
        open(&found),
        [(Side::HubSpot, "contacts", key, State::Admin)]
    );
}

#[tokio::test]
async fn a_mapping_that_names_a_key_gets_it_made() {
    let named = format!("{PEOPLE}key: {{ hubspot: our_key, salesforce: Our_Key__c }}\n");
    let accounts = Accounts::bare(&[&named]).await;
    let (made, left) = accounts.prepare().await;
    assert_eq!(made.done.len(), 2, "{made:?}");
    assert!(open(&left).is_empty(), "{left:?}");
}

#[tokio::test]
async fn calls_that_are_used_up_are_a_matter_for_a_person() {
    let accounts = Accounts::with(&[PEOPLE], false).await;
    let limit = json!({"daily_limit": 100});
    options(accounts.salesforce.router(), limit).await;
    let found = accounts.look().await;
    let calls = |side| {
        let mut all = found.iter();
        let one = all.find(|one| one.side == side && one.what == "API calls");
        one.expect("told for each side").clone()
    };
    assert_eq!(calls(Side::HubSpot).state, State::Present);
    let salesforce = calls(Side::Salesforce);
    assert!(salesforce.why.starts_with("100 a day"), "{salesforce:?}");
    assert_eq!(salesforce.state, State::Admin, "{salesforce:?}");
}
