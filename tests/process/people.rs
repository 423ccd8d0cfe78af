//! What a person does with what a real run left: look, pair, choose, try again, let go.

use serde_json::{Value, json};

use super::harness::{Record, Sim, folder, only};

fn list(sim: &Sim, data: &std::path::Path, arguments: &[&str], name: &str) -> Vec<Value> {
    let ran = sim.tandem(data, &[arguments, &["--json"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.json()[name].as_array().expect("a list").clone()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().expect("a text")
}

#[track_caller]
fn done(sim: &Sim, data: &std::path::Path, arguments: &[&str]) -> String {
    let ran = sim.tandem(data, arguments);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

#[test]
fn a_dead_letter_is_shown_mended_at_its_source_replayed_and_closed() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    sim.sync(here.path());
    let letters = ["dead-letters", "list"];
    let open = list(&sim, here.path(), &letters, "dead_letters");
    let deal = open.iter().find(|letter| letter["mapping"] == "deals");
    let deal = deal.expect("a deal without a close date");
    let id = text(deal, "id");
    let shown = done(&sim, here.path(), &["dead-letters", "show", id]);
    assert!(shown.contains("CloseDate"), "{shown}");

    // Without a change it fails again, and there is still one letter about it.
    done(&sim, here.path(), &["dead-letters", "replay", id]);
    sim.sync(here.path());
    let again = list(&sim, here.path(), &letters, "dead_letters");
    let of_deals = |rows: &[Value]| -> usize {
        let rows = rows.iter().filter(|letter| letter["mapping"] == "deals");
        rows.count()
    };
    assert_eq!(of_deals(&again), 1, "{again:?}");

    let record = text(deal, "record");
    let closes = json!({"closedate": "2027-05-01"});
    sim.edit_hubspot("deals", record, closes);
    let id = again.iter().find(|letter| letter["mapping"] == "deals");
    let id = text(id.unwrap(), "id").to_owned();
    done(&sim, here.path(), &["dead-letters", "replay", &id]);
    let told = sim.sync(here.path());
    assert_eq!(told["creates"], 1, "{told}");
    let left = list(&sim, here.path(), &letters, "dead_letters");
    assert_eq!(of_deals(&left), 0, "{left:?}");

    let discarded = ["dead-letters", "discard", "--mapping", "contacts"];
    done(&sim, here.path(), &discarded);
    let left = list(&sim, here.path(), &letters, "dead_letters");
    assert!(left.iter().all(|letter| letter["mapping"] != "contacts"));
    let kept = ["dead-letters", "list", "--state", "discarded"];
    assert!(!list(&sim, here.path(), &kept, "dead_letters").is_empty());
}

#[test]
fn a_pair_that_only_a_person_can_name_is_linked_by_hand_and_taken_apart_again() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    sim.sync(here.path());
    let open = list(&sim, here.path(), &["dead-letters", "list"], "dead_letters");
    let of = |side: &str| -> String {
        let mut letters = open.iter().filter(|letter| {
            letter["mapping"] == "contacts"
                && letter["side"] == side
                && letter["code"] == "ambiguous-match"
        });
        text(letters.next().expect("a letter"), "record").to_owned()
    };
    let (hubspot, salesforce) = (of("hubspot"), of("salesforce"));
    done(
        &sim,
        here.path(),
        &["links", "pair", "contacts", &hubspot, &salesforce],
    );
    sim.sync(here.path());
    sim.edit_hubspot("contacts", &hubspot, json!({"jobtitle": "Twin"}));
    sim.sync(here.path());
    let title = |records: &[Record]| {
        let found = records.iter().find(|record| record.id == salesforce);
        found.expect("it is there").text("Title").to_owned()
    };
    assert_eq!(title(&sim.salesforce("Contact")), "Twin");

    let links = list(
        &sim,
        here.path(),
        &["links", "list", "--mapping", "contacts"],
        "links",
    );
    let link = links.iter().find(|link| link["hubspot_id"] == *hubspot);
    let id = text(link.expect("it is linked"), "id");
    done(&sim, here.path(), &["links", "unpair", id]);
    sim.edit_hubspot("contacts", &hubspot, json!({"jobtitle": "Loner"}));
    let counts = sim.salesforce("Contact").len();
    sim.sync(here.path());
    assert_eq!(title(&sim.salesforce("Contact")), "Twin");
    assert_eq!(sim.salesforce("Contact").len(), counts);
}

#[test]
fn a_conflict_is_shown_and_the_other_value_can_be_taken_afterwards() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    sim.sync(here.path());
    let ada = only(&sim.hubspot("contacts"), "lastname", "Lindqvist");
    let hers = only(&sim.salesforce("Contact"), "LastName", "Lindqvist");
    sim.edit_hubspot("contacts", &ada.id, json!({"jobtitle": "Said in HubSpot"}));
    sim.edit_salesforce("Contact", &hers.id, json!({"Title": "Said in Salesforce"}));
    let told = sim.sync(here.path());
    assert_eq!(told["conflicts"], 1, "{told}");
    let now = only(&sim.hubspot("contacts"), "lastname", "Lindqvist");
    assert_eq!(now.text("jobtitle"), "Said in Salesforce");

    let found = list(&sim, here.path(), &["conflicts", "list"], "conflicts");
    let found = found.iter().find(|row| row["rule"] == "jobtitle");
    let id = text(found.expect("the conflict is kept"), "id").to_owned();
    let shown = done(&sim, here.path(), &["conflicts", "show", &id]);
    assert!(shown.contains("Said in HubSpot"), "{shown}");
    done(&sim, here.path(), &["conflicts", "take", "hubspot", &id]);
    sim.sync(here.path());
    for (record, field) in [
        (
            only(&sim.hubspot("contacts"), "lastname", "Lindqvist"),
            "jobtitle",
        ),
        (
            only(&sim.salesforce("Contact"), "LastName", "Lindqvist"),
            "Title",
        ),
    ] {
        assert_eq!(record.text(field), "Said in HubSpot");
    }
    done(
        &sim,
        here.path(),
        &["conflicts", "take", "Settled by hand", &id],
    );
    sim.sync(here.path());
    let now = only(&sim.salesforce("Contact"), "LastName", "Lindqvist");
    assert_eq!(now.text("Title"), "Settled by hand");
    assert_eq!(sim.sync(here.path())["writes"], 0);
}

#[test]
fn values_that_are_held_back_are_listed_with_their_reason() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    sim.sync(here.path());
    let ada = only(&sim.hubspot("contacts"), "lastname", "Lindqvist");
    let long = "x".repeat(200);
    sim.edit_hubspot("contacts", &ada.id, json!({"jobtitle": long}));
    let told = sim.sync(here.path());
    assert_eq!(told["holds"], 1, "{told}");
    let held = list(&sim, here.path(), &["links", "list", "--held"], "holds");
    assert_eq!(held.len(), 1);
    assert_eq!(held[0]["rule"], "jobtitle");
    assert_eq!(held[0]["hubspot_id"], json!(ada.id));
    let page = done(&sim, here.path(), &["links", "list", "--held"]);
    assert!(page.contains("jobtitle"), "{page}");
}

#[test]
fn with_nothing_to_approve_the_list_says_so() {
    let sim = Sim::start(&["--records", "2"]);
    let here = folder();
    sim.sync(here.path());
    let said = done(&sim, here.path(), &["approve"]);
    assert!(said.contains("nothing waits"), "{said}");
    assert_eq!(
        list(&sim, here.path(), &["approve"], "approvals"),
        [] as [Value; 0]
    );
}
