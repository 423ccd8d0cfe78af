//! `tandem sync` without `--once`: it stays up, carries edits, and ends well when it is told to.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::json;

use super::harness::{Ran, Sim, folder, only, start, wait};
use super::postgres;

const ADA: &str = "Lindqvist";

/// Waits for what both CRMs are to hold; the run must not end meanwhile.
#[track_caller]
fn until(run: &mut Child, what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        let ended = run.try_wait().expect("it can be asked");
        assert!(ended.is_none(), "it ended before {what}");
        assert!(began.elapsed() < Duration::from_secs(60), "never {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// SIGTERM; it ends within ten seconds, and as if all was well.
#[track_caller]
fn told_to_stop(run: Child) -> Ran {
    let id = run.id().to_string();
    let began = Instant::now();
    let sent = Command::new("kill").args(["-TERM", &id]).status();
    assert!(sent.expect("kill can be run").success());
    let ran = wait(run);
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.json()["stopped"], true);
    ran
}

/// The shipped mapping of contacts, looked at as often as may be.
fn mapping(here: &Path) -> String {
    let files = here.join("mappings");
    std::fs::create_dir(&files).expect("a folder");
    let file = "mapping: contacts\nhubspot: contacts\nsalesforce: Contact\ndirection: both\n\
        conflict: salesforce\nfirst-sync: { fill-blanks: salesforce }\npoll: 5s\nmatch:\n  \
        - email: Email\ncreate: never\nrules:\n  email: Email\n  jobtitle: Title\n";
    std::fs::write(files.join("contacts.yaml"), file).expect("written");
    files.display().to_string()
}

fn hers(sim: &Sim) -> String {
    let contact = only(&sim.salesforce("Contact"), "LastName", ADA);
    contact.text("Title").to_owned()
}

fn retitle(sim: &Sim, title: &str) {
    let ada = only(&sim.hubspot("contacts"), "lastname", ADA);
    sim.edit_hubspot("contacts", &ada.id, json!({"jobtitle": title}));
}

#[test]
fn a_run_that_stays_carries_edits_until_it_is_told_to_stop() {
    let sim = Sim::start(&["--records", "6"]);
    let here = folder();
    let mappings = mapping(here.path());
    let once = ["sync", "--once", "--json", "--mappings", &mappings];
    let arguments = ["sync", "--json", "--mappings", &mappings];
    assert_eq!(sim.tandem(here.path(), &once).code, 0);
    retitle(&sim, "Chief of Robots");
    let mut run = start(&sim.variables(), here.path(), &arguments);
    until(&mut run, "its first edit arrived", || {
        hers(&sim) == "Chief of Robots"
    });
    retitle(&sim, "Chief of Gears");
    until(&mut run, "its second edit arrived", || {
        hers(&sim) == "Chief of Gears"
    });
    let told = told_to_stop(run).json();
    assert!(told["writes"].as_u64().unwrap() >= 2, "{told}");
    let next = sim.tandem(here.path(), &once);
    assert_eq!(next.code, 0, "{}{}", next.stdout, next.stderr);
    assert_eq!(next.json()["writes"], 0);
}

/// Two processes on one PostgreSQL: the second stands by, and goes on when the first is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_that_stays_stands_by_until_the_first_is_gone() {
    let Some(url) = postgres::database().await else {
        return;
    };
    let work = move || {
        let sim = Sim::start(&["--records", "6"]);
        let here = folder();
        let mappings = mapping(here.path());
        let arguments = ["sync", "--json", "--data", &url, "--mappings", &mappings];
        let once = [&arguments[..], &["--once"]].concat();
        assert_eq!(sim.tandem(here.path(), &once).code, 0);
        retitle(&sim, "Chief of Robots");
        let mut first = start(&sim.variables(), here.path(), &arguments);
        until(&mut first, "its first edit arrived", || {
            hers(&sim) == "Chief of Robots"
        });
        let before = sim.calls();
        let mut second = start(&sim.variables(), here.path(), &arguments);
        until(&mut second, "the second one looked around", || {
            sim.calls() > before + 8
        });
        told_to_stop(first);
        retitle(&sim, "Chief of Gears");
        until(&mut second, "its second edit arrived", || {
            hers(&sim) == "Chief of Gears"
        });
        told_to_stop(second);
        assert_eq!(sim.writes().1, 0, "writes that changed nothing");
    };
    tokio::task::spawn_blocking(work).await.expect("it passes");
}
