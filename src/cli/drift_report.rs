//! What `tandem drift` says: by rule how much agrees, and why the rest does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::model::{BySide, Fields, MappingName, Raw, RecordId, RecordKey, Side};
use crate::sync::{Compared, Difference, Why};

use super::drift::{counts, keys};
use super::output::table;
use super::plan_report::PlanReport;

/// Differences that are kept to be listed, whatever their number; those that need somebody have
/// their own room, so that known reasons do not crowd them out.
const LISTED: usize = 1_000;
const SHOWN: usize = 50;

#[derive(Default)]
struct OfRule {
    compared: u64,
    agree: u64,
    reasons: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct OfMapping {
    pairs: u64,
    rules: BTreeMap<String, OfRule>,
    digests: BySide<u128>,
}

pub struct DriftReport {
    mappings: BTreeMap<MappingName, OfMapping>,
    drift: u64,
    listed: Vec<Difference>,
    explained: Vec<Difference>,
    /// The records that drifted; only kept where a repair needs them.
    drifted: Option<BTreeSet<RecordKey>>,
    pub repaired: Option<PathBuf>,
}

impl DriftReport {
    pub fn new(repair: bool) -> Self {
        Self {
            mappings: BTreeMap::new(),
            drift: 0,
            listed: Vec::new(),
            explained: Vec::new(),
            drifted: repair.then(BTreeSet::new),
            repaired: None,
        }
    }

    pub fn add(&mut self, name: &MappingName, compared: Compared) {
        let of = self.mappings.entry(name.clone()).or_default();
        of.pairs += compared.pairs;
        for side in Side::BOTH {
            let sum = of.digests.get_mut(side);
            *sum = sum.wrapping_add(*compared.digests.get(side));
        }
        for (rule, (values, agree)) in compared.values {
            let count = of.rules.entry(rule).or_default();
            count.compared += values;
            count.agree += agree;
        }
        for difference in compared.differences {
            let count = of.rules.entry(difference.rule.clone()).or_default();
            *count.reasons.entry(difference.why.as_str()).or_insert(0) += 1;
            let room = if counts(difference.why) {
                self.drift += 1;
                if let Some(drifted) = &mut self.drifted {
                    drifted.extend(keys(&difference));
                }
                &mut self.listed
            } else {
                &mut self.explained
            };
            if room.len() < LISTED {
                room.push(difference);
            }
        }
    }

    pub fn is_clean(&self) -> bool {
        self.drift == 0
    }

    pub fn drifted(&self) -> Vec<RecordKey> {
        self.drifted.iter().flatten().cloned().collect()
    }

    pub fn json(&self, repair: Option<&PlanReport>) -> Value {
        let mappings: Vec<Value> = self
            .mappings
            .iter()
            .map(|(name, of)| {
                let rules = of.rules.iter().filter(|(rule, _)| !rule.is_empty());
                let rules = rules.map(|(rule, count)| {
                    json!({
                        "rule": rule,
                        "compared": count.compared,
                        "agree": count.agree,
                        "agree_percent": percent(count.agree, count.compared),
                        "reasons": count.reasons,
                    })
                });
                json!({
                    "mapping": name.as_str(),
                    "pairs": of.pairs,
                    "gone": of.rules.get("").map(|count| &count.reasons),
                    "rules": rules.collect::<Vec<_>>(),
                    "digests": {
                        "hubspot": format!("{:032x}", of.digests.hubspot),
                        "salesforce": format!("{:032x}", of.digests.salesforce),
                    },
                })
            })
            .collect();
        let listed = self.listed.iter().chain(&self.explained).map(row_json);
        json!({
            "drift": self.drift,
            "mappings": mappings,
            "differences": listed.collect::<Vec<_>>(),
            "repair": repair.map(PlanReport::json),
        })
    }

    pub fn text(&self, repair: Option<&PlanReport>) -> String {
        let mut text = String::new();
        let mut line = |words: std::fmt::Arguments<'_>| {
            // Writing to a string cannot fail.
            writeln!(text, "{words}").unwrap_or_default();
        };
        let pairs: u64 = self.mappings.values().map(|of| of.pairs).sum();
        match self.drift {
            0 => line(format_args!("No drift: {pairs} pairs were compared.")),
            1 => line(format_args!(
                "1 value drifted; {pairs} pairs were compared."
            )),
            drift => line(format_args!(
                "{drift} values drifted; {pairs} pairs were compared."
            )),
        }
        for (name, of) in &self.mappings {
            let (compared, agree) = of.rules.values().fold((0, 0), |(all, same), count| {
                (all + count.compared, same + count.agree)
            });
            let digest = of.digests.hubspot;
            let same = if digest == of.digests.salesforce {
                format!("both {:08x}", digest >> 96)
            } else {
                format!(
                    "{:08x} and {:08x}",
                    digest >> 96,
                    of.digests.salesforce >> 96
                )
            };
            line(format_args!(
                "  {name}: {} pairs, {} % of {compared} values agree, digest {same}",
                of.pairs,
                percent(agree, compared),
            ));
        }
        let mut rows = Vec::new();
        for (name, of) in &self.mappings {
            for (rule, count) in &of.rules {
                for (reason, number) in &count.reasons {
                    let rule = if rule.is_empty() { "(record)" } else { rule };
                    rows.push(vec![
                        name.to_string(),
                        rule.to_owned(),
                        (*reason).to_owned(),
                        number.to_string(),
                    ]);
                }
            }
        }
        if !rows.is_empty() {
            let headers = ["mapping", "rule", "differs because", "values"];
            text.push('\n');
            text.push_str(&table(&headers, rows));
        }
        self.list(&mut text);
        if let (Some(plan), Some(path)) = (repair, &self.repaired) {
            writeln!(
                text,
                "\n{} writes would repair it; `tandem apply {}` does.",
                plan.writes().count(),
                path.display()
            )
            .unwrap_or_default();
        }
        text
    }

    fn list(&self, text: &mut String) {
        if self.listed.is_empty() {
            return;
        }
        let id = |difference: &Difference, side: Side| {
            let id = difference.records.get(side).as_ref();
            id.map_or("", RecordId::as_str).to_owned()
        };
        let rows = self.listed.iter().take(SHOWN).map(|difference| {
            vec![
                difference.mapping.to_string(),
                id(difference, Side::HubSpot),
                id(difference, Side::Salesforce),
                match difference.why {
                    Why::Gone => "(gone)".to_owned(),
                    Why::Drift
                    | Why::Pending
                    | Why::Held(_)
                    | Why::DeadLetter
                    | Why::OneWay
                    | Why::Kept
                    | Why::Frozen => difference.rule.clone(),
                },
                shown(&difference.values.hubspot),
                shown(&difference.values.salesforce),
            ]
        });
        let headers = [
            "mapping",
            "HubSpot",
            "Salesforce",
            "rule",
            "HubSpot holds",
            "Salesforce holds",
        ];
        text.push('\n');
        text.push_str(&table(&headers, rows.collect()));
        let more = usize::try_from(self.drift)
            .unwrap_or(usize::MAX)
            .saturating_sub(SHOWN);
        if more > 0 {
            writeln!(text, "{more} more; --json lists up to {LISTED}.").unwrap_or_default();
        }
    }
}

fn shown(fields: &Fields) -> String {
    let texts: Vec<&str> = fields
        .values()
        .map(|raw| Raw::as_text(raw).unwrap_or("(blank)"))
        .collect();
    texts.join(" / ")
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 100.0;
    }
    #[allow(clippy::cast_precision_loss, reason = "shown with two digits")]
    let percent = part as f64 / whole as f64 * 100.0;
    (percent * 100.0).floor() / 100.0
}

fn row_json(difference: &Difference) -> Value {
    let detail = if let Why::Held(reason) = difference.why {
        Some(reason.as_str())
    } else {
        None
    };
    json!({
        "mapping": difference.mapping.as_str(),
        "hubspot": difference.records.hubspot.as_ref().map(RecordId::as_str),
        "salesforce": difference.records.salesforce.as_ref().map(RecordId::as_str),
        "rule": difference.rule,
        "values": {
            "hubspot": crate::app::fields_json(&difference.values.hubspot),
            "salesforce": crate::app::fields_json(&difference.values.salesforce),
        },
        "why": difference.why.as_str(),
        "detail": detail,
    })
}
