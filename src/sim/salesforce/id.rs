//! Record ids: 15 case-sensitive characters and the 3-character suffix that makes 18.
//!
//! An id of this org is `<key prefix><instance><nine base-62 digits>`. The digits count upwards in
//! byte order, so rows sorted by number are rows sorted by id. Knows nothing of objects or rows.

use std::fmt;

const SUFFIX: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The part every id of this org shares, after the key prefix.
const INSTANCE: &str = "5f0";

/// A well-formed id in its 18-character form; its record may or may not exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AnyId(String);

impl AnyId {
    /// Reads 15 or 18 characters. The letter case of an 18-character id is repaired from its
    /// suffix; an id whose suffix cannot belong to it is refused.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        match text.len() {
            15 => Some(Self(format!("{text}{}", suffix(text)))),
            18 => repair(text),
            _ => None,
        }
    }

    pub fn prefix(&self) -> &str {
        &self.0[..3]
    }

    /// The row number, when the id was handed out by this org.
    pub fn number(&self) -> Option<u64> {
        (&self.0[3..6] == INSTANCE).then(|| number_of(&self.0[6..15]))
    }
}

impl fmt::Display for AnyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The 18-character id of row `number` of the object with this key prefix.
pub(super) fn make(prefix: &str, number: u64) -> String {
    let mut tail = [b'0'; 9];
    let mut rest = number;
    for slot in tail.iter_mut().rev() {
        *slot = DIGITS[usize::try_from(rest % 62).unwrap_or(0)];
        rest /= 62;
    }
    let mut id = String::with_capacity(18);
    id.push_str(prefix);
    id.push_str(INSTANCE);
    id.extend(tail.iter().map(|b| char::from(*b)));
    let end = suffix(&id);
    id.push_str(&end);
    id
}

/// The first row number of an org: large enough that ids mix digits and both letter cases.
pub(super) fn first_number(seed: u64) -> u64 {
    const SPREAD: u64 = 62 * 62 * 62;
    62_u64.pow(5) * 11 + (seed % 997) * SPREAD + 62 * 62 * 38 + 62 * 13
}

fn number_of(digits: &str) -> u64 {
    digits.bytes().fold(0, |sum, b| {
        let digit = DIGITS.binary_search(&b).unwrap_or(0);
        sum * 62 + u64::try_from(digit).unwrap_or(0)
    })
}

/// `salesforce.md 9.1`: one letter per group of five, one bit per upper-case letter.
pub(super) fn suffix(fifteen: &str) -> String {
    fifteen
        .as_bytes()
        .chunks(5)
        .map(|group| {
            let bits = group
                .iter()
                .enumerate()
                .filter(|(_, b)| b.is_ascii_uppercase())
                .fold(0, |bits, (place, _)| bits | 1 << place);
            char::from(SUFFIX[bits])
        })
        .collect()
}

fn repair(text: &str) -> Option<AnyId> {
    let wanted = text[15..].to_ascii_uppercase();
    let mut fifteen = String::with_capacity(18);
    for (group, letter) in text.as_bytes()[..15].chunks(5).zip(wanted.bytes()) {
        let bits = SUFFIX.iter().position(|b| *b == letter)?;
        for (place, b) in group.iter().enumerate() {
            let upper = bits & (1 << place) != 0;
            fifteen.push(char::from(if upper {
                b.to_ascii_uppercase()
            } else {
                b.to_ascii_lowercase()
            }));
        }
    }
    (suffix(&fifteen) == wanted).then(|| {
        fifteen.push_str(&wanted);
        AnyId(fifteen)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ids_carry_the_suffix_we_compute() {
        for id in [
            "0015f00002JUZPDAA5",
            "0015f00002JUWMVAA5",
            "00190000001pPvHAAU",
            "005xx000001X83aAAC",
            "a001a000001a5vOAAQ",
            "0031i000013x2TEAAY",
            "7506g00000DhRA2AAN",
            "017bW00000HKErBQAX",
        ] {
            assert_eq!(suffix(&id[..15]), id[15..], "{id}");
        }
    }

    #[test]
    fn a_lower_cased_id_gets_its_case_back() {
        let id = AnyId::parse("0015f00002juzpdaa5").map(|id| id.to_string());
        assert_eq!(id.as_deref(), Some("0015f00002JUZPDAA5"));
    }

    #[test]
    fn a_suffix_that_cannot_belong_is_refused() {
        assert_eq!(AnyId::parse("0015f00002JUZPDBA5"), None);
        assert_eq!(AnyId::parse("0015f00002JUZP"), None);
        assert_eq!(AnyId::parse("0015f00002JUZ-D"), None);
    }

    #[test]
    fn numbers_survive_and_keep_their_order() {
        let mut last = String::new();
        for number in (first_number(7)..).take(200) {
            let id = make("003", number);
            assert!(id > last);
            assert_eq!(AnyId::parse(&id).and_then(|id| id.number()), Some(number));
            last = id;
        }
    }
}
