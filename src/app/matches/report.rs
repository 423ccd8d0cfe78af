//! The whole inventory, and its answer for machines.

use serde_json::{Map, Value, json};

use crate::inventory::{Fate, Fill, Used};
use crate::mapping::Counterpart;
use crate::model::{BySide, RecordId, Side, Timestamp};
use crate::sync::Filled;

use super::found::{Found, Group, Groups, asks};

pub struct Report {
    pub accounts: BySide<String>,
    pub workspace: String,
    pub made_at: Timestamp,
    /// What the CRMs lack before a run can end well.
    pub missing: Vec<String>,
    pub calls: BySide<u64>,
    pub found: Vec<Found>,
}

impl Report {
    pub fn needs_person(&self) -> bool {
        !self.missing.is_empty() || self.found.iter().any(Found::needs_person)
    }

    pub fn sum(&self, count: impl Fn(&Found) -> u64) -> u64 {
        self.found.iter().map(count).sum()
    }

    pub fn json(&self) -> Value {
        json!({
            "accounts": sides(|side| json!(self.accounts.get(side))),
            "workspace": self.workspace,
            "made_at": self.made_at.to_string(),
            "needs_person": self.needs_person(),
            "missing": self.missing,
            "pairs": self.sum(|found| found.pairs),
            "ambiguous_groups": self.sum(|found| found.ambiguous.count),
            "doubled_keys": self.sum(Found::doubles),
            "failures": self.sum(Found::failures),
            "held_values": self.sum(Found::held),
            "values_without_counterpart": self.sum(Found::unmapped),
            "calls": sides(|side| json!(self.calls.get(side))),
            "mappings": self.found.iter().map(mapping).collect::<Vec<_>>(),
        })
    }
}

fn sides(value: impl Fn(Side) -> Value) -> Value {
    let sides = Side::BOTH.map(|side| (side.as_str().to_owned(), value(side)));
    Value::Object(sides.into_iter().collect())
}

fn mapping(found: &Found) -> Value {
    let inventory = &found.inventory;
    let paired_by = found.paired_by.iter();
    let failures = found.letters.iter().map(|(code, letters)| {
        let listed = letters.listed.iter().map(|(side, id, message)| {
            let mut record = named(found, *side, id);
            record["side"] = json!(side.as_str());
            record["message"] = json!(message);
            record
        });
        json!({
            "code": code,
            "records": letters.count,
            "examples": listed.collect::<Vec<_>>(),
        })
    });
    json!({
        "mapping": found.name,
        "objects": both_texts(&found.objects),
        "records": sides(|side| json!(inventory.records(side))),
        "fates": sides(|side| fates(found, side)),
        "matches": found.matches,
        "pairs": found.pairs,
        "paired_by": paired_by
            .map(|(rule, pairs)| json!({"match": found.matched_by(*rule), "pairs": pairs}))
            .collect::<Vec<_>>(),
        "paired": found.paired.iter().map(|pair| json!({
            "hubspot": pair.records.hubspot.as_str(),
            "salesforce": pair.records.salesforce.as_str(),
            "titles": sides(|side| json!(title(found, side, pair.records.get(side)))),
            "match": found.matched_by(pair.rule),
        })).collect::<Vec<_>>(),
        "ambiguous": groups(found, &found.ambiguous),
        "doubles": sides(|side| groups(found, found.doubles.get(side))),
        "creates": sides(|on| json!({
            "records": inventory.fate(on.other(), Fate::Created),
            "why": found.creates.get(on),
        })),
        "failures": failures.collect::<Vec<_>>(),
        "holds": holds(found),
        "without_counterpart": found.values.iter().map(used).collect::<Vec<_>>(),
        "rules": found.rules.iter().map(|rule| rule_json(found, rule)).collect::<Vec<_>>(),
    })
}

fn both_texts(texts: &BySide<String>) -> Value {
    sides(|side| json!(texts.get(side)))
}

fn fates(found: &Found, side: Side) -> Value {
    let fates = found.inventory.fates.get(side).iter();
    let fates = fates.map(|(fate, listed)| {
        let listed_json: Vec<Value> = listed
            .examples
            .iter()
            .map(|example| json!({"id": example.id.as_str(), "title": example.title}))
            .collect();
        let value = json!({"records": listed.count, "examples": listed_json});
        (fate.as_str().to_owned(), value)
    });
    Value::Object(fates.collect::<Map<_, _>>())
}

fn named(found: &Found, side: Side, id: &RecordId) -> Value {
    json!({"id": id.as_str(), "title": title(found, side, id)})
}

fn title<'a>(found: &'a Found, side: Side, id: &RecordId) -> Option<&'a String> {
    found.inventory.titles.get(side).get(id)
}

fn groups(found: &Found, groups: &Groups) -> Value {
    let group = |group: &Group| {
        let members = |side: Side| {
            let members = group.members.get(side).iter();
            json!(members.map(|id| named(found, side, id)).collect::<Vec<_>>())
        };
        json!({
            "match": found.matched_by(Some(group.rule)),
            "counts": sides(|side| json!(group.counts.get(side))),
            "records": sides(members),
        })
    };
    json!({
        "groups": groups.count,
        "records": groups.records,
        "listed": groups.listed.iter().map(group).collect::<Vec<_>>(),
    })
}

fn holds(found: &Found) -> Value {
    let holds = found.holds.iter().map(|((rule, reason), holds)| {
        let listed = holds.listed.iter().map(|(records, detail)| {
            let id = |side: Side| json!(records.get(side).as_ref().map(RecordId::as_str));
            let title = |side: Side| {
                let id = records.get(side).as_ref();
                json!(id.and_then(|id| title(found, side, id)))
            };
            json!({"records": sides(id), "titles": sides(title), "detail": detail})
        });
        json!({
            "rule": rule,
            "reason": reason.as_str(),
            "needs_person": asks(*reason),
            "values": holds.count,
            "examples": listed.collect::<Vec<_>>(),
        })
    });
    json!(holds.collect::<Vec<_>>())
}

fn used(used: &Used) -> Value {
    let (becomes, why) = match &used.counterpart {
        Counterpart::Found => ("found", None),
        Counterpart::LeftOut => ("left-out", None),
        Counterpart::Held(why) => ("held", Some(why)),
    };
    json!({
        "rule": used.rule,
        "from": used.from.as_str(),
        "owner": used.owner,
        "value": used.value,
        "records": used.records,
        "becomes": becomes,
        "why": why,
        "examples": used.examples.iter().map(RecordId::as_str).collect::<Vec<_>>(),
    })
}

fn rule_json(found: &Found, rule: &str) -> Value {
    let fill = found.inventory.fills.get(rule).copied().unwrap_or_default();
    let Filled {
        both: filled,
        same,
        alone,
        neither,
    } = found.filled.get(rule).copied().unwrap_or_default();
    json!({
        "rule": rule,
        "filled": sides(|side| {
            let Fill { of, filled } = *fill.get(side);
            json!({"records": of, "filled": filled, "percent": percent(filled, of)})
        }),
        "pairs": {
            "both_filled": filled,
            "correspond": same,
            "correspond_percent": percent(same, filled),
            "only_hubspot": alone.hubspot,
            "only_salesforce": alone.salesforce,
            "neither": neither,
        },
    })
}

/// In whole percent; `None` of nothing. What is not all is not shown as all.
pub fn percent(part: u64, whole: u64) -> Option<u64> {
    (whole > 0).then(|| part * 100 / whole)
}
