//! Text in its canonical forms: line ends, e-mail, web domain, Salesforce ids.

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::model::Side;

/// Unicode NFC with `\n` as line end: Salesforce may return `\r\n` (`salesforce.md 9`).
pub(in crate::mapping) fn nfc(text: &str) -> String {
    let composed = if is_nfc(text) {
        text.to_owned()
    } else {
        text.nfc().collect()
    };
    if composed.contains('\r') {
        return composed.replace("\r\n", "\n").replace('\r', "\n");
    }
    composed
}

/// For matching: without case, and with single spaces.
pub(in crate::mapping) fn fold(text: &str) -> String {
    nfc(text)
        .to_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The host of a web address, bare: no scheme, no `www.`, no port or path, lower case.
pub(in crate::mapping) fn domain(text: &str) -> String {
    let lower = nfc(text).trim().to_lowercase();
    let mut rest = lower.as_str();
    if let Some((scheme, host)) = rest.split_once("://")
        && scheme.chars().all(|c| c.is_ascii_alphanumeric())
    {
        rest = host;
    }
    let rest = rest.trim_start_matches('/');
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let mut host = host.rsplit('@').next().unwrap_or_default();
    // Until nothing more comes off: what is left must be bare when it is read again.
    loop {
        let bare = host.trim().trim_matches('.');
        let bare = bare.strip_prefix("www.").unwrap_or(bare);
        if bare == host {
            break;
        }
        host = bare;
    }
    if host.contains("://") || host.is_empty() {
        lower.clone()
    } else {
        host.to_owned()
    }
}

/// The 18-character form of a 15-character Salesforce id (`salesforce.md 9.1`); other texts stay.
///
/// On HubSpot a number of 15 digits is HubSpot's own, unless it begins like a Salesforce id.
pub fn id18(text: &str, side: Side) -> String {
    let text = text.trim();
    let plain = text.len() == 15 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let foreign = side == Side::HubSpot
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with("00");
    if !plain || foreign {
        return text.to_owned();
    }
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let mut out = text.to_owned();
    for group in text.as_bytes().chunks(5) {
        let bits = group.iter().enumerate().fold(0, |bits, (index, byte)| {
            bits | usize::from(byte.is_ascii_uppercase()) << index
        });
        out.push(char::from(LETTERS[bits]));
    }
    out
}

/// The syntax both platforms insist on (`salesforce.md 9`, `hubspot.md 6.2`).
pub(in crate::mapping) fn valid_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    let local_ok = !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && local
            .chars()
            .all(|c| c.is_alphanumeric() || "!#$%&'*/=?^_+-{|}~.".contains(c));
    let host_ok = host.split('.').count() >= 2
        && host.split('.').all(|part| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    local_ok && host_ok
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ids_get_their_published_suffix() {
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
            assert_eq!(id18(&id[..15], Side::Salesforce), id);
            assert_eq!(id18(id, Side::Salesforce), id);
        }
        assert_eq!(id18("123456789012345", Side::HubSpot), "123456789012345");
    }

    #[test]
    fn a_domain_is_the_same_however_it_is_typed() {
        for text in [
            "acme.com",
            "https://www.Acme.com/about?x=1",
            "ACME.com:8080",
            "http://acme.com.",
            ".www.www. acme.com",
        ] {
            assert_eq!(domain(text), "acme.com", "{text}");
        }
        assert_eq!(domain("n/a"), "n");
        assert_eq!(domain("://"), "://");
    }
}
