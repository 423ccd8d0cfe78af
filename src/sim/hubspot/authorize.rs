//! The browser's part of OAuth: who asks for what, and the code a consent is worth
//! (`hubspot.md 1.1`).
//!
//! Decides and remembers the code; `api` makes a reply of it, `auth` exchanges it.

use url::Url;

use super::HubSpotSim;
use super::state::State;
use crate::sim::consent::{self, Question};

/// What becomes of a browser that asks.
pub(super) enum Consent {
    /// The page that asks, and the callback it may end at.
    Ask(String, Url),
    /// A page that sends nobody anywhere.
    Refuse(String),
    /// Back to the app, with a code or an error.
    Leave(String),
}

/// What a code stands for until it is exchanged.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub redirect_uri: String,
    pub scopes: Vec<String>,
    pub challenge: Option<String>,
    /// In milliseconds.
    pub expires: i64,
}

/// The platform does not say how long a code lives; ten minutes is what the standard allows.
const CODE_LIFETIME_MS: i64 = 10 * 60 * 1_000;

struct Asked<'a>(&'a [(String, String)]);

impl<'a> Asked<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn words(&self, name: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    }
}

impl State {
    /// Answers the consent page at `path`: `hub` is the account the path names, `decision` what
    /// the person has pressed.
    pub fn consent(
        &mut self,
        path: &str,
        hub: Option<&str>,
        params: &[(String, String)],
        decision: Option<&str>,
    ) -> Consent {
        let asked = Asked(params);
        let (redirect, scopes) = match self.check_asked(hub, &asked) {
            Ok(checked) => checked,
            Err((error, text)) => {
                return Consent::Refuse(consent::error_page("HubSpot", error, text));
            }
        };
        let back = |pairs: &[(&str, &str)]| {
            Consent::Leave(consent::way_back(&redirect, pairs, asked.get("state")))
        };
        let (challenge, method) = (
            asked.get("code_challenge"),
            asked.get("code_challenge_method"),
        );
        let challenge = match consent::challenge(challenge, method) {
            Ok(challenge) => challenge.map(str::to_owned),
            Err(text) => {
                return back(&[("error", "invalid_request"), ("error_description", text)]);
            }
        };
        match decision {
            Some("allow") => {
                let code = self.uuid();
                let promise = Promise {
                    redirect_uri: asked.get("redirect_uri").unwrap_or_default().to_owned(),
                    scopes,
                    challenge,
                    expires: self.now() + CODE_LIFETIME_MS,
                };
                self.tokens.promise(&code, promise);
                back(&[("code", &code)])
            }
            Some(_) => back(&[
                ("error", "access_denied"),
                ("error_description", "The user has not connected the app"),
            ]),
            None => Consent::Ask(self.question(path, params, &scopes), redirect),
        }
    }

    fn check_asked(
        &self,
        hub: Option<&str>,
        asked: &Asked<'_>,
    ) -> Result<(Url, Vec<String>), (&'static str, &'static str)> {
        if asked.get("client_id") != Some(self.options.client_id.as_str()) {
            return Err(("BAD_CLIENT_ID", "missing or unknown client ID"));
        }
        let sent = asked.get("redirect_uri").unwrap_or_default();
        let known = &self.options.redirect_uris;
        let redirect = consent::callback(sent);
        let redirect = redirect.filter(|_| known.is_empty() || known.iter().any(|k| k == sent));
        let Some(redirect) = redirect else {
            let text = "the redirect URI is missing, is not https (http only on this machine), or \
                        is none of the app's";
            return Err(("BAD_REDIRECT_URI", text));
        };
        if hub.is_some_and(|hub| hub != self.portal_id.to_string()) {
            let text = "the link is for another account than the one signed in";
            return Err(("WRONG_ACCOUNT", text));
        }
        let mut scopes = asked.words("scope");
        if scopes.is_empty() {
            return Err(("BAD_SCOPES", "the link names no scope"));
        }
        let lacks = &self.switches.unavailable_scopes;
        if scopes.iter().any(|scope| lacks.contains(scope)) {
            let text = "this account cannot grant a scope that the app requires";
            return Err(("BAD_SCOPES", text));
        }
        let optional = asked.words("optional_scope").into_iter();
        scopes.extend(optional.filter(|scope| !lacks.contains(scope)));
        scopes.sort();
        scopes.dedup();
        Ok((redirect, scopes))
    }

    fn question(&self, path: &str, params: &[(String, String)], scopes: &[String]) -> String {
        let portal = self.portal_id.to_string();
        let fields: Vec<(String, String)> = params
            .iter()
            .filter(|(name, _)| name != "decision")
            .cloned()
            .collect();
        consent::page(&Question {
            platform: "HubSpot",
            account: "Simulated portal",
            lines: &[("Portal", &portal), ("User", "ada.owner@example.com")],
            scopes,
            action: path,
            fields: &fields,
            buttons: ["Connect app", "Cancel"],
        })
    }
}

impl HubSpotSim {
    /// Opens an authorisation URL and presses "Connect app", as a person at the browser; gives the
    /// address the browser is sent to.
    ///
    /// # Errors
    /// The page that was shown instead.
    pub fn approve(&self, url: &str) -> Result<String, String> {
        let after = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = &after[after.find('/').unwrap_or(after.len())..];
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let hub = match parts.as_slice() {
            ["oauth", "authorize"] => None,
            ["oauth", hub, "authorize"] => Some(*hub),
            _ => return Err(format!("{path} is no authorisation page")),
        };
        let params: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        match self.with(|state| state.consent(path, hub, &params, Some("allow"))) {
            Consent::Leave(location) => Ok(location),
            Consent::Ask(page, _) | Consent::Refuse(page) => Err(page),
        }
    }

    /// Whether a code, or a token of an app, is one of this portal's, expired or not.
    pub fn knows(&self, secret: &str) -> bool {
        self.with(|state| state.tokens.know(secret))
    }

    /// Uninstalls the app: every access and refresh token and every open code ends.
    pub fn revoke_grants(&self) {
        self.with(|state| state.tokens.revoke_all());
    }

    /// Whether a refresh gives a new refresh token and ends the old one.
    pub fn set_rotation(&self, on: bool) {
        self.with(|state| state.switches.rotate_refresh_tokens = on);
    }
}
