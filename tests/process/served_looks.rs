//! Commands that have a running service read both CRMs: what they show is what the same command
//! shows on a store of its own.

use serde_json::{Value, json};

use super::harness::{Sim, folder, only};
use super::planned::moved_unseen;
use super::served::Place;
use super::serving::until;

#[test]
fn a_service_looks_at_a_record_live_and_changes_nothing() {
    let place = Place::observing(Sim::start(&["--records", "20"]));
    let sim = &place.sim;
    let ada = only(&sim.hubspot("contacts"), "lastname", "Lindqvist");
    until("paired", || {
        let known = place.ask(&["explain", "contacts", &ada.id, "--json"]);
        known.code == 0 && known.json()["pairs"][0]["state"] == "linked"
    });
    let title = ada.text("jobtitle").to_owned();
    sim.edit_hubspot("contacts", &ada.id, json!({"jobtitle": "Chief of Robots"}));
    let (before, held) = (sim.everything(), sim.writes());
    let words = ["explain", "contacts", &ada.id, "jobtitle", "--live"];
    let told = place.done(&[&words[..], &["--json"]].concat()).json();
    let field = &told["pairs"][0]["fields"][0];
    assert_eq!(field["seen_by"], "read", "{told}");
    assert_eq!(field["seen"]["salesforce"], json!({"Title": title}));
    let next = field["next"].as_str().unwrap_or_default();
    let expected = "Only HubSpot changed it; \"Chief of Robots\" would";
    assert!(next.starts_with(expected), "{told}");
    let text = place.done(&words).stdout;
    for word in ["Chief of Robots", "next run: Only HubSpot changed it"] {
        assert!(text.contains(word), "{word} in: {text}");
    }
    assert!(sim.everything() == before, "a look wrote to a CRM");
    assert_eq!(sim.writes(), held);
    place
        .ask(&["explain", "contacts", "999999", "--live"])
        .refused(&["nothing is known", "not-found"]);
    place
        .ask(&["explain", "contacts", &ada.id, "--live", "--at", "2h"])
        .refused(&["--live", "--at"]);
}

#[test]
fn an_inventory_of_a_service_is_shown_as_one_of_a_store() {
    let place = Place::observing(Sim::start(&["--records", "30", "--seed", "3"]));
    let here = folder();
    let local = place.sim.tandem(here.path(), &["match"]);
    assert_eq!(local.code, 2, "{}", local.stderr);
    let served = place.ask(&["match"]);
    assert_eq!(served.code, 2, "{}", served.stderr);
    assert!(local.stdout.contains("ambiguous group"), "{}", local.stdout);
    assert_eq!(served.stdout, local.stdout);
    let page = place.here.path().join("match.html");
    let path = page.to_str().expect("a path");
    let narrow = ["match", "--mapping", "contacts", "--html", path];
    let contacts = place.ask(&narrow);
    assert!(contacts.stdout.contains("contacts: HubSpot contacts"));
    assert!(!contacts.stdout.contains("deals: "), "{}", contacts.stdout);
    let html = std::fs::read_to_string(&page).expect("the page");
    for word in [
        "Match report",
        "acme/production",
        "contacts: ambiguous",
        "@",
    ] {
        assert!(html.contains(word), "{word} in: {html}");
    }
    assert_eq!(place.sim.writes(), (0, 0));
    let unknown = place.ask(&["match", "--mapping", "people"]);
    unknown.refused(&["people", "contacts"]);
}

#[test]
fn a_service_compares_one_mapping_and_plans_a_repair() {
    let place = Place::on(Sim::start(&["--records", "20", "--seed", "3"]));
    until("in step", || place.ask(&["plan"]).code == 0);
    let sim = &place.sim;
    let begun = place.done(&["drift", "--mapping", "deals", "--json"]);
    assert_eq!(begun.json(), json!({"mappings": ["deals"]}));
    place
        .ask(&["drift", "--mapping", "people"])
        .refused(&["people", "contacts"]);

    let (email, account) = moved_unseen(sim);
    let writes = sim.writes();
    let file = place.here.path().join("repair.json");
    let file = file.to_str().expect("a path");
    let repair = ["drift", "--repair", file, "--mapping", "contacts"];
    let found = place.ask(&repair);
    assert_eq!(found.code, 2, "{}{}", found.stdout, found.stderr);
    let apply = format!("would repair it; `tandem apply {file}` does.");
    for word in ["drifted; ", "companies/primary", apply.as_str()] {
        assert!(found.stdout.contains(word), "{word} in: {}", found.stdout);
    }
    let told = place.ask(&[&repair[..], &["--json"]].concat()).json();
    assert_eq!(told["mappings"].as_array().map(Vec::len), Some(1), "{told}");
    assert!(told["drift"].as_u64() > Some(0), "{told}");
    assert_eq!(told["differences"][0]["why"], "drift", "{told}");
    assert!(told["repair"]["writes"][0]["rule"].is_string(), "{told}");
    assert_eq!(sim.writes(), writes, "a comparison writes nothing");

    let applied = place.ask(&["apply", file, "--json"]);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    let repaired = only(&sim.salesforce("Contact"), "Email", &email);
    assert_eq!(repaired.text("AccountId"), account);
    let clean = place.ask(&repair);
    assert_eq!(clean.code, 0, "{}{}", clean.stdout, clean.stderr);
    assert!(clean.stdout.starts_with("No drift: "), "{}", clean.stdout);
}

#[test]
fn runs_are_listed_and_shown_wherever_they_ran() {
    let place = Place::new("20");
    place.settle();
    let here = folder();
    place.sim.sync(here.path());
    for there in [false, true] {
        let ask = |words: &[&str]| match there {
            false => place.sim.tandem(here.path(), words),
            true => place.ask(words),
        };
        let listed = ask(&["runs", "list", "--json"]).json();
        let run = &listed["runs"][0];
        let id = run["id"].as_str().expect("an id");
        let shown = ask(&["runs", "show", id, "--json"]).json();
        assert_eq!((&shown["id"], &shown["kind"]), (&run["id"], &run["kind"]));
        let all = ask(&["runs", "list"]).stdout;
        assert!(all.contains(id) && all.contains("records written"), "{all}");
        let one = ask(&["runs", "show", id]).stdout;
        for word in [id, "written    ", "calls      "] {
            assert!(one.contains(word), "{word} in: {one}");
        }
        let none: Value = ask(&["runs", "list", "--limit", "0", "--json"]).json();
        assert_eq!(none, json!({"runs": []}));
        ask(&["runs", "show", "run_none"]).refused(&["no ", "run"]);
    }
}
