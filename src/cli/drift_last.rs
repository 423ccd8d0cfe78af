//! `tandem drift --last`: what the last comparison found that a running sync made by itself. Reads
//! the store alone, or asks a service, whose comparisons all are of that kind.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::app::{DriftFound, drift_found, drift_json, drift_retold, time_of};
use crate::model::{BySide, MappingName, Side};

use super::arguments::DataArgs;
use super::at::There;
use super::data::Data;
use super::output::{Advice, Outcome, Output, table};
use super::planned::chosen;

pub async fn run(
    args: &DataArgs,
    mapping: Option<&str>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let data = Data::open_to_read(args).await?;
    let found = found(&data, mapping).await;
    data.close().await;
    Ok(shown(&found?, output))
}

/// What the service's comparisons found last.
pub async fn served(
    there: &There,
    mapping: Option<&str>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let answer: Value = there.get("drift", &[]).await?;
    let mut found = drift_retold(&answer).ok_or_else(|| {
        let what = "the service's answer cannot be read";
        Advice::new(what, "use the same version as the service")
    })?;
    let names = chosen(found.keys(), mapping)?;
    found.retain(|name, _| names.contains(name));
    Ok(shown(&found, output))
}

/// Has the service compare both sides, which it does behind all other work.
pub async fn begin(
    there: &There,
    mapping: Option<&str>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let answer = there.post("drift", json!({"mapping": mapping})).await?;
    output.answer(&answer, || {
        let names = answer["mappings"].as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        let begun = match names.is_empty() {
            true => "That is being compared already.".to_owned(),
            false => format!("The comparison begins: {}.", names.join(", ")),
        };
        format!("{begun} With --last this command shows what it has found.\n")
    });
    Ok(Outcome::Done)
}

fn shown(found: &BTreeMap<MappingName, DriftFound>, output: &Output) -> Outcome {
    output.answer(&drift_json(found), || text(found));
    match found.values().any(|one| one.drift() > 0) {
        true => Outcome::Different,
        false => Outcome::Done,
    }
}

async fn found(
    data: &Data,
    mapping: Option<&str>,
) -> anyhow::Result<BTreeMap<MappingName, DriftFound>> {
    let (store, ws) = (&data.store, &data.workspace);
    let active = store.active_revisions(ws).await?;
    let names = chosen(active.keys(), mapping)?;
    Ok(drift_found(store, ws, names).await?)
}

/// Rounded down, so that 100 % means all.
fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => String::new(),
        whole => format!("{}.{} %", part * 100 / whole, part * 1_000 / whole % 10),
    }
}

fn text(found: &BTreeMap<MappingName, DriftFound>) -> String {
    if found.is_empty() {
        return "No comparison has been completed yet; a sync that stays up makes one a week, and \
                `tandem drift` makes one now.\n"
            .to_owned();
    }
    let headers = [
        "mapping",
        "ended",
        "pairs",
        "values agree",
        "drift",
        "differs for a reason",
    ];
    let rows = found.iter().map(|(name, one)| {
        let (all, agree) = one.values();
        let differs: u64 = one.found.reasons.values().sum();
        vec![
            name.to_string(),
            time_of(one.ended),
            one.found.pairs.to_string(),
            percent(agree, all),
            one.drift().to_string(),
            (differs - one.drift()).to_string(),
        ]
    });
    let mut text = table(&headers, rows.collect());
    let named = found.iter().flat_map(|(name, one)| {
        let named = one.found.named.iter();
        named.map(move |one| {
            let id = |side: Side, ids: &BySide<Option<String>>| {
                ids.get(side).clone().unwrap_or_default()
            };
            vec![
                name.to_string(),
                id(Side::HubSpot, &one.records),
                id(Side::Salesforce, &one.records),
                one.rule.clone(),
                one.why.clone(),
            ]
        })
    });
    let named: Vec<Vec<String>> = named.collect();
    if !named.is_empty() {
        let headers = [
            "mapping",
            "HubSpot",
            "Salesforce",
            "rule",
            "differs because",
        ];
        text.push('\n');
        text.push_str(&table(&headers, named));
        text.push_str("`tandem drift` shows the values, and --repair makes a plan.\n");
    }
    text
}
