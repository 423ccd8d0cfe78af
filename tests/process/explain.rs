//! `tandem explain --live`: reads both records, plays the next run, leaves everything as it was.

use serde_json::json;

use super::harness::{Sim, content, folder, only};

#[test]
fn looking_live_shows_both_values_and_the_next_write_and_changes_nothing() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    sim.sync(here.path());
    let ada = only(&sim.hubspot("contacts"), "lastname", "Lindqvist");
    let title = ada.text("jobtitle").to_owned();
    sim.edit_hubspot("contacts", &ada.id, json!({"jobtitle": "Chief of Robots"}));
    let (before, held, kept) = (sim.everything(), sim.writes(), content(here.path()));

    let words = ["explain", "contacts", &ada.id, "--live", "--json"];
    let ran = sim.tandem(here.path(), &words);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let pair = ran.json()["pairs"][0].clone();
    let fields = pair["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["rule"] == name).unwrap();
    let jobtitle = field("jobtitle");
    assert_eq!(jobtitle["seen_by"], "read");
    assert_eq!(
        jobtitle["seen"]["hubspot"],
        json!({"jobtitle": "Chief of Robots"})
    );
    assert_eq!(jobtitle["seen"]["salesforce"], json!({"Title": title}));
    assert_eq!(jobtitle["base"]["hubspot"], json!({"jobtitle": title}));
    let next = jobtitle["next"].as_str().unwrap();
    assert!(
        next.starts_with("Only HubSpot changed it; \"Chief of Robots\" would"),
        "{next}"
    );
    assert_eq!(field("email")["next"], "Nothing to do.");
    assert!(content(here.path()) == kept, "a look changed the store");
    assert!(sim.everything() == before, "a look wrote to a CRM");
    assert_eq!(sim.writes(), held);

    assert_eq!(sim.sync(here.path())["writes"], 1);
    let ran = sim.tandem(
        here.path(),
        &["explain", "contacts", &ada.id, "jobtitle", "--live"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("next run: Nothing to do."), "{text}");
    assert!(
        text.contains("was written to Salesforce in place of"),
        "{text}"
    );
}

#[test]
fn looking_live_at_a_record_without_a_partner_tells_which_reason_it_is() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    sim.sync(here.path());
    sim.create_hubspot(
        "contacts",
        json!({"email": "new@example.com", "lastname": "New"}),
    );
    sim.sync(here.path());
    let new = only(&sim.hubspot("contacts"), "lastname", "New");
    sim.create_hubspot(
        "contacts",
        json!({"email": "newer@example.com", "lastname": "Newer"}),
    );
    let newer = only(&sim.hubspot("contacts"), "lastname", "Newer");
    let ran = sim.tandem(here.path(), &["explain", "contacts", &new.id, "--live"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("Salesforce Lead"), "{}", ran.stdout);
    let unread = sim.tandem(here.path(), &["explain", "contacts", &newer.id, "--live"]);
    assert_eq!(unread.code, 1);
    assert!(
        unread.stderr.contains("nothing is known"),
        "{}",
        unread.stderr
    );
}
