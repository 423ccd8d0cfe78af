//! What `tandem.toml` and the environment may say.

use super::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Service, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tandem.toml");
    std::fs::write(&file, text).unwrap();
    let environment = Environment::from_pairs(environment.iter().copied());
    let place = |fault: SettingFault| format!("{}: {}", fault.place, fault.what);
    Settings::read(&file, &environment)
        .service()
        .map_err(|faults| faults.0.into_iter().map(place).collect())
}

#[test]
fn the_file_that_init_writes_is_accepted_with_every_line_uncommented() {
    assert!(read(&sample(), &[]).is_ok());
    let lines = sample();
    fn is_key(line: &str) -> Option<&str> {
        line.strip_prefix("# ")
            .filter(|rest| rest.contains(" = \""))
    }
    let all: Vec<&str> = lines
        .lines()
        .map(|line| is_key(line).unwrap_or(line))
        .collect();
    assert_eq!(
        all.iter().filter(|line| line.contains(" = \"")).count(),
        KEYS.len()
    );
    assert!(read(&all.join("\n"), &[]).is_ok());
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\nworkers = 3\n";
    let found = read(text, &[("TANDEM_SERVER_LISTEN", "127.0.0.1:2")]).unwrap();
    assert_eq!((found.listen.port(), found.workers), (2, 3));
}

#[test]
fn all_faults_are_told_at_once_with_key_value_and_what_is_accepted() {
    let text = "[server]\nlisten = \"here\"\nworkers = 0\nlissten = \"x\"\n[hubspot]\n\
                client_secret = \"sesame\"\nurl = true\n\
                [salesforce]\nlogin_url = \"ftp://x\"\n[log]\nformat = \"xml\"\n";
    let faults = read(text, &[]).unwrap_err().join("\n");
    for part in [
        "server.listen: `here` is not an address and port",
        "server.workers: `0` is not a number from 1 to 256",
        "server.lissten: there is no such setting; did you mean server.listen?",
        "hubspot.client_id: is not set, but hubspot.client_secret is",
        "hubspot.url: takes a text or a number, not a boolean",
        "salesforce.login_url: `ftp://x` is not an address",
        "log.format: `xml` is not text or json",
    ] {
        assert!(faults.contains(part), "{part} in {faults}");
    }
    assert!(!faults.contains("sesame"), "{faults}");
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    let faults = read("[server]\nlisten = \n", &[]).unwrap_err();
    assert!(faults[0].contains("line 2"), "{faults:?}");
}

#[test]
fn the_page_about_settings_names_every_key_with_its_default() {
    let page = include_str!("../../docs/configuration.md");
    for key in &KEYS {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", key.name)));
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md lacks {}", key.name));
        let told = key.default.is_empty() || row.contains(&format!("`{}`", key.default));
        assert!(told, "{row}");
    }
}
