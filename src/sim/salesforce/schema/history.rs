//! Where field history is kept, and what tells which fields are tracked.
//!
//! One history object per kind of record, named as the platform names them. Their rows have no
//! stamps of change, because nobody ever changes them.

use super::{Field, Kind, Object, field, picklist, reference, sized, text, with_system};

/// Fields of every object that history objects lack.
pub(in crate::sim::salesforce) const LACKING: [&str; 3] =
    ["LastModifiedDate", "LastModifiedById", "SystemModstamp"];

/// What has a history: the object, its history and the lookup from the one to the other.
const KEPT: [(&str, &str, &str, &[&str]); 5] = [
    ("Account", "AccountHistory", "AccountId", &["Account"]),
    ("Contact", "ContactHistory", "ContactId", &["Contact"]),
    ("Lead", "LeadHistory", "LeadId", &["Lead"]),
    (
        "Opportunity",
        "OpportunityFieldHistory",
        "OpportunityId",
        &["Opportunity"],
    ),
    (
        "Subscription__c",
        "Subscription__History",
        "ParentId",
        &["Subscription__c"],
    ),
];

/// Fields that an org of some age has switched on, in the hands of its administrator.
pub(in crate::sim::salesforce) const USUAL: [(&str, &[&str]); 3] = [
    ("Account", &["Name", "Phone", "Website", "OwnerId"]),
    (
        "Contact",
        &["Email", "Phone", "Title", "AccountId", "OwnerId"],
    ),
    (
        "Opportunity",
        &["StageName", "Amount", "CloseDate", "OwnerId"],
    ),
];

/// The history object of an object, and its lookup.
pub(in crate::sim::salesforce) fn of(object: &str) -> Option<(&'static str, &'static str)> {
    let kept = KEPT.iter().find(|kept| kept.0 == object)?;
    Some((kept.1, kept.2))
}

pub(super) fn objects() -> Vec<Object> {
    let object = |names, own| Object::new(names, with_system(own)).setup();
    let mut objects: Vec<Object> = KEPT
        .iter()
        .map(|(_, name, lookup, targets)| {
            object([*name, *name, "Histories", "017"], history(lookup, targets))
        })
        .collect();
    objects.push(object(
        [
            "EntityDefinition",
            "Entity Definition",
            "Entity Definitions",
            "4ie",
        ],
        vec![text("QualifiedApiName", 70), text("Label", 256)],
    ));
    objects.push(object(
        [
            "FieldDefinition",
            "Field Definition",
            "Field Definitions",
            "4fe",
        ],
        vec![
            text("QualifiedApiName", 70),
            reference(
                "EntityDefinitionId",
                &["EntityDefinition"],
                "EntityDefinition",
            ),
            field("IsFieldHistoryTracked", Kind::Boolean),
        ],
    ));
    objects
}

fn history(lookup: &'static str, targets: &'static [&'static str]) -> Vec<Field> {
    let relationship = targets.first().copied().unwrap_or_default();
    let relationship = if relationship.ends_with("__c") {
        "Parent"
    } else {
        relationship
    };
    vec![
        reference(lookup, targets, relationship),
        sized("Field", Kind::Picklist, 255),
        picklist("DataType", &[]),
        sized("OldValue", Kind::Any, 255),
        sized("NewValue", Kind::Any, 255),
    ]
}
