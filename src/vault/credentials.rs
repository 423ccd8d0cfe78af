//! What a connection's sealed text holds, and how it is written and read.
//!
//! The one place where credentials have a JSON form, which is sealed before it goes anywhere.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::crm::oauth::Tokens;
use crate::crm::salesforce::Login;
use crate::model::Timestamp;

/// How a side of a workspace is opened.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A grant of an administrator to our app.
    OAuth(Grant),
    /// HubSpot's static token, or a Salesforce token that somebody else renews.
    Token { url: String, token: SecretString },
    /// Salesforce only.
    ClientCredentials {
        login_url: String,
        client_id: String,
        client_secret: SecretString,
    },
    /// Salesforce only.
    Jwt {
        login_url: String,
        client_id: String,
        username: String,
        private_key: SecretString,
    },
}

#[derive(Clone, Debug)]
pub struct Grant {
    pub access: SecretString,
    pub refresh: Option<SecretString>,
    pub expires_at: Option<Timestamp>,
    /// Where calls go; empty on HubSpot.
    pub instance_url: String,
    /// Salesforce: whom calls are made as. A grant that was kept without it learns it when it is
    /// renewed.
    pub user_id: Option<String>,
    /// Where it was granted and is renewed.
    pub login_url: String,
}

impl Grant {
    /// What a refresh answered: a token that did not come keeps the old one valid.
    pub fn renewed(&self, tokens: &Tokens) -> Self {
        Self {
            access: tokens.access.clone(),
            refresh: tokens.refresh.clone().or_else(|| self.refresh.clone()),
            expires_at: tokens.expires_at,
            instance_url: tokens.instance_url.clone(),
            user_id: tokens.user_id.clone().or_else(|| self.user_id.clone()),
            login_url: self.login_url.clone(),
        }
    }
}

/// The JSON of it. Never logged, never outside this file.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Written {
    OAuth {
        access: String,
        refresh: Option<String>,
        expires_at: Option<i64>,
        instance_url: String,
        #[serde(default)]
        user_id: Option<String>,
        login_url: String,
    },
    Token {
        url: String,
        token: String,
    },
    ClientCredentials {
        login_url: String,
        client_id: String,
        client_secret: String,
    },
    Jwt {
        login_url: String,
        client_id: String,
        username: String,
        private_key: String,
    },
}

fn shown(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}

impl Credentials {
    /// How static credentials log in. A grant logs in by its renewal, never here.
    pub(super) fn login(self) -> Login {
        match self {
            Self::Token { url, token } => Login::Token { url, token },
            Self::ClientCredentials {
                login_url,
                client_id,
                client_secret,
            } => Login::ClientCredentials {
                url: login_url,
                id: client_id,
                secret: client_secret,
            },
            Self::Jwt {
                login_url,
                client_id,
                username,
                private_key,
            } => Login::Jwt {
                audience: audience(&login_url).to_owned(),
                url: login_url,
                client_id,
                username,
                private_key,
            },
            Self::OAuth(grant) => Login::Token {
                url: grant.instance_url,
                token: grant.access,
            },
        }
    }

    pub(super) fn write(&self) -> SecretString {
        let written = match self.clone() {
            Self::OAuth(grant) => Written::OAuth {
                access: shown(&grant.access),
                refresh: grant.refresh.as_ref().map(shown),
                expires_at: grant.expires_at.map(Timestamp::micros),
                instance_url: grant.instance_url,
                user_id: grant.user_id,
                login_url: grant.login_url,
            },
            Self::Token { url, token } => Written::Token {
                url,
                token: shown(&token),
            },
            Self::ClientCredentials {
                login_url,
                client_id,
                client_secret,
            } => Written::ClientCredentials {
                login_url,
                client_id,
                client_secret: shown(&client_secret),
            },
            Self::Jwt {
                login_url,
                client_id,
                username,
                private_key,
            } => Written::Jwt {
                login_url,
                client_id,
                username,
                private_key: shown(&private_key),
            },
        };
        SecretString::from(serde_json::to_string(&written).unwrap_or_default())
    }

    /// `None` when this build cannot read what another one wrote.
    pub(super) fn read(text: &SecretString) -> Option<Self> {
        let written: Written = serde_json::from_str(text.expose_secret()).ok()?;
        Some(match written {
            Written::OAuth {
                access,
                refresh,
                expires_at,
                instance_url,
                user_id,
                login_url,
            } => Self::OAuth(Grant {
                access: SecretString::from(access),
                refresh: refresh.map(SecretString::from),
                expires_at: expires_at.map(Timestamp::from_micros),
                instance_url,
                user_id,
                login_url,
            }),
            Written::Token { url, token } => Self::Token {
                url,
                token: SecretString::from(token),
            },
            Written::ClientCredentials {
                login_url,
                client_id,
                client_secret,
            } => Self::ClientCredentials {
                login_url,
                client_id,
                client_secret: SecretString::from(client_secret),
            },
            Written::Jwt {
                login_url,
                client_id,
                username,
                private_key,
            } => Self::Jwt {
                login_url,
                client_id,
                username,
                private_key: SecretString::from(private_key),
            },
        })
    }
}

/// The audience is one of the two login hosts, whatever My Domain the request goes to
/// (salesforce.md 1.5).
pub fn audience(login_url: &str) -> &'static str {
    let host = Url::parse(login_url).ok();
    let host = host.as_ref().and_then(Url::host_str).unwrap_or_default();
    if host.starts_with("test.") || host.contains(".sandbox.") {
        "https://test.salesforce.com"
    } else {
        "https://login.salesforce.com"
    }
}
