//! References: record ids on each side, links in between.

use std::collections::BTreeSet;

use super::super::canon::id18;
use super::super::rule::{Reference, ReferenceEnd, Rule};
use super::{Bound, References, problem};
use crate::model::{
    BySide, Fields, HoldReason, LinkId, Problem, Raw, RecordId, RecordKey, Side, Value,
};

impl Bound {
    pub(super) fn linked(
        &self,
        rule: &Rule,
        reference: &Reference,
        side: Side,
        fields: &Fields,
        refs: &References,
    ) -> Result<Value, Problem> {
        let Some(field) = rule.writes(side).first() else {
            return Ok(Value::Null);
        };
        let Some(raw) = fields.get(field) else {
            let detail = format!("{} `{field}` was not read", side.title());
            return Err(problem(HoldReason::Unreadable, detail));
        };
        let mut links = BTreeSet::new();
        for id in raw
            .as_text()
            .unwrap_or_default()
            .split(';')
            .filter(|id| !id.trim().is_empty())
        {
            let id = RecordId::new(id18(id, side));
            let key = RecordKey {
                mapping: reference.mapping.clone(),
                side,
                id,
            };
            match refs.links.get(&key) {
                Some(link) => {
                    links.insert(link.clone());
                }
                // It has no counterpart yet, so it stays where it is and the others go on.
                None if refs.complete && reference.is_set() => {}
                None => return Err(unlinked(reference, side, key.id.as_str())),
            }
        }
        Ok(value(reference, links))
    }

    /// The fields of a set without the members that are not linked yet, and what these wait for.
    /// `None`: there are no such members.
    pub fn linked_part(
        &self,
        rule: &Rule,
        fields: &BySide<Fields>,
        refs: &References,
    ) -> Option<(BySide<Fields>, Problem)> {
        let reference = rule.reference().filter(|reference| reference.is_set())?;
        let mut part = fields.clone();
        let mut waits = None;
        for side in Side::BOTH {
            let Some(name) = self.reference_field(rule, side) else {
                continue;
            };
            let text = fields.get(side).get(&name).and_then(Raw::as_text);
            let (mut linked, mut missing) = (BTreeSet::new(), None);
            for id in text
                .unwrap_or_default()
                .split(';')
                .filter(|id| !id.is_empty())
            {
                let key = RecordKey {
                    mapping: reference.mapping.clone(),
                    side,
                    id: RecordId::new(id),
                };
                if refs.links.contains_key(&key) {
                    linked.insert(id.to_owned());
                } else {
                    missing.get_or_insert_with(|| unlinked(reference, side, id));
                }
            }
            if missing.is_some() {
                part.get_mut(side).insert(name, joined(linked));
                waits = waits.or(missing);
            }
        }
        Some((part, waits?))
    }

    pub(super) fn carry_link(
        &self,
        reference: &Reference,
        to: Side,
        value: &Value,
    ) -> Result<Value, Problem> {
        if let Value::Links(links) = value
            && to == Side::Salesforce
            && is_single(reference)
        {
            let detail = format!(
                "{} records of mapping `{}` are associated, Salesforce refers to one; \
                 choose it by a label",
                links.len(),
                reference.mapping
            );
            return Err(problem(HoldReason::Unmapped, detail));
        }
        Ok(value.clone())
    }

    pub(super) fn record_ids(
        &self,
        rule: &Rule,
        reference: &Reference,
        to: Side,
        value: &Value,
        refs: &References,
    ) -> Result<Fields, Problem> {
        let links: Vec<&LinkId> = match value {
            Value::Link(link) => vec![link],
            Value::Links(links) => links.iter().collect(),
            Value::Null
            | Value::Text(_)
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Date(_)
            | Value::Time(_)
            | Value::Set(_)
            | Value::Money { .. }
            | Value::Several(_) => Vec::new(),
        };
        let mut ids = BTreeSet::new();
        for link in links {
            let record = refs
                .records
                .get(link)
                .and_then(|records| records.get(to).as_ref());
            match record {
                Some(record) => {
                    ids.insert(record.as_str().to_owned());
                }
                None => return Err(unlinked(reference, to.other(), link.as_str())),
            }
        }
        let raw = joined(ids);
        Ok(rule
            .writes(to)
            .iter()
            .map(|field| (field.clone(), raw.clone()))
            .collect())
    }
}

/// Ids as records keep them.
fn joined(ids: BTreeSet<String>) -> Raw {
    if ids.is_empty() {
        Raw::Null
    } else {
        Raw::Text(ids.into_iter().collect::<Vec<_>>().join(";"))
    }
}

fn unlinked(reference: &Reference, side: Side, id: &str) -> Problem {
    let detail = format!(
        "{} record {id} of mapping `{}` is not linked yet",
        side.title(),
        reference.mapping
    );
    problem(HoldReason::Unresolved, detail)
}

fn is_single(reference: &Reference) -> bool {
    match reference.salesforce {
        ReferenceEnd::Lookup { .. } => true,
        ReferenceEnd::Association { .. } | ReferenceEnd::Junction { .. } => false,
    }
}

/// A lookup holds one link; where it does not fit, all are kept so that nothing is hidden.
fn value(reference: &Reference, links: BTreeSet<LinkId>) -> Value {
    if links.is_empty() {
        return Value::Null;
    }
    if is_single(reference) && links.len() == 1 {
        return links.into_iter().next().map_or(Value::Null, Value::Link);
    }
    Value::Links(links)
}
