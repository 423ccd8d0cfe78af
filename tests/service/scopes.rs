//! What HubSpot's administrator is asked to grant, and what is said when some of it is missing.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, header};
use serde_json::{Value, json};
use tandem::app::MappingFiles;
use tandem::mapping::SourceFile;
use tandem::model::{Side, WorkspaceId};
use url::Url;

use crate::connect::{agree, link, open, start, workspace};
use crate::house::{CONTACTS, House, PUBLIC, file};

const APP: &str = "/v1/hubspot-app";

/// A query parameter of an address, as words.
fn words(url: &str, name: &str) -> Vec<String> {
    let url = Url::parse(url).unwrap();
    let mut found = url.query_pairs().filter(|(key, _)| key == name);
    let text = found.next().map(|(_, text)| text.into_owned());
    let text = text.unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn of(object: &str, salesforce: &str, mapping: &str) -> SourceFile {
    SourceFile {
        path: format!("{mapping}.yaml"),
        text: format!(
            "mapping: {mapping}\nhubspot: {object}\nsalesforce: {salesforce}\n\
             direction: to-salesforce\nrules:\n  tandem_link_id: Name\n"
        ),
    }
}

/// HubSpot insists on what the app requires; of the rest nobody is asked for more than is used.
#[tokio::test]
async fn scopes_are_asked_for_as_the_mappings_of_the_workspace_need_them() {
    let house = House::new().await;
    let custom = of("p_subscriptions", "Subscription__c", "subscriptions");
    let own = of("contacts", "Subscription__c", "subscriptions");
    house.service.set_mappings(MappingFiles {
        shared: vec![file(CONTACTS), custom],
        own: BTreeMap::from([(WorkspaceId::new("acme/production"), vec![own])]),
    });
    workspace(&house).await;
    let other = json!({"id": "other/production"});
    house
        .operate(Method::POST, "/v1/workspaces", Some(other))
        .await;
    let mut asked = Vec::new();
    for ws in ["acme/production", "other/production"] {
        let path = format!("/v1/workspaces/{ws}/connect-links");
        let body = Some(json!({"side": "hubspot"}));
        let made = house.operate(Method::POST, &path, body).await;
        let link = made["url"].as_str().unwrap().strip_prefix(PUBLIC).unwrap();
        let (url, _) = start(&house, link, "").await;
        asked.push((words(&url, "scope"), words(&url, "optional_scope")));
    }
    let required = [
        "oauth",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.objects.owners.read",
        "crm.schemas.contacts.read",
    ];
    let key = "crm.schemas.contacts.write";
    let custom = ["crm.objects.custom.read", key, "crm.schemas.custom.read"];
    assert_eq!(asked[0].0, required);
    assert_eq!(asked[0].1, [key], "its own mapping has no custom object");
    assert_eq!(asked[1].0, required, "the app is the same for all");
    assert_eq!(asked[1].1, custom);
}

/// The files of the app have it as an optional one, because others do without.
#[tokio::test]
async fn what_a_folder_needs_is_asked_for_and_named_where_it_was_not_granted() {
    let house = House::new().await;
    house.service.set_mappings(MappingFiles {
        shared: vec![file(CONTACTS)],
        own: BTreeMap::from([(
            WorkspaceId::new("acme/production"),
            vec![of("deals", "Opportunity", "deals")],
        )]),
    });
    workspace(&house).await;
    let read = "crm.objects.deals.read";
    house.portal(json!({"unavailable_scopes": [read]})).await;
    let path = link(&house, "hubspot").await;
    let (url, cookie) = start(&house, &path, "").await;
    assert!(!words(&url, "scope").contains(&read.to_owned()), "{url}");
    let deals = [
        "crm.objects.deals.read",
        "crm.schemas.contacts.write",
        "crm.schemas.deals.read",
    ];
    assert_eq!(words(&url, "optional_scope"), deals);
    let back = agree(&house, Side::HubSpot, &url);
    assert_eq!(open(&house, &back, &cookie).await.status, 303);
    let shown = open(&house, &path, "").await;
    let account = house.hubspot.portal_id();
    let told = format!("Missing scopes</b> of account {account}: {read}.");
    assert!(shown.text.contains(&told), "{}", shown.text);
    // With mappings that need no more, nothing is missing.
    house
        .service
        .set_mappings(MappingFiles::shared(vec![file(CONTACTS)]));
    let shown = open(&house, &path, "").await;
    assert!(
        shown.text.contains("Connected</b> as account"),
        "{}",
        shown.text
    );
}

/// Sets a mapping that needs what no file needs: the warnings.
async fn set_deals(house: &House) -> String {
    let deals = json!({"text": of("deals", "Opportunity", "deals").text});
    let path = "/v1/workspaces/acme/production/mappings/deals";
    let set = house.operate(Method::PUT, path, Some(deals)).await;
    set["warnings"].to_string()
}

/// The optional scopes that a fresh link asks for.
async fn asked(house: &House) -> Vec<String> {
    let path = link(house, "hubspot").await;
    let (url, _) = start(house, &path, "").await;
    words(&url, "optional_scope")
}

const DEALS: [&str; 2] = ["crm.objects.deals.read", "crm.schemas.deals.read"];

/// A key of one workspace must not have links ask for what the app does not have.
#[tokio::test]
async fn what_was_set_is_told_and_not_asked_for() {
    let house = House::new().await;
    workspace(&house).await;
    let before = house.operate(Method::GET, APP, None).await;
    assert_eq!(before["unasked"], json!([]));
    assert_eq!(before["needs"]["objects"]["deal"], Value::Null);
    let warnings = set_deals(&house).await;
    assert!(warnings.contains(DEALS[0]), "{warnings}");
    let after = house.operate(Method::GET, APP, None).await;
    assert_eq!(after["unasked"], json!(DEALS));
    let required = &after["needs"]["scopes"]["required"];
    assert_eq!(*required, before["needs"]["scopes"]["required"]);
    let optional = after["needs"]["scopes"]["optional"].to_string();
    assert!(optional.contains(DEALS[0]), "{optional}");
    let deal = &after["needs"]["objects"]["deal"];
    assert_eq!(deal["properties"], json!(["tandem_link_id"]), "{deal}");
    assert_eq!(asked(&house).await, ["crm.schemas.contacts.write"]);
}

#[tokio::test]
async fn what_was_set_is_asked_for_once_the_settings_name_it() {
    let house = House::told_of(&[], &DEALS).await;
    workspace(&house).await;
    let key = "crm.schemas.contacts.write";
    assert_eq!(asked(&house).await, [key], "nothing needs it yet");
    let warnings = set_deals(&house).await;
    assert!(!warnings.contains(DEALS[0]), "{warnings}");
    assert_eq!(asked(&house).await, [DEALS[0], key, DEALS[1]]);
    let found = house.operate(Method::GET, APP, None).await;
    assert_eq!(found["unasked"], json!([]));
}

/// Settings that say otherwise than the files of the app would have every link refused.
#[tokio::test]
async fn settings_that_do_not_fit_the_app_are_told() {
    let owners = "crm.objects.owners.read";
    let key = "crm.schemas.contacts.write";
    let house = House::told_of(&["oauth", "tickets", key], &[owners]).await;
    workspace(&house).await;
    let found = house.operate(Method::GET, APP, None).await;
    assert_eq!(found["unneeded"], json!(["tickets"]));
    assert_eq!(found["insisted"], json!([key]), "it is optional in the app");
    let unasked = found["unasked"].to_string();
    for scope in ["crm.objects.contacts.read", owners] {
        assert!(unasked.contains(scope), "{scope} is required: {unasked}");
    }
    // Files need some of these, so the warning says nothing of what needs them.
    let warnings = set_deals(&house).await;
    let told = format!("{}: `tandem hubspot-app", DEALS[1]);
    assert!(warnings.contains(&told), "{warnings}");
}

#[tokio::test]
async fn a_workspace_whose_mappings_have_faults_is_named() {
    let house = House::new().await;
    workspace(&house).await;
    let files = |own: &str| MappingFiles {
        shared: vec![file(CONTACTS)],
        own: BTreeMap::from([(
            WorkspaceId::new("acme/production"),
            vec![SourceFile {
                path: "deals.yaml".to_owned(),
                text: own.to_owned(),
            }],
        )]),
    };
    house.service.set_mappings(files("mapping: deals\n"));
    let found = house.operate(Method::GET, APP, None).await;
    assert_eq!(found["faulty"], json!(["acme/production"]));
    house
        .service
        .set_mappings(files(&of("deals", "Opportunity", "deals").text));
    let found = house.operate(Method::GET, APP, None).await;
    assert_eq!(found["faulty"], json!([]));
    assert_eq!(found["needs"]["objects"]["deal"]["records"], json!(true));
}

/// A half of the scopes would be refused by HubSpot, in words that help nobody.
#[tokio::test]
async fn a_link_waits_for_mappings_that_load() {
    let house = House::new().await;
    let text = CONTACTS.replace("\"(unknown)\"", "\"${vars.nobody}\"");
    house
        .service
        .set_mappings(MappingFiles::shared(vec![file(&text)]));
    workspace(&house).await;
    let path = link(&house, "hubspot").await;
    let press = async || {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{path}/start"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        house.send(request.body(Body::empty()).unwrap()).await
    };
    let answer = press().await;
    assert_eq!(answer.status, 409, "{}", answer.text);
    assert!(answer.text.contains("Not ready yet"), "{}", answer.text);
    let vars = json!({"vars": {"nobody": "(nobody)"}});
    let ws = "/v1/workspaces/acme/production";
    house.operate(Method::PATCH, ws, Some(vars)).await;
    assert_eq!(press().await.status, 303);
}
