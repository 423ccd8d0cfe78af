//! The browser's part of OAuth: who asks for what, and the code a consent is worth
//! (`salesforce.md 1.3` and `1.8`).
//!
//! `oauth` exchanges the code; the page itself is made in `sim::consent`.

use ::http::Method;
use serde_json::{Value, json};
use url::Url;

use super::session::random;
use super::{Incoming, Outgoing};
use crate::sim::consent::{self, Question};
use crate::sim::salesforce::org::Org;

/// What a code stands for until it is exchanged.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub redirect_uri: String,
    pub scope: String,
    pub challenge: Option<String>,
    /// In milliseconds.
    pub expires: i64,
}

const CODE_LIFETIME_MS: i64 = 15 * 60 * 1_000;
/// What the app is registered for, and what a link without scopes asks for.
pub(super) const SCOPES: &str = "refresh_token api id";
const KNOWN_SCOPES: [&str; 12] = [
    "api",
    "refresh_token",
    "offline_access",
    "id",
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "full",
    "web",
    "custom_permissions",
];

/// What becomes of a browser that asks.
pub(in crate::sim::salesforce) enum Consent {
    /// The page that asks, and the callback it may end at.
    Ask(String, Url),
    /// A page that sends nobody anywhere.
    Refuse(String),
    /// Back to the app, with a code or an error.
    Leave(String),
}

struct Asked<'a>(&'a [(String, String)]);

impl<'a> Asked<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

pub(super) fn answer(org: &mut Org, incoming: &Incoming) -> Outgoing {
    let sent: Vec<(String, String)> = url::form_urlencoded::parse(&incoming.body)
        .into_owned()
        .collect();
    let (params, decision) = if incoming.method == Method::POST {
        let pressed = sent.iter().find(|(name, _)| name == "decision");
        (&sent, Some(pressed.map_or("", |(_, value)| value.as_str())))
    } else {
        (&incoming.query, None)
    };
    let page = |status: u16, text: String, redirect: Option<&Url>| Outgoing {
        text: Some((consent::HTML, text)),
        headers: consent::headers(redirect),
        ..Outgoing::empty(status)
    };
    match decide(org, params, decision) {
        Consent::Ask(text, redirect) => page(200, text, Some(&redirect)),
        Consent::Refuse(text) => page(400, text, None),
        Consent::Leave(location) => Outgoing {
            headers: vec![("location", location)],
            ..Outgoing::empty(302)
        },
    }
}

/// Answers the page; `decision` is what the person has pressed.
pub(in crate::sim::salesforce) fn decide(
    org: &mut Org,
    params: &[(String, String)],
    decision: Option<&str>,
) -> Consent {
    let asked = Asked(params);
    let redirect = match check_client(org, &asked) {
        Ok(redirect) => redirect,
        Err((error, text)) => {
            return Consent::Refuse(consent::error_page("Salesforce", error, text));
        }
    };
    let back = |pairs: &[(&str, &str)]| {
        Consent::Leave(consent::way_back(&redirect, pairs, asked.get("state")))
    };
    let (scope, challenge) = match check_asked(org, &asked) {
        Ok(checked) => checked,
        Err((error, text)) => return back(&[("error", error), ("error_description", text)]),
    };
    match decision {
        Some("allow") => {
            let code = format!("aPrx{}==", random(org, 80));
            let promise = Promise {
                redirect_uri: asked.get("redirect_uri").unwrap_or_default().to_owned(),
                scope,
                challenge,
                expires: org.clock.now().millis() + CODE_LIFETIME_MS,
            };
            org.sessions.promise(&code, promise);
            back(&[("code", &code)])
        }
        Some(_) => back(&[
            ("error", "access_denied"),
            ("error_description", "end-user denied authorization"),
        ]),
        None => Consent::Ask(question(org, params, &scope), redirect),
    }
}

type Wrong = (&'static str, &'static str);

/// What must be right before anybody is sent anywhere.
fn check_client(org: &Org, asked: &Asked<'_>) -> Result<Url, Wrong> {
    if asked.get("client_id") != Some(org.options.client_id.as_str()) {
        return Err(("invalid_client_id", "client identifier invalid"));
    }
    let sent = asked.get("redirect_uri").unwrap_or_default();
    let known = &org.options.redirect_uris;
    let redirect = consent::callback(sent);
    redirect
        .filter(|_| known.is_empty() || known.iter().any(|own| own == sent))
        .ok_or((
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
        ))
}

fn check_asked(org: &Org, asked: &Asked<'_>) -> Result<(String, Option<String>), Wrong> {
    if asked.get("response_type") != Some("code") {
        return Err((
            "unsupported_response_type",
            "response type must be code here",
        ));
    }
    let scope = match asked.get("scope").map(str::trim) {
        None | Some("") => SCOPES,
        Some(scope) => scope,
    };
    let unknown = |word: &str| !KNOWN_SCOPES.contains(&word);
    if scope.split_whitespace().any(unknown) {
        let text = "the requested scope is invalid, unknown, or malformed";
        return Err(("invalid_scope", text));
    }
    let (challenge, method) = (
        asked.get("code_challenge"),
        asked.get("code_challenge_method"),
    );
    let challenge =
        consent::challenge(challenge, method).map_err(|text| ("invalid_request", text))?;
    if challenge.is_none() && org.sessions.needs_pkce {
        return Err(("invalid_request", "missing required code challenge"));
    }
    if !org.sessions.installed {
        let text = "External client app is not installed in this org";
        return Err(("OAUTH_EC_APP_NOT_FOUND", text));
    }
    if asked.get("prompt") == Some("none") {
        return Err(("login_required", "the user must sign in"));
    }
    let words: Vec<&str> = scope.split_whitespace().collect();
    Ok((words.join(" "), challenge.map(str::to_owned)))
}

fn question(org: &Org, params: &[(String, String)], scope: &str) -> String {
    let scopes: Vec<String> = scope.split_whitespace().map(str::to_owned).collect();
    let fields: Vec<(String, String)> = params
        .iter()
        .filter(|(name, _)| name != "decision")
        .cloned()
        .collect();
    consent::page(&Question {
        platform: "Salesforce",
        account: "Simulated Org",
        lines: &[
            ("Organization", &org.org_id),
            ("User", &org.options.username),
        ],
        scopes: &scopes,
        action: "/services/oauth2/authorize",
        fields: &fields,
        buttons: ["Allow", "Deny"],
    })
}

/// `/.well-known/openid-configuration`, of what there is here.
pub(super) fn discovery(incoming: &Incoming) -> Value {
    let base = incoming.base_url();
    let at = |name: &str| format!("{base}/services/oauth2/{name}");
    json!({
        "issuer": base,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "revocation_endpoint": at("revoke"),
        "introspection_endpoint": at("introspect"),
        "userinfo_endpoint": at("userinfo"),
        "scopes_supported": KNOWN_SCOPES,
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    })
}
