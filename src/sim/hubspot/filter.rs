//! Search filters, compiled once per request and judged record by record (`hubspot.md 5`).

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::failure::Failure;
use super::kind::ObjectKind;
use super::property::{Access, Derived, PropertyId, PropertyType};
use super::record::Record;
use super::state::State;
use super::table::Table;
use super::value::moment;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct FilterBody {
    property_name: String,
    operator: String,
    value: Option<serde_json::Value>,
    high_value: Option<serde_json::Value>,
    values: Option<Vec<serde_json::Value>>,
}

/// A value in the order its property type sorts by.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(super) enum Sortable {
    Integer(i64),
    Number(Decimal),
    Text(String),
}

#[derive(Debug)]
enum Test {
    Compare(Vec<Ordering>, bool, Sortable),
    Between(Sortable, Sortable),
    In(Vec<String>, bool),
    Known(bool),
    Token(String, bool),
}

#[derive(Debug)]
enum Subject {
    Property(PropertyId),
    /// The pseudo-property `associations.{type}`.
    Association(ObjectKind),
}

#[derive(Debug)]
pub(super) struct Filter {
    subject: Subject,
    test: Test,
}

impl Test {
    fn compile(table: &Table, id: PropertyId, body: &FilterBody) -> Result<Self, Failure> {
        let sortable = |text: String| {
            parse(table, id, &text).ok_or_else(|| {
                let name = &body.property_name;
                Failure::validation(format!("\"{text}\" cannot be compared with {name}"))
            })
        };
        let compare = |orders: &[Ordering], wanted| {
            Ok(Self::Compare(
                orders.to_vec(),
                wanted,
                sortable(one(body)?)?,
            ))
        };
        let test = match body.operator.as_str() {
            "EQ" => compare(&[Ordering::Equal], true)?,
            "NEQ" => compare(&[Ordering::Equal], false)?,
            "LT" => compare(&[Ordering::Less], true)?,
            "LTE" => compare(&[Ordering::Less, Ordering::Equal], true)?,
            "GT" => compare(&[Ordering::Greater], true)?,
            "GTE" => compare(&[Ordering::Greater, Ordering::Equal], true)?,
            "BETWEEN" => {
                let high = body.high_value.as_ref().and_then(super::value::text_of);
                let high = high.ok_or_else(|| incomplete("highValue", body))?;
                Self::Between(sortable(one(body)?)?, sortable(high)?)
            }
            "IN" => Self::In(many(body)?, true),
            "NOT_IN" => Self::In(many(body)?, false),
            "HAS_PROPERTY" => Self::Known(true),
            "NOT_HAS_PROPERTY" => Self::Known(false),
            "CONTAINS_TOKEN" => Self::Token(one(body)?.to_lowercase(), true),
            "NOT_CONTAINS_TOKEN" => Self::Token(one(body)?.to_lowercase(), false),
            other => {
                return Err(Failure::validation(format!(
                    "Invalid input JSON: unknown filter operator \"{other}\""
                )));
            }
        };
        Ok(test)
    }
}

impl Filter {
    pub fn compile(state: &State, table: &Table, body: &FilterBody) -> Result<Self, Failure> {
        if let Some(name) = body.property_name.strip_prefix("associations.") {
            let value = one(body)?;
            return Ok(Self {
                subject: Subject::Association(state.kind(name)?),
                test: Test::In(vec![value], body.operator != "NEQ"),
            });
        }
        let Some(id) = table.catalog.find(&body.property_name.to_ascii_lowercase()) else {
            let name = &body.property_name;
            return Err(Failure::validation(format!(
                "There was a problem with the request. Property \"{name}\" does not exist"
            )));
        };
        let (subject, test) = (Subject::Property(id), Test::compile(table, id, body)?);
        Ok(Self { subject, test })
    }

    pub fn matches(&self, state: &State, table: &Table, record: &Record) -> bool {
        let id = match &self.subject {
            Subject::Property(id) => *id,
            Subject::Association(to) => return self.is_linked(state, table, record, *to),
        };
        if let Some(known) = self.matches_system(table, record, id) {
            return known;
        }
        let text = state.text(table, record, id);
        if let Test::Known(wanted) = self.test {
            return text.is_empty() != wanted;
        }
        // An unset property matches no comparison, the negative ones included.
        if text.is_empty() {
            return false;
        }
        match &self.test {
            Test::Compare(orders, wanted, with) => {
                compares(table, id, &text, orders, with) == *wanted
            }
            Test::Between(low, high) => parse(table, id, &text).is_some_and(|key| {
                key.partial_cmp(low).is_some_and(Ordering::is_ge)
                    && key.partial_cmp(high).is_some_and(Ordering::is_le)
            }),
            Test::In(values, wanted) => is_in(table, id, &text, values) == *wanted,
            Test::Token(pattern, wanted) => has_token(&text.to_lowercase(), pattern) == *wanted,
            Test::Known(_) => true,
        }
    }

    /// Ids and system times are judged as numbers: a poller's range walks every record.
    fn matches_system(&self, table: &Table, record: &Record, id: PropertyId) -> Option<bool> {
        let number = system_number(table, record, id)?;
        match &self.test {
            Test::Compare(orders, wanted, Sortable::Integer(with)) => {
                Some(orders.contains(&number.cmp(with)) == *wanted)
            }
            Test::Between(Sortable::Integer(low), Sortable::Integer(high)) => {
                Some((low..=high).contains(&&number))
            }
            Test::Compare(..)
            | Test::Between(..)
            | Test::In(..)
            | Test::Known(_)
            | Test::Token(..) => None,
        }
    }

    fn is_linked(&self, state: &State, table: &Table, record: &Record, to: ObjectKind) -> bool {
        let Test::In(ids, wanted) = &self.test else {
            return false;
        };
        let links = state.links(table.kind, record.id, to);
        links.iter().any(|(id, _)| ids.contains(&id.to_string())) == *wanted
    }

    /// The last-modified times a record must lie within to match, where this filter says so.
    pub fn modified_range(&self, table: &Table) -> Option<RangeInclusive<i64>> {
        self.integer_range(table, Derived::Modified)
    }

    /// The ids a record must lie within to match, where this filter says so.
    pub fn id_range(&self, table: &Table) -> Option<RangeInclusive<i64>> {
        self.integer_range(table, Derived::ObjectId)
    }

    fn integer_range(&self, table: &Table, of: Derived) -> Option<RangeInclusive<i64>> {
        let Subject::Property(id) = self.subject else {
            return None;
        };
        if table.catalog.get(id).access != Access::Derived(of) {
            return None;
        }
        match &self.test {
            Test::Compare(orders, true, Sortable::Integer(at)) => {
                let low = if orders.contains(&Ordering::Less) {
                    i64::MIN
                } else {
                    *at
                };
                let high = if orders.contains(&Ordering::Greater) {
                    i64::MAX
                } else {
                    *at
                };
                Some(low..=high)
            }
            Test::Between(Sortable::Integer(low), Sortable::Integer(high)) => Some(*low..=*high),
            Test::Compare(..)
            | Test::Between(..)
            | Test::In(..)
            | Test::Known(_)
            | Test::Token(..) => None,
        }
    }
}

fn incomplete(field: &str, body: &FilterBody) -> Failure {
    let (name, operator) = (&body.property_name, &body.operator);
    Failure::validation(format!(
        "{field} is required for operator {operator} on {name}"
    ))
}

fn one(body: &FilterBody) -> Result<String, Failure> {
    let value = body.value.as_ref().and_then(super::value::text_of);
    value.ok_or_else(|| incomplete("value", body))
}

fn many(body: &FilterBody) -> Result<Vec<String>, Failure> {
    let values = body.values.as_ref().filter(|values| !values.is_empty());
    let values = values.ok_or_else(|| incomplete("values", body))?;
    Ok(values.iter().filter_map(super::value::text_of).collect())
}

fn parse(table: &Table, id: PropertyId, text: &str) -> Option<Sortable> {
    let property = table.catalog.get(id);
    if property.access == Access::Derived(Derived::ObjectId) {
        return text.trim().parse().ok().map(Sortable::Integer);
    }
    match property.kind {
        PropertyType::Number => Decimal::from_str(text.trim()).ok().map(Sortable::Number),
        PropertyType::Date | PropertyType::DateTime => moment(text.trim()).map(Sortable::Integer),
        PropertyType::Choice | PropertyType::MultiChoice | PropertyType::Owner => {
            Some(Sortable::Text(text.to_owned()))
        }
        PropertyType::Text | PropertyType::Email | PropertyType::Domain | PropertyType::Bool => {
            Some(Sortable::Text(text.to_lowercase()))
        }
    }
}

/// The number behind a system property: an id, or milliseconds since 1970.
fn system_number(table: &Table, record: &Record, id: PropertyId) -> Option<i64> {
    match table.catalog.get(id).access {
        Access::Derived(Derived::ObjectId) => i64::try_from(record.id).ok(),
        Access::Derived(Derived::Created) => Some(record.created),
        Access::Derived(Derived::Modified) => Some(record.modified),
        Access::Derived(_) | Access::Writable | Access::ReadOnly => None,
    }
}

/// What a record is sorted by; nothing when the property is unset.
pub(super) fn sort_key(
    state: &State,
    table: &Table,
    record: &Record,
    id: PropertyId,
) -> Option<Sortable> {
    if let Some(number) = system_number(table, record, id) {
        return Some(Sortable::Integer(number));
    }
    let text = state.text(table, record, id);
    if text.is_empty() {
        None
    } else {
        parse(table, id, &text)
    }
}

fn compares(
    table: &Table,
    id: PropertyId,
    text: &str,
    orders: &[Ordering],
    with: &Sortable,
) -> bool {
    if table.catalog.get(id).kind == PropertyType::MultiChoice
        && let Sortable::Text(value) = with
        && orders == [Ordering::Equal]
    {
        return text == value || text.split(';').any(|part| part == value);
    }
    let order = parse(table, id, text).and_then(|key| key.partial_cmp(with));
    order.is_some_and(|order| orders.contains(&order))
}

/// Texts must be listed in lower case to be found; options are compared exactly.
fn is_in(table: &Table, id: PropertyId, text: &str, values: &[String]) -> bool {
    match table.catalog.get(id).kind {
        PropertyType::Text | PropertyType::Email | PropertyType::Domain => {
            let text = text.to_lowercase();
            values.contains(&text)
        }
        PropertyType::MultiChoice => text.split(';').any(|part| values.iter().any(|v| v == part)),
        PropertyType::Date | PropertyType::DateTime => values
            .iter()
            .any(|v| moment(v).is_some() && moment(v) == moment(text)),
        PropertyType::Number | PropertyType::Bool | PropertyType::Choice | PropertyType::Owner => {
            values.iter().any(|v| v == text)
        }
    }
}

fn tokens(text: &str) -> BTreeSet<&str> {
    let split = text.split(|c: char| !c.is_alphanumeric());
    split.filter(|token| !token.is_empty()).collect()
}

/// Both are in lower case already. `*` stands for any run of characters.
fn has_token(text: &str, pattern: &str) -> bool {
    let words = tokens(text);
    if pattern.contains('*') {
        return wildcard(text, pattern) || words.iter().any(|word| wildcard(word, pattern));
    }
    let wanted = tokens(pattern);
    !wanted.is_empty() && wanted.is_subset(&words)
}

fn wildcard(text: &str, pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split('*').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return false;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    if parts.len() == 1 {
        return rest.is_empty();
    }
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_and_a_star_is_anything() {
        assert!(has_token("ann miller gmbh", "miller"));
        assert!(!has_token("ann miller gmbh", "mill"));
        assert!(has_token("ann miller gmbh", "mill*"));
        assert!(has_token("ann@example.com", "*@example.com"));
        assert!(has_token("ann@example.com", "ann@example.com"));
        assert!(!has_token("ann@example.com", "*@example.org"));
        assert!(!has_token("ab", "a*b*b"));
    }
}
