//! Keeps the rules of the house: who may import whom, how large things may grow, and which words
//! and calls are not wanted.
//!
//! A rule is a pure function from one file to its faults, so that the rules are tested on small
//! fixtures below, and then run over the tree. A breach that is right is named in [`EXCEPTIONS`]
//! with its reason; an exception that nothing needs any more is a fault too.

#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/lexer.rs"]
mod lexer;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// Breaches that are right: the rule, the file (or module) it concerns, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "time",
        "src/clock.rs",
        "the one place that reads the system clock",
    ),
    (
        "environment",
        "src/config/mod.rs",
        "the one place that reads environment variables",
    ),
];

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub rule: &'static str,
    pub path: String,
    pub line: usize,
    pub text: String,
}

impl Fault {
    pub fn new(rule: &'static str, path: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            rule,
            path: path.to_owned(),
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            path,
            line,
            text,
        } = self;
        write!(f, "{path}:{line}: [{rule}] {text}")
    }
}

/// Every rule that looks at one Rust file.
fn check_file(path: &str, text: &str) -> Vec<Fault> {
    let source = lexer::Source::read(text);
    let mut faults = shape::check(path, text, &source);
    faults.extend(words::check(path, &source));
    faults.extend(layers::check(path, &source));
    faults
}

/// Splits faults into those that stand and the exceptions that were used.
fn without_exceptions(faults: Vec<Fault>) -> (Vec<Fault>, BTreeSet<usize>) {
    let mut used = BTreeSet::new();
    let standing = faults
        .into_iter()
        .filter(|fault| {
            let excused = EXCEPTIONS
                .iter()
                .position(|(rule, path, _)| fault.rule == *rule && fault.path == *path);
            used.extend(excused);
            excused.is_none()
        })
        .collect();
    (standing, used)
}

#[test]
fn the_house_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut faults = Vec::new();
    for (path, text) in tree::rust_files(root) {
        faults.extend(check_file(&path, &text));
    }
    faults.extend(tree::check(root));

    let (mut standing, used) = without_exceptions(faults);
    for (index, (rule, path, _)) in EXCEPTIONS.iter().enumerate() {
        if !used.contains(&index) {
            let text = "nothing breaks this rule any more: remove the exception";
            standing.push(Fault::new(
                "stale-exception",
                path,
                0,
                format!("{rule}: {text}"),
            ));
        }
    }
    let list: Vec<String> = standing.iter().map(ToString::to_string).collect();
    assert!(
        list.is_empty(),
        "{} faults:\n{}",
        list.len(),
        list.join("\n")
    );
}

#[test]
fn every_exception_has_a_reason() {
    for (rule, path, reason) in EXCEPTIONS {
        assert!(reason.len() > 10, "{rule} for {path} needs a reason");
    }
}

/// The rules that `text` breaks when it stands at `path`, each once, in order.
#[cfg(test)]
fn broken(path: &str, text: &str) -> Vec<&'static str> {
    let mut rules: Vec<_> = check_file(path, text).iter().map(|f| f.rule).collect();
    rules.dedup();
    rules
}

const DOC: &str = "//! What this is.\n";

fn with_doc(code: &str) -> String {
    format!("{DOC}{code}")
}

#[test]
fn a_clean_file_has_no_faults() {
    let code = with_doc(
        "use crate::model::{Fields, Side};\n\n/// Says `todo!()` and sqlx only in words.\n\
         pub fn name() -> &'static str {\n    \"crate::store, .await, dbg!(1)\"\n}\n",
    );
    assert_eq!(broken("src/merge/mod.rs", &code), Vec::<&str>::new());
}

#[test]
fn an_import_of_a_higher_floor_is_caught_in_every_spelling() {
    for import in [
        "use crate::store::Store;",
        "use crate::{model::Side, store::Store};",
        "use crate::{\n    model::Side,\n    store,\n};",
        "pub use crate::store;",
        "fn f() { crate::store::open(); }",
        "use super::store::Store;",
        "use crate as tandem;",
        "use crate::*;",
        "use crate::model::Side; use ::tandem::store::Store;",
    ] {
        let code = with_doc(import);
        assert!(
            broken("src/merge/mod.rs", &code).contains(&"layers"),
            "{import}"
        );
    }
    let deep = with_doc("mod tests { use super::super::super::store::Store; }");
    assert_eq!(broken("src/merge/plan.rs", &deep), ["layers"]);
    let own = with_doc("use super::plan::Plan; mod tests { use super::super::plan::Plan; }");
    assert_eq!(broken("src/merge/plan.rs", &own), Vec::<&str>::new());
}

#[test]
fn neighbours_on_one_floor_do_not_import_each_other() {
    for (path, import) in [
        ("src/mapping/mod.rs", "use crate::merge::Plan;"),
        ("src/merge/mod.rs", "use crate::mapping::Mapping;"),
        ("src/store/mod.rs", "use crate::crm::HubSpot;"),
        ("src/crm/mod.rs", "use crate::store::Store;"),
        ("src/retry.rs", "use crate::clock::Clock;"),
        ("src/model/mod.rs", "use crate::clock::Clock;"),
        ("src/pipeline/mod.rs", "use crate::crm::CrmError;"),
        ("src/sync/mod.rs", "use crate::sim::serve;"),
        ("src/sim/hubspot/mod.rs", "use crate::crm::HubSpot;"),
        ("src/sim/hubspot/mod.rs", "use crate::model::Side;"),
        (
            "src/sim/hubspot/mod.rs",
            "use crate::model::{Timestamp, Side};",
        ),
        (
            "src/crm/hubspot/read.rs",
            "use crate::crm::salesforce::soql;",
        ),
        ("src/crm/salesforce/mod.rs", "use super::hubspot::wire;"),
        ("src/somewhere/mod.rs", "use crate::model::Side;"),
    ] {
        assert_eq!(
            broken(path, &with_doc(import)),
            ["layers"],
            "{path}: {import}"
        );
    }
}

#[test]
fn imports_down_the_house_are_allowed() {
    for (path, import) in [
        (
            "src/sync/mod.rs",
            "use crate::{clock, crm, mapping, merge, pipeline, retry, store};",
        ),
        ("src/store/mod.rs", "use crate::clock::Clock;"),
        (
            "src/sim/server.rs",
            "use crate::{clock::Clock, model::Timestamp};",
        ),
        ("src/cli/sim.rs", "use crate::sim::serve;"),
        ("src/main.rs", "use tandem::cli;"),
        (
            "src/store/mod.rs",
            "pub(crate) fn f() { sqlx::query(\"\"); }",
        ),
    ] {
        assert_eq!(
            broken(path, &with_doc(import)),
            Vec::<&str>::new(),
            "{path}: {import}"
        );
    }
}

#[test]
fn long_files_functions_and_lines_are_caught() {
    let file = with_doc(&"\n".repeat(500));
    assert_eq!(broken("src/clock.rs", &file), ["file-length"]);

    let body = "    let x = \"}\"; // }\n".repeat(69);
    let function = with_doc(&format!("fn long() {{\n{body}}}\n"));
    assert_eq!(broken("src/clock.rs", &function), ["function-length"]);
    let body = "    let x = '}';\n".repeat(68);
    let function = with_doc(&format!("fn f<'a>() {{\n{body}}}\nfn g() {{}}\n"));
    assert_eq!(broken("src/clock.rs", &function), Vec::<&str>::new());

    let line = with_doc(&format!("// {}\n", "é".repeat(98)));
    assert_eq!(broken("src/clock.rs", &line), ["line-width"]);
}

#[test]
fn a_missing_module_comment_is_caught() {
    assert_eq!(broken("src/clock.rs", "use std::fmt;\n"), ["module-doc"]);
    assert_eq!(
        broken("src/clock.rs", "// Not a module comment.\n"),
        ["module-doc"]
    );
    assert_eq!(broken("tests/clock.rs", "//! Fine.\n"), Vec::<&str>::new());
}

#[test]
fn unwanted_words_are_caught_where_they_matter() {
    for (path, code, rule) in [
        ("src/sync/mod.rs", "fn f() { sqlx::query(\"\"); }", "sqlx"),
        ("src/merge/mod.rs", "async fn f() {}", "pure"),
        ("src/mapping/mod.rs", "fn f() { g().await; }", "pure"),
        ("src/model/mod.rs", "use tokio::sync::Mutex;", "pure"),
        ("src/retry.rs", "use std::fs;", "pure"),
        ("src/sync/mod.rs", "fn f() { todo!() }", "unfinished"),
        ("tests/it.rs", "fn f() { dbg!(1); }", "unfinished"),
        (
            "src/sync/mod.rs",
            "fn f() { unimplemented!(\"x\") }",
            "unfinished",
        ),
        ("src/sync/mod.rs", "#[allow(dead_code)]\nfn f() {}", "allow"),
        (
            "src/sync/mod.rs",
            "#[allow(\n    unused,\n)]\nfn f() {}",
            "allow",
        ),
        ("src/sync/mod.rs", "#![allow(unused)]", "allow"),
        (
            "src/sync/mod.rs",
            "#[allow(dead_code, reason = \"no\")]\nfn f() {}",
            "allow",
        ),
        ("src/sync/mod.rs", "fn f() { Some(1).unwrap(); }", "unwrap"),
        (
            "src/sync/mod.rs",
            "fn f() { let _ = g(); }",
            "dropped-result",
        ),
        (
            "src/sync/mod.rs",
            "fn f() { std::time::Instant::now(); }",
            "time",
        ),
        (
            "src/sync/mod.rs",
            "fn f() { std::env::var(\"X\"); }",
            "environment",
        ),
        ("src/sync/mod.rs", "mod helpers;", "name"),
        ("src/sync/utils.rs", "", "name"),
        ("src/common/mod.rs", "", "name"),
    ] {
        let found = broken(path, &with_doc(code));
        assert!(found.contains(&rule), "{path}: {code}: {found:?}");
    }
}

#[test]
fn tests_at_the_bottom_of_a_file_may_unwrap() {
    let code = with_doc("#[cfg(test)]\nmod tests {\n    fn f() { Some(1).unwrap(); }\n}\n");
    assert_eq!(broken("src/sync/mod.rs", &code), Vec::<&str>::new());
    let code = with_doc("#[cfg(test)]\nmod tests {}\nfn f() { Some(1).unwrap(); }\n");
    assert_eq!(broken("src/sync/mod.rs", &code), ["unwrap"]);
    let code = with_doc("fn f() { Some(1).unwrap(); }");
    assert_eq!(broken("src/sync/load_tests.rs", &code), Vec::<&str>::new());
    let reason = "#[allow(clippy::x, reason = \"the lint is wrong here: see below\")]\nfn f() {}";
    assert_eq!(
        broken("src/sync/mod.rs", &with_doc(reason)),
        Vec::<&str>::new()
    );
}
