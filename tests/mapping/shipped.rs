//! The mappings that come with the product, and every example of the documentation, are valid.

use std::collections::BTreeMap;
use std::path::Path;

use tandem::mapping::{Fault, Mapping, SourceFile, bind, load};
use tandem::model::{Conflict, FirstSync, Side};

use crate::schemas::{read, schemas, shown};

pub fn files() -> Vec<SourceFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut files: Vec<SourceFile> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| SourceFile {
            path: format!("mappings/{}", path.file_name().unwrap().to_str().unwrap()),
            text: std::fs::read_to_string(&path).unwrap(),
        })
        .collect();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

fn mappings() -> Vec<Mapping> {
    let loaded = load(&files(), &BTreeMap::new());
    loaded
        .unwrap_or_else(|faults| panic!("{}", shown(&faults)))
        .mappings
}

#[test]
fn shipped_mappings_load_without_a_warning() {
    let loaded = load(&files(), &BTreeMap::new()).unwrap_or_else(|f| panic!("{}", shown(&f)));
    assert_eq!(shown(&loaded.warnings), "");
    let names: Vec<&str> = loaded.mappings.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["companies", "contacts", "deals", "leads"]);
}

#[test]
fn shipped_mappings_fit_a_standard_portal_and_org() {
    for mapping in mappings() {
        let bound = bind(&mapping, &schemas());
        let bound = bound.unwrap_or_else(|faults: Vec<Fault>| panic!("{}", shown(&faults)));
        for side in Side::BOTH {
            assert!(
                bound.key_field(side).is_some(),
                "{} has no key on {side}",
                mapping.name
            );
            let fields = bound.read_fields(side);
            assert!(fields.is_sorted() && !fields.is_empty());
            assert!(
                fields.iter().all(|field| !field.contains('/')),
                "{fields:?}"
            );
        }
    }
}

#[test]
fn shipped_mappings_never_let_the_clock_decide() {
    for mapping in mappings() {
        for rule in &mapping.rules {
            assert!(
                !matches!(rule.policy.conflict, Conflict::Newest { .. }),
                "{}",
                rule.name
            );
            assert!(
                !matches!(rule.policy.first_sync, FirstSync::Newest { .. }),
                "{}",
                rule.name
            );
        }
    }
}

#[test]
fn a_comment_changes_no_revision_and_a_rule_keeps_its_hash_when_another_changes() {
    let text = &files()[1].text;
    let original = read_one(text);
    let commented = read_one(&format!("# a comment\n{text}"));
    assert_eq!(original.revision, commented.revision);
    let edited = read_one(&text.replace("jobtitle: Title", "jobtitle: { to: Title, blank: keep }"));
    assert_ne!(original.revision, edited.revision);
    let changed: Vec<&str> = original
        .rules
        .iter()
        .zip(&edited.rules)
        .filter(|(old, new)| old.hash != new.hash)
        .map(|(old, _)| old.name.as_str())
        .collect();
    assert_eq!(changed, ["jobtitle"]);
}

fn read_one(text: &str) -> Mapping {
    let mut all: Vec<SourceFile> = files();
    all[1].text = text.to_owned();
    let loaded = load(&all, &BTreeMap::new()).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
    loaded
        .mappings
        .into_iter()
        .find(|m| m.name.as_str() == "contacts")
        .unwrap()
}

#[test]
fn the_stored_text_of_an_extended_mapping_loads_by_itself() {
    let child = "mapping: vip\nextends: companies\nrules:\n  description: ~\n  \
                 phone: { to: Phone, direction: to-hubspot }\ngroup: ${vars.group}\n";
    let mut all = files();
    all.push(SourceFile {
        path: "vip.yaml".into(),
        text: child.into(),
    });
    let vars = BTreeMap::from([("group".to_owned(), "g1".to_owned())]);
    let loaded = load(&all, &vars).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
    let vip = loaded
        .mappings
        .iter()
        .find(|m| m.name.as_str() == "vip")
        .unwrap();
    assert_eq!(vip.group.as_deref(), Some("g1"));
    assert!(vip.rule("description").is_none() && vip.rule("name").is_some());
    let again = read(&vip.text).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
    assert_eq!(again.mappings[0].revision, vip.revision);
    let hashes = |m: &Mapping| m.rules.iter().map(|r| r.hash.clone()).collect::<Vec<_>>();
    assert_eq!(hashes(&again.mappings[0]), hashes(vip));
}

#[test]
fn every_example_of_the_documentation_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = ["docs/mapping.md", "README.md"]
        .map(|page| std::fs::read_to_string(root.join(page)).unwrap())
        .concat();
    let head = "mapping: example\nhubspot: contacts\nsalesforce: Contact\nconflict: salesforce\n";
    let companions = [("companies", "Account"), ("deals", "Opportunity")];
    let mut count = 0;
    for block in text.split("```yaml\n").skip(1) {
        let example = block.split("```").next().unwrap();
        count += 1;
        let mut whole = String::new();
        for line in head.lines() {
            let key = line.split(':').next().unwrap();
            let own = example.lines().any(|l| l.starts_with(&format!("{key}:")));
            let inherited = example.contains("extends:") && key != "mapping";
            if !own && !inherited {
                whole.push_str(&format!("{line}\n"));
            }
        }
        whole.push_str(example);
        if !example.contains("\nrules:") && !example.starts_with("rules:") {
            whole.push_str("rules: { email: Email }\n");
        }
        let mut all: Vec<SourceFile> = companions
            .iter()
            .map(|(hubspot, salesforce)| SourceFile {
                path: format!("{hubspot}.yaml"),
                text: format!(
                    "mapping: {hubspot}\nhubspot: {hubspot}\nsalesforce: {salesforce}\n\
                     conflict: ask\nrules: {{ description: Description }}\n"
                ),
            })
            .collect();
        if !example.contains("mapping: contacts\n") {
            all.push(SourceFile {
                path: "contacts.yaml".into(),
                text: files()[1].text.clone(),
            });
        }
        all.push(SourceFile {
            path: "docs/mapping.md".into(),
            text: whole,
        });
        let vars = BTreeMap::from([("country".to_owned(), "DE".to_owned())]);
        if let Err(faults) = load(&all, &vars) {
            panic!("{}\nin\n{example}", shown(&faults));
        }
    }
    assert!(count > 25, "only {count} examples");
}
