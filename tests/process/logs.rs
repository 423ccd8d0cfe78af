//! The log as objects: every line of a running service parses, and says whose it is.

use serde_json::{Value, json};

use super::harness::{Sim, folder, run};
use super::serving::{WS, free_port, init, pair, serve, titled, until, variables};

/// Every line of the log, parsed.
#[track_caller]
fn lines(here: &std::path::Path) -> Vec<Value> {
    let log = std::fs::read_to_string(here.join("log")).expect("the log");
    let parse = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("no object: {line}"))
    };
    log.lines().map(parse).collect()
}

/// A field of the span of that name that a line stands in.
fn span_field(line: &Value, span: &str, field: &str) -> Option<String> {
    let spans = line["spans"].as_array()?;
    let found = spans.iter().find(|one| one["name"] == span)?;
    found[field].as_str().map(str::to_owned)
}

#[test]
fn every_line_is_an_object_with_its_request_or_its_workspace_and_run() {
    let (sim, here) = (Sim::start(&[]), folder());
    let mut variables = variables(&sim, free_port());
    variables.push(("TANDEM_LOG_FORMAT", "json".to_owned()));
    variables.retain(|(name, _)| *name != "TANDEM_LOG");
    variables.push(("TANDEM_LOG", "tandem=trace,warn".to_owned()));
    let key = init(&variables, here.path());
    let ada = pair(&sim);
    let service = serve(&variables, here.path(), &key);
    sim.send_webhooks(&format!("{}/webhooks/hubspot", service.url));
    service.connected(&sim);
    sim.edit_hubspot("contacts", &ada, json!({"jobtitle": "Analyst"}));
    until("synced", || titled(&sim, "Analyst"));
    let url = format!("{}/v1/workspaces/no/where", service.url);
    let (status, text) = sim.ask(|client| {
        let asked = client.get(&url).bearer_auth(&key);
        asked.header("x-request-id", "ticket-4711")
    });
    let problem: Value = serde_json::from_str(&text).expect("a problem");
    assert_eq!(
        (status, &problem["request_id"]),
        (404, &json!("ticket-4711"))
    );
    assert_eq!(service.stop().0, Some(0));
    let lines = lines(here.path());
    assert!(lines.len() > 20, "it is talkative: {}", lines.len());
    for line in &lines {
        for field in ["timestamp", "level", "message"] {
            assert!(line[field].is_string(), "{field} in {line}");
        }
    }
    let ours =
        |line: &&Value| span_field(line, "request", "request_id").as_deref() == Some("ticket-4711");
    let of_request: Vec<&Value> = lines.iter().filter(ours).collect();
    assert!(
        of_request.iter().any(|line| line["status"] == 404),
        "{of_request:?}"
    );
    let in_turn = |line: &&Value| span_field(line, "turn", "workspace").as_deref() == Some(WS);
    let of_turn: Vec<&Value> = lines.iter().filter(in_turn).collect();
    let with_run = of_turn
        .iter()
        .filter_map(|line| span_field(line, "turn", "run"))
        .filter(|run| run.starts_with("run_"));
    assert!(with_run.count() > 0, "{of_turn:?}");
}

#[test]
fn a_start_that_fails_says_so_in_an_object_too() {
    let here = folder();
    let variables = vec![("TANDEM_LOG_FORMAT", "json".to_owned())];
    let ran = run(&variables, here.path(), &["serve"]);
    assert_eq!(ran.code, 1);
    let line: Value = serde_json::from_str(ran.stderr.trim()).expect("one object");
    assert_eq!(line["level"], json!("ERROR"));
    let told = line["message"].as_str().expect("a message");
    assert!(told.contains("cannot read the key file"), "{line}");
    let variables = vec![("TANDEM_LOG_FORMAT", "xml".to_owned())];
    let ran = run(&variables, here.path(), &["workspace", "list"]);
    ran.refused(&["TANDEM_LOG_FORMAT", "text nor json"]);
}
