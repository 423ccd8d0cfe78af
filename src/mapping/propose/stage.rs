//! Pipeline and stage on one side, the stage on the other: one value, looked up row by row.

use std::collections::BTreeSet;

use super::fields::Free;
use super::known::plain;
use super::options::options;
use super::rules;
use super::text::{quoted, scalar};
use super::{Draft, LeftOut};
use crate::model::{BySide, ObjectSchema, Side};

const OURS: [&str; 2] = ["pipeline", "dealstage"];
const THEIRS: [&str; 1] = ["StageName"];

pub(super) fn put(draft: &mut Draft, free: &mut Free<'_>, hubspot: &ObjectSchema) {
    if !free.all(Side::HubSpot, &OURS) || !free.all(Side::Salesforce, &THEIRS) {
        return;
    }
    let stages = free.get(Side::Salesforce, THEIRS[0]);
    let Some(theirs) = stages.and_then(|field| options(&field.kind)) else {
        return;
    };
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut without: Vec<String> = Vec::new();
    let mut met: BTreeSet<&str> = BTreeSet::new();
    for pipeline in &hubspot.pipelines {
        for stage in pipeline.stages.iter().filter(|stage| stage.active) {
            let named = format!("{} / {}", quoted(&pipeline.label), quoted(&stage.label));
            let other = theirs
                .iter()
                .find(|other| plain(&other.label) == plain(&stage.label));
            let Some(other) = other else {
                without.push(named);
                continue;
            };
            // Written back, a stage of Salesforce's becomes the first that has its name.
            let back = if met.insert(&other.value) {
                ""
            } else {
                ", to-salesforce"
            };
            let cells = [&pipeline.id, &stage.value, &other.value].map(|cell| scalar(cell));
            rows.push((format!("      - [{}{back}]", cells.join(", ")), named));
        }
    }
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    if rows.is_empty() {
        for (side, fields) in [(Side::HubSpot, &OURS[..]), (Side::Salesforce, &THEIRS[..])] {
            free.place(side, fields);
        }
        let fields = BySide::new(names(&OURS), names(&THEIRS));
        let why = "no stages of one name; give them a rule with a `table:`".to_owned();
        return draft.left_out.push(LeftOut { fields, why });
    }
    let lone = theirs
        .iter()
        .filter(|other| !met.contains(other.value.as_str()));
    let lone: Vec<String> = lone.map(|other| quoted(&other.value)).collect();
    let lone = format!(
        "stages without a counterpart wait until a row names them: HubSpot {}; Salesforce {}",
        or_none(&without),
        or_none(&lone)
    );
    let mut lines = vec![
        ("  stage:", "pipeline and stage are one value"),
        ("    hubspot: [pipeline, dealstage]", ""),
        ("    salesforce: [StageName]", ""),
        ("    blank: keep", "Salesforce insists on a stage"),
        ("    table:", "stages of one name"),
    ];
    lines.extend(rows.iter().map(|(row, why)| (row.as_str(), why.as_str())));
    lines.push(("", &lone));
    rules::put(draft, free, ("stage", &OURS, &THEIRS), &lines);
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
