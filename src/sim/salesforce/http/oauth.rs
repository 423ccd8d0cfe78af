//! Token endpoint, revocation, introspection and the two identity resources: `salesforce.md 1`.

use ::http::Method;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::session::{issue, issue_refresh, touch};
use super::{Incoming, Outgoing, Reply, authorize};
use crate::sim::consent;
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::id;
use crate::sim::salesforce::org::Org;

/// A code that is there from the beginning and is never used up, for those who have no browser.
pub const AUTHORIZATION_CODE: &str = "sim-authorization-code==";

/// An assertion may expire at most this far ahead.
const MAX_ASSERTION_LIFE: i64 = 5 * 60;

pub(super) fn answer(org: &mut Org, incoming: &Incoming, rest: &[&str]) -> Reply {
    match rest {
        ["token"] if incoming.method == Method::POST => token(org, incoming),
        ["revoke"] => revoke(org, incoming),
        ["introspect"] if incoming.method == Method::POST => introspect(org, incoming),
        ["authorize"] if matches!(incoming.method, Method::GET | Method::POST) => {
            Ok(authorize::answer(org, incoming))
        }
        ["userinfo"] => user_info(org, incoming),
        _ => Err(Refusal::not_found().into()),
    }
}

struct Form(Vec<(String, String)>);

impl Form {
    fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.as_str())
    }
}

fn refused(error: &str, description: &str) -> Outgoing {
    let body = json!({ "error": error, "error_description": description });
    Outgoing::json(400, body)
}

fn form(incoming: &Incoming) -> Form {
    let mut form: Vec<(String, String)> = url::form_urlencoded::parse(&incoming.body)
        .into_owned()
        .collect();
    form.extend(basic_credentials(incoming));
    Form(form)
}

fn token(org: &mut Org, incoming: &Incoming) -> Reply {
    let form = form(incoming);
    match form.get("grant_type") {
        "client_credentials" => {
            check_client(org, &form, true)?;
            Ok(granted(org, incoming, None, None))
        }
        "authorization_code" => {
            check_client(org, &form, true)?;
            let scope = redeem(org, &form)?;
            let grant = org.sessions.new_grant(&scope, org.clock.now().millis());
            let lasting = |word: &str| matches!(word, "refresh_token" | "offline_access");
            let lasts = scope.split_whitespace().any(lasting);
            let refresh = lasts.then(|| issue_refresh(org, grant));
            Ok(granted(org, incoming, Some(grant), refresh))
        }
        "refresh_token" => {
            let given_secret = !form.get("client_secret").is_empty();
            check_client(org, &form, given_secret)?;
            refresh(org, incoming, form.get("refresh_token"))
        }
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            check_assertion(org, incoming, form.get("assertion"))?;
            Ok(granted(org, incoming, None, None))
        }
        _ => Err(refused(
            "unsupported_grant_type",
            "grant type not supported",
        )),
    }
}

/// Uses up a code, whether or not the rest of the exchange is right; the scopes it is worth.
fn redeem(org: &mut Org, form: &Form) -> Result<String, Outgoing> {
    let code = form.get("code");
    if code == AUTHORIZATION_CODE {
        return Ok(authorize::SCOPES.to_owned());
    }
    let now = org.clock.now().millis();
    let promise = org.sessions.redeem(code);
    let Some(promise) = promise.filter(|promise| promise.expires > now) else {
        return Err(refused("invalid_grant", "expired authorization code"));
    };
    if promise.redirect_uri != form.get("redirect_uri") {
        let text = "redirect_uri must match configuration";
        return Err(refused("redirect_uri_mismatch", text));
    }
    let verifier = form.get("code_verifier");
    match &promise.challenge {
        Some(_) if verifier.is_empty() => {
            Err(refused("invalid_grant", "code verifier is required"))
        }
        Some(challenge) if !consent::verifies(challenge, verifier) => {
            Err(refused("invalid_grant", "invalid code verifier"))
        }
        Some(_) | None => Ok(promise.scope),
    }
}

fn refresh(org: &mut Org, incoming: &Incoming, token: &str) -> Reply {
    let now = org.clock.now().millis();
    let Some(grant) = org.sessions.present(token, now) else {
        return Err(refused("invalid_grant", "expired access/refresh token"));
    };
    if !org.sessions.rotate {
        return Ok(granted(org, incoming, Some(grant), None));
    }
    org.sessions.retire(token);
    let next = issue_refresh(org, grant);
    Ok(granted(org, incoming, Some(grant), Some(next)))
}

/// Client id and secret may come in a basic authorisation header instead of the form.
fn basic_credentials(incoming: &Incoming) -> Vec<(String, String)> {
    let decoded = incoming
        .header("authorization")
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().and_then(|text| text.split_once(':')) {
        Some((id, secret)) => vec![
            ("client_id".to_owned(), id.to_owned()),
            ("client_secret".to_owned(), secret.to_owned()),
        ],
        None => Vec::new(),
    }
}

fn check_client(org: &Org, form: &Form, with_secret: bool) -> Result<(), Outgoing> {
    if form.get("client_id") != org.options.client_id {
        return Err(refused("invalid_client_id", "client identifier invalid"));
    }
    if with_secret && form.get("client_secret") != org.options.client_secret {
        return Err(refused("invalid_client", "invalid client credentials"));
    }
    Ok(())
}

fn check_assertion(org: &Org, incoming: &Incoming, assertion: &str) -> Result<(), Outgoing> {
    let invalid = || refused("invalid_grant", "invalid assertion");
    let mut parts = assertion.split('.');
    let (Some(head), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(invalid());
    };
    let read = |part: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    let (Some(header), Some(body)) = (read(head), read(claims)) else {
        return Err(invalid());
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| invalid())?;
    if header["alg"] != "RS256" || signature.is_empty() {
        return Err(invalid());
    }
    if let Some(der) = &org.options.jwt_public_key_der {
        let signed = format!("{head}.{claims}");
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| refused("invalid_grant", "invalid signature"))?;
    }
    check_claims(org, incoming, &body)
}

fn check_claims(org: &Org, incoming: &Incoming, claims: &Value) -> Result<(), Outgoing> {
    if claims["iss"] != json!(org.options.client_id) {
        return Err(refused("invalid_client_id", "client identifier invalid"));
    }
    let base = incoming.base_url();
    let audiences = [
        "https://login.salesforce.com",
        "https://test.salesforce.com",
        base.as_str(),
    ];
    if !audiences.contains(&claims["aud"].as_str().unwrap_or_default()) {
        return Err(refused("invalid_grant", "audience is invalid"));
    }
    if claims["sub"] != json!(org.options.username) {
        let text = "user hasn't approved this consumer";
        return Err(refused("invalid_grant", text));
    }
    let left = claims["exp"].as_i64().unwrap_or(0) - org.now();
    if left <= 0 || left > MAX_ASSERTION_LIFE {
        return Err(refused("invalid_grant", "expired authorization code"));
    }
    Ok(())
}

fn granted(
    org: &mut Org,
    incoming: &Incoming,
    grant: Option<u64>,
    refresh: Option<String>,
) -> Outgoing {
    let scope = grant.map_or(authorize::SCOPES, |grant| org.sessions.scope(grant));
    let scope = scope.to_owned();
    let base = incoming.base_url();
    let issued_at = org.clock.now().millis().to_string();
    let identity = identity_url(org, &base);
    let key = hmac::Key::new(hmac::HMAC_SHA256, org.options.client_secret.as_bytes());
    let signature = hmac::sign(&key, format!("{identity}{issued_at}").as_bytes());
    let mut body = json!({
        "access_token": issue(org, grant),
        "instance_url": base,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued_at,
        "signature": STANDARD.encode(signature),
        "scope": scope,
    });
    if let Some(refresh) = refresh {
        body["refresh_token"] = json!(refresh);
    }
    Outgoing::json(200, body)
}

fn revoke(org: &mut Org, incoming: &Incoming) -> Reply {
    let form = form(incoming);
    let token = match form.get("token") {
        "" => incoming.parameter("token").unwrap_or_default(),
        token => token,
    };
    if org.sessions.revoke(token) {
        Ok(Outgoing::empty(200))
    } else {
        Err(refused("invalid_token", "invalid token"))
    }
}

fn introspect(org: &mut Org, incoming: &Incoming) -> Reply {
    let form = form(incoming);
    check_client(org, &form, true)?;
    let base = incoming.base_url();
    let body = match org.sessions.look_up(form.get("token")) {
        None => json!({ "active": false }),
        Some((refresh, scope)) => json!({
            "active": true,
            "scope": scope,
            "client_id": org.options.client_id,
            "username": org.options.username,
            "sub": identity_url(org, &base),
            "token_type": if refresh { "refresh_token" } else { "access_token" },
        }),
    };
    Ok(Outgoing::json(200, body))
}

fn identity_url(org: &Org, base: &str) -> String {
    let user = id::make("005", org.integration_user);
    format!("{base}/id/{}/{user}", org.org_id)
}

pub(super) fn bearer(incoming: &Incoming) -> Option<&str> {
    let value = incoming.header("authorization")?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth"))
        .then(|| token.trim())
}

fn authorised(org: &mut Org, incoming: &Incoming) -> Result<(), Outgoing> {
    if bearer(incoming).is_some_and(|token| touch(org, token)) {
        Ok(())
    } else {
        Err(Outgoing::json(403, json!("Bad_OAuth_Token")))
    }
}

fn user_info(org: &mut Org, incoming: &Incoming) -> Reply {
    authorised(org, incoming)?;
    let base = incoming.base_url();
    Ok(Outgoing::json(
        200,
        json!({
            "sub": identity_url(org, &base),
            "user_id": id::make("005", org.integration_user),
            "organization_id": org.org_id,
            "preferred_username": org.options.username,
            "email": org.options.username,
            "name": "Tandem Integration",
            "active": true,
            "urls": urls(&base),
        }),
    ))
}

/// `GET /id/{organisation}/{user}`.
pub(super) fn identity(org: &mut Org, incoming: &Incoming) -> Reply {
    authorised(org, incoming)?;
    let base = incoming.base_url();
    Ok(Outgoing::json(
        200,
        json!({
            "id": identity_url(org, &base),
            "user_id": id::make("005", org.integration_user),
            "organization_id": org.org_id,
            "username": org.options.username,
            "display_name": "Tandem Integration",
            "email": org.options.username,
            "active": true,
            "user_type": "STANDARD",
            "urls": urls(&base),
        }),
    ))
}

fn urls(base: &str) -> Value {
    json!({
        "rest": format!("{base}/services/data/v{{version}}/"),
        "sobjects": format!("{base}/services/data/v{{version}}/sobjects/"),
        "query": format!("{base}/services/data/v{{version}}/query/"),
    })
}
