//! A workspace's own table of owners in front of the mappings'.

use std::collections::BTreeMap;

use tandem::mapping::{
    Bound, Fault, Loaded, Mapping, References, SourceFile, bind, load_with, owner_table,
};
use tandem::model::{Fields, OwnerPair, OwnerTable, Raw, Side, Value};

use crate::schemas::{read, schemas, shown};

const HEAD: &str = "mapping: contacts\nhubspot: contacts\nsalesforce: Contact\n\
    conflict: salesforce\nrules:\n  email: Email\n";
/// Users of Salesforce in the schemas.
const ANN: &str = "005000000000001AAA";
const OPS: &str = "005000000000003AAA";
const QUEUE: &str = "00G000000000004EAA";

fn table(pairs: &[(&str, &str)]) -> OwnerTable {
    let pairs = pairs.iter().map(|(hubspot, salesforce)| OwnerPair {
        hubspot: (*hubspot).to_owned(),
        salesforce: (*salesforce).to_owned(),
    });
    OwnerTable::new(pairs.collect()).unwrap()
}

fn text(owner: &str) -> String {
    format!("{HEAD}  hubspot_owner_id: {{ to: OwnerId, owner: {owner} }}\n")
}

fn loaded(text: &str, owners: &OwnerTable) -> Result<Loaded, Vec<Fault>> {
    let file = SourceFile {
        path: "test.yaml".into(),
        text: text.into(),
    };
    load_with(&[file], &BTreeMap::new(), owners)
}

fn mapping(owner: &str, owners: &OwnerTable) -> Mapping {
    let loaded = loaded(&text(owner), owners).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
    assert!(loaded.warnings.is_empty(), "{}", shown(&loaded.warnings));
    loaded.mappings[0].clone()
}

fn bound(mapping: &Mapping) -> Bound {
    bind(mapping, &schemas()).unwrap_or_else(|faults| panic!("{}", shown(&faults)))
}

/// Who owns on the other side what this one owns.
fn carried(bound: &Bound, from: Side, id: &str) -> Value {
    let rule = bound.mapping().rule("hubspot_owner_id").unwrap();
    let fields = Fields::from([(rule.writes(from)[0].clone(), Raw::text(id))]);
    let refs = References::default();
    let value = bound.canon(rule, from, &fields, &refs).unwrap();
    bound.carry(rule, from, &fields, &value, &refs).unwrap()
}

#[test]
fn pairs_of_the_workspace_go_before_those_of_the_rule() {
    let own = "{ chain: [table, email, keep], \
               table: { ann@example.com: Ops, cleo@example.com: ops@example.com } }";
    let owners = table(&[("ANN@example.com", "Inside Sales"), ("12", "Ann")]);
    let (plain, with) = (mapping(own, &OwnerTable::default()), mapping(own, &owners));
    let (before, after) = (bound(&plain), bound(&with));
    let to = |bound: &Bound, id: &str| carried(bound, Side::HubSpot, id);
    assert_eq!(to(&before, "11"), Value::text(OPS));
    assert_eq!(to(&after, "11"), Value::text(QUEUE));
    assert_eq!(to(&after, "12"), Value::text(ANN), "named by its id");
    assert_eq!(to(&after, "14"), Value::text(OPS), "the rule's own goes on");
    let back = |bound: &Bound, id: &str| carried(bound, Side::Salesforce, id);
    assert_eq!(back(&after, QUEUE), Value::text("11"));
    assert_eq!(back(&after, ANN), Value::text("12"));
    assert_eq!(
        back(&after, OPS),
        Value::text("14"),
        "the rule's pair of the same owner is gone, not only hidden"
    );
}

#[test]
fn another_table_is_another_revision_and_another_rule_and_none_is_none() {
    let own = "{ chain: [table, keep], table: { cleo@example.com: Ops } }";
    let plain = mapping(own, &OwnerTable::default());
    assert_eq!(plain.text, text(own), "the file stands for itself");
    let one = mapping(own, &table(&[("ann@example.com", "Ops")]));
    let two = mapping(own, &table(&[("ann@example.com", "Ann")]));
    let of = |mapping: &Mapping, rule: &str| mapping.rule(rule).unwrap().hash.clone();
    assert_ne!(plain.revision, one.revision);
    assert_ne!(one.revision, two.revision);
    assert_ne!(of(&plain, "hubspot_owner_id"), of(&one, "hubspot_owner_id"));
    assert_eq!(
        of(&plain, "email"),
        of(&one, "email"),
        "nothing new for others"
    );
}

#[test]
fn the_kept_text_has_the_table_and_loads_by_itself() {
    let own = "{ chain: [table, keep], table: { Ann@example.com: Ops } }";
    let with = mapping(own, &table(&[("ann@example.com", "Inside Sales")]));
    assert!(
        with.text
            .contains("\n        \"ann@example.com\": \"Inside Sales\"\n"),
        "{}",
        with.text
    );
    assert!(!with.text.contains("Ann@example.com"), "{}", with.text);
    let again = read(&with.text).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
    assert_eq!(again.mappings[0].revision, with.revision);
}

#[test]
fn a_rule_without_a_table_gets_one_and_one_that_wants_none_does_not() {
    let owners = table(&[("ann@example.com", "Inside Sales")]);
    let without = bound(&mapping("{ chain: [table, keep] }", &owners));
    assert_eq!(carried(&without, Side::HubSpot, "11"), Value::text(QUEUE));
    for chain in ["{}", "{ table: {} }"] {
        let usual = bound(&mapping(chain, &owners));
        assert_eq!(carried(&usual, Side::HubSpot, "11"), Value::text(QUEUE));
    }
    let unwanted = text("{ chain: [email, keep] }");
    let loaded = loaded(&unwanted, &owners).unwrap();
    assert_eq!(loaded.mappings[0].text, unwanted);
    let told = shown(&loaded.warnings);
    assert!(
        told.contains("no rule looks into the workspace's table"),
        "{told}"
    );
}

#[test]
fn a_fault_of_the_rules_own_table_is_told_as_ever() {
    for owner in [
        "yes",
        "{ table: [a, b] }",
        "{ table: ~ }",
        "{ chain: table }",
    ] {
        let faults = loaded(&text(owner), &table(&[("a", "b")])).unwrap_err();
        let told = shown(&faults);
        assert!(told.contains("test.yaml:7:"), "{owner}: {told}");
    }
}

#[test]
fn what_would_not_load_again_is_refused() {
    let pairs: Vec<String> = (0..1_000).map(|index| index.to_string()).collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|one| (one.as_str(), "Ops")).collect();
    let rule = |index: usize| format!("  owner_{index}: {{ to: Owner_{index}__c, owner: {{}} }}\n");
    let with = |rules: usize| {
        let rules: String = (0..rules).map(rule).collect();
        loaded(&format!("{HEAD}{rules}"), &table(&pairs))
    };
    assert!(with(4).is_ok());
    let told = shown(&with(5).unwrap_err());
    assert!(told.contains("take pairs out"), "{told}");
}

/// Each name is looked for among everybody, to say who was meant.
#[test]
fn a_table_that_fits_nowhere_is_told_in_a_few_lines() {
    let pairs: Vec<String> = (0..1_000)
        .map(|index| format!("no{index}@example.com"))
        .collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|one| (one.as_str(), "Ops")).collect();
    let bound = bound(&mapping("{}", &table(&pairs)));
    let told = bound.warnings();
    assert_eq!(told.len(), 21, "{}", shown(told));
    assert!(shown(told).contains("HubSpot has no owner `no0@example.com`"));
    assert!(shown(told).contains("980 more names"), "{}", shown(told));
}

#[test]
fn a_file_of_pairs_is_read_as_a_rules_table_is() {
    let file = |text: &str| SourceFile {
        path: "owners.yaml".into(),
        text: text.into(),
    };
    let read = owner_table(&file(
        "ann@example.com: Inside Sales\n12: 005000000000003AAA\n",
    ));
    let expected = table(&[("ann@example.com", "Inside Sales"), ("12", OPS)]);
    assert_eq!(read, Ok(expected));
    for (text, told) in [
        (
            "ann@example.com: a\nann@example.com: b\n",
            "owners.yaml:2:1: error: `ann@example.com` is given twice",
        ),
        ("ann@example.com: a\nANN@example.com: b\n", "pairs 1 and 2"),
        (
            "- ann@example.com\n",
            "takes `HubSpot owner: Salesforce user` pairs",
        ),
        ("ann@example.com: [a]\n", "owners.yaml:1:18: error"),
        ("ann@example.com: ~\n", "pairs"),
        ("", "has no pairs"),
    ] {
        let faults = owner_table(&file(text)).unwrap_err();
        assert!(shown(&faults).contains(told), "{text}: {}", shown(&faults));
    }
}
