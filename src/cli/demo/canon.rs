//! The demo's own, simple idea of when two raw values mean the same.
//!
//! Deliberately shares nothing with `mapping`: a mistake there must not hide itself here. Every
//! form turns a raw value of either side into one text; equal texts mean agreement.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::model::Side;
use crate::sim::hubspot::{self, HubSpotSim};
use crate::sim::salesforce::{self, SalesforceSim};
use crate::sim::seed::OWNERS;

use super::outcome::LinkSeen;
use super::shape::{Form, Rule, Shape};

/// What names and ids mean across the two sides.
#[derive(Clone, Debug, Default)]
pub struct Meaning {
    /// E-mails of Salesforce users by id, active ones only.
    users: BTreeMap<String, String>,
    /// Developer names of record types by id.
    record_types: BTreeMap<String, String>,
    /// HubSpot companies by the Salesforce account they are linked with.
    companies: BTreeMap<String, String>,
}

impl Meaning {
    pub fn read(salesforce: &SalesforceSim, links: &[LinkSeen]) -> Self {
        let active = |row: &salesforce::SimRecord| {
            row.fields.get("IsActive").and_then(Json::as_bool) != Some(false)
        };
        let named = |object: &str, field: &str| -> BTreeMap<String, String> {
            let rows = salesforce.records(object).into_iter().filter(active);
            rows.map(|row| (row.id.clone(), text(row.fields.get(field))))
                .collect()
        };
        let companies = links.iter().filter(|link| link.0 == "companies");
        Self {
            users: named("User", "Email"),
            record_types: named("RecordType", "DeveloperName"),
            companies: companies
                .map(|link| (link.2.clone(), link.1.clone()))
                .collect(),
        }
    }

    /// The rule's value in a HubSpot record, in words that both sides share.
    pub fn of_hubspot(
        &self,
        sim: &HubSpotSim,
        shape: &Shape,
        rule: &Rule,
        record: &hubspot::SimRecord,
    ) -> String {
        if let Form::Company { primary } = rule.form {
            let all = sim.associations(shape.hubspot, &record.id, "companies");
            let found = all.into_iter().find(|(_, kinds)| kinds.contains(&primary));
            return found.map(|(id, _)| id).unwrap_or_default();
        }
        self.shared(rule, Side::HubSpot, &|at| {
            let name = rule.hubspot.get(at).copied().unwrap_or_default();
            record.properties.get(name).cloned().unwrap_or_default()
        })
    }

    /// The rule's value in a Salesforce record, in words that both sides share.
    pub fn of_salesforce(&self, rule: &Rule, record: &salesforce::SimRecord) -> String {
        self.shared(rule, Side::Salesforce, &|at| {
            let name = rule.salesforce.get(at).copied().unwrap_or_default();
            text(record.fields.get(name))
        })
    }

    /// A losing value as the engine kept it, by raw field or, where it names fields differently,
    /// by position.
    pub fn of_loser(&self, rule: &Rule, side: Side, loser: &[(String, String)]) -> String {
        let names = match side {
            Side::HubSpot => rule.hubspot,
            Side::Salesforce => rule.salesforce,
        };
        self.shared(rule, side, &|at| {
            let named = names.get(at).copied().unwrap_or_default();
            let by_name = loser.iter().find(|(field, _)| field == named);
            let found = by_name.or_else(|| loser.get(at));
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        })
    }

    fn shared(&self, rule: &Rule, side: Side, get: &dyn Fn(usize) -> String) -> String {
        let first = get(0);
        match (rule.form, side) {
            (Form::Owner, Side::HubSpot) => {
                let owner = OWNERS.iter().find(|(id, _)| *id == first);
                let email = owner.map(|(_, email)| (*email).to_owned());
                email
                    .filter(|email| self.user(email).is_some())
                    .unwrap_or_default()
            }
            (Form::Owner, Side::Salesforce) => {
                let email = self.users.get(&first).cloned().unwrap_or_default();
                let known = OWNERS.iter().any(|(_, owner)| *owner == email);
                if known { email } else { String::new() }
            }
            (Form::Pick(table), Side::HubSpot) => {
                let found = table.iter().find(|(hubspot, _)| *hubspot == first);
                translated(&first, found.map(|(_, salesforce)| *salesforce))
            }
            (Form::Pick(table), Side::Salesforce) => {
                let found = table.iter().find(|(_, salesforce)| *salesforce == first);
                translated(&first, found.map(|(_, salesforce)| *salesforce))
            }
            (Form::Stage(_), Side::HubSpot) => format!("{first}/{}", get(1)),
            (Form::Stage(table), Side::Salesforce) => {
                let kind = self.record_types.get(&first).unwrap_or(&first);
                let name = get(1);
                let found = table.iter().find(|row| row[2] == kind && row[3] == name);
                let unknown = format!("?{kind}/{name}");
                found.map_or(unknown, |row| format!("{}/{}", row[0], row[1]))
            }
            (Form::Address, _) => {
                let lines = (0..5).map(|at| get(at).trim().replace("\r\n", "\n"));
                let lines: Vec<String> = lines.collect();
                let blank = lines.iter().all(String::is_empty);
                if blank {
                    String::new()
                } else {
                    lines.join(" | ")
                }
            }
            (Form::Company { .. }, Side::Salesforce) if !first.is_empty() => {
                let unlinked = format!("?{first}");
                self.companies.get(&first).cloned().unwrap_or(unlinked)
            }
            (Form::Company { .. }, _) => first,
            (Form::Money, _) => money(&first, &get(1)),
            (Form::Text | Form::Email | Form::Phone, _)
            | (Form::Site | Form::Number | Form::Day, _) => {
                let defaulted = side == Side::Salesforce && rule.default == Some(first.as_str());
                if defaulted {
                    String::new()
                } else {
                    plain(rule.form, &first)
                }
            }
        }
    }

    pub fn record_type(&self, name: &str) -> Option<&str> {
        let found = self.record_types.iter().find(|(_, known)| *known == name);
        found.map(|(id, _)| id.as_str())
    }

    pub fn user(&self, email: &str) -> Option<&str> {
        let found = self.users.iter().find(|(_, known)| *known == email);
        found.map(|(id, _)| id.as_str())
    }
}

/// A Salesforce field as text; blank when null or absent.
pub fn text(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn translated(value: &str, word: Option<&str>) -> String {
    match word {
        Some(word) => word.to_owned(),
        None if value.is_empty() => String::new(),
        None => format!("?{value}"),
    }
}

fn plain(form: Form, value: &str) -> String {
    let value = value.trim();
    match form {
        Form::Email => value.to_lowercase(),
        Form::Phone => phone(value),
        Form::Site => {
            let lower = value.to_lowercase();
            let bare = lower
                .trim_start_matches("https://")
                .trim_start_matches("http://");
            let host = bare.split(['/', '?', '#']).next().unwrap_or_default();
            host.trim_start_matches("www.").to_owned()
        }
        Form::Number => number(value),
        Form::Day => day(value),
        Form::Text | Form::Address => value.replace("\r\n", "\n"),
        // Two fields or an id: compared in their own way, by `Meaning::shared`.
        Form::Pick(_) | Form::Stage(_) | Form::Money | Form::Owner | Form::Company { .. } => {
            value.to_owned()
        }
    }
}

/// Whether two shared values agree under the rule.
pub fn agree(rule: &Rule, ours: &str, theirs: &str) -> bool {
    let unknown = ours.starts_with('?') || theirs.starts_with('?');
    ours == theirs || (rule.drops && unknown)
}

/// International digits; a number without a country is an American one.
fn phone(value: &str) -> String {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return value.to_owned();
    }
    if value.starts_with('+') {
        return digits;
    }
    match digits.strip_prefix("00") {
        Some(rest) => rest.to_owned(),
        None => format!("1{digits}"),
    }
}

fn number(value: &str) -> String {
    let parsed = value
        .parse::<Decimal>()
        .or_else(|_| Decimal::from_scientific(value));
    parsed.map_or_else(
        |_| value.to_owned(),
        |number| number.normalize().to_string(),
    )
}

/// No amount is no money, whatever the currency says.
fn money(amount: &str, currency: &str) -> String {
    if amount.is_empty() {
        return String::new();
    }
    format!("{} {currency}", number(amount))
}

/// The calendar day of a date, of a datetime, or of milliseconds since 1970.
fn day(value: &str) -> String {
    let all_digits = value.len() > 10 && value.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits && let Ok(millis) = value.parse() {
        let at = crate::model::Timestamp::from_millis(millis);
        return at.to_string()[..10].to_owned();
    }
    value.get(..10).unwrap_or(value).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_written_many_ways_is_one_number() {
        for way in ["+49 30 23125123", "+49 (30) 23125-123", "+493023125123"] {
            assert_eq!(phone(way), "493023125123", "{way}");
        }
        assert_eq!(phone("0049 30 23125123"), "493023125123");
        assert_eq!(phone("(202) 555-0143"), phone("+1 202 555 0143"));
        assert_ne!(phone("+44 20 7946 0123"), phone("+44 20 7946 0124"));
    }

    #[test]
    fn money_compares_by_value_and_currency() {
        assert_eq!(money("1200", "EUR"), money("1200.00", "EUR"));
        assert_ne!(money("1200", "EUR"), money("1200", "USD"));
        assert_eq!(money("", "EUR"), money("", "USD"));
        assert_eq!(number("1.2e3"), "1200");
    }

    #[test]
    fn a_datetime_and_a_date_meet_on_the_calendar_day() {
        assert_eq!(day("2027-03-31T00:00:00.000Z"), day("2027-03-31"));
        assert_eq!(day("1806451200000"), "2027-03-31");
    }
}
