//! Plans of a service that is killed while it carries one out, made and applied by the commands.

use serde_json::{Value, json};

use super::harness::{AFTER_A_KILL, Sim, folder, run, start, wait, wait_within};
use super::serving::{WS, free_port, init, serve, until, variables};

/// Records that the plan would create on a side.
fn creates(plan: &Value, side: &str) -> u64 {
    let records = plan["found"]["records"].as_array().expect("counts");
    let here = records
        .iter()
        .filter(|one| one["side"] == side && one["kind"] == "create");
    here.map(|one| one["records"].as_u64().expect("a count"))
        .sum()
}

fn records(sim: &Sim, side: &str) -> u64 {
    let objects: Vec<usize> = match side {
        "hubspot" => ["contacts", "companies", "deals"]
            .map(|object| sim.hubspot(object).len())
            .to_vec(),
        _ => ["Contact", "Account", "Opportunity", "Lead"]
            .map(|object| sim.salesforce(object).len())
            .to_vec(),
    };
    objects.iter().sum::<usize>() as u64
}

#[test]
fn a_plan_goes_on_after_the_service_was_killed_and_writes_nothing_twice() {
    let (sim, here) = (Sim::start(&["--records", "300"]), folder());
    let mut variables = variables(&sim, free_port());
    variables.retain(|(name, _)| *name != "TANDEM_LOG");
    let key = init(&variables, here.path());
    let service = serve(&variables, here.path(), &key);
    service.observing(&sim);
    variables.push(("TANDEM_KEY", key.clone()));
    let server = service.url.clone();
    let with = |words: &[&str]| {
        let there = ["--server", server.as_str(), "--json"];
        words
            .iter()
            .chain(&there)
            .map(|word| (*word).to_owned())
            .collect::<Vec<String>>()
    };
    let ran = |words: &[&str]| {
        let words = with(words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(&variables, here.path(), &words)
    };
    let file = here.path().join("plan.json");
    let file = file.to_str().expect("a path");
    let planned = ran(&["workspace", "plan", WS, "--out", file]);
    assert_eq!(planned.code, 2, "{}", planned.stderr);
    let plan = planned.json();
    let id = plan["id"].as_str().expect("an id").to_owned();
    assert_eq!(sim.writes(), (0, 0));
    let before = ["hubspot", "salesforce"].map(|side| records(&sim, side));
    let words = with(&["workspace", "apply", WS, &id]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let applying = start(&variables, here.path(), &words);
    until("begun to write", || sim.writes() != (0, 0));
    drop(service);
    assert_eq!(wait(applying).code, 1, "whoever waits is told");
    let service = serve(&variables, here.path(), &key);
    assert_ne!(sim.writes(), (0, 0));
    let path = format!("/workspaces/{WS}/plans/{id}");
    let told = || service.call(&sim, "GET", &path, None);
    until("told of", || told()["state"] == "stopped");
    let stopped = told();
    assert_eq!(stopped["error"]["code"], "interrupted", "{stopped}");
    assert!(stopped["applied"]["run"].is_string(), "{stopped}");
    // From the file it is the same plan, and what is written already stays.
    let words = with(&["workspace", "apply", WS, file]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let applied = wait_within(AFTER_A_KILL, start(&variables, here.path(), &words));
    assert!(matches!(applied.code, 0 | 2), "{}", applied.stderr);
    let applied = applied.json();
    assert_eq!(applied["state"], "applied", "{applied}");
    let counts = &applied["applied"]["counts"];
    assert!(counts["already"].as_u64() > Some(0), "{applied}");
    for (side, before) in ["hubspot", "salesforce"].into_iter().zip(before) {
        let now = records(&sim, side);
        assert_eq!(now, before + creates(&plan, side), "{side}: {applied}");
    }
    let failed = counts.get("failed").cloned().unwrap_or(json!(0));
    assert_eq!(failed, json!(0), "{applied}");
}
