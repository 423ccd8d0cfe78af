//! Mapping files by authors who err, and by some who mean it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use tandem::mapping::{
    Bound, Fault, Mapping, References, Severity, SourceFile, bind, load, load_with,
};
use tandem::model::{Fields, OwnerPair, OwnerTable, Raw, Schemas, Side};

use crate::mutate::Shape;
use crate::run::Target;
use crate::schemas::{bound, read, schemas, shown};

pub const SHIPPED: [&str; 4] = [
    include_str!("../../mappings/companies.yaml"),
    include_str!("../../mappings/contacts.yaml"),
    include_str!("../../mappings/deals.yaml"),
    include_str!("../../mappings/leads.yaml"),
];

#[test]
fn no_mapping_file_breaks_the_reader() {
    let mut samples: Vec<Vec<u8>> = SHIPPED.map(|text| text.as_bytes().to_vec()).to_vec();
    samples.push(SHIPPED.join("%%%%\n").into_bytes());
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/mapping");
    for folder in ["faulty", "values"] {
        for entry in std::fs::read_dir(format!("{cases}/{folder}")).unwrap() {
            samples.push(std::fs::read(entry.unwrap().path()).unwrap());
        }
    }
    samples.sort();
    Target {
        name: "mapping",
        shape: Shape::Lines,
        cases: 350,
        samples,
        check,
    }
    .run();
}

/// What the mutations begin from is sound; a sample that does not load would test little.
#[test]
fn the_samples_of_mapping_files_load() {
    for text in SHIPPED {
        let alone = read(text);
        let text = alone
            .as_ref()
            .map_or_else(|faults| shown(faults), |_| String::new());
        // A file that refers to another mapping has that one fault when it stands alone.
        let other = |line: &str| line.contains("there is no mapping") || !line.contains("error:");
        assert!(text.lines().all(other), "{text}");
    }
    let _ = bound(
        "mapping: c\nhubspot: contacts\nsalesforce: Contact\nconflict: ask\n\
        rules:\n  lastname: { to: LastName, default: x }\n",
    );
}

pub fn known() -> &'static Schemas {
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    SCHEMAS.get_or_init(schemas)
}

fn check(input: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let files: Vec<SourceFile> = text
        .split("%%%%\n")
        .enumerate()
        .map(|(nth, text)| SourceFile {
            path: format!("{nth}.yaml"),
            text: text.to_owned(),
        })
        .collect();
    let vars = BTreeMap::from([("region".to_owned(), "EU".to_owned())]);
    let loaded = match load_with(&files, &vars, owners()) {
        Err(faults) => return fit_for_people(&faults),
        Ok(loaded) => loaded,
    };
    loads_again(&loaded.mappings)?;
    for mapping in &loaded.mappings {
        match bind(mapping, known()) {
            Err(faults) => fit_for_people(&faults)?,
            Ok(bound) => run(&bound),
        }
    }
    Ok(())
}

fn owners() -> &'static OwnerTable {
    static OWNERS: OnceLock<OwnerTable> = OnceLock::new();
    OWNERS.get_or_init(|| {
        let pair = |hubspot: &str, salesforce: &str| OwnerPair {
            hubspot: hubspot.to_owned(),
            salesforce: salesforce.to_owned(),
        };
        let pairs = vec![pair("ann@example.com", "Ops: \"#1\""), pair("12", "ops")];
        OwnerTable::new(pairs).expect("a sound table")
    })
}

/// What is kept of a mapping means the same when it is read again, without variables and owners.
fn loads_again(mappings: &[Mapping]) -> Result<(), String> {
    let kept = mappings.iter().map(|mapping| SourceFile {
        path: mapping.name.as_str().to_owned(),
        text: mapping.text.clone(),
    });
    let kept: Vec<SourceFile> = kept.collect();
    let again = load(&kept, &BTreeMap::new()).map_err(|faults| format!("kept text: {faults:?}"))?;
    let revisions = |all: &[Mapping]| -> Vec<String> {
        let revisions = all.iter().map(|one| one.revision.as_str().to_owned());
        revisions.collect()
    };
    let (before, after) = (revisions(mappings), revisions(&again.mappings));
    (before == after)
        .then_some(())
        .ok_or_else(|| format!("kept text has other revisions: {before:?} {after:?}"))
}

/// Faults say something, in a place, and one of them is an error.
pub fn fit_for_people(faults: &[Fault]) -> Result<(), String> {
    if !faults.iter().any(|fault| fault.severity == Severity::Error) {
        return Err("refused without an error".to_owned());
    }
    for fault in faults {
        let told = fault.to_string();
        if fault.line == 0 || fault.column == 0 || fault.message.is_empty() {
            return Err(format!("a fault without a place or a word: {told}"));
        }
        if told.len() > 4_000 {
            return Err(format!("a fault of {} bytes", told.len()));
        }
    }
    Ok(())
}

/// Does with a mapping what a run does with it, over a record in which everything is odd.
pub fn run(bound: &Bound) {
    let references = References::default();
    for side in Side::BOTH {
        let odd: Fields = known()
            .objects
            .get(side)
            .values()
            .flat_map(|object| object.fields.keys())
            .map(|name| (name.clone(), Raw::text("1e5 ; ' é")))
            .collect();
        for fields in [Fields::new(), odd] {
            let _ = bound.takes_part(side, &fields);
            let _ = bound.may_create(side, &fields);
            let _ = bound.match_keys(side, &fields);
            let _ = bound.missing_for_create(side, &fields);
            let _ = bound.refusals(side, &fields);
            bound.fill_defaults(side, &mut fields.clone());
            for rule in &bound.mapping().rules {
                let Ok(value) = bound.canon(rule, side, &fields, &references) else {
                    continue;
                };
                let carried = bound.carry(rule, side, &fields, &value, &references);
                if let Ok(carried) = carried {
                    let to = side.other();
                    let _ = bound.render(rule, to, &carried, &Fields::new(), &references);
                }
            }
        }
    }
}
