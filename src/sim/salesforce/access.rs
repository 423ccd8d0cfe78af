//! Direct doors of the browser and of the administrator to the app's own access: consent, its
//! end, and what the org demands of the app.

use super::SalesforceSim;
use super::http::{Consent, decide};

impl SalesforceSim {
    /// Opens an authorisation URL and presses "Allow", as a person at the browser; gives the
    /// address the browser is sent to, which may carry an error.
    ///
    /// # Errors
    /// The page that was shown instead.
    pub fn approve(&self, url: &str) -> Result<String, String> {
        let after = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = &after[after.find('/').unwrap_or(after.len())..];
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if path != "/services/oauth2/authorize" {
            return Err(format!("{path} is no authorisation page"));
        }
        let params: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        match self.with(|org| decide(org, &params, Some("allow"))) {
            Consent::Leave(location) => Ok(location),
            Consent::Ask(page, _) | Consent::Refuse(page) => Err(page),
        }
    }

    /// Whether a code, or a token of the app, is one of this org's.
    pub fn knows(&self, secret: &str) -> bool {
        self.with(|org| org.sessions.know(secret))
    }

    /// An administrator revokes the app: every access and refresh token and every code ends.
    pub fn revoke_grants(&self) {
        self.with(|org| org.sessions.revoke_all());
    }

    /// Whether a refresh gives a new refresh token and ends the old one. A token that was rotated
    /// out ends its whole grant when it is shown again.
    pub fn set_rotation(&self, on: bool) {
        self.with(|org| org.sessions.rotate = on);
    }

    /// Whether the app is installed in the org; without that nobody can approve it.
    pub fn set_app_installed(&self, installed: bool) {
        self.with(|org| org.sessions.installed = installed);
    }

    /// Whether the app demands PKCE.
    pub fn set_pkce_required(&self, required: bool) {
        self.with(|org| org.sessions.needs_pkce = required);
    }

    /// The org becomes a fresh copy of another: it has a new organisation id, which this returns,
    /// and every token still works.
    pub fn refresh_sandbox(&self) -> String {
        self.with(super::org::Org::refresh_sandbox)
    }
}
