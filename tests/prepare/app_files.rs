//! The files of the HubSpot project, by what the mappings say.

use serde_json::{Value, json};
use tandem::prepare::{App, AppNeeds, Distribution, TooMany, hubspot_app};

use super::{PEOPLE, SHIPPED, mappings};

const URL: &str = "https://tandem.example.com";

fn app(texts: &[&str]) -> Result<App, TooMany> {
    of(&AppNeeds::of(&mappings(texts)))
}

fn of(needs: &AppNeeds) -> Result<App, TooMany> {
    hubspot_app(needs, "Tandem", URL, Distribution::Private)
}

fn content(app: &App, end: &str) -> Value {
    let file = app.files.iter().find(|file| file.path.ends_with(end));
    file.unwrap_or_else(|| panic!("no {end}")).content.clone()
}

fn subscriptions(app: &App) -> Vec<Value> {
    let webhooks = content(app, "webhooks-hsmeta.json");
    let all = &webhooks["config"]["subscriptions"]["crmObjects"];
    all.as_array().expect("a list").clone()
}

fn watched(app: &App, object: &str) -> Vec<String> {
    let all = subscriptions(app);
    let own = all.iter().filter(|one| one["objectType"] == object);
    own.filter_map(|one| one["propertyName"].as_str())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_shipped_mappings_make_these_files() {
    let app = app(&SHIPPED).unwrap();
    let golden = [
        include_str!("golden/hsproject.json"),
        include_str!("golden/app-hsmeta.json"),
        include_str!("golden/webhooks-hsmeta.json"),
    ];
    for (file, golden) in app.files.iter().zip(golden) {
        assert!(file.text() == golden, "{}:\n{}", file.path, file.text());
    }
    assert_eq!(app.files.len(), golden.len());
}

#[test]
fn a_property_is_subscribed_to_when_its_change_may_lead_to_a_write() {
    let app = app(&[PEOPLE]).unwrap();
    let expected = ["company", "email", "jobtitle", "lastname", "lifecyclestage"];
    assert_eq!(watched(&app, "contact"), expected);
    let kinds: Vec<Value> = subscriptions(&app)
        .into_iter()
        .map(|one| one["subscriptionType"].clone())
        .filter(|kind| *kind != "object.propertyChange")
        .collect();
    assert_eq!(
        kinds,
        [
            "object.creation",
            "object.deletion",
            "object.merge",
            "object.restore"
        ]
    );
}

#[test]
fn what_two_mappings_watch_stands_once_and_stamps_never() {
    let second = PEOPLE
        .replace("mapping: people", "mapping: leads")
        .replace("salesforce: Contact", "salesforce: Lead")
        .replace("HubSpot_Lifecycle__c", "Stamp__c")
        .replace("lifecyclestage:", "hs_lastmodifieddate:");
    let app = app(&[PEOPLE, &second]).unwrap();
    let all = subscriptions(&app);
    let mut texts: Vec<String> = all.iter().map(Value::to_string).collect();
    texts.sort();
    let count = texts.len();
    texts.dedup();
    assert_eq!(texts.len(), count, "{texts:?}");
    assert_eq!(app.subscriptions, count);
    assert!(
        !texts
            .iter()
            .any(|text| text.contains("hs_lastmodifieddate"))
    );
}

#[test]
fn one_subscription_too_many_is_an_error_that_says_by_how_many() {
    // Four kinds of events and one property to match by come on top.
    let with = |rules: usize| {
        let lines: String = (0..rules)
            .map(|at| format!("  p{at}: P{at}__c\n"))
            .collect();
        let head = PEOPLE.split("only:").next().unwrap();
        app(&[&format!("{head}rules:\n{lines}")])
    };
    assert_eq!(with(995).unwrap().subscriptions, 1_000);
    let error = with(998).unwrap_err();
    assert_eq!(error, TooMany { wanted: 1_003 });
    let said = error.to_string();
    assert!(
        said.contains("1003 webhook subscriptions, 3 more"),
        "{said}"
    );
}

#[test]
fn a_mapping_that_only_reads_hubspot_asks_for_no_right_to_write_there() {
    let one_way = PEOPLE
        .replace("direction: both", "direction: to-salesforce")
        .replace("create: both", "create: { salesforce: always }")
        .replace("  phone: { to: Phone, direction: to-hubspot }\n", "");
    let app = content(&app(&[&one_way]).unwrap(), "app-hsmeta.json");
    let auth = &app["config"]["auth"];
    assert_eq!(
        auth["requiredScopes"],
        json!([
            "oauth",
            "crm.objects.contacts.read",
            "crm.objects.owners.read",
            "crm.schemas.contacts.read"
        ])
    );
    assert_eq!(auth["optionalScopes"], json!([]));
}

/// Every account has custom objects of its own: scopes that only some accounts have must not keep
/// the others from installing, and no subscription fits them all.
#[test]
fn a_custom_object_is_optional_and_polled_unless_its_name_says_which_it_is() {
    let custom = PEOPLE
        .replace("hubspot: contacts", "hubspot: p_subscription")
        .replace("salesforce: Contact", "salesforce: Subscription__c");
    let made = app(&[&custom]).unwrap();
    assert_eq!(made.polled, ["p_subscription"]);
    assert_eq!(made.subscriptions, 0);
    // By these names one account knows which object is meant, and no other has it.
    for name in ["2-1234567", "p4711_subscription"] {
        let made = app(&[&custom.replace("p_subscription", name)]).unwrap();
        assert!(made.polled.is_empty(), "{:?}", made.polled);
        let watched = watched(&made, name);
        assert!(watched.contains(&"email".to_owned()), "{watched:?}");
        assert_eq!(made.subscriptions, watched.len() + 4);
    }
    let app = content(&made, "app-hsmeta.json");
    let optional = &app["config"]["auth"]["optionalScopes"];
    let expected = json!([
        "crm.objects.custom.read",
        "crm.objects.custom.write",
        "crm.schemas.custom.read"
    ]);
    assert_eq!(*optional, expected);
}

#[test]
fn both_ends_of_an_association_are_told_when_it_changes() {
    let app = app(&SHIPPED).unwrap();
    let all = subscriptions(&app);
    let ties = all
        .iter()
        .filter(|one| one["subscriptionType"] == "object.associationChange");
    let ends: Vec<&str> = ties.filter_map(|one| one["objectType"].as_str()).collect();
    assert_eq!(ends, ["company", "contact", "deal"]);
}

/// What everybody has to grant does not change with what one workspace needs.
#[test]
fn what_only_some_workspaces_need_is_optional_and_watched_once() {
    let mut needs = AppNeeds::of(&mappings(&[PEOPLE]));
    let alone = of(&needs).unwrap();
    needs.add(&mappings(&SHIPPED));
    needs.add(&mappings(&[PEOPLE]));
    let made = of(&needs).unwrap();
    let auth = |app: &App| content(app, "app-hsmeta.json")["config"]["auth"].clone();
    assert_eq!(
        auth(&made)["requiredScopes"],
        auth(&alone)["requiredScopes"]
    );
    let optional = auth(&made)["optionalScopes"].to_string();
    assert!(optional.contains("crm.objects.deals.read"), "{optional}");
    assert!(
        !optional.contains("crm.objects.contacts.read"),
        "{optional}"
    );
    let shipped = app(&SHIPPED).unwrap();
    let mut expected = subscriptions(&shipped);
    expected.extend(subscriptions(&alone));
    let mut texts: Vec<String> = expected.iter().map(Value::to_string).collect();
    texts.sort();
    texts.dedup();
    let mut found: Vec<String> = subscriptions(&made).iter().map(Value::to_string).collect();
    found.sort();
    assert_eq!(found, texts);
}
