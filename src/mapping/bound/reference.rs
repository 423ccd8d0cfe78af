//! References: record ids on each side, links in between.

use std::collections::BTreeSet;

use super::super::canon::id18;
use super::super::rule::{Reference, ReferenceEnd, Rule};
use super::{Bound, References, problem};
use crate::model::{Fields, HoldReason, LinkId, Problem, Raw, RecordId, RecordKey, Side, Value};

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
                None => return Err(unlinked(reference, side, key.id.as_str())),
            }
        }
        Ok(value(reference, links))
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
        let text = ids.into_iter().collect::<Vec<_>>().join(";");
        let raw = if text.is_empty() {
            Raw::Null
        } else {
            Raw::Text(text)
        };
        Ok(rule
            .writes(to)
            .iter()
            .map(|field| (field.clone(), raw.clone()))
            .collect())
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
