//! `hubspot-app`: files that are written once, and never over somebody's own words.

use std::fs;

use super::{folder, tandem};

const URL: &str = "https://tandem.example.com/";
const LINE: [&str; 5] = ["hubspot-app", "--out", "app", "--url", URL];

#[test]
fn the_project_is_written_and_a_second_time_is_no_error() {
    let here = folder();
    let ran = tandem(here.path(), &LINE);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let path = here
        .path()
        .join("app/src/app/webhooks/webhooks-hsmeta.json");
    let text = fs::read_to_string(path).expect("the file is there");
    assert!(
        text.contains("\"https://tandem.example.com/webhooks/hubspot\""),
        "{text}"
    );
    let app = fs::read_to_string(here.path().join("app/src/app/app-hsmeta.json")).unwrap();
    assert!(
        app.contains("\"https://tandem.example.com/connect/callback/hubspot\""),
        "{app}"
    );

    let again = tandem(here.path(), &[&LINE[..], &["--json"]].concat());
    assert_eq!(again.code, 0);
    assert_eq!(again.json()["files"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_file_with_other_words_in_it_is_kept_unless_forced() {
    let here = folder();
    fs::create_dir(here.path().join("app")).unwrap();
    let own = here.path().join("app/hsproject.json");
    fs::write(&own, "{}").unwrap();
    tandem(here.path(), &LINE).refused(&["hsproject.json", "--force"]);
    assert_eq!(fs::read_to_string(&own).unwrap(), "{}");
    assert!(!here.path().join("app/src").exists(), "half a project");

    let ran = tandem(here.path(), &[&LINE[..], &["--force"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        fs::read_to_string(&own)
            .unwrap()
            .contains("platformVersion")
    );
}

#[test]
fn an_address_that_hubspot_cannot_call_is_refused() {
    let here = folder();
    for url in [
        "http://tandem.example.com",
        "https://203.0.113.7",
        "tandem.example.com",
        "https://tandem.example.com/?a=b",
    ] {
        let line = ["hubspot-app", "--out", "app", "--url", url];
        tandem(here.path(), &line).refused(&[url, "https://tandem.example.com"]);
    }
    assert!(!here.path().join("app").exists());
}
