//! `tandem plan` and `tandem check --live`: they look, and leave everything as it was.

use serde_json::{Value, json};

use super::harness::{Sim, content, folder, only};

#[test]
fn a_plan_before_the_first_run_says_what_it_will_write_and_makes_no_store() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    let before = sim.everything();
    let plan = sim.tandem(here.path(), &["plan", "--json"]);
    assert_eq!(plan.code, 2, "{}", plan.stderr);
    assert!(sim.everything() == before, "a plan wrote to a CRM");
    assert_eq!(sim.writes(), (0, 0));
    assert!(content(here.path()).is_empty(), "a plan made a store");

    let plan = plan.json();
    let rows = plan["writes"].as_array().unwrap();
    assert!(
        rows.iter()
            .all(|row| row["reason"] != "" && row["rule"].is_string())
    );
    let told = sim.sync(here.path());
    let records = plan["records"].as_array().unwrap();
    let of = |kind: &str| -> u64 {
        let of_kind = records.iter().filter(|row| row["kind"] == kind);
        of_kind.map(|row| row["records"].as_u64().unwrap()).sum()
    };
    assert_eq!(told["creates"], of("create"), "{plan}");
}

#[test]
fn a_plan_leaves_the_store_as_it_was_to_the_byte_and_the_next_run_misses_nothing() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    sim.sync(here.path());
    let rested = sim.tandem(here.path(), &["plan"]);
    assert_eq!(rested.code, 0, "{}{}", rested.stdout, rested.stderr);
    assert!(rested.stdout.contains("in step"), "{}", rested.stdout);

    let ada = only(&sim.hubspot("contacts"), "lastname", "Lindqvist");
    sim.edit_hubspot("contacts", &ada.id, json!({"jobtitle": "Chief of Robots"}));
    let (before, held, kept) = (sim.everything(), sim.writes(), content(here.path()));
    for _ in 0..2 {
        let plan = sim.tandem(here.path(), &["plan", "--json"]);
        assert_eq!(plan.code, 2, "{}", plan.stderr);
        let rows = plan.json()["writes"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(rows[0]["rule"], "jobtitle");
        assert_eq!(rows[0]["new"], json!({"Title": "Chief of Robots"}));
        assert_eq!(rows[0]["side"], "salesforce");
    }
    assert!(content(here.path()) == kept, "a plan changed the store");
    assert!(sim.everything() == before, "a plan wrote to a CRM");
    assert_eq!(sim.writes(), held);

    assert_eq!(sim.sync(here.path())["writes"], 1);
    let now = only(&sim.salesforce("Contact"), "LastName", "Lindqvist");
    assert_eq!(now.text("Title"), "Chief of Robots");
}

/// A process that is killed leaves its last changes in a log beside the file.
#[test]
fn a_plan_sees_what_a_crashed_process_left_beside_the_store() {
    let sim = Sim::start(&["--records", "6"]);
    let (whole, crashed) = (folder(), folder());
    sim.sync(whole.path());
    let of = |plan: &str| {
        let plan: Value = serde_json::from_str(plan).expect("a plan");
        plan["links"].as_u64().expect("a number")
    };
    let plan = sim.tandem(whole.path(), &["plan", "--json"]);
    assert_eq!(of(&plan.stdout), 0, "{}", plan.stderr);

    let store = whole.path().join("store/tandem.db");
    let url = format!("sqlite://{}", store.display());
    let copy = crashed.path().join("store");
    std::fs::create_dir(&copy).expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let pool = sqlx::SqlitePool::connect(&url).await.expect("it opens");
        let mark = "INSERT INTO marks SELECT workspace_id, 'sync', '0' || char(31) || mapping \
            || char(31) || 'hubspot' || char(31) || hubspot_id, 'record', mapping, 'hubspot', \
            hubspot_id, 1, 'person', 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL \
            FROM links WHERE mapping = 'companies'";
        sqlx::query(mark).execute(&pool).await.expect("it runs");
        let forget = "DELETE FROM links WHERE mapping = 'companies'";
        sqlx::query(forget).execute(&pool).await.expect("it runs");
        for name in ["tandem.db", "tandem.db-wal"] {
            let from = whole.path().join("store").join(name);
            std::fs::copy(from, copy.join(name)).expect("it is there");
        }
        pool.close().await;
    });
    let kept = content(&copy);
    let plan = sim.tandem(crashed.path(), &["plan", "--json"]);
    assert!(of(&plan.stdout) > 0, "{}{}", plan.stdout, plan.stderr);
    let mut left = content(&copy);
    left.retain(|name, _| !name.ends_with(".lock"));
    assert!(left == kept, "a plan changed the store");
}

#[test]
fn check_live_joins_the_files_to_both_crms() {
    let sim = Sim::start(&["--records", "2"]);
    let here = folder();
    let fine = sim.tandem(here.path(), &["check", "--live"]);
    assert_eq!(fine.code, 0, "{}{}", fine.stdout, fine.stderr);

    let file = "mapping: people\nhubspot: contacts\nsalesforce: Contact\ndirection: both\n\
        conflict: salesforce\nfirst-sync: { fill-blanks: salesforce }\nmatch:\n  - email: Email\n\
        create: never\nrules:\n  email: Email\n  jobtitel: Title\n  phone: Telephone\n";
    std::fs::write(here.path().join("people.yaml"), file).expect("written");
    let alone = sim.tandem(here.path(), &["check", "people.yaml"]);
    assert_eq!(alone.code, 0, "{}", alone.stdout);
    let live = sim.tandem(here.path(), &["check", "people.yaml", "--live", "--json"]);
    assert_eq!(live.code, 1, "{}{}", live.stdout, live.stderr);
    let faults = live.json()["faults"].as_array().unwrap().clone();
    let at = |line: u64, word: &str| {
        let here = |fault: &&Value| fault["line"] == line && fault["severity"] == "error";
        let found = faults.iter().find(here);
        let fault = found.unwrap_or_else(|| panic!("an error in line {line}: {faults:?}"));
        assert!(fault.to_string().contains(word), "{fault}");
    };
    at(12, "jobtitle");
    at(13, "Telephone");
    assert_eq!(sim.writes(), (0, 0));
}

#[test]
fn check_live_asks_both_crms_for_roles_and_labels() {
    let sim = Sim::start(&["--records", "2"]);
    let here = folder();
    let head = |name: &str, object: &str| {
        format!(
            "mapping: {name}\nhubspot: {name}\nsalesforce: {object}\nconflict: ask\n\
             match: [{{ hs_object_id: Id }}]\ncreate: never\n"
        )
    };
    let deals = head("deals", "Opportunity") + "rules: { dealname: Name }\n";
    std::fs::write(here.path().join("deals.yaml"), deals).expect("written");
    let check = |label: &str, role: &str| {
        let people = format!(
            "{}rules: {{ email: Email }}\nassociations:\n  - {{ hubspot: deals, label: {label}, \
             salesforce: OpportunityContactRole, role: {role}, mapping: deals }}\n",
            head("contacts", "Contact"),
        );
        std::fs::write(here.path().join("contacts.yaml"), people).expect("written");
        let files = ["check", "contacts.yaml", "deals.yaml", "--live", "--json"];
        let told = sim.tandem(here.path(), &files);
        told.json()["faults"].as_array().unwrap().clone()
    };
    let fine = check("Decision maker", "Decision Maker");
    assert!(fine.is_empty(), "{fine:?}");
    let faults = check("Decison maker", "Decision Makr");
    let meant: Vec<&Value> = faults.iter().map(|fault| &fault["suggestion"]).collect();
    assert_eq!(meant, ["Decision maker", "Decision Maker"], "{faults:?}");
    assert_eq!(sim.writes(), (0, 0));
}

const DEALS: &str = "mapping: deals
hubspot: deals
salesforce: Opportunity
conflict: salesforce
match:
  - dealname: Name
create: never
rules:
  dealname: Name
";

const CONTACTS: &str = "mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
match:
  - email: Email
create: never
rules:
  email: Email
associations:
  - { hubspot: deals, label: Decision maker, salesforce: OpportunityContactRole,
      role: Decision Maker, mapping: deals }
";

/// A role is no field of the contact, and a row of its own on Salesforce: the plan names the deals.
#[test]
fn a_plan_tells_which_contact_roles_it_will_give_on_either_side_and_gives_none() {
    let sim = Sim::start(&[]);
    let here = folder();
    let mappings = here.path().join("mappings");
    std::fs::create_dir(&mappings).expect("a folder");
    for (name, text) in [("deals.yaml", DEALS), ("contacts.yaml", CONTACTS)] {
        std::fs::write(mappings.join(name), text).expect("written");
    }
    let email = "ada@example.com";
    sim.create_hubspot("contacts", json!({"email": email, "lastname": "Lind"}));
    sim.create_salesforce("Contact", json!({"Email": email, "LastName": "Lind"}));
    for name in ["Robots", "Rockets"] {
        let deal = json!({"dealname": name, "pipeline": "default",
            "dealstage": "appointmentscheduled"});
        sim.create_hubspot("deals", deal);
        let deal = json!({"Name": name, "StageName": "Prospecting", "CloseDate": "2026-06-30"});
        sim.create_salesforce("Opportunity", deal);
    }
    let person = only(&sim.hubspot("contacts"), "email", email).id;
    let contact = only(&sim.salesforce("Contact"), "Email", email).id;
    let here_is = |name: &str| only(&sim.hubspot("deals"), "dealname", name).id;
    let there_is = |name: &str| only(&sim.salesforce("Opportunity"), "Name", name).id;
    sim.associate(("contacts", &person), ("deals", &here_is("Robots")), 37);
    let role = json!({"ContactId": contact, "OpportunityId": there_is("Rockets"),
        "Role": "Decision Maker"});
    sim.create_salesforce("OpportunityContactRole", role);
    let rows = || sim.salesforce("OpportunityContactRole");
    let (before, given) = (sim.everything(), rows());

    let arguments = ["--mappings", mappings.to_str().expect("a path")];
    let plan = sim.tandem(here.path(), &[&["plan", "--json"], &arguments[..]].concat());
    assert_eq!(plan.code, 2, "{}{}", plan.stdout, plan.stderr);
    let planned = plan.json()["writes"].as_array().unwrap().clone();
    let told = |side: &str| {
        let of = planned.iter().filter(|row| row["side"] == side);
        let of: Vec<&Value> = of.collect();
        assert_eq!(of.len(), 1, "{planned:?}");
        assert_eq!(of[0]["mapping"], "contacts");
        (of[0]["old"].to_string(), of[0]["new"].to_string())
    };
    for (side, has, gets) in [
        ("salesforce", there_is("Rockets"), there_is("Robots")),
        ("hubspot", here_is("Robots"), here_is("Rockets")),
    ] {
        let (old, new) = told(side);
        assert!(old.contains(&has) && !old.contains(&gets), "{old}");
        assert!(new.contains(&has) && new.contains(&gets), "{new}");
    }
    let plan = sim.tandem(here.path(), &[&["plan"], &arguments[..]].concat());
    assert!(plan.stdout.contains(&there_is("Robots")), "{}", plan.stdout);
    assert!(
        sim.everything() == before && rows() == given,
        "a plan wrote"
    );

    let ran = sim.tandem(
        here.path(),
        &[&["sync", "--once", "--json"], &arguments[..]].concat(),
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(rows().len(), 2);
    let rested = sim.tandem(here.path(), &[&["plan"], &arguments[..]].concat());
    assert_eq!(rested.code, 0, "{}{}", rested.stdout, rested.stderr);
}
