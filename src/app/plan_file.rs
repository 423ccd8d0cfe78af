//! A plan as a file: every write with what it was decided from, and a digest over all of it.
//!
//! JSON that a person can read and a tool can compare, one write to a line. Reading refuses
//! whatever is not exactly what was written: another format, half a file, a changed value.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use crate::model::{
    BySide, Fields, IntentKind, MappingName, PlannedWrite, Raw, RecordId, Revision, RunId, Side,
    Timestamp, Undoes, WorkspaceId,
};

/// The format that is written, and the only one that is read.
const FORMAT: u64 = 1;

/// What a plan's writes were planned for, and what they are.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanFile {
    pub workspace: WorkspaceId,
    /// HubSpot's portal and Salesforce's organization.
    pub accounts: BySide<String>,
    pub made_at: Timestamp,
    pub run: RunId,
    /// The revision of each mapping that it was planned under.
    pub mappings: BTreeMap<MappingName, Revision>,
    /// Calls that carrying it out takes, as far as can be known beforehand.
    pub calls: BySide<u64>,
    pub writes: Vec<PlannedWrite>,
}

/// Why a file is no plan that can be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPlan {
    #[error("it is no plan, or only a part of one: {0}")]
    Unreadable(String),
    #[error("it is a plan of format {0}, and this version reads format {FORMAT}")]
    Format(String),
    #[error("it was changed after it was made")]
    Changed,
}

impl PlanFile {
    pub fn to_text(&self) -> String {
        let head = self.head();
        let rows: Vec<Value> = self.writes.iter().map(row_json).collect();
        let digest = digest_of(&head, &rows);
        let mut text = String::from("{\n");
        for (name, value) in &head {
            // Writing to a string cannot fail.
            writeln!(text, "  {}: {value},", Value::from(name.as_str())).unwrap_or_default();
        }
        text.push_str("  \"writes\": [");
        for (nth, row) in rows.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            write!(text, "{comma}\n    {row}").unwrap_or_default();
        }
        write!(text, "\n  ],\n  \"digest\": {}\n}}\n", json!(digest)).unwrap_or_default();
        text
    }

    /// # Errors
    /// When the text is not exactly what [`PlanFile::to_text`] wrote, spaces apart.
    pub fn parse(text: &str) -> Result<Self, NotAPlan> {
        let mut object: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| NotAPlan::Unreadable(error.to_string()))?;
        let format = object.get("tandem-plan").cloned().unwrap_or_default();
        if format.is_null() {
            return Err(lacks("tandem-plan"));
        }
        if format != json!(FORMAT) {
            return Err(NotAPlan::Format(format.to_string()));
        }
        let digest = object.remove("digest").ok_or_else(|| lacks("digest"))?;
        let Some(Value::Array(rows)) = object.remove("writes") else {
            return Err(lacks("writes"));
        };
        if digest != json!(digest_of(&object, &rows)) {
            return Err(NotAPlan::Changed);
        }
        Self::of(&object, &rows)
    }

    pub fn digest(&self) -> String {
        let rows: Vec<Value> = self.writes.iter().map(row_json).collect();
        digest_of(&self.head(), &rows)
    }

    fn head(&self) -> Map<String, Value> {
        let mappings: Map<String, Value> = self
            .mappings
            .iter()
            .map(|(name, revision)| (name.to_string(), json!(revision.as_str())))
            .collect();
        let head = json!({
            "tandem-plan": FORMAT,
            "workspace": self.workspace.as_str(),
            "accounts": sides(|side| json!(self.accounts.get(side))),
            "made_at": self.made_at.micros(),
            "run": self.run.as_str(),
            "mappings": mappings,
            "calls": sides(|side| json!(self.calls.get(side))),
        });
        match head {
            Value::Object(head) => head,
            _ => Map::new(),
        }
    }

    fn of(head: &Map<String, Value>, rows: &[Value]) -> Result<Self, NotAPlan> {
        let number = |side: Side| {
            let calls = head.get("calls").and_then(|calls| calls.get(side.as_str()));
            calls.and_then(Value::as_u64).unwrap_or(0)
        };
        let accounts = head.get("accounts").ok_or_else(|| lacks("accounts"))?;
        let mappings = head.get("mappings").and_then(Value::as_object);
        let mappings = mappings.ok_or_else(|| lacks("mappings"))?;
        let made_at = head.get("made_at").and_then(Value::as_i64);
        Ok(Self {
            workspace: WorkspaceId::new(text(head, "workspace")?),
            accounts: BySide::new(
                text_of(accounts, Side::HubSpot.as_str())?,
                text_of(accounts, Side::Salesforce.as_str())?,
            ),
            made_at: Timestamp::from_micros(made_at.ok_or_else(|| lacks("made_at"))?),
            run: RunId::new(text(head, "run")?),
            mappings: mappings
                .iter()
                .map(|(name, revision)| {
                    let revision = revision.as_str().ok_or_else(|| lacks(name))?;
                    Ok((MappingName::new(name), Revision::new(revision)))
                })
                .collect::<Result<_, NotAPlan>>()?,
            calls: BySide::from_fn(number),
            writes: rows.iter().map(row_of).collect::<Result<_, _>>()?,
        })
    }
}

fn lacks(what: &str) -> NotAPlan {
    NotAPlan::Unreadable(format!("`{what}` is missing"))
}

/// Keys are sorted in this form, so spaces and order do not count.
fn digest_of(head: &Map<String, Value>, rows: &[Value]) -> String {
    let text = json!([head, rows]).to_string();
    let sum = digest(&SHA256, text.as_bytes());
    let mut hex = String::from("sha256:");
    for byte in sum.as_ref() {
        write!(hex, "{byte:02x}").unwrap_or_default();
    }
    hex
}

fn sides(of: impl Fn(Side) -> Value) -> Value {
    let both = Side::BOTH.map(|side| (side.as_str().to_owned(), of(side)));
    Value::Object(both.into_iter().collect())
}

pub fn row_json(write: &PlannedWrite) -> Value {
    let mut row = json!({
        "mapping": write.mapping.as_str(),
        "side": write.side.as_str(),
        "kind": write.kind.as_str(),
        "record": write.record.as_ref().map(RecordId::as_str),
        "source": write.source.as_ref().map(RecordId::as_str),
        "rule": write.rule,
        "rule_hash": write.rule_hash,
        "from": fields_json(&write.from),
        "old": fields_json(&write.before),
        "new": fields_json(&write.after),
        "reason": write.reason,
        "changed_at": sides(|side| json!(write.versions.get(side).map(|at| at.micros()))),
        "owner": write.owner,
    });
    if let Some(undoes) = &write.undoes {
        let base = undoes.base.as_ref();
        let base = base.map(|base| sides(|side| fields_json(base.get(side))));
        row["undoes"] = json!({ "base": base });
    }
    row
}

fn row_of(row: &Value) -> Result<PlannedWrite, NotAPlan> {
    let side = |name: &str| {
        let word = text_of(row, name)?;
        Side::parse(&word).ok_or_else(|| NotAPlan::Unreadable(format!("no side is `{word}`")))
    };
    let kind = text_of(row, "kind")?;
    let id = |name: &str| row.get(name).and_then(Value::as_str).map(RecordId::new);
    let fields = |name: &str| row.get(name).map_or_else(|| Err(lacks(name)), fields_of);
    let changed = |side: Side| {
        let at = row.get("changed_at")?.get(side.as_str())?.as_i64();
        at.map(Timestamp::from_micros)
    };
    Ok(PlannedWrite {
        mapping: MappingName::new(text_of(row, "mapping")?),
        side: side("side")?,
        kind: IntentKind::parse(&kind)
            .ok_or_else(|| NotAPlan::Unreadable(format!("no write is a `{kind}`")))?,
        record: id("record"),
        source: id("source"),
        rule: text_of(row, "rule")?,
        rule_hash: text_of(row, "rule_hash")?,
        from: fields("from")?,
        before: fields("old")?,
        after: fields("new")?,
        reason: text_of(row, "reason")?,
        versions: BySide::from_fn(changed),
        owner: row.get("owner").and_then(Value::as_str).map(str::to_owned),
        undoes: row.get("undoes").map(undoes_of).transpose()?,
    })
}

fn undoes_of(value: &Value) -> Result<Undoes, NotAPlan> {
    let base = value.get("base").filter(|base| !base.is_null());
    let half = |base: &Value, side: Side| {
        let half = base.get(side.as_str());
        half.map_or_else(|| Err(lacks(side.as_str())), fields_of)
    };
    let base = base.map(|base| {
        Ok::<_, NotAPlan>(BySide::new(
            half(base, Side::HubSpot)?,
            half(base, Side::Salesforce)?,
        ))
    });
    Ok(Undoes {
        base: base.transpose()?,
    })
}

/// Numbers keep their own digits, so that no money passes through a float.
pub fn fields_json(fields: &Fields) -> Value {
    let of = |raw: &Raw| match raw {
        Raw::Null => Value::Null,
        Raw::Text(text) => json!(text),
        Raw::Bool(truth) => json!(truth),
        Raw::Number(digits) => json!({ "number": digits }),
    };
    let fields = fields.iter().map(|(name, raw)| (name.clone(), of(raw)));
    Value::Object(fields.collect())
}

/// What [`fields_json`] told, read back.
pub fn fields_of(value: &Value) -> Result<Fields, NotAPlan> {
    let object = value.as_object();
    let object = object.ok_or_else(|| NotAPlan::Unreadable("fields are no object".to_owned()))?;
    let of = |(name, value): (&String, &Value)| {
        let raw = match value {
            Value::Null => Raw::Null,
            Value::String(text) => Raw::text(text),
            Value::Bool(truth) => Raw::Bool(*truth),
            Value::Object(number) => match number.get("number").and_then(Value::as_str) {
                Some(digits) => Raw::Number(digits.to_owned()),
                None => return Err(lacks("number")),
            },
            Value::Number(_) | Value::Array(_) => return Err(lacks(name)),
        };
        Ok((name.clone(), raw))
    };
    object.iter().map(of).collect()
}

fn text(of: &Map<String, Value>, name: &str) -> Result<String, NotAPlan> {
    let text = of.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| lacks(name))
}

fn text_of(of: &Value, name: &str) -> Result<String, NotAPlan> {
    let text = of.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| lacks(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write() -> PlannedWrite {
        let fields = |pairs: &[(&str, Raw)]| -> Fields {
            let pairs = pairs.iter();
            pairs
                .map(|(name, raw)| ((*name).to_owned(), raw.clone()))
                .collect()
        };
        PlannedWrite {
            mapping: MappingName::new("contacts"),
            side: Side::Salesforce,
            kind: IntentKind::Update,
            record: Some(RecordId::new("003A")),
            source: Some(RecordId::new("7")),
            rule: "amount".to_owned(),
            rule_hash: "h".to_owned(),
            from: fields(&[("amount", Raw::text("12.50"))]),
            before: fields(&[("Amount", Raw::Number("7.10".to_owned()))]),
            after: fields(&[
                ("Amount", Raw::Number("12.50".to_owned())),
                ("B", Raw::Null),
            ]),
            reason: "hubspot-moved".to_owned(),
            versions: BySide::new(Some(Timestamp::from_millis(5)), None),
            owner: Some("ops@example.com".to_owned()),
            undoes: Some(Undoes {
                base: Some(BySide::new(
                    fields(&[("amount", Raw::Bool(true))]),
                    fields(&[]),
                )),
            }),
        }
    }

    fn plan() -> PlanFile {
        PlanFile {
            workspace: WorkspaceId::new("acme/production"),
            accounts: BySide::new("42".to_owned(), "00D1".to_owned()),
            made_at: Timestamp::from_millis(1_772_442_000_000),
            run: RunId::new("run_1"),
            mappings: BTreeMap::from([(MappingName::new("contacts"), Revision::new("r1"))]),
            calls: BySide::new(3, 4),
            writes: vec![
                write(),
                PlannedWrite {
                    undoes: None,
                    ..write()
                },
            ],
        }
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let text = plan().to_text();
        assert_eq!(PlanFile::parse(&text), Ok(plan()));
        assert!(text.contains(&plan().digest()));
    }

    #[test]
    fn a_plan_that_was_edited_by_hand_is_refused() {
        let text = plan().to_text();
        for (from, to) in [
            ("\"12.50\"", "\"1250\""),
            ("003A", "003B"),
            ("production", "sandbox"),
        ] {
            let edited = text.replacen(from, to, 1);
            assert_ne!(edited, text);
            assert_eq!(PlanFile::parse(&edited), Err(NotAPlan::Changed), "{from}");
        }
        let spaced = text.replace(",\n", " ,\n\n");
        assert_eq!(PlanFile::parse(&spaced), Ok(plan()), "spaces do not count");
    }

    #[test]
    fn a_part_of_a_plan_is_refused_wherever_it_was_cut() {
        let text = plan().to_text();
        for end in (0..text.trim_end().len()).filter(|end| text.is_char_boundary(*end)) {
            let cut = PlanFile::parse(&text[..end]);
            assert!(
                matches!(cut, Err(NotAPlan::Unreadable(_))),
                "{end}: {cut:?}"
            );
        }
    }

    #[test]
    fn another_file_is_refused_by_name_and_never_panics() {
        for (text, words) in [
            ("", "no plan"),
            ("[]", "no plan"),
            ("{}", "`tandem-plan` is missing"),
            ("{\"tandem-plan\": 2}", "format 2"),
            ("{\"tandem-plan\": 1, \"digest\": 3}", "`writes` is missing"),
            (
                "{\"tandem-plan\": 1, \"digest\": \"\", \"writes\": []}",
                "changed",
            ),
        ] {
            let error = PlanFile::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
