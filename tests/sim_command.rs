//! `tandem sim` as somebody's test suite would start it: one line of JSON, then two live CRMs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The process, ended when the test ends.
struct Sim(Child);

impl Drop for Sim {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(arguments: &[&str]) -> (Sim, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["sim", "--json"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    (Sim(child), serde_json::from_str(&line).unwrap())
}

async fn get(url: String, token: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn both_answer_with_the_printed_credentials_and_hold_the_same_people() {
    let (_sim, said) = start(&["--records", "30"]);
    let text = |side: &str, key: &str| said[side][key].as_str().unwrap().to_owned();
    let url = format!(
        "{}/crm/objects/2026-03/contacts?limit=1",
        text("hubspot", "url")
    );
    let contacts = get(url, &text("hubspot", "token")).await;
    assert_eq!(
        contacts["results"][0]["properties"]["lastname"],
        "Lindqvist"
    );
    let query = "SELECT+Name+FROM+Contact+WHERE+LastName='Lindqvist'";
    let url = format!(
        "{}/services/data/v64.0/query?q={query}",
        text("salesforce", "url")
    );
    let contacts = get(url, &text("salesforce", "token")).await;
    assert_eq!(contacts["records"][0]["Name"], "Ada Lindqvist");
}

#[tokio::test]
async fn the_owners_of_both_sides_are_the_same_people() {
    let (_sim, said) = start(&[]);
    let text = |side: &str, key: &str| said[side][key].as_str().unwrap().to_owned();
    let url = format!("{}/crm/owners/2026-03?limit=100", text("hubspot", "url"));
    let owners = get(url, &text("hubspot", "token")).await;
    let owners = owners["results"].as_array().unwrap().clone();
    for (id, email) in &tandem::sim::seed::OWNERS[..3] {
        let found = owners.iter().find(|owner| owner["id"] == *id).unwrap();
        assert_eq!(found["email"], *email);
        let query = format!("SELECT+Id+FROM+User+WHERE+Email='{email}'+AND+IsActive=true");
        let url = format!(
            "{}/services/data/v64.0/query?q={query}",
            text("salesforce", "url")
        );
        let users = get(url, &text("salesforce", "token")).await;
        assert_eq!(users["totalSize"], 1, "{email}");
    }
}

#[test]
fn a_port_that_is_taken_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["sim", "--hubspot-port", &port])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains(&port), "{said}");
}

#[test]
fn a_plan_of_faults_that_is_neither_preset_nor_file_is_one_clear_line() {
    for name in ["worse", "Cargo.toml"] {
        let child = Command::new(env!("CARGO_BIN_EXE_tandem"))
            .args(["sim", "--faults", name])
            .output()
            .unwrap();
        assert_eq!(child.status.code(), Some(1));
        let said = String::from_utf8(child.stderr).unwrap();
        assert_eq!(said.trim().lines().count(), 1, "{said}");
        assert!(said.contains(name), "{said}");
    }
}
