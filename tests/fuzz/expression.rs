//! Expressions of mapping files: compiled and evaluated, as a rule, a filter and a country.

use std::sync::atomic::{AtomicU32, Ordering};

use tandem::mapping::bind;

use crate::mapping::{known, run};
use crate::mutate::Shape;
use crate::run::Target;
use crate::schemas::read;

#[test]
fn no_expression_breaks_loops_or_grows() {
    Target {
        name: "expression",
        shape: Shape::Words,
        cases: 2_000,
        samples: [
            "`${firstname} ${lastname}`",
            r#"lifecyclestage in ["opportunity", "customer"] && email != ()"#,
            r#"country ?? "DE""#,
            "score * 1.2 + 3 - 1 / 2 % 5",
            "title(lower(trim(lastname)))",
            r#"email.ends_with("@test.com") || vip"#,
            r#"replace(firstname, "a", "bb").len() > 3"#,
            "if score > 3 { 1 } else { 2 }",
            "switch city { \"a\" => 1, _ => 2 }",
            "round(score ** 2, 3) << 2",
            r#"[1, 2, [3]].contains(2) && #{a: 1}.a == 1"#,
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        check,
    }
    .run();
    let compiled = BOUND.load(Ordering::Relaxed);
    assert!(
        compiled > 40,
        "only {compiled} files held a sound expression"
    );
}

/// Files that were evaluated: a test in which all is refused at the door would test nothing.
static BOUND: AtomicU32 = AtomicU32::new(0);

fn check(input: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let expression = serde_json::to_string(&text).unwrap();
    let country = serde_json::to_string(&format!("phone({text})")).unwrap();
    let head = "mapping: contacts\nhubspot: contacts\nsalesforce: Contact\nconflict: salesforce\n";
    let last = "  lastname: { to: LastName, default: x }\n";
    let rules = format!("rules:\n{last}");
    let computed = format!("{head}{rules}computed:\n");
    for file in [
        format!("{head}only: {{ hubspot: {expression} }}\n{rules}"),
        format!("{computed}  - {{ to: salesforce.Title, value: {expression} }}\n"),
        format!("{computed}  - {{ to: salesforce.Score__c, value: {expression} }}\n"),
        format!("{head}{rules}  phone: {{ to: Phone, as: {country} }}\n"),
    ] {
        let Ok(loaded) = read(&file) else { continue };
        for mapping in &loaded.mappings {
            if let Ok(bound) = bind(mapping, known()) {
                BOUND.fetch_add(1, Ordering::Relaxed);
                run(&bound);
            }
        }
    }
    Ok(())
}
