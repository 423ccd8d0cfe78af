//! Which fields of each side are requested.

use std::collections::BTreeSet;

use super::super::read::RECORD_TYPE;
use super::super::types::{Create, Mapping};
use crate::model::{BySide, ObjectSchema, Side};

/// What the engine itself looks at: ids, times, who changed a record last, and signs of merge,
/// conversion and deletion.
const HUBSPOT: [&str; 6] = [
    "hs_object_id",
    "createdate",
    "hs_createdate",
    "lastmodifieddate",
    "hs_lastmodifieddate",
    "hs_merged_object_ids",
];
const SALESFORCE: [&str; 11] = [
    "Id",
    "IsDeleted",
    "CreatedDate",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "MasterRecordId",
    "IsConverted",
    "ConvertedContactId",
    "ConvertedAccountId",
    "ConvertedOpportunityId",
];

/// Fields that move with every edit of a record, whatever it was about.
const STAMPS: [&str; 5] = [
    "lastmodifieddate",
    "hs_lastmodifieddate",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
];

/// Whether a field can tell that there is something new about a record.
pub(in crate::mapping) fn tells(name: &str) -> bool {
    !STAMPS.contains(&name)
}

/// Fields named by expressions, with the key under which the mapping names them.
pub(in crate::mapping) fn expression_fields(
    mapping: &Mapping,
) -> Vec<(Side, &str, &'static str, String)> {
    let mut named = Vec::new();
    for side in Side::BOTH {
        if let Some(expression) = mapping.only.get(side) {
            for name in &expression.variables {
                named.push((side, name.as_str(), "only", expression.text.clone()));
            }
        }
        if let Create::When(expression) = mapping.create.get(side) {
            for name in &expression.variables {
                named.push((
                    side.other(),
                    name.as_str(),
                    "create",
                    expression.text.clone(),
                ));
            }
        }
    }
    named
}

pub(super) fn reads(
    mapping: &Mapping,
    objects: &BySide<ObjectSchema>,
    key: &BySide<Option<String>>,
) -> BySide<Vec<String>> {
    let mut reads: BySide<BTreeSet<String>> = BySide::default();
    for side in Side::BOTH {
        let set = reads.get_mut(side);
        for rule in &mapping.rules {
            set.extend(rule.sides.get(side).iter().cloned());
        }
        for rule in &mapping.matches {
            set.insert(match side {
                Side::HubSpot => rule.hubspot.clone(),
                Side::Salesforce => rule.salesforce.clone(),
            });
        }
        set.extend(key.get(side).clone());
        let system: &[&str] = match side {
            Side::HubSpot => &HUBSPOT,
            Side::Salesforce => &SALESFORCE,
        };
        set.extend(system.iter().map(|name| (*name).to_owned()));
    }
    for (side, name, _, _) in expression_fields(mapping) {
        reads.get_mut(side).insert(real(name).to_owned());
    }
    BySide::from_fn(|side| {
        let known = &objects.get(side).fields;
        reads
            .get(side)
            .iter()
            .filter(|name| known.contains_key(*name))
            .cloned()
            .collect()
    })
}

/// The field behind a name that expressions may use.
pub(in crate::mapping) fn real(name: &str) -> &str {
    match name {
        "RecordType" | RECORD_TYPE => "RecordTypeId",
        _ => name,
    }
}
