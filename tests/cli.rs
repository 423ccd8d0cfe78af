//! The built program from outside: what it answers, how it refuses, and with which exit code.
//!
//! Each test runs the binary with an empty environment, so nothing of the machine leaks in.

#[path = "cli/cases.rs"]
mod cases;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/hubspot_app.rs"]
mod hubspot_app;
#[path = "cli/mapping_files.rs"]
mod mapping_files;
#[path = "cli/store_actions.rs"]
mod store_actions;
#[path = "cli/store_faults.rs"]
mod store_faults;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// One run of the program.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the program was not killed"),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }

    pub fn json(&self) -> Value {
        let lines: Vec<&str> = self.stdout.lines().collect();
        assert_eq!(lines.len(), 1, "one line of JSON: {}", self.stdout);
        serde_json::from_str(lines[0]).expect("stdout is JSON")
    }

    /// Asserts a refusal: exit code 1, one line on stderr that has all of `words`, no panic.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, 1, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        assert!(!self.stderr.contains('\u{1b}'), "colours: {}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` in: {}", self.stderr);
        }
    }
}

/// Runs `tandem` in `folder` with these variables and no others.
pub fn tandem_with(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Ran::of(output)
}

pub fn tandem(folder: &Path, arguments: &[&str]) -> Ran {
    tandem_with(folder, &[], arguments)
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .expect("the folder can be listed")
        .next()
        .is_none()
}

const CREDENTIALS: [(&str, &str); 3] = [
    ("TANDEM_HUBSPOT_TOKEN", "pat-not-to-be-shown"),
    ("TANDEM_SALESFORCE_TOKEN", "00D!not-to-be-shown"),
    ("TANDEM_SALESFORCE_URL", "http://127.0.0.1:9"),
];

#[test]
fn help_and_version_are_answers() {
    let here = folder();
    let help = tandem(here.path(), &["--help"]);
    assert_eq!(help.code, 0);
    for command in [
        "demo",
        "sim",
        "sync",
        "plan",
        "check",
        "schema",
        "dead-letters",
        "conflicts",
        "links",
        "explain",
        "approve",
    ] {
        assert!(help.stdout.contains(&format!("  {command}")), "{command}");
        let of_command = tandem(here.path(), &[command, "--help"]);
        assert_eq!(
            (of_command.code, of_command.stderr.as_str()),
            (0, ""),
            "{command}"
        );
    }
    assert!(
        tandem(here.path(), &["--version"])
            .stdout
            .starts_with("tandem 0.")
    );
}

#[test]
fn a_wrong_command_line_is_refused_in_one_line_and_never_with_exit_code_2() {
    let here = folder();
    tandem(here.path(), &["snyc"]).refused(&["snyc", "'sync'", "--help"]);
    tandem(here.path(), &[]).refused(&["not complete", "--help"]);
    tandem(here.path(), &["dead-letters"]).refused(&["not complete", "--help"]);
    tandem(here.path(), &["links", "pair", "contacts"]).refused(&["HUBSPOT_ID", "--help"]);
    tandem(here.path(), &["links", "list", "--state", "lost"]).refused(&["lost", "suspended"]);
    tandem(here.path(), &["plan", "--max-creates", "-1"]).refused(&["-1"]);
    let json = tandem(here.path(), &["--json", "snyc"]);
    json.refused(&["snyc"]);
    assert!(json.json()["error"]["message"].is_string());
    assert!(is_empty(here.path()));
}

#[test]
fn missing_credentials_are_all_named_before_anything_is_written() {
    let here = folder();
    let runs = [&["sync", "--once"][..], &["sync"], &["plan"]];
    for command in runs.into_iter().chain([&["check", "--live"][..]]) {
        let ran = tandem(here.path(), command);
        ran.refused(&["TANDEM_HUBSPOT_TOKEN", "TANDEM_SALESFORCE_TOKEN", "not set"]);
    }
    assert!(is_empty(here.path()));
}

#[test]
fn a_wrong_setting_is_named_and_no_secret_is_shown() {
    let here = folder();
    let mut variables = CREDENTIALS.to_vec();
    variables[2] = ("TANDEM_SALESFORCE_URL", "acme dot com");
    let ran = tandem_with(here.path(), &variables, &["sync", "--once", "--json"]);
    ran.refused(&["TANDEM_SALESFORCE_URL", "acme dot com", "https://"]);
    assert!(!ran.stderr.contains("not-to-be-shown"));
    assert!(!ran.stdout.contains("not-to-be-shown"));

    let log = [("TANDEM_LOG", "tandem=loud")];
    tandem_with(here.path(), &log, &["schema"]).refused(&["TANDEM_LOG", "tandem=loud"]);
    assert!(is_empty(here.path()));
}

#[test]
fn a_run_with_faulty_mappings_writes_nothing() {
    let here = folder();
    let files = folder();
    std::fs::write(files.path().join("a.yaml"), "mapping: a\nrulez: {}\n").expect("written");
    let named = files.path().to_str().expect("a path in Unicode");
    for command in [&["sync", "--once"][..], &["plan"]] {
        let arguments = [command, &["--mappings", named]].concat();
        let ran = tandem_with(here.path(), &CREDENTIALS, &arguments);
        ran.refused(&["a.yaml:", "tandem check"]);
    }
    assert!(is_empty(here.path()));
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let here = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .current_dir(here.path())
        .env_clear()
        .arg("schema")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let ran = child.wait_with_output().expect("the program ends");
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "");
}
