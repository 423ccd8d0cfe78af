//! The built program as a process of its own: set up in a folder, started, looked at, stopped.
//!
//! What is measured and what measures are two processes, so that the memory of one is not counted
//! as the other's.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tandem::clock::Clock;
use tandem::store::Store;
use tempfile::TempDir;

pub const CLIENT_ID: &str = "bench-client";
pub const CLIENT_SECRET: &str = "bench-secret";

/// A folder with settings, key and store of a service that does not run yet.
pub struct Place {
    folder: TempDir,
    variables: Vec<(String, String)>,
    store: String,
    /// Opens the management API.
    pub key: String,
}

impl Place {
    /// With a SQLite file of its own unless the address of a database is given. `variables` are
    /// settings of the service.
    pub fn new(database: Option<String>, variables: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join(".tandem/tandem.db");
        let store = database.unwrap_or_else(|| file.to_string_lossy().into_owned());
        let mut all: Vec<(String, String)> = [
            ("TANDEM_SERVER_LISTEN", "127.0.0.1:0"),
            ("TANDEM_HUBSPOT_CLIENT_ID", CLIENT_ID),
            ("TANDEM_HUBSPOT_CLIENT_SECRET", CLIENT_SECRET),
            ("TANDEM_STORE_URL", &store),
            ("TANDEM_LOG", "off"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let given = variables.iter();
        all.extend(given.map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut place = Self {
            folder,
            variables: all,
            store,
            key: String::new(),
        };
        let made = place.command(&["init", "--json"]).output();
        let made = made.expect("the program runs");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "init: {said}");
        let answer: Value = serde_json::from_slice(&made.stdout).expect("init answers");
        place.key = answer["management_key"].as_str().expect("a key").to_owned();
        place
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn store_url(&self) -> &str {
        &self.store
    }

    /// The store, while no service runs.
    pub async fn store(&self) -> Store {
        let opened = Store::open(&self.store, Clock::System).await;
        opened.expect("the store opens")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        let variables = self.variables.iter();
        command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(variables.map(|(name, value)| (name, value)))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    /// Starts the service and waits until it listens.
    pub fn serve(&self) -> Program {
        let began = Instant::now();
        let child = self.command(&["serve", "--json"]).spawn();
        let mut program = Program::of(child.expect("the service starts"));
        program.ready = began.elapsed();
        program
    }
}

/// A server that runs. Killed when it is dropped.
pub struct Program {
    child: Child,
    /// Host and port.
    pub address: String,
    /// From its start until it listened.
    pub ready: Duration,
}

impl Program {
    /// Waits for the line of JSON in which it says where it is `listening`.
    pub fn of(mut child: Child) -> Self {
        let began = Instant::now();
        let out = child.stdout.take().expect("its output is a pipe");
        let mut line = String::new();
        let read = BufReader::new(out).read_line(&mut line);
        read.expect("it says where it listens");
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        let address = said["listening"].as_str().expect("an address").to_owned();
        Self {
            child,
            address,
            ready: began.elapsed(),
        }
    }

    /// Tells it to stop, and waits until it has given everything back.
    pub fn stop(&mut self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.is_ok_and(|told| told.success()), "it can be told");
        let ended = self.child.wait().expect("it ends");
        assert!(ended.success(), "{ended}");
    }

    /// MiB in memory now.
    pub fn resident(&self) -> f64 {
        self.status("VmRSS:")
    }

    /// MiB in memory at most since it started.
    pub fn peak(&self) -> f64 {
        self.status("VmHWM:")
    }

    fn status(&self, line: &str) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).expect("the process lives");
        let found = text.lines().find_map(|text| text.strip_prefix(line));
        let number = found.and_then(|text| text.split_whitespace().next());
        number.map_or(0.0, |kib| kib.parse::<f64>().expect("a number") / 1024.0)
    }

    /// Seconds of a core that it has used, its threads and the system's work for it included.
    pub fn core_seconds(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(path).expect("the process lives");
        let after = text.rsplit(") ").next().expect("a line");
        let ticks = after.split_whitespace().skip(11).take(2);
        ticks
            .map(|text| text.parse::<f64>().expect("ticks") / 100.0)
            .sum()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The signature that HubSpot sends along, version 3, for a POST at this time in milliseconds.
pub fn signature(secret: &str, url: &str, body: &str, at: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let source = format!("POST{url}{body}{at}");
    STANDARD.encode(hmac::sign(&key, source.as_bytes()))
}

/// The value that this share of all are at or below; sorts them.
pub fn quantile(all: &mut [Duration], share: f64) -> Duration {
    all.sort_unstable();
    let last = all.len().saturating_sub(1);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place among some thousands"
    )]
    let place = (last as f64 * share).round() as usize;
    all.get(place).copied().unwrap_or_default()
}

pub fn millis(of: Duration) -> f64 {
    of.as_secs_f64() * 1_000.0
}
