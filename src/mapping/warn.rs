//! Mappings that are valid and probably not what was meant.
//!
//! Looks at mappings alone; what needs a schema is checked in `bound`.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::rule::Rule;
use super::types::{Create, Mapping};
use crate::model::{Conflict, FirstSync, Side};

/// Fields that workflows and flows rewrite all the time.
const AUTOMATED: [&str; 10] = [
    "lifecyclestage",
    "hs_lead_status",
    "hubspot_owner_id",
    "dealstage",
    "pipeline",
    "hs_priority",
    "OwnerId",
    "StageName",
    "Status",
    "Rating",
];

/// What one mapping shows by itself.
pub(super) fn alone(mapping: &Mapping, faults: &mut Vec<Fault>) {
    let creates = |side| !matches!(mapping.create.get(side), Create::Never);
    let filtered = Side::BOTH.map(|side| mapping.only.get(side).is_some());
    if Side::BOTH.into_iter().all(creates) && filtered[0] != filtered[1] {
        let bare = if filtered[0] {
            Side::Salesforce
        } else {
            Side::HubSpot
        };
        if let Some(at) = mapping.places.get("create") {
            let message = format!(
                "records are created on both sides, but `only` filters just one: what is created \
                 from {} may not take part itself; add `only` for {}",
                bare.title(),
                bare.as_str()
            );
            faults.push(at.warning("create", message));
        }
    }
    for rule in &mapping.rules {
        newest(rule, faults);
    }
}

fn newest(rule: &Rule, faults: &mut Vec<Fault>) {
    let newest = matches!(rule.policy.conflict, Conflict::Newest { .. })
        || matches!(rule.policy.first_sync, FirstSync::Newest { .. });
    let touched = Side::BOTH
        .into_iter()
        .flat_map(|side| rule.writes(side))
        .find(|field| AUTOMATED.contains(&field.as_str()));
    if let (true, Some(field)) = (newest, touched) {
        let message = format!(
            "`newest` on `{field}`: workflows change it too, and the later automation would win \
             over a person; name a side"
        );
        faults.push(rule.at.warning(&rule.name, message));
    }
}

type Writer<'m> = (&'m Mapping, &'m Rule);

/// Two rules that write one field, in one mapping or in two.
pub(super) fn across(mappings: &[Mapping], faults: &mut Vec<Fault>) {
    let mut writers: BTreeMap<(Side, &str, &str), Vec<Writer<'_>>> = BTreeMap::new();
    for mapping in mappings {
        for (side, rule) in Side::BOTH
            .into_iter()
            .flat_map(|s| mapping.rules.iter().map(move |r| (s, r)))
        {
            if !rule.policy.direction.allows(side) {
                continue;
            }
            for field in rule.writes(side) {
                let key = (side, mapping.objects.get(side).as_str(), field.as_str());
                let others = writers.entry(key).or_default();
                if let Some((held, other)) = others.iter().find(|(held, _)| overlap(held, mapping))
                {
                    let message = format!(
                        "{} `{field}` is written by rule `{}` of mapping `{}` too; \
                         they would overwrite each other",
                        side.title(),
                        other.name,
                        held.name
                    );
                    faults.push(rule.at.warning(&rule.name, message));
                }
                others.push((mapping, rule));
            }
        }
    }
}

/// Mappings of one group never hold the same HubSpot record at once.
fn overlap(left: &Mapping, right: &Mapping) -> bool {
    left.name == right.name || left.group.is_none() || left.group != right.group
}
