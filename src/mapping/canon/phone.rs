//! Phone numbers: E.164 where the number is a valid one, otherwise its digits as they are.

use std::str::FromStr;

use phonenumber::Mode;

use super::text::nfc;

pub(in crate::mapping) type Country = phonenumber::country::Id;

/// Country names as people and CRMs write them; codes are understood without this list.
const NAMES: [(&str, &str); 64] = [
    ("argentina", "AR"),
    ("australia", "AU"),
    ("austria", "AT"),
    ("belgium", "BE"),
    ("belgië", "BE"),
    ("belgique", "BE"),
    ("brasil", "BR"),
    ("brazil", "BR"),
    ("bulgaria", "BG"),
    ("canada", "CA"),
    ("chile", "CL"),
    ("china", "CN"),
    ("colombia", "CO"),
    ("croatia", "HR"),
    ("czech republic", "CZ"),
    ("czechia", "CZ"),
    ("danmark", "DK"),
    ("denmark", "DK"),
    ("deutschland", "DE"),
    ("egypt", "EG"),
    ("england", "GB"),
    ("españa", "ES"),
    ("estonia", "EE"),
    ("finland", "FI"),
    ("france", "FR"),
    ("germany", "DE"),
    ("great britain", "GB"),
    ("greece", "GR"),
    ("hungary", "HU"),
    ("india", "IN"),
    ("indonesia", "ID"),
    ("ireland", "IE"),
    ("israel", "IL"),
    ("italia", "IT"),
    ("italy", "IT"),
    ("japan", "JP"),
    ("latvia", "LV"),
    ("lithuania", "LT"),
    ("luxembourg", "LU"),
    ("mexico", "MX"),
    ("méxico", "MX"),
    ("nederland", "NL"),
    ("netherlands", "NL"),
    ("new zealand", "NZ"),
    ("norway", "NO"),
    ("poland", "PL"),
    ("polska", "PL"),
    ("portugal", "PT"),
    ("romania", "RO"),
    ("schweiz", "CH"),
    ("singapore", "SG"),
    ("slovakia", "SK"),
    ("slovenia", "SI"),
    ("south africa", "ZA"),
    ("south korea", "KR"),
    ("spain", "ES"),
    ("sweden", "SE"),
    ("switzerland", "CH"),
    ("turkey", "TR"),
    ("uk", "GB"),
    ("united kingdom", "GB"),
    ("united states", "US"),
    ("united states of america", "US"),
    ("usa", "US"),
];

/// A country by its two-letter code or its name.
pub(in crate::mapping) fn country(text: &str) -> Option<Country> {
    let lower = text.trim().to_lowercase();
    let named = NAMES
        .iter()
        .find(|(name, _)| *name == lower)
        .map(|(_, code)| *code);
    Country::from_str(named.unwrap_or(&lower.to_uppercase())).ok()
}

pub(super) fn canonical(text: &str, country: Option<Country>) -> String {
    let text = nfc(text);
    let text = text.trim();
    // Longer texts are notes. Their digits alone could read back as a number that nobody wrote.
    if text.len() > 64 {
        return text.to_owned();
    }
    // Letters are words: "555 CALL" is not dialled for anybody.
    if text.chars().any(char::is_alphabetic) {
        return digits(text);
    }
    let abroad = text.strip_prefix("00").map(|rest| format!("+{rest}"));
    let plain = digits(text);
    // The digits alone are tried too: they are what is written, and must read back as themselves.
    e164(text, country)
        .or_else(|| e164(&abroad?, country))
        .or_else(|| e164(&plain, country))
        .unwrap_or(plain)
}

/// Only what reads back as itself counts. A number with a plus says its country, so no other one
/// is consulted: the same text must mean the same number on a record from anywhere.
fn e164(text: &str, country: Option<Country>) -> Option<String> {
    let written = international(text, country.filter(|_| !text.starts_with('+')))?;
    (international(&written, None).as_ref() == Some(&written)).then_some(written)
}

fn international(text: &str, country: Option<Country>) -> Option<String> {
    let number = phonenumber::parse(country, text).ok()?;
    let valid = phonenumber::is_valid(&number) && number.extension().is_none();
    valid.then(|| number.format().mode(Mode::E164).to_string())
}

/// Without the marks people put between digits; text with anything else in it stays.
fn digits(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !"()-./\u{2010}\u{2011}\u{2013}".contains(*c))
        .collect();
    let plain = kept.strip_prefix('+').unwrap_or(&kept);
    if !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return kept;
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_in_many_spellings() {
        let german = country("Germany");
        for text in [
            "+49 30 901820",
            "030 / 901820",
            "0049 30 901820",
            "(030) 90-18-20",
        ] {
            assert_eq!(canonical(text, german), "+4930901820", "{text}");
        }
        assert_eq!(canonical("030 / 901820", None), "030901820");
        // Found by the laws: read as German, this number would lose a digit.
        let belgian = country("BE");
        assert_eq!(
            canonical("+491810097511", german),
            canonical("+491810097511", belgian)
        );
        assert_eq!(canonical("ask for Bob", german), "ask for Bob");
        assert_eq!(canonical("030 901820 ext. 5", german), "030 901820 ext. 5");
    }
}
