//! Whole numbers of a body. JSON has one kind of number, so `24.0` is one too.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// For a number that may be left out; what is no number from 0 on is refused with the reason.
pub fn whole<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(value)? else {
        return Ok(None);
    };
    if number.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&number) {
        return Err(D::Error::custom(format!(
            "`{number}` is not a whole number from 0 to {}",
            u32::MAX
        )));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and within range"
    )]
    Ok(Some(number as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq, Eq)]
    #[serde(default)]
    struct Asked {
        #[serde(deserialize_with = "whole")]
        count: Option<u32>,
    }

    #[test]
    fn a_number_without_a_fraction_is_whole_however_it_is_written() {
        let read = |text: &str| serde_json::from_str::<Asked>(text).map(|asked| asked.count);
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"count": null}"#).unwrap(), None);
        for text in [
            r#"{"count": 24}"#,
            r#"{"count": 24.0}"#,
            r#"{"count": 2.4e1}"#,
        ] {
            assert_eq!(read(text).unwrap(), Some(24), "{text}");
        }
        for text in [
            r#"{"count": 0.5}"#,
            r#"{"count": -1}"#,
            r#"{"count": 4294967296}"#,
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("not a whole number"), "{error}");
        }
        assert!(read(r#"{"count": "24"}"#).is_err());
    }
}
