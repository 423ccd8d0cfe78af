//! Broken files: every fault is found at once, in its place, and nothing panics.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use tandem::mapping::{Severity, SourceFile, bind, load};

use crate::schemas::{read, schemas, shown};
use crate::shipped::files;

fn cases() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/mapping/faulty");
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// A line of a case ends in `#! message part`; live faults in `#? message part`. Several parts
/// are split by ` & `. Faults and marks must match line by line.
#[test]
fn each_faulty_line_is_reported_and_no_other() {
    for (name, text) in cases() {
        let mut expected: Vec<(usize, String)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if let Some((_, marks)) = line.split_once("#! ").or_else(|| line.split_once("#? ")) {
                let parts = marks
                    .split(" & ")
                    .map(|part| (index + 1, part.trim().to_owned()));
                expected.extend(parts);
            }
        }
        let faults = match read(&text) {
            Err(faults) => faults,
            Ok(loaded) => {
                let mut faults = loaded.warnings;
                match bind(&loaded.mappings[0], &schemas()) {
                    Err(found) => faults.extend(found),
                    Ok(bound) => faults.extend(bound.warnings().to_vec()),
                }
                faults
            }
        };
        let report = shown(&faults);
        for (line, part) in &expected {
            let hit = faults
                .iter()
                .any(|f| f.line == *line && f.to_string().contains(part));
            assert!(hit, "{name}:{line}: expected `{part}` in\n{report}");
        }
        assert_eq!(faults.len(), expected.len(), "{name}:\n{report}");
    }
}

#[test]
fn a_file_broken_ten_ways_reports_ten_faults() {
    let (_, text) = cases()
        .into_iter()
        .find(|(name, _)| name == "ten-ways.yaml")
        .unwrap();
    let faults = read(&text).unwrap_err();
    assert_eq!(
        faults
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .count(),
        10
    );
}

#[test]
fn faults_of_all_files_come_together() {
    let broken = |path: &str| SourceFile {
        path: path.into(),
        text: "mapping: [".into(),
    };
    let mut all = files();
    all.push(broken("a.yaml"));
    all.push(broken("b.yaml"));
    let faults = load(&all, &BTreeMap::new()).unwrap_err();
    let paths: Vec<&str> = faults.iter().map(|f| f.file.as_str()).collect();
    assert_eq!(paths, ["a.yaml", "b.yaml"]);
}

#[test]
fn files_made_to_exhaust_the_reader_are_refused() {
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nmapping: [*b, *b]\n".to_owned();
    let deep = format!("mapping: {}", "[".repeat(100_000));
    let deep_block = (0..2_000)
        .map(|i| format!("{}k:\n", " ".repeat(i)))
        .collect::<String>();
    let large = "#".repeat(2 << 20);
    let long = format!(
        "mapping: m\nonly: {{ hubspot: '{}1' }}",
        "1+".repeat(100_000)
    );
    for text in [
        bomb,
        deep,
        deep_block,
        large,
        long,
        String::new(),
        "\u{0}".to_owned(),
    ] {
        let faults = read(&text).unwrap_err();
        assert!(faults.len() < 20, "{}", shown(&faults));
    }
}

#[test]
fn extends_in_a_circle_is_refused() {
    let file = |name: &str, parent: &str| SourceFile {
        path: format!("{name}.yaml"),
        text: format!("mapping: {name}\nextends: {parent}\n"),
    };
    let faults = load(&[file("a", "b"), file("b", "a")], &BTreeMap::new()).unwrap_err();
    assert!(shown(&faults).contains("circle"), "{}", shown(&faults));
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2_000)
    })]

    #[test]
    fn a_damaged_file_never_panics(
        which in 0..4_usize,
        cuts in prop::collection::vec(
            (0..3_000_usize, "[\\[\\]{}:,#&*!|>'\"%@`~ \n\ta-z0-9$]{0,6}"),
            1..5,
        ),
    ) {
        let mut text = files()[which].text.clone();
        for (at, put) in cuts {
            let mut at = at % (text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text.insert_str(at, &put);
        }
        if let Ok(loaded) = read(&text) {
            for mapping in &loaded.mappings {
                let outcome = bind(mapping, &schemas());
                prop_assert!(outcome.is_ok() || outcome.is_err());
            }
        }
    }
}
