//! Both CRMs compared value by value, all at once: by rule how much agrees, and why the rest does
//! not; and the plan that mends what drifted.
//!
//! An engine that writes nothing was brought up to now on a store of its own, so that what is on
//! its way is known. The comparison that an engine makes by itself, a part at a time, is in
//! `drift`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::plan_file::fields_json;
use super::{Engine, LookError, PlanFile, compared};
use crate::model::{BySide, LinkId, MappingName, RecordId, RecordKey, Side};
use crate::sync::{Compared, Difference, PlannedValues, Why};

/// Differences that are kept to be listed, whatever their number; those that need somebody have
/// their own room, so that known reasons do not crowd them out.
pub const DIFFERENCES_LISTED: usize = 1_000;

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

/// What was compared so far.
pub struct Comparison {
    mappings: BTreeMap<MappingName, OfMapping>,
    drift: u64,
    listed: Vec<Difference>,
    explained: Vec<Difference>,
    /// The records that drifted; only kept where a repair needs them.
    drifted: Option<BTreeSet<RecordKey>>,
}

impl Comparison {
    fn new(repair: bool) -> Self {
        Self {
            mappings: BTreeMap::new(),
            drift: 0,
            listed: Vec::new(),
            explained: Vec::new(),
            drifted: repair.then(BTreeSet::new),
        }
    }

    fn add(&mut self, name: &MappingName, compared: Compared) {
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
            if room.len() < DIFFERENCES_LISTED {
                room.push(difference);
            }
        }
    }

    /// Has the engine look at the records that drifted, as a scan does that finds them changed.
    pub async fn look_again(&self, engine: &Engine) -> Result<(), LookError> {
        let drifted = self.drifted.iter().flatten().cloned().collect();
        Ok(engine.look_at(drifted).await?)
    }

    /// The plan for the records that drifted, and for no others.
    pub fn repair(&self, engine: &Engine) -> PlanFile {
        let mut plan = engine.plan_file();
        plan.writes.retain(|write| {
            let key = write.record.clone().map(|id| RecordKey {
                mapping: write.mapping.clone(),
                side: write.side,
                id,
            });
            let drifted = self.drifted.as_ref();
            key.is_some_and(|key| drifted.is_some_and(|drifted| drifted.contains(&key)))
        });
        // What was read to compare says nothing of what the repair will read.
        plan.calls = BySide::default();
        plan
    }

    /// The answer of `tandem drift --json`, without the plan of a repair.
    pub fn json(&self) -> Value {
        let mappings: Vec<Value> = self
            .mappings
            .iter()
            .map(|(name, of)| mapping_json(name, of))
            .collect();
        // Those that need somebody come first.
        let listed = self.listed.iter().chain(&self.explained).map(row_json);
        json!({
            "drift": self.drift,
            "mappings": mappings,
            "differences": listed.collect::<Vec<_>>(),
        })
    }
}

/// Compares all pairs of these mappings.
///
/// # Errors
/// When a CRM cannot be read or the store fails; it can be asked again.
pub async fn compare_all(
    engine: &mut Engine,
    names: &[MappingName],
    repair: bool,
) -> Result<Comparison, LookError> {
    let planned = planned_values(engine);
    let mut found = Comparison::new(repair);
    for name in names {
        let mut after: Option<LinkId> = None;
        loop {
            let part = compared(engine, name, after.as_ref(), &planned).await?;
            after.clone_from(&part.next);
            found.add(name, part);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

/// What a run of now would write, on both ends of each pair.
fn planned_values(engine: &Engine) -> PlannedValues {
    let mut planned = PlannedValues::new();
    for write in engine.tally().planned.rows() {
        let ends = [
            (write.side, &write.record),
            (write.side.other(), &write.source),
        ];
        for (side, id) in ends {
            if let Some(id) = id.clone() {
                let mapping = write.mapping.clone();
                let key = RecordKey { mapping, side, id };
                planned.insert((key, write.rule.clone()));
            }
        }
    }
    planned
}

/// The records of a difference, as keys.
fn keys(difference: &Difference) -> impl Iterator<Item = RecordKey> {
    let mapping = difference.mapping.clone();
    let records = difference.records.clone();
    Side::BOTH.into_iter().filter_map(move |side| {
        let (mapping, id) = (mapping.clone(), records.get(side).clone()?);
        Some(RecordKey { mapping, side, id })
    })
}

/// Whether somebody should look at it.
const fn counts(why: Why) -> bool {
    match why {
        Why::Drift | Why::Gone => true,
        Why::Pending | Why::Held(_) | Why::DeadLetter | Why::OneWay | Why::Kept | Why::Frozen => {
            false
        }
    }
}

fn mapping_json(name: &MappingName, of: &OfMapping) -> Value {
    let rules = of.rules.iter().filter(|(rule, _)| !rule.is_empty());
    let rules = rules.map(|(rule, count)| {
        json!({
            "rule": rule,
            "compared": count.compared,
            "agree": count.agree,
            "agree_percent": agree_percent(count.agree, count.compared),
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
}

/// Rounded down, so that 100 means all.
pub fn agree_percent(part: u64, whole: u64) -> f64 {
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
            "hubspot": fields_json(&difference.values.hubspot),
            "salesforce": fields_json(&difference.values.salesforce),
        },
        "why": difference.why.as_str(),
        "detail": detail,
    })
}
