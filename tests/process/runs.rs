//! Runs that end well: what the first writes, that the second writes nothing, and how one logs in.

use serde_json::{Value, json};

use super::harness::{Sim, Variables, folder, only, run};
use super::postgres;

const ADA: &str = "Lindqvist";

/// Ada's title travels from HubSpot, and her phone from HubSpot too, with nothing else written.
fn edits_travel(sim: &Sim, sync: &dyn Fn() -> Value) {
    let ada = only(&sim.hubspot("contacts"), "lastname", ADA);
    let hers = only(&sim.salesforce("Contact"), "LastName", ADA);
    sim.edit_hubspot("contacts", &ada.id, json!({"jobtitle": "Chief of Robots"}));
    let told = sync();
    assert_eq!(told["writes"], 1, "{told}");
    let now = only(&sim.salesforce("Contact"), "LastName", ADA);
    assert_eq!(now.text("Title"), "Chief of Robots");

    sim.edit_salesforce("Contact", &hers.id, json!({"Title": "Chief of Gears"}));
    let told = sync();
    assert_eq!(told["writes"], 1, "{told}");
    let now = only(&sim.hubspot("contacts"), "lastname", ADA);
    assert_eq!(now.text("jobtitle"), "Chief of Gears");
}

/// A first run, a second with nothing to do, and edits both ways.
fn converges(sim: &Sim, sync: &dyn Fn() -> Value) {
    let first = sync();
    assert!(first["writes"].as_u64().unwrap() > 10, "{first}");
    assert!(first["creates"].as_u64().unwrap() > 5, "{first}");
    assert_eq!(first["waiting"], 0, "{first}");
    let (writes, _) = sim.writes();
    assert_eq!(first["writes"], writes, "{first}");

    let (before, held) = (sim.everything(), sim.writes());
    let second = sync();
    assert_eq!(second["writes"], 0, "{second}");
    assert_eq!(second["links"], first["links"]);
    assert_eq!(sim.writes(), held);
    assert!(sim.everything() == before, "a run with nothing to do wrote");
    edits_travel(sim, sync);
    assert_eq!(sim.writes().1, 0, "writes that changed nothing");
}

#[test]
fn the_first_run_fills_both_sides_later_runs_write_what_changed() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    converges(&sim, &|| sim.sync(here.path()));
    for name in [
        "writes",
        "conflicts",
        "holds",
        "dead_letters",
        "api_calls",
        "elapsed_ms",
        "max_rss_bytes",
        "rest",
    ] {
        let told = sim.sync(here.path());
        assert!(!told[name].is_null(), "{name} in {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_on_postgresql_serves_as_well() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let work = move || {
        let sim = Sim::start(&["--records", "20"]);
        let here = folder();
        let arguments = ["sync", "--once", "--json", "--data", &url];
        converges(&sim, &|| {
            let ran = sim.tandem(here.path(), &arguments);
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
            ran.json()
        });
        let letters = sim.tandem(here.path(), &["dead-letters", "list", "--data", &url]);
        assert_eq!(letters.code, 0, "{}", letters.stderr);
        sim.tandem(here.path(), &["plan", "--data", &url])
            .refused(&["copy", "--data"]);
    };
    tokio::task::spawn_blocking(work).await.expect("it passes");
}

/// Without the variables that start with one of these.
fn without(mut variables: Variables, ends: &[&str]) -> Variables {
    variables.retain(|(name, _)| !ends.iter().any(|end| name.ends_with(end)));
    variables
}

#[test]
fn salesforce_takes_a_plain_token_and_a_signed_assertion() {
    let sim = Sim::start(&["--records", "2"]);
    let mut plain = without(sim.variables(), &["CLIENT_ID", "CLIENT_SECRET"]);
    plain.push(("TANDEM_SALESFORCE_TOKEN", sim.text("salesforce", "token")));

    let here = folder();
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> =
        aws_lc_rs::encoding::AsDer::as_der(&key).expect("the key as text");
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der.as_ref());
    let path = here.path().join("key.pem");
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    std::fs::write(&path, pem).expect("the key is stored");
    let mut signed = without(sim.variables(), &["CLIENT_SECRET", "SALESFORCE_URL"]);
    signed.extend([
        ("TANDEM_SALESFORCE_LOGIN_URL", sim.text("salesforce", "url")),
        (
            "TANDEM_SALESFORCE_USERNAME",
            sim.text("salesforce", "username"),
        ),
        ("TANDEM_SALESFORCE_PRIVATE_KEY", path.display().to_string()),
    ]);
    for variables in [plain, signed] {
        let ran = run(&variables, here.path(), &["sync", "--once", "--json"]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.json()["links"].as_u64().unwrap() > 0);
    }
}

#[test]
fn a_limit_of_creates_holds_over_runs_and_is_lifted_by_a_run_without_one() {
    let sim = Sim::start(&["--records", "20"]);
    let here = folder();
    let limited = ["sync", "--once", "--json", "--max-creates", "3"];
    let ran = sim.tandem(here.path(), &limited);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let told = ran.json();
    assert_eq!(told["creates"], 3, "{told}");
    assert!(told["waiting"].as_u64().unwrap() > 0, "{told}");
    let rest = told["rest"].as_array().unwrap();
    assert!(!rest.is_empty(), "the rest is listed: {told}");
    let told = sim.sync(here.path());
    assert!(told["creates"].as_u64().unwrap() > 5, "{told}");
    assert_eq!(told["waiting"], 0, "{told}");
}
