//! HubSpot's signature, version 3: pure (hubspot.md 9.6).

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::Timestamp;

/// Older or newer requests are refused.
const TOLERANCE_MILLIS: i64 = 300_000;

/// The escapes that HubSpot undoes before it hashes; all others stay as they are.
const UNDONE: [(&str, char); 12] = [
    ("3A", ':'),
    ("2F", '/'),
    ("3F", '?'),
    ("40", '@'),
    ("21", '!'),
    ("24", '$'),
    ("27", '\''),
    ("28", '('),
    ("29", ')'),
    ("2A", '*'),
    ("2C", ','),
    ("3B", ';'),
];

/// What a request brought along to prove itself.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    pub uri: &'a str,
    pub body: &'a [u8],
    /// `X-HubSpot-Signature-v3`.
    pub signature: &'a str,
    /// `X-HubSpot-Request-Timestamp`, milliseconds.
    pub timestamp: &'a str,
}

/// Whether the holder of the secret sent this as a POST, lately.
pub fn is_genuine(secret: &[u8], signed: Signed<'_>, now: Timestamp) -> bool {
    let digits =
        !signed.timestamp.is_empty() && signed.timestamp.bytes().all(|b| b.is_ascii_digit());
    let Some(at) = signed.timestamp.parse::<i64>().ok().filter(|_| digits) else {
        return false;
    };
    let age = now.millis_since(Timestamp::from_millis(at));
    if !(-TOLERANCE_MILLIS..=TOLERANCE_MILLIS).contains(&age) {
        return false;
    }
    let Ok(tag) = STANDARD.decode(signed.signature) else {
        return false;
    };
    let mut source = format!("POST{}", decoded(signed.uri)).into_bytes();
    source.extend_from_slice(signed.body);
    source.extend_from_slice(signed.timestamp.as_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&key, &source, &tag).is_ok()
}

fn decoded(uri: &str) -> String {
    let mut parts = uri.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let undone = UNDONE.iter().find(|(code, _)| {
            part.get(..2)
                .is_some_and(|found| found.eq_ignore_ascii_case(code))
        });
        match undone {
            Some((_, plain)) => {
                text.push(*plain);
                text.push_str(part.get(2..).unwrap_or_default());
            }
            None => {
                text.push('%');
                text.push_str(part);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(secret: &str, uri: &str, body: &str, at: &str, signature: &str, now: i64) -> bool {
        let signed = Signed {
            uri,
            body: body.as_bytes(),
            signature,
            timestamp: at,
        };
        is_genuine(secret.as_bytes(), signed, Timestamp::from_millis(now))
    }

    /// The vectors of hubspot.md 9.6; the first one is of HubSpot's own libraries.
    const VECTORS: [(&str, &str, &str, &str, &str); 3] = [
        (
            "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
            "https://www.example.com/webhook_uri",
            "{'example_field':'example_value'}",
            "1693657560000",
            "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=",
        ),
        (
            "sim-client-secret",
            "https://sync.example.test/hooks/hubspot",
            "[{\"eventId\":7,\"objectId\":42}]",
            "1790000001000",
            "bEy9e4fRNwWdZZH18t1f+/3nNLMGPll0vIPt3hDjxfs=",
        ),
        (
            "sim-client-secret",
            "https://sync.example.test/hooks/hubspot?src=a%3Ab%2Fc&n=x%20y",
            "[]",
            "1790000001000",
            "cVQBgzgY//NP1QBUOCybjpnN+hf40GxvbvKuOtQnW5U=",
        ),
    ];

    #[test]
    fn published_vectors_are_genuine_and_nothing_near_them_is() {
        for (secret, uri, body, at, signature) in VECTORS {
            let now = at.parse::<i64>().unwrap();
            assert!(check(secret, uri, body, at, signature, now), "{uri}");
            assert!(
                check(secret, uri, body, at, signature, now + 300_000),
                "at the limit"
            );
            for wrong in [
                check("other", uri, body, at, signature, now),
                check(
                    secret,
                    "https://www.example.com/other",
                    body,
                    at,
                    signature,
                    now,
                ),
                check(secret, uri, "[ ]", at, signature, now),
                check(secret, uri, body, at, "", now),
                check(secret, uri, body, at, "not base64", now),
                check(secret, uri, body, at, signature, now + 300_001),
                check(secret, uri, body, at, signature, now - 300_001),
                check(secret, uri, body, &format!("+{at}"), signature, now),
                check(secret, uri, body, "", signature, now),
                check(secret, uri, body, "99999999999999999999", signature, now),
            ] {
                assert!(!wrong, "{uri}");
            }
        }
    }

    #[test]
    fn only_the_escapes_that_hubspot_names_are_undone() {
        assert_eq!(decoded("/a%3ab%2Fc%20d%26%3D%"), "/a:b/c%20d%26%3D%");
        assert_eq!(decoded("%é%3B"), "%é;");
    }
}
