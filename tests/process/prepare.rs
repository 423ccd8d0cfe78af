//! `tandem prepare` on accounts that nobody has prepared, until a first sync runs on them.

use std::fs;

use serde_json::json;

use super::harness::{Sim, folder};

#[test]
fn bare_accounts_are_prepared_once_and_then_synced() {
    let sim = Sim::start(&["--records", "20", "--bare"]);
    let here = folder();
    let before = sim.everything();

    let look = sim.tandem(here.path(), &["prepare"]);
    assert_eq!(look.code, 2, "{}{}", look.stdout, look.stderr);
    assert_eq!(
        look.stdout.matches("would create").count(),
        8,
        "{}",
        look.stdout
    );
    let again = sim.tandem(here.path(), &["prepare", "--json"]).json();
    assert_eq!(again["left"], 7, "looking made something: {again}");

    let made = sim.tandem(here.path(), &["prepare", "--yes", "--json"]);
    assert_eq!(made.code, 0, "{}{}", made.stdout, made.stderr);
    let made = made.json();
    assert_eq!(made["ready"], true);
    assert_eq!(made["made"].as_array().map(Vec::len), Some(7), "{made}");

    let again = sim.tandem(here.path(), &["prepare", "--yes", "--json"]);
    assert_eq!(again.code, 0);
    assert_eq!(again.json()["made"], json!([]));
    assert!(sim.everything() == before, "a record was touched");

    let told = sim.sync(here.path());
    assert!(told["creates"].as_u64().unwrap() > 0, "{told}");
}

/// Whoever may not set up Salesforce gets a package and the lines to run.
#[test]
fn the_package_is_written_and_the_steps_are_told() {
    let sim = Sim::start(&["--bare"]);
    let here = folder();
    let ran = sim.tandem(here.path(), &["prepare", "--zip", "tandem.zip"]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    let deploy = "sf project deploy start --metadata-dir tandem.zip";
    assert!(ran.stdout.contains(deploy), "{}", ran.stdout);
    let zip = fs::read(here.path().join("tandem.zip")).expect("the package is there");
    assert!(zip.starts_with(b"PK"));
}
