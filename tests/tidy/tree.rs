//! Rules about the tree as a whole: the code map, the migrations, files nobody declares.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Fault;
use super::layers::FLOORS;

/// Modules the code map may name before they stand in the tree. Each joins from a branch of its
/// own; an entry that stands in the tree is a fault.
const COMING: &[&str] = &[];

/// All Rust files of the package as (path from the root, text), ordered by path.
pub fn rust_files(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for top in ["src", "tests", "benches", "examples"] {
        collect(root, top, &mut found);
    }
    found.sort();
    assert!(
        found.len() > 5,
        "the tree was not found under {}",
        root.display()
    );
    found
}

fn collect(root: &Path, folder: &str, found: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return;
    };
    for entry in entries {
        let entry = entry.expect("a folder of the package can be listed");
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            if entry.file_name() != "node_modules" {
                collect(root, &path, found);
            }
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("a Rust file is UTF-8");
            found.push((path, text));
        }
    }
}

pub fn check(root: &Path) -> Vec<Fault> {
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap_or_default();
    let mut faults = code_map(&map, &modules(root), COMING);
    faults.extend(migrations(&file_names(&root.join("migrations"))));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let readme = fs::read_to_string(root.join("README.md")).unwrap_or_default();
    faults.extend(dependency_table(&manifest, &readme));
    faults
}

/// The README's table gives every dependency a line, and none that is gone.
fn dependency_table(manifest: &str, readme: &str) -> Vec<Fault> {
    let mut used = BTreeSet::new();
    for section in manifest.split("\n[") {
        let name = section.split(']').next().unwrap_or_default();
        // Those of one platform stand under `target.….dependencies`.
        let kind = name.rsplit('.').next().unwrap_or_default();
        if kind == "dependencies" || kind == "dev-dependencies" {
            let entries = section.lines().skip(1);
            let entries = entries.filter_map(|line| line.split_once(" = "));
            used.extend(entries.map(|(name, _)| name.to_owned()));
        }
    }
    // For tests the package asks for its own features.
    used.remove("tandem");
    let table = readme.split("| Crate |").nth(1).unwrap_or_default();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let named: BTreeSet<String> = cells
        .flat_map(|cell| cell.trim().trim_end_matches("(tests)").split(','))
        .map(|name| name.trim().trim_matches('*').to_owned())
        .collect();
    let fault = |said: String| Fault::new("dependencies", "README.md", 0, said);
    let missing = used
        .difference(&named)
        .map(|name| fault(format!("no line for `{name}`")));
    let gone = named
        .difference(&used)
        .map(|name| fault(format!("`{name}` is not used")));
    missing.chain(gone).collect()
}

/// The modules that stand directly under `src`.
fn modules(root: &Path) -> BTreeSet<String> {
    file_names(&root.join("src"))
        .into_iter()
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .filter(|name| name != "main" && name != "lib")
        .collect()
}

fn file_names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The section "Code map" of ARCHITECTURE.md names the modules of the tree, no more and no fewer.
fn code_map(text: &str, modules: &BTreeSet<String>, coming: &[&str]) -> Vec<Fault> {
    let path = "ARCHITECTURE.md";
    let section = text
        .split("\n## ")
        .find(|part| part.starts_with("Code map"))
        .unwrap_or_default();
    let named: BTreeSet<String> = section
        .split("`src/")
        .skip(1)
        .filter_map(|rest| rest.split('`').next())
        .filter_map(|name| name.split(['/', '.']).next())
        .filter(|name| *name != "main" && *name != "lib")
        .map(str::to_owned)
        .collect();
    let fault = |said: String| Fault::new("code-map", path, 0, said);
    let mut faults = Vec::new();
    for module in modules.difference(&named) {
        faults.push(fault(format!("the code map lacks `src/{module}`")));
    }
    for module in named.difference(modules) {
        if !coming.contains(&module.as_str()) {
            faults.push(fault(format!(
                "`src/{module}` is in the code map, not in the tree"
            )));
        }
    }
    for module in coming.iter().filter(|name| modules.contains(**name)) {
        faults.push(fault(format!(
            "`src/{module}` stands now: take it out of COMING"
        )));
    }
    for module in modules
        .iter()
        .filter(|name| FLOORS.iter().all(|(floor, _)| floor != name))
    {
        faults.push(fault(format!(
            "`src/{module}` has no floor in tests/tidy/layers.rs"
        )));
    }
    faults
}

/// Migrations are `NNNN_words.sql`, numbered from 0001 without gaps.
fn migrations(names: &[String]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let scripts = names.iter().filter(|name| *name != "README.md");
    for (index, name) in scripts.enumerate() {
        let stem = name.strip_suffix(".sql").unwrap_or_default();
        let (number, words) = stem.split_once('_').unwrap_or_default();
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if number != format!("{:04}", index + 1) || words.len() < 3 || !words.chars().all(is_word) {
            let said = format!("`{name}` should be {:04}_words.sql", index + 1);
            faults.push(Fault::new("migrations", "migrations", 0, said));
        }
    }
    faults
}

#[test]
fn a_map_that_differs_from_the_tree_is_caught() {
    let modules = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let map = "# A\n\n## Code map\n\n| `src/model/` | words |\n| `src/clock.rs` | time |\n\n## B\n";
    assert!(code_map(map, &modules(&["clock", "model"]), &[]).is_empty());
    assert_eq!(
        code_map(map, &modules(&["clock", "model", "store"]), &[]).len(),
        1
    );
    assert_eq!(code_map(map, &modules(&["model"]), &[]).len(), 1);
    assert!(code_map(map, &modules(&["model"]), &["clock"]).is_empty());
    assert_eq!(
        code_map(map, &modules(&["clock", "model"]), &["clock"]).len(),
        1
    );
    assert_eq!(code_map("", &modules(&["model"]), &[]).len(), 1);
    let map = "\n## Code map\n`src/attic/`\n";
    assert_eq!(
        code_map(map, &modules(&["attic"]), &[]).len(),
        1,
        "no floor"
    );
}

#[test]
fn a_migration_with_a_bare_number_or_a_gap_is_caught() {
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).to_owned()).collect() };
    assert!(
        migrations(&names(&[
            "0001_first_tables.sql",
            "0002_holds.sql",
            "README.md"
        ]))
        .is_empty()
    );
    for wrong in [
        "1677078479.sql",
        "0001.sql",
        "0002_gap.sql",
        "0001_Big.sql",
        "0001_x.txt",
    ] {
        assert_eq!(migrations(&names(&[wrong])).len(), 1, "{wrong}");
    }
}

#[test]
fn a_dependency_without_a_reason_is_caught() {
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\nserde = \"1\"\n\n\
                    [target.'cfg(unix)'.dependencies]\nurl = \"2\"\n\n\
                    [dev-dependencies]\ndivan = \"0.1\"\n\n[lints.rust]\nunsafe_code = \"deny\"\n";
    let readme =
        "| Crate | What for |\n|---|---|\n| serde, url | x |\n| *divan* (tests) | y |\n\nEnd";
    assert_eq!(dependency_table(manifest, readme), Vec::new());
    assert_eq!(
        dependency_table(manifest, &readme.replace(", url", "")).len(),
        1
    );
    assert_eq!(
        dependency_table(manifest, &readme.replace("url", "url, old")).len(),
        1
    );
    assert_eq!(dependency_table(manifest, "").len(), 3);
}
