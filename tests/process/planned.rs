//! `tandem plan --out`, `apply` and `undo`: exactly what was shown, and back again.

use std::fs;

use serde_json::json;

use super::harness::{Ran, Sim, content, folder, only};

/// The label of a contact's main company.
const PRIMARY: u32 = 1;

/// Ada's new title, planned but not written.
fn planned(sim: &Sim, here: &std::path::Path) -> Ran {
    sim.sync(here);
    let ada = only(&sim.hubspot("contacts"), "lastname", "Lindqvist");
    sim.edit_hubspot("contacts", &ada.id, json!({"jobtitle": "Chief of Robots"}));
    let plan = ["plan", "--out", "plan.json", "--html", "plan.html"];
    let ran = sim.tandem(here, &plan);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    ran
}

fn title(sim: &Sim) -> String {
    let now = only(&sim.salesforce("Contact"), "LastName", "Lindqvist");
    now.text("Title").to_owned()
}

#[test]
fn a_plan_in_a_file_is_applied_once_and_to_the_letter() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    let shown = planned(&sim, here.path());
    assert!(
        shown.stdout.contains("tandem apply plan.json"),
        "{}",
        shown.stdout
    );
    let ann = sim.hubspot("contacts");
    let other = ann
        .iter()
        .find(|record| record.text("lastname") != "Lindqvist");
    let other = other.expect("somebody else").id.clone();
    sim.edit_hubspot("contacts", &other, json!({"jobtitle": "Not planned"}));
    let before = sim.writes();
    let applied = sim.tandem(here.path(), &["apply", "plan.json", "--json"]);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    assert_eq!(title(&sim), "Chief of Robots");
    let now = sim.writes();
    assert_eq!(
        now.0 + now.1,
        before.0 + before.1 + 1,
        "one write and no other"
    );
    let told = applied.json();
    assert_eq!(told["counts"], json!({"written": 1}));

    let again = sim.tandem(here.path(), &["apply", "plan.json"]);
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    assert!(
        again.stdout.contains("Nothing was left to write"),
        "{}",
        again.stdout
    );
    assert_eq!(sim.writes(), now);
}

#[test]
fn a_plan_that_is_not_whole_or_not_for_this_place_is_refused_and_nothing_is_written() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    planned(&sim, here.path());
    let path = here.path().join("plan.json");
    let plan = fs::read_to_string(&path).expect("a plan");
    let writes = sim.writes();
    let refused = |file: &str, words: &str| {
        let ran = sim.tandem(here.path(), &["apply", file]);
        assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    };
    let write = |name: &str, text: &str| fs::write(here.path().join(name), text).expect("written");
    write("cut.json", &plan[..plan.len() / 2]);
    refused("cut.json", "only a part of one");
    write(
        "edited.json",
        &plan.replace("Chief of Robots", "Chief of Apes"),
    );
    refused("edited.json", "changed after it was made");
    write(
        "later.json",
        &plan.replace("\"tandem-plan\": 1", "\"tandem-plan\": 2"),
    );
    refused("later.json", "format 2");
    write("other.json", "{}");
    refused("other.json", "no plan");
    refused("nowhere.json", "nowhere.json");
    refused(".", "directory");

    let copy = here.path().join("mappings");
    fs::create_dir(&copy).expect("a folder");
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/mappings")).expect("read") {
        let from = entry.expect("an entry").path();
        if from.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&from).expect("read");
        let name = from.file_name().expect("a name");
        fs::write(
            copy.join(name),
            text.replace("conflict: salesforce", "conflict: hubspot"),
        )
        .expect("written");
    }
    let ran = sim.tandem(
        here.path(),
        &["apply", "plan.json", "--mappings", "mappings"],
    );
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(
        ran.stderr.contains("edited since the plan was made"),
        "{}",
        ran.stderr
    );

    assert_eq!(sim.writes(), writes);
    assert_ne!(title(&sim), "Chief of Robots");
}

#[test]
fn a_plan_as_a_page_needs_no_network_and_shows_the_values() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    planned(&sim, here.path());
    let page = fs::read_to_string(here.path().join("plan.html")).expect("a page");
    assert!(page.contains("Chief of Robots"));
    for word in ["<script", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn a_run_is_taken_back_from_the_command_line() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    planned(&sim, here.path());
    let old = title(&sim);
    let applied = sim.tandem(here.path(), &["apply", "plan.json", "--json"]);
    let run = applied.json()["run"].as_str().expect("a run").to_owned();
    assert_eq!(title(&sim), "Chief of Robots");

    let runs = sim.tandem(here.path(), &["undo"]);
    assert!(
        runs.code == 0 && runs.stdout.contains(&run),
        "{}{}",
        runs.stdout,
        runs.stderr
    );
    let (before, kept) = (sim.writes(), content(&here.path().join("store")));
    let shown = sim.tandem(here.path(), &["undo", &run]);
    assert_eq!(shown.code, 2, "{}{}", shown.stdout, shown.stderr);
    assert!(shown.stdout.contains(&old), "{}", shown.stdout);
    assert_eq!(sim.writes(), before, "it only shows");
    assert!(content(&here.path().join("store")) == kept, "it only looks");

    let back = sim.tandem(here.path(), &["undo", &run, "--yes", "--json"]);
    assert_eq!(back.code, 0, "{}{}", back.stdout, back.stderr);
    assert_eq!(title(&sim), old);
    let told = sim.sync(here.path());
    assert_eq!(told["writes"], 0, "nothing is written again: {told}");
    let again = sim.tandem(here.path(), &["undo", &run, "--yes", "--json"]);
    assert!(again.code != 1, "{}{}", again.stdout, again.stderr);
    assert_eq!(title(&sim), old);

    for (arguments, words) in [
        (vec!["undo", "run_nobody"], "no run"),
        (vec!["undo", "--since", "2999-01-01"], "future"),
        (vec!["undo", "--since", "yesterday"], "an age"),
    ] {
        let ran = sim.tandem(here.path(), &arguments);
        assert_eq!(ran.code, 1, "{}", ran.stdout);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

/// Moves a contact to another company in HubSpot. An association moves no stamp of HubSpot's, so
/// only a scan or a comparison finds it. The contact's address, and the account it belongs to now.
pub fn moved_unseen(sim: &Sim) -> (String, String) {
    let contacts = sim.salesforce("Contact");
    let with = contacts
        .iter()
        .filter(|one| !one.text("AccountId").is_empty());
    let mut with = with.filter(|one| !one.text("Email").is_empty());
    let (one, other) = (with.next().expect("one"), with.next().expect("two"));
    assert_ne!(one.text("AccountId"), other.text("AccountId"));
    let hubspot = only(&sim.hubspot("contacts"), "email", one.text("Email"));
    let accounts = sim.salesforce("Account");
    let account = accounts.iter().find(|a| a.id == other.text("AccountId"));
    let name = account.expect("an account").text("Name");
    let company = only(&sim.hubspot("companies"), "name", name);
    sim.associate(
        ("contacts", &hubspot.id),
        ("companies", &company.id),
        PRIMARY,
    );
    (
        one.text("Email").to_owned(),
        other.text("AccountId").to_owned(),
    )
}

#[test]
fn drift_that_no_poll_shows_is_repaired_by_a_plan_of_it_and_of_nothing_else() {
    let sim = Sim::start(&["--records", "20", "--seed", "3"]);
    let here = folder();
    sim.sync(here.path());
    let clean = sim.tandem(here.path(), &["drift", "--json"]);
    assert_eq!(clean.code, 0, "{}{}", clean.stdout, clean.stderr);
    let (email, account) = moved_unseen(&sim);
    let found = sim.tandem(here.path(), &["drift", "--json"]);
    assert_eq!(found.code, 2, "{}{}", found.stdout, found.stderr);
    let writes = sim.writes();
    let repair = ["drift", "--repair", "repair.json", "--json"];
    let ran = sim.tandem(here.path(), &repair);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(sim.writes(), writes, "a comparison writes nothing");
    let applied = sim.tandem(here.path(), &["apply", "repair.json"]);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    let repaired = only(&sim.salesforce("Contact"), "Email", &email);
    assert_eq!(repaired.text("AccountId"), account);
    let clean = sim.tandem(here.path(), &["drift", "--json"]);
    assert_eq!(clean.code, 0, "{}{}", clean.stdout, clean.stderr);
    let none = sim.tandem(here.path(), &["drift", "--last"]);
    assert_eq!(none.code, 0);
    assert!(
        none.stdout.contains("No comparison has been completed yet"),
        "{}",
        none.stdout
    );
}
