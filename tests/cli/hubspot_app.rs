//! `hubspot-app`: files that are written once, never over somebody's own words, and for all
//! workspaces.

use std::fs;

use super::{folder, tandem};

const URL: &str = "https://tandem.example.com/";
const LINE: [&str; 5] = ["hubspot-app", "--out", "app", "--url", URL];

#[test]
fn the_project_is_written_and_a_second_time_is_no_error() {
    let here = folder();
    let ran = tandem(here.path(), &LINE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let path = here
        .path()
        .join("app/src/app/webhooks/webhooks-hsmeta.json");
    let text = fs::read_to_string(path).expect("the file is there");
    assert!(
        text.contains("\"https://tandem.example.com/webhooks/hubspot\""),
        "{text}"
    );
    let app = fs::read_to_string(here.path().join("app/src/app/app-hsmeta.json")).unwrap();
    assert!(
        app.contains("\"https://tandem.example.com/connect/callback/hubspot\""),
        "{app}"
    );

    let again = tandem(here.path(), &[&LINE[..], &["--json"]].concat());
    assert_eq!(again.code, 0);
    assert_eq!(again.json()["files"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_file_with_other_words_in_it_is_kept_unless_forced() {
    let here = folder();
    fs::create_dir(here.path().join("app")).unwrap();
    let own = here.path().join("app/hsproject.json");
    fs::write(&own, "{}").unwrap();
    tandem(here.path(), &LINE).refused(&["hsproject.json", "--force"]);
    assert_eq!(fs::read_to_string(&own).unwrap(), "{}");
    assert!(!here.path().join("app/src").exists(), "half a project");

    let ran = tandem(here.path(), &[&LINE[..], &["--force"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        fs::read_to_string(&own)
            .unwrap()
            .contains("platformVersion")
    );
}

#[test]
fn an_address_that_hubspot_cannot_call_is_refused() {
    let here = folder();
    for url in [
        "http://tandem.example.com",
        "https://203.0.113.7",
        "tandem.example.com",
        "https://tandem.example.com/?a=b",
    ] {
        let line = ["hubspot-app", "--out", "app", "--url", url];
        tandem(here.path(), &line).refused(&[url, "https://tandem.example.com"]);
    }
    assert!(!here.path().join("app").exists());
}

/// A mapping that reads the objects of HubSpot.
fn mapping(name: &str, hubspot: &str, salesforce: &str) -> String {
    format!(
        "mapping: {name}\nhubspot: {hubspot}\nsalesforce: {salesforce}\n\
         direction: to-salesforce\nrules:\n  hs_object_id: Id__c\n"
    )
}

#[test]
fn what_only_one_workspace_needs_is_in_the_app_of_all() {
    let here = folder();
    let own = here.path().join("all/acme/production");
    fs::create_dir_all(&own).unwrap();
    let people = mapping("people", "contacts", "Contact");
    fs::write(here.path().join("all/people.yaml"), people).unwrap();
    let line = [&LINE[..], &["--mappings", "all", "--force"]].concat();
    fs::write(own.join("deals.yaml"), "mapping: deals\n").unwrap();
    tandem(here.path(), &line).refused(&["acme/production", "deals.yaml"]);
    let deals = mapping("deals", "deals", "Opportunity");
    fs::write(own.join("deals.yaml"), deals).unwrap();
    let ran = tandem(here.path(), &line);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let required = "scopes: oauth crm.objects.contacts.read crm.objects.owners.read \
                    crm.schemas.contacts.read\n";
    assert!(ran.stdout.contains(required), "{}", ran.stdout);
    let optional = "optional: crm.objects.deals.read crm.schemas.deals.read\n";
    assert!(ran.stdout.contains(optional), "{}", ran.stdout);
    let path = "app/src/app/webhooks/webhooks-hsmeta.json";
    let webhooks = fs::read_to_string(here.path().join(path)).unwrap();
    for object in ["contact", "deal"] {
        let watched = format!("\"objectType\": \"{object}\"");
        assert_eq!(webhooks.matches(&watched).count(), 5, "{webhooks}");
    }
}

#[test]
fn what_was_set_over_the_api_is_read_from_the_store_of_the_service() {
    let here = folder();
    tandem(here.path(), &["init"]);
    tandem(here.path(), &["workspace", "create", "acme/production"]);
    let tickets = mapping("tickets", "tickets", "Case");
    fs::write(here.path().join("tickets.yaml"), tickets).unwrap();
    let set = ["mappings", "set", "acme/production", "tickets.yaml"];
    let ran = tandem(here.path(), &set);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let line = [&LINE[..], &["--workspaces"]].concat();
    let folder = [&line[..], &["--mappings", "."]].concat();
    tandem(here.path(), &folder).refused(&["mappings of its own", "--mappings"]);
    let settings = [&LINE[..], &["--config", "tandem.toml"]].concat();
    tandem(here.path(), &settings).refused(&["--workspaces"]);
    let ran = tandem(here.path(), &line);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let told = "connect links do not ask for: tickets\n";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("hubspot.optional_scopes"),
        "{}",
        ran.stdout
    );
    let app = fs::read_to_string(here.path().join("app/src/app/app-hsmeta.json")).unwrap();
    assert!(app.contains("\"tickets\""), "{app}");
}
