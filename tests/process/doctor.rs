//! `tandem doctor` as a process: a fit installation, and one fault after the other.

use std::fs;

use serde_json::{Value, json};

use super::harness::{Ran, Sim, Variables, folder, run};
use super::serving::{WS, free_port, init, serve, variables};

/// The state of the check of that name, with what was said of it.
#[track_caller]
fn check(ran: &Ran, name: &str) -> (String, String) {
    let said = ran.json();
    let checks = said["checks"].as_array().expect("checks");
    let found = checks.iter().find(|one| one["check"] == name);
    let found = found.unwrap_or_else(|| panic!("no check {name} in {said}"));
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("state"), format!("{} {}", text("said"), text("do")))
}

#[track_caller]
fn state(ran: &Ran, name: &str) -> String {
    check(ran, name).0
}

fn doctor(variables: &Variables, here: &std::path::Path) -> Ran {
    run(variables, here, &["doctor", "--json"])
}

/// Of the simulators: an installation that is fit for tests.
fn set_up() -> (Sim, tempfile::TempDir, Variables, String) {
    let (sim, here) = (Sim::start(&[]), folder());
    let mut variables = variables(&sim, free_port());
    variables.retain(|(name, _)| *name != "TANDEM_LOG");
    let key = init(&variables, here.path());
    (sim, here, variables, key)
}

#[test]
fn a_fit_installation_passes_and_its_connections_are_tried() {
    let (sim, here, variables, key) = set_up();
    let service = serve(&variables, here.path(), &key);
    service.connected(&sim);
    let beside = doctor(&variables, here.path());
    assert_eq!(beside.code, 0, "{}", beside.stdout);
    assert_eq!(
        state(&beside, "store"),
        "ok",
        "a running service is not disturbed"
    );
    let (is, said) = check(&beside, "workspaces");
    assert!(
        is == "warning" && said.contains("a running service has the store"),
        "{said}"
    );
    assert_eq!(service.stop().0, Some(0));
    let writes = || sim.salesforce("Contact").len() + sim.hubspot("contacts").len();
    let before = writes();
    let ran = doctor(&variables, here.path());
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert_eq!(ran.json()["ok"], json!(true));
    for name in [
        "settings",
        "key",
        "hubspot app",
        "salesforce app",
        "hubspot clock",
        "salesforce clock",
        "mappings",
        "store",
        "workspaces",
        &format!("{WS} hubspot"),
        &format!("{WS} salesforce"),
    ] {
        assert_eq!(state(&ran, name), "ok", "{name}: {}", ran.stdout);
    }
    assert_eq!(state(&ran, "public_url"), "warning", "it is http");
    assert_eq!(writes(), before, "it wrote nothing");
    let text = run(&variables, here.path(), &["doctor"]);
    let line = text.stdout.lines().find(|line| line.contains("public_url"));
    let line = line.expect("a line");
    assert!(line.starts_with("warning  public_url"), "{line}");
    assert!(line.contains("set server.public_url"), "{line}");
    for secret in [sim.text("hubspot", "token"), key] {
        assert!(!text.stdout.contains(&secret) && !ran.stdout.contains(&secret));
    }
}

#[test]
fn crms_that_nobody_answers_for_fail() {
    let (sim, here, variables, key) = set_up();
    let service = serve(&variables, here.path(), &key);
    service.connected(&sim);
    assert_eq!(service.stop().0, Some(0));
    drop(sim);
    let ran = doctor(&variables, here.path());
    assert_eq!(ran.code, 1);
    let (is, said) = check(&ran, "hubspot clock");
    assert!(is == "failed" && said.contains("no connection"), "{said}");
    let (is, said) = check(&ran, &format!("{WS} hubspot"));
    assert_eq!(is, "failed", "{said}");
}

#[test]
fn each_fault_of_an_installation_is_named() {
    let (_sim, here, variables, _) = set_up();
    let file = |name: &str| here.path().join(name);
    let with = |name: &'static str, value: &str| {
        let mut changed = variables.clone();
        changed.retain(|(known, _)| *known != name);
        changed.push((name, value.to_owned()));
        doctor(&changed, here.path())
    };
    let failed = |ran: &Ran, name: &str, word: &str| {
        assert_eq!(ran.code, 1, "{}", ran.stdout);
        let (is, said) = check(ran, name);
        assert!(is == "failed" && said.contains(word), "{name} {is}: {said}");
    };
    failed(
        &with("TANDEM_SERVER_WORKERS", "0"),
        "settings",
        "server.workers",
    );
    failed(
        &with("TANDEM_SERVER_PUBLIC_URL", "https://10.0.0.1"),
        "public_url",
        "no name that HubSpot can call",
    );
    std::fs::create_dir(file("maps")).expect("a folder");
    std::fs::write(file("maps/contacts.yaml"), "mapping: contacts\n").expect("written");
    let unused = with("TANDEM_MAPPINGS_FOLDER", "maps");
    assert_eq!(
        (unused.code, state(&unused, "shared mappings").as_str()),
        (0, "warning")
    );
    let made = run(&variables, here.path(), &["workspace", "create", WS]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let used = with("TANDEM_MAPPINGS_FOLDER", "maps");
    failed(&used, &format!("{WS} mappings"), "tandem check");
    assert_eq!(
        state(&used, &format!("{WS} hubspot")),
        "warning",
        "not connected"
    );
    std::fs::write(file("other.db"), "this is no store at all").expect("written");
    failed(
        &with("TANDEM_STORE_URL", "other.db"),
        "store",
        "not a SQLite database",
    );
    let nothing = with("TANDEM_STORE_URL", "nothing.db");
    assert_eq!(state(&nothing, "store"), "warning");
    assert!(!file("nothing.db").exists(), "it makes nothing");
    let unreachable = with("TANDEM_STORE_URL", "postgres://127.0.0.1:1/x");
    failed(&unreachable, "store", "cannot be reached");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = file("tandem.key");
        let set = |mode| std::fs::set_permissions(&key, PermissionsExt::from_mode(mode));
        set(0o644).expect("a mode");
        failed(&doctor(&variables, here.path()), "key", "chmod 600");
    }
    std::fs::remove_file(file("tandem.key")).expect("removed");
    let without: Value = doctor(&variables, here.path()).json();
    assert_eq!(without["ok"], json!(false));
}

/// Another connect link would not help where no link asks for the scope.
#[test]
fn a_scope_that_no_link_asks_for_is_told_with_what_helps() {
    let (sim, here, mut variables, key) = set_up();
    let mapping = |name: &str, hubspot: &str, salesforce: &str| {
        format!(
            "mapping: {name}\nhubspot: {hubspot}\nsalesforce: {salesforce}\n\
             direction: to-salesforce\nrules:\n  hs_object_id: Description\n"
        )
    };
    let folder = here.path().join("shared");
    fs::create_dir(&folder).expect("a folder");
    let people = mapping("people", "contacts", "Contact");
    fs::write(folder.join("people.yaml"), people).expect("written");
    let folder = folder.display().to_string();
    variables.push(("TANDEM_MAPPINGS_FOLDER", folder));
    let service = serve(&variables, here.path(), &key);
    service.call(&sim, "POST", "/workspaces", Some(json!({"id": WS})));
    let deals = json!({"text": mapping("deals", "deals", "Opportunity")});
    let path = format!("/workspaces/{WS}/mappings/deals");
    service.call(&sim, "PUT", &path, Some(deals));
    let path = format!("/workspaces/{WS}/connect-links");
    let link = service.call(&sim, "POST", &path, Some(json!({"side": "hubspot"})));
    let link = link["url"].as_str().expect("a link");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let (consent, cookie) = sim.sent_on(|browser| {
        let start = browser.post(format!("{link}/start"));
        start.header(form.0, form.1).body("host=")
    });
    let (page, asked) = consent.split_once('?').expect("a question");
    let (back, _) = sim.sent_on(|browser| {
        let pressed = browser.post(page).header(form.0, form.1);
        pressed.body(format!("{asked}&decision=allow"))
    });
    sim.sent_on(|browser| browser.get(&back).header("cookie", &cookie));
    // The running service makes the files of the app that has the scope.
    let with_key = [&variables[..], &[("TANDEM_KEY", key)]].concat();
    let url = "https://tandem.example.com";
    let line = ["hubspot-app", "--out", "app", "--url", url];
    let line = [&line[..], &["--server", service.url.as_str(), "--json"]].concat();
    let ran = run(&with_key, here.path(), &line);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let unasked = ["crm.objects.deals.read", "crm.schemas.deals.read"];
    assert_eq!(ran.json()["unasked"], json!(unasked));
    let app = fs::read_to_string(here.path().join("app/src/app/app-hsmeta.json"));
    assert!(app.expect("it is there").contains("crm.objects.deals.read"));
    assert_eq!(service.stop().0, Some(0));
    let told = |variables: &Variables| {
        let ran = doctor(variables, here.path());
        let (is, said) = check(&ran, &format!("{WS} hubspot"));
        assert_eq!(is, "warning", "{}", ran.stdout);
        assert!(said.contains(&unasked.join(" ")), "{said}");
        said
    };
    assert!(told(&variables).contains("hubspot-app --workspaces"));
    variables.push(("TANDEM_HUBSPOT_OPTIONAL_SCOPES", unasked.join(" ")));
    assert!(told(&variables).contains("connect link"));
}
