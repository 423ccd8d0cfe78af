//! Calls and names that are not wanted, and where.

use super::Fault;
use super::lexer::Source;

/// Floors that decide and never act.
const PURE: [&str; 7] = [
    "model",
    "mapping",
    "merge",
    "inventory",
    "prepare",
    "routing",
    "retry",
];

const IMPURE: [&str; 9] = [
    "async",
    ".await",
    "tokio",
    "reqwest",
    "futures_util",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
];

const UNFINISHED: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// Names that say nothing about what is inside.
const DRAWERS: [&str; 8] = [
    "util", "utils", "helper", "helpers", "manager", "common", "misc", "shared",
];

const CLOCKS: [&str; 4] = ["Utc::now", "Local::now", "SystemTime::now", "Instant::now"];

const ENVIRONMENT: [&str; 4] = ["env::var", "env::var_os", "env::vars", "env::vars_os"];

/// Rules by module: the words, and where they may stand. Tests outside `src` are free of them.
pub fn check(path: &str, source: &Source) -> Vec<Fault> {
    let mut faults = names(path, source);
    faults.extend(ban(
        path,
        source,
        "unfinished",
        &UNFINISHED,
        "finish it or take it out",
    ));
    faults.extend(silenced_lints(path, source));
    let Some(inside) = path.strip_prefix("src/") else {
        return faults;
    };
    let module = inside.split(['/', '.']).next().unwrap_or_default();
    if module != "store" {
        faults.extend(ban(
            path,
            source,
            "sqlx",
            &["sqlx"],
            "only `store` speaks SQL",
        ));
    }
    if PURE.contains(&module) {
        faults.extend(ban(
            path,
            source,
            "pure",
            &IMPURE,
            "this floor decides, it never acts",
        ));
    }
    faults.extend(ban(path, source, "time", &CLOCKS, "take a `clock::Clock`"));
    let said = "only `config` reads environment variables";
    faults.extend(ban(path, source, "environment", &ENVIRONMENT, said));

    // A file of tests that its module declares under `#[cfg(test)]` is known by its name.
    if path.ends_with("/tests.rs") || path.ends_with("_tests.rs") {
        return faults;
    }
    let said = "return an error, or `expect` what can never fail";
    faults.extend(ban_outside_tests(path, source, "unwrap", ".unwrap()", said));
    let said = "handle the result or say by name what is dropped";
    faults.extend(ban_outside_tests(
        path,
        source,
        "dropped-result",
        "let _ =",
        said,
    ));
    faults
}

fn ban(path: &str, source: &Source, rule: &'static str, words: &[&str], said: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for word in words {
        for at in source.words(word) {
            let text = format!("`{word}`: {said}");
            faults.push(Fault::new(rule, path, source.line(at), text));
        }
    }
    faults
}

fn ban_outside_tests(
    path: &str,
    source: &Source,
    rule: &'static str,
    word: &str,
    said: &str,
) -> Vec<Fault> {
    let places = source
        .words(word)
        .into_iter()
        .filter(|at| !source.is_test(*at));
    places
        .map(|at| Fault::new(rule, path, source.line(at), format!("`{word}`: {said}")))
        .collect()
}

/// `#[allow(…)]` and `#[expect(…)]` need a reason of some words.
fn silenced_lints(path: &str, source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for opening in ["#[allow", "#![allow", "#[expect", "#![expect"] {
        for at in source.words(opening) {
            let bracket = at + opening.find('[').unwrap_or(0);
            let end = source.close(bracket);
            let attribute: String = source.text[at..end].iter().collect();
            let reason = attribute
                .split_once("reason =")
                .map_or("", |(_, reason)| reason);
            if reason.len() < 12 {
                let text = format!("`{opening}` needs `reason = \"…\"` that says why");
                faults.push(Fault::new("allow", path, source.line(at), text));
            }
        }
    }
    faults
}

fn names(path: &str, source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let parts = path.split('/').map(|part| part.trim_end_matches(".rs"));
    for part in parts.filter(|part| path.starts_with("src/") && DRAWERS.contains(part)) {
        let text = format!("`{part}` is a drawer: name it by what it is for");
        faults.push(Fault::new("name", path, 1, text));
    }
    for at in source.words("mod") {
        let name = source.word(source.next(at + 3));
        if DRAWERS.contains(&name.as_str()) && path.starts_with("src/") {
            let text = format!("`mod {name}` is a drawer: name it by what it is for");
            faults.push(Fault::new("name", path, source.line(at), text));
        }
    }
    faults
}
