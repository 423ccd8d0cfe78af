//! Runs that are killed, interrupted or told to stop, and what the next run makes of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{Dice, Ran, Sim, folder, only, start, wait};

const KILLS: usize = 20;

/// Waits until the run has made `calls` calls; false when it ended before that.
fn reaches(sim: &Sim, run: &mut Child, before: u64, calls: u64) -> bool {
    let started = Instant::now();
    while sim.calls() < before + calls {
        if run.try_wait().expect("it can be asked").is_some() {
            return false;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "the run hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
    run.try_wait().expect("it can be asked").is_none()
}

/// As if a few minutes had passed for everything that waits for the fate of a write.
fn minutes_pass(store: &Path) {
    let url = format!("sqlite://{}", store.join("tandem.db").display());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let pool = sqlx::SqlitePool::connect(&url).await.expect("it opens");
        for earlier in [
            "UPDATE intents SET send_before = send_before - 300000000",
            "UPDATE marks SET not_before = not_before - 300000000 WHERE kind = 'record'",
        ] {
            sqlx::query(earlier).execute(&pool).await.expect("it runs");
        }
        pool.close().await;
    });
}

/// Work for both directions: a changed title each way, a new company here, a new account there.
struct Work {
    /// Pairs of contacts, HubSpot's id first.
    pairs: Vec<(String, String)>,
    titles: BTreeMap<String, String>,
    names: Vec<String>,
}

impl Work {
    fn new(sim: &Sim, data: &Path) -> Self {
        let listed = sim.tandem(data, &["links", "list", "--mapping", "contacts", "--json"]);
        let links = listed.json()["links"].as_array().unwrap().clone();
        let id = |link: &Value, name: &str| link[name].as_str().unwrap().to_owned();
        let pairs = links.iter().filter(|link| link["state"] == "linked");
        let mut pairs: Vec<(String, String)> = pairs
            .map(|link| (id(link, "hubspot_id"), id(link, "salesforce_id")))
            .collect();
        // An even number keeps each pair edited on one side only: no true conflicts here.
        pairs.truncate(pairs.len() / 2 * 2);
        Self {
            pairs,
            titles: BTreeMap::new(),
            names: Vec::new(),
        }
    }

    fn make(&mut self, sim: &Sim, round: usize) {
        for (nth, pair) in [2 * round, 2 * round + 1].into_iter().enumerate() {
            let (hubspot, salesforce) = &self.pairs[pair % self.pairs.len()];
            let title = format!("Round {round}");
            if nth == 0 {
                sim.edit_hubspot("contacts", hubspot, json!({"jobtitle": title}));
            } else {
                sim.edit_salesforce("Contact", salesforce, json!({"Title": title}));
            }
            self.titles.insert(hubspot.clone(), title);
        }
        let (here, there) = (format!("Here {round}"), format!("There {round}"));
        let site = |name: &str| format!("{}.example.org", name.replace(' ', "-").to_lowercase());
        let company = json!({"name": here, "domain": site(&here)});
        sim.create_hubspot("companies", company);
        let account = json!({"Name": there, "Website": format!("https://{}", site(&there))});
        sim.create_salesforce("Account", account);
        self.names.extend([here, there]);
    }

    /// Nothing is lost, nothing is there twice.
    fn is_done(&self, sim: &Sim) {
        let (companies, accounts) = (sim.hubspot("companies"), sim.salesforce("Account"));
        for name in &self.names {
            only(&companies, "name", name);
            only(&accounts, "Name", name);
        }
        let (contacts, persons) = (sim.hubspot("contacts"), sim.salesforce("Contact"));
        for (hubspot, salesforce) in &self.pairs {
            let Some(title) = self.titles.get(hubspot) else {
                continue;
            };
            let here = contacts.iter().find(|contact| contact.id == *hubspot);
            let there = persons.iter().find(|person| person.id == *salesforce);
            assert_eq!(here.unwrap().text("jobtitle"), title, "{hubspot}");
            assert_eq!(there.unwrap().text("Title"), title, "{salesforce}");
        }
    }
}

/// No two records of one kind carry the same creation key.
fn keys_are_unique(sim: &Sim) {
    let hubspot = ["contacts", "companies", "deals"];
    let salesforce = ["Contact", "Lead", "Account", "Opportunity"];
    let kinds = hubspot
        .map(|kind| (sim.hubspot(kind), "tandem_link_id"))
        .into_iter()
        .chain(salesforce.map(|kind| (sim.salesforce(kind), "Tandem_Link_Id__c")));
    let mut seen = 0;
    for (records, field) in kinds {
        let mut keys: Vec<&str> = records.iter().map(|record| record.text(field)).collect();
        keys.retain(|key| !key.is_empty());
        seen += keys.len();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "a key in {field} is there twice");
    }
    assert!(seen > 0, "created records carry keys");
}

fn counts(sim: &Sim) -> Vec<usize> {
    sim.everything().iter().map(Vec::len).collect()
}

/// Kills a first run over and over; the one that is let through ends as an undisturbed one does.
#[test]
fn a_first_run_that_is_killed_again_and_again_makes_every_record_once() {
    let undisturbed = Sim::start(&["--records", "20"]);
    let (here, there) = (folder(), folder());
    undisturbed.sync(there.path());
    let sim = Sim::start(&["--records", "20"]);
    sim.options(json!({"burst_limit": 100_000}));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..6 {
        let before = sim.calls();
        let mut run = start(&sim.variables(), here.path(), &["sync", "--once"]);
        reaches(&sim, &mut run, before, 10 + dice.below(50));
        run.kill().ok();
        run.wait().expect("it ends");
    }
    minutes_pass(&here.path().join("store"));
    let told = sim.sync(here.path());
    assert_eq!(told["waiting"], 0, "{told}");
    assert_eq!(counts(&sim), counts(&undisturbed));
    keys_are_unique(&sim);
    assert_eq!(sim.sync(here.path())["writes"], 0);
}

#[test]
fn twenty_kills_in_the_middle_of_runs_lose_nothing_and_make_nothing_twice() {
    let sim = Sim::start(&["--records", "20"]);
    // So many runs in a minute are not what the limit of calls is for.
    sim.options(json!({"burst_limit": 100_000}));
    let here = folder();
    sim.sync(here.path());
    let mut work = Work::new(&sim, here.path());
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    work.make(&sim, 0);
    let before = sim.calls();
    sim.sync(here.path());
    let calls = sim.calls() - before;
    let (mut kills, mut round) = (0, 1);
    while kills < KILLS {
        work.make(&sim, round);
        round += 1;
        assert!(round < 5 * KILLS, "most runs end before they are killed");
        let before = sim.calls();
        let mut run = start(&sim.variables(), here.path(), &["sync", "--once"]);
        // A run waits for the fate of a write that had no answer; that is a good moment too.
        if reaches(&sim, &mut run, before, 1 + dice.below(calls)) {
            kills += 1;
        }
        run.kill().ok();
        run.wait().expect("it ends");
        if round % 5 == 0 {
            minutes_pass(&here.path().join("store"));
        }
    }
    minutes_pass(&here.path().join("store"));
    let told = sim.sync(here.path());
    assert_eq!(told["waiting"], 0, "{told}");
    work.is_done(&sim);
    keys_are_unique(&sim);
    assert_eq!(sim.sync(here.path())["writes"], 0);
}

/// Sends a signal to a run that is at work, and waits for its end.
fn signalled(sim: &Sim, data: &Path, signal: &str) -> Ran {
    let before = sim.calls();
    let mut run = start(&sim.variables(), data, &["sync", "--once", "--json"]);
    assert!(reaches(sim, &mut run, before, 20), "the run was too short");
    let sent = Command::new("kill")
        .args([signal, &run.id().to_string()])
        .status();
    assert!(sent.expect("kill can be run").success());
    let since = Instant::now();
    let ran = wait(run);
    assert!(since.elapsed() < Duration::from_secs(10), "{signal}");
    ran
}

#[test]
fn a_run_that_is_told_to_stop_ends_soon_and_the_next_one_goes_on() {
    let undisturbed = Sim::start(&["--records", "30"]);
    let there = folder();
    undisturbed.sync(there.path());
    for signal in ["-INT", "-TERM"] {
        let sim = Sim::start(&["--records", "30"]);
        let here = folder();
        let ran = signalled(&sim, here.path(), signal);
        assert_eq!(ran.code, 1, "{signal}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.json()["stopped"], true);
        let told = sim.sync(here.path());
        assert_eq!(told["waiting"], 0, "{signal}: {told}");
        assert_eq!(counts(&sim), counts(&undisturbed), "{signal}");
        keys_are_unique(&sim);
    }
}
