//! Questions about whole records: do they take part, may they be made, whom do they match,
//! and what would the CRM refuse.

use super::super::canon::{self, Form};
use super::super::expression::Expression;
use super::super::types::{Create, Fold, MatchRule};
use super::slot::of_kind;
use super::{Bound, problem};
use crate::model::{FieldKind, FieldSchema, Fields, HoldReason, PickOption, Problem, Raw, Side};

/// What HubSpot wants of a new record beyond its schema: one of each list (`hubspot.md 4.4`).
const MINIMUM: [(&str, &[&str]); 14] = [
    ("contacts", &["email", "firstname", "lastname"]),
    ("companies", &["name", "domain"]),
    ("deals", &["dealname"]),
    ("deals", &["dealstage"]),
    ("tickets", &["subject"]),
    ("tickets", &["hs_pipeline"]),
    ("tickets", &["hs_pipeline_stage"]),
    ("products", &["name"]),
    ("leads", &["hs_lead_name"]),
    ("notes", &["hs_timestamp"]),
    ("tasks", &["hs_timestamp"]),
    ("calls", &["hs_timestamp"]),
    ("meetings", &["hs_timestamp"]),
    ("emails", &["hs_timestamp"]),
];

/// A stage is told apart by its pipeline where there are several.
const PIPELINE: (&str, &str) = ("deals", "pipeline");

impl Bound {
    /// Whether a record passes `only`.
    pub fn takes_part(&self, side: Side, fields: &Fields) -> Result<bool, Problem> {
        match self.mapping.only.get(side) {
            None => Ok(true),
            Some(expression) => self.holds(expression, side, fields, "only"),
        }
    }

    /// Whether a record may be created on side `on` from this source record.
    pub fn may_create(&self, on: Side, source: &Fields) -> Result<bool, Problem> {
        match self.mapping.create.get(on) {
            Create::Never => Ok(false),
            Create::Always => Ok(true),
            Create::When(expression) => self.holds(expression, on.other(), source, "create"),
        }
    }

    fn holds(
        &self,
        expression: &Expression,
        side: Side,
        fields: &Fields,
        key: &str,
    ) -> Result<bool, Problem> {
        expression
            .holds(|name| self.dynamic(side, name, fields))
            .map_err(|error| {
                let detail = format!("`{key}` ({}) cannot be judged: {error}", expression.text);
                problem(HoldReason::Unreadable, detail)
            })
    }

    /// One text per match rule; equal texts of both sides are a match. Blank is `None`.
    pub fn match_keys(&self, side: Side, fields: &Fields) -> Vec<Option<String>> {
        self.mapping
            .matches
            .iter()
            .map(|rule| self.match_key(rule, side, fields))
            .collect()
    }

    fn match_key(&self, rule: &MatchRule, side: Side, fields: &Fields) -> Option<String> {
        let name = match side {
            Side::HubSpot => &rule.hubspot,
            Side::Salesforce => &rule.salesforce,
        };
        let raw = fields.get(name)?;
        let text = raw.as_text()?;
        let key = match rule.fold.unwrap_or_else(|| self.fold(rule)) {
            Fold::Text => match canon::decimal(text) {
                Ok(number) if self.numeric(rule) => number.to_string(),
                Ok(_) | Err(_) => canon::fold(text),
            },
            Fold::Exact => canon::nfc(text),
            Fold::Email => canon::nfc(text).trim().to_lowercase(),
            Fold::Domain => canon::domain(text),
            Fold::Phone => canon::text_of(&canon::parse(Form::Phone, raw, side, None).ok()?)?,
            Fold::Id => canon::id18(text, Side::Salesforce),
        };
        Some(key).filter(|key| !key.is_empty())
    }

    fn fold(&self, rule: &MatchRule) -> Fold {
        let kinds = [
            self.field_kind(Side::HubSpot, &rule.hubspot),
            self.field_kind(Side::Salesforce, &rule.salesforce),
        ];
        if kinds.contains(&Some(&FieldKind::Email)) {
            return Fold::Email;
        }
        match kinds[1].map(of_kind) {
            Some(Form::Id) => Fold::Id,
            _ if rule.salesforce == "Id" => Fold::Id,
            Some(Form::Phone) => Fold::Phone,
            _ => Fold::Text,
        }
    }

    fn numeric(&self, rule: &MatchRule) -> bool {
        [
            self.field_kind(Side::HubSpot, &rule.hubspot),
            self.field_kind(Side::Salesforce, &rule.salesforce),
        ]
        .into_iter()
        .flatten()
        .any(|kind| of_kind(kind) == Form::Number)
    }

    /// Required fields without a value, for a record about to be created.
    pub fn missing_for_create(&self, on: Side, fields_to_send: &Fields) -> Vec<String> {
        let object = self.objects.get(on);
        let given = |name: &str| fields_to_send.get(name).is_some_and(|raw| !raw.is_blank());
        let mut missing: Vec<String> = object
            .fields
            .values()
            .filter(|field| field.required && field.createable && !given(&field.name))
            .map(|field| field.name.clone())
            .collect();
        if on == Side::HubSpot {
            for fields in self.minimum() {
                if !fields.iter().any(|field| given(field)) {
                    missing.push(fields.join(" or "));
                }
            }
            if object.name == PIPELINE.0 && object.pipelines.len() > 1 && !given(PIPELINE.1) {
                missing.push(PIPELINE.1.to_owned());
            }
        }
        missing.sort();
        missing.dedup();
        missing
    }

    fn minimum(&self) -> impl Iterator<Item = &'static [&'static str]> {
        let object = self.objects.hubspot.name.as_str();
        let of = move |(name, fields)| (name == object).then_some(fields);
        MINIMUM.into_iter().filter_map(of)
    }

    /// A create without this very field is refused.
    fn insisted(&self, on: Side, field: &str) -> bool {
        let schema = self.objects.get(on).fields.get(field);
        schema.is_some_and(|schema| schema.required)
            || (on == Side::HubSpot && self.minimum().any(|fields| *fields == [field]))
    }

    /// Puts in `default:` where a required field has no value.
    pub fn fill_defaults(&self, on: Side, fields_to_send: &mut Fields) {
        for rule in self
            .mapping
            .rules
            .iter()
            .filter(|rule| rule.policy.direction.allows(on))
        {
            let (Some(default), Some(field)) = (&rule.default, rule.writes(on).first()) else {
                continue;
            };
            let required = self.insisted(on, field);
            let blank = fields_to_send.get(field).is_none_or(Raw::is_blank);
            if required && blank {
                fields_to_send.insert(field.clone(), Raw::text(default));
            }
        }
    }

    /// Fields that the CRM would refuse, each with the reason.
    pub fn refusals(&self, on: Side, fields: &Fields) -> Vec<(String, String)> {
        let mut refused = Vec::new();
        for (name, raw) in fields {
            let Some(schema) = self.objects.get(on).fields.get(name) else {
                continue;
            };
            if let Some(why) = refusal(schema, on, raw) {
                refused.push((name.clone(), why));
            }
        }
        refused
    }
}

fn refusal(schema: &FieldSchema, side: Side, raw: &Raw) -> Option<String> {
    if schema.calculated {
        return Some("it is computed by the platform and cannot be written".to_owned());
    }
    let text = raw.as_text()?;
    match &schema.kind {
        FieldKind::Text {
            length: Some(length),
        } if text.chars().count() > *length as usize => Some(format!(
            "it takes {length} characters, this has {}; shorten it or add \
                 tolerance: truncate({length})",
            text.chars().count()
        )),
        FieldKind::Email if !canon::valid_email(text.trim()) => {
            Some(format!("`{text}` is no e-mail address"))
        }
        FieldKind::Picklist {
            options,
            restricted: true,
        } if !options.is_empty() => not_an_option(options, [text]),
        FieldKind::MultiPicklist {
            options,
            restricted: true,
        } => not_an_option(options, text.split(';').filter(|part| !part.is_empty())),
        FieldKind::Integer => too_fine(text, 0),
        FieldKind::Number { scale: Some(scale) } | FieldKind::Money { scale: Some(scale) } => {
            too_fine(text, *scale)
        }
        kind => canon::parse(of_kind(kind), raw, side, None)
            .err()
            .map(|expected| format!("`{text}` does not fit: {expected}")),
    }
}

fn not_an_option<'a>(
    options: &[PickOption],
    texts: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let known = |text: &str| {
        options
            .iter()
            .any(|option| option.active && option.value == text)
    };
    let unknown = texts.into_iter().find(|text| !known(text))?;
    Some(format!(
        "`{unknown}` is not one of its options; add it to values: or set otherwise:"
    ))
}

fn too_fine(text: &str, scale: u32) -> Option<String> {
    match canon::decimal(text) {
        Err(expected) => Some(format!("`{text}` does not fit: {expected}")),
        Ok(number) if number.scale() > scale => Some(format!(
            "it keeps {scale} digits after the point, `{text}` has more; add \
             tolerance: round({scale})"
        )),
        Ok(_) => None,
    }
}
