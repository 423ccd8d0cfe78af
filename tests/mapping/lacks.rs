//! What stops a run before it begins, and what must not.

use tandem::mapping::lacks;
use tandem::model::{Barred, Schemas};

use crate::schemas::{read, schemas};

const HEAD: &str = "mapping: contacts\nhubspot: contacts\nsalesforce: Contact\n\
    conflict: salesforce\n\
    first-sync: { fill-blanks: salesforce }\nmatch:\n  - email: Email\nrules: { email: Email }\n";

fn bare() -> Schemas {
    let mut bare = schemas();
    let of = |objects: &mut std::collections::BTreeMap<_, tandem::model::ObjectSchema>, key| {
        objects
            .values_mut()
            .for_each(|object| drop(object.fields.remove(key)));
    };
    of(&mut bare.objects.hubspot, "tandem_link_id");
    of(&mut bare.objects.salesforce, "Tandem_Link_Id__c");
    bare
}

fn lines(more: &str, schemas: &Schemas) -> Vec<String> {
    let loaded = read(&format!("{HEAD}{more}")).expect("it loads");
    let found = lacks(&loaded.mappings, schemas);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_key_field_is_missed_only_where_records_may_be_created_without_one() {
    assert!(lines("create: both", &schemas()).is_empty());
    let both = lines("create: both", &bare());
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(
        both[0].starts_with("HubSpot contacts: there is no `tandem_link_id`"),
        "{both:?}"
    );
    assert!(both[0].contains("`create: { hubspot: never }`"), "{both:?}");
    assert!(both[0].ends_with("(mapping contacts)"), "{both:?}");
    let one = lines("create: { salesforce: always, hubspot: never }", &bare());
    assert_eq!(one.len(), 1);
    assert!(one[0].contains("External ID"), "{one:?}");
    for fine in [
        "create: never",
        "create: both\ncreate-without-key: accept",
        "create: both\nkey: { hubspot: other_key, salesforce: Other_Key__c }",
    ] {
        assert_eq!(lines(fine, &bare()), [""; 0], "{fine}");
    }
    let to_hubspot = lines(
        "create: { hubspot: always, salesforce: never }\ndirection: to-hubspot",
        &bare(),
    );
    assert_eq!(to_hubspot.len(), 1, "{to_hubspot:?}");
}

#[test]
fn a_permission_is_missed_only_where_something_may_be_written() {
    let mut barred = schemas();
    let contact = barred
        .objects
        .salesforce
        .get_mut("Contact")
        .expect("it is there");
    contact.barred = Barred {
        creates: Some("the user may not create".into()),
        updates: None,
    };
    assert!(lines("create: never", &barred).is_empty());
    assert_eq!(lines("create: both", &barred).len(), 1);
    let contact = barred
        .objects
        .salesforce
        .get_mut("Contact")
        .expect("it is there");
    contact.barred.updates = Some("the user may not edit".into());
    let told = lines("create: never", &barred);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("direction: to-hubspot"), "{told:?}");
    assert!(lines("create: never\ndirection: to-hubspot", &barred).is_empty());
}
