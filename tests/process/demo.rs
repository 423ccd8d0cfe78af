//! The demo as a machine reads it, and its service as whoever watches it can reach it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{folder, run};

const FIRST: &str = "default/production";
const SECOND: &str = "globex/production";
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn the_demo_prints_one_object_with_every_figure_and_converges() {
    let here = folder();
    let arguments = [
        "demo",
        "--exit",
        "--json",
        "--records",
        "30",
        "--edits",
        "12",
    ];
    let ran = run(&Vec::new(), here.path(), &arguments);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let told = ran.json();
    for name in [
        "records",
        "edits",
        "converged",
        "mismatches",
        "conflicts",
        "holds",
        "dead_letters",
        "duplicate_creates",
        "noop_writes",
        "lost_edits",
        "writes",
        "api_calls",
        "lag_ms",
        "elapsed_ms",
        "max_rss_bytes",
    ] {
        assert!(!told[name].is_null(), "{name} in {told}");
    }
    for name in [
        "hubspot",
        "salesforce",
        "per_changed_record",
        "per_changed_record_after_first_sync",
        "idle_polls",
    ] {
        assert!(told["api_calls"][name].is_number(), "{name} in {told}");
    }
    for name in ["p50", "p99"] {
        assert!(told["lag_ms"][name].is_number(), "{name} in {told}");
    }
    assert_eq!(told["records"], 30);
    assert_eq!(told["edits"], 12);
    assert_eq!(told["converged"], true);
    for name in ["mismatches", "duplicate_creates", "lost_edits"] {
        assert_eq!(told[name], 0, "{name}");
    }
    let second = &told["second_workspace"];
    assert_eq!(second["differences"], json!([]));
    assert_eq!(
        (&second["people"], &second["edits"]),
        (&json!(17), &json!(7))
    );
    assert!(told["api"].is_null(), "nobody can reach what has ended");
}

#[test]
fn a_demo_in_which_calls_fail_converges_all_the_same_and_counts_what_failed() {
    let here = folder();
    let plan = here.path().join("faults.yaml");
    let text = "faults:\n  - { fault: unavailable, rate: 0.2, times: 5 }\n  \
                - { fault: row-failed, times: 3 }\n";
    std::fs::write(&plan, text).unwrap();
    let plan = plan.to_string_lossy().into_owned();
    let arguments = [
        "demo",
        "--exit",
        "--json",
        "--records",
        "30",
        "--edits",
        "12",
        "--faults",
        &plan,
    ];
    let ran = run(&Vec::new(), here.path(), &arguments);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let told = ran.json();
    assert_eq!(told["converged"], true);
    assert_eq!(told["faults"]["row"], 6, "three on each side");
    assert!(told["faults"]["outage"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(
        told["faults"]["value"], 0,
        "families that never struck are told too"
    );
}

/// A demo that stays up; killed when it is dropped.
struct Staying {
    child: Child,
    said: Value,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

impl Drop for Staying {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Staying {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tandem"))
            .args([
                "demo",
                "--json",
                "--records",
                "10",
                "--edits",
                "5",
                "--data",
            ])
            .arg(data)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        out.read_line(&mut line).expect("it says how it went");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            said: serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}")),
            child,
            runtime,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn ask(&self, method: &str, url: &str, key: Option<&str>, body: Option<Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, url);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.expect("an answer");
            let status = answer.status().as_u16();
            let text = answer.text().await.expect("a text");
            (status, serde_json::from_str(&text).unwrap_or(Value::Null))
        })
    }

    fn api(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = self.said["api"]["url"].as_str().expect("an address");
        self.ask(method, &format!("{url}{path}"), key, body)
    }

    fn key(&self) -> &str {
        self.said["api"]["key"].as_str().expect("a key")
    }

    /// With the key that the demo has printed.
    #[track_caller]
    fn look(&self, path: &str) -> Value {
        let (status, body) = self.api("GET", &format!("/v1{path}"), Some(self.key()), None);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Everything of one object that a workspace's CRM holds.
    fn state(&self, nth: usize, side: &str, object: &str) -> Vec<Value> {
        let url = self.said["api"]["workspaces"][nth][format!("{side}_url")].as_str();
        let path = format!("{}/_sim/state?object={object}", url.expect("an address"));
        let (_, state) = self.ask("GET", &path, None, None);
        let rows = state["results"].as_array().or(state["records"].as_array());
        rows.expect("records").clone()
    }

    fn edit(&self, nth: usize, id: &Value, properties: Value) {
        let url = self.said["api"]["workspaces"][nth]["hubspot_url"].as_str();
        let path = format!("{}/_sim/edit", url.expect("an address"));
        let body = json!({"object": "contacts", "id": id, "properties": properties});
        assert!(self.ask("POST", &path, None, Some(body)).0 < 300);
    }
}

#[test]
fn a_demo_that_stays_up_serves_both_workspaces_to_whoever_has_its_key() {
    let here = folder();
    let demo = Staying::start(&here.path().join("demo"));
    assert_eq!(demo.said["converged"], true, "{}", demo.said);
    let mut accounts = Vec::new();
    for ws in [FIRST, SECOND] {
        let shown = demo.look(&format!("/workspaces/{ws}"));
        assert_eq!(
            (&shown["mode"], &shown["trouble"]),
            (&json!("live"), &Value::Null)
        );
        demo.look(&format!("/workspaces/{ws}/status"));
        let sides = demo.look(&format!("/workspaces/{ws}/connections"));
        for side in sides["items"].as_array().expect("two sides") {
            assert_eq!(side["state"], "connected", "{side}");
            accounts.push(side["account_id"].to_string());
        }
    }
    accounts.sort();
    accounts.dedup();
    assert_eq!(
        accounts.len(),
        4,
        "each has a portal and an organisation of its own"
    );
    let docs = demo.said["api"]["docs_url"].as_str().expect("an address");
    assert_eq!(demo.ask("GET", docs, None, None).0, 200);
    let path = format!("/v1/workspaces/{FIRST}");
    let made_up = "tdm_mgmt_00000000000000000000000000000000";
    for key in [
        None,
        Some(made_up),
        Some(&demo.key()[..demo.key().len() - 1]),
    ] {
        assert_eq!(demo.api("GET", &path, key, None).0, 401, "{key:?}");
    }
    let body = json!({"role": "admin", "name": "globex only"});
    let keys = format!("/v1/workspaces/{SECOND}/keys");
    let (status, made) = demo.api("POST", &keys, Some(demo.key()), Some(body));
    assert!(status < 300, "{made}");
    let theirs = made["key"].as_str().expect("a key");
    let own = format!("/v1/workspaces/{SECOND}");
    assert_eq!(demo.api("GET", &own, Some(theirs), None).0, 200);
    assert_eq!(demo.api("GET", &path, Some(theirs), None).0, 404);
}

#[test]
fn what_is_typed_into_one_workspace_of_a_demo_arrives_there_and_nowhere_else() {
    let here = folder();
    let mut demo = Staying::start(&here.path().join("demo"));
    let title = "Keeper of the Second Workspace";
    let person = demo.state(1, "hubspot", "contacts")[0]["id"].clone();
    demo.edit(1, &person, json!({"jobtitle": title}));
    let holds = |nth: usize| {
        let contacts = demo.state(nth, "salesforce", "Contact");
        contacts.iter().any(|one| one["fields"]["Title"] == title)
    };
    let began = Instant::now();
    while !holds(1) {
        assert!(began.elapsed() < LIMIT, "it never arrives");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!holds(0));
    let id = demo.child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status();
    assert!(sent.expect("kill can be run").success());
    let status = demo.child.wait().expect("it ends");
    assert!(status.success(), "{status}");
    // What was kept can be looked at by the commands of one workspace, and by those of the service.
    let data = here.path().join("demo").display().to_string();
    let nothing = Vec::new();
    let runs = run(&nothing, here.path(), &["undo", "--data", &data, "--json"]);
    assert_eq!(runs.code, 0, "{}", runs.stderr);
    let settings = format!("{data}/tandem.toml");
    let list = ["workspace", "list", "--json", "--config", &settings];
    let listed = run(&nothing, here.path(), &list).json();
    let ids = listed["items"].as_array().expect("a list");
    let ids: Vec<&str> = ids.iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(ids, [FIRST, SECOND]);
}
