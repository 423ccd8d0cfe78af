//! Data files: fields of a record on one side, and what becomes of them.
//!
//! A case names a rule and, per side, the record's fields. It expects any of `canon` (by side),
//! `carry` (by destination), `render` (by destination, with the other side's record as source).
//! A problem is written `reason: part of the detail`.

use std::path::Path;

use serde_json::{Map, Value as Json};
use tandem::mapping::{Bound, References, Rule};
use tandem::model::{
    BySide, Fields, LinkId, MappingName, Problem, Raw, RecordId, RecordKey, Side, Value,
};

use crate::schemas::bound;

fn raw(json: &Json) -> Raw {
    match json {
        Json::Null => Raw::Null,
        Json::String(text) => Raw::text(text),
        Json::Bool(truth) => Raw::Bool(*truth),
        Json::Number(number) => Raw::Number(number.to_string()),
        Json::Array(_) | Json::Object(_) => panic!("a field is no {json}"),
    }
}

fn fields(json: Option<&Json>) -> Fields {
    let empty = Map::new();
    let map = json.and_then(Json::as_object).unwrap_or(&empty);
    map.iter()
        .map(|(name, value)| (name.clone(), raw(value)))
        .collect()
}

/// Company 1 and account 001…A are linked, company 2 is not.
fn references() -> References {
    let link = LinkId::new("lnk_acme");
    let mut references = References::default();
    for (side, id) in [
        (Side::HubSpot, "1"),
        (Side::Salesforce, "001000000000001AAA"),
    ] {
        let key = RecordKey {
            mapping: MappingName::new("companies"),
            side,
            id: RecordId::new(id),
        };
        references.links.insert(key, link.clone());
    }
    let ids = BySide::new(
        Some(RecordId::new("1")),
        Some(RecordId::new("001000000000001AAA")),
    );
    references.records.insert(link, ids);
    references
}

fn problem(problem: &Problem) -> String {
    format!("{}: {}", problem.reason.as_str(), problem.detail)
}

fn said(result: &Result<Value, Problem>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(found) => problem(found),
    }
}

fn check(name: &str, expected: &Json, found: &str) {
    let wanted = match expected {
        Json::Null => "(blank)".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let problem = ["unmapped:", "unreadable:", "unresolved:"]
        .iter()
        .any(|p| wanted.starts_with(p));
    if problem {
        let (reason, part) = wanted.split_once(": ").unwrap();
        assert!(
            found.starts_with(reason) && found.contains(part),
            "{name}: {found}"
        );
    } else {
        assert_eq!(found, wanted, "{name}");
    }
}

fn run(name: &str, bound: &Bound, case: &Json) {
    let rule: &Rule = bound
        .mapping()
        .rule(case["rule"].as_str().unwrap())
        .unwrap_or_else(|| panic!("{name}: no such rule"));
    let name = format!("{name} {case}");
    let refs = references();
    let records = BySide::new(fields(case.get("hubspot")), fields(case.get("salesforce")));
    let canon = BySide::from_fn(|side| bound.canon(rule, side, records.get(side), &refs));
    let carried = |to: Side| {
        let from = to.other();
        let value = canon.get(from).clone()?;
        bound.carry(rule, from, records.get(from), &value, &refs)
    };
    for side in Side::BOTH {
        let part = |key: &str| case.get(key).and_then(|json| json.get(side.as_str()));
        if let Some(expected) = part("canon") {
            check(&name, expected, &said(canon.get(side)));
        }
        if let Some(expected) = part("carry") {
            check(&name, expected, &said(&carried(side)));
        }
        if let Some(expected) = part("render") {
            let value = carried(side).unwrap_or_else(|p| panic!("{name}: {}", problem(&p)));
            let rendered = bound.render(rule, side, &value, records.get(side), &refs);
            match (rendered, expected.as_str()) {
                (Ok(found), _) => assert_eq!(found, fields(Some(expected)), "{name}"),
                (Err(found), Some(_)) => check(&name, expected, &problem(&found)),
                (Err(found), None) => panic!("{name}: {}", problem(&found)),
            }
        }
    }
}

#[test]
fn values_travel_as_the_case_files_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/mapping/values");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let document: Json = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{name} {e}"));
        let bound = bound(document["mapping"].as_str().unwrap());
        for case in document["cases"].as_array().unwrap() {
            run(&name, &bound, case);
            count += 1;
        }
    }
    assert!(count > 60, "only {count} cases");
}
