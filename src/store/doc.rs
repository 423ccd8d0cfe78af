//! The JSON kept inside text columns: fields, bases, decisions' values, failures.
//!
//! Keys are one letter because these documents are most of the store: `h` and `s` are the sides,
//! `k` a rule's hash, `b` base, `i` inputs, `w` what was or would be written, `l` the loser.
//! Text, truth and null are plain JSON; a number is `{"n": "its digits"}`, so none passes a float.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::model::{
    Bases, BySide, ErrorClass, Failure, Fields, Halves, IntendedRule, Raw, RecordId, Side,
};

/// Borrowed model values on their way into a document.
struct Out<'a, T: ?Sized>(&'a T);

impl Serialize for Out<'_, Raw> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Raw::Null => to.serialize_unit(),
            Raw::Text(text) => to.serialize_str(text),
            Raw::Bool(truth) => to.serialize_bool(*truth),
            Raw::Number(digits) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry("n", digits)?;
                map.end()
            }
        }
    }
}

impl Serialize for Out<'_, Fields> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, raw)| (name, Out(raw))))
    }
}

impl Serialize for Out<'_, BySide<Fields>> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map([("h", Out(&self.0.hubspot)), ("s", Out(&self.0.salesforce))])
    }
}

impl Serialize for Out<'_, Halves> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(3))?;
        map.serialize_entry("h", &Out(&self.0.sides.hubspot))?;
        map.serialize_entry("s", &Out(&self.0.sides.salesforce))?;
        map.serialize_entry("k", &self.0.rule_hash)?;
        map.end()
    }
}

impl Serialize for Out<'_, IntendedRule> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(6))?;
        map.serialize_entry("r", &self.0.rule)?;
        map.serialize_entry("k", &self.0.rule_hash)?;
        map.serialize_entry("s", &Out(&self.0.source))?;
        map.serialize_entry("b", &Out(&self.0.before))?;
        map.serialize_entry("a", &Out(&self.0.after))?;
        map.serialize_entry("w", &self.0.reason)?;
        map.end()
    }
}

/// A raw value on its way out of a document.
struct RawIn(Raw);

impl<'de> Deserialize<'de> for RawIn {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RawVisitor).map(RawIn)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, text, true, false or {\"n\": digits}")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(truth))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        match map.next_entry::<String, String>()? {
            Some((key, digits)) if key == "n" => Ok(Raw::Number(digits)),
            Some((key, _)) => Err(de::Error::unknown_field(&key, &["n"])),
            None => Err(de::Error::missing_field("n")),
        }
    }
}

struct FieldsIn(Fields);

impl<'de> Deserialize<'de> for FieldsIn {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<String, RawIn>::deserialize(from)?;
        Ok(Self(
            map.into_iter().map(|(name, raw)| (name, raw.0)).collect(),
        ))
    }
}

#[derive(serde::Deserialize)]
struct SidesIn {
    h: FieldsIn,
    s: FieldsIn,
    #[serde(default)]
    k: String,
}

impl SidesIn {
    fn sides(self) -> BySide<Fields> {
        BySide::new(self.h.0, self.s.0)
    }
}

#[derive(serde::Deserialize)]
struct IntendedIn {
    r: String,
    k: String,
    s: FieldsIn,
    b: FieldsIn,
    a: FieldsIn,
    w: String,
}

/// The values a decision was made from and what came of it; one shape for journal, conflicts and
/// dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    pub base: Option<BySide<Fields>>,
    pub inputs: BySide<Fields>,
    pub wrote: Option<(Side, Fields)>,
    pub loser: Option<Fields>,
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        if let Some(base) = &self.base {
            map.serialize_entry("b", &Out(base))?;
        }
        map.serialize_entry("i", &Out(&self.inputs))?;
        if let Some((side, fields)) = &self.wrote {
            map.serialize_entry("w", &(side.as_str(), Out(fields)))?;
        }
        if let Some(loser) = &self.loser {
            map.serialize_entry("l", &Out(loser))?;
        }
        map.end()
    }
}

#[derive(serde::Deserialize)]
struct ValuesIn {
    b: Option<SidesIn>,
    i: SidesIn,
    w: Option<(String, FieldsIn)>,
    l: Option<FieldsIn>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct FailureDoc {
    class: String,
    code: String,
    message: String,
    fields: Vec<String>,
}

/// Writing a tree of strings to memory cannot fail.
fn text<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("text, maps and arrays always have a JSON form")
}

/// Many rows as the one argument of a statement. PostgreSQL's texts cannot hold NUL, so it becomes
/// the replacement character; documents inside columns keep it as their own escape.
pub(super) fn rows<T: Serialize>(rows: &[T]) -> String {
    let json = text(rows);
    if json.contains("\\u0000") {
        without_nul(&json)
    } else {
        json
    }
}

fn without_nul(json: &str) -> String {
    let mut kept = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        kept.push_str(&rest[..at]);
        let tail = &rest[at..];
        let width = if tail.starts_with("\\u0000") {
            kept.push_str("\\ufffd");
            6
        } else {
            kept.push_str(&tail[..2]);
            2
        };
        rest = &tail[width..];
    }
    kept.push_str(rest);
    kept
}

pub(super) fn sides_text(sides: &BySide<Fields>) -> String {
    text(&Out(sides))
}

pub(super) fn bases_text(bases: &Bases) -> String {
    struct Doc<'a>(&'a Bases);
    impl Serialize for Doc<'_> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.collect_map(self.0.iter().map(|(rule, halves)| (rule, Out(halves))))
        }
    }
    text(&Doc(bases))
}

pub(super) fn rules_text(rules: &[IntendedRule]) -> String {
    text(&rules.iter().map(Out).collect::<Vec<_>>())
}

pub(super) fn values_text(values: &Values) -> String {
    text(values)
}

pub(super) fn names_text(names: &[String]) -> String {
    text(names)
}

pub(super) fn failure_text(failure: &Failure) -> String {
    text(&FailureDoc {
        class: failure.class.as_str().to_owned(),
        code: failure.code.clone(),
        message: failure.message.clone(),
        fields: failure.fields.clone(),
    })
}

/// What is wrong with a document that was read back.
pub(super) type Read<T> = Result<T, String>;

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Read<T> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

pub(super) fn sides_from(json: &str) -> Read<BySide<Fields>> {
    Ok(read::<SidesIn>(json)?.sides())
}

pub(super) fn bases_from(json: &str) -> Read<Bases> {
    let rules = read::<BTreeMap<String, SidesIn>>(json)?;
    let halves = |mut doc: SidesIn| Halves {
        rule_hash: std::mem::take(&mut doc.k),
        sides: doc.sides(),
    };
    Ok(rules
        .into_iter()
        .map(|(rule, doc)| (rule, halves(doc)))
        .collect())
}

pub(super) fn rules_from(json: &str) -> Read<Vec<IntendedRule>> {
    let rules = read::<Vec<IntendedIn>>(json)?;
    Ok(rules
        .into_iter()
        .map(|doc| IntendedRule {
            rule: doc.r,
            rule_hash: doc.k,
            source: doc.s.0,
            before: doc.b.0,
            after: doc.a.0,
            reason: doc.w,
        })
        .collect())
}

pub(super) fn values_from(json: &str) -> Read<Values> {
    let doc = read::<ValuesIn>(json)?;
    let wrote = match doc.w {
        Some((side, fields)) => {
            let side = Side::parse(&side).ok_or_else(|| format!("no side is named {side:?}"))?;
            Some((side, fields.0))
        }
        None => None,
    };
    Ok(Values {
        base: doc.b.map(SidesIn::sides),
        inputs: doc.i.sides(),
        wrote,
        loser: doc.l.map(|fields| fields.0),
    })
}

pub(super) fn ids_from(json: &str) -> Read<Vec<RecordId>> {
    read(json)
}

pub(super) fn names_from(json: &str) -> Read<Vec<String>> {
    read(json)
}

pub(super) fn failure_from(json: &str) -> Read<Failure> {
    let doc = read::<FailureDoc>(json)?;
    let class = ErrorClass::parse(&doc.class)
        .ok_or_else(|| format!("no error class is named {:?}", doc.class))?;
    Ok(Failure {
        class,
        code: doc.code,
        message: doc.message,
        fields: doc.fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd_fields() -> Fields {
        BTreeMap::from([
            ("blank".to_owned(), Raw::Null),
            ("empty".to_owned(), Raw::text("")),
            (
                "name".to_owned(),
                Raw::text("Zoë \"Q\" \u{0} \\u0000 \u{1f600}"),
            ),
            ("amount".to_owned(), Raw::Number("12.30".to_owned())),
            ("flag".to_owned(), Raw::Bool(false)),
        ])
    }

    #[test]
    fn every_kind_of_raw_value_comes_back_as_it_was() {
        let halves = Halves {
            sides: BySide::new(odd_fields(), Fields::new()),
            rule_hash: "abc".to_owned(),
        };
        let bases = Bases::from([("name".to_owned(), halves)]);
        assert_eq!(bases_from(&bases_text(&bases)), Ok(bases));
    }

    #[test]
    fn a_nul_never_reaches_the_database_and_its_look_alike_stays() {
        let cleaned = rows(&["a\u{0}b", "a\\u0000b"]);
        let back: Vec<String> = serde_json::from_str(&cleaned).unwrap();
        assert_eq!(back, ["a\u{fffd}b", "a\\u0000b"]);
    }

    #[test]
    fn a_damaged_document_is_an_error_and_never_a_guess() {
        assert!(bases_from("{\"name\":{\"h\":{\"a\":{\"x\":\"1\"}},\"s\":{}}}").is_err());
        assert!(sides_from("[]").is_err());
        assert!(values_from("{\"i\":{\"h\":{},\"s\":{}},\"w\":[\"north\",{}]}").is_err());
    }
}
