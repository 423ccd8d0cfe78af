//! JSON to and from [`Raw`] without a float in between.
//!
//! Numbers keep their own digits: money of 18 digits must not change on its way through.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::Raw;

/// The longest list of one reply: a page has 2,000 rows, a portal some thousand properties.
const LIST: usize = 20_000;

/// A JSON scalar as the CRM wrote it. `None` is an object, an array or text that is no text: no
/// mapped field is one, and it must not be taken for a blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub Option<Raw>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(read(&raw)))
    }
}

/// An identifier or stamp that one endpoint writes as text and another as a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lenient(pub Option<String>);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scalar = Scalar::deserialize(deserializer)?;
        Ok(Self(match scalar.0 {
            Some(Raw::Text(text)) if !text.is_empty() => Some(text),
            Some(Raw::Number(digits)) => Some(digits),
            Some(Raw::Bool(truth)) => Some(truth.to_string()),
            Some(Raw::Null | Raw::Text(_)) | None => None,
        }))
    }
}

/// Reads one scalar; `None` for objects and arrays.
pub fn read(raw: &RawValue) -> Option<Raw> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).ok().map(Raw::Text),
        Some(b'n') => Some(Raw::Null),
        Some(b't') => Some(Raw::Bool(true)),
        Some(b'f') => Some(Raw::Bool(false)),
        Some(b'-' | b'0'..=b'9') => Some(Raw::Number(text.to_owned())),
        _ => None,
    }
}

/// Writes one value with its own type; `None` when a number's digits are no JSON number.
pub fn write(raw: &Raw) -> Option<Box<RawValue>> {
    let text = match raw {
        Raw::Null => "null".to_owned(),
        Raw::Bool(truth) => truth.to_string(),
        Raw::Text(text) => serde_json::to_string(text).ok()?,
        Raw::Number(digits) => digits.clone(),
    };
    let value = RawValue::from_string(text).ok()?;
    match raw {
        Raw::Number(_) => matches!(read(&value), Some(Raw::Number(_))).then_some(value),
        Raw::Null | Raw::Bool(_) | Raw::Text(_) => Some(value),
    }
}

/// A list, or `null` for none. A list longer than any that a platform sends is refused: three
/// bytes of a body can become hundreds in memory.
pub fn list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Bounded<T>>::deserialize(deserializer)?.map(|list| list.0))
}

/// The same, where `null` counts as empty.
pub fn listed<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(list(deserializer)?.unwrap_or_default())
}

/// A list with that bound, where no field of a struct can carry an attribute.
#[derive(Debug)]
pub struct Bounded<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items(PhantomData)).map(Self)
    }
}

struct Items<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {LIST} entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() == LIST {
                return Err(serde::de::Error::invalid_length(LIST + 1, &self));
            }
            list.push(item);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_survive_both_ways() {
        for digits in [
            "123456789012345678.90",
            "1.0E7",
            "-0.10",
            "100000000000000000000",
        ] {
            let raw = Raw::Number(digits.to_owned());
            let written = write(&raw).expect("a number");
            assert_eq!(written.get(), digits);
            assert_eq!(read(&written), Some(raw));
        }
    }

    #[test]
    fn what_is_no_number_is_not_sent_as_one() {
        for digits in ["", "1,5", "{}", "\"1\"", "1 2", "NaN", "null", "01"] {
            assert_eq!(
                write(&Raw::Number(digits.to_owned())).map(|v| v.to_string()),
                None
            );
        }
    }
}
