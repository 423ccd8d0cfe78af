//! Names that people write, and the CRM's own values behind them: record types, pipelines,
//! stages, options; and fields as expressions see them.

use rhai::{Dynamic, Map};

use super::super::canon;
use super::slot::{Slot, options_of};
use super::{Bound, problem};
use crate::model::{
    FieldKind, FieldSchema, Fields, HoldReason, ObjectSchema, Problem, Raw, Side, Value,
};

const PIPELINES: [&str; 2] = ["pipeline", "hs_pipeline"];
const STAGES: [&str; 2] = ["dealstage", "hs_pipeline_stage"];

impl Bound {
    pub(super) fn record_type_name(&self, slot: &Slot, id: &str) -> Result<Value, Problem> {
        let types = &self.objects.get(slot.side).record_types;
        let found = types
            .iter()
            .find(|held| canon::id18(held.id.as_str(), slot.side) == id);
        found
            .map(|held| Value::text(&held.developer_name))
            .ok_or_else(|| {
                problem(
                    HoldReason::Unmapped,
                    format!("the record type {id} is not known"),
                )
            })
    }

    pub(super) fn record_type_id(&self, slot: &Slot, name: &str) -> Result<Raw, Problem> {
        let types = &self.objects.get(slot.side).record_types;
        let found = types
            .iter()
            .find(|held| held.developer_name == name && held.active);
        found
            .map(|held| Raw::text(held.id.as_str()))
            .ok_or_else(|| {
                problem(
                    HoldReason::Unmapped,
                    format!("there is no active record type `{name}`"),
                )
            })
    }

    /// A field as expressions see it: blank is `()`, numbers are exact, sets are lists.
    pub(super) fn dynamic(&self, side: Side, field: &str, fields: &Fields) -> Dynamic {
        if field == "RecordType" {
            return self.record_type_map(side, fields);
        }
        let raw = fields.get(field).unwrap_or(&Raw::Null);
        let kind = self
            .objects
            .get(side)
            .fields
            .get(field)
            .map(|schema| &schema.kind);
        dynamic(kind, raw)
    }

    fn record_type_map(&self, side: Side, fields: &Fields) -> Dynamic {
        let id = fields
            .get("RecordTypeId")
            .and_then(Raw::as_text)
            .unwrap_or_default();
        let types = &self.objects.get(side).record_types;
        let name = types
            .iter()
            .find(|held| held.id.as_str() == id)
            .map_or(Dynamic::UNIT, |held| held.developer_name.clone().into());
        let mut map = Map::new();
        map.insert("DeveloperName".into(), name);
        Dynamic::from_map(map)
    }
}

pub(super) fn dynamic(kind: Option<&FieldKind>, raw: &Raw) -> Dynamic {
    let Some(text) = raw.as_text() else {
        return Dynamic::UNIT;
    };
    let as_text = || Dynamic::from(text.to_owned());
    match kind {
        Some(FieldKind::Integer) => text
            .parse::<i64>()
            .map_or_else(|_| number(text), Dynamic::from),
        Some(FieldKind::Number { .. } | FieldKind::Money { .. }) => number(text),
        Some(FieldKind::Bool) => match text {
            "true" => true.into(),
            "false" => false.into(),
            _ => as_text(),
        },
        Some(FieldKind::MultiPicklist { .. }) => {
            let list: Vec<Dynamic> = text
                .split(';')
                .filter(|part| !part.is_empty())
                .map(|p| p.to_owned().into())
                .collect();
            Dynamic::from_array(list)
        }
        Some(
            FieldKind::Text { .. }
            | FieldKind::Email
            | FieldKind::Phone
            | FieldKind::Url
            | FieldKind::Date
            | FieldKind::DateTime
            | FieldKind::Picklist { .. }
            | FieldKind::Reference { .. }
            | FieldKind::Owner
            | FieldKind::Id
            | FieldKind::Other(_),
        )
        | None => match raw {
            Raw::Bool(truth) => (*truth).into(),
            Raw::Number(digits) => number(digits),
            Raw::Null | Raw::Text(_) => as_text(),
        },
    }
}

fn number(text: &str) -> Dynamic {
    canon::decimal(text).map_or_else(|_| text.to_owned().into(), Dynamic::from_decimal)
}

/// The CRM's value for a value or label as the file writes it. `Err` lists what would be known.
/// `pipeline` is the pipeline of the same row, once it is known.
pub(super) fn resolve(
    object: &ObjectSchema,
    field: &FieldSchema,
    record_type: bool,
    pipeline: Option<&str>,
    text: &str,
) -> Result<String, Vec<String>> {
    if record_type {
        let names: Vec<String> = object
            .record_types
            .iter()
            .map(|held| held.developer_name.clone())
            .collect();
        return if names.iter().any(|name| name == text) {
            Ok(text.to_owned())
        } else {
            Err(names)
        };
    }
    let name = field.name.as_str();
    if PIPELINES.contains(&name) && !object.pipelines.is_empty() {
        let pairs = object
            .pipelines
            .iter()
            .map(|held| (held.id.as_str(), held.label.as_str()));
        return by_value_or_label(pairs, text);
    }
    if STAGES.contains(&name) && !object.pipelines.is_empty() {
        let stages = object
            .pipelines
            .iter()
            .filter(|held| pipeline.is_none_or(|wanted| held.id == wanted))
            .flat_map(|held| &held.stages);
        return by_value_or_label(stages.map(|s| (s.value.as_str(), s.label.as_str())), text);
    }
    match options_of(&field.kind) {
        Some((options, _)) => by_value_or_label(
            options.iter().map(|o| (o.value.as_str(), o.label.as_str())),
            text,
        ),
        None => Ok(text.to_owned()),
    }
}

pub(super) fn is_pipeline(field: &str) -> bool {
    PIPELINES.contains(&field)
}

fn by_value_or_label<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    text: &str,
) -> Result<String, Vec<String>> {
    if pairs.clone().any(|(value, _)| value == text) {
        return Ok(text.to_owned());
    }
    let mut labelled = pairs
        .clone()
        .filter(|(_, label)| label.eq_ignore_ascii_case(text));
    match (labelled.next(), labelled.next()) {
        (Some((value, _)), None) => Ok(value.to_owned()),
        _ => Err(pairs
            .flat_map(|(value, label)| [value.to_owned(), label.to_owned()])
            .collect()),
    }
}
