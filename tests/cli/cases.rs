//! `tandem test`: cases beside mapping files, from outside and without a network.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Ran, folder, tandem};

const MAPPING: &str = "mapping: people
hubspot: contacts
salesforce: Contact
conflict: salesforce
first-sync: { fill-blanks: salesforce }
match:
  - email: Email
create: never
rules:
  email: Email
  jobtitle: Title
  phone: { to: Phone, as: phone, conflict: hubspot }
";

const CASES: &str = "# Kept as it is.
mapping: people
cases:
  - name: a title travels   # and this as well
    hubspot: { email: ada@example.com, jobtitle: Countess }
    salesforce: { Email: ada@example.com, Title: Writer }
    base: { hubspot: { jobtitle: Writer } }
    expect:
      salesforce: { Title: Countess }

  # Two edits.
  - name: two numbers compete
    hubspot: { phone: '+49 30 1' , email: ada@example.com }
    salesforce: { Phone: '+49 30 2', Email: ada@example.com }
    base: { hubspot: { phone: ~ }, salesforce: { Phone: ~ } }
    expect:
      conflicts: { phone: hubspot }
      salesforce: { Phone: '+49301' }
";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
    fs::write(path, text).expect("the file is written");
}

/// A folder `m` with the mapping and these cases.
fn place(cases: &str) -> tempfile::TempDir {
    let here = folder();
    write(here.path(), "m/people.yaml", MAPPING);
    write(here.path(), "m/tests/people.yaml", cases);
    here
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).expect("the file is there")
}

fn faults(ran: &Ran) -> Vec<(u64, String, Value)> {
    let answer = ran.json();
    let faults = answer["faults"].as_array().expect("faults are a list");
    let fault = |fault: &Value| {
        let text = fault["text"].as_str().unwrap_or_default().to_owned();
        let line = fault["line"].as_u64().expect("a line");
        (line, text, fault["suggestion"].clone())
    };
    faults.iter().map(fault).collect()
}

#[test]
fn the_shipped_cases_come_out_as_expected_and_meet_every_rule() {
    let here = folder();
    let ran = tandem(here.path(), &["test", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let answer = ran.json();
    assert!(answer["cases"].as_array().expect("cases").len() >= 45);
    assert_eq!(answer["laws"]["broken"], serde_json::json!([]));
    assert_eq!(answer["coverage"]["not_met"], serde_json::json!({}));
    assert!(answer["laws"]["values"].as_u64() > Some(500));
}

#[test]
fn a_case_that_fails_says_where_and_what_came_instead() {
    let wrong = CASES.replace("Title: Countess", "Title: Duchess");
    let wrong = wrong.replace("phone: hubspot }", "phone: salesforce }");
    let here = place(&wrong);
    let ran = tandem(here.path(), &["test", "m"]);
    assert_eq!(ran.code, 1);
    for line in [
        "FAILED a title travels  (line 4)",
        "salesforce.Title  expected \"Duchess\", found \"Countess\"",
        "FAILED two numbers compete  (line 12)",
        "conflict on phone  expected salesforce, found hubspot",
        "Cases     0 of 2 as expected, 2 failed",
        "not met in people: email",
    ] {
        assert!(ran.stdout.contains(line), "`{line}` in:\n{}", ran.stdout);
    }
}

#[test]
fn an_unexpected_write_fails_a_case_that_expects_nothing() {
    let nothing = CASES.replace(
        "    expect:\n      salesforce: { Title: Countess }\n",
        "    expect: nothing\n",
    );
    let here = place(&nothing);
    let ran = tandem(here.path(), &["test", "m"]);
    assert_eq!(ran.code, 1);
    let line = "salesforce.Title  expected no write, found \"Countess\"";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
}

#[test]
fn accepted_results_are_written_and_nothing_else_in_the_file_changes() {
    let wrong = CASES.replace("Title: Countess", "Title: Duchess");
    let missing = wrong.replace(
        "    expect:\n      conflicts: { phone: hubspot }\n      salesforce: { Phone: '+49301' }\n",
        "",
    );
    let here = place(&missing);
    let ran = tandem(here.path(), &["test", "m", "--update"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = text(here.path(), "m/tests/people.yaml");
    let accepted = CASES.replace(
        "      conflicts: { phone: hubspot }\n      salesforce: { Phone: '+49301' }\n",
        "      salesforce: { Phone: \"+49301\" }\n      conflicts: { phone: hubspot }\n",
    );
    assert_eq!(found, accepted);
    assert_eq!(tandem(here.path(), &["test", "m"]).code, 0);
    tandem(here.path(), &["test", "m", "--update"]);
    assert_eq!(text(here.path(), "m/tests/people.yaml"), found);
}

#[test]
fn a_case_on_one_line_is_not_rewritten_and_nothing_is_changed() {
    let flow = "mapping: people\ncases:\n  - { name: one, hubspot: { jobtitle: X }, \
                salesforce: { Title: Y }, expect: nothing }\n";
    let here = place(flow);
    let ran = tandem(here.path(), &["test", "m", "--update"]);
    ran.refused(&["case `one` is written on one line", "a line of its own"]);
    assert_eq!(text(here.path(), "m/tests/people.yaml"), flow);
}

#[test]
fn another_revision_shows_with_what_it_behaves_differently() {
    let here = place(CASES);
    let old = MAPPING.replace("conflict: hubspot }", "conflict: ask }");
    let old = old.replace(
        "  jobtitle: Title\n",
        "  jobtitle: { to: Title, direction: to-hubspot }\n",
    );
    write(here.path(), "old/people.yaml", &old);
    let ran = tandem(here.path(), &["test", "m", "--against", "old", "--json"]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    let answer = ran.json();
    let different = answer["against"]["different"].as_array().expect("a list");
    let with = |name: &str| {
        let found = different.iter().find(|one| one["with"] == name);
        found.unwrap_or_else(|| panic!("{name} in {answer}"))["differences"].clone()
    };
    let title = with("a title travels");
    assert_eq!(title[0]["what"], "salesforce.Title");
    assert_eq!(title[0]["expected"], "no write");
    assert_eq!(title[0]["found"], "\"Countess\"");
    let whats: Vec<String> = with("two numbers compete")
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| format!("{} {} {}", one["what"], one["expected"], one["found"]))
        .collect();
    assert!(
        whats.iter().any(|what| what.contains("conflict on phone")),
        "{whats:?}"
    );
    // Values that were generated show it as well.
    let values = different.iter().filter(|one| {
        let with = one["with"].as_str().unwrap_or_default();
        with.starts_with("jobtitle") && with.ends_with("in HubSpot")
    });
    assert!(values.count() > 3, "{answer}");

    let same = tandem(here.path(), &["test", "m", "--against", "m", "--json"]);
    assert_eq!(same.code, 0, "{}", same.stdout);
    assert_eq!(same.json()["against"]["different"], serde_json::json!([]));
}

#[test]
fn faults_of_case_files_are_shown_at_once_each_with_its_place() {
    let broken = "mapping: people
cases:
  - name: one
    hubspot: { jobtitel: X }
    salesforce: { Title: [a, b] }
    base: { hubspot: {}, somewhere: {} }
    edited: { hubspot: yesterday }
    links: { companies: [[1]] }
    expects: nothing
  - name: one
    salesforce: { Title: Y }
    base: {}
    expect:
      conflicts: { jobtitle: nobody, fone: ask }
      holds: { phone: unmaped }
  - hubspot: {}
  - name: empty
";
    let here = place(broken);
    let ran = tandem(here.path(), &["test", "m", "--json"]);
    assert_eq!(ran.code, 1);
    let found = faults(&ran);
    let lines: Vec<u64> = found.iter().map(|(line, ..)| *line).collect();
    for line in [4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 17] {
        assert!(lines.contains(&line), "line {line} in {found:?}");
    }
    let suggested = |text: &str, name: &str| {
        let fault = found.iter().find(|(_, of, _)| of == text);
        assert_eq!(
            fault.map(|(.., s)| s),
            Some(&Value::from(name)),
            "{found:?}"
        );
    };
    suggested("jobtitel", "jobtitle");
    suggested("expects", "expect");
    suggested("fone", "phone");
}

#[test]
fn a_case_file_of_no_mapping_is_refused_with_the_closest_name() {
    let here = place("mapping: poeple\ncases: []\n");
    let ran = tandem(here.path(), &["test", "m"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout.contains("there is no such mapping"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("did you mean `people`?"),
        "{}",
        ran.stdout
    );
}

#[test]
fn files_that_are_no_schemas_are_refused() {
    let here = place(CASES);
    for (content, words) in [
        ("{}", "is not a file of schemas"),
        ("not json", "is not a file of schemas"),
        ("{\"format\": 99}", "of format 99"),
    ] {
        write(here.path(), "s.json", content);
        let ran = tandem(here.path(), &["test", "m", "--schemas", "s.json"]);
        ran.refused(&["s.json", words, "check --live --keep"]);
    }
    let ran = tandem(here.path(), &["test", "m", "--schemas", "none.json"]);
    ran.refused(&["none.json"]);
}

#[test]
fn a_mapping_that_names_other_fields_is_told_to_bring_its_schemas() {
    let here = place(CASES);
    write(
        here.path(),
        "m/people.yaml",
        &MAPPING.replace("jobtitle: Title", "jobtitle: Rank__c"),
    );
    tandem(here.path(), &["test", "m"]).refused(&["Rank__c", "check --live --keep"]);
}

#[test]
fn what_a_case_holds_does_not_steer_the_terminal() {
    let hostile = "mapping: people
cases:
  - name: \"\\e[2Jclear\"
    hubspot: { jobtitle: X }
    salesforce: { Title: \"\\e[31mred\" }
    base: {}
    expect:
      salesforce: { Title: \"\\e]0;x\" }
";
    let here = place(hostile);
    let ran = tandem(here.path(), &["test", "m", "--all"]);
    assert_eq!(ran.code, 1);
    assert!(!ran.stdout.contains('\u{1b}'), "{:?}", ran.stdout);
}
