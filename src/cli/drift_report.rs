//! What `tandem drift` says to people: by rule how much agrees, and why the rest does not. Made
//! from its answer for machines, which a service gives as well.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::app::{DIFFERENCES_LISTED, agree_percent, fields_of};
use crate::model::{Fields, Raw};

use super::output::table;

const SHOWN: usize = 50;

/// `repaired` is how many writes the plan of a repair has, and where it was put.
pub fn text(found: &Value, repaired: Option<(usize, &Path)>) -> String {
    let mut text = String::new();
    let mappings = || list(&found["mappings"]);
    let drift = count(&found["drift"]);
    let pairs: u64 = mappings().map(|of| count(&of["pairs"])).sum();
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        writeln!(text, "{words}").unwrap_or_default();
    };
    match drift {
        0 => line(format_args!("No drift: {pairs} pairs were compared.")),
        1 => line(format_args!(
            "1 value drifted; {pairs} pairs were compared."
        )),
        drift => line(format_args!(
            "{drift} values drifted; {pairs} pairs were compared."
        )),
    }
    for of in mappings() {
        line(format_args!("  {}", in_short(of)));
    }
    let rows: Vec<Vec<String>> = mappings().flat_map(reasons).collect();
    if !rows.is_empty() {
        let headers = ["mapping", "rule", "differs because", "values"];
        text.push('\n');
        text.push_str(&table(&headers, rows));
    }
    differences(found, drift, &mut text);
    if let Some((writes, path)) = repaired {
        writeln!(
            text,
            "\n{writes} writes would repair it; `tandem apply {}` does.",
            path.display()
        )
        .unwrap_or_default();
    }
    text
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// How far one mapping agrees.
fn in_short(of: &Value) -> String {
    let (compared, agree) = list(&of["rules"]).fold((0, 0), |(all, same), rule| {
        (all + count(&rule["compared"]), same + count(&rule["agree"]))
    });
    let digests = ["hubspot", "salesforce"].map(|side| word(&of["digests"][side]));
    let digest = |whole: &str| whole.get(..8).unwrap_or(whole).to_owned();
    let same = match digests {
        [hubspot, salesforce] if hubspot == salesforce => format!("both {}", digest(hubspot)),
        [hubspot, salesforce] => format!("{} and {}", digest(hubspot), digest(salesforce)),
    };
    format!(
        "{}: {} pairs, {} % of {compared} values agree, digest {same}",
        word(&of["mapping"]),
        count(&of["pairs"]),
        agree_percent(agree, compared),
    )
}

/// A row for each reason of each rule; records that are gone come first.
fn reasons(of: &Value) -> Vec<Vec<String>> {
    let gone = [("(record)", &of["gone"])].into_iter();
    let rules = list(&of["rules"]).map(|rule| (word(&rule["rule"]), &rule["reasons"]));
    let rows = gone.chain(rules).flat_map(|(rule, reasons)| {
        let reasons = reasons.as_object().into_iter().flatten();
        reasons.map(move |(reason, number)| {
            vec![
                word(&of["mapping"]).to_owned(),
                rule.to_owned(),
                reason.clone(),
                count(number).to_string(),
            ]
        })
    });
    rows.collect()
}

/// The values that drifted, one by one. They come first in the list.
fn differences(found: &Value, drift: u64, text: &mut String) {
    let drift = usize::try_from(drift).unwrap_or(usize::MAX);
    let rows = list(&found["differences"]).take(drift.min(SHOWN));
    let rows: Vec<Vec<String>> = rows.map(difference).collect();
    if rows.is_empty() {
        return;
    }
    let headers = [
        "mapping",
        "HubSpot",
        "Salesforce",
        "rule",
        "HubSpot holds",
        "Salesforce holds",
    ];
    text.push('\n');
    text.push_str(&table(&headers, rows));
    let more = drift.saturating_sub(SHOWN);
    if more > 0 {
        let listed = DIFFERENCES_LISTED;
        writeln!(text, "{more} more; --json lists up to {listed}.").unwrap_or_default();
    }
}

fn difference(one: &Value) -> Vec<String> {
    let rule = match word(&one["why"]) {
        "gone" => "(gone)",
        _ => word(&one["rule"]),
    };
    let values = |side: &str| fields_of(&one["values"][side]).unwrap_or_default();
    vec![
        word(&one["mapping"]).to_owned(),
        word(&one["hubspot"]).to_owned(),
        word(&one["salesforce"]).to_owned(),
        rule.to_owned(),
        shown(&values("hubspot")),
        shown(&values("salesforce")),
    ]
}

fn shown(fields: &Fields) -> String {
    let texts: Vec<&str> = fields
        .values()
        .map(|raw| Raw::as_text(raw).unwrap_or("(blank)"))
        .collect();
    texts.join(" / ")
}
