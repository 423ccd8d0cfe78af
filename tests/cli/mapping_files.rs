//! `check` and `schema`: faults of mapping files as a person and as a machine see them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{folder, tandem};

/// Broken in ten places, all of a different kind.
const BROKEN: &str = r#"mapping: people
hubspot: contacts
salesforce: Contact
direction: sideways
conflict: newest
first-sync: { fill-blanks: nobody }
match:
  - email: Email
create: { salesforce: 'lifecyclestage == ', hubspot: never }
delete: { hubspot: burn }
on-leave: kepe
rules:
  email: Email
  lastname: { to: LastName, defualt: "(unknown)" }
  phone: { to: Phone, as: fone, conflict: hubspot }
  website: { to: Website, blank: maybe }
  email: Email2
"#;

/// Line, column and the offending text of each fault of [`BROKEN`].
const FAULTS: [(u64, u64, &str); 10] = [
    (4, 12, "sideways"),
    (5, 11, "newest"),
    (6, 28, "nobody"),
    (9, 23, "lifecyclestage =="),
    (10, 20, "burn"),
    (11, 11, "kepe"),
    (14, 29, "defualt"),
    (15, 27, "fone"),
    (16, 34, "maybe"),
    (17, 3, "email"),
];

fn write(folder: &Path, name: &str, text: &[u8]) {
    fs::write(folder.join(name), text).expect("the file is written");
}

fn errors(answer: &Value) -> Vec<Value> {
    let faults = answer["faults"].as_array().expect("faults are a list");
    let is_error = |fault: &&Value| fault["severity"] == "error";
    faults.iter().filter(is_error).cloned().collect()
}

#[test]
fn a_file_broken_ten_ways_shows_ten_faults_with_their_places() {
    let here = folder();
    write(here.path(), "people.yaml", BROKEN.as_bytes());
    let ran = tandem(here.path(), &["check", "people.yaml", "--json"]);
    assert_eq!(ran.code, 1);
    let errors = errors(&ran.json());
    let found: Vec<(u64, u64, &str)> = errors
        .iter()
        .map(|fault| {
            let number = |key: &str| fault[key].as_u64().expect("a number");
            let text = fault["text"].as_str().expect("a text").trim();
            (number("line"), number("column"), text)
        })
        .collect();
    assert_eq!(found, FAULTS, "{}", ran.stdout);
    assert_eq!(errors[5]["suggestion"], "keep");
    assert_eq!(errors[6]["suggestion"], "default");
    assert!(errors.iter().all(|fault| fault["file"] == "people.yaml"));
}

#[test]
fn people_read_file_line_column_text_and_suggestion() {
    let here = folder();
    write(here.path(), "people.yaml", BROKEN.as_bytes());
    let ran = tandem(here.path(), &["check", "people.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    for words in [
        "people.yaml:14:29: error: ",
        "defualt",
        "did you mean `default`?",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    let last = ran.stdout.lines().last().expect("a last line");
    assert!(last.starts_with("10 error(s)"), "{last}");
}

#[test]
fn the_shipped_mappings_have_no_faults() {
    let here = folder();
    let ran = tandem(here.path(), &["check", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert_eq!(ran.json()["files"].as_array().map(Vec::len), Some(4));
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/mappings");
    assert_eq!(tandem(here.path(), &["check", shipped]).code, 0);
}

#[test]
fn one_file_may_refer_to_mappings_beside_it() {
    let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/mappings"));
    let here = folder();
    for name in ["contacts", "leads", "companies", "deals"] {
        let file = shipped.join(format!("{name}.yaml"));
        let ran = tandem(here.path(), &["check", file.to_str().expect("Unicode")]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stdout);
    }
}

#[test]
fn files_that_cannot_be_read_are_faults_like_any_other() {
    let here = folder();
    write(here.path(), "latin1.yaml", b"mapping: caf\xe9\n");
    write(here.path(), "huge.yaml", &vec![b'#'; 1_100_000]);
    write(here.path(), "people.yaml", BROKEN.as_bytes());
    fs::create_dir(here.path().join("empty")).expect("a folder");
    let named = [
        "check",
        "nowhere.yaml",
        "latin1.yaml",
        "huge.yaml",
        "empty",
        "people.yaml",
    ];
    let ran = tandem(here.path(), &[&named[..], &["--json"]].concat());
    assert_eq!(ran.code, 1);
    let errors = errors(&ran.json());
    assert_eq!(errors.len(), 4 + FAULTS.len(), "{}", ran.stdout);
    for (fault, words) in errors
        .iter()
        .zip(["No such file", "UTF-8", "larger", "no .yaml"])
    {
        let message = fault["message"].as_str().expect("a message");
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn hostile_files_are_refused_without_a_panic() {
    let here = folder();
    let deep = "[".repeat(100_000);
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n\
                c: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c]\n\
                e: &e [*d, *d, *d, *d, *d, *d, *d]\nf: [*e, *e, *e, *e, *e, *e, *e, *e]\n";
    let cases: [&[u8]; 7] = [
        b"",
        b"\0\0\0",
        b"- a\n- b\n",
        b"mapping: [",
        b"mapping: 1\n---\nmapping: 2\n",
        deep.as_bytes(),
        bomb.as_bytes(),
    ];
    for (number, text) in cases.into_iter().enumerate() {
        let name = format!("{number}.yaml");
        write(here.path(), &name, text);
        let ran = tandem(here.path(), &["check", &name, "--json"]);
        assert_eq!(ran.code, 1, "case {number}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.stderr, "", "case {number}");
        assert!(!errors(&ran.json()).is_empty(), "case {number}");
    }
}

#[test]
fn the_schema_is_one_json_schema() {
    let here = folder();
    let ran = tandem(here.path(), &["schema"]);
    assert_eq!(ran.code, 0);
    let people: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(people, tandem(here.path(), &["schema", "--json"]).json());
    assert!(people["properties"]["rules"].is_object());
}
