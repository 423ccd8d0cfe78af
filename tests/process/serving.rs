//! `tandem init` and `tandem serve` as processes, over real sockets: set up, connected, synced,
//! killed, told to stop.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{AFTER_A_KILL, Ran, Sim, Variables, folder, run};

pub const WS: &str = "acme/production";
const LIMIT: Duration = Duration::from_secs(60);

/// A running service; killed when it is dropped.
pub struct Service {
    child: Child,
    pub url: String,
    key: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

pub fn variables(sim: &Sim, port: u16) -> Variables {
    let of = |name, side, key| (name, sim.text(side, key));
    vec![
        of("TANDEM_HUBSPOT_URL", "hubspot", "url"),
        of("TANDEM_HUBSPOT_AUTHORIZE_URL", "hubspot", "url"),
        of("TANDEM_HUBSPOT_CLIENT_ID", "hubspot", "client_id"),
        of("TANDEM_HUBSPOT_CLIENT_SECRET", "hubspot", "client_secret"),
        of("TANDEM_SALESFORCE_LOGIN_URL", "salesforce", "url"),
        of("TANDEM_SALESFORCE_CLIENT_ID", "salesforce", "client_id"),
        of(
            "TANDEM_SALESFORCE_CLIENT_SECRET",
            "salesforce",
            "client_secret",
        ),
        ("TANDEM_SERVER_LISTEN", format!("127.0.0.1:{port}")),
        (
            "TANDEM_SERVER_PUBLIC_URL",
            format!("http://127.0.0.1:{port}"),
        ),
        ("TANDEM_LOG", "trace".to_owned()),
    ]
}

/// The settings, keys and first management key of a service.
pub fn init(variables: &Variables, here: &Path) -> String {
    let ran = run(variables, here, &["init", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()["management_key"]
        .as_str()
        .expect("a key")
        .to_owned()
}

pub fn serve(variables: &Variables, here: &Path, key: &str) -> Service {
    let log = File::options()
        .create(true)
        .append(true)
        .open(here.join("log"))
        .expect("a log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .current_dir(here)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .args(["serve", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
    out.read_line(&mut line).expect("it says where it listens");
    let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
    Service {
        url: format!("http://{}", said["listening"].as_str().expect("an address")),
        child,
        key: key.to_owned(),
    }
}

impl Service {
    #[track_caller]
    pub fn call(&self, sim: &Sim, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/v1{path}", self.url);
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let (status, text) = sim.ask(|client| {
            let request = client.request(method, &url).bearer_auth(&self.key);
            match body {
                Some(body) => request.json(&body),
                None => request,
            }
        });
        assert!(status < 300, "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A live workspace, connected with static credentials.
    pub fn connected(&self, sim: &Sim) {
        self.observing(sim);
        self.call(sim, "POST", &format!("/workspaces/{WS}/live"), None);
    }

    /// A workspace that observes, connected with static credentials.
    pub fn observing(&self, sim: &Sim) {
        self.call(sim, "POST", "/workspaces", Some(json!({"id": WS})));
        let path = format!("/workspaces/{WS}/connections");
        let token = json!({"kind": "token", "token": sim.text("hubspot", "token")});
        self.call(sim, "PUT", &format!("{path}/hubspot"), Some(token));
        let client = json!({"kind": "client-credentials",
            "login_url": sim.text("salesforce", "url"),
            "client_id": sim.text("salesforce", "client_id"),
            "client_secret": sim.text("salesforce", "client_secret")});
        self.call(sim, "PUT", &format!("{path}/salesforce"), Some(client));
    }

    /// SIGTERM; the exit code, and how long it took.
    pub fn stop(mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.expect("kill can be run").success());
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return (status.code(), began.elapsed());
            }
            assert!(began.elapsed() < LIMIT, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[track_caller]
pub fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    within(LIMIT, what, holds)
}

#[track_caller]
fn within(limit: Duration, what: &str, holds: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < limit, "never {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

pub fn titled(sim: &Sim, title: &str) -> bool {
    sim.salesforce("Contact")
        .iter()
        .any(|record| record.text("Title") == title)
}

/// Makes a pair that both sides know, and answers HubSpot's id.
pub fn pair(sim: &Sim) -> String {
    sim.create_hubspot(
        "contacts",
        json!({"email": "ada@example.com", "lastname": "Lovelace"}),
    );
    sim.create_salesforce(
        "Contact",
        json!({"Email": "ada@example.com", "LastName": "Lovelace"}),
    );
    let contacts = sim.hubspot("contacts");
    let ada = contacts
        .iter()
        .find(|record| record.text("email") == "ada@example.com");
    ada.expect("she is there").id.clone()
}

#[test]
fn a_service_syncs_by_webhooks_outlives_a_kill_and_stops_when_told() {
    let (sim, here) = (Sim::start(&[]), folder());
    let variables = variables(&sim, free_port());
    let key = init(&variables, here.path());
    let ada = pair(&sim);
    let service = serve(&variables, here.path(), &key);
    sim.send_webhooks(&format!("{}/webhooks/hubspot", service.url));
    service.connected(&sim);
    sim.edit_hubspot("contacts", &ada, json!({"jobtitle": "Analyst"}));
    until("synced", || titled(&sim, "Analyst"));
    // The kill comes at any moment; the next process goes on from the store.
    sim.edit_hubspot("contacts", &ada, json!({"jobtitle": "Countess"}));
    drop(service);
    let service = serve(&variables, here.path(), &key);
    within(AFTER_A_KILL, "synced after a kill", || {
        titled(&sim, "Countess")
    });
    let path = format!("/workspaces/{WS}/connections");
    let shown = service.call(&sim, "GET", &path, None);
    sim.send_messages(shown["outbound_messages_url"].as_str().expect("an address"));
    let contact = sim
        .salesforce("Contact")
        .into_iter()
        .next()
        .expect("one contact");
    sim.edit_salesforce("Contact", &contact.id, json!({"Title": "Enchantress"}));
    let arrived = || {
        sim.hubspot("contacts")
            .iter()
            .any(|one| one.text("jobtitle") == "Enchantress")
    };
    until("synced the other way", arrived);
    let (_, figures) = sim.ask(|client| client.get(format!("{}/metrics", service.url)));
    let events =
        |line: &str| line.starts_with("tandem_webhook_events_total ") && !line.ends_with(" 0");
    assert!(figures.lines().any(events), "{figures}");
    let (code, took) = service.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    nothing_secret(&sim, here.path(), &key, ("the metrics", &figures));
}

/// At the most talkative level, neither secrets nor values of records are in the log, nor in what
/// else the service told.
pub fn nothing_secret(sim: &Sim, here: &Path, key: &str, told: (&str, &str)) {
    let log = std::fs::read_to_string(here.join("log")).expect("the log");
    assert!(log.lines().count() > 50, "it is talkative: {log}");
    let sealing = std::fs::read_to_string(here.join("tandem.key")).expect("the key file");
    let sealing = sealing
        .lines()
        .last()
        .and_then(|line| line.split_once(' '))
        .expect("a key")
        .1;
    for secret in [
        sim.text("hubspot", "token"),
        sim.text("hubspot", "client_secret"),
        sim.text("salesforce", "client_secret"),
        key.splitn(3, '_').nth(2).expect("a secret part").to_owned(),
        sealing.to_owned(),
        "ada@example.com".to_owned(),
        "Lovelace".to_owned(),
        "Countess".to_owned(),
        "Enchantress".to_owned(),
    ] {
        for (place, text) in [("the log", log.as_str()), told] {
            let found = text.lines().find(|line| line.contains(&secret));
            assert_eq!(found, None, "{secret} in {place}");
        }
    }
}

#[test]
fn without_its_key_a_service_does_not_start() {
    let (sim, here) = (Sim::start(&[]), folder());
    let variables = variables(&sim, free_port());
    init(&variables, here.path());
    let file = here.path().join("tandem.key");
    let ran = |words: &[&str]| {
        let ran: Ran = run(&variables, here.path(), &["serve"]);
        assert_eq!(ran.code, 1, "{}", ran.stdout);
        let last = ran.stderr.lines().last().unwrap_or_default().to_owned();
        for word in words {
            assert!(last.contains(word), "`{word}` in: {last}");
        }
    };
    let text = std::fs::read_to_string(&file).expect("the key file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let set = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode));
        set(0o644).expect("a mode");
        ran(&["can be read by others", "chmod 600"]);
        set(0o600).expect("a mode");
    }
    std::fs::write(&file, text.replace("key-1", "key-2")).expect("written");
    ran(&["key-1", "not at hand"]);
    std::fs::remove_file(&file).expect("removed");
    ran(&["cannot read the key file", "tandem init"]);
    let twice = run(&variables, here.path(), &["init"]);
    assert_eq!(
        twice.code, 1,
        "what is set up is not set up again: {}",
        twice.stdout
    );
}

#[test]
fn commands_work_on_a_running_service_and_on_its_store() {
    let (sim, here) = (Sim::start(&[]), folder());
    let port = free_port();
    let mut variables = variables(&sim, port);
    variables.retain(|(name, _)| *name != "TANDEM_LOG");
    let key = init(&variables, here.path());
    let made = run(
        &variables,
        here.path(),
        &[
            &["workspace", "create", WS, "--var", "region=eu"][..],
            &["--owner", "ann@example.com=Inside Sales"],
        ]
        .concat(),
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    let service = serve(&variables, here.path(), &key);
    let held = run(&variables, here.path(), &["workspace", "list"]);
    held.refused(&["a running service has the store", "--server"]);
    variables.push(("TANDEM_KEY", key));
    let there = ["--server", service.url.as_str(), "--json"];
    let with = |words: &[&str]| {
        let words: Vec<&str> = words.iter().chain(&there).copied().collect();
        run(&variables, here.path(), &words)
    };
    let listed = with(&["workspace", "list"]).json();
    assert_eq!(listed["items"][0]["id"], WS);
    assert_eq!(listed["items"][0]["vars"], json!({"region": "eu"}));
    let owners = |words: &[&str]| {
        let words: Vec<&str> = ["workspace", "owners", WS]
            .iter()
            .chain(words)
            .copied()
            .collect();
        with(&words).json()["owners"].clone()
    };
    let pair = |hubspot: &str| json!([{"hubspot": hubspot, "salesforce": "Inside Sales"}]);
    assert_eq!(owners(&[]), pair("ann@example.com"));
    let file = here.path().join("owners.yaml");
    std::fs::write(&file, "bob@example.com: Inside Sales\n").expect("a file");
    assert_eq!(
        owners(&["--owners", file.to_str().expect("a path")]),
        pair("bob@example.com")
    );
    assert_eq!(owners(&[]), pair("bob@example.com"));
    assert_eq!(owners(&["--none"]), json!([]));
    let link = with(&["connect", "link", WS, "--side", "hubspot"]).json();
    let url = link["url"].as_str().expect("a link").to_owned();
    let (status, page) = sim.ask(|client| client.get(&url));
    assert_eq!(status, 200);
    assert!(page.contains("Not connected."), "{page}");
    let rotated = with(&["keys", "rotate"]).json();
    assert_eq!(rotated["sealed_anew"], 0);
    let refused = run(
        &variables,
        here.path(),
        &["workspace", "show", "no/where", "--server", &service.url],
    );
    refused.refused(&["no such workspace"]);
    assert_eq!(service.stop().0, Some(0));
    let rotated = run(&variables, here.path(), &["keys", "rotate", "--json"]);
    assert_eq!(rotated.json()["sealed_anew"], 1, "{}", rotated.stderr);
    let gone = run(
        &variables,
        here.path(),
        &["workspace", "delete", WS, "--yes", "--json"],
    );
    assert_eq!(gone.code, 0, "{}", gone.stderr);
}
