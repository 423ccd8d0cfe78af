//! Access tokens with their sliding idle window, refresh tokens, and the daily call allowance.

use std::collections::{BTreeMap, VecDeque};

use super::authorize::{Promise, SCOPES};
use crate::sim::salesforce::org::Org;

const DAY_MINUTES: i64 = 24 * 60;
/// More live tokens than this and the longest unused one ends; codes and grants are as many.
const MAX_TOKENS: usize = 1_000;
/// A grant whose refresh token nobody uses for so long ends (salesforce.md 1.8: apps in more than
/// two customers' orgs have this limit).
const GRANT_IDLE_MS: i64 = 30 * 24 * 3_600_000;

#[derive(Debug)]
struct Access {
    /// When it was last used, in milliseconds.
    used: i64,
    /// What was approved in the browser, if the token comes from that.
    grant: Option<u64>,
}

/// What somebody approved in the browser.
#[derive(Debug)]
struct Approved {
    scope: String,
    /// When its refresh token was last used, or made, in milliseconds.
    used: i64,
}

#[derive(Debug)]
pub(in crate::sim::salesforce) struct Sessions {
    access: BTreeMap<String, Access>,
    /// Live refresh tokens, each of one grant.
    refresh: BTreeMap<String, u64>,
    /// Tokens that were rotated out, oldest first: whoever shows one has stolen it or lost track.
    retired: VecDeque<(String, u64)>,
    grants: BTreeMap<u64, Approved>,
    last_grant: u64,
    codes: BTreeMap<String, Promise>,
    /// Every refresh hands out a new refresh token and ends the old one.
    pub rotate: bool,
    /// The app is installed in the org, so that anybody may approve it.
    pub installed: bool,
    /// The app demands PKCE.
    pub needs_pkce: bool,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            retired: VecDeque::new(),
            grants: BTreeMap::new(),
            last_grant: 0,
            codes: BTreeMap::new(),
            rotate: false,
            installed: true,
            needs_pkce: false,
        }
    }
}

impl Sessions {
    pub fn expire_all(&mut self) {
        self.access.clear();
    }

    pub fn know(&self, secret: &str) -> bool {
        self.access.contains_key(secret)
            || self.refresh.contains_key(secret)
            || self.codes.contains_key(secret)
            || self.retired.iter().any(|(old, _)| old == secret)
    }

    /// Everything anybody ever approved ends, and every access token with it.
    pub fn revoke_all(&mut self) {
        self.access.clear();
        self.refresh.clear();
        self.retired.clear();
        self.grants.clear();
        self.codes.clear();
    }

    pub(super) fn promise(&mut self, code: &str, promise: Promise) {
        if self.codes.len() >= MAX_TOKENS {
            self.codes.pop_first();
        }
        self.codes.insert(code.to_owned(), promise);
    }

    /// What a code was issued for; it is used up.
    pub(super) fn redeem(&mut self, code: &str) -> Option<Promise> {
        self.codes.remove(code)
    }

    pub fn new_grant(&mut self, scope: &str, now: i64) -> u64 {
        if self.grants.len() >= MAX_TOKENS
            && let Some((oldest, _)) = self.grants.pop_first()
        {
            self.end_grant(oldest);
        }
        self.last_grant += 1;
        let scope = scope.to_owned();
        let approved = Approved { scope, used: now };
        self.grants.insert(self.last_grant, approved);
        self.last_grant
    }

    pub fn scope(&self, grant: u64) -> &str {
        let found = self.grants.get(&grant);
        found.map_or("", |grant| grant.scope.as_str())
    }

    /// The grant of a live refresh token, which is used by that. One that was rotated out ends its
    /// whole grant, and so does one that was not used for too long.
    pub fn present(&mut self, token: &str, now: i64) -> Option<u64> {
        if let Some(grant) = self.refresh.get(token).copied() {
            let used = self.grants.get_mut(&grant).map(|one| &mut one.used);
            match used {
                Some(used) if now - *used > GRANT_IDLE_MS => {}
                Some(used) => {
                    *used = now;
                    return Some(grant);
                }
                None => return Some(grant),
            }
            self.end_grant(grant);
            return None;
        }
        let retired = self.retired.iter().find(|(old, _)| old == token);
        if let Some((_, grant)) = retired.cloned() {
            self.end_grant(grant);
        }
        None
    }

    /// Takes a refresh token out of use; its grant and its access tokens live on.
    pub fn retire(&mut self, token: &str) {
        if let Some(grant) = self.refresh.remove(token) {
            if self.retired.len() >= MAX_TOKENS {
                self.retired.pop_front();
            }
            self.retired.push_back((token.to_owned(), grant));
        }
    }

    fn end_grant(&mut self, grant: u64) {
        self.grants.remove(&grant);
        self.refresh.retain(|_, of| *of != grant);
        self.retired.retain(|(_, of)| *of != grant);
        self.access.retain(|_, access| access.grant != Some(grant));
    }

    /// Ends a token of either kind; false when it is unknown.
    pub fn revoke(&mut self, token: &str) -> bool {
        if let Some(grant) = self.refresh.get(token).copied() {
            self.end_grant(grant);
            return true;
        }
        self.access.remove(token).is_some()
    }

    /// Whether a token of either kind is live, whether it is a refresh token, and its scopes.
    pub fn look_up(&self, token: &str) -> Option<(bool, &str)> {
        if let Some(grant) = self.refresh.get(token) {
            return Some((true, self.scope(*grant)));
        }
        let access = self.access.get(token)?;
        let scope = access.grant.map_or(SCOPES, |grant| self.scope(grant));
        Some((false, scope))
    }
}

pub(super) fn random(org: &mut Org, length: usize) -> String {
    (0..length).map(|_| org.rng.alphanumeric()).collect()
}

/// `<15 characters of the org id>!<random>`, as opaque tokens look.
pub(in crate::sim::salesforce) fn issue(org: &mut Org, grant: Option<u64>) -> String {
    let now = org.clock.now().millis();
    let idle = org.options.token_idle_ms;
    let access = &mut org.sessions.access;
    access.retain(|_, access| now - access.used <= idle);
    if access.len() >= MAX_TOKENS {
        let oldest = access.iter().min_by_key(|(_, access)| access.used);
        if let Some(oldest) = oldest.map(|(token, _)| token.clone()) {
            access.remove(&oldest);
        }
    }
    let tail = random(org, 80);
    let token = format!("{}!AQ{tail}", &org.org_id[..15]);
    let access = Access { used: now, grant };
    org.sessions.access.insert(token.clone(), access);
    token
}

pub(super) fn issue_refresh(org: &mut Org, grant: u64) -> String {
    let token = format!("5Aep861{}", random(org, 60));
    org.sessions.refresh.insert(token.clone(), grant);
    token
}

/// Whether the token is live; using it extends its life.
pub(super) fn touch(org: &mut Org, token: &str) -> bool {
    let now = org.clock.now().millis();
    let idle = org.options.token_idle_ms;
    match org.sessions.access.get_mut(token) {
        Some(access) if now - access.used <= idle => {
            access.used = now;
            true
        }
        Some(_) => {
            org.sessions.access.remove(token);
            false
        }
        None => false,
    }
}

/// Calls of the rolling last 24 hours, counted per minute.
#[derive(Debug, Default)]
pub(in crate::sim::salesforce) struct Usage {
    minutes: VecDeque<(i64, u64)>,
    sum: u64,
}

impl Usage {
    pub fn used(&mut self, now_millis: i64) -> u64 {
        let minute = now_millis.div_euclid(60_000);
        while let Some((at, count)) = self.minutes.front().copied() {
            if at > minute - DAY_MINUTES {
                break;
            }
            self.sum -= count;
            self.minutes.pop_front();
        }
        self.sum
    }

    pub fn count(&mut self, now_millis: i64) {
        let minute = now_millis.div_euclid(60_000);
        match self.minutes.back_mut() {
            Some((at, count)) if *at == minute => *count += 1,
            Some(_) | None => self.minutes.push_back((minute, 1)),
        }
        self.sum += 1;
    }
}
