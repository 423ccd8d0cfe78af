//! The package for a Salesforce administrator.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use tandem::model::{FieldKind, FieldSchema, ObjectSchema, Schemas};
use tandem::prepare::{Package, Seen, package};
use zip::ZipArchive;

use super::{PEOPLE, mappings};

fn field(name: &str) -> FieldSchema {
    FieldSchema {
        name: name.to_owned(),
        label: name.to_owned(),
        kind: FieldKind::Text { length: None },
        createable: true,
        updateable: true,
        required: false,
        unique: false,
        external_id: false,
        calculated: false,
    }
}

/// An org that shows these fields of contacts; all but the name may be opened and shut.
fn seen(fields: &[&str]) -> Seen {
    let object = ObjectSchema {
        name: "Contact".to_owned(),
        fields: fields
            .iter()
            .map(|name| ((*name).to_owned(), field(name)))
            .collect(),
        ..ObjectSchema::default()
    };
    let mut schemas = Schemas::default();
    schemas
        .objects
        .salesforce
        .insert("Contact".to_owned(), object);
    let open = fields.iter().filter(|name| **name != "LastName");
    let open: BTreeMap<String, String> = open
        .map(|name| ((*name).to_owned(), (*name).to_owned()))
        .collect();
    Seen {
        schemas: Some(schemas),
        permissionable: BTreeMap::from([("Contact".to_owned(), open)]),
        ..Seen::default()
    }
}

fn of(fields: &[&str]) -> Package {
    package(&mappings(&[PEOPLE]), &seen(fields), "67.0")
}

#[test]
fn the_archive_holds_the_key_and_a_permission_set_of_exactly_the_mapped_fields() {
    let package = of(&["Email", "LastName", "Title", "Phone", "Description"]);
    let zip = package.to_zip().unwrap();
    let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
    let golden = [
        ("package.xml", include_str!("golden/package.xml")),
        (
            "objects/Contact.object",
            include_str!("golden/Contact.object"),
        ),
        (
            "permissionsets/Tandem.permissionset",
            include_str!("golden/Tandem.permissionset"),
        ),
    ];
    assert_eq!(archive.len(), golden.len());
    for (path, golden) in golden {
        let mut text = String::new();
        let mut file = archive.by_name(path).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert!(text == golden, "{path}:\n{text}");
    }
}

#[test]
fn a_key_that_is_there_is_not_made_again() {
    let package = of(&["Email", "LastName", "Tandem_Link_Id__c"]);
    let paths: Vec<&str> = package
        .files
        .iter()
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(
        paths,
        ["package.xml", "permissionsets/Tandem.permissionset"]
    );
    assert!(!package.files[0].1.contains("CustomField"));
}
