//! How the platform signs what it sends (`hubspot.md 9.6`).

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The escapes of an address that are undone before it is signed; all others stay.
const UNDONE: [(&str, char); 12] = [
    ("%3A", ':'),
    ("%2F", '/'),
    ("%3F", '?'),
    ("%40", '@'),
    ("%21", '!'),
    ("%24", '$'),
    ("%27", '\''),
    ("%28", '('),
    ("%29", ')'),
    ("%2A", '*'),
    ("%2C", ','),
    ("%3B", ';'),
];

/// `X-HubSpot-Signature` with version `v1`.
pub fn sign_v1(secret: &str, body: &str) -> String {
    let hash = digest::digest(&digest::SHA256, format!("{secret}{body}").as_bytes());
    hash.as_ref()
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").ok();
            text
        })
}

/// `X-HubSpot-Signature-v3`.
pub fn sign_v3(secret: &str, method: &str, uri: &str, body: &str, timestamp: i64) -> String {
    let signed = format!("{method}{}{body}{timestamp}", undo_escapes(uri));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
}

fn undo_escapes(uri: &str) -> String {
    let mut out = String::with_capacity(uri.len());
    let mut rest = uri;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = UNDONE.iter().find(|(escape, _)| rest.starts_with(escape));
        match known {
            Some((escape, plain)) => {
                out.push(*plain);
                rest = &rest[escape.len()..];
            }
            None => {
                out.push('%');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}
