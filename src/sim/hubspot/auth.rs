//! Tokens: the private-app token, and OAuth access and refresh tokens (`hubspot.md 1`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::failure::Failure;
use super::kind::ObjectKind;
use super::record::{APP_ID, PERSON};
use super::stamp;
use super::state::State;

/// Seconds an access token lasts.
const LIFETIME_S: i64 = 1_800;
/// How many access tokens are remembered, so that a refresh loop cannot eat the memory.
const REMEMBERED: usize = 1_000;
/// Authorisation codes a fresh portal accepts, each once.
const CODES: [&str; 3] = ["sim-code-1", "sim-code-2", "sim-code-3"];
/// The refresh token a fresh portal accepts.
const REFRESH_TOKEN: &str = "na1-sim-refresh-token";
const SCOPES: [&str; 9] = [
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.custom.read",
    "crm.objects.owners.read",
];

#[derive(Debug)]
pub(super) struct Tokens {
    /// Expiry in milliseconds by access token.
    access: BTreeMap<String, i64>,
    order: Vec<String>,
    refresh: BTreeSet<String>,
    codes: BTreeSet<&'static str>,
}

impl Tokens {
    pub fn new() -> Self {
        Self {
            access: BTreeMap::new(),
            order: Vec::new(),
            refresh: BTreeSet::from([REFRESH_TOKEN.to_owned()]),
            codes: CODES.into(),
        }
    }

    fn remember(&mut self, token: &str, expires: i64) {
        if self.order.len() >= REMEMBERED {
            self.access.remove(&self.order.remove(0));
        }
        self.order.push(token.to_owned());
        self.access.insert(token.to_owned(), expires);
    }
}

/// A refusal of the token endpoint: (status word, explanation, RFC 6749 code).
type Refusal = (&'static str, &'static str, &'static str);

const BAD_CLIENT_ID: Refusal = (
    "BAD_CLIENT_ID",
    "missing or unknown client ID",
    "invalid_client",
);
const BAD_SECRET: Refusal = (
    "BAD_CLIENT_SECRET",
    "client secret is wrong",
    "invalid_client",
);
const BAD_REDIRECT: Refusal = (
    "BAD_REDIRECT_URI",
    "missing redirect URI",
    "invalid_request",
);
const BAD_CODE: Refusal = (
    "BAD_AUTH_CODE",
    "missing or unknown auth code",
    "invalid_grant",
);
const BAD_REFRESH: Refusal = (
    "BAD_REFRESH_TOKEN",
    "missing or invalid refresh token",
    "invalid_grant",
);
const BAD_GRANT: Refusal = (
    "BAD_GRANT_TYPE",
    "missing or unknown grant type",
    "unsupported_grant_type",
);

impl State {
    /// Who is calling: true for the private-app token, false for an OAuth one.
    pub fn authenticate(&self, token: Option<&str>) -> Result<bool, Failure> {
        let token = token.ok_or_else(Failure::unauthenticated)?;
        if token == self.options.token {
            return Ok(true);
        }
        let expires = self.tokens.access.get(token);
        let expires = *expires.ok_or_else(Failure::unauthenticated)?;
        let late = self.now() - expires;
        if late >= 0 {
            return Err(Failure::expired(late, stamp(expires)));
        }
        Ok(false)
    }

    /// Answers the token endpoint; status and body.
    pub fn grant(&mut self, form: &BTreeMap<String, String>, correlation: &str) -> (u16, Json) {
        match self.check_grant(form) {
            Ok(refresh_token) => (200, self.issue(refresh_token)),
            Err(refusal) => (400, refusal_json(refusal, correlation)),
        }
    }

    /// The refresh token to hand back when the grant is good.
    fn check_grant(&mut self, form: &BTreeMap<String, String>) -> Result<String, Refusal> {
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        if field("client_id") != self.options.client_id {
            return Err(BAD_CLIENT_ID);
        }
        if field("client_secret") != self.options.client_secret {
            return Err(BAD_SECRET);
        }
        match field("grant_type") {
            "authorization_code" if field("redirect_uri").is_empty() => Err(BAD_REDIRECT),
            "authorization_code" if self.tokens.codes.remove(field("code")) => {
                Ok(self.new_refresh_token())
            }
            "authorization_code" => Err(BAD_CODE),
            "refresh_token" => {
                let given = field("refresh_token").to_owned();
                if !self.tokens.refresh.contains(&given) {
                    return Err(BAD_REFRESH);
                }
                if !self.switches.rotate_refresh_tokens {
                    return Ok(given);
                }
                self.tokens.refresh.remove(&given);
                Ok(self.new_refresh_token())
            }
            _ => Err(BAD_GRANT),
        }
    }

    fn new_refresh_token(&mut self) -> String {
        let token = format!("na1-{}", self.uuid());
        self.tokens.refresh.insert(token.clone());
        token
    }

    fn issue(&mut self, refresh_token: String) -> Json {
        let access_token = format!("sim-{}{}", self.uuid(), self.uuid());
        let expires = self.now() + LIFETIME_S * 1_000;
        self.tokens.remember(&access_token, expires);
        json!({"token_type": "bearer", "access_token": access_token,
            "refresh_token": refresh_token, "expires_in": LIFETIME_S, "hub_id": self.portal_id,
            "user_id": PERSON, "scopes": SCOPES, "token_use": "access_token"})
    }

    /// What the token of a private app may do; other tokens are not known here.
    pub fn private_app(&self, body: &[u8]) -> Result<Json, Failure> {
        let asked: Json = serde_json::from_slice(body).unwrap_or_default();
        if asked["tokenKey"] != self.options.token.as_str() || self.switches.hide_scopes {
            return Err(Failure::no_route());
        }
        let scopes = private_app_scopes(&self.switches.missing_scopes);
        Ok(json!({"hubId": self.portal_id, "userId": PERSON, "appId": APP_ID, "scopes": scopes}))
    }

    /// What a token is (`hubspot.md 1.4`).
    pub fn introspect(&self, token: &str) -> Json {
        let expires = self
            .tokens
            .access
            .get(token)
            .map(|at| (at - self.now()) / 1_000);
        let refresh = self.tokens.refresh.contains(token);
        let active = refresh || expires.is_some_and(|left| left > 0);
        let mut body = json!({"active": active, "token": token, "token_type": "bearer",
            "token_use": if refresh { "refresh_token" } else { "access_token" },
            "client_id": self.options.client_id, "app_id": APP_ID, "hub_id": self.portal_id,
            "hub_domain": "simulated.example.com", "user": "ada.owner@example.com",
            "user_id": PERSON, "scopes": SCOPES});
        if let Some(left) = expires {
            body["expires_in"] = json!(left.max(0));
        }
        body
    }
}

fn private_app_scopes(missing: &[String]) -> Vec<String> {
    let mut scopes = vec!["crm.objects.owners.read".to_owned()];
    for kind in ObjectKind::ALL {
        for write in [false, true] {
            scopes.extend([kind.scope(write), kind.schema_scope(write)]);
        }
    }
    scopes.sort();
    scopes.dedup();
    scopes.retain(|scope| !missing.contains(scope));
    scopes
}

fn refusal_json((status, text, code): Refusal, correlation: &str) -> Json {
    json!({"error": code, "error_description": text, "status": status, "message": text,
        "correlationId": correlation})
}
