//! What comparisons have found, told; and comparisons asked for from outside an engine.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::DriftFound;
use super::drift::is_on_second_look;
use crate::model::{Cause, MappingName, Task, Timestamp, WorkspaceId};
use crate::pipeline::LANE;
use crate::store::{Mark, Store, StoreError};

/// Has the mappings compared as soon as their turn comes; answers which. One whose differences
/// wait for their second look is left to it, because an edit of this minute is no drift.
pub async fn compare_soon(
    store: &Store,
    ws: &WorkspaceId,
    mappings: Vec<MappingName>,
    now: Timestamp,
) -> Result<Vec<MappingName>, StoreError> {
    let mut asked = Vec::new();
    for name in mappings {
        if !is_on_second_look(store, ws, &name).await? {
            asked.push(name);
        }
    }
    let mark = |mapping: &MappingName| Mark {
        task: Task::Drift {
            mapping: mapping.clone(),
        },
        cause: Cause::Scan,
        not_before: now,
    };
    let marks: Vec<Mark> = asked.iter().map(mark).collect();
    store.mark(ws, LANE, &marks).await?;
    Ok(asked)
}

/// The answer of `tandem drift --last --json`.
pub fn drift_json(found: &BTreeMap<MappingName, DriftFound>) -> Value {
    let mappings = found.iter().map(|(name, one)| {
        let (all, agree) = one.values();
        let rules = one.found.values.iter().map(|(rule, (all, agree))| {
            let count = json!({ "compared": all, "agree": agree });
            (rule.clone(), count)
        });
        let object = json!({
            "began": time_of(one.began),
            "ended": time_of(one.ended),
            "pairs": one.found.pairs,
            "values": all,
            "agree": agree,
            "drift": one.drift(),
            "reasons": one.found.reasons,
            "digests": one.found.digests,
            "rules": rules.collect::<serde_json::Map<_, _>>(),
            "named": one.found.named,
        });
        (name.to_string(), object)
    });
    json!({ "mappings": mappings.collect::<serde_json::Map<_, _>>() })
}

/// What [`drift_json`] told, read back; `None` where it is the answer of another version.
pub fn drift_retold(answer: &Value) -> Option<BTreeMap<MappingName, DriftFound>> {
    let mappings = answer["mappings"].as_object()?;
    let read = |(name, one): (&String, &Value)| {
        let time = |name: &str| Timestamp::parse(one[name].as_str()?).map(Timestamp::micros);
        let rules = one["rules"].as_object()?.iter();
        let values = rules.map(|(rule, count)| {
            let pair = json!([count["compared"], count["agree"]]);
            (rule.clone(), pair)
        });
        let found = json!({
            "pairs": one["pairs"],
            "values": values.collect::<serde_json::Map<_, _>>(),
            "reasons": one["reasons"],
            "digests": one["digests"],
            "named": one["named"],
        });
        let found = DriftFound {
            began: time("began")?,
            ended: time("ended")?,
            found: serde_json::from_value(found).ok()?,
        };
        Some((MappingName::new(name), found))
    };
    mappings.iter().map(read).collect()
}

pub fn time_of(micros: i64) -> String {
    Timestamp::from_micros(micros).to_string()
}
