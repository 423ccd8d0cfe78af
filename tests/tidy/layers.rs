//! Who may import whom, read from every path that names a module of ours.

use super::Fault;
use super::lexer::Source;

/// The floors of the house: a module and the modules it may import.
///
/// `cli` and `app` wire everything together; `sim` stands apart and, of `model`, knows only the
/// time stamp. A module that is not listed may import nothing: list it with its floor.
pub const FLOORS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("bugs", &[]),
    ("clock", &["model"]),
    ("config", &[]),
    ("telemetry", &["config"]),
    ("mapping", &["model"]),
    ("merge", &["model"]),
    ("inventory", &["model", "mapping"]),
    ("prepare", &["model", "mapping"]),
    ("routing", &["model"]),
    ("retry", &["model"]),
    ("store", &["model", "bugs", "clock"]),
    ("crm", &["model", "bugs", "clock"]),
    ("vault", &["model", "clock", "store", "crm"]),
    (
        "pipeline",
        &[
            "model", "bugs", "clock", "mapping", "merge", "retry", "store",
        ],
    ),
    (
        "sources",
        &[
            "model", "bugs", "clock", "mapping", "retry", "store", "crm", "pipeline",
        ],
    ),
    (
        "sync",
        &[
            "model", "bugs", "clock", "mapping", "merge", "retry", "store", "crm", "pipeline",
        ],
    ),
    (
        "explain",
        &["model", "mapping", "merge", "store", "pipeline"],
    ),
    (
        "review",
        &["model", "clock", "store", "pipeline", "explain"],
    ),
    ("notices", &["model", "clock", "store", "vault", "pipeline"]),
    ("cases", &["model", "mapping", "merge", "pipeline", "sync"]),
    (
        "delivery",
        &[
            "model", "clock", "mapping", "routing", "retry", "store", "vault", "crm", "pipeline",
        ],
    ),
    (
        "api",
        &[
            "model",
            "clock",
            "config",
            "telemetry",
            "mapping",
            "merge",
            "routing",
            "retry",
            "store",
            "vault",
            "crm",
            "pipeline",
            "sources",
            "sync",
            "delivery",
            "explain",
            "prepare",
            "review",
            "notices",
            "app",
        ],
    ),
    (
        "app",
        &[
            "model",
            "bugs",
            "clock",
            "config",
            "telemetry",
            "mapping",
            "merge",
            "inventory",
            "routing",
            "retry",
            "store",
            "vault",
            "crm",
            "pipeline",
            "sources",
            "sync",
            "explain",
            "review",
            "cases",
            "prepare",
            "delivery",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "clock",
            "config",
            "telemetry",
            "mapping",
            "merge",
            "routing",
            "retry",
            "store",
            "vault",
            "crm",
            "pipeline",
            "sources",
            "sync",
            "delivery",
            "explain",
            "review",
            "cases",
            "inventory",
            "prepare",
            "notices",
            "api",
            "app",
            "sim",
        ],
    ),
    ("sim", &["clock", "model"]),
    ("main", &["cli"]),
    ("lib", &[]),
];

pub fn check(path: &str, source: &Source) -> Vec<Fault> {
    let Some(inside) = path.strip_prefix("src/") else {
        return Vec::new();
    };
    let own = inside.split(['/', '.']).next().unwrap_or_default();
    let mut faults = Vec::new();
    for (at, parts) in imported(path, source) {
        if let Some(said) = forbidden(own, inside, &parts) {
            let text = format!("`{}`: {said}", parts.join("::"));
            faults.push(Fault::new("layers", path, source.line(at), text));
        }
    }
    faults.dedup();
    faults
}

/// Why the module at `inside` may not name `parts` (a path from the root of the crate).
fn forbidden(own: &str, inside: &str, parts: &[String]) -> Option<String> {
    let first = parts.first().map_or("", String::as_str);
    let second = parts.get(1).map_or("", String::as_str);
    let sides = [("hubspot", "salesforce"), ("salesforce", "hubspot")];
    if let Some((side, other)) = sides
        .iter()
        .find(|(_, other)| first == own && second == *other)
        && inside.starts_with(&format!("{own}/{side}/"))
    {
        return Some(format!("{own}/{side} must not know {own}/{other}"));
    }
    if first == own || (own == "lib" && !first.is_empty()) {
        return None;
    }
    let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == own) else {
        return Some(format!("`{own}` has no floor yet: add it to the table"));
    };
    if !allowed.contains(&first) {
        return Some(format!("`{own}` may import only {}", allowed.join(", ")));
    }
    let stamp_only = own == "sim" && first == "model" && second != "Timestamp";
    stamp_only.then(|| "of `model`, `sim` may know only `Timestamp`".to_owned())
}

/// Every path that starts at the root of the crate, with groups opened two levels deep.
fn imported(path: &str, source: &Source) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for root in ["crate", "tandem"] {
        for at in source.words(root) {
            let after = source.next(at + root.len());
            if source.is(after, "::") {
                expand(source, after + 2, &[], &mut found);
            } else if root == "crate" && source.word(after) == "as" {
                found.push((at, vec!["*".to_owned()]));
            }
        }
    }
    climbing(path, source, &mut found);
    found
}

/// `super::` chains that leave the module they stand in.
fn climbing(path: &str, source: &Source, found: &mut Vec<(usize, Vec<String>)>) {
    let trimmed = path.trim_start_matches("src/").trim_end_matches(".rs");
    let module: Vec<&str> = trimmed.split('/').filter(|part| *part != "mod").collect();
    let inline = source.inline_modules();
    let mut last_end = 0;
    for at in source.words("super") {
        if at < last_end {
            continue;
        }
        let nested = inline
            .iter()
            .filter(|(from, to, _)| (*from..*to).contains(&at))
            .count();
        let mut here = at;
        let mut climbs = 0_usize;
        while source.word(here) == "super" && source.is(source.next(here + 5), "::") {
            climbs += 1;
            here = source.next(source.next(here + 5) + 2);
        }
        last_end = here;
        let outside = climbs.saturating_sub(nested);
        if outside > 0 && outside <= module.len() && module != ["lib"] {
            let kept: Vec<String> = module[..module.len() - outside]
                .iter()
                .map(|part| (*part).to_owned())
                .collect();
            expand(source, here, &kept, found);
        }
    }
}

/// Reads the path or group at `at` below `above`; stops at two parts, which is all the rules need.
fn expand(source: &Source, at: usize, above: &[String], found: &mut Vec<(usize, Vec<String>)>) {
    let at = source.next(at);
    if above.len() >= 2 {
        found.push((at, above.to_vec()));
        return;
    }
    if source.is(at, "{") {
        let end = source.close(at) - 1;
        let mut item = at + 1;
        let mut here = item;
        while here < end {
            if source.is(here, "{") {
                here = source.close(here);
            } else if source.is(here, ",") {
                expand(source, item, above, found);
                item = here + 1;
                here = item;
            } else {
                here += 1;
            }
        }
        if source.next(item) < end {
            expand(source, item, above, found);
        }
        return;
    }
    let name = if source.is(at, "*") {
        "*".to_owned()
    } else {
        source.word(at)
    };
    if name.is_empty() {
        return;
    }
    let after = source.next(at + name.chars().count());
    let mut parts = above.to_vec();
    parts.push(name);
    if source.is(after, "::") {
        expand(source, after + 2, &parts, found);
    } else {
        found.push((at, parts));
    }
}
