//! What can be wrong around a run: one clear line, exit code 1, and nothing is written anywhere.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::harness::{Sim, Variables, content, folder, only, run, start};

const RUNS: [&[&str]; 2] = [&["sync", "--once"], &["plan"]];

fn set(variables: &mut Variables, name: &'static str, value: &str) {
    variables.retain(|(known, _)| *known != name);
    variables.push((name, value.to_owned()));
}

/// A port on which nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    format!("http://127.0.0.1:{port}")
}

/// Both kinds of run are refused with these words, and neither CRM is written to.
#[track_caller]
fn refused(sim: &Sim, variables: &Variables, extra: &[&str], words: &[&str]) {
    for arguments in RUNS {
        let here = folder();
        let arguments = [arguments, extra].concat();
        run(variables, here.path(), &arguments).refused(words);
    }
    assert_eq!(sim.writes(), (0, 0));
}

#[test]
fn wrong_credentials_name_the_side_and_the_variable() {
    let sim = Sim::start(&["--records", "2"]);
    let mut wrong = sim.variables();
    set(&mut wrong, "TANDEM_HUBSPOT_TOKEN", "pat-na1-wrong");
    refused(&sim, &wrong, &[], &["HubSpot", "TANDEM_HUBSPOT_TOKEN"]);

    let mut wrong = sim.variables();
    set(&mut wrong, "TANDEM_SALESFORCE_CLIENT_SECRET", "wrong");
    refused(&sim, &wrong, &[], &["Salesforce", "TANDEM_SALESFORCE_"]);

    let mut wrong = sim.variables();
    wrong.retain(|(name, _)| !name.contains("CLIENT"));
    set(&mut wrong, "TANDEM_SALESFORCE_TOKEN", "00D!expired");
    refused(&sim, &wrong, &[], &["Salesforce", "TANDEM_SALESFORCE_"]);
}

#[test]
fn a_crm_that_cannot_be_reached_is_named_with_its_address_variable() {
    let sim = Sim::start(&["--records", "2"]);
    let nobody = nobody();
    for (name, side) in [
        ("TANDEM_HUBSPOT_URL", "HubSpot"),
        ("TANDEM_SALESFORCE_URL", "Salesforce"),
    ] {
        let mut variables = sim.variables();
        set(&mut variables, name, &nobody);
        refused(&sim, &variables, &[], &[side, "reached"]);
    }
}

#[test]
fn a_crm_that_goes_away_leaves_the_store_fit_for_the_next_run() {
    let sim = Sim::start(&["--records", "6"]);
    let here = folder();
    sim.sync(here.path());
    let mut gone = sim.variables();
    set(&mut gone, "TANDEM_HUBSPOT_URL", &nobody());
    run(&gone, here.path(), &["sync", "--once"]).refused(&["HubSpot", "reached"]);
    assert_eq!(sim.sync(here.path())["writes"], 0);
}

/// A run that follows on another one's heels finds no calls left, and waits for the next window.
#[test]
fn a_limit_that_somebody_else_used_up_is_waited_for() {
    let sim = Sim::start(&["--records", "2"]);
    sim.options(json!({"burst_limit": 60}));
    let here = folder();
    for _ in 0..4 {
        sim.sync(here.path());
    }
}

#[test]
fn a_missing_scope_is_named_before_anything_is_written() {
    let sim = Sim::start(&["--records", "2"]);
    for scope in ["crm.objects.contacts.read", "crm.schemas.companies.read"] {
        sim.options(json!({"missing_scopes": [scope]}));
        refused(&sim, &sim.variables(), &[], &[scope, "grant"]);
    }
}

/// A permission to write that is known to be missing is told before anything else happens, once for
/// the object and not once for each of its records.
#[test]
fn a_scope_for_writing_that_is_missing_is_named_once_and_nothing_is_written() {
    let sim = Sim::start(&["--records", "6"]);
    let scope = "crm.objects.companies.write";
    sim.options(json!({"missing_scopes": [scope]}));
    for arguments in RUNS {
        let here = folder();
        let ran = run(&sim.variables(), here.path(), arguments);
        ran.lacks(&["HubSpot companies: the app lacks the scope crm.objects.companies.write"]);
        assert!(
            ran.stderr.contains("direction: to-salesforce"),
            "{}",
            ran.stderr
        );
    }
    let here = folder();
    let ran = run(&sim.variables(), here.path(), &["check", "--live"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains(scope), "{}", ran.stdout);
    assert_eq!(sim.writes(), (0, 0));
}

/// A token that does not tell its scopes is found out by the first write; the letters say what was
/// missing.
#[test]
fn a_scope_for_writing_that_is_missing_is_named_by_the_dead_letters() {
    let sim = Sim::start(&["--records", "6"]);
    let scope = "crm.objects.companies.write";
    sim.options(json!({"missing_scopes": [scope], "hide_scopes": true}));
    let here = folder();
    let told = sim.sync(here.path());
    assert!(told["dead_letters"].as_u64().unwrap() > 0, "{told}");
    let letters = sim.tandem(here.path(), &["dead-letters", "list"]);
    assert!(letters.stdout.contains(scope), "{}", letters.stdout);
    sim.options(json!({"missing_scopes": []}));
    let all = ["dead-letters", "replay", "--all"];
    assert_eq!(sim.tandem(here.path(), &all).code, 0);
    assert!(sim.sync(here.path())["writes"].as_u64().unwrap() > 0);
}

#[test]
fn a_field_that_no_crm_has_is_named_with_its_place() {
    let sim = Sim::start(&["--records", "2"]);
    let files = folder();
    let file = "mapping: people\nhubspot: contacts\nsalesforce: Contact\ndirection: both\n\
        conflict: salesforce\nfirst-sync: { fill-blanks: salesforce }\nmatch:\n  - email: Email\n\
        create: never\nrules:\n  email: Email\n  jobtitel: Title\n";
    fs::write(files.path().join("people.yaml"), file).expect("written");
    let named = files.path().display().to_string();
    let words = ["people.yaml:12", "jobtitel", "jobtitle", "tandem check"];
    refused(&sim, &sim.variables(), &["--mappings", &named], &words);
}

/// Without its key field a side could get one record twice. A run says so once for each object, and
/// leaves nothing behind, not even in the store.
#[test]
fn accounts_without_key_fields_are_told_once_per_object_and_nothing_is_written() {
    let sim = Sim::start(&["--records", "20", "--bare"]);
    let before = sim.everything();
    for arguments in RUNS {
        let here = folder();
        let ran = run(&sim.variables(), here.path(), arguments);
        ran.lacks(&[
            "HubSpot companies: there is no `tandem_link_id`",
            "HubSpot contacts: there is no `tandem_link_id`",
            "HubSpot deals: there is no `tandem_link_id`",
            "Salesforce Account: there is no `Tandem_Link_Id__c`",
            "Salesforce Contact: there is no `Tandem_Link_Id__c`",
            "Salesforce Lead: there is no `Tandem_Link_Id__c`",
            "Salesforce Opportunity: there is no `Tandem_Link_Id__c`",
        ]);
        for word in [
            "unique values",
            "External ID",
            "`key:`",
            "create-without-key: accept",
        ] {
            assert!(ran.stderr.contains(word), "`{word}` in: {}", ran.stderr);
        }
        let links = sim.tandem(here.path(), &["links", "list", "--json"]);
        assert!(!links.stdout.contains("\"hubspot\""), "{}", links.stdout);
    }
    assert_eq!(sim.everything(), before);

    let here = folder();
    let ran = run(&sim.variables(), here.path(), &["sync", "--once", "--json"]);
    let missing = ran.json()["error"]["missing"].clone();
    assert_eq!(missing.as_array().map(Vec::len), Some(7), "{missing}");
    let ran = run(&sim.variables(), here.path(), &["check", "--live"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.stdout.matches("missing: ").count(), 7, "{}", ran.stdout);
}

/// Where a mapping only ever updates, no key is needed and nobody is bothered.
#[test]
fn mappings_that_never_create_run_without_key_fields() {
    let sim = Sim::start(&["--records", "6", "--bare"]);
    let files = folder();
    let file = "mapping: people\nhubspot: contacts\nsalesforce: Contact\ndirection: both\n\
        conflict: salesforce\nfirst-sync: { fill-blanks: salesforce }\nmatch:\n  - email: Email\n\
        create: never\nrules:\n  email: Email\n  jobtitle: Title\n";
    fs::write(files.path().join("people.yaml"), file).expect("written");
    let named = files.path().display().to_string();
    let here = folder();
    let ran = sim.tandem(here.path(), &["sync", "--once", "--mappings", &named]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stderr.contains("missing"), "{}", ran.stderr);
}

/// Runs are refused with these words, and the folder stays as it is.
#[track_caller]
fn store_refused(sim: &Sim, here: &Path, words: &[&str]) {
    let kept = content(here);
    for arguments in RUNS {
        run(&sim.variables(), here, arguments).refused(words);
    }
    let mut left = content(here);
    left.retain(|name, _| kept.contains_key(name));
    assert!(left == kept, "the store was touched");
    assert_eq!(sim.writes(), (0, 0));
}

#[test]
fn a_store_that_cannot_be_used_is_left_alone() {
    let sim = Sim::start(&["--records", "2"]);
    let here = folder();
    let store = here.path().join("store");
    fs::create_dir(&store).expect("a folder");
    let file = store.join("tandem.db");

    fs::write(&file, "this is no database, whatever its name says").expect("written");
    store_refused(&sim, here.path(), &["tandem.db", "not a store"]);
    fs::remove_file(&file).expect("removed");

    let url = format!("sqlite://{}?mode=rwc", file.display());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let path = file.to_str().expect("a path in Unicode");
        let made = tandem::store::Store::open(path, tandem::clock::Clock::System).await;
        made.expect("a new store").close().await;
        let pool = sqlx::SqlitePool::connect(&url).await.expect("it opens");
        let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
            execution_time) VALUES (9999, 'later', TRUE, X'00', 1)";
        sqlx::query(later).execute(&pool).await.expect("it runs");
        pool.close().await;
    });
    store_refused(&sim, here.path(), &["9999", "newer version"]);
}

#[test]
fn a_damaged_store_is_refused_and_not_made_worse() {
    let sim = Sim::start(&["--records", "6"]);
    let here = folder();
    sim.sync(here.path());
    let file = here.path().join("store/tandem.db");
    let mut bytes = fs::read(&file).expect("the store is a file");
    let from = bytes.len() / 8;
    bytes[from..].fill(0xa5);
    fs::write(&file, bytes).expect("written");
    let held = sim.writes();
    for arguments in RUNS {
        run(&sim.variables(), here.path(), arguments).refused(&["tandem.db"]);
    }
    assert_eq!(sim.writes(), held);
}

#[test]
fn a_store_in_use_by_another_run_is_refused_at_once() {
    let sim = Sim::start(&["--records", "30"]);
    let here = folder();
    let lock = here.path().join("store/tandem.db.lock");
    let mut first = start(&sim.variables(), here.path(), &["sync", "--once"]);
    while !lock.exists() || sim.calls() < 8 {
        assert!(first.try_wait().expect("it can be asked").is_none());
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    // Halted, not ended: the lock stays taken for as long as the test needs.
    let halt = |signal: &str| {
        let id = first.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &id])
            .status();
        assert!(sent.expect("kill can be run").success());
    };
    halt("-STOP");
    for arguments in RUNS {
        run(&sim.variables(), here.path(), arguments).refused(&["in use"]);
    }
    halt("-CONT");
    let ended = super::harness::wait(first);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
}

/// The store knows which two accounts it is about.
#[test]
fn a_store_of_other_accounts_is_refused() {
    let (sim, other) = (
        Sim::start(&["--records", "6"]),
        Sim::start(&["--records", "6", "--seed", "8"]),
    );
    let here = folder();
    sim.sync(here.path());
    let ran = other.tandem(here.path(), &["sync", "--once"]);
    if other.said["hubspot"]["portal_id"] == sim.said["hubspot"]["portal_id"]
        && other.text("salesforce", "organization_id") == sim.text("salesforce", "organization_id")
    {
        return;
    }
    ran.refused(&["belongs to", "--data"]);
    assert_eq!(other.writes(), (0, 0));
    only(&sim.hubspot("contacts"), "lastname", "Lindqvist");
}
