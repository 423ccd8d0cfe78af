//! Simulators as a child process, runs of the program against them, and what both CRMs hold.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// No run of these small stores takes longer, waiting included.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where a kill may have cut off a write, nothing is planned for its record before it can no longer
/// arrive: two minutes (`retry::GRACE_MILLIS`), and the usual patience.
pub const AFTER_A_KILL: Duration = Duration::from_secs(180);

/// Both simulators in one process, which ends with the test.
pub struct Sim {
    child: Child,
    pub said: Value,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One live record as a simulator holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub id: String,
    pub fields: BTreeMap<String, Value>,
}

impl Record {
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or("")
    }
}

pub type Variables = Vec<(&'static str, String)>;

impl Sim {
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tandem"))
            .args(["sim", "--json"])
            .args(arguments)
            .env_clear()
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulators start");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        out.read_line(&mut line).expect("they say where they are");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let sim = Self {
            child,
            said: serde_json::from_str(&line).expect("one line of JSON"),
            runtime,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        // Real portals show changes late. These tests are about other things, and wait for nothing.
        sim.options(json!({"search_lag_ms": 0}));
        sim
    }

    pub fn text(&self, side: &str, key: &str) -> String {
        self.said[side][key].as_str().expect("a text").to_owned()
    }

    fn call(&self, side: &str, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}/_sim/{path}", self.text(side, "url"));
        let request = match body {
            Some(body) => self.client.post(&url).json(body),
            None => self.client.get(&url),
        };
        self.runtime.block_on(async {
            let answer = request.send().await.expect("the simulator answers");
            let status = answer.status();
            let text = answer.text().await.expect("a body");
            assert!(status.is_success(), "{url}: {status} {text}");
            serde_json::from_str(&text).expect("JSON")
        })
    }

    /// Has HubSpot send its webhooks there, as the app that customers connect.
    pub fn send_webhooks(&self, target: &str) {
        self.call("hubspot", "webhooks", Some(&json!({"target_url": target})));
    }

    /// Has Salesforce send outbound messages of contacts there.
    pub fn send_messages(&self, endpoint: &str) {
        let body = json!({"endpoint": endpoint, "retry_gap_ms": 200});
        self.call("salesforce", "outbound", Some(&body));
    }

    /// A request of anybody to anywhere: status and text.
    pub fn ask(
        &self,
        request: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> (u16, String) {
        let request = request(&self.client);
        self.runtime.block_on(async {
            let answer = request.send().await.expect("an answer");
            let status = answer.status().as_u16();
            (status, answer.text().await.expect("a text"))
        })
    }

    /// As a browser that shows where it is sent, and with which cookie: the address and that.
    pub fn sent_on(
        &self,
        request: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> (String, String) {
        let still = reqwest::redirect::Policy::none();
        let browser = reqwest::Client::builder().no_proxy().redirect(still);
        let request = request(&browser.build().expect("a client"));
        let answer = self.runtime.block_on(request.send()).expect("an answer");
        assert!(answer.status().is_redirection(), "{}", answer.status());
        let header = |name: &str| {
            let value = answer.headers().get(name).and_then(|one| one.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        (header("location"), header("set-cookie"))
    }

    /// Switches of the HubSpot simulator.
    pub fn options(&self, options: Value) {
        self.call("hubspot", "options", Some(&options));
    }

    pub fn hubspot(&self, object: &str) -> Vec<Record> {
        let state = self.call("hubspot", &format!("state?object={object}"), None);
        live(&state["results"], "archived", "properties")
    }

    pub fn salesforce(&self, object: &str) -> Vec<Record> {
        let state = self.call("salesforce", &format!("state?object={object}"), None);
        live(&state["records"], "deleted", "fields")
    }

    /// Everything both CRMs hold, to be compared with itself later.
    pub fn everything(&self) -> Vec<Vec<Record>> {
        let hubspot = ["contacts", "companies", "deals"].map(|object| self.hubspot(object));
        let objects = ["Contact", "Lead", "Account", "Opportunity"];
        let salesforce = objects.map(|object| self.salesforce(object));
        hubspot.into_iter().chain(salesforce).collect()
    }

    /// API calls so far on both sides.
    pub fn calls(&self) -> u64 {
        let hubspot = self.call("hubspot", "counters", None);
        let salesforce = self.call("salesforce", "counters", None);
        hubspot["calls"].as_u64().unwrap() + salesforce["total"].as_u64().unwrap()
    }

    /// Records written through the APIs so far, and how many of those writes changed nothing.
    pub fn writes(&self) -> (u64, u64) {
        let (mut writes, mut noops) = (0, 0);
        for side in ["hubspot", "salesforce"] {
            let counters = self.call(side, "counters", None);
            for name in ["records_created", "records_updated"] {
                writes += counters[name].as_u64().unwrap();
            }
            noops += counters["noop_updates"].as_u64().unwrap();
        }
        (writes, noops)
    }

    pub fn edit_hubspot(&self, object: &str, id: &str, properties: Value) {
        let body = json!({"object": object, "id": id, "properties": properties});
        self.call("hubspot", "edit", Some(&body));
    }

    pub fn edit_salesforce(&self, object: &str, id: &str, fields: Value) {
        let body = json!({"object": object, "id": id, "fields": fields});
        self.call("salesforce", "edit", Some(&body));
    }

    pub fn create_hubspot(&self, object: &str, properties: Value) {
        let body = json!({"object": object, "properties": properties});
        self.call("hubspot", "create", Some(&body));
    }

    pub fn create_salesforce(&self, object: &str, fields: Value) {
        let body = json!({"object": object, "fields": fields});
        self.call("salesforce", "create", Some(&body));
    }

    pub fn associate(&self, from: (&str, &str), to: (&str, &str), label: u32) {
        let body = json!({"from_object": from.0, "from_id": from.1, "to_object": to.0,
            "to_id": to.1, "type_id": label});
        self.call("hubspot", "associate", Some(&body));
    }

    /// The environment of a run, with Salesforce by client credentials.
    pub fn variables(&self) -> Variables {
        let of = |name, side, key| (name, self.text(side, key));
        vec![
            of("TANDEM_HUBSPOT_URL", "hubspot", "url"),
            of("TANDEM_HUBSPOT_TOKEN", "hubspot", "token"),
            of("TANDEM_SALESFORCE_URL", "salesforce", "url"),
            of("TANDEM_SALESFORCE_CLIENT_ID", "salesforce", "client_id"),
            of(
                "TANDEM_SALESFORCE_CLIENT_SECRET",
                "salesforce",
                "client_secret",
            ),
        ]
    }

    pub fn tandem(&self, data: &Path, arguments: &[&str]) -> Ran {
        run(&self.variables(), data, arguments)
    }

    /// A run that must end well; its summary.
    #[track_caller]
    pub fn sync(&self, data: &Path) -> Value {
        let ran = self.tandem(data, &["sync", "--once", "--json"]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        ran.json()
    }
}

fn live(rows: &Value, gone: &str, fields: &str) -> Vec<Record> {
    let rows = rows.as_array().expect("a list of records");
    let live = rows.iter().filter(|row| row[gone] == json!(false));
    live.map(|row| Record {
        id: row["id"].as_str().expect("an id").to_owned(),
        fields: serde_json::from_value(row[fields].clone()).expect("fields"),
    })
    .collect()
}

/// The one record whose field holds `value`.
#[track_caller]
pub fn only(records: &[Record], field: &str, value: &str) -> Record {
    let found: Vec<&Record> = records
        .iter()
        .filter(|record| record.text(field) == value)
        .collect();
    assert_eq!(found.len(), 1, "records with {field} = {value}");
    found[0].clone()
}

/// How one run of the program ended.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        serde_json::from_str(&self.stdout).expect("stdout is JSON")
    }

    /// Asserts a refusal: exit code 1, one line that has all of `words`.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, 1, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` in: {}", self.stderr);
        }
    }
}

impl Ran {
    /// Asserts a refusal at the start: exit code 1, a line for each of `lines` that begins so, and
    /// the error last.
    #[track_caller]
    pub fn lacks(&self, lines: &[&str]) {
        assert_eq!(self.code, 1, "{}{}", self.stdout, self.stderr);
        let said: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(said.len(), lines.len() + 1, "{}", self.stderr);
        for (said, line) in said.iter().zip(lines) {
            assert!(said.starts_with(&format!("missing: {line}")), "{said}");
        }
        assert!(said[lines.len()].starts_with("error: "), "{}", self.stderr);
    }
}

/// Starts the program in the folder of its store.
pub fn start(variables: &Variables, data: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command
        .current_dir(data)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let storeless = [
        "check",
        "prepare",
        "init",
        "workspace",
        "connect",
        "keys",
        "serve",
        "doctor",
        "hubspot-app",
    ]
    .contains(&arguments[0]);
    let placed = ["--data", "--workspace"]
        .iter()
        .any(|word| arguments.contains(word));
    if !storeless && !placed {
        command.args(["--data", "store"]);
    }
    command.spawn().expect("the program starts")
}

pub fn run(variables: &Variables, data: &Path, arguments: &[&str]) -> Ran {
    wait(start(variables, data, arguments))
}

/// Waits for the end; a run that hangs is a failed test. Answers are small enough for a pipe.
#[track_caller]
pub fn wait(child: Child) -> Ran {
    wait_within(PATIENCE, child)
}

#[track_caller]
pub fn wait_within(patience: Duration, mut child: Child) -> Ran {
    let mut stdout = child.stdout.take().expect("stdout is a pipe");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).expect("stdout is UTF-8");
        text
    });
    let started = Instant::now();
    let status = loop {
        match child.try_wait().expect("it can be asked") {
            Some(status) => break status,
            None if started.elapsed() > patience => {
                child.kill().ok();
                panic!("the run hangs");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let mut stderr = String::new();
    let mut said = child.stderr.take().expect("stderr is a pipe");
    said.read_to_string(&mut stderr).expect("stderr is UTF-8");
    Ran {
        code: status.code().unwrap_or(-1),
        stdout: reader.join().expect("stdout was read"),
        stderr,
    }
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Every file below a folder with its content, locks apart.
pub fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            let name = path.display().to_string();
            found.insert(name, std::fs::read(&path).expect("it can be read"));
        }
    }
    found
}

/// Numbers that look random and are the same in every run of the tests.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
