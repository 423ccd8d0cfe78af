//! `tandem match`: what both sides hold before the first write, counted on records that are dirty
//! on purpose, and a starting mapping that passes its own check.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::harness::{Ran, Sim, content, folder, only};

const PEOPLE: &str = "mapping: people
hubspot: contacts
salesforce: Contact
conflict: salesforce
match:
  - { hubspot: salesforcecontactid, salesforce: Id }
  - email: Email
create: { hubspot: always, salesforce: 'lifecyclestage == \"customer\"' }
only: { hubspot: 'company != \"Robots\"' }
rules:
  email: Email
  firstname: FirstName
  lastname: LastName
  jobtitle: Title
  hs_lead_status: { to: Lead_Status__c, values: { NEW: New, OPEN: Open } }
  hubspot_owner_id: { to: OwnerId, direction: to-hubspot, owner: { chain: [table, email] } }
";

const HOSTILE: &str = "<script src=x>alert('1')</script>";

/// Two of these are pairs at rest; each of the others is dirty in a way of its own.
fn dirty(sim: &Sim, here: &Path) {
    let mappings = here.join("mappings");
    fs::create_dir(&mappings).expect("a folder");
    fs::write(mappings.join("people.yaml"), PEOPLE).expect("written");
    let users = sim.salesforce("User");
    let stranger = only(&users, "Email", "integration@example.com").id;
    let hubspot = |name: &str, mut more: Value| {
        more["email"] = json!(format!("{name}@example.com"));
        more["lastname"] = json!(name);
        sim.create_hubspot("contacts", more);
    };
    let salesforce = |name: &str, mut more: Value| {
        more["Email"] = json!(format!("{name}@Example.com"));
        more["LastName"] = json!(name);
        sim.create_salesforce("Contact", more);
    };
    for name in ["ada", "ben"] {
        hubspot(name, json!({"jobtitle": "Clerk"}));
        salesforce(name, json!({"Title": "Clerk"}));
    }
    // Ambiguous: one here, two and three there.
    hubspot("cleo", json!({}));
    hubspot("dora", json!({}));
    for name in ["cleo", "cleo", "dora", "dora", "dora"] {
        salesforce(name, json!({}));
    }
    // Too long for Salesforce: of a pair, and of a record that would be created there.
    hubspot("emil", json!({"jobtitle": "x".repeat(200)}));
    salesforce("emil", json!({}));
    hubspot(
        "fay",
        json!({"jobtitle": "y".repeat(129), "lifecyclestage": "customer"}),
    );
    // A value that Salesforce has nothing for, and an owner whom HubSpot does not know.
    hubspot("gus", json!({"hs_lead_status": "CONNECTED"}));
    salesforce("gus", json!({"OwnerId": stranger}));
    hubspot("hal", json!({"company": "Robots"}));
    hubspot("ian", json!({"lifecyclestage": "lead"}));
    salesforce("joe", json!({"FirstName": HOSTILE}));
    // Nothing to be called by, which Salesforce insists on.
    let nameless = json!({"email": "kim@example.com", "lifecyclestage": "customer"});
    sim.create_hubspot("contacts", nameless);
}

fn look(sim: &Sim, here: &Path, more: &[&str]) -> Ran {
    let mut arguments = vec!["match", "--mappings", "mappings"];
    arguments.extend(more);
    sim.tandem(here, &arguments)
}

#[test]
fn everything_that_stands_in_the_way_is_counted_before_the_first_write() {
    let sim = Sim::start(&[]);
    let here = folder();
    dirty(&sim, here.path());
    let (before, kept) = (sim.everything(), content(here.path()));
    let ran = look(&sim, here.path(), &["--json"]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(sim.everything() == before, "it wrote to a CRM");
    assert_eq!(sim.writes(), (0, 0));
    assert!(content(here.path()) == kept, "it left something behind");

    let all = ran.json();
    let people = &all["mappings"][0];
    let count = |side: &str, fate: &str| people["fates"][side][fate]["records"].as_u64();
    assert_eq!(people["records"], json!({"hubspot": 10, "salesforce": 10}));
    assert_eq!(count("hubspot", "paired"), Some(4));
    assert_eq!(count("salesforce", "paired"), Some(4));
    assert_eq!(count("hubspot", "created"), Some(1), "fay");
    assert_eq!(count("salesforce", "created"), Some(1), "joe");
    assert_eq!(
        count("hubspot", "needs-a-person"),
        Some(3),
        "cleo, dora, kim"
    );
    assert_eq!(count("salesforce", "needs-a-person"), Some(5));
    assert_eq!(count("hubspot", "outside-the-filter"), Some(1), "hal");
    assert_eq!(count("hubspot", "alone-condition"), Some(1), "ian");
    assert_eq!(
        people["paired_by"],
        json!([{"match": "email = Email", "pairs": 4}])
    );
}

#[test]
fn who_cannot_be_told_apart_and_what_would_be_refused_is_named() {
    let sim = Sim::start(&[]);
    let here = folder();
    dirty(&sim, here.path());
    let all = look(&sim, here.path(), &["--json"]).json();
    let people = &all["mappings"][0];
    let ambiguous = &people["ambiguous"];
    assert_eq!(ambiguous["groups"], 2);
    assert_eq!(
        ambiguous["records"], 7,
        "two of HubSpot's, five of Salesforce's"
    );
    let sizes: Vec<&Value> = ambiguous["listed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| &g["counts"])
        .collect();
    assert!(
        sizes.contains(&&json!({"hubspot": 1, "salesforce": 3})),
        "{sizes:?}"
    );
    assert!(
        ambiguous.to_string().contains("dora@example.com"),
        "{ambiguous}"
    );
    let doubles = &people["doubles"];
    assert_eq!(doubles["hubspot"]["groups"], 0);
    assert_eq!(
        (
            &doubles["salesforce"]["groups"],
            &doubles["salesforce"]["records"]
        ),
        (&json!(2), &json!(5))
    );

    let failures = people["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(
        (&failures[0]["code"], &failures[0]["records"]),
        (&json!("required-missing"), &json!(1))
    );
    let mut holds: Vec<(&str, &str, u64)> = Vec::new();
    for hold in people["holds"].as_array().unwrap() {
        let text = |name: &str| hold[name].as_str().unwrap();
        holds.push((
            text("rule"),
            text("reason"),
            hold["values"].as_u64().unwrap(),
        ));
    }
    let expected = [
        ("hs_lead_status", "unmapped", 1),
        ("hubspot_owner_id", "unmapped", 1),
        ("jobtitle", "refused", 2),
    ];
    assert_eq!(holds, expected);
    assert_eq!(all["held_values"], 4);
}

#[test]
fn values_and_owners_without_a_counterpart_are_named_and_fields_are_measured() {
    let sim = Sim::start(&[]);
    let here = folder();
    dirty(&sim, here.path());
    let all = look(&sim, here.path(), &["--json", "--mapping", "people"]).json();
    let people = &all["mappings"][0];
    let lone = people["without_counterpart"].as_array().unwrap();
    let of = |rule: &str| lone.iter().find(|used| used["rule"] == rule).cloned();
    let status = of("hs_lead_status").expect("CONNECTED has none");
    assert_eq!(
        (&status["value"], &status["records"]),
        (&json!("CONNECTED"), &json!(1))
    );
    assert_eq!(status["becomes"], "held");
    let owner = of("hubspot_owner_id").expect("HubSpot does not know the user");
    assert_eq!(owner["value"], "integration@example.com");
    assert_eq!((&owner["owner"], lone.len()), (&json!(true), 2), "{lone:?}");

    let rules = people["rules"].as_array().unwrap();
    let of = |name: &str| rules.iter().find(|rule| rule["rule"] == name).unwrap();
    // Hal is outside the filter, so nine count, and four of them have a title.
    assert_eq!(
        of("jobtitle")["filled"]["hubspot"],
        json!({"records": 9, "filled": 4, "percent": 44})
    );
    assert_eq!(
        of("jobtitle")["filled"]["salesforce"],
        json!({"records": 10, "filled": 2, "percent": 20})
    );
    let pairs = &of("jobtitle")["pairs"];
    assert_eq!(
        (&pairs["both_filled"], &pairs["correspond"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        (&pairs["only_hubspot"], &pairs["neither"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(of("email")["pairs"]["correspond_percent"], 100);
}

#[test]
fn the_report_reads_well_and_its_page_runs_nothing_that_a_record_holds() {
    let sim = Sim::start(&[]);
    let here = folder();
    dirty(&sim, here.path());
    let ran = look(&sim, here.path(), &["--html", "match.html"]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    for words in [
        "4 pairs, 2 records would be created.",
        "2 ambiguous groups",
        "Duplicates in Salesforce: 5 records share 2 keys (2 named above, as ambiguous)",
        "would be created in Salesforce: nothing matches, and `create` holds: lifecyclestage",
        "it takes 128 characters, this has 200",
        "integration@example.com",
        "Nothing was written.",
    ] {
        assert!(ran.stdout.contains(words), "`{words}` in:\n{}", ran.stdout);
    }
    let page = fs::read_to_string(here.path().join("match.html")).expect("a page");
    assert!(
        page.contains("&lt;script src=x&gt;alert(&#39;1&#39;)&lt;/script&gt;"),
        "{page}"
    );
    for word in [
        "<script", "<link", "<img", "href=", "url(", "@import", "http://", "https://",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    let figures = page.find("<dl>").expect("figures");
    assert!(
        figures < page.find("<details").expect("lists"),
        "counts come first"
    );
}

#[test]
fn records_that_are_in_order_need_nobody() {
    let sim = Sim::start(&[]);
    let here = folder();
    let mappings = here.path().join("mappings");
    fs::create_dir(&mappings).expect("a folder");
    fs::write(mappings.join("people.yaml"), PEOPLE).expect("written");
    sim.create_hubspot(
        "contacts",
        json!({"email": "ada@example.com", "lastname": "Lind"}),
    );
    sim.create_salesforce(
        "Contact",
        json!({"Email": "ada@example.com", "LastName": "Lind"}),
    );
    let ran = look(&sim, here.path(), &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("Nothing needs a person."),
        "{}",
        ran.stdout
    );
}

#[test]
fn an_inventory_after_the_first_run_leaves_the_store_as_it_was() {
    let sim = Sim::start(&["--records", "12"]);
    let here = folder();
    sim.sync(here.path());
    let (kept, held) = (content(here.path()), sim.writes());
    let ran = sim.tandem(here.path(), &["match", "--json"]);
    assert!(ran.code != 1, "{}{}", ran.stdout, ran.stderr);
    assert!(content(here.path()) == kept, "it changed the store");
    assert_eq!(sim.writes(), held);
    let all = ran.json();
    let contacts = all["mappings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["mapping"] == "contacts");
    assert!(contacts.unwrap()["pairs"].as_u64() > Some(0), "{all}");
}

/// A fresh org has none of the fields that creates need: that is said, and the rest is counted.
#[test]
fn what_the_crms_lack_is_a_part_of_the_inventory() {
    let sim = Sim::start(&["--records", "6", "--bare"]);
    let here = folder();
    let ran = sim.tandem(here.path(), &["match", "--json"]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    let all = ran.json();
    let missing = all["missing"].to_string();
    assert!(missing.contains("Tandem_Link_Id__c"), "{missing}");
    assert!(all["pairs"].as_u64() > Some(0), "{all}");
}

#[test]
fn a_proposal_for_each_object_passes_its_own_check_and_says_why() {
    let sim = Sim::start(&["--records", "6"]);
    let here = folder();
    for object in [
        "contacts",
        "companies",
        "deals",
        "contacts=Lead",
        "p_subscriptions=Subscription__c",
    ] {
        let ran = sim.tandem(here.path(), &["match", "--propose", "--object", object]);
        assert_eq!(ran.code, 0, "{object}: {}{}", ran.stdout, ran.stderr);
        fs::write(here.path().join("proposed.yaml"), &ran.stdout).expect("written");
        let checked = sim.tandem(here.path(), &["check", "proposed.yaml", "--live", "--json"]);
        assert_eq!(
            checked.code, 0,
            "{object}: {}{}",
            checked.stdout, ran.stdout
        );
        unexplained(&ran.stdout);
    }
    assert_eq!(sim.writes(), (0, 0));

    let ran = sim.tandem(here.path(), &["match", "--propose", "--out", "mappings"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let checked = sim.tandem(here.path(), &["check", "mappings", "--live"]);
    assert_eq!(checked.code, 0, "{}", checked.stdout);
    let contacts = fs::read_to_string(here.path().join("mappings/contacts.yaml")).expect("a file");
    assert!(
        contacts.contains("salesforce: AccountId, mapping: companies"),
        "{contacts}"
    );
    let ran = look(&sim, here.path(), &["--json"]);
    assert_eq!(
        ran.json()["mappings"].as_array().map(Vec::len),
        Some(3),
        "{}",
        ran.stderr
    );

    let again = sim.tandem(here.path(), &["match", "--propose", "--out", "mappings"]);
    again.refused(&["contacts.yaml is there already", "--out"]);
}

/// Every line that says something has its reason, beside it or above.
#[track_caller]
fn unexplained(text: &str) {
    let mut above = false;
    for line in text.lines() {
        let said = line.trim_start();
        // The keys of a long rule stand under the reason of the rule.
        let inner = line.starts_with("    ");
        let section = ["match:", "rules:", "associations:"].contains(&said);
        let told = said.is_empty() || said.starts_with('#') || said.contains("  # ");
        assert!(told || above || inner || section, "no reason: {line}");
        above = said.starts_with('#');
    }
}

#[test]
fn arguments_that_make_no_sense_are_answered_in_one_line() {
    let sim = Sim::start(&[]);
    let here = folder();
    let long = "x".repeat(10_000);
    let nasty = "contacts=Contact\nrules: {}";
    for (arguments, words) in [
        (
            vec!["match", "--mapping", "nobody"],
            ["no mapping `nobody`", "contacts"],
        ),
        (vec!["match", "--object", "contacts"], ["--propose", ""]),
        (
            vec!["match", "--propose", "--html", "x.html"],
            ["cannot be used with", ""],
        ),
        (
            vec!["match", "--propose", "--object", "tickets"],
            ["tickets", "name both"],
        ),
        (
            vec!["match", "--propose", "--object", nasty],
            ["no name of an object", "letters"],
        ),
        (
            vec!["match", "--propose", "--object", "=Contact"],
            ["no name of an object", ""],
        ),
        (
            vec!["match", "--propose", "--object", &long],
            ["it is not known", "name both"],
        ),
        (
            vec![
                "match",
                "--propose",
                "--object",
                "contacts",
                "--object",
                "deals",
            ],
            ["one mapping", "--out"],
        ),
        (
            vec![
                "match",
                "--propose",
                "--out",
                "m",
                "--object",
                "deals",
                "--object",
                "deals",
            ],
            ["named twice", ""],
        ),
        (
            vec!["match", "--propose", "--object", "contacts=Nowhere__c"],
            ["Salesforce", "object exists"],
        ),
        (
            vec!["match", "--html", "no/such/folder/x.html"],
            ["cannot write", "folder"],
        ),
    ] {
        let ran = sim.tandem(here.path(), &arguments);
        ran.refused(&words);
        assert!(ran.stderr.len() < 1_000, "{}", ran.stderr.len());
    }
    assert!(content(here.path()).is_empty(), "something was left behind");
}
