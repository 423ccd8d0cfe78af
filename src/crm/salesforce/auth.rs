//! Logging in: credentials in, a session with the address to call out.
//!
//! The address always comes from the reply; calls never go to the login host (salesforce.md 1.1).

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::{VERSION, error, jwt};
use crate::clock::Clock;
use crate::crm::http::{self as wire_http, Reply, Request, Transport};
use crate::crm::json::Lenient;
use crate::crm::{CrmError, ErrorKind, Renewal, Sent, Token};

/// How a connection gets its token. Secrets come from outside and are never written anywhere.
#[derive(Clone, Debug)]
pub enum Login {
    /// `url` is the org's own My Domain address.
    ClientCredentials {
        url: String,
        id: String,
        secret: SecretString,
    },
    Jwt {
        url: String,
        client_id: String,
        username: String,
        /// PEM text of an RSA key, PKCS#8 or PKCS#1.
        private_key: SecretString,
        /// `https://login.salesforce.com` or `https://test.salesforce.com`, whatever `url` is.
        audience: String,
    },
    /// A token from elsewhere; it cannot be renewed here. `url` is the org's own address.
    Token { url: String, token: SecretString },
    /// A grant that others keep and renew.
    Renewed(Renewal),
}

#[derive(Clone, Debug)]
pub struct Session {
    pub instance_url: String,
    pub token: SecretString,
    /// 18 characters.
    pub organization_id: String,
    pub user_id: Option<String>,
}

impl Session {
    pub(super) fn of(token: Token) -> Self {
        Self {
            instance_url: token.instance_url.trim_end_matches('/').to_owned(),
            token: token.secret,
            organization_id: token.account_id,
            user_id: token.user_id,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenReply {
    access_token: Option<SecretString>,
    instance_url: Lenient,
    id: Lenient,
}

/// Gets a session. A token from elsewhere costs one query for the organization it belongs to.
pub async fn log_in(
    transport: &Transport,
    login: &Login,
    clock: &Clock,
) -> Result<Session, CrmError> {
    let (url, pairs) = match login {
        Login::ClientCredentials { url, id, secret } => {
            let secret = secret.expose_secret().to_owned();
            let pairs = vec![
                ("grant_type", "client_credentials".to_owned()),
                ("client_id", id.clone()),
                ("client_secret", secret),
            ];
            (url, pairs)
        }
        Login::Jwt {
            url,
            client_id,
            username,
            private_key,
            audience,
        } => {
            let claims = jwt::Claims {
                client_id,
                username,
                audience,
            };
            let assertion = jwt::sign(&claims, private_key, clock.now())?;
            let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned();
            (url, vec![("grant_type", grant), ("assertion", assertion)])
        }
        Login::Token { url, token } => return adopt(transport, url, token, clock).await,
        Login::Renewed(renewal) => return Ok(Session::of(renewal.token(clock.now()).await?)),
    };
    let base = wire_http::base(url)?;
    let url = wire_http::join(&base, &["services", "oauth2", "token"]);
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, v)| (*name, v.as_str())).collect();
    let request = Request::new(Method::POST, url, false)
        .form(&pairs)
        .header("accept", "application/json");
    let reply = transport.send(request).await?;
    if reply.status != 200 {
        return Err(error::from_login(&reply, clock.now()));
    }
    session(&reply, &base)
}

fn session(reply: &Reply, asked: &Url) -> Result<Session, CrmError> {
    let answer: TokenReply = reply.json()?;
    let token = answer
        .access_token
        .filter(|token| !token.expose_secret().is_empty())
        .ok_or_else(|| reply.broken("the login reply holds no access token"))?;
    let instance_url = answer.instance_url.0.unwrap_or_default();
    let instance_url = wire_http::base(&instance_url)
        .map_err(|_| reply.broken("the login reply holds no usable instance address"))?;
    if asked.scheme() == "https" && instance_url.scheme() != "https" {
        return Err(reply.broken("the login reply would send the token over an open line"));
    }
    let identity = answer.id.0.unwrap_or_default();
    let mut parts = identity.rsplit('/');
    let (user, organization) = (parts.next(), parts.next());
    let organization_id = organization
        .and_then(full_id)
        .or_else(|| organization_in(&token))
        .ok_or_else(|| reply.broken("the login reply does not say which organization it is"))?;
    Ok(Session {
        instance_url: instance_url.to_string().trim_end_matches('/').to_owned(),
        token,
        organization_id,
        user_id: user.and_then(full_id),
    })
}

async fn adopt(
    transport: &Transport,
    url: &str,
    token: &SecretString,
    clock: &Clock,
) -> Result<Session, CrmError> {
    let base = wire_http::base(url)?;
    let organization_id = match organization_in(token) {
        Some(id) => id,
        None => ask_organization(transport, &base, token, clock).await?,
    };
    Ok(Session {
        instance_url: base.to_string().trim_end_matches('/').to_owned(),
        token: token.clone(),
        organization_id,
        user_id: None,
    })
}

/// Tokens in JWT form do not begin with the organization's id, so it is asked for.
async fn ask_organization(
    transport: &Transport,
    base: &Url,
    token: &SecretString,
    clock: &Clock,
) -> Result<String, CrmError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Rows {
        records: Vec<Row>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Row {
        #[serde(rename = "Id")]
        id: Lenient,
    }
    let mut url = wire_http::join(base, &["services", "data", VERSION, "query"]);
    url.query_pairs_mut()
        .append_pair("q", "SELECT Id FROM Organization");
    let request = Request::new(Method::GET, url, false)
        .header("accept", "application/json")
        .bearer(token)?;
    let reply = transport.send(request).await?;
    if reply.status != 200 {
        return Err(error::from_reply(&reply, clock.now(), None));
    }
    let rows: Rows = reply.json()?;
    rows.records
        .into_iter()
        .find_map(|row| full_id(&row.id.0?))
        .ok_or_else(|| {
            let message = "the organization behind the Salesforce token could not be read";
            CrmError::new(
                ErrorKind::Forbidden,
                "unknown-organization",
                message,
                Sent::Yes,
            )
        })
}

/// Opaque tokens begin with the organization's 15-character id and an exclamation mark.
fn organization_in(token: &SecretString) -> Option<String> {
    full_id(token.expose_secret().split_once('!')?.0)
}

/// 18 characters from 15 or 18; `None` for anything else (salesforce.md 9.1).
pub fn full_id(id: &str) -> Option<String> {
    if !matches!(id.len(), 15 | 18) || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let mut full = id[..15].to_owned();
    for group in id.as_bytes()[..15].chunks(5) {
        let bits = group.iter().rev().fold(0_usize, |bits, b| {
            bits << 1 | usize::from(b.is_ascii_uppercase())
        });
        full.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]));
    }
    Some(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ids_get_their_last_three_characters() {
        for id in [
            "0015f00002JUZPDAA5",
            "00190000001pPvHAAU",
            "017bW00000HKErBQAX",
        ] {
            assert_eq!(full_id(&id[..15]).as_deref(), Some(id));
            assert_eq!(full_id(id).as_deref(), Some(id));
        }
        for id in ["", "0015f00002JUZPé", "0015f00002JUZPDAA5X"] {
            assert_eq!(full_id(id), None);
        }
    }
}
