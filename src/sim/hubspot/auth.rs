//! Tokens: the private-app token, and OAuth access and refresh tokens (`hubspot.md 1`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value as Json, json};

use super::authorize::Promise;
use super::failure::Failure;
use super::kind::ObjectKind;
use super::record::{APP_ID, PERSON};
use super::stamp;
use super::state::State;
use crate::sim::consent;

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

/// What the app was allowed; without a list, everything it could ask for.
type Scopes = Option<Vec<String>>;

#[derive(Debug)]
struct Access {
    /// In milliseconds.
    expires: i64,
    grant: u64,
}

#[derive(Debug)]
pub(super) struct Tokens {
    access: BTreeMap<String, Access>,
    order: VecDeque<String>,
    /// The grant a refresh token belongs to.
    refresh: BTreeMap<String, u64>,
    /// Codes that are there from the beginning.
    fixed: BTreeSet<&'static str>,
    codes: BTreeMap<String, Promise>,
    grants: BTreeMap<u64, Scopes>,
    last_grant: u64,
}

impl Tokens {
    pub fn new() -> Self {
        Self {
            access: BTreeMap::new(),
            order: VecDeque::new(),
            refresh: BTreeMap::from([(REFRESH_TOKEN.to_owned(), 0)]),
            fixed: CODES.into(),
            codes: BTreeMap::new(),
            grants: BTreeMap::from([(0, None)]),
            last_grant: 0,
        }
    }

    fn remember(&mut self, token: &str, access: Access) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.access.remove(&oldest);
        }
        self.order.push_back(token.to_owned());
        self.access.insert(token.to_owned(), access);
    }

    /// Keeps what a code stands for.
    pub fn promise(&mut self, code: &str, promise: Promise) {
        if self.codes.len() >= REMEMBERED {
            self.codes.pop_first();
        }
        self.codes.insert(code.to_owned(), promise);
    }

    fn new_grant(&mut self, scopes: Scopes) -> u64 {
        if self.grants.len() >= REMEMBERED
            && let Some((oldest, _)) = self.grants.pop_first()
        {
            self.end_grant(oldest);
        }
        self.last_grant += 1;
        self.grants.insert(self.last_grant, scopes);
        self.last_grant
    }

    /// The app is uninstalled: nothing of this grant works any more.
    fn end_grant(&mut self, grant: u64) {
        self.grants.remove(&grant);
        self.refresh.retain(|_, of| *of != grant);
        self.access.retain(|_, access| access.grant != grant);
        let left = &self.access;
        self.order.retain(|token| left.contains_key(token));
    }

    pub fn revoke_all(&mut self) {
        self.codes.clear();
        self.refresh.clear();
        self.access.clear();
        self.order.clear();
        self.grants.clear();
    }

    pub fn know(&self, secret: &str) -> bool {
        self.access.contains_key(secret)
            || self.refresh.contains_key(secret)
            || self.codes.contains_key(secret)
    }

    fn scopes(&self, grant: u64) -> Vec<String> {
        match self.grants.get(&grant) {
            Some(Some(scopes)) => scopes.clone(),
            Some(None) | None => SCOPES.map(str::to_owned).to_vec(),
        }
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
const OTHER_REDIRECT: Refusal = (
    "BAD_REDIRECT_URI",
    "redirect URI is not the one the code was issued for",
    "invalid_grant",
);
const BAD_VERIFIER: Refusal = (
    "BAD_AUTH_CODE",
    "missing or wrong code verifier",
    "invalid_grant",
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
        let access = self.tokens.access.get(token);
        let expires = access.ok_or_else(Failure::unauthenticated)?.expires;
        let late = self.now() - expires;
        if late >= 0 {
            return Err(Failure::expired(late, stamp(expires)));
        }
        Ok(false)
    }

    /// Whether the holder of a token was granted a scope.
    pub fn was_granted(&self, token: Option<&str>, scope: &str) -> bool {
        let access = token.and_then(|token| self.tokens.access.get(token));
        let scopes = access.and_then(|access| self.tokens.grants.get(&access.grant));
        match scopes {
            Some(Some(scopes)) => scopes.iter().any(|own| own == scope),
            Some(None) | None => true,
        }
    }

    /// Answers the token endpoint; status and body.
    pub fn grant(&mut self, form: &BTreeMap<String, String>, correlation: &str) -> (u16, Json) {
        match self.check_grant(form) {
            Ok((refresh_token, grant)) => (200, self.issue(&refresh_token, grant)),
            Err(refusal) => (400, refusal_json(refusal, correlation)),
        }
    }

    /// The refresh token to hand back, and its grant, when what was sent is good.
    fn check_grant(&mut self, form: &BTreeMap<String, String>) -> Result<(String, u64), Refusal> {
        self.check_client(form)?;
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        match field("grant_type") {
            "authorization_code" => {
                let scopes = self.redeem(field)?;
                let grant = self.tokens.new_grant(scopes);
                Ok((self.new_refresh_token(grant), grant))
            }
            "refresh_token" => {
                let given = field("refresh_token").to_owned();
                let grant = *self.tokens.refresh.get(&given).ok_or(BAD_REFRESH)?;
                if !self.switches.rotate_refresh_tokens {
                    return Ok((given, grant));
                }
                self.tokens.refresh.remove(&given);
                Ok((self.new_refresh_token(grant), grant))
            }
            _ => Err(BAD_GRANT),
        }
    }

    fn check_client(&self, form: &BTreeMap<String, String>) -> Result<(), Refusal> {
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        if field("client_id") != self.options.client_id {
            return Err(BAD_CLIENT_ID);
        }
        if field("client_secret") != self.options.client_secret {
            return Err(BAD_SECRET);
        }
        Ok(())
    }

    /// Uses up a code, whether or not the rest of the exchange is right.
    fn redeem<'a>(&mut self, field: impl Fn(&str) -> &'a str) -> Result<Scopes, Refusal> {
        let redirect_uri = field("redirect_uri");
        if redirect_uri.is_empty() {
            return Err(BAD_REDIRECT);
        }
        if self.tokens.fixed.remove(field("code")) {
            return Ok(None);
        }
        let promise = self.tokens.codes.remove(field("code")).ok_or(BAD_CODE)?;
        if promise.expires <= self.now() {
            return Err(BAD_CODE);
        }
        if promise.redirect_uri != redirect_uri {
            return Err(OTHER_REDIRECT);
        }
        let verifier = field("code_verifier");
        let challenge = promise.challenge.as_deref();
        if challenge.is_some_and(|challenge| !consent::verifies(challenge, verifier)) {
            return Err(BAD_VERIFIER);
        }
        Ok(Some(promise.scopes))
    }

    fn new_refresh_token(&mut self, grant: u64) -> String {
        let token = format!("na1-{}", self.uuid());
        self.tokens.refresh.insert(token.clone(), grant);
        token
    }

    fn issue(&mut self, refresh_token: &str, grant: u64) -> Json {
        let access_token = format!("sim-{}{}", self.uuid(), self.uuid());
        let expires = self.now() + LIFETIME_S * 1_000;
        self.tokens
            .remember(&access_token, Access { expires, grant });
        json!({"token_type": "bearer", "access_token": access_token,
            "refresh_token": refresh_token, "expires_in": LIFETIME_S, "hub_id": self.portal_id,
            "user_id": PERSON, "scopes": self.tokens.scopes(grant),
            "token_use": "access_token"})
    }

    /// Ends one token; the access tokens that a refresh token gave live on, and the app stays
    /// installed (`hubspot.md 1.4`).
    pub fn revoke(
        &mut self,
        form: &BTreeMap<String, String>,
        correlation: &str,
    ) -> Result<(), Json> {
        self.check_client(form)
            .map_err(|refusal| refusal_json(refusal, correlation))?;
        let token = form.get("token").map_or("", String::as_str);
        self.tokens.refresh.remove(token);
        self.tokens.access.remove(token);
        Ok(())
    }

    /// The app takes itself out of the account whose token it calls with.
    pub fn uninstall(&mut self, token: Option<&str>) -> Result<(), Failure> {
        let access = token.and_then(|token| self.tokens.access.get(token));
        let grant = access.ok_or_else(Failure::unauthenticated)?.grant;
        self.tokens.end_grant(grant);
        Ok(())
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
        let access = self.tokens.access.get(token);
        let expires = access.map(|access| (access.expires - self.now()) / 1_000);
        let grant = self.tokens.refresh.get(token).copied();
        let refresh = grant.is_some();
        let grant = grant.or_else(|| access.map(|access| access.grant));
        let scopes = grant.map_or_else(Vec::new, |grant| self.tokens.scopes(grant));
        let active = refresh || expires.is_some_and(|left| left > 0);
        let mut body = json!({"active": active, "token": token, "token_type": "bearer",
            "token_use": if refresh { "refresh_token" } else { "access_token" },
            "client_id": self.options.client_id, "app_id": APP_ID, "hub_id": self.portal_id,
            "hub_domain": "simulated.example.com", "user": "ada.owner@example.com",
            "user_id": PERSON, "scopes": scopes});
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
