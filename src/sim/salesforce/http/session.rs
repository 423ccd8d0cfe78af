//! Access tokens with their sliding idle window, refresh tokens, and the daily call allowance.

use std::collections::{BTreeMap, VecDeque};

use crate::sim::salesforce::org::Org;

const DAY_MINUTES: i64 = 24 * 60;
/// More live tokens than this and the longest unused one ends.
const MAX_TOKENS: usize = 1_000;

#[derive(Debug, Default)]
pub(in crate::sim::salesforce) struct Sessions {
    /// Access token -> when it was last used, in milliseconds, and the grant it came from.
    access: BTreeMap<String, (i64, Option<String>)>,
    refresh: Vec<String>,
    /// Every refresh hands out a new refresh token and ends the old one.
    pub rotate: bool,
}

impl Sessions {
    pub fn expire_all(&mut self) {
        self.access.clear();
    }

    pub fn knows_refresh(&self, token: &str) -> bool {
        self.refresh.iter().any(|own| own == token)
    }

    pub fn end_refresh(&mut self, token: &str) {
        self.refresh.retain(|own| own != token);
        self.access
            .retain(|_, (_, grant)| grant.as_deref() != Some(token));
    }

    /// Ends a token of either kind; false when it is unknown.
    pub fn revoke(&mut self, token: &str) -> bool {
        if self.knows_refresh(token) {
            self.end_refresh(token);
            return true;
        }
        self.access.remove(token).is_some()
    }
}

pub(super) fn random(org: &mut Org, length: usize) -> String {
    (0..length).map(|_| org.rng.alphanumeric()).collect()
}

/// `<15 characters of the org id>!<random>`, as opaque tokens look.
pub(in crate::sim::salesforce) fn issue(org: &mut Org, grant: Option<String>) -> String {
    let now = org.clock.now().millis();
    let idle = org.options.token_idle_ms;
    let access = &mut org.sessions.access;
    access.retain(|_, (used, _)| now - *used <= idle);
    if access.len() >= MAX_TOKENS {
        let oldest = access.iter().min_by_key(|(_, (used, _))| *used);
        if let Some(oldest) = oldest.map(|(token, _)| token.clone()) {
            access.remove(&oldest);
        }
    }
    let tail = random(org, 80);
    let token = format!("{}!AQ{tail}", &org.org_id[..15]);
    org.sessions.access.insert(token.clone(), (now, grant));
    token
}

pub(super) fn issue_refresh(org: &mut Org) -> String {
    let token = format!("5Aep861{}", random(org, 60));
    if org.sessions.refresh.len() >= MAX_TOKENS {
        let oldest = org.sessions.refresh[0].clone();
        org.sessions.end_refresh(&oldest);
    }
    org.sessions.refresh.push(token.clone());
    token
}

/// Whether the token is live; using it extends its life.
pub(super) fn touch(org: &mut Org, token: &str) -> bool {
    let now = org.clock.now().millis();
    let idle = org.options.token_idle_ms;
    match org.sessions.access.get_mut(token) {
        Some((used, _)) if now - *used <= idle => {
            *used = now;
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
