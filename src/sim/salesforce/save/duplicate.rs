//! Duplicate rules: exact matches on all fields of the rule, either alerting or blocking.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Refusals, Writer};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::table::Row;

/// `salesforce.md 8.4`. Runs on create, and on update when a field of the rule was sent.
pub(super) fn check(
    org: &Org,
    object: usize,
    row: &Row,
    touched: &BTreeSet<u16>,
    by: Writer,
) -> Result<(), Refusals> {
    let Some(rule) = &org.hooks[object].duplicates else {
        return Ok(());
    };
    if by.allow_save && !rule.block {
        return Ok(());
    }
    let own = &org.schema.objects[object];
    let fields: Vec<u16> = rule
        .fields
        .iter()
        .filter_map(|name| own.field_at(name))
        .collect();
    let touches_rule = fields.iter().any(|at| touched.contains(at));
    if fields.is_empty() || !touches_rule {
        return Ok(());
    }
    let matches = matches(org, object, row, &fields);
    if matches.is_empty() {
        return Ok(());
    }
    Err(vec![refusal(own.name, rule.block, &matches)])
}

fn matches(org: &Org, object: usize, row: &Row, fields: &[u16]) -> Vec<String> {
    let table = &org.tables[object];
    let wanted: Option<Vec<(u16, String)>> = fields
        .iter()
        .map(|at| row.text(*at).map(|text| (*at, text.to_lowercase())))
        .collect();
    let Some(wanted) = wanted else {
        return Vec::new();
    };
    let fits = |other: &&Row| {
        other.number != row.number
            && !other.deleted
            && wanted.iter().all(|(at, text)| {
                other
                    .text(*at)
                    .is_some_and(|own| own.to_lowercase() == *text)
            })
    };
    let id = |other: &Row| org.id_of(object, other.number);
    let indexed = wanted.iter().find(|(at, _)| table.is_indexed(*at));
    match indexed {
        Some((at, text)) => table
            .with_key(*at, text)
            .into_iter()
            .filter_map(|number| table.get(number))
            .filter(fits)
            .map(id)
            .collect(),
        None => table.rows().filter(fits).map(id).collect(),
    }
}

pub(super) fn refusal(object: &str, block: bool, ids: &[String]) -> Refusal {
    let message = if block {
        "You're creating a duplicate record."
    } else {
        "Use one of these records?"
    };
    let records: Vec<Value> = ids
        .iter()
        .map(|id| {
            let url = format!("/services/data/v68.0/sobjects/{object}/{id}");
            json!({
                "additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0,
                "record": { "attributes": { "type": object, "url": url }, "Id": id },
            })
        })
        .collect();
    let detail = json!({
        "allowSave": !block,
        "duplicateRule": format!("Standard_{object}_Duplicate_Rule"),
        "duplicateRuleEntityType": object,
        "errorMessage": message,
        "matchResults": [{
            "entityType": object, "errors": [], "matchEngine": "ExactMatchEngine",
            "matchRecords": records, "rule": format!("Standard_{object}_Match_Rule_v1_0"),
            "size": ids.len(), "success": true,
        }],
    });
    Refusal {
        detail: Some(("duplicateResut", detail)),
        ..Refusal::new("DUPLICATES_DETECTED", message)
    }
}
