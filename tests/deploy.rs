//! The files in `deploy/`: they set only what can be set, and hold no secret.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tandem::config::{KEYS, VARIABLES, variable};

const DOCKERFILE: &str = include_str!("../deploy/Dockerfile");
const COMPOSE: &str = include_str!("../deploy/compose.yaml");
const UNIT: &str = include_str!("../deploy/tandem.service");

/// Every word of a text that begins like one of our variables.
fn variables(text: &str) -> BTreeSet<&str> {
    let of_name = |c: char| c.is_ascii_uppercase() || c == '_';
    text.split(|c: char| !of_name(c))
        .filter(|word| word.starts_with("TANDEM_"))
        .collect()
}

fn compose() -> Value {
    serde_saphyr::from_str(COMPOSE).expect("it is YAML")
}

/// The default of server.grace_seconds.
fn grace() -> u64 {
    let key = KEYS.iter().find(|key| key.name == "server.grace_seconds");
    key.expect("there is one")
        .default
        .parse()
        .expect("a number")
}

#[test]
fn only_settings_that_exist_are_set() {
    let known: BTreeSet<String> = KEYS
        .iter()
        .map(|key| variable(key.name))
        .chain(VARIABLES.iter().map(|(name, _)| (*name).to_owned()))
        .collect();
    for (file, text) in [
        ("Dockerfile", DOCKERFILE),
        ("compose", COMPOSE),
        ("unit", UNIT),
    ] {
        let found = variables(text);
        assert!(found.len() >= 3, "{file}: {found:?}");
        let unknown: Vec<&&str> = found
            .iter()
            .filter(|name| !known.contains(**name))
            .collect();
        assert!(unknown.is_empty(), "{file} sets {unknown:?}");
    }
}

#[test]
fn compose_starts_nothing_without_secrets_and_holds_none() {
    let compose = compose();
    for (service, name) in [
        ("postgres", "POSTGRES_PASSWORD"),
        ("tandem", "TANDEM_STORE_URL"),
        ("tandem", "TANDEM_SERVER_PUBLIC_URL"),
    ] {
        let value = compose["services"][service]["environment"][name].as_str();
        let value = value.unwrap_or_else(|| panic!("{service} lacks {name}"));
        assert!(value.contains(":?"), "{name} has a default: {value}");
    }
    let tandem = &compose["services"]["tandem"];
    let secret = &tandem["secrets"][0];
    let kept = secret["source"].as_str().expect("a name");
    assert!(
        compose["secrets"][kept]["file"].is_string(),
        "a file of the host"
    );
    let path = format!(
        "/run/secrets/{}",
        secret["target"].as_str().expect("a name")
    );
    assert!(
        DOCKERFILE.contains(&format!("TANDEM_VAULT_KEY_FILE={path}")),
        "{path}"
    );
    let ports = tandem["ports"][0].as_str().expect("a port");
    assert!(
        ports.starts_with("127.0.0.1:"),
        "behind a proxy only: {ports}"
    );
    let waits = &tandem["depends_on"]["postgres"]["condition"];
    assert_eq!(*waits, json!("service_healthy"));
}

#[test]
fn whoever_stops_it_waits_longer_than_it_takes() {
    let compose = compose();
    let period = compose["services"]["tandem"]["stop_grace_period"].as_str();
    let period = period.and_then(|text| text.strip_suffix('s'));
    let period: u64 = period.expect("seconds").parse().expect("a number");
    let unit = UNIT
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="));
    let unit: u64 = unit.expect("a line").parse().expect("a number");
    assert!(period > grace() && unit > grace(), "{period} {unit}");
}

#[test]
fn nothing_runs_as_root() {
    let user = DOCKERFILE.lines().rfind(|line| line.starts_with("USER "));
    assert_eq!(user, Some("USER 10001:10001"));
    assert!(UNIT.lines().any(|line| line == "User=tandem"));
}
