//! The commands of one workspace against a running service, and against its store.

use serde_json::{Value, json};
use tandem::clock::Clock;

use super::harness::{Ran, Sim, Variables, folder, only, run};
use super::serving::{Service, WS, free_port, init, pair, serve, titled, until, variables};

/// A service with a live workspace, and how commands reach it.
pub struct Place {
    pub sim: Sim,
    pub here: tempfile::TempDir,
    variables: Variables,
    service: Service,
}

/// The settings of a service that looks as often as a test asks.
fn settings(sim: &Sim) -> Variables {
    let mut variables = variables(sim, free_port());
    variables.retain(|(name, _)| *name != "TANDEM_LOG");
    let often = "100000".to_owned();
    variables.push(("TANDEM_SERVER_REQUESTS_PER_MINUTE", often));
    variables
}

impl Place {
    pub fn new(records: &str) -> Self {
        Self::on(Sim::start(&["--records", records]))
    }

    pub fn on(sim: Sim) -> Self {
        let place = Self::observing(sim);
        place.act("live");
        place
    }

    /// A workspace that may not write yet.
    pub fn observing(sim: Sim) -> Self {
        let here = folder();
        let mut variables = settings(&sim);
        let key = init(&variables, here.path());
        let service = serve(&variables, here.path(), &key);
        service.observing(&sim);
        variables.push(("TANDEM_KEY", key));
        Self {
            sim,
            here,
            variables,
            service,
        }
    }

    /// Has the service pause the workspace, let it write and so on.
    pub fn act(&self, action: &str) {
        let path = format!("/workspaces/{WS}/{action}");
        self.service.call(&self.sim, "POST", &path, None);
    }

    /// A command for the workspace of the running service.
    pub fn ask(&self, words: &[&str]) -> Ran {
        let there = ["--workspace", WS, "--server", self.service.url.as_str()];
        let words: Vec<&str> = words.iter().chain(&there).copied().collect();
        run(&self.variables, self.here.path(), &words)
    }

    #[track_caller]
    pub fn done(&self, words: &[&str]) -> Ran {
        let ran = self.ask(words);
        assert_eq!(ran.code, 0, "{words:?}: {}{}", ran.stdout, ran.stderr);
        ran
    }

    #[track_caller]
    pub fn rows(&self, words: &[&str], name: &str) -> Vec<Value> {
        let ran = self.done(&[words, &["--json"]].concat());
        ran.json()[name].as_array().expect("a list").clone()
    }

    /// Lets the service work until nothing is due.
    pub fn settle(&self) {
        let path = format!("/workspaces/{WS}/status");
        until("settled", || {
            let status = self.service.call(&self.sim, "GET", &path, None);
            let queue = status["queue"].as_object().expect("counts");
            let ready = |kind: &str| {
                queue
                    .get(kind)
                    .map_or(0, |of| of["ready"].as_u64().unwrap())
            };
            let filled = queue.get("backfill").is_none_or(|of| {
                ["ready", "waiting"]
                    .iter()
                    .all(|name| of[*name] == json!(0))
            });
            let linked = status["links"]["linked"].as_u64() > Some(0);
            linked && filled && ready("record") == 0
        });
    }
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().expect("a text")
}

#[test]
fn what_failed_in_a_service_is_shown_and_replayed() {
    let place = Place::new("20");
    place.settle();
    let list = ["dead-letters", "list", "--mapping", "deals"];
    let open = || place.rows(&list, "dead_letters");
    until("a deal has failed", || !open().is_empty());
    let deal = open().remove(0);
    let id = text(&deal, "id");
    let shown = place.done(&["dead-letters", "show", id]).stdout;
    assert!(shown.contains("CloseDate"), "{shown}");
    let page = place.done(&list).stdout;
    assert!(page.contains(id) && page.contains("mapping"), "{page}");

    let closes = json!({"closedate": "2027-05-01"});
    place
        .sim
        .edit_hubspot("deals", text(&deal, "record"), closes);
    let mut replay = vec!["dead-letters", "replay", "--mapping", "deals"];
    replay.extend(["--code", text(&deal, "code"), "--json"]);
    let replayed = place.done(&replay).json();
    let ids = replayed["replayed"].as_array().expect("ids");
    assert!(ids.contains(&deal["id"]), "{replayed}");
    until("made good", || {
        !open().iter().any(|left| left["id"] == deal["id"])
    });

    let settled = ["dead-letters", "replay", text(&deal, "id")];
    place.ask(&settled).refused(&["is closed", "settled"]);
    let unknown = ["dead-letters", "replay", "dl_none"];
    place.ask(&unknown).refused(&["no such dead letter"]);
    let nothing = ["dead-letters", "replay"];
    place.ask(&nothing).refused(&["nothing is named", "--all"]);
}

#[test]
fn what_failed_in_a_service_is_let_go_with_a_reason() {
    let place = Place::new("20");
    place.settle();
    let list = ["dead-letters", "list", "--mapping", "contacts"];
    let open = || place.rows(&list, "dead_letters");
    until("contacts have failed", || !open().is_empty());
    let mut discard = vec!["dead-letters", "discard", "--mapping", "contacts"];
    discard.extend(["--reason", "known"]);
    let said = place.done(&discard).stdout;
    assert!(said.starts_with("discarded "), "{said}");
    assert_eq!(open(), [] as [Value; 0]);
    let kept = [
        "dead-letters",
        "list",
        "--state",
        "discarded",
        "--limit",
        "1",
    ];
    let kept = place.rows(&kept, "dead_letters");
    assert_eq!((kept.len(), text(&kept[0], "note")), (1, "known"));
}

/// A conflict about a job title that a rule has decided for Salesforce; HubSpot's contact.
fn fallen_out(place: &Place) -> String {
    let sim = &place.sim;
    let ada = only(&sim.hubspot("contacts"), "lastname", "Lindqvist");
    let hers = only(&sim.salesforce("Contact"), "LastName", "Lindqvist");
    // Neither edit is synced before the other is made.
    place.act("pause");
    sim.edit_hubspot("contacts", &ada.id, json!({"jobtitle": "Said in HubSpot"}));
    sim.edit_salesforce("Contact", &hers.id, json!({"Title": "Said in Salesforce"}));
    place.act("resume");
    place.act("sync");
    let list = ["conflicts", "list", "--rule", "jobtitle"];
    until("a conflict is kept", || {
        !place.rows(&list, "conflicts").is_empty()
    });
    ada.id
}

#[test]
fn a_conflict_of_a_service_is_shown_explained_and_taken() {
    let place = Place::new("20");
    place.settle();
    let ada = fallen_out(&place);
    let list = ["conflicts", "list", "--rule", "jobtitle", "--json"];
    let found = place.done(&list).json();
    assert_eq!(found["total"], json!(1));
    let none = place.done(&[&list[..], &["--limit", "0"]].concat()).json();
    assert_eq!(none, json!({"conflicts": [], "total": 1}));
    let id = text(&found["conflicts"][0], "id");
    let shown = place.done(&["conflicts", "show", id]).stdout;
    for word in [
        "Said in HubSpot",
        "winner     Salesforce",
        "next: tandem conflicts take",
    ] {
        assert!(shown.contains(word), "{word} in: {shown}");
    }
    let told = place
        .done(&["explain", "contacts", &ada, "jobtitle"])
        .stdout;
    for word in [
        "HubSpot contacts",
        "jobtitle = Title",
        "History, newest first",
    ] {
        assert!(told.contains(word), "{word} in: {told}");
    }
    let closed = ["conflicts", "take", "hubspot", "--all", "--state", "closed"];
    place.ask(&closed).refused(&["open or decided"]);
    let mut take = vec!["conflicts", "take", "hubspot", "--rule", "jobtitle"];
    take.extend(["--state", "decided"]);
    let said = place.done(&take).stdout;
    assert!(said.starts_with("1 choice(s) stored"), "{said}");
    until("the choice is written", || {
        titled(&place.sim, "Said in HubSpot")
    });
    place
        .ask(&["conflicts", "show", "cfl_none"])
        .refused(&["no such conflict"]);
}

#[test]
fn a_run_of_a_service_is_taken_back() {
    let place = Place::new("20");
    place.settle();
    let before = Clock::System.now().to_string();
    let ada = fallen_out(&place);
    let there = |title: &str| {
        let found = only(&place.sim.hubspot("contacts"), "lastname", "Lindqvist");
        found.text("jobtitle") == title
    };
    until("written", || there("Said in Salesforce"));
    let runs = place.rows(&["undo"], "runs");
    let run = text(&runs[0], "run");
    let undo = ["undo", run, "--record", &ada, "--rule", "jobtitle"];
    let planned = place.ask(&undo);
    assert_eq!(planned.code, 2, "{}", planned.stderr);
    for word in ["Said in HubSpot", "Nothing was written.", "--yes writes it"] {
        assert!(
            planned.stdout.contains(word),
            "{word} in: {}",
            planned.stdout
        );
    }
    let since = ["undo", "--since", before.as_str(), "--record", &ada];
    let since = place.ask(&[&since[..], &["--rule", "jobtitle"]].concat());
    assert_eq!(since.code, 2, "{}", since.stderr);
    let (one, other) = (&planned.stdout, &since.stdout);
    assert!(other.contains("Said in HubSpot"), "{one} and {other}");
    assert!(there("Said in Salesforce"), "only plans were made");
    let written = place.ask(&[&undo[..], &["--yes", "--json"]].concat());
    assert!(matches!(written.code, 0 | 2), "{}", written.stderr);
    assert_eq!(written.json()["state"], "applied");
    until("taken back", || there("Said in HubSpot"));
    place
        .ask(&["undo", "--since", "2999-01-01"])
        .refused(&["future"]);
    place.ask(&["undo", "run_none"]).refused(&["no such run"]);
}

#[test]
fn links_of_a_service_are_paired_and_taken_apart() {
    let sim = Sim::start(&[]);
    let ada = pair(&sim);
    let place = Place::on(sim);
    place.settle();
    let links = place.rows(&["links", "list", "--mapping", "contacts"], "links");
    assert_eq!(links.len(), 1, "{links:?}");
    let (id, hers) = (text(&links[0], "id"), text(&links[0], "salesforce_id"));
    let unpaired = place.done(&["links", "unpair", id, "--json"]).json();
    assert_eq!(unpaired, json!({"unpaired": [id]}));
    place
        .ask(&["links", "unpair", id])
        .refused(&[id, "unlinked"]);
    let states = place.rows(&["links", "list", "--state", "unlinked"], "links");
    assert_eq!(states[0]["note"], "unpaired by hand");
    let made = place.done(&["links", "pair", "contacts", &ada, hers]);
    assert!(made.stdout.starts_with("linked as lnk_"), "{}", made.stdout);
    let again = place.ask(&["links", "pair", "contacts", &ada, hers]);
    again.refused(&["already links", "apart first"]);
    place
        .ask(&["links", "pair", "people", &ada, hers])
        .refused(&["people", "contacts"]);
    let sync = format!("/workspaces/{WS}/sync");
    place
        .sim
        .edit_hubspot("contacts", &ada, json!({"jobtitle": "Countess"}));
    place.service.call(&place.sim, "POST", &sync, None);
    until("in step again", || titled(&place.sim, "Countess"));

    place
        .sim
        .edit_hubspot("contacts", &ada, json!({"jobtitle": "x".repeat(200)}));
    place.service.call(&place.sim, "POST", &sync, None);
    let held = ["links", "list", "--held", "--mapping", "contacts"];
    until("held", || !place.rows(&held, "holds").is_empty());
    assert_eq!(place.rows(&held, "holds")[0]["rule"], "jobtitle");
    let other = ["links", "list", "--held", "--mapping", "deals"];
    assert_eq!(place.rows(&other, "holds"), [] as [Value; 0]);
    let page = place.done(&held).stdout;
    assert!(page.contains("jobtitle"), "{page}");
    let said = place.done(&["approve"]).stdout;
    assert!(said.contains("nothing waits"), "{said}");
}

#[test]
fn plans_comparisons_and_inventories_are_made_by_the_service_that_is_named() {
    let place = Place::new("20");
    let path = format!("/workspaces/{WS}/observe");
    place.service.call(&place.sim, "POST", &path, None);
    let file = place.here.path().join("plan.json");
    let file = file.to_str().expect("a path");
    let taken = place.ask(&["match", "--json"]);
    assert!(matches!(taken.code, 0 | 2), "{}", taken.stderr);
    assert!(taken.json()["mappings"].is_array(), "{}", taken.stdout);
    let page = place.ask(&["match", "--mapping", "contacts"]).stdout;
    assert!(
        page.contains("contacts") && page.contains("ambiguous"),
        "{page}"
    );
    let planned = place.ask(&["plan", "--out", file]);
    assert!(matches!(planned.code, 0 | 2), "{}", planned.stderr);
    assert!(
        planned.stdout.contains("writes exactly this"),
        "{}",
        planned.stdout
    );
    let applied = place.ask(&["apply", file, "--json"]);
    assert!(matches!(applied.code, 0 | 2), "{}", applied.stderr);
    assert_eq!(applied.json()["state"], "applied");
    let begun = place.done(&["drift", "--json"]).json();
    assert!(begun["mappings"].is_array(), "{begun}");
    let last = place.ask(&["drift", "--last"]);
    assert!(matches!(last.code, 0 | 2), "{}", last.stderr);
    place
        .ask(&["plan", "--mappings", "x"])
        .refused(&["mappings of its own"]);
}

#[test]
fn what_is_wrong_with_the_way_to_a_service_is_said() {
    let (sim, here) = (Sim::start(&[]), folder());
    let variables = settings(&sim);
    let key = init(&variables, here.path());
    let service = serve(&variables, here.path(), &key);
    service.observing(&sim);
    let ask = |key: Option<&str>, words: &[&str]| {
        let mut variables = variables.clone();
        variables.extend(key.map(|key| ("TANDEM_KEY", key.to_owned())));
        run(&variables, here.path(), words)
    };
    let there = ["--workspace", WS, "--server", service.url.as_str()];
    let commands: [&[&str]; 8] = [
        &["conflicts", "list"],
        &["dead-letters", "replay", "--all"],
        &["links", "list"],
        &["approve"],
        &["explain", "contacts", "1"],
        &["explain", "contacts", "1", "--live"],
        &["undo"],
        &["runs", "list"],
    ];
    let nobody = format!("http://127.0.0.1:{}", free_port());
    for words in commands {
        let at = |there: &[&'static str], server: &str| -> Vec<String> {
            let words = words.iter().chain(there).map(|word| (*word).to_owned());
            words
                .chain(["--server".to_owned(), server.to_owned()])
                .collect()
        };
        let sent = |key: Option<&str>, words: Vec<String>| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            ask(key, &words)
        };
        let with = at(&["--workspace", WS], &service.url);
        sent(None, with.clone()).refused(&["no key", "TANDEM_KEY"]);
        sent(Some("tdm_x_y"), with).refused(&["does not know the key", "TANDEM_KEY"]);
        let elsewhere = at(&["--workspace", "no/where"], &service.url);
        sent(Some(&key), elsewhere).refused(&["no such workspace"]);
        sent(Some(&key), at(&["--workspace", WS], &nobody)).refused(&["check --server"]);
        sent(Some(&key), at(&[], &service.url)).refused(&["--workspace"]);
    }
    let alone = ["explain", "contacts", "1", "--live", "--workspace", WS];
    ask(Some(&key), &alone).refused(&["running service", "--server"]);
    let both = [&["links", "list", "--data", "x"][..], &there].concat();
    ask(Some(&key), &both).refused(&["--data", "--workspace"]);
    // Without --server the store in the settings is opened, which the service has.
    let held = ["links", "list", "--workspace", WS];
    ask(None, &held).refused(&["a running service has the store", "--server"]);
    ask(None, &["plan", "--workspace", WS]).refused(&["running service", "--server"]);
    assert_eq!(service.stop().0, Some(0));
    let listed = ask(None, &[&held[..], &["--json"]].concat());
    assert_eq!(listed.json(), json!({"links": []}), "{}", listed.stderr);
}
