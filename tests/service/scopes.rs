//! What HubSpot's administrator is asked to grant, and what is said when some of it is missing.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, header};
use serde_json::json;
use tandem::app::MappingFiles;
use tandem::mapping::SourceFile;
use tandem::model::{Side, WorkspaceId};
use url::Url;

use crate::connect::{agree, link, open, start, workspace};
use crate::house::{CONTACTS, House, PUBLIC, file};

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

#[tokio::test]
async fn a_scope_that_a_workspace_needs_and_was_not_granted_is_named() {
    let house = House::new().await;
    house.service.set_mappings(MappingFiles {
        shared: vec![file(CONTACTS)],
        own: BTreeMap::from([(
            WorkspaceId::new("acme/production"),
            vec![of("deals", "Opportunity", "deals")],
        )]),
    });
    workspace(&house).await;
    let path = link(&house, "hubspot").await;
    let (url, cookie) = start(&house, &path, "").await;
    let back = agree(&house, Side::HubSpot, &url);
    assert_eq!(open(&house, &back, &cookie).await.status, 303);
    let shown = open(&house, &path, "").await;
    let account = house.hubspot.portal_id();
    let missing = "crm.objects.deals.read, crm.schemas.deals.read";
    let told = format!("Missing scopes</b> of account {account}: {missing}.");
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
