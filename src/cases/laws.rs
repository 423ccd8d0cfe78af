//! Laws that every rule must keep, tried on generated values.
//!
//! Settled: what was written once is not written again. Round trip: a value that went there and is
//! carried back means the same; a rule may lose something on purpose, so that is only shown.

use super::values;
use crate::mapping::{Bound, References, Rule};
use crate::merge::{self, Decision, RuleInput};
use crate::model::{BySide, Direction, Fields, Raw, Side, Tolerance};
use crate::pipeline::caught;

/// What was tried, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Laws {
    pub rules: u64,
    pub values: u64,
    /// Writes that would be followed by another one, or values that made the planner fail.
    pub broken: Vec<Changed>,
    /// Values that mean something else once they are back.
    pub changed: Vec<Changed>,
    /// What each value becomes on the other side, for comparing two revisions.
    pub sent: Vec<Sent>,
}

/// A value that did not keep a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub rule: String,
    pub from: Side,
    pub value: String,
    pub what: String,
}

/// One value and what it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub rule: String,
    pub from: Side,
    pub value: String,
    pub becomes: String,
}

/// Tries every rule of a mapping with every generated value. References and expressions are left
/// out: what they give depends on other records.
pub fn laws(bound: &Bound) -> Laws {
    let mut laws = Laws::default();
    for rule in &bound.mapping().rules {
        let before = laws.values;
        for side in Side::BOTH {
            for record in values::records(bound, rule, side) {
                laws.values += 1;
                one(bound, rule, side, record, &mut laws);
            }
        }
        laws.rules += u64::from(laws.values > before);
    }
    laws
}

fn one(bound: &Bound, rule: &Rule, from: Side, record: Fields, laws: &mut Laws) {
    let value = text_of(&record);
    let changed = |what: String| Changed {
        rule: rule.name.clone(),
        from,
        value: value.clone(),
        what,
    };
    let other = facing(rule, from, &record);
    let fields = match from {
        Side::HubSpot => BySide::new(record, other),
        Side::Salesforce => BySide::new(other, record),
    };
    let tried = caught(|| {
        let settled = settled(bound, rule, &fields);
        let back = match rule.policy.direction {
            Direction::Both => came_back(bound, rule, from, &fields),
            Direction::To(_) => None,
        };
        (settled, back)
    });
    match tried {
        Err(panic) => laws
            .broken
            .push(changed(format!("Tandem itself failed: {panic}"))),
        Ok((settled, back)) => {
            let becomes = match &settled {
                Ok(Some(written)) => written.clone(),
                Ok(None) => "nothing is written".to_owned(),
                Err(what) => {
                    laws.broken.push(changed(what.clone()));
                    what.clone()
                }
            };
            laws.changed.extend(back.map(&changed));
            laws.sent.push(Sent {
                rule: rule.name.clone(),
                from,
                value: value.clone(),
                becomes,
            });
        }
    }
}

/// The other record: blank where the rule writes, and the same where it only reads, as the country
/// of a phone number is.
fn facing(rule: &Rule, from: Side, record: &Fields) -> Fields {
    let to = from.other();
    let (here, there) = (rule.sides.get(from), rule.sides.get(to));
    let read = here.iter().skip(rule.writes(from).len());
    let mut read = read.map(|name| record.get(name).cloned().unwrap_or_default());
    let mut fields = Fields::new();
    for name in rule.writes(to) {
        fields.insert(name.clone(), Raw::Null);
    }
    for name in there.iter().skip(rule.writes(to).len()) {
        fields.insert(name.clone(), read.next().unwrap_or_default());
    }
    fields
}

/// Plans the rule, writes, and plans again: the second time there must be nothing to write. Answers
/// what was written.
fn settled(bound: &Bound, rule: &Rule, fields: &BySide<Fields>) -> Result<Option<String>, String> {
    let none = References::default();
    let (decision, _) = merge::decide(&input(bound, rule, fields));
    let values = match decision {
        Decision::Write { values, .. } => values,
        Decision::Hold { reason, detail, .. } => {
            return Ok(Some(format!("held as {}: {detail}", reason.as_str())));
        }
        Decision::Unchanged | Decision::Agree { .. } | Decision::Skip => return Ok(None),
    };
    let mut after = fields.clone();
    let mut written = Fields::new();
    for to in Side::BOTH {
        let Some(value) = values.get(to) else {
            continue;
        };
        let rendered = match bound.render(rule, to, value, fields.get(to), &none) {
            Ok(rendered) => rendered,
            Err(problem) => return Ok(Some(format!("held: {}", problem.detail))),
        };
        if let Some((field, why)) = bound.refusals(to, &rendered).into_iter().next() {
            return Ok(Some(format!(
                "held: {} would refuse `{field}`: {why}",
                to.title()
            )));
        }
        after.get_mut(to).extend(rendered.clone());
        written.extend(rendered);
    }
    match merge::decide(&input(bound, rule, &after)).0 {
        Decision::Write { values, .. } => {
            let again = values.hubspot.or(values.salesforce).unwrap_or_default();
            Err(format!(
                "{} is written, and then `{again}`, although nobody changed anything",
                text_of(&written)
            ))
        }
        Decision::Unchanged | Decision::Agree { .. } | Decision::Hold { .. } | Decision::Skip => {
            Ok(Some(text_of(&written)))
        }
    }
}

/// What the value has become once it is back, if that is something else.
fn came_back(bound: &Bound, rule: &Rule, from: Side, fields: &BySide<Fields>) -> Option<String> {
    let none = References::default();
    let to = from.other();
    let canon = |side: Side, fields: &Fields| bound.canon(rule, side, fields, &none).ok();
    let here = canon(from, fields.get(from))?;
    let there = bound
        .carry(rule, from, fields.get(from), &here, &none)
        .ok()?;
    let rendered = bound.render(rule, to, &there, fields.get(to), &none).ok()?;
    let mut written = fields.get(to).clone();
    written.extend(rendered);
    let there = canon(to, &written)?;
    let back = match bound.carry(rule, to, &written, &there, &none) {
        Ok(back) => back,
        Err(problem) => return Some(format!("does not come back: {}", problem.detail)),
    };
    // Salesforce cuts blanks off either end of any text.
    let mut tolerances = rule.policy.tolerances.clone();
    tolerances.push(Tolerance::Trim);
    if merge::within(&tolerances, &here, &back) {
        return None;
    }
    Some(format!(
        "comes back as `{back}`, by way of {}",
        text_of(&written)
    ))
}

fn input<'a>(bound: &Bound, rule: &'a Rule, fields: &BySide<Fields>) -> RuleInput<'a> {
    let none = References::default();
    let now = BySide::from_fn(|side| bound.canon(rule, side, fields.get(side), &none));
    let carried = BySide::from_fn(|into: Side| {
        let from = into.other();
        let value = now.get(from).clone()?;
        bound.carry(rule, from, fields.get(from), &value, &none)
    });
    RuleInput::new(rule.name.clone(), &rule.policy, now, carried)
}

/// The filled fields, as a person would read them.
fn text_of(fields: &Fields) -> String {
    let filled = fields
        .iter()
        .filter_map(|(name, raw)| Some((name, raw.as_text()?)));
    let filled: Vec<String> = filled
        .map(|(name, text)| format!("{name} {text:?}"))
        .collect();
    match filled.is_empty() {
        true => "a blank".to_owned(),
        false => filled.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::read_schemas;
    use crate::mapping::{SourceFile, bind, load};

    fn bound(rule: &str) -> Bound {
        let text = format!(
            "mapping: people\nhubspot: contacts\nsalesforce: Contact\nconflict: salesforce\n\
             first-sync: {{ fill-blanks: salesforce }}\ncreate: never\nrules:\n  {rule}\n"
        );
        let path = "people.yaml".to_owned();
        let loaded = load(&[SourceFile { path, text }], &Default::default()).expect("it loads");
        let schemas = include_str!("../../mappings/tests/schemas.json");
        let schemas = read_schemas(schemas).expect("they are schemas");
        bind(&loaded.mappings[0], &schemas).expect("it fits")
    }

    fn record(fields: &[(&str, Option<&str>)]) -> Fields {
        let raw = |text: &Option<&str>| text.map_or(Raw::Null, Raw::text);
        let fields = fields.iter();
        fields
            .map(|(name, text)| ((*name).to_owned(), raw(text)))
            .collect()
    }

    #[test]
    fn a_write_that_would_be_followed_by_another_is_found() {
        let bound = bound(
            "phone: { to: Phone, as: 'phone(country ?? \"US\")' }\n  country: MailingCountry",
        );
        let rule = bound.mapping().rule("phone").expect("it is there");
        // Read with another country over there, the number that was written is another number.
        let number = "(415) 555-0100";
        let here = record(&[("phone", Some(number)), ("country", Some("Atlantis"))]);
        let there = record(&[("Phone", None), ("MailingCountry", None)]);
        let found = settled(&bound, rule, &BySide::new(here.clone(), there));
        let why = found.expect_err("it is written again");
        assert!(why.contains("although nobody changed anything"), "{why}");
        let other = facing(rule, Side::HubSpot, &here);
        let found = settled(&bound, rule, &BySide::new(here, other));
        assert_eq!(found, Ok(Some("Phone \"4155550100\"".to_owned())));
    }

    #[test]
    fn a_value_that_comes_back_as_another_is_shown_and_breaks_nothing() {
        let bound = bound(
            "interests: { to: Interests__c, values: { analytics: Research, training: { to: \
             Research, direction: to-salesforce } }, otherwise: drop, conflict: union }",
        );
        let laws = laws(&bound);
        assert_eq!(laws.broken, []);
        let values: Vec<&str> = laws.changed.iter().map(|one| one.value.as_str()).collect();
        assert!(values.contains(&"interests \"automation\""), "{values:?}");
    }

    #[test]
    fn a_value_that_is_dropped_on_the_way_back_is_written_over_a_blank() {
        let bound = bound(
            "hs_analytics_source: { to: LeadSource, direction: to-salesforce, \
             values: { OFFLINE: Other }, otherwise: drop }",
        );
        let sent = laws(&bound).sent;
        let one = sent.iter().find(|sent| sent.value.contains("OFFLINE"));
        assert_eq!(
            one.map(|one| one.becomes.as_str()),
            Some("LeadSource \"Other\"")
        );
    }
}
