//! The signed assertion of the JWT bearer flow: RS256 over four claims.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::crm::{CrmError, ErrorKind, Sent};
use crate::model::Timestamp;

/// Salesforce refuses assertions that end more than a few minutes ahead (salesforce.md 1.5).
const LIFE_S: i64 = 120;

/// Who asks, on whose behalf, where.
pub(super) struct Claims<'a> {
    pub client_id: &'a str,
    pub username: &'a str,
    pub audience: &'a str,
}

pub(super) fn sign(
    claims: &Claims<'_>,
    private_key: &SecretString,
    now: Timestamp,
) -> Result<String, CrmError> {
    let key = key(private_key.expose_secret())?;
    let body = json!({
        "iss": claims.client_id,
        "sub": claims.username,
        "aud": claims.audience,
        "exp": now.millis().div_euclid(1_000) + LIFE_S,
    });
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let header = encode(json!({"alg": "RS256"}).to_string());
    let message = format!("{header}.{}", encode(body.to_string()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message.as_bytes(),
        &mut signature,
    )
    .map_err(|_| bad_key("it cannot sign"))?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Reads a PEM file's text, PKCS#8 or PKCS#1; base64 without the frame is taken too.
fn key(pem: &str) -> Result<RsaKeyPair, CrmError> {
    if pem.contains("ENCRYPTED") {
        return Err(bad_key(
            "it is protected by a pass phrase; remove that first",
        ));
    }
    let body: String = pem
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = STANDARD
        .decode(body.trim())
        .map_err(|_| bad_key("it is not the text of a PEM file"))?;
    RsaKeyPair::from_pkcs8(&der)
        .or_else(|_| RsaKeyPair::from_der(&der))
        .map_err(|_| bad_key("it is no RSA private key of 2048 bits or more"))
}

fn bad_key(why: &str) -> CrmError {
    let message = format!("the private key for the Salesforce login cannot be used: {why}");
    CrmError::new(
        ErrorKind::LoginRefused,
        "bad-private-key",
        &message,
        Sent::No,
    )
}
