//! The editor schema and the reader agree.

use serde_json::Value as Json;
use tandem::mapping::json_schema;

use crate::schemas::read;
use crate::shipped::files;

fn json(text: &str) -> Json {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn shipped_files_satisfy_the_editor_schema() {
    let schema = json_schema();
    assert!(jsonschema::meta::is_valid(&schema), "no valid JSON Schema");
    let validator = jsonschema::validator_for(&schema).unwrap();
    for file in files() {
        let document = json(&file.text);
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|e| format!("{} {e}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", file.path);
    }
}

#[test]
fn what_the_schema_refuses_the_reader_refuses_too() {
    let schema = json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let head = "mapping: m\nhubspot: contacts\nsalesforce: Contact\nconflict: salesforce\n";
    let broken = [
        "conflict: [x]\nrules: { email: Email }",
        "rules: { email: { too: Email } }",
        "rules: { email: [Email] }",
        "rules: {}",
        "rulez: { email: Email }",
        "direction: sideways\nrules: { email: Email }",
        "first-sync: { fill-blanks: nobody }\nrules: { email: Email }",
        "match: email\nrules: { email: Email }",
        "match: [{ hubspot: email }]\nrules: { email: Email }",
        "create: sometimes\nrules: { email: Email }",
        "delete: { hubspot: destroy }\nrules: { email: Email }",
        "only: email\nrules: { email: Email }",
        "guard: { deletes: many }\nrules: { email: Email }",
        "rules: { email: { to: Email, blank: perhaps } }",
        "rules: { email: { to: Email, values: [a] } }",
        "rules: { email: { to: Email, owner: yes } }",
        "rules: { email: { to: Email, enforce: maybe } }",
        "rules: { email: Email }\nassociations: [{ hubspot: companies }]",
        "rules: { email: Email }\ncomputed: [{ to: salesforce.Title }]",
        "create-without-key: yes\nrules: { email: Email }",
    ];
    for tail in broken {
        let head = if tail.starts_with("conflict") {
            head.replace("conflict: salesforce\n", "")
        } else {
            head.to_owned()
        };
        let text = format!("{head}{tail}\n");
        assert!(
            !validator.is_valid(&json(&text)),
            "the schema accepts\n{text}"
        );
        assert!(read(&text).is_err(), "the reader accepts\n{text}");
    }
}
