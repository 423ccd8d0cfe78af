//! A week beside another tool, in a minute: `sync --observe` writes nothing, and `observed` tells
//! what it would have written and who did instead.

use serde_json::json;

use crate::harness::{Sim, folder};

#[test]
fn a_run_beside_another_tool_writes_nothing_and_tells_what_that_one_did() {
    let sim = Sim::start(&["--records", "20", "--seed", "3"]);
    let here = folder();
    sim.sync(here.path());
    let before = sim.everything();
    let writes = sim.writes();
    let observe = ["sync", "--observe", "--once"];
    let quiet = sim.tandem(here.path(), &observe);
    assert_eq!(quiet.code, 0, "{}{}", quiet.stdout, quiet.stderr);
    assert!(
        quiet.stdout.starts_with("Nothing was written;"),
        "{}",
        quiet.stdout
    );

    let salesforce = sim.salesforce("Contact");
    let partner = |mail: &str| {
        let mut same = salesforce.iter().filter(|one| one.text("Email") == mail);
        same.next().filter(|_| same.next().is_none())
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    for one in sim.hubspot("contacts") {
        let found = partner(one.text("email")).filter(|_| !one.text("email").is_empty());
        pairs.extend(found.map(|other| (one.id.clone(), other.id.clone())));
    }
    pairs.truncate(3);
    assert_eq!(pairs.len(), 3);
    for (hubspot, _) in &pairs {
        sim.edit_hubspot("contacts", hubspot, json!({"jobtitle": "Observed"}));
    }
    let ran = sim.tandem(here.path(), &observe);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    // The other tool carries one of them as it is, and spoils another one.
    sim.edit_salesforce("Contact", &pairs[0].1, json!({"Title": "Observed"}));
    sim.edit_salesforce("Contact", &pairs[1].1, json!({"Title": "Spoiled"}));
    let ran = sim.tandem(here.path(), &observe);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(sim.writes(), writes, "nothing but the edits was written");
    assert_ne!(sim.everything(), before, "the edits are there");

    let observed = sim.tandem(here.path(), &["observed", "--json"]);
    assert_eq!(observed.code, 2, "{}", observed.stdout);
    let found = observed.json();
    let groups = found["groups"].as_array().expect("groups");
    let to_salesforce = groups
        .iter()
        .find(|group| group["mapping"] == "contacts" && group["to"] == "salesforce")
        .unwrap_or_else(|| panic!("{found}"));
    assert_eq!(to_salesforce["became"]["same"], 1, "{found}");
    assert_eq!(to_salesforce["became"]["otherwise"], 1, "{found}");
    assert_eq!(to_salesforce["became"]["open"], 1, "{found}");
    let otherwise = &found["otherwise"]["rows"][0];
    assert_eq!(otherwise["record"], pairs[1].1);
    assert_eq!(otherwise["after"]["Title"], "Observed");
    assert_eq!(otherwise["found"]["Title"], "Spoiled");

    // A sync takes over what nobody wrote.
    sim.sync(here.path());
    let contacts = sim.salesforce("Contact");
    let third = contacts.iter().find(|one| one.id == pairs[2].1);
    assert_eq!(third.map(|one| one.text("Title")), Some("Observed"));
    let after = sim.tandem(here.path(), &["observed", "--json"]).json();
    let groups = after["groups"].as_array().expect("groups");
    let open = groups.iter().map(|group| group["became"]["open"].as_u64());
    assert_eq!(open.flatten().sum::<u64>(), 0, "{after}");
}

#[test]
fn a_day_that_is_none_or_has_not_come_is_refused_in_words() {
    let sim = Sim::start(&["--records", "1", "--seed", "3"]);
    let here = folder();
    sim.tandem(here.path(), &["observed"])
        .refused(&["there is no store"]);
    sim.sync(here.path());
    for (day, words) in [
        ("yesterday", "no day"),
        ("2026-02-30", "no day"),
        ("9999-01-01", "has not come yet"),
    ] {
        let ran = sim.tandem(here.path(), &["observed", "--day", day]);
        ran.refused(&[day, words]);
    }
    let none = sim.tandem(here.path(), &["observed", "--day", "2001-01-01"]);
    assert_eq!(none.code, 0);
    assert!(
        none.stdout.contains("nothing would have been written"),
        "{}",
        none.stdout
    );
}
